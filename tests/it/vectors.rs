//! The captured epay callbacks, through `kamid channel verify` and through the channel's own requests.

use std::path::PathBuf;
use std::process::Command;

use kamid::channel::{Channels, Checkout, Step};
use kamid::domain::{Currency, Money};
use kamid::settings::Section;
use serde_json::Value;

fn vectors() -> Vec<(PathBuf, Value)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/epay_v1");
    let mut all: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap()))
        .collect();
    all.sort_by(|a: &(PathBuf, Value), b| a.0.cmp(&b.0));
    all
}

fn allowed(expect: &Value, one: &str, more: &str) -> Vec<Value> {
    let mut values = expect[more].as_array().cloned().unwrap_or_default();
    values.push(expect[one].clone());
    values
}

#[test]
fn every_captured_callback_gets_its_verdict() {
    let mut seen = 0;
    for (path, vector) in vectors().iter().filter(|(_, vector)| vector["kind"] == "notify") {
        let done = Command::new(env!("CARGO_BIN_EXE_kamid"))
            .args(["channel", "verify", "--json", "--explain", "--capture"])
            .arg(path)
            .output()
            .unwrap();
        assert!(done.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&done.stderr));
        let report: Value = serde_json::from_slice(&done.stdout).unwrap();
        let expect = &vector["expect"];
        assert!(allowed(expect, "verdict", "verdicts_ok").contains(&report["verdict"]), "{}: {report}", path.display());
        if report["verdict"] != "accept" {
            assert!(
                allowed(expect, "reason", "reasons_ok").contains(&report["reason"]),
                "{}: {report}",
                path.display()
            );
        }
        if !expect["extracted"].is_null() {
            assert_eq!(report["extracted"], expect["extracted"], "{}", path.display());
        }
        assert_eq!(report["answer"]["status"], expect["answer"]["status"], "{}", path.display());
        assert_eq!(report["answer"]["body"], expect["answer"]["body"], "{}", path.display());
        let key = vector["config"]["key"].as_str().unwrap();
        assert!(!String::from_utf8_lossy(&done.stdout).contains(key), "the key is shown");
        seen += 1;
    }
    assert_eq!(seen, 32);
}

#[test]
fn the_payment_page_and_the_query_are_what_the_sdk_makes() {
    for (path, vector) in vectors() {
        let mut settings = vector["config"].as_object().unwrap().clone();
        settings.insert("kind".to_owned(), "epay_v1".into());
        settings.extend(vector["input"]["pay_type"].as_str().map(|kind| ("pay_type".to_owned(), kind.into())));
        let section = Section::from_json("config", &settings);
        let channels = Channels::build(&[("pay".to_owned(), section)], true).unwrap();
        let channel = channels.get("pay").unwrap();
        let number = vector["order"]["order_no"].as_str().unwrap_or_default();
        if path.ends_with("c01-submit-url.json") {
            let text = |name: &str| vector["input"][name].as_str().unwrap();
            let checkout = Checkout {
                number,
                amount: Money { minor: vector["order"]["amount_minor"].as_i64().unwrap(), currency: Currency::CNY },
                subject: Some(text("subject")),
                notify_url: text("notify_url"),
                return_url: text("return_url"),
                extra: &[("clientip", text("client_ip")), ("device", text("device")), ("param", text("param"))],
            };
            let Step::Redirect { url } = channel.checkout(&checkout, 0) else { panic!("no redirect") };
            let set = |url: &str| {
                let mut pairs: Vec<String> = url.split_once('?').unwrap().1.split('&').map(str::to_owned).collect();
                pairs.sort();
                pairs
            };
            assert_eq!(set(&url), set(vector["output"]["url_by_sdk"].as_str().unwrap()));
        }
        if path.ends_with("q01-query-url.json") {
            assert_eq!(channel.query(number, 0).unwrap().url, vector["output"]["url"]);
            for answer in vector["answers"].as_array().unwrap() {
                let word =
                    format!("{:?}", channel.answer(number, answer["body"].to_string().as_bytes())).to_lowercase();
                let means = answer["means"].as_str().unwrap();
                // Another amount is told as paid: the caller holds it against what is due and parks it for a person.
                let fits = match means {
                    _ if means.starts_with("mismatch") => word == "mismatch" || word.contains("minor: 1,"),
                    _ => word.starts_with(means.split(' ').next().unwrap()),
                };
                assert!(fits, "{means}: {word}");
            }
        }
    }
}
