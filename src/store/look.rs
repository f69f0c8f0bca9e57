//! An order with all that stands with it, at one moment.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::at::{Node, Pipe};
use super::orders::{fields, read_order, read_payment};
use super::script::{items_of, text_of};
use super::{At, Store, StoreError};
use crate::domain::order::PaymentRecord;
use crate::domain::{Millis, Order, OrderId, OrderState};

/// Orders read in one write.
const BATCH: usize = 250;

/// What takes payments one after the other: the number that one stands with, its record's name, and what could be read.
pub(super) type TakePayment<'a> =
    &'a mut (dyn FnMut(&str, &str, Result<PaymentRecord, StoreError>) -> ControlFlow<()> + Send);

/// An order and its payments at one moment.
#[derive(Debug, Clone)]
pub struct Look {
    /// Its number.
    pub id: OrderId,
    /// The order; `None` where there is none of that number.
    pub order: Option<Order>,
    /// What was paid under its number.
    pub payments: Vec<PaymentRecord>,
    /// Something stands there that is no order.
    pub(super) damaged: bool,
    /// Why a payment's record cannot be read, if there is such a one.
    pub(super) unread: Option<StoreError>,
}

impl Look {
    /// Reads the answers to [`Store::add_reads`], as far as they can be read.
    pub(super) fn read(id: OrderId, answers: &[redis::Value]) -> Self {
        let (order, damaged) = match answers.first().map(|order| read_order(id, order)) {
            Some(Ok(order)) => (order, false),
            Some(Err(_)) | None => (None, true),
        };
        let (mut payments, mut unread) = (Vec::new(), None);
        for (name, value) in answers.get(1).into_iter().flat_map(fields) {
            match read_payment(&name, value) {
                Ok(record) => payments.push(record),
                Err(error) => unread = Some(error),
            }
        }
        Self { id, order, payments, damaged, unread }
    }

    /// The same, if all of it could be read.
    fn whole(self) -> Result<Self, StoreError> {
        match self.unread {
            Some(error) => Err(error),
            None if self.damaged => Err(StoreError::Damaged(format!("order {}", self.id))),
            None => Ok(self),
        }
    }
}

impl Store {
    /// The two reads that a look is made of.
    pub(super) fn add_reads(&self, pipe: &mut Pipe, id: OrderId) {
        pipe.cmd(At::Slot(id.slot()), "HGETALL").arg(self.names.order(id));
        pipe.cmd(At::Slot(id.slot()), "HGETALL").arg(self.names.pay(id.as_str()));
    }

    /// Several orders, each at one moment.
    ///
    /// # Errors
    /// Redis does not answer, or what stands there cannot be read.
    pub async fn looks(&self, ids: &[OrderId]) -> Result<Vec<Look>, StoreError> {
        self.readable_looks(ids).await?.into_iter().map(Look::whole).collect()
    }

    /// The same, with what cannot be read.
    async fn readable_looks(&self, ids: &[OrderId]) -> Result<Vec<Look>, StoreError> {
        let mut looks = Vec::with_capacity(ids.len());
        for batch in ids.chunks(BATCH) {
            let mut pipe = Pipe::default();
            for id in batch {
                pipe.cmd(At::Slot(id.slot()), "MULTI");
                self.add_reads(&mut pipe, *id);
                pipe.cmd(At::Slot(id.slot()), "EXEC");
            }
            let answers = self.ask_all(pipe).await?;
            for (id, answer) in batch.iter().zip(answers.chunks_exact(4)) {
                looks.push(Look::read(*id, items_of(&answer[3])));
            }
        }
        Ok(looks)
    }

    /// Hands every order there is to `take`, some of them twice; `progress` hears how far it is, in parts of a thousand.
    pub(super) async fn each_order(
        &self,
        progress: &(dyn Fn(u64) + Sync),
        take: &mut (dyn FnMut(Look) + Send),
    ) -> Result<(), StoreError> {
        let mut names = 0u64;
        for node in self.topology.nodes() {
            names += self.ask_node::<u64>(node, &redis::cmd("DBSIZE")).await?;
        }
        let (mut walk, mut passed) = (self.walk("order"), 0u64);
        while let Some(found) = self.step(&mut walk).await? {
            let ids: Vec<OrderId> = found.iter().filter_map(|name| name.rsplit(':').next()?.parse().ok()).collect();
            self.readable_looks(&ids).await?.into_iter().for_each(&mut *take);
            passed += SCANNED;
            progress((1000 * passed / names.max(1)).min(1000));
        }
        Ok(())
    }

