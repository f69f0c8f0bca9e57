//! Callbacks made by a second reader of the gateways' documents, who had not seen our code and signed with scripts of their own:
//! `tests/cases/<kind>.json`. Each says what is to be made of it, and why.

use data_encoding::BASE64;
use kamid::channel::capture::{Capture, replay};
use kamid::channel::{Channels, Claim, KINDS};
use kamid::domain::{Callback, Response};
use kamid::settings::Section;
use serde_json::{Value, json};

use crate::support::channel::NOW;

/// One case as a capture.
fn capture(file: &Value, case: &Value) -> Capture {
    let mut capture = json!({
        "channel": file["kind"], "kind": "notify", "now": case["now"], "order": case["order"], "request": case["request"],
        "gateway_api_answers": case["gateway_api_answers"],
    });
    if let Some(at) = case["certs"].as_u64() {
        capture["fetchable_certs"] = file["certs"][at as usize].clone();
    }
    serde_json::from_value(capture).unwrap()
}

/// What we make of it: the verdict and its reason.
fn judged(file: &Value, case: &Value) -> (String, String) {
    let mut config = file["configs"][case["config"].as_u64().unwrap() as usize].as_object().unwrap().clone();
    config.insert("kind".to_owned(), file["kind"].clone());
    let Ok(channels) = Channels::build(&[("x".to_owned(), Section::from_json("x", &config))], true, NOW) else {
        return ("reject".to_owned(), "config_invalid".to_owned());
    };
    let (capture, channel) = (capture(file, case), channels.get("x").unwrap());
    let now = capture.at().unwrap();
    let report = replay(&capture, channel.as_ref(), channels.terms("x").unwrap(), now, false).unwrap();
    let body = report.answer.body.to_lowercase();
    assert!(report.verdict != "reject" || !(body.contains("success") || body.contains("ok")), "{case}");
    (report.verdict.to_owned(), report.reason.unwrap_or_default().to_owned())
}

#[test]
fn a_second_reader_of_the_documents_agrees() {
    let kinds = KINDS.iter().filter(|kind| !kind.test_only);
    let (mut other, mut count) = (Vec::new(), 0);
    for kind in kinds {
        let path = format!("{}/tests/cases/{}.json", env!("CARGO_MANIFEST_DIR"), kind.name);
        let file: Value = serde_json::from_slice(&std::fs::read(&path).unwrap_or_else(|_| panic!("{path}"))).unwrap();
        for case in file["cases"].as_array().unwrap() {
            let (verdict, reason) = judged(&file, case);
            let known = |reasons: &Vec<Value>| reasons.iter().any(|known| *known == reason);
            let fits = verdict == "accept" || case["reasons"].as_array().is_none_or(known);
            if case["verdict"] != verdict || !fits {
                other.push(format!("{} {}: {verdict} {reason}, wanted {}", kind.name, case["title"], case["verdict"]));
            }
            count += 1;
        }
    }
    assert!(other.is_empty(), "{} of {count}:\n{}", other.len(), other.join("\n"));
}

/// Genuine callbacks with a status, by the titles of their cases: the word that nobody knows, or none where it is known.
const STATUSES: [(&str, &str, Option<&str>); 19] = [
    ("alipay", "status trade_success", Some("trade_success")),
    ("alipay", "TRADE_PENDING ignore per 1.3.9", Some("TRADE_PENDING")),
    ("alipay", "TRADE_CLOSED", None),
    ("bepusdt", "status 99", Some("99")),
    ("bepusdt", "status 5", None),
    ("epusdt_md5", "status 4", Some("4")),
    ("epusdt_gmpay", "status 5", Some("5")),
    ("epusdt_gmpay", "expired, empty transaction", None),
    ("tokenpay", "status 3", Some("3")),
    ("tokenpay", "status 2", None),
    ("btcpay", "type, no order, no API invoicesettled", Some("invoicesettled")),
    ("coinbase_commerce", "ty0-Charge_Confirmed", Some("Charge:Confirmed")),
    ("coinbase_commerce", "ty0-invoice_paid", None),
    ("standard_webhooks", "ty0-payment.succeededsp", Some("payment.succeeded ")),
    ("standard_webhooks", "ty0-payment.failed", None),
    ("stripe", "ty-checkout.session.completedsp", Some("checkout.session.completed ")),
    ("stripe", "ty-payment_intent.created", None),
    ("wechat_v3", "state success", Some("success")),
    ("wechat_v3", "state PAYERROR", None),
];

#[test]
fn a_genuine_status_that_no_document_names_is_told_apart() {
    for (kind, title, word) in STATUSES {
        let path = format!("{}/tests/cases/{kind}.json", env!("CARGO_MANIFEST_DIR"));
        let file: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let case = file["cases"].as_array().unwrap().iter().find(|case| case["title"] == title);
        let case = case.unwrap_or_else(|| panic!("{kind}: no {title}"));
        let mut config = file["configs"][case["config"].as_u64().unwrap() as usize].as_object().unwrap().clone();
        config.insert("kind".to_owned(), kind.into());
        let channels = Channels::build(&[("x".to_owned(), Section::from_json("x", &config))], true, NOW).unwrap();
        let (capture, heard): (Capture, [Response; 0]) = (capture(&file, case), []);
        let request = capture.request.as_ref().unwrap();
        let body = BASE64.decode(request.body_b64.as_bytes()).unwrap();
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let headers = kamid::channel::capture::borrowed(&request.headers);
        let callback = Callback { method: &request.method, path, query, headers: &headers, body: &body };
        match (channels.get("x").unwrap().verify(&callback, &heard, capture.at().unwrap()), word) {
            (Ok(Claim::Strange(said)), Some(word)) => assert_eq!(said, word, "{kind} {title}"),
            (Ok(Claim::Nothing(_)), None) => {}
            (said, word) => panic!("{kind} {title}: {said:?}, wanted {word:?}"),
        }
    }
}
