//! One payment buys once: through whatever channels of its account it comes, and whoever counts it for an order at once.

use futures_util::future::join;
use kamid::domain::{Currency, Money, Payment, ReviewKind};
use kamid::settings::Secret;
use kamid::store::{Finish, ReviewItem, Store};
use kamid::top::ask::{Ask, Received};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::shop::{CHANNEL, Daemon};

/// A number that no order has.
const NOBODY: &str = "order-of-another-shop";

/// Another channel of the account of `pay`.
fn twin() -> String {
    CHANNEL.replace("channel.pay", "channel.twin")
}

/// A store on a daemon's Redis, beside the daemon.
async fn store(shop: &Daemon) -> Store {
    let config = kamid::config::StoreConfig {
        url: kamid::config::StoreUrl::Remote(Secret::new(format!(
            "unix://{}",
            shop.data.join("redis/redis.sock").display()
        ))),
        redis_server: String::new(),
        durability: kamid::config::Durability::Strict,
        replicas: 0,
        connections: 1,
        timeout_ms: 5000,
        ca: None,
        memory_mb: 0,
    };
    Store::connect(&config, None, true).await.expect("the store connects")
}

async fn adopt(shop: &Daemon, id: &str, payment: &str, order: &str) -> (u16, Value) {
    let wish = json!({"id": id, "payment": payment, "order": order});
    shop.ask(Method::POST, "/v1/orphans/adopt", Some(&wish)).await
}

async fn refund(shop: &Daemon, id: &str, payment: &str) -> (u16, Value) {
    shop.ask(Method::POST, "/v1/orphans/refund", Some(&json!({"id": id, "payment": payment}))).await
}

/// What waits for a person: number and payment.
async fn lane(shop: &Daemon) -> Vec<(String, String)> {
    let list = shop.admin("/v1/orphans").await;
    let text = |it: &Value, name: &str| it[name].as_str().unwrap_or_default().to_owned();
    list["payments"].as_array().unwrap().iter().map(|it| (text(it, "id"), text(it, "payment"))).collect()
}

