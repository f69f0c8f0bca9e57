//! Notices, as far as the shop knows them: which orders' buyers are to be told, what a message says, how a try went.
//! What operators are told is in `news.rs`; the queue is one.
//!
//! Who sends them is not known here: the `notify` room asks for what is due and says how it went.

use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Notify;
use zeroize::Zeroizing;

use crate::domain::text::{masked, printable};
use crate::domain::{Millis, News, NewsId, Notice, NoticeId, NoticeState, Order, OrderId, OrderState, Reach};
use crate::shop::{Shop, ShopError, news};
use crate::store::{Event, EventKind, Listed};
use crate::telemetry::snapshot::{NoticeCounts, NoticeRow};

/// Waits between tries; behind the last one a notice is given up. Together about a day, as gateways repeat.
const AGAIN_SECONDS: [u64; 10] = [10, 30, 120, 600, 1800, 3600, 7200, 14_400, 28_800, 43_200];
/// A try that was begun and never ended, by a kill, is repeated after that.
const BEGUN_MS: Millis = 120_000;
/// Longest reason kept.
const WHY: usize = 160;

/// What a buyer is told, whole. The keys are plain here: it lives as long as its sending.
pub struct BuyerMessage {
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
    /// The code that shows it from another browser.
    pub code: String,
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
    /// Nor will anything else through this notifier, until the daemon starts again.
    Gone(String),
}

/// What is to be told, and to whom.
pub enum What {
    /// To a buyer.
    Message(Box<BuyerMessage>, Reach),
    /// To an operator, through the notifier that the news name.
    News(NewsId, News),
}

/// A notice that is to be sent now.
pub struct DueNotice {
    pub(super) notice: Notice,
    pub(in crate::shop) product: String,
    /// When its order was paid.
    pub(in crate::shop) paid: Option<Millis>,
    /// What it says.
    pub what: What,
}

/// Where notices wait for whoever sends them.
#[derive(Default)]
pub(in crate::shop) struct Postbox {
    bell: Notify,
    /// How buyers can be told.
    reaches: RwLock<BTreeSet<Reach>>,
}

impl Postbox {
    /// Something was put in: whoever sends need not wait.
    pub(in crate::shop) fn wake(&self) {
        self.bell.notify_waiters();
    }

    fn reaches(&self, reach: Reach) -> bool {
        self.reaches.read().unwrap_or_else(PoisonError::into_inner).contains(&reach)
    }
}

/// How long to wait: the schedule's time, or longer where the server said so, and up to a fifth more by chance, so that
/// what failed together does not come back together.
fn pause_ms(seconds: u64, asked: Option<u64>) -> Millis {
    let least = asked.map_or(seconds, |asked| asked.clamp(seconds, 86_400));
    1000 * least + fastrand::u64(0..=200 * least)
}

impl Shop {
    /// How buyers can be told: by what the configured notifiers reach.
    pub fn reaches(&self, reaches: BTreeSet<Reach>) {
        *self.postbox.reaches.write().unwrap_or_else(PoisonError::into_inner) = reaches;
    }

    /// How a notifier would reach that contact, if one could.
    fn reach_of(&self, contact: &str) -> Option<Reach> {
        Reach::of(contact).filter(|reach| self.postbox.reaches(*reach))
    }

    /// Notes down whose buyers are to be told of these events: an order that was delivered, once; one that got a fresh
    /// key, again.
    pub(super) async fn queue_notices(&self, events: &[&Event]) -> Result<(), ShopError> {
        if self.postbox.reaches.read().unwrap_or_else(PoisonError::into_inner).is_empty() {
            return Ok(());
        }
        let of = |kind: EventKind| -> Vec<OrderId> {
            events.iter().filter(|event| event.kind == kind).filter_map(|event| event.order.parse().ok()).collect()
        };
        let delivered = of(EventKind::Delivered);
        for part in delivered.chunks(64) {
            let contacts = self.store.untold(part).await?;
            let jobs = part.iter().zip(contacts).filter_map(|(id, contact)| {
                let contact = self.vault.open(&contact?).ok()?;
                self.reach_of(&contact).map(|_| self.queue(*id, true))
            });
            futures_util::future::try_join_all(jobs).await?;
        }
        for id in of(EventKind::Replaced) {
            self.queue(id, false).await?;
        }
        if !delivered.is_empty() {
            self.postbox.wake();
        }
        Ok(())
    }

    async fn queue(&self, id: OrderId, once: bool) -> Result<bool, ShopError> {
        let now = self.store.now();
        Ok(self.store.set_notice(&id.into(), &Notice::new(now, !once), now, once, None).await?)
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
        self.postbox.wake();
        Ok(())
    }

