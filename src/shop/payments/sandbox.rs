//! The sandbox's buttons: in test mode, callbacks as a gateway would send them, over real HTTP to our own listener.

use std::time::Duration;

use super::settle::{latest, payment_no};
use crate::domain::Pay;
use crate::domain::{AttemptNo, Call, Due, Money, Order, OrderId, Payment};
use crate::shop::site::notify_path;
use crate::shop::{Shop, ShopError};
use crate::vault;

impl Shop {
    /// Sends the callbacks of one way to pay; says what the gateway heard of each.
    ///
    /// # Errors
    /// Not in test mode, no such order, none of the sandbox's, or our own listener does not answer.
    pub async fn sandbox_pay(
        &self,
        id: OrderId,
        attempt: Option<AttemptNo>,
        how: Pay,
    ) -> Result<Vec<String>, ShopError> {
        let order = self.store.order(id).await?.ok_or(ShopError::NotFound("order"))?;
        let attempt = match attempt {
            Some(attempt) => attempt,
            None => latest(&order)?.no,
        };
        self.trial_due(&order, attempt)?;
        if how == Pay::Late {
            // One that is not pending any more is paid as it stands.
            match self.expire_now(&order, "").await {
                Ok(_) | Err(ShopError::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let first = self.send(&order, attempt, how).await?;
        Ok(match how {
            Pay::Twice => vec![first.0, self.repeat(&first.1).await?, self.send(&order, attempt, how).await?.0],
            _ => vec![first.0],
        })
    }

    /// What is due of an attempt that the sandbox's buttons are for: never one of a real gateway, whose callbacks only the
    /// gateway signs.
    ///
    /// # Errors
    /// Not in test mode, no such attempt, or a real gateway's.
    pub fn trial_due<'a>(&self, order: &'a Order, attempt: AttemptNo) -> Result<&'a Due, ShopError> {
        if !self.is_test() {
            return Err(ShopError::Conflict("only in test mode".to_owned()));
        }
        let due = order.attempt(attempt).map(|attempt| &attempt.due).ok_or(ShopError::NotFound("attempt"))?;
        if !self.channels.is_trial(&due.channel) {
            let text = format!(
                "this order is to be paid through {:?}, a real gateway: only orders of the sandbox are paid by its buttons (order new --channel sandbox)",
                due.channel
            );
            return Err(ShopError::Conflict(text));
        }
        Ok(due)
    }

    async fn send(&self, order: &Order, attempt: AttemptNo, how: Pay) -> Result<(String, Call), ShopError> {
        let due = self.trial_due(order, attempt)?;
        let less = i64::from(how == Pay::Less);
        let payment = Payment {
            number: payment_no(order.id, attempt),
            trade_no: format!("sandbox-{:x}", vault::chance()? >> 64),
            paid: Money { minor: due.amount.minor - less, ..due.amount },
            channel: due.channel.clone(),
            paid_at: None,
            // As a gateway would: the number that the attempt was opened with.
            reference: order.opening(attempt).map(|opened| opened.reference.clone()),
        };
        let mut request = self.channel(&due.channel)?.forge(&payment, self.store.now());
        if how == Pay::Forge {
            // The amount is changed behind the signature's back.
            let bent = |text: &str| text.replacen("paid", "PAID", 1).replacen("TRADE_SUCCESS", "TRADE_SUCCES5", 1);
            request.query = bent(&request.query);
            request.body = bent(&String::from_utf8_lossy(&request.body)).into_bytes();
        }
        let base = self.own_url().ok_or_else(|| ShopError::Gateway("the public listener is not up yet".to_owned()))?;
        let mark = if request.query.is_empty() { "" } else { "?" };
        let url = format!("{base}{}{mark}{}", notify_path(&due.channel), request.query);
        let call =
            Call { method: request.method, url, headers: request.headers, body: request.body, ..Call::default() };
        Ok((self.repeat(&call).await?, call))
    }

    async fn repeat(&self, call: &Call) -> Result<String, ShopError> {
        let answer = self.outbound.send(call, Duration::from_secs(10)).await.map_err(ShopError::Gateway)?;
        Ok(format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body)))
    }
}
