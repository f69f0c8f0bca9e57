//! What is sent: kinds of visits with their shares, and the requests that each is made of.

use std::fmt;
use std::str::FromStr;

/// One kind of visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum VisitKind {
    /// One signed callback for one order.
    Paid,
    /// The same callback twice.
    Duplicate,
    /// One byte changed after signing; its order is never paid.
    Forged,
    /// One minor unit less than is due, and nothing else.
    WrongAmount,
    /// Signed well, for a number that nobody gave.
    Unknown,
    /// After the order expired.
    Late,
    /// First too little, then what is due, then the first one again.
    OutOfOrder,
    /// Sent in small pieces.
    Slow,
    /// Somebody who orders, thinks, pays and looks for his keys.
    Buyer,
    /// Somebody who orders and never pays.
    Unpaid,
}

impl VisitKind {
    /// All of them, in the order they are shown.
    pub const ALL: [Self; 10] = [
        Self::Paid,
        Self::Duplicate,
        Self::Forged,
        Self::WrongAmount,
        Self::Unknown,
        Self::Late,
        Self::OutOfOrder,
        Self::Slow,
        Self::Buyer,
        Self::Unpaid,
    ];

    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::Duplicate => "duplicate",
            Self::Forged => "forged",
            Self::WrongAmount => "wrong-amount",
            Self::Unknown => "unknown",
            Self::Late => "late",
            Self::OutOfOrder => "out-of-order",
            Self::Slow => "slow",
            Self::Buyer => "buyer",
            Self::Unpaid => "unpaid",
        }
    }

    /// The requests of a visit that are due by the schedule, in order. What a buyer does after his order follows from its
    /// answer.
    #[must_use]
    pub const fn requests(self) -> &'static [RequestKind] {
        match self {
            Self::Paid | Self::Late | Self::Slow => &[RequestKind::Right],
            Self::Duplicate => &[RequestKind::Right, RequestKind::Right],
            Self::Forged => &[RequestKind::Bent],
            Self::WrongAmount => &[RequestKind::Less],
            Self::Unknown => &[RequestKind::Stranger],
            Self::OutOfOrder => &[RequestKind::Less, RequestKind::Right, RequestKind::Less],
            Self::Buyer | Self::Unpaid => &[RequestKind::Order],
        }
    }

    /// Whether it is a buyer's visit, who makes his own order.
    #[must_use]
    pub const fn orders(self) -> bool {
        matches!(self, Self::Buyer | Self::Unpaid)
    }

    /// Whether an order is made for it beforehand.
    #[must_use]
    pub const fn has_order(self) -> bool {
        !matches!(self, Self::Unknown) && !self.orders()
    }
}

/// One request, as far as its visit goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RequestKind {
    /// A buyer's new order.
    Order,
    /// What is due, signed.
    Right,
    /// One minor unit less, signed, under a trade number of its own.
    Less,
    /// What is due, and a byte changed after signing.
    Bent,
    /// For a number that nobody gave, signed.
    Stranger,
    /// A buyer's look at his order.
    Look,
}

impl RequestKind {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Less => "less",
            Self::Bent => "bent",
            Self::Stranger => "stranger",
            Self::Order => "order",
            Self::Look => "look",
        }
    }

    /// The step of a sale it is.
    #[must_use]
    pub const fn step(self) -> SaleStep {
        match self {
            Self::Order => SaleStep::Order,
            Self::Look => SaleStep::Look,
            _ => SaleStep::Pay,
        }
    }
}

/// The three steps of a sale, whose latencies are kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SaleStep {
    /// The buyer's order.
    Order,
    /// The gateway's callback.
    Pay,
    /// The buyer's look for his keys.
    Look,
}

impl SaleStep {
    /// All of them, in order.
    pub const ALL: [Self; 3] = [Self::Order, Self::Pay, Self::Look];

    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Pay => "pay",
            Self::Look => "look",
        }
    }
}

/// A request of a run: which visit, and which of its requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ticket {
    /// Place of its visit among all.
    pub visit: u32,
    /// What is sent.
    pub request: RequestKind,
}

/// Shares of kinds, in parts of their sum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mix(Vec<(VisitKind, u32)>);

impl Mix {
    /// One kind alone.
    #[must_use]
    pub fn only(kind: VisitKind) -> Self {
        Self(vec![(kind, 1)])
    }

    /// What a gateway sends on a bad day: mostly right, and some of every trouble.
    #[must_use]
    pub fn usual() -> Self {
        let troubles =
            [VisitKind::WrongAmount, VisitKind::Unknown, VisitKind::Late, VisitKind::OutOfOrder, VisitKind::Slow]
                .map(|kind| (kind, 2));
        let mut shares = vec![(VisitKind::Paid, 80), (VisitKind::Duplicate, 5), (VisitKind::Forged, 5)];
        shares.extend(troubles);
        Self(shares)
    }

