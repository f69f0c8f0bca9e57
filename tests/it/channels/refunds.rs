//! Money on its way back, cut at the worst moment: the gateway gave it back, and nobody heard that.

use std::sync::Arc;

use super::gates::started;
use super::whole::{ordered, settings};
use crate::support::delivery::Simulator as _;
use crate::support::gateway::{Family, Fate, Gateway};
use crate::support::shop::{Daemon, wait_for};

/// A delivered order: its number and its payment's.
async fn delivered(shop: &Daemon, gateway: &Gateway) -> (String, String) {
    let (id, number) = ordered(shop).await;
    gateway.pay(&number);
    gateway.call_back(&number).await;
    assert_eq!(shop.state(&id).await, "delivered");
    (id, number)
}

/// What `kamid order refund --gateway` says when it fails.
fn fails(shop: &Daemon, refund: &[&str]) -> String {
    let done = shop.cli(refund, "");
    assert!(!done.status.success());
    String::from_utf8(done.stderr).unwrap()
}

/// The same again: the gateway counts it once, and the order is refunded.
async fn again(shop: &Daemon, gateway: &Gateway, id: &str, number: &str) {
    let refund = ["order", "refund", id, "--gateway", "--reason", "asked for it"];
    assert_eq!(shop.json(&refund, "")["result"], "refunded", "{:?}", gateway.family);
    // UnionPay takes an order number once a day, and says no more: it is not asked for the refund again but about it.
    let asked = if gateway.family == Family::UnionPay { 1 } else { 2 };
    let payment = gateway.payment(number);
    assert_eq!((payment.refunded.len(), payment.refunds_asked), (1, asked), "{:?}", gateway.family);
    assert_eq!(shop.state(id).await, "refunded");
    assert!(!shop.cli(&refund, "").status.success(), "there is nothing left to give back");
    assert_eq!(gateway.payment(number).refunds_asked, asked);
}

async fn cut(family: Family) {
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    let data = folder.path().join("d");
    let gateway: Arc<Gateway> = Gateway::start(family).await;
    let mut shop = Daemon::at(&data, &format!("[channel.gate]\n{}\n", settings(&gateway, &data)));
    shop.product("card", &[], 5);
    // It never arrives; the same again does.
    let (id, number) = delivered(&shop, &gateway).await;
    gateway.next_answer(Fate::Deaf);
    let said = fails(&shop, &["order", "refund", &id, "--gateway", "--reason", "asked for it"]);
    assert!(said.contains(&format!("whether refund R{number} was made is not known")), "{said}");
    assert_eq!(gateway.payment(&number).refunds_asked, 0);
    assert_eq!(shop.json(&["order", "refund", &id, "--gateway", "--reason", "once more"], "")["result"], "refunded");
    assert_eq!(gateway.payment(&number).refunded.len(), 1);
    // The answer is lost.
    let (id, number) = delivered(&shop, &gateway).await;
    gateway.next_answer(Fate::Lost);
    let said = fails(&shop, &["order", "refund", &id, "--gateway", "--reason", "asked for it"]);
    assert!(said.contains(&format!("whether refund R{number} was made is not known")), "{said}");
    assert!(said.contains("do the same again, which gives nothing back twice"), "{said}");
    assert_eq!((gateway.payment(&number).refunded.len(), shop.state(&id).await.as_str()), (1, "delivered"));
    again(&shop, &gateway, &id, &number).await;
    // The daemon is killed while it waits for the answer.
    let (id, number) = delivered(&shop, &gateway).await;
    gateway.next_answer(Fate::Held);
    let refund = ["order", "refund", &id, "--gateway", "--reason", "asked for it"];
    std::thread::scope(|scope| {
        let pid = rustix::process::Pid::from_raw(shop.pid().cast_signed()).unwrap();
        let asking = scope.spawn(|| fails(&shop, &refund));
        wait_for("the refund", || (gateway.payment(&number).refunds_asked == 1).then_some(()));
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        asking.join().unwrap();
    });
    shop.wait();
    let shop = started(shop).await;
    assert_eq!((gateway.payment(&number).refunded.len(), shop.state(&id).await.as_str()), (1, "delivered"));
    again(&shop, &gateway, &id, &number).await;
    shop.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn epay_v1() {
    cut(Family::EpayV1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn epay_v2() {
    cut(Family::EpayV2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alipay() {
    cut(Family::Alipay).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wechat_v3() {
    cut(Family::WeChat).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unionpay() {
    cut(Family::UnionPay).await;
}
