//! The sender: takes what is due, tells it, writes down how it went. One instance of a shop at a time, by the outbox's
//! lease.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::watch;

use super::Notifiers;
use crate::domain::OrderId;
use crate::domain::text::masked;
use crate::shop::{Refused, Shop, ShopError};

/// Notices sent at the same time.
const AT_ONCE: usize = 8;
/// Notices taken in one turn.
const TURN: usize = 64;
/// How often it looks without being woken.
const POLL: Duration = Duration::from_secs(1);
/// Longest try, all its steps together.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends until told to stop; what is on its way then is finished or repeated by the next one.
pub async fn run(shop: Arc<Shop>, notifiers: Notifiers, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        tokio::select! {
            () = shop.notices.notified() => {}
            () = tokio::time::sleep(POLL) => {}
            _ = stop.changed() => return,
        }
        tokio::select! {
            turn = turn(&shop, &notifiers) => if let Err(error) = turn {
                tracing::debug!(%error, "Notices have to wait.");
            },
            _ = stop.changed() => return,
        }
    }
}

async fn turn(shop: &Arc<Shop>, notifiers: &Notifiers) -> Result<(), ShopError> {
    if !shop.reads_outbox().await? {
        shop.telemetry.notices(None);
        return Ok(());
    }
    loop {
        let due = shop.due_notices(TURN).await?;
        shop.telemetry.notices(Some(shop.count_notices().await?));
        if due.is_empty() {
            return Ok(());
        }
        let jobs = futures_util::stream::iter(due).map(|id| one(shop, notifiers, id)).buffer_unordered(AT_ONCE);
        let failed: Vec<ShopError> = jobs.filter_map(|done| async { done.err() }).collect().await;
        // What Redis could not say is asked again a second later, not at once.
        if let Some(error) = failed.into_iter().next() {
            return Err(error);
        }
    }
}

async fn one(shop: &Arc<Shop>, notifiers: &Notifiers, id: OrderId) -> Result<(), ShopError> {
    let Some(due) = shop.begin_notice(id).await? else { return Ok(()) };
    let Some((name, notifier)) = notifiers.for_reach(due.reach) else { return Ok(()) };
    let told = tokio::time::timeout(PATIENCE, notifier.tell(&due.message)).await;
    let result = told.unwrap_or_else(|_| Err(Refused::Later("no answer within a minute".to_owned(), None)));
    // Servers say whom they refuse; logs and screens need not know.
    let hide = |why: String| why.replace(&due.message.to, &masked(&due.message.to));
    let result = result.map_err(|refused| match refused {
        Refused::Later(why, wait) => Refused::Later(hide(why), wait),
        Refused::Never(why) => Refused::Never(hide(why)),
    });
    match &result {
        Ok(()) => tracing::debug!(order = %id, notifier = name, "A notice was sent."),
        Err(Refused::Later(why, _) | Refused::Never(why)) => {
            tracing::warn!(order = %id, notifier = name, why, "A notice was not taken.");
        }
    }
    shop.end_notice(due, name, result).await
}
