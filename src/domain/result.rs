//! What came of what was done to an order or a payment: one word, in answers, the trail and the command line.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{OrderState, Outcome};

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActResult {
    /// The order is delivered.
    Delivered,
    /// The order is paid and waits for stock.
    Owed,
    /// The order waits for a person.
    Held,
    /// The payment is one too many and waits for a person.
    Extra,
    /// The payment has no order and waits for a person.
    Orphan,
    /// The payment was known before.
    Replayed,
    /// The payment is refused.
    Rejected,
    /// The money went back.
    Refunded,
    /// A fresh key stands in the bad one's place.
    Replaced,
    /// The order waits for its payment as before.
    Pending,
    /// The order is not payable any more.
    Expired,
    /// A notice is to be sent.
    Waiting,
    /// The gateway has no payment.
    Unpaid,
    /// The gateway does not know the number.
    Unknown,
    /// The gateway's answer does not fit the order.
    Mismatch,
}

impl ActResult {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Delivered,
        Self::Owed,
        Self::Held,
        Self::Extra,
        Self::Orphan,
        Self::Replayed,
        Self::Rejected,
        Self::Refunded,
        Self::Replaced,
        Self::Pending,
        Self::Expired,
        Self::Waiting,
        Self::Unpaid,
        Self::Unknown,
        Self::Mismatch,
    ];

    /// The word for it, everywhere.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Owed => "owed",
            Self::Held => "held",
            Self::Extra => "extra",
            Self::Orphan => "orphan",
            Self::Replayed => "replayed",
            Self::Rejected => "rejected",
            Self::Refunded => "refunded",
            Self::Replaced => "replaced",
            Self::Pending => "pending",
            Self::Expired => "expired",
            Self::Waiting => "waiting",
            Self::Unpaid => "unpaid",
            Self::Unknown => "unknown",
            Self::Mismatch => "mismatch",
        }
    }

    /// Of a question to a gateway: whether it found a payment that was not known here.
    #[must_use]
    pub const fn is_found(self) -> bool {
        matches!(self, Self::Delivered | Self::Owed | Self::Held | Self::Extra | Self::Orphan)
    }
}

impl From<&Outcome> for ActResult {
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Delivered(_) => Self::Delivered,
            Outcome::Owed(_) => Self::Owed,
            Outcome::Held(..) => Self::Held,
            Outcome::Extra(_) => Self::Extra,
            Outcome::Replayed(_) => Self::Replayed,
            Outcome::Orphan(_) => Self::Orphan,
        }
    }
}

impl From<OrderState> for ActResult {
    fn from(state: OrderState) -> Self {
        match state {
            OrderState::Pending => Self::Pending,
            OrderState::Delivered => Self::Delivered,
            OrderState::Owed => Self::Owed,
            OrderState::Held => Self::Held,
            OrderState::Expired => Self::Expired,
            OrderState::Rejected => Self::Rejected,
            OrderState::Refunded => Self::Refunded,
        }
    }
}

impl fmt::Display for ActResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_word_is_the_one_that_goes_over_the_wire() {
        for result in ActResult::ALL {
            assert_eq!(serde_json::to_value(result).unwrap(), result.as_str());
        }
        for state in OrderState::ALL {
            assert_eq!(ActResult::from(state).as_str(), state.as_str());
        }
    }
}
