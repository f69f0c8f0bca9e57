//! How Redis, its settings and the key ring were at the last look: what the guard of new orders, readiness and the snapshot
//! ask.

mod clock;
mod ring;
mod trust;

use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use tokio::sync::Notify;

use crate::domain::RedisHealth;
use crate::shop::ShopError;
use crate::store::clock::ClockLook;
use crate::store::{SCHEMA, StoreError};

/// What was seen.
#[derive(Debug, Default)]
pub(in crate::shop) struct Seen {
    /// How Redis was.
    pub redis: RedisHealth,
    /// Whether it answered and could write.
    pub answers: bool,
    /// How long it took to answer.
    pub redis_us: u64,
    /// Why no new orders or keys are taken.
    pub full: Option<String>,
    /// What was changed in Redis' settings so that payments could be lost.
    pub careless: Option<String>,
    /// Why the key ring is not this store's.
    pub other_ring: Option<String>,
    /// How far Redis' clock and this machine's differ.
    pub skew_ms: u64,
    /// How long no order expires here, seconds.
    pub stopped_s: u64,
    /// The process of Redis that was seen to write.
    proved: u32,
    /// The layout of the data.
    schema: u64,
}

/// How everything was at the last look.
#[derive(Default)]
pub(in crate::shop) struct Health {
    seen: RwLock<Seen>,
    /// Wakes whoever must stop for a newer layout of the data.
    outdated: Notify,
}

impl Health {
    /// All that was seen. Not to be held while something is waited for.
    pub(in crate::shop) fn seen(&self) -> RwLockReadGuard<'_, Seen> {
        self.seen.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what was seen, and says how it was.
    fn note<T>(&self, change: impl FnOnce(&mut Seen) -> T) -> T {
        change(&mut self.seen.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the key ring is this store's.
    pub(in crate::shop) fn ring_fits(&self) -> Result<(), StoreError> {
        self.seen().other_ring.clone().map_or(Ok(()), |why| Err(StoreError::Unavailable(why)))
    }

    /// Whether gateways' payments may be settled.
    pub(in crate::shop) fn settles(&self) -> Result<(), StoreError> {
        if let Some(why) = self.seen().careless.clone() {
            return Err(StoreError::Careless(why));
        }
        self.ring_fits()
    }

    /// Whether new orders and keys are taken.
    pub(in crate::shop) fn has_room(&self) -> Result<(), ShopError> {
        self.ring_fits()?;
        self.seen().full.clone().map_or(Ok(()), |why| Err(ShopError::Full(why)))
    }

    /// Whether Redis answers now; says whether it did before.
    pub(in crate::shop) fn answers(&self, answers: bool) -> bool {
        self.note(|seen| std::mem::replace(&mut seen.answers, answers))
    }

    /// How long Redis took to answer.
    pub(in crate::shop) fn took(&self, time: Duration) {
        self.note(|seen| seen.redis_us = time.as_micros() as u64);
    }

    /// How Redis is.
    pub(in crate::shop) fn redis(&self, redis: RedisHealth) {
        self.note(|seen| seen.redis = redis);
    }

    /// Whether a process of Redis was seen to write.
    pub(in crate::shop) fn is_proved(&self, process: u32) -> bool {
        self.seen().proved == process
    }

    /// A process of Redis was seen to write.
    pub(in crate::shop) fn proved(&self, process: u32) {
        self.note(|seen| seen.proved = process);
    }

    /// Why no new orders or keys are taken now, if so; says why they were not.
    pub(in crate::shop) fn full(&self, why: Option<String>) -> Option<String> {
        self.note(|seen| std::mem::replace(&mut seen.full, why))
    }

    /// What makes Redis lose payments now, if something does; says what did.
    pub(in crate::shop) fn careless(&self, what: Option<String>) -> Option<String> {
        self.note(|seen| std::mem::replace(&mut seen.careless, what))
    }

    /// Why the key ring is not this store's, if it is not; says whether that is new.
    pub(in crate::shop) fn other_ring(&self, why: Option<String>) -> bool {
        self.note(|seen| {
            let new = seen.other_ring != why;
            seen.other_ring = why;
            new
        })
    }

    /// How Redis' clock stands.
    pub(in crate::shop) fn clock(&self, look: &ClockLook) {
        let stopped = if look.believed { 0 } else { look.stopped.as_secs().max(1) };
        self.note(|seen| (seen.skew_ms, seen.stopped_s) = (look.skew_ms, stopped));
    }

    /// The layout that the data have.
    ///
    /// # Errors
    /// A newer kamid has raised it: this one must write no more.
    pub(in crate::shop) fn schema(&self, schema: u64) -> Result<(), StoreError> {
        self.note(|seen| seen.schema = schema);
        if schema > SCHEMA {
            self.outdated.notify_one();
            return Err(StoreError::newer(schema));
        }
        Ok(())
    }

    /// Waits until the layout is a newer one.
    async fn outdated(&self) -> StoreError {
        self.outdated.notified().await;
        StoreError::newer(self.seen().schema)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_of_another_store_stops_all_and_full_memory_stops_orders_alone() {
        let health = Health::default();
        assert!(health.settles().is_ok() && health.has_room().is_ok());
        assert_eq!(health.full(Some("no memory".to_owned())), None);
        assert!(health.settles().is_ok() && matches!(health.has_room(), Err(ShopError::Full(_))));
        assert_eq!(health.careless(Some("no fsync".to_owned())), None);
        assert!(matches!(health.settles(), Err(StoreError::Careless(_))));
        assert!(health.other_ring(Some("part 2".to_owned())) && !health.other_ring(Some("part 2".to_owned())));
        assert!(matches!(health.has_room(), Err(ShopError::Store(StoreError::Unavailable(_)))));
        assert_eq!(
            (health.careless(None).as_deref(), health.full(None).as_deref()),
            (Some("no fsync"), Some("no memory"))
        );
        assert!(matches!(health.settles(), Err(StoreError::Unavailable(_))));
        assert!(health.other_ring(None) && health.settles().is_ok() && health.has_room().is_ok());
    }

    #[tokio::test]
    async fn a_newer_layout_wakes_whoever_must_stop() {
        let health = Health::default();
        assert!(health.schema(SCHEMA).is_ok() && health.schema(SCHEMA + 1).is_err());
        assert_eq!(health.outdated().await.to_string(), StoreError::newer(SCHEMA + 1).to_string());
    }
}
