//! What follows changes at its own pace: the outbox worker, and the snapshot that all instances exchange each second.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::{Notify, watch};

use crate::domain::{Millis, OrderId, Reason};
use crate::shop::loops::pause;
use crate::shop::once::HOUR_MS;
use crate::shop::{IncidentNote, Shop, ShopError};
use crate::store::{Event, EventKind, Lease};
use crate::telemetry::counters;
use crate::telemetry::snapshot::Surroundings;

/// Entries read from one slot at once; payments that were settled together share one.
const EVENTS: usize = 128;
/// Expired orders forgotten in one step.
const FORGOTTEN: u64 = 256;
/// Pause after a wake-up, so that a burst of payments is handled in a few large turns instead of many small ones.
const GATHER: Duration = Duration::from_millis(200);
/// Pause between turns: in a flash sale the callbacks come first, the index a little later.
const PACE: Duration = Duration::from_millis(50);
/// How often it looks without being woken: for what other instances left.
const POLL: Duration = Duration::from_secs(2);
/// Between two snapshots.
const SECOND: Duration = Duration::from_secs(1);
/// When it tries again to hear the others.
const AGAIN: Duration = Duration::from_secs(2);

/// The outbox, as far as this instance knows it.
#[derive(Default)]
pub(in crate::shop) struct Outbox {
    bell: Notify,
    /// Entries that were not handled at the last look.
    behind: AtomicU64,
}

impl Outbox {
    /// Something was written into it: whoever handles it need not wait.
    pub(in crate::shop) fn wake(&self) {
        self.bell.notify_one();
    }
}

/// The resident memory of this process; 0 where the system does not say.
fn memory_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * rustix::param::page_size() as u64
}

impl Shop {
    /// Handles events until told to stop, then gives the lease back.
    pub(in crate::shop) async fn outbox_forever(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let who = Lease(self.telemetry.instance.clone());
        loop {
            tokio::select! {
                () = self.outbox.bell.notified() => tokio::time::sleep(GATHER).await,
                () = tokio::time::sleep(POLL) => {}
                _ = stop.changed() => break,
            }
            let turn = async { self.queue_incidents().await.and(self.handle_events(&who).await) };
            if let Err(error) = turn.await {
                tracing::debug!(%error, "The outbox has to wait.");
            }
        }
        if let Ok(true) = self.store.lease(&who).await {
            let _gone = self.store.unlease().await;
        }
    }

