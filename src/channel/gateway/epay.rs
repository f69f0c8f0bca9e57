//! 易支付 (epay) V1: MD5 over the sorted parameters with the merchant's key behind them.
//!
//! Source: the epay server's own code and SDK, as summed up in docs/channels/epay_v1.md. The signed text has no escaping, so
//! field borders could be moved: a value that holds `&<known field>=` is refused whatever its signature, machine fields
//! have a fixed alphabet, and the subject is the channel's, never a buyer's text.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::channel::bill;
use crate::channel::contract::{
    Answer, Asked, Begin, Channel, Checkout, Claim, Refund, Refunded, Request, Step, Verdict, is_number, is_trade_no,
};
use crate::channel::kind::{Kind, KnownBy, Part, Reference};
use crate::channel::kit::{
    callback, canonical, json,
    params::{self, Params},
    rows, sign, text,
};
use crate::domain::{Call, Callback, Currency, Millis, Money, Payment, Rejection, Reply, Response};
use crate::settings::{Form, Secret, Setting, Values};

/// Its row.
pub const KIND: Kind = Kind {
    name: "epay_v1",
    about: "易支付 V1, MD5: submit.php, GET or POST notification, query",
    test_only: false,
    reference: Reference::PayType,
    opens: &[],
    account: KnownBy { family: "epay", parts: &[Part::Host(&GATEWAY_URL), Part::Text(&PID)], key: Some(&KEY) },
    sources: &[],
    bill: Some(&bill::EPAY),
    settings: SETTINGS,
    console: None,
    build,
};

const GATEWAY_URL: Setting = rows::gateway(
    "the gateway's address, such as https://pay.example/: submit.php and api.php are below it",
    "网关地址,如 https://pay.example/,即 submit.php 和 api.php 所在的目录",
);
const PID: Setting =
    rows::pid("merchant number (商户ID), digits, in the gateway's console", "商户ID,数字,在网关的商户后台");
const KEY: Setting =
    Setting::needed(Form::Secret, "key", "merchant key (商户密钥), beside it", "商户密钥,与商户ID在同一页");
const CURRENCY: Setting =
    Setting::optional(rows::CURRENCY, "currency", "what prices are in", "商品价格的货币").or("CNY");
const PROTOCOL: Setting = Setting::only("v1", "protocol");
const SIGN_TYPE: Setting = Setting::only("MD5", "sign_type");
/// The settings of kind `epay_v1`.
const SETTINGS: &[&Setting] = &[
    &GATEWAY_URL,
    &PID,
    &KEY,
    &rows::PAY_TYPE,
    &rows::SUBJECT,
    &CURRENCY,
    &PROTOCOL,
    &SIGN_TYPE,
    &rows::QUERY,
    &rows::BODY,
];
/// Fields that mean something: none of them may appear inside another's value.
pub(super) const FIELDS: [&str; 16] = [
    "pid",
    "trade_no",
    "out_trade_no",
    "type",
    "name",
    "money",
    "trade_status",
    "param",
    "sign",
    "sign_type",
    "api_trade_no",
    "buyer",
    "timestamp",
    "notify_url",
    "return_url",
    "sitename",
];

/// Words for a payment that was not made. Others than these and the one for a payment are no gateway's that we know.
const UNPAID: [&str; 2] = ["WAIT_BUYER_PAY", "TRADE_CLOSED"];

struct Epay {
    name: String,
    gateway_url: String,
    pid: String,
    key: Secret,
    pay_type: Option<String>,
    subject: String,
    currency: Currency,
    query_bytes: usize,
    body_bytes: usize,
}

/// The merchant number.
pub(super) fn pid(v: &mut Values<'_>, row: &Setting) -> Option<String> {
    v.number(row, |text| text::is_digits(text, 1..=20))
}

/// The way to pay that is asked for.
pub(super) fn pay_type(v: &mut Values<'_>) -> Option<String> {
    let pay_type = v.text(&rows::PAY_TYPE);
    if pay_type.as_ref().is_some_and(|text| !is_word(text)) {
        v.reject(&rows::PAY_TYPE, "must be the gateway's word, such as alipay or wxpay");
    }
    pay_type
}

/// What a genuine callback states of a payment.
pub(super) fn paid(params: &Params<'_>, channel: &str, currency: Currency) -> Result<Claim, Rejection> {
    let status = params.need("trade_status")?;
    if is_word(status) && status != "TRADE_SUCCESS" {
        return Ok(Claim::unpaid(status, &UNPAID));
    }
    let number = params.need("out_trade_no")?;
    let trade_no = params.need("trade_no")?;
    let money = params.need("money")?;
    let kind = params.get("type").unwrap_or_default();
    if !is_number(number) || !is_trade_no(trade_no) || !is_word(kind) || !is_word(status) {
        return Err(Rejection::Malformed);
    }
    let paid = Money::parse(money, currency).map_err(|_| Rejection::AmountMalformed)?;
    let reference = Some(kind.to_owned()).filter(|kind| !kind.is_empty());
    Ok(Claim::Paid(Payment { reference, ..Payment::new(number, trade_no, paid, channel) }))
}

