//! News for operators and their programs: which notifier is to be told what, and what it says.
//!
//! They are queued where buyers' notices are, each with what happened, so a try repeats the same bytes. No news holds a
//! key, a token or a buyer's contact.

pub mod notices;
pub mod outbox;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError, RwLock};

use data_encoding::HEXLOWER;
use serde_json::{Value, json};

use self::notices::{DueNotice, What};
use crate::domain::text::printable;
use crate::domain::{Level, Millis, News, NewsId, Notice, NoticeState, Order, OrderId, Reason, Topic, danger};
use crate::shop::once::{HOUR_MS, Once};
use crate::shop::{IncidentNote, Shop, ShopError};
use crate::store::{Event, EventKind};
use crate::telemetry::snapshot::StockRow;

/// Waits between tries, the first of which is made at once; behind the last one news are given up, after three days.
/// Source: the schedule that Standard Webhooks proposes.
const AGAIN_SECONDS: [u64; 9] = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400];
/// Incidents that wait to be queued; of more, the file and the list tell.
const INCIDENTS: usize = 256;
/// Matters that are told in an hour at most.
const MATTERS: usize = 10 * INCIDENTS;

/// Who is told what.
struct Listener {
    topics: BTreeSet<Topic>,
    /// Its other side said that it is gone for good.
    gone: bool,
}

/// What the shop remembers of its news.
pub(in crate::shop) struct Newsroom {
    listeners: RwLock<BTreeMap<String, Listener>>,
    /// Incidents and their ids, until they stand in Redis.
    incidents: Mutex<VecDeque<(String, News)>>,
    /// What is told once an hour.
    once: Once,
    /// Low stock that was told.
    low: Mutex<BTreeSet<String>>,
}

impl Default for Newsroom {
    fn default() -> Self {
        Self {
            listeners: RwLock::default(),
            incidents: Mutex::default(),
            once: Once::of_at_most(MATTERS),
            low: Mutex::default(),
        }
    }
}

impl Newsroom {
    /// The notifiers that are to be told of that.
    fn listening(&self, topic: Topic) -> Vec<String> {
        let listeners = self.listeners.read().unwrap_or_else(PoisonError::into_inner);
        let wants = |listener: &Listener| listener.topics.contains(&topic) && !listener.gone;
        listeners.iter().filter(|(_, listener)| wants(listener)).map(|(name, _)| name.clone()).collect()
    }

    /// Whether a notifier of that name is configured, and whether it is gone.
    fn standing(&self, name: &str) -> Option<bool> {
        self.listeners.read().unwrap_or_else(PoisonError::into_inner).get(name).map(|listener| listener.gone)
    }

    /// Whether this was not said within the last hour.
    fn is_new(&self, what: &str, now: Millis) -> bool {
        self.once.is_news(what, now, HOUR_MS)
    }
}

/// What is told of an order.
fn of_order(order: &Order, topic: Topic) -> Value {
    let mut data = json!({
        "order_no": order.id.to_string(), "product": order.product, "quantity": order.quantity,
        "amount_minor": order.amount.minor, "currency": order.amount.currency,
    });
    if topic == Topic::Held {
        data["reason"] = json!(order.why);
    }
    data
}

/// What is told of a stock that is low, by the name of this low: more keys and low again is another.
fn of_stock(row: &StockRow) -> Option<(String, Value)> {
    let danger = danger(&row.stock, row.low, row.hourly, row.retired);
    if danger.level < Level::Low {
        return None;
    }
    let data = json!({
        "product": row.product, "available": danger.available, "low": row.low, "orders_waiting": danger.owed,
    });
    Some((format!("{}:{}", row.product, row.stock.imported), data))
}

impl Shop {
    /// Which notifiers tell operators, and of what.
    pub fn listeners(&self, all: BTreeMap<String, BTreeSet<Topic>>) {
        let all = all.into_iter().map(|(name, topics)| (name, Listener { topics, gone: false })).collect();
        *self.newsroom.listeners.write().unwrap_or_else(PoisonError::into_inner) = all;
    }

