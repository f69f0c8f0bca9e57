//! What was tried of a channel, and how it went.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// One thing that was tried.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TrialStep {
    /// What.
    pub step: Cow<'static, str>,
    /// How it went: `ok`, `warn` or `failed`.
    pub result: Cow<'static, str>,
    /// What that means, and what to do.
    pub says: String,
}

impl TrialStep {
    /// What was tried, how it went, and what that means.
    pub fn new(step: &'static str, result: &'static str, says: impl Into<String>) -> Self {
        Self { step: step.into(), result: result.into(), says: says.into() }
    }
}
