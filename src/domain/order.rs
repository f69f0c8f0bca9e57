//! An order and the states it moves through.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::text::printable;
use super::{
    AttemptNo, Due, Millis, Money, Notice, Operator, OrderId, Origin, Payment, PaymentState, ProductId, Trade,
};

/// Longest reason in a line of the history.
const WHY: usize = 200;
/// What the history calls a payment that a person stated.
pub const MARK_PAID: &str = "mark-paid";
/// What the history calls a payment that a person counted for the order.
pub const ADOPT: &str = "adopt";

/// When a key is counted as taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Take {
    /// Reserved when the order is made: who may order, gets.
    Order,
    /// Drawn when the payment comes: who pays first, gets; nobody can empty the shop by not paying.
    Payment,
}

/// Where an order stands. It only moves forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OrderState {
    /// Waits for its payment.
    Pending,
    /// Paid, and its keys are the buyer's.
    Delivered,
    /// Paid, waits for stock.
    Owed,
    /// Paid, waits for a person.
    Held,
    /// Was not paid in time.
    Expired,
    /// A person refused the payment.
    Rejected,
    /// The money went back.
    Refunded,
}

impl OrderState {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Pending, Self::Delivered, Self::Owed, Self::Held, Self::Expired, Self::Rejected, Self::Refunded];

    /// The word for it, everywhere.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Owed => "owed",
            Self::Held => "held",
            Self::Expired => "expired",
            Self::Rejected => "rejected",
            Self::Refunded => "refunded",
        }
    }
}

impl std::str::FromStr for OrderState {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(())
    }
}

impl fmt::Display for OrderState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One product × quantity with an amount due.
#[derive(Debug, Clone)]
pub struct Order {
    /// Its number.
    pub id: OrderId,
    /// What.
    pub product: ProductId,
    /// How many keys.
    pub quantity: u32,
    /// What is due.
    pub amount: Money,
    /// Where it stands.
    pub state: OrderState,
    /// Keys counted against the pool for it.
    pub reserved: u32,
    /// The buyer's contact, sealed.
    pub contact: Vec<u8>,
    /// Its keys, sealed, once it is delivered.
    pub keys: Vec<Vec<u8>>,
    /// When it was made.
    pub created: Millis,
    /// When it stops being payable.
    pub expires: Millis,
    /// When its payment was settled.
    pub paid: Option<Millis>,
    /// When its keys became the buyer's.
    pub delivered: Option<Millis>,
    /// Why it is held.
    pub why: Option<String>,
    /// The ways to pay it, oldest first.
    pub attempts: Vec<Attempt>,
    /// When its gateway was asked to give the money back, the first first, where it knows a refund by its time.
    pub refunds: Vec<Millis>,
    /// What people did to it, a [`HistoryLine`] each.
    pub log: String,
    /// What its buyer was told; `None`: nothing was to be.
    pub notice: Option<Notice>,
}

impl Order {
    /// The way to pay it of that number.
    #[must_use]
    pub fn attempt(&self, no: AttemptNo) -> Option<&Attempt> {
        self.attempts.iter().find(|attempt| attempt.no == no)
    }

    /// What people did to it, the first first.
    pub fn history(&self) -> impl Iterator<Item = HistoryLine> {
        self.log.lines().filter_map(HistoryLine::read)
    }

    /// What an attempt was opened with, where something was kept.
    #[must_use]
    pub fn opening(&self, no: AttemptNo) -> Option<&Opened> {
        self.attempt(no)?.opened.as_ref()
    }
}

/// What a person did to an order: a line of its history, `at|by|what|why`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryLine {
    /// When.
    pub at: Millis,
    /// Who.
    pub by: String,
    /// What, in words without a bar.
    pub what: String,
    /// Why; it may hold bars.
    pub why: String,
}

impl HistoryLine {
    /// Of what an operator does now.
    #[must_use]
    pub fn new(at: Millis, by: &Operator, what: &str, why: &str) -> Self {
        Self { at, by: by.name().to_owned(), what: what.to_owned(), why: printable(why.trim(), WHY) }
    }

    fn read(line: &str) -> Option<Self> {
        let mut parts = line.splitn(4, '|');
        let at = parts.next()?.parse().ok()?;
        let [by, what, why] = [parts.next()?, parts.next()?, parts.next()?].map(str::to_owned);
        Some(Self { at, by, what, why })
    }

    /// Whether it says that a payment was stated by a person, or counted for the order by one: the payment may have come
    /// under another number than the one that it counts for. Only of payments whose records do not say it themselves.
    fn states_payment(&self) -> bool {
        matches!(self.what.as_str(), MARK_PAID | ADOPT)
    }
}

impl fmt::Display for HistoryLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, by, what, why } = self;
        writeln!(f, "{at}|{by}|{what}|{why}")
    }
}

/// One way to pay an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Which.
    pub no: AttemptNo,
    /// What it must be paid with.
    pub due: Due,
    /// What the gateway answered when it was opened, where that had to be asked.
    pub opened: Option<Opened>,
}

