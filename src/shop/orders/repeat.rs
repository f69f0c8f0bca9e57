//! Requests under an Idempotency-Key: done once, however often they come.

use std::net::IpAddr;

use data_encoding::HEXLOWER;

use crate::domain::Millis;
use crate::domain::network::network;
use crate::shop::{Shop, ShopError};
use crate::store::Repeat;
use crate::vault::Index;

/// How long a key is remembered.
const ONCE_MS: Millis = 24 * 3_600_000;
/// After this long, a request that never ended may run again under its key.
const PATIENCE_MS: Millis = 30_000;

/// A request under way.
#[derive(Debug, Clone, Copy)]
pub struct Keyed(Index);

impl Shop {
    /// Begins a request under a key of an address: another buyer's key of the same text is another key. `body` is what is
    /// asked for.
    ///
    /// # Errors
    /// Redis cannot do it.
    pub async fn begin_once(&self, from: IpAddr, key: &str, body: &str) -> Result<(Keyed, Repeat), ShopError> {
        let key = self.vault.index("idem", &format!("{}|{key}", network(from)));
        let body = HEXLOWER.encode(&self.vault.index("body", body));
        Ok((Keyed(key), self.store.once(key, &body, PATIENCE_MS).await?))
    }

    /// Ends it: with the answer that its repeats get, or, when it failed, as if it had not been.
    ///
    /// # Errors
    /// Redis cannot do it.
    pub async fn end_once(&self, request: Keyed, answer: Option<&str>) -> Result<(), ShopError> {
        Ok(self.store.once_done(request.0, answer, ONCE_MS).await?)
    }
}
