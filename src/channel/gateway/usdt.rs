//! epusdt 1 and BEpusdt (MD5 with a token), and epusdt 2 (GMPay: HMAC-SHA256, a merchant number).
//!
//! Source: the three gateways' own code and API documents, as summed up in docs/channels/{epusdt_md5,epusdt_gmpay,bepusdt}.md.
//! The amount is the order's, in money; how many coins came is the gateway's to judge. The address that was paid to must
//! be the one that the gateway gave this attempt.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::epay;
use crate::channel::contract::{
    Answer, Asked, Begin, Channel, Checkout, Claim, Refund, Refunded, Request, Step, Verdict, is_number, is_trade_no,
};
use crate::channel::kind::{ChannelInputs, Kind, KnownBy, Opens, Part, Reference};
use crate::channel::kit::{
    callback,
    flat::{self, Flat, Numbers, Scheme, Signer},
    json, rows, sign,
};
use crate::domain::{Callback, Currency, Millis, Money, Payment, Rejection, Reply, Response, Text};
use crate::settings::{Form, Setting, Values};

/// Its row.
pub const BEPUSDT: Kind = Kind {
    name: "bepusdt",
    about: "USDT and other coins by BEpusdt, MD5: its cashier, JSON notification",
    test_only: false,
    reference: Reference::Address,
    opens: &[],
    account: KnownBy { family: "epusdt", parts: &[Part::Host(&GATEWAY_BEPUSDT)], key: Some(&TOKEN_BEPUSDT) },
    sources: &[],
    signed_in: None,
    bill: None,
    settings: SETTINGS_BEPUSDT,
    console: None,
    build: build_bepusdt,
};

/// Its row.
pub const EPUSDT_GMPAY: Kind = Kind {
    name: "epusdt_gmpay",
    about: "USDT by epusdt 2 (GMPay), HMAC-SHA256: its cashier, JSON notification",
    test_only: false,
    reference: Reference::Address,
    opens: &[Opens::minutes(9)],
    account: KnownBy {
        family: "epusdt",
        parts: &[Part::Host(&GATEWAY_GMPAY), Part::Text(&PID)],
        key: Some(&SECRET_KEY),
    },
    sources: &[],
    signed_in: None,
    bill: None,
    settings: SETTINGS_GMPAY,
    console: None,
    build: build_gmpay,
};

/// Its row.
pub const EPUSDT_MD5: Kind = Kind {
    name: "epusdt_md5",
    about: "USDT by epusdt 1, MD5: its cashier, JSON notification",
    test_only: false,
    reference: Reference::Address,
    opens: &[Opens::minutes(9)],
    account: KnownBy { family: "epusdt", parts: &[Part::Host(&GATEWAY_MD5)], key: Some(&TOKEN_MD5) },
    sources: &[],
    signed_in: None,
    bill: None,
    settings: SETTINGS_MD5,
    console: None,
    build: build_md5,
};

const GATEWAY_MD5: Setting = rows::gateway(
    "the gateway's address, such as https://pay.example/: app_uri in epusdt's .env; api/v1/order/create-transaction is below it",
    "网关地址,如 https://pay.example/:epusdt 的 .env 里的 app_uri,即 api/v1/order/create-transaction 所在的目录",
);
const TOKEN_MD5: Setting = Setting::needed(
    Form::Secret,
    "api_token",
    "the token that signs: api_auth_token in epusdt's .env",
    "签名用的密钥:epusdt 的 .env 里的 api_auth_token",
);
const MD5: Setting = Setting::only("md5", "sign_algo");
const FIAT: Setting = Setting::optional(rows::CURRENCY, "fiat", "what prices are in", "商品价格的货币").or("CNY");
const SUBJECT: Setting = Setting {
    default: None,
    help: Text::new(
        "sent as name, for servers that show one: at most 127 bytes without & and =; never a buyer's text",
        "作为 name 发出,供会显示它的服务器:最多 127 字节,不含 & 和 =;不会是买家填写的内容",
    ),
    ..rows::SUBJECT
};
/// The settings of kind `epusdt_md5`.
const SETTINGS_MD5: &[&Setting] = &[&GATEWAY_MD5, &TOKEN_MD5, &FIAT, &MD5, &SUBJECT, &rows::BODY];

