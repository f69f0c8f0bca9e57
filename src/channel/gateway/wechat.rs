//! 微信支付 (WeChat Pay) v3: SHA256withRSA over headers and body, and what is paid sealed inside with AES-256-GCM.
//!
//! Source: the platform's documents and its SDKs, as summed up in docs/channels/wechat_v3.md. The key is chosen by the serial
//! that the message names, among those that are configured or that the platform itself lists. Answers to our own requests are
//! signed the same way, and one that is not is believed by nobody.

mod platform;
mod settings;

use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use data_encoding::{BASE64, HEXUPPER};
use serde_json::{Map, Value, json as object};

use crate::channel::bill;
use crate::channel::contract::{
    Answer, Asked, Begin, Channel, Checkout, Claim, Refund, Refunded, Request, Step, Verdict, is_number, is_trade_no,
};
use crate::channel::kind::{ChannelInputs, Kind, KnownBy, Opens, Part, Reference, Wants};
use crate::channel::kit::{
    callback, json,
    keys::{self, PrivateKey},
    params, rows, sign, text,
    text::begins,
};
use crate::domain::{Call, Callback, Currency, Millis, Money, Payment, Reason, Rejection, Reply, Response};
use crate::settings::Values;
use platform::{Platform, Unbelieved};
use settings::SETTINGS;
use settings::{API_URL, APIV3_KEY, APPID, KEY_ID, MCHID, MERCHANT_KEY, PAY, PLATFORM_KEY, SERIAL};

/// Source: the page on its notifications' addresses.
const SOURCES: &[&str] = &[
    "101.226.103.0/25",
    "140.207.54.0/25",
    "121.51.58.128/25",
    "183.3.234.0/25",
    "58.251.80.0/25",
    "121.51.30.128/25",
    "203.205.219.128/25",
    "81.71.199.64/32",
    "81.71.198.25/32",
    "81.71.199.59/32",
    "175.24.214.208/32",
    "175.24.211.24/32",
    "175.24.213.135/32",
    "109.244.180.23/32",
    "114.132.203.119/32",
    "43.139.43.69/32",
];

/// Its row.
pub const KIND: Kind = Kind {
    name: "wechat_v3",
    about: "微信支付 v3: Native (QR code) or H5, query, refund",
    test_only: false,
    reference: Reference::Own,
    opens: &[Opens::minutes(4).hearing(Wants::Buyer).when(&PAY, "h5"), Opens::minutes(110)],
    account: KnownBy { family: "wechat", parts: &[Part::Text(&MCHID)], key: None },
    sources: SOURCES,
    signed_in: Some(platform::SIGNATURE),
    bill: Some(&bill::WECHAT),
    settings: SETTINGS,
    console: None,
    build,
};

/// The one signature there is; SM2 has its own.
const SCHEME: &str = "WECHATPAY2-SHA256-RSA2048";
/// How old fetched certificates may be, in seconds, as the platform's documents advise; and when one is missing among them.
const CERTS_S: [u64; 2] = [12 * 3600, 5];

struct WeChat {
    name: String,
    api_url: String,
    mchid: String,
    appid: String,
    seal: LessSafeKey,
    nonces: hmac::Key,
    serial: String,
    ours: PrivateKey,
    platform: Platform,
    key_id: Option<String>,
    gateway: Option<PrivateKey>,
    h5: bool,
    subject: String,
    body_bytes: usize,
}

fn build(ChannelInputs { name, now }: ChannelInputs<'_>, v: &mut Values<'_>) -> Option<Arc<dyn Channel>> {
    Some(Arc::new(WeChat { name: name.to_owned(), ..channel(v, now)? }))
}

