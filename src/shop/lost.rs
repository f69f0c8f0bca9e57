//! Lost callbacks (补单): a gateway whose callback may not have come is asked about orders near their expiry and after it.
//!
//! One instance at a time, by the outbox's lease. What is planned is in memory alone: after a restart it is planned anew for
//! orders that are still to be paid; those that expired meanwhile are for `kamid order reconcile --since`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::watch;

use super::settle::latest;
use super::{IncidentNote, Shop, ShopError};
use crate::domain::{Millis, Order, OrderId, OrderState};

/// Asked first so long before an order expires, and not before it is half a minute old.
const LEAD_MS: u64 = 60_000;
const YOUNG_MS: u64 = 30_000;
/// Asked again so long after it: a payment may have been under way.
const AFTER_MS: [u64; 2] = [20_000, 300_000];
/// Wait after a gateway that did not answer, doubled each time.
const SILENT_MS: u64 = 15_000;
/// Times that a gateway that does not answer is asked about one order.
const TRIES: u32 = 5;
/// Orders planned at once; of more, the later ones wait for their turn.
const MOST: usize = 20_000;
/// Questions under way at once.
const AT_ONCE: usize = 8;

/// Who is to be asked about when.
#[derive(Default)]
struct Plan {
    by_time: BTreeSet<(Millis, OrderId)>,
    known: HashMap<OrderId, u32>,
    /// Those with nothing left to ask, and until when they are not planned anew: the store still names them as due.
    done: BTreeSet<(Millis, OrderId)>,
}

impl Plan {
    fn add(&mut self, id: OrderId, at: Millis) {
        if self.known.len() < MOST && !self.known.contains_key(&id) {
            self.known.insert(id, 0);
            self.by_time.insert((at, id));
        }
    }

    fn again(&mut self, id: OrderId, at: Millis, tries: u32) {
        self.known.insert(id, tries);
        self.by_time.insert((at, id));
    }

    fn done(&mut self, id: OrderId, now: Millis) {
        self.done.insert((now + 2 * LEAD_MS, id));
    }

    fn forget(&mut self, now: Millis) {
        while let Some((at, id)) = self.done.first().copied().filter(|(at, _)| *at <= now) {
            self.done.remove(&(at, id));
            self.known.remove(&id);
        }
    }

    fn next(&mut self, now: Millis) -> Option<OrderId> {
        let (at, id) = *self.by_time.first()?;
        (at <= now).then(|| self.by_time.pop_first().map(|_| id))?
    }
}

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
        let mut plan = Plan::default();
        loop {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
                _ = stop.changed() => return,
            }
            tokio::select! {
                done = self.ask_about_lost(&mut plan) => if let Err(error) = done {
                    tracing::debug!(%error, "Asking about lost callbacks has to wait.");
                },
                _ = stop.changed() => return,
            }
        }
    }

    async fn ask_about_lost(&self, plan: &mut Plan) -> Result<(), ShopError> {
        if !self.reads_outbox().await? {
            *plan = Plan::default();
            return Ok(());
        }
        let now = self.store.now();
        plan.forget(now);
        for id in self.store.due(now + LEAD_MS, 64).await? {
            // Spread over the minute, so that a sale's orders are not asked about all at once.
            plan.add(id, now.max(id.created() + YOUNG_MS) + fastrand::u64(0..LEAD_MS / 2));
        }
        let (mut asked, mut budget) = (Vec::new(), BTreeMap::<String, u32>::new());
        while let Some(id) = plan.next(now) {
            let order = self.store.order(id).await?;
            let Some(order) = order.filter(|order| matches!(order.state, OrderState::Pending | OrderState::Expired))
            else {
                plan.done(id, now);
                continue;
            };
            // Each attempt is one question to its own gateway.
            let ways = || order.attempts.iter().map(|(_, due)| due.channel.as_str());
            if ways().any(|channel| budget.get(channel).is_some_and(|used| *used >= self.limits.asks_per_second)) {
                plan.again(id, now + 1000, plan.known.get(&id).copied().unwrap_or(0));
            } else {
                for channel in ways() {
                    *budget.entry(channel.to_owned()).or_default() += 1;
                }
                asked.push(order);
            }
            if asked.len() >= 256 {
                break;
            }
        }
        let jobs = futures_util::stream::iter(asked).map(|order| async { (order.id, self.heard_of(order).await) });
        for (id, heard) in jobs.buffer_unordered(AT_ONCE).collect::<Vec<_>>().await {
            let tries = plan.known.get(&id).copied().unwrap_or(0);
            let now = self.store.now();
            match heard {
                Heard::Unpaid(order) => match AFTER_MS.iter().map(|after| order.expires + after).find(|at| *at > now) {
                    Some(next) => plan.again(id, next, 0),
                    None => plan.done(id, now),
                },
                // Its buyer may still choose another way to pay.
                Heard::Mute(expires) if now < expires => plan.again(id, expires + AFTER_MS[0], 0),
                Heard::Silent if tries + 1 < TRIES => plan.again(id, now + (SILENT_MS << tries), tries + 1),
                Heard::Settled | Heard::Silent | Heard::Mute(_) => plan.done(id, now),
            }
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Slot;

    #[test]
    fn each_order_is_planned_once_and_taken_when_its_time_comes() {
        let mut plan = Plan::default();
        let (a, b) = (OrderId::new(Slot::new(1), 5, 7), OrderId::new(Slot::new(2), 5, 8));
        plan.add(a, 20);
        plan.add(b, 10);
        plan.add(a, 1);
        assert_eq!(
            (plan.next(5), plan.next(10), plan.next(10), plan.next(20), plan.next(99)),
            (None, Some(b), None, Some(a), None)
        );
        plan.again(a, 30, 2);
        assert_eq!((plan.next(30), plan.known[&a]), (Some(a), 2));
        plan.done(a, 30);
        plan.forget(31);
        plan.add(a, 31);
        assert_eq!(plan.next(31), None, "nothing is left to ask, though it is still due");
        plan.forget(30 + 2 * LEAD_MS);
        plan.add(a, 32);
        assert_eq!(plan.next(32), Some(a));
    }
}