const GATEWAY_GMPAY: Setting = rows::gateway(
    "the gateway's address, such as https://pay.example/: payments/gmpay/v1/order/create-transaction is below it",
    "网关地址,如 https://pay.example/,即 payments/gmpay/v1/order/create-transaction 所在的目录",
);
const PID: Setting = rows::pid(
    "pid of the admin panel's API keys, digits; a fresh server has one with 1000",
    "管理后台 API 密钥页的 pid,数字;新装的服务器有一个 1000",
);
const SECRET_KEY: Setting =
    Setting::needed(Form::Secret, "secret_key", "the secret of that API key", "该 API 密钥的 secret");
const SIGN_ALGO: Setting = Setting::choice(
    &["hmac-sha256", "md5"],
    "sign_algo",
    "hmac-sha256 from 2.0.0 on, md5 for 1.0.x; there is no falling back from one to the other",
    "2.0.0 起为 hmac-sha256,1.0.x 为 md5;两者不会自动切换",
)
.asked();
const TOKEN: Setting = Setting::optional(
    Form::Line,
    "token",
    "the coin; payments/gmpay/v1/config lists what the server has",
    "币种;payments/gmpay/v1/config 列出服务器支持的",
)
.or("usdt")
.asked();
const NETWORK: Setting = Setting::optional(Form::Line, "network", "its chain", "所在的链").or("tron").asked();
/// The settings of kind `epusdt_gmpay`.
const SETTINGS_GMPAY: &[&Setting] =
    &[&GATEWAY_GMPAY, &PID, &SECRET_KEY, &SIGN_ALGO, &TOKEN, &NETWORK, &FIAT, &SUBJECT, &rows::BODY];

const GATEWAY_BEPUSDT: Setting = rows::gateway(
    "the gateway's address, such as https://pay.example/: api/v1/order/create-transaction is below it",
    "网关地址,如 https://pay.example/,即 api/v1/order/create-transaction 所在的目录",
);
const TOKEN_BEPUSDT: Setting = Setting::needed(
    Form::Secret,
    "api_token",
    "its console: system → basic settings → API settings → 对接令牌; older ones: AUTH_TOKEN",
    "后台:系统 → 基本设置 → API 设置 → 对接令牌;旧版为 AUTH_TOKEN",
);
/// Currencies that BEpusdt converts by itself.
const CONVERTED: [&str; 5] = ["CNY", "USD", "EUR", "GBP", "JPY"];
const FIAT_BEPUSDT: Setting = Setting::optional(
    rows::CURRENCY,
    "fiat",
    "what prices are in, three capital letters; BEpusdt converts CNY, USD, EUR, GBP and JPY by itself",
    "商品价格的货币,三个大写字母;BEpusdt 自己换算 CNY、USD、EUR、GBP 和 JPY",
)
.or("CNY")
.asked();
const TRADE_TYPE: Setting = Setting::optional(
    Form::Line,
    "trade_type",
    "the coin and its chain; its docs/trade-type.md lists them",
    "币种和链;BEpusdt 的 docs/trade-type.md 列出全部",
)
.or("usdt.trc20")
.asked();
/// The settings of kind `bepusdt`.
const SETTINGS_BEPUSDT: &[&Setting] =
    &[&GATEWAY_BEPUSDT, &TOKEN_BEPUSDT, &FIAT_BEPUSDT, &TRADE_TYPE, &MD5, &SUBJECT, &rows::BODY];

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

fn subject(v: &mut Values<'_>) -> Option<String> {
    v.has(&SUBJECT).then(|| rows::subject(v, &SUBJECT))
}

