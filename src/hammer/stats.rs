//! What a run measured: latencies in histograms that are merged, never averaged; answers by kind; seconds one by one.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;

use super::mix::Request;
use super::wire::Silence;

/// Longest latency told apart, in microseconds.
const LONGEST_US: u64 = 120_000_000;

/// What a request came to, in the words of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Heard {
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
}

impl Heard {
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
        }
    }

    /// Whether the sender knows nothing of what became of it.
    #[must_use]
    pub const fn unknown(self) -> bool {
        matches!(self, Self::Unavailable | Self::NoConnection | Self::Cut | Self::TimedOut | Self::Other)
    }
}

impl From<Silence> for Heard {
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
    pub request: Request,
    /// What it came to.
    pub heard: Heard,
    /// When it was due, from the start.
    pub due: Duration,
    /// From when it was due to its answer.
    pub latency: Duration,
    /// From when it was due to when it was sent: the load's own lateness.
    pub lag: Duration,
}

/// One second of a run.
#[derive(Debug, Clone)]
pub struct Second {
    /// Requests that were due in it and are answered.
    pub answered: u64,
    /// Of those, with success.
    pub success: u64,
    /// Their latencies, in microseconds.
    pub latency: Histogram<u64>,
}

/// Everything so far.
#[derive(Debug, Clone)]
pub struct Totals {
    /// Answers of each kind of request.
    pub heard: BTreeMap<(Request, Heard), u64>,
    /// Latencies from when each was due, in microseconds. Slow clients are left out: their time is their own.
    pub latency: Histogram<u64>,
    /// The load's own lateness, in microseconds.
    pub lag: Histogram<u64>,
    /// Second by second.
    pub seconds: Vec<Second>,
    /// Requests answered.
    pub answered: u64,
    /// From the start to the last answer.
    pub took: Duration,
}

/// The figures of a run, shared by its connections and its screen.
pub struct Stats(Mutex<Totals>);

fn histogram() -> Histogram<u64> {
    // The bounds are fixed and valid.
    Histogram::new_with_bounds(1, LONGEST_US, 3)
        .unwrap_or_else(|_| Histogram::new(3).unwrap_or_else(|_| unreachable!()))
}

impl Default for Stats {
    fn default() -> Self {
        Self(Mutex::new(Totals {
            heard: BTreeMap::new(),
            latency: histogram(),
            lag: histogram(),
            seconds: Vec::new(),
            answered: 0,
            took: Duration::ZERO,
        }))
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(LONGEST_US).clamp(1, LONGEST_US)
}

impl Stats {
    /// Takes one request's figures in; `slow` ones count, without their latency.
    pub fn record(&self, sample: Sample, slow: bool) {
        let mut totals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *totals.heard.entry((sample.request, sample.heard)).or_default() += 1;
        totals.answered += 1;
        totals.took = totals.took.max(sample.due + sample.latency);
        totals.lag.saturating_record(micros(sample.lag));
        let second = usize::try_from(sample.due.as_secs()).unwrap_or(usize::MAX).min(86_400);
        while totals.seconds.len() <= second {
            totals.seconds.push(Second { answered: 0, success: 0, latency: histogram() });
        }
        totals.seconds[second].answered += 1;
        totals.seconds[second].success += u64::from(sample.heard == Heard::Success);
        if !slow {
            totals.latency.saturating_record(micros(sample.latency));
            totals.seconds[second].latency.saturating_record(micros(sample.latency));
        }
    }

    /// Everything so far.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Totals {
    /// How many were answered like that, of whatever kind.
    #[must_use]
    pub fn count(&self, heard: Heard) -> u64 {
        self.heard.iter().filter(|((_, known), _)| *known == heard).map(|(_, count)| count).sum()
    }

    /// Answers a second, over the whole run.
    #[must_use]
    pub fn rate(&self) -> f64 {
        let seconds = self.took.as_secs_f64();
        if seconds > 0.0 { self.answered as f64 / seconds } else { 0.0 }
    }
}
