//! What buyers ask and hear. No role is in it: who may is told by an order's token.

use serde::{Deserialize, Serialize};

use crate::domain::{Millis, Product, Stock};

/// A product as buyers see it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Offer {
    /// Its id.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// The price of one key, as text.
    pub price: String,
    /// In minor units.
    pub price_minor: i64,
    /// In what.
    pub currency: String,
    /// What may be ordered.
    pub available: u64,
    /// Whether it may be ordered now.
    pub on_sale: bool,
    /// From when on.
    pub sale_from: Option<Millis>,
    /// Until when.
    pub sale_until: Option<Millis>,
    /// Most keys in one order.
    pub per_order: u32,
}

impl Offer {
    /// That product with these numbers, at a time.
    #[must_use]
    pub fn of(product: &Product, stock: &Stock, now: Millis) -> Self {
        Self {
            id: product.id.to_string(),
            name: product.name.clone(),
            price: product.price.to_string(),
            price_minor: product.price.minor,
            currency: product.price.currency.to_string(),
            available: stock.available(),
            on_sale: product.on_sale(now),
            sale_from: product.sale_from,
            sale_until: product.sale_until,
            per_order: product.per_order,
        }
    }
}

/// What there is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct OfferList {
    /// What is not retired.
    pub products: Vec<Offer>,
    /// The ways to pay.
    pub channels: Vec<String>,
}

/// Another way to pay an order.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayWish {
    /// Through which channel.
    pub channel: String,
}
