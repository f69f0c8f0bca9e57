//! 中国银联 (UnionPay) online gateway, version 5.1.0, signMethod 01.
//!
//! Source: the gateway's documents and demos and ports of them, as summed up in docs/channels/unionpay.md. What is signed is
//! the lower-case hex of the SHA-256 of the sorted text, not the text. The certificate that verifies comes with the message:
//! it is believed when it leads to the configured root, is valid and carries UnionPay's own name; the same authorities sign
//! other merchants' certificates too.

mod fields;
mod settings;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::fields::{currency_of, digest, fields};
use crate::channel::contract::{
    Answer, Asked, Begin, Channel, Checkout, Claim, Refund, Refunded, Request, Step, Verdict, is_number, is_trade_no,
};
use crate::channel::kind::{ChannelInputs, Kind, KnownBy, Part, Reference};
use crate::channel::kit::{
    callback, canonical,
    cert::{self, Cert, Followed},
    keys::{self, PrivateKey, PublicKey},
    params::{self, Params},
    rows, text,
};
use crate::domain::{Call, Callback, Currency, Millis, Money, Payment, Reason, Rejection, Reply, Response};
use crate::settings::Values;
use settings::SETTINGS;
use settings::{
    BACK_URL, CERT_ID, ENCODING, FRONT_URL, GATEWAY_CERT, MER_ID, MIDDLE, MOBILE, PAY, PRODUCTION, QUERY_URL, ROOT,
    SIGN_CERT, SIGN_KEY, SIGN_METHOD, VERIFY_CN, VERSION,
};

/// Its row.
pub const KIND: Kind = Kind {
    name: "unionpay",
    about: "中国银联 5.1.0: cashier form or QR code, query, refund",
    test_only: false,
    reference: Reference::Time,
    opens: &[],
    account: KnownBy { family: "unionpay", parts: &[Part::Text(&MER_ID)], key: None },
    sources: &[],
    signed_in: None,
    bill: None,
    settings: SETTINGS,
    console: None,
    build,
};

/// Fields that mean something: none of them may appear inside another's value.
const FIELDS: [&str; 17] = [
    "version",
    "encoding",
    "signMethod",
    "txnType",
    "txnSubType",
    "bizType",
    "merId",
    "orderId",
    "txnTime",
    "txnAmt",
    "currencyCode",
    "queryId",
    "respCode",
    "origRespCode",
    "signPubKeyCert",
    "signature",
    "certId",
];
/// How the gateway writes times: Beijing's.
const TIME: &str = "%Y%m%d%H%M%S";

struct UnionPay {
    name: String,
    mer_id: String,
    front_url: String,
    query_url: String,
    back_url: String,
    roots: Vec<Cert>,
    middle: Vec<Cert>,
    verify_cn: String,
    sign_key: PrivateKey,
    cert_id: String,
    gateway: Option<(PrivateKey, String)>,
    followed: Followed<PublicKey>,
    subject: String,
    channel_type: &'static str,
    qr: bool,
    body_bytes: usize,
}

fn build(ChannelInputs { name, now }: ChannelInputs<'_>, v: &mut Values<'_>) -> Option<Arc<dyn Channel>> {
    let _said = (v.text(&VERSION), v.text(&SIGN_METHOD), v.text(&ENCODING));
    let mer_id = v.number(&MER_ID, |text| text.len() == 15);
    let (front_url, query_url, back_url) = (v.text(&FRONT_URL), v.text(&QUERY_URL), v.text(&BACK_URL));
    let (roots, middle) = (cert::certs(v, &ROOT, now), cert::certs(v, &MIDDLE, now));
    let fits = |cert: &Cert| roots.iter().any(|root| cert.is_signed_by(root));
    if !roots.is_empty() && !middle.is_empty() && !middle.iter().any(fits) {
        v.warn(&MIDDLE, "is not issued by root_cert: are the two exchanged, or production's and the test's mixed?");
    }
    let verify_cn = v.text(&VERIFY_CN);
    let (sign_cert, sign_key) = (cert::one(v, &SIGN_CERT, now), keys::private(v, &SIGN_KEY));
    if let (Some(cert), Some(key)) = (sign_cert.as_ref().and_then(Cert::key), &sign_key)
        && !key.is_pair_of(&cert)
    {
        v.reject(&SIGN_KEY, "is not the key of sign_cert");
    }
    let serial = sign_cert.as_ref().and_then(Cert::serial);
    let cert_id = v.text(&CERT_ID).or(serial.clone());
    if cert_id != serial {
        v.reject(&CERT_ID, "is not the serial number of sign_cert; leave it out");
    }
    let gateway = keys::gateway(v).zip(v.file(&GATEWAY_CERT));
    let (subject, mobile, pay) = (rows::subject(v, &rows::SUBJECT), v.flag(&MOBILE), v.choice(&PAY));
    let body_bytes = v.whole(&rows::BODY);
    Some(Arc::new(UnionPay {
        name: name.to_owned(),
        mer_id: mer_id?,
        front_url: front_url?,
        query_url: query_url?,
        back_url: back_url?,
        roots,
        middle,
        verify_cn: verify_cn?,
        sign_key: sign_key?,
        cert_id: cert_id?,
        gateway,
        followed: Followed::default(),
        subject,
        channel_type: if mobile == Some(true) { "08" } else { "07" },
        qr: pay == "qr",
        body_bytes: body_bytes?,
    }))
}

