//! A PayPal of the tests' own, from its documents: tokens, orders, captures, refunds, and webhooks signed with a certificate
//! that is fetched. Nothing of `channel/` is used in it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use data_encoding::BASE64;
use serde_json::{Value, json};

use super::delivery::Simulator;
use super::gateway::Fate;
use super::pair::{Pair, authority_and_leaf};
use super::tunnel::Tunnel;

pub const WEBHOOK: &str = "3R3RSWYTRW3UQPR5K";
pub const MERCHANT: &str = "M9XYJV5HLAJ2E";
pub const SECRET: &str = "a client secret of the tests";

/// An order as PayPal has it.
#[derive(Clone, Default)]
pub struct Order {
    pub id: String,
    pub number: String,
    pub amount: Value,
    pub approved: bool,
    /// The key of the request that captured it.
    pub captured: Option<String>,
    /// The keys of the requests that gave it back.
    pub refunds: Vec<String>,
}

impl Order {
    fn capture_id(&self) -> String {
        format!("C{}", self.id)
    }

    fn capture(&self) -> Value {
        let status = if self.refunds.is_empty() { "COMPLETED" } else { "REFUNDED" };
        json!({"id": self.capture_id(), "status": status, "amount": self.amount, "invoice_id": self.number,
            "custom_id": self.number, "payee": {"merchant_id": MERCHANT},
            "supplementary_data": {"related_ids": {"order_id": self.id}}})
    }

    fn shown(&self, url: &str) -> Value {
        let status = match (self.approved, &self.captured) {
            (_, Some(_)) => "COMPLETED",
            (true, None) => "APPROVED",
            (false, None) => "PAYER_ACTION_REQUIRED",
        };
        let mut unit = json!({"reference_id": self.number, "invoice_id": self.number, "custom_id": self.number,
            "amount": self.amount, "payee": {"merchant_id": MERCHANT}});
        if self.captured.is_some() {
            unit["payments"] = json!({"captures": [self.capture()]});
        }
        let link = json!({"rel": "payer-action", "href": format!("{url}/checkoutnow?token={}", self.id)});
        json!({"id": self.id, "intent": "CAPTURE", "status": status, "purchase_units": [unit], "links": [link]})
    }
}

#[derive(Default)]
struct Books {
    orders: BTreeMap<String, Order>,
    /// Tokens given; the last one is good.
    tokens: usize,
    /// What becomes of the next answer to a capture.
    fate: Option<Fate>,
    /// Captures of events that others signed with its key, where it learns from those.
    learnt: Option<BTreeMap<String, Value>>,
    /// When each event was sent first, and its body: its repeats are the same.
    sent: BTreeMap<String, (String, String)>,
}

pub struct PayPal {
    pub url: String,
    /// Where its certificates are.
    pub tunnel: Tunnel,
    /// The root that they lead to, PEM.
    pub root: String,
    /// Where events go: it is entered in the developers' console.
    pub console: Mutex<String>,
    pub key: Pair,
    books: Mutex<Books>,
}

impl PayPal {
    pub async fn start() -> Arc<Self> {
        let key = Pair::new();
        let [leaf, root] = authority_and_leaf(&key, "messageverificationcerts.paypal.com");
        let certs = axum::Router::new().route("/v1/notifications/certs/CERT-1", axum::routing::get(|| async { leaf }));
        let tunnel = Tunnel::start(&["api.paypal.com"], certs).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let paypal = Arc::new(Self { url, tunnel, root, console: Mutex::default(), key, books: Mutex::default() });
        let app = axum::Router::new().fallback(take).with_state(Arc::clone(&paypal));
        tokio::spawn(super::gateway::serve(listener, app));
        paypal
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap()
    }

    pub fn tokens(&self) -> usize {
        self.books().tokens
    }

    /// No token that was given is good any more.
    pub fn revoke(&self) {
        self.books().tokens += 1;
    }

    /// The next capture is made, and its answer does not arrive.
    pub fn next_capture(&self, fate: Fate) {
        self.books().fate = Some(fate);
    }

    pub fn order(&self, number: &str) -> Order {
        self.books().orders.values().find(|order| order.number == number).unwrap().clone()
    }

    /// The buyer agrees on PayPal's page.
    pub fn approve(&self, number: &str) {
        let mut books = self.books();
        books.orders.values_mut().find(|order| order.number == number).unwrap().approved = true;
    }

    /// What a load makes up with its key counts as captured.
    pub fn learn(&self) {
        self.books().learnt = Some(BTreeMap::new());
    }

    fn signed(&self, id: &str, time: &str, body: &[u8]) -> String {
        format!("{id}|{time}|{WEBHOOK}|{}", crc32fast::hash(body))
    }

    /// Tells of an event; the status of the answer.
    pub async fn tell(&self, to: &str, number: &str, event: &str) -> u16 {
        self.try_tell(to, number, event).await.unwrap()
    }

    /// The same; `None`: nobody answered.
    pub async fn try_tell(&self, to: &str, number: &str, event: &str) -> Option<u16> {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Some(client.execute(self.event(to, number, event)).await.ok()?.status().as_u16())
    }

    fn event(&self, to: &str, number: &str, event: &str) -> reqwest::Request {
        let order = self.order(number);
        let resource = if event.starts_with("CHECKOUT.") { order.shown(&self.url) } else { order.capture() };
        let body = json!({"id": format!("WH-{event}-{number}"), "event_type": event, "resource": resource}).to_string();
        let now = || jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        // Until it is agreed to, an event of it may be told of too early: that one is another.
        let known = format!("{event} {number} {}", order.approved);
        let (time, body) = self.books().sent.entry(known).or_insert_with(|| (now(), body)).clone();
        let signature = self.key.sign(&self.signed("T1", &time, body.as_bytes()));
        let sent = reqwest::Client::new()
            .post(to)
            .header("Paypal-Transmission-Id", "T1")
            .header("Paypal-Transmission-Time", time)
            .header("Paypal-Transmission-Sig", signature)
            .header("Paypal-Cert-Url", "https://api.paypal.com/v1/notifications/certs/CERT-1")
            .header("Paypal-Auth-Algo", "SHA256withRSA")
            .header("Content-Type", "application/json")
            .body(body);
        sent.build().unwrap()
    }

