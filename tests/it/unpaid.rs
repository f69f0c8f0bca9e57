//! Keys that are ordered and not paid for: what one visitor may hold, who is not concerned, and how it is taken back.

use std::time::Duration;

use kamid::domain::OrderId;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::shop::{Daemon, wait_for};

/// A shop behind a proxy that says who asks.
fn shop(settings: &str) -> Daemon {
    let server = "[server]\npublic = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\ntrusted_proxies = [\"127.0.0.0/8\"]\n";
    Daemon::start(&format!("{server}[limits]\norders_per_minute = 100000\n{settings}"))
}

struct Answer {
    status: u16,
    retry_after: Option<u64>,
    body: Value,
}

async fn wish(shop: &Daemon, address: &str, wish: &Value, lang: &str) -> Answer {
    let ask = shop.http.post(format!("{}/v1/orders", shop.public)).json(wish);
    let answer = ask.header("x-forwarded-for", address).header("accept-language", lang).send().await.unwrap();
    let retry_after = answer.headers().get("retry-after").map(|value| value.to_str().unwrap().parse().unwrap());
    let status = answer.status().as_u16();
    Answer { status, retry_after, body: serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap() }
}

async fn buy(shop: &Daemon, address: &str, contact: &str, product: &str, quantity: u32) -> Answer {
    let order = json!({"product": product, "quantity": quantity, "contact": contact, "channel": "pay"});
    wish(shop, address, &order, "en").await
}

async fn status(shop: &Daemon, address: &str, contact: &str, product: &str, quantity: u32) -> u16 {
    buy(shop, address, contact, product, quantity).await.status
}