fn channel(v: &mut Values<'_>, now: Millis) -> Option<WeChat> {
    let api_url = v.text(&API_URL);
    let mchid = v.number(&MCHID, |text| text::is_digits(text, 8..=10));
    let appid = v.number(&APPID, |text| text.starts_with("wx") && text.len() == 18);
    let secret = v.secret(&APIV3_KEY);
    let seal = secret.as_ref().and_then(|secret| UnboundKey::new(&AES_256_GCM, secret.reveal().as_bytes()).ok());
    if secret.is_some() && seal.is_none() {
        v.reject(&APIV3_KEY, "must have 32 characters: it is the APIv3 key, not the older API key");
    }
    let of_cert = |text: &str| text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let (serial, ours) = (v.number(&SERIAL, of_cert), keys::private(v, &MERCHANT_KEY));
    let platform = Platform::read(v, now);
    let first = platform.known.values().next().map(|(key, _)| key);
    keys::not_a_pair(v, &PLATFORM_KEY, ours.as_ref(), first);
    let (key_id, gateway, pay) = (v.given(&KEY_ID), keys::gateway(v), v.choice(&PAY));
    let (subject, body_bytes) = (rows::subject(v, &rows::SUBJECT), v.whole(&rows::BODY));
    Some(WeChat {
        name: String::new(),
        api_url: api_url?.trim_end_matches('/').to_owned(),
        mchid: mchid?,
        appid: appid?,
        seal: LessSafeKey::new(seal?),
        nonces: sign::hmac_key(secret?.reveal().as_bytes()),
        serial: serial?,
        ours: ours?,
        platform,
        key_id,
        gateway,
        h5: pay == "h5",
        subject,
        body_bytes: body_bytes?,
    })
}

/// What is sealed with the APIv3 key: in a notification, and each certificate that is fetched.
fn unseal(seal: &LessSafeKey, resource: &Map<String, Value>) -> Result<Vec<u8>, Rejection> {
    if json::text(resource, "algorithm")? != "AEAD_AES_256_GCM" {
        return Err(Rejection::SignTypeMismatch);
    }
    let nonce = Nonce::try_assume_unique_for_key(json::text(resource, "nonce")?.as_bytes());
    let nonce = nonce.map_err(|_| Rejection::Malformed)?;
    let mut sealed = BASE64.decode(json::text(resource, "ciphertext")?.as_bytes()).map_err(|_| Rejection::Malformed)?;
    let with = match resource.get("associated_data") {
        None | Some(Value::Null) => "",
        Some(Value::String(text)) => text,
        Some(_) => return Err(Rejection::Malformed),
    };
    let opened = seal.open_in_place(nonce, Aad::from(with.as_bytes()), &mut sealed).map(|opened| opened.len());
    sealed.truncate(opened.map_err(|_| Rejection::DecryptFailed)?);
    Ok(sealed)
}

/// States of a transaction that is not paid.
const UNPAID: [&str; 6] = ["NOTPAY", "CLOSED", "REVOKED", "USERPAYING", "PAYERROR", "ACCEPT"];

/// Why an answer says nothing.
enum Unheard {
    /// Who signed it is to be fetched first.
    Fetch,
    /// The refusal in it, or why it is not believed.
    Words(String),
}

impl WeChat {
    fn open(&self, resource: &Map<String, Value>) -> Result<Map<String, Value>, Rejection> {
        json::object(&unseal(&self.seal, resource)?)
    }

    /// The question for the platform's certificates, after so many answers.
    fn certificates(&self, seen: usize, now: Millis) -> Call {
        let name = format!("{} certificates of {}", self.name, self.mchid);
        self.call("GET", "/v3/certificates", "", now).kept(name, CERTS_S[usize::from(seen > 0)])
    }

    /// What a transaction states, whoever tells it.
    fn paid(&self, transaction: &Map<String, Value>) -> Result<Claim, Rejection> {
        let text = |name: &str| json::text(transaction, name);
        if text("mchid")? != self.mchid || text("appid")? != self.appid {
            return Err(Rejection::MerchantMismatch);
        }
        let (number, state) = (text("out_trade_no")?, text("trade_state")?);
        if !is_number(number) {
            return Err(Rejection::Malformed);
        }
        match state {
            "SUCCESS" => {}
            "REFUND" => return Ok(Claim::Nothing(Reason::RefundNotice)),
            state => return Ok(Claim::unpaid(state, &UNPAID)),
        }
        let trade_no = text("transaction_id")?;
        if !is_trade_no(trade_no) {
            return Err(Rejection::Malformed);
        }
        // Not payer_total, which is lower with coupons.
        let amount = json::inner(transaction, "amount")?;
        let minor = amount.get("total").ok_or(Rejection::MissingField)?.as_u64().and_then(|it| i64::try_from(it).ok());
        let minor = minor.ok_or(Rejection::AmountMalformed)?;
        let currency = match amount.get("currency") {
            None => Currency::CNY,
            Some(_) => json::text(amount, "currency")?.parse().unwrap_or(Currency::NONE),
        };
        Ok(Claim::Paid(Payment::new(number, trade_no, Money { minor, currency }, &self.name)))
    }

