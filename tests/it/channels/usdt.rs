//! Requests of the coin gateways, as their own clients make them, and what their answers open.

use kamid::channel::{Answer, Asked, Channel, Checkout, Claim, Step};
use kamid::domain::{Call, Callback, Currency, Money, Rejection, Response};
use serde_json::{Value, json};

use super::{asked, channel, now, question, said_of, text, vector};

use crate::support::channel::NOW;

/// What a capture's request asks to be paid; what the request says further, such as a name, is its `json`.
fn due<'a>(vector: &'a Value, number: &'a str, extra: &'a [(&'a str, &'a str)]) -> Checkout<'a> {
    let sent = &vector["output"]["json"];
    let first = |names: [&str; 2]| names.into_iter().find_map(|name| sent[name].as_str()).unwrap_or_default();
    Checkout {
        number,
        amount: Money { minor: vector["order"]["amount_minor"].as_i64().unwrap(), currency: Currency::CNY },
        subject: sent["name"].as_str(),
        notify_url: first(["notify_url", "NotifyUrl"]),
        return_url: first(["redirect_url", "RedirectUrl"]),
        expires: now(vector) + 900_000,
        client_ip: "127.0.0.1",
        extra,
    }
}

fn body(call: &Call) -> Value {
    assert_eq!((call.method, call.headers[0].1.as_str()), ("POST", "application/json"));
    serde_json::from_slice(&call.body).unwrap()
}

/// What a channel makes of an answer of its gateway.
fn opened(pay: &dyn Channel, due: &Checkout<'_>, answer: &Value) -> Result<(Step, Option<String>), String> {
    let answer = Response { status: 200, headers: Vec::new(), body: answer.to_string().into_bytes() };
    super::opened(pay, due, &answer, 0)
}

#[test]
fn a_payment_is_opened_as_the_clients_open_it() {
    for kind in ["epusdt_md5", "epusdt_gmpay", "bepusdt", "tokenpay"] {
        let page = vector(kind, "c01");
        let pay = channel(kind, &page["config"], &[]);
        let call = asked(pay.checkout(&due(&page, text(&page["order"], "order_no"), &[]), &[], now(&page)));
        assert_eq!(body(&call), page["output"]["json"], "{kind}");
        assert!(call.url.starts_with(text(&page["config"], "gateway_url")));
        assert!(call.url.ends_with(text(&page["output"], "path")), "{kind}: {}", call.url);
        assert!(pay.takes(Currency::CNY) && !pay.takes("USD".parse().unwrap()));
    }
}

#[test]
fn nothing_is_opened_for_any_sum() {
    let mut page = vector("bepusdt", "c01");
    page["order"]["amount_minor"] = 0.into();
    let pay = channel("bepusdt", &page["config"], &[]);
    let call = asked(pay.checkout(&due(&page, "KO251123160000SHUSE66B", &[]), &[], now(&page)));
    assert_eq!(body(&call)["amount"], Value::Null);
}

