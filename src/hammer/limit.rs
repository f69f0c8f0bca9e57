//! The search for the highest rate that a daemon holds: first upwards by half as much again, then between the last rate
//! that held and the first that did not.

use serde::Serialize;

use super::report::RunReport;
use super::stats::RequestResult;

/// The search ends when the two rates are this close.
const CLOSE: f64 = 1.08;
/// Most rates of one search.
const RATES: usize = 24;
/// Trials of one rate, of which the same verdict of this many counts: one hiccup is no limit, one lucky second no proof.
const AGREE: usize = 2;

/// What a rate must keep to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Highest p99, in milliseconds.
    pub p99_ms: f64,
    /// Highest share of requests that were not answered as they should be, in percent.
    pub errors_percent: f64,
}

/// One trial of a rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Trial {
    /// Requests a second that were asked for.
    pub rate: f64,
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

impl Trial {
    /// What a run says of its rate.
    #[must_use]
    pub fn of(report: &RunReport, rate: f64, bounds: Bounds) -> Self {
        let totals = &report.totals;
        let unknown: u64 =
            totals.heard.iter().filter(|((_, heard), _)| RequestResult::unknown(*heard)).map(|(_, n)| n).sum();
        let errors_percent = 100.0 * unknown as f64 / (totals.answered + totals.unanswered).max(1) as f64;
        let p99_ms = totals.latency.value_at_quantile(0.99) as f64 / 1000.0;
        let held = p99_ms <= bounds.p99_ms && errors_percent <= bounds.errors_percent;
        Self {
            rate,
            offered: report.offered().unwrap_or(rate),
            achieved: totals.rate(),
            p99_ms,
            errors_percent,
            held,
            violations: report.violations(),
            load_was_the_bottleneck: report.bottleneck(),
        }
    }
}

/// A rate that was tried, and what its trials say.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Tried {
    rate: f64,
    held: usize,
    broke: usize,
}

impl Tried {
    /// Whether it holds, once enough trials agree.
    fn verdict(&self) -> Option<bool> {
        if self.held >= AGREE { Some(true) } else { (self.broke >= AGREE).then_some(false) }
    }
}

fn tried(steps: &[Trial]) -> Vec<Tried> {
    let mut rates: Vec<Tried> = Vec::new();
    for step in steps {
        if rates.last().is_none_or(|last| last.rate.total_cmp(&step.rate).is_ne()) {
            rates.push(Tried { rate: step.rate, held: 0, broke: 0 });
        }
        if let Some(last) = rates.last_mut() {
            (last.held, last.broke) = (last.held + usize::from(step.held), last.broke + usize::from(!step.held));
        }
    }
    rates
}

/// The rate to try next, the same one again until its trials agree; `None` when the knee is known well enough, or there is
/// none.
#[must_use]
pub fn next(steps: &[Trial], first: f64) -> Option<f64> {
    let rates = tried(steps);
    if let Some(last) = rates.last().filter(|last| last.verdict().is_none()) {
        return Some(last.rate);
    }
    let broke = rates.iter().filter(|rate| rate.verdict() == Some(false)).map(|rate| rate.rate).reduce(f64::min);
    match (knee(steps), broke) {
        _ if rates.len() >= RATES => None,
        (None, None) => Some(first),
        (Some(held), None) => Some((held * 1.5).round()),
        // Not even the first rate held: look below it.
        (None, Some(broke)) => (broke > 2.0).then(|| (broke / 2.0).round()),
        // Between whole numbers there is nothing to try.
        (Some(held), Some(broke)) if broke / held > CLOSE => {
            Some(f64::midpoint(held, broke).round()).filter(|rate| *rate > held && *rate < broke)
        }
        (Some(_), Some(_)) => None,
    }
}

