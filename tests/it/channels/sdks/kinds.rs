//! What a kind of channel needs to be met by an SDK: settings and keys of both sides, and what its gateway says.

use kamid::domain::{Money, Payment};
use serde_json::{Value, json};

use crate::support::gateway::SECRET;
use crate::support::pair::Pair;

/// How a text is written: JSON in a line, over many lines, or with escapes; a form in GBK instead of escapes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Compact,
    Pretty,
    Escaped,
}

/// A channel's settings, and what the SDK is given in the gateway's and in the merchant's place.
pub struct Sides {
    pub config: Value,
    pub gateway: Value,
    pub merchant: Value,
}

/// Both sides of a kind, with new keys.
pub fn sides(kind: &str) -> Sides {
    let (merchant, gateway) = (Pair::new(), Pair::new());
    let hook = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz";
    let mut config = match kind {
        "alipay" => json!({"app_id": "2021000000001234", "seller_id": "2088000000000001",
            "alipay_public_key": gateway.public(), "app_private_key": merchant.private()}),
        "wechat_v3" => {
            json!({"mchid": "1900000001", "appid": "wx1", "apiv3_key": SECRET, "merchant_serial": "ABCDEF01",
            "merchant_private_key": merchant.private(), "platform_public_key_id": "PUB_KEY_ID_0100",
            "platform_public_key": gateway.public()})
        }
        "epay_v1" => json!({"gateway_url": "https://pay.example", "pid": "1001", "key": SECRET, "pay_type": "alipay"}),
        "epay_v2" => json!({"gateway_url": "https://pay.example", "pid": "1001", "pay_type": "alipay",
            "platform_public_key": gateway.public(), "merchant_private_key": merchant.private()}),
        "epusdt_gmpay" => json!({"gateway_url": "https://pay.example", "pid": "1001", "secret_key": SECRET}),
        "epusdt_md5" | "bepusdt" => json!({"gateway_url": "https://pay.example", "api_token": SECRET}),
        "stripe" => json!({"api_key": "sk_test_1", "webhook_secret": hook}),
        "standard_webhooks" => json!({"secrets": hook}),
        "coinbase_commerce" => json!({"api_key": "k", "webhook_secret": hook}),
        other => panic!("{other}"),
    };
    if ["alipay", "wechat_v3", "epay_v2"].contains(&kind) {
        config["gateway_private_key"] = json!(gateway.private());
    }
    let secret = if config.to_string().contains(hook) { hook } else { SECRET };
    let side = |pair: &Pair| {
        json!({"private": pair.private(), "public": pair.public(), "secret": secret, "apiv3": SECRET, "pid": "1001",
            "mchid": "1900000001", "serial": "ABCDEF01", "id": "PUB_KEY_ID_0100", "api": "sk_test_1"})
    };
    Sides { gateway: side(&gateway), merchant: side(&merchant), config }
}

/// An amount as the shortest JSON number.
fn number(paid: Money) -> Value {
    let text = paid.to_string();
    serde_json::from_str(text.strip_suffix(".00").unwrap_or(&text)).unwrap()
}

/// An amount as the kind's gateway writes it.
pub fn written(kind: &str, paid: Money) -> String {
    match kind {
        "wechat_v3" | "stripe" | "standard_webhooks" => paid.minor.to_string(),
        "epusdt_gmpay" | "epusdt_md5" | "bepusdt" => number(paid).to_string(),
        _ => paid.to_string(),
    }
}

/// JSON in that style.
fn text(value: &Value, style: Style) -> String {
    match style {
        Style::Compact => value.to_string(),
        Style::Pretty => serde_json::to_string_pretty(value).unwrap(),
        Style::Escaped => {
            let mut units = [0; 2];
            let mut escaped = |c: char| -> String {
                c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect()
            };
            value.to_string().chars().map(|c| if c.is_ascii() { c.to_string() } else { escaped(c) }).collect()
        }
    }
}

