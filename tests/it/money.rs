//! What must hold of money and keys, over HTTP against real daemons.

use futures_util::future::join_all;

use serde_json::json;

use crate::support::shop::{CHANNEL, Daemon, channels, forged};

const OK: (u16, &str) = (200, "success");

fn is(answer: &(u16, String), wanted: (u16, &str)) {
    assert_eq!((answer.0, answer.1.as_str()), wanted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_identical_callbacks_at_once_over_two_daemons_give_one_set_of_keys() {
    let first = Daemon::start("");
    first.product("eight", &[], 400);
    let second = first.second();
    for round in 0..200 {
        let id = first.order("eight", 2).await;
        let path = first.callback(&format!("{id}01"), &format!("T{round}"), 1980);
        let answers = join_all((0..8).map(|n| if n % 2 == 0 { first.send(&path) } else { second.send(&path) })).await;
        answers.iter().for_each(|answer| is(answer, OK));
        assert_eq!(first.admin(&format!("/v1/orders/{id}?keys=true")).await["keys"].as_array().unwrap().len(), 2);
    }
    assert_eq!(first.admin("/v1/products/eight").await["stock"]["given"], 400);
    first.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_payments_than_keys_are_owed_in_the_order_of_payment_and_restock_settles_them() {
    let shop = Daemon::start("");
    shop.product("scarce", &["--take", "payment"], 3);
    let mut ids = Vec::new();
    for _ in 0..8 {
        ids.push(shop.order("scarce", 1).await);
    }
    for (at, id) in ids.iter().enumerate() {
        is(&shop.pay(id, &format!("S{at}"), 990).await, OK);
        assert_eq!(shop.state(id).await, if at < 3 { "delivered" } else { "owed" });
    }
    shop.import("scarce", 100, 2);
    let mut states = Vec::new();
    for id in &ids {
        states.push(shop.state(id).await);
    }
    assert_eq!(states, ["delivered", "delivered", "delivered", "delivered", "delivered", "owed", "owed", "owed"]);
    shop.import("scarce", 200, 10);
    assert_eq!(shop.state(&ids[7]).await, "delivered");
    shop.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_payments_are_on_record_and_shown_to_a_person() {
    let shop = Daemon::start("");
    shop.product("odd", &[], 10);
    let wrong = shop.order("odd", 1).await;
    is(&shop.pay(&wrong, "W1", 1).await, OK);
    assert_eq!(shop.state(&wrong).await, "held");
    is(&shop.pay(&wrong, "W2", 990).await, OK);
    assert_eq!(shop.state(&wrong).await, "delivered");
    let twice = shop.order("odd", 1).await;
    is(&shop.pay(&twice, "D1", 990).await, OK);
    is(&shop.pay(&twice, "D2", 990).await, OK);
    let late = shop.order("odd", 1).await;
    let paid = shop.json(
        &[
            "order",
            "pay",
            shop.json(&["order", "new", "odd", "--channel", "sandbox"], "")["id"].as_str().unwrap(),
            "--late",
        ],
        "",
    );
    assert_eq!(paid["state"], "delivered");
    is(&shop.send(&shop.callback("KO251123160000L7U2REDP", "U1", 990)).await, (400, "fail"));
    is(&shop.send(&shop.callback("no-such-number", "U2", 990)).await, (400, "fail"));
    // Adopted for an order that waits.
    let adopted = shop.json(&["orphan", "adopt", "no-such-number", "pay|U2", "--order", &late], "");
    assert_eq!(adopted["result"], "delivered");
    let waiting = shop.admin("/v1/orphans").await;
    let mut kinds: Vec<String> =
        waiting["payments"].as_array().unwrap().iter().map(|p| p["payment"].as_str().unwrap().to_owned()).collect();
    kinds.sort();
    assert_eq!(kinds, ["pay|D2", "pay|U1", "pay|W1"]);
    let idle = shop.order("odd", 1).await;
    assert_eq!(shop.json(&["order", "expire", &idle, "--reason", "changed his mind"], "")["result"], "expired");
    let shown = shop.admin(&format!("/v1/orders/{idle}")).await;
    assert_eq!(
        (shown["state"].as_str(), shown["history"][0]["reason"].as_str()),
        (Some("expired"), Some("changed his mind"))
    );
    assert!(!shop.cli(&["order", "expire", &idle, "--reason", "again"], "").status.success());
    let reasons = shop.admin("/v1/incidents?reason=order_unknown").await;
    assert_eq!(reasons["incidents"].as_array().unwrap().len(), 2);
    assert_eq!(shop.json(&["orphan", "refund", &twice, "pay|D2"], "")["result"], "refunded");
    shop.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_rounds_of_kill_9_lose_no_payment_and_sell_no_key_twice() {
    let mut shop = Daemon::start("");
    shop.product("kill", &[], 3000);
    let mut acknowledged = Vec::new();
    for round in 0..10 {
        let mut ids = Vec::new();
        for _ in 0..60 {
            ids.push(shop.order("kill", 1).await);
        }
        let shop_ref = &shop;
        let pays = ids.iter().map(|id| async move { shop_ref.pay(id, &format!("K{round}-{id}"), 990).await });
        let strike = async {
            tokio::time::sleep(std::time::Duration::from_millis(5 + 7 * round)).await;
            shop.kill_redis();
        };
        let (answers, ()) = tokio::join!(join_all(pays), async {
            if round % 2 == 0 {
                strike.await
            }
        });
        for (id, answer) in ids.into_iter().zip(answers) {
            if answer.0 == 200 {
                acknowledged.push(id);
            } else {
                assert_eq!(answer.0, 503, "{answer:?}");
            }
        }
        if round % 2 == 1 {
            shop.kill();
            shop.run();
        }
        ready(&shop).await;
    }
    assert!(!acknowledged.is_empty());
    for id in &acknowledged {
        assert_eq!(shop.state(id).await, "delivered");
    }
    shop.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_attempt_of_an_order_may_be_paid_with_what_is_due_for_it() {
    let shop = Daemon::start(&CHANNEL.replace("channel.pay", "channel.other").replace("1001", "2002"));
    shop.product("ways", &[], 10);
    let wish = json!({"product": "ways", "quantity": 1, "contact": "a@example.test", "channel": "pay"});
    let (status, first) = shop.post("/v1/orders", &wish).await;
    assert_eq!(status, 201, "{first}");
    let (id, token) = (first["id"].as_str().unwrap(), first["token"].as_str().unwrap());
    let again = format!("/v1/orders/{id}/pay?token={token}");
    let (status, second) = shop.post(&again, &json!({"channel": "other"})).await;
    assert_eq!((status, second["payment_no"].as_str()), (201, Some(format!("{id}02").as_str())));
    assert!(second["pay"]["url"].as_str().unwrap().contains("pid=2002"));
    assert_eq!(shop.post(&format!("/v1/orders/{id}/pay?token=x"), &json!({"channel": "other"})).await.0, 404);
    assert_eq!(shop.post(&again, &json!({"channel": "nobody"})).await.0, 400);
    // Each number is bound to its own attempt's channel: the other's money for it is nobody's order.
    is(&shop.send(&shop.callback_of("other", &format!("{id}01"), "E0", 990)).await, (400, "fail"));
    assert_eq!(shop.state(id).await, "pending");
    is(&shop.send(&shop.callback(&format!("{id}01"), "E1", 990)).await, OK);
    assert_eq!(shop.state(id).await, "delivered");
    is(&shop.send(&shop.callback_of("other", &format!("{id}02"), "E2", 990)).await, OK);
    assert_eq!(shop.post(&again, &json!({"channel": "pay"})).await.0, 409, "nothing is left to pay");
    let waiting = shop.admin("/v1/orphans").await;
    let mut kinds: Vec<String> =
        waiting["payments"].as_array().unwrap().iter().map(|p| p["kind"].to_string()).collect();
    kinds.sort();
    assert_eq!(kinds, ["\"extra\"", "\"orphan\""]);
    assert_eq!(shop.admin("/v1/products/ways").await["stock"]["given"], 1);
    shop.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_currency_is_held_and_another_account_is_refused() {
    let other = CHANNEL.replace("channel.pay", "channel.usd");
    let mut shop = Daemon::start(&other);
    shop.product("abroad", &[], 10);
    let id = shop.order_through("usd", "abroad", 1).await;
    // The account's currency was written down wrong, and is mended while the order waits.
    assert!(shop.stop());
    let file = shop.data.join("config.toml");
    let text = std::fs::read_to_string(&file).unwrap().replace(&other, &format!("{other}currency = \"USD\"\n"));
    std::fs::write(&file, text).unwrap();
    shop.run();
    let wish = json!({"product": "abroad", "contact": "x", "channel": "usd"});
    let (status, refused) = shop.post("/v1/orders", &wish).await;
    assert_eq!((status, refused["field"].as_str()), (400, Some("channel")), "no order that could only be held");
    is(&shop.send(&shop.callback_of("usd", &format!("{id}01"), "C1", 990)).await, OK);
    let order = shop.admin(&format!("/v1/orders/{id}")).await;
    assert_eq!((order["state"].as_str(), order["why"].as_str()), (Some("held"), Some("currency_mismatch")));
    assert_eq!(shop.json(&["order", "approve", &id, "--reason", "the rate fits"], "")["result"], "delivered");
    // The same key, another account: signed well, and not for us.
    let id = shop.order("abroad", 1).await;
    let theirs = channels(&CHANNEL.replace("1001", "1002"), &shop.data);
    let path = format!("/pay/pay/notify?{}", forged(&theirs, "pay", &format!("{id}01"), "M1", 990));
    is(&shop.send(&path).await, (400, "fail"));
    assert_eq!(shop.state(&id).await, "pending");
    shop.incidents("merchant_mismatch", 1).await;
    shop.incidents("held", 1).await;
    shop.audit();
}

async fn ready(shop: &Daemon) {
    for _ in 0..1000 {
        if shop.admin("/v1/info").await["ready"] == true && shop.admin("/v1/orphans").await["payments"].is_array() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("not ready again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_daemon_on_the_same_data_is_refused() {
    let shop = Daemon::start("");
    let second = shop.cli(&["serve"], "");
    assert!(!second.status.success());
    assert!(String::from_utf8_lossy(&second.stderr).contains(&format!("another kamid (pid {})", shop.pid())));
}
