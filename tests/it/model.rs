//! Random histories of one pool, each step compared with a small model of what must become of it: the numbers, the
//! orders, their payments, the queue of the owed, what waits for a person, and that no key is in two places.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::fmt::Debug;

use kamid::domain::{OrderId, OrderState, PaymentState, Product, Slot, Stock, Take};
use kamid::store::{Changed, Chunk, Released, Reserved};
use proptest::prelude::*;
use proptest::test_runner::{TestCaseResult, TestRunner};

use crate::support::redis::{Bench, CHANNEL, PRICE, cny, draft, payment, product, reviewed, word};

/// Most owed orders that one run of `restock` settles.
const RESTOCK_ORDERS: usize = 20;
/// How long an expired order is kept: longer than the test runs.
const KEEP_MS: u64 = 86_400_000;

/// What happens to the shop.
#[derive(Debug, Clone, Copy)]
enum Step {
    Import(u32),
    Reserve(Take, u32),
    /// Something that happens to one of the orders, counted round.
    Order(usize, Act),
    Restock,
    Void(u32),
    Restore(u32),
}

#[derive(Debug, Clone, Copy)]
enum Act {
    Pay(Paid),
    Expire,
    Approve,
    Reject,
    Refund,
    Replace,
}

#[derive(Debug, Clone, Copy)]
enum Paid {
    /// What is due, under the order's first trade number.
    First,
    /// The newest payment once more.
    Again,
    /// What is due, under a trade number of its own.
    Another,
    /// One fen too much.
    Wrong,
}

fn history() -> impl Strategy<Value = Vec<Step>> {
    let take = prop_oneof![Just(Take::Order), Just(Take::Payment)];
    let paid = prop_oneof![
        6 => Just(Paid::First),
        2 => Just(Paid::Again),
        2 => Just(Paid::Another),
        3 => Just(Paid::Wrong),
    ];
    let act = prop_oneof![
        12 => paid.prop_map(Act::Pay),
        3 => Just(Act::Expire),
        3 => Just(Act::Approve),
        1 => Just(Act::Reject),
        2 => Just(Act::Refund),
        2 => Just(Act::Replace),
    ];
    let step = prop_oneof![
        3 => (1..=6u32).prop_map(Step::Import),
        8 => (take, 1..=3u32).prop_map(|(take, quantity)| Step::Reserve(take, quantity)),
        16 => (0..60usize, act).prop_map(|(order, act)| Step::Order(order, act)),
        3 => Just(Step::Restock),
        1 => (1..=3u32).prop_map(Step::Void),
        1 => (1..=3u32).prop_map(Step::Restore),
    ];
    prop::collection::vec(step, 1..=60)
}

#[test]
fn histories_agree_with_a_small_model() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let bench = runtime.block_on(Bench::new(Take::Order, 0));
    // A failing history is printed whole: a file of seeds beside the sources would say less.
    let config =
        ProptestConfig { cases: 24, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() };
    let result = TestRunner::new(config).run(&history(), |steps| runtime.block_on(play(&bench, &steps)));
    if let Err(failure) = result {
        panic!("{failure}");
    }
}

async fn play(bench: &Bench, steps: &[Step]) -> TestCaseResult {
    let mut case = Case::new(bench);
    for (at, step) in steps.iter().enumerate() {
        let what = format!("step {at}, {step:?}");
        let (said, wanted) = case.step(*step).await;
        same(&what, said, wanted)?;
        case.check_keys(&what).await?;
        case.check_orders(&what).await?;
        case.check_lanes(&what).await?;
    }
    Ok(())
}

fn same<T: PartialEq + Debug>(what: &str, stands: T, wanted: T) -> TestCaseResult {
    if stands == wanted {
        return Ok(());
    }
    Err(TestCaseError::fail(format!("{what}: Redis has {stands:?}, the model {wanted:?}")))
}

