//! Payments that no order has: counted for one by a person, or given back.
//!
//! Invariant: one payment counts once. Whoever takes it writes into its record first what it is taken for; what else is
//! known of it, under other numbers or channels of its account, is looked at after that, and what was taken goes back
//! where it cannot be. A kill in between is finished by whoever reads the outbox.

use serde::{Deserialize, Serialize};

use super::settle::{latest, payment_no};
use super::trades::{Elsewhere, TradeNames};
use crate::domain::order::{ADOPT, PaymentRecord};
use crate::domain::text::printable;
use crate::domain::{
    ActResult, HistoryLine, Money, Operator, Order, OrderId, Outcome, Payment, PaymentNo, PaymentState, ReviewKind,
    Trade,
};
use crate::shop::orders::review::wrong_state;
use crate::shop::{Shop, ShopError};
use crate::store::{Event, EventKind, Finish, Finished, ReviewItem, StoreError};

/// How often a trade number is looked at again that somebody else moves at the same moment.
const LOOKS: usize = 4;

/// A payment that waits for a person, as the operator sees it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Waiting {
    /// Why.
    pub kind: ReviewKind,
    /// Order or payment number.
    pub id: String,
    /// `channel|trade number`.
    pub payment: String,
    /// Since when, ms.
    pub since: u64,
    /// How much.
    pub paid: Option<Money>,
}

fn known_already(holder: &str, state: &str) -> ShopError {
    ShopError::Conflict(format!(
        "this payment stands with {} already, where it is {state}: nothing is to be delivered or given back for it once more",
        PaymentNo::order_part(holder)
    ))
}

fn claimed(holder: &str) -> ShopError {
    ShopError::Conflict(format!("this payment is being counted for {holder}: look there, or do the same again for it"))
}

