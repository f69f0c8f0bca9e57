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
use crate::channel::kind::{ChannelInputs, Kind, KnownBy, Part, Reference};
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
    signed_in: None,
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
const FIELDS: [&str; 16] = [
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

/// What both versions know of their merchant.
pub(super) struct Merchant {
    pub name: String,
    pub gateway_url: String,
    pub pid: String,
    pub pay_type: Option<String>,
    pub subject: String,
    /// Largest query and body read.
    pub limits: (usize, usize),
}

struct Epay {
    merchant: Merchant,
    key: Secret,
    currency: Currency,
}

/// The merchant number.
pub(super) fn pid(v: &mut Values<'_>, row: &Setting) -> Option<String> {
    v.number(row, |text| text::is_digits(text, 1..=20))
}

/// The way to pay that is asked for.
fn pay_type(v: &mut Values<'_>) -> Option<String> {
    let pay_type = v.text(&rows::PAY_TYPE);
    if pay_type.as_ref().is_some_and(|text| !is_word(text)) {
        v.reject(&rows::PAY_TYPE, "must be the gateway's word, such as alipay or wxpay");
    }
    pay_type
}

impl Merchant {
    /// Of a section, whose rows of gateway and merchant number are the version's.
    pub fn read(name: &str, v: &mut Values<'_>, gateway: &Setting, number: &Setting) -> Option<Self> {
        let (gateway_url, pid) = (rows::gateway_url(v, gateway), pid(v, number));
        let (pay_type, subject) = (pay_type(v), rows::subject(v, &rows::SUBJECT));
        let (query, body) = (v.whole(&rows::QUERY), v.whole(&rows::BODY));
        let limits = (query?, body?);
        Some(Self { name: name.to_owned(), gateway_url: gateway_url?, pid: pid?, pay_type, subject, limits })
    }

    /// The parameters of a callback whose signature is of that type, and `fits` the text that is signed.
    pub fn believed<'a>(
        &self,
        callback: &Callback<'a>,
        sign_type: &str,
        fits: impl FnOnce(&str, &str) -> bool,
    ) -> Result<Params<'a>, Rejection> {
        if callback.query.len() > self.limits.0 || callback.body.len() > self.limits.1 {
            return Err(Rejection::TooLarge);
        }
        let params = Params::of(callback)?;
        let given = params.get("sign").filter(|sign| !sign.is_empty()).ok_or(Rejection::MissingSignature)?;
        // Some servers leave the type out: then it is the one that is configured.
        if params.get("sign_type").is_some_and(|kind| !kind.is_empty() && kind != sign_type) {
            return Err(Rejection::SignTypeMismatch);
        }
        if !fits(&canonical(params.iter()), given) {
            return Err(Rejection::BadSignature);
        }
        canonical::unambiguous(params.iter(), &FIELDS)?;
        if !sign::equal(params.need("pid")?, &self.pid) {
            return Err(Rejection::MerchantMismatch);
        }
        Ok(params)
    }

    /// What a genuine callback states of a payment.
    pub fn paid(&self, params: &Params<'_>, currency: Currency) -> Result<Claim, Rejection> {
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
        Ok(Claim::Paid(Payment { reference, ..Payment::new(number, trade_no, paid, &self.name) }))
    }

    /// What an answer about a payment means, once it is believed.
    pub fn answer(&self, fields: &Map<String, Value>, number: &str, currency: Currency) -> Answer {
        let field = |name: &str| fields.get(name).and_then(json::scalar).unwrap_or_default();
        if field("out_trade_no") != number || field("pid") != self.pid {
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
                Answer::Paid(Payment { reference, ..Payment::new(number, trade_no, paid, &self.name) })
            }
            _ => Answer::Mismatch,
        }
    }

    /// What a buyer is sent to pay with.
    pub fn wanted<'a>(&'a self, checkout: &Checkout<'a>, money: &'a str) -> Vec<(&'a str, &'a str)> {
        let mut fields = vec![
            ("pid", self.pid.as_str()),
            ("out_trade_no", checkout.number),
            ("notify_url", checkout.notify_url),
            ("return_url", checkout.return_url),
            ("name", checkout.subject.unwrap_or(&self.subject)),
            ("money", money),
        ];
        fields.extend(self.pay_type.as_deref().map(|kind| ("type", kind)));
        fields
    }

    /// What a callback says of a payment.
    pub fn forged<'a>(&'a self, payment: &'a Payment, money: &'a str) -> Vec<(&'a str, &'a str)> {
        let mut fields = vec![
            ("pid", self.pid.as_str()),
            ("trade_no", &payment.trade_no),
            ("out_trade_no", &payment.number),
            ("name", &self.subject),
            ("money", money),
            ("trade_status", "TRADE_SUCCESS"),
        ];
        fields.extend(payment.reference.as_deref().or(self.pay_type.as_deref()).map(|kind| ("type", kind)));
        fields
    }
}

