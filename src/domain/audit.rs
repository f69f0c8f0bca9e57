//! What does not add up, as an audit tells it.

use serde::{Deserialize, Serialize};

/// Hears how far long work is: what is looked at, how much of it, of how much.
pub type Progress<'a> = &'a (dyn Fn(&'static str, u64, u64) + Sync);

/// Most violations listed; the count goes on.
const LISTED: usize = 1000;

/// One thing that does not add up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// `key_twice`, `trade_twice`, `unreadable`, `damaged`, `counts`, `reserved`, `order`, `payment`, `owed`, `due`, `review`, `unsteady`, `store`.
    pub kind: String,
    /// Of what: an order, a product.
    pub what: String,
    /// What stands there and what should.
    pub detail: String,
}

/// What an audit found.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct AuditReport {
    /// Products looked at.
    pub products: u64,
    /// Orders looked at.
    pub orders: u64,
    /// Keys looked at, wherever they are.
    pub keys: u64,
    /// Payments looked at.
    pub payments: u64,
    /// Violations in all.
    pub count: u64,
    /// The first thousand of them.
    pub violations: Vec<Violation>,
}

impl AuditReport {
    /// Counts one, and lists it where there is room.
    pub fn add(&mut self, kind: &str, what: impl Into<String>, detail: impl Into<String>) {
        self.count += 1;
        if self.violations.len() < LISTED {
            self.violations.push(Violation { kind: kind.to_owned(), what: what.into(), detail: detail.into() });
        }
    }
}
