//! What is sold.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Millis, Money, Slot, Take};

/// A product's id: 1 to 32 of `a-z 0-9 -`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProductId(String);

/// A text that is not a product's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a product id has 1 to 32 characters of a-z, 0-9 and -")]
pub struct BadProductId;

impl ProductId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ProductId {
    type Error = BadProductId;

    fn try_from(text: String) -> Result<Self, BadProductId> {
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if (1..=32).contains(&text.len()) && text.bytes().all(fits) { Ok(Self(text)) } else { Err(BadProductId) }
    }
}

impl std::str::FromStr for ProductId {
    type Err = BadProductId;

    fn from_str(text: &str) -> Result<Self, BadProductId> {
        text.to_owned().try_into()
    }
}

impl From<ProductId> for String {
    fn from(id: ProductId) -> Self {
        id.0
    }
}

impl fmt::Display for ProductId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How many keys one buyer may order in a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowance {
    /// Keys.
    pub keys: u32,
    /// Hours the count looks back.
    pub hours: u32,
}

/// One product, as it stands in the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// Its id.
    pub id: ProductId,
    /// What buyers read.
    pub name: String,
    /// Price of one key.
    pub price: Money,
    /// When a key is counted as taken.
    pub take: Take,
    /// Where its pool lives (0 to 63).
    pub slot: u8,
    /// Most keys in one order.
    pub per_order: u32,
    /// Most keys for one address in a while.
    pub per_address: Option<Allowance>,
    /// Most keys for one contact in a while.
    pub per_contact: Option<Allowance>,
    /// Sale window; open where absent.
    pub sale_from: Option<Millis>,
    /// End of the sale.
    pub sale_until: Option<Millis>,
    /// Minutes an unpaid order lives.
    pub expires_minutes: u32,
    /// Fewer available keys than this are an alarm; 0: none.
    #[serde(default)]
    pub low: u64,
    /// No new orders; what was ordered is still delivered.
    pub retired: bool,
    /// Counts changes; compared when a change is written.
    pub revision: u64,
    /// When it was added.
    pub created: Millis,
}

impl Product {
    /// The slot of its pool.
    #[must_use]
    pub fn home(&self) -> Slot {
        Slot::new(self.slot)
    }

    /// Whether an order may be made at `now`.
    #[must_use]
    pub fn on_sale(&self, now: Millis) -> bool {
        !self.retired
            && self.sale_from.is_none_or(|from| now >= from)
            && self.sale_until.is_none_or(|until| now < until)
    }
}

/// A product's numbers at one moment, in keys. imported = pool + given + voided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stock {
    /// In the pool.
    pub pool: u64,
    /// Of those, promised to unpaid orders.
    pub reserved: u64,
    /// Ever imported.
    pub imported: u64,
    /// At buyers.
    pub given: u64,
    /// Out of sale: voided or burned.
    pub voided: u64,
    /// Orders that wait for stock.
    pub owed: u64,
}

impl Stock {
    /// What a new order may take.
    #[must_use]
    pub fn available(&self) -> u64 {
        if self.owed > 0 { 0 } else { self.pool.saturating_sub(self.reserved) }
    }
}

/// What is to be different about a product; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)]
pub struct ProductPatch {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Decimal text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub take: Option<Take>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_order: Option<u32>,
    /// 0 keys: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_address: Option<Allowance>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_contact: Option<Allowance>,
    /// ms; 0: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sale_from: Option<Millis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sale_until: Option<Millis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_minutes: Option<u32>,
    /// 0: no alarm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retired: Option<bool>,
    /// Home slot, for a new product only; by its id where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<u8>,
}
