//! The key ring while the shop runs: compared with what stands in Redis, and a new key brought into use.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::domain::Reason;
use crate::shop::loops::pause;
use crate::shop::once::HOUR_MS;
use crate::shop::{IncidentNote, Shop};
use crate::store::StoreError;
use crate::vault::key_part;

/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(2);
/// An instance that was not heard for so long does not live; so long others are listened for, too.
const LIVE: Duration = Duration::from_secs(5);

impl Shop {
    /// Looks at the ring until told to stop.
    pub(in crate::shop) async fn ring_forever(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let began = Instant::now();
        while pause(LOOK, &mut stop).await {
            // What is not the store that was there says nothing of the ring, and is told nothing.
            if self.store.doubt().is_some() {
                continue;
            }
            match self.look_at_ring(began).await {
                Ok(()) => self.ring_is(None),
                Err(StoreError::Ring(why)) => self.ring_is(Some(why)),
                Err(error) => tracing::trace!(%error, "The key ring has to wait."),
            }
        }
    }

    fn ring_is(&self, fault: Option<String>) {
        if !self.health.other_ring(fault.clone()) {
            return;
        }
        let Some(why) = fault else {
            tracing::info!("The key ring is this store's again.");
            return;
        };
        self.health.answers(false);
        tracing::error!(%why, "The key ring is not this store's: nothing is sold, and callbacks get 503.");
        let advice = format!("{why}. Until then this daemon sells nothing, and callbacks get 503.");
        self.incident(IncidentNote { advice: &advice, ..IncidentNote::new(Reason::OtherRing) });
    }

    async fn look_at_ring(&self, began: Instant) -> Result<(), StoreError> {
        let sealing = self.store.check_ring(&self.vault).await?;
        let wanted = self.vault.active();
        if !sealing.announced(wanted) && began.elapsed() > LIVE {
            let part = key_part(wanted);
            let lacking = self.telemetry.lacking(&part, self.vault.checks().get(&part), LIVE);
            if lacking.is_empty() {
                self.store.announce_key(wanted).await?;
                tracing::info!(key = wanted, "Every instance holds the new ring key: it is announced.");
            } else if self.is_news(Reason::RingWaits.as_str(), HOUR_MS) {
                let names = lacking.join(", ");
                tracing::warn!(key = wanted, instances = %names, "A new ring key waits: these instances do not hold it.");
                let advice = format!(
                    "The active {part} of the ring is sealed under once every daemon of the shop holds it; without it are: {names}. Give them the same ring.json (or KAMID_RING) and start them again."
                );
                self.incident(IncidentNote { advice: &advice, ..IncidentNote::new(Reason::RingWaits) });
            }
        }
        if let Some(key) = sealing.key(&self.vault, self.store.now())
            && key != self.vault.sealing()
        {
            self.vault.seal_from_now(key);
            tracing::info!(key, "Keys are sealed under another ring key from here on.");
        }
        Ok(())
    }
}