    /// The notifiers that tell operators.
    fn news_notifiers(&self) -> Vec<String> {
        self.newsroom.listeners.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// Notes news down for everybody who is to be told of them, once.
    async fn queue_news(&self, topic: Topic, about: &str, news: &News) -> Result<(), ShopError> {
        for notifier in self.newsroom.listening(topic) {
            let (now, about) = (self.store.now(), about.to_owned());
            let id = NewsId { topic, notifier, about }.into();
            if self.store.set_notice(&id, &Notice::new(now, false), now, true, Some(news)).await? {
                self.postbox.wake();
            }
        }
        Ok(())
    }

    /// Notes down what these events are to operators.
    async fn queue_news_of(&self, events: &[&Event]) -> Result<(), ShopError> {
        for (kind, topic) in [(EventKind::Delivered, Topic::Delivered), (EventKind::Held, Topic::Held)] {
            if self.newsroom.listening(topic).is_empty() {
                continue;
            }
            let found = events.iter().filter(|event| event.kind == kind);
            let found: Vec<(OrderId, Millis)> =
                found.filter_map(|event| Some((event.order.parse().ok()?, event.at()))).collect();
            for part in found.chunks(64) {
                let ids: Vec<OrderId> = part.iter().map(|(id, _)| *id).collect();
                let orders = self.store.orders(&ids).await?;
                let jobs = orders.into_iter().zip(part).filter_map(|(order, (_, at))| Some((order?, *at))).map(
                    |(order, at)| async move {
                        let news = News { at, data: of_order(&order, topic).to_string() };
                        self.queue_news(topic, order.id.as_str(), &news).await
                    },
                );
                futures_util::future::try_join_all(jobs).await?;
            }
        }
        for event in events.iter().filter(|event| event.kind == EventKind::Orphan) {
            let Some(trade) = &event.payment else { continue };
            // Its own channel may have brought it meanwhile, or it is known under another number: then nobody need look.
            let waits = self.waits_for_a_person(&event.order, trade).await;
            if self.past_damage(event, waits)? == Some(false) {
                continue;
            }
            let about = self.vault.index("news", &format!("orphan|{}|{trade}", event.order));
            let advice = Reason::Orphan.row().advice.en;
            self.announce(
                &HEXLOWER.encode(&about),
                event.at(),
                &Reason::Orphan,
                [&trade.account, &event.order, advice],
            );
        }
        self.queue_incidents().await
    }

    /// Remembers an incident (its reason; its channel, number and advice) for the operators who are to be told of such; of
    /// the same matter once an hour.
    pub(in crate::shop) fn announce(
        &self,
        id: &str,
        at: Millis,
        reason: &Reason,
        [channel, number, advice]: [&str; 3],
    ) {
        if self.newsroom.listening(Topic::Incident).is_empty()
            || !self.newsroom.is_new(&format!("{reason} {channel} {number}"), at)
        {
            return;
        }
        let number = printable(number, 64);
        let data = json!({"reason": reason, "channel": channel, "number": number, "advice": advice}).to_string();
        let mut waiting = self.newsroom.incidents.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < INCIDENTS {
            waiting.push_back((id.to_owned(), News { at, data }));
        }
    }

    /// Notes down the incidents that wait for it.
    ///
    /// # Errors
    /// Redis does not answer: they go on waiting.
    async fn queue_incidents(&self) -> Result<(), ShopError> {
        loop {
            let first = self.newsroom.incidents.lock().unwrap_or_else(PoisonError::into_inner).front().cloned();
            let Some((about, news)) = first else { return Ok(()) };
            self.queue_news(Topic::Incident, &about, &news).await?;
            let mut waiting = self.newsroom.incidents.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.retain(|(id, _)| *id != about);
        }
    }

    /// Notes down products whose stock became low, as the board shows them.
    ///
    /// # Errors
    /// Redis does not answer.
    async fn queue_low_stock(&self) -> Result<(), ShopError> {
        if self.newsroom.listening(Topic::StockLow).is_empty() {
            return Ok(());
        }
        let (rows, at) = (self.board.worst(), self.store.now());
        let low: BTreeMap<String, Value> = rows.iter().filter_map(of_stock).collect();
        let known = self.newsroom.low.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (about, data) in low.iter().filter(|(about, _)| !known.contains(*about)) {
            self.queue_news(Topic::StockLow, about, &News { at, data: data.to_string() }).await?;
        }
        *self.newsroom.low.lock().unwrap_or_else(PoisonError::into_inner) = low.into_keys().collect();
        Ok(())
    }

    /// Begins a try to tell news, as [`Shop::begin_notice`].
    async fn begin_news(&self, id: &NewsId) -> Result<Option<DueNotice>, ShopError> {
        let found = self.store.news(id).await?;
        let standing = self.newsroom.standing(&id.notifier);
        let (Some((news, mut notice)), Some(gone)) = (found, standing) else {
            self.note_try(&id.clone().into(), &mut Notice::new(0, false), NoticeState::Dropped).await?;
            return Ok(None);
        };
        if gone {
            "its endpoint is gone (410)".clone_into(&mut notice.why);
            self.note_try(&id.clone().into(), &mut notice, NoticeState::Dead).await?;
            return Ok(None);
        }
        self.note_try(&id.clone().into(), &mut notice, NoticeState::Waiting).await?;
        let data: Value = serde_json::from_str(&news.data).unwrap_or_default();
        let product = data["product"].as_str().unwrap_or_default().to_owned();
        Ok(Some(DueNotice { notice, product, paid: None, what: What::News(id.clone(), news) }))
    }

    /// An operator should hear, by another way than this one, that something did not reach him.
    fn given_up(&self, id: &NewsId, why: &str, gone: bool) {
        let mut listeners = self.newsroom.listeners.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(listener) = listeners.get_mut(&id.notifier) {
            listener.gone |= gone;
        }
        drop(listeners);
        let reason = if gone { Reason::NotifierGone } else { Reason::NoticeGivenUp };
        if !self.newsroom.is_new(&format!("{reason} through {}", id.notifier), self.store.now()) {
            return;
        }
        let what = if gone {
            "answered 410 and is told nothing more until kamid starts again"
        } else {
            "did not take what operators are to be told"
        };
        let advice = format!("The notifier {} {what} ({why}): `kamid notice list`.", id.notifier);
        let note = IncidentNote { advice: &advice, number: &id.about, ..IncidentNote::new(reason) };
        // What went wrong with telling of incidents would go round in a circle.
        match id.topic {
            Topic::Incident => drop(self.record_incident(note)),
            _ => self.incident(note),
        }
    }

    /// Queues news again, whatever became of them; an order's are written anew where they are forgotten.
    ///
    /// # Errors
    /// No such notifier is configured, its other side is gone, or nothing is known of such news.
    pub async fn resend_news(&self, id: &NewsId) -> Result<(), ShopError> {
        match self.newsroom.standing(&id.notifier) {
            None => return Err(ShopError::NotFound("notifier of operators")),
            Some(true) => {
                let text = "its endpoint answered 410: kamid tells it nothing until it starts again";
                return Err(ShopError::Conflict(text.to_owned()));
            }
            Some(false) => {}
        }
        let news = match self.store.news(id).await? {
            Some((news, _)) => news,
            None => self.news_again(id).await?.ok_or(ShopError::NotFound("news"))?,
        };
        let now = self.store.now();
        let notice = Notice::new(now, true);
        self.store.set_notice(&id.clone().into(), &notice, now, false, Some(&news)).await?;
        self.postbox.wake();
        Ok(())
    }

    async fn news_again(&self, id: &NewsId) -> Result<Option<News>, ShopError> {
        let Ok(order) = id.about.parse() else { return Ok(None) };
        let Some(order) = self.store.order(order).await? else { return Ok(None) };
        let at = match id.topic {
            Topic::Delivered => order.delivered,
            Topic::Held => order.why.as_ref().and(order.paid),
            _ => None,
        };
        Ok(at.map(|at| News { at, data: of_order(&order, id.topic).to_string() }))
    }
}
