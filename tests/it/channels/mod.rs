//! The captured callbacks and requests of every kind: through `kamid channel verify`, over HTTP against a running daemon,
//! and through each channel's own requests.

mod adding;
mod alipay;
mod cases;
mod clicks;
mod coins;
mod epay;
pub mod gates;
mod http;
mod lost;
mod memory;
mod paypal;
mod refunds;
mod repeats;
mod rsa;
mod sdks;
mod settings;
mod stated;
mod terms;
mod unionpay;
mod usdt;
mod webhooks;
mod wechat_certs;
mod whole;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use kamid::channel::{Answer, Asked, Begin, Channel, Channels, Checkout, KINDS, Refunded, Step};
use kamid::domain::{Call, Currency, Millis, Money, Response};
use kamid::settings::{ConfigProblem, Section};
use serde_json::Value;

use crate::support::channel::NOW;
use crate::support::pair::Pair;

/// Every capture of a kind, by path.
pub fn vectors(kind: &str) -> Vec<(PathBuf, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(kind);
    let mut all: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap()))
        .collect();
    all.sort_by(|a: &(PathBuf, Value), b| a.0.cmp(&b.0));
    all
}

/// One capture, by kind and the beginning of its name.
pub fn vector(kind: &str, name: &str) -> Value {
    let fits = |(path, _): &(PathBuf, Value)| path.file_name().unwrap().to_str().unwrap().starts_with(name);
    vectors(kind).into_iter().find(fits).unwrap_or_else(|| panic!("no {kind}/{name}")).1
}

/// The channel `pay` that a capture's settings make, with these further ones.
pub fn channel(kind: &str, config: &Value, more: &[(&str, Value)]) -> Arc<dyn Channel> {
    let channels = built(kind, config, more).unwrap_or_else(|problems| panic!("{problems:?}"));
    channels.get("pay").unwrap().clone()
}

/// The channel `pay` of these settings, or what is wrong with them.
fn built(kind: &str, config: &Value, more: &[(&str, Value)]) -> Result<Channels, Vec<ConfigProblem>> {
    let mut settings = config.as_object().unwrap().clone();
    settings.insert("kind".to_owned(), kind.into());
    settings.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    Channels::build(&[("pay".to_owned(), Section::from_json("config", &settings))], true, NOW)
}

/// When the captures were made.
pub fn now(vector: &Value) -> Millis {
    vector["now"].as_u64().unwrap() * 1000
}

pub fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// What is to be paid in a capture, on its way to the addresses that it names.
pub fn checkout<'a>(vector: &'a Value, extra: &'a [(&'a str, &'a str)]) -> Checkout<'a> {
    let (order, input) = (&vector["order"], &vector["input"]);
    Checkout {
        number: text(order, "order_no"),
        amount: Money {
            minor: order["amount_minor"].as_i64().unwrap_or(0),
            currency: order["currency"].as_str().unwrap_or("CNY").parse::<Currency>().unwrap(),
        },
        subject: input["subject"].as_str(),
        notify_url: text(input, "notify_url"),
        return_url: text(input, "return_url"),
        expires: now(vector) + 900_000,
        client_ip: input["client_ip"].as_str().unwrap_or("127.0.0.1"),
        extra,
    }
}

/// The request that a channel wants made first.
pub fn asked(begin: Begin) -> Call {
    match begin {
        Begin::Ask(call) => call,
        other => panic!("it asks nobody: {other:?}"),
    }
}

/// What a channel makes of its gateway's answer to that.
pub fn opened(
    pay: &dyn Channel,
    wish: &Checkout<'_>,
    answer: &Response,
    at: Millis,
) -> Result<(Step, Option<String>), String> {
    match pay.checkout(wish, std::slice::from_ref(answer), at) {
        Begin::Step(step, reference) => Ok((step, reference)),
        Begin::Failed(why) => Err(why),
        Begin::Ask(call) => panic!("it asks again: {call:?}"),
    }
}

/// The question about a payment.
pub fn question(answer: Option<Answer>) -> Call {
    match answer {
        Some(Answer::Ask(call)) => call,
        other => panic!("it asks nobody: {other:?}"),
    }
}

