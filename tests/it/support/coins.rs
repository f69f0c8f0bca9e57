//! Gateways for coins, from their specifications: each checks the request for a payment, shows the buyer a page and calls
//! back. Their reading of how something is signed is not the daemon's: nothing here uses a channel.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use aws_lc_rs::hmac;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use data_encoding::{BASE64, HEXLOWER};
use serde_json::{Map, Value, json};

use super::gateway::{serve, sha256};

/// Which gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Epusdt,
    Gmpay,
    Bepusdt,
    TokenPay,
    Coinbase,
    Webhooks,
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
    payments: Mutex<BTreeMap<String, Payment>>,
    http: reqwest::Client,
}

/// The token, secret or API key that both sides have.
pub const TOKEN: &str = "epusdt_password_xasddawqe";
/// What Coinbase and a page of one's own sign events with.
pub const WEBHOOK: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn hmac_sha256(key: &[u8], text: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text).as_ref().to_vec()
}

/// A value as it is signed. With `go`, a number is Go's `%v`, which turns to an exponent at a million (no price here is small
/// enough for the other end); else it has no exponent.
fn written(value: &Value, go: bool) -> String {
    let Some(number) = value.as_f64() else { return value.as_str().unwrap_or_default().to_owned() };
    let plain = number.to_string();
    let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
    if !go || whole.len() < 7 {
        return plain;
    }
    let digits = format!("{whole}{fraction}");
    let (first, rest) = digits.trim_end_matches('0').split_at(1);
    let dot = if rest.is_empty() { "" } else { "." };
    format!("{first}{dot}{rest}e+{:02}", whole.len() - 1)
}

fn map(value: Value) -> Map<String, Value> {
    let Value::Object(map) = value else { panic!("no object: {value}") };
    map
}

fn json(status: u16, value: &Value) -> Response {
    (StatusCode::from_u16(status).unwrap(), axum::Json(value.clone())).into_response()
}

impl Coins {
    /// Starts one on a free port.
    pub async fn start(kind: Kind) -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let (console, payments) = (Mutex::default(), Mutex::default());
        let coins = Arc::new(Self { kind, url, console, payments, http });
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

    /// How many payments it took in.
    pub fn taken(&self) -> usize {
        self.payments().len()
    }

    /// The buyer pays; nobody is told.
    pub fn pay(&self, number: &str) {
        self.payments().get_mut(number).expect("asked for").paid = true;
    }

    /// The gateway's own number of a payment, in its own form.
    fn own(&self, number: &str) -> String {
        let hash = sha256(&format!("own {number}"));
        match self.kind {
            Kind::TokenPay => {
                format!("{}-{}-{}-{}-{}", &hash[..8], &hash[8..12], &hash[12..16], &hash[16..20], &hash[20..32])
            }
            Kind::Coinbase => hash[..8].to_uppercase(),
            _ => hash[..18].to_owned(),
        }
    }

    fn address(&self, number: &str) -> String {
        format!("T{}", &sha256(&format!("address {number}"))[..33])
    }

