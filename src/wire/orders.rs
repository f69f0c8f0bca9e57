//! Orders.

use serde::{Deserialize, Serialize};

use super::Word;
use super::payments::PaymentView;
use crate::domain::ids::BadId;
use crate::domain::time::iso;
use crate::domain::{ActResult, HistoryLine, Millis, NoticeState, Order, OrderId, OrderState, Pay, Step};

/// Which orders are listed; the newest where nothing is said.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OrderSearch {
    /// Those that stand there.
    pub state: Option<OrderState>,
    /// Those of that contact.
    pub contact: Option<String>,
    /// Those with a payment of that number of a gateway's.
    pub trade_no: Option<String>,
    /// Any of these, or an order's or a payment's number: gateways' numbers may look like ours.
    pub find: Option<String>,
    /// At most so many.
    pub limit: usize,
}

impl Default for OrderSearch {
    fn default() -> Self {
        Self { state: None, contact: None, trade_no: None, find: None, limit: 50 }
    }
}

/// An order in short.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct OrderBrief {
    /// Its number.
    pub id: String,
    /// Where it stands.
    pub state: Word<OrderState>,
    /// What.
    pub product: String,
    /// How many keys.
    pub quantity: u32,
    /// What is due, as text.
    pub amount: String,
    /// In minor units.
    pub amount_minor: i64,
    /// In what.
    pub currency: String,
    /// The buyer's contact.
    pub contact: String,
    /// When it was made.
    pub created_at: Millis,
    /// The same for people.
    pub created: String,
    /// When it stops being payable.
    pub expires_at: Millis,
    /// When it was paid.
    pub paid_at: Option<Millis>,
    /// When it was delivered.
    pub delivered_at: Option<Millis>,
    /// Why it is held.
    pub why: Option<String>,
    /// What came, where held orders are listed: whoever is to decide must see it beside what was due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paid: Option<Option<String>>,
}

impl OrderBrief {
    /// That order, and the contact that its ring opened.
    #[must_use]
    pub fn of(order: &Order, contact: String) -> Self {
        Self {
            id: order.id.to_string(),
            state: order.state.into(),
            product: order.product.to_string(),
            quantity: order.quantity,
            amount: order.amount.to_string(),
            amount_minor: order.amount.minor,
            currency: order.amount.currency.to_string(),
            contact,
            created_at: order.created,
            created: iso(order.created),
            expires_at: order.expires,
            paid_at: order.paid,
            delivered_at: order.delivered,
            why: order.why.clone(),
            paid: None,
        }
    }
}

/// Orders in short.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct OrderList<T = OrderBrief> {
    /// Those that were found.
    pub orders: Vec<T>,
}

/// How one order is shown.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OrderWish {
    /// `true`: its keys too, for who may act.
    pub keys: Option<String>,
}

impl OrderWish {
    /// With its keys, or without them.
    #[must_use]
    pub fn keys(too: bool) -> Self {
        Self { keys: too.then(|| "true".to_owned()) }
    }

    /// Whether its keys are asked for.
    #[must_use]
    pub fn wants_keys(&self) -> bool {
        self.keys.as_deref() == Some("true")
    }
}

/// One order with all that stands with it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct OrderWhole {
    /// In short.
    #[serde(flatten)]
    pub brief: OrderBrief,
    /// What was paid.
    #[serde(default)]
    pub payments: Vec<PaymentView>,
    /// The ways to pay it.
    #[serde(default)]
    pub attempts: Vec<AttemptView>,
    /// What people did to it.
    #[serde(default)]
    pub history: Vec<HistoryRow>,
    /// Its page, which shows the keys: for who may see them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// What its buyer was told.
    #[serde(default)]
    pub notice: Option<NoticeBrief>,
    /// Keys counted against the pool for it.
    #[serde(default)]
    pub reserved: u32,
    /// Its keys, where they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<Vec<String>>,
}

/// A way to pay an order.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AttemptView {
    /// Its number.
    pub payment_no: String,
    /// Through which channel.
    pub channel: String,
    /// What is due.
    pub amount: String,
    /// What it was opened with at its gateway.
    pub reference: Option<String>,
}

/// Something that was done to an order.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct HistoryRow {
    /// When.
    pub at: Millis,
    /// The same for people.
    pub time: String,
    /// By whom.
    pub by: String,
    /// What.
    pub action: String,
    /// Why.
    pub reason: String,
}

