//! What buyers and operators want of an order, as plain data.

use serde::{Deserialize, Serialize};

use super::order::MARK_PAID;

/// What a buyer wants.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Product id.
    pub product: String,
    /// Keys.
    #[serde(default = "one")]
    pub quantity: u32,
    /// How to reach the buyer: an address, a number.
    pub contact: String,
    /// Channel to pay through; may be left out where there is only one.
    #[serde(default)]
    pub channel: Option<String>,
}

fn one() -> u32 {
    1
}

/// Why, and what more an action needs.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Note {
    /// Why; asked for wherever money moves.
    pub reason: String,
    /// The gateway's number of the payment, for `mark-paid`.
    pub trade_no: Option<String>,
    /// Place of the bad key in the order, from 1, for `replace`.
    pub position: Option<usize>,
    /// Give the money back through the gateway first, for `refund`.
    pub gateway: bool,
}

/// What is done to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Deliver a held order.
    Approve,
    /// Refuse a held payment.
    Reject,
    /// Mark as refunded; its keys are burned.
    Refund,
    /// State that it was paid.
    MarkPaid,
    /// Give a fresh key for a bad one.
    Replace,
    /// Try again to deliver an owed order, and show the keys' buyer the way again.
    Redeliver,
    /// Tell its buyer again.
    Resend,
    /// Let an unpaid order expire now.
    Expire,
    /// Ask the gateway.
    Query,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Approve,
        Self::Reject,
        Self::Refund,
        Self::MarkPaid,
        Self::Replace,
        Self::Redeliver,
        Self::Resend,
        Self::Expire,
        Self::Query,
    ];

    /// The word for it, in addresses and histories.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Refund => "refund",
            Self::MarkPaid => MARK_PAID,
            Self::Replace => "replace",
            Self::Redeliver => "redeliver",
            Self::Resend => "resend",
            Self::Expire => "expire",
            Self::Query => "query",
        }
    }
}

/// How to pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pay {
    /// As it should be.
    Once,
    /// Two callbacks of one payment, then a second payment.
    Twice,
    /// One minor unit less than is due.
    Less,
    /// After the order expired.
    Late,
    /// A callback that nobody signed.
    Forge,
}
