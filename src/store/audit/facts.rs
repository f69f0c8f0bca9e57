//! What the audit remembers of each order, and what is wrong with an order by itself.

use std::collections::HashMap;

use crate::domain::order::PaymentRecord;
use crate::domain::{Order, OrderId, OrderState, PaymentState, ProductId};
use crate::store::orders::{read_order, read_payment};
use crate::store::script::items_of;
use crate::store::{Store, StoreError, orders};

/// Orders read in one write.
const BATCH: usize = 250;

/// Every order read so far.
pub type Facts = HashMap<OrderId, OrderFacts>;

/// One order, as far as sums need it.
#[derive(Debug, Clone)]
pub struct OrderFacts {
    pub product: ProductId,
    pub state: OrderState,
    pub reserved: u32,
    pub given: u32,
    pub payments: u32,
    /// Extra payments, as the review list names them.
    pub extras: Vec<String>,
    /// What is wrong with the order by itself.
    pub wrong: Vec<(&'static str, String)>,
}

impl OrderFacts {
    fn of(order: &Order, given: usize, states: &[PaymentState], extras: Vec<String>) -> Self {
        let mut wrong = Vec::new();
        let due = if order.state == OrderState::Delivered { order.quantity as usize } else { 0 };
        if given != due {
            wrong.push(("order", format!("{} of {} keys, but it holds {given}", order.state, order.quantity)));
        }
        let live = order.state == OrderState::Pending;
        if order.reserved > 0 && (!live || order.reserved != order.quantity) {
            wrong.push(("order", format!("{} with {} of {} reserved", order.state, order.reserved, order.quantity)));
        }
        let has = |state| states.contains(&state);
        let (settled, held, refunded) =
            (has(PaymentState::Settled), has(PaymentState::Held), has(PaymentState::Refunded));
        let fits = match order.state {
            OrderState::Delivered | OrderState::Owed => settled && !held,
            OrderState::Held | OrderState::Rejected => held && !settled,
            OrderState::Refunded => refunded && !settled && !held,
            OrderState::Pending | OrderState::Expired => !settled && !held,
        };
        if !fits {
            wrong.push(("payment", format!("{}, but its payments are {states:?}", order.state)));
        }
        Self {
            product: order.product.clone(),
            state: order.state,
            reserved: order.reserved,
            given: given as u32,
            payments: states.len() as u32,
            extras,
            wrong,
        }
    }
}

impl Store {
    /// Reads orders, each with its keys and payments at one moment; a missing one is forgotten.
    pub(super) async fn read_facts(&self, ids: &[OrderId], facts: &mut Facts) -> Result<(), StoreError> {
        self.looks(ids).await?.into_iter().for_each(|look| take(look, facts));
        Ok(())
    }

    /// The three reads that an order's facts are made of.
    pub(super) fn add_reads(&self, pipe: &mut redis::Pipeline, id: OrderId) {
        pipe.cmd("HGETALL").arg(self.names.order(id));
        pipe.cmd("LLEN").arg(self.names.given(id));
        pipe.cmd("HGETALL").arg(self.names.pay(id.as_str()));
    }
}

/// An order, its keys and its payments at one moment.
#[derive(Debug, Clone)]
pub struct Look {
    /// Its number.
    pub id: OrderId,
    /// The order; `None` where there is none of that number.
    pub order: Option<Order>,
    /// Keys it holds.
    pub keys: usize,
    /// What was paid under its number.
    pub payments: Vec<PaymentRecord>,
}

impl Look {
    /// Reads the answers to [`Store::add_reads`].
    fn read(id: OrderId, answers: &[redis::Value]) -> Result<Self, StoreError> {
        let [order, given, payments] = answers else {
            return Err(StoreError::Damaged(format!("order {id}")));
        };
        let keys = match given {
            redis::Value::Int(length) => usize::try_from(*length).unwrap_or(0),
            _ => 0,
        };
        let payments =
            orders::fields(payments).map(|(name, value)| read_payment(&name, value)).collect::<Result<_, _>>()?;
        Ok(Self { id, order: read_order(id, order)?, keys, payments })
    }
}

impl Store {
    /// Several orders, each at one moment.
    ///
    /// # Errors
    /// Redis does not answer, or what stands there cannot be read.
    pub async fn looks(&self, ids: &[OrderId]) -> Result<Vec<Look>, StoreError> {
        let mut looks = Vec::with_capacity(ids.len());
        for batch in ids.chunks(BATCH) {
            let mut pipe = redis::pipe();
            for id in batch {
                pipe.cmd("MULTI");
                self.add_reads(&mut pipe, *id);
                pipe.cmd("EXEC");
            }
            let answers = self.ask_all(&pipe).await?;
            for (id, answer) in batch.iter().zip(answers.chunks_exact(5)) {
                looks.push(Look::read(*id, items_of(&answer[4]))?);
            }
        }
        Ok(looks)
    }
}

/// Takes the answers to those reads in.
pub fn take_order(id: OrderId, answers: &[redis::Value], facts: &mut Facts) -> Result<(), StoreError> {
    take(Look::read(id, answers)?, facts);
    Ok(())
}

fn take(look: Look, facts: &mut Facts) {
    let Look { id, order: Some(order), keys, payments } = look else {
        facts.remove(&look.id);
        return;
    };
    let states: Vec<PaymentState> = payments.iter().map(|record| record.state).collect();
    let extras = payments.iter().filter(|record| record.state == PaymentState::Extra);
    let extras = extras.map(|record| format!("extra:{id}:{}|{}", record.channel, record.trade_no)).collect();
    facts.insert(id, OrderFacts::of(&order, keys, &states, extras));
}
