//! What a person does to an order: accept, refuse, give back, replace, state a payment.

use std::borrow::Cow;

use crate::channel::{Refund, Refunded, is_trade_no};
use crate::domain::order::PaymentRecord;
use crate::domain::{ActResult, Action, Note};
use crate::domain::{Attempt, HistoryLine, Operator, Order, OrderId, Payment, PaymentState, Trade};
use crate::shop::payments::settle::{ASKING, QUESTIONS, latest, payment_no};
use crate::shop::{Shop, ShopError, given};
use crate::store::{Changed, Released, Reviewed};

/// Longest history of one order, in bytes.
const LOG_BYTES: usize = 8192;

/// What the history calls an action; `position` is of the key that is replaced.
fn in_history(action: Action, position: usize) -> Cow<'static, str> {
    match action {
        Action::Replace => format!("replace key {position}").into(),
        _ => action.as_str().into(),
    }
}

impl Shop {
    /// Does it, and writes it into the order's history. Says what came of it.
    ///
    /// # Errors
    /// The order is not in a state for it, the reason is missing, or Redis cannot.
    pub async fn act(&self, id: OrderId, action: Action, note: &Note, by: &Operator) -> Result<ActResult, ShopError> {
        let order = self.store.order(id).await?.ok_or(ShopError::NotFound("order"))?;
        if order.log.len() > LOG_BYTES {
            return Err(ShopError::Conflict("this order's history is full".to_owned()));
        }
        let needs_reason = !matches!(action, Action::Redeliver | Action::Resend | Action::Query);
        if needs_reason {
            given(&note.reason)?;
        }
        let position = note.position.unwrap_or(1);
        let log = HistoryLine::new(self.store.now(), by, &in_history(action, position), &note.reason).to_string();
        let result = match action {
            Action::Approve => reviewed(self.store.approve(id, &log).await?),
            Action::Reject => reviewed(self.store.reject(id, &log).await?),
            Action::Refund => self.refund(&order, note, &log).await,
            Action::MarkPaid => self.mark_paid(&order, note.trade_no.as_deref(), &log).await,
            Action::Replace => self.replace(&order, position, &log).await,
            Action::Redeliver => self.redeliver(&order).await,
            Action::Resend => self.resend(&order).await.map(|()| ActResult::Waiting),
            Action::Expire => self.expire_now(&order, &log).await,
            Action::Query => self.query(&order).await,
        };
        self.outbox.wake();
        if matches!(action, Action::Reject | Action::Refund) {
            self.restock(order.id.slot(), &order.product).await?;
        }
        result
    }

    async fn mark_paid(&self, order: &Order, trade_no: Option<&str>, log: &str) -> Result<ActResult, ShopError> {
        let Attempt { no, due, .. } = latest(order)?;
        // Under the channel's own name, so that the callback of the same payment, when it comes at last, is a replay.
        let (channel, trade_no) = match trade_no {
            Some(no) if is_trade_no(no) => (due.channel.clone(), no.to_owned()),
            Some(_) => {
                return Err(ShopError::Invalid {
                    field: "trade_no",
                    message: "1 to 128 of 0-9 A-Z a-z _ . : -".to_owned(),
                });
            }
            None => ("manual".to_owned(), order.id.to_string()),
        };
        if let Some(holder) = self.claim_trade(&Trade::new(&channel, &trade_no), order.id).await? {
            return Err(ShopError::Conflict(format!("this trade number stands with {holder} already")));
        }
        let number = payment_no(order.id, *no);
        let payment =
            Payment { number: number.clone(), trade_no, paid: due.amount, channel, paid_at: None, reference: None };
        let began = std::time::Instant::now();
        let outcome = self.store.settle_as(&payment, &due.channel, log).await?;
        self.after(&number, &outcome, began);
        Ok((&outcome).into())
    }

    /// Gives the money back through the gateway, if that is asked for, and marks the order.
    async fn refund(&self, order: &Order, note: &Note, log: &str) -> Result<ActResult, ShopError> {
        if !note.gateway {
            return reviewed(self.store.refund(order, None, log).await?);
        }
        let records = self.store.payments(order.id.as_str()).await?;
        let fits = |record: &&PaymentRecord| matches!(record.state, PaymentState::Settled | PaymentState::Held);
        let record = records.iter().find(fits).ok_or_else(|| wrong_state(order.state.as_str()))?;
        self.give_back(order, record, note.reason.trim()).await?;
        let payment = record.trade();
        match self.store.refund(order, Some(&payment), log).await? {
            Reviewed::WrongState(state) => Err(ShopError::Conflict(format!(
                "payment {payment} was given back, and is {state} meanwhile: if it waits among the orphans, mark it there (kamid orphan refund)"
            ))),
            done => reviewed(done),
        }
    }

