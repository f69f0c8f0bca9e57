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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Whole URL. It may hold a secret (epay's query does): never log it.
    pub url: String,
    /// Extra headers.
    pub headers: Vec<(String, String)>,
    /// The body's bytes.
    pub body: Vec<u8>,
}
