//! What operators set for all instances, a hash each in the catalogue's slot: their tokens, and addresses that are blocked.

use super::script::text_of;
use super::{At, Store, StoreError, orders};

/// What became of a new token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It stands.
    Done,
    /// The name is taken.
    Taken,
    /// There are as many as there may be.
    Full,
}

impl Store {
    async fn records(&self, name: String) -> Result<Vec<(String, String)>, StoreError> {
        let answer: redis::Value = self.ask(At::Catalog, redis::cmd("HGETALL").arg(name)).await?;
        let mut all: Vec<_> =
            orders::fields(&answer).filter_map(|(name, record)| Some((name, text_of(record)?))).collect();
        all.sort_unstable();
        Ok(all)
    }

    /// Every operator's name and record.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn operators(&self) -> Result<Vec<(String, String)>, StoreError> {
        self.records(self.names.tokens()).await
    }

    /// Every address blocked by hand, with its record.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn blocks(&self) -> Result<Vec<(String, String)>, StoreError> {
        self.records(self.names.blocks()).await
    }

    /// Writes an address' record, whatever stood there.
    ///
    /// # Errors
    /// Redis cannot do it.
    pub async fn put_block(&self, address: &str, record: &str) -> Result<(), StoreError> {
        self.ask::<i64>(At::Catalog, redis::cmd("HSET").arg(self.names.blocks()).arg(address).arg(record))
            .await
            .map(drop)
    }

    /// Removes addresses' records; says how many there were.
    ///
    /// # Errors
    /// Redis cannot do it.
    pub async fn remove_blocks(&self, addresses: &[String]) -> Result<u64, StoreError> {
        self.ask(At::Catalog, redis::cmd("HDEL").arg(self.names.blocks()).arg(addresses)).await
    }

    /// Adds an operator's record unless the name is taken, or `most` are there. (Two instances that add the last one at
    /// the same moment both may: the bound is against neglect.)
    ///
    /// # Errors
    /// Redis cannot do it.
    pub async fn add_operator(&self, name: &str, record: &str, most: usize) -> Result<Added, StoreError> {
        let all = self.names.tokens();
        let count: usize = self.ask(At::Catalog, redis::cmd("HLEN").arg(&all)).await?;
        if count >= most {
            return Ok(Added::Full);
        }
        let added: bool = self.ask(At::Catalog, redis::cmd("HSETNX").arg(&all).arg(name).arg(record)).await?;
        if added {
            return Ok(Added::Done);
        }
        // Its own repeat, after a link was lost, finds itself.
        let stands: Option<String> = self.ask(At::Catalog, redis::cmd("HGET").arg(&all).arg(name)).await?;
        Ok(if stands.as_deref() == Some(record) { Added::Done } else { Added::Taken })
    }

    /// Removes an operator; says whether there was one.
    ///
    /// # Errors
    /// Redis cannot do it.
    pub async fn remove_operator(&self, name: &str) -> Result<bool, StoreError> {
        self.ask(At::Catalog, redis::cmd("HDEL").arg(self.names.tokens()).arg(name)).await
    }
}
