//! The version of the layout, so that two versions of kamid never write the same data in two forms.
//!
//! Whoever raises it waits before it writes the new form: an older daemon reads the number each second, and stops.

use std::time::Duration;

use super::{At, Store, StoreError};

/// The layout that this kamid writes: since 2 a payment's record tells whether a person stated it.
pub const SCHEMA: u64 = 2;
/// How long the older ones have to see it and to finish what is in flight.
const PAUSE: Duration = Duration::from_secs(3);

impl StoreError {
    /// Why a kamid may not write: the data's layout is newer than its own.
    #[must_use]
    pub fn newer(stands: u64) -> Self {
        Self::Settings(format!(
            "the data in this Redis have layout {stands}, written by a newer kamid; this one ({}) knows {SCHEMA}: run the newer one",
            env!("CARGO_PKG_VERSION")
        ))
    }
}

impl Store {
    /// Refuses data of a newer layout, and raises the number of an older one.
    ///
    /// # Errors
    /// [`StoreError::Settings`] for a newer one; Redis does not answer.
    pub(super) async fn agree_on_schema(&self) -> Result<(), StoreError> {
        let name = self.names.schema();
        // Where none stands no daemon runs that reads it: each writes it before it does anything else.
        let _stood: Option<String> =
            self.ask(At::Catalog, redis::cmd("SET").arg(&name).arg(SCHEMA).arg("NX").arg("GET")).await?;
        let stands: u64 = self.ask(At::Catalog, redis::cmd("GET").arg(&name)).await?;
        if stands > SCHEMA {
            return Err(StoreError::newer(stands));
        }
        if stands < SCHEMA {
            let _set: String = self.ask(At::Catalog, redis::cmd("SET").arg(&name).arg(SCHEMA)).await?;
            tracing::info!(from = stands, to = SCHEMA, "The data's layout is raised; older daemons stop.");
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }
}