    /// Over every field that has a value, sorted: the token behind it under MD5, or HMAC-SHA256 in GMPay since 2.0.0.
    fn signature(&self, fields: &Map<String, Value>, token: &str) -> String {
        let texts = fields.iter().map(|(name, value)| (name.as_str(), written(value, self.kind == Kind::Bepusdt)));
        let signed = texts.filter(|(name, text)| !name.eq_ignore_ascii_case("signature") && !text.is_empty());
        let sorted: BTreeMap<_, _> = signed.collect();
        let text = sorted.iter().map(|(name, text)| format!("{name}={text}")).collect::<Vec<_>>().join("&");
        match self.kind {
            Kind::Gmpay => HEXLOWER.encode(&hmac_sha256(token.as_bytes(), text.as_bytes())),
            _ => HEXLOWER.encode(&<md5::Md5 as md5::Digest>::digest(format!("{text}{token}"))),
        }
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
            (Kind::Webhooks, "GET", "/page") => Ok(self.answer_page(uri)),
            (Kind::TokenPay, "POST", "/CreateOrder") => self.answer_tokenpay(&self.believed(body, "Signature")?),
            (Kind::Gmpay, "POST", "/payments/gmpay/v1/order/create-transaction")
            | (Kind::Epusdt | Kind::Bepusdt, "POST", "/api/v1/order/create-transaction") => {
                self.answer_usdt(&self.believed(body, "signature")?)
            }
            _ => Err("path"),
        }
    }

    fn believed(&self, body: &[u8], signature: &str) -> Result<Map<String, Value>, &'static str> {
        let fields = map(serde_json::from_slice(body).map_err(|_| "no JSON")?);
        let right = fields.get(signature).is_some_and(|given| *given == self.signature(&fields, TOKEN));
        if right { Ok(fields) } else { Err("signature verification failed") }
    }

    fn answer_usdt(&self, fields: &Map<String, Value>) -> Result<Response, &'static str> {
        let is = |name: &str, value: &str| fields.get(name).is_some_and(|text| text == value);
        let fits = match self.kind {
            Kind::Gmpay => is("pid", "1000") && is("currency", "cny") && is("token", "usdt") && is("network", "tron"),
            // A shorter time is refused.
            Kind::Bepusdt => {
                let timeout = fields.get("timeout").and_then(Value::as_u64);
                is("trade_type", "usdt.trc20") && is("fiat", "CNY") && timeout.is_some_and(|seconds| seconds >= 120)
            }
            _ => true,
        };
        // An amount of nothing is any sum to BEpusdt, and no text is a number to any of them.
        if !fits || fields["amount"].as_f64().is_none_or(|amount| amount < 0.01) {
            return Err("parameters");
        }
        let number = fields["order_id"].as_str().ok_or("parameters")?;
        self.asked(number, &fields["amount"], &fields["notify_url"]);
        let (amount, own, address) = (&fields["amount"], self.own(number), self.address(number));
        let mut data = json!({"trade_id": own, "order_id": number, "amount": amount, "actual_amount": 1.3571,
            "token": address, "expiration_time": 1_900_000_000, "payment_url": format!("{}/page/{number}", self.url)});
        if self.kind == Kind::Gmpay {
            data["token"] = "USDT".into();
            data["receive_address"] = address.into();
        }
        Ok(json(200, &json!({"status_code": 200, "message": "success", "data": data, "request_id": "r1"})))
    }

    fn answer_tokenpay(&self, fields: &Map<String, Value>) -> Result<Response, &'static str> {
        if fields["Currency"] != "USDT_TRC20" || !fields["ActualAmount"].is_number() {
            return Err("parameters");
        }
        let number = fields["OutOrderId"].as_str().ok_or("parameters")?;
        // It keeps one address for each key: two payments under one key could be taken for each other.
        let address = self.address(fields["OrderUserKey"].as_str().ok_or("parameters")?);
        self.asked(number, &fields["ActualAmount"], &fields["NotifyUrl"]);
        let amount = written(&fields["ActualAmount"], false);
        let info = json!({"ActualAmount": amount, "Amount": "1.3571", "BaseCurrency": "CNY", "BlockChainName": "TRON",
            "CurrencyName": "USDT", "Id": self.own(number), "OrderUserKey": fields["OrderUserKey"],
            "OutOrderId": number, "ToAddress": address});
        let page = format!("{}/page/{number}", self.url);
        Ok(json(200, &json!({"success": true, "message": "创建订单成功！", "data": page, "info": info})))
    }

    /// A page of one's own: nothing is signed on the way there, so it believes the amount as little as the shop does.
    fn answer_page(&self, uri: &Uri) -> Response {
        let url = reqwest::Url::parse(&format!("http://x/?{}", uri.query().unwrap_or_default())).unwrap();
        let fields: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        assert_eq!(fields["currency"], "CNY");
        self.asked(&fields["order"], &json!(fields["amount"]), &Value::Null);
        "pay here".into_response()
    }

    fn answer_coinbase(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Response, &'static str> {
        let is = |name: &str, value: &str| headers.get(name).is_some_and(|text| text == value);
        if !is("x-cc-api-key", TOKEN) || !is("x-cc-version", "2018-03-22") {
            return Err("no such API key");
        }
        if let (&Method::GET, Some(code)) = (method, uri.path().strip_prefix("/charges/")) {
            let number = self.payments().keys().find(|number| self.own(number) == code).cloned();
            let Some(number) = number else {
                return Ok(json(404, &json!({"error": {"type": "not_found", "message": "Not found"}})));
            };
            let told = if self.payment(&number).paid { Told::Paid } else { Told::Waiting };
            return Ok(json(200, &json!({"data": self.charge(&number, told)})));
        }
        if *method != Method::POST || uri.path() != "/charges" || !is("content-type", "application/json") {
            return Err("path");
        }
        let wish: Value = serde_json::from_slice(body).map_err(|_| "no JSON")?;
        let price = &wish["local_price"];
        if wish["pricing_type"] != "fixed_price" || price["currency"] != "CNY" || !price["amount"].is_string() {
            return Err("parameters");
        }
        let number = wish["metadata"]["order_no"].as_str().ok_or("parameters")?;
        self.asked(number, &price["amount"], &Value::Null);
        let mut charge = self.charge(number, Told::Waiting);
        charge["payments"] = json!([]);
        charge["timeline"] = json!([{"status": "NEW"}]);
        Ok(json(201, &json!({"data": charge})))
    }

    /// A charge; one that waits has been paid on a chain that has not confirmed it yet.
    fn charge(&self, number: &str, told: Told) -> Value {
        let price = json!({"amount": self.payment(number).amount, "currency": "CNY"});
        let (paid, step) = match told {
            Told::Waiting => ("PENDING", "PENDING"),
            Told::Expired => ("PENDING", "EXPIRED"),
            _ => ("CONFIRMED", "COMPLETED"),
        };
        let code = self.own(&if told == Told::Elsewhere { format!("not {number}") } else { number.to_owned() });
        json!({"code": code, "hosted_url": format!("{}/page/{number}", self.url), "pricing_type": "fixed_price",
            "pricing": {"local": price}, "metadata": {"order_no": number},
            "payments": [{"network": "ethereum", "status": paid, "value": {"local": price, "crypto": {"amount": "1", "currency": "ETH"}}}],
            "timeline": [{"status": "NEW"}, {"status": step}]})
    }

    /// The fields of a callback, signed.
    fn fields(&self, number: &str, told: Told) -> Map<String, Value> {
        let amount = self.payment(number).amount;
        let named = if told == Told::Elsewhere { format!("not {number}") } else { number.to_owned() };
        let (own, address) = (self.own(&named), self.address(&named));
        let paid = !matches!(told, Told::Waiting | Told::Expired);
        // Nothing is on the chain before it is paid: an empty field is not signed.
        let block = if paid { sha256(&named) } else { String::new() };
        let (status, name) = match (self.kind, told) {
            (Kind::TokenPay, Told::Waiting) => (0, "Signature"),
            (Kind::TokenPay, Told::Expired) => (2, "Signature"),
            (Kind::TokenPay, _) => (1, "Signature"),
            (_, Told::Waiting) => (1, "signature"),
            (_, Told::Expired) => (3, "signature"),
            _ => (2, "signature"),
        };
        let mut fields = map(match self.kind {
            Kind::TokenPay => {
                json!({"ActualAmount": written(&amount, false), "Amount": "1.3571", "BaseCurrency": "CNY",
                "BlockChainName": "TRON", "BlockTransactionId": block, "Currency": "USDT_TRC20", "CurrencyName": "USDT",
                "FromAddress": "Tsomebody", "Id": own, "IsDynamicAmount": 0, "OutOrderId": number,
                "OrderUserKey": number, "PayTime": "2026-07-01 16:00:00", "Status": status, "ToAddress": address})
            }
            Kind::Gmpay => json!({"pid": "1000", "trade_id": own, "order_id": number, "amount": amount,
                "actual_amount": 1.3571, "receive_address": address, "token": "USDT", "block_transaction_id": block,
                "status": status}),
            _ => json!({"trade_id": own, "order_id": number, "amount": amount, "actual_amount": "1.3571",
                "token": address, "block_transaction_id": block, "status": status}),
        });
        let token = if told == Told::Forged { "another" } else { TOKEN };
        fields.insert(name.to_owned(), self.signature(&fields, token).into());
        fields
    }

    fn event(&self, number: &str, told: Told) -> (Vec<(&'static str, String)>, String) {
        let key = if told == Told::Forged { "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD" } else { WEBHOOK };
        if self.kind == Kind::Coinbase {
            let kind = match told {
                Told::Waiting => "charge:pending",
                Told::Expired => "charge:failed",
                _ => "charge:confirmed",
            };
            let event = json!({"id": "e1", "resource": "event", "type": kind, "data": self.charge(number, told)});
            let body = json!({"id": "d1", "attempt_number": 1, "event": event}).to_string();
            let signature = HEXLOWER.encode(&hmac_sha256(key.as_bytes(), body.as_bytes()));
            return (vec![("x-cc-webhook-signature", signature)], body);
        }
        let (kind, status) = match told {
            Told::Waiting => ("payment.pending", "pending"),
            Told::Expired => ("payment.expired", "expired"),
            _ => ("payment.succeeded", "paid"),
        };
        let amount = self.payment(number).amount;
        let fen: i64 = amount.as_str().unwrap().replace('.', "").parse().unwrap();
        let data = json!({"order_no": number, "amount_minor": fen, "currency": "CNY", "trade_no": self.own(number), "status": status});
        let body = json!({"type": kind, "timestamp": "2026-07-01T08:00:00Z", "data": data}).to_string();
        let at = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let id = format!("msg_{}", self.own(number));
        let key = BASE64.decode(key.strip_prefix("whsec_").unwrap().as_bytes()).unwrap();
        let signature = BASE64.encode(&hmac_sha256(&key, format!("{id}.{at}.{body}").as_bytes()));
        let headers = [("webhook-id", id), ("webhook-timestamp", at.to_string())];
        (headers.into_iter().chain([("webhook-signature", format!("v1,{signature}"))]).collect(), body)
    }

    /// Tells the shop: status and body of its answer.
    pub async fn tell(&self, number: &str, told: Told) -> (u16, String) {
        let (url, headers, body) = match self.kind {
            Kind::Coinbase | Kind::Webhooks => {
                let (headers, body) = self.event(number, told);
                (self.console.lock().unwrap().clone(), headers, body)
            }
            _ => (self.payment(number).notify_url, Vec::new(), Value::Object(self.fields(number, told)).to_string()),
        };
        let ask = self.http.post(url).header("content-type", "application/json").body(body);
        let ask = headers.into_iter().fold(ask, |ask, (name, text)| ask.header(name, text));
        let answer = ask.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// How it says no.
    fn refusal(&self, why: &str) -> Response {
        match self.kind {
            Kind::TokenPay => json(200, &json!({"success": false, "message": why})),
            Kind::Coinbase => json(401, &json!({"error": {"type": "authentication_error", "message": why}})),
            Kind::Webhooks => json(404, &json!({})),
            _ => json(200, &json!({"status_code": 401, "message": why, "data": null, "request_id": "r1"})),
        }
    }
}

async fn take(State(coins): State<Arc<Coins>>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    coins.answer(&method, &uri, &headers, &body).unwrap_or_else(|why| coins.refusal(why))
}
