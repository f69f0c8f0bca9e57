//! 易支付 (epay) V1: MD5 over the sorted parameters with the merchant's key behind them.
//!
//! Source: the epay server's own code and SDK, as summed up in docs/channels.md. The signed text has no escaping, so
//! field borders could be moved: a value that holds `&<known field>=` is refused whatever its signature, machine fields
//! have a fixed alphabet, and the subject is the channel's, never a buyer's text.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{
    Answer, Channel, Checkout, Claim, Request, Step, Verdict, is_number, is_trade_no,
    params::{self, Params},
    sign,
};
use crate::domain::{Call, Callback, Currency, Millis, Money, Payment, Rejection, Reply};
use crate::settings::{Problem, Secret, Section};

const SETTINGS: [&str; 13] = [
    "kind",
    "protocol",
    "gateway_url",
    "pid",
    "key",
    "key_file",
    "key_env",
    "sign_type",
    "pay_type",
    "subject",
    "currency",
    "max_query_bytes",
    "max_body_bytes",
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

pub(super) fn build(name: &str, s: &Section, problems: &mut Vec<Problem>) -> Option<Arc<dyn Channel>> {
    if s.text("protocol", problems).is_some_and(|protocol| protocol != "v1") {
        s.reject("protocol", "must be \"v1\" for kind epay_v1", problems);
    }
    if s.text("sign_type", problems).is_some_and(|kind| kind != "MD5") {
        s.reject("sign_type", "must be \"MD5\" for kind epay_v1", problems);
    }
    let gateway_url = s.text("gateway_url", problems);
    match &gateway_url {
        None => s.require("gateway_url", "where the gateway is, such as https://pay.example/", problems),
        Some(url) if !(url.starts_with("https://") || url.starts_with("http://")) || url.contains(['?', '#']) => {
            s.reject("gateway_url", "must be http(s)://host/ without a query", problems);
        }
        Some(url) if url.starts_with("http://") && !url.contains("//127.0.0.1") && !url.contains("//localhost") => {
            s.warn("gateway_url", "is not https: `kamid order query` sends the merchant key over it", problems);
        }
        Some(_) => {}
    }
    let pid = s.text("pid", problems);
    if pid.as_deref().is_none_or(|pid| !pid.bytes().all(|b| b.is_ascii_alphanumeric())) {
        s.require("pid", "the merchant number from the gateway's console, digits", problems);
    }
    let key = s.secret("key", problems);
    if key.is_none() {
        s.require(
            "key",
            "key_file names a file with the merchant key (or key_env); without it anybody could sign",
            problems,
        );
    }
    let pay_type = s.text("pay_type", problems);
    let subject = s.text("subject", problems).unwrap_or_else(|| "order".to_owned());
    if subject.len() > 127 || subject.contains(['&', '=']) {
        s.reject("subject", "at most 127 bytes, without & and =", problems);
    }
    let currency = s.parsed("currency", "three capital letters", problems).unwrap_or(Currency::CNY);
    let query_bytes = s.whole("max_query_bytes", 256..=65_536, problems).unwrap_or(16_384u32);
    let body_bytes = s.whole("max_body_bytes", 1024..=1_048_576, problems).unwrap_or(65_536u32);
    s.finish(&SETTINGS, problems);
    Some(Arc::new(Epay {
        name: name.to_owned(),
        gateway_url: gateway_url?.trim_end_matches('/').to_owned(),
        pid: pid?,
        key: key?,
        pay_type,
        subject,
        currency,
        query_bytes: query_bytes as usize,
        body_bytes: body_bytes as usize,
    }))
}

/// The text that is signed: parameters with a value, without `sign` and `sign_type`, sorted by name, nothing escaped.
fn canonical<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let blank = |value: &str| value.bytes().all(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r' | 0x0b));
    let mut pairs: Vec<_> =
        pairs.filter(|(name, value)| *name != "sign" && *name != "sign_type" && !blank(value)).collect();
    pairs.sort_unstable_by_key(|(name, _)| *name);
    let mut text = String::with_capacity(pairs.iter().map(|(n, v)| n.len() + v.len() + 2).sum());
    for (name, value) in pairs {
        if !text.is_empty() {
            text.push('&');
        }
        text.push_str(name);
        text.push('=');
        text.push_str(value);
    }
    text
}

/// Whether a value could be two fields of the unescaped signed text.
fn hides_a_field(value: &str) -> bool {
    value.match_indices('&').any(|(at, _)| {
        let rest = value.get(at + 1..).unwrap_or_default();
        FIELDS.iter().any(|field| rest.strip_prefix(field).is_some_and(|rest| rest.starts_with('=')))
    })
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
        let status = params.need("trade_status")?;
        let number = params.need("out_trade_no")?;
        let trade_no = params.need("trade_no")?;
        let money = params.need("money")?;
        let kind = params.get("type").unwrap_or_default();
        if !is_number(number) || !is_trade_no(trade_no) || !is_word(kind) || !is_word(status) {
            return Err(Rejection::Malformed);
        }
        if status != "TRADE_SUCCESS" {
            return Ok(Claim::Nothing("status_not_paid"));
        }
        let paid = Money::parse(money, self.currency).map_err(|_| Rejection::AmountMalformed)?;
        Ok(Claim::Paid(Payment {
            number: number.to_owned(),
            trade_no: trade_no.to_owned(),
            paid,
            channel: self.name.clone(),
            paid_at: None,
        }))
    }
}

