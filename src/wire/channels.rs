//! Channels.

use serde::{Deserialize, Serialize};

use crate::domain::{Millis, TrialStep};

/// A channel.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ChannelView {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Where its gateway sends callbacks.
    pub notify_url: String,
    /// Its account, where that has a name of its own.
    pub account: String,
}

/// The channels.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ChannelList {
    /// All of them.
    pub channels: Vec<ChannelView>,
}

/// How a channel is tried.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrialWish {
    /// Open a payment of one cent at its gateway, too.
    pub open: bool,
}

/// Whether a channel can work.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TrialReport {
    /// Which.
    pub channel: String,
    /// Whether nothing failed.
    pub works: bool,
    /// What was tried.
    pub steps: Vec<TrialStep>,
}

/// Of which time payments are listed.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaymentsWish {
    /// From then on.
    pub from: Millis,
    /// Until before then.
    pub until: Millis,
}
