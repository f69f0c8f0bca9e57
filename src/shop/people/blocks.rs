//! Addresses that an operator blocked by hand: shared by all instances through Redis, asked of memory alone.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::domain::network::network;
use crate::domain::text::printable;
use crate::domain::{Millis, Operator};
use crate::shop::{Shop, ShopError, given};
use crate::store::StoreError;

/// Addresses blocked at a time, at most.
const MOST: usize = 1000;
/// The longest block: a week.
const MINUTES: u64 = 10_080;

/// How an address is to be blocked.
#[derive(Debug, Clone, Copy)]
pub struct Blocking<'a> {
    /// For how long.
    pub minutes: u64,
    /// Why.
    pub reason: &'a str,
    /// Whether its orders are refused too.
    pub orders: bool,
}

/// A blocked address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Until when.
    pub until: Millis,
    /// Since when.
    pub since: Millis,
    /// By whom.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Whether its orders are refused too.
    pub orders: bool,
}

/// An address' second record, under this before its name, says that its orders are refused too.
const ORDERS: &str = "orders ";

impl Block {
    fn read(record: &str) -> Option<Self> {
        let mut parts = record.splitn(4, '|');
        let (until, since) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some(Self { until, since, by: parts.next()?.to_owned(), reason: parts.next()?.to_owned(), orders: false })
    }

    fn record(&self) -> String {
        format!("{}|{}|{}|{}", self.until, self.since, self.by, self.reason)
    }
}

impl Shop {
    /// Whether an address is blocked by hand, as this instance knows it. An IPv6 one is asked for by its network.
    #[must_use]
    pub fn is_blocked(&self, address: IpAddr) -> bool {
        self.blocks.look(|blocks| blocks.get(&address).is_some_and(|block| block.until > self.store.now()))
    }

    /// Until when orders from an address are refused, if they are.
    pub(in crate::shop) fn refuses_orders(&self, address: IpAddr) -> Option<Millis> {
        let refuses = |block: &&Block| block.orders && block.until > self.store.now();
        self.blocks.look(|blocks| blocks.get(&network(address)).filter(refuses).map(|block| block.until))
    }

    /// Addresses that are blocked now.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn list_blocks(&self) -> Result<Arc<BTreeMap<IpAddr, Block>>, StoreError> {
        self.blocks.read(self.read_blocks()).await
    }

    pub(in crate::shop) async fn read_blocks(&self) -> Result<BTreeMap<IpAddr, Block>, StoreError> {
        let now = self.store.now();
        let records = self.store.blocks().await?;
        let standing = |record: &str| Block::read(record).filter(|block| block.until > now);
        let read = |(address, record): &(String, String)| Some((address.parse().ok()?, standing(record)?));
        let mut blocks: BTreeMap<IpAddr, Block> = records.iter().filter_map(read).collect();
        for (name, record) in &records {
            let address = name.strip_prefix(ORDERS).and_then(|address| address.parse().ok());
            let block = address.and_then(|address: IpAddr| blocks.get_mut(&address));
            if let Some(block) = block.filter(|_| standing(record).is_some()) {
                block.orders = true;
            }
        }
        Ok(blocks)
    }

    /// Blocks an address, or sets for how long and why it is; `orders`: its orders too.
    ///
    /// # Errors
    /// Not so many minutes, no reason, or too many addresses.
    pub async fn block(&self, address: IpAddr, wish: &Blocking<'_>, by: &Operator) -> Result<Block, ShopError> {
        let Blocking { minutes, reason, orders } = *wish;
        if !(1..=MINUTES).contains(&minutes) {
            return Err(ShopError::Invalid { field: "minutes", message: format!("from 1 to {MINUTES}") });
        }
        let reason = given(reason)?;
        let records = self.store.blocks().await?;
        let now = self.store.now();
        let over = |record: &str| Block::read(record).is_none_or(|block| block.until <= now);
        let past: Vec<String> = records.iter().filter(|(_, r)| over(r)).map(|(address, _)| address.clone()).collect();
        let known = records.iter().any(|(other, _)| *other == address.to_string());
        let records: Vec<_> = records.into_iter().filter(|(name, _)| !name.starts_with(ORDERS)).collect();
        if !known && records.len() - past.len() >= MOST {
            return Err(ShopError::Conflict(format!("{MOST} addresses are blocked: unblock some")));
        }
        // Now and then, not when it ends: another instance may set it again meanwhile.
        if records.len() >= MOST && !past.is_empty() {
            self.store.remove_blocks(&past).await?;
        }
        let reason = printable(reason.trim(), 200);
        let block = Block { until: now + minutes * 60_000, since: now, by: by.name().to_owned(), reason, orders };
        let (name, second) = (address.to_string(), format!("{ORDERS}{address}"));
        self.store.put_block(&name, &block.record()).await?;
        if orders {
            self.store.put_block(&second, &block.record()).await?;
        } else {
            self.store.remove_blocks(&[second]).await?;
        }
        self.list_blocks().await?;
        Ok(block)
    }

    /// Lets an address in again.
    ///
    /// # Errors
    /// It is not blocked by hand.
    pub async fn unblock(&self, address: IpAddr) -> Result<(), ShopError> {
        let stood = self.list_blocks().await?.contains_key(&address);
        self.store.remove_blocks(&[address.to_string(), format!("{ORDERS}{address}")]).await?;
        self.list_blocks().await?;
        if stood { Ok(()) } else { Err(ShopError::NotFound("block of that address")) }
    }
}
