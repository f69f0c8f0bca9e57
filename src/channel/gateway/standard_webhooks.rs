//! Standard Webhooks: a shop's own payment page, or any service that signs events this way.
//!
//! Source: the specification (commit b2fa7b8) and its libraries, standardwebhooks 1.1.0 (PyPI) and 1.1.1 (npm), as summed
//! up in docs/channels/standard_webhooks.md. The HMAC is over `id.timestamp.body`. An id with a dot is refused whatever
//! its signature: the same text could be cut another way.

use std::sync::Arc;

use aws_lc_rs::hmac;
use data_encoding::BASE64;
use serde_json::{Map, Value, json};

use crate::channel::contract::{
    Answer, Asked, Begin, Channel, Checkout, Claim, Refund, Refunded, Request, Step, Verdict,
};
use crate::channel::kind::{ChannelInputs, Kind, KnownBy, Part, Reference};
use crate::channel::kit::{callback, hook, json as strict, rows, sign, text::begins};
use crate::domain::{Callback, Currency, Millis, Payment, Reason, Rejection, Reply, Response, Text};
use crate::settings::{Form, Setting, Values, is_url};

/// Its row.
pub const KIND: Kind = Kind {
    name: "standard_webhooks",
    about: "your own page, signed by Standard Webhooks",
    test_only: false,
    reference: Reference::Own,
    opens: &[],
    account: KnownBy { family: "standard_webhooks", parts: &[Part::Secrets(&SECRETS)], key: None },
    sources: &[],
    signed_in: Some(SIGNATURE),
    bill: None,
    settings: SETTINGS,
    console: Some(CONSOLE),
    build,
};

const SECRETS: Setting = Setting::needed(
    Form::Secrets,
    "secrets",
    "the signing secret, whsec_ and the base64 of 24 to 64 random bytes: echo whsec_$(head -c 32 /dev/urandom | base64) makes one; a list, or one a line in the file, while one is exchanged",
    "签名密钥,whsec_ 加上 24 到 64 个随机字节的 base64:用 echo whsec_$(head -c 32 /dev/urandom | base64) 生成;更换期间可以是列表,或在文件里每行一个",
);
const PAY_URL: Setting = Setting::optional(
    Form::Line,
    "pay_url",
    "where the buyer is sent, https://pay.example/?order={number}&amount={amount}&currency={currency}: {number} must be in it, {amount} is decimal (29.90), {currency} three capitals; empty: nobody can pay",
    "买家付款的地址,https://pay.example/?order={number}&amount={amount}&currency={currency}:必须含 {number},{amount} 为小数(29.90),{currency} 为三个大写字母;留空则无法付款",
)
.asked();
const TOLERANCE: Setting = rows::tolerance("tolerance_s");
/// The settings of kind `standard_webhooks`.
const SETTINGS: &[&Setting] = &[&SECRETS, &PAY_URL, &TOLERANCE, &rows::BODY];
/// Where the notify address is put in.
const CONSOLE: Text = Text::new("your own page sends its signed events there", "您自己的支付页把签名后的事件发到这里");
const ID: &str = "webhook-id";
const TIMESTAMP: &str = "webhook-timestamp";
const SIGNATURE: &str = "webhook-signature";
/// The longest id of a message.
const ID_BYTES: usize = 256;

/// Events of a payment that was not made.
const UNPAID: [&str; 7] = [
    "payment.created",
    "payment.pending",
    "payment.processing",
    "payment.failed",
    "payment.canceled",
    "payment.cancelled",
    "payment.expired",
];

struct StandardWebhooks {
    name: String,
    keys: Vec<hmac::Key>,
    tolerance_s: u64,
    pay_url: Option<String>,
    body_bytes: usize,
}

/// The keys of the secrets: `whsec_` and base64 of 24 to 64 bytes.
fn keys(v: &mut Values<'_>) -> Vec<hmac::Key> {
    let mut keys = Vec::new();
    for secret in &v.secrets(&SECRETS) {
        let text = secret.reveal().trim();
        let bytes = BASE64.decode(text.strip_prefix("whsec_").unwrap_or(text).as_bytes());
        match bytes {
            Ok(bytes) if (24..=64).contains(&bytes.len()) => keys.push(sign::hmac_key(&bytes)),
            _ => v.reject(&SECRETS, "must be whsec_ and the base64 of 24 to 64 bytes, each of them"),
        }
    }
    keys
}

/// Where the buyer is sent to pay.
fn pay_url(v: &mut Values<'_>) -> Option<String> {
    let url = v.text(&PAY_URL);
    match &url {
        None => v.warn(&PAY_URL, "is missing: callbacks are read, but no buyer can be sent to pay"),
        Some(url) if !is_url(url) || !url.contains("{number}") => {
            let example = "https://pay.example/?order={number}&amount={amount}&currency={currency}";
            v.reject(&PAY_URL, format!("must be an address with {{number}} in it, such as {example}"));
        }
        Some(_) => {}
    }
    url
}

