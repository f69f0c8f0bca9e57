//! What a run measured: latencies in histograms that are merged, never averaged; answers by kind; seconds one by one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;

use super::mix::RequestKind;
use super::wire::Silence;

/// Longest latency told apart, in microseconds.
pub(super) const LONGEST_US: u64 = 120_000_000;

/// What a request came to, in the words of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RequestResult {
    /// The gateway's success word.
    Success,
    /// Refused.
    Refused,
    /// Too many refused ones before (429).
    Limited,
    /// Try again (503).
    Unavailable,
    /// Something else.
    Other,
    /// Could not connect.
    NoConnection,
    /// Cut off.
    Cut,
    /// No answer in time.
    TimedOut,
    /// A new order stands.
    Created,
    /// No new order: not enough in stock.
    SoldOut,
    /// The order's keys are here.
    Delivered,
    /// The order is paid and waits for stock.
    Owed,
    /// The order is not paid yet, as far as its buyer can see.
    Pending,
}

impl RequestResult {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Refused => "refused",
            Self::Limited => "limited",
            Self::Unavailable => "unavailable",
            Self::Other => "other",
            Self::NoConnection => "no-connection",
            Self::Cut => "cut",
            Self::TimedOut => "timed-out",
            Self::Created => "created",
            Self::SoldOut => "sold-out",
            Self::Delivered => "delivered",
            Self::Owed => "owed",
            Self::Pending => "pending",
        }
    }

    /// Whether the sender knows nothing of what became of it.
    #[must_use]
    pub const fn unknown(self) -> bool {
        matches!(self, Self::Unavailable | Self::NoConnection | Self::Cut | Self::TimedOut | Self::Other)
    }

    /// Whether it is what a buyer or a gateway hopes for.
    #[must_use]
    pub const fn good(self) -> bool {
        matches!(self, Self::Success | Self::Created | Self::Delivered)
    }
}

impl RequestResult {
    /// Whether nothing came back at all.
    #[must_use]
    pub const fn silent(self) -> bool {
        matches!(self, Self::NoConnection | Self::Cut | Self::TimedOut)
    }
}

impl From<Silence> for RequestResult {
    fn from(silence: Silence) -> Self {
        match silence {
            Silence::Refused => Self::NoConnection,
            Silence::Cut => Self::Cut,
            Silence::Late => Self::TimedOut,
            Silence::Garbled => Self::Other,
        }
    }
}

/// One request's figures.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// What it was.
    pub request: RequestKind,
    /// What it came to.
    pub heard: RequestResult,
    /// When it was due, from the start.
    pub due: Duration,
    /// From when it was due to its answer.
    pub latency: Duration,
    /// The load's own lateness: how long it was due and not sent although a connection was free for it.
    pub lag: Duration,
    /// Whether it was due by the schedule, not because of an answer before it.
    pub scheduled: bool,
    /// Whether it was slow on purpose: it counts, without its latency.
    pub slow: bool,
}

/// One second of a run.
#[derive(Debug, Clone)]
pub struct RunSecond {
    /// Requests that were due in it and are answered.
    pub answered: u64,
    /// Of those, with success.
    pub success: u64,
    /// Their latencies, in microseconds.
    pub latency: Histogram<u64>,
    /// Their p99 as of the last glance; `None` when there are newer ones.
    pub(super) p99: Option<u64>,
}

/// Everything so far.
#[derive(Debug, Clone)]
pub struct Totals {
    /// Answers of each kind of request.
    pub heard: BTreeMap<(RequestKind, RequestResult), u64>,
    /// Latencies from when each was due, in microseconds. Slow clients are left out: their time is their own; and so is what
    /// failed, but for what failed by being late: a quick refusal is no quick answer.
    pub latency: Histogram<u64>,
    /// The same for each step of a sale.
    pub steps: [Histogram<u64>; 3],
    /// The load's own lateness, in microseconds.
    pub lag: Histogram<u64>,
    /// Second by second.
    pub seconds: Vec<RunSecond>,
    /// Requests answered.
    pub answered: u64,
    /// Requests that got no answer: no connection, cut off, too late.
    pub unanswered: u64,
    /// Of those answered, how many the schedule asked for: all, but for what buyers do after their order.
    pub scheduled: u64,
    /// From the start to the last answer to one of the schedule's that was not slow on purpose.
    pub took: Duration,
    /// Requests that the schedule had handed over.
    pub handed: u64,
    /// How long the schedule has been followed: until the next request was due, or to its end.
    pub span: Duration,
    /// The share of the time that the load's threads worked; known at the end.
    pub busy: f64,
    /// Whether all is sent and answered.
    pub ended: bool,
}

/// The figures of a run, shared by its connections and its screen.
pub struct Stats {
    totals: Mutex<Totals>,
    /// Counted apart: the clock's thread waits for nobody.
    handed: AtomicU64,
    span_us: AtomicU64,
}

