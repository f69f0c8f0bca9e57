//! A payment, whoever states it, becomes goods or a record.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::channel::{Answer, Asked, Channel, Claim, Step, Terms};
use crate::domain::{
    ActResult, Attempt, AttemptNo, Call, Callback, Order, OrderId, OrderState, Outcome, Payment, PaymentNo, Reason,
    Rejection, Response,
};
use crate::outbound::Outbound;
use crate::shop::once::HOUR_MS;
use crate::shop::{IncidentNote, Shop, ShopError};
use crate::store::StoreError;
use crate::telemetry::{Observation, snapshot::Delivery};

/// How long a gateway may take to answer a question of ours.
pub(in crate::shop) const ASKING: Duration = Duration::from_secs(10);
/// How long while it waits for our answer to its callback: shorter than any gateway's own patience.
const CONFIRMING: Duration = Duration::from_secs(3);
/// How long all questions about one callback may take: gateways whose callbacks prove too little wait for 10 s and more.
const HEARING: Duration = Duration::from_secs(8);
/// How often a gateway is asked about one thing: what it takes to know more than this is not known.
pub(in crate::shop) const QUESTIONS: usize = 4;

/// Asks a gateway once more, and keeps what it says with what it said before.
///
/// # Errors
/// No answer in time, or none but that it is in trouble (429, 5xx); or it was asked too often already.
pub(in crate::shop) async fn ask(
    outbound: &Outbound,
    heard: &mut Vec<Response>,
    call: &Call,
    patience: Duration,
) -> Result<(), ShopError> {
    if heard.len() >= QUESTIONS {
        return Err(ShopError::Gateway("the gateway gives no answer that says enough".to_owned()));
    }
    let answer = outbound.send(call, patience).await.map_err(ShopError::Gateway)?;
    // A gateway in trouble has not said anything about the payment.
    if answer.status >= 500 || answer.status == 429 {
        return Err(ShopError::Gateway(format!("the gateway is in trouble: it answered {}", answer.status)));
    }
    heard.push(answer);
    Ok(())
}

impl Shop {
    /// Settles one payment: one round trip, and what follows of it here (a wake-up, a count) costs none.
    ///
    /// # Errors
    /// Redis cannot do it, or does not say whether it did: the same payment may be settled again.
    pub async fn settle(&self, payment: &Payment) -> Result<Outcome, StoreError> {
        self.health.settles()?;
        let began = Instant::now();
        let outcome = self.store.settle(payment, "").await?;
        self.after(&payment.number, &outcome, began);
        Ok(outcome)
    }

    /// See [`ask`].
    pub(in crate::shop) async fn ask(
        &self,
        heard: &mut Vec<Response>,
        call: &Call,
        patience: Duration,
    ) -> Result<(), ShopError> {
        ask(&self.outbound, heard, call, patience).await
    }

    /// What a callback states, its gateway asked where it proves too little by itself.
    ///
    /// # Errors
    /// The gateway did not answer in time, or Redis did not: the callback is to be repeated.
    pub async fn hear(
        &self,
        channel: &dyn Channel,
        callback: &Callback<'_>,
    ) -> Result<Result<Claim, Rejection>, ShopError> {
        let mut heard = Vec::new();
        let whole = async {
            loop {
                match channel.verify(callback, &heard, self.store.now()) {
                    Ok(Claim::Ask { call, .. }) => self.ask(&mut heard, &call, CONFIRMING).await?,
                    Ok(Claim::Agreed(agreed)) if self.waits(&agreed.number).await? => {
                        self.ask(&mut heard, &agreed.call, CONFIRMING).await?;
                    }
                    Ok(Claim::Agreed(_)) => return Ok(Ok(Claim::Nothing(Reason::StatusNotPaid))),
                    said => return Ok(said),
                }
            }
        };
        let silent = |_| ShopError::Gateway("the gateway did not answer in time".to_owned());
        tokio::time::timeout(HEARING, whole).await.map_err(silent)?
    }

    /// Whether the order of a payment number still waits to be paid.
    async fn waits(&self, number: &str) -> Result<bool, ShopError> {
        let Ok(number) = number.parse::<PaymentNo>() else { return Ok(false) };
        let order = self.store.order(number.order).await?;
        Ok(order.is_some_and(|order| order.state == OrderState::Pending && self.store.now() < order.expires))
    }

    /// A payment as its gateway confirms it, where the channel's terms want that; `None`: the gateway says that it was not
    /// paid, or under another number of its own. Another amount than the callback's is the one that counts.
    ///
    /// # Errors
    /// The gateway did not answer in time, or what it said cannot be read: the callback is to be repeated.
    pub async fn confirm(
        &self,
        channel: &dyn Channel,
        terms: Option<&Terms>,
        payment: Payment,
    ) -> Result<Option<Payment>, ShopError> {
        let Some(terms) = terms.filter(|terms| terms.confirm.is_some()) else { return Ok(Some(payment)) };
        let paid = payment.paid.minor;
        if !terms.wants_confirmed(paid, None) && !terms.wants_confirmed(paid, self.due_for(&payment.number).await?) {
            return Ok(Some(payment));
        }
        let reference = payment.reference.clone().unwrap_or_default();
        let asked = Asked { number: &payment.number, reference: &reference, page: "" };
        match self.inquire(channel, &asked, false, CONFIRMING).await? {
            Some(Answer::Paid(said)) => Ok(Terms::confirmed(&payment, &said)),
            Some(Answer::Mismatch) => Err(ShopError::Gateway("its answer cannot be read".to_owned())),
            _ => Ok(None),
        }
    }

