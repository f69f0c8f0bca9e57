//! Payments settled together: what comes while Redis is busy with a slot goes to it in one script call.
//!
//! Nobody waits for a batch to fill: the first payment goes at once, and those that come until it is answered go next.
//! A batch is one round trip and one append to the log of Redis, whatever it holds.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use redis::Value;
use tokio::sync::oneshot;

use super::script::{self, ScriptReply, items_of};
use super::{At, Store, StoreError};
use crate::domain::payment::Settled;
use crate::domain::{Due, Origin, Outcome, Payment, PaymentNo, Rejection, Slot};

/// Most payments in one script call: other callers of Redis wait no longer than these take.
const BATCH: usize = 64;

/// A payment that waits for its slot.
struct Asked {
    /// Order id, or the whole number where it is not of our form.
    id: String,
    attempt: String,
    /// `channel|trade number`.
    field: String,
    /// What the attempt must say.
    due: String,
    number: String,
    log: String,
    origin: Origin,
    /// What the attempt must have been opened with; empty where the payment does not say.
    reference: String,
    /// The other channels of the same account, a blank between them.
    twins: String,
    answer: oneshot::Sender<Result<Outcome, StoreError>>,
}

#[derive(Default)]
struct Lane {
    waiting: VecDeque<Asked>,
    /// A batch is under way. One at a time: with two, half as many payments shared a sync, and the slowest waited longer.
    busy: bool,
}

/// One queue for each slot.
pub(super) struct Lanes(Vec<Mutex<Lane>>);

impl Default for Lanes {
    fn default() -> Self {
        Self(Slot::all().map(|_| Mutex::default()).collect())
    }
}

