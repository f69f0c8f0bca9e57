//! Lost callbacks (补单): a gateway whose callback may not have come is asked about orders near their expiry and after it.
//!
//! One instance at a time, by the outbox's lease. An order that expires unasked, because nobody served when its time was up or
//! because a person let it expire, is asked about then. What is planned is in memory alone: whoever takes over, as after a
//! restart, asks about all that expired within the last hour. What expired before is for `kamid order reconcile --since`.

mod plan;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use self::plan::{MOST, Plan};
use super::settle::latest;
use crate::channel::Asked;
use crate::domain::{ActResult, Millis, Order, OrderId, OrderState, Reason};
use crate::shop::{IncidentNote, Shop, ShopError};
use crate::store::{Event, EventKind, StoreError};

/// Asked first so long before an order expires, and not before it is half a minute old.
const LEAD_MS: u64 = 60_000;
const YOUNG_MS: u64 = 30_000;
/// Asked again so long after it: a payment may have been under way.
const AFTER_MS: [u64; 2] = [20_000, 300_000];
/// Whoever takes over asks about orders that expired so long ago.
const RECALL_MS: u64 = 3_600_000;
/// Orders looked at in one turn.
const LOOKED_AT: usize = 1000;
/// Questions under way at once; of one channel see [`plan::AT_ONCE`].
const AT_ONCE: usize = 256;

/// Orders that expired and that nobody has planned to ask about yet.
#[derive(Default)]
pub(in crate::shop) struct Expired(Mutex<Vec<OrderId>>);

impl Expired {
    /// Some more.
    pub(in crate::shop) fn add(&self, orders: impl IntoIterator<Item = OrderId>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(orders);
    }

    /// Keeps no more than the plan can tell that there are more than it holds: it reads them back when it has room.
    fn trim(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).truncate(MOST + 1);
    }

    /// All of them; none is left.
    fn take(&self) -> Vec<OrderId> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What an order's question came to.
enum Heard {
    /// Nothing more is to be asked.
    Settled,
    /// It is not paid, as far as the gateway knows.
    Unpaid(Millis),
    /// The gateway did not answer, or not so that it can be believed.
    Silent,
    /// There is nobody to ask about any of its attempts.
    Mute(Millis),
}

