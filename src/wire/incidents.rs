//! Incidents.

use serde::{Deserialize, Serialize};

use crate::domain::{Incident, IncidentBrief, Millis};

/// Which incidents are listed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IncidentSearch {
    /// At most so many.
    pub limit: usize,
    /// Of this reason.
    pub reason: Option<String>,
    /// Of this channel.
    pub channel: Option<String>,
    /// From this address.
    pub address: Option<String>,
    /// Older than this.
    pub before: Option<Millis>,
}

impl Default for IncidentSearch {
    fn default() -> Self {
        Self { limit: 100, reason: None, channel: None, address: None, before: None }
    }
}

/// What failed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct IncidentList {
    /// The newest first.
    #[serde(deserialize_with = "crate::domain::snapshot::shown")]
    pub incidents: Vec<IncidentBrief>,
    /// How many more were only counted.
    pub only_counted: u64,
}

/// One incident.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct IncidentWhole {
    /// As it was kept.
    #[serde(flatten)]
    pub kept: Incident,
    /// The text that its gateway signed, secrets masked.
    #[serde(default)]
    pub canonical: Option<String>,
}

/// What the running configuration says of an incident's request now.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ReplayReport {
    /// `accept`, `hold`, `reject` or `ignore`.
    pub verdict: String,
    /// Why, unless accepted.
    pub reason: Option<String>,
    /// The number it was paid under.
    pub number: Option<String>,
    /// How much.
    pub amount: Option<String>,
    /// In what.
    pub currency: Option<String>,
    /// The gateway's number.
    pub trade_no: Option<String>,
    /// What the gateway would hear.
    pub answer: GatewayAnswer,
}

/// What a gateway hears.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct GatewayAnswer {
    /// The status of HTTP.
    pub status: u16,
    /// The text.
    pub body: String,
}