    /// What is due under a payment number, in minor units.
    async fn due_for(&self, number: &str) -> Result<Option<i64>, ShopError> {
        let Ok(number) = number.parse::<PaymentNo>() else { return Ok(None) };
        let order = self.store.order(number.order).await?;
        let attempt = order.as_ref().and_then(|order| order.attempt(number.attempt));
        Ok(attempt.map(|attempt| attempt.due.amount.minor))
    }

    /// What a gateway says of a payment; `None` where it cannot be asked. What a buyer agreed to is taken only where `take`.
    ///
    /// # Errors
    /// It did not answer in time.
    pub(super) async fn inquire(
        &self,
        channel: &dyn Channel,
        asked: &Asked<'_>,
        take: bool,
        patience: Duration,
    ) -> Result<Option<Answer>, ShopError> {
        let mut heard = Vec::new();
        loop {
            match channel.query(asked, &heard, self.store.now()) {
                Some(Answer::Ask(call)) => self.ask(&mut heard, &call, patience).await?,
                Some(Answer::Agreed(agreed)) if take => self.ask(&mut heard, &agreed.call, patience).await?,
                Some(Answer::Agreed(_)) => return Ok(Some(Answer::Unpaid)),
                said => return Ok(said),
            }
        }
    }

    /// A genuine callback came from an address that is not among its channel's: told once an hour.
    pub fn unlisted(&self, channel: &str, address: IpAddr) {
        if !self.is_news(&format!("{channel} unlisted"), HOUR_MS) {
            return;
        }
        self.incident(IncidentNote {
            channel,
            address: &address.to_string(),
            status: 200,
            ..IncidentNote::new(Reason::SourceUnlisted)
        });
    }

    /// What follows every settled payment; `began` is when Redis was asked.
    pub(in crate::shop) fn after(&self, number: &str, outcome: &Outcome, began: Instant) {
        if let Outcome::Delivered(settled) = outcome {
            self.telemetry.record(Observation::Delivered(Delivery {
                order: PaymentNo::order_part(number).to_owned(),
                product: settled.product.to_string(),
                quantity: settled.quantity,
                at: self.store.now(),
                took_us: began.elapsed().as_micros() as u64,
            }));
        }
        if !matches!(outcome, Outcome::Replayed(_)) {
            self.outbox.wake();
        }
    }

    /// Asks the gateways about an order's attempts, the newest first, and settles the first that was paid: a buyer who opened
    /// another way to pay may still have paid by an earlier one.
    ///
    /// # Errors
    /// No channel of it can be asked; or none says that it was paid, and a gateway does not answer.
    pub async fn query(&self, order: &Order) -> Result<ActResult, ShopError> {
        let (mut said, mut silent, mut failed) = (None, None, None);
        for attempt in order.attempts.iter().rev() {
            let word = match self.ask_about(order, attempt).await {
                Ok(Answer::Paid(payment)) => return Ok((&self.settle(&payment).await?).into()),
                Ok(Answer::Unpaid) => ActResult::Unpaid,
                Ok(Answer::Refunded) => ActResult::Refunded,
                Ok(Answer::Unknown) => ActResult::Unknown,
                Ok(Answer::Mismatch | Answer::Ask(_) | Answer::Agreed(_)) => ActResult::Mismatch,
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
            (None, Some(word)) => Ok(word),
            (None, None) => Err(failed.unwrap_or(ShopError::NotFound("attempt"))),
        }
    }

    /// What the gateway says about one attempt.
    pub(super) async fn ask_about(&self, order: &Order, attempt: &Attempt) -> Result<Answer, ShopError> {
        let Attempt { no, due, opened } = attempt;
        let channel = self.channel(&due.channel)?;
        let number = payment_no(order.id, *no);
        let reference = opened.as_ref().map_or("", |opened| opened.reference.as_str());
        let step = opened.as_ref().map(|opened| serde_json::from_str::<Step>(&opened.step));
        let page = match &step {
            Some(Ok(Step::Redirect { url })) => url.as_str(),
            _ => "",
        };
        let asked = Asked { number: &number, reference, page };
        let take = self.waits(&number).await?;
        let named = |error| match error {
            ShopError::Gateway(why) => ShopError::Gateway(format!("channel {}: {why}", due.channel)),
            other => other,
        };
        let Some(said) = self.inquire(channel.as_ref(), &asked, take, ASKING).await.map_err(named)? else {
            if opened.is_none() && self.can_be_asked(&due.channel) {
                // Its gateway never opened it.
                return Ok(Answer::Unknown);
            }
            return Err(ShopError::Conflict(format!("channel {} cannot be asked about payments", due.channel)));
        };
        if matches!(said, Answer::Mismatch) {
            self.incident(IncidentNote {
                channel: &due.channel,
                number: &number,
                ..IncidentNote::new(Reason::QueryMismatch)
            });
        }
        Ok(said)
    }
}

/// The newest way to pay an order.
pub(in crate::shop) fn latest(order: &Order) -> Result<&Attempt, ShopError> {
    order.attempts.last().ok_or(ShopError::NotFound("attempt"))
}

/// The number that an attempt is paid under.
pub(in crate::shop) fn payment_no(id: OrderId, attempt: AttemptNo) -> String {
    PaymentNo { order: id, attempt }.to_string()
}
