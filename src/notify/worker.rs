//! The sender: takes what is due, tells it, writes down how it went. One instance of a shop at a time, by the outbox's
//! lease.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Notifiers;
use crate::domain::NoticeId;
use crate::domain::text::masked;
use crate::shop::{Refused, Shop, ShopError, What};

/// Notices sent at the same time.
const AT_ONCE: usize = 8;
/// Notices taken in one turn.
const TURN: usize = 64;
/// How often it looks without being woken.
const POLL: Duration = Duration::from_secs(1);
/// Longest try, all its steps together.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends until told to stop; what is on its way then is finished or repeated by the next one. Buyers' notices and those
/// of each notifier of operators go their own ways: one that does not answer keeps nobody waiting but itself.
pub async fn run(shop: Arc<Shop>, notifiers: Notifiers, mut stop: watch::Receiver<bool>) {
    let mut senders = JoinSet::new();
    // What buyers are to be told waits where nobody is configured to tell them.
    let buyers = (!notifiers.reaches().is_empty()).then_some(None);
    for name in notifiers.listeners().into_keys().map(Some).chain(buyers) {
        senders.spawn(send(Arc::clone(&shop), notifiers.clone(), name, stop.clone()));
    }
    while !*stop.borrow() {
        if let Err(error) = shop.look_at_notices().await {
            tracing::debug!(%error, "What waits to be told is not known.");
        }
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            _ = stop.changed() => break,
        }
    }
    while senders.join_next().await.is_some() {}
}

/// Sends buyers' notices, or those of one notifier of operators.
async fn send(shop: Arc<Shop>, notifiers: Notifiers, through: Option<String>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        tokio::select! {
            () = shop.notices_waken() => {}
            () = tokio::time::sleep(POLL) => {}
            _ = stop.changed() => return,
        }
        tokio::select! {
            turn = turn(&shop, &notifiers, through.as_deref()) => if let Err(error) = turn {
                tracing::debug!(%error, "Notices have to wait.");
            },
            _ = stop.changed() => return,
        }
    }
}

async fn turn(shop: &Arc<Shop>, notifiers: &Notifiers, through: Option<&str>) -> Result<(), ShopError> {
    if !shop.reads_outbox().await? {
        return Ok(());
    }
    loop {
        let due = shop.due_notices(through, TURN).await?;
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

async fn one(shop: &Arc<Shop>, notifiers: &Notifiers, id: NoticeId) -> Result<(), ShopError> {
    let Some(due) = shop.begin_notice(&id).await? else { return Ok(()) };
    let Some((name, telling)) = notifiers.telling(&due.what) else { return Ok(()) };
    let told = tokio::time::timeout(PATIENCE, telling).await;
    let result = told.unwrap_or_else(|_| Err(Refused::Later("no answer within a minute".to_owned(), None)));
    // Servers say whom they refuse; logs and screens need not know.
    let to = match &due.what {
        What::Message(message, _) => message.to.strip_prefix("+86").unwrap_or(&message.to).to_owned(),
        What::News(..) => String::new(),
    };
    let hide = |why: String| if to.is_empty() { why } else { why.replace(&to, &masked(&to)) };
    let result = result.map_err(|refused| match refused {
        Refused::Later(why, wait) => Refused::Later(hide(why), wait),
        Refused::Never(why) => Refused::Never(hide(why)),
        Refused::Gone(why) => Refused::Gone(hide(why)),
    });
    match &result {
        Ok(()) => tracing::debug!(notice = %id, notifier = name, "A notice was sent."),
        Err(Refused::Later(why, _) | Refused::Never(why) | Refused::Gone(why)) => {
            tracing::warn!(notice = %id, notifier = name, why, "A notice was not taken.");
        }
    }
    shop.end_notice(due, name, result).await
}
