//! Requests of the epay kinds, as the gateways' own SDKs make them.

use kamid::channel::{Answer, Asked, Begin, Refund, Step};
use kamid::domain::{Callback, Money, Payment, Rejection};
use serde_json::Value;

use super::whole::settings;
use super::{
    answered, asked, channel, checkout, now, opened, pairs, pairs_of, question, refunding, said_of, text, vector,
};
use crate::support::channel::{CHANNEL, NOW, channels};
use crate::support::gateway::{Family, Gateway};
use crate::support::shop::Daemon;

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

/// Some servers leave `sign_type` out: then the configured one applies. It never was part of what is signed.
#[test]
fn a_v2_callback_without_a_signature_type_is_judged_by_the_configured_one() {
    let page = vector("epay_v2", "a01");
    let pay = channel("epay_v2", &page["config"], &[]);
    let (_, query) = text(&page["request"], "target").split_once('?').unwrap();
    let at = now(&page);
    let said = |query: &str| {
        pay.verify(&Callback { method: "GET", path: "/", query, headers: &[], body: b"" }, &[], at).map(|claim| {
            assert!(matches!(claim, kamid::channel::Claim::Paid(_)), "{claim:?}");
        })
    };
    for (query, wanted) in [
        (query.replace("sign_type=RSA&", ""), Ok(())),
        (query.replace("sign_type=RSA&", "sign_type=&"), Ok(())),
        (query.replace("sign_type=RSA&", "sign_type=MD5&"), Err(Rejection::SignTypeMismatch)),
        (query.replace("sign_type=RSA&", "").replace("money=1&", "money=2&"), Err(Rejection::BadSignature)),
    ] {
        assert_eq!(said(&query), wanted, "{query}");
    }
}

/// A capture tells which channel its order was to be paid through: another one's callback is no payment of it.
#[test]
fn a_captured_order_is_judged_by_the_channel_that_it_names() {
    let page = vector("epay_v1", "a01");
    for (named, name, verdict) in [
        (None, None, "accept"),
        (Some("epay_v1"), None, "accept"),
        (Some("alipay"), None, "reject"),
        (Some("shop"), Some("shop"), "accept"),
        (Some("epay_v1"), Some("shop"), "reject"),
    ] {
        let mut page = page.clone();
        page["order"]["channel"] = named.into();
        page["channel_name"] = name.into();
        let capture: kamid::channel::capture::Capture = serde_json::from_value(page.clone()).unwrap();
        let mut settings = page["config"].as_object().unwrap().clone();
        settings.insert("kind".to_owned(), "epay_v1".into());
        let section = kamid::settings::Section::from_json("config", &settings);
        let own = kamid::channel::Channels::build(&[("epay_v1".to_owned(), section)], true, NOW).unwrap();
        let (pay, terms) = (own.get("epay_v1").unwrap(), own.terms("epay_v1").unwrap());
        let report =
            kamid::channel::capture::replay(&capture, pay.as_ref(), terms, capture.at().unwrap(), false).unwrap();
        assert_eq!(report.verdict, verdict, "{named:?} {name:?}: {report:?}");
        assert_eq!(report.reason, (verdict == "reject").then_some("channel_mismatch"));
    }
}

#[test]
fn the_v1_page_and_query_are_what_the_sdk_makes() {
    let page = vector("epay_v1", "c01");
    let input = &page["input"];
    let pay = channel("epay_v1", &page["config"], &[("pay_type", input["pay_type"].clone())]);
    let extra =
        [("clientip", text(input, "client_ip")), ("device", text(input, "device")), ("param", text(input, "param"))];
    let Begin::Step(Step::Redirect { url }, way) = pay.checkout(&checkout(&page, &extra), &[], 0) else {
        panic!("no redirect")
    };
    assert_eq!(way.as_deref(), input["pay_type"].as_str(), "its payment must name it again");
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
    let Begin::Step(Step::Redirect { url }, way) = pay.checkout(&checkout(&page, &[]), &[], now(&page)) else {
        panic!("no redirect")
    };
    assert_eq!(way.as_deref(), page["input"]["pay_type"].as_str(), "its payment must name it again");
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
        by_trade_no: false,
    };
    sent(&refunding(pay.refund(&refund, &[], at)), &page);
}

/// Paid another way than was asked for: not delivered by itself, kept, and a person can have it count.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_names_the_way_that_was_asked_for() {
    let typed = format!("{}pay_type = \"wxpay\"\n", CHANNEL.replace("channel.pay", "channel.typed"));
    let shop = Daemon::start(&typed);
    shop.product("card", &[], 3);
    let forger = channels(&typed, &shop.data);
    let callback = |id: &str, trade_no: &str, way: &str| {
        let paid = Money { minor: 990, currency: "CNY".parse().unwrap() };
        let payment =
            Payment { reference: Some(way.to_owned()), ..Payment::new(&format!("{id}01"), trade_no, paid, "typed") };
        format!("/pay/typed/notify?{}", forger.get("typed").unwrap().forge(&payment, 0).query)
    };
    let (right, other) = (shop.order_through("typed", "card", 1).await, shop.order_through("typed", "card", 1).await);
    assert_eq!(shop.send(&callback(&right, "T1", "wxpay")).await, (200, "success".to_owned()));
    assert_eq!(shop.state(&right).await, "delivered");
    assert_eq!(shop.send(&callback(&other, "T2", "usdt.trc20")).await, (400, "fail".to_owned()));
    assert_eq!(shop.state(&other).await, "pending");
    let incident = shop.incidents("type_mismatch", 1).await.remove(0);
    let again = shop.json(&["incident", "replay", incident["id"].as_str().unwrap()], "");
    assert_eq!(again["reason"], "type_mismatch", "{again}");
    assert_eq!(shop.admin("/v1/orphans").await["payments"][0]["payment"], "typed|T2");
    let stated = ["order", "mark-paid", &other, "--trade-no", "T2", "--reason", "seen in the console"];
    assert_eq!(shop.json(&stated, "")["result"], "delivered");
    assert_eq!(shop.admin("/v1/orphans").await["payments"], serde_json::json!([]));
    assert_eq!(
        shop.send(&callback(&other, "T2", "usdt.trc20")).await,
        (200, "success".to_owned()),
        "it counts already"
    );
    shop.audit();
}

/// A link that is dated is made anew each time it is shown: the gateway takes it for five minutes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dated_link_is_never_an_old_one() {
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    let data = folder.path().join("d");
    let gateway = Gateway::start(Family::EpayV2).await;
    let section = settings(&gateway, &data).replace("pay = \"qr\"", "pay_type = \"alipay\"");
    let shop = Daemon::at(&data, &format!("[channel.gate]\n{section}\n"));
    shop.product("card", &[], 1);
    let id = shop.order_through("gate", "card", 1).await;
    let page = shop.admin(&format!("/v1/orders/{id}")).await["page"].as_str().unwrap().to_owned();
    let dated = async || {
        let shown = shop.http.get(&page).send().await.unwrap().text().await.unwrap();
        shown.split("timestamp=").nth(1).unwrap()[..10].parse::<u64>().unwrap()
    };
    let first = dated().await;
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    assert!(dated().await > first);
}