    /// The header that signs a request. A nonce need only never come twice: it is made of the request itself and a secret.
    fn authorization(&self, method: &str, path: &str, body: &str, timestamp: u64, nonce: &str) -> String {
        let signature = self.ours.sign(format!("{method}\n{path}\n{timestamp}\n{nonce}\n{body}\n").as_bytes());
        format!(
            "{SCHEME} mchid=\"{}\",nonce_str=\"{nonce}\",signature=\"{signature}\",timestamp=\"{timestamp}\",serial_no=\"{}\"",
            self.mchid, self.serial
        )
    }

    fn nonce(&self, of: &str) -> String {
        HEXUPPER.encode(&hmac::sign(&self.nonces, of.as_bytes()).as_ref()[..16])
    }

    fn call(&self, method: &'static str, path: &str, body: &str, now: Millis) -> Call {
        let nonce = self.nonce(&format!("{method} {path} {now} {body}"));
        let url = format!("{}{path}", self.api_url);
        let call = Call { method, url, body: body.as_bytes().to_vec(), ..Call::default() }
            .with("authorization", self.authorization(method, path, body, now / 1000, &nonce))
            .with("accept", "application/json")
            .with("content-type", "application/json");
        self.key_id.iter().fold(call, |call, id| call.with("wechatpay-serial", id))
    }

    /// The fields of an answer that the platform signed; the refusal in it, in words, whoever wrote that.
    fn believed(&self, answer: &Response, seen: &[Response], now: Millis) -> Result<Map<String, Value>, Unheard> {
        let fields = json::object(&answer.body);
        if !(200..300).contains(&answer.status) {
            let fields = fields.unwrap_or_default();
            let text = |name: &str| json::text(&fields, name).unwrap_or_default().to_owned();
            return Err(Unheard::Words(format!("{} {} ({})", text("code"), text("message"), answer.status)));
        }
        match self.platform.check(|name| answer.header(name), &answer.body, seen, &self.seal, now) {
            Ok(()) => fields.map_err(|_| Unheard::Words("its answer cannot be read".to_owned())),
            Err(Unbelieved::Fetch) => Err(Unheard::Fetch),
            Err(Unbelieved::Refused(why)) => Err(Unheard::Words(format!("its answer is not WeChat Pay's: {why}"))),
        }
    }

    fn answer_of(&self, fields: &Map<String, Value>, number: &str) -> Answer {
        if json::text(fields, "out_trade_no") != Ok(number) {
            return Answer::Mismatch;
        }
        match self.paid(fields) {
            Ok(Claim::Paid(payment)) => Answer::Paid(payment),
            Ok(Claim::Nothing(Reason::RefundNotice)) => Answer::Refunded,
            Ok(Claim::Nothing(_)) => Answer::Unpaid,
            Ok(Claim::Strange(_) | Claim::Ask { .. } | Claim::Agreed(_)) | Err(_) => Answer::Mismatch,
        }
    }

    fn order(&self, checkout: &Checkout<'_>) -> Value {
        let mut order = object!({
            "appid": self.appid, "mchid": self.mchid, "description": checkout.subject.unwrap_or(&self.subject),
            "out_trade_no": checkout.number,
            "time_expire": text::beijing(checkout.expires, "%Y-%m-%dT%H:%M:%S+08:00"),
            "notify_url": checkout.notify_url,
            "amount": {"total": checkout.amount.minor, "currency": checkout.amount.currency.as_str()},
        });
        if self.h5 {
            order["scene_info"] = object!({"payer_client_ip": checkout.client_ip, "h5_info": {"type": "Wap"}});
        }
        order
    }