/// The highest rate that held, below the lowest that did not.
#[must_use]
pub fn knee(steps: &[Trial]) -> Option<f64> {
    let rates = tried(steps);
    let broke = rates.iter().filter(|rate| rate.verdict() == Some(false)).map(|rate| rate.rate);
    let broke = broke.fold(f64::INFINITY, f64::min);
    let held = rates.iter().filter(|rate| rate.verdict() == Some(true) && rate.rate < broke);
    held.map(|rate| rate.rate).reduce(f64::max)
}

/// How far the trials of a search lie apart.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TrialSpread {
    /// Trials of the knee.
    pub trials: usize,
    /// Of those, which held.
    pub held: usize,
    /// Lowest and highest p99 of them, in milliseconds.
    pub p99_ms: [f64; 2],
    /// Lowest and highest rate whose trials did not agree, if there is one.
    pub unsure_per_second: Option<[f64; 2]>,
}

/// How far the trials lie apart, at the knee and around it.
#[must_use]
pub fn spread(steps: &[Trial], knee: f64) -> TrialSpread {
    let at: Vec<&Trial> = steps.iter().filter(|step| step.rate.total_cmp(&knee).is_eq()).collect();
    let p99 = || at.iter().map(|step| step.p99_ms);
    let rates = tried(steps);
    let unsure = || rates.iter().filter(|rate| rate.held > 0 && rate.broke > 0).map(|rate| rate.rate);
    TrialSpread {
        trials: at.len(),
        held: at.iter().filter(|step| step.held).count(),
        p99_ms: [p99().fold(f64::INFINITY, f64::min), p99().fold(0.0, f64::max)],
        unsure_per_second: unsure().reduce(f64::min).zip(unsure().reduce(f64::max)).map(|(low, high)| [low, high]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(rate: f64, held: bool) -> Trial {
        Trial {
            rate,
            offered: rate,
            achieved: rate,
            p99_ms: rate / 100.0,
            errors_percent: 0.0,
            held,
            violations: 0,
            load_was_the_bottleneck: false,
        }
    }

    /// Searches where a trial of a rate holds as that says: the trial's number, its rate.
    fn search(first: f64, holds: impl Fn(usize, f64) -> bool) -> (Vec<Trial>, Option<f64>) {
        let mut steps = Vec::new();
        while let Some(rate) = next(&steps, first) {
            steps.push(step(rate, holds(steps.len(), rate)));
        }
        let knee = knee(&steps);
        (steps, knee)
    }

    #[test]
    fn the_knee_is_found_from_above_and_from_below() {
        for (limit, first) in [(5000.0, 200.0), (5000.0, 50_000.0), (201.0, 200.0), (70.0, 1000.0), (5.0, 40.0)] {
            let (steps, knee) = search(first, |_, rate| rate <= limit);
            let knee = knee.unwrap();
            assert!(knee <= limit && knee * CLOSE * 1.02 >= limit, "{limit}: {knee}");
            assert!(steps.len() < RATES * AGREE, "{limit}: {} trials", steps.len());
            let spread = spread(&steps, knee);
            assert_eq!((spread.trials, spread.held, spread.unsure_per_second), (2, 2, None));
        }
        assert_eq!(search(100.0, |_, rate| rate <= 0.5).1, None);
    }

    #[test]
    fn one_trial_is_believed_neither_when_it_breaks_nor_when_it_holds() {
        // The first trial of all has a hiccup, and one far above the limit has luck.
        let (steps, knee) = search(200.0, |n, rate| n != 0 && (rate <= 1000.0 || n == 12));
        let knee = knee.unwrap();
        assert!(knee <= 1000.0 && knee * CLOSE * 1.02 >= 1000.0, "{knee}: {steps:?}");
        assert_eq!(
            steps[..3].iter().map(|step| (step.rate, step.held)).collect::<Vec<_>>(),
            [(200.0, false), (200.0, true), (200.0, true)]
        );
        let spread = spread(&steps, knee);
        assert_eq!(spread.unsure_per_second.unwrap()[0], 200.0);
        assert!(spread.p99_ms[0] <= spread.p99_ms[1]);
    }
}
