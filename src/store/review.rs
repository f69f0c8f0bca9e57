//! What a person does with held, owed and delivered orders, and with payments that have no order.

use super::at::Pipe;
use super::script::{self, ScriptReply, items_of, text_of};
use super::{At, Store, StoreError};
use crate::domain::{Order, OrderId, ReviewKind, Slot, Trade};

/// What became of a person's decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reviewed {
    /// The order is delivered.
    Delivered,
    /// The order waits for stock.
    Owed,
    /// The payment is refused.
    Rejected,
    /// The order is marked as refunded; so many keys were burned.
    Refunded(u64),
    /// It stands elsewhere by now; the word says where.
    WrongState(String),
}

/// What became of replacing a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// A fresh key stands in its place.
    Done,
    /// No key is free.
    Short,
    /// Somebody else changed it meanwhile.
    Moved,
    /// The order is not delivered; the word says what it is.
    WrongState(String),
}

/// Something that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewItem {
    /// Why.
    pub kind: ReviewKind,
    /// Order number, or the whole payment number where it is not ours.
    pub id: String,
    /// Which payment; `None` for a held order.
    pub payment: Option<Trade>,
    /// Since when, ms.
    pub since: u64,
}

/// How an extra or orphan payment is finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish<'a> {
    /// It was paid back.
    Refunded,
    /// It is counted for an order's attempt; what that brings is still to be done.
    Adopted {
        /// The payment number that it is counted for.
        target: &'a str,
        /// A line for that order's history.
        log: &'a str,
    },
    /// It is known as a payment of that order already, and waits for nothing.
    Known {
        /// What its record says now, where that is not what the lane says.
        from: Option<&'a str>,
        /// Order id, or the whole number where it is not of our form.
        holder: &'a str,
    },
    /// It goes back into the lane: it cannot be what its record says.
    Returned {
        /// What its record says now.
        from: &'a str,
    },
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finished {
    /// It is done, now or before.
    Done,
    /// Another channel of its account brought the same payment under this number; the word says where that stands.
    Known(String),
    /// It stands elsewhere by now: the word, and the payment number that it is counted for where it is.
    WrongState(String, String),
}

fn reviewed(reply: &ScriptReply) -> Result<Reviewed, StoreError> {
    match reply.tag.as_str() {
        "delivered" => Ok(Reviewed::Delivered),
        "owed" => Ok(Reviewed::Owed),
        "rejected" => Ok(Reviewed::Rejected),
        "refunded" => Ok(Reviewed::Refunded(reply.parsed(0)?)),
        "wrong_state" => Ok(Reviewed::WrongState(reply.text(0)?)),
        _ => Err(reply.unknown()),
    }
}

impl Store {
    /// Accepts a held payment.
    ///
    /// # Errors
    /// Redis cannot do it.
    pub async fn approve(&self, id: OrderId, log: &str) -> Result<Reviewed, StoreError> {
        let (slot, n) = (id.slot(), self.names);
        let keys = [n.order(id), n.pay(id.as_str()), n.outbox(slot), n.review(slot), n.marks(slot)];
        let now = self.now().to_string();
        let args = [now.as_str(), id.as_str(), log].map(str::as_bytes);
        reviewed(&self.run(At::Slot(slot), &script::APPROVE, &keys.each_ref().map(String::as_str), &args).await?)
    }

    /// Refuses a held payment.
    ///
    /// # Errors
    /// Redis cannot do it.
    pub async fn reject(&self, id: OrderId, log: &str) -> Result<Reviewed, StoreError> {
        let (slot, n) = (id.slot(), self.names);
        let keys = [n.order(id), n.outbox(slot), n.review(slot)];
        let args = [id.as_str(), log].map(str::as_bytes);
        reviewed(&self.run(At::Slot(slot), &script::REJECT, &keys.each_ref().map(String::as_str), &args).await?)
    }

    /// Marks an order as refunded and burns its keys; `given`: the payment that was given back, which must still stand for the
    /// order.
    ///
    /// # Errors
    /// Redis cannot do it.
    pub async fn refund(&self, order: &Order, given: Option<&Trade>, log: &str) -> Result<Reviewed, StoreError> {
        let (id, slot, n) = (order.id, order.id.slot(), self.names);
        let keys = [
            n.order(id),
            n.pay(id.as_str()),
            n.outbox(slot),
            n.review(slot),
            n.marks(slot),
            n.burned(slot, &order.product),
        ];
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let given = given.map(Trade::to_string).unwrap_or_default();
        let args = [id.as_str(), log, &given].map(str::as_bytes);
        reviewed(&self.run(At::Slot(slot), &script::REFUND, &keys, &args).await?)
    }

