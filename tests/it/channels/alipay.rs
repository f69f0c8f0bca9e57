//! Requests and answers of Alipay, as its SDKs make and sign them.

use kamid::channel::{Asked, Begin, Refund, Step};
use kamid::domain::{Money, Payment};
use serde_json::Value;

use super::epay::means;
use super::{answered, asked, channel, checkout, now, pairs, pairs_of, question, refunding, said_of, text, vector};

/// A capture whose order is told by its own request, as the helpers want it.
fn told(name: &str) -> (Value, Value) {
    let mut page = vector("alipay", name);
    let content: Value = serde_json::from_str(text(&page["input"], "biz_content")).unwrap_or_default();
    if content["total_amount"].is_string() {
        let minor = Money::parse(text(&content, "total_amount"), "CNY".parse().unwrap()).unwrap().minor;
        page["order"] =
            serde_json::json!({"order_no": content["out_trade_no"], "amount_minor": minor, "currency": "CNY"});
        page["input"]["subject"] = content["subject"].clone();
    }
    (page, content)
}

#[test]
fn pages_codes_queries_and_refunds_are_what_the_sdks_sign() {
    let (page, _) = told("c01");
    let pay = channel("alipay", &page["config"], &[]);
    let Begin::Step(Step::Redirect { url }, None) = pay.checkout(&checkout(&page, &[]), &[], now(&page)) else {
        panic!("no redirect")
    };
    assert_eq!(pairs(url.split_once('?').unwrap().1), pairs_of(&page["output"]["params"]));
    let (page, _) = told("c03");
    let pay = channel("alipay", &page["config"], &[("pay", "qr".into())]);
    let soon = kamid::channel::Checkout { expires: now(&page) + 300_000, ..checkout(&page, &[]) };
    let call = asked(pay.checkout(&soon, &[], now(&page)));
    assert_eq!(call.url, "https://openapi.alipay.com/gateway.do?charset=utf-8");
    assert_eq!(pairs(std::str::from_utf8(&call.body).unwrap()), pairs_of(&page["output"]["params"]));
    let (page, content) = told("q01");
    let pay = channel("alipay", &page["config"], &[]);
    let call = question(pay.query(
        &Asked { number: text(&content, "out_trade_no"), reference: "", page: "" },
        &[],
        now(&page),
    ));
    assert_eq!(pairs(std::str::from_utf8(&call.body).unwrap()), pairs_of(&page["output"]["params"]));
    let (page, content) = told("f01");
    let amount = Money::parse(text(&content, "refund_amount"), "CNY".parse().unwrap()).unwrap();
    let payment = Payment::new(text(&content, "out_trade_no"), "T", amount, "pay");
    let refund = Refund {
        payment: &payment,
        number: text(&content, "out_request_no"),
        reason: "x",
        notify_url: "",
        asked_at: &[],
        by_trade_no: false,
    };
    let call = refunding(pay.refund(&refund, &[], now(&page)));
    assert_eq!(pairs(std::str::from_utf8(&call.body).unwrap()), pairs_of(&page["output"]["params"]));
}

#[test]
fn an_answer_is_believed_by_the_signature_of_its_raw_text() {
    let page = vector("alipay", "q02");
    let pay = channel("alipay", &page["config"], &[]);
    let about = Asked { number: text(&page["order"], "order_no"), reference: "", page: "" };
    for answer in page["answers"].as_array().unwrap() {
        let said = said_of(pay.as_ref(), &about, &answered(answer), now(&page));
        let wanted = text(answer, "means").replace("no such trade", "unknown").replace("bad signature", "mismatch");
        assert!(means(&said, 2000, &wanted), "{wanted}: {said:?}");
    }
}

#[test]
fn certificate_mode_sends_the_numbers_of_its_certificates() {
    let page = vector("alipay", "c06");
    let pay = channel("alipay", &page["config"], &[]);
    let call =
        question(pay.query(&Asked { number: "KO251123160000XUC8GJV7", reference: "", page: "" }, &[], now(&page)));
    let sent = pairs(std::str::from_utf8(&call.body).unwrap());
    for name in ["app_cert_sn", "alipay_root_cert_sn"] {
        assert!(sent.contains(&(name.to_owned(), text(&page["output"], name).to_owned())), "{name}: {sent:?}");
    }
}
