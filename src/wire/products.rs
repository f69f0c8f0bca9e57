//! Products, their stock and their keys.

use std::fmt;

use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Word;
use crate::domain::{Allowance, Millis, Product, ProductPatch, Stock, Take};

/// How products are listed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProductsWish {
    /// There, and not `false`: numbers as they are in Redis now.
    pub fresh: Option<String>,
}

impl ProductsWish {
    /// Numbers as they stand in Redis, not as they were within the last second.
    #[must_use]
    pub fn fresh() -> Self {
        Self { fresh: Some(String::new()) }
    }

    /// Whether that is asked for.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.fresh.as_ref().is_some_and(|fresh| fresh != "false")
    }
}

/// A product with its stock.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct ProductView {
    pub id: String,
    pub name: String,
    /// As text.
    pub price: String,
    pub take: Word<Take>,
    pub slot: u8,
    pub per_order: u32,
    pub per_address: Option<Allowance>,
    pub per_contact: Option<Allowance>,
    pub sale_from: Option<Millis>,
    pub sale_until: Option<Millis>,
    pub expires_minutes: u32,
    pub low: u64,
    pub retired: bool,
    pub revision: u64,
    pub created: Millis,
    pub price_minor: i64,
    pub currency: String,
    pub stock: StockView,
}

/// A product's numbers, and what follows from them.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct StockView {
    /// As they are counted.
    #[serde(flatten)]
    pub counted: Stock,
    /// What a new order may take.
    #[serde(default)]
    pub available: u64,
}

impl ProductView {
    /// That product with these numbers.
    #[must_use]
    pub fn of(product: &Product, stock: Stock) -> Self {
        Self {
            id: product.id.to_string(),
            name: product.name.clone(),
            price: product.price.to_string(),
            take: product.take.into(),
            slot: product.slot,
            per_order: product.per_order,
            per_address: product.per_address,
            per_contact: product.per_contact,
            sale_from: product.sale_from,
            sale_until: product.sale_until,
            expires_minutes: product.expires_minutes,
            low: product.low,
            retired: product.retired,
            revision: product.revision,
            created: product.created,
            price_minor: product.price.minor,
            currency: product.price.currency.to_string(),
            stock: StockView { counted: stock, available: stock.available() },
        }
    }
}

/// Products with their stock.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ProductList {
    /// All of them.
    pub products: Vec<ProductView>,
}

/// A product that is to be added.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(try_from = "Fields")]
pub struct NewProduct {
    /// Its id.
    pub id: String,
    /// What it is to be like.
    #[serde(flatten)]
    pub patch: ProductPatch,
}

/// The fields of an object, each said once.
struct Fields(Map<String, Value>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Read;

        impl<'de> Visitor<'de> for Read {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Fields, A::Error> {
                let mut fields = Map::new();
                while let Some((name, value)) = entries.next_entry::<String, Value>()? {
                    if fields.contains_key(&name) {
                        return Err(de::Error::custom(format!("duplicate field `{name}`")));
                    }
                    fields.insert(name, value);
                }
                Ok(Fields(fields))
            }
        }

        source.deserialize_map(Read)
    }
}

/// Serde takes what flattened fields do not know for nothing: here it is refused.
impl TryFrom<Fields> for NewProduct {
    type Error = String;

    fn try_from(Fields(mut fields): Fields) -> Result<Self, String> {
        let id = match fields.remove("id") {
            Some(Value::String(id)) => id,
            Some(_) => return Err("id: must be a text".to_owned()),
            None => return Err("missing field `id`".to_owned()),
        };
        let patch = serde_json::from_value(Value::Object(fields)).map_err(|error| error.to_string())?;
        Ok(Self { id, patch })
    }
}

/// How a body of keys is read.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImportWish {
    /// The number of its first line in its file.
    pub first: u64,
    /// What the body is written in, by somebody who knows.
    pub encoding: Option<String>,
    /// Every line is a key, whatever the whole looks like, by somebody who has looked.
    pub as_lines: bool,
    /// This is a part of a file that was judged as a whole.
    pub judged: bool,
}

impl Default for ImportWish {
    fn default() -> Self {
        Self { first: 1, encoding: None, as_lines: false, judged: false }
    }
}

/// Which keys.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeysWish {
    /// So many.
    pub count: u32,
    /// These, one a line.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub keys: String,
}

/// Keys that went out of sale.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Voided {
    /// So many.
    pub voided: u64,
    /// Of so many that were named.
    pub keys_named: Option<u64>,
    /// Those of them that were not in the pool.
    pub not_in_pool: Option<u64>,
}

/// Keys that are back on sale.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Restored {
    /// So many.
    pub restored: u64,
}
