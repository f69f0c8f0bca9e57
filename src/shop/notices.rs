//! Notices, as far as the shop knows them: which orders' buyers are to be told, what a message says, how a try went.
//!
//! Who sends them is not known here: the `notify` room asks for what is due and says how it went.

use std::collections::BTreeSet;
use std::sync::PoisonError;
use std::time::Duration;

use zeroize::Zeroizing;

use super::{Shop, ShopError};
use crate::domain::text::{masked, printable};
use crate::domain::{Millis, Notice, NoticeState, Order, OrderId, OrderState, Reach};
use crate::store::{Event, Listed};
use crate::telemetry::snapshot::{NoticeCounts, NoticeRow};

/// Waits between tries; behind the last one a notice is given up. Together about a day, as gateways repeat.
const AGAIN_SECONDS: [u64; 10] = [10, 30, 120, 600, 1800, 3600, 7200, 14_400, 28_800, 43_200];
/// A try that was begun and never ended, by a kill, is repeated after that.
const BEGUN_MS: Millis = 120_000;
/// Longest reason kept.
const WHY: usize = 160;

/// What a buyer is told, whole. The keys are plain here: it lives as long as its sending.
pub struct Message {
    /// The order.
    pub order: OrderId,
    /// Where to.
    pub to: String,
    /// The product's name.
    pub product: String,
    /// How many keys.
    pub quantity: u32,
    /// What was paid, as text with its currency.
    pub amount: String,
    /// The order's page, with its token.
    pub page: String,
    /// The keys.
    pub keys: Vec<Zeroizing<String>>,
}

/// Why a notice was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// It may be taken later; not before so many seconds, if the server said so.
    Later(String, Option<u64>),
    /// It never will be.
    Never(String),
}

/// A notice that is to be sent now.
pub struct Due {
    order: Order,
    notice: Notice,
    /// What it says.
    pub message: Message,
    /// How its buyer is reached.
    pub reach: Reach,
}

impl Shop {
    /// How buyers can be told: by what the configured notifiers reach.
    pub fn reaches(&self, reaches: BTreeSet<Reach>) {
        *self.told.write().unwrap_or_else(PoisonError::into_inner) = reaches;
    }

    /// How a notifier would reach that contact, if one could.
    fn reach_of(&self, contact: &str) -> Option<Reach> {
        Reach::of(contact).filter(|reach| self.told.read().unwrap_or_else(PoisonError::into_inner).contains(reach))
    }

    /// Notes down whose buyers are to be told of these events: an order that was delivered, once; one that got a fresh
    /// key, again.
    pub(super) async fn queue_notices(&self, events: &[&Event]) -> Result<(), ShopError> {
        if self.told.read().unwrap_or_else(PoisonError::into_inner).is_empty() {
            return Ok(());
        }
        let of = |kind: &str| -> Vec<OrderId> {
            events.iter().filter(|event| event.kind == kind).filter_map(|event| event.order.parse().ok()).collect()
        };
        let delivered = of("delivered");
        for part in delivered.chunks(64) {
            let contacts = self.store.untold(part).await?;
            let jobs = part.iter().zip(contacts).filter_map(|(id, contact)| {
                let contact = self.vault.open(&contact?).ok()?;
                self.reach_of(&contact).map(|_| self.queue(*id, true))
            });
            futures_util::future::try_join_all(jobs).await?;
        }
        for id in of("replaced") {
            self.queue(id, false).await?;
        }
        if !delivered.is_empty() {
            self.notices.notify_one();
        }
        Ok(())
    }

    async fn queue(&self, id: OrderId, once: bool) -> Result<bool, ShopError> {
        let now = self.store.now();
        let (by, why) = (String::new(), String::new());
        let notice = Notice { state: NoticeState::Waiting, again: !once, tries: 0, at: now, by, why };
        Ok(self.store.set_notice(id, &notice, now, once).await?)
    }

    /// Queues a notice again, whatever became of the last one.
    ///
    /// # Errors
    /// The order is not delivered, or no notifier reaches its contact.
    pub async fn resend(&self, order: &Order) -> Result<(), ShopError> {
        if order.state != OrderState::Delivered {
            return Err(ShopError::Conflict(format!("the order is {}: there is nothing to send", order.state)));
        }
        if self.reach_of(&self.contact(order)).is_none() {
            let message = "no configured notifier reaches this order's contact ([notify.<name>])".to_owned();
            return Err(ShopError::Conflict(message));
        }
        self.queue(order.id, false).await?;
        self.notices.notify_one();
        Ok(())
    }

