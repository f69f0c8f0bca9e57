//! Gateways for coins and others that post JSON, from their specifications: each checks the request for a payment, shows the
//! buyer a page and calls back. Their reading of how something is signed is not the daemon's: nothing here uses a channel.

mod btcpay;
mod events;
mod stripe;
mod usdt;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use aws_lc_rs::hmac;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value, json};

use super::delivery::Simulator;
use super::gateway::{serve, sha256, stamp};

/// Which gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Epusdt,
    Gmpay,
    Bepusdt,
    TokenPay,
    Coinbase,
    BtcPay,
    Stripe,
    Webhooks,
}

impl Kind {
    pub const ALL: [Self; 8] = [
        Self::Epusdt,
        Self::Gmpay,
        Self::Bepusdt,
        Self::TokenPay,
        Self::Coinbase,
        Self::BtcPay,
        Self::Stripe,
        Self::Webhooks,
    ];

    /// The kind of channel that leads to it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Epusdt => "epusdt_md5",
            Self::Gmpay => "epusdt_gmpay",
            Self::Bepusdt => "bepusdt",
            Self::TokenPay => "tokenpay",
            Self::Coinbase => "coinbase_commerce",
            Self::BtcPay => "btcpay",
            Self::Stripe => "stripe",
            Self::Webhooks => "standard_webhooks",
        }
    }
}

/// What a callback tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    Waiting,
    Expired,
    Paid,
    /// Paid, signed with another secret.
    Forged,
    /// Paid to another address, or in another charge, under another number of the gateway's.
    Elsewhere,
}

/// One payment as the gateway has it.
#[derive(Debug, Clone, Default)]
pub struct Payment {
    /// As it was asked for: a number, or a text where the gateway takes one.
    amount: Value,
    notify_url: String,
    paid: bool,
}

pub struct Coins {
    pub kind: Kind,
    pub url: String,
    /// Where events go that no request names an address for: it is entered in the gateway's console.
    pub console: Mutex<String>,
    /// Every payment it knows of counts as paid: for callbacks that others make up.
    pub all_paid: AtomicBool,
    /// Its API answers nothing but errors.
    pub down: AtomicBool,
    /// What was given back, by the request's key: payment and amount.
    pub given_back: Mutex<BTreeMap<String, (String, String)>>,
    payments: Mutex<BTreeMap<String, Payment>>,
    http: reqwest::Client,
}

/// The token, secret or API key that both sides have.
pub const TOKEN: &str = "epusdt_password_xasddawqe";
/// What events are signed with.
pub const WEBHOOK: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// The store of the BTCPay Server.
pub const STORE: &str = "9CiNzKoANXxmk5ayZngSXrHTiVvvgCrwrpFQd4m2K776";

/// Headers of an event.
type Headers = Vec<(&'static str, String)>;

fn hmac_sha256(key: &[u8], text: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text).as_ref().to_vec()
}

fn map(value: Value) -> Map<String, Value> {
    let Value::Object(map) = value else { panic!("no object: {value}") };
    map
}

fn said(status: u16, value: &Value) -> Response {
    (StatusCode::from_u16(status).unwrap(), axum::Json(value.clone())).into_response()
}