/// What must become of the shop, in numbers alone.
#[derive(Default)]
struct Model {
    pool: u32,
    reserved: u32,
    imported: u32,
    given: u32,
    /// Out of sale, of which so many may come back; the others are burned.
    voided: u32,
    restorable: u32,
    orders: Vec<Line>,
    /// Places in `orders`, oldest payment first.
    owed: VecDeque<usize>,
}

struct Line {
    id: OrderId,
    quantity: u32,
    reserved: u32,
    state: OrderState,
    payments: Vec<Trade>,
}

struct Trade {
    number: usize,
    right: bool,
    state: PaymentState,
}

impl Line {
    /// Number and rightness of a payment that comes now.
    fn trade(&self, paid: Paid) -> (usize, bool) {
        // Never given twice, since every payment that is new makes the list longer.
        let fresh = self.payments.len() + 1;
        match (paid, self.payments.last()) {
            (Paid::Again, Some(last)) => (last.number, last.right),
            (Paid::First | Paid::Again, _) => (0, true),
            (Paid::Another, _) => (fresh, true),
            (Paid::Wrong, _) => (fresh, false),
        }
    }

    fn trade_no(&self, number: usize) -> String {
        format!("{}-{number}", self.id)
    }

    /// Payments in one state change to another.
    fn turn(&mut self, from: PaymentState, to: PaymentState) {
        for trade in self.payments.iter_mut().filter(|trade| trade.state == from) {
            trade.state = to;
        }
    }
}

impl Model {
    /// What may be drawn without a reservation: nobody overtakes an order that waits.
    fn free(&self) -> u32 {
        if self.owed.is_empty() { self.pool - self.reserved } else { 0 }
    }

    fn stock(&self) -> Stock {
        Stock {
            pool: self.pool.into(),
            reserved: self.reserved.into(),
            imported: self.imported.into(),
            given: self.given.into(),
            voided: self.voided.into(),
            owed: self.owed.len() as u64,
        }
    }

    fn import(&mut self, count: u32) -> String {
        self.pool += count;
        self.imported += count;
        format!("{count} imported")
    }

    fn reserve(&mut self, id: OrderId, take: Take, quantity: u32) -> String {
        if self.free() < quantity {
            return format!("short {}", self.free());
        }
        let reserved = if take == Take::Order { quantity } else { 0 };
        self.reserved += reserved;
        self.orders.push(Line { id, quantity, reserved, state: OrderState::Pending, payments: Vec::new() });
        "created".to_owned()
    }

    /// Gives an order's reservation back; says whether it had one.
    fn unreserve(&mut self, at: usize) -> bool {
        let reserved = std::mem::take(&mut self.orders[at].reserved);
        self.reserved -= reserved;
        reserved > 0
    }

    fn draw(&mut self, at: usize) {
        let line = &mut self.orders[at];
        line.state = OrderState::Delivered;
        self.pool -= line.quantity;
        self.given += line.quantity;
    }

    /// Delivers an order that is paid for, or lets it wait.
    fn deliver(&mut self, at: usize, live: bool) -> String {
        if live || self.free() >= self.orders[at].quantity {
            self.draw(at);
            return "delivered".to_owned();
        }
        self.orders[at].state = OrderState::Owed;
        self.owed.push_back(at);
        "owed".to_owned()
    }

    fn pay(&mut self, at: usize, number: usize, right: bool) -> String {
        let line = &self.orders[at];
        if let Some(known) = line.payments.iter().find(|trade| trade.number == number) {
            return format!("replayed {}", known.state.as_str());
        }
        let held = line.state == OrderState::Held;
        let open = held || matches!(line.state, OrderState::Pending | OrderState::Expired);
        let (said, state) = if open && right {
            self.orders[at].turn(PaymentState::Held, PaymentState::Extra);
            let live = self.unreserve(at);
            (self.deliver(at, live), PaymentState::Settled)
        } else if open && !held {
            self.unreserve(at);
            self.orders[at].state = OrderState::Held;
            ("held amount_mismatch".to_owned(), PaymentState::Held)
        } else {
            ("extra".to_owned(), PaymentState::Extra)
        };
        self.orders[at].payments.push(Trade { number, right, state });
        said
    }

