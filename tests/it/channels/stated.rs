//! Payments that a person stated or counted for an order: known as that in data of layout 1, where the order's history tells
//! it, and by the mark of their record since. `tests/fixtures/data-stated` was written by the last kamid of layout 1 in test
//! mode: three delivered orders, one whose payment was stated, one that an orphan was adopted for, one paid as ever.

use std::path::Path;
use std::sync::Arc;

use kamid::channel::Channels;
use kamid::domain::{Currency, Money, Payment};
use serde_json::json;

use super::whole::{ordered, settings, signing};
use crate::support::delivery::Simulator as _;
use crate::support::gateway::{Family, Gateway};
use crate::support::shop::{Daemon, channels};
use crate::upgrade::copy_private;

/// Orders of the fixture, each with what its gateway calls the payment.
const STATED: (&str, &str) = ("67MX3P7GODKSFRBA6D7A", "2026ELSEWHERE1");
const ADOPTED: (&str, &str) = ("67MX3P7GOHG3G4601V6T", "2026ELSEWHERE2");
const PAID: (&str, &str) = ("INMX3P7GON8LKR0RHNAR", "T3");

fn link(shop: &Daemon) -> redis::Connection {
    let client = redis::Client::open(format!("unix://{}", shop.data.join("redis/redis.sock").display())).unwrap();
    client.get_connection().unwrap()
}

/// The one name of that kind of an order.
fn name(shop: &Daemon, kind: &str, id: &str) -> String {
    let names: Vec<String> = redis::cmd("KEYS").arg(format!("t1:*:{kind}:{id}")).query(&mut link(shop)).unwrap();
    assert_eq!(names.len(), 1, "{names:?}");
    names[0].clone()
}

/// The mark in a payment's record.
fn mark(shop: &Daemon, id: &str, payment: &str) -> String {
    let record: Option<String> =
        redis::cmd("HGET").arg(name(shop, "pay", id)).arg(payment).query(&mut link(shop)).unwrap();
    let record = record.unwrap_or_else(|| panic!("no {payment} with {id}"));
    record.split('|').nth(4).unwrap().trim_start_matches(|c: char| c.is_ascii_digit()).to_owned()
}

/// Gives an order's payment back at the gateway, which knows it under that number.
fn refund(shop: &Daemon, gateway: &Gateway, id: &str, number: &str) {
    let refund = ["order", "refund", id, "--gateway", "--reason", "asked for it"];
    assert_eq!(shop.json(&refund, "")["result"], "refunded");
    assert_eq!(gateway.payment(number).refunded.len(), 1, "{id} {number}");
}

/// The address of a callback that the gateway's key signed just now.
fn callback(gate: &Channels, number: &str, trade_no: &str) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let payment = Payment::new(number, trade_no, Money { minor: 990, currency: Currency::CNY }, "gate");
    format!("/pay/gate/notify?{}", gate.get("gate").unwrap().forge(&payment, u64::try_from(now).unwrap()).query)
}

