//! The daemon itself, its store and its clock.

use serde::{Deserialize, Serialize};

use super::Word;
use crate::domain::{AuditReport, Millis, RedisHealth, Role};

/// Who asks, and which daemon answers.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Info {
    /// The name of who asks.
    pub operator: String,
    /// What they may do; a daemon that tells no roles has one token, which may do everything.
    pub role: Option<Word<Role>>,
    /// Its version.
    pub kamid: String,
    /// Its name.
    pub instance: String,
    /// Whether it is in test mode.
    pub test: bool,
    /// Where its public listener is, once it is up.
    pub public: Option<String>,
    /// How buyers and gateways reach it.
    pub public_url: String,
    /// Whether it can do its work.
    pub ready: bool,
    /// Why no order is made, where Redis is full.
    pub full: Option<String>,
    /// How Redis is.
    pub redis: RedisHealth,
    /// The longest body of keys.
    pub import_bytes: Option<u64>,
    /// The time, by Redis.
    pub now: Option<Millis>,
}

/// Why something is done.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Why {
    /// In words.
    pub reason: String,
}

/// A store that was accepted.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StoreAccepted {
    /// `accepted`
    pub result: String,
    /// What was wrong with it.
    pub was: String,
    /// The catalogue's new identity.
    pub epoch: String,
}

/// A clock that was accepted.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ClockAccepted {
    /// `accepted`
    pub result: String,
    /// Where it is: `3 h ahead`.
    pub clock: String,
    /// The same in milliseconds.
    pub ahead_ms: i64,
}

/// What a reader of the stream asks for.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StreamWish {
    /// Seconds of history before what comes.
    #[serde(skip_serializing_if = "is_nothing")]
    pub history: u64,
    /// Products whose stock is told; none where it is absent.
    pub stock: Option<usize>,
    /// A piece of their id or name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub filter: String,
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_nothing(seconds: &u64) -> bool {
    *seconds == 0
}

/// How an audit is told.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditWish {
    /// `true`: lines of how far it is, and the report as the last.
    pub progress: Option<String>,
}

/// A line of an audit.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuditLine {
    /// How far it is.
    Progress(AuditProgress),
    /// What it found: the last line.
    Report(AuditReport),
    /// Why it found nothing: the last line.
    Error(String),
}

/// How far an audit is.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AuditProgress {
    /// What is looked at.
    pub what: String,
    /// How much of it.
    pub done: u64,
    /// Of how much.
    pub of: u64,
}