fn build(ChannelInputs { name, .. }: ChannelInputs<'_>, v: &mut Values<'_>) -> Option<Arc<dyn Channel>> {
    let (keys, pay_url) = (keys(v), pay_url(v));
    let (tolerance_s, body_bytes) = (v.whole(&TOLERANCE)?, v.whole(&rows::BODY)?);
    let keys = Some(keys).filter(|keys| !keys.is_empty())?;
    Some(Arc::new(StandardWebhooks { name: name.to_owned(), keys, tolerance_s, pay_url, body_bytes }))
}

/// What is signed.
fn signed(id: &str, at: &str, body: &[u8]) -> Vec<u8> {
    [id.as_bytes(), b".", at.as_bytes(), b".", body].concat()
}

fn signature(key: &hmac::Key, text: &[u8]) -> String {
    format!("v1,{}", BASE64.encode(hmac::sign(key, text).as_ref()))
}

fn is_id(id: &str) -> bool {
    id.len() <= ID_BYTES && id.bytes().all(|b| b.is_ascii_graphic() && b != b'.')
}

impl StandardWebhooks {
    fn event(&self, callback: &Callback<'_>, now: Millis) -> Result<Map<String, Value>, Rejection> {
        callback::posted(callback, self.body_bytes)?;
        let (id, at) = (hook::signature(callback, ID)?, hook::signature(callback, TIMESTAMP)?);
        let given = hook::signature(callback, SIGNATURE)?;
        if !is_id(id) {
            return Err(Rejection::Malformed);
        }
        let text = signed(id, at, callback.body);
        // Other schemes than ours are not ours to judge.
        hook::signed(&self.keys, given.split(' '), |key| signature(key, &text))?;
        callback::fresh(at, self.tolerance_s, now)?;
        strict::object(callback.body)
    }

    fn payment(&self, data: &Map<String, Value>) -> Result<Payment, Rejection> {
        if strict::text(data, "status")? != "paid" {
            return Err(Rejection::StatusNotPaid);
        }
        let currency = strict::text(data, "currency")?.parse().unwrap_or(Currency::NONE);
        let paid = hook::minor(data, "amount_minor", currency)?;
        Ok(Payment::new(hook::number(data, "order_no")?, hook::id(data, "trade_no")?, paid, &self.name))
    }
}

impl Channel for StandardWebhooks {
    fn verify(&self, callback: &Callback<'_>, _heard: &[Response], now: Millis) -> Result<Claim, Rejection> {
        let event = self.event(callback, now)?;
        match strict::text(&event, "type")? {
            "payment.succeeded" => Ok(Claim::Paid(self.payment(strict::inner(&event, "data")?)?)),
            "payment.refunded" | "refund.succeeded" => Ok(Claim::Nothing(Reason::RefundNotice)),
            kind if begins(kind, "payment.") => Ok(Claim::unpaid(kind, &UNPAID)),
            _ => Ok(Claim::Nothing(Reason::EventNotHandled)),
        }
    }

    fn ack(&self, verdict: Verdict) -> Reply {
        callback::ack(verdict, "ok")
    }

    fn takes(&self, _currency: Currency) -> bool {
        self.pay_url.is_some()
    }

    fn checkout(&self, checkout: &Checkout<'_>, _heard: &[Response], _now: Millis) -> Begin {
        // Digits, letters and a dot: nothing in them needs an escape.
        let (amount, currency) = (checkout.amount.to_string(), checkout.amount.currency);
        let pay_url = self.pay_url.as_deref().unwrap_or(checkout.return_url);
        let url = pay_url.replace("{number}", checkout.number).replace("{amount}", &amount);
        Begin::Step(Step::Redirect { url: url.replace("{currency}", currency.as_str()) }, None)
    }

    fn query(&self, _: &Asked<'_>, _: &[Response], _: Millis) -> Option<Answer> {
        None
    }

    fn refund(&self, _: &Refund<'_>, _: &[Response], _: Millis) -> Option<Refunded> {
        None
    }

    fn forge(&self, payment: &Payment, now: Millis) -> Request {
        let event = json!({"type": "payment.succeeded", "data": {
            "order_no": payment.number, "amount_minor": payment.paid.minor, "currency": payment.paid.currency,
            "trade_no": payment.trade_no, "status": "paid",
        }});
        let (at, body) = ((now / 1000).to_string(), event.to_string().into_bytes());
        // The same payment again is the same message again.
        let id = format!("msg_{}", sign::sha256_hex(payment.trade_no.as_bytes()));
        let sign = self.keys.first().map(|key| signature(key, &signed(&id, &at, &body))).unwrap_or_default();
        let kind = ("content-type".to_owned(), "application/json".to_owned());
        let headers = vec![(ID.to_owned(), id), (TIMESTAMP.to_owned(), at), (SIGNATURE.to_owned(), sign), kind];
        Request { method: "POST", query: String::new(), headers, body }
    }

    fn names(&self, callback: &Callback<'_>) -> Option<String> {
        let event = strict::object(callback.body).ok()?;
        hook::number(strict::inner(&event, "data").ok()?, "order_no").ok().map(str::to_owned)
    }

    fn explain(&self, callback: &Callback<'_>) -> Option<String> {
        let (id, at) = (callback.header(ID)?, callback.header(TIMESTAMP)?);
        Some(hook::explained("secret", &signed(id, at, callback.body)))
    }

    fn limits(&self) -> (usize, usize) {
        (callback::QUERY_BYTES, self.body_bytes)
    }
}
