//! The gateways' own SDKs, or the most used ones, against our reading of the specifications, both ways: what they sign
//! is believed here, what is signed here they believe, and neither believes it with a byte changed. `make sdks` installs
//! them and runs this; an SDK that is not there fails its test.

mod driver;
mod kinds;

use std::process::Command;
use std::sync::{Arc, LazyLock};

use data_encoding::BASE64;
use kamid::channel::capture::borrowed;
use kamid::channel::{Asked, Begin, Channel, Checkout, Claim, Refund, Step};
use kamid::domain::{Call, Callback, Currency, Millis, Money, Payment, Rejection};
use serde_json::{Value, json};

use self::driver::{Driver, Language};
use self::kinds::{Sides, Style, sides, told, written};
use super::{channel, question, refunding};

const NUMBER: &str = "07MIBQ3K2XZ0A1B2C3D401";
/// Subjects and amounts: plain, Chinese, and with whatever an encoding could trip over.
const TOLD: [(&str, i64, Style); 5] = [
    ("card", 5731, Style::Compact),
    ("会员 月卡", 698, Style::Pretty),
    ("会员 月卡", 698_700, Style::Escaped),
    ("a+b&c=d %2B 1/2 \"e\" \\ 'f'", 4040, Style::Compact),
    ("a+b&c=d %2B 1/2 \"e\" \\ 'f'", 5731, Style::Pretty),
];
/// The SDKs have no clock but the real one.
static NOW: LazyLock<Millis> = LazyLock::new(|| {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    now.as_secs() * 1000
});

fn payment(minor: i64) -> Payment {
    let paid = Money { minor, currency: Currency::CNY };
    Payment { reference: Some("TMSb7XhYh3pg".to_owned()), ..Payment::new(NUMBER, "cs_test_AbCdEf", paid, "pay") }
}

/// A request with one bit of that piece of it turned.
fn bent(request: &Value, piece: &str) -> Value {
    let place = ["body", "query", "path"].into_iter().find(|place| request[place].as_str().unwrap().contains(piece));
    let place = place.unwrap_or_else(|| panic!("no {piece:?} in {request}"));
    let mut bytes = request[place].as_str().unwrap().as_bytes().to_vec();
    bytes[request[place].as_str().unwrap().find(piece).unwrap()] ^= 1;
    let mut bent = request.clone();
    bent[place] = String::from_utf8(bytes).unwrap().into();
    bent
}

/// A request of ours, as the drivers read it.
fn sent(call: &Call) -> Value {
    let url = reqwest::Url::parse(&call.url).unwrap();
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    json!({"method": call.method, "path": format!("{}{query}", url.path()), "headers": call.headers,
        "query": if call.method == "GET" { url.query() } else { Some("") }.unwrap_or_default(),
        "body": std::str::from_utf8(&call.body).unwrap()})
}

/// The requests of a channel that it signs: for a payment, about it, and to give it back.
fn asks(kind: &str, channel: &dyn Channel, payment: &Payment) -> Vec<Call> {
    let checkout = Checkout {
        number: NUMBER,
        amount: payment.paid,
        subject: Some("会员+月卡 50% \"e\""),
        notify_url: "https://shop.example/notify/pay",
        return_url: "https://shop.example/return",
        expires: *NOW + 900_000,
        client_ip: "192.0.2.7",
        extra: &[],
    };
    let opening = match channel.checkout(&checkout, &[], *NOW) {
        Begin::Ask(call) => call,
        Begin::Step(Step::Redirect { url }, _) => Call::get(url),
        other => panic!("{other:?}"),
    };
    // There the secret itself is sent.
    if kind == "epay_v1" {
        return vec![opening];
    }
    let refund =
        Refund { payment, number: "R1", reason: "不要了", notify_url: "", asked_at: &[], by_trade_no: false };
    let query = channel
        .query(&Asked { number: NUMBER, reference: "", page: "" }, &[], *NOW)
        .map(|answer| question(Some(answer)));
    let refund = channel.refund(&refund, &[], *NOW).map(|refunded| refunding(Some(refunded)));
    [Some(opening), query, refund].into_iter().flatten().collect()
}

/// A kind and an SDK that speaks it.
struct Met {
    kind: &'static str,
    sdk: &'static str,
    driver: Driver,
    sides: Sides,
    channel: Arc<dyn Channel>,
}

impl Met {
    fn new(language: Language, sdk: &'static str, kind: &'static str) -> Self {
        let sides = sides(kind);
        let channel = channel(kind, &sides.config, &[]);
        Self { kind, sdk, driver: Driver::start(language), sides, channel }
    }

    fn verified(&self, request: &Value) -> Result<Claim, Rejection> {
        let headers: Vec<(String, String)> = serde_json::from_value(request["headers"].clone()).unwrap();
        let text = |name: &str| request[name].as_str().unwrap();
        let callback = Callback {
            method: text("method"),
            path: "/notify/pay",
            query: text("query"),
            headers: &borrowed(&headers),
            body: text("body").as_bytes(),
        };
        self.channel.verify(&callback, &[], *NOW)
    }