impl UnionPay {
    /// The key of a certificate that comes with a message, if it is UnionPay's.
    fn key_of(&self, text: &str, now: Millis) -> Result<Arc<PublicKey>, Rejection> {
        let follow = || {
            let certs = Cert::all(text);
            // One block and nothing beside it that another reader might take instead.
            let [cert] = certs.as_slice() else { return None };
            let name = cert.common_name().filter(|_| text.matches(keys::BEGIN).count() == 1)?;
            // The test environment's certificates have been seen with nothing but the name.
            let whole = self.verify_cn != PRODUCTION && name == self.verify_cn;
            let named = whole || name.split('@').nth(2) == Some(self.verify_cn.as_str());
            let when = cert.leads_to(&self.roots, &self.middle, now).filter(|_| named)?;
            Some((cert.key()?, when))
        };
        self.followed.get(text, now, follow).ok_or(Rejection::CertUntrusted)
    }

    /// Whether these fields are UnionPay's, by the certificate that comes with them.
    fn check<'a>(
        &self,
        get: impl Fn(&str) -> Option<&'a str>,
        pairs: impl Iterator<Item = (&'a str, &'a str)>,
        now: Millis,
    ) -> Result<(), Rejection> {
        let given = get("signature").filter(|text| !text.is_empty()).ok_or(Rejection::MissingSignature)?;
        if get("version") != Some("5.1.0") || get("signMethod") != Some("01") {
            return Err(Rejection::SignTypeMismatch);
        }
        let key = self.key_of(get("signPubKeyCert").ok_or(Rejection::MissingField)?, now)?;
        if key.fits_base64(digest(pairs).as_bytes(), given) { Ok(()) } else { Err(Rejection::BadSignature) }
    }

    /// What the fields of a payment or of a query's answer state; `code` is where they say how it went.
    fn paid<'a>(&self, get: impl Fn(&str) -> Option<&'a str>) -> Result<Payment, Rejection> {
        let need = |name: &str| get(name).filter(|text| !text.is_empty()).ok_or(Rejection::MissingField);
        let (number, query_id, time) = (need("orderId")?, need("queryId")?, need("txnTime")?);
        let (amount, currency) = (need("txnAmt")?, need("currencyCode")?);
        if !is_number(number) || !is_trade_no(query_id) || time.len() != 14 || !time.bytes().all(|b| b.is_ascii_digit())
        {
            return Err(Rejection::Malformed);
        }
        let currency = currency_of(currency).ok_or(Rejection::Malformed)?;
        let minor: i64 = amount
            .parse()
            .ok()
            .filter(|_| amount.len() <= 12 && amount.bytes().all(|b| b.is_ascii_digit()))
            .ok_or(Rejection::AmountMalformed)?;
        let paid = Money { minor, currency };
        Ok(Payment { reference: Some(time.to_owned()), ..Payment::new(number, query_id, paid, &self.name) })
    }

    fn signed(&self, mut fields: Vec<(&'static str, String)>) -> BTreeMap<String, String> {
        fields.extend([
            ("version", "5.1.0".to_owned()),
            ("encoding", "UTF-8".to_owned()),
            ("signMethod", "01".to_owned()),
            ("accessType", "0".to_owned()),
            ("merId", self.mer_id.clone()),
            ("certId", self.cert_id.clone()),
        ]);
        let signature = self.sign_key.sign(digest(fields.iter().map(|(name, text)| (*name, text.as_str()))).as_bytes());
        fields.push(("signature", signature));
        fields.into_iter().map(|(name, text)| (name.to_owned(), text)).collect()
    }

    fn call(&self, url: &str, fields: Vec<(&'static str, String)>) -> Call {
        let signed = self.signed(fields);
        let body = params::encode(signed.iter().map(|(name, text)| (name.as_str(), text.as_str()))).into_bytes();
        Call::post(url.to_owned(), "application/x-www-form-urlencoded;charset=UTF-8", body)
    }

    /// The product (bizType): the gateway's page, or codes (二维码支付).
    fn product(&self) -> &'static str {
        if self.qr { "000000" } else { "000201" }
    }

    /// The fields that ask for a code to pay by (申请消费二维码, txnSubType 07).
    fn code_wanted(&self, checkout: &Checkout<'_>, time: String) -> Vec<(&'static str, String)> {
        vec![
            ("txnType", "01".to_owned()),
            ("txnSubType", "07".to_owned()),
            ("bizType", self.product().to_owned()),
            ("channelType", "08".to_owned()),
            ("orderId", checkout.number.to_owned()),
            ("txnTime", time),
            ("txnAmt", checkout.amount.minor.to_string()),
            ("currencyCode", "156".to_owned()),
            ("backUrl", checkout.notify_url.to_owned()),
            ("payTimeout", text::beijing(checkout.expires, TIME)),
        ]
    }

    fn opened(
        &self,
        checkout: &Checkout<'_>,
        answer: &Response,
        now: Millis,
    ) -> Result<(Step, Option<String>), String> {
        let fields = self.believed(answer, now).map_err(|why| format!("its answer is not UnionPay's: {why}"))?;
        let get = |name: &str| fields.get(name).copied().unwrap_or_default();
        if get("respCode") != "00" {
            return Err(format!("{} {}", get("respCode"), get("respMsg")));
        }
        if get("orderId") != checkout.number {
            return Err("its answer is about another order".to_owned());
        }
        let (code, time) = (get("qrCode"), get("txnTime"));
        if code.is_empty() || time.len() != 14 {
            return Err("it tells no code".to_owned());
        }
        Ok((Step::Qr { text: code.to_owned() }, Some(time.to_owned())))
    }

    fn asking(&self, number: &str, time: &str) -> Call {
        let fields =
            [("txnType", "00"), ("txnSubType", "00"), ("bizType", "000000"), ("orderId", number), ("txnTime", time)];
        self.call(&self.query_url, fields.map(|(name, text)| (name, text.to_owned())).to_vec())
    }

    /// The fields of an answer, if they are UnionPay's and about us.
    fn believed<'a>(&self, answer: &'a Response, now: Millis) -> Result<BTreeMap<&'a str, &'a str>, Rejection> {
        let text = std::str::from_utf8(&answer.body).map_err(|_| Rejection::NonUtf8)?;
        let fields = fields(text.trim_end()).ok_or(Rejection::Malformed)?;
        self.check(|name| fields.get(name).copied(), fields.iter().map(|(name, text)| (*name, *text)), now)?;
        if fields.get("merId").copied() != Some(self.mer_id.as_str()) {
            return Err(Rejection::MerchantMismatch);
        }
        Ok(fields)
    }

    fn answer_of(&self, asked: &Asked<'_>, answer: &Response, now: Millis) -> Answer {
        let Ok(fields) = self.believed(answer, now) else { return Answer::Mismatch };
        let get = |name: &str| fields.get(name).copied();
        match get("respCode") {
            Some("34") => return Answer::Unknown,
            Some("00") => {}
            _ => return Answer::Mismatch,
        }
        let other = |name: &str, known: &str| !known.is_empty() && get(name) != Some(known);
        if other("orderId", asked.number) || other("txnTime", asked.reference) {
            return Answer::Mismatch;
        }
        match get("origRespCode") {
            Some("00" | "A6") => self.paid(get).map_or(Answer::Mismatch, Answer::Paid),
            Some(_) => Answer::Unpaid,
            None => Answer::Mismatch,
        }
    }

    fn confirmed(&self, payment: &Payment, answer: &Response, now: Millis) -> Result<Claim, Rejection> {
        let reference = payment.reference.as_deref().unwrap_or_default();
        match self.answer_of(&Asked { number: &payment.number, reference, page: "" }, answer, now) {
            Answer::Paid(payment) => Ok(Claim::Paid(payment)),
            Answer::Unpaid | Answer::Unknown | Answer::Refunded => Ok(Claim::Nothing(Reason::StatusNotPaid)),
            Answer::Mismatch | Answer::Ask(_) | Answer::Agreed(_) => Err(Rejection::OrderMismatch),
        }
    }

    /// What became of a refund asked for earlier; `None`: UnionPay did not take it.
    fn looked_up(&self, number: &str, answer: &Response, now: Millis) -> Option<Refunded> {
        let fields = match self.believed(answer, now) {
            Ok(fields) => fields,
            Err(why) => return Some(Refunded::Pending(format!("its answer is not UnionPay's: {why}"))),
        };
        let get = |name: &str| fields.get(name).copied().unwrap_or_default();
        match (get("respCode"), get("origRespCode")) {
            ("34", _) => None,
            ("00", _) if get("orderId") != number => Some(Refunded::Pending("its answer is about another".to_owned())),
            ("00", "00" | "A6") => Some(Refunded::Done),
            ("00", "" | "03" | "04" | "05") => Some(Refunded::Pending(get("origRespMsg").to_owned())),
            ("00", _) => None,
            (code, _) => Some(Refunded::Pending(format!("{code} {}", get("respMsg")))),
        }
    }

    fn refunded(&self, answer: &Response, now: Millis) -> Refunded {
        let fields = match self.believed(answer, now) {
            Ok(fields) => fields,
            Err(why) => return Refunded::Pending(format!("its answer is not UnionPay's: {why}")),
        };
        let get = |name: &str| fields.get(name).copied().unwrap_or_default();
        match get("respCode") {
            "00" => Refunded::Done,
            "03" | "04" | "05" => Refunded::Pending(get("respMsg").to_owned()),
            code => Refunded::Refused(format!("{code} {}", get("respMsg"))),
        }
    }
}