fn histogram(digits: u8) -> Histogram<u64> {
    // The bounds are fixed and valid.
    Histogram::new_with_bounds(1, LONGEST_US, digits)
        .unwrap_or_else(|_| Histogram::new(digits).unwrap_or_else(|_| unreachable!()))
}

/// A percentile in milliseconds; `None` where there are too few values to tell it from the highest.
#[must_use]
pub fn percentile(histogram: &Histogram<u64>, percentile: f64) -> Option<f64> {
    let needed = if percentile < 100.0 { 100.0 / (100.0 - percentile) } else { 1.0 };
    let enough = histogram.len() as f64 >= needed * 0.999;
    (enough && !histogram.is_empty()).then(|| millis(histogram, percentile))
}

/// A percentile in milliseconds; 0 where there is no value.
#[must_use]
pub fn millis(histogram: &Histogram<u64>, percentile: f64) -> f64 {
    histogram.value_at_percentile(percentile) as f64 / 1000.0
}

impl Default for Stats {
    fn default() -> Self {
        let totals = Mutex::new(Totals {
            heard: BTreeMap::new(),
            latency: histogram(3),
            steps: [histogram(3), histogram(3), histogram(3)],
            lag: histogram(3),
            seconds: Vec::new(),
            answered: 0,
            unanswered: 0,
            scheduled: 0,
            took: Duration::ZERO,
            handed: 0,
            span: Duration::ZERO,
            busy: 0.0,
            ended: false,
        });
        Self { totals, handed: AtomicU64::new(0), span_us: AtomicU64::new(0) }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(LONGEST_US).clamp(1, LONGEST_US)
}

impl Stats {
    pub(super) fn locked(&self) -> std::sync::MutexGuard<'_, Totals> {
        let mut totals = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        totals.handed = self.handed.load(Ordering::Relaxed);
        totals.span = Duration::from_micros(self.span_us.load(Ordering::Relaxed));
        totals
    }

    /// The schedule has handed over so many requests; the next one is due then, counted from the start.
    pub(super) fn followed(&self, handed: u64, until: Duration) {
        self.handed.store(handed, Ordering::Relaxed);
        self.span_us.store(micros(until), Ordering::Relaxed);
    }

    /// Takes one request's figures in.
    pub fn record(&self, sample: Sample) {
        let mut totals = self.locked();
        *totals.heard.entry((sample.request, sample.heard)).or_default() += 1;
        let answered = !sample.heard.silent();
        totals.answered += u64::from(answered);
        totals.unanswered += u64::from(!answered);
        totals.scheduled += u64::from(sample.scheduled && answered);
        if sample.scheduled && !sample.slow {
            totals.took = totals.took.max(sample.due + sample.latency);
        }
        totals.lag.saturating_record(micros(sample.lag));
        let second = usize::try_from(sample.due.as_secs()).unwrap_or(usize::MAX).min(86_400);
        while totals.seconds.len() <= second {
            // Two digits: a long run has thousands of these.
            totals.seconds.push(RunSecond { answered: 0, success: 0, latency: histogram(2), p99: None });
        }
        if !sample.slow && (!sample.heard.unknown() || sample.heard == RequestResult::TimedOut) {
            let latency = micros(sample.latency);
            totals.latency.saturating_record(latency);
            totals.steps[sample.request.step() as usize].saturating_record(latency);
            totals.seconds[second].latency.saturating_record(latency);
            totals.seconds[second].p99 = None;
        }
        totals.seconds[second].answered += u64::from(answered);
        totals.seconds[second].success += u64::from(sample.heard.good());
    }

    /// All is sent and answered; the load's threads worked for this share of the time.
    pub fn end(&self, busy: f64) {
        let mut totals = self.locked();
        (totals.busy, totals.ended) = (busy, true);
    }

    /// Everything so far.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.locked().clone()
    }
}

impl Totals {
    /// How many were answered like that, of whatever kind.
    #[must_use]
    pub fn count(&self, heard: RequestResult) -> u64 {
        self.heard.iter().filter(|((_, known), _)| *known == heard).map(|(_, count)| count).sum()
    }

    /// Answers to the schedule's requests a second: over the time of the schedule, or longer where answers took longer.
    #[must_use]
    pub fn rate(&self) -> f64 {
        let seconds = self.took.max(self.span).as_secs_f64();
        if seconds > 0.0 { self.scheduled as f64 / seconds } else { 0.0 }
    }

    /// Requests a second that were due, over the time that the schedule was followed: never less than were answered of them.
    #[must_use]
    pub fn offered(&self) -> f64 {
        let seconds = self.span.as_secs_f64();
        if seconds > 0.0 { self.handed as f64 / seconds } else { 0.0 }
    }

    /// Whether there is more than one step to tell apart.
    #[must_use]
    pub fn has_steps(&self) -> bool {
        self.steps.iter().filter(|step| !step.is_empty()).count() > 1
    }
}