impl Channel for Epay {
    fn verify(&self, callback: &Callback<'_>, _now: Millis) -> Result<Claim, Rejection> {
        if callback.query.len() > self.query_bytes || callback.body.len() > self.body_bytes {
            return Err(Rejection::TooLarge);
        }
        let params = Params::of(callback)?;
        let given = params.get("sign").filter(|sign| !sign.is_empty()).ok_or(Rejection::MissingSignature)?;
        if params.get("sign_type").is_some_and(|kind| !kind.is_empty() && kind != "MD5") {
            return Err(Rejection::AlgorithmMismatch);
        }
        if !sign::equal(given, &self.sign(params.iter())) {
            return Err(Rejection::BadSignature);
        }
        if params.iter().any(|(name, value)| name.contains(['&', '=']) || hides_a_field(value)) {
            return Err(Rejection::Malformed);
        }
        self.claim(&params)
    }

    fn ack(&self, verdict: Verdict) -> Reply {
        match verdict {
            Verdict::Received => Reply { status: 200, body: "success" },
            Verdict::Refused => Reply { status: 400, body: "fail" },
            Verdict::Unavailable => Reply { status: 503, body: "fail" },
        }
    }

    fn takes(&self, currency: Currency) -> bool {
        currency == self.currency
    }

    fn checkout(&self, checkout: &Checkout<'_>, _now: Millis) -> Step {
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
        Step::Redirect { url: format!("{}/submit.php?{}", self.gateway_url, params::encode(fields)) }
    }

    fn query(&self, number: &str, _now: Millis) -> Option<Call> {
        let query = params::encode([
            ("act", "order"),
            ("pid", &self.pid),
            ("key", self.key.reveal()),
            ("out_trade_no", number),
        ]);
        let url = format!("{}/api.php?{query}", self.gateway_url);
        Some(Call { method: "GET", url, headers: Vec::new(), body: Vec::new() })
    }

    fn answer(&self, number: &str, body: &[u8]) -> Answer {
        let Ok(serde_json::Value::Object(answer)) = serde_json::from_slice(body) else {
            return Answer::Mismatch;
        };
        let text: BTreeMap<&str, String> = answer
            .iter()
            .filter_map(|(key, value)| match value {
                serde_json::Value::String(text) => Some((key.as_str(), text.clone())),
                serde_json::Value::Number(number) => Some((key.as_str(), number.to_string())),
                _ => None,
            })
            .collect();
        let field = |name: &str| text.get(name).map_or("", String::as_str);
        if field("code") == "-1" {
            return Answer::Unknown;
        }
        if field("code") != "1" || field("out_trade_no") != number || field("pid") != self.pid {
            return Answer::Mismatch;
        }
        let Ok(paid) = Money::parse(field("money"), self.currency) else {
            return Answer::Mismatch;
        };
        match field("status") {
            "0" | "3" | "4" => Answer::Unpaid,
            "2" => Answer::Refunded,
            "1" => Answer::Paid(Payment {
                number: number.to_owned(),
                // Some servers leave it out; the payment is then known by our own number, which is as unique.
                trade_no: Some(field("trade_no")).filter(|no| is_trade_no(no)).unwrap_or(number).to_owned(),
                paid,
                channel: self.name.clone(),
                paid_at: None,
            }),
            _ => Answer::Mismatch,
        }
    }

    fn refund(&self, payment: &Payment, _now: Millis) -> Option<Call> {
        let money = payment.paid.to_string();
        let body = params::encode([
            ("pid", self.pid.as_str()),
            ("key", self.key.reveal()),
            ("trade_no", &payment.trade_no),
            ("money", &money),
        ]);
        let form = ("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned());
        let url = format!("{}/api.php?act=refund", self.gateway_url);
        Some(Call { method: "POST", url, headers: vec![form], body: body.into_bytes() })
    }

    fn forge(&self, payment: &Payment, _now: Millis) -> Request {
        let money = payment.paid.to_string();
        let mut fields = vec![
            ("pid", self.pid.as_str()),
            ("trade_no", &payment.trade_no),
            ("out_trade_no", &payment.number),
            ("type", self.pay_type.as_deref().unwrap_or("alipay")),
            ("name", &self.subject),
            ("money", &money),
            ("trade_status", "TRADE_SUCCESS"),
        ];
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
