//! The outbox: a stream in each slot with one event for each change, written by the same script as the change.
//!
//! One instance at a time reads it, by a lease; what it has handled is a cursor beside each stream. An event may be
//! handled twice (a lease that ran out), never not at all: the stream is trimmed by id below the cursor, never by length.

use redis::Value;

use super::at::Pipe;
use super::script::{items_of, text_of};
use super::{At, Store, StoreError, orders};
use crate::domain::{Millis, OrderId, PaymentState, Slot, Trade};

/// How long a lease lasts without being renewed.
const LEASE_MS: i64 = 15_000;

/// Entries read from a slot at once, and how often, by [`Store::expired_since`].
const PAGE: usize = 200;
const PAGES: usize = 100;

/// What happened, as the scripts write it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventKind {
    /// An order was made.
    Reserved,
    /// Its keys became its buyer's.
    Delivered,
    /// It is paid, and waits for stock.
    Owed,
    /// It is paid, and waits for a person.
    Held,
    /// A payment too many came.
    Extra,
    /// A payment came that no order has.
    Orphan,
    /// An orphan was known under another name.
    Named,
    /// An order was not paid in time.
    Expired,
    /// A person refused its payment.
    Rejected,
    /// A payment was given back.
    Refunded,
    /// A bad key was replaced.
    Replaced,
    /// A person counts a payment for an order.
    Adopted,
    /// A payment that waited is known already.
    Known,
    /// A payment waits again.
    Returned,
    /// A product's keys were imported.
    Imported,
    /// A product's keys were taken out of sale.
    Voided,
    /// They were put back.
    Restored,
    /// A word of a newer kamid.
    Other(String),
}

impl Default for EventKind {
    fn default() -> Self {
        Self::Other(String::new())
    }
}

/// The words of the scripts.
static KINDS: [(&str, EventKind); 17] = [
    ("reserved", EventKind::Reserved),
    ("delivered", EventKind::Delivered),
    ("owed", EventKind::Owed),
    ("held", EventKind::Held),
    ("extra", EventKind::Extra),
    ("orphan", EventKind::Orphan),
    ("named", EventKind::Named),
    ("expired", EventKind::Expired),
    ("rejected", EventKind::Rejected),
    ("refunded", EventKind::Refunded),
    ("replaced", EventKind::Replaced),
    ("adopted", EventKind::Adopted),
    ("known", EventKind::Known),
    ("returned", EventKind::Returned),
    ("imported", EventKind::Imported),
    ("voided", EventKind::Voided),
    ("restored", EventKind::Restored),
];

impl EventKind {
    /// Reads a word.
    #[must_use]
    pub fn of(word: &str) -> Self {
        let known = KINDS.iter().find(|(known, _)| *known == word);
        known.map_or_else(|| Self::Other(word.to_owned()), |(_, kind)| kind.clone())
    }

    /// The word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Other(word) => word,
            known => KINDS.iter().find(|(_, kind)| kind == known).map_or("", |(word, _)| word),
        }
    }
}

/// One change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// Its entry's id in the stream: `<ms>-<n>`.
    pub id: String,
    /// What happened.
    pub kind: EventKind,
    /// The order's number, or the payment number where it is not ours; empty for a product's events.
    pub order: String,
    /// For payments.
    pub payment: Option<Trade>,
    /// Of one that a person finished: the payment number that it is counted for, what it was, and a line for the history
    /// of the order that it is counted for.
    pub target: String,
    /// See `target`; `None` also where it is none of the words that the scripts write.
    pub was: Option<PaymentState>,
    /// See `target`.
    pub log: String,
}

impl Event {
    /// When it happened, by Redis' clock.
    #[must_use]
    pub fn at(&self) -> Millis {
        self.id.split('-').next().and_then(|ms| ms.parse().ok()).unwrap_or(0)
    }
}

/// Who reads the outbox.
#[derive(Debug, Clone)]
pub struct Lease(pub String);

/// An entry has one event, or several of payments that were settled together: each begins with its `event` field.
pub(super) fn events(value: &Value) -> Vec<Event> {
    let mut all = Vec::new();
    for entry in items_of(value) {
        let parts = items_of(entry);
        let (Some(id), Some(pairs)) = (parts.first().and_then(text_of), parts.get(1)) else { continue };
        for (name, value) in orders::fields(pairs) {
            let text = text_of(value).unwrap_or_default();
            if name == "event" {
                all.push(Event { id: id.clone(), kind: EventKind::of(&text), ..Event::default() });
            } else if let Some(event) = all.last_mut() {
                match name.as_str() {
                    "order" => event.order = text,
                    "payment" => event.payment = text.parse().ok(),
                    "for" => event.target = text,
                    "was" => event.was = text.parse().ok(),
                    "log" => event.log = text,
                    _ => {}
                }
            }
        }
    }
    all
}

