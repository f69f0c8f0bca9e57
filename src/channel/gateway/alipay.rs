//! 支付宝 (Alipay) open platform: RSA2, with public keys or with certificates.
//!
//! Source: the platform's documents and its SDKs, as summed up in docs/channels/alipay.md. A notification is signed over its
//! decoded *bytes* (in GBK where it says so), without `sign` and `sign_type`; requests are signed with `sign_type` in them;
//! an answer is signed over the raw text of its inner object.

mod settings;

use std::sync::Arc;

use serde_json::{Map, Value, value::RawValue};

use crate::channel::bill;
use crate::channel::contract::{
    Answer, Asked, Begin, Channel, Checkout, Claim, Refund, Refunded, Request, Step, Verdict, is_number, is_trade_no,
};
use crate::channel::kind::{ChannelInputs, Kind, KnownBy, Opens, Part, Reference};
use crate::channel::kit::{
    callback, canonical, cert, json,
    keys::{self, PrivateKey, PublicKey},
    params::{self, Params, RawParams},
    rows, text,
};
use crate::domain::text::bare_json;
use crate::domain::{Call, Callback, Currency, Millis, Money, Payment, Reason, Rejection, Reply, Response};
use crate::settings::{Setting, Values};
use settings::{
    ALIPAY_CERT, ALIPAY_KEY, APP_CERT, APP_ID, APP_KEY, CHARSET, GATEWAY_URL, MODE, PAY, ROOT_CERT, SELLER_ID,
    SETTINGS, SIGN_TYPE, SUBJECT,
};

/// Its row.
pub const KIND: Kind = Kind {
    name: "alipay",
    about: "支付宝, RSA2 with public keys or certificates: page, wap or QR code, query, refund",
    test_only: false,
    reference: Reference::Own,
    opens: &[Opens::minutes(110).when(&PAY, "qr")],
    account: KnownBy { family: "alipay", parts: &[Part::Text(&APP_ID)], key: None },
    sources: &[],
    signed_in: None,
    bill: Some(&bill::ALIPAY),
    settings: SETTINGS,
    console: None,
    build,
};