/// What a channel makes of its gateway's answer to that.
pub fn said_of(pay: &dyn Channel, about: &Asked<'_>, answer: &Response, at: Millis) -> Answer {
    pay.query(about, std::slice::from_ref(answer), at).unwrap()
}

/// The request that gives money back.
pub fn refunding(refunded: Option<Refunded>) -> Call {
    match refunded {
        Some(Refunded::Ask(call) | Refunded::Dated(call)) => call,
        other => panic!("it asks nobody: {other:?}"),
    }
}

/// An answer of a gateway's API as a capture has it.
pub fn answered(answer: &Value) -> Response {
    let body = answer["body_text"].as_str().map_or_else(
        || match &answer["body"] {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            value => value.to_string(),
        },
        str::to_owned,
    );
    let headers = answer["headers"].as_array().into_iter().flatten();
    let headers = headers.map(|pair| (pair[0].as_str().unwrap().to_owned(), pair[1].as_str().unwrap().to_owned()));
    Response {
        status: answer["status"].as_u64().unwrap_or(200) as u16,
        headers: headers.collect(),
        body: body.into_bytes(),
    }
}

/// A form or query as sorted pairs.
pub fn pairs(encoded: &str) -> Vec<(String, String)> {
    let url = reqwest::Url::parse(&format!("http://x/?{encoded}")).unwrap();
    let mut pairs: Vec<_> = url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    pairs.sort();
    pairs
}

