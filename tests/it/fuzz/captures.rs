//! Captures: files from anywhere, replayed offline. They are read or refused, and accept nothing that was not signed.

use data_encoding::BASE64;
use kamid::channel::capture::{Capture, replay};
use kamid::channel::{Channels, Terms};
use kamid::settings::Section;

use super::drive::Target;
use super::genuine::{Fields, VECTORS, channel, fields_of_form, fields_of_query, signature, text};
use crate::support::channel::{KEY, NOW};

fn check(bytes: &[u8]) {
    let Ok(capture) = serde_json::from_slice::<Capture>(bytes) else { return };
    // Settings apart: a number with decimals is none, and may lose its last digit.
    let settled = Capture { config: None, ..capture.clone() };
    let written = serde_json::to_string(&settled).unwrap();
    let again: Capture = serde_json::from_str(&written).unwrap();
    assert_eq!(serde_json::to_string(&again).unwrap(), written, "what is written reads back");
    if let Some(settings) = &capture.config
        && !settings.keys().any(|name| name.ends_with("_file") || name.ends_with("_env"))
        && let Err(problems) = Channels::build(&[("x".to_owned(), Section::from_json("config", settings))], true, NOW)
    {
        assert!(problems.iter().all(|problem| !problem.to_string().contains(KEY)));
    }
    let Ok(report) = replay(&capture, channel("pay").as_ref(), &Terms::default(), capture.at().unwrap_or(0), true)
    else {
        return;
    };
    let said = serde_json::to_value(&report).unwrap();
    if report.verdict == "accept" {
        let (order, said) = (capture.order.unwrap(), report.extracted.unwrap());
        assert_eq!(
            (order.order_no, order.amount_minor, order.currency),
            (said.order_no.clone(), said.amount_minor, said.currency)
        );
        let request = capture.request.unwrap();
        let query = request.target.split_once('?').map_or("", |(_, query)| query);
        let body = BASE64.decode(request.body_b64.as_bytes()).unwrap();
        let body = if request.method == "POST" { fields_of_form(&body) } else { Fields::new() };
        let read = [fields_of_query(query), body].concat();
        assert_eq!(text(&read, "sign"), signature(&read), "accepted, and never signed");
        assert_eq!(text(&read, "out_trade_no"), said.order_no);
    }
    assert_eq!(report.answer.body == "success", report.verdict != "reject", "{said}");
}

pub fn a_capture_is_replayed_or_refused() -> Target {
    let mut seeds: Vec<_> = VECTORS.iter().map(|vector| serde_json::to_vec(vector).unwrap()).collect();
    seeds.push(
        br#"{"channel":"epay_v1","now":18446744073709551615,"request":{"method":"GET","target":"/?a"}}"#.to_vec(),
    );
    let words = &[
        "\"",
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "null",
        "18446744073709551615",
        "-1",
        "1e400",
        "\\ud800",
        "\"now\":99999999999999999,",
        "\"config\":{},",
        "\"order\":null,",
        "GET",
        "POST",
        "?",
        "=",
        "==",
        "%26",
    ];
    Target { name: "captures", seeds, words, check }
}
