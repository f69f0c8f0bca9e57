//! What the audit remembers of each order, in a few bytes each: a million orders must fit into a small part of memory.

use std::collections::{BTreeMap, HashMap};

use super::keys::Prints;
use super::{Sound, UNREADABLE};
use crate::domain::{AuditReport, Order, OrderId, OrderState, PaymentState, ProductId};
use crate::store::Look;

/// What is said of an order whose hash cannot be read.
const DAMAGED: &str = "cannot be read: its hash in Redis was changed or damaged; the sums below lack what it holds";

/// One order, as far as sums need it.
#[derive(Debug, Clone, Copy)]
pub struct OrderFacts {
    /// Place of its product among those met.
    product: u16,
    pub state: OrderState,
    pub reserved: u32,
    pub given: u32,
    payments: u16,
}

/// What few orders have: extra payments, or something wrong.
#[derive(Debug, Default)]
struct Odd {
    /// Extra payments, as the review list names them.
    extras: Vec<String>,
    wrong: Vec<(&'static str, String)>,
}

/// Every order read so far. A tree: a hash map that grows would need three times as much for a moment.
pub struct Facts<'a> {
    pub orders: BTreeMap<OrderId, OrderFacts>,
    odd: HashMap<OrderId, Odd>,
    products: Vec<ProductId>,
    /// Fingerprints of the keys met so far.
    pub prints: Prints,
    sound: Sound<'a>,
}

impl<'a> Facts<'a> {
    pub fn new(prints: Prints, sound: Sound<'a>) -> Self {
        Self { orders: BTreeMap::new(), odd: HashMap::new(), products: Vec::new(), prints, sound }
    }

    /// The product of an order.
    pub fn product(&self, order: &OrderFacts) -> &str {
        self.products.get(usize::from(order.product)).map_or("", ProductId::as_str)
    }

    /// Its extra payments, as the review list names them.
    pub fn extras(&self, id: &OrderId) -> &[String] {
        self.odd.get(id).map_or(&[], |odd| &odd.extras)
    }

    /// Takes an order as it stands now; a missing one is forgotten.
    pub fn take(&mut self, look: Look) {
        self.odd.remove(&look.id);
        let Some(order) = look.order else {
            self.orders.remove(&look.id);
            if look.damaged {
                let wrong = vec![("damaged", DAMAGED.to_owned())];
                self.odd.insert(look.id, Odd { extras: Vec::new(), wrong });
            }
            return;
        };
        let states: Vec<PaymentState> = look.payments.iter().map(|record| record.state).collect();
        let facts = OrderFacts {
            product: self.place(&order.product),
            state: order.state,
            reserved: order.reserved,
            given: order.keys.len() as u32,
            payments: u16::try_from(states.len()).unwrap_or(u16::MAX),
        };
        let known = self.orders.insert(look.id, facts);
        if known.is_none_or(|known| known.given == 0) {
            order.keys.iter().for_each(|sealed| self.prints.meet(sealed));
        }
        let extras = look.payments.iter().filter(|record| record.state == PaymentState::Extra);
        let extras: Vec<String> = extras.map(|record| format!("extra:{}:{}", look.id, record.trade())).collect();
        // Of payments that cannot all be read nothing is known to be missing.
        let mut wrong = wrong(&order, look.unread.is_none().then_some(&states[..]));
        wrong.extend(
            order.keys.iter().filter(|sealed| !(self.sound)(sealed)).map(|_| ("unreadable", UNREADABLE.to_owned())),
        );
        if !extras.is_empty() || !wrong.is_empty() {
            self.odd.insert(look.id, Odd { extras, wrong });
        }
    }

    fn place(&mut self, product: &ProductId) -> u16 {
        let at = self.products.iter().rposition(|known| known == product).unwrap_or_else(|| {
            self.products.push(product.clone());
            self.products.len() - 1
        });
        u16::try_from(at).unwrap_or(u16::MAX)
    }

    /// What is wrong with orders by themselves, and how many there are.
    pub fn report(&self, report: &mut AuditReport) {
        report.orders = self.orders.len() as u64;
        report.payments += self.orders.values().map(|order| u64::from(order.payments)).sum::<u64>();
        for (id, odd) in &self.odd {
            for (kind, detail) in &odd.wrong {
                report.add(kind, id.to_string(), detail.clone());
            }
        }
    }
}

/// What is wrong with an order by itself; `states` of its payments, where all are known.
fn wrong(order: &Order, states: Option<&[PaymentState]>) -> Vec<(&'static str, String)> {
    let mut wrong = Vec::new();
    let due = if order.state == OrderState::Delivered { order.quantity as usize } else { 0 };
    if order.keys.len() != due {
        let holds = order.keys.len();
        wrong.push(("order", format!("{} of {} keys, but it holds {holds}", order.state, order.quantity)));
    }
    let live = order.state == OrderState::Pending;
    if order.reserved > 0 && (!live || order.reserved != order.quantity) {
        wrong.push(("order", format!("{} with {} of {} reserved", order.state, order.reserved, order.quantity)));
    }
    let Some(states) = states else { return wrong };
    let has = |state| states.contains(&state);
    let (settled, held, refunded) = (has(PaymentState::Settled), has(PaymentState::Held), has(PaymentState::Refunded));
    let fits = match order.state {
        OrderState::Delivered | OrderState::Owed => settled && !held,
        OrderState::Held | OrderState::Rejected => held && !settled,
        OrderState::Refunded => refunded && !settled && !held,
        OrderState::Pending | OrderState::Expired => !settled && !held,
    };
    if !fits {
        wrong.push(("payment", format!("{}, but its payments are {states:?}", order.state)));
    }
    wrong
}
