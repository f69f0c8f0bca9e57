//! Payments: those of orders, and those that wait for a person.

use serde::{Deserialize, Serialize};

use super::Word;
use crate::domain::order::PaymentRecord;
use crate::domain::time::iso;
use crate::domain::{ActResult, Millis, Money, PaymentState, ReviewKind};

/// A payment as it stands with its order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PaymentView {
    /// The channel that verified it.
    pub channel: String,
    /// The gateway's number.
    pub trade_no: String,
    /// What became of it.
    pub state: PaymentState,
    /// The number it was paid under.
    pub number: String,
    /// How much, as text.
    pub amount: String,
    /// In minor units.
    pub amount_minor: i64,
    /// In what.
    pub currency: String,
    /// When it came.
    pub at: Millis,
    /// The same for people.
    pub time: String,
}

impl From<&PaymentRecord> for PaymentView {
    fn from(record: &PaymentRecord) -> Self {
        Self {
            channel: record.channel.clone(),
            trade_no: record.trade_no.clone(),
            state: record.state,
            number: record.number.clone(),
            amount: record.paid.to_string(),
            amount_minor: record.paid.minor,
            currency: record.paid.currency.to_string(),
            at: record.at,
            time: iso(record.at),
        }
    }
}

impl PaymentView {
    /// How much.
    #[must_use]
    pub fn money(&self) -> Money {
        Money { minor: self.amount_minor, currency: crate::domain::Currency::foreign(&self.currency) }
    }
}

/// Payments of a channel.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct PaymentList {
    /// Those of the time that was asked about.
    pub payments: Vec<PaymentView>,
}

/// A payment that waits for a person.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct OrphanView {
    /// Why.
    pub kind: Word<ReviewKind>,
    /// Order or payment number.
    pub id: String,
    /// `channel|trade number`.
    pub payment: String,
    /// Since when.
    pub since: String,
    /// How much, where that can be read.
    pub amount: Option<String>,
    /// In what.
    pub currency: Option<String>,
}

/// Payments that wait for a person.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct OrphanList<T = OrphanView> {
    /// The oldest first.
    pub payments: Vec<T>,
}

/// Which of them, and for which order.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrphanWish {
    /// The id as listed.
    pub id: String,
    /// The payment as listed.
    pub payment: String,
    /// The order it is to count for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub order: String,
}

/// A payment that counts for an order.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Adopted {
    /// Which.
    pub order: String,
    /// Where the order stands then.
    pub result: Word<ActResult>,
}