/// Waits until the lane is as long as that.
async fn lane_of(shop: &Daemon, length: usize) -> Vec<(String, String)> {
    let began = std::time::Instant::now();
    loop {
        let now = lane(shop).await;
        if now.len() == length {
            return now;
        }
        assert!(began.elapsed().as_secs() < 30, "{now:?}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// Waits until an order stands there.
async fn becomes(shop: &Daemon, id: &str, state: &str) {
    let began = std::time::Instant::now();
    while shop.state(id).await != state {
        assert!(began.elapsed().as_secs() < 30, "{id} is {}", shop.state(id).await);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parameters_replayed_at_another_channel_of_the_account_buy_nothing_more() {
    // The same account once more, and once under another address of its gateway.
    let moved = CHANNEL.replace("channel.pay", "channel.moved").replace("://", "://www.");
    let shop = Daemon::start(&format!("{}{moved}", twin()));
    shop.product("once", &[], 20);
    for (at, other) in ["twin", "moved"].into_iter().enumerate() {
        let (id, next) = (shop.order("once", 1).await, shop.order("once", 1).await);
        let replay = |id: &str, trade: &str| shop.callback_of(other, &format!("{id}01"), trade, 990);
        // Settled, then replayed.
        assert_eq!(shop.pay(&id, &format!("A{at}"), 990).await.0, 200);
        assert_eq!(shop.send(&replay(&id, &format!("A{at}"))).await.0, 200, "{other}: it is known");
        assert_eq!(lane(&shop).await, []);
        // Replayed first, as by a buyer's browser that comes back before the gateway calls.
        assert_eq!(shop.send(&replay(&next, &format!("B{at}"))).await.0, 400, "{other}");
        assert_eq!(lane(&shop).await, [(next.clone(), format!("{other}|B{at}"))]);
        assert_eq!(shop.pay(&next, &format!("B{at}"), 990).await.0, 200);
        assert_eq!(lane(&shop).await, [], "{other}: nobody is offered it once more");
        let third = shop.order("once", 1).await;
        assert_eq!(adopt(&shop, &next, &format!("{other}|B{at}"), &third).await.0, 404);
        assert_eq!(shop.state(&third).await, "pending");
    }
    shop.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_that_an_order_has_is_neither_adopted_nor_refunded_under_another_number() {
    let shop = Daemon::start(&twin());
    shop.product("known", &[], 20);
    for (at, channel) in ["pay", "twin"].into_iter().enumerate() {
        let (id, other) = (shop.order("known", 1).await, shop.order("known", 1).await);
        assert_eq!(shop.pay(&id, &format!("K{at}"), 990).await.0, 200);
        // Before the outbox tells of it, and after.
        let foreign = shop.callback_of(channel, NOBODY, &format!("K{at}"), 990);
        assert_eq!(shop.send(&foreign).await.0, 400);
        let payment = format!("{channel}|K{at}");
        let (adopted, refunded) = join(adopt(&shop, NOBODY, &payment, &other), refund(&shop, NOBODY, &payment)).await;
        assert_eq!((adopted.0, refunded.0), (409, 409), "{adopted:?} {refunded:?}");
        assert_eq!(shop.state(&other).await, "pending");
        lane_of(&shop, 0).await;
        assert_eq!(shop.send(&foreign).await.0, 200, "it counts for {id}");
        // Nor may it be stated as another order's.
        let stated = ["order", "mark-paid", &other, "--trade-no", &format!("K{at}"), "--reason", "x"];
        assert!(!shop.cli(&stated, "").status.success());
    }
    shop.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_orphan_adopted_on_two_daemons_at_once_delivers_one_order() {
    let first = Daemon::start("");
    first.product("race", &[], 60);
    let second = first.second();
    for round in 0..12 {
        let (one, other) = (first.order("race", 1).await, first.order("race", 1).await);
        let (number, trade) = (format!("{NOBODY}{round}"), format!("R{round}"));
        assert_eq!(first.send(&first.callback(&number, &trade, 990)).await.0, 400);
        let payment = format!("pay|{trade}");
        let answers = join(adopt(&first, &number, &payment, &one), adopt(&second, &number, &payment, &other)).await;
        let mut codes = [answers.0.0, answers.1.0];
        codes.sort_unstable();
        assert_eq!(codes, [200, 409], "round {round}: {answers:?}");
        let won = if answers.0.0 == 200 { (&one, &other) } else { (&other, &one) };
        assert_eq!((first.state(won.0).await.as_str(), first.state(won.1).await.as_str()), ("delivered", "pending"));
        // Who won may say so again, on either daemon.
        for shop in [&first, &second] {
            assert_eq!(
                adopt(shop, &number, &payment, won.0).await,
                (200, json!({"order": won.0, "result": "delivered"}))
            );
        }
        assert_eq!(refund(&second, &number, &payment).await.0, 409);
    }
    assert_eq!(lane(&first).await, []);
    assert_eq!(first.admin("/v1/products/race").await["stock"]["given"], 12);
    first.audit();
}

/// The same trade number waits under two numbers: it is one payment. Who is told that somebody else counts it may find their
/// order delivered all the same, since the outbox finishes what they began; but there is one delivery, whoever makes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_orphans_of_one_trade_number_adopted_at_once_deliver_one_order() {
    let first = Daemon::start(&twin());
    first.product("twice", &[], 60);
    let second = first.second_with(&twin());
    for round in 0..8u64 {
        let orders = [first.order("twice", 1).await, first.order("twice", 1).await];
        let numbers = [format!("{NOBODY}{round}"), format!("LP-other-{round}")];
        let payments = ["pay", "twin"].map(|channel| format!("{channel}|S{round}"));
        assert_eq!(first.send(&first.callback(&numbers[0], &format!("S{round}"), 990)).await.0, 400);
        assert_eq!(first.send(&first.callback_of("twin", &numbers[1], &format!("S{round}"), 990)).await.0, 400);
        let answers = join(
            adopt(&first, &numbers[0], &payments[0], &orders[0]),
            adopt(&second, &numbers[1], &payments[1], &orders[1]),
        )
        .await;
        let answers = [answers.0, answers.1];
        assert!(answers.iter().filter(|(code, _)| *code == 200).count() <= 1, "round {round}: {answers:?}");
        for ((code, told), order) in answers.iter().zip(&orders) {
            assert!([200, 409].contains(code), "round {round}: {answers:?}");
            assert!(*code == 409 || first.state(order).await == "delivered", "round {round}: {told}");
        }
        // Where both stood back, whoever asks again goes on, or the outbox did.
        let began = std::time::Instant::now();
        let delivered = loop {
            let states = [first.state(&orders[0]).await, first.state(&orders[1]).await];
            if let Some(at) = states.iter().position(|state| state == "delivered") {
                break at;
            }
            let again = adopt(&first, &numbers[0], &payments[0], &orders[0]).await;
            assert!([200, 409].contains(&again.0), "round {round}: {answers:?} {again:?}");
            assert!(began.elapsed().as_secs() < 20, "round {round}: nobody gets it: {answers:?} {again:?}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        };
        // It buys nothing more, however it is asked for.
        let other = 1 - delivered;
        for (number, payment) in numbers.iter().zip(&payments) {
            let again = adopt(&second, number, payment, &orders[other]).await;
            assert_eq!(again.0, 409, "round {round}: {answers:?} {again:?}");
        }
        assert_eq!(first.state(&orders[other]).await, "pending", "round {round}: {answers:?}");
        assert_eq!(first.admin("/v1/products/twice").await["stock"]["given"], round + 1);
    }
    first.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_adoption_that_a_kill_left_half_done_is_finished_once() {
    let mut shop = Daemon::start("");
    shop.product("half", &[], 20);
    let (id, other) = (shop.order("half", 1).await, shop.order("half", 1).await);
    assert_eq!(shop.send(&shop.callback(NOBODY, "H1", 990)).await.0, 400);
    // All that a daemon did that was killed between its two writes.
    let item = ReviewItem { kind: ReviewKind::Orphan, id: NOBODY.to_owned(), payment: "pay|H1".parse().ok(), since: 0 };
    let target = format!("{id}01");
    let log = "1|root|adopt|9.90 of it\n";
    store(&shop).await.finish_payment(&item, Finish::Adopted { target: &target, log }).await.unwrap();
    assert_eq!(adopt(&shop, NOBODY, "pay|H1", &other).await.0, 409);
    becomes(&shop, &id, "delivered").await;
    let history = shop.admin(&format!("/v1/orders/{id}")).await["history"].clone();
    assert_eq!((history[0]["by"].as_str(), history[0]["action"].as_str()), (Some("root"), Some("adopt")));
    assert_eq!(lane(&shop).await, []);
    // And kills at any moment: whoever asks again, and the outbox, make one delivery of each.
    for round in 0..6u64 {
        let id = shop.order("half", 1).await;
        let (number, trade) = (format!("{NOBODY}{round}"), format!("I{round}"));
        assert_eq!(shop.send(&shop.callback(&number, &trade, 990)).await.0, 400);
        let wish = json!({"id": number, "payment": format!("pay|{trade}"), "order": id});
        let url = shop.admin_at("/v1/orphans/adopt");
        let ask = shop.http.post(url.0).bearer_auth(url.1).json(&wish).send();
        let sent = tokio::spawn(ask);
        tokio::time::sleep(std::time::Duration::from_micros(400 + 700 * round)).await;
        shop.kill();
        let _answer = sent.await;
        shop.run();
        while !shop.is_ready().await {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let again = adopt(&shop, &number, &format!("pay|{trade}"), &id).await;
        assert_eq!((again.0, &again.1["result"]), (200, &json!("delivered")), "round {round}");
        assert_eq!(shop.admin("/v1/products/half").await["stock"]["given"], 2 + round);
    }
    shop.audit();
}

/// Gateways' numbers may look like ours: an order's, or a payment's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_found_by_whatever_number_somebody_has_of_it() {
    let shop = Daemon::start("");
    shop.product("find", &[], 4);
    for trade in ["20261130160031407991", "2026113016003140799122", "2026113016003140799"] {
        let id = shop.order("find", 1).await;
        assert_eq!(shop.pay(&id, trade, 990).await.0, 200);
        for text in [trade.to_owned(), id.clone(), format!("{id}01")] {
            let search = Ask::Search(text.clone());
            let began = std::time::Instant::now();
            loop {
                let mut answers = Vec::new();
                for request in search.requests() {
                    let query: Vec<String> =
                        request.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
                    answers.push(shop.admin(&format!("/{}?{}", request.path.join("/"), query.join("&"))).await);
                }
                let Ok(Received::Rows(rows)) = search.read(&answers) else { panic!("{answers:?}") };
                let found: Vec<String> = rows.into_iter().map(|row| row.id).collect();
                if found == [id.as_str()] {
                    break;
                }
                assert!(began.elapsed().as_secs() < 30, "{text}: {found:?} {answers:?}");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audit_finds_one_payment_settled_with_two_orders() {
    let shop = Daemon::start(&twin());
    shop.product("audit", &[], 20);
    let ids = [shop.order("audit", 1).await, shop.order_through("twin", "audit", 1).await];
    // As a version before could leave it: settled by a store that knows nothing of accounts.
    let paid = |(id, channel): (&String, &str)| {
        Payment::new(&format!("{id}01"), "D1", Money { minor: 990, currency: Currency::CNY }, channel)
    };
    let beside = store(&shop).await;
    for payment in ids.iter().zip(["pay", "twin"]).map(paid) {
        beside.settle(&payment, "").await.unwrap();
    }
    let said = shop.cli(&["audit", "--json"], "");
    let report: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!((&report["count"], &report["violations"][0]["kind"]), (&json!(1), &json!("trade_twice")), "{report}");
    shop.incidents("trade_twice", 1).await;
    let found = shop.admin("/v1/orders?trade_no=D1").await;
    assert_eq!(found["orders"].as_array().unwrap().len(), 2, "{found}");
}
