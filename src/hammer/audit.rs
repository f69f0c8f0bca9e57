//! What the gateway was told, held against what is stored. Nothing is taken on trust: every order is looked up.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::HammerError;
use super::engine::Sent;
use super::mix::{RequestKind, Ticket};
use super::stats::RequestResult;
use super::target::Prepared;
use crate::domain::{OrderState, PaymentState, Stock, Violation};
use crate::wire::orders::{LookWish, OrderLook};
use crate::wire::payments::PaymentView;
use crate::wire::{LookAtOrders, Nothing, ShowInfo, ShowProduct};

/// Most violations listed; the count goes on.
const LISTED: usize = 1000;
/// Orders looked up by one request.
const BATCH: usize = 500;

/// What an audit found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Audit {
    /// Orders looked up.
    pub orders: u64,
    /// Where they stand.
    pub states: std::collections::BTreeMap<String, u64>,
    /// Payments that were acknowledged with success.
    pub acknowledged: u64,
    /// Orders for which the sender heard nothing certain.
    pub uncertain: u64,
    /// Whether every order and key of the shop was counted too, not the run's alone.
    pub whole_shop: bool,
    /// Violations in all.
    pub count: u64,
    /// The first thousand of them.
    pub violations: Vec<Violation>,
}

impl Audit {
    fn add(&mut self, kind: &str, what: &str, detail: String) {
        self.count += 1;
        if self.violations.len() < LISTED {
            self.violations.push(Violation { kind: kind.to_owned(), what: what.to_owned(), detail });
        }
    }

    /// Holds one visit against its order.
    fn visit(&mut self, target: &Prepared, visit: u32, sent: &Sent, look: &OrderLook) {
        let heard = |request| sent.heard.get(&Ticket { visit, request }).map(Vec::as_slice).unwrap_or_default();
        let was_success = |request| heard(request).contains(&RequestResult::Success);
        let paid = |request| {
            let trade = target.trade(Ticket { visit, request });
            look.payments.iter().find(|payment| payment.trade_no == trade)
        };
        self.orders += 1;
        let state = look.state.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
        let is = |wanted: &[OrderState]| look.state.is_some_and(|at| wanted.contains(&at));
        *self.states.entry(state.clone()).or_default() += 1;
        for request in [RequestKind::Right, RequestKind::Less] {
            self.answers(&look.id, request, heard(request));
            if !was_success(request) {
                continue;
            }
            self.acknowledged += 1;
            if paid(request).is_none() {
                self.add("unrecorded", &look.id, format!("{request:?} was told success, and no payment stands there"));
            }
        }
        let kept = is(&[OrderState::Delivered, OrderState::Owed, OrderState::Held]);
        if (was_success(RequestKind::Right) || was_success(RequestKind::Less)) && !kept {
            self.add("lost", &look.id, format!("paid and told success, and the order is {state}"));
        }
        if heard(RequestKind::Right).iter().any(|heard| heard.unknown()) && !was_success(RequestKind::Right) {
            self.uncertain += 1;
        }
        let sold = is(&[OrderState::Delivered, OrderState::Owed]);
        if sold && (heard(RequestKind::Right).is_empty() || paid(RequestKind::Right).is_none()) {
            self.add("unpaid", &look.id, format!("the order is {state}, and was never paid right"));
        }
        // Where the gateway's number is the attempt's, a payment stands under it that nobody forged.
        if was_success(RequestKind::Bent) || (!heard(RequestKind::Bent).is_empty() && paid(RequestKind::Bent).is_some())
        {
            self.add("believed", &look.id, "a forged callback was believed".to_owned());
        }
        let due = if is(&[OrderState::Delivered]) { look.quantity } else { 0 };
        if look.keys != due {
            self.add("quantity", &look.id, format!("{state} with {} keys of {}", look.keys, look.quantity));
        }
        self.stranger(heard(RequestKind::Stranger), paid(RequestKind::Stranger), look);
        if let Some(keys) = sent.shown.get(&visit)
            && keys.len() as u64 != look.keys
        {
            self.add("shown", &look.id, format!("its buyer was shown {} keys, and it holds {}", keys.len(), look.keys));
        }
    }

    /// The run's product: its orders hold what it gave, no more than there was, and its keys add up.
    async fn product(&mut self, target: &Prepared, given: u64) -> Result<(), HammerError> {
        let product = target.client.call::<ShowProduct>(target.product.as_str(), &Nothing).await?;
        let stock = product.stock.counted;
        if stock.given != given {
            self.add("stock", &target.product, format!("given {}, and orders hold {given}", stock.given));
        }
        if given > target.keys {
            self.add("oversold", &target.product, format!("{given} keys sold of {}", target.keys));
        }
        let Stock { pool, voided, imported, reserved, .. } = stock;
        if imported != target.keys || imported != pool + stock.given + voided || reserved > pool {
            let detail = format!("{} imported, and stock is {stock:?}", target.keys);
            self.add("stock", &target.product, detail);
        }
        Ok(())
    }

