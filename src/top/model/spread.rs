//! Latencies as counts in narrow steps: what a snapshot's histogram holds, without its empty part, so that a quarter of
//! an hour of seconds fits into little memory. Merged, never averaged.

use crate::domain::snapshot;

/// Rows of a heat map: each step is the square root of two wide, from 0.25 ms up.
pub const HEAT_ROWS: usize = 28;
const HEAT_FROM_US: f64 = 250.0;

/// How many values fell into which step: (its highest value in µs, count), ascending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spread(Vec<(u32, u32)>);

impl Spread {
    /// Reads a snapshot's histogram; what cannot be read is empty.
    #[must_use]
    pub fn read(text: &str) -> Self {
        if text.is_empty() {
            return Self::default();
        }
        let Some(histogram) = snapshot::decode(text) else { return Self::default() };
        let steps = histogram.iter_recorded();
        let small = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        let steps = steps.map(|step| (histogram.highest_equivalent(step.value_iterated_to()), step.count_at_value()));
        Self(steps.map(|(value, count)| (small(value), small(count))).collect())
    }

    /// Adds what another one holds.
    pub fn add(&mut self, other: &Self) {
        if self.0.is_empty() {
            self.0.clone_from(&other.0);
            return;
        }
        let mut sum = Vec::with_capacity(self.0.len() + other.0.len());
        let (mut ours, mut theirs) = (self.0.iter().copied().peekable(), other.0.iter().copied().peekable());
        loop {
            let next = match (ours.peek().map(|step| step.0), theirs.peek().map(|step| step.0)) {
                (Some(a), Some(b)) if a == b => {
                    ours.next().zip(theirs.next()).map(|(a, b)| (a.0, a.1.saturating_add(b.1)))
                }
                (Some(a), Some(b)) if a > b => theirs.next(),
                (Some(_), _) => ours.next(),
                (None, _) => theirs.next(),
            };
            let Some(next) = next else { break };
            sum.push(next);
        }
        self.0 = sum;
    }

    /// Values in it.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.iter().map(|(_, count)| u64::from(*count)).sum()
    }

    /// The value in µs that a share `q` (0 to 1) of all values does not exceed; `None` where that share is less than one
    /// value, which would make it the highest of too few.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<u64> {
        let all = self.count();
        if all == 0 || (1.0 - q) * (all as f64) < 1.0 - 1e-9 {
            return None;
        }
        let due = (q * all as f64).ceil() as u64;
        let mut seen = 0;
        self.0
            .iter()
            .find(|(_, count)| {
                seen += u64::from(*count);
                seen >= due
            })
            .map(|(value, _)| u64::from(*value))
    }

    /// The highest value, in µs.
    #[must_use]
    pub fn max(&self) -> Option<u64> {
        self.0.last().map(|(value, _)| u64::from(*value))
    }

    /// Counts by the rows of a heat map, the quickest first.
    #[must_use]
    pub fn heat(&self) -> [u32; HEAT_ROWS] {
        let mut rows = [0u32; HEAT_ROWS];
        for (value, count) in &self.0 {
            let row = heat_row(u64::from(*value));
            rows[row] = rows[row].saturating_add(*count);
        }
        rows
    }
}

fn heat_row(us: u64) -> usize {
    let steps = (us as f64 / HEAT_FROM_US).log2() * 2.0;
    if steps <= 0.0 { 0 } else { (steps.ceil() as usize).min(HEAT_ROWS - 1) }
}

/// The highest latency of a row of a heat map, in µs.
#[must_use]
pub fn heat_edge(row: usize) -> f64 {
    HEAT_FROM_US * 2f64.powf(row as f64 / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_percentiles_are_those_of_all_values() {
        let mut sum = Spread::default();
        let mut all: Vec<u64> = Vec::new();
        for instance in 0..3u64 {
            let mut histogram = snapshot::histogram().unwrap();
            for n in 0..5000u64 {
                // Three humps, far apart.
                let value = 300 * 7u64.pow(instance as u32) + n * (instance + 1) / 5;
                histogram.record(value).unwrap();
                all.push(value);
            }
            sum.add(&Spread::read(&snapshot::encode(&histogram)));
        }
        all.sort_unstable();
        assert_eq!(sum.count(), 15_000);
        for q in [0.5, 0.9, 0.99, 0.999] {
            let exact = all[(q * 15_000f64).ceil() as usize - 1] as f64;
            let read = sum.quantile(q).unwrap() as f64;
            assert!((read / exact - 1.0).abs() < 0.01, "p{q}: {read} of {exact}");
        }
        assert_eq!(sum.heat().iter().map(|n| u64::from(*n)).sum::<u64>(), 15_000);
        // Of too few values nothing is said.
        let mut few = snapshot::histogram().unwrap();
        few.record_n(500, 20).unwrap();
        let few = Spread::read(&snapshot::encode(&few));
        assert!(few.quantile(0.9).is_some() && few.quantile(0.99).is_none());
    }

    #[test]
    fn rows_of_the_heat_map_hold_what_their_edges_say() {
        assert_eq!((heat_row(1), heat_row(250), heat_row(251), heat_row(60_000_000)), (0, 0, 1, HEAT_ROWS - 1));
        for row in 1..HEAT_ROWS - 1 {
            assert_eq!(heat_row(heat_edge(row) as u64), row);
        }
    }
}