    fn expire(&mut self, at: usize) -> String {
        if self.orders[at].state != OrderState::Pending {
            return "past".to_owned();
        }
        self.unreserve(at);
        self.orders[at].state = OrderState::Expired;
        "expired".to_owned()
    }

    fn decide(&mut self, at: usize, approved: bool) -> String {
        let line = &mut self.orders[at];
        if line.state != OrderState::Held {
            return format!("it is {}", line.state);
        }
        if approved {
            line.turn(PaymentState::Held, PaymentState::Settled);
            return self.deliver(at, false);
        }
        line.state = OrderState::Rejected;
        "rejected".to_owned()
    }

    fn refund(&mut self, at: usize) -> String {
        let line = &mut self.orders[at];
        let burned = match line.state {
            OrderState::Delivered => line.quantity,
            OrderState::Owed | OrderState::Held | OrderState::Rejected => 0,
            state => return format!("it is {state}"),
        };
        line.state = OrderState::Refunded;
        line.turn(PaymentState::Settled, PaymentState::Refunded);
        line.turn(PaymentState::Held, PaymentState::Refunded);
        self.given -= burned;
        self.voided += burned;
        self.owed.retain(|other| *other != at);
        format!("refunded {burned}")
    }

    fn replace(&mut self, at: usize) -> String {
        if self.orders[at].state != OrderState::Delivered {
            return format!("it is {}", self.orders[at].state);
        }
        if self.free() == 0 {
            return "short".to_owned();
        }
        self.pool -= 1;
        self.voided += 1;
        "replaced".to_owned()
    }

    fn restock(&mut self) -> String {
        let (mut settled, mut stuck) = (0, false);
        while let Some(at) = self.owed.front().copied().filter(|_| settled < RESTOCK_ORDERS && !stuck) {
            stuck = self.orders[at].quantity > self.pool - self.reserved;
            if !stuck {
                self.owed.pop_front();
                self.draw(at);
                settled += 1;
            }
        }
        format!("{settled} settled, more: {}", !self.owed.is_empty() && !stuck)
    }

    fn void(&mut self, count: u32) -> String {
        let count = count.min(self.free());
        self.pool -= count;
        self.voided += count;
        self.restorable += count;
        format!("{count} voided")
    }

    fn restore(&mut self, count: u32) -> String {
        let count = count.min(self.restorable);
        self.pool += count;
        self.voided -= count;
        self.restorable -= count;
        format!("{count} restored")
    }
}

/// One history: a pool of its own, from which orders of both kinds draw, as after a change of the product's `take`.
struct Case<'a> {
    bench: &'a Bench,
    by_order: Product,
    by_payment: Product,
    slot: Slot,
    model: Model,
}

impl<'a> Case<'a> {
    fn new(bench: &'a Bench) -> Self {
        let id = format!("game-{}", bench.number());
        let (by_order, by_payment) = (product(&id, Take::Order), product(&id, Take::Payment));
        let slot = by_order.home();
        Self { bench, by_order, by_payment, slot, model: Model::default() }
    }