    /// Replaces the key at `position` (from 0) of a delivered order and burns it.
    ///
    /// # Errors
    /// Redis cannot do it.
    pub async fn replace(&self, order: &Order, position: usize, bad: &[u8], log: &str) -> Result<Changed, StoreError> {
        let (id, slot, n) = (order.id, order.id.slot(), self.names);
        let keys = [n.order(id), n.burned(slot, &order.product), n.outbox(slot)];
        let position = (position + 1).to_string();
        let args: [&[u8]; 4] = [position.as_bytes(), bad, id.as_str().as_bytes(), log.as_bytes()];
        let reply =
            self.run(At::Slot(id.slot()), &script::REPLACE, &keys.each_ref().map(String::as_str), &args).await?;
        match reply.tag.as_str() {
            "replaced" => Ok(Changed::Done),
            "short" => Ok(Changed::Short),
            "changed" => Ok(Changed::Moved),
            "wrong_state" => Ok(Changed::WrongState(reply.text(0)?)),
            _ => Err(reply.unknown()),
        }
    }

    /// Finishes an extra or orphan payment.
    ///
    /// # Errors
    /// Redis cannot do it.
    pub async fn finish_payment(&self, item: &ReviewItem, how: Finish<'_>) -> Result<Finished, StoreError> {
        let (slot, n) = (Slot::of_number(&item.id), self.names);
        let keys = [n.pay(&item.id), n.review(slot), n.outbox(slot)];
        let kind = item.kind.as_str();
        let (from, to, target, event, log) = match how {
            Finish::Refunded => (kind, "refunded", "", "refunded", ""),
            Finish::Adopted { target, log } => (kind, "adopted", target, "adopted", log),
            Finish::Known { from, holder } => (from.unwrap_or(kind), "adopted", holder, "known", ""),
            Finish::Returned { from } => (from, kind, "", "returned", ""),
        };
        let twins = item.payment.as_ref().map(|trade| self.accounts.twins(&trade.account).join(" "));
        let (now, twins) = (self.now().to_string(), twins.unwrap_or_default());
        let payment = item.payment.as_ref().map(Trade::to_string).unwrap_or_default();
        let args = [&payment, from, to, &item.id, target, event, log, &now, &twins].map(str::as_bytes);
        let reply = self.run(At::Slot(slot), &script::PAYMENT, &keys.each_ref().map(String::as_str), &args).await?;
        match reply.tag.as_str() {
            "done" => Ok(Finished::Done),
            "known" => Ok(Finished::Known(reply.text(0)?)),
            "wrong_state" => Ok(Finished::WrongState(reply.text(0)?, reply.text(1)?)),
            _ => Err(reply.unknown()),
        }
    }

    /// How much waits for a person.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn waiting(&self) -> Result<u64, StoreError> {
        let mut pipe = Pipe::default();
        for slot in Slot::all() {
            pipe.cmd(At::Slot(slot), "ZCARD").arg(self.names.review(slot));
        }
        let counts = self.ask_all(pipe).await?;
        Ok(counts.iter().filter_map(text_of).filter_map(|count| count.parse::<u64>().ok()).sum())
    }

    /// Everything that waits for a person, oldest first, at most `most` from each slot.
    ///
    /// # Errors
    /// Redis does not answer, or something waits there of a kind that no script writes.
    pub async fn review(&self, most: usize) -> Result<Vec<ReviewItem>, StoreError> {
        let mut pipe = Pipe::default();
        for slot in Slot::all() {
            pipe.cmd(At::Slot(slot), "ZRANGE")
                .arg(self.names.review(slot))
                .arg(0)
                .arg(most.max(1) - 1)
                .arg("WITHSCORES");
        }
        let mut items: Vec<ReviewItem> = Vec::new();
        for answer in self.ask_all(pipe).await? {
            // RESP2 gives one flat list: member, score, member, score.
            for pair in items_of(&answer).chunks_exact(2) {
                let (Some(member), Some(score)) = (text_of(&pair[0]), text_of(&pair[1])) else { continue };
                let mut parts = member.splitn(3, ':');
                let mut part = || parts.next().unwrap_or_default();
                let kind = part()
                    .parse::<ReviewKind>()
                    .map_err(|()| StoreError::Bug(format!("{member:?} waits for a person")))?;
                let since = score.parse::<f64>().unwrap_or_default() as u64;
                items.push(ReviewItem { kind, id: part().to_owned(), payment: part().parse().ok(), since });
            }
        }
        items.sort_by_key(|item| item.since);
        Ok(items)
    }
}