#[test]
fn the_documents_worked_examples_come_out() {
    let page = vector("epusdt_md5", "w01");
    let pay = channel("epusdt_md5", &page["config"], &[("gateway_url", "https://epusdt.example.test".into())]);
    let example = &page["examples"][0];
    let made = json!({"now": 0, "order": {"amount_minor": 4200}, "output": {"json": example["params"]}});
    let call = asked(pay.checkout(&due(&made, text(&example["params"], "order_id"), &[]), &[], 0));
    assert_eq!(body(&call)["signature"], example["signature"]);

    let page = vector("tokenpay", "w01");
    let more = [("gateway_url", "https://tokenpay.example.test".into()), ("currency", "TRX".into())];
    let pay = channel("tokenpay", &page["config"], &more);
    let [create, query, notify] = [0, 1, 2].map(|at| &page["examples"][at]);
    let made = json!({"now": 0, "order": {"amount_minor": 1500}, "output": {"json": create["params"]}});
    let extra = [("OrderUserKey", text(&create["params"], "OrderUserKey"))];
    let call = asked(pay.checkout(&due(&made, text(&create["params"], "OutOrderId"), &extra), &[], 0));
    assert_eq!(body(&call)["Signature"], create["Signature"]);
    let page = format!("https://tokenpay.example.test/Pay?Id={}", text(&query["params"], "Id"));
    let about = Asked { number: "", reference: "", page: &page };
    assert!(question(pay.query(&about, &[], 0)).url.ends_with(text(query, "Signature")));
    let mut sent = notify["params"].clone();
    sent["Signature"] = notify["Signature"].clone();
    let sent = sent.to_string();
    let callback = Callback { method: "POST", path: "/", query: "", headers: &[], body: sent.as_bytes() };
    let Ok(Claim::Paid(payment)) = pay.verify(&callback, &[], 0) else { panic!("{:?}", pay.verify(&callback, &[], 0)) };
    assert_eq!((payment.number.as_str(), payment.paid.minor), ("E6COE6FGZMO5AXSK", 1500));
    assert_eq!(payment.reference.as_deref(), Some(text(&notify["params"], "ToAddress")));
}

#[test]
fn only_a_json_post_without_a_query_is_read() {
    for kind in ["epusdt_md5", "epusdt_gmpay", "bepusdt", "tokenpay"] {
        let page = vector(kind, "a01");
        let pay = channel(kind, &page["config"], &[]);
        let sent = text(&page["request"], "body_text");
        let said = |method, query, body: &str| {
            pay.verify(&Callback { method, path: "/", query, headers: &[], body: body.as_bytes() }, &[], 0).map(|_| ())
        };
        assert_eq!(said("POST", "", sent), Ok(()), "{kind}");
        assert_eq!(said("GET", "", sent), Err(Rejection::MethodNotAllowed), "{kind}");
        assert_eq!(said("PUT", "", sent), Err(Rejection::MethodNotAllowed), "{kind}");
        assert_eq!(said("POST", "a=1", sent), Err(Rejection::MethodNotAllowed), "{kind}");
        assert_eq!(said("POST", "", "a=1&signature=x"), Err(Rejection::Malformed), "{kind}");
        assert_eq!(said("POST", "", &" ".repeat(65_537)), Err(Rejection::TooLarge), "{kind}");
    }
}

#[test]
fn an_answer_opens_what_was_asked_for_or_nothing() {
    let address = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t";
    for (kind, field) in [("epusdt_md5", "token"), ("epusdt_gmpay", "receive_address"), ("bepusdt", "token")] {
        let page = vector(kind, "c01");
        let pay = channel(kind, &page["config"], &[]);
        let number = text(&page["order"], "order_no");
        let due = due(&page, number, &[]);
        // BEpusdt gives the amount as a text, the others as a number.
        let amount = &page["output"]["json"]["amount"];
        let amount = if kind == "bepusdt" { amount.to_string().into() } else { amount.clone() };
        let url = "https://pay.example/pay/checkout-counter/b3d2477c";
        let answer = json!({"status_code": 200, "message": "success", "request_id": "", "data": {
            "trade_id": "b3d2477c", "order_id": number, "amount": amount, "actual_amount": 4.25, field: address,
            "expiration_time": 1200, "payment_url": url}});
        let step = Step::Redirect { url: url.to_owned() };
        assert_eq!(opened(pay.as_ref(), &due, &answer), Ok((step, Some(address.to_owned()))), "{kind}");
        let bad = [
            ("/data/order_id", json!("KO251123160000SHUSE66A")),
            ("/data/amount", json!(1)),
            ("/data/amount", Value::Null),
            ("/data/payment_url", json!("javascript:alert(1)")),
            ("/status_code", json!(10003)),
            ("/data", Value::Null),
        ];
        for (at, value) in bad.into_iter().chain([(format!("/data/{field}").as_str(), json!("a b"))]) {
            let mut answer = answer.clone();
            *answer.pointer_mut(at).unwrap() = value;
            assert!(opened(pay.as_ref(), &due, &answer).is_err(), "{kind}: {answer}");
        }
        assert!(pay.query(&Asked { number, reference: address, page: "" }, &[], 0).is_none());
    }
}

