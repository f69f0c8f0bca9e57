//! Callbacks made by a second reader of the gateways' documents, who had not seen our code and signed with scripts of their own:
//! `tests/cases/<kind>.json`. Each says what is to be made of it, and why.

use kamid::channel::capture::{Capture, replay};
use kamid::channel::{Channels, KINDS};
use kamid::settings::Section;
use serde_json::{Value, json};

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
    let Ok(channels) = Channels::build(&[("x".to_owned(), Section::from_json("x", &config))], true) else {
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