/// An object of texts as sorted pairs.
pub fn pairs_of(object: &Value) -> Vec<(String, String)> {
    let fields = object.as_object().unwrap().iter();
    let mut pairs: Vec<_> = fields
        .map(|(name, value)| (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        .collect();
    pairs.sort();
    pairs
}

fn allowed(expect: &Value, one: &str, more: &str) -> Vec<Value> {
    let mut values = expect[more].as_array().cloned().unwrap_or_default();
    values.push(expect[one].clone());
    values
}

/// Whether an answer is one of those that a capture allows; a proxy's or a library's own refusal has no body of ours.
fn check_answer(what: &str, expect: &Value, status: u64, body: &str) {
    let wanted = &expect["answer"];
    let any = |one: &str, more: &str, got: Value| {
        (wanted[one].is_null() && wanted[more].is_null())
            || wanted[one] == got
            || wanted[more].as_array().is_some_and(|all| all.contains(&got))
    };
    assert!(any("status", "status_any", status.into()), "{what}: {status}, not {wanted}");
    assert!(any("body", "body_any", body.into()), "{what}: {body:?}, not {wanted}");
    if let Some(fields) = wanted["json"].as_object() {
        let got: Value = serde_json::from_str(body).unwrap_or_default();
        assert!(fields.iter().all(|(name, value)| got[name] == *value), "{what}: {body:?}, not {wanted}");
    }
    for piece in wanted["body_must_not_contain_nocase"].as_array().into_iter().flatten() {
        assert!(!body.to_lowercase().contains(piece.as_str().unwrap()), "{what}: {body:?} counts as received");
    }
}

/// Secrets of a capture's settings, which nothing may show.
fn secrets(config: &Value) -> Vec<String> {
    let named = [
        "key",
        "secret_key",
        "client_secret",
        "api_token",
        "apiv3_key",
        "api_key",
        "webhook_secret",
        "secrets",
        "app_private_key",
        "merchant_private_key",
        "sign_key",
    ];
    let mut all = Vec::new();
    for name in named {
        match &config[name] {
            // A line of a PEM is as telling as the whole.
            Value::String(text) => {
                all.extend(text.lines().filter(|line| !line.starts_with("---") && line.len() > 7).map(str::to_owned))
            }
            Value::Array(items) => {
                all.extend(items.iter().filter_map(Value::as_str).filter(|it| it.len() > 7).map(str::to_owned))
            }
            _ => {}
        }
    }
    all
}

#[test]
fn every_captured_callback_gets_its_verdict() {
    let mut seen = 0;
    for kind in KINDS.iter().filter(|kind| !kind.test_only) {
        for (path, vector) in vectors(kind.name).iter().filter(|(_, vector)| vector["kind"] == "notify") {
            let done = Command::new(env!("CARGO_BIN_EXE_kamid"))
                .args(["channel", "verify", "--json", "--explain", "--capture"])
                .arg(path)
                .output()
                .unwrap();
            let (what, shown) = (path.display(), String::from_utf8_lossy(&done.stdout).into_owned());
            assert!(done.status.success(), "{what}: {}", String::from_utf8_lossy(&done.stderr));
            let report: Value = serde_json::from_str(&shown).unwrap();
            let expect = &vector["expect"];
            assert!(allowed(expect, "verdict", "verdicts_ok").contains(&report["verdict"]), "{what}: {report}");
            if report["verdict"] != "accept" {
                assert!(allowed(expect, "reason", "reasons_ok").contains(&report["reason"]), "{what}: {report}");
            }
            if !expect["extracted"].is_null() && report["verdict"] == "accept" {
                // Some captures name more of the gateway's numbers than the one that a payment is known by.
                let said = report["extracted"].as_object().unwrap();
                assert_eq!(said.len(), 4, "{what}: {report}");
                for (name, value) in said {
                    assert_eq!(*value, expect["extracted"][name], "{what}: {name}");
                }
            }
            let answer = &report["answer"];
            if report["reason"] != "config_invalid" {
                check_answer(
                    &what.to_string(),
                    expect,
                    answer["status"].as_u64().unwrap(),
                    answer["body"].as_str().unwrap(),
                );
            }
            for secret in secrets(&vector["config"]) {
                assert!(!shown.contains(&secret), "{what}: a secret is shown");
            }
            seen += 1;
        }
    }
    assert!(seen >= 300, "{seen}");
}

#[test]
fn a_captured_sequence_hands_over_once() {
    let mut seen = 0;
    for kind in KINDS.iter().filter(|kind| !kind.test_only) {
        for (path, vector) in vectors(kind.name).iter().filter(|(_, vector)| vector["kind"] == "sequence") {
            let verify = ["channel", "verify", "--json", "--capture"];
            let done = Command::new(env!("CARGO_BIN_EXE_kamid")).args(verify).arg(path).output().unwrap();
            let report: Value = serde_json::from_slice(&done.stdout).unwrap();
            let wanted = vector["steps"].as_array().unwrap().iter().filter(|step| step["do"] == "notify");
            let steps = report["steps"].as_array().unwrap();
            for (step, wanted) in steps.iter().zip(wanted.clone()) {
                assert_eq!(step["verdict"], wanted["verdict"], "{}: {wanted}", path.display());
                assert!(
                    wanted["reason"].is_null() || step["reason"] == wanted["reason"],
                    "{}: {wanted}",
                    path.display()
                );
            }
            assert_eq!((steps.len(), &report["deliveries"]), (wanted.count(), &vector["deliveries_in_the_end"]));
            seen += 1;
        }
    }
    assert!(seen >= 4, "{seen}");
}

/// Certificates and keys that do not belong together are told of with the setting that is wrong.
#[test]
fn certificates_that_do_not_belong_are_told_of() {
    let page = vector("alipay", "c06");
    let other = [("app_private_key", Pair::new().private().into())];
    let Err(problems) = built("alipay", &page["config"], &other) else { panic!("another key's certificate") };
    assert!(problems.iter().any(|it| it.path == "config.app_cert" && it.message.contains("app_private_key")));
    let page = vector("unionpay", "c01");
    let (root, middle) = (page["config"]["root_cert"].clone(), page["config"]["middle_cert"].clone());
    let about = |channels: Channels| {
        channels.warnings.iter().any(|it| it.path == "config.middle_cert" && it.message.contains("exchanged"))
    };
    assert!(!about(built("unionpay", &page["config"], &[]).unwrap()));
    assert!(about(built("unionpay", &page["config"], &[("root_cert", middle), ("middle_cert", root)]).unwrap()));
}