#[test]
fn tokenpay_opens_is_asked_and_weighs_other_coins() {
    let address = "TLUF41C386CMU1Wc8pTSCE4QaiZ2xkhTCb";
    let page = vector("tokenpay", "c01");
    let pay = channel("tokenpay", &page["config"], &[]);
    let number = text(&page["order"], "order_no");
    let due = due(&page, number, &[]);
    let url = "https://tokenpay.example.test/Pay?Id=6324ddd2-4677-7914-0010-702806ae9766";
    let answer = json!({"success": true, "message": "创建订单成功！", "data": url, "info": {
        "ActualAmount": "12.5", "Amount": "227.34", "BaseCurrency": "CNY", "OutOrderId": number, "ToAddress": address}});
    let step = Step::Redirect { url: url.to_owned() };
    assert_eq!(opened(pay.as_ref(), &due, &answer), Ok((step, Some(address.to_owned()))));
    for (at, value) in [
        ("/success", json!(false)),
        ("/info/ActualAmount", json!("12.51")),
        ("/info/OutOrderId", json!("x")),
        ("/info/BaseCurrency", json!("USD")),
        ("/info/ToAddress", json!("")),
        ("/data", json!("")),
    ] {
        let mut answer = answer.clone();
        *answer.pointer_mut(at).unwrap() = value;
        assert!(opened(pay.as_ref(), &due, &answer).is_err(), "{answer}");
    }

    let page = vector("tokenpay", "q01");
    let target = text(&page["output"], "target");
    let id = &target[10..46];
    let there = format!("https://tokenpay.example.test/Pay?lang=zh&Id={id}");
    let about = Asked { number, reference: address, page: &there };
    assert_eq!(question(pay.query(&about, &[], 0)).url, format!("https://tokenpay.example.test{target}"));
    for page in ["", "https://tokenpay.example.test/Pay", "https://tokenpay.example.test/Pay?Id=../x"] {
        assert!(pay.query(&Asked { page, ..about }, &[], 0).is_none(), "{page:?} names no order");
    }
    let elsewhere = Asked { reference: "T2", ..about };
    let told = |of: &str, status: u8, moved: bool, coins: f64| {
        let data = json!({"id": id, "outOrderId": of, "actualAmount": 12.5, "amount": 2, "payAmount": coins,
            "isDynamicAmount": moved, "status": status, "toAddress": address});
        let body = json!({"success": true, "message": "", "data": data}).to_string().into_bytes();
        match said_of(pay.as_ref(), &about, &Response { status: 200, headers: Vec::new(), body }, 0) {
            Answer::Paid(payment) => Ok(payment.paid.minor),
            other => Err(format!("{other:?}")),
        }
    };
    assert_eq!(told(number, 1, false, 2.0), Ok(1250));
    assert_eq!(told(number, 1, true, 1.5), Ok(0), "other coins were not wanted");
    assert_eq!(told(number, 0, false, 0.0), Err("Unpaid".to_owned()));
    assert_eq!(told(number, 2, false, 0.0), Err("Unpaid".to_owned()));
    assert_eq!(told("KO251123160000SHUSE66B", 1, false, 2.0), Err("Mismatch".to_owned()));
    let data = json!({"id": id, "outOrderId": number, "actualAmount": 12.5, "status": 1, "toAddress": address});
    let body = json!({"success": true, "data": data}).to_string().into_bytes();
    let answer = Response { status: 200, headers: Vec::new(), body };
    assert!(matches!(said_of(pay.as_ref(), &about, &answer, 0), Answer::Paid(_)));
    assert_eq!(said_of(pay.as_ref(), &elsewhere, &answer, 0), Answer::Mismatch);
}