impl Shop {
    /// Extra and orphan payments.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn orphans(&self) -> Result<Vec<Waiting>, ShopError> {
        let mut found = Vec::new();
        for item in self.store.review(1000).await?.into_iter().filter(|item| item.kind != ReviewKind::Held) {
            let ReviewItem { kind, id, payment, since } = item;
            let record = match &payment {
                Some(trade) => self.record(&id, trade).await?,
                None => None,
            };
            let payment = payment.as_ref().map(Trade::to_string).unwrap_or_default();
            found.push(Waiting { kind, id, payment, since, paid: record.map(|record| record.paid) });
        }
        Ok(found)
    }

    async fn record(&self, id: &str, trade: &Trade) -> Result<Option<PaymentRecord>, ShopError> {
        let records = self.store.payments(id).await?;
        Ok(records.into_iter().find(|record| record.trade() == *trade))
    }

    /// Whether an orphan still waits.
    pub(in crate::shop) async fn waits_for_a_person(&self, id: &str, trade: &Trade) -> Result<bool, ShopError> {
        Ok(self.record(id, trade).await?.is_some_and(|record| record.state == PaymentState::Orphan))
    }

    /// Marks an extra or orphan payment as paid back.
    ///
    /// # Errors
    /// It waits no more, or it is known as the payment of an order.
    pub async fn refund_payment(&self, id: &str, payment: &str) -> Result<ActResult, ShopError> {
        let trade = trade_of(payment)?;
        let record = self.record(id, &trade).await?.ok_or(ShopError::NotFound("payment"))?;
        let item = waiting(id, &trade, record.state)?;
        self.only_here(&item, &[id]).await?;
        self.finish(&item, Finish::Refunded).await?;
        self.take_trade(&item, "refunded", id).await?;
        Ok(ActResult::Refunded)
    }

    /// Counts an extra or orphan payment for an order. First its record names the order, then the order is settled with it:
    /// the same call again finishes what a kill in between left, and so does the outbox.
    ///
    /// # Errors
    /// It waits no more, it is known as the payment of an order, or that order is unknown.
    pub async fn adopt(&self, id: &str, payment: &str, order: OrderId, by: &Operator) -> Result<ActResult, ShopError> {
        let trade = trade_of(payment)?;
        let record = self.record(id, &trade).await?.ok_or(ShopError::NotFound("payment"))?;
        let order = self.store.order(order).await?.ok_or(ShopError::NotFound("order"))?;
        if order.id.as_str() == id {
            return Err(ShopError::Conflict("it stands with this very order already".to_owned()));
        }
        let what = format!("{} of {}", record.paid, printable(id, 150));
        let log = HistoryLine::new(self.store.now(), by, ADOPT, &what).to_string();
        if let Some(begun) = record
            .counts_for
            .as_deref()
            .filter(|number| *number != order.id.as_str() && PaymentNo::order_part(number) == order.id.as_str())
        {
            let item = item(ReviewKind::Orphan, id, &trade);
            return self.count_for(&item, &record, begun, &log).await;
        }
        let item = waiting(id, &trade, record.state).map_err(|error| match &record.counts_for {
            Some(number) => known_already(number, record.state.as_str()),
            None => error,
        })?;
        self.only_here(&item, &[id, order.id.as_str()]).await?;
        let target = payment_no(order.id, latest(&order)?.no);
        self.finish(&item, Finish::Adopted { target: &target, log: &log }).await?;
        self.count_for(&item, &record, &target, &log).await
    }

    /// Refuses a payment that is known, or claimed, besides at `ours`; one that is known waits no more.
    async fn only_here(&self, item: &ReviewItem, ours: &[&str]) -> Result<(), ShopError> {
        let trade = the_trade(item)?;
        let TradeNames { own, others } = self.trade_names(trade);
        let (_, holders) = self.holders(trade, &[own, others].concat()).await?;
        match self.known_elsewhere(trade, &holders, ours).await? {
            Elsewhere::Free => Ok(()),
            Elsewhere::Known(holder, state) => {
                self.store.finish_payment(item, Finish::Known { from: None, holder: &holder }).await?;
                Err(known_already(&holder, state.as_str()))
            }
            Elsewhere::Claimed(holder) => Err(claimed(&holder)),
        }
    }

    /// Takes a payment out of the lane.
    async fn finish(&self, item: &ReviewItem, how: Finish<'_>) -> Result<(), ShopError> {
        match self.store.finish_payment(item, how).await? {
            Finished::Done => Ok(()),
            Finished::Known(state) => {
                self.store.finish_payment(item, Finish::Known { from: None, holder: &item.id }).await?;
                Err(known_already(&item.id, &state))
            }
            Finished::WrongState(state, number) if state == "adopted" && number.len() > 2 => {
                Err(known_already(&number, &state))
            }
            Finished::WrongState(state, _) => Err(wrong_state(&state)),
        }
    }

    /// Claims the trade number of a payment that was taken for `holder`; where somebody else has it, what was taken goes
    /// back. `taken` is what the payment's record says now.
    async fn take_trade(&self, item: &ReviewItem, taken: &str, holder: &str) -> Result<(), ShopError> {
        let trade = the_trade(item)?;
        let TradeNames { own, others } = self.trade_names(trade);
        let names = [own.as_slice(), others.as_slice()].concat();
        for _ in 0..LOOKS {
            let (stands, holders) = self.holders(trade, &names).await?;
            match self.known_elsewhere(trade, &holders, &[&item.id, holder]).await? {
                // What was given back may come back into the lane, as long as nobody has the number.
                Elsewhere::Known(other, PaymentState::Refunded) | Elsewhere::Claimed(other) => {
                    self.store.finish_payment(item, Finish::Returned { from: taken }).await?;
                    return Err(claimed(&other));
                }
                Elsewhere::Known(other, state) => {
                    let how = Finish::Known { from: Some(taken), holder: &other };
                    self.store.finish_payment(item, how).await?;
                    return Err(known_already(&other, state.as_str()));
                }
                Elsewhere::Free => {}
            }
            let mut names = own.iter().zip(&stands);
            // The first decides; the others are for whoever looks.
            let Some((first, seen)) = names.next() else { break };
            if self.store.move_trade(*first, seen.as_deref(), holder).await? {
                for (name, seen) in names {
                    self.store.move_trade(*name, seen.as_deref(), holder).await?;
                }
                return Ok(());
            }
        }
        self.store.finish_payment(item, Finish::Returned { from: taken }).await?;
        Err(ShopError::Conflict("somebody else takes this payment at the same moment: look again".to_owned()))
    }

    /// Settles an order's attempt, `target`, with a payment whose record names it.
    async fn count_for(
        &self,
        item: &ReviewItem,
        record: &PaymentRecord,
        target: &str,
        log: &str,
    ) -> Result<ActResult, ShopError> {
        let order = PaymentNo::order_part(target);
        self.take_trade(item, &format!("adopted|{target}"), order).await?;
        let due = match target.parse::<PaymentNo>() {
            Ok(number) => {
                let order = self.store.order(number.order).await?;
                order.and_then(|order| Some(order.attempt(number.attempt)?.due.channel.clone()))
            }
            Err(_) => None,
        };
        let payment = Payment { number: target.to_owned(), ..record.payment() };
        let began = std::time::Instant::now();
        let outcome = self.store.settle_as(&payment, due.as_deref().unwrap_or(&payment.channel), log).await?;
        self.after(target, &outcome, began);
        match outcome {
            // The outbox was quicker.
            Outcome::Replayed(_) => {
                let order = match order.parse() {
                    Ok(id) => self.store.order(id).await?,
                    Err(_) => None,
                };
                Ok(order.map_or(ActResult::Replayed, |order: Order| order.state.into()))
            }
            outcome => Ok((&outcome).into()),
        }
    }

    /// Finishes what a person began: payments whose records name the orders that they are counted for.
    pub(in crate::shop) async fn finish_adopted(&self, events: &[&Event]) -> Result<(), ShopError> {
        for event in events.iter().filter(|event| event.kind == EventKind::Adopted && !event.target.is_empty()) {
            let Some(trade) = &event.payment else { continue };
            let record = self.record(&event.order, trade).await;
            let record = self.past_damage(event, record)?.flatten();
            let stands = |record: &PaymentRecord| record.counts_for.as_deref() == Some(event.target.as_str());
            let Some(record) = record.filter(stands) else { continue };
            let Some(kind) = self.past_damage(event, waited_as(event))? else { continue };
            let item = item(kind, &event.order, trade);
            match self.count_for(&item, &record, &event.target, &event.log).await {
                Ok(_) => {}
                Err(ShopError::Store(error)) if error.retry() => return Err(error.into()),
                Err(error) => {
                    tracing::warn!(%error, order = %event.target, "A payment is not counted for the order that a person named.");
                }
            }
        }
        Ok(())
    }
}

/// A payment as an operator names it.
fn trade_of(payment: &str) -> Result<Trade, ShopError> {
    payment.parse().map_err(|()| ShopError::NotFound("payment"))
}

/// Which payment an item of the lane is.
fn the_trade(item: &ReviewItem) -> Result<&Trade, ShopError> {
    item.payment.as_ref().ok_or(ShopError::NotFound("payment"))
}

fn item(kind: ReviewKind, id: &str, trade: &Trade) -> ReviewItem {
    ReviewItem { kind, id: id.to_owned(), payment: Some(trade.clone()), since: 0 }
}

/// A payment of the lane; one that does not wait there is refused.
fn waiting(id: &str, trade: &Trade, state: PaymentState) -> Result<ReviewItem, ShopError> {
    let kind = ReviewKind::of_payment(state).ok_or_else(|| wrong_state(state.as_str()))?;
    Ok(item(kind, id, trade))
}

/// How a payment waited before a person counted it for an order, by the event that tells of that.
fn waited_as(event: &Event) -> Result<ReviewKind, ShopError> {
    let what = || StoreError::Bug(format!("event {} does not say how its payment waited", event.id));
    Ok(event.was.and_then(ReviewKind::of_payment).ok_or_else(what)?)
}
