//! One slot's sums, at one moment of a live store.

use std::collections::{HashMap, HashSet};

use redis::Value;

use super::facts::Facts;
use crate::domain::{AuditReport, OrderId, OrderState, Product, Slot};
use crate::store::at::Pipe;
use crate::store::outbox::{Event, events};
use crate::store::script::{items_of, text_of};
use crate::store::{At, Look, Store, StoreError};

/// Events read at once; more means that the audit is still catching up.
const EVENTS: usize = 1000;
/// Rounds before the audit says that it could not see this slot stand still.
const ROUNDS: usize = 300;

/// What one slot's lists and counters said at one moment.
struct Moment {
    events: Vec<Event>,
    due: HashSet<OrderId>,
    review: HashSet<String>,
    products: Vec<Counts>,
}

/// One product's counters and lists.
struct Counts {
    pool: u64,
    voided_keys: u64,
    reserved: u64,
    imported: u64,
    voided: u64,
    owed: Vec<String>,
}

fn number(value: Option<&Value>) -> u64 {
    value.and_then(text_of).and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn texts(value: Option<&Value>) -> impl Iterator<Item = String> {
    value.map(items_of).unwrap_or_default().iter().filter_map(text_of)
}

impl Store {
    pub(super) async fn audit_slot(
        &self,
        slot: Slot,
        mut from: String,
        products: &[&Product],
        facts: &mut Facts<'_>,
        report: &mut AuditReport,
    ) -> Result<(), StoreError> {
        for _ in 0..ROUNDS {
            let moment = self.moment(slot, &from, products).await?;
            let caught_up = moment.events.len() < EVENTS;
            if let Some(last) = moment.events.last() {
                from.clone_from(&last.id);
            }
            let changed: HashSet<OrderId> = moment.events.iter().filter_map(|event| event.order.parse().ok()).collect();
            let changed: Vec<OrderId> = changed.into_iter().collect();
            let later = self.read_changed(slot, &from, &changed, facts).await?;
            let moved = later.iter().any(|event| event.order.parse().is_ok_and(|id| changed.contains(&id)));
            if caught_up && !moved && later.len() < EVENTS {
                compare(slot, products, &moment, facts, report);
                return Ok(());
            }
        }
        report.add(
            "unsteady",
            slot.to_string(),
            "this slot changed too fast to be counted at one moment; run the audit again",
        );
        Ok(())
    }

    /// Events behind `from`, and every counter, at one moment.
    async fn moment(&self, slot: Slot, from: &str, products: &[&Product]) -> Result<Moment, StoreError> {
        let (n, at) = (self.names, At::Slot(slot));
        let mut pipe = Pipe::default();
        pipe.cmd(at, "MULTI");
        pipe.cmd(at, "XRANGE").arg(n.outbox(slot)).arg(format!("({from}")).arg("+").arg("COUNT").arg(EVENTS);
        pipe.cmd(at, "ZRANGE").arg(n.due(slot)).arg(0).arg(-1);
        pipe.cmd(at, "ZRANGE").arg(n.review(slot)).arg(0).arg(-1);
        for product in products {
            let id = &product.id;
            pipe.cmd(at, "LLEN").arg(n.pool(slot, id));
            pipe.cmd(at, "LLEN").arg(n.voided(slot, id));
            pipe.cmd(at, "LLEN").arg(n.burned(slot, id));
            pipe.cmd(at, "HMGET").arg(n.stock(slot, id)).arg(&["reserved", "imported", "voided"]);
            pipe.cmd(at, "LRANGE").arg(n.owed(slot, id)).arg(0).arg(-1);
        }
        pipe.cmd(at, "EXEC");
        let answers = self.ask_all(pipe).await?;
        let all = answers.last().map(items_of).unwrap_or_default();
        let counts = |part: &[Value]| {
            let stock = part.get(3).map(items_of).unwrap_or_default();
            Counts {
                pool: number(part.first()),
                voided_keys: number(part.get(1)) + number(part.get(2)),
                reserved: number(stock.first()),
                imported: number(stock.get(1)),
                voided: number(stock.get(2)),
                owed: texts(part.get(4)).collect(),
            }
        };
        Ok(Moment {
            events: all.first().map(events).unwrap_or_default(),
            due: texts(all.get(1)).filter_map(|id| id.parse().ok()).collect(),
            review: texts(all.get(2)).collect(),
            products: all.get(3..).unwrap_or_default().chunks_exact(5).map(counts).collect(),
        })
    }

    /// Reads changed orders, and the events behind `from` of the same moment as each batch: one that shows up there may
    /// have been read too late.
    async fn read_changed(
        &self,
        slot: Slot,
        from: &str,
        ids: &[OrderId],
        facts: &mut Facts<'_>,
    ) -> Result<Vec<Event>, StoreError> {
        let (mut later, at) = (Vec::new(), At::Slot(slot));
        for batch in ids.chunks(200) {
            let mut pipe = Pipe::default();
            pipe.cmd(at, "MULTI");
            for id in batch {
                self.add_reads(&mut pipe, *id);
            }
            pipe.cmd(at, "XRANGE")
                .arg(self.names.outbox(slot))
                .arg(format!("({from}"))
                .arg("+")
                .arg("COUNT")
                .arg(EVENTS);
            pipe.cmd(at, "EXEC");
            let answers = self.ask_all(pipe).await?;
            let all = answers.last().map(items_of).unwrap_or_default();
            for (id, answer) in batch.iter().zip(all.chunks_exact(2)) {
                facts.take(Look::read(*id, answer));
            }
            later = all.last().map(events).unwrap_or_default();
        }
        Ok(later)
    }
}

/// Holds the sums over all orders of a slot against its counters and lists.
fn compare(slot: Slot, products: &[&Product], moment: &Moment, facts: &Facts<'_>, report: &mut AuditReport) {
    let mut sums: HashMap<&str, (u64, u64)> = HashMap::new();
    let mut owed: HashMap<&str, HashSet<&str>> = HashMap::new();
    for (id, order) in facts.orders.iter().filter(|(id, _)| id.slot() == slot) {
        let sum = sums.entry(facts.product(order)).or_default();
        sum.0 += u64::from(order.given);
        sum.1 += u64::from(order.reserved);
        if order.state == OrderState::Owed {
            owed.entry(facts.product(order)).or_default().insert(id.as_str());
        }
        if (order.state == OrderState::Pending) != moment.due.contains(id) {
            report.add("due", id.to_string(), format!("{}, which the list of expiries does not say", order.state));
        }
        if (order.state == OrderState::Held) != moment.review.contains(&format!("held:{id}")) {
            report.add("review", id.to_string(), format!("{}, which the review list does not say", order.state));
        }
        for extra in facts.extras(id).iter().filter(|extra| !moment.review.contains(*extra)) {
            report.add("review", id.to_string(), format!("{extra} is shown to nobody"));
        }
    }
    for (product, counts) in products.iter().zip(&moment.products) {
        let id = product.id.as_str();
        let (given, reserved) = sums.get(id).copied().unwrap_or_default();
        let mut check = |kind, fits: bool, detail: String| {
            if !fits {
                report.add(kind, id, detail);
            }
        };
        let Counts { pool, voided_keys, imported, voided, .. } = counts;
        let all = pool + given + voided;
        check(
            "counts",
            *imported == all,
            format!("imported {imported}, but pool {pool} + given to orders {given} + voided {voided} = {all}"),
        );
        check("counts", voided == voided_keys, format!("voided {voided}, but {voided_keys} keys are out of sale"));
        check(
            "reserved",
            counts.reserved == reserved,
            format!("reserved {}, but orders reserve {reserved}", counts.reserved),
        );
        check("reserved", counts.reserved <= *pool, format!("reserved {} of a pool of {pool}", counts.reserved));
        let queue: HashSet<&str> = counts.owed.iter().map(String::as_str).collect();
        let wait = owed.remove(id).unwrap_or_default();
        let twice = queue.len() != counts.owed.len();
        check(
            "owed",
            queue == wait && !twice,
            format!("{} in the queue, {} orders owed", counts.owed.len(), wait.len()),
        );
    }
}
