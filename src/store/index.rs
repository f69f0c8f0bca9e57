//! What is found by a hash of itself: idempotency keys, contacts, trade numbers.
//!
//! Each lives in the slot of that hash, apart from its order; the scripts that move money never touch it.

use super::{Store, StoreError, script};
use crate::domain::{Millis, OrderId};

/// Most orders remembered for one contact.
const CONTACT_ORDERS: i64 = 200;

/// How a request under an Idempotency-Key stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Once {
    /// It is the first: do it.
    Run,
    /// The first one still runs.
    Running,
    /// The key was used for another request.
    Other,
    /// It was done, with this answer.
    Done(String),
}

impl Store {
    /// Begins a request under an Idempotency-Key.
    ///
    /// # Errors
    /// Redis cannot do it.
    pub async fn once(&self, name: &str, body: &str, patience_ms: u64) -> Result<Once, StoreError> {
        let patience = patience_ms.to_string();
        let reply = self.run(&script::ONCE, &[name], &[body.as_bytes(), patience.as_bytes()]).await?;
        match reply.tag.as_str() {
            "run" => Ok(Once::Run),
            "running" => Ok(Once::Running),
            "other" => Ok(Once::Other),
            "done" => Ok(Once::Done(reply.text(0)?)),
            _ => Err(reply.unknown()),
        }
    }

    /// Ends such a request: with the answer its repeats get, or, when it failed, as if it had not been.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn once_done(&self, name: &str, answer: Option<&str>, keep_ms: u64) -> Result<(), StoreError> {
        let mut pipe = redis::pipe();
        match answer {
            Some(answer) => {
                pipe.cmd("HSET").arg(name).arg("answer").arg(answer);
                pipe.cmd("PEXPIRE").arg(name).arg(keep_ms);
            }
            None => {
                pipe.cmd("DEL").arg(name);
            }
        }
        self.ask_all(&pipe).await.map(drop)
    }

    /// Remembers that a contact made an order.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn remember_contact(&self, name: &str, order: OrderId, at: Millis) -> Result<(), StoreError> {
        let mut pipe = redis::pipe();
        pipe.cmd("ZADD").arg(name).arg(at).arg(order.as_str());
        pipe.cmd("ZREMRANGEBYRANK").arg(name).arg(0).arg(-(CONTACT_ORDERS + 1));
        self.ask_all(&pipe).await.map(drop)
    }

    /// The orders of a contact, newest first.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn orders_of_contact(&self, name: &str) -> Result<Vec<OrderId>, StoreError> {
        let ids: Vec<String> = self.ask(redis::cmd("ZRANGE").arg(name).arg(0).arg(-1).arg("REV")).await?;
        Ok(ids.iter().filter_map(|id| id.parse().ok()).collect())
    }

    /// Claims trade numbers for orders, each `(name, order)`; for each that stands with another order already, that one.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn claim_trades(&self, trades: &[(String, String)]) -> Result<Vec<Option<String>>, StoreError> {
        let mut pipe = redis::pipe();
        for (name, order) in trades {
            pipe.cmd("SET").arg(name).arg(order).arg("NX").arg("GET");
        }
        let answers = self.ask_all(&pipe).await?;
        let other = |(value, (_, order)): (&redis::Value, &(String, String))| {
            script::text_of(value).filter(|holder| holder != order)
        };
        Ok(answers.iter().zip(trades).map(other).collect())
    }

    /// The number that a trade number stands with.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn order_of_trade(&self, name: &str) -> Result<Option<String>, StoreError> {
        self.ask(redis::cmd("GET").arg(name)).await
    }

    /// Gives a trade number to another order: a person used the payment for it.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn move_trade(&self, name: &str, order: OrderId) -> Result<(), StoreError> {
        let _: String = self.ask(redis::cmd("SET").arg(name).arg(order.as_str())).await?;
        Ok(())
    }
}