impl Channel for UnionPay {
    fn verify(&self, callback: &Callback<'_>, heard: &[Response], now: Millis) -> Result<Claim, Rejection> {
        callback::posted(callback, self.body_bytes)?;
        let params = Params::of(callback)?;
        self.check(|name| params.get(name), params.iter(), now)?;
        canonical::unambiguous(params.iter(), &FIELDS)?;
        if params.need("merId")? != self.mer_id {
            return Err(Rejection::MerchantMismatch);
        }
        match params.need("txnType")? {
            "01" => {}
            "04" | "31" => return Ok(Claim::Nothing(Reason::RefundNotice)),
            kind if text::is_digits(kind, 2..=2) => return Ok(Claim::Nothing(Reason::EventNotHandled)),
            kind => return Ok(Claim::strange(kind)),
        }
        match params.need("respCode")? {
            "00" => Ok(Claim::Paid(self.paid(|name| params.get(name))?)),
            // Paid, with a defect: the gateway wants to be asked before anything is handed over.
            "A6" => {
                let payment = self.paid(|name| params.get(name))?;
                if let Some(answer) = heard.first() {
                    return self.confirmed(&payment, answer, now);
                }
                let call = self.asking(&payment.number, payment.reference.as_deref().unwrap_or_default());
                Ok(Claim::Ask { call, alone: Some(payment) })
            }
            // Two digits are a failure of some kind, or not yet decided.
            code if text::is_digits(code, 2..=2) => Ok(Claim::Nothing(Reason::StatusNotPaid)),
            code => Ok(Claim::strange(code)),
        }
    }