/// What the gateway signs to say that it was paid; `subject` stands where a buyer or a shop could have written it.
pub fn told(kind: &str, payment: &Payment, subject: &str, style: Style, at: u64) -> Value {
    let (order, trade, paid) = (&payment.number, &payment.trade_no, payment.paid);
    let money = written(kind, paid);
    let signed = |value: &Value| json!({"at": at, "id": "msg_1", "body": text(value, style)});
    let flat = |fields: Value| {
        let style = ["compact", "pretty", "escaped"][style as usize];
        json!({"fields": fields, "style": style})
    };
    match kind {
        "alipay" => {
            let charset = if style == Style::Escaped { "gbk" } else { "utf-8" };
            json!({"charset": charset, "fields": {"notify_type": "trade_status_sync", "notify_id": "n1",
                "version": "1.0", "app_id": "2021000000001234", "seller_id": "2088000000000001", "out_trade_no": order, "trade_no": trade,
                "trade_status": "TRADE_SUCCESS", "total_amount": money, "subject": subject, "passback_params": subject,
                "fund_bill_list": "[{\"amount\":\"1.00\",\"fundChannel\":\"ALIPAYACCOUNT\"}]"}})
        }
        "epay_v1" | "epay_v2" => {
            let mut fields = json!({"pid": "1001", "trade_no": trade, "out_trade_no": order, "type": "alipay",
                "name": subject, "money": money, "trade_status": "TRADE_SUCCESS", "param": subject});
            if kind == "epay_v2" {
                fields["timestamp"] = json!(at.to_string());
            }
            json!({"fields": fields})
        }
        "wechat_v3" => {
            let transaction = json!({"mchid": "1900000001", "appid": "wx1", "out_trade_no": order, "attach": subject,
                "transaction_id": trade, "trade_type": "NATIVE", "trade_state": "SUCCESS",
                "amount": {"total": paid.minor, "payer_total": 1, "currency": "CNY", "payer_currency": "CNY"}});
            json!({"at": at, "nonce": "5K8264ILTKCH16CQ2502SI8ZNMTM67VS", "text": text(&transaction, style)})
        }
        "stripe" => {
            signed(&json!({"id": "evt_1", "object": "event", "type": "checkout.session.completed", "livemode": false,
            "api_version": "2026-10-28.endive", "created": 1, "data": {"object": {"id": trade,
            "object": "checkout.session", "amount_total": paid.minor, "client_reference_id": order, "currency": "cny",
            "customer_details": {"name": subject}, "livemode": false, "metadata": {"order_no": order},
            "mode": "payment", "payment_status": "paid", "status": "complete"}}}))
        }
        "standard_webhooks" => {
            signed(&json!({"type": "payment.succeeded", "data": {"order_no": order, "status": "paid",
            "amount_minor": paid.minor, "currency": "CNY", "trade_no": trade, "note": subject}}))
        }
        "coinbase_commerce" => {
            let local = json!({"local": {"amount": money, "currency": "CNY"}});
            signed(&json!({"attempt_number": 1, "event": {"id": "e1", "resource": "event", "type": "charge:confirmed",
                "data": {"code": trade, "name": subject, "pricing_type": "fixed_price", "pricing": local,
                "metadata": {"order_no": order}, "timeline": [{"status": "COMPLETED"}],
                "payments": [{"status": "CONFIRMED", "value": local}]}}}))
        }
        "epusdt_gmpay" => flat(json!({"pid": "1001", "trade_id": trade, "order_id": order, "amount": number(paid),
            "actual_amount": 14.2857, "receive_address": "TMSb7XhYh3pg", "token": "USDT", "name": subject,
            "block_transaction_id": "", "status": 2})),
        _ => flat(json!({"trade_id": trade, "order_id": order, "amount": number(paid), "actual_amount": 14.2857,
            "token": "TMSb7XhYh3pg", "name": subject, "block_transaction_id": "b993", "status": 2})),
    }
}