impl Store {
    /// Takes the outbox's lease, or renews it; says whether it is ours. One lease for all slots: renewing one in each
    /// would write, and sync, sixty-four times as much on an idle shop.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn lease(&self, who: &Lease) -> Result<bool, StoreError> {
        let name = self.names.lease();
        let mut pipe = Pipe::default();
        pipe.cmd(At::Catalog, "SET").arg(&name).arg(&who.0).arg("NX").arg("PX").arg(LEASE_MS);
        pipe.cmd(At::Catalog, "GET").arg(&name);
        pipe.cmd(At::Catalog, "PTTL").arg(&name);
        let answers = self.ask_all(pipe).await?;
        let holder = answers.get(1).and_then(text_of);
        if holder.as_deref() != Some(who.0.as_str()) {
            return Ok(false);
        }
        let left = answers.get(2).and_then(text_of).and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
        if left < LEASE_MS / 2 {
            let _set: i64 = self.ask(At::Catalog, redis::cmd("PEXPIRE").arg(&name).arg(LEASE_MS)).await?;
        }
        Ok(true)
    }

    /// Whether the lease is that one's, without taking it.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn holds(&self, who: &Lease) -> Result<bool, StoreError> {
        let holder: Option<String> = self.ask(At::Catalog, redis::cmd("GET").arg(self.names.lease())).await?;
        Ok(holder.as_deref() == Some(who.0.as_str()))
    }

    /// Gives the lease back, so that another instance need not wait.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn unlease(&self) -> Result<(), StoreError> {
        let _gone: i64 = self.ask(At::Catalog, redis::cmd("DEL").arg(self.names.lease())).await?;
        Ok(())
    }

    /// Events behind the cursors of all slots, oldest first, at most `most` entries a slot.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn unread(&self, most: usize) -> Result<Vec<(Slot, Vec<Event>)>, StoreError> {
        let mut pipe = Pipe::default();
        for slot in Slot::all() {
            pipe.cmd(At::Slot(slot), "GET").arg(self.names.cursor(slot));
        }
        let cursors = self.ask_all(pipe).await?;
        let mut pipe = Pipe::default();
        for (slot, cursor) in Slot::all().zip(&cursors) {
            let from = text_of(cursor).map_or_else(|| "-".to_owned(), |id| format!("({id}"));
            pipe.cmd(At::Slot(slot), "XRANGE").arg(self.names.outbox(slot)).arg(from).arg("+").arg("COUNT").arg(most);
        }
        let answers = self.ask_all(pipe).await?;
        Ok(Slot::all()
            .zip(&answers)
            .map(|(slot, answer)| (slot, events(answer)))
            .filter(|(_, events)| !events.is_empty())
            .collect())
    }

    /// Numbers that payments with that trade number stand with, as events tell that nobody has handled yet; `same` says
    /// whether a channel is of the payment's account.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn unread_of_trade(
        &self,
        trade_no: &str,
        same: impl Fn(&str) -> bool,
    ) -> Result<Vec<String>, StoreError> {
        let mut pipe = Pipe::default();
        for slot in Slot::all() {
            pipe.cmd(At::Slot(slot), "GET").arg(self.names.cursor(slot));
        }
        let from = |cursor: &Value| text_of(cursor).map_or_else(|| "-".to_owned(), |id| format!("({id}"));
        let mut open: Vec<(Slot, String)> = Slot::all().zip(self.ask_all(pipe).await?.iter().map(from)).collect();
        let mut found = Vec::new();
        while !open.is_empty() {
            let mut pipe = Pipe::default();
            for (slot, from) in &open {
                pipe.cmd(At::Slot(*slot), "XRANGE")
                    .arg(self.names.outbox(*slot))
                    .arg(from)
                    .arg("+")
                    .arg("COUNT")
                    .arg(PAGE);
            }
            let mut next = Vec::new();
            for ((slot, _), answer) in open.iter().zip(&self.ask_all(pipe).await?) {
                let events = events(answer);
                if items_of(answer).len() >= PAGE
                    && let Some(last) = events.last()
                {
                    next.push((*slot, format!("({}", last.id)));
                }
                let ours = |event: &Event| {
                    event.payment.as_ref().is_some_and(|trade| trade.number == trade_no && same(&trade.account))
                };
                found.extend(events.into_iter().filter(ours).map(|event| event.order));
            }
            open = next;
        }
        Ok(found)
    }

    /// Moves cursors to the last handled events and trims what is handled and older than `before`.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn handled(&self, last: &[(Slot, String)], before: Millis) -> Result<(), StoreError> {
        let mut pipe = Pipe::default();
        for (slot, id) in last {
            pipe.cmd(At::Slot(*slot), "SET").arg(self.names.cursor(*slot)).arg(id);
            let at = id.split('-').next().and_then(|ms| ms.parse().ok()).unwrap_or(0);
            pipe.cmd(At::Slot(*slot), "XTRIM").arg(self.names.outbox(*slot)).arg("MINID").arg("~").arg(before.min(at));
        }
        self.ask_all(pipe).await.map(drop)
    }

    /// The newest events of every slot, newest first, at most `most` in all.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn recent(&self, most: usize) -> Result<Vec<Event>, StoreError> {
        let mut pipe = Pipe::default();
        for slot in Slot::all() {
            pipe.cmd(At::Slot(slot), "XREVRANGE").arg(self.names.outbox(slot)).arg("+").arg("-").arg("COUNT").arg(most);
        }
        let mut all: Vec<Event> = self.ask_all(pipe).await?.iter().flat_map(events).collect();
        all.sort_by_key(|event| std::cmp::Reverse(event.at()));
        all.truncate(most);
        Ok(all)
    }

    /// Orders that expired since a moment, handled or not, the newest of each slot first; no more than about `most`, and none
    /// beyond the newest [`PAGES`] × [`PAGE`] entries of a slot.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn expired_since(&self, from: Millis, most: usize) -> Result<Vec<OrderId>, StoreError> {
        let mut open: Vec<(Slot, String)> = Slot::all().map(|slot| (slot, "+".to_owned())).collect();
        let mut expired = Vec::new();
        for _ in 0..PAGES {
            let mut pipe = Pipe::default();
            for (slot, to) in &open {
                pipe.cmd(At::Slot(*slot), "XREVRANGE")
                    .arg(self.names.outbox(*slot))
                    .arg(to)
                    .arg(from)
                    .arg("COUNT")
                    .arg(PAGE);
            }
            let answers = self.ask_all(pipe).await?;
            let mut next = Vec::new();
            for ((slot, _), answer) in open.iter().zip(&answers) {
                let events = events(answer);
                if items_of(answer).len() >= PAGE
                    && let Some(last) = events.last()
                {
                    next.push((*slot, format!("({}", last.id)));
                }
                let of =
                    |event: &Event| (event.kind == EventKind::Expired).then(|| event.order.parse::<OrderId>().ok())?;
                expired.extend(events.iter().filter_map(of));
            }
            open = next;
            if open.is_empty() || expired.len() >= most {
                break;
            }
        }
        Ok(expired)
    }

    /// Where each slot's stream stands now: the id of its last event.
    pub(super) async fn stream_ends(&self) -> Result<Vec<String>, StoreError> {
        let mut pipe = Pipe::default();
        for slot in Slot::all() {
            pipe.cmd(At::Slot(slot), "XREVRANGE").arg(self.names.outbox(slot)).arg("+").arg("-").arg("COUNT").arg(1);
        }
        let answers = self.ask_all(pipe).await?;
        Ok(answers
            .iter()
            .map(|answer| events(answer).pop().map_or_else(|| "0-0".to_owned(), |event| event.id))
            .collect())
    }

    /// Hands a text to all instances.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn publish(&self, text: &str) -> Result<(), StoreError> {
        let _: i64 = self.ask(At::Catalog, redis::cmd("PUBLISH").arg(self.names.snapshots()).arg(text)).await?;
        Ok(())
    }

    /// Reads what instances publish, until the link breaks.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn subscribe(
        &self,
    ) -> Result<impl futures_util::Stream<Item = String> + Send + Unpin + use<>, StoreError> {
        use futures_util::StreamExt as _;
        let mut pubsub = self.client.get_async_pubsub().await?;
        pubsub.subscribe(self.names.snapshots()).await?;
        Ok(Box::pin(pubsub.into_on_message().filter_map(|message| async move { message.get_payload::<String>().ok() })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back_and_a_newer_one_stays_what_it_is() {
        for (word, kind) in &KINDS {
            assert_eq!((EventKind::of(word), kind.as_str()), (kind.clone(), *word));
        }
        let newer = EventKind::of("gifted");
        assert_eq!((&newer, newer.as_str()), (&EventKind::Other("gifted".to_owned()), "gifted"));
    }
}
