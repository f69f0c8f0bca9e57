//! What a verified callback states, why one is rejected, and what became of a payment.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Currency, Millis, Money, ProductId};

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

/// Why a callback was refused. Its word is what incidents, metrics and vectors say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rejection {
    /// The signature does not fit.
    BadSignature,
    /// No signature at all.
    MissingSignature,
    /// A field that must be there is missing or empty.
    MissingField,
    /// A parameter came twice.
    DuplicateParameter,
    /// Bytes that cannot be read, or a field with characters it may not have.
    Malformed,
    /// Text that is not UTF-8.
    NonUtf8,
    /// Past a limit of size.
    TooLarge,
    /// Its body did not come whole, or not in time.
    Incomplete,
    /// Another merchant's account.
    MerchantMismatch,
    /// Another way to pay than was asked for.
    TypeMismatch,
    /// An amount that is not exact digits.
    AmountMalformed,
    /// Another amount than is due.
    AmountMismatch,
    /// Another currency than is due.
    CurrencyMismatch,
    /// A signature algorithm other than the configured one.
    SignTypeMismatch,
    /// A certificate that leads to no root we believe, is not the gateway's or has run out.
    CertUntrusted,
    /// It is signed with a key that is not configured.
    KeyUnknown,
    /// Signed, and what is sealed inside cannot be opened.
    DecryptFailed,
    /// Too old or from the future.
    StaleTimestamp,
    /// It calls itself a payment and says that nothing was paid.
    StatusNotPaid,
    /// Another order's, session's, invoice's or address's than the attempt was opened with.
    OrderMismatch,
    /// No such order.
    OrderUnknown,
    /// The order's attempt belongs to another channel.
    ChannelMismatch,
    /// It comes from an address that is not its gateway's.
    SourceRefused,
    /// The gateway itself, when asked, says that it was not paid.
    Unconfirmed,
    /// Another method than the gateway uses, or a body of an unknown type.
    MethodNotAllowed,
}

impl Rejection {
    /// Every reason.
    pub const ALL: [Self; 25] = [
        Self::BadSignature,
        Self::MissingSignature,
        Self::MissingField,
        Self::DuplicateParameter,
        Self::Malformed,
        Self::NonUtf8,
        Self::TooLarge,
        Self::Incomplete,
        Self::MerchantMismatch,
        Self::TypeMismatch,
        Self::AmountMalformed,
        Self::AmountMismatch,
        Self::CurrencyMismatch,
        Self::SignTypeMismatch,
        Self::CertUntrusted,
        Self::KeyUnknown,
        Self::DecryptFailed,
        Self::StaleTimestamp,
        Self::StatusNotPaid,
        Self::OrderMismatch,
        Self::OrderUnknown,
        Self::ChannelMismatch,
        Self::SourceRefused,
        Self::Unconfirmed,
        Self::MethodNotAllowed,
    ];

    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadSignature => "bad_signature",
            Self::MissingSignature => "missing_signature",
            Self::MissingField => "missing_field",
            Self::DuplicateParameter => "duplicate_parameter",
            Self::Malformed => "malformed",
            Self::NonUtf8 => "non_utf8",
            Self::TooLarge => "too_large",
            Self::Incomplete => "incomplete",
            Self::MerchantMismatch => "merchant_mismatch",
            Self::TypeMismatch => "type_mismatch",
            Self::AmountMalformed => "amount_malformed",
            Self::AmountMismatch => "amount_mismatch",
            Self::CurrencyMismatch => "currency_mismatch",
            Self::SignTypeMismatch => "sign_type_mismatch",
            Self::CertUntrusted => "cert_untrusted",
            Self::KeyUnknown => "key_unknown",
            Self::DecryptFailed => "decrypt_failed",
            Self::StaleTimestamp => "stale_timestamp",
            Self::StatusNotPaid => "status_not_paid",
            Self::OrderMismatch => "order_mismatch",
            Self::OrderUnknown => "order_unknown",
            Self::ChannelMismatch => "channel_mismatch",
            Self::SourceRefused => "source_refused",
            Self::Unconfirmed => "unconfirmed",
            Self::MethodNotAllowed => "method_not_allowed",
        }
    }

    /// The reason in a sentence, and what to do, for an operator.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::BadSignature => {
                "The signature does not fit the channel's key: compare the key here with the one in the merchant's console; many from one address are a forger. Who paid meanwhile: `kamid order query ID` once the key is right."
            }
            Self::MissingSignature => "There is no signature: not from the gateway, or a proxy dropped the query.",
            Self::MissingField => {
                "A required field is missing or empty: a proxy may cut the query, or the gateway speaks another protocol version."
            }
            Self::DuplicateParameter => {
                "A parameter came twice, so two readers could disagree: refused whatever its signature."
            }
            Self::Malformed => {
                "A field holds characters it may not have: someone may be moving field borders inside the signed text."
            }
            Self::NonUtf8 => "The text is not UTF-8.",
            Self::TooLarge => "The request is past its size limit.",
            Self::Incomplete => {
                "Its body did not come whole within limits.read_seconds: the line to the gateway or to a proxy is slow or breaks; the gateway will repeat it."
            }
            Self::MerchantMismatch => "It is for another merchant account: check the channel's pid.",
            Self::TypeMismatch => "It was paid another way than was asked for.",
            Self::AmountMalformed => "The amount is not exact digits.",
            Self::AmountMismatch => "Another amount than is due was paid: approve or refund the order.",
            Self::CurrencyMismatch => "Another currency than is due was paid: approve or refund the order.",
            Self::SignTypeMismatch => "It names a signature algorithm other than the configured one.",
            Self::CertUntrusted => {
                "Its certificate leads to no root we believe, is not the gateway's or has run out: check the configured certificates."
            }
            Self::KeyUnknown => {
                "It is signed with a key or certificate that is not configured: the gateway may have changed to a new one. Compare with its console."
            }
            Self::DecryptFailed => {
                "It is signed, but what is inside cannot be opened: check the API key it is sealed with."
            }
            Self::StaleTimestamp => "It is too old or from the future: check this machine's clock.",
            Self::StatusNotPaid => "It calls itself a payment and says that nothing was paid.",
            Self::OrderMismatch => {
                "Genuine, but made for another session, invoice, address or time than the order was opened with. It is kept as an orphan: adopt or refund it."
            }
            Self::OrderUnknown => {
                "Genuine, but no such order: it may be early, long expired, or for another shop on the same account. It is kept as an orphan: adopt or refund it."
            }
            Self::ChannelMismatch => {
                "Genuine, but the order was to be paid through another channel. It is kept as an orphan: adopt or refund it."
            }
            Self::SourceRefused => {
                "It comes from an address that is not among the channel's sources: a forger, or the gateway has new ones. If a proxy of yours stands in front, name it in server.trusted_proxies."
            }
            Self::Unconfirmed => {
                "It is signed, and the gateway itself says that it was not paid: somebody may have the key. Change it in the gateway's console."
            }
            Self::MethodNotAllowed => "Another method than the gateway uses, or a body of an unknown type.",
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
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
        [Self::Settled, Self::Held, Self::Extra, Self::Orphan, Self::Refunded, Self::Adopted]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or(())
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