    /// Notices that are to be sent, or were given up; the earliest first.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn list_notices(&self, state: NoticeState, most: usize) -> Result<Vec<Listed>, ShopError> {
        Ok(self.store.list_notices(state, most).await?)
    }

    /// What is to be sent by now, at most `most`. What needs no sending any more is dropped on the way.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn due_notices(&self, most: usize) -> Result<Vec<OrderId>, ShopError> {
        let due = self.store.notices(NoticeState::Waiting, self.store.now(), most).await?;
        Ok(due.into_iter().map(|(_, id)| id).collect())
    }

    /// Begins a try: from here on a kill repeats it after two minutes, and counts it. `None`: there is nothing to send.
    ///
    /// # Errors
    /// Redis does not answer, or a key cannot be opened.
    pub async fn begin_notice(&self, id: OrderId) -> Result<Option<Due>, ShopError> {
        let now = self.store.now();
        let order = self.store.order(id).await?;
        let Some((order, mut notice)) = order.and_then(|order| Some((order.clone(), order.notice?))) else {
            let (by, why) = (String::new(), String::new());
            let gone = Notice { state: NoticeState::Dropped, again: false, tries: 0, at: now, by, why };
            self.store.set_notice(id, &gone, now, true).await?;
            return Ok(None);
        };
        let contact = self.contact(&order);
        let reach = self.reach_of(&contact);
        (notice.tries, notice.at) = (notice.tries + 1, now);
        let Some(reach) = reach.filter(|_| order.state == OrderState::Delivered) else {
            notice.state = NoticeState::Dropped;
            self.store.set_notice(id, &notice, now, false).await?;
            return Ok(None);
        };
        self.store.set_notice(id, &notice, now + BEGUN_MS, false).await?;
        let name = self.catalog().get(&order.product).map(|product| product.name.clone());
        let message = Message {
            order: id,
            to: contact,
            product: name.unwrap_or_else(|| order.product.to_string()),
            quantity: order.quantity,
            amount: format!("{} {}", order.amount, order.amount.currency),
            page: format!("{}/o/{id}?token={}", self.public_url, self.vault.token(id)),
            keys: self.open(&order)?,
        };
        Ok(Some(Due { order, notice, message, reach }))
    }

    /// Writes down how a try went.
    ///
    /// # Errors
    /// Redis does not answer: the notice is tried again, so a buyer may be told twice, but never not at all.
    pub async fn end_notice(&self, due: Due, by: &str, result: Result<(), Refused>) -> Result<(), ShopError> {
        let Due { order, mut notice, message, .. } = due;
        let now = self.store.now();
        (notice.at, notice.by) = (now, by.to_owned());
        let mut when = now;
        match &result {
            Ok(()) => (notice.state, notice.why) = (NoticeState::Sent, String::new()),
            Err(Refused::Never(why)) => (notice.state, notice.why) = (NoticeState::Dead, printable(why, WHY)),
            Err(Refused::Later(why, wait)) => {
                notice.why = printable(why, WHY);
                match AGAIN_SECONDS.get(notice.tries.saturating_sub(1) as usize) {
                    Some(seconds) => when += 1000 * wait.map_or(*seconds, |wait| wait.clamp(*seconds, 86_400)),
                    None => notice.state = NoticeState::Dead,
                }
            }
        }
        self.store.set_notice(order.id, &notice, when, false).await?;
        // What was asked for again long after its payment says nothing of how quick notices are.
        let first = order.paid.filter(|_| notice.state == NoticeState::Sent && !notice.again);
        self.telemetry.record(crate::telemetry::Event::Notice {
            row: NoticeRow {
                order: order.id.to_string(),
                product: order.product.to_string(),
                contact: masked(&message.to),
                state: notice.state,
                tries: notice.tries,
                at: now,
                next: if notice.state == NoticeState::Waiting { when } else { 0 },
                by: notice.by,
                why: notice.why,
            },
            took: first.map(|paid| Duration::from_millis(now.saturating_sub(paid))),
        });
        Ok(())
    }

    /// Counts what waits.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn count_notices(&self) -> Result<NoticeCounts, ShopError> {
        let (waiting, dead) = self.store.count_notices().await?;
        Ok(NoticeCounts { waiting, dead })
    }
}
