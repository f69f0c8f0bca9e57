//! Lost callbacks (补单): a gateway whose callback may not have come is asked about orders near their expiry and after it.
//!
//! One instance at a time, by the outbox's lease. An order that expires unasked, because nobody served when its time was up or
//! because a person let it expire, is asked about then. What is planned is in memory alone: whoever takes over, as after a
//! restart, asks about all that expired within the last hour. What expired before is for `kamid order reconcile --since`.

mod plan;

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::watch;

use self::plan::{MOST, Plan};
use super::settle::latest;
use super::{IncidentNote, Shop, ShopError};
use crate::channel::Asked;
use crate::domain::{Millis, Order, OrderId, OrderState};
use crate::store::Event;

/// Asked first so long before an order expires, and not before it is half a minute old.
const LEAD_MS: u64 = 60_000;
const YOUNG_MS: u64 = 30_000;
/// Asked again so long after it: a payment may have been under way.
const AFTER_MS: [u64; 2] = [20_000, 300_000];
/// Whoever takes over asks about orders that expired so long ago.
const RECALL_MS: u64 = 3_600_000;
/// Orders looked at, and asked about, in one turn.
const LOOKED_AT: usize = 1000;
const ASKED: usize = 256;
/// Questions under way at once.
const AT_ONCE: usize = 8;

/// What an order's question came to.
enum Heard {
    /// Nothing more is to be asked.
    Settled,
    /// It is not paid, as far as the gateway knows.
    Unpaid(Box<Order>),
    /// The gateway did not answer.
    Silent,
    /// There is nobody to ask about any of its attempts.
    Mute(Millis),
}

impl Shop {
    /// Asks until told to stop.
    pub async fn lost_forever(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut plan = None;
        loop {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
                _ = stop.changed() => return,
            }
            tokio::select! {
                done = self.look_for_lost(&mut plan) => if let Err(error) = done {
                    tracing::debug!(%error, "Asking about lost callbacks has to wait.");
                },
                _ = stop.changed() => return,
            }
        }
    }

    /// Orders whose expiry the outbox tells of are to be asked about.
    pub(super) fn heard_expired(&self, events: &[&Event]) {
        if self.limits.asks_per_second == 0 {
            return;
        }
        let expired = events.iter().filter(|event| event.kind == "expired");
        let mut all = self.expired.lock().unwrap_or_else(PoisonError::into_inner);
        let room = MOST.saturating_sub(all.len());
        all.extend(expired.filter_map(|event| event.order.parse::<OrderId>().ok()).take(room));
    }

    async fn look_for_lost(&self, plan: &mut Option<Plan>) -> Result<(), ShopError> {
        let expired = std::mem::take(&mut *self.expired.lock().unwrap_or_else(PoisonError::into_inner));
        if !self.reads_outbox().await? {
            *plan = None;
            return Ok(());
        }
        let now = self.store.now();
        let plan = match plan {
            Some(plan) => plan,
            None => {
                let mut new = Plan::new(self.mute_channels());
                for id in self.store.expired_since(now.saturating_sub(RECALL_MS), MOST).await? {
                    new.add(id, now);
                }
                plan.insert(new)
            }
        };
        plan.turn(now);
        for id in expired {
            plan.add(id, now + fastrand::u64(0..AFTER_MS[0]));
        }
        for id in self.store.due(now + LEAD_MS, 64).await? {
            // Spread over the minute, so that a sale's orders are not asked about all at once.
            plan.add(id, now.max(id.created() + YOUNG_MS) + fastrand::u64(0..LEAD_MS / 2));
        }
        let asked = self.take_turn(plan, now).await?;
        self.ask_in_turn(plan, asked).await;
        Ok(())
    }

    /// Channels that cannot be asked about any payment.
    fn mute_channels(&self) -> impl Iterator<Item = String> {
        let any = Asked { number: "KO000000000000AAAAAAAA", reference: "any", page: "https://gateway.invalid/any" };
        let is_mute = move |name: &&str| {
            self.channels.get(name).is_some_and(|channel| channel.query(&any, &[], self.store.now()).is_none())
        };
        self.channels.list().map(|(name, _)| name).filter(is_mute).map(str::to_owned)
    }

    /// The orders that are to be asked about now.
    async fn take_turn(&self, plan: &mut Plan, now: Millis) -> Result<Vec<Order>, ShopError> {
        let mut asked = Vec::new();
        for _ in 0..LOOKED_AT {
            if asked.len() >= ASKED {
                break;
            }
            let Some(id) = plan.next(now) else { break };
            let order = match self.store.order(id).await {
                Ok(order) => order,
                Err(error) => {
                    plan.silent(id, now);
                    return Err(error.into());
                }
            };
            let waits = |order: &Order| matches!(order.state, OrderState::Pending | OrderState::Expired);
            let Some(order) = order.filter(waits) else {
                plan.done(id, now);
                continue;
            };
            // Each attempt is one question to its own gateway.
            let ways = order.attempts.iter().map(|(_, due)| due.channel.as_str());
            match plan.wait(ways, self.limits.asks_per_second) {
                0 => asked.push(order),
                seconds => plan.later(id, now + seconds * 1000),
            }
        }
        Ok(asked)
    }

    async fn ask_in_turn(&self, plan: &mut Plan, asked: Vec<Order>) {
        let jobs = futures_util::stream::iter(asked).map(|order| async { (order.id, self.heard_of(order).await) });
        for (id, heard) in jobs.buffer_unordered(AT_ONCE).collect::<Vec<_>>().await {
            let now = self.store.now();
            match heard {
                Heard::Unpaid(order) => match AFTER_MS.iter().map(|after| order.expires + after).find(|at| *at > now) {
                    Some(next) => plan.again(id, next),
                    None => plan.done(id, now),
                },
                // Its buyer may still choose another way to pay.
                Heard::Mute(expires) if now < expires => plan.again(id, expires + AFTER_MS[0]),
                Heard::Silent => plan.silent(id, now),
                Heard::Settled | Heard::Mute(_) => plan.done(id, now),
            }
        }
    }

    async fn heard_of(&self, order: Order) -> Heard {
        match self.query(&order).await {
            Ok(word) if matches!(word.as_str(), "unpaid" | "unknown") => Heard::Unpaid(Box::new(order)),
            Ok(word) if matches!(word.as_str(), "mismatch" | "refunded") => Heard::Settled,
            Ok(word) => {
                if word != "replayed" {
                    self.found(&order, &word);
                }
                Heard::Settled
            }
            Err(ShopError::Gateway(_) | ShopError::Store(_)) => Heard::Silent,
            Err(_) => Heard::Mute(order.expires),
        }
    }

    /// A payment that nobody told of: the shop has it now, and its operator should know that callbacks do not come.
    fn found(&self, order: &Order, word: &str) {
        tracing::warn!(order = %order.id, word, "A payment was found by asking its gateway: no callback came.");
        self.incident(IncidentNote {
            channel: latest(order).map_or("", |(_, due)| due.channel.as_str()),
            reason: "callback_lost",
            advice: "Paid, and no callback came; it was found by asking the gateway and is settled. If this repeats, the gateway cannot reach the notify address: compare it with `kamid channel list`, and look at the proxy in front.",
            number: order.id.as_str(),
            status: 200,
            ..IncidentNote::default()
        });
    }
}
