//! Stripe Checkout: sessions and their events, in a sandbox.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use data_encoding::HEXLOWER;
use serde_json::{Value, json};

use super::{Coins, Headers, TOKEN, Told, hmac_sha256, said, stamp};

impl Coins {
    pub(super) fn answer_stripe(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Response, &'static str> {
        let head = |name: &str| headers.get(name).and_then(|text| text.to_str().ok()).unwrap_or_default();
        if head("authorization") != format!("Bearer {TOKEN}") || head("stripe-version").is_empty() {
            return Err("Invalid API Key provided");
        }
        if let (&Method::GET, Some(id)) = (method, uri.path().strip_prefix("/v1/checkout/sessions/")) {
            let no_such = json!({"error": {"type": "invalid_request_error", "message": "No such checkout.session"}});
            return Ok(match self.named(id) {
                None => said(404, &no_such),
                Some((number, told)) => said(200, &self.session(&number, told)),
            });
        }
        let text = std::str::from_utf8(body).map_err(|_| "no form")?;
        let url = reqwest::Url::parse(&format!("http://x/?{text}")).map_err(|_| "no form")?;
        let fields: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        let get = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
        let once = head("idempotency-key").to_owned();
        if *method == Method::POST && uri.path() == "/v1/refunds" && !once.is_empty() {
            let given = (get("payment_intent").to_owned(), get("amount").to_owned());
            self.given_back.lock().unwrap().entry(once).or_insert(given);
            return Ok(said(200, &json!({"id": "re_1", "object": "refund", "status": "succeeded"})));
        }
        if *method != Method::POST || uri.path() != "/v1/checkout/sessions" || once.is_empty() {
            return Err("Unrecognized request URL");
        }
        let price = |name: &str| get(&format!("line_items[0][price_data]{name}")).to_owned();
        let amount: i64 = price("[unit_amount]").parse().map_err(|_| "Invalid integer")?;
        let expires: u64 = get("expires_at").parse().map_err(|_| "Invalid timestamp")?;
        // Half an hour at least, a day at most.
        let soon = (stamp(0) + 1790..=stamp(0) + 86_400).contains(&expires);
        let named = !price("[product_data][name]").is_empty() && get("line_items[0][quantity]") == "1";
        if get("mode") != "payment" || price("[currency]") != "cny" || !soon || !named || get("success_url").is_empty()
        {
            return Err("parameters");
        }
        let number = get("client_reference_id");
        self.asked(number, &amount.into(), &Value::Null);
        Ok(said(200, &self.session(number, Told::Waiting)))
    }

    /// A session as it stands.
    fn session(&self, number: &str, told: Told) -> Value {
        let (paid, status) = match told {
            Told::Waiting => ("unpaid", "open"),
            Told::Expired => ("unpaid", "expired"),
            _ => ("paid", "complete"),
        };
        json!({"id": self.own(&Self::meant(number, told)), "object": "checkout.session", "livemode": false,
            "amount_total": self.payment(number).amount, "currency": "cny", "client_reference_id": number,
            "metadata": {"order_no": number}, "mode": "payment", "payment_status": paid, "status": status,
            "payment_intent": (status == "complete").then(|| format!("pi_{number}")),
            "url": format!("{}/page/{number}", self.url)})
    }

    /// A repeat is the same event at another time.
    pub(super) fn event_stripe(&self, number: &str, told: Told, key: &str, attempt: usize) -> (Headers, String) {
        let kind = if told == Told::Expired { "checkout.session.expired" } else { "checkout.session.completed" };
        let event = json!({"id": format!("evt_{number}"), "object": "event", "livemode": false, "type": kind,
            "data": {"object": self.session(number, told)}});
        let (at, body) = (stamp(attempt), event.to_string());
        let signature = HEXLOWER.encode(&hmac_sha256(key.as_bytes(), format!("{at}.{body}").as_bytes()));
        (vec![("stripe-signature", format!("t={at},v1={signature}"))], body)
    }
}
