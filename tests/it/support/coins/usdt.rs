//! Gateways that take flat JSON and sign its text: epusdt, GMPay, BEpusdt and TokenPay.

use std::collections::BTreeMap;

use axum::response::Response;
use data_encoding::HEXLOWER;
use serde_json::{Map, Value, json};

use super::{Coins, Kind, TOKEN, Told, hmac_sha256, map, said, sha256};

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

impl Coins {
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

    pub(super) fn believed(&self, body: &[u8], signature: &str) -> Result<Map<String, Value>, &'static str> {
        let fields = map(serde_json::from_slice(body).map_err(|_| "no JSON")?);
        let right = fields.get(signature).is_some_and(|given| *given == self.signature(&fields, TOKEN));
        if right { Ok(fields) } else { Err("signature verification failed") }
    }

    pub(super) fn answer_usdt(&self, fields: &Map<String, Value>) -> Result<Response, &'static str> {
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
        Ok(said(200, &json!({"status_code": 200, "message": "success", "data": data, "request_id": "r1"})))
    }

    pub(super) fn answer_tokenpay(&self, fields: &Map<String, Value>) -> Result<Response, &'static str> {
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
        let page = format!("{}/Pay?Id={}", self.url, self.own(number));
        Ok(said(200, &json!({"success": true, "message": "创建订单成功！", "data": page, "info": info})))
    }

    /// How an order stands, by its own number.
    pub(super) fn query_tokenpay(&self, uri: &axum::http::Uri) -> Result<Response, &'static str> {
        let url = reqwest::Url::parse(&format!("http://x/?{}", uri.query().unwrap_or_default())).unwrap();
        let fields: Map<String, Value> =
            url.query_pairs().map(|(name, text)| (name.into_owned(), text.into_owned().into())).collect();
        let fields = self.believed(Value::Object(fields).to_string().as_bytes(), "Signature")?;
        let (number, told) = self.named(fields["Id"].as_str().ok_or("parameters")?).ok_or("no such order")?;
        let status = u8::from(!matches!(told, Told::Waiting | Told::Expired));
        let amount: f64 = written(&self.payment(&number).amount, false).parse().unwrap();
        let data = json!({"id": self.own(&number), "outOrderId": number, "actualAmount": amount, "amount": 1.3571,
            "isDynamicAmount": false, "status": status, "toAddress": self.address(&number)});
        Ok(said(200, &json!({"success": true, "message": "订单信息获取成功！", "data": data})))
    }

    /// The fields of a callback, signed.
    pub(super) fn fields(&self, number: &str, told: Told) -> Map<String, Value> {
        let amount = self.payment(number).amount;
        let named = Self::meant(number, told);
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
}