impl Coins {
    /// Starts one on a free port.
    pub async fn start(kind: Kind) -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let (console, payments) = (Mutex::default(), Mutex::default());
        let (all_paid, down) = (AtomicBool::new(false), AtomicBool::new(false));
        let coins = Arc::new(Self { kind, url, console, all_paid, down, given_back: Mutex::default(), payments, http });
        let app = axum::Router::new().fallback(take).with_state(Arc::clone(&coins));
        tokio::spawn(async move { serve(listener, app).await });
        coins
    }

    fn payments(&self) -> MutexGuard<'_, BTreeMap<String, Payment>> {
        self.payments.lock().unwrap()
    }

    fn payment(&self, number: &str) -> Payment {
        self.payments().get(number).cloned().unwrap_or_else(|| panic!("{number} was never asked for"))
    }

    /// The gateway's own number of a payment, in its own form.
    fn own(&self, number: &str) -> String {
        let hash = sha256(&format!("own {number}"));
        match self.kind {
            Kind::TokenPay => {
                format!("{}-{}-{}-{}-{}", &hash[..8], &hash[8..12], &hash[12..16], &hash[16..20], &hash[20..32])
            }
            Kind::Coinbase => hash[..8].to_uppercase(),
            Kind::Stripe => format!("cs_test_{}", &hash[..40]),
            Kind::BtcPay => hash[..22].to_owned(),
            _ => hash[..18].to_owned(),
        }
    }

    /// The payment that goes by a number of the gateway's own, and how it stands.
    fn named(&self, own: &str) -> Option<(String, Told)> {
        let payments = self.payments();
        let mut all = payments.iter();
        all.find_map(|(number, payment)| {
            if self.own(&Self::meant(number, Told::Elsewhere)) == own {
                return Some((number.clone(), Told::Elsewhere));
            }
            let paid = payment.paid || self.all_paid.load(Ordering::Relaxed);
            (self.own(number) == own).then(|| (number.clone(), if paid { Told::Paid } else { Told::Waiting }))
        })
    }

    /// The payment that is told of: another one that names the same order, where it was paid elsewhere.
    fn meant(number: &str, told: Told) -> String {
        if told == Told::Elsewhere { format!("not {number}") } else { number.to_owned() }
    }

    fn address(&self, number: &str) -> String {
        format!("T{}", &sha256(&format!("address {number}"))[..33])
    }

    fn asked(&self, number: &str, amount: &Value, notify_url: &Value) {
        let notify_url = notify_url.as_str().unwrap_or_default().to_owned();
        let payment = Payment { amount: amount.clone(), notify_url, paid: false };
        let known = self.payments().insert(number.to_owned(), payment);
        assert!(known.is_none(), "{number} was asked for twice");
    }

    fn answer(&self, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Result<Response, &'static str> {
        if let (&Method::GET, Some(number)) = (method, uri.path().strip_prefix("/page/")) {
            return self.payments().get(number).map(|_| "pay here".into_response()).ok_or("no such payment");
        }
        match (self.kind, method.as_str(), uri.path()) {
            (Kind::Coinbase, ..) => self.answer_coinbase(method, uri, headers, body),
            (Kind::BtcPay, ..) => self.answer_btcpay(method, uri, headers, body),
            (Kind::Stripe, ..) => self.answer_stripe(method, uri, headers, body),
            (Kind::Webhooks, "GET", "/page") => Ok(self.answer_page(uri)),
            (Kind::TokenPay, "GET", "/Pay") => Ok("pay here".into_response()),
            (Kind::TokenPay, "GET", "/Query") => self.query_tokenpay(uri),
            (Kind::TokenPay, "POST", "/CreateOrder") => self.answer_tokenpay(&self.believed(body, "Signature")?),
            (Kind::Gmpay, "POST", "/payments/gmpay/v1/order/create-transaction")
            | (Kind::Epusdt | Kind::Bepusdt, "POST", "/api/v1/order/create-transaction") => {
                self.answer_usdt(&self.believed(body, "signature")?)
            }
            _ => Err("path"),
        }
    }

    /// Tells the shop: status and body of its answer.
    pub async fn tell(&self, number: &str, told: Told) -> (u16, String) {
        let answer = self.http.execute(self.request(number, told, 0)).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    fn request(&self, number: &str, told: Told, attempt: usize) -> reqwest::Request {
        let (url, headers, body) = match self.kind {
            Kind::Coinbase | Kind::BtcPay | Kind::Stripe | Kind::Webhooks => {
                let (headers, body) = self.event(number, told, attempt);
                (self.console.lock().unwrap().clone(), headers, body)
            }
            _ => (self.payment(number).notify_url, Vec::new(), Value::Object(self.fields(number, told)).to_string()),
        };
        let ask = self.http.post(url).header("content-type", "application/json").body(body);
        headers.into_iter().fold(ask, |ask, (name, text)| ask.header(name, text)).build().unwrap()
    }

    /// How it says no.
    fn refusal(&self, why: &str) -> Response {
        match self.kind {
            Kind::TokenPay => said(200, &json!({"success": false, "message": why})),
            Kind::Coinbase | Kind::Stripe => {
                said(401, &json!({"error": {"type": "authentication_error", "message": why}}))
            }
            Kind::BtcPay => said(401, &json!({"code": "unauthenticated", "message": why})),
            Kind::Webhooks => said(404, &json!({})),
            _ => said(200, &json!({"status_code": 401, "message": why, "data": null, "request_id": "r1"})),
        }
    }
}

impl Simulator for Coins {
    fn kind(&self) -> &'static str {
        self.kind.word()
    }

    fn notice(&self, number: &str, attempt: usize) -> reqwest::Request {
        self.request(number, Told::Paid, attempt)
    }

    fn pay(&self, number: &str) {
        self.payments().get_mut(number).expect("asked for").paid = true;
    }

    fn taken(&self) -> usize {
        self.payments().len()
    }
}

async fn take(State(coins): State<Arc<Coins>>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    coins.answer(&method, &uri, &headers, &body).unwrap_or_else(|why| coins.refusal(why))
}
