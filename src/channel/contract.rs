//! What every channel can do, and the words that it is spoken to with.
//!
//! No method of [`Channel`] has a default: a kind that forgets one does not compile. Invariant: nothing unsigned is believed,
//! and the key, the algorithm and the account come from the configuration, never from the message.

mod step;

use crate::domain::text::printable;
use crate::domain::{Call, Callback, Currency, Millis, Money, Payment, Reason, Rejection, Reply, Response};

pub use step::Step;

/// What a genuine callback says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Money came.
    Paid(Payment),
    /// Genuine, but nothing to deliver, and why.
    Nothing(Reason),
    /// Genuine, and its status is a word that this kind's documents do not name, made safe to show: nothing is delivered, and a
    /// person looks at it. It may mean that money came.
    Strange(String),
    /// It proves too little: the gateway is to be asked, and [`Channel::verify`] told what it says.
    Ask {
        /// The question.
        call: Call,
        /// What the callback states by itself, for whoever cannot ask: a capture that is replayed.
        alone: Option<Payment>,
    },
    /// The buyer agreed, and no money has moved.
    Agreed(Agreed),
}

impl Claim {
    /// What a status says that is none of a payment made: one of those that the kind knows, or a strange one.
    pub fn unpaid(status: &str, known: &[&str]) -> Self {
        if known.contains(&status) { Self::Nothing(Reason::StatusNotPaid) } else { Self::strange(status) }
    }

    pub fn strange(status: &str) -> Self {
        Self::Strange(printable(status, 64))
    }
}

/// What a buyer agreed to pay. The call takes the money: it is made only while the order waits for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreed {
    /// Our number.
    pub number: String,
    /// Takes the money; its answer is told as one to a question.
    pub call: Call,
}

/// What the gateway is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It stands; do not repeat it.
    Received,
    /// Refused.
    Refused,
    /// We cannot say now; repeat it.
    Unavailable,
}

/// What a channel needs to send a buyer to its gateway.
#[derive(Debug, Clone)]
pub struct Checkout<'a> {
    /// Our number for this attempt.
    pub number: &'a str,
    /// What is due.
    pub amount: Money,
    /// What the gateway may show, instead of the channel's own subject. Never a buyer's text.
    pub subject: Option<&'a str>,
    /// Where the gateway calls back; no query.
    pub notify_url: &'a str,
    /// Where the buyer comes back; no token, no query.
    pub return_url: &'a str,
    /// When it stops being payable.
    pub expires: Millis,
    /// The buyer's address; empty where it is not known, which a kind whose gateway must know it never sees.
    pub client_ip: &'a str,
    /// Further parameters of the kind, such as `clientip`.
    pub extra: &'a [(&'a str, &'a str)],
}

/// How an attempt begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begin {
    /// The buyer can go on; what the payment must name again, where there is something.
    Step(Step, Option<String>),
    /// The gateway is asked first, and [`Channel::checkout`] told what it says.
    Ask(Call),
    /// The gateway's refusal in words, or an answer that cannot be believed.
    Failed(String),
}

impl Begin {
    /// The same, or a failure where a buyer may not be sent to where it leads.
    #[must_use]
    pub fn checked(self) -> Self {
        match &self {
            Self::Step(step, _) => step.refused().map_or(self, Self::Failed),
            _ => self,
        }
    }
}

impl From<Result<(Step, Option<String>), String>> for Begin {
    fn from(opened: Result<(Step, Option<String>), String>) -> Self {
        opened.map_or_else(Self::Failed, |(step, reference)| Self::Step(step, reference))
    }
}

/// An attempt that a gateway is asked about.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Our number.
    pub number: &'a str,
    /// What it was opened with; empty where nothing was kept.
    pub reference: &'a str,
    /// The address that its buyer was sent to, where the gateway gave one.
    pub page: &'a str,
}

impl Asked<'static> {
    /// One that no gateway knows, with all that any kind asks by: whether a kind can be asked at all.
    pub const ANY: Self = Self {
        number: "ZZZZZZZZZZTRIAL0000001",
        reference: "ZZZZZZZZZZTRIAL0000001",
        page: "https://gateway.invalid/?Id=00000000-0000-0000-0000-000000000000",
    };
}

