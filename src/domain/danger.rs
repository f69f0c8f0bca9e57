//! How soon a product's buyers go away empty-handed.

use super::Stock;

/// How endangered a product is: the greatest is the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Danger {
    /// What a new order may take.
    pub available: u64,
    /// When that is gone at the present rate; `None` where nothing is sold.
    pub empties_in_seconds: Option<u64>,
    rank: (bool, bool, bool, std::cmp::Reverse<u64>, std::cmp::Reverse<u64>),
}

impl PartialOrd for Danger {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Danger {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank.cmp(&other.rank)
    }
}

/// How endangered a product is: owed orders first, then an empty pool, then fewer than `low`, then by the time to empty
/// at `hourly` keys an hour.
#[must_use]
pub fn danger(stock: &Stock, low: u64, hourly: u64, retired: bool) -> Danger {
    let available = stock.available();
    let empties = (available * 3600).checked_div(hourly);
    let on = !retired;
    let rank = (
        stock.owed > 0,
        on && available == 0,
        on && available < low,
        std::cmp::Reverse(if on { empties.unwrap_or(u64::MAX) } else { u64::MAX }),
        std::cmp::Reverse(if on { available } else { u64::MAX }),
    );
    Danger { available, empties_in_seconds: empties, rank }
}