fn scheme(v: &mut Values<'_>, signer: Option<Signer>, numbers: Numbers) -> Option<Scheme> {
    let body_bytes = v.whole(&rows::BODY);
    Some(Scheme { signer: signer?, numbers, signature: "signature", fields: &FIELDS, body_bytes: body_bytes? })
}

fn build_md5(ChannelInputs { name, .. }: ChannelInputs<'_>, v: &mut Values<'_>) -> Option<Arc<dyn Channel>> {
    let _said = v.text(&MD5);
    let (gateway_url, signer) = (rows::gateway_url(v, &GATEWAY_MD5), v.secret(&TOKEN_MD5).map(Signer::Md5));
    let (scheme, fiat, subject) = (scheme(v, signer, Numbers::Plain), v.parsed(&FIAT), subject(v));
    Some(Arc::new(Usdt {
        name: name.to_owned(),
        gateway_url: gateway_url?,
        scheme: scheme?,
        fiat: fiat?,
        pid: None,
        subject,
        create: CREATE,
        address: "token",
        more: Vec::new(),
        unpaid: UNPAID,
        timeout: false,
    }))
}

fn build_bepusdt(ChannelInputs { name, .. }: ChannelInputs<'_>, v: &mut Values<'_>) -> Option<Arc<dyn Channel>> {
    let _said = v.text(&MD5);
    let (gateway_url, signer) = (rows::gateway_url(v, &GATEWAY_BEPUSDT), v.secret(&TOKEN_BEPUSDT).map(Signer::Md5));
    let (scheme, subject) = (scheme(v, signer, Numbers::Exponent), subject(v));
    let (fiat, trade_type): (Option<Currency>, _) = (v.parsed(&FIAT_BEPUSDT), v.text(&TRADE_TYPE));
    if fiat.is_some_and(|fiat| !CONVERTED.contains(&fiat.as_str())) {
        v.warn(&FIAT_BEPUSDT, format!("is none that the gateway converts by itself ({})", CONVERTED.join(", ")));
    }
    Some(Arc::new(Usdt {
        name: name.to_owned(),
        gateway_url: gateway_url?,
        scheme: scheme?,
        fiat: fiat?,
        pid: None,
        subject,
        create: CREATE,
        address: "token",
        more: vec![("trade_type", trade_type?), ("fiat", fiat?.to_string())],
        unpaid: UNPAID_BEPUSDT,
        timeout: true,
    }))
}

fn build_gmpay(ChannelInputs { name, .. }: ChannelInputs<'_>, v: &mut Values<'_>) -> Option<Arc<dyn Channel>> {
    let md5 = v.choice(&SIGN_ALGO) == "md5";
    let (gateway_url, pid) = (rows::gateway_url(v, &GATEWAY_GMPAY), epay::pid(v, &PID));
    let signer = v.secret(&SECRET_KEY).map(|secret| {
        if md5 { Signer::Md5(secret) } else { Signer::Hmac(Box::new(sign::hmac_key(secret.reveal().as_bytes()))) }
    });
    let (scheme, subject) = (scheme(v, signer, Numbers::Plain), subject(v));
    let (fiat, token, network): (Option<Currency>, _, _) = (v.parsed(&FIAT), v.text(&TOKEN), v.text(&NETWORK));
    let currency = fiat?.to_string().to_lowercase();
    Some(Arc::new(Usdt {
        name: name.to_owned(),
        gateway_url: gateway_url?,
        scheme: scheme?,
        fiat: fiat?,
        pid: Some(pid?),
        subject,
        create: CREATE_GMPAY,
        address: "receive_address",
        more: vec![("currency", currency), ("token", token?), ("network", network?)],
        unpaid: UNPAID,
        timeout: false,
    }))
}

fn amount(text: &str, fiat: Currency) -> Result<Money, Rejection> {
    Money::parse(text, fiat).or_else(|_| callback::finer(text, fiat))
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
        callback::ack(verdict, "ok")
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
