//! Gateways that post events and sign their bytes in a header: Coinbase Commerce, BTCPay, Stripe, and a page of one's own.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, Method, Uri};
use axum::response::{IntoResponse as _, Response};
use data_encoding::{BASE64, HEXLOWER};
use serde_json::{Value, json};

use super::{Coins, Headers, Kind, TOKEN, Told, WEBHOOK, hmac_sha256, said, stamp};

impl Coins {
    /// A page of one's own: nothing is signed on the way there, so it believes the amount as little as the shop does.
    pub(super) fn answer_page(&self, uri: &Uri) -> Response {
        let url = reqwest::Url::parse(&format!("http://x/?{}", uri.query().unwrap_or_default())).unwrap();
        let fields: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        assert_eq!(fields["currency"], "CNY");
        self.asked(&fields["order"], &json!(fields["amount"]), &Value::Null);
        "pay here".into_response()
    }

    pub(super) fn answer_coinbase(
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
            let Some((number, told)) = self.named(code) else {
                return Ok(said(404, &json!({"error": {"type": "not_found", "message": "Not found"}})));
            };
            return Ok(said(200, &json!({"data": self.charge(&number, told)})));
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
        Ok(said(201, &json!({"data": charge})))
    }

    /// A charge; one that waits has been paid on a chain that has not confirmed it yet.
    fn charge(&self, number: &str, told: Told) -> Value {
        let price = json!({"amount": self.payment(number).amount, "currency": "CNY"});
        let (paid, step) = match told {
            Told::Waiting => ("PENDING", "PENDING"),
            Told::Expired => ("PENDING", "EXPIRED"),
            _ => ("CONFIRMED", "COMPLETED"),
        };
        let code = self.own(&Self::meant(number, told));
        json!({"code": code, "hosted_url": format!("{}/page/{number}", self.url), "pricing_type": "fixed_price",
            "pricing": {"local": price}, "metadata": {"order_no": number},
            "payments": [{"network": "ethereum", "status": paid, "value": {"local": price, "crypto": {"amount": "1", "currency": "ETH"}}}],
            "timeline": [{"status": "NEW"}, {"status": step}]})
    }

    /// What tells the shop of a payment: headers and body.
    pub(super) fn event(&self, number: &str, told: Told, attempt: usize) -> (Headers, String) {
        let key = if told == Told::Forged { "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD" } else { WEBHOOK };
        match self.kind {
            Kind::Coinbase => self.event_coinbase(number, told, key, attempt),
            Kind::Stripe => self.event_stripe(number, told, key, attempt),
            Kind::BtcPay => self.event_btcpay(number, told, key, attempt),
            _ => self.event_webhooks(number, told, key, attempt),
        }
    }

    /// Repeats are counted.
    fn event_coinbase(&self, number: &str, told: Told, key: &str, attempt: usize) -> (Headers, String) {
        let kind = match told {
            Told::Waiting => "charge:pending",
            Told::Expired => "charge:failed",
            _ => "charge:confirmed",
        };
        let event =
            json!({"id": format!("e{number}"), "resource": "event", "type": kind, "data": self.charge(number, told)});
        let body = json!({"id": format!("d{number}"), "attempt_number": attempt + 1, "event": event}).to_string();
        let signature = HEXLOWER.encode(&hmac_sha256(key.as_bytes(), body.as_bytes()));
        (vec![("x-cc-webhook-signature", signature)], body)
    }

    /// A repeat is the same message at another time.
    fn event_webhooks(&self, number: &str, told: Told, key: &str, attempt: usize) -> (Headers, String) {
        let (kind, status) = match told {
            Told::Waiting => ("payment.pending", "pending"),
            Told::Expired => ("payment.expired", "expired"),
            _ => ("payment.succeeded", "paid"),
        };
        let amount = self.payment(number).amount;
        let fen: i64 = amount.as_str().unwrap().replace('.', "").parse().unwrap();
        let data = json!({"order_no": number, "amount_minor": fen, "currency": "CNY", "trade_no": self.own(number), "status": status});
        let body = json!({"type": kind, "timestamp": "2026-07-01T08:00:00Z", "data": data}).to_string();
        let (at, id) = (stamp(attempt), format!("msg_{}", self.own(number)));
        let key = BASE64.decode(key.strip_prefix("whsec_").unwrap().as_bytes()).unwrap();
        let signature = BASE64.encode(&hmac_sha256(&key, format!("{id}.{at}.{body}").as_bytes()));
        let headers = [("webhook-id", id), ("webhook-timestamp", at.to_string())];
        (headers.into_iter().chain([("webhook-signature", format!("v1,{signature}"))]).collect(), body)
    }
}