/// What an answer about a payment means, once it is believed.
pub(super) fn answer(
    fields: &Map<String, Value>,
    number: &str,
    pid: &str,
    channel: &str,
    currency: Currency,
) -> Answer {
    let field = |name: &str| fields.get(name).and_then(json::scalar).unwrap_or_default();
    if field("out_trade_no") != number || field("pid") != pid {
        return Answer::Mismatch;
    }
    let Ok(paid) = Money::parse(&field("money"), currency) else {
        return Answer::Mismatch;
    };
    let trade_no = field("trade_no");
    // Some servers leave it out; the payment is then known by our own number, which is as unique.
    let trade_no = if is_trade_no(&trade_no) { trade_no.as_str() } else { number };
    match field("status").as_str() {
        "0" | "3" | "4" => Answer::Unpaid,
        "2" => Answer::Refunded,
        "1" => {
            // Some tell the way by their own number of it, which says nothing to us.
            let reference = Some(field("type")).filter(|kind| !kind.bytes().all(|b| b.is_ascii_digit()));
            Answer::Paid(Payment { reference, ..Payment::new(number, trade_no, paid, channel) })
        }
        _ => Answer::Mismatch,
    }
}

fn build(name: &str, v: &mut Values<'_>) -> Option<Arc<dyn Channel>> {
    let _said = (v.text(&PROTOCOL), v.text(&SIGN_TYPE));
    let (gateway_url, pid, key) = (rows::gateway_url(v, &GATEWAY_URL), pid(v, &PID), v.secret(&KEY));
    let (pay_type, subject, currency) = (pay_type(v), rows::subject(v, &rows::SUBJECT), v.parsed(&CURRENCY));
    let (query_bytes, body_bytes) = (v.whole(&rows::QUERY), v.whole(&rows::BODY));
    Some(Arc::new(Epay {
        name: name.to_owned(),
        gateway_url: gateway_url?,
        pid: pid?,
        key: key?,
        pay_type,
        subject,
        currency: currency?,
        query_bytes: query_bytes?,
        body_bytes: body_bytes?,
    }))
}

/// The text that is signed: parameters with a value, without `sign` and `sign_type`, sorted by name, nothing escaped.
pub(super) fn canonical<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let blank = |value: &str| value.bytes().all(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r' | 0x0b));
    canonical::join_text(pairs.filter(|(name, value)| *name != "sign" && *name != "sign_type" && !blank(value)))
}

fn is_word(text: &str) -> bool {
    text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

impl Epay {
    fn sign<'a>(&self, pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
        sign::md5_hex(&[canonical(pairs).as_bytes(), self.key.reveal().as_bytes()])
    }

    fn claim(&self, params: &Params<'_>) -> Result<Claim, Rejection> {
        if !sign::equal(params.need("pid")?, &self.pid) {
            return Err(Rejection::MerchantMismatch);
        }
        paid(params, &self.name, self.currency)
    }

    fn answer(&self, asked: &Asked<'_>, answer: &Response) -> Answer {
        let Ok(fields) = json::object(&answer.body) else {
            return Answer::Mismatch;
        };
        match fields.get("code").and_then(json::scalar).as_deref() {
            Some("-1") => Answer::Unknown,
            Some("1") => self::answer(&fields, asked.number, &self.pid, &self.name, self.currency),
            _ => Answer::Mismatch,
        }
    }

    fn refunded(&self, answer: &Response) -> Refunded {
        let Ok(answer) = json::object(&answer.body) else {
            return Refunded::Pending("the gateway's answer cannot be read".to_owned());
        };
        let code = answer.get("code").map(ToString::to_string).unwrap_or_default();
        match code.trim_matches('"') {
            // 0 in newer servers, 1 in older ones.
            "0" | "1" => Refunded::Done,
            _ => Refunded::Refused(json::text(&answer, "msg").unwrap_or("no reason given").to_owned()),
        }
    }
}

