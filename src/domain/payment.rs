//! What a verified callback states, and what became of a payment.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Currency, Millis, Money, ProductId, Rejection, Trade};

/// What a verified callback states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// Our number, as the gateway gave it back: not yet known to be ours.
    pub number: String,
    /// The gateway's number: 1 to 128 of `[0-9A-Za-z_.:-]`.
    pub trade_no: String,
    /// How much was paid.
    pub paid: Money,
    /// The channel that verified it.
    pub channel: String,
    /// When, by the gateway's word.
    pub paid_at: Option<Millis>,
    /// What else must be as it was when the attempt was opened: the gateway's own number of it, its time, its address.
    /// Compared where the attempt has one.
    pub reference: Option<String>,
}

impl Payment {
    /// What its gateway calls it.
    #[must_use]
    pub fn trade(&self) -> Trade {
        Trade::new(&self.channel, &self.trade_no)
    }

    /// A payment that says no more than it must.
    #[must_use]
    pub fn new(number: &str, trade_no: &str, paid: Money, channel: &str) -> Self {
        Self {
            number: number.to_owned(),
            trade_no: trade_no.to_owned(),
            paid,
            channel: channel.to_owned(),
            paid_at: None,
            reference: None,
        }
    }
}

/// What one attempt must be paid with: as text `channel|amount in minor units|currency`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Channel.
    pub channel: String,
    /// Amount.
    pub amount: Money,
}

impl fmt::Display for Due {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}|{}|{}", self.channel, self.amount.minor, self.amount.currency)
    }
}

impl std::str::FromStr for Due {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('|');
        let (Some(channel), Some(minor), Some(currency), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(());
        };
        let currency: Currency = currency.parse().map_err(|_| ())?;
        let minor = minor.parse().map_err(|_| ())?;
        Ok(Self { channel: channel.to_owned(), amount: Money { minor, currency } })
    }
}

/// Who says that a payment was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Its gateway, under the number that it counts for.
    Told,
    /// A person, who stated it or counted it for the order.
    Stated,
}

impl Origin {
    /// Its mark in a payment's record.
    #[must_use]
    pub const fn mark(self) -> &'static str {
        match self {
            Self::Told => "t",
            Self::Stated => "s",
        }
    }
}

impl std::str::FromStr for Origin {
    type Err = ();

    fn from_str(mark: &str) -> Result<Self, ()> {
        [Self::Told, Self::Stated].into_iter().find(|origin| origin.mark() == mark).ok_or(())
    }
}

/// Why something waits for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReviewKind {
    /// An order whose payment is not what was due.
    Held,
    /// A payment too many.
    Extra,
    /// A payment for a number that we do not know.
    Orphan,
}

impl ReviewKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Held, Self::Extra, Self::Orphan];

    /// Its word: that of the payments that wait so.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => PaymentState::Held.as_str(),
            Self::Extra => PaymentState::Extra.as_str(),
            Self::Orphan => PaymentState::Orphan.as_str(),
        }
    }

    /// How a payment waits that is not an order's; `None`: it does not.
    #[must_use]
    pub const fn of_payment(state: PaymentState) -> Option<Self> {
        match state {
            PaymentState::Extra => Some(Self::Extra),
            PaymentState::Orphan => Some(Self::Orphan),
            PaymentState::Settled | PaymentState::Held | PaymentState::Refunded | PaymentState::Adopted => None,
        }
    }
}

impl fmt::Display for ReviewKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for ReviewKind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(())
    }
}

/// What became of a payment record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PaymentState {
    /// Its order is delivered or owed.
    Settled,
    /// A person decides.
    Held,
    /// One payment too many; a person gives it back or uses it elsewhere.
    Extra,
    /// For a number we do not know.
    Orphan,
    /// The money went back.
    Refunded,
    /// A person counted it for another order.
    Adopted,
}

impl std::fmt::Display for PaymentState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl PaymentState {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Settled, Self::Held, Self::Extra, Self::Orphan, Self::Refunded, Self::Adopted];

    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Settled => "settled",
            Self::Held => "held",
            Self::Extra => "extra",
            Self::Orphan => "orphan",
            Self::Refunded => "refunded",
            Self::Adopted => "adopted",
        }
    }
}

impl std::str::FromStr for PaymentState {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(())
    }
}

/// What settling one payment came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The keys are the buyer's.
    Delivered(Settled),
    /// Paid, not in stock.
    Owed(Settled),
    /// Paid, but not what was due.
    Held(Rejection, Settled),
    /// A payment too many.
    Extra(Settled),
    /// This payment was settled before.
    Replayed(PaymentState),
    /// Genuine, but for no order of ours.
    Orphan(Rejection),
}

/// The order a payment was settled with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Its product.
    pub product: ProductId,
    /// How many keys.
    pub quantity: u32,
    /// When it was made.
    pub created: Millis,
}

impl Outcome {
    /// The word that metrics, logs and screens use.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Delivered(_) => "delivered",
            Self::Owed(_) => "owed",
            Self::Held(..) => "held",
            Self::Extra(_) => "extra",
            Self::Replayed(_) => "replayed",
            Self::Orphan(_) => "orphan",
        }
    }

    /// Whether the payment stands durably with an order, so that the gateway may stop repeating it.
    #[must_use]
    pub const fn received(&self) -> bool {
        !matches!(self, Self::Orphan(_))
    }
}
