//! Whether the store is still what it was when it was trusted with money: its places, its settings, its layout.
//!
//! A doubted store ([`Doubt`]) is drawn from by nobody until the right one is back or a person accepts it. A store whose
//! settings were changed since so that payments could be lost is not told of payments by gateways; what operators do goes on.

use std::sync::Arc;

use crate::domain::Standing;
use crate::domain::{Cause, Doubt, Millis, Operator, Reason};
use crate::shop::{IncidentNote, Shop, ShopError, given};
use crate::store::places::{Accepted, Finding};
use crate::store::{Drift, StoreError};
use crate::telemetry::snapshot::Snapshot;

/// Pending orders that are asked about when a fail-over may have lost their payments.
const RECONCILED: usize = 256;
/// How often it is said that what is known of the store cannot be written.
const SAID_MS: Millis = 300_000;

impl Shop {
    /// How the store stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let doubt = self.store.doubt();
        Standing { why: doubt.as_ref().map(Doubt::to_string), doubt, careless: self.careless() }
    }

    /// What was changed in Redis' settings so that payments could be lost, if something was.
    #[must_use]
    pub fn careless(&self) -> Option<String> {
        self.health.seen().careless.clone()
    }

    /// Why gateways' payments are not taken although Redis answers, if they are not.
    #[must_use]
    pub fn mistrusts(&self) -> Option<StoreError> {
        let doubt = self.store.doubt().map(StoreError::Doubted);
        let missing = || self.store.copies_missing().then_some(StoreError::TooFewCopies);
        doubt
            .or_else(|| self.careless().map(StoreError::Careless))
            .or_else(missing)
            .or_else(|| self.health.ring_fits().err())
    }

    /// Waits until a newer kamid has raised the layout of the data: this one must write no more.
    pub async fn outdated(&self) -> StoreError {
        self.health.outdated().await
    }

    /// Looks once more whether this is the store that was there, and keeps how far it got.
    ///
    /// # Errors
    /// Redis does not answer.
    pub(in crate::shop) async fn look_at_store(&self, schema: u64) -> Result<(), StoreError> {
        self.health.schema(schema)?;
        let looked = self.store.look_at_places().await;
        for finding in self.store.places.findings() {
            self.tell(&finding).await;
            self.catalog.doubt();
        }
        let places = Arc::clone(&self.store.places);
        // A sync of the disk, off the threads that answer callbacks.
        let written = tokio::task::spawn_blocking(move || places.write()).await;
        if let Ok(Err(error)) = written
            && self.is_news("places not written", SAID_MS)
        {
            tracing::error!(%error, "How far the store got cannot be written into the data directory: make room.");
        }
        looked
    }

    async fn tell(&self, finding: &Finding) {
        match finding {
            Finding::Doubted(doubt) => {
                tracing::error!(
                    until = doubt.until(),
                    "Nothing is drawn any more: {doubt}. Bring the right store back, or accept this one: kamid store accept."
                );
                let reason = if doubt.cause == Cause::Gone { Reason::StoreGone } else { Reason::StoreBehind };
                let advice = format!(
                    "{doubt}. Nothing is drawn from it, callbacks hear 503 and are repeated: bring the right store back (its volume, its files, the newest backup). If what is lost is lost: void the keys that were sold meanwhile (`kamid keys void PRODUCT --file FILE`), then `kamid store accept --reason …`; orders that are lost with it are found in the gateways' bills (`kamid channel reconcile`)."
                );
                self.incident(IncidentNote { advice: &advice, status: 503, ..IncidentNote::new(reason) });
            }
            Finding::Trusted => tracing::info!("The store is the one that was there again: everything goes on."),
            Finding::Accepted => tracing::warn!("A person accepted the store as it is: everything goes on."),
            Finding::Promoted { slots, until } => {
                tracing::error!(slots, until, "A replica became the master and lacks events that were acknowledged.");
                self.incident(IncidentNote { status: 503, ..IncidentNote::new(Reason::MasterBehind) });
                match self.store.due(Millis::MAX, RECONCILED).await {
                    Ok(pending) => self.expired.add(pending),
                    Err(error) => tracing::warn!(%error, "Open orders could not be read to ask about them."),
                }
            }
        }
    }

    /// Looks whether Redis is still set as it was when it was accepted.
    pub(in crate::shop) async fn look_at_settings(&self) {
        let Ok(drift) = self.store.drift().await else { return };
        let (careless, changed) = match drift {
            Drift::None | Drift::Hidden => (None, None),
            Drift::Weaker(what) => (None, Some(what)),
            Drift::Careless(what) => (Some(what.clone()), Some(what)),
        };
        if let Some(what) = &changed
            && self.is_news(&format!("settings {what}"), SAID_MS)
        {
            tracing::error!(%what, "Redis' settings were changed.");
            let advice = format!(
                "Since it was accepted Redis was set to {what}. Until it is set back, callbacks hear 503 and are repeated (not where store.durability is \"relaxed\"); what operators do goes on and may be lost."
            );
            self.incident(IncidentNote { advice: &advice, status: 503, ..IncidentNote::new(Reason::SettingsChanged) });
        }
        let right = careless.is_none();
        if self.health.careless(careless).is_some() && right {
            tracing::info!("Redis' settings are as they were accepted: callbacks are taken again.");
        }
    }

    /// Another instance's snapshot: where it doubts the store, this one looks for itself.
    pub(in crate::shop) async fn hear_doubt(&self, line: &str) {
        if !line.contains("\"doubt\":{") {
            return;
        }
        let Ok(snapshot) = serde_json::from_str::<Snapshot>(line) else { return };
        if snapshot.instance != self.telemetry.instance
            && let Some(doubt) = snapshot.surroundings.doubt
            && let Err(error) = self.store.hear_doubt(&doubt).await
        {
            tracing::debug!(%error, "What another instance doubts could not be looked at.");
        }
    }

    /// Keeps in the data directory how far the store got.
    ///
    /// # Errors
    /// It cannot be written there.
    pub fn keep_places(&self) -> std::io::Result<()> {
        self.store.places.write()
    }

    /// The process of Redis, if it answers.
    pub async fn redis_process(&self) -> Option<u32> {
        self.store.health().await.ok().map(|health| health.process)
    }

    /// Takes what stands in Redis for the store from now on.
    ///
    /// # Errors
    /// No reason, or Redis cannot.
    pub async fn accept_store(&self, reason: &str, by: &Operator) -> Result<Accepted, ShopError> {
        let reason = given(reason)?;
        if self.store.doubt().is_none() {
            return Err(ShopError::Conflict("nothing is wrong with the store: there is nothing to accept".to_owned()));
        }
        let accepted = self.store.accept(reason, by.name()).await?;
        tracing::warn!(by = by.name(), "The store was accepted as it is.");
        self.refresh_catalog().await?;
        Ok(accepted)
    }
}