    fn opened(&self, checkout: &Checkout<'_>, fields: &Map<String, Value>) -> Result<(Step, Option<String>), String> {
        let text = |name: &str| json::text(fields, name).map(str::to_owned).map_err(|_| format!("it tells no {name}"));
        if !self.h5 {
            return Ok((Step::Qr { text: text("code_url")? }, None));
        }
        let back = params::encode([("redirect_url", checkout.return_url)]);
        Ok((Step::Redirect { url: format!("{}&{back}", text("h5_url")?) }, None))
    }

    fn refunded(fields: &Map<String, Value>) -> Refunded {
        match json::text(fields, "status") {
            Ok("SUCCESS" | "PROCESSING") => Refunded::Done,
            Ok(status) => Refunded::Refused(status.to_owned()),
            Err(_) => Refunded::Pending("its answer has no status".to_owned()),
        }
    }
}

impl Channel for WeChat {
    fn verify(&self, callback: &Callback<'_>, heard: &[Response], now: Millis) -> Result<Claim, Rejection> {
        callback::posted(callback, self.body_bytes)?;
        match self.platform.check(|name| callback.header(name), callback.body, heard, &self.seal, now) {
            Ok(()) => {}
            Err(Unbelieved::Fetch) => return Ok(Claim::Ask { call: self.certificates(heard.len(), now), alone: None }),
            Err(Unbelieved::Refused(why)) => return Err(why),
        }
        let message = json::object(callback.body)?;
        let event = json::text(&message, "event_type")?;
        if event.starts_with("REFUND.") {
            return Ok(Claim::Nothing(Reason::RefundNotice));
        }
        if event != "TRANSACTION.SUCCESS" {
            if begins(event, "TRANSACTION.") {
                return Ok(Claim::strange(event));
            }
            return Ok(Claim::Nothing(Reason::EventNotHandled));
        }
        self.paid(&self.open(json::inner(&message, "resource")?)?)
    }

    fn ack(&self, verdict: Verdict) -> Reply {
        match verdict {
            Verdict::Received => Reply { status: 200, body: "{\"code\":\"SUCCESS\",\"message\":\"成功\"}" },
            Verdict::Refused => Reply { status: 400, body: "{\"code\":\"FAIL\",\"message\":\"refused\"}" },
            Verdict::Unavailable => Reply { status: 503, body: "{\"code\":\"FAIL\",\"message\":\"try again\"}" },
        }
    }

    fn takes(&self, currency: Currency) -> bool {
        currency == Currency::CNY
    }

    fn checkout(&self, checkout: &Checkout<'_>, heard: &[Response], now: Millis) -> Begin {
        if let Some((answer, seen)) = heard.split_first() {
            return match self.believed(answer, seen, now) {
                Ok(fields) => self.opened(checkout, &fields).into(),
                Err(Unheard::Fetch) => Begin::Ask(self.certificates(seen.len(), now)),
                Err(Unheard::Words(why)) => Begin::Failed(why),
            };
        }
        let path = if self.h5 { "/v3/pay/transactions/h5" } else { "/v3/pay/transactions/native" };
        Begin::Ask(self.call("POST", path, &self.order(checkout).to_string(), now))
    }

    fn query(&self, asked: &Asked<'_>, heard: &[Response], now: Millis) -> Option<Answer> {
        if let Some((answer, seen)) = heard.split_first() {
            return Some(match self.believed(answer, seen, now) {
                _ if answer.status == 404 => Answer::Unknown,
                Ok(fields) => self.answer_of(&fields, asked.number),
                Err(Unheard::Fetch) => Answer::Ask(self.certificates(seen.len(), now)),
                Err(Unheard::Words(_)) => Answer::Mismatch,
            });
        }
        let path = format!("/v3/pay/transactions/out-trade-no/{}?mchid={}", asked.number, self.mchid);
        Some(Answer::Ask(self.call("GET", &path, "", now)))
    }

