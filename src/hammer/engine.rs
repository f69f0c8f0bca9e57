//! Sends what is due: one thread that wakes at each instant, and connections that take from it what comes next.
//!
//! The clock thread sleeps in the kernel, which is exact to some tens of microseconds; an async timer rounds to a
//! millisecond. A request waits for no connection to count: its latency begins when it was due.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::mix::{RequestKind, Ticket, VisitKind, tickets};
use super::schedule::Schedule;
use super::stats::{RequestResult, Sample, Stats};
use super::target::Prepared;
use super::wire::Wire;
use super::{buyer, message};

/// How long one answer may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);

/// How requests follow each other.
#[derive(Debug, Clone, Copy)]
pub enum Arrivals {
    /// Each at its own instant, whatever the server does.
    Open(Schedule),
    /// Each connection sends its next when it has the answer to its last, for so long.
    Closed(Duration),
}

impl Arrivals {
    /// Requests a second that are due, on average; `None` in a closed loop.
    #[must_use]
    pub fn offered(&self) -> Option<f64> {
        match self {
            Self::Open(schedule) => Some(schedule.count() as f64 / schedule.lasts.as_secs_f64()),
            Self::Closed(_) => None,
        }
    }
}

/// One load.
#[derive(Debug, Clone)]
pub struct Load {
    /// What is sent.
    pub visits: Vec<VisitKind>,
    /// How it is spread.
    pub arrivals: Arrivals,
    /// Most requests under way at once; in a closed loop, visits.
    pub connections: usize,
    /// How long a buyer thinks between his order and his payment, on average.
    pub think: Duration,
    /// What chance begins with.
    pub seed: u64,
}

/// What senders were told.
#[derive(Debug, Clone, Default)]
pub struct Sent {
    /// What was heard of each request that was sent.
    pub heard: HashMap<Ticket, Vec<RequestResult>>,
    /// The keys that each buyer was shown.
    pub shown: HashMap<u32, Vec<String>>,
}

impl Sent {
    pub(super) fn add(&mut self, ticket: Ticket, heard: RequestResult) {
        self.heard.entry(ticket).or_default().push(heard);
    }

    fn absorb(&mut self, other: Self) {
        for (ticket, mut heard) in other.heard {
            self.heard.entry(ticket).or_default().append(&mut heard);
        }
        self.shown.extend(other.shown);
    }
}

/// A request that is to be sent.
struct Due {
    /// Its place in the list.
    at: usize,
    /// When it was due.
    due: Instant,
    /// When the clock handed it over.
    handed: Instant,
}

/// Where the next request comes from.
enum Source {
    /// The clock.
    Clock(async_channel::Receiver<Due>),
    /// The list itself, until then.
    List(Arc<AtomicUsize>, Instant),
}

impl Source {
    async fn next(&self, count: usize) -> Option<Due> {
        match self {
            Self::Clock(dues) => dues.recv().await.ok(),
            Self::List(next, until) => {
                let (at, now) = (next.fetch_add(1, Ordering::Relaxed), Instant::now());
                (at < count && now < *until).then_some(Due { at, due: now, handed: now })
            }
        }
    }
}

/// What all that send share.
pub(super) struct Run {
    pub target: Prepared,
    pub think: Duration,
    pub seed: u64,
    pub stop: Arc<AtomicBool>,
    /// Requests that follow from others may be under way as many at once as those that are scheduled.
    pub permits: Semaphore,
    /// The gateway's connections that are free, for payments that follow from orders.
    pub gateway: Mutex<Vec<Wire>>,
    list: Vec<Ticket>,
    kinds: Vec<VisitKind>,
    started: Instant,
    stats: Arc<Stats>,
}

/// When a request was due, and how late the load itself was with it.
pub(super) struct Timing {
    pub due: Instant,
    pub lag: Duration,
    pub scheduled: bool,
}

impl Run {
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Counts an answer that is here now.
    pub fn record(&self, ticket: Ticket, heard: RequestResult, timing: &Timing) {
        self.stats.record(Sample {
            request: ticket.request,
            heard,
            due: timing.due.saturating_duration_since(self.started),
            latency: timing.due.elapsed(),
            lag: timing.lag,
            scheduled: timing.scheduled,
            slow: self.kinds.get(ticket.visit as usize) == Some(&VisitKind::Slow),
        });
    }

    /// One of the gateway's connections that no payment uses.
    pub fn gateway_wire(&self) -> Wire {
        let free = self.gateway.lock().unwrap_or_else(PoisonError::into_inner).pop();
        free.unwrap_or_else(|| Wire::new(self.target.address, None))
    }

    /// Gives it back.
    pub fn gateway_free(&self, wire: Wire) {
        self.gateway.lock().unwrap_or_else(PoisonError::into_inner).push(wire);
    }
}

