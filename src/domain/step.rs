//! How a buyer pays: an address to go to, a code to scan, a form to send.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How the buyer pays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Step {
    /// Go to this address.
    Redirect {
        /// Where.
        url: String,
    },
    /// Show this text as a QR code.
    Qr {
        /// What the code holds.
        text: String,
    },
    /// Post these fields to this address.
    Form {
        /// Where.
        url: String,
        /// The fields.
        fields: BTreeMap<String, String>,
    },
}
