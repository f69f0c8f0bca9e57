//! Notices to buyers and operators.

use serde::{Deserialize, Serialize};

use super::Word;
use crate::domain::{Millis, NoticeState};

/// How many notices are listed.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NoticesWish {
    /// At most so many of each state.
    pub limit: usize,
}

impl Default for NoticesWish {
    fn default() -> Self {
        Self { limit: 50 }
    }
}

/// A notice and how its last try went.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NoticeView {
    /// What it is about, and what it is sent again by: an order's number, or the id of news to operators,
    /// `topic:notifier:about`.
    pub order: String,
    /// Product.
    pub product: String,
    /// The buyer's contact, masked; of an operator's notice its topic.
    pub contact: String,
    /// Where it stands.
    pub state: Word<NoticeState>,
    /// How often it was tried.
    pub tries: u32,
    /// When that changed.
    pub at: Millis,
    /// The same for people.
    pub time: String,
    /// When it is tried next; 0: it is not.
    pub next: Millis,
    /// The same for people.
    pub next_time: Option<String>,
    /// The notifier that tried it.
    pub by: String,
    /// Why it failed.
    pub why: String,
}

/// A notifier of the configuration.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NotifierView {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
}

/// Notices that were given up, then those that wait.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NoticeList {
    /// The next one first.
    #[serde(deserialize_with = "crate::domain::snapshot::shown")]
    pub notices: Vec<NoticeView>,
    /// How many wait.
    pub waiting: u64,
    /// How many were given up.
    pub dead: u64,
    /// Who tells them.
    pub notifiers: Vec<NotifierView>,
}

/// Which notifier is tried.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoticeTest {
    /// Its name.
    pub notifier: String,
    /// Where to; of a notifier that tells buyers.
    pub to: Option<String>,
}

/// A notifier that works.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NoticeTested {
    /// Its name.
    pub notifier: String,
    /// `sent`
    pub result: String,
}