/// Fields that mean something: none of them may appear inside another's value.
const FIELDS: [&str; 12] = [
    "app_id",
    "seller_id",
    "out_trade_no",
    "trade_no",
    "total_amount",
    "trade_status",
    "notify_type",
    "refund_fee",
    "gmt_refund",
    "charset",
    "sign",
    "sign_type",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pay {
    Page,
    Wap,
    Qr,
}

/// What certificate mode adds to every request.
struct Numbers {
    app: String,
    root: String,
    alipay: String,
}

struct Alipay {
    name: String,
    gateway_url: String,
    app_id: String,
    seller_id: String,
    theirs: PublicKey,
    ours: PrivateKey,
    gateway: Option<PrivateKey>,
    numbers: Option<Numbers>,
    pay: Pay,
    subject: String,
    body_bytes: usize,
}

/// A certificate's number and key; one without them is of no use here.
fn numbered(v: &mut Values<'_>, row: &Setting, now: Millis) -> (Option<String>, Option<PublicKey>) {
    let Some(cert) = cert::one(v, row, now) else { return (None, None) };
    let (number, key) = (cert.alipay_sn(), cert.key());
    if key.is_none() {
        v.reject(row, format!("holds a certificate without an RSA key of 2048 bits or more; needed: {}", row.help.en));
    } else if number.is_none() {
        v.reject(row, format!("holds a certificate whose issuer cannot be read; needed: {}", row.help.en));
    }
    (number, key)
}

fn numbers(v: &mut Values<'_>, ours: Option<&PrivateKey>, now: Millis) -> (Option<Numbers>, Option<PublicKey>) {
    let (app, cert) = numbered(v, &APP_CERT, now);
    if let (Some(cert), Some(key)) = (cert, ours)
        && !key.is_pair_of(&cert)
    {
        v.reject(&APP_CERT, "is not the certificate of app_private_key");
    }
    let ((alipay, key), roots) = (numbered(v, &ALIPAY_CERT, now), cert::certs(v, &ROOT_CERT, now));
    let root: Vec<String> = roots.iter().filter(|cert| cert.is_rsa()).filter_map(cert::Cert::alipay_sn).collect();
    let all = || Some(Numbers { app: app?, root: root.join("_"), alipay: alipay? });
    (all(), key)
}

/// Whether the application signs with certificates.
fn by_cert(v: &mut Values<'_>) -> bool {
    // An older word for the same.
    v.section().text(MODE.key, &mut Vec::new()).as_deref() == Some("certificate") || v.choice(&MODE) == "cert"
}

fn subject(v: &mut Values<'_>) -> Option<String> {
    let subject = v.text(&SUBJECT)?;
    if subject.chars().count() > 128 || subject.contains(['/', '=', '&']) {
        v.reject(&SUBJECT, "at most 128 characters, without / = &");
    }
    Some(subject)
}

fn build(ChannelInputs { name, now }: ChannelInputs<'_>, v: &mut Values<'_>) -> Option<Arc<dyn Channel>> {
    let (by_cert, gateway_url) = (by_cert(v), v.text(&GATEWAY_URL));
    let (_said, charset) = (v.text(&SIGN_TYPE), v.text(&CHARSET));
    if charset.is_some_and(|charset| !charset.eq_ignore_ascii_case("utf-8")) {
        v.reject(&CHARSET, "must be \"utf-8\": what Alipay sends in GBK is read all the same");
    }
    let of_app = |text: &str| text::is_digits(text, 16..=16);
    let of_shop = |text: &str| of_app(text) && text.starts_with("2088");
    let (app_id, seller_id) = (v.number(&APP_ID, of_app), v.number(&SELLER_ID, of_shop));
    let ours = keys::private(v, &APP_KEY);
    let (numbers, theirs) = if by_cert { numbers(v, ours.as_ref(), now) } else { (None, keys::public(v, &ALIPAY_KEY)) };
    // A capture's settings may have what the other mode needs.
    let other: &[&Setting] = &[&ALIPAY_KEY, &APP_CERT, &ALIPAY_CERT, &ROOT_CERT];
    let _also = other.iter().filter(|row| v.has_inline(row)).count();
    let named = if numbers.is_some() { &ALIPAY_CERT } else { &ALIPAY_KEY };
    keys::not_a_pair(v, named, ours.as_ref(), theirs.as_ref());
    let gateway = keys::gateway(v);
    let pay = match v.choice(&PAY) {
        "wap" => Pay::Wap,
        "qr" => Pay::Qr,
        _ => Pay::Page,
    };
    let (subject, body_bytes) = (subject(v), v.whole(&rows::BODY));
    if by_cert && numbers.is_none() {
        return None;
    }
    Some(Arc::new(Alipay {
        name: name.to_owned(),
        gateway_url: gateway_url?,
        app_id: app_id?,
        seller_id: seller_id?,
        theirs: theirs?,
        ours: ours?,
        gateway,
        numbers,
        pay,
        subject: subject?,
        body_bytes: body_bytes?,
    }))
}

/// The bytes that a notification's signature is over.
fn signed_bytes(params: &RawParams<'_>) -> Vec<u8> {
    let signed = |(name, value): &(&[u8], &[u8])| *name != b"sign" && *name != b"sign_type" && !value.is_empty();
    canonical::join(params.iter().filter(signed))
}

/// The text of a notification in the charset that it names.
fn read(params: &RawParams<'_>) -> Result<Params<'static>, Rejection> {
    let charset = params.get("charset").map(|name| name.to_ascii_lowercase()).unwrap_or_default();
    match charset.as_slice() {
        b"" | b"utf-8" | b"utf8" => params.text(|bytes| String::from_utf8(bytes.to_vec()).ok()),
        b"gbk" | b"gb2312" | b"gb18030" => params.text(|bytes| {
            let text = encoding_rs::GB18030.decode_without_bom_handling_and_without_replacement(bytes)?;
            Some(text.into_owned())
        }),
        _ => Err(Rejection::NonUtf8),
    }
}

/// What a trade's state means.
fn paid(status: &str) -> Option<bool> {
    match status {
        "TRADE_SUCCESS" | "TRADE_FINISHED" => Some(true),
        "WAIT_BUYER_PAY" | "TRADE_CLOSED" => Some(false),
        _ => None,
    }
}

impl Alipay {
    fn claim(&self, params: &Params<'_>) -> Result<Claim, Rejection> {
        if params.need("app_id")? != self.app_id || params.need("seller_id")? != self.seller_id {
            return Err(Rejection::MerchantMismatch);
        }
        if params.need("notify_type")? != "trade_status_sync" {
            return Ok(Claim::Nothing(Reason::EventNotHandled));
        }
        let (number, trade_no) = (params.need("out_trade_no")?, params.need("trade_no")?);
        let (status, amount) = (params.need("trade_status")?, params.need("total_amount")?);
        if !is_number(number) || !is_trade_no(trade_no) {
            return Err(Rejection::Malformed);
        }
        // A partial refund says TRADE_SUCCESS again.
        if ["refund_fee", "gmt_refund"].iter().any(|name| params.get(name).is_some_and(|text| !text.is_empty())) {
            return Ok(Claim::Nothing(Reason::RefundNotice));
        }
        match paid(status) {
            Some(true) => {}
            Some(false) => return Ok(Claim::Nothing(Reason::StatusNotPaid)),
            None => return Ok(Claim::strange(status)),
        }
        let paid = Money::parse(amount, Currency::CNY).map_err(|_| Rejection::AmountMalformed)?;
        Ok(Claim::Paid(Payment::new(number, trade_no, paid, &self.name)))
    }

    /// A request's parameters with their signature.
    fn signed(&self, method: &str, content: &Value, urls: &[(&str, &str)], now: Millis) -> Vec<(String, String)> {
        let content = content.to_string();
        let stamp = text::beijing(now, "%Y-%m-%d %H:%M:%S");
        let mut all = vec![
            ("app_id", self.app_id.as_str()),
            ("method", method),
            ("charset", "utf-8"),
            ("sign_type", "RSA2"),
            ("timestamp", &stamp),
            ("version", "1.0"),
            ("format", "JSON"),
            ("biz_content", &content),
        ];
        if let Some(numbers) = &self.numbers {
            all.extend([("app_cert_sn", numbers.app.as_str()), ("alipay_root_cert_sn", &numbers.root)]);
        }
        all.extend_from_slice(urls);
        let sign = self.ours.sign(canonical::join_text(all.iter().copied()).as_bytes());
        all.push(("sign", &sign));
        all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    fn call(&self, method: &str, content: &Value, urls: &[(&str, &str)], now: Millis) -> Call {
        let signed = self.signed(method, content, urls, now);
        let body = params::encode(signed.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        // Without the charset in the address a POST is read as GBK.
        let url = format!("{}?charset=utf-8", self.gateway_url);
        Call::post(url, "application/x-www-form-urlencoded;charset=utf-8", body.into_bytes())
    }

    /// The inner object of an answer, if Alipay signed its raw text.
    fn believed(&self, answer: &Response, method: &str) -> Result<Map<String, Value>, String> {
        let unreadable = || format!("it answered {}, unreadable", answer.status);
        let outer: std::collections::BTreeMap<&str, &RawValue> =
            serde_json::from_slice(bare_json(&answer.body)).map_err(|_| unreadable())?;
        let inner = outer.get(format!("{}_response", method.replace('.', "_")).as_str());
        let Some(inner) = inner else {
            let error = outer.get("error_response").and_then(|raw| json::object(raw.get().as_bytes()).ok());
            let words = error.map(|error| json::text(&error, "msg").unwrap_or_default().to_owned());
            return Err(format!("an unsigned error: {}", words.unwrap_or_default()));
        };
        let text = |name: &str| outer.get(name).and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
        if let (Some(numbers), Some(serial)) = (&self.numbers, text("alipay_cert_sn"))
            && serial != numbers.alipay
        {
            return Err("it is signed with another certificate than the configured one".to_owned());
        }
        if !self.theirs.fits_base64(inner.get().as_bytes(), &text("sign").unwrap_or_default()) {
            return Err("its answer is not signed by Alipay".to_owned());
        }
        json::object(inner.get().as_bytes()).map_err(|_| unreadable())
    }
}

/// The refusal in an answer, unless it is a success.
fn refusal(fields: &Map<String, Value>) -> Option<String> {
    let text = |name: &str| json::text(fields, name).unwrap_or_default().to_owned();
    (text("code") != "10000").then(|| format!("{} {}", text("sub_code"), text("sub_msg")))
}

impl Alipay {
    fn opened(
        &self,
        checkout: &Checkout<'_>,
        answer: &Response,
        _now: Millis,
    ) -> Result<(Step, Option<String>), String> {
        let fields = self.believed(answer, "alipay.trade.precreate")?;
        if let Some(words) = refusal(&fields) {
            return Err(words);
        }
        if json::text(&fields, "out_trade_no") != Ok(checkout.number) {
            return Err("its answer is about another order".to_owned());
        }
        let code = json::text(&fields, "qr_code").map_err(|_| "its answer has no code".to_owned())?;
        Ok((Step::Qr { text: code.to_owned() }, None))
    }

    fn answer(&self, asked: &Asked<'_>, answer: &Response, _now: Millis) -> Answer {
        let Ok(fields) = self.believed(answer, "alipay.trade.query") else {
            return Answer::Mismatch;
        };
        let text = |name: &str| json::text(&fields, name).unwrap_or_default();
        if text("sub_code") == "ACQ.TRADE_NOT_EXIST" {
            return Answer::Unknown;
        }
        if refusal(&fields).is_some() || text("out_trade_no") != asked.number {
            return Answer::Mismatch;
        }
        let trade_no = if is_trade_no(text("trade_no")) { text("trade_no") } else { asked.number };
        match (paid(text("trade_status")), Money::parse(text("total_amount"), Currency::CNY)) {
            (Some(true), Ok(paid)) => Answer::Paid(Payment::new(asked.number, trade_no, paid, &self.name)),
            (Some(false), _) => Answer::Unpaid,
            _ => Answer::Mismatch,
        }
    }

    /// `None`: it was taken, and whether money moved by it is to be asked; nothing moves by a repeat.
    fn refunded(&self, answer: &Response) -> Option<Refunded> {
        match self.believed(answer, "alipay.trade.refund") {
            Ok(fields) => match refusal(&fields) {
                Some(why) => Some(Refunded::Refused(why)),
                None => (json::text(&fields, "fund_change") == Ok("Y")).then_some(Refunded::Done),
            },
            Err(why) => Some(Refunded::Pending(why)),
        }
    }

    /// What became of a refund, by its number.
    fn looked_up(&self, answer: &Response) -> Refunded {
        match self.believed(answer, "alipay.trade.fastpay.refund.query") {
            Ok(fields) if json::text(&fields, "refund_status") == Ok("REFUND_SUCCESS") => Refunded::Done,
            Ok(fields) => Refunded::Pending(refusal(&fields).unwrap_or_else(|| "no money has moved yet".to_owned())),
            Err(why) => Refunded::Pending(why),
        }
    }
}

impl Channel for Alipay {
    fn verify(&self, callback: &Callback<'_>, _heard: &[Response], _now: Millis) -> Result<Claim, Rejection> {
        callback::posted(callback, self.body_bytes)?;
        let mut raw = RawParams::default();
        raw.read(callback.body)?;
        let given = raw.get("sign").filter(|sign| !sign.is_empty()).ok_or(Rejection::MissingSignature)?;
        if raw.get("sign_type").ok_or(Rejection::MissingField)? != b"RSA2" {
            return Err(Rejection::SignTypeMismatch);
        }
        let given = std::str::from_utf8(given).map_err(|_| Rejection::BadSignature)?;
        if !self.theirs.fits_base64(&signed_bytes(&raw), given) {
            return Err(Rejection::BadSignature);
        }
        let params = read(&raw)?;
        canonical::unambiguous(params.iter(), &FIELDS)?;
        self.claim(&params)
    }

    fn ack(&self, verdict: Verdict) -> Reply {
        callback::ack(verdict, "success")
    }

    fn takes(&self, currency: Currency) -> bool {
        currency == Currency::CNY
    }

    fn checkout(&self, checkout: &Checkout<'_>, heard: &[Response], now: Millis) -> Begin {
        if let Some(answer) = heard.first() {
            return self.opened(checkout, answer, now).into();
        }
        let minutes = (checkout.expires.saturating_sub(now) / 60_000).clamp(1, 21_600);
        let mut content = serde_json::json!({
            "out_trade_no": checkout.number, "total_amount": checkout.amount.to_string(),
            "subject": checkout.subject.unwrap_or(&self.subject),
        });
        let (method, product) = match self.pay {
            Pay::Page => ("alipay.trade.page.pay", Some("FAST_INSTANT_TRADE_PAY")),
            Pay::Wap => ("alipay.trade.wap.pay", Some("QUICK_WAP_WAY")),
            Pay::Qr => ("alipay.trade.precreate", None),
        };
        if let Some(product) = product {
            content["product_code"] = product.into();
        }
        if self.pay == Pay::Wap {
            content["quit_url"] = checkout.return_url.into();
        }
        content["timeout_express"] = format!("{minutes}m").into();
        let urls = [("notify_url", checkout.notify_url), ("return_url", checkout.return_url)];
        if self.pay == Pay::Qr {
            return Begin::Ask(self.call(method, &content, &urls[..1], now));
        }
        let signed = self.signed(method, &content, &urls, now);
        let query = params::encode(signed.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        Begin::Step(Step::Redirect { url: format!("{}?{query}", self.gateway_url) }, None)
    }

    fn query(&self, asked: &Asked<'_>, heard: &[Response], now: Millis) -> Option<Answer> {
        if let Some(answer) = heard.first() {
            return Some(self.answer(asked, answer, now));
        }
        Some(Answer::Ask(self.call("alipay.trade.query", &serde_json::json!({"out_trade_no": asked.number}), &[], now)))
    }

    fn refund(&self, refund: &Refund<'_>, heard: &[Response], now: Millis) -> Option<Refunded> {
        let named = if refund.by_trade_no {
            ("trade_no", &refund.payment.trade_no)
        } else {
            ("out_trade_no", &refund.payment.number)
        };
        match heard {
            [] => {
                let amount = refund.payment.paid.to_string();
                let content = serde_json::json!({
                    (named.0): named.1, "refund_amount": amount, "out_request_no": refund.number,
                });
                Some(Refunded::Ask(self.call("alipay.trade.refund", &content, &[], now)))
            }
            [answer] => Some(self.refunded(answer).unwrap_or_else(|| {
                let content = serde_json::json!({ (named.0): named.1, "out_request_no": refund.number });
                Refunded::Ask(self.call("alipay.trade.fastpay.refund.query", &content, &[], now))
            })),
            [.., answer] => Some(self.looked_up(answer)),
        }
    }

    fn forge(&self, payment: &Payment, now: Millis) -> Request {
        let (amount, at) = (payment.paid.to_string(), text::beijing(now, "%Y-%m-%d %H:%M:%S"));
        let fields = [
            ("gmt_create", at.as_str()),
            ("charset", "utf-8"),
            ("notify_time", &at),
            ("subject", &self.subject),
            ("version", "1.0"),
            ("notify_id", &payment.trade_no),
            ("notify_type", "trade_status_sync"),
            ("out_trade_no", &payment.number),
            ("total_amount", &amount),
            ("trade_status", "TRADE_SUCCESS"),
            ("trade_no", &payment.trade_no),
            ("auth_app_id", &self.app_id),
            ("app_id", &self.app_id),
            ("seller_id", &self.seller_id),
        ];
        let text = canonical::join_text(fields.into_iter());
        let sign = self.gateway.as_ref().map(|key| key.sign(text.as_bytes())).unwrap_or_default();
        let body = params::encode(fields.into_iter().chain([("sign_type", "RSA2"), ("sign", &sign)])).into_bytes();
        let form = ("content-type".to_owned(), format!("{}; charset=utf-8", params::FORM));
        Request { method: "POST", query: String::new(), headers: vec![form], body }
    }

    fn names(&self, callback: &Callback<'_>) -> Option<String> {
        let mut raw = RawParams::default();
        raw.read(callback.body).ok()?;
        let params = read(&raw).ok()?;
        params.get("out_trade_no").filter(|number| is_number(number)).map(str::to_owned)
    }

    fn explain(&self, callback: &Callback<'_>) -> Option<String> {
        let mut raw = RawParams::default();
        raw.read(callback.body).ok()?;
        Some(String::from_utf8_lossy(&signed_bytes(&raw)).into_owned())
    }

    fn limits(&self) -> (usize, usize) {
        (1024, self.body_bytes)
    }
}

#[cfg(test)]
mod tests;
