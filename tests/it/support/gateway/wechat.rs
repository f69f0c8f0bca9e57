//! WeChat Pay v3.

use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use data_encoding::BASE64;
use serde_json::{Value, json};

use super::{Gateway, Payment, Refund, SECRET, sha256, stamp};

impl Gateway {
    fn transaction(&self, number: &str, payment: &Payment) -> Value {
        let state = match (payment.paid, payment.refunded.is_empty()) {
            (false, _) => "NOTPAY",
            (true, true) => "SUCCESS",
            (true, false) => "REFUND",
        };
        json!({"mchid": "1900000001", "appid": "wx0000000000000001", "out_trade_no": number, "transaction_id": format!("42{number}"),
            "trade_type": "NATIVE", "trade_state": state, "amount": {"total": payment.amount.parse::<i64>().unwrap(), "currency": "CNY"}})
    }

    /// Headers of an answer or notification over that body; no two have the same nonce.
    fn wechat_headers(&self, body: &str, attempt: usize) -> Vec<(&'static str, String)> {
        let at = stamp(attempt);
        let nonce = &sha256(&format!("{at} {body}"))[..32];
        vec![
            ("wechatpay-timestamp", at.to_string()),
            ("wechatpay-nonce", nonce.to_owned()),
            ("wechatpay-signature", self.platform.sign(&format!("{at}\n{nonce}\n{body}\n"))),
            ("wechatpay-serial", "PUB_KEY_ID_0100".to_owned()),
        ]
    }

    pub(super) fn wechat_message(
        &self,
        number: &str,
        payment: &Payment,
        attempt: usize,
    ) -> (Vec<(&'static str, String)>, String) {
        use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
        let inner = self.transaction(number, payment).to_string();
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, SECRET.as_bytes()).unwrap());
        // The event keeps its id through all attempts; each is encrypted and signed anew.
        let nonce = &sha256(&format!("{number} {attempt}"))[..12];
        let mut sealed = inner.as_bytes().to_vec();
        let unique = Nonce::try_assume_unique_for_key(nonce.as_bytes()).unwrap();
        key.seal_in_place_append_tag(unique, Aad::from(b"transaction"), &mut sealed).unwrap();
        let resource = json!({"algorithm": "AEAD_AES_256_GCM", "ciphertext": BASE64.encode(&sealed), "nonce": nonce,
            "associated_data": "transaction", "original_type": "transaction"});
        let body = json!({"id": format!("e{number}"), "event_type": "TRANSACTION.SUCCESS", "resource_type": "encrypt-resource", "resource": resource});
        (self.wechat_headers(&body.to_string(), attempt), body.to_string())
    }

    /// The page that a phone's browser is sent to: it refuses whoever does not come from the shop's own pages.
    fn h5_page(&self, uri: &Uri, headers: &HeaderMap) -> Result<Response, &'static str> {
        let number = uri.query().and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("number=")));
        let referer = headers.get("referer").and_then(|text| text.to_str().ok()).unwrap_or_default();
        let mut payments = self.payments();
        let payment = number.and_then(|number| payments.get_mut(number)).ok_or("number")?;
        payment.extra = format!("{} {referer}", payment.extra);
        if referer.is_empty() {
            return Err("商家参数格式有误，请联系商家解决");
        }
        Ok(axum::response::Html("<title>WeChat</title><h1>pay here</h1>").into_response())
    }

    pub(super) fn answer_wechat(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: &str,
    ) -> Result<Response, &'static str> {
        if uri.path() == "/h5" {
            return self.h5_page(uri, headers);
        }
        let head = headers.get("authorization").and_then(|text| text.to_str().ok()).unwrap_or_default();
        let part = |name: &str| {
            head.split(&format!("{name}=\"")).nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default()
        };
        let text = format!("{method}\n{uri}\n{}\n{}\n{body}\n", part("timestamp"), part("nonce_str"));
        let right = head.starts_with("WECHATPAY2-SHA256-RSA2048 ") && self.merchant.signed(&text, part("signature"));
        if !right
            || part("serial_no") != "ABCDEF01"
            || headers.get("wechatpay-serial").is_none_or(|it| it != "PUB_KEY_ID_0100")
        {
            return Err("signature");
        }
        let wish: Value = serde_json::from_str(body).unwrap_or_default();
        let of = |name: &str| wish[name].as_str().unwrap_or_default().to_owned();
        let answer = match uri.path() {
            "/v3/pay/transactions/native" => {
                self.asked(&of("out_trade_no"), &wish["amount"]["total"].to_string(), &of("notify_url"), "");
                json!({"code_url": format!("weixin://wxpay/bizpayurl?pr={}", of("out_trade_no"))})
            }
            "/v3/pay/transactions/h5" => {
                let from = wish["scene_info"]["payer_client_ip"].as_str().ok_or("payer_client_ip")?;
                self.asked(&of("out_trade_no"), &wish["amount"]["total"].to_string(), &of("notify_url"), from);
                json!({"h5_url": format!("{}/h5?number={}", self.url, of("out_trade_no"))})
            }
            "/v3/refund/domestic/refunds" => {
                let refund = of("out_refund_no");
                match self.refunds(&of("out_trade_no"), &refund) {
                    Refund::Given => json!({"status": "PROCESSING", "out_refund_no": refund}),
                    // Asked for again under its number, a refund is told as it stands.
                    Refund::Known => json!({"status": "SUCCESS", "out_refund_no": refund}),
                    Refund::Nothing => {
                        let no = json!({"code": "INVALID_REQUEST", "message": "订单已全额退款"});
                        return Ok((StatusCode::BAD_REQUEST, axum::Json(no)).into_response());
                    }
                }
            }
            path => {
                let number = path.strip_prefix("/v3/pay/transactions/out-trade-no/").ok_or("path")?;
                if !self.knows(number) {
                    let unknown = json!({"code": "ORDER_NOT_EXIST", "message": "订单不存在"});
                    return Ok((axum::http::StatusCode::NOT_FOUND, axum::Json(unknown)).into_response());
                }
                self.transaction(number, &self.payment(number))
            }
        };
        let answer = answer.to_string();
        let mut response = answer.clone().into_response();
        for (name, text) in self.wechat_headers(&answer, 0) {
            response.headers_mut().insert(name, text.parse().unwrap());
        }
        Ok(response)
    }
}
