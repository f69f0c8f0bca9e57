//! 易支付 (epay) V2: SHA256withRSA over the sorted parameters, with the merchant's key one way and the platform's the other.
//!
//! Source: the epay server's own code and its V2 documents, as summed up in docs/channels/epay_v2.md. All merchants of one
//! platform share its key, so the merchant number decides whose payment it is. The signed text has no escaping: see
//! [`super::canonical`].

use std::sync::Arc;

use serde_json::{Map, Value};

use super::epay::{self, Merchant};
use crate::channel::bill;
use crate::channel::contract::{
    Answer, Asked, Begin, Channel, Checkout, Claim, Refund, Refunded, Request, Step, Verdict,
};
use crate::channel::kind::{ChannelInputs, Kind, KnownBy, Opens, Part, Reference, Wants};
use crate::channel::kit::{
    callback, json, keys,
    keys::{PrivateKey, PublicKey},
    params::{self, Params},
    rows,
};
use crate::domain::{Call, Callback, Currency, Millis, Payment, Rejection, Reply, Response};
use crate::settings::{Form, Setting, Values};

/// Its row.
pub const KIND: Kind = Kind {
    name: "epay_v2",
    about: "易支付 V2, RSA: cashier page or QR code, query, refund",
    test_only: false,
    reference: Reference::PayType,
    opens: &[Opens::ONCE.hearing(Wants::Asker).when(&PAY, "qr")],
    account: KnownBy { family: "epay", parts: &[Part::Host(&GATEWAY_URL), Part::Text(&PID)], key: None },
    sources: &[],
    signed_in: None,
    bill: Some(&bill::EPAY),
    settings: SETTINGS,
    console: None,
    build,
};

const GATEWAY_URL: Setting = rows::gateway(
    "the gateway's address, such as https://pay.example/: api/pay/submit is below it",
    "网关地址,如 https://pay.example/,即 api/pay/submit 所在的目录",
);
const PID: Setting =
    rows::pid("merchant number (商户ID), digits, in the console under API", "商户ID,数字,商户后台的 API 信息页");
const MERCHANT_KEY: Setting = Setting::needed(
    Form::PrivateKey,
    "merchant_private_key",
    "a file with your private key (商户私钥): of the pair made in the console, or your own whose public half you gave it",
    "商户私钥文件:后台生成的密钥对中的私钥,或您自己的(其公钥已填入后台)",
);
const PLATFORM_KEY: Setting = Setting::needed(
    Form::PublicFile,
    "platform_public_key",
    "a file with the platform's public key (平台公钥), from the same page: bare base64 or PEM",
    "平台公钥文件,在同一页:base64 或 PEM",
);
const PAY: Setting = Setting::choice(
    &["page", "qr"],
    "pay",
    "page: the gateway's page; qr: a code on the order's page",
    "page:网关的页面;qr:订单页上的二维码",
)
.asked();
const TOLERANCE: Setting = rows::tolerance("timestamp_tolerance_s");
const PROTOCOL: Setting = Setting::only("v2", "protocol");
const SIGN_TYPE: Setting = Setting::only("RSA", "sign_type");
/// The settings of kind `epay_v2`.
const SETTINGS: &[&Setting] = &[
    &GATEWAY_URL,
    &PID,
    &MERCHANT_KEY,
    &PLATFORM_KEY,
    &rows::PAY_TYPE,
    &PAY,
    &rows::SUBJECT,
    &TOLERANCE,
    &PROTOCOL,
    &SIGN_TYPE,
    &rows::QUERY,
    &rows::BODY,
    &keys::GATEWAY,
];

struct EpayV2 {
    merchant: Merchant,
    platform: PublicKey,
    key: PrivateKey,
    gateway: Option<PrivateKey>,
    qr: bool,
    tolerance_s: u64,
}

fn build(ChannelInputs { name, .. }: ChannelInputs<'_>, v: &mut Values<'_>) -> Option<Arc<dyn Channel>> {
    let _said = (v.text(&PROTOCOL), v.text(&SIGN_TYPE));
    let merchant = Merchant::read(name, v, &GATEWAY_URL, &PID);
    let (platform, key) = (keys::public(v, &PLATFORM_KEY), keys::private(v, &MERCHANT_KEY));
    keys::not_a_pair(v, &PLATFORM_KEY, key.as_ref(), platform.as_ref());
    let (gateway, pay, tolerance_s) = (keys::gateway(v), v.choice(&PAY), v.whole(&TOLERANCE));
    Some(Arc::new(EpayV2 {
        merchant: merchant?,
        platform: platform?,
        key: key?,
        gateway,
        qr: pay == "qr",
        tolerance_s: tolerance_s?,
    }))
}

/// Fields with their signature, as a query.
fn signed(key: &PrivateKey, fields: Vec<(&str, &str)>) -> String {
    let sign = key.sign(epay::canonical(fields.iter().copied()).as_bytes());
    params::encode(fields.into_iter().chain([("sign", sign.as_str()), ("sign_type", "RSA")]))
}

impl EpayV2 {
    fn call(&self, path: &str, fields: Vec<(&str, &str)>) -> Call {
        let body = signed(&self.key, fields).into_bytes();
        Call::post(format!("{}/api/pay/{path}", self.merchant.gateway_url), params::FORM, body)
    }