    /// Buyers, of whom so many in a hundred never pay.
    #[must_use]
    pub fn sale(unpaid_percent: u32) -> Self {
        let unpaid = unpaid_percent.min(100);
        Self(vec![(VisitKind::Buyer, 100 - unpaid), (VisitKind::Unpaid, unpaid)])
    }

    /// Whether visits of that kind are among them.
    #[must_use]
    pub fn has(&self, kind: VisitKind) -> bool {
        self.0.iter().any(|(known, share)| *known == kind && *share > 0)
    }

    /// Kinds of `visits` visits: exact shares, in a random order that the seed decides.
    #[must_use]
    pub fn visits(&self, visits: usize, seed: u64) -> Vec<VisitKind> {
        let whole: u64 = self.0.iter().map(|(_, share)| u64::from(*share)).sum();
        let mut kinds = Vec::with_capacity(visits);
        let mut passed = 0;
        for (kind, share) in &self.0 {
            passed += u64::from(*share);
            let upto = (visits as u64 * passed / whole.max(1)) as usize;
            kinds.resize(upto, *kind);
        }
        fastrand::Rng::with_seed(seed).shuffle(&mut kinds);
        kinds
    }
}

/// The requests of all visits, in the order they are sent. A visit's own keep their order; its later ones come a little
/// after, between those of others.
#[must_use]
pub fn tickets(visits: &[VisitKind], seed: u64) -> Vec<Ticket> {
    let mut chance = fastrand::Rng::with_seed(seed ^ 0x9e37_79b9_7f4a_7c15);
    let mut placed: Vec<(u64, Ticket)> = Vec::with_capacity(visits.len());
    for (visit, kind) in (0u32..).zip(visits) {
        let mut place = u64::from(visit) * 4;
        for request in kind.requests() {
            placed.push((place, Ticket { visit, request: *request }));
            place += chance.u64(1..=400);
        }
    }
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, ticket)| ticket).collect()
}

/// A text that is no mix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("kinds with shares, such as paid=90,duplicate=5,forged=5; kinds: {}", VisitKind::ALL.map(VisitKind::as_str).join(", "))]
pub struct BadMix;

impl FromStr for Mix {
    type Err = BadMix;

    fn from_str(text: &str) -> Result<Self, BadMix> {
        let mut shares = Vec::new();
        for part in text.split(',') {
            let (word, share) = part.trim().split_once('=').ok_or(BadMix)?;
            let kind = VisitKind::ALL.into_iter().find(|kind| kind.as_str() == word.trim()).ok_or(BadMix)?;
            let share: u32 = share.trim().parse().map_err(|_| BadMix)?;
            if share > 1_000_000 || shares.iter().any(|(known, _)| *known == kind) {
                return Err(BadMix);
            }
            shares.push((kind, share));
        }
        if shares.iter().all(|(_, share)| *share == 0) { Err(BadMix) } else { Ok(Self(shares)) }
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.0.iter().map(|(kind, share)| format!("{}={share}", kind.as_str())).collect();
        f.write_str(&parts.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_exact_and_a_visits_requests_keep_their_order() {
        let mix: Mix = "paid=90,duplicate=5,forged=3,out-of-order=2".parse().unwrap();
        let visits = mix.visits(1000, 1);
        let of = |kind| visits.iter().filter(|known| **known == kind).count();
        assert_eq!(
            (of(VisitKind::Paid), of(VisitKind::Duplicate), of(VisitKind::Forged), of(VisitKind::OutOfOrder)),
            (900, 50, 30, 20)
        );
        let tickets = tickets(&visits, 1);
        assert_eq!(tickets.len(), 900 + 100 + 30 + 60);
        for (visit, kind) in (0u32..).zip(&visits) {
            let mine: Vec<RequestKind> = tickets.iter().filter(|t| t.visit == visit).map(|t| t.request).collect();
            assert_eq!(mine, kind.requests());
        }
        assert_eq!(tickets, super::tickets(&mix.visits(1000, 1), 1));
        assert_eq!(mix.to_string().parse(), Ok(mix));
        let usual = Mix::usual().to_string();
        assert_eq!(
            usual, "paid=80,duplicate=5,forged=5,wrong-amount=2,unknown=2,late=2,out-of-order=2,slow=2",
            "--help says so"
        );
        let sale = Mix::sale(10).visits(1000, 1);
        assert_eq!(sale.iter().filter(|kind| **kind == VisitKind::Unpaid).count(), 100);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "paid", "paid=x", "paid=0", "nobody=1", "paid=1,paid=2", "paid=-1"] {
            assert_eq!(text.parse::<Mix>(), Err(BadMix), "{text}");
        }
    }
}
