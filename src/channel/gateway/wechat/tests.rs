//! Requests and answers, as the SDKs sign them.

use super::*;
use crate::settings::Section;

/// A capture, and the channel that its settings make.
fn vector(name: &str) -> (Value, Arc<WeChat>) {
    let path = format!("{}/tests/vectors/wechat_v3/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let page: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let section = Section::from_json("config", page["config"].as_object().unwrap());
    let mut problems = Vec::new();
    let built = channel(&mut section.values(&[SETTINGS], &mut problems), 0).unwrap_or_else(|| panic!("{problems:?}"));
    (page, Arc::new(built))
}

#[test]
fn requests_are_signed_as_the_sdk_signs_them() {
    for name in ["c01-native", "c02-h5", "c03-close", "f01-refund", "q01-query"] {
        let (page, pay) = vector(name);
        let text = |name: &str| page["input"][name].as_str().unwrap_or_default();
        let made = pay.authorization(
            text("method"),
            text("path"),
            text("body"),
            page["input"]["timestamp"].as_u64().unwrap(),
            text("nonce"),
        );
        assert_eq!(made, page["output"]["authorization"], "{name}");
    }
}

#[test]
fn bodies_are_what_the_documents_ask_for() {
    let (page, pay) = vector("c01-native");
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let number = text(&page["order"], "order_no");
    let checkout = Checkout {
        number: &number,
        amount: Money { minor: 2990, currency: Currency::CNY },
        subject: Some("会员 月卡"),
        notify_url: "https://kamid.example.test/notify/wechat_v3",
        return_url: "",
        expires: 1_763_884_800_000 + 900_000,
        client_ip: "203.0.113.9",
        extra: &[],
    };
    assert_eq!(pay.order(&checkout).to_string(), text(&page["input"], "body"));
    let (page, pay) = vector("f01-refund");
    let wanted: Value = serde_json::from_str(&text(&page["input"], "body")).unwrap();
    let number = text(&wanted, "out_trade_no");
    let payment = Payment::new(&number, "T", Money { minor: 2990, currency: Currency::CNY }, "pay");
    let refund = Refund {
        payment: &payment,
        number: &text(&wanted, "out_refund_no"),
        reason: "缺货",
        notify_url: "",
        asked_at: &[],
        by_trade_no: false,
    };
    let Some(Refunded::Ask(call)) = pay.refund(&refund, &[], 0) else { panic!("it asks nobody") };
    assert_eq!(call.body, text(&page["input"], "body").into_bytes());
}

#[test]
fn answers_are_believed_when_signed_and_mean_what_they_say() {
    let (page, pay) = vector("c04-answer-signature");
    for answer in page["answers"].as_array().unwrap() {
        let pairs = answer["headers"].as_array().unwrap().iter();
        let headers = pairs.map(|it| (it[0].as_str().unwrap().to_owned(), it[1].as_str().unwrap().to_owned()));
        let body = answer["body_text"].as_str().unwrap().as_bytes().to_vec();
        let response = Response { status: 200, headers: headers.collect(), body };
        assert_eq!(pay.believed(&response, &[], 1_763_884_800_000).is_ok(), answer["means"] == "ok", "{answer}");
    }
    let (page, pay) = vector("q01-query");
    let number = page["order"]["order_no"].as_str().unwrap();
    for answer in page["answers"].as_array().unwrap().iter().filter(|answer| answer["status"] == 200) {
        let said = pay.answer_of(answer["body"].as_object().unwrap(), number);
        let fits = match answer["means"].as_str().unwrap() {
            "paid" => matches!(&said, Answer::Paid(payment) if payment.paid.minor == 2000),
            "unpaid" => said == Answer::Unpaid,
            "refunded" => said == Answer::Refunded,
            // Another amount is told as paid: the caller holds it against what is due.
            _ => matches!(&said, Answer::Paid(payment) if payment.paid.minor == 1),
        };
        assert!(fits, "{answer}: {said:?}");
    }
    let gone = Response { status: 404, ..Response::default() };
    assert_eq!(pay.query(&Asked { number, reference: "", page: "" }, &[gone], 0), Some(Answer::Unknown));
}
