//! A run at a glance: the few numbers that a screen shows ten times a second, without a copy of every histogram.

use super::mix::{RequestKind, SaleStep};
use super::stats::{LONGEST_US, RequestResult, Stats, millis};

/// What a screen shows of a run, ten times a second: a few numbers instead of every histogram.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Glance {
    /// Answers of each kind of request.
    pub heard: Vec<((RequestKind, RequestResult), u64)>,
    /// Percentiles of [`SHOWN`] in milliseconds: of all, then of each step that was taken, then of the own lateness.
    pub latency: Vec<(&'static str, [f64; 5])>,
    /// How many latencies lie in each of [`BUCKETS_MS`], and above the last.
    pub buckets: Vec<u64>,
    /// p99 of each second, in milliseconds.
    pub seconds: Vec<f64>,
    /// Requests answered.
    pub answered: u64,
    /// Of those, the schedule's.
    pub scheduled: u64,
    /// Answers to the schedule's a second, over the whole run.
    pub rate: f64,
    /// Whether all is sent and answered.
    pub ended: bool,
}

/// Percentiles that are shown.
pub const SHOWN: [(&str, f64); 5] = [("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p99.9", 99.9), ("max", 100.0)];

/// Upper bounds of the bars of a glance.
pub const BUCKETS_MS: [u64; 12] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];

impl Stats {
    /// What a screen shows of it. Only seconds that changed since the last glance are counted again.
    #[must_use]
    pub fn glance(&self) -> Glance {
        let mut totals = self.locked();
        let seconds = totals.seconds.iter_mut().map(|second| {
            let p99 = *second.p99.get_or_insert_with(|| second.latency.value_at_percentile(99.0));
            p99 as f64 / 1000.0
        });
        let seconds = seconds.collect();
        let totals = &*totals;
        let row = |name, histogram| (name, SHOWN.map(|(_, percentile)| millis(histogram, percentile)));
        let mut latency = vec![row("latency", &totals.latency)];
        if totals.has_steps() {
            latency.extend(SaleStep::ALL.map(|step| row(step.as_str(), &totals.steps[step as usize])));
        }
        latency.push(row("own lateness", &totals.lag));
        let mut from = 0;
        let mut buckets: Vec<u64> = Vec::with_capacity(BUCKETS_MS.len() + 1);
        for upto in BUCKETS_MS.map(|ms| ms * 1000).into_iter().chain([LONGEST_US]) {
            buckets.push(totals.latency.count_between(from, upto));
            from = upto + 1;
        }
        Glance {
            heard: totals.heard.iter().map(|(what, count)| (*what, *count)).collect(),
            latency,
            buckets,
            seconds,
            answered: totals.answered,
            scheduled: totals.scheduled,
            rate: totals.rate(),
            ended: totals.ended,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::stats::Sample;
    use super::*;

    #[test]
    fn a_glance_agrees_with_the_totals_and_counts_changed_seconds_again() {
        let stats = Stats::default();
        let record = |request, heard, due_ms, latency_ms| {
            stats.record(Sample {
                request,
                heard,
                due: Duration::from_millis(due_ms),
                latency: Duration::from_millis(latency_ms),
                lag: Duration::ZERO,
                scheduled: request == RequestKind::Order,
                slow: false,
            });
        };
        record(RequestKind::Order, RequestResult::Created, 100, 4);
        record(RequestKind::Right, RequestResult::Success, 1200, 40);
        let glance = stats.glance();
        assert_eq!((glance.answered, glance.scheduled, glance.seconds.len()), (2, 1, 2));
        assert_eq!(glance.buckets.iter().sum::<u64>(), 2);
        assert_eq!((glance.buckets[2], glance.buckets[5]), (1, 1), "4 ms is at most 5, 40 ms at most 50");
        let names: Vec<&str> = glance.latency.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["latency", "order", "pay", "look", "own lateness"]);
        record(RequestKind::Right, RequestResult::Success, 1300, 400);
        let seconds = stats.glance().seconds;
        assert!((3.9..4.1).contains(&seconds[0]) && (395.0..405.0).contains(&seconds[1]), "{seconds:?}");
        assert_eq!(stats.totals().seconds[1].answered, 2);
    }
}