/// What is to be given back.
#[derive(Debug, Clone, Copy)]
pub struct Refund<'a> {
    /// The payment, whole.
    pub payment: &'a Payment,
    /// Our number of the refund: the same one again gives nothing back twice.
    pub number: &'a str,
    /// Why, in a few words.
    pub reason: &'a str,
    /// Where the gateway may call back about it.
    pub notify_url: &'a str,
    /// When it was asked for earlier, the first first, by calls of [`Refunded::Dated`].
    pub asked_at: &'a [Millis],
    /// It may have come under another number of ours than it has: the gateway's own names it.
    pub by_trade_no: bool,
}

/// What a gateway says to a refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refunded {
    /// The money is on its way back.
    Done,
    /// It is not decided: ask again with the same number.
    Pending(String),
    /// It refuses, in its words.
    Refused(String),
    /// The gateway is asked first, and [`Channel::refund`] told what it says.
    Ask(Call),
    /// As [`Refunded::Ask`], and the moment is kept before the call is made: the gateway knows a refund by its time too, and
    /// after a lost answer only so can it be asked about it.
    Dated(Call),
}

/// What a gateway answered when asked about a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It was paid. The caller compares the amount with what is due.
    Paid(Payment),
    /// It was not, or not yet.
    Unpaid,
    /// It was paid and given back.
    Refunded,
    /// The gateway does not know it.
    Unknown,
    /// The answer is about something else, or cannot be read.
    Mismatch,
    /// The gateway is asked first, and [`Channel::query`] told what it says.
    Ask(Call),
    /// The buyer agreed, and no money has moved.
    Agreed(Agreed),
}

/// A callback made by [`Channel::forge`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Raw query.
    pub query: String,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

/// One configured account at a payment gateway.
///
/// Where a gateway has to be asked, a method says what, and is called again with all answers so far, the first first.
pub trait Channel: Send + Sync {
    /// What a request states, if the gateway signed it for our account.
    ///
    /// # Errors
    /// Why it is not believed.
    fn verify(&self, callback: &Callback<'_>, heard: &[Response], now: Millis) -> Result<Claim, Rejection>;
    /// The answer in the gateway's own words. No failure text holds `success` or `ok`: gateways count that as received.
    fn ack(&self, verdict: Verdict) -> Reply;
    /// Whether it can be paid in this currency: an order in another would be paid and held, always.
    fn takes(&self, currency: Currency) -> bool;
    /// How a buyer pays an attempt.
    fn checkout(&self, checkout: &Checkout<'_>, heard: &[Response], now: Millis) -> Begin;
    /// What the gateway says of a payment; `None` where it cannot be asked.
    fn query(&self, asked: &Asked<'_>, heard: &[Response], now: Millis) -> Option<Answer>;
    /// Gives money back; `None` where only the merchant's console can.
    fn refund(&self, refund: &Refund<'_>, heard: &[Response], now: Millis) -> Option<Refunded>;
    /// The inverse of `verify`: a signed callback, for tests and load.
    fn forge(&self, payment: &Payment, now: Millis) -> Request;
    /// The payment number that a request names, believed by nobody: it helps a person to find the order that a failed
    /// callback was about.
    fn names(&self, callback: &Callback<'_>) -> Option<String>;
    /// The text that was signed, with secrets masked, to compare with the gateway's.
    fn explain(&self, callback: &Callback<'_>) -> Option<String>;
    /// Largest query and body it reads, in bytes.
    fn limits(&self) -> (usize, usize);
}

/// Whether a gateway's trade number is one we can keep: 1 to 128 of `[0-9A-Za-z_.:-]`.
#[must_use]
pub fn is_trade_no(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'-');
    (1..=128).contains(&text.len()) && text.bytes().all(fits)
}

/// Whether a text can be a payment number, ours or another shop's: 1 to 150 of `[0-9A-Za-z._|-]` (epay's own rule).
#[must_use]
pub fn is_number(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'|' | b'-');
    (1..=150).contains(&text.len()) && text.bytes().all(fits)
}