    /// Does a step; gives back what Redis said and what the model says.
    async fn step(&mut self, step: Step) -> (String, String) {
        let bench = self.bench;
        let store = &bench.store;
        match step {
            Step::Import(count) => (self.import(count).await, self.model.import(count)),
            Step::Reserve(take, quantity) => {
                let id = OrderId::new(self.slot, store.now(), u128::from(bench.number()));
                let product = if take == Take::Order { &self.by_order } else { &self.by_payment };
                let new = draft(product, &bench.contact, id, quantity, store.now());
                let said = match store.reserve(&new).await.unwrap() {
                    Reserved::Created => "created".to_owned(),
                    Reserved::Exists => "exists".to_owned(),
                    Reserved::Short(available) => format!("short {available}"),
                };
                (said, self.model.reserve(id, take, quantity))
            }
            Step::Order(_, _) if self.model.orders.is_empty() => (String::new(), String::new()),
            Step::Order(order, act) => self.act(order % self.model.orders.len(), act).await,
            Step::Restock => {
                let (settled, more) = store.restock(self.slot, &self.by_order.id).await.unwrap();
                (format!("{settled} settled, more: {more}"), self.model.restock())
            }
            Step::Void(count) => {
                let voided = store.void(&self.by_order, count, &[]).await.unwrap();
                (format!("{voided} voided"), self.model.void(count))
            }
            Step::Restore(count) => {
                let restored = store.restore(&self.by_order, count).await.unwrap();
                (format!("{restored} restored"), self.model.restore(count))
            }
        }
    }

    async fn import(&self, count: u32) -> String {
        let keys = (0..count).map(|_| self.bench.key()).collect();
        let batch = format!("model{}", self.bench.number());
        let chunk = Chunk { product: &self.by_order.id, slot: self.slot, batch, keys, stood: Vec::new() };
        let report = self.bench.store.import(&chunk).await.unwrap();
        format!("{} imported", report.0.iter().filter(|ours| **ours).count())
    }

    async fn act(&mut self, at: usize, act: Act) -> (String, String) {
        let store = &self.bench.store;
        let line = &self.model.orders[at];
        let id = line.id;
        let order = store.order(id).await.unwrap().expect("the order");
        match act {
            Act::Pay(paid) => {
                let (number, right) = line.trade(paid);
                let due = PRICE * i64::from(line.quantity);
                let paid = payment(id, &line.trade_no(number), cny(if right { due } else { due + 1 }));
                (word(&store.settle(&paid, "").await.unwrap()), self.model.pay(at, number, right))
            }
            Act::Expire => {
                let said = match store.release(id, order.expires, KEEP_MS, "").await.unwrap() {
                    Released::Expired => "expired",
                    Released::Waiting => "waiting",
                    Released::Past => "past",
                };
                (said.to_owned(), self.model.expire(at))
            }
            Act::Approve => (reviewed(store.approve(id, "").await.unwrap()), self.model.decide(at, true)),
            Act::Reject => (reviewed(store.reject(id, "").await.unwrap()), self.model.decide(at, false)),
            Act::Refund => (reviewed(store.refund(&order, None, "").await.unwrap()), self.model.refund(at)),
            Act::Replace => {
                let bad = order.keys.first().cloned().unwrap_or_default();
                let said = match store.replace(&order, 0, &bad, "").await.unwrap() {
                    Changed::Done => "replaced".to_owned(),
                    Changed::Short => "short".to_owned(),
                    Changed::Moved => "moved".to_owned(),
                    Changed::WrongState(state) => format!("it is {state}"),
                };
                (said, self.model.replace(at))
            }
        }
    }