impl Channel for Epay {
    fn verify(&self, callback: &Callback<'_>, _heard: &[Response], _now: Millis) -> Result<Claim, Rejection> {
        if callback.query.len() > self.query_bytes || callback.body.len() > self.body_bytes {
            return Err(Rejection::TooLarge);
        }
        let params = Params::of(callback)?;
        let given = params.get("sign").filter(|sign| !sign.is_empty()).ok_or(Rejection::MissingSignature)?;
        if params.get("sign_type").is_some_and(|kind| !kind.is_empty() && kind != "MD5") {
            return Err(Rejection::SignTypeMismatch);
        }
        if !sign::equal(given, &self.sign(params.iter())) {
            return Err(Rejection::BadSignature);
        }
        canonical::unambiguous(params.iter(), &FIELDS)?;
        self.claim(&params)
    }

    fn ack(&self, verdict: Verdict) -> Reply {
        callback::ack(verdict, "success")
    }

    fn takes(&self, currency: Currency) -> bool {
        currency == self.currency
    }

    fn checkout(&self, checkout: &Checkout<'_>, _heard: &[Response], _now: Millis) -> Begin {
        let money = checkout.amount.to_string();
        let mut fields: Vec<(&str, &str)> = vec![
            ("pid", &self.pid),
            ("out_trade_no", checkout.number),
            ("notify_url", checkout.notify_url),
            ("return_url", checkout.return_url),
            ("name", checkout.subject.unwrap_or(&self.subject)),
            ("money", &money),
        ];
        fields.extend(self.pay_type.as_deref().map(|kind| ("type", kind)));
        fields.extend_from_slice(checkout.extra);
        let sign = self.sign(fields.iter().copied());
        fields.extend([("sign", sign.as_str()), ("sign_type", "MD5")]);
        let url = format!("{}/submit.php?{}", self.gateway_url, params::encode(fields));
        Begin::Step(Step::Redirect { url }, self.pay_type.clone())
    }

    fn query(&self, asked: &Asked<'_>, heard: &[Response], _now: Millis) -> Option<Answer> {
        if let Some(answer) = heard.first() {
            return Some(self.answer(asked, answer));
        }
        let query = params::encode([
            ("act", "order"),
            ("pid", &self.pid),
            ("key", self.key.reveal()),
            ("out_trade_no", asked.number),
        ]);
        let url = format!("{}/api.php?{query}", self.gateway_url);
        Some(Answer::Ask(Call::get(url)))
    }

    fn refund(&self, refund: &Refund<'_>, heard: &[Response], now: Millis) -> Option<Refunded> {
        let payment = refund.payment;
        match heard {
            [] => {}
            // It has no number of its own: the gateway may refuse because it gave the money back the first time, and says so
            // only when it is asked about the payment.
            [answer] => {
                let asked = Asked { number: &payment.number, reference: "", page: "" };
                return Some(match (self.refunded(answer), self.query(&asked, &[], now)) {
                    (Refunded::Refused(_), Some(Answer::Ask(call))) => Refunded::Ask(call),
                    (said, _) => said,
                });
            }
            [first, answer, ..] => {
                let asked = Asked { number: &payment.number, reference: "", page: "" };
                let back = matches!(self.answer(&asked, answer), Answer::Refunded);
                return Some(if back { Refunded::Done } else { self.refunded(first) });
            }
        }
        let money = payment.paid.to_string();
        let body = params::encode([
            ("pid", self.pid.as_str()),
            ("key", self.key.reveal()),
            ("trade_no", &payment.trade_no),
            ("money", &money),
        ]);
        let url = format!("{}/api.php?act=refund", self.gateway_url);
        Some(Refunded::Ask(Call::post(url, params::FORM, body.into_bytes())))
    }

    fn forge(&self, payment: &Payment, _now: Millis) -> Request {
        let money = payment.paid.to_string();
        let mut fields = vec![
            ("pid", self.pid.as_str()),
            ("trade_no", &payment.trade_no),
            ("out_trade_no", &payment.number),
            ("name", &self.subject),
            ("money", &money),
            ("trade_status", "TRADE_SUCCESS"),
        ];
        fields.extend(payment.reference.as_deref().or(self.pay_type.as_deref()).map(|kind| ("type", kind)));
        let sign = self.sign(fields.iter().copied());
        fields.extend([("sign", sign.as_str()), ("sign_type", "MD5")]);
        Request { method: "GET", query: params::encode(fields), headers: Vec::new(), body: Vec::new() }
    }

    fn names(&self, callback: &Callback<'_>) -> Option<String> {
        let params = Params::of(callback).ok()?;
        params.get("out_trade_no").filter(|number| is_number(number)).map(str::to_owned)
    }

    fn explain(&self, callback: &Callback<'_>) -> Option<String> {
        let params = Params::of(callback).ok()?;
        Some(format!("{}{{key}}", canonical(params.iter())))
    }

    fn limits(&self) -> (usize, usize) {
        (self.query_bytes, self.body_bytes)
    }
}
