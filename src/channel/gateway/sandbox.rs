//! A gateway of our own, for test mode: a form with an HMAC in a header. Its pay page has buttons; see `http/sandbox`.

use std::sync::Arc;

use aws_lc_rs::hmac;

use crate::channel::contract::{
    Answer, Asked, Begin, Channel, Checkout, Claim, Refund, Refunded, Request, Step, Verdict, is_number, is_trade_no,
};
use crate::channel::kind::{ChannelInputs, Kind, KnownBy, Reference};
use crate::channel::kit::{
    params::{self, Params},
    sign,
};
use crate::domain::{Callback, Currency, Millis, Money, Payment, Rejection, Reply, Response};
use crate::settings::{Form, Setting, Values};

/// Its row.
pub const KIND: Kind = Kind {
    name: "sandbox",
    about: "a gateway of our own to try things with, HMAC",
    test_only: true,
    reference: Reference::Own,
    opens: &[],
    account: KnownBy { family: "sandbox", parts: &[], key: None },
    sources: &[],
    signed_in: Some(HEADER),
    bill: None,
    settings: SETTINGS,
    console: None,
    build,
};

const KEY: Setting =
    Setting { asked: false, ..Setting::needed(Form::Token, "key", "the sandbox's secret", "沙箱的密钥") };
/// The settings of kind `sandbox`.
const SETTINGS: &[&Setting] = &[&KEY];
/// The header that carries the signature: lower-case hex of the HMAC-SHA256 of the body.
const HEADER: &str = "x-sandbox-signature";
/// A body's size.
const BODY_BYTES: usize = 4096;

struct Sandbox {
    name: String,
    key: hmac::Key,
}

/// A sandbox channel under that name, with that secret.
#[must_use]
pub fn new(name: &str, secret: &[u8]) -> Arc<dyn Channel> {
    Arc::new(Sandbox { name: name.to_owned(), key: hmac::Key::new(hmac::HMAC_SHA256, secret) })
}

fn build(ChannelInputs { name, .. }: ChannelInputs<'_>, v: &mut Values<'_>) -> Option<Arc<dyn Channel>> {
    Some(new(name, v.secret(&KEY)?.reveal().as_bytes()))
}

impl Channel for Sandbox {
    fn verify(&self, callback: &Callback<'_>, _heard: &[Response], _now: Millis) -> Result<Claim, Rejection> {
        if callback.method != "POST" || !callback.query.is_empty() {
            return Err(Rejection::MethodNotAllowed);
        }
        if callback.body.len() > BODY_BYTES {
            return Err(Rejection::TooLarge);
        }
        let given = callback.header(HEADER).filter(|sign| !sign.is_empty()).ok_or(Rejection::MissingSignature)?;
        if !sign::equal(given, &sign::hmac_hex(&self.key, callback.body)) {
            return Err(Rejection::BadSignature);
        }
        let params = Params::of(callback)?;
        let (number, trade_no) = (params.need("number")?, params.need("trade_no")?);
        if !is_number(number) || !is_trade_no(trade_no) {
            return Err(Rejection::Malformed);
        }
        if params.need("account")? != self.name {
            return Err(Rejection::MerchantMismatch);
        }
        match params.need("status")? {
            "paid" => {}
            status => return Ok(Claim::unpaid(status, &["unpaid"])),
        }
        let currency = params.need("currency")?.parse().map_err(|_| Rejection::CurrencyMismatch)?;
        let paid = Money::parse(params.need("amount")?, currency).map_err(|_| Rejection::AmountMalformed)?;
        Ok(Claim::Paid(Payment {
            number: number.to_owned(),
            trade_no: trade_no.to_owned(),
            paid,
            channel: self.name.clone(),
            paid_at: None,
            reference: None,
        }))
    }

    fn ack(&self, verdict: Verdict) -> Reply {
        match verdict {
            Verdict::Received => Reply { status: 200, body: "success" },
            Verdict::Refused => Reply { status: 400, body: "fail" },
            Verdict::Unavailable => Reply { status: 503, body: "fail" },
        }
    }

    fn takes(&self, _currency: Currency) -> bool {
        true
    }

    fn checkout(&self, checkout: &Checkout<'_>, _heard: &[Response], _now: Millis) -> Begin {
        // The pay page is ours: it stands beside the callback's own address.
        let base = checkout.notify_url.trim_end_matches("/notify");
        Begin::Step(Step::Redirect { url: format!("{base}/checkout/{}", checkout.number) }, None)
    }

    fn query(&self, _: &Asked<'_>, _: &[Response], _: Millis) -> Option<Answer> {
        None
    }

    fn refund(&self, _: &Refund<'_>, _: &[Response], _: Millis) -> Option<Refunded> {
        None
    }

    fn forge(&self, payment: &Payment, _now: Millis) -> Request {
        let amount = payment.paid.to_string();
        let body = params::encode([
            ("account", self.name.as_str()),
            ("number", &payment.number),
            ("trade_no", &payment.trade_no),
            ("amount", &amount),
            ("currency", payment.paid.currency.as_str()),
            ("status", "paid"),
        ])
        .into_bytes();
        let headers = vec![
            (HEADER.to_owned(), sign::hmac_hex(&self.key, &body)),
            ("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()),
        ];
        Request { method: "POST", query: String::new(), headers, body }
    }

    fn names(&self, callback: &Callback<'_>) -> Option<String> {
        params::names(callback, "number")
    }

    fn explain(&self, callback: &Callback<'_>) -> Option<String> {
        Some(format!("HMAC-SHA256({{key}}, {:?})", String::from_utf8_lossy(callback.body)))
    }

    fn limits(&self) -> (usize, usize) {
        (256, BODY_BYTES)
    }
}