    /// The numbers add up, every key is in one place, every order has what is its own, the queue is in its order.
    async fn check_keys(&self, what: &str) -> TestCaseResult {
        let stock = self.bench.store.stock(&self.by_order).await.unwrap();
        same(what, stock, self.model.stock())?;
        same(&format!("{what}, imported"), stock.imported, stock.pool + stock.given + stock.voided)?;
        same(&format!("{what}, reserved ≤ pool"), stock.reserved <= stock.pool, true)?;
        let (n, slot, product, orders) = (self.bench.store.names, self.slot, &self.by_order.id, &self.model.orders);
        let names =
            vec![n.owed(slot, product), n.pool(slot, product), n.voided(slot, product), n.burned(slot, product)];
        let mut pipe = redis::pipe();
        for name in &names {
            pipe.cmd("LRANGE").arg(name).arg(0).arg(-1);
        }
        let mut lists: Vec<Vec<Vec<u8>>> = pipe.query_async(&mut self.bench.link.clone()).await.unwrap();
        let ids: Vec<_> = orders.iter().map(|line| line.id).collect();
        lists.extend(self.bench.store.orders(&ids).await.unwrap().into_iter().flatten().map(|order| order.keys));
        let owed = lists[0].iter().map(|id| String::from_utf8_lossy(id).into_owned()).collect::<Vec<_>>();
        let queue = self.model.owed.iter().map(|at| orders[*at].id.to_string()).collect();
        same(&format!("{what}, owed"), owed, queue)?;
        let mut seen = HashSet::new();
        for key in lists[1..].iter().flatten() {
            same(&format!("{what}, a key in one place only"), seen.insert(key), true)?;
        }
        same(&format!("{what}, keys"), seen.len() as u64, stock.imported)?;
        same(&format!("{what}, voided keys"), lists[2].len(), self.model.restorable as usize)?;
        for (line, given) in orders.iter().zip(&lists[4..]) {
            let wanted = if line.state == OrderState::Delivered { line.quantity as usize } else { 0 };
            same(&format!("{what}, keys of {}", line.id), given.len(), wanted)?;
        }
        Ok(())
    }

    async fn check_orders(&self, what: &str) -> TestCaseResult {
        let store = &self.bench.store;
        let ids: Vec<OrderId> = self.model.orders.iter().map(|line| line.id).collect();
        let stand = store.orders(&ids).await.unwrap();
        for (line, order) in self.model.orders.iter().zip(stand) {
            let order = order.expect("the order");
            same(&format!("{what}, {}", line.id), (order.state, order.reserved), (line.state, line.reserved))?;
            let records = store.payments(line.id.as_str()).await.unwrap().into_iter();
            let records: BTreeMap<_, _> = records.map(|record| (record.trade_no, record.state)).collect();
            let wanted = line.payments.iter().map(|trade| (line.trade_no(trade.number), trade.state)).collect();
            same(&format!("{what}, payments of {}", line.id), records, wanted)?;
        }
        Ok(())
    }

    /// What waits for a person, for its time or for a restock stands where it is looked for.
    async fn check_lanes(&self, what: &str) -> TestCaseResult {
        let (n, slot, model) = (self.bench.store.names, self.slot, &self.model);
        let mut pipe = redis::pipe();
        pipe.cmd("ZRANGE").arg(n.review(slot)).arg(0).arg(-1);
        pipe.cmd("ZRANGE").arg(n.due(slot)).arg(0).arg(-1);
        pipe.cmd("SMEMBERS").arg(n.marks(slot));
        let (review, due, marks): (Vec<String>, Vec<String>, Vec<String>) =
            pipe.query_async(&mut self.bench.link.clone()).await.unwrap();
        let ids: HashSet<&str> = model.orders.iter().map(|line| line.id.as_str()).collect();
        // Other histories may share the slot.
        let ours = |item: &String| item.split(':').any(|part| ids.contains(part));
        let (mut waiting, mut pending) = (BTreeSet::new(), BTreeSet::new());
        for line in &model.orders {
            if line.state == OrderState::Held {
                waiting.insert(format!("held:{}", line.id));
            } else if line.state == OrderState::Pending {
                pending.insert(line.id.to_string());
            }
            for trade in line.payments.iter().filter(|trade| trade.state == PaymentState::Extra) {
                waiting.insert(format!("extra:{}:{CHANNEL}|{}", line.id, line.trade_no(trade.number)));
            }
        }
        same(&format!("{what}, for a person"), review.into_iter().filter(ours).collect(), waiting)?;
        same(&format!("{what}, due"), due.into_iter().filter(ours).collect(), pending)?;
        // Released, imported or restored keys settle nobody unless a mark says where to look.
        let fits = |at: &usize| model.orders[*at].quantity <= model.pool - model.reserved;
        let marked = marks.iter().any(|id| id == self.by_order.id.as_str());
        same(&format!("{what}, marked"), marked || !model.owed.front().is_some_and(fits), true)
    }
}
