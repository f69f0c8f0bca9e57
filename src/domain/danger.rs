//! How endangered a product's stock is: one order for the board, the stream and the dashboard.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use super::Stock;

/// What is the matter with a product's stock, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Retired, and nobody waits for it: there is nothing to do.
    Retired,
    /// Enough, as far as anybody said what is enough, and nobody buys it.
    Fine,
    /// It never had a key: it is not ready, and nobody misses it.
    Unstocked,
    /// Enough, and it sells.
    Selling,
    /// Fewer available keys than its `low`.
    Low,
    /// Every key there is is held by unpaid orders: it comes back unless they pay.
    Reserved,
    /// Nothing to sell.
    Empty,
    /// Somebody paid and waits.
    Owed,
}

/// What an operator is told of a product's stock, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trouble {
    /// Somebody paid and waits.
    Owed,
    /// Sold out.
    Empty,
    /// All of it is held by unpaid orders.
    Reserved,
    /// Fewer than its low-water mark.
    Low,
    /// Empty soon, at this rate.
    Soon,
}

impl Trouble {
    /// All of them, the worst first.
    pub const ALL: [Self; 5] = [Self::Owed, Self::Empty, Self::Reserved, Self::Low, Self::Soon];

    /// The word that the stream and metrics use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owed => "owed",
            Self::Empty => "empty",
            Self::Reserved => "reserved",
            Self::Low => "low",
            Self::Soon => "soon",
        }
    }
}

/// How endangered a product's stock is; the greatest is the worst. Compared by its level, then by how many wait, how
/// soon it is empty, how quickly it sells, and how little is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Danger {
    /// What is the matter.
    pub level: Level,
    /// Keys that a new order may take.
    pub available: u64,
    /// When it will be empty if it sells on as it does; `None` where it does not sell.
    pub empties_in_seconds: Option<u64>,
    /// Orders that wait.
    pub owed: u64,
    /// Keys sold an hour.
    pub hourly: u64,
}

impl Danger {
    /// What there is to tell of it, where a stock that is empty within so many seconds counts.
    #[must_use]
    pub fn trouble(&self, soon_seconds: u64) -> Option<Trouble> {
        match self.level {
            Level::Owed => Some(Trouble::Owed),
            Level::Empty => Some(Trouble::Empty),
            Level::Reserved => Some(Trouble::Reserved),
            Level::Low => Some(Trouble::Low),
            Level::Selling => self.empties_in_seconds.filter(|left| *left < soon_seconds).map(|_| Trouble::Soon),
            Level::Retired | Level::Fine | Level::Unstocked => None,
        }
    }
}

