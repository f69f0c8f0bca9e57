//! epusdt 1 and BEpusdt (MD5 with a token), and epusdt 2 (GMPay: HMAC-SHA256, a merchant number).
//!
//! Source: the three gateways' own code and API documents, as summed up in docs/channels/{epusdt_md5,epusdt_gmpay,bepusdt}.md.
//! The amount is the order's, in money; how many coins came is the gateway's to judge. The address that was paid to must
//! be the one that the gateway gave this attempt.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{
    Answer, Asked, Begin, Channel, Checkout, Claim, Refund, Refunded, Request, Step, Verdict, common, epay,
    flat::{self, Flat, Numbers, Scheme, Signer},
    is_number, is_trade_no, json, sign,
};
use crate::domain::{Callback, Currency, Millis, Money, Payment, Rejection, Reply, Response};
use crate::settings::{Problem, Section};

const FIELDS: [&str; 20] = [
    "pid",
    "trade_id",
    "order_id",
    "amount",
    "actual_amount",
    "receive_address",
    "token",
    "block_transaction_id",
    "status",
    "signature",
    "currency",
    "network",
    "name",
    "fiat",
    "trade_type",
    "timeout",
    "address",
    "rate",
    "notify_url",
    "redirect_url",
];
const CREATE: &str = "/api/v1/order/create-transaction";
const CREATE_GMPAY: &str = "/payments/gmpay/v1/order/create-transaction";
/// What BEpusdt allows at least, in seconds.
const SHORTEST: u64 = 120;

struct Usdt {
    name: String,
    gateway_url: String,
    scheme: Scheme,
    fiat: Currency,
    /// The merchant number, of those that have one.
    pid: Option<String>,
    subject: Option<String>,
    /// Where a payment is opened.
    create: &'static str,
    /// The field with the address to pay to.
    address: &'static str,
    /// What the request says besides.
    more: Vec<(&'static str, String)>,
    /// Statuses of a payment that was not made.
    unpaid: &'static [&'static str],
    /// Whether the request says how long it stays payable.
    timeout: bool,
}

/// 1 waits and 3 is past its time.
const UNPAID: &[&str] = &["1", "3"];
/// BEpusdt's: 4 was called off, 5 waits for the chain, 6 failed on it.
const UNPAID_BEPUSDT: &[&str] = &["1", "3", "4", "5", "6"];

fn algorithm(s: &Section, known: &[&str], problems: &mut Vec<Problem>) -> Option<String> {
    let given = s.text("sign_algo", problems)?;
    if !known.contains(&given.as_str()) {
        s.reject("sign_algo", format!("must be {} for this kind", known.join(" or ")), problems);
    }
    Some(given)
}

fn fiat(s: &Section, problems: &mut Vec<Problem>) -> Currency {
    s.parsed("fiat", "three capital letters", problems).unwrap_or(Currency::CNY)
}

fn subject(s: &Section, problems: &mut Vec<Problem>) -> Option<String> {
    s.has("subject").then(|| common::subject(s, problems))
}

fn scheme(s: &Section, signer: Option<Signer>, numbers: Numbers, problems: &mut Vec<Problem>) -> Option<Scheme> {
    let body_bytes = common::body_bytes(s, common::BODY_BYTES, problems);
    Some(Scheme { signer: signer?, numbers, signature: "signature", fields: &FIELDS, body_bytes })
}

pub(super) fn build_md5(name: &str, s: &Section, problems: &mut Vec<Problem>) -> Option<Arc<dyn Channel>> {
    algorithm(s, &["md5"], problems);
    let gateway_url = common::gateway_url(s, problems);
    let signer = common::secret(s, "api_token", "it; without it anybody could sign", problems).map(Signer::Md5);
    let scheme = scheme(s, signer, Numbers::Plain, problems);
    let (fiat, subject) = (fiat(s, problems), subject(s, problems));
    let known = ["kind", "gateway_url", "api_token", "api_token_file", "api_token_env", "sign_algo", "fiat", "subject"];
    common::finish(s, &[&known[..], &["max_body_bytes"]].concat(), problems);
    Some(Arc::new(Usdt {
        name: name.to_owned(),
        gateway_url: gateway_url?,
        scheme: scheme?,
        fiat,
        pid: None,
        subject,
        create: CREATE,
        address: "token",
        more: Vec::new(),
        unpaid: UNPAID,
        timeout: false,
    }))
}