    /// The fields of an answer of the API, if the platform signed them just now. Errors are not signed.
    fn believed(&self, answer: &Response, now: Millis) -> Result<Map<String, Value>, String> {
        let fields = json::object(&answer.body).map_err(|_| format!("it answered {}, unreadable", answer.status))?;
        let texts: Vec<(&str, String)> =
            fields.iter().filter_map(|(name, value)| Some((name.as_str(), json::scalar(value)?))).collect();
        let of = |name: &str| texts.iter().find(|(known, _)| *known == name).map_or("", |(_, text)| text.as_str());
        if of("code") != "0" {
            return Err(format!("code {}: {}", of("code"), of("msg")));
        }
        let pairs = texts.iter().map(|(name, text)| (*name, text.as_str()));
        if !self.platform.fits_base64(epay::canonical(pairs).as_bytes(), of("sign")) {
            return Err("its answer is not signed by the platform".to_owned());
        }
        callback::fresh(of("timestamp"), self.tolerance_s, now).map_err(|_| "its answer is old".to_owned())?;
        Ok(fields)
    }

    fn opened(&self, _: &Checkout<'_>, answer: &Response, now: Millis) -> Result<(Step, Option<String>), String> {
        let fields = self.believed(answer, now)?;
        let text = |name: &str| json::text(&fields, name).map(str::to_owned).map_err(|_| format!("it tells no {name}"));
        match text("pay_type")?.as_str() {
            "qrcode" => Ok((Step::Qr { text: text("pay_info")? }, self.merchant.pay_type.clone())),
            "jump" | "urlscheme" => Ok((Step::Redirect { url: text("pay_info")? }, self.merchant.pay_type.clone())),
            other => Err(format!("it wants to be paid by {other}, which a page cannot do")),
        }
    }

    fn answer(&self, asked: &Asked<'_>, answer: &Response, now: Millis) -> Answer {
        let fields = match self.believed(answer, now) {
            Ok(fields) => fields,
            Err(why) if why.starts_with("code -1") => return Answer::Unknown,
            Err(_) => return Answer::Mismatch,
        };
        self.merchant.answer(&fields, asked.number, Currency::CNY)
    }

    fn refunded(&self, answer: &Response, now: Millis) -> Refunded {
        match self.believed(answer, now) {
            Ok(_) => Refunded::Done,
            Err(why) if why.starts_with("code ") => Refunded::Refused(why),
            Err(why) => Refunded::Pending(why),
        }
    }
}

impl Channel for EpayV2 {
    fn verify(&self, callback: &Callback<'_>, _heard: &[Response], now: Millis) -> Result<Claim, Rejection> {
        let fits = |text: &str, given: &str| self.platform.fits_base64(text.as_bytes(), given);
        let params = self.merchant.believed(callback, "RSA", fits)?;
        callback::fresh(params.need("timestamp")?, self.tolerance_s, now)?;
        self.merchant.paid(&params, Currency::CNY)
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
        let (money, timestamp) = (checkout.amount.to_string(), (now / 1000).to_string());
        let mut fields = self.merchant.wanted(checkout, &money);
        fields.push(("timestamp", &timestamp));
        if self.qr {
            fields.extend([("method", "web"), ("clientip", checkout.client_ip)]);
        }
        for (name, value) in checkout.extra {
            fields.retain(|(known, _)| known != name);
            fields.push((name, value));
        }
        if self.qr {
            return Begin::Ask(self.call("create", fields));
        }
        let url = format!("{}/api/pay/submit?{}", self.merchant.gateway_url, signed(&self.key, fields));
        Begin::Step(Step::Redirect { url }, self.merchant.pay_type.clone())
    }

    fn query(&self, asked: &Asked<'_>, heard: &[Response], now: Millis) -> Option<Answer> {
        if let Some(answer) = heard.first() {
            return Some(self.answer(asked, answer, now));
        }
        let timestamp = (now / 1000).to_string();
        let pid = self.merchant.pid.as_str();
        let fields = vec![("pid", pid), ("out_trade_no", asked.number), ("timestamp", &timestamp)];
        Some(Answer::Ask(self.call("query", fields)))
    }

    fn refund(&self, refund: &Refund<'_>, heard: &[Response], now: Millis) -> Option<Refunded> {
        if let Some(answer) = heard.first() {
            return Some(self.refunded(answer, now));
        }
        let (money, timestamp) = (refund.payment.paid.to_string(), (now / 1000).to_string());
        let fields = vec![
            ("pid", self.merchant.pid.as_str()),
            if refund.by_trade_no {
                ("trade_no", refund.payment.trade_no.as_str())
            } else {
                ("out_trade_no", &refund.payment.number)
            },
            ("money", &money),
            ("out_refund_no", refund.number),
            ("timestamp", &timestamp),
        ];
        Some(Refunded::Ask(self.call("refund", fields)))
    }

    fn forge(&self, payment: &Payment, now: Millis) -> Request {
        let (money, timestamp) = (payment.paid.to_string(), (now / 1000).to_string());
        let mut fields = self.merchant.forged(payment, &money);
        fields.push(("timestamp", &timestamp));
        let query = self.gateway.as_ref().map(|key| signed(key, fields)).unwrap_or_default();
        Request { method: "GET", query, headers: Vec::new(), body: Vec::new() }
    }

    fn names(&self, callback: &Callback<'_>) -> Option<String> {
        params::names(callback, "out_trade_no")
    }

    fn explain(&self, callback: &Callback<'_>) -> Option<String> {
        let params = Params::of(callback).ok()?;
        Some(epay::canonical(params.iter()))
    }

    fn limits(&self) -> (usize, usize) {
        self.merchant.limits
    }
}
