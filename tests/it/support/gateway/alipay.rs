//! Alipay's open platform, RSA2.

use std::collections::BTreeMap;

use axum::http::{Method, Uri};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::{Gateway, Payment, Refund, form, joined, map, stamp};

/// A moment on China's clock, as Alipay writes it.
fn beijing(seconds: u64) -> String {
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(8));
    let at = jiff::Timestamp::from_second(seconds as i64).unwrap();
    at.to_zoned_datetime(zone).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

impl Gateway {
    pub(super) fn alipay(&self, number: &str, payment: &Payment, attempt: usize) -> BTreeMap<String, String> {
        let mut fields = map([
            ("notify_type", "trade_status_sync".into()),
            ("notify_id", format!("n{number}")),
            ("notify_time", beijing(stamp(attempt))),
            ("app_id", "2021000000001234".into()),
            ("seller_id", "2088000000000001".into()),
            ("charset", "utf-8".into()),
            ("out_trade_no", number.into()),
            ("trade_no", format!("2026{number}")),
            ("trade_status", "TRADE_SUCCESS".into()),
            ("total_amount", payment.amount.clone()),
            ("subject", "会员 月卡".into()),
            ("sign_type", "RSA2".into()),
        ]);
        fields.insert("sign".into(), self.platform.sign(&joined(&fields, &["sign", "sign_type"])));
        fields
    }

    pub(super) fn answer_alipay(&self, method: &Method, uri: &Uri, body: &str) -> Result<Response, &'static str> {
        let fields = form(if *method == Method::GET { uri.query().unwrap_or_default() } else { body });
        let get = |name: &str| fields.get(name).cloned().unwrap_or_default();
        if !self.merchant.signed(&joined(&fields, &["sign"]), &get("sign")) || get("app_id") != "2021000000001234" {
            return Err("signature");
        }
        let content: Value = serde_json::from_str(&get("biz_content")).unwrap();
        let number = content["out_trade_no"].as_str().unwrap().to_owned();
        let inner = match get("method").as_str() {
            "alipay.trade.page.pay" | "alipay.trade.wap.pay" => {
                self.asked(&number, content["total_amount"].as_str().unwrap(), &get("notify_url"), "");
                return Ok("pay here".into_response());
            }
            "alipay.trade.precreate" => {
                self.asked(&number, content["total_amount"].as_str().unwrap(), &get("notify_url"), "");
                json!({"code": "10000", "msg": "Success", "out_trade_no": number, "qr_code": format!("https://qr.alipay.com/{number}")})
            }
            "alipay.trade.query" => match self.knows(&number).then(|| self.payment(&number)) {
                Some(payment) if payment.paid => {
                    json!({"code": "10000", "out_trade_no": number, "trade_no": format!("2026{number}"),
                    "total_amount": payment.amount,
                    "trade_status": if payment.refunded.is_empty() { "TRADE_SUCCESS" } else { "TRADE_CLOSED" }})
                }
                _ => {
                    json!({"code": "40004", "msg": "Business Failed", "sub_code": "ACQ.TRADE_NOT_EXIST", "sub_msg": "交易不存在"})
                }
            },
            "alipay.trade.refund" => match self.refunds(&number, content["out_request_no"].as_str().unwrap()) {
                Refund::Given => json!({"code": "10000", "out_trade_no": number, "fund_change": "Y"}),
                // The same request again is answered as done, and says that no money moved this time.
                Refund::Known => json!({"code": "10000", "out_trade_no": number, "fund_change": "N"}),
                Refund::Nothing => {
                    json!({"code": "40004", "msg": "Business Failed", "sub_code": "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL"})
                }
            },
            "alipay.trade.fastpay.refund.query" => {
                let given = self.payment(&number).refunded.iter().any(|known| *known == content["out_request_no"]);
                let status = if given { json!("REFUND_SUCCESS") } else { json!(null) };
                json!({"code": "10000", "out_trade_no": number, "refund_status": status})
            }
            _ => return Err("method"),
        };
        let name = get("method").replace('.', "_");
        // Slashes are escaped, as the gateway does: the signature is over this very text.
        let inner = inner.to_string().replace('/', "\\/");
        Ok(format!("{{\"{name}_response\":{inner},\"sign\":\"{}\"}}", self.platform.sign(&inner)).into_response())
    }
}