/// Sends a load; returns when all is answered, or soon after `stop`.
pub async fn run(target: &Prepared, load: &Load, stats: Arc<Stats>, stop: Arc<AtomicBool>) -> Sent {
    let started = Instant::now();
    let before = worked();
    let run = Arc::new(Run {
        target: target.clone(),
        think: load.think,
        seed: load.seed,
        stop: Arc::clone(&stop),
        permits: Semaphore::new(load.connections),
        gateway: Mutex::default(),
        list: tickets(&load.visits, load.seed),
        kinds: load.visits.clone(),
        started,
        stats: Arc::clone(&stats),
    });
    let (dues, due) = async_channel::unbounded();
    let next = Arc::new(AtomicUsize::new(0));
    let clock = match load.arrivals {
        Arrivals::Open(schedule) => {
            let run = Arc::clone(&run);
            Some(std::thread::spawn(move || tick(schedule, &run, &dues)))
        }
        Arrivals::Closed(_) => None,
    };
    let mut connections = JoinSet::new();
    for _ in 0..load.connections {
        let source = match load.arrivals {
            Arrivals::Open(_) => Source::Clock(due.clone()),
            Arrivals::Closed(lasts) => Source::List(Arc::clone(&next), started + lasts),
        };
        connections.spawn(connection(Arc::clone(&run), source));
    }
    let mut sent = Sent::default();
    while let Some(done) = connections.join_next().await {
        sent.absorb(done.unwrap_or_default());
    }
    if let Some(clock) = clock {
        let _ended = clock.join();
    }
    let threads = tokio::runtime::Handle::current().metrics().num_workers().max(1);
    stats.end(worked().saturating_sub(before).as_secs_f64() / started.elapsed().as_secs_f64() / threads as f64);
    sent
}

/// How long the threads that send have worked in all.
fn worked() -> Duration {
    let metrics = tokio::runtime::Handle::current().metrics();
    (0..metrics.num_workers()).map(|worker| metrics.worker_total_busy_duration(worker)).sum()
}

/// Hands each request over at its instant, and says how far it has followed the schedule.
fn tick(schedule: Schedule, run: &Run, dues: &async_channel::Sender<Due>) {
    let mut instants = schedule.dues().peekable();
    for at in 0..run.list.len() {
        let Some(instant) = instants.next() else { return };
        let due = run.started + instant;
        loop {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() || run.stopped() {
                break;
            }
            // In parts, so that a stop is seen during a long gap.
            std::thread::sleep(left.min(Duration::from_millis(100)));
        }
        if run.stopped() || dues.send_blocking(Due { at, due, handed: Instant::now() }).is_err() {
            return;
        }
        run.stats.followed(at as u64 + 1, instants.peek().copied().unwrap_or(schedule.lasts));
    }
}

async fn connection(run: Arc<Run>, source: Source) -> Sent {
    let target = &run.target;
    // Who forges is somebody else: an honest gateway does not share its address with him.
    let (mut wire, mut stranger) = (Wire::new(target.address, None), Wire::new(target.address, target.stranger()));
    let (mut sent, mut buyers) = (Sent::default(), JoinSet::new());
    let mut free = Instant::now();
    while let Some(Due { at, due, handed }) = source.next(run.list.len()).await {
        if run.stopped() {
            break;
        }
        let ticket = run.list[at];
        let kind = run.kinds[ticket.visit as usize];
        let Some(request) = target.request(ticket) else { continue };
        // The clock was late, then this connection was, unless it had to wait for an answer: that is the server's time.
        let lag = handed.saturating_duration_since(due) + handed.max(free).elapsed();
        let timing = Timing { due, lag, scheduled: true };
        let mut made = None;
        let heard = if ticket.request == RequestKind::Order {
            let mut own = Wire::new(target.address, target.buyer(ticket.visit));
            let heard;
            (heard, made) = match own.exchange(&request, false, PATIENCE).await {
                Ok(answer) => message::ordered(&answer),
                Err(silence) => (silence.into(), None),
            };
            heard
        } else {
            let wire = if ticket.request == RequestKind::Bent { &mut stranger } else { &mut wire };
            match wire.exchange(&request, kind == VisitKind::Slow, PATIENCE).await {
                Ok(answer) => target.heard(&answer),
                Err(silence) => silence.into(),
            }
        };
        run.record(ticket, heard, &timing);
        sent.add(ticket, heard);
        if let Some(made) = made {
            target.remember(ticket.visit as usize, made).await;
        }
        if heard == RequestResult::Created && kind == VisitKind::Buyer {
            let visit = buyer::after_order(Arc::clone(&run), ticket.visit);
            match source {
                // Who thinks keeps nobody else waiting.
                Source::Clock(_) => drop(buyers.spawn(visit)),
                Source::List(..) => sent.absorb(visit.await),
            }
        }
        while let Some(done) = buyers.try_join_next() {
            sent.absorb(done.unwrap_or_default());
        }
        free = Instant::now();
    }
    while let Some(done) = buyers.join_next().await {
        sent.absorb(done.unwrap_or_default());
    }
    sent
}