#[test]
fn tokenpay_counts_what_came_and_in_what() {
    let page = vector("tokenpay", "c01");
    let number = text(&page["order"], "order_no");
    let paid = |allowed: bool, further: &[(&'static str, &'static str)]| {
        let pay = channel("tokenpay", &page["config"], &[("allow_dynamic_amount", allowed.into())]);
        let mut fields =
            vec![("Id", "1"), ("Status", "1"), ("ToAddress", "T"), ("BaseCurrency", "CNY"), ("Amount", "2")];
        fields.extend(further);
        // A request of ours is signed as a callback is, and takes any fields.
        let sent = asked(pay.checkout(&due(&page, number, &fields), &[], 0)).body;
        let callback = Callback { method: "POST", path: "/", query: "", headers: &[], body: &sent };
        match pay.verify(&callback, &[], 0)? {
            Claim::Paid(payment) => Ok((payment.paid.minor, payment.paid.currency.to_string())),
            other => panic!("{other:?}"),
        }
    };
    let yuan = |minor| Ok((minor, "CNY".to_owned()));
    assert_eq!(paid(false, &[("PayAmount", "1")]), yuan(1250));
    for moved in ["1.5", "2", "2.4"] {
        assert_eq!(paid(false, &[("IsDynamicAmount", "1"), ("PayAmount", moved)]), yuan(0), "not wanted");
    }
    assert_eq!(paid(true, &[("IsDynamicAmount", "1"), ("PayAmount", "1.5")]), yuan(937));
    assert_eq!(paid(true, &[("IsDynamicAmount", "1"), ("PayAmount", "2.4")]), yuan(1250));
    assert_eq!(paid(true, &[("IsDynamicAmount", "1"), ("PayAmount", "1.750000000000000001")]), yuan(1093));
    assert_eq!(paid(true, &[("IsDynamicAmount", "1")]), yuan(0));
    assert_eq!(paid(true, &[("IsDynamicAmount", "1"), ("PayAmount", "1e9")]), yuan(0));
    assert_eq!(paid(true, &[("IsDynamicAmount", "2"), ("PayAmount", "2")]), Err(Rejection::Malformed));
    assert_eq!(paid(false, &[("BaseCurrency", "USD")]), Ok((1250, "USD".to_owned())), "the caller holds it");
    assert_eq!(paid(false, &[("BaseCurrency", "usd")]), Err(Rejection::Malformed));
}

#[test]
fn what_is_missing_is_named_and_what_is_secret_is_not() {
    use kamid::channel::Channels;
    use kamid::settings::Section;
    let wrong = |kind: &str, settings: Value| -> Vec<String> {
        let mut settings = settings.as_object().unwrap().clone();
        settings.insert("kind".to_owned(), kind.into());
        let section = Section::from_json("channel.pay", &settings);
        let Err(problems) = Channels::build(&[("pay".to_owned(), section)], true, NOW) else {
            panic!("{kind} is built")
        };
        problems.iter().map(|problem| format!("{problem} ")).collect()
    };
    for (kind, secret) in [
        ("epusdt_md5", "api_token"),
        ("epusdt_gmpay", "secret_key"),
        ("bepusdt", "api_token"),
        ("tokenpay", "api_token"),
    ] {
        let nothing = wrong(kind, json!({})).concat();
        for name in [secret, "gateway_url"] {
            assert!(nothing.contains(&format!("channel.pay.{name}: is missing")), "{nothing}");
        }
        let url = "https://coins.example";
        let empty = wrong(kind, json!({"gateway_url": url, "pid": "1", secret: ""})).concat();
        assert!(empty.contains(&format!("channel.pay.{secret}: is empty")), "{empty}");
        let slip = wrong(kind, json!({"gateway_url": "ftp://x", "fiatt": "x", secret: "s3cr3t-t0ken"})).concat();
        assert!(slip.contains("gateway_url") && slip.contains("fiatt") && !slip.contains("s3cr3t"), "{slip}");
    }
    let other = wrong("bepusdt", json!({"gateway_url": "https://x", "api_token": "t", "sign_algo": "hmac-sha256"}));
    assert!(other.concat().contains("sign_algo"), "{other:?}");
}