    /// Notices that are to be sent, or were given up; the earliest first.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn list_notices(&self, state: NoticeState, most: usize) -> Result<Vec<Listed>, ShopError> {
        Ok(self.store.list_notices(state, &self.news_notifiers(), most).await?)
    }

    /// What is to be sent by now, to buyers or through that notifier; at most `most`.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn due_notices(&self, notifier: Option<&str>, most: usize) -> Result<Vec<NoticeId>, ShopError> {
        let due = self.store.notices(notifier, self.store.now(), most).await?;
        Ok(due.into_iter().map(|(_, id)| id).collect())
    }

    /// Begins a try: from here on a kill repeats it after two minutes, and counts it. `None`: there is nothing to send.
    ///
    /// # Errors
    /// Redis does not answer, or a key cannot be opened.
    pub async fn begin_notice(&self, id: &NoticeId) -> Result<Option<DueNotice>, ShopError> {
        match id {
            NoticeId::Buyer(order) => self.begin_message(*order).await,
            NoticeId::News(news) => self.begin_news(news).await,
        }
    }

    /// Counts a try, for which there is a reason to send, or drops the notice.
    pub(super) async fn note_try(
        &self,
        id: &NoticeId,
        notice: &mut Notice,
        state: NoticeState,
    ) -> Result<(), ShopError> {
        let now = self.store.now();
        (notice.state, notice.tries, notice.at) = (state, notice.tries + 1, now);
        let when = if state == NoticeState::Waiting { now + BEGUN_MS } else { now };
        self.store.set_notice(id, notice, when, false, None).await?;
        Ok(())
    }

    async fn begin_message(&self, id: OrderId) -> Result<Option<DueNotice>, ShopError> {
        let order = self.store.order(id).await?;
        let Some((order, mut notice)) = order.and_then(|order| Some((order.clone(), order.notice?))) else {
            self.note_try(&id.into(), &mut Notice::new(0, false), NoticeState::Dropped).await?;
            return Ok(None);
        };
        let contact = self.contact(&order);
        let reach = self.reach_of(&contact);
        let Some(reach) = reach.filter(|_| order.state == OrderState::Delivered) else {
            self.note_try(&id.into(), &mut notice, NoticeState::Dropped).await?;
            return Ok(None);
        };
        self.note_try(&id.into(), &mut notice, NoticeState::Waiting).await?;
        let name = self.catalog().get(&order.product).map(|product| product.name.clone());
        let message = BuyerMessage {
            order: id,
            to: contact,
            product: name.unwrap_or_else(|| order.product.to_string()),
            quantity: order.quantity,
            amount: format!("{} {}", order.amount, order.amount.currency),
            page: self.page(id),
            code: self.vault.code(id),
            keys: self.open(&order).await?,
        };
        let (product, paid) = (order.product.to_string(), order.paid);
        Ok(Some(DueNotice { notice, product, paid, what: What::Message(Box::new(message), reach) }))
    }

    /// Writes down how a try went.
    ///
    /// # Errors
    /// Redis does not answer: the notice is tried again, so somebody may be told twice, but never not at all.
    pub async fn end_notice(&self, due: DueNotice, by: &str, result: Result<(), Refused>) -> Result<(), ShopError> {
        let DueNotice { mut notice, product, paid, what } = due;
        let (id, contact, waits): (NoticeId, String, &[u64]) = match &what {
            What::Message(message, _) => (message.order.into(), masked(&message.to), &AGAIN_SECONDS),
            What::News(id, _) => (id.clone().into(), id.topic.as_str().to_owned(), &news::AGAIN_SECONDS),
        };
        let now = self.store.now();
        (notice.at, notice.by, notice.why) = (now, by.to_owned(), String::new());
        let mut when = now;
        match &result {
            Ok(()) => notice.state = NoticeState::Sent,
            Err(Refused::Never(why) | Refused::Gone(why)) => {
                (notice.state, notice.why) = (NoticeState::Dead, printable(why, WHY));
            }
            Err(Refused::Later(why, asked)) => {
                notice.why = printable(why, WHY);
                match waits.get(notice.tries.saturating_sub(1) as usize) {
                    Some(seconds) => when += pause_ms(*seconds, *asked),
                    None => notice.state = NoticeState::Dead,
                }
            }
        }
        if let (NoticeId::News(news), NoticeState::Dead) = (&id, notice.state) {
            self.given_up(news, &notice.why, matches!(result, Err(Refused::Gone(_))));
        }
        self.store.set_notice(&id, &notice, when, false, None).await?;
        // What was asked for again long after its payment says nothing of how quick notices are.
        let first = paid.filter(|_| notice.state == NoticeState::Sent && !notice.again);
        self.telemetry.record(crate::telemetry::Observation::Notice {
            row: NoticeRow {
                order: id.to_string(),
                product,
                contact,
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

    /// Waits until something is put in that may be due.
    pub async fn notices_waken(&self) {
        self.postbox.bell.notified().await;
    }

    /// Counts what waits, and finds low stock that nobody was told of; where this instance is the one to tell.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn look_at_notices(&self) -> Result<(), ShopError> {
        if !self.reads_outbox().await? {
            self.telemetry.notices(None);
            return Ok(());
        }
        self.queue_low_stock().await?;
        self.telemetry.notices(Some(self.count_notices().await?));
        Ok(())
    }

    /// Counts what waits.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn count_notices(&self) -> Result<NoticeCounts, ShopError> {
        let (waiting, dead) = self.store.count_notices(&self.news_notifiers()).await?;
        Ok(NoticeCounts { waiting, dead })
    }
}