    fn verified(&self, body: &str, books: &mut Books) -> Value {
        let said: Value = serde_json::from_str(body).unwrap();
        let text = |name: &str| said[name].as_str().unwrap().to_owned();
        // The event's bytes as they were put in, not as a parser would write them.
        let (_, event) = body.split_once("\"webhook_event\":").unwrap();
        let event = event.strip_suffix('}').unwrap();
        let signed = self.signed(&text("transmission_id"), &text("transmission_time"), event.as_bytes());
        let fits = text("webhook_id") == WEBHOOK && self.key.signed(&signed, &text("transmission_sig"));
        if let (true, Some(learnt)) = (fits, &mut books.learnt) {
            let capture = said["webhook_event"]["resource"].clone();
            learnt.insert(capture["id"].as_str().unwrap().to_owned(), capture);
        }
        json!({"verification_status": if fits { "SUCCESS" } else { "FAILURE" }})
    }

    fn answer(&self, method: &Method, path: &str, headers: &HeaderMap, body: &str) -> (u16, Value) {
        let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
        let mut books = self.books();
        if path == "/checkoutnow" {
            return (200, json!("pay here"));
        }
        if path == "/v1/oauth2/token" {
            let right = format!("Basic {}", BASE64.encode(format!("client:{SECRET}").as_bytes()));
            if header("authorization") != right || body != "grant_type=client_credentials" {
                return (401, json!({"error": "invalid_client"}));
            }
            books.tokens += 1;
            return (200, json!({"access_token": format!("T{}", books.tokens), "expires_in": 32_400}));
        }
        if header("authorization") != format!("Bearer T{}", books.tokens) {
            return (401, json!({"error": "invalid_token"}));
        }
        let once = header("paypal-request-id");
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let unfit = |issue: &str| (422, json!({"name": "UNPROCESSABLE_ENTITY", "message": issue}));
        match (method.as_str(), &parts[..]) {
            ("POST", ["v1", "notifications", "verify-webhook-signature"]) => (200, self.verified(body, &mut books)),
            ("POST", ["v2", "checkout", "orders"]) => {
                let wish: Value = serde_json::from_str(body).unwrap();
                assert_eq!(wish["intent"], "CAPTURE");
                let unit = &wish["purchase_units"][0];
                let number = unit["invoice_id"].as_str().unwrap().to_owned();
                assert!(once == format!("kamid-{number}"), "{once}");
                let id = format!("O{number}");
                let order = Order { id: id.clone(), number, amount: unit["amount"].clone(), ..Order::default() };
                (201, books.orders.entry(id).or_insert(order).shown(&self.url))
            }
            ("GET", ["v2", "checkout", "orders", id]) => match books.orders.get(*id) {
                Some(order) => (200, order.shown(&self.url)),
                None => (404, json!({"name": "RESOURCE_NOT_FOUND"})),
            },
            ("POST", ["v2", "checkout", "orders", id, "capture"]) => {
                let order = books.orders.get_mut(*id).unwrap();
                match &order.captured {
                    _ if !order.approved => return unfit("ORDER_NOT_APPROVED"),
                    Some(by) if *by != once => return unfit("ORDER_ALREADY_CAPTURED"),
                    _ => order.captured = Some(once),
                }
                (201, order.shown(&self.url))
            }
            ("GET", ["v2", "payments", "captures", id])
                if books.learnt.as_ref().is_some_and(|it| it.contains_key(*id)) =>
            {
                (200, books.learnt.as_ref().unwrap()[*id].clone())
            }
            ("GET", ["v2", "payments", "captures", id]) => {
                match books.orders.values().find(|order| order.captured.is_some() && order.capture_id() == *id) {
                    Some(order) => (200, order.capture()),
                    None => (404, json!({"name": "RESOURCE_NOT_FOUND"})),
                }
            }
            ("POST", ["v2", "payments", "captures", id, "refund"]) => {
                let order = books.orders.values_mut().find(|order| order.capture_id() == *id).unwrap();
                if order.refunds.is_empty() {
                    order.refunds.push(once);
                } else if !order.refunds.contains(&once) {
                    return unfit("CAPTURE_FULLY_REFUNDED");
                }
                (201, json!({"id": "R1", "status": "COMPLETED"}))
            }
            _ => (404, json!({"path": path})),
        }
    }
}

impl Simulator for PayPal {
    fn kind(&self) -> &'static str {
        "paypal"
    }

    fn notice(&self, number: &str, _attempt: usize) -> reqwest::Request {
        let to = self.console.lock().unwrap().clone();
        self.event(&to, number, "CHECKOUT.ORDER.APPROVED")
    }

    fn pay(&self, number: &str) {
        self.approve(number);
    }

    fn taken(&self) -> usize {
        self.books().orders.len()
    }
}

async fn take(
    State(paypal): State<Arc<PayPal>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (status, said) = paypal.answer(&method, uri.path(), &headers, std::str::from_utf8(&body).unwrap());
    let mut answer = (StatusCode::from_u16(status).unwrap(), said.to_string()).into_response();
    if status == 201
        && uri.path().ends_with("/capture")
        && let Some(fate) = paypal.books().fate.take()
    {
        answer.extensions_mut().insert(fate);
    }
    answer
}
