//! What happens by itself, once a second on every instance: orders expire, restocks and half-done imports are finished,
//! the catalogue and Redis' health are looked at. Every step may be repeated by another instance at the same moment.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use tokio::sync::watch;

use crate::domain::{OrderId, Reason};
use crate::shop::loops::pause;
use crate::shop::once::HOUR_MS;
use crate::shop::{IncidentNote, Shop, ShopError};
use crate::store::{Released, StoreError};
use crate::telemetry::{Observation, counters};

/// A staged chunk older than this was left by a killed importer.
const STAGED_MS: u64 = 10_000;
/// How often it sweeps.
const EVERY: Duration = Duration::from_secs(1);
/// Expired orders handled in one turn, from each slot.
const EXPIRED_A_TURN: usize = 100;

impl Shop {
    /// Sweeps until told to stop.
    pub(in crate::shop) async fn sweep_forever(
        self: Arc<Self>,
        mut stop: watch::Receiver<bool>,
        disk: Option<std::path::PathBuf>,
    ) {
        let mut expire = false;
        for turn in 0u64.. {
            if turn.is_multiple_of(3) {
                self.look_at_settings().await;
            }
            if turn.is_multiple_of(5) {
                expire = self.check_clock().await;
            }
            let started = Instant::now();
            match self.turn(expire, disk.as_deref()).await {
                Ok(()) => {
                    if !self.health.answers(true) {
                        tracing::info!("Redis answers: ready.");
                    }
                }
                Err(ShopError::Store(StoreError::TooFewCopies)) => {
                    if self.health.answers(false) || turn == 0 {
                        self.replica_missing();
                    }
                }
                Err(error) => {
                    if self.health.answers(false) || turn == 0 {
                        tracing::error!(%error, "Redis does not answer or cannot write: callbacks get 503 and are repeated by their gateways.");
                    }
                }
            }
            counters::swept(started.elapsed());
            if !pause(EVERY, &mut stop).await {
                return;
            }
        }
    }

    async fn turn(&self, expire: bool, disk: Option<&std::path::Path>) -> Result<(), ShopError> {
        self.health.ring_fits()?;
        let asked = Instant::now();
        let (version, schema) = self.store.versions().await?;
        self.health.took(asked.elapsed());
        self.look_at_store(schema).await?;
        self.catalog.follow(&self.store, version).await?;
        self.look_at_room(disk).await?;
        if self.store.doubt().is_some() {
            return Ok(());
        }
        if expire {
            self.expire().await?;
        }
        for (slot, product) in self.store.marked().await? {
            self.restock(slot, &product).await?;
        }
        let now = self.store.now();
        let (_, damaged) = self.store.recover(now.saturating_sub(STAGED_MS)).await?;
        damaged.iter().for_each(|chunk| self.damaged_import(chunk));
        Ok(())
    }

    /// Tells that part of an import cannot be finished.
    fn damaged_import(&self, chunk: &str) {
        if self.is_news(&format!("staged {chunk}"), HOUR_MS) {
            tracing::error!(chunk, "Part of an import cannot be read any more: import its file again.");
            self.incident(IncidentNote {
                advice: &format!(
                    "Part of an import is damaged in Redis and cannot be finished ({chunk}): its keys are not for sale. Import its file again; keys that are known already are not taken twice."
                ),
                ..IncidentNote::new(Reason::DamagedRecord)
            });
        }
    }

    /// Tells that payments wait for a replica.
    fn replica_missing(&self) {
        tracing::error!(
            "Fewer replicas than store.replicas have what was written: callbacks get 503 and are repeated by their gateways."
        );
        if self.is_news(Reason::ReplicaMissing.as_str(), 60_000) {
            self.incident(IncidentNote { ..IncidentNote::new(Reason::ReplicaMissing) });
        }
    }

    async fn look_at_room(&self, disk: Option<&std::path::Path>) -> Result<(), StoreError> {
        let health = self.store.health().await?;
        // Without maxmemory (0) there is no such limit.
        let percent = (health.used_bytes * 100).checked_div(health.max_bytes).unwrap_or(0);
        let free = disk.and_then(|path| rustix::fs::statvfs(path).ok()).map(|stat| stat.f_bavail * stat.f_frsize);
        let why = if percent >= self.limits.memory_percent {
            Some(format!("Redis uses {percent} % of its memory (maxmemory)"))
        } else if free.is_some_and(|free| free < self.limits.disk_free_bytes) {
            Some(format!("only {} MiB of disk are free", free.unwrap_or(0) / 1_048_576))
        } else {
            None
        };
        let (process, replicas) = (health.process, health.replicas);
        self.health.redis(health);
        self.store.count_replicas(replicas)?;
        // Once for each process of Redis: an idle shop writes nothing.
        if !self.health.is_proved(process) {
            self.store.prove_write().await?;
            self.health.proved(process);
        }
        let was = self.health.full(why.clone());
        if why.is_some() != was.is_some() {
            match why {
                Some(why) => tracing::error!(%why, "New orders and imports are refused; payments go on. Make room."),
                None => tracing::info!("There is room again: orders and imports go on."),
            }
        }
        Ok(())
    }

    async fn expire(&self) -> Result<(), ShopError> {
        let now = self.store.now();
        let due = self.store.due(now, EXPIRED_A_TURN).await?;
        let keep = self.limits.keep_expired_hours * 3_600_000;
        let release = |id: OrderId| self.store.release(id, now, keep, "");
        let mut released = stream::iter(due).map(release).buffer_unordered(32);
        while let Some(result) = released.next().await {
            if result? == Released::Expired {
                self.telemetry.record(Observation::Expired);
                self.outbox.wake();
            }
        }
        Ok(())
    }
}