impl Lanes {
    fn with<T>(&self, slot: Slot, act: impl FnOnce(&mut Lane) -> T) -> T {
        let lane = &self.0[usize::from(slot.index())];
        act(&mut lane.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Queues a payment; says whether somebody has to take it from there.
    fn put(&self, slot: Slot, asked: Asked) -> bool {
        self.with(slot, |lane| {
            lane.waiting.push_back(asked);
            !std::mem::replace(&mut lane.busy, true)
        })
    }

    /// The next batch, each of another order; an empty one ends the caller's turn.
    fn take(&self, slot: Slot) -> Vec<Asked> {
        self.with(slot, |lane| {
            let mut batch: Vec<Asked> = Vec::with_capacity(lane.waiting.len().min(BATCH));
            while batch.len() < BATCH
                && let Some(next) = lane.waiting.front()
                && batch.iter().all(|other| other.id != next.id)
                && let Some(next) = lane.waiting.pop_front()
            {
                batch.push(next);
            }
            lane.busy = !batch.is_empty();
            batch
        })
    }
}

impl Store {
    /// Settles one payment that its gateway told: the only round trip of a callback. Running it twice changes nothing.
    ///
    /// # Errors
    /// Redis cannot do it, or does not say whether it did.
    pub async fn settle(&self, payment: &Payment, log: &str) -> Result<Outcome, StoreError> {
        self.settle_by(Origin::Told, payment, &payment.channel, log).await
    }

    /// Settles a payment that a person states, for an attempt of whatever channel `as_channel` names.
    ///
    /// # Errors
    /// As [`Store::settle`].
    pub async fn settle_as(&self, payment: &Payment, as_channel: &str, log: &str) -> Result<Outcome, StoreError> {
        self.settle_by(Origin::Stated, payment, as_channel, log).await
    }

    async fn settle_by(
        &self,
        origin: Origin,
        payment: &Payment,
        as_channel: &str,
        log: &str,
    ) -> Result<Outcome, StoreError> {
        let (id, attempt) = match payment.number.parse::<PaymentNo>() {
            Ok(no) => (no.order.to_string(), no.attempt.as_str().to_owned()),
            Err(_) => (payment.number.clone(), String::new()),
        };
        let slot = Slot::of_number(&id);
        let (answer, answered) = oneshot::channel();
        let asked = Asked {
            id,
            attempt,
            field: payment.trade().to_string(),
            due: Due { channel: as_channel.to_owned(), amount: payment.paid }.to_string(),
            number: payment.number.clone(),
            log: log.to_owned(),
            origin,
            reference: payment.reference.clone().unwrap_or_default(),
            twins: self.accounts.twins(&payment.channel).join(" "),
            answer,
        };
        if self.lanes.put(slot, asked) {
            // Not in the caller's own future: who goes away must not take the others with him.
            tokio::spawn(self.clone().settle_lane(slot));
        }
        answered.await.unwrap_or_else(|_| Err(StoreError::Lost("its batch ended".to_owned())))
    }

    async fn settle_lane(self, slot: Slot) {
        loop {
            let batch = self.lanes.take(slot);
            if batch.is_empty() {
                return;
            }
            match self.settle_batch(slot, &batch).await {
                Ok(replies) => {
                    for (asked, reply) in batch.into_iter().zip(replies) {
                        let _gone = asked
                            .answer
                            .send(ScriptReply::of(&script::SETTLE, reply).and_then(|reply| outcome(&reply)));
                    }
                }
                // One whose data is damaged must not keep the others from being settled.
                Err(error) if !error.retry() && batch.len() > 1 => {
                    for asked in batch {
                        let alone = self.settle_batch(slot, std::slice::from_ref(&asked)).await;
                        let alone = alone.and_then(|mut replies| replies.pop().ok_or_else(short));
                        let _gone = asked.answer.send(
                            alone
                                .and_then(|reply| ScriptReply::of(&script::SETTLE, reply))
                                .and_then(|reply| outcome(&reply)),
                        );
                    }
                }
                Err(error) => {
                    for asked in batch {
                        let _gone = asked.answer.send(Err(error.clone()));
                    }
                }
            }
        }
    }

    /// One script call; as many replies as payments.
    async fn settle_batch(&self, slot: Slot, batch: &[Asked]) -> Result<Vec<Value>, StoreError> {
        let n = self.names;
        let mut keys = vec![n.due(slot), n.outbox(slot), n.review(slot), n.marks(slot)];
        keys.extend(batch.iter().flat_map(|asked| [n.order_of(&asked.id), n.pay(&asked.id)]));
        let now = self.now().to_string();
        let mut args: Vec<&[u8]> = vec![now.as_bytes()];
        for Asked { id, attempt, field, due, number, log, origin, reference, twins, .. } in batch {
            args.extend(
                [id.as_str(), attempt, field, due, number, log, origin.mark(), reference, twins].map(str::as_bytes),
            );
        }
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let answer = self.run_for_value(At::Slot(slot), &script::SETTLE, &keys, &args).await?;
        let mut replies = items_of(&answer).to_vec();
        let entry = replies.pop().as_ref().and_then(script::text_of).ok_or_else(short)?;
        if let Ok(entry) = entry.parse() {
            self.places.acknowledged(slot, entry);
        }
        if replies.len() == batch.len() { Ok(replies) } else { Err(short()) }
    }
}

fn short() -> StoreError {
    StoreError::Bug("settle.lua answered for another number of payments".to_owned())
}

/// Why a payment bought nothing: the word behind the tag.
fn reason(reply: &ScriptReply) -> Result<Rejection, StoreError> {
    let word = reply.text(0)?;
    let ours = [
        Rejection::AmountMismatch,
        Rejection::CurrencyMismatch,
        Rejection::ChannelMismatch,
        Rejection::OrderMismatch,
        Rejection::OrderUnknown,
    ];
    ours.into_iter().find(|reason| reason.as_str() == word).ok_or_else(|| reply.unknown())
}

/// What a payment's reply says.
fn outcome(reply: &ScriptReply) -> Result<Outcome, StoreError> {
    let settled = |at: usize| -> Result<Settled, StoreError> {
        Ok(Settled { product: reply.parsed(at)?, quantity: reply.parsed(at + 1)?, created: reply.parsed(at + 2)? })
    };
    match reply.tag.as_str() {
        "delivered" => Ok(Outcome::Delivered(settled(0)?)),
        "owed" => Ok(Outcome::Owed(settled(0)?)),
        "extra" => Ok(Outcome::Extra(settled(0)?)),
        "held" => Ok(Outcome::Held(reason(reply)?, settled(1)?)),
        "replayed" => Ok(Outcome::Replayed(reply.parsed(0)?)),
        "orphan" => Ok(Outcome::Orphan(reason(reply)?)),
        _ => Err(reply.unknown()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_the_script_does_not_say_is_a_bug_and_no_reason() {
        let said = |words: &[&str]| {
            let words = words.iter().map(|word| Value::BulkString(word.as_bytes().to_vec())).collect();
            ScriptReply::of(&script::SETTLE, Value::Array(words)).and_then(|reply| outcome(&reply))
        };
        let held = said(&["held", "currency_mismatch", "p", "1", "5"]);
        assert!(matches!(held, Ok(Outcome::Held(Rejection::CurrencyMismatch, _))), "{held:?}");
        let orphan = said(&["orphan", "order_unknown"]);
        assert!(matches!(orphan, Ok(Outcome::Orphan(Rejection::OrderUnknown))), "{orphan:?}");
        for wrong in [&["held", "moved", "p", "1", "5"][..], &["orphan", "later"], &["orphan"], &["sold"]] {
            assert!(matches!(said(wrong), Err(StoreError::Bug(_))), "{wrong:?}");
        }
    }
}
