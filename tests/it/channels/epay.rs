//! Requests of the epay kinds, as the gateways' own SDKs make them.

use kamid::channel::{Answer, Asked, Begin, Refund, Step};
use kamid::domain::{Money, Payment};
use serde_json::Value;

use super::{
    answered, asked, channel, checkout, now, opened, pairs, pairs_of, question, refunding, said_of, text, vector,
};

/// Whether an answer is understood as a capture says; another amount than is due is told as paid: the caller holds it
/// against what is due and parks it for a person.
pub fn means(said: &Answer, due: i64, means: &str) -> bool {
    match said {
        Answer::Paid(payment) if payment.paid.minor == due => means.starts_with("paid"),
        Answer::Paid(_) => means.starts_with("mismatch"),
        Answer::Unpaid => means.starts_with("unpaid"),
        Answer::Refunded => means.starts_with("refunded"),
        Answer::Unknown => means.starts_with("unknown"),
        Answer::Ask(_) | Answer::Agreed(_) => false,
        Answer::Mismatch => means.starts_with("mismatch") || means.contains("refuse") || means.contains("unsigned"),
    }
}

/// Some gateways write a link as HTML has it, or as HTML 4 wanted it: the signature says whether it was read right.
#[test]
fn broken_separators_of_a_genuine_callback_are_mended() {
    for kind in ["epay_v1", "epay_v2"] {
        let page = vector(kind, "a01");
        let pay = channel(kind, &page["config"], &[]);
        let query = text(&page["request"], "target").split_once('?').unwrap().1.to_owned();
        let said = |query: &str| {
            let callback = kamid::domain::Callback { method: "GET", path: "/", query, headers: &[], body: b"" };
            pay.verify(&callback, &[], now(&page))
        };
        let whole = said(&query);
        assert!(matches!(whole, Ok(kamid::channel::Claim::Paid(_))), "{kind}: {whole:?}");
        for separator in ["&amp;", ";"] {
            assert_eq!(said(&query.replace('&', separator)), whole, "{kind} {separator}");
            let more = format!("{query}{separator}money=0.01").replace("&amp;", "&");
            assert!(said(&more).is_err(), "{kind}: another amount behind it");
        }
    }
}

#[test]
fn the_v1_page_and_query_are_what_the_sdk_makes() {
    let page = vector("epay_v1", "c01");
    let input = &page["input"];
    let pay = channel("epay_v1", &page["config"], &[("pay_type", input["pay_type"].clone())]);
    let extra =
        [("clientip", text(input, "client_ip")), ("device", text(input, "device")), ("param", text(input, "param"))];
    let Begin::Step(Step::Redirect { url }, None) = pay.checkout(&checkout(&page, &extra), &[], 0) else {
        panic!("no redirect")
    };
    let query = |url: &str| pairs(url.split_once('?').unwrap().1);
    assert_eq!(query(&url), query(text(&page["output"], "url_by_sdk")));
    let page = vector("epay_v1", "q01");
    let pay = channel("epay_v1", &page["config"], &[]);
    let about = Asked { number: text(&page["order"], "order_no"), reference: "", page: "" };
    assert_eq!(question(pay.query(&about, &[], 0)).url, page["output"]["url"]);
    for answer in page["answers"].as_array().unwrap() {
        let said = said_of(pay.as_ref(), &about, &answered(answer), 0);
        let due = page["order"]["amount_minor"].as_i64().unwrap();
        assert!(means(&said, due, text(answer, "means")), "{}: {said:?}", text(answer, "means"));
    }
}

#[test]
fn v2_requests_are_what_the_sdk_makes() {
    let sent = |call: &kamid::domain::Call, page: &Value| {
        assert_eq!(
            (call.method, call.url.as_str()),
            ("POST", format!("https://epay.example.test{}", text(&page["output"], "path")).as_str())
        );
        assert_eq!(pairs(std::str::from_utf8(&call.body).unwrap()), pairs_of(&page["output"]["params"]));
    };
    let page = vector("epay_v2", "c01");
    let pay = channel("epay_v2", &page["config"], &[("pay_type", page["input"]["pay_type"].clone())]);
    let Begin::Step(Step::Redirect { url }, None) = pay.checkout(&checkout(&page, &[]), &[], now(&page)) else {
        panic!("no redirect")
    };
    assert_eq!(pairs(url.split_once('?').unwrap().1), pairs_of(&page["output"]["params"]));
    let page = vector("epay_v2", "c02");
    let pay =
        channel("epay_v2", &page["config"], &[("pay_type", page["input"]["pay_type"].clone()), ("pay", "qr".into())]);
    let (extra, at) = ([("device", "mobile")], now(&page));
    sent(&asked(pay.checkout(&checkout(&page, &extra), &[], at)), &page);
    for answer in page["answers"].as_array().unwrap() {
        let step = opened(pay.as_ref(), &checkout(&page, &extra), &answered(answer), at);
        assert_eq!(step.is_ok(), text(answer, "means").starts_with("ok"), "{answer}: {step:?}");
    }
    let page = vector("epay_v2", "q01");
    let pay = channel("epay_v2", &page["config"], &[]);
    let about = Asked { number: text(&page["order"], "order_no"), reference: "", page: "" };
    sent(&question(pay.query(&about, &[], at)), &page);
    for answer in page["answers"].as_array().unwrap() {
        let said = said_of(pay.as_ref(), &about, &answered(answer), at);
        assert!(means(&said, 100, text(answer, "means")), "{}: {said:?}", text(answer, "means"));
    }
    let page = vector("epay_v2", "f01");
    let amount = Money { minor: 100, currency: "CNY".parse().unwrap() };
    let payment = Payment::new(text(&page["order"], "order_no"), "T", amount, "pay");
    let refund = Refund {
        payment: &payment,
        number: text(&page["output"]["params"], "out_refund_no"),
        reason: "x",
        notify_url: "",
        asked_at: &[],
    };
    sent(&refunding(pay.refund(&refund, &[], at)), &page);
}