    /// No two buyers were shown the same key.
    fn keys_shown(&mut self, target: &Prepared, sent: &Sent) {
        let mut known = HashSet::new();
        let mut visits: Vec<(&u32, &Vec<String>)> = sent.shown.iter().collect();
        visits.sort_unstable();
        for (visit, keys) in visits {
            let again = keys.iter().filter(|key| !known.insert(key.as_str())).count();
            if again > 0 {
                let id = target.order(*visit as usize).unwrap_or_default();
                self.add("twice", id, format!("{again} of its keys were shown before"));
            }
        }
    }

    /// A number nobody gave: refused, and its money on record all the same.
    fn stranger(&mut self, heard: &[RequestResult], paid: Option<&PaymentView>, look: &OrderLook) {
        if heard.contains(&RequestResult::Success) {
            self.add("believed", &look.id, "a payment for a number nobody gave was told success".to_owned());
        }
        if heard.contains(&RequestResult::Refused) && paid.is_none_or(|paid| paid.state != PaymentState::Orphan) {
            self.add("unrecorded", &look.id, "a genuine payment for an unknown number is not kept".to_owned());
        }
    }

    /// A genuine callback is never refused nor throttled, and its repeats hear the same.
    fn answers(&mut self, id: &str, request: RequestKind, heard: &[RequestResult]) {
        if heard.contains(&RequestResult::Refused) {
            self.add("refused", id, format!("{request:?}, which is genuine, was refused"));
        }
        if heard.contains(&RequestResult::Limited) {
            self.add("throttled", id, format!("{request:?}, which is genuine, was answered 429"));
        }
        let mut certain = heard.iter().filter(|heard| !heard.unknown());
        if let Some(first) = certain.next()
            && certain.any(|other| other != first)
        {
            self.add("contradiction", id, format!("the same callback heard {heard:?}"));
        }
    }
}

/// Looks up every order of a run and counts its product, which nobody else sells.
///
/// # Errors
/// The daemon is not ready within `patience`, or its answers cannot be read.
pub async fn audit(target: &Prepared, sent: &Sent, patience: Duration) -> Result<Audit, HammerError> {
    wait_until_ready(target, patience).await?;
    let mut visits: Vec<u32> = sent.heard.keys().map(|ticket| ticket.visit).collect();
    visits.sort_unstable();
    visits.dedup();
    // Who got no order has nothing that could be looked up.
    let visits: Vec<(u32, &str)> =
        visits.into_iter().filter_map(|visit| Some((visit, target.order(visit as usize)?))).collect();
    let mut audit = Audit::default();
    let mut given = 0;
    for batch in visits.chunks(BATCH) {
        let ids = LookWish::of(batch.iter().map(|(_, id)| *id));
        let ids = ids.map_err(|error| HammerError::Wrong(error.to_string()))?;
        let looks = target.client.call::<LookAtOrders>((), &ids).await?.known.orders;
        let looks: HashMap<&str, &OrderLook> = looks.iter().map(|look| (look.id.as_str(), look)).collect();
        for (visit, id) in batch {
            match looks.get(id) {
                Some(look) => {
                    given += look.keys;
                    audit.visit(target, *visit, sent, look);
                }
                None => audit.add("lost", id, "the order is gone".to_owned()),
            }
        }
    }
    audit.keys_shown(target, sent);
    audit.product(target, given).await?;
    Ok(audit)
}

/// Counts the whole shop too: what was wrong there before the run is listed as well.
///
/// # Errors
/// The daemon does not answer.
pub async fn shop(target: &Prepared, audit: &mut Audit) -> Result<(), HammerError> {
    let whole = target.client.audit(|_, _, _| {}).await?;
    audit.whole_shop = true;
    for Violation { kind, what, detail } in whole.violations {
        audit.add(&kind, &what, detail);
    }
    Ok(())
}

async fn wait_until_ready(target: &Prepared, patience: Duration) -> Result<(), HammerError> {
    let began = Instant::now();
    loop {
        if target.client.call::<ShowInfo>((), &Nothing).await.is_ok_and(|info| info.ready) {
            return Ok(());
        }
        if began.elapsed() > patience {
            return Err(HammerError::Wrong("the daemon is not ready again: nothing could be audited".to_owned()));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