fn build(ChannelInputs { name, .. }: ChannelInputs<'_>, v: &mut Values<'_>) -> Option<Arc<dyn Channel>> {
    let _said = (v.text(&PROTOCOL), v.text(&SIGN_TYPE));
    let merchant = Merchant::read(name, v, &GATEWAY_URL, &PID);
    let (key, currency) = (v.secret(&KEY), v.parsed(&CURRENCY));
    Some(Arc::new(Epay { merchant: merchant?, key: key?, currency: currency? }))
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
    fn sign(&self, text: &str) -> String {
        sign::md5_hex(&[text.as_bytes(), self.key.reveal().as_bytes()])
    }

    /// Fields with their signature, as a query.
    fn signed(&self, fields: Vec<(&str, &str)>) -> String {
        let sign = self.sign(&canonical(fields.iter().copied()));
        params::encode(fields.into_iter().chain([("sign", sign.as_str()), ("sign_type", "MD5")]))
    }

    fn answer(&self, asked: &Asked<'_>, answer: &Response) -> Answer {
        let Ok(fields) = json::object(&answer.body) else {
            return Answer::Mismatch;
        };
        match fields.get("code").and_then(json::scalar).as_deref() {
            Some("-1") => Answer::Unknown,
            Some("1") => self.merchant.answer(&fields, asked.number, self.currency),
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
        let fits = |text: &str, given: &str| sign::equal(given, &self.sign(text));
        self.merchant.paid(&self.merchant.believed(callback, "MD5", fits)?, self.currency)
    }

    fn ack(&self, verdict: Verdict) -> Reply {
        callback::ack(verdict, "success")
    }

    fn takes(&self, currency: Currency) -> bool {
        currency == self.currency
    }

    fn checkout(&self, checkout: &Checkout<'_>, _heard: &[Response], _now: Millis) -> Begin {
        let money = checkout.amount.to_string();
        let mut fields = self.merchant.wanted(checkout, &money);
        fields.extend_from_slice(checkout.extra);
        let url = format!("{}/submit.php?{}", self.merchant.gateway_url, self.signed(fields));
        Begin::Step(Step::Redirect { url }, self.merchant.pay_type.clone())
    }

    fn query(&self, asked: &Asked<'_>, heard: &[Response], _now: Millis) -> Option<Answer> {
        if let Some(answer) = heard.first() {
            return Some(self.answer(asked, answer));
        }
        let query = params::encode([
            ("act", "order"),
            ("pid", &self.merchant.pid),
            ("key", self.key.reveal()),
            ("out_trade_no", asked.number),
        ]);
        let url = format!("{}/api.php?{query}", self.merchant.gateway_url);
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
            ("pid", self.merchant.pid.as_str()),
            ("key", self.key.reveal()),
            ("trade_no", &payment.trade_no),
            ("money", &money),
        ]);
        let url = format!("{}/api.php?act=refund", self.merchant.gateway_url);
        Some(Refunded::Ask(Call::post(url, params::FORM, body.into_bytes())))
    }

    fn forge(&self, payment: &Payment, _now: Millis) -> Request {
        let money = payment.paid.to_string();
        let query = self.signed(self.merchant.forged(payment, &money));
        Request { method: "GET", query, headers: Vec::new(), body: Vec::new() }
    }

    fn names(&self, callback: &Callback<'_>) -> Option<String> {
        params::names(callback, "out_trade_no")
    }

    fn explain(&self, callback: &Callback<'_>) -> Option<String> {
        let params = Params::of(callback).ok()?;
        Some(format!("{}{{key}}", canonical(params.iter())))
    }

    fn limits(&self) -> (usize, usize) {
        self.merchant.limits
    }
}
