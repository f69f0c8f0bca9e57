//! A BTCPay Server with one store: invoices, and webhooks that name them.

use std::sync::atomic::Ordering;

use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use data_encoding::HEXLOWER;
use serde_json::{Value, json};

use super::{Coins, Headers, STORE, TOKEN, Told, hmac_sha256, said, stamp};

impl Coins {
    pub(super) fn answer_btcpay(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Response, &'static str> {
        if headers.get("authorization").is_none_or(|text| *text != format!("token {TOKEN}")) {
            return Err("Authentication is required");
        }
        if self.down.load(Ordering::Relaxed) {
            return Ok(said(500, &json!({})));
        }
        let path = uri.path().strip_prefix(&format!("/api/v1/stores/{STORE}/invoices")).ok_or("path")?;
        if let (&Method::GET, Some(id)) = (method, path.strip_prefix('/')) {
            let unknown = json!({"code": "invoice-not-found", "message": "The invoice was not found"});
            return Ok(match self.named(id) {
                None => said(404, &unknown),
                Some((number, told)) => said(200, &self.invoice(&number, told)),
            });
        }
        let wish: Value = serde_json::from_slice(body).map_err(|_| "no JSON")?;
        let minutes = wish["checkout"]["expirationMinutes"].as_u64();
        if *method != Method::POST || !path.is_empty() || wish["currency"] != "CNY" || minutes.is_none_or(|it| it == 0)
        {
            return Err("parameters");
        }
        let number = wish["metadata"]["orderId"].as_str().ok_or("parameters")?;
        self.asked(number, &wish["amount"], &Value::Null);
        Ok(said(200, &self.invoice(number, Told::Waiting)))
    }

    /// An invoice as it stands.
    fn invoice(&self, number: &str, told: Told) -> Value {
        let status = match told {
            Told::Waiting => "New",
            Told::Expired => "Expired",
            _ => "Settled",
        };
        json!({"id": self.own(&Self::meant(number, told)), "storeId": STORE, "amount": self.payment(number).amount,
            "currency": "CNY", "type": "Standard", "status": status, "additionalStatus": "None",
            "metadata": {"orderId": number}, "checkoutLink": format!("{}/page/{number}", self.url)})
    }

    /// A repeat is another delivery of what an earlier one said.
    pub(super) fn event_btcpay(&self, number: &str, told: Told, key: &str, attempt: usize) -> (Headers, String) {
        let kind = match told {
            Told::Waiting => "InvoiceProcessing",
            Told::Expired => "InvoiceExpired",
            _ => "InvoiceSettled",
        };
        let body = json!({"deliveryId": format!("D{number}{attempt}"), "webhookId": "W1", "isRedelivery": attempt > 0,
            "originalDeliveryId": format!("D{number}0"), "type": kind, "timestamp": stamp(0), "storeId": STORE,
            "invoiceId": self.own(&Self::meant(number, told)), "metadata": {"orderId": number},
            "manuallyMarked": false, "overPaid": false})
        .to_string();
        let signature = HEXLOWER.encode(&hmac_sha256(key.as_bytes(), body.as_bytes()));
        (vec![("btcpay-sig", format!("sha256={signature}"))], body)
    }
}