async fn available(shop: &Daemon, product: &str) -> u64 {
    shop.admin(&format!("/v1/products/{product}")).await["stock"]["available"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_visitor_does_not_empty_the_shop_and_others_buy() {
    let shop = shop("");
    shop.product("sale", &[], 500);
    let before = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis();
    let mut made = Vec::new();
    for n in 0..10 {
        let answer = buy(&shop, "203.0.113.9", &format!("visitor-{n}@example.test"), "sale", 100).await;
        made.push(answer.status);
        if answer.status != 429 {
            continue;
        }
        // Which limit, and until when.
        let said = &answer.body;
        assert_eq!(
            (&said["code"], &said["limit"]),
            (&json!("limit_reached"), &json!("unpaid_keys_per_address")),
            "{said}"
        );
        let wait = said["retry_after"].as_u64().unwrap();
        assert!((800..=900).contains(&wait) && answer.retry_after == Some(wait), "{said}");
        assert!(u128::from(said["until"].as_u64().unwrap()) > before, "{said}");
        assert!(
            said["detail"]
                .as_str()
                .unwrap()
                .contains("at most 100 now in several orders; pay one, or try again after 20")
        );
    }
    assert_eq!(made, [vec![201], vec![429; 9]].concat());
    assert_eq!(available(&shop, "sale").await, 400);
    // Small orders add up the same.
    let mut held = 0;
    for n in 0..20 {
        held +=
            u32::from(status(&shop, "203.0.113.10", &format!("small-{n}@example.test"), "sale", 9).await == 201) * 9;
    }
    assert_eq!(held, 99, "a fifth of the pool");
    // Strangers to him buy, up to what the product allows, and what he holds of another product is another matter.
    assert_eq!(status(&shop, "203.0.113.11", "honest@example.test", "sale", 100).await, 201);
    shop.product("other", &[], 10);
    assert_eq!(status(&shop, "203.0.113.9", "more@example.test", "other", 10).await, 201, "one order is never refused");
    let refused = json!({"product": "other", "contact": "again@example.test", "channel": "pay"});
    let told = wish(&shop, "203.0.113.9", &refused, "zh-CN").await;
    assert!(told.body["detail"].as_str().unwrap().contains("请先付款"), "{}", told.body);
    shop.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_counts_as_its_addresses_do() {
    let shop = shop("");
    shop.product("six", &[], 100);
    for (address, quantity, expected, limit) in [
        ("2001:db8:1:1::1", 15, 201, ""),
        ("2001:db8:1:1::1", 6, 429, "unpaid_keys_per_address"),
        ("2001:db8:1:1::2", 6, 429, "unpaid_keys_per_64"),
        ("2001:db8:1:1::2", 5, 201, ""),
        ("2001:db8:1:2::1", 15, 201, ""),
        ("2001:db8:1:3::1", 6, 429, "unpaid_keys_per_48"),
        ("2001:db8:1:3::1", 5, 201, ""),
        ("2001:db8:2:1::1", 50, 201, ""),
        ("::ffff:203.0.113.9", 1, 201, ""),
        ("203.0.113.9", 1, 429, "unpaid_per_address"),
    ] {
        let contact = format!("{address}-{quantity}@example.test");
        if limit == "unpaid_per_address" {
            // Twenty orders of no keys: who takes at payment holds none, and orders are counted all the same.
            shop.product("late", &["--take", "payment"], 40);
            for n in 0..19 {
                assert_eq!(status(&shop, address, &format!("late-{n}@example.test"), "late", 1).await, 201);
            }
            let answer = buy(&shop, address, &contact, "late", 1).await;
            assert_eq!((answer.status, &answer.body["limit"]), (expected, &json!(limit)), "{}", answer.body);
            continue;
        }
        let answer = buy(&shop, address, &contact, "six", quantity).await;
        assert_eq!(answer.status, expected, "{address} {quantity}: {}", answer.body);
        assert!(limit.is_empty() || answer.body["limit"] == limit, "{address} {quantity}: {}", answer.body);
    }
    shop.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contact_holds_one_order_or_ten_keys_however_it_is_spelt() {
    let shop = shop("unpaid_keys_per_address = \"100000\"\n");
    shop.product("spelt", &[], 400);
    let from = |n: usize| format!("198.51.100.{n}");
    assert_eq!(status(&shop, &from(1), "one@example.com", "spelt", 100).await, 201);
    let spelt = [
        "one@example.com",
        "One@Example.COM",
        "one+x@example.com",
        "\u{feff}one@example.com",
        "ｏne@example.com",
        "mailto:one@example.com",
        "one(me)@example.com,",
    ];
    for (n, other) in spelt.iter().enumerate() {
        let answer = buy(&shop, &from(n + 2), other, "spelt", 1).await;
        assert_eq!((answer.status, &answer.body["limit"]), (429, &json!("unpaid_keys_per_contact")), "{other}");
    }
    for (contact, quantity, expected) in [
        ("j.o.e@gmail.com", 6, 201),
        ("joe@googlemail.com", 5, 429),
        ("Joe+2@gmail.com", 4, 201),
        ("joe@gmail.com", 1, 429),
    ] {
        assert_eq!(status(&shop, &from(9), contact, "spelt", quantity).await, expected, "{contact} {quantity}");
    }
    // For access it is the contact as it was written.
    let found = async |contact: &str| {
        let (_, list) = shop.ask(Method::GET, &format!("/v1/orders?contact={contact}"), None).await;
        list["orders"].as_array().unwrap().len()
    };
    assert_eq!((found("j.o.e%40gmail.com").await, found("joe%40gmail.com").await), (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_has_only_so_many_unpaid_orders_however_many_networks_it_has() {
    let shop = shop("unpaid_per_address = 2\n");
    shop.product("later", &["--take", "payment"], 40);
    let mut made = 0;
    for network in 0..30 {
        let answer = buy(&shop, &format!("2001:db8:5:{network}::1"), &format!("{network}@a.test"), "later", 1).await;
        let site = answer.body["detail"].as_str().is_some_and(|says| says.contains("from this site: at most 20"));
        assert!(answer.status == 201 || site && answer.body["limit"] == "unpaid_per_address", "{}", answer.body);
        made += u32::from(answer.status == 201);
    }
    assert_eq!(made, 20);
    assert_eq!(status(&shop, "2001:db8:6::1", "other@a.test", "later", 1).await, 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_it_is_set_one_order_alone_does_not_hold_a_whole_pool() {
    let shop = shop("bulk_from = [\"198.51.100.0/24\"]\nunpaid_keys_per_order = \"50%\"\n");
    shop.product("whole", &[], 100);
    let refused = buy(&shop, "203.0.113.9", "a@example.test", "whole", 100).await;
    assert_eq!((refused.status, &refused.body["limit"]), (429, &json!("unpaid_keys_per_order")), "{}", refused.body);
    assert_eq!(refused.retry_after, None, "no waiting helps");
    assert!(refused.body["detail"].as_str().unwrap().contains("at most 50 now"), "{}", refused.body);
    // Half of what is free, one visitor after another: others still find something.
    for (address, quantity, free) in [("203.0.113.9", 50, 50), ("203.0.113.10", 25, 25), ("203.0.113.11", 13, 12)] {
        assert_eq!(status(&shop, address, &format!("{address}@example.test"), "whole", quantity + 1).await, 429);
        assert_eq!(status(&shop, address, &format!("{address}@example.test"), "whole", quantity).await, 201);
        assert_eq!(available(&shop, "whole").await, free);
    }
    // A few are never refused for it, what is not there is refused for that, and bulk buyers are not concerned.
    assert_eq!(status(&shop, "203.0.113.12", "c@example.test", "whole", 13).await, 409);
    assert_eq!(status(&shop, "203.0.113.12", "c@example.test", "whole", 10).await, 201);
    shop.product("bulk", &[], 100);
    assert_eq!(status(&shop, "198.51.100.7", "d@example.test", "bulk", 100).await, 201);
    // Who takes at payment holds nothing.
    shop.product("later", &["--take", "payment"], 100);
    assert_eq!(status(&shop, "203.0.113.13", "e@example.test", "later", 100).await, 201);
    shop.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_paid_or_over_counts_no_more_at_once() {
    let shop = shop("");
    shop.product("back", &[], 50);
    for n in 0..4 {
        let answer = buy(&shop, "203.0.113.9", "buyer@example.test", "back", 8).await;
        assert_eq!(answer.status, 201, "order {n}: {}", answer.body);
        let id = answer.body["id"].as_str().unwrap();
        assert_eq!(status(&shop, "203.0.113.9", "buyer@example.test", "back", 8).await, 429);
        // Nobody waits for the outbox: not who has paid, nor who gave up.
        if n % 2 == 0 {
            assert_eq!(shop.pay(id, &format!("B{n}"), 7920).await.0, 200);
        } else {
            shop.json(&["order", "expire", id, "--reason", "gave up"], "");
        }
    }
    shop.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bulk_buyers_and_operators_are_not_limited() {
    let shop = shop("bulk_from = [\"198.51.100.0/24\", \"2001:db8:b::/48\"]\nunpaid_alarm_keys = 10\n");
    shop.product("bulk", &[], 400);
    for address in ["198.51.100.7", "2001:db8:b:1::1"] {
        for _ in 0..6 {
            assert_eq!(status(&shop, address, "bulk@example.test", "bulk", 20).await, 201);
        }
    }
    for _ in 0..3 {
        shop.order("bulk", 20).await;
    }
    assert_eq!(available(&shop, "bulk").await, 100);
    // What a product allows is no matter of being paid.
    shop.product("few", &["--per-contact", "1/24h"], 50);
    assert_eq!(status(&shop, "198.51.100.7", "bulk@example.test", "few", 1).await, 201);
    let answer = buy(&shop, "198.51.100.8", "Bulk@example.test", "few", 1).await;
    assert_eq!((answer.status, &answer.body["limit"]), (429, &json!("per_contact")));
    assert!((86_000..=86_400).contains(&answer.retry_after.unwrap()), "{}", answer.body);
    let answer = buy(&shop, "198.51.100.8", "other@example.test", "few", 2).await;
    assert_eq!((answer.status, answer.retry_after), (429, None), "no waiting helps: {}", answer.body);
    shop.audit();
}

/// Commands to the shop's Redis.
fn redis_of(shop: &Daemon) -> redis::Connection {
    let client = redis::Client::open(format!("unix://{}", shop.data.join("redis/redis.sock").display())).unwrap();
    client.get_connection_with_timeout(Duration::from_secs(5)).unwrap()
}

fn names(link: &mut redis::Connection, kind: &str) -> Vec<String> {
    redis::cmd("KEYS").arg(format!("t1:*:{kind}:*")).query(link).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_was_counted_and_never_made_ends_with_its_time() {
    let shop = shop("");
    shop.product("cut", &["--take", "payment", "--expires-minutes", "1"], 5);
    let mut link = redis_of(&shop);
    // One that Redis refuses counts for nobody.
    let stock = names(&mut link, "pool").pop().unwrap().replace(":pool:", ":owed:");
    redis::cmd("SET").arg(&stock).arg("x").exec(&mut link).unwrap();
    assert_eq!(status(&shop, "203.0.113.9", "cut@example.test", "cut", 1).await, 500);
    redis::cmd("DEL").arg(&stock).exec(&mut link).unwrap();
    assert!(names(&mut link, "ends").is_empty());
    // As when the daemon is killed in between: counted, and no order.
    assert_eq!(status(&shop, "203.0.113.9", "cut@example.test", "cut", 1).await, 201);
    for name in names(&mut link, "order") {
        redis::cmd("DEL").arg(&name).exec(&mut link).unwrap();
    }
    let ends = names(&mut link, "ends");
    assert_eq!(ends.len(), 2, "its contact's and its address'");
    for name in ends {
        for name in [name.replace(":ends:", ":count:"), name] {
            let left: u64 = redis::cmd("PTTL").arg(&name).query(&mut link).unwrap();
            assert!((1..=60_000).contains(&left), "{name}: {left}");
        }
    }
    assert_eq!(status(&shop, "203.0.113.9", "cut@example.test", "cut", 1).await, 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_counted_and_not_there_may_be_under_way_for_a_minute_and_no_longer() {
    let shop = shop("unpaid_per_contact = 1\n");
    shop.product("way", &["--take", "payment"], 5);
    let mut link = redis_of(&shop);
    for (age, expected) in [(20_000, 429), (61_000, 201)] {
        let contact = format!("way-{age}@example.test");
        let answer = buy(&shop, "203.0.113.9", &contact, "way", 1).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        assert_eq!(status(&shop, "203.0.113.9", &contact, "way", 1).await, 429);
        // Another one is counted in its place, of which there is no record: counted that long ago.
        let made: OrderId = answer.body["id"].as_str().unwrap().parse().unwrap();
        let other = OrderId::new(made.slot(), made.created() - age, age.into());
        let (made, other) = (made.as_str(), other.as_str());
        let mut counts = 0;
        for ends in names(&mut link, "ends") {
            let until: Option<f64> = redis::cmd("ZSCORE").arg(&ends).arg(made).query(&mut link).unwrap();
            let Some(until) = until else { continue };
            let count = ends.replace(":ends:", ":count:");
            let entry: String = redis::cmd("HGET").arg(&count).arg(made).query(&mut link).unwrap();
            redis::cmd("HSET").arg(&count).arg(other).arg(entry).exec(&mut link).unwrap();
            redis::cmd("HDEL").arg(&count).arg(made).exec(&mut link).unwrap();
            redis::cmd("ZADD").arg(&ends).arg(until).arg(other).exec(&mut link).unwrap();
            redis::cmd("ZREM").arg(&ends).arg(made).exec(&mut link).unwrap();
            counts += 1;
        }
        assert_eq!(counts, 2, "its contact's and its address'");
        assert_eq!(status(&shop, "203.0.113.9", &contact, "way", 1).await, expected, "{age}");
    }
    shop.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_goes_away_meanwhile_has_an_order_or_none_and_his_key_stands_for_it() {
    let shop = shop("");
    shop.product("gone", &["--per-contact", "1/24h"], 60);
    let host = shop.public.trim_start_matches("http://").to_owned();
    let order = |n: usize| json!({"product": "gone", "quantity": 1, "contact": format!("buyer-{n}@example.test"), "channel": "pay"});
    for n in 0..40 {
        let body = order(n).to_string();
        let head = format!(
            "POST /v1/orders HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.{n}\r\nIdempotency-Key: key-{n}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut line = tokio::net::TcpStream::connect(&host).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut line, head.as_bytes()).await.unwrap();
        // At whatever moment: while it is read, counted, reserved or answered.
        tokio::time::sleep(Duration::from_micros(n as u64 * 200)).await;
        line.set_zero_linger().unwrap();
    }
    for n in 0..40 {
        let answer = wait_for_answer(&shop, n, &order(n)).await;
        assert_eq!(answer.status, 201, "{n}: {}", answer.body);
        let contact = format!("buyer-{n}@example.test");
        let made = shop.json(&["order", "list", "--contact", &contact], "")["orders"].as_array().unwrap().len();
        assert_eq!(made, 1, "{contact}");
    }
    shop.audit();
}

/// The answer to a request under its key, once the first one of that key has ended.
async fn wait_for_answer(shop: &Daemon, n: usize, order: &Value) -> Answer {
    for _ in 0..100 {
        let ask = shop.http.post(format!("{}/v1/orders", shop.public)).json(order);
        let ask = ask.header("x-forwarded-for", format!("203.0.113.{n}")).header("idempotency-key", format!("key-{n}"));
        let answer = ask.send().await.unwrap();
        let status = answer.status().as_u16();
        if status != 409 {
            let body = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
            return Answer { status, retry_after: None, body };
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the first request under key {n} never ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_of_an_older_kamid_are_paid_expire_and_give_back() {
    let shop = shop("");
    shop.product("old", &["--per-contact", "2/24h"], 20);
    let (paid, expired) = (shop.order("old", 1).await, shop.order("old", 1).await);
    let mut link = redis_of(&shop);
    let sets = ["t1:{03}:quota:a", "t1:{04}:quota:b", "t1:{05}:quota:c"];
    for id in [&paid, &expired] {
        let name = names(&mut link, "order").into_iter().find(|name| name.ends_with(id.as_str())).unwrap();
        let fields = ["caps".to_owned(), sets[..2].join(" "), "quotas".to_owned(), sets[2].to_owned()];
        redis::cmd("HSET").arg(&name).arg(&fields).exec(&mut link).unwrap();
        for set in sets {
            redis::cmd("ZADD").arg(set).arg(4_000_000_000_000_u64).arg(format!("{id}|1")).exec(&mut link).unwrap();
        }
    }
    assert_eq!(shop.pay(&paid, "O1", 990).await.0, 200);
    shop.json(&["order", "expire", &expired, "--reason", "old"], "");
    wait_for("what they count is given back", || {
        let left =
            sets.map(|set| -> Vec<String> { redis::cmd("ZRANGE").arg(set).arg(0).arg(-1).query(&mut link).unwrap() });
        // What was bought goes on counting.
        (left == [vec![], vec![], vec![format!("{paid}|1")]]).then_some(())
    });
    shop.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_is_told_who_holds_much_and_takes_it_back() {
    let shop = shop("unpaid_alarm_keys = 150\nunpaid_keys_per_address = \"90%\"\nunpaid_keys_per_64 = \"90%\"\n");
    shop.product("much", &[], 300);
    let six = "2001:db8:7:7::1";
    for n in 0..4 {
        assert_eq!(status(&shop, "203.0.113.9", &format!("m{n}@example.test"), "much", 40).await, 201);
        assert_eq!(status(&shop, six, &format!("s{n}@example.test"), "much", 20).await, 201);
    }
    let mut told = Value::Null;
    shop.stream("", |line| {
        told = line["holder"].clone();
        !told.is_null()
    })
    .await;
    assert_eq!(told, json!({"network": "203.0.113.9", "keys": 160, "orders": 4}));
    for (lang, words) in [("en", "160 keys held unpaid by 203.0.113.9"), ("zh", "203.0.113.9 占着 160 个未付款的卡密")]
    {
        let picture = shop.cli(&["top", "--once", "--size", "120x40", "--lang", lang], "");
        let picture = String::from_utf8(picture.stdout).unwrap();
        assert!(picture.contains(words), "{picture}");
    }
    let all = |address: &str| {
        shop.cli(&["order", "expire", "--address", address, "--all", "--reason", "never pays", "--json"], "")
    };
    assert!(!shop.cli(&["order", "expire", "--address", six, "--reason", "x"], "").status.success(), "all is said");
    assert_eq!(all("2001:db8:7::/47").status.code(), Some(1));
    let done: Value = serde_json::from_slice(&all(six).stdout).unwrap();
    assert_eq!(done, json!({"address": "2001:db8:7:7::/64", "expired": 4, "left": 0}));
    assert_eq!(available(&shop, "much").await, 140);
    let block = ["address", "block", "203.0.113.9", "--orders", "--reason", "never pays"];
    let done = shop.json(&block, "");
    assert_eq!((&done["expired"], &done["left"], &done["orders"]), (&json!(4), &json!(0), &json!(true)), "{done}");
    assert_eq!(available(&shop, "much").await, 300);
    let answer = buy(&shop, "203.0.113.9", "m@example.test", "much", 1).await;
    assert_eq!((answer.status, &answer.body["limit"]), (429, &json!("address_blocked")));
    assert!((3000..=3600).contains(&answer.retry_after.unwrap()), "{}", answer.body);
    assert_eq!(status(&shop, "203.0.113.10", "m@example.test", "much", 1).await, 201);
    let listed = shop.json(&["address", "list"], "")["addresses"].clone();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["orders"]), (1, &json!(true)));
    shop.stream("", |line| line["holder"].is_null()).await;
    shop.json(&["address", "unblock", "203.0.113.9"], "");
    assert_eq!(status(&shop, "203.0.113.9", "m9@example.test", "much", 1).await, 201);
    // Blocked without its orders, it may go on ordering.
    shop.json(&["address", "block", "203.0.113.9", "--reason", "forges"], "");
    assert_eq!(status(&shop, "203.0.113.9", "m8@example.test", "much", 1).await, 201);
    let trail = shop.admin("/v1/trail").await["trail"].clone();
    let deeds: Vec<&str> = trail.as_array().unwrap().iter().map(|deed| deed["what"].as_str().unwrap()).collect();
    assert_eq!(deeds[..4], ["address block", "address unblock", "address block", "order expire"]);
    shop.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_says_which_limit_is_reached() {
    let shop = shop("order_attempts = 1\n");
    shop.product("ways", &[], 10);
    let answer = buy(&shop, "203.0.113.9", "w@example.test", "ways", 1).await;
    let (id, token) = (answer.body["id"].as_str().unwrap(), answer.body["token"].as_str().unwrap());
    for (lang, words) in [("en", "at most 1 ways to pay one order"), ("zh", "一个订单最多尝试 1 次付款方式")]
    {
        let chosen = shop.http.post(format!("{}/o/{id}/pay", shop.public)).body("channel=sandbox");
        let chosen = chosen.header("content-type", "application/x-www-form-urlencoded").header("accept-language", lang);
        let answer = chosen.header("cookie", format!("o_{id}={token}")).send().await.unwrap();
        let (status, page) = (answer.status().as_u16(), answer.text().await.unwrap());
        assert!(status == 429 && page.contains(words), "{status} {page}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expired_orders_are_kept_up_to_a_number_and_no_payment_is_lost_for_it() {
    let shop = shop("keep_expired_orders = 100\n");
    shop.product("kept", &["--take", "payment"], 5);
    let wish = json!({"product": "kept", "contact": "k@example.test", "channel": "pay"});
    let mut ids = Vec::new();
    for count in [40, 90] {
        let (_, made) = shop.ask(Method::POST, &format!("/v1/orders?count={count}"), Some(&wish)).await;
        let made = made["orders"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned());
        let made: Vec<String> = made.collect();
        for id in &made {
            let (status, said) =
                shop.ask(Method::POST, &format!("/v1/orders/{id}/act/expire"), Some(&json!({"reason": "x"}))).await;
            assert_eq!(status, 200, "{said}");
        }
        ids.extend(made);
    }
    let began = std::time::Instant::now();
    let (first, last) = ids.split_at(40);
    loop {
        let (_, unpaid) = shop.ask(Method::GET, "/v1/orders/unpaid?from=0", None).await;
        let left = unpaid["orders"].as_array().unwrap();
        let old = left.iter().filter(|order| first.iter().any(|id| order["id"] == **id)).count();
        assert_eq!(left.len() - old, 90, "the newest stay");
        if left.len() == 100 {
            break;
        }
        assert!(left.len() > 100 && began.elapsed().as_secs() < 20, "{} are kept", left.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Paid very late: what is kept is delivered; what was forgotten is money in a person's lane.
    assert_eq!(shop.pay(&last[0], "L1", 990).await.0, 200);
    assert_eq!(shop.state(&last[0]).await, "delivered");
    let mut gone = None;
    for id in first {
        if shop.state(id).await == "missing" {
            gone = Some(id);
            break;
        }
    }
    assert_eq!(shop.pay(gone.unwrap(), "L2", 990).await, (400, "fail".to_owned()));
    let waiting = shop.admin("/v1/orphans").await["payments"].clone();
    assert_eq!((waiting.as_array().unwrap().len(), waiting[0]["kind"].as_str()), (1, Some("orphan")), "{waiting}");
    shop.audit();
}
