//! What is read from Redis again and again and asked of memory in between.
//!
//! Invariant: what was read before a change is never put in place after it, since one reads at a time. While Redis is away
//! the last good value stays.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{Mutex, watch};

use crate::shop::loops::pause;
use crate::store::StoreError;

/// How often it is read by itself.
const EVERY: Duration = Duration::from_secs(1);

/// The last good value.
#[derive(Default)]
pub(super) struct Mirror<T> {
    kept: RwLock<Arc<T>>,
    reading: Mutex<()>,
}

impl<T> Mirror<T> {
    /// The value as it was read last.
    pub(super) fn get(&self) -> Arc<T> {
        Arc::clone(&self.kept.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks at the value without taking hold of it: for what is asked of each callback.
    pub(super) fn look<R>(&self, at: impl FnOnce(&T) -> R) -> R {
        at(&self.kept.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads it now. `reading` begins once nobody else reads.
    ///
    /// # Errors
    /// As `reading`; the value stays then.
    pub(super) async fn read<E>(&self, reading: impl Future<Output = Result<T, E>>) -> Result<Arc<T>, E> {
        let _alone = self.reading.lock().await;
        let value = Arc::new(reading.await?);
        *self.kept.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&value);
        Ok(value)
    }

    /// Changes what is known of the value, between two readings.
    pub(super) fn amend(&self, change: impl FnOnce(&mut T))
    where
        T: Clone,
    {
        change(Arc::make_mut(&mut self.kept.write().unwrap_or_else(PoisonError::into_inner)));
    }

    /// Reads it each second until told to stop; `what` is what the log calls it.
    pub(super) async fn read_forever<F>(&self, what: &str, read: impl Fn() -> F, mut stop: watch::Receiver<bool>)
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        while pause(EVERY, &mut stop).await {
            if let Err(error) = self.read(read()).await {
                tracing::trace!(%error, what, "It has to wait for Redis.");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_good_value_stays_and_readings_do_not_overtake_each_other() {
        let mirror = Mirror::<u32>::default();
        assert_eq!(*mirror.get(), 0);
        let lost = mirror.read(async { Err::<u32, _>("away") }).await;
        assert_eq!((lost, *mirror.get()), (Err("away"), 0));
        let (asked, go) = tokio::sync::oneshot::channel::<()>();
        let (slow, quick) = tokio::join!(
            mirror.read(async {
                go.await.ok();
                Ok::<_, ()>(1)
            }),
            async {
                // It waits behind the slow one, which was begun before.
                let quick = mirror.read(async { Ok::<_, ()>(2) });
                asked.send(()).ok();
                quick.await
            }
        );
        assert_eq!((slow.as_deref(), quick.as_deref(), mirror.look(|value| *value)), (Ok(&1), Ok(&2), 2));
        mirror.amend(|value| *value += 1);
        assert_eq!(*mirror.get(), 3);
    }
}
