//! HTTP as plain data, so that a channel knows nothing of any HTTP library.

use std::borrow::Cow;

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
