//! What operators did, as the trail keeps it and tells it.

use serde::{Deserialize, Serialize};

use super::Millis;

/// One thing that an operator did, or tried.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deed {
    /// When, by Redis' clock; set by the store.
    pub at: Millis,
    /// Who.
    pub by: String,
    /// What, as the command line says it: `order refund`.
    pub what: String,
    /// To which order, product, address or operator.
    pub on: String,
    /// What is different since: `price 9.90 → 8.00`.
    #[serde(default)]
    pub change: String,
    /// Why, where it was said.
    pub reason: String,
    /// What came of it: a word, or the code of the problem.
    pub result: String,
}
