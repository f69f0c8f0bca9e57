//! HTTP as plain data, so that a channel knows nothing of any HTTP library.

use std::borrow::Cow;

use super::{Outcome, Reason};

/// A request from a gateway, as it came.
#[derive(Debug, Clone, Copy)]
pub struct Callback<'a> {
    /// `GET` or `POST`.
    pub method: &'a str,
    /// Path without query.
    pub path: &'a str,
    /// Raw query, without the question mark.
    pub query: &'a str,
    /// Names and values as they came, in order.
    pub headers: &'a [(Cow<'a, str>, Cow<'a, str>)],
    /// The body's bytes.
    pub body: &'a [u8],
}

impl<'a> Callback<'a> {
    /// The first header of that name (any case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_ref())
    }
}

/// What became of a callback, as it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallbackOutcome {
    /// As [`Outcome`] has them.
    Delivered,
    /// See [`Outcome`].
    Owed,
    /// See [`Outcome`].
    Held,
    /// See [`Outcome`].
    Extra,
    /// See [`Outcome`].
    Replayed,
    /// See [`Outcome`].
    Orphan,
    /// Genuine, and of no payment.
    Ignored,
    /// Not believed.
    Rejected,
    /// Its address sends too much that is rejected.
    Limited,
    /// Its address was blocked by hand.
    Blocked,
    /// For a channel that is not configured.
    NoChannel,
    /// At an address that is nearly a callback's.
    WrongAddress,
    /// No request that can be read.
    Unreadable,
    /// Its gateway was asked and did not answer.
    Silent,
    /// Redis cannot settle it.
    Unavailable,
    /// Redis did not answer in time.
    Timeout,
    /// Redis has no room.
    Full,
}

impl CallbackOutcome {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::Delivered,
        Self::Owed,
        Self::Held,
        Self::Extra,
        Self::Replayed,
        Self::Orphan,
        Self::Ignored,
        Self::Rejected,
        Self::Limited,
        Self::Blocked,
        Self::NoChannel,
        Self::WrongAddress,
        Self::Unreadable,
        Self::Silent,
        Self::Unavailable,
        Self::Timeout,
        Self::Full,
    ];

    /// The reason that it is, where an operator is told of it.
    #[must_use]
    pub const fn reason(self) -> Option<Reason> {
        match self {
            Self::Held => Some(Reason::Held),
            Self::Orphan => Some(Reason::Orphan),
            Self::Limited => Some(Reason::Limited),
            Self::Blocked => Some(Reason::Blocked),
            Self::NoChannel => Some(Reason::NoChannel),
            Self::WrongAddress => Some(Reason::WrongAddress),
            Self::Unreadable => Some(Reason::UnreadableRequest),
            Self::Silent => Some(Reason::Silent),
            Self::Unavailable => Some(Reason::Unavailable),
            Self::Timeout => Some(Reason::Timeout),
            Self::Full => Some(Reason::Full),
            Self::Delivered | Self::Owed | Self::Extra | Self::Replayed | Self::Ignored | Self::Rejected => None,
        }
    }

    /// The word that metrics, logs and screens use: its reason's, where it is one.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Owed => "owed",
            Self::Extra => "extra",
            Self::Replayed => "replayed",
            Self::Ignored => "ignored",
            Self::Rejected => "rejected",
            other => other.reason().map_or("", |reason| reason.row().word),
        }
    }

    /// Reads a word; a newer kamid may have others.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == word)
    }
}

impl From<&Outcome> for CallbackOutcome {
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

/// What a gateway is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Body: plain text, or JSON where it begins with a brace.
    pub body: &'static str,
}

/// What a gateway answered to a request of ours.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body's bytes.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of that name (any case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// A request of ours, as data; `outbound` performs it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Call {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Whole URL. It may hold a secret (epay's query does): never log it.
    pub url: String,
    /// Extra headers.
    pub headers: Vec<(String, String)>,
    /// The body's bytes.
    pub body: Vec<u8>,
    /// For how long, in seconds, an earlier good answer to the call of the same [`Call::name`] will do; 0: never.
    pub keep_s: u64,
    /// What such answers are kept under.
    pub name: String,
    /// The call that gives out an OAuth 2 access token (RFC 6749, 4.4) for this one: it replaces [`TOKEN`] in the headers.
    pub token: Option<Box<Call>>,
}

/// Where an access token belongs in a header.
pub const TOKEN: &str = "{token}";

/// Without what may be a secret: the query, headers and the body.
impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.url.split('?').next().unwrap_or_default())
    }
}

impl Call {
    /// A GET.
    #[must_use]
    pub fn get(url: String) -> Self {
        Self { method: "GET", url, ..Self::default() }
    }

    /// A POST of that content type.
    #[must_use]
    pub fn post(url: String, kind: &str, body: Vec<u8>) -> Self {
        Self { method: "POST", url, body, ..Self::default() }.with("content-type", kind)
    }

    /// The same with one more header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The same, for which an earlier good answer will do that is no older than so many seconds.
    #[must_use]
    pub fn kept(self, name: impl Into<String>, seconds: u64) -> Self {
        Self { name: name.into(), keep_s: seconds, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{PaymentState, Rejection};

    #[test]
    fn every_outcome_has_a_word_of_its_own_and_a_payments_is_the_same() {
        for outcome in CallbackOutcome::ALL {
            assert_eq!(CallbackOutcome::of(outcome.as_str()), Some(outcome));
        }
        assert_eq!(CallbackOutcome::of("gifted"), None);
        for outcome in [Outcome::Replayed(PaymentState::Settled), Outcome::Orphan(Rejection::OrderMismatch)] {
            assert_eq!(CallbackOutcome::from(&outcome).as_str(), outcome.as_str());
        }
    }
}