impl Shop {
    /// Asks until told to stop. One gateway that is slow holds up no other's questions.
    pub(in crate::shop) async fn lost_forever(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let (mut plan, mut questions) = (None, FuturesUnordered::new());
        let mut turns = tokio::time::interval(Duration::from_secs(1));
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = turns.tick() => match self.look_for_lost(&mut plan, AT_ONCE - questions.len()).await {
                    Ok(orders) => questions.extend(orders.into_iter().map(|order| self.heard_of(order))),
                    Err(error) => tracing::debug!(%error, "Asking about lost callbacks has to wait."),
                },
                Some((order, heard)) = questions.next(), if !questions.is_empty() => {
                    if let Some(plan) = &mut plan {
                        self.take_in(plan, &order, heard);
                    }
                }
                _ = stop.changed() => return,
            }
        }
    }

    /// Orders whose expiry the outbox tells of are to be asked about.
    pub(in crate::shop) fn heard_expired(&self, events: &[&Event]) {
        if self.limits.asks_per_second == 0 {
            return;
        }
        let expired = events.iter().filter(|event| event.kind == EventKind::Expired);
        self.expired.add(expired.filter_map(|event| event.order.parse().ok()));
        self.expired.trim();
    }

    /// The orders that are to be asked about now, at most so many.
    async fn look_for_lost(&self, plan: &mut Option<Plan>, most: usize) -> Result<Vec<Order>, ShopError> {
        if !self.reads_outbox().await? {
            *plan = None;
            drop(self.expired.take());
            return Ok(Vec::new());
        }
        let plan = plan.get_or_insert_with(|| Plan::new(self.mute_channels()));
        let now = self.store.now();
        plan.turn(now);
        if plan.has_room_again() {
            for id in self.store.expired_since(now.saturating_sub(RECALL_MS), MOST).await? {
                plan.add(id, now);
            }
            plan.recalled();
        }
        for id in self.store.due(now + LEAD_MS, 64).await? {
            // Spread over the minute, so that a sale's orders are not asked about all at once.
            plan.add(id, now.max(id.created() + YOUNG_MS) + fastrand::u64(0..LEAD_MS / 2));
        }
        for id in self.expired.take() {
            if !plan.add(id, now + fastrand::u64(0..AFTER_MS[0])) {
                plan.overflows();
            }
        }
        self.take_turn(plan, now, most).await
    }

    /// Channels that cannot be asked about any payment.
    fn mute_channels(&self) -> BTreeSet<String> {
        let names = self.channels.list().map(|(name, _)| name);
        names.filter(|name| !self.can_be_asked(name)).map(str::to_owned).collect()
    }

    /// Whether a channel can be asked about a payment that it opened.
    pub(super) fn can_be_asked(&self, name: &str) -> bool {
        self.channels.get(name).is_some_and(|channel| channel.query(&Asked::ANY, &[], self.store.now()).is_some())
    }

    async fn take_turn(&self, plan: &mut Plan, now: Millis, most: usize) -> Result<Vec<Order>, ShopError> {
        let mut asked = Vec::new();
        for _ in 0..LOOKED_AT {
            if asked.len() >= most {
                break;
            }
            let Some(id) = plan.next(now) else { break };
            let order = match self.store.order(id).await {
                Ok(order) => order,
                Err(error) => {
                    plan.silent(id, now);
                    if matches!(error, StoreError::Damaged(_)) {
                        continue;
                    }
                    // Those that were read are asked about all the same; the rest has its turn when Redis answers.
                    return Ok(asked);
                }
            };
            let waits = |order: &Order| matches!(order.state, OrderState::Pending | OrderState::Expired);
            let Some(order) = order.filter(waits) else {
                plan.done(id, now);
                continue;
            };
            match plan.wait(ways(&order), self.limits.asks_per_second) {
                0 => asked.push(order),
                seconds => plan.later(id, now + seconds * 1000),
            }
        }
        Ok(asked)
    }

    fn take_in(&self, plan: &mut Plan, order: &Order, heard: Heard) {
        let (id, now) = (order.id, self.store.now());
        plan.answered(ways(order));
        // Asked under a plan that was given up with the lease: this one asks for itself.
        if !plan.knows(id) {
            return;
        }
        match heard {
            Heard::Unpaid(expires) => match AFTER_MS.iter().map(|after| expires + after).find(|at| *at > now) {
                Some(next) => plan.again(id, next),
                None => plan.done(id, now),
            },
            // Its buyer may still choose another way to pay.
            Heard::Mute(expires) if now < expires => plan.again(id, expires + AFTER_MS[0]),
            Heard::Silent => plan.silent(id, now),
            Heard::Settled | Heard::Mute(_) => plan.done(id, now),
        }
    }

    async fn heard_of(&self, order: Order) -> (Order, Heard) {
        let heard = match self.query(&order).await {
            Ok(ActResult::Unpaid | ActResult::Unknown) => Heard::Unpaid(order.expires),
            Ok(ActResult::Mismatch) => Heard::Silent,
            Ok(result) => {
                if result.is_found() {
                    self.found(&order, result);
                }
                Heard::Settled
            }
            Err(ShopError::Gateway(_) | ShopError::Store(_)) => Heard::Silent,
            Err(_) => Heard::Mute(order.expires),
        };
        (order, heard)
    }

    /// A payment that nobody told of: the shop has it now, and its operator should know that callbacks do not come.
    fn found(&self, order: &Order, result: ActResult) {
        tracing::warn!(order = %order.id, word = %result, "A payment was found by asking its gateway: no callback came.");
        self.incident(IncidentNote {
            channel: latest(order).map_or("", |attempt| attempt.due.channel.as_str()),
            number: order.id.as_str(),
            status: 200,
            ..IncidentNote::new(Reason::CallbackLost)
        });
    }
}

/// The channel of each way to pay an order: each is one question to its gateway.
fn ways(order: &Order) -> impl Iterator<Item = &str> {
    order.attempts.iter().map(|attempt| attempt.due.channel.as_str())
}