    fn refund(&self, refund: &Refund<'_>, heard: &[Response], now: Millis) -> Option<Refunded> {
        if let Some((answer, seen)) = heard.split_first() {
            return Some(match self.believed(answer, seen, now) {
                Ok(fields) => Self::refunded(&fields),
                Err(Unheard::Fetch) => Refunded::Ask(self.certificates(seen.len(), now)),
                Err(Unheard::Words(why)) if (400..500).contains(&answer.status) => Refunded::Refused(why),
                Err(Unheard::Words(why)) => Refunded::Pending(why),
            });
        }
        let paid = refund.payment.paid;
        // At most 80 bytes.
        let reason: String = refund.reason.chars().take(25).collect();
        let named = if refund.by_trade_no {
            ("transaction_id", &refund.payment.trade_no)
        } else {
            ("out_trade_no", &refund.payment.number)
        };
        let body = object!({
            named.0: named.1, "out_refund_no": refund.number, "reason": reason,
            "amount": {"refund": paid.minor, "total": paid.minor, "currency": paid.currency.as_str()},
        });
        Some(Refunded::Ask(self.call("POST", "/v3/refund/domestic/refunds", &body.to_string(), now)))
    }

    fn forge(&self, payment: &Payment, now: Millis) -> Request {
        let at = text::beijing(now, "%Y-%m-%dT%H:%M:%S+08:00");
        let transaction = object!({
            "mchid": self.mchid, "appid": self.appid, "out_trade_no": payment.number,
            "transaction_id": payment.trade_no, "trade_type": "NATIVE", "trade_state": "SUCCESS", "success_time": at,
            "amount": {"total": payment.paid.minor, "currency": payment.paid.currency.as_str()},
        });
        let nonce = self.nonce(&format!("{} {}", payment.number, payment.trade_no));
        let mut sealed = transaction.to_string().into_bytes();
        if let Ok(unique) = Nonce::try_assume_unique_for_key(&nonce.as_bytes()[..12]) {
            let _sealed = self.seal.seal_in_place_append_tag(unique, Aad::from(b"transaction"), &mut sealed);
        }
        let body = object!({
            "id": nonce, "create_time": at, "resource_type": "encrypt-resource", "event_type": "TRANSACTION.SUCCESS",
            "resource": {"original_type": "transaction", "algorithm": "AEAD_AES_256_GCM",
                "ciphertext": BASE64.encode(&sealed), "associated_data": "transaction", "nonce": &nonce[..12]},
        })
        .to_string();
        let stamp = (now / 1000).to_string();
        let signature = self.gateway.as_ref().map(|key| key.sign(format!("{stamp}\n{nonce}\n{body}\n").as_bytes()));
        let serial = self.platform.known.keys().next().cloned().unwrap_or_default();
        let headers = [
            ("content-type", "application/json".to_owned()),
            ("wechatpay-timestamp", stamp),
            ("wechatpay-nonce", nonce),
            (platform::SIGNATURE, signature.unwrap_or_default()),
            ("wechatpay-serial", serial),
            ("wechatpay-signature-type", SCHEME.to_owned()),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value)).to_vec();
        Request { method: "POST", query: String::new(), headers, body: body.into_bytes() }
    }

    fn names(&self, callback: &Callback<'_>) -> Option<String> {
        let message = json::object(callback.body).ok()?;
        let transaction = self.open(json::inner(&message, "resource").ok()?).ok()?;
        json::text(&transaction, "out_trade_no").ok().filter(|number| is_number(number)).map(str::to_owned)
    }

    fn explain(&self, callback: &Callback<'_>) -> Option<String> {
        let head = |name: &str| callback.header(name).unwrap_or_default();
        let body = String::from_utf8_lossy(callback.body);
        Some(format!("{}\n{}\n{body}\n", head("wechatpay-timestamp"), head("wechatpay-nonce")))
    }

    fn limits(&self) -> (usize, usize) {
        (1024, self.body_bytes)
    }
}

#[cfg(test)]
mod tests;