impl Ord for Danger {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |danger: &Self| {
            let time = danger.empties_in_seconds.unwrap_or(u64::MAX);
            (danger.level, danger.owed, u64::MAX - time, danger.hourly, u64::MAX - danger.available)
        };
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for Danger {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// How endangered a stock is. `low`: fewer available keys are an alarm (0: none was set); `hourly`: keys sold an hour.
#[must_use]
pub fn danger(stock: &Stock, low: u64, hourly: u64, retired: bool) -> Danger {
    let available = stock.available();
    let level = if stock.owed > 0 {
        Level::Owed
    } else if retired {
        Level::Retired
    } else if available == 0 {
        match stock {
            Stock { pool: 1.., .. } => Level::Reserved,
            Stock { imported: 0, .. } => Level::Unstocked,
            _ => Level::Empty,
        }
    } else if available < low {
        Level::Low
    } else if hourly > 0 {
        Level::Selling
    } else {
        Level::Fine
    };
    let seconds = (u128::from(available) * 3600).checked_div(u128::from(hourly));
    let empties_in_seconds = match available {
        0 => Some(0),
        _ => seconds.map(|seconds| u64::try_from(seconds).unwrap_or(u64::MAX)),
    };
    Danger { level, available, empties_in_seconds, owed: stock.owed, hourly }
}

/// The `most` worst of any number, worst first; equals in their own order. One pass, and memory for `most`.
pub fn worst<T: Ord>(all: impl IntoIterator<Item = (Danger, T)>, most: usize) -> Vec<(Danger, T)> {
    let mut kept = BinaryHeap::with_capacity(most.min(1024) + 1);
    for (danger, item) in all {
        // The heap's greatest is the least endangered: it is the one to go.
        let entry = (Reverse(danger), item);
        if kept.len() < most {
            kept.push(entry);
        } else if let Some(mut least) = kept.peek_mut()
            && entry < *least
        {
            *least = entry;
        }
    }
    kept.into_sorted_vec().into_iter().map(|(Reverse(danger), item)| (danger, item)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pool: u64, owed: u64, low: u64, hourly: u64, retired: bool) -> Danger {
        danger(
            &Stock { pool, owed, imported: pool.saturating_add(10), given: 10, ..Stock::default() },
            low,
            hourly,
            retired,
        )
    }

    #[test]
    fn the_worst_is_the_greatest() {
        let worst_first = [
            of(0, 9, 0, 0, true),
            of(0, 2, 0, 0, false),
            of(500, 1, 0, 0, false),
            of(0, 0, 0, 5, false),
            of(0, 0, 0, 0, false),
            danger(&Stock { pool: 7, reserved: 7, imported: 7, ..Stock::default() }, 0, 0, false),
            of(4, 0, 5, 60, false),
            of(3, 0, 5, 0, false),
            of(4, 0, 5, 0, false),
            of(1000, 0, 5, 60_000, false),
            of(100, 0, 5, 60, false),
            danger(&Stock::default(), 5, 0, false),
            of(7, 0, 5, 0, false),
            of(8, 0, 0, 0, false),
            of(0, 0, 5, 0, true),
            of(9, 0, 100, 9, true),
        ];
        let mut sorted = worst_first;
        sorted.sort_by_key(|danger| std::cmp::Reverse(*danger));
        assert_eq!(sorted.map(|d| (d.level, d.available)), worst_first.map(|d| (d.level, d.available)));
        assert!(worst_first.windows(2).all(|pair| pair[0] >= pair[1]), "{worst_first:?}");
    }

    #[test]
    fn what_never_had_a_key_is_no_trouble_and_what_unpaid_orders_hold_is_not_sold_out() {
        let soon = |danger: Danger| danger.trouble(3600);
        assert_eq!(soon(danger(&Stock::default(), 5, 0, false)), None);
        let held = Stock { pool: 7, reserved: 7, imported: 9, given: 2, ..Stock::default() };
        assert_eq!(soon(danger(&held, 5, 9, false)), Some(Trouble::Reserved));
        assert_eq!(soon(of(0, 0, 0, 0, false)), Some(Trouble::Empty));
        assert_eq!([soon(of(30, 0, 0, 60, false)), soon(of(90, 0, 0, 60, false))], [Some(Trouble::Soon), None]);
        assert_eq!(danger(&held, 5, 9, false).trouble(0), Some(Trouble::Reserved));
    }

    #[test]
    fn time_to_empty_never_overflows_and_is_none_where_nothing_sells() {
        assert_eq!(of(120, 0, 0, 60, false).empties_in_seconds, Some(7200));
        assert_eq!(of(120, 0, 0, 0, false).empties_in_seconds, None);
        assert_eq!(of(0, 0, 0, 0, false).empties_in_seconds, Some(0));
        assert_eq!(of(10, 3, 0, 5, false).empties_in_seconds, Some(0), "what is there is the waiting ones'");
        assert_eq!(of(u64::MAX, 0, 0, 1, false).empties_in_seconds, Some(u64::MAX));
    }

    #[test]
    fn a_million_are_ranked_in_one_pass_and_equals_keep_their_order() {
        let mut seen = 0u32;
        let all = (0..1_000_000u32).map(|n| {
            seen += 1;
            (of(u64::from(n.wrapping_mul(7919) % 500_000), 0, 0, 0, false), n)
        });
        let worst = worst(all, 100);
        assert_eq!((seen, worst.len()), (1_000_000, 100));
        assert!(worst.windows(2).all(|pair| (Reverse(pair[0].0), pair[0].1) < (Reverse(pair[1].0), pair[1].1)));
        assert_eq!((worst[0].0.available, worst[0].1, worst[1].1, worst[99].0.available), (0, 0, 500_000, 49));
        assert!(super::worst([(worst[0].0, 1)], 0).is_empty());
    }
}
