//! When each request is due: pure arithmetic, the same for the same seed.

use std::time::Duration;

/// How requests are spread over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Evenly.
    Steady,
    /// As independent buyers come: exponential gaps.
    Poisson,
    /// So many at one instant, then nothing until the next so many.
    Burst(u32),
    /// From nothing to the rate, evenly growing.
    Ramp,
}

/// A rate kept for a while.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    /// How it is spread.
    pub shape: Shape,
    /// Requests a second (the highest one of a ramp).
    pub rate: f64,
    /// How long.
    pub lasts: Duration,
    /// What chance begins with.
    pub seed: u64,
}

impl Schedule {
    /// How many requests are due in all; of a Poisson process, about so many.
    #[must_use]
    pub fn count(&self) -> u64 {
        let all = self.rate * self.lasts.as_secs_f64();
        (if self.shape == Shape::Ramp { all / 2.0 } else { all }).round() as u64
    }

    /// The instants, from the start, in order.
    pub fn dues(&self) -> impl Iterator<Item = Duration> + Send + use<> {
        let Self { shape, rate, lasts, seed } = *self;
        let mut chance = fastrand::Rng::with_seed(seed);
        let mut at = 0.0;
        let whole = lasts.as_secs_f64();
        let of = move |n: u64| match shape {
            Shape::Steady => n as f64 / rate,
            Shape::Burst(size) => (n - n % u64::from(size.max(1))) as f64 / rate,
            // rate · t² / (2 · whole) requests are due by t.
            Shape::Ramp => (2.0 * whole * n as f64 / rate).sqrt(),
            Shape::Poisson => {
                at += -(1.0 - chance.f64()).ln() / rate;
                at
            }
        };
        (0u64..).map(of).take_while(move |at| *at < whole).map(Duration::from_secs_f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(shape: Shape) -> Schedule {
        Schedule { shape, rate: 1000.0, lasts: Duration::from_secs(4), seed: 7 }
    }

    #[test]
    fn every_shape_keeps_its_count_and_its_order() {
        for shape in [Shape::Steady, Shape::Poisson, Shape::Burst(50), Shape::Ramp] {
            let plan = schedule(shape);
            let dues: Vec<Duration> = plan.dues().collect();
            let off = dues.len() as f64 / plan.count() as f64;
            assert!((0.95..1.05).contains(&off), "{shape:?}: {} of {}", dues.len(), plan.count());
            assert!(dues.is_sorted() && dues.last().unwrap() < &plan.lasts, "{shape:?}");
            assert_eq!(dues, plan.dues().collect::<Vec<_>>(), "{shape:?}: the same seed, the same instants");
        }
    }

    #[test]
    fn shapes_are_what_they_are_called() {
        let dues: Vec<Duration> = schedule(Shape::Burst(50)).dues().collect();
        assert!(dues[..50].iter().all(|at| at.is_zero()) && dues[50] == Duration::from_millis(50));
        let half = |shape| schedule(shape).dues().filter(|at| *at < Duration::from_secs(2)).count();
        assert_eq!((half(Shape::Steady), half(Shape::Ramp)), (2000, 500));
        let gaps: Vec<f64> = {
            let dues: Vec<Duration> = schedule(Shape::Poisson).dues().collect();
            dues.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64() * 1000.0).collect()
        };
        // Exponential gaps: 63 % are below the mean, and the variance is the mean's square.
        let below = gaps.iter().filter(|gap| **gap < 1.0).count() as f64 / gaps.len() as f64;
        assert!((0.60..0.66).contains(&below), "{below}");
    }
}