/// The shop of the fixture, its gateway, and what signs as that.
async fn opened(data: &Path) -> (Daemon, Arc<Gateway>, Channels) {
    copy_private(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/data-stated"), data);
    let gateway = Gateway::start(Family::EpayV2).await;
    let more = format!("[channel.gate]\n{}\n{}\n", settings(&gateway, data), signing(&gateway, data));
    // It is a copy, and it is the shop: said as an operator says it.
    let shop = Daemon::launched(data, &more, "export KAMID_MOVED=1 KAMID_LOG=info\nexec \"$@\"\n");
    (shop, gateway, channels(&more, data))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_stated_before_there_were_marks_is_known_as_stated() {
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    let (mut shop, gateway, gate) = opened(&folder.path().join("d")).await;
    let said = std::fs::read_to_string(shop.data.join("log")).unwrap();
    assert!(said.contains("layout is raised"), "{said}");
    shop.audit();
    for (id, trade_no) in [STATED, ADOPTED, PAID] {
        assert_eq!(mark(&shop, id, &format!("gate|{trade_no}")), "", "it is as it was written");
        // Its callback, once more, buys nothing.
        let again = callback(&gate, &format!("{id}01"), trade_no);
        assert_eq!(shop.send(&again).await, (200, "success".to_owned()));
    }
    // The same adoption again finds it done; for another order it is refused.
    let other = shop.order_through("pay", "card", 1).await;
    let adopt = |order: &str| shop.cli(&["orphan", "adopt", "ELSEWHERE2", "gate|2026ELSEWHERE2", "--order", order], "");
    assert!(adopt(ADOPTED.0).status.success() && !adopt(&other).status.success());
    assert_eq!(shop.state(&other).await, "pending");
    // Nor is it taken for another order's.
    let mark_paid = ["order", "mark-paid", &other, "--trade-no", STATED.1, "--reason", "x"];
    assert!(!shop.cli(&mark_paid, "").status.success());
    // The gateway knows the two under its own numbers alone, and the third under ours alone.
    for number in ["ELSEWHERE1", "ELSEWHERE2", &format!("{}01", PAID.0)] {
        gateway.bought(number, "9.90");
    }
    refund(&shop, &gateway, STATED.0, "ELSEWHERE1");
    assert!(shop.stop());
    shop.run();
    refund(&shop, &gateway, ADOPTED.0, "ELSEWHERE2");
    refund(&shop, &gateway, PAID.0, &format!("{}01", PAID.0));
    shop.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_stated_since_is_known_by_its_mark_whatever_the_history_says() {
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    let (shop, gateway, gate) = opened(&folder.path().join("d")).await;
    for number in ["NEW1", "NEW2", "NEW3"] {
        gateway.bought(number, "9.90");
    }
    let orphan = async |number: &str| {
        let told = callback(&gate, number, &format!("2026{number}"));
        assert_eq!(shop.send(&told).await.0, 400);
    };
    let adopt = |number: &str, order: &str| {
        let payment = format!("gate|2026{number}");
        shop.json(&["orphan", "adopt", number, &payment, "--order", order], "")["result"].clone()
    };
    let forget = |id: &str| redis::cmd("HDEL").arg(name(&shop, "order", id)).arg("log").exec(&mut link(&shop)).unwrap();
    // Stated.
    let (stated, _) = ordered(&shop).await;
    let mark_paid = ["order", "mark-paid", &stated, "--trade-no", "2026NEW1", "--reason", "seen in its console"];
    assert_eq!(shop.json(&mark_paid, "")["result"], "delivered");
    assert_eq!(mark(&shop, &stated, "gate|2026NEW1"), "s");
    forget(&stated);
    refund(&shop, &gateway, &stated, "NEW1");
    // Adopted.
    let (adopted, _) = ordered(&shop).await;
    orphan("NEW2").await;
    assert_eq!(mark(&shop, "NEW2", "gate|2026NEW2"), "t");
    assert_eq!(adopt("NEW2", &adopted), json!("delivered"));
    assert_eq!(
        (mark(&shop, "NEW2", "gate|2026NEW2"), mark(&shop, &adopted, "gate|2026NEW2")),
        ("t".into(), "s".into())
    );
    forget(&adopted);
    refund(&shop, &gateway, &adopted, "NEW2");
    // Told by the gateway, with a second payment that a person counted for the same order.
    let (told, number) = ordered(&shop).await;
    assert_eq!(shop.send(&callback(&gate, &number, "T9")).await, (200, "success".to_owned()));
    orphan("NEW3").await;
    // The word that is answered is the order's, where the outbox was quicker.
    assert!([json!("extra"), json!("delivered")].contains(&adopt("NEW3", &told)));
    assert_eq!((mark(&shop, &told, "gate|T9"), mark(&shop, &told, "gate|2026NEW3")), ("t".into(), "s".into()));
    let history = shop.admin(&format!("/v1/orders/{told}")).await["history"].clone();
    assert_eq!(history[0]["action"], "adopt", "{history}");
    // The gateway knows it under our number, and nothing as T9.
    gateway.pay(&number);
    refund(&shop, &gateway, &told, &number);
    shop.audit();
}
