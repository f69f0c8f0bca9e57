//! 易支付, V1 with MD5 and V2 with RSA.

use std::collections::BTreeMap;

use axum::http::Uri;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::{Family, Gateway, Payment, Refund, SECRET, form, hex, joined, map, seconds, stamp};

impl Gateway {
    pub(super) fn epay(&self, number: &str, payment: &Payment, attempt: usize) -> BTreeMap<String, String> {
        let mut fields = map([
            ("pid", "1001".into()),
            ("trade_no", format!("2026{number}")),
            ("out_trade_no", number.into()),
            ("type", "alipay".into()),
            ("name", "order".into()),
            ("money", payment.amount.clone()),
            ("trade_status", "TRADE_SUCCESS".into()),
        ]);
        if self.family == Family::EpayV2 {
            fields.insert("timestamp".into(), stamp(attempt).to_string());
        }
        self.epay_signed(fields)
    }

    fn epay_signed(&self, mut fields: BTreeMap<String, String>) -> BTreeMap<String, String> {
        let text = joined(&fields, &["sign", "sign_type"]);
        let (sign, kind) = match self.family {
            Family::EpayV1 => (hex(&<md5::Md5 as md5::Digest>::digest(format!("{text}{SECRET}"))), "MD5"),
            _ => (self.platform.sign(&text), "RSA"),
        };
        fields.extend(map([("sign", sign), ("sign_type", kind.into())]));
        fields
    }

    pub(super) fn answer_epay(&self, uri: &Uri, body: &str) -> Result<Response, &'static str> {
        let mut fields = form(uri.query().unwrap_or_default());
        fields.extend(form(body));
        let get = |name: &str| fields.get(name).cloned().unwrap_or_default();
        let number = get("out_trade_no");
        let text = joined(&fields, &["sign", "sign_type"]);
        let right = match self.family {
            Family::EpayV1 if uri.path() == "/api.php" => get("key") == SECRET,
            Family::EpayV1 => get("sign") == hex(&<md5::Md5 as md5::Digest>::digest(format!("{text}{SECRET}"))),
            _ => {
                self.merchant.signed(&text, &get("sign"))
                    && get("timestamp").parse::<u64>().is_ok_and(|at| at.abs_diff(seconds()) < 300)
            }
        };
        if !right || get("pid") != "1001" {
            return Err("signature");
        }
        let done =
            |code: u8, more: Value| {
                let mut fields = map([("code", code.to_string()), ("timestamp", seconds().to_string())]);
                fields.extend(more.as_object().unwrap().iter().map(|(name, value)| {
                    (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned))
                }));
                axum::Json(self.epay_signed(fields)).into_response()
            };
        match (uri.path(), get("act").as_str()) {
            ("/submit.php" | "/api/pay/submit", _) => {
                self.asked(&number, &get("money"), &get("notify_url"), "");
                Ok("pay here".into_response())
            }
            ("/api/pay/create", _) => {
                self.asked(&number, &get("money"), &get("notify_url"), "");
                Ok(done(
                    0,
                    json!({"trade_no": "T", "pay_type": "qrcode", "pay_info": format!("weixin://pay/{number}")}),
                ))
            }
            ("/api.php", "order") | ("/api/pay/query", _) if !self.knows(&number) => {
                Ok(axum::Json(json!({"code": -1, "msg": "no such order"})).into_response())
            }
            ("/api/pay/query", _) | ("/api.php", "order") => {
                let payment = self.payment(&number);
                let code = if self.family == Family::EpayV1 { 1 } else { 0 };
                Ok(done(
                    code,
                    json!({"trade_no": format!("2026{number}"), "out_trade_no": number, "pid": "1001", "money": payment.amount,
                    "status": if payment.refunded.is_empty() { u8::from(payment.paid) } else { 2 }}),
                ))
            }
            // By the merchant's number, or by the gateway's own.
            ("/api/pay/refund", _) => {
                let own = get("trade_no");
                let number = own.strip_prefix("2026").unwrap_or(if own.is_empty() { &number } else { &own });
                if !self.knows(number) {
                    return Ok(axum::Json(json!({"code": -1, "msg": "no such order"})).into_response());
                }
                match self.refunds(number, &get("out_refund_no")) {
                    Refund::Given | Refund::Known => Ok(done(0, json!({}))),
                    Refund::Nothing => Ok(axum::Json(json!({"code": -1, "msg": "该订单已全额退款！"})).into_response()),
                }
            }
            // The first version knows no number of the merchant's: what was given back whole is refused from then on.
            ("/api.php", "refund") => {
                match self.refunds(get("trade_no").strip_prefix("2026").unwrap_or_default(), "") {
                    Refund::Given => Ok(done(0, json!({"msg": "退款成功"}))),
                    _ => Ok(axum::Json(json!({"code": -1, "msg": "该订单已全额退款！"})).into_response()),
                }
            }
            _ => Err("path"),
        }
    }
}