    /// Hands every payment there is to `take`, with the number it stands with and the name of its record, until it has
    /// enough; some of them twice. What cannot be read is handed over as that.
    pub(super) async fn each_payment(&self, take: TakePayment<'_>) -> Result<(), StoreError> {
        let mut walk = self.walk("pay");
        while let Some(names) = self.step(&mut walk).await? {
            for batch in names.chunks(BATCH) {
                let mut pipe = Pipe::default();
                for name in batch {
                    pipe.cmd(At::of(name), "HGETALL").arg(name);
                }
                for (name, answer) in batch.iter().zip(self.ask_all(pipe).await?) {
                    let Some(id) = name.rsplit(':').next() else { continue };
                    for (field, value) in fields(&answer) {
                        if take(id, &field, read_payment(&field, value)).is_break() {
                            return Ok(());
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// The payments of a channel that came from `from` until before `until`, whatever became of them and whether they
    /// stand with an order or not; some may come twice. `None`: they are more than `most`. Every record is looked at.
    ///
    /// # Errors
    /// Redis does not answer, or what stands there cannot be read.
    pub async fn payments_between(
        &self,
        channel: &str,
        from: Millis,
        until: Millis,
        most: usize,
    ) -> Result<Option<Vec<PaymentRecord>>, StoreError> {
        let (mut records, mut unread) = (Vec::new(), None);
        self.each_payment(&mut |_, _, record| match record {
            Ok(record) => {
                if record.channel == channel && (from..until).contains(&record.at) {
                    records.push(record);
                }
                if records.len() > most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            }
            Err(error) => {
                unread = Some(error);
                ControlFlow::Break(())
            }
        })
        .await?;
        match unread {
            Some(error) => Err(error),
            None => Ok((records.len() <= most).then_some(records)),
        }
    }

    /// The orders made from `from` until before `until` that nobody is known to have paid: pending and expired ones, as
    /// long as they are remembered. `None`: they are more than `most`. An order's number tells when it was made, so
    /// every name is looked at, and only of those in that time is anything read.
    ///
    /// # Errors
    /// Redis does not answer, or what stands there cannot be read.
    pub async fn unpaid_between(
        &self,
        from: Millis,
        until: Millis,
        most: usize,
    ) -> Result<Option<Vec<Order>>, StoreError> {
        let (mut walk, mut unpaid) = (self.walk("order"), BTreeSet::new());
        while let Some(names) = self.step(&mut walk).await? {
            let ids = names.iter().filter_map(|name| name.rsplit(':').next()?.parse::<OrderId>().ok());
            let ids: Vec<OrderId> = ids.filter(|id| (from..until).contains(&id.created())).collect();
            let mut pipe = Pipe::default();
            for id in &ids {
                pipe.cmd(At::Slot(id.slot()), "HGET").arg(self.names.order(*id)).arg("state");
            }
            let states = self.ask_all(pipe).await?;
            let states = states.iter().map(|state| text_of(state)?.parse().ok());
            let waits = |state: Option<OrderState>| matches!(state, Some(OrderState::Pending | OrderState::Expired));
            unpaid.extend(ids.iter().zip(states).filter(|(_, state)| waits(*state)).map(|(id, _)| *id));
            if unpaid.len() > most {
                return Ok(None);
            }
        }
        let unpaid: Vec<OrderId> = unpaid.into_iter().collect();
        let mut orders = Vec::with_capacity(unpaid.len());
        for batch in unpaid.chunks(BATCH) {
            orders.extend(self.orders(batch).await?.into_iter().flatten());
        }
        orders.sort_by_key(|order| order.created);
        Ok(Some(orders))
    }

    /// A walk over all names of a kind.
    fn walk(&self, kind: &str) -> Walk {
        Walk { nodes: self.topology.nodes().to_vec(), cursor: 0, pattern: self.names.every(kind) }
    }

    /// The names of a walk's next step, some of them twice, or none; `None` at its end.
    async fn step(&self, walk: &mut Walk) -> Result<Option<Vec<String>>, StoreError> {
        let Some(node) = walk.nodes.last() else { return Ok(None) };
        let mut cmd = redis::cmd("SCAN");
        cmd.arg(walk.cursor).arg("MATCH").arg(&walk.pattern).arg("COUNT").arg(SCANNED);
        let (next, names) = self.ask_node(*node, &cmd).await?;
        walk.cursor = next;
        if next == 0 {
            walk.nodes.pop();
        }
        Ok(Some(names))
    }
}

/// How far a walk over all names has got: a cursor is one node's own.
struct Walk {
    /// Those that are not walked over yet; the last one is being.
    nodes: Vec<Node>,
    cursor: u64,
    pattern: String,
}

/// Names looked at in one step.
const SCANNED: u64 = 1000;
