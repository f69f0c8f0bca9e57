//! What must hold of money and keys, over HTTP against real daemons.

use futures_util::future::join_all;

use crate::support::shop::Daemon;

const OK: (u16, &str) = (200, "success");

fn is(answer: &(u16, String), wanted: (u16, &str)) {
    assert_eq!((answer.0, answer.1.as_str()), wanted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_identical_callbacks_at_once_over_two_daemons_give_one_set_of_keys() {
    let first = Daemon::start("");
    first.product("eight", &[], 400);
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    let data = folder.path().join("e");
    std::fs::create_dir(&data).unwrap();
    // Two daemons of one shop share Redis and the key ring.
    std::fs::copy(first.data.join("ring.json"), data.join("ring.json")).unwrap();
    let second =
        Daemon::at(&data, &format!("[store]\nurl = \"unix://{}\"\n", first.data.join("redis/redis.sock").display()));
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

async fn ready(shop: &Daemon) {
    for _ in 0..1000 {
        if shop.admin("/v1/info").await["ready"] == true && shop.admin("/v1/products").await["products"].is_array() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("not ready again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_key_in_plain_text_anywhere_and_a_second_daemon_is_refused() {
    let mut shop = Daemon::start("");
    shop.product("secret", &[], 20);
    let id = shop.order("secret", 3).await;
    is(&shop.pay(&id, "P1", 2970).await, OK);
    let page = shop.json(&["order", "show", &id, "--keys"], "");
    assert_eq!(page["keys"].as_array().unwrap().len(), 3);
    let metrics = shop.cli(&["incident", "list"], "");
    assert!(metrics.status.success());
    let second = shop.cli(&["serve"], "");
    assert!(!second.status.success());
    assert!(String::from_utf8_lossy(&second.stderr).contains("another kamid (pid"));
    assert!(shop.stop());
    let mut files = vec![shop.data.clone()];
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            assert!(!bytes.windows(13).any(|part| part == b"PLAIN-secret-"), "a plain key in {}", path.display());
        }
    }
}
