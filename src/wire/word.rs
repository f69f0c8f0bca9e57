//! A word of an answer, which a newer daemon may have more of.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A word, or what stands in the place of one, that is known here, or another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Word<T> {
    /// One of ours.
    Known(T),
    /// What a newer daemon says there.
    Other(Value),
}

impl<T> Word<T> {
    /// What is known of it.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(known) => Some(known),
            Self::Other(_) => None,
        }
    }
}

impl<T: Copy + PartialEq> Word<T> {
    /// Whether it is that.
    pub fn is(&self, wanted: T) -> bool {
        self.known().is_some_and(|known| *known == wanted)
    }
}

impl<T> Default for Word<T> {
    fn default() -> Self {
        Self::Other(Value::String(String::new()))
    }
}

impl<T> From<T> for Word<T> {
    fn from(known: T) -> Self {
        Self::Known(known)
    }
}

impl<T: fmt::Display> fmt::Display for Word<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(known) => known.fmt(f),
            Self::Other(word) => f.write_str(word.as_str().unwrap_or_default()),
        }
    }
}