    /// Whether this instance is the one that handles the outbox now.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn reads_outbox(&self) -> Result<bool, ShopError> {
        Ok(self.store.holds(&Lease(self.telemetry.instance.clone())).await?)
    }

    async fn handle_events(&self, who: &Lease) -> Result<(), ShopError> {
        // What a store tells that is not the one that was there is told to nobody.
        while self.store.doubt().is_none() && self.store.lease(who).await? {
            let unread = self.store.unread(EVENTS).await?;
            let count: usize = unread.iter().map(|(_, events)| events.len()).sum();
            self.outbox.behind.store(count as u64, Ordering::Relaxed);
            if count == 0 {
                return Ok(());
            }
            let events: Vec<&Event> = unread.iter().flat_map(|(_, events)| events).collect();
            self.finish_adopted(&events).await?;
            self.index_trades(&events).await?;
            self.free_limits(&events).await?;
            self.forget_beyond(&events).await?;
            self.queue_notices(&events).await?;
            self.queue_news_of(&events).await?;
            self.heard_expired(&events);
            let last: Vec<_> = unread
                .iter()
                .filter_map(|(slot, events)| events.last().map(|event| (*slot, event.id.clone())))
                .collect();
            let keep = self.limits.outbox_hours * 3_600_000;
            self.store.handled(&last, self.store.now().saturating_sub(keep)).await?;
            tokio::time::sleep(PACE).await;
        }
        Ok(())
    }

    /// What became of one event. Data of one order that are damaged are told of, and hold up nobody else's.
    pub(in crate::shop) fn past_damage<T>(
        &self,
        event: &Event,
        done: Result<T, ShopError>,
    ) -> Result<Option<T>, ShopError> {
        match done {
            Err(ShopError::Store(error)) if !error.retry() => {
                if self.is_news(&format!("damaged {}", event.order), HOUR_MS) {
                    tracing::error!(%error, order = %event.order, "An event is passed over.");
                    self.incident(IncidentNote {
                        advice: &format!("{error}. What follows of this order is not told or indexed by itself: look at it with `kamid order show` and `kamid audit`."),
                        number: &event.order,
                        ..IncidentNote::new(Reason::DamagedRecord)
                    });
                }
                Ok(None)
            }
            done => done.map(Some),
        }
    }

    /// A settled order counts no more as unpaid; an expired one counts against nothing.
    async fn free_limits(&self, events: &[&Event]) -> Result<(), ShopError> {
        let frees = |event: &&&Event| {
            matches!(event.kind, EventKind::Delivered | EventKind::Owed | EventKind::Held | EventKind::Expired)
        };
        let orders =
            events.iter().filter(frees).filter_map(|event| Some((event.order.parse::<OrderId>().ok()?, &event.kind)));
        let (ids, kinds): (Vec<OrderId>, Vec<&EventKind>) = orders.unzip();
        let (mut gone, mut old) = (Vec::new(), Vec::new());
        for ((id, limits), kind) in ids.iter().zip(self.store.limits_of(&ids).await?).zip(kinds) {
            let [caps, quotas] = limits.old;
            gone.extend(limits.unpaid.into_iter().map(|name| (name, *id)));
            old.extend(caps);
            // What was bought goes on counting in its period; what expired was not bought.
            if *kind == EventKind::Expired {
                gone.extend(limits.bought.into_iter().map(|name| (name, *id)));
                old.extend(quotas);
            }
        }
        self.store.uncount(&gone).await?;
        self.store.uncount_old(&old).await?;
        Ok(())
    }

    /// Keeps no more expired orders than there may be: of more, those that expired first are forgotten. A payment that comes
    /// after that is an orphan.
    async fn forget_beyond(&self, events: &[&Event]) -> Result<(), ShopError> {
        let expired = events.iter().filter(|event| event.kind == EventKind::Expired);
        let expired: Vec<(OrderId, Millis)> =
            expired.filter_map(|it| Some((it.order.parse().ok()?, it.at()))).collect();
        if expired.is_empty() {
            return Ok(());
        }
        let past = self.store.now().saturating_sub(self.limits.keep_expired_hours * 3_600_000);
        self.store.keep(&expired, past).await?;
        let mut beyond = self.store.kept().await?.saturating_sub(self.limits.keep_expired_orders);
        if beyond > 0 && self.is_news("expired orders forgotten", HOUR_MS) {
            tracing::warn!(
                beyond,
                "More expired orders than limits.keep_expired_orders: the oldest are forgotten earlier."
            );
        }
        while beyond > 0 {
            let part = self.store.forget_oldest(beyond.min(FORGOTTEN) as usize).await? as u64;
            counters::orders_forgotten(part);
            beyond = if part == 0 { 0 } else { beyond.saturating_sub(part) };
        }
        Ok(())
    }

    /// Publishes this instance's snapshot each second.
    pub(in crate::shop) async fn snapshot_forever(self: Arc<Self>, started: Millis, mut stop: watch::Receiver<bool>) {
        while pause(SECOND, &mut stop).await {
            let around = self.surroundings(started).await;
            let snapshot = self.telemetry.tick(self.store.now(), around);
            let Ok(line) = serde_json::to_string(&snapshot) else { continue };
            let _offline = self.store.publish(&line).await;
            self.telemetry.publish(line);
        }
    }

    async fn surroundings(&self, started: Millis) -> Surroundings {
        let (waiting, holder) = (self.store.waiting().await, self.biggest_holder().await);
        let (now, ready) = (self.store.now(), self.ready());
        let seen = self.health.seen();
        Surroundings {
            kamid: env!("CARGO_PKG_VERSION").to_owned(),
            test: self.is_test(),
            started,
            ready,
            copies_missing: self.store.copies_missing(),
            full: seen.full.clone(),
            doubt: self.store.doubt(),
            careless: seen.careless.clone(),
            other_ring: seen.other_ring.clone(),
            redis_us: seen.redis_us,
            skew_ms: seen.skew_ms,
            stopped_s: seen.stopped_s,
            outbox_behind: self.outbox.behind.load(Ordering::Relaxed),
            waiting: waiting.unwrap_or_default(),
            holder: holder.unwrap_or_default(),
            memory_bytes: memory_bytes(),
            channels: self.telemetry.channels(now, self.channels.list()),
            redis: seen.redis.clone(),
            ring: self.vault.checks().clone(),
        }
    }

    /// Takes in each second what operators set for all instances; what is known goes on being used while Redis is away.
    pub(in crate::shop) async fn share_forever(self: Arc<Self>, stop: watch::Receiver<bool>) {
        let operators = self.operators.read_forever("operators", || self.read_operators(), stop.clone());
        let blocks = self.blocks.read_forever("blocks", || self.read_blocks(), stop);
        tokio::join!(operators, blocks);
    }

    /// Takes in what other instances publish.
    pub(in crate::shop) async fn follow_forever(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            if let Ok(mut lines) = self.store.subscribe().await {
                loop {
                    tokio::select! {
                        line = lines.next() => match line {
                            Some(line) => {
                                self.hear_doubt(&line).await;
                                self.telemetry.publish(line);
                            }
                            None => break,
                        },
                        _ = stop.changed() => return,
                    }
                }
            }
            if !pause(AGAIN, &mut stop).await {
                return;
            }
        }
    }
}
