//! What is bounded, over HTTP against real daemons: forgers, sizes, memory, repeated requests.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::redis::TestRedis;
use crate::support::shop::Daemon;

fn from(address: [u8; 4]) -> reqwest::Client {
    let local = IpAddr::V4(Ipv4Addr::from(address));
    reqwest::Client::builder().no_proxy().local_address(local).timeout(Duration::from_secs(20)).build().unwrap()
}

async fn status(client: &reqwest::Client, url: &str, forwarded: Option<&str>) -> u16 {
    let mut request = client.get(url);
    if let Some(address) = forwarded {
        request = request.header("x-forwarded-for", address);
    }
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forger_is_stopped_and_the_honest_gateway_is_not() {
    let shop = Daemon::start("[limits]\nrejected_per_minute = 20\n");
    shop.product("busy", &[], 300);
    let (honest, forger) = (from([127, 0, 0, 1]), from([127, 0, 0, 2]));
    let forged = format!(
        "{}{}",
        shop.public,
        shop.callback("KO251123160000L7U2REDP", "F1", 990).replace("money=9.9", "money=0.0")
    );
    let mut stopped = 0;
    for round in 0..300u32 {
        let id = shop.order("busy", 1).await;
        let honest_url = format!("{}{}", shop.public, shop.callback(&format!("{id}01"), &format!("H{round}"), 990));
        assert_eq!(status(&honest, &honest_url, None).await, 200);
        // A forged header of an untrusted peer changes nothing: the peer itself is counted.
        let claimed = format!("10.1.{}.{}", round / 250, round % 250);
        match status(&forger, &forged, Some(&claimed)).await {
            400 => {}
            429 => stopped += 1,
            other => panic!("{other}"),
        }
    }
    assert!(stopped > 200, "only {stopped} of 300 forgeries were stopped");
    let incidents = shop.admin("/v1/incidents?reason=bad_signature").await;
    let listed = incidents["incidents"].as_array().unwrap();
    assert!(!listed.is_empty() && listed.iter().all(|incident| incident["address"] == "127.0.0.2"));
    assert_eq!(shop.incidents("address_blocked", 1).await[0]["address"], "127.0.0.2", "told once, not each time");
}

/// Everybody can make a gateway's console send tests, and several merchants share one gateway: what is refused from its address
/// must not shut out what is genuine, and a stranger's address is still shut out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_make_a_gateway_send_does_not_shut_its_genuine_callbacks_out() {
    let shop = Daemon::start("[limits]\nrejected_per_minute = 20\n");
    shop.product("shared", &[], 10);
    let (gateway, stranger) = (from([127, 0, 0, 3]), from([127, 0, 0, 4]));
    let forged = format!("{}/pay/pay/notify?sign=0&out_trade_no=X", shop.public);
    let genuine = async |n: u32| {
        let id = shop.order("shared", 1).await;
        let url = format!("{}{}", shop.public, shop.callback(&format!("{id}01"), &format!("G{n}"), 990));
        (status(&gateway, &url, None).await, shop.state(&id).await, url)
    };
    let (answer, state, first) = genuine(0).await;
    assert_eq!((answer, state.as_str()), (200, "delivered"));
    for n in 0..150 {
        assert_eq!(status(&gateway, &forged, None).await, 400, "{n}");
    }
    let (answer, state, _) = genuine(1).await;
    assert_eq!((answer, state.as_str()), (200, "delivered"));
    let told = shop.incidents("gateway_misused", 1).await.remove(0);
    assert_eq!(told["address"], "127.0.0.3", "told once");
    shop.incidents("address_blocked", 0).await;
    // Who repeats a callback that he got hold of is no gateway for it.
    assert_eq!(status(&stranger, &first, None).await, 200);
    let mut heard = Vec::new();
    for _ in 0..30 {
        heard.push(status(&stranger, &forged, None).await);
    }
    assert!(heard.contains(&429), "{heard:?}");
    assert_eq!(shop.incidents("address_blocked", 1).await[0]["address"], "127.0.0.4");
    // What an operator shut out stays out.
    shop.json(&["address", "block", "127.0.0.3", "--reason", "x", "--force"], "");
    assert_eq!(genuine(2).await.0, 429);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_past_its_limits_gets_an_answer_and_a_counted_reason() {
    let shop = Daemon::start("[limits]\nrejected_per_minute = 1000\n");
    let long = "A".repeat(20_000);
    for (path, reason) in [
        (format!("/pay/pay/notify?name={long}"), "too_large"),
        ("/pay/pay/notify?a=1&a=2".to_owned(), "duplicate_parameter"),
        ("/pay/pay/notify?a=%00".to_owned(), "malformed"),
        ("/pay/pay/notify?a=%ff".to_owned(), "non_utf8"),
        ("/pay/pay/notify".to_owned(), "missing_signature"),
    ] {
        assert_eq!(shop.send(&path).await, (400, "fail".to_owned()), "{reason}");
        let found = shop.admin(&format!("/v1/incidents?reason={reason}")).await;
        assert_eq!(found["incidents"].as_array().unwrap().len(), 1, "{reason}");
    }
    let body =
        shop.http.post(format!("{}/pay/pay/notify", shop.public)).body("x".repeat(100_000)).send().await.unwrap();
    assert_eq!((body.status().as_u16(), body.text().await.unwrap().as_str()), (400, "fail"));
    let mut many = shop.http.get(format!("{}/healthz", shop.public));
    for n in 0..200 {
        many = many.header(format!("x-{n}"), "1");
    }
    assert_eq!(many.send().await.unwrap().status().as_u16(), 431);
    assert_eq!(shop.send("/pay/nobody/notify").await, (404, "fail".to_owned()));
    assert_eq!(shop.incidents("no_such_channel", 1).await[0]["channel"], "nobody");
}

/// Orders of one product by these contacts from these addresses, one key each: their statuses.
async fn orders(shop: &Daemon, product: &str, buyers: &[(&str, [u8; 4], u32)]) -> Vec<u16> {
    let mut statuses = Vec::new();
    for (contact, address, quantity) in buyers {
        let wish = json!({"product": product, "quantity": quantity, "contact": contact, "channel": "pay"});
        let url = format!("{}/v1/orders", shop.public);
        statuses.push(from(*address).post(url).json(&wish).send().await.unwrap().status().as_u16());
    }
    statuses
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_product_is_sold_within_its_window_and_within_each_buyers_allowance() {
    let shop = Daemon::start("");
    let (here, there) = ([127, 0, 0, 1], [127, 0, 0, 9]);
    shop.product("later", &["--sale-from", "2999-01-01T00:00:00+08:00"], 5);
    shop.product("over", &["--sale-until", "2020-01-01T00:00:00+08:00"], 5);
    shop.product("now", &["--sale-from", "2020-01-01T00:00:00Z", "--sale-until", "2999-01-01T00:00:00Z"], 5);
    for (product, status) in [("later", 409), ("over", 409), ("now", 201)] {
        assert_eq!(orders(&shop, product, &[("a", here, 1)]).await, [status], "{product}");
    }
    shop.json(&["product", "set", "later", "--sale-from", "none"], "");
    assert_eq!(orders(&shop, "later", &[("a", here, 1)]).await, [201]);
    shop.product("few", &["--per-contact", "3/24h", "--per-order", "3"], 50);
    // Four of one order, then two and two of one contact, wherever it comes from; another contact is another.
    let wanted = [("a", here, 4), ("a", here, 2), ("a", there, 2), ("a", there, 1), ("b", here, 3)];
    assert_eq!(orders(&shop, "few", &wanted).await, [400, 201, 429, 201, 201]);
    shop.product("local", &["--per-address", "2/24h"], 50);
    assert_eq!(orders(&shop, "local", &[("c", here, 2), ("d", here, 1), ("e", there, 2)]).await, [201, 429, 201]);
    // What was refused reserves nothing.
    assert_eq!(shop.admin("/v1/products/few").await["stock"]["reserved"], 6);
    shop.audit();
}

async fn order(shop: &Daemon, key: Option<&str>, contact: &str) -> (u16, Value) {
    let wish = json!({"product": "idem", "quantity": 1, "contact": contact, "channel": "pay"});
    let mut request = shop.http.post(format!("{}/v1/orders", shop.public)).json(&wish);
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idempotency_key_makes_one_order_and_unpaid_orders_are_capped() {
    let shop = Daemon::start("[limits]\nunpaid_per_contact = 2\n");
    shop.product("idem", &[], 10);
    let (status, first) = order(&shop, Some("k-1"), "a@example.test").await;
    assert_eq!(status, 201, "{first}");
    assert_eq!(order(&shop, Some("k-1"), "a@example.test").await, (201, first.clone()));
    assert_eq!(order(&shop, Some("k-1"), "b@example.test").await.0, 422);
    assert_eq!(order(&shop, None, "a@example.test").await.0, 201);
    let (status, refused) = order(&shop, None, "a@example.test").await;
    assert_eq!((status, refused["code"].as_str()), (429, Some("limit_reached")));
    let id = first["id"].as_str().unwrap();
    let missing = shop.send(&format!("/v1/orders/{}?token=x", "0".repeat(20))).await;
    let wrong = shop.send(&format!("/v1/orders/{id}?token=x")).await;
    assert_eq!(missing, wrong);
    assert_eq!(wrong.0, 404);
    let seen = shop.send(&format!("/v1/orders/{id}?token={}", first["token"].as_str().unwrap())).await;
    assert_eq!(seen.0, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_redis_takes_payments_but_no_new_orders_and_one_that_is_gone_answers_503() {
    let mut redis = TestRedis::start();
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    let shop = Daemon::at(&folder.path().join("d"), &format!("[store]\nurl = \"{}\"\n", redis.url()));
    shop.product("full", &[], 20);
    let (first, second) = (shop.order("full", 1).await, shop.order("full", 1).await);
    let limit = |value: String| {
        let client = redis::Client::open(redis.url()).unwrap();
        let mut link = client.get_connection().unwrap();
        redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(value).exec(&mut link).unwrap();
    };
    limit("1mb".to_owned());
    for _ in 0..200 {
        if !shop.admin("/v1/info").await["full"].is_null() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let refused = shop.cli(&["order", "new", "full", "--channel", "pay"], "");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("no new orders or keys for now"));
    let refused = shop.cli(&["keys", "import", "full", "-"], "NEW-KEY\n");
    assert!(!refused.status.success());
    assert_eq!(shop.pay(&first, "M1", 990).await, (200, "success".to_owned()));
    limit("0".to_owned());
    redis.kill();
    assert_eq!(shop.pay(&second, "M2", 990).await, (503, "fail".to_owned()));
    redis.restart();
    let mut answer = (0, String::new());
    for _ in 0..200 {
        answer = shop.pay(&second, "M2", 990).await;
        if answer.0 == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(answer, (200, "success".to_owned()));
    for id in [&first, &second] {
        assert_eq!(shop.state(id).await, "delivered");
    }
    shop.audit();
}