pub(super) fn build_bepusdt(name: &str, s: &Section, problems: &mut Vec<Problem>) -> Option<Arc<dyn Channel>> {
    algorithm(s, &["md5"], problems);
    let gateway_url = common::gateway_url(s, problems);
    let signer = common::secret(s, "api_token", "it; without it anybody could sign", problems).map(Signer::Md5);
    let scheme = scheme(s, signer, Numbers::Exponent, problems);
    let (fiat, subject) = (fiat(s, problems), subject(s, problems));
    let trade_type = s.text("trade_type", problems).unwrap_or_else(|| "usdt.trc20".to_owned());
    let known = ["kind", "gateway_url", "api_token", "api_token_file", "api_token_env", "sign_algo", "fiat", "subject"];
    common::finish(s, &[&known[..], &["trade_type", "max_body_bytes"]].concat(), problems);
    Some(Arc::new(Usdt {
        name: name.to_owned(),
        gateway_url: gateway_url?,
        scheme: scheme?,
        fiat,
        pid: None,
        subject,
        create: CREATE,
        address: "token",
        more: vec![("trade_type", trade_type), ("fiat", fiat.to_string())],
        unpaid: UNPAID_BEPUSDT,
        timeout: true,
    }))
}

pub(super) fn build_gmpay(name: &str, s: &Section, problems: &mut Vec<Problem>) -> Option<Arc<dyn Channel>> {
    let md5 = algorithm(s, &["hmac-sha256", "md5"], problems).is_some_and(|algorithm| algorithm == "md5");
    let (gateway_url, pid) = (common::gateway_url(s, problems), epay::pid(s, problems));
    let signer = common::secret(s, "secret_key", "it; without it anybody could sign", problems).map(|secret| {
        if md5 { Signer::Md5(secret) } else { Signer::Hmac(Box::new(sign::hmac_key(secret.reveal().as_bytes()))) }
    });
    let scheme = scheme(s, signer, Numbers::Plain, problems);
    let (fiat, subject) = (fiat(s, problems), subject(s, problems));
    let token = s.text("token", problems).unwrap_or_else(|| "usdt".to_owned());
    let network = s.text("network", problems).unwrap_or_else(|| "tron".to_owned());
    let known = ["kind", "gateway_url", "pid", "secret_key", "secret_key_file", "secret_key_env", "sign_algo", "fiat"];
    common::finish(s, &[&known[..], &["token", "network", "subject", "max_body_bytes"]].concat(), problems);
    Some(Arc::new(Usdt {
        name: name.to_owned(),
        gateway_url: gateway_url?,
        scheme: scheme?,
        fiat,
        pid: Some(pid?),
        subject,
        create: CREATE_GMPAY,
        address: "receive_address",
        more: vec![("currency", fiat.to_string().to_lowercase()), ("token", token), ("network", network)],
        unpaid: UNPAID,
        timeout: false,
    }))
}

fn amount(text: &str, fiat: Currency) -> Result<Money, Rejection> {
    Money::parse(text, fiat).or_else(|_| common::finer(text, fiat))
}

impl Usdt {
    fn claim(&self, flat: &Flat) -> Result<Claim, Rejection> {
        if let Some(pid) = &self.pid
            && flat.need("pid")? != pid
        {
            return Err(Rejection::MerchantMismatch);
        }
        match flat.status("status")? {
            "2" => {}
            status => return Ok(Claim::unpaid(status, self.unpaid)),
        }
        let (number, trade_no) = (flat.need("order_id")?, flat.need("trade_id")?);
        if !is_number(number) || !is_trade_no(trade_no) {
            return Err(Rejection::Malformed);
        }
        let address = flat.need(self.address)?;
        if !is_trade_no(address) {
            return Err(Rejection::Malformed);
        }
        let paid = amount(flat.need("amount")?, self.fiat)?;
        let reference = Some(address.to_owned());
        Ok(Claim::Paid(Payment { reference, ..Payment::new(number, trade_no, paid, &self.name) }))
    }