    /// What `kamid channel verify` says of it.
    fn shown(&self, request: &Value, payment: &Payment, reference: Option<&String>) -> Value {
        let text = |name: &str| request[name].as_str().unwrap();
        let capture = json!({
            "channel": self.kind, "kind": "notify", "now": *NOW / 1000, "config": self.sides.config,
            "order": {"order_no": payment.number, "amount_minor": payment.paid.minor, "currency": "CNY",
                "reference": reference},
            "request": {"method": text("method"), "target": format!("/notify/pay?{}", text("query")),
                "headers": request["headers"], "body_b64": BASE64.encode(text("body").as_bytes())},
        });
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("capture.json");
        std::fs::write(&file, capture.to_string()).unwrap();
        let command = ["channel", "verify", "--json", "--capture"];
        let done = Command::new(env!("CARGO_BIN_EXE_kamid")).args(command).arg(&file).output().unwrap();
        assert!(done.status.success(), "{}: {}", self.sdk, String::from_utf8_lossy(&done.stderr));
        serde_json::from_slice(&done.stdout).unwrap()
    }

    /// What a callback's amount is read from: WeChat Pay seals it.
    fn piece(&self, request: &Value, payment: &Payment) -> String {
        if self.kind != "wechat_v3" {
            return written(self.kind, payment.paid);
        }
        let body: Value = serde_json::from_str(request["body"].as_str().unwrap()).unwrap();
        body["resource"]["ciphertext"].as_str().unwrap().to_owned()
    }

    /// What the SDK signs is believed.
    fn believes(&mut self) {
        for (subject, minor, style) in TOLD {
            let wanted = payment(minor);
            let given = told(self.kind, &wanted, subject, style, *NOW / 1000);
            let request = self.driver.ask(self.sdk, "sign", &self.sides.gateway, &given).unwrap();
            let said = self.verified(&request);
            let Ok(Claim::Paid(said)) = said else { panic!("{} {subject}: {said:?}: {request}", self.sdk) };
            let three = |it: &Payment| (it.number.clone(), it.paid, it.trade_no.clone());
            assert_eq!(three(&said), three(&wanted), "{} {subject}", self.sdk);
            let shown = self.shown(&request, &wanted, said.reference.as_ref());
            assert_eq!(shown["verdict"], "accept", "{} {subject}: {shown}", self.sdk);
            let extracted = json!({"order_no": NUMBER, "amount_minor": minor, "currency": "CNY",
                "gateway_trade_no": wanted.trade_no});
            assert_eq!(shown["extracted"], extracted, "{} {subject}", self.sdk);
            let bent = bent(&request, &self.piece(&request, &wanted));
            assert_eq!(self.verified(&bent), Err(Rejection::BadSignature), "{} {subject}: {bent}", self.sdk);
            let shown = self.shown(&bent, &wanted, said.reference.as_ref());
            assert_eq!((&shown["verdict"], &shown["reason"]), (&json!("reject"), &json!("bad_signature")), "{shown}");
        }
    }

    /// What the channel forges is believed by the SDK, which reads the same in it.
    fn is_believed(&mut self) {
        for (_, minor, _) in TOLD {
            let wanted = payment(minor);
            let forged = self.channel.forge(&wanted, *NOW);
            let request = json!({"method": forged.method, "path": "/notify/pay", "query": forged.query,
                "headers": forged.headers, "body": String::from_utf8(forged.body).unwrap()});
            let amount = written(self.kind, wanted.paid);
            let read = self.driver.ask(self.sdk, "callback", &self.sides.gateway, &request);
            assert_eq!(read, Some(json!({"number": NUMBER, "amount": amount})), "{}: {request}", self.sdk);
            let bent = bent(&request, &self.piece(&request, &wanted));
            let read = self.driver.ask(self.sdk, "callback", &self.sides.gateway, &bent);
            assert_eq!(read, None, "{}: {bent}", self.sdk);
        }
    }

    /// What the channel asks its gateway is signed as the SDK signs.
    fn asks_as_it_should(&mut self, ways: &[&str]) {
        for way in ways {
            let more = [("pay", Value::from(*way))];
            let built = channel(self.kind, &self.sides.config, if way.is_empty() { &[] } else { &more });
            let wanted = payment(5731);
            for call in asks(self.kind, built.as_ref(), &wanted) {
                let (request, amount) = (sent(&call), written(self.kind, wanted.paid));
                let read = self.driver.ask(self.sdk, "request", &self.sides.merchant, &request);
                let read = read.unwrap_or_else(|| panic!("{}: {request}", self.sdk));
                assert_eq!(read["number"], NUMBER, "{}: {request}", self.sdk);
                // A question names no amount.
                let has = request["body"].as_str().unwrap().contains(&amount)
                    || request["query"].as_str().unwrap().contains(&amount);
                assert!(!has || read["amount"] == *amount, "{}: {read} in {request}", self.sdk);
                let bent = bent(&request, if has { &amount } else { NUMBER });
                let read = self.driver.ask(self.sdk, "request", &self.sides.merchant, &bent);
                assert_eq!(read, None, "{}: {bent}", self.sdk);
            }
        }
    }
}