impl From<HistoryLine> for HistoryRow {
    fn from(HistoryLine { at, by, what, why }: HistoryLine) -> Self {
        Self { at, time: iso(at), by, action: what, reason: why }
    }
}

/// What a buyer was told, in short.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NoticeBrief {
    /// Where it stands.
    pub state: Word<NoticeState>,
    /// How often it was tried.
    pub tries: u32,
    /// When that changed.
    pub time: String,
    /// The notifier that tried it.
    pub by: String,
    /// Why it failed.
    pub why: String,
}

/// How many orders are made.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Several {
    /// So many, told in short; one, told whole, where it is absent.
    pub count: Option<usize>,
}

/// A new order as its buyer gets it: what was stored, its token and its page.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OrderMade {
    /// Its number.
    pub id: String,
    /// Number of the payment attempt.
    pub payment_no: String,
    /// Where it stands.
    pub state: Word<OrderState>,
    /// What is due, as text.
    pub amount: String,
    /// In minor units.
    pub amount_minor: i64,
    /// In what.
    pub currency: String,
    /// When it stops being payable.
    pub expires_at: Millis,
    /// How to pay.
    pub pay: Word<Step>,
    /// Its page.
    pub page: String,
    /// Its look-up code.
    pub code: String,
    /// What opens it.
    pub token: String,
}

/// One of several new orders.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct OrderMadeBrief {
    /// Its number.
    pub id: String,
    /// What opens it.
    pub token: String,
    /// Number of the payment attempt.
    pub payment_no: String,
    /// What is due, in minor units.
    pub amount_minor: i64,
    /// In what.
    pub currency: String,
    /// What the attempt was opened with; for operators, no buyer is shown it.
    pub reference: String,
}

/// One new order, or several.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OrdersMade {
    /// Several.
    Several {
        /// Each in short.
        orders: Vec<OrderMadeBrief>,
    },
    /// One.
    One(Box<OrderMade>),
}

/// Which orders are looked at.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LookWish {
    /// Their numbers, at most a thousand.
    pub ids: Vec<OrderId>,
}

impl LookWish {
    /// Those of these numbers.
    ///
    /// # Errors
    /// One of them is no order's.
    pub fn of<'a>(ids: impl IntoIterator<Item = &'a str>) -> Result<Self, BadId> {
        Ok(Self { ids: ids.into_iter().map(str::parse).collect::<Result<_, _>>()? })
    }
}

/// Where an order stands at one moment, with how many keys it holds and what was paid for it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct OrderLook {
    /// Its number.
    pub id: String,
    /// Where it stands; `None` where there is none of that number.
    pub state: Option<OrderState>,
    /// Keys ordered.
    pub quantity: u64,
    /// Keys it holds.
    pub keys: u64,
    /// What was paid.
    pub payments: Vec<PaymentView>,
}

/// Where orders stand.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct LookList {
    /// In the order that was asked for.
    pub orders: Vec<OrderLook>,
}

/// Of which time unpaid orders are listed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnpaidWish {
    /// Made from then on.
    pub from: Millis,
    /// And before then.
    pub until: Option<Millis>,
    /// With a way to pay through that channel.
    pub channel: Option<String>,
}

/// An order that nobody is known to have paid.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct UnpaidOrder {
    /// Its number.
    pub id: String,
    /// Where it stands.
    pub state: Word<OrderState>,
    /// When it was made.
    pub created_at: Millis,
    /// The channel of each of its attempts.
    pub channels: Vec<String>,
}

/// Orders that nobody is known to have paid.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct UnpaidList {
    /// The oldest first.
    pub orders: Vec<UnpaidOrder>,
    /// How many questions a second one channel's gateway is asked.
    pub asks_per_second: u32,
}

/// What came of something that was done.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Acted {
    /// To what.
    pub id: String,
    /// What.
    pub result: Word<ActResult>,
}

/// How an order is paid in the sandbox.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SandboxWish {
    /// How.
    pub how: Pay,
}

/// What the sandbox's gateway heard.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SandboxPaid {
    /// The order.
    pub id: String,
    /// The answer to each callback.
    pub answers: Vec<String>,
    /// Where the order stands then.
    pub state: Word<OrderState>,
}