    fn fields(&self, checkout: &Checkout<'_>, now: Millis) -> Map<String, Value> {
        let mut fields = flat::object([
            ("order_id", checkout.number.into()),
            ("notify_url", checkout.notify_url.into()),
            ("redirect_url", checkout.return_url.into()),
        ]);
        let mut set = |name: &str, value: Value| fields.insert(name.to_owned(), value);
        // BEpusdt reads zero as any sum; without an amount it refuses.
        if checkout.amount.minor > 0 {
            set("amount", flat::number(checkout.amount));
        }
        for (name, value) in &self.more {
            set(name, value.as_str().into());
        }
        if let Some(pid) = &self.pid {
            set("pid", pid.as_str().into());
        }
        if let Some(subject) = checkout.subject.or(self.subject.as_deref()) {
            set("name", subject.into());
        }
        if self.timeout {
            set("timeout", (checkout.expires.saturating_sub(now) / 1000).max(SHORTEST).into());
        }
        for (name, value) in checkout.extra {
            set(name, (*value).into());
        }
        fields
    }

    fn opened(&self, checkout: &Checkout<'_>, answer: &Response, _: Millis) -> Result<(Step, Option<String>), String> {
        let fields = json::object(&answer.body).map_err(|_| format!("it answered {}, unreadable", answer.status))?;
        let of = |name: &str| fields.get(name).and_then(json::scalar).unwrap_or_default();
        if of("status_code") != "200" {
            return Err(format!("status_code {}: {}", of("status_code"), of("message")));
        }
        let data = json::inner(&fields, "data").map_err(|_| "its answer holds no data".to_owned())?;
        let address = flat::address(data, ["order_id", "amount", self.address], checkout)?;
        Ok((flat::redirect(json::text(data, "payment_url").unwrap_or_default())?, Some(address)))
    }
}

impl Channel for Usdt {
    fn verify(&self, callback: &Callback<'_>, _heard: &[Response], _now: Millis) -> Result<Claim, Rejection> {
        self.claim(&self.scheme.believed(callback)?)
    }

    fn ack(&self, verdict: Verdict) -> Reply {
        common::ack(verdict, "ok")
    }

    fn takes(&self, currency: Currency) -> bool {
        currency == self.fiat
    }

    fn checkout(&self, checkout: &Checkout<'_>, heard: &[Response], now: Millis) -> Begin {
        if let Some(answer) = heard.first() {
            return self.opened(checkout, answer, now).into();
        }
        let url = format!("{}{}", self.gateway_url, self.create);
        Begin::Ask(self.scheme.call(url, self.fields(checkout, now)))
    }

    fn query(&self, _: &Asked<'_>, _: &[Response], _: Millis) -> Option<Answer> {
        None
    }

    fn refund(&self, _: &Refund<'_>, _: &[Response], _: Millis) -> Option<Refunded> {
        None
    }

    fn forge(&self, payment: &Payment, _now: Millis) -> Request {
        let mut fields = flat::object([
            ("trade_id", payment.trade_no.as_str().into()),
            ("order_id", payment.number.as_str().into()),
            ("amount", flat::number(payment.paid)),
            ("actual_amount", 1.into()),
            (self.address, payment.reference.as_deref().unwrap_or("forged").into()),
            ("status", 2.into()),
        ]);
        if let Some(pid) = &self.pid {
            fields.insert("pid".to_owned(), pid.as_str().into());
        }
        self.scheme.forge(fields)
    }

    fn names(&self, callback: &Callback<'_>) -> Option<String> {
        self.scheme.names(callback, "order_id")
    }

    fn explain(&self, callback: &Callback<'_>) -> Option<String> {
        self.scheme.explain(callback)
    }

    fn limits(&self) -> (usize, usize) {
        self.scheme.limits()
    }
}