#[test]
#[ignore = "needs the SDKs: make sdks"]
fn alipay_sdk_python() {
    let mut met = Met::new(Language::Python, "alipay", "alipay");
    met.believes();
    met.is_believed();
    met.asks_as_it_should(&["page", "wap", "qr"]);
}

/// It signs no callbacks.
#[test]
#[ignore = "needs the SDKs: make sdks"]
fn alipay_sdk_of_npm() {
    let mut met = Met::new(Language::Node, "alipay", "alipay");
    met.is_believed();
    met.asks_as_it_should(&["page", "wap", "qr"]);
}

#[test]
#[ignore = "needs the SDKs: make sdks"]
fn wechatpayv3() {
    let mut met = Met::new(Language::Python, "wechat_v3", "wechat_v3");
    met.believes();
    met.is_believed();
    met.asks_as_it_should(&["native", "h5"]);
}

#[test]
#[ignore = "needs the SDKs: make sdks"]
fn wechatpay_axios_plugin() {
    let mut met = Met::new(Language::Node, "wechat_v3", "wechat_v3");
    met.believes();
    met.is_believed();
    met.asks_as_it_should(&["native", "h5"]);
}

#[test]
#[ignore = "needs the SDKs: make sdks"]
fn stripe_of_pypi() {
    let mut met = Met::new(Language::Python, "stripe", "stripe");
    met.believes();
    met.is_believed();
}

#[test]
#[ignore = "needs the SDKs: make sdks"]
fn stripe_of_npm() {
    let mut met = Met::new(Language::Node, "stripe", "stripe");
    met.believes();
    met.is_believed();
}

#[test]
#[ignore = "needs the SDKs: make sdks"]
fn standardwebhooks_of_pypi() {
    let mut met = Met::new(Language::Python, "standard_webhooks", "standard_webhooks");
    met.believes();
    met.is_believed();
}

#[test]
#[ignore = "needs the SDKs: make sdks"]
fn standardwebhooks_of_npm() {
    let mut met = Met::new(Language::Node, "standard_webhooks", "standard_webhooks");
    met.believes();
    met.is_believed();
}

#[test]
#[ignore = "needs the SDKs: make sdks"]
fn coinbase_commerce_node() {
    let mut met = Met::new(Language::Node, "coinbase_commerce", "coinbase_commerce");
    met.believes();
    met.is_believed();
}

#[test]
#[ignore = "needs the SDKs: make sdks"]
fn epay_sdk() {
    let mut met = Met::new(Language::Python, "epay_v1", "epay_v1");
    met.believes();
    met.is_believed();
    met.asks_as_it_should(&[""]);
}

#[test]
#[ignore = "needs the SDKs: make sdks"]
fn epusdt_as_epay() {
    let mut met = Met::new(Language::Python, "epay_v1 of epusdt", "epay_v1");
    met.believes();
    met.is_believed();
    met.asks_as_it_should(&[""]);
}

#[test]
#[ignore = "needs the SDKs: make sdks"]
fn epusdt_as_epay_of_the_second_version() {
    let mut met = Met::new(Language::Python, "epay_v2", "epay_v2");
    met.believes();
    met.is_believed();
    met.asks_as_it_should(&["page", "qr"]);
}

#[test]
#[ignore = "needs the SDKs: make sdks"]
fn epusdt_as_gmpay() {
    let mut met = Met::new(Language::Python, "epusdt_gmpay", "epusdt_gmpay");
    met.believes();
    met.is_believed();
    met.asks_as_it_should(&[""]);
}

#[test]
#[ignore = "needs the SDKs: make sdks"]
fn bepusdt() {
    for kind in ["bepusdt", "epusdt_md5"] {
        let mut met = Met::new(Language::Python, "bepusdt", kind);
        met.believes();
        met.is_believed();
        met.asks_as_it_should(&[""]);
    }
}

/// What the README says it was checked against is what is installed.
#[test]
fn the_readme_names_these_versions() {
    let project = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = |name: &str| std::fs::read_to_string(project.join(name)).unwrap();
    let (readme, pins) = (file("README.md"), file("tests/sdks/requirements.txt"));
    let pins = pins.lines().filter_map(|line| line.split_once("=="));
    let mut all: Vec<_> = pins.map(|(package, version)| format!("PyPI {package} {version}")).collect();
    let npm: Value = serde_json::from_str(&file("tests/sdks/package.json")).unwrap();
    let npm = npm["dependencies"].as_object().unwrap().iter();
    all.extend(npm.map(|(package, version)| format!("npm {package} {}", version.as_str().unwrap())));
    assert!(all.len() >= 12, "{all:?}");
    for sdk in all {
        assert!(readme.contains(&sdk), "README.md does not name {sdk}");
    }
}
