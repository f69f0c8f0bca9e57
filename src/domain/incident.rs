//! What an operator should see, with the raw request where there was one.

use serde::{Deserialize, Serialize};

use super::text::printable;
use super::{Millis, Reason};

/// Largest raw request kept of one incident, in bytes of its JSON.
const REQUEST_BYTES: usize = 16_384;

/// A request as it came, for the operator only. `Authorization` and `Cookie` are left out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RawRequest {
    /// `GET` or `POST`.
    pub method: String,
    /// Path and raw query.
    pub target: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body, base64.
    pub body_b64: String,
    /// Whether it was cut to fit.
    #[serde(default)]
    pub cut: bool,
}

impl RawRequest {
    /// Drops what is secret or too much.
    #[must_use]
    pub fn trimmed(mut self) -> Self {
        // The page that led here may have an order's token in its address, as may a mistyped address.
        let secret = |name: &str| matches!(name, "authorization" | "cookie" | "referer");
        self.headers.retain(|(name, _)| !secret(&name.to_ascii_lowercase()));
        if let Some((path, query)) = self.target.split_once('?') {
            let masked = |part: &str| match part.split_once('=') {
                Some((name, _)) if name.eq_ignore_ascii_case("token") => format!("{name}=…"),
                _ => part.to_owned(),
            };
            self.target = format!("{path}?{}", query.split('&').map(masked).collect::<Vec<_>>().join("&"));
        }
        let size: usize = self.headers.iter().map(|(n, v)| n.len() + v.len()).sum();
        if self.target.len() + self.body_b64.len() + size > REQUEST_BYTES {
            self.cut = true;
            self.target = printable(&self.target, 2048);
            self.body_b64.truncate(4096);
            self.headers.truncate(20);
            self.headers.retain(|(_, value)| value.len() <= 256);
        }
        self
    }
}

/// Something an operator should see.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Incident {
    /// Its id.
    pub id: String,
    /// When.
    pub at: Millis,
    /// The channel; empty where there is none.
    pub channel: String,
    /// Why.
    pub reason: Reason,
    /// The reason in a sentence, and what to do.
    pub advice: String,
    /// Where it came from.
    pub address: String,
    /// The payment number it names, where it can be read.
    pub number: String,
    /// What the sender was told.
    pub status: u16,
    /// Whether what it is about was signed by its gateway.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub signed: bool,
    /// The request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<RawRequest>,
}

/// An incident without its request, safe to show anywhere.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(default)]
#[allow(missing_docs)]
pub struct IncidentBrief {
    pub id: String,
    pub at: Millis,
    pub channel: String,
    pub reason: Reason,
    pub address: String,
    pub number: String,
    pub status: u16,
}

impl Incident {
    /// Whether anybody who can reach us may have caused it.
    #[must_use]
    pub fn is_strangers(&self) -> bool {
        self.request.is_some() && !self.signed
    }

    /// Without its request; foreign text made printable.
    #[must_use]
    pub fn brief(&self) -> IncidentBrief {
        IncidentBrief {
            id: self.id.clone(),
            at: self.at,
            channel: self.channel.clone(),
            reason: self.reason.clone(),
            address: printable(&self.address, 64),
            number: printable(&self.number, 64),
            status: self.status,
        }
    }
}
