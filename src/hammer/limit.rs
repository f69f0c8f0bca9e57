//! The search for the highest rate that a daemon holds: first upwards by half as much again, then between the last rate
//! that held and the first that did not.

use serde::Serialize;

use super::report::Report;
use super::stats::Heard;

/// The search ends when the two rates are this close.
const CLOSE: f64 = 1.08;
/// Most steps of one search.
const STEPS: usize = 24;

/// What a rate must keep to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Highest p99, in milliseconds.
    pub p99_ms: f64,
    /// Highest share of requests that were not answered as they should be, in percent.
    pub errors_percent: f64,
}

/// One rate that was tried.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Step {
    /// Requests a second that were due.
    pub offered: f64,
    /// Requests a second that were answered.
    pub achieved: f64,
    /// Their p99, in milliseconds.
    pub p99_ms: f64,
    /// 503, cut off, too late, in percent.
    pub errors_percent: f64,
    /// Whether it kept to the bounds.
    pub held: bool,
    /// What the audit found.
    pub violations: u64,
    /// Whether it was the load that could not keep up.
    pub load_was_the_bottleneck: bool,
}

impl Step {
    /// What a run says of its rate.
    #[must_use]
    pub fn of(report: &Report, offered: f64, bounds: Bounds) -> Self {
        let totals = &report.totals;
        let unknown: u64 = totals.heard.iter().filter(|((_, heard), _)| Heard::unknown(*heard)).map(|(_, n)| n).sum();
        let errors_percent = 100.0 * unknown as f64 / (totals.answered + totals.unanswered).max(1) as f64;
        let p99_ms = totals.latency.value_at_quantile(0.99) as f64 / 1000.0;
        let held = p99_ms <= bounds.p99_ms && errors_percent <= bounds.errors_percent;
        Self {
            offered,
            achieved: totals.rate(),
            p99_ms,
            errors_percent,
            held,
            violations: report.violations(),
            load_was_the_bottleneck: report.bottleneck(),
        }
    }
}

/// The rate to try next; `None` when the knee is known well enough, or there is none.
#[must_use]
pub fn next(steps: &[Step], first: f64) -> Option<f64> {
    let broke = steps.iter().filter(|step| !step.held).map(|step| step.offered).reduce(f64::min);
    match (knee(steps), broke) {
        _ if steps.len() >= STEPS => None,
        (None, None) => Some(first),
        (Some(held), None) => Some((held * 1.5).round()),
        // Not even the first rate held: look below it.
        (None, Some(broke)) => (broke > 2.0).then(|| (broke / 2.0).round()),
        // Between whole numbers there is nothing to try: a rate tried twice would be a coin tossed twice.
        (Some(held), Some(broke)) if broke / held > CLOSE => {
            Some(f64::midpoint(held, broke).round()).filter(|rate| *rate > held && *rate < broke)
        }
        (Some(_), Some(_)) => None,
    }
}

/// The highest rate that held, below the lowest that did not.
#[must_use]
pub fn knee(steps: &[Step]) -> Option<f64> {
    let broke = steps.iter().filter(|step| !step.held).map(|step| step.offered).fold(f64::INFINITY, f64::min);
    let held = steps.iter().filter(|step| step.held && step.offered < broke);
    held.map(|step| step.offered).reduce(f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches where every rate up to `limit` holds.
    fn search(limit: f64, first: f64) -> (usize, Option<f64>) {
        let mut steps = Vec::new();
        while let Some(offered) = next(&steps, first) {
            let held = offered <= limit;
            steps.push(Step {
                offered,
                achieved: offered,
                p99_ms: 1.0,
                errors_percent: 0.0,
                held,
                violations: 0,
                load_was_the_bottleneck: false,
            });
        }
        (steps.len(), knee(&steps))
    }

    #[test]
    fn the_knee_is_found_from_above_and_from_below() {
        for (limit, first) in [(5000.0, 200.0), (5000.0, 50_000.0), (201.0, 200.0), (70.0, 1000.0), (5.0, 40.0)] {
            let (steps, knee) = search(limit, first);
            let knee = knee.unwrap();
            assert!(knee <= limit && knee * CLOSE * 1.02 >= limit, "{limit}: {knee}");
            assert!(steps < STEPS, "{limit}: {steps} steps");
        }
        assert_eq!(search(0.5, 100.0).1, None);
    }
}
