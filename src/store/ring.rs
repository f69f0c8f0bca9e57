//! Whether this store was sealed with our key ring: every part of it that blobs or links use, and since when each key is
//! sealed under.
//!
//! A new key is handed to all instances before one of them seals under it: who seals announces it, and it is in effect some
//! seconds later. From the announcement on, an instance without the key refuses to start, and one that runs stops.

use std::collections::BTreeMap;

use super::at::Pipe;
use super::script::{bytes_of, text_of};
use super::{At, Store, StoreError, orders};
use crate::domain::Millis;
use crate::vault::{Vault, key_part};

/// How long after its announcement a key is sealed under: every instance has read it by then.
const ANNOUNCED_MS: Millis = 6_000;
/// Products whose keys are tried on a ring that this store has no check values of.
const TRIED: usize = 200;

/// The keys that are sealed under, with the time of their announcement (0: from the beginning).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sealing(BTreeMap<u8, Millis>);

impl Sealing {
    /// The key to seal under now: the wanted one once it is in effect, else the newest that is and that the ring holds.
    #[must_use]
    pub fn key(&self, vault: &Vault, now: Millis) -> Option<u8> {
        let held = |id: &u8| vault.key_ids().any(|held| held == *id);
        let effective = |at: &Millis| *at == 0 || now.saturating_sub(*at) >= ANNOUNCED_MS;
        if self.0.get(&vault.active()).is_some_and(effective) {
            return Some(vault.active());
        }
        self.0.iter().rev().find(|(id, at)| held(id) && effective(at)).map(|(id, _)| *id)
    }

    /// Whether a key was announced.
    #[must_use]
    pub fn announced(&self, id: u8) -> bool {
        self.0.contains_key(&id)
    }
}

fn other(part: &str) -> StoreError {
    StoreError::Ring(format!(
        "the keys and links of this Redis were made with another key ring (its {part} is another one): give this daemon the ring.json (or KAMID_RING) that they were made with"
    ))
}

fn lacking(id: u8) -> StoreError {
    StoreError::Ring(format!(
        "the key ring of this daemon lacks {}, which keys in this Redis are sealed under: give it the ring.json (or KAMID_RING) of the other daemons",
        key_part(id)
    ))
}

impl Store {
    /// Compares each part of the ring with the check value that stands in Redis; the first ring to come writes those that
    /// are not there. Says what is sealed under.
    ///
    /// # Errors
    /// Another ring made this store's keys or links, or this one lacks a key that is in use.
    pub async fn check_ring(&self, vault: &Vault) -> Result<Sealing, StoreError> {
        let name = self.names.ring();
        let mut stands: Option<String> = self.ask(At::Catalog, redis::cmd("GET").arg(&name)).await?;
        let fresh = stands.is_none();
        if fresh {
            let _first: Option<String> =
                self.ask(At::Catalog, redis::cmd("SET").arg(&name).arg(vault.check_value()).arg("NX")).await?;
            stands = self.ask(At::Catalog, redis::cmd("GET").arg(&name)).await?;
        }
        if stands.as_deref() != Some(vault.check_value()) {
            return Err(other("fingerprint secret"));
        }
        let mut parts = self.ring_parts().await?;
        if !fresh && vault.checks().keys().any(|part| !parts.contains_key(part)) {
            self.try_ring(vault).await?;
        }
        let missing: Vec<(String, String)> = {
            let checks = vault.checks().iter().map(|(part, check)| (part.clone(), check.clone()));
            // From the beginning it is the oldest key, whatever is to be sealed under next.
            let begun = parts.keys().any(|part| part.starts_with(SEALING));
            let first = vault.key_ids().next().filter(|_| !begun).map(|id| (format!("{SEALING}{id}"), "0".to_owned()));
            checks.chain(first).filter(|(part, _)| !parts.contains_key(part)).collect()
        };
        if !missing.is_empty() {
            for (part, check) in &missing {
                let _first: i64 = self
                    .ask(At::Catalog, redis::cmd("HSETNX").arg(self.names.ring_parts()).arg(part).arg(check))
                    .await?;
            }
            parts = self.ring_parts().await?;
        }
        if let Some((part, _)) = vault.checks().iter().find(|(part, check)| parts.get(*part) != Some(*check)) {
            return Err(other(part));
        }
        let since =
            parts.iter().filter_map(|(part, at)| Some((part.strip_prefix(SEALING)?.parse().ok()?, at.parse().ok()?)));
        let sealing = Sealing(since.collect());
        match sealing.0.keys().find(|id| !vault.key_ids().any(|held| held == **id)) {
            Some(id) => Err(lacking(*id)),
            None => Ok(sealing),
        }
    }

    /// Announces that a key will be sealed under.
    ///
    /// # Errors
    /// Redis cannot do it.
    pub async fn announce_key(&self, id: u8) -> Result<(), StoreError> {
        let (part, now) = (format!("{SEALING}{id}"), self.now().max(1));
        self.ask::<i64>(At::Catalog, redis::cmd("HSETNX").arg(self.names.ring_parts()).arg(part).arg(now))
            .await
            .map(drop)
    }

    async fn ring_parts(&self) -> Result<BTreeMap<String, String>, StoreError> {
        let answer: redis::Value = self.ask(At::Catalog, redis::cmd("HGETALL").arg(self.names.ring_parts())).await?;
        Ok(orders::fields(&answer).filter_map(|(part, value)| Some((part, text_of(value)?))).collect())
    }

    /// Opens some keys of a store that has no check values yet, so that a wrong ring does not write its own.
    async fn try_ring(&self, vault: &Vault) -> Result<(), StoreError> {
        let mut pipe = Pipe::default();
        for product in self.products().await?.values().take(TRIED) {
            let (slot, id) = (product.home(), &product.id);
            for list in [self.names.pool(slot, id), self.names.voided(slot, id), self.names.burned(slot, id)] {
                pipe.cmd(At::Slot(slot), "LINDEX").arg(&list).arg(0);
                pipe.cmd(At::Slot(slot), "LINDEX").arg(&list).arg(-1);
            }
        }
        for sealed in self.ask_all(pipe).await?.iter().filter_map(bytes_of) {
            let Some(id) = sealed.first() else { continue };
            if !vault.key_ids().any(|held| held == *id) {
                return Err(lacking(*id));
            }
            if vault.open(sealed).is_err() {
                return Err(other(&key_part(*id)));
            }
        }
        Ok(())
    }
}

/// Before the id of a key that is sealed under, its field's name.
const SEALING: &str = "sealing ";
