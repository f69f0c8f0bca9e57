//! What is found by a hash of itself: idempotency keys, contacts, trade numbers.
//!
//! Each lives in the slot of that hash, apart from its order; the scripts that move money never touch it.

use std::collections::BTreeSet;

use super::at::Pipe;
use super::{At, Store, StoreError, script};
use crate::domain::{Millis, OrderId};
use crate::vault::Index;

/// Most orders remembered for one contact.
const CONTACT_ORDERS: i64 = 200;

/// A trade number that is claimed for an order.
#[derive(Debug, Clone)]
pub struct TradeClaim {
    /// Under what it is to stand.
    pub own: Vec<Index>,
    /// Under what it may stand already.
    pub others: Vec<Index>,
    /// Order id, or the whole number where it is not of our form.
    pub order: String,
}

/// How a request under an Idempotency-Key stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repeat {
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
    pub async fn once(&self, key: Index, body: &str, patience_ms: u64) -> Result<Repeat, StoreError> {
        let (name, patience) = (self.names.once(key), patience_ms.to_string());
        let reply =
            self.run(At::of_hash(key), &script::ONCE, &[&name], &[body.as_bytes(), patience.as_bytes()]).await?;
        match reply.tag.as_str() {
            "run" => Ok(Repeat::Run),
            "running" => Ok(Repeat::Running),
            "other" => Ok(Repeat::Other),
            "done" => Ok(Repeat::Done(reply.text(0)?)),
            _ => Err(reply.unknown()),
        }
    }

    /// Ends such a request: with the answer its repeats get, or, when it failed, as if it had not been.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn once_done(&self, key: Index, answer: Option<&str>, keep_ms: u64) -> Result<(), StoreError> {
        let (mut pipe, at, name) = (Pipe::default(), At::of_hash(key), self.names.once(key));
        match answer {
            Some(answer) => {
                pipe.cmd(at, "HSET").arg(&name).arg("answer").arg(answer);
                pipe.cmd(at, "PEXPIRE").arg(&name).arg(keep_ms);
            }
            None => {
                pipe.cmd(at, "DEL").arg(name);
            }
        }
        self.ask_all(pipe).await.map(drop)
    }

    /// Remembers that a contact made an order.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn remember_contact(&self, contact: Index, order: OrderId, at: Millis) -> Result<(), StoreError> {
        let (mut pipe, place, name) = (Pipe::default(), At::of_hash(contact), self.names.contact(contact));
        pipe.cmd(place, "ZADD").arg(&name).arg(at).arg(order.as_str());
        pipe.cmd(place, "ZREMRANGEBYRANK").arg(&name).arg(0).arg(-(CONTACT_ORDERS + 1));
        self.ask_all(pipe).await.map(drop)
    }

    /// The orders of a contact, newest first.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn orders_of_contact(&self, contact: Index) -> Result<Vec<OrderId>, StoreError> {
        let name = self.names.contact(contact);
        let ids: Vec<String> =
            self.ask(At::of_hash(contact), redis::cmd("ZRANGE").arg(name).arg(0).arg(-1).arg("REV")).await?;
        Ok(ids.iter().filter_map(|id| id.parse().ok()).collect())
    }

    /// Claims trade numbers for orders; for each, what else it stands with already.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn claim_trades(&self, claims: &[TradeClaim]) -> Result<Vec<Vec<String>>, StoreError> {
        let mut pipe = Pipe::default();
        for TradeClaim { own, others, order } in claims {
            for trade in own {
                pipe.cmd(At::of_hash(*trade), "SET").arg(self.names.trade(*trade)).arg(order).arg("NX").arg("GET");
            }
            for trade in others {
                pipe.cmd(At::of_hash(*trade), "GET").arg(self.names.trade(*trade));
            }
        }
        let mut answers = self.ask_all(pipe).await?.into_iter();
        let holders = |claim: &TradeClaim| {
            let of = answers.by_ref().take(claim.own.len() + claim.others.len());
            let all: BTreeSet<String> = of.filter_map(|answer| script::text_of(&answer)).collect();
            all.into_iter().filter(|holder| *holder != claim.order).collect()
        };
        Ok(claims.iter().map(holders).collect())
    }

    /// The numbers that a trade number stands with, under each of these.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn trade_holders(&self, trades: &[Index]) -> Result<Vec<Option<String>>, StoreError> {
        let mut pipe = Pipe::default();
        for trade in trades {
            pipe.cmd(At::of_hash(*trade), "GET").arg(self.names.trade(*trade));
        }
        Ok(self.ask_all(pipe).await?.iter().map(script::text_of).collect())
    }

    /// Gives a trade number to another number, unless somebody did meanwhile; `seen` is what it stood with. Says whether
    /// it did.
    ///
    /// # Errors
    /// Redis cannot do it.
    pub async fn move_trade(&self, trade: Index, seen: Option<&str>, to: &str) -> Result<bool, StoreError> {
        let args = [seen.unwrap_or_default(), to].map(str::as_bytes);
        let reply = self.run(At::of_hash(trade), &script::TRADE, &[&self.names.trade(trade)], &args).await?;
        match reply.tag.as_str() {
            "moved" => Ok(true),
            "other" => Ok(false),
            _ => Err(reply.unknown()),
        }
    }
}
