//! Sends what is due: one thread that wakes at each instant, and connections that take from it what comes next.
//!
//! The clock thread sleeps in the kernel, which is exact to some tens of microseconds; an async timer rounds to a
//! millisecond. A request waits for no connection to count: its latency begins when it was due.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::mix::{Kind, Request, Ticket, tickets};
use super::schedule::Schedule;
use super::stats::{Heard, Sample, Stats};
use super::target::Target;
use super::wire::Wire;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// How requests follow each other.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// Each at its own instant, whatever the server does.
    Open(Schedule),
    /// Each connection sends its next when it has the answer to its last, for so long.
    Closed(Duration),
}

/// One load.
#[derive(Debug, Clone)]
pub struct Load {
    /// What is sent.
    pub visits: Vec<Kind>,
    /// How it is spread.
    pub pace: Pace,
    /// Most requests under way at once.
    pub connections: usize,
    /// What chance begins with.
    pub seed: u64,
}

/// What the gateway was told of each request that was sent.
pub type Sent = HashMap<Ticket, Vec<Heard>>;

/// Where the next request comes from.
enum Source {
    /// The clock's: a place in the list and the instant it was due.
    Clock(async_channel::Receiver<(usize, Instant)>),
    /// The list itself, until then.
    List(Arc<AtomicUsize>, Instant),
}

impl Source {
    async fn next(&self, count: usize) -> Option<(usize, Instant)> {
        match self {
            Self::Clock(dues) => dues.recv().await.ok(),
            Self::List(next, until) => {
                let at = next.fetch_add(1, Ordering::Relaxed);
                (at < count && Instant::now() < *until).then(|| (at, Instant::now()))
            }
        }
    }
}

/// Sends a load; returns when all is answered, or soon after `stop`.
pub async fn run(target: &Target, load: &Load, stats: Arc<Stats>, stop: Arc<AtomicBool>) -> Sent {
    let list = Arc::new(tickets(&load.visits, load.seed));
    let kinds = Arc::new(load.visits.clone());
    let started = Instant::now();
    let (dues, due) = async_channel::unbounded();
    let next = Arc::new(AtomicUsize::new(0));
    let clock = match load.pace {
        Pace::Open(schedule) => {
            let (count, stop) = (list.len(), Arc::clone(&stop));
            Some(std::thread::spawn(move || tick(schedule, count, started, &dues, &stop)))
        }
        Pace::Closed(_) => None,
    };
    let mut connections = JoinSet::new();
    for _ in 0..load.connections {
        let source = match load.pace {
            Pace::Open(_) => Source::Clock(due.clone()),
            Pace::Closed(lasts) => Source::List(Arc::clone(&next), started + lasts),
        };
        let (target, list, kinds) = (target.clone(), Arc::clone(&list), Arc::clone(&kinds));
        let (stats, stop) = (Arc::clone(&stats), Arc::clone(&stop));
        connections.spawn(async move { connection(&target, &list, &kinds, &source, started, &stats, &stop).await });
    }
    let mut sent = Sent::new();
    while let Some(done) = connections.join_next().await {
        for (ticket, heard) in done.unwrap_or_default() {
            sent.entry(ticket).or_default().push(heard);
        }
    }
    if let Some(clock) = clock {
        let _ended = clock.join();
    }
    sent
}

/// Hands each request over at its instant.
fn tick(
    schedule: Schedule,
    count: usize,
    started: Instant,
    dues: &async_channel::Sender<(usize, Instant)>,
    stop: &AtomicBool,
) {
    for (at, due) in schedule.dues().take(count).enumerate() {
        let due = started + due;
        loop {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() || stop.load(Ordering::Relaxed) {
                break;
            }
            // In parts, so that a stop is seen during a long gap.
            std::thread::sleep(left.min(Duration::from_millis(100)));
        }
        if stop.load(Ordering::Relaxed) || dues.send_blocking((at, due)).is_err() {
            return;
        }
    }
}

async fn connection(
    target: &Target,
    list: &[Ticket],
    kinds: &[Kind],
    source: &Source,
    started: Instant,
    stats: &Stats,
    stop: &AtomicBool,
) -> Vec<(Ticket, Heard)> {
    // Who forges is somebody else: an honest gateway does not share its address with him.
    let (mut wire, mut stranger) = (Wire::new(target.address, None), Wire::new(target.address, target.stranger()));
    let mut sent = Vec::new();
    while let Some((at, due)) = source.next(list.len()).await {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let ticket = list[at];
        let slow = kinds[ticket.visit as usize] == Kind::Slow;
        let request = target.request(ticket);
        let lag = due.elapsed();
        let wire = if ticket.request == Request::Bent { &mut stranger } else { &mut wire };
        let heard = match wire.exchange(&request, slow, PATIENCE).await {
            Ok(answer) => target.heard(&answer),
            Err(silence) => silence.into(),
        };
        let sample = Sample {
            request: ticket.request,
            heard,
            due: due.saturating_duration_since(started),
            latency: due.elapsed(),
            lag,
        };
        stats.record(sample, slow);
        sent.push((ticket, heard));
    }
    sent
}
