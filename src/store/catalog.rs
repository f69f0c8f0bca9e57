//! The catalogue: one hash of products and a version that says when to read it again.

use std::collections::BTreeMap;

use super::{At, Store, StoreError, script};
use crate::domain::{Product, ProductId};

impl Store {
    /// The catalogue's version (another one means that products changed), and that of the data's layout.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn versions(&self) -> Result<(u64, u64), StoreError> {
        let names = [self.names.version(), self.names.schema()];
        let versions: Vec<Option<u64>> = self.ask(At::Catalog, redis::cmd("MGET").arg(&names)).await?;
        let version = |at: usize| versions.get(at).copied().flatten().unwrap_or(0);
        Ok((version(0), version(1)))
    }

    /// Every product.
    ///
    /// # Errors
    /// Redis does not answer, or a record cannot be read.
    pub async fn products(&self) -> Result<BTreeMap<ProductId, Product>, StoreError> {
        let records: BTreeMap<String, String> =
            self.ask(At::Catalog, redis::cmd("HGETALL").arg(self.names.products())).await?;
        let read = |(id, record): (String, String)| {
            let product: Option<Product> = record.split_once('|').and_then(|(_, json)| serde_json::from_str(json).ok());
            let product = product.ok_or_else(|| StoreError::Damaged(format!("product {id}")))?;
            Ok((product.id.clone(), product))
        };
        records.into_iter().map(read).collect()
    }

    /// Writes a product whose `revision` is one above what stands there. `false`: somebody else changed it meanwhile.
    ///
    /// # Errors
    /// Redis cannot do it.
    pub async fn save_product(&self, product: &Product) -> Result<bool, StoreError> {
        let json = serde_json::to_string(product).map_err(|error| StoreError::Bug(error.to_string()))?;
        let record = format!("{}|{json}", product.revision);
        let before = (product.revision - 1).to_string();
        let n = self.names;
        let keys = [n.products(), n.version()];
        let args: [&[u8]; 3] = [product.id.as_str().as_bytes(), before.as_bytes(), record.as_bytes()];
        let reply = self.run(At::Catalog, &script::CATALOG, &keys.each_ref().map(String::as_str), &args).await?;
        match reply.tag.as_str() {
            "saved" => Ok(true),
            "conflict" => Ok(false),
            _ => Err(reply.unknown()),
        }
    }
}
