//! What a gateway does when it is not heard: it calls again by its own schedule, and the shop delivers once.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use super::gates::{Gate, of_each_kind, started};
use super::whole::ordered;
use crate::support::delivery::{Attempt, Delivery, Line};
use crate::support::schedule::{self, Schedule};
use crate::support::shop::Daemon;

/// Keys that are available, reserved and given.
async fn stock(shop: &Daemon) -> [u64; 3] {
    let shown = shop.admin("/v1/products/card").await;
    ["available", "reserved", "given"].map(|name| shown["stock"][name].as_u64().unwrap())
}

/// The last call is heard, none before it; and repeats are the bytes that the gateway would send.
fn heard_at_last(schedule: &Schedule, attempts: &[Attempt]) {
    let (last, before) = attempts.split_last().unwrap();
    assert!(last.received && before.iter().all(|attempt| !attempt.received), "{}: {attempts:?}", schedule.kind);
    for pair in attempts.windows(2) {
        assert_eq!(pair[0].sent != pair[1].sent, schedule.anew, "{}: {}", schedule.kind, schedule.source);
    }
}

async fn heard(kind: &str) {
    let (gate, schedule) = (Gate::of(kind).await, schedule::of(kind));
    let mut shop = gate.shop();
    shop.product("card", &[], 5);
    // The shop is down when the gateway calls, and comes back while it repeats.
    let (id, number) = ordered(&shop).await;
    gate.simulator.pay(&number);
    shop.kill();
    let mut delivery = Delivery::new(gate.simulator.as_ref(), &number);
    assert_eq!(delivery.call(Line::Whole).await.unwrap().answer, None);
    let starting = tokio::spawn(started(shop));
    // Minutes are short here, and a start is not: the last call is kept for afterwards.
    while !starting.is_finished() && delivery.left() > 1 {
        delivery.call(Line::Whole).await;
    }
    let shop = starting.await.unwrap();
    heard_at_last(schedule, &delivery.rest().await);
    assert_eq!((shop.state(&id).await.as_str(), stock(&shop).await), ("delivered", [4, 0, 1]), "{kind}");
    // The shop hears the gateway, and the gateway does not hear the shop.
    let (id, number) = ordered(&shop).await;
    gate.simulator.pay(&number);
    let mut delivery = Delivery::new(gate.simulator.as_ref(), &number);
    delivery.call(Line::HungUp).await;
    delivery.call(Line::Lost).await;
    assert_eq!((shop.state(&id).await.as_str(), stock(&shop).await), ("delivered", [3, 0, 2]), "{kind}");
    let attempts = delivery.rest().await;
    assert_eq!(attempts.len(), 3, "{kind}: {attempts:?}");
    heard_at_last(schedule, &attempts);
    assert_eq!((shop.state(&id).await.as_str(), stock(&shop).await), ("delivered", [3, 0, 2]), "{kind}: one key");
    shop.audit();
}

of_each_kind!(heard: epay_v1 epay_v2 alipay wechat_v3 unionpay epusdt_md5 epusdt_gmpay bepusdt tokenpay coinbase_commerce
    btcpay stripe paypal standard_webhooks);

#[test]
fn every_kind_has_its_schedule() {
    let kinds = kamid::channel::KINDS.iter().filter(|kind| !kind.test_only).map(|kind| kind.name);
    let played = schedule::SCHEDULES.iter().map(|schedule| schedule.kind);
    assert_eq!(kinds.collect::<BTreeSet<_>>(), played.collect());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_gave_up_is_asked() {
    let gate = Gate::of("wechat_v3").await;
    let mut shop = gate.shop();
    shop.product("card", &[], 1);
    let (id, number) = ordered(&shop).await;
    gate.simulator.pay(&number);
    shop.kill();
    let attempts = Delivery::new(gate.simulator.as_ref(), &number).rest().await;
    assert!(attempts.len() == 16 && attempts.iter().all(|attempt| !attempt.received), "{attempts:?}");
    let shop = started(shop).await;
    assert_eq!(shop.json(&["order", "query", &id], "")["result"], "delivered");
    assert_eq!(stock(&shop).await, [0, 0, 1]);
    shop.audit();
}

/// The gateway waits as long as it does, and hangs up; what it said is read later, beside the repeat.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_that_stalls_is_called_again() {
    use rustix::process::{Pid, Signal, kill_process};
    let gate = Gate::of("tokenpay").await;
    let shop = gate.shop();
    shop.product("card", &[], 2);
    let (id, number) = ordered(&shop).await;
    gate.simulator.pay(&number);
    let pid = Pid::from_raw(shop.pid().cast_signed()).unwrap();
    let mut delivery = Delivery::new(gate.simulator.as_ref(), &number);
    kill_process(pid, Signal::STOP).unwrap();
    let told = delivery.call(Line::Whole).await.cloned();
    kill_process(pid, Signal::CONT).unwrap();
    assert_eq!(told.unwrap().answer, None);
    let attempts = delivery.rest().await;
    assert_eq!(attempts.len(), 2);
    heard_at_last(schedule::of("tokenpay"), &attempts);
    assert_eq!((shop.state(&id).await.as_str(), stock(&shop).await), ("delivered", [1, 0, 1]));
    shop.audit();
}

/// BTCPay's callback names no amount: its server is asked, and while that says nothing, the callback is not received.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callback_that_cannot_be_confirmed_is_repeated_until_it_can() {
    let gate = Gate::of("btcpay").await;
    let shop = gate.shop();
    shop.product("card", &[], 1);
    let (id, number) = ordered(&shop).await;
    gate.simulator.pay(&number);
    let down = &gate.coins.as_ref().unwrap().down;
    down.store(true, Ordering::Relaxed);
    let mut delivery = Delivery::new(gate.simulator.as_ref(), &number);
    for _ in 0..2 {
        let told = delivery.call(Line::Whole).await.unwrap();
        assert_eq!((told.answer.as_ref(), told.received), (Some(&(503, "fail".to_owned())), false));
    }
    assert_eq!(shop.state(&id).await, "pending");
    down.store(false, Ordering::Relaxed);
    let attempts = delivery.rest().await;
    assert_eq!(attempts.len(), 3);
    heard_at_last(schedule::of("btcpay"), &attempts);
    assert_eq!(stock(&shop).await, [0, 0, 1]);
    shop.audit();
}
