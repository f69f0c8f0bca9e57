//! A payment, whoever states it, becomes goods or a record.

use std::net::IpAddr;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::{IncidentNote, Shop, ShopError};
use crate::channel::{Answer, Asked, Channel, Terms};
use crate::domain::{Attempt, Call, Due, Order, OrderId, Outcome, Payment, PaymentNo, Response};
use crate::store::StoreError;
use crate::telemetry::{Event, snapshot::Delivery};

/// How long a gateway may take to answer a question of ours.
pub(super) const ASKING: Duration = Duration::from_secs(10);
/// How long while it waits for our answer to its callback: shorter than any gateway's own patience.
const CONFIRMING: Duration = Duration::from_secs(3);

impl Shop {
    /// Settles one payment: one round trip, and what follows of it here (a wake-up, a count) costs none.
    ///
    /// # Errors
    /// Redis cannot do it, or does not say whether it did: the same payment may be settled again.
    pub async fn settle(&self, payment: &Payment) -> Result<Outcome, StoreError> {
        let began = Instant::now();
        let outcome = self.store.settle(payment, "").await?;
        self.after(&payment.number, &outcome, began);
        Ok(outcome)
    }

    /// Asks the gateway what a callback proves too little of.
    ///
    /// # Errors
    /// No answer in time: the callback is to be repeated.
    pub async fn confirm(&self, call: &Call) -> Result<Response, ShopError> {
        self.outbound.send(call, CONFIRMING).await.map_err(ShopError::Gateway)
    }

    /// A payment as its gateway confirms it, where the channel's terms want that; `None`: the gateway says that it was not
    /// paid. Another amount than the callback's is the one that counts.
    ///
    /// # Errors
    /// The gateway did not answer in time: the callback is to be repeated.
    pub async fn confirmed(
        &self,
        channel: &dyn Channel,
        terms: Option<&Terms>,
        payment: Payment,
    ) -> Result<Option<Payment>, ShopError> {
        if terms.and_then(|terms| terms.confirm).is_none_or(|from| payment.paid.minor < from) {
            return Ok(Some(payment));
        }
        let reference = payment.reference.clone().unwrap_or_default();
        let asked = Asked { number: &payment.number, reference: &reference };
        let Some(call) = channel.query(&asked, self.store.now()) else {
            return Ok(None);
        };
        let answer = self.confirm(&call).await?;
        match channel.answer(&asked, &answer, self.store.now()) {
            Answer::Paid(said) => Ok(Some(Payment { paid: said.paid, ..payment })),
            Answer::Unpaid | Answer::Refunded | Answer::Unknown | Answer::Mismatch => Ok(None),
        }
    }

    /// A genuine callback came from an address that is not among its channel's: told once an hour.
    pub fn unlisted(&self, channel: &str, address: IpAddr) {
        let now = self.store.now();
        let mut told = self.unlisted.lock().unwrap_or_else(PoisonError::into_inner);
        let last = told.entry(channel.to_owned()).or_default();
        if now.saturating_sub(*last) < 3_600_000 {
            return;
        }
        *last = now;
        drop(told);
        self.incident(IncidentNote {
            channel,
            reason: "source_unlisted",
            advice: "A genuine callback came from an address that is not among the channel's sources: add it, or see whether a proxy hides the gateway's own.",
            address: &address.to_string(),
            status: 200,
            ..IncidentNote::default()
        });
    }

    /// What follows every settled payment; `began` is when Redis was asked.
    pub(super) fn after(&self, number: &str, outcome: &Outcome, began: Instant) {
        if let Outcome::Delivered(settled) = outcome {
            self.telemetry.record(Event::Delivered(Delivery {
                order: number.get(..20).unwrap_or(number).to_owned(),
                product: settled.product.to_string(),
                quantity: settled.quantity,
                at: self.store.now(),
                took_us: began.elapsed().as_micros() as u64,
            }));
        }
        if !matches!(outcome, Outcome::Replayed(_)) {
            self.outbox.notify_one();
        }
    }

    /// Asks the gateways about an order's attempts, the newest first, and settles the first that was paid: a buyer who opened
    /// another way to pay may still have paid by an earlier one.
    ///
    /// # Errors
    /// No channel of it can be asked; or none says that it was paid, and a gateway does not answer.
    pub async fn query(&self, order: &Order) -> Result<String, ShopError> {
        let (mut said, mut silent, mut failed) = (None, None, None);
        for (attempt, due) in order.attempts.iter().rev() {
            let word = match self.ask_about(order, *attempt, due).await {
                Ok(Answer::Paid(payment)) => return Ok(self.settle(&payment).await?.as_str().to_owned()),
                Ok(Answer::Unpaid) => "unpaid",
                Ok(Answer::Refunded) => "refunded",
                Ok(Answer::Unknown) => "unknown",
                Ok(Answer::Mismatch) => "mismatch",
                Err(error @ ShopError::Gateway(_)) => {
                    silent.get_or_insert(error);
                    continue;
                }
                Err(error) => {
                    failed.get_or_insert(error);
                    continue;
                }
            };
            said.get_or_insert(word);
        }
        match (silent, said) {
            (Some(error), _) => Err(error),
            (None, Some(word)) => Ok(word.to_owned()),
            (None, None) => Err(failed.unwrap_or(ShopError::NotFound("attempt"))),
        }
    }

    /// What the gateway says about one attempt.
    pub(super) async fn ask_about(&self, order: &Order, attempt: Attempt, due: &Due) -> Result<Answer, ShopError> {
        let channel = self.channel(&due.channel)?;
        let number = payment_no(order.id, attempt);
        let reference = order.opening(attempt).map_or("", |opened| opened.reference.as_str());
        let asked = Asked { number: &number, reference };
        let Some(call) = channel.query(&asked, self.store.now()) else {
            return Err(ShopError::Conflict(format!("channel {} cannot be asked about payments", due.channel)));
        };
        let answer = self.outbound.send(&call, ASKING).await.map_err(ShopError::Gateway)?;
        let said = channel.answer(&asked, &answer, self.store.now());
        if matches!(said, Answer::Mismatch) {
            self.incident(IncidentNote {
                channel: &due.channel,
                reason: "query_mismatch",
                advice: "The gateway's answer is about something else or cannot be read: look at the order in its console.",
                number: &number,
                ..IncidentNote::default()
            });
        }
        Ok(said)
    }
}

/// The newest way to pay an order.
pub(super) fn latest(order: &Order) -> Result<(Attempt, &Due), ShopError> {
    order.attempts.last().map(|(attempt, due)| (*attempt, due)).ok_or(ShopError::NotFound("attempt"))
}

/// The number of the newest attempt.
pub(super) fn payment_no(id: OrderId, attempt: Attempt) -> String {
    PaymentNo { order: id, attempt }.to_string()
}