    fn ack(&self, verdict: Verdict) -> Reply {
        callback::ack(verdict, "ok")
    }

    fn takes(&self, currency: Currency) -> bool {
        currency == Currency::CNY
    }

    fn checkout(&self, checkout: &Checkout<'_>, heard: &[Response], now: Millis) -> Begin {
        if let Some(answer) = heard.first() {
            return self.opened(checkout, answer, now).into();
        }
        let time = text::beijing(now, TIME);
        if self.qr {
            return Begin::Ask(self.call(&self.back_url, self.code_wanted(checkout, time)));
        }
        let subject = checkout.subject.unwrap_or(&self.subject);
        let fields = vec![
            ("txnType", "01".to_owned()),
            ("txnSubType", "01".to_owned()),
            ("bizType", self.product().to_owned()),
            ("channelType", self.channel_type.to_owned()),
            ("orderId", checkout.number.to_owned()),
            ("txnTime", time.clone()),
            ("txnAmt", checkout.amount.minor.to_string()),
            ("currencyCode", "156".to_owned()),
            ("frontUrl", checkout.return_url.to_owned()),
            ("backUrl", checkout.notify_url.to_owned()),
            ("payTimeout", text::beijing(checkout.expires, TIME)),
            ("riskRateInfo", format!("{{commodityName={subject}}}")),
        ];
        Begin::Step(Step::Form { url: self.front_url.clone(), fields: self.signed(fields) }, Some(time))
    }

