//! How fast a product sells, from what was given when it was looked at.

use crate::domain::{Millis, Stock};

/// How far back a pace looks.
const WINDOW_MS: u64 = 600_000;
/// What is known for less than this counts as known for this: one sale in the first second is no run.
const LEAST_MS: u64 = 60_000;
/// Between two marks.
const STEP_MS: u64 = 30_000;

/// One product's sales. Keys that were given are counted here only as far as they grow: a refund takes some back, and a
/// Redis that lost its counters begins again.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    /// The most that was ever imported, to know a Redis that has forgotten and one that has remembered again.
    imported: u64,
    sold: u64,
    /// What was sold by when: at the window's start or, where less is known, at the beginning.
    base: (Millis, u64),
    /// The same at later moments, oldest first: only while something sells.
    marks: Vec<(Millis, u64)>,
}

impl Pace {
    /// Takes in the numbers of `now`; `first` where nothing was known before.
    pub fn read(&mut self, now: Millis, before: &Stock, stock: &Stock, first: bool) {
        let imports = stock.imported.saturating_sub(before.imported);
        let growth = stock.given.saturating_sub(before.given);
        let forgot = stock.imported < before.imported;
        let remembered = before.imported < self.imported && stock.imported >= self.imported;
        // What was neither in the pool nor imported since cannot have been sold.
        let impossible = growth > before.pool.saturating_add(imports);
        self.imported = self.imported.max(stock.imported);
        if first || forgot || remembered || impossible {
            (self.sold, self.base) = (0, (now, 0));
            self.marks.clear();
            return;
        }
        self.sold += growth;
        let start = now.saturating_sub(WINDOW_MS);
        let past = self.marks.iter().take_while(|(at, _)| *at <= start).count();
        if let Some(newest) = self.marks.drain(..past).next_back() {
            self.base = newest;
        }
        if self.base.1 == self.sold {
            // Nothing was sold since: known to stand so at the window's start too.
            self.base.0 = self.base.0.max(start);
            self.marks = Vec::new();
        } else if self.marks.last().map_or(self.base.0, |(at, _)| *at) + STEP_MS <= now {
            self.marks.push((now, self.sold));
        }
    }

    /// Keys given an hour.
    #[must_use]
    pub fn hourly(&self, now: Millis) -> u64 {
        let (since, before) = self.base;
        let span = now.saturating_sub(since).max(LEAST_MS);
        let hourly = u128::from(self.sold - before) * 3_600_000 / u128::from(span);
        u64::try_from(hourly).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stock(pool: u64, given: u64) -> Stock {
        Stock { pool, given, imported: pool + given, ..Stock::default() }
    }

    /// Reads these numbers, each so many seconds after the one before.
    fn paced(numbers: &[(u64, Stock)]) -> (Pace, Millis) {
        let (mut pace, mut now, mut before) = (Pace::default(), 1_000_000, Stock::default());
        for (n, (seconds, stock)) in numbers.iter().enumerate() {
            now += seconds * 1000;
            pace.read(now, &before, stock, n == 0);
            before = *stock;
        }
        (pace, now)
    }

    #[test]
    fn it_is_what_was_sold_in_the_last_ten_minutes() {
        let steady: Vec<_> = (0..1200).map(|n| (1, stock(10_000 - n, n))).collect();
        let (pace, now) = paced(&steady);
        assert!((3400..=3600).contains(&pace.hourly(now)), "{}", pace.hourly(now));
        assert!(pace.marks.len() < 25);
        // Nothing more is sold: after ten minutes it stands still.
        let still: Vec<_> = steady.iter().copied().chain((0..631).map(|_| (1, steady[1199].1))).collect();
        let (pace, now) = paced(&still);
        assert_eq!((pace.hourly(now), pace.marks.len()), (0, 0));
        // One sale after a long rest is one in ten minutes, not one in a second.
        let one: Vec<_> = (0..1000).map(|_| (1, stock(9, 1))).chain([(1, stock(8, 2))]).collect();
        let (pace, now) = paced(&one);
        assert_eq!(pace.hourly(now), 5);
    }

    #[test]
    fn a_redis_that_forgot_and_one_that_remembers_give_no_nonsense() {
        let full = stock(50, 1_000_000);
        let (pace, now) = paced(&[(0, full), (10, stock(0, 0)), (10, full), (10, full)]);
        assert_eq!(pace.hourly(now), 0);
        // Refunds take back what was given; what is sold then still counts.
        let refunded = Stock { given: 999_998, voided: 2, ..full };
        let sold = Stock { given: 999_999, voided: 2, pool: 49, ..full };
        let (pace, now) = paced(&[(0, full), (60, refunded), (60, sold)]);
        assert_eq!(pace.hourly(now), 30);
        let (pace, now) = paced(&[(0, stock(5, 0)), (10, Stock { imported: 5, given: 70_000, ..Stock::default() })]);
        assert_eq!(pace.hourly(now), 0, "more than there was");
        let (pace, now) = paced(&[(0, stock(5, 1))]);
        assert_eq!(pace.hourly(now), 0, "what was given before we looked");
    }
}