    /// Asks the gateway to give a payment back. The same number again gives nothing back twice: a kill or a lost answer is
    /// mended by asking once more.
    async fn give_back(&self, order: &Order, record: &PaymentRecord, reason: &str) -> Result<(), ShopError> {
        let channel = self.channel(&record.channel)?;
        let (payment, number) = (record.payment(), format!("R{}", record.number));
        let notify_url = self.site.notify_url(&record.channel);
        // Earlier ones were looked up before these.
        let asked_at = &order.refunds[order.refunds.len().saturating_sub(QUESTIONS - 1)..];
        let by_trade_no = record.stated(order);
        let wish =
            Refund { payment: &payment, number: &number, reason, notify_url: &notify_url, asked_at, by_trade_no };
        let unsure = |why: String| {
            let ask = "do the same again, which gives nothing back twice";
            ShopError::Gateway(format!("whether refund {number} was made is not known ({why}): {ask}"))
        };
        let mut heard = Vec::new();
        let why = loop {
            let now = self.store.now();
            match channel.refund(&wish, &heard, now) {
                Some(Refunded::Ask(call)) => {
                    self.ask(&mut heard, &call, ASKING).await.map_err(|why| unsure(why.to_string()))?;
                }
                Some(Refunded::Dated(call)) => {
                    self.store.note_refund(order.id, now).await?;
                    self.ask(&mut heard, &call, ASKING).await.map_err(|why| unsure(why.to_string()))?;
                }
                Some(Refunded::Done) => return Ok(()),
                Some(Refunded::Pending(why)) => return Err(unsure(why)),
                Some(Refunded::Refused(why)) => break why,
                None => {
                    let text = format!("channel {} cannot give money back: use its console", record.channel);
                    return Err(ShopError::Conflict(text));
                }
            }
        };
        Err(ShopError::Gateway(format!("the gateway refuses refund {number}: {why}")))
    }

    async fn replace(&self, order: &Order, position: usize, log: &str) -> Result<ActResult, ShopError> {
        let at = position.checked_sub(1);
        let bad = at.and_then(|at| order.keys.get(at)).ok_or_else(|| ShopError::Invalid {
            field: "position",
            message: format!("from 1 to {}", order.keys.len()),
        })?;
        match self.store.replace(order, position - 1, bad, log).await? {
            Changed::Done => Ok(ActResult::Replaced),
            Changed::Short => Err(ShopError::Short(0)),
            Changed::Moved => Err(ShopError::Conflict("somebody else changed this order: look again".to_owned())),
            Changed::WrongState(state) => Err(wrong_state(&state)),
        }
    }

    async fn redeliver(&self, order: &Order) -> Result<ActResult, ShopError> {
        self.restock(order.id.slot(), &order.product).await?;
        let order = self.store.order(order.id).await?.ok_or(ShopError::NotFound("order"))?;
        Ok(order.state.into())
    }

    /// Expires an order before its time, with a line for its history.
    pub(in crate::shop) async fn expire_now(&self, order: &Order, log: &str) -> Result<ActResult, ShopError> {
        let keep = self.limits.keep_expired_hours * 3_600_000;
        match self.store.release(order.id, order.expires, keep, log).await? {
            Released::Expired => Ok(ActResult::Expired),
            Released::Waiting | Released::Past => Err(wrong_state(order.state.as_str())),
        }
    }
}

fn reviewed(done: Reviewed) -> Result<ActResult, ShopError> {
    match done {
        Reviewed::Delivered => Ok(ActResult::Delivered),
        Reviewed::Owed => Ok(ActResult::Owed),
        Reviewed::Rejected => Ok(ActResult::Rejected),
        Reviewed::Refunded(_) => Ok(ActResult::Refunded),
        Reviewed::WrongState(state) => Err(wrong_state(&state)),
    }
}

pub(in crate::shop) fn wrong_state(state: &str) -> ShopError {
    ShopError::Conflict(format!("it is {state}: this cannot be done to it"))
}