/// What an attempt was opened with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Opened {
    /// What its payment must name again.
    pub reference: String,
    /// How it is paid, as the gateway told; empty where the channel can say so by itself.
    pub step: String,
}

/// A payment as it stands with its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentRecord {
    /// Channel that verified it.
    pub channel: String,
    /// The gateway's trade number.
    pub trade_no: String,
    /// What became of it.
    pub state: PaymentState,
    /// How much.
    pub paid: Money,
    /// When it came.
    pub at: Millis,
    /// The number it was paid under.
    pub number: String,
    /// The payment number, or the order, that a person counted it for.
    pub counts_for: Option<String>,
    /// Who says that it was paid; `None` in a record of the layout before, which does not tell.
    pub origin: Option<Origin>,
}

impl PaymentRecord {
    /// What its gateway calls it.
    #[must_use]
    pub fn trade(&self) -> Trade {
        Trade::new(&self.channel, &self.trade_no)
    }

    /// Whether a person stated it, or counted it for `order`, with which it stands: it may have come under another number
    /// than the one that it counts for. Where its record does not tell, the order's history does, of all its payments.
    #[must_use]
    pub fn stated(&self, order: &Order) -> bool {
        match self.origin {
            Some(origin) => origin == Origin::Stated,
            None => order.history().any(|line| line.states_payment()),
        }
    }

    /// The payment it was, to be settled again for another order.
    #[must_use]
    pub fn payment(&self) -> Payment {
        Payment {
            number: self.number.clone(),
            trade_no: self.trade_no.clone(),
            paid: self.paid,
            channel: self.channel.clone(),
            paid_at: None,
            reference: None,
        }
    }
}

/// An order as its buyer sees it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OrderView {
    /// Order number.
    pub id: String,
    /// Where it stands.
    pub state: OrderState,
    /// Product id.
    pub product: String,
    /// Product name.
    pub name: String,
    /// Keys ordered.
    pub quantity: u32,
    /// What is due, as text.
    pub amount: String,
    /// In minor units.
    pub amount_minor: i64,
    /// In what.
    pub currency: String,
    /// When it was made, ms.
    pub created_at: Millis,
    /// When it stops being payable, ms.
    pub expires_at: Millis,
    /// When it was paid.
    pub paid_at: Option<Millis>,
    /// When it was delivered.
    pub delivered_at: Option<Millis>,
    /// The keys, each by itself: never joined, since a key may hold any character.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<Vec<String>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payments_record_decides_whether_it_was_stated_and_the_history_only_where_it_does_not_tell() {
        let money = Money { minor: 990, currency: crate::domain::Currency::CNY };
        let id: OrderId = "PIMX330ZWRP6SIPC75H4".parse().unwrap();
        let mut order = Order {
            id,
            product: "card".parse().unwrap(),
            quantity: 1,
            amount: money,
            state: OrderState::Delivered,
            reserved: 0,
            contact: Vec::new(),
            keys: Vec::new(),
            created: 1,
            expires: 2,
            paid: None,
            delivered: None,
            why: None,
            attempts: Vec::new(),
            refunds: Vec::new(),
            log: String::new(),
            notice: None,
        };
        let record = |origin| PaymentRecord {
            channel: "pay".to_owned(),
            trade_no: "T1".to_owned(),
            state: PaymentState::Settled,
            paid: money,
            at: 1,
            number: format!("{id}01"),
            counts_for: None,
            origin,
        };
        let stated =
            |order: &Order| [None, Some(Origin::Told), Some(Origin::Stated)].map(|it| record(it).stated(order));
        assert_eq!(stated(&order), [false, false, true]);
        for word in [MARK_PAID, ADOPT] {
            order.log = HistoryLine::new(5, &Operator::root(), word, "seen").to_string();
            assert_eq!(stated(&order), [true, false, true], "{word}");
        }
        order.log = HistoryLine::new(5, &Operator::root(), "approve", MARK_PAID).to_string();
        assert_eq!(stated(&order), [false, false, true]);
    }

    #[test]
    fn a_line_of_the_history_reads_back_and_only_two_state_a_payment() {
        let root = Operator::root();
        let line = HistoryLine::new(5, &root, "refund", " by hand | twice\n");
        assert_eq!(HistoryLine::read(line.to_string().trim_end_matches('\n')), Some(line.clone()));
        assert!(line.to_string().ends_with("|refund|by hand | twice\n") && line.to_string().lines().count() == 1);
        let states = |what: &str| HistoryLine::new(5, &root, what, "seen").states_payment();
        assert_eq!([MARK_PAID, ADOPT, "approve", "replace key 1"].map(states), [true, true, false, false]);
        for broken in ["", "5|root|adopt", "soon|root|adopt|x"] {
            assert_eq!(HistoryLine::read(broken), None, "{broken}");
        }
    }
}
