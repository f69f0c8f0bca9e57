//! What the dashboard asks of the admin API, as data; and the rows it makes of the answers.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::client::resend_path;
use crate::domain::{Millis, time};

/// One request. Everything that changes something is here too: nothing else of the dashboard does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Who we are, and where.
    Info,
    /// Orders by number, contact or trade number.
    Search(String),
    /// One order, whole.
    Order(String),
    /// What waits for a person.
    Review,
    /// Notices that wait or were given up.
    Notices,
    /// Failed callbacks of earlier than the stream remembers.
    Incidents,
    /// One incident, whole.
    Incident(String),
    /// The incident's capture, for a file.
    Capture(String),
    /// The incident verified again; nothing is settled.
    Replay(String),
    /// Something done to an order.
    Act {
        /// Its number.
        order: String,
        /// The admin API's word for it.
        action: &'static str,
        /// Why.
        reason: String,
        /// The gateway's number, for `mark-paid`.
        trade_no: Option<String>,
        /// Place of the key, for `replace`.
        position: Option<usize>,
    },
    /// An extra or orphan payment marked as refunded, or, with an order, used for it.
    Payment {
        /// The number it was paid under.
        id: String,
        /// Channel and trade number.
        payment: String,
        /// The order to use it for.
        order: Option<String>,
    },
    /// Callbacks of an address refused for a while.
    Block {
        /// Whose.
        address: String,
        /// For how long.
        minutes: u64,
        /// Why.
        reason: String,
        /// Its orders too, and the unpaid ones taken back.
        orders: bool,
    },
}

/// A request of the admin API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Read that path with that query.
    Get(String, Vec<(&'static str, String)>),
    /// Send that.
    Post(String, Value),
}

/// Orders shown at once.
const ROWS: &str = "200";

impl Ask {
    /// The requests to make, in order; their answers belong together.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        let get = |path: &str| Request::Get(path.to_owned(), Vec::new());
        match self {
            Self::Info => vec![get("/v1/info")],
            Self::Search(text) => {
                vec![Request::Get("/v1/orders".to_owned(), vec![("find", text.clone()), ("limit", ROWS.to_owned())])]
            }
            Self::Order(id) => vec![get(&format!("/v1/orders/{id}"))],
            Self::Review => {
                let of = |state: &str| {
                    Request::Get("/v1/orders".to_owned(), vec![("state", state.to_owned()), ("limit", ROWS.to_owned())])
                };
                vec![of("held"), of("owed"), get("/v1/orphans")]
            }
            Self::Notices => {
                vec![Request::Get("/v1/notices".to_owned(), vec![("limit", ROWS.to_owned())])]
            }
            Self::Incidents => {
                vec![Request::Get("/v1/incidents".to_owned(), vec![("limit", ROWS.to_owned())])]
            }
            Self::Incident(id) => vec![get(&format!("/v1/incidents/{id}"))],
            Self::Capture(id) => vec![get(&format!("/v1/incidents/{id}/capture"))],
            Self::Replay(id) => vec![Request::Post(format!("/v1/incidents/{id}/replay"), json!({}))],
            Self::Act { order, action, reason, trade_no, position } => {
                let mut note = json!({"reason": reason});
                if let Some(trade_no) = trade_no {
                    note["trade_no"] = json!(trade_no);
                }
                if let Some(position) = position {
                    note["position"] = json!(position);
                }
                let path = match *action {
                    "resend" => resend_path(order),
                    _ => format!("/v1/orders/{order}/act/{action}"),
                };
                vec![Request::Post(path, note)]
            }
            Self::Payment { id, payment, order } => {
                let which = json!({"id": id, "payment": payment, "order": order.as_deref().unwrap_or_default()});
                let verb = if order.is_some() { "adopt" } else { "refund" };
                vec![Request::Post(format!("/v1/orphans/{verb}"), which)]
            }
            Self::Block { address, minutes, reason, orders } => {
                let wish = json!({"address": address, "minutes": minutes, "reason": reason, "orders": orders});
                vec![Request::Post("/v1/addresses/block".to_owned(), wish)]
            }
        }
    }

    /// Whether it changes something.
    #[must_use]
    pub fn acts(&self) -> bool {
        matches!(self, Self::Act { .. } | Self::Payment { .. } | Self::Block { .. })
    }
}

/// An order, or a payment without one, as a list shows it. All text is foreign until it is drawn.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Row {
    /// `held`, `owed`, `extra`, `orphan`, or an order's state.
    pub kind: String,
    /// The order's number, or the one it was paid under.
    pub id: String,
    /// Channel and trade number, of a payment without an order.
    pub payment: String,
    /// Product.
    pub product: String,
    /// Keys.
    pub quantity: u64,
    /// Amount and currency.
    pub amount: String,
    /// Masked by whoever wrote it down, or the operator's to see.
    pub contact: String,
    /// What was paid, where that is not what was due.
    pub paid: String,
    /// Why it waits.
    pub why: String,
    /// Since when.
    pub since: Millis,
}

impl Row {
    /// What tells it from every other one: an order may have several payments.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {}", self.id, self.payment)
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn order(value: &Value) -> Row {
    let time = |name: &str| value[name].as_u64();
    Row {
        kind: text(&value["state"]),
        id: text(&value["id"]),
        payment: String::new(),
        product: text(&value["product"]),
        quantity: value["quantity"].as_u64().unwrap_or(0),
        amount: format!("{} {}", text(&value["amount"]), text(&value["currency"])),
        contact: text(&value["contact"]),
        paid: text(&value["paid"]),
        why: text(&value["why"]),
        since: time("delivered_at").or_else(|| time("paid_at")).or_else(|| time("created_at")).unwrap_or(0),
    }
}

fn payment(value: &Value) -> Row {
    let since = value["since"].as_str().and_then(time::parse);
    Row {
        kind: text(&value["kind"]),
        id: text(&value["id"]),
        payment: text(&value["payment"]),
        amount: format!("{} {}", text(&value["amount"]), text(&value["currency"])),
        since: since.unwrap_or(0),
        ..Row::default()
    }
}

/// The rows of an answer to [`Ask::Search`] or [`Ask::Review`], each order once.
#[must_use]
pub fn rows(answers: &[Value]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for answer in answers {
        let list = |name: &str| answer[name].as_array().into_iter().flatten();
        rows.extend(list("orders").map(order));
        rows.extend(list("payments").filter(|item| item["kind"].is_string()).map(payment));
        if answer["state"].is_string() {
            rows.push(order(answer));
        }
    }
    let mut seen = std::collections::HashSet::new();
    rows.retain(|row| seen.insert((row.id.clone(), row.payment.clone())));
    rows
}