    fn query(&self, asked: &Asked<'_>, heard: &[Response], now: Millis) -> Option<Answer> {
        if let Some(answer) = heard.first() {
            return Some(self.answer_of(asked, answer, now));
        }
        (!asked.reference.is_empty()).then(|| Answer::Ask(self.asking(asked.number, asked.reference)))
    }

    fn refund(&self, refund: &Refund<'_>, heard: &[Response], now: Millis) -> Option<Refunded> {
        // A refund is known by its time too: one asked for earlier is looked up, and asked for anew only if it was not taken.
        let earlier = refund.asked_at;
        let looked_up =
            heard[..heard.len().min(earlier.len())].last().and_then(|it| self.looked_up(refund.number, it, now));
        if looked_up.is_some() {
            return looked_up;
        }
        if let Some(at) = earlier.get(heard.len()) {
            return Some(Refunded::Ask(self.asking(refund.number, &text::beijing(*at, TIME))));
        }
        if let Some(answer) = heard.get(earlier.len()) {
            return Some(self.refunded(answer, now));
        }
        let fields = vec![
            ("txnType", "04".to_owned()),
            ("txnSubType", "00".to_owned()),
            ("bizType", self.product().to_owned()),
            ("channelType", "07".to_owned()),
            ("orderId", refund.number.to_owned()),
            ("origQryId", refund.payment.trade_no.clone()),
            ("txnTime", text::beijing(now, TIME)),
            ("txnAmt", refund.payment.paid.minor.to_string()),
            ("backUrl", refund.notify_url.to_owned()),
        ];
        Some(Refunded::Dated(self.call(&self.back_url, fields)))
    }

    fn forge(&self, payment: &Payment, now: Millis) -> Request {
        let time = payment.reference.clone().unwrap_or_else(|| text::beijing(now, TIME));
        let amount = payment.paid.minor.to_string();
        let cert = self.gateway.as_ref().map_or("", |(_, cert)| cert.as_str());
        let fields = [
            ("version", "5.1.0"),
            ("encoding", "UTF-8"),
            ("signMethod", "01"),
            ("txnType", "01"),
            ("txnSubType", "01"),
            ("bizType", "000201"),
            ("accessType", "0"),
            ("merId", &self.mer_id),
            ("orderId", &payment.number),
            ("txnTime", &time),
            ("txnAmt", &amount),
            ("currencyCode", "156"),
            ("queryId", &payment.trade_no),
            ("respCode", "00"),
            ("signPubKeyCert", cert),
        ];
        let key = self.gateway.as_ref().map(|(key, _)| key.sign(digest(fields.into_iter()).as_bytes()));
        let signature = key.unwrap_or_default();
        let body = params::encode(fields.into_iter().chain([("signature", signature.as_str())])).into_bytes();
        let form = ("content-type".to_owned(), "application/x-www-form-urlencoded; charset=UTF-8".to_owned());
        Request { method: "POST", query: String::new(), headers: vec![form], body }
    }

    fn names(&self, callback: &Callback<'_>) -> Option<String> {
        params::names(callback, "orderId")
    }

    fn explain(&self, callback: &Callback<'_>) -> Option<String> {
        let params = Params::of(callback).ok()?;
        Some(digest(params.iter()))
    }

    fn limits(&self) -> (usize, usize) {
        (1024, self.body_bytes)
    }
}
