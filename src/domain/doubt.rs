//! Why nothing is drawn from a store that answers: it is not, or may not be, the one that was there.

use serde::{Deserialize, Serialize};

use super::Millis;

/// What is wrong with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Places have lost their identity or have another one: it was emptied, its files are gone, or it is another Redis.
    Gone,
    /// Places lack events that were acknowledged: it went back in time.
    Behind,
    /// A word of a newer daemon.
    #[serde(other)]
    #[default]
    Other,
}

/// A place that is not as it was known, and how it was known.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Missing {
    /// A slot, `00` to `63`, or `catalog`.
    pub place: String,
    /// Its identity.
    pub id: String,
    /// Its newest event that was acknowledged: `<ms>-<n>`, by Redis' clock.
    pub mark: String,
}

/// A store that is doubted: until a person accepts it, or the right one is back, nothing is drawn from it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Doubt {
    /// What is wrong.
    pub cause: Cause,
    /// Since when.
    pub since: Millis,
    /// The process of Redis that was there when it began: its `run_id`.
    pub run: String,
    /// The places that are not as they were known.
    pub missing: Vec<Missing>,
}

/// How the store stands, for operators.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Standing {
    /// Why nothing is drawn from it.
    pub doubt: Option<Doubt>,
    /// The same as a sentence.
    pub why: Option<String>,
    /// What was changed in its settings so that payments could be lost.
    pub careless: Option<String>,
}

impl Doubt {
    /// The newest event that was acknowledged and is not there, ms; 0: none is known.
    #[must_use]
    pub fn until(&self) -> Millis {
        let ms = |missing: &Missing| missing.mark.split('-').next().and_then(|ms| ms.parse().ok());
        self.missing.iter().filter_map(ms).max().unwrap_or(0)
    }
}

impl std::fmt::Display for Doubt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let count = self.missing.len();
        match self.cause {
            Cause::Gone => write!(
                f,
                "the store is empty or another one than before: {count} of its {} places are not the ones that were there",
                super::SLOTS + 1
            ),
            Cause::Behind => {
                write!(f, "the store went back in time: {count} of its places lack events that were acknowledged")
            }
            Cause::Other => write!(f, "the store is doubted"),
        }
    }
}
