//! The list of products and a look for one: fresh, whatever instance is asked, and cheap however many ask.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::shop::Daemon;

async fn listed(shop: &Daemon) -> Vec<(String, u64)> {
    let (status, text) = shop.send("/v1/products").await;
    assert_eq!(status, 200, "{text}");
    let list: Value = serde_json::from_str(&text).unwrap();
    let row = |one: &Value| (one["id"].as_str().unwrap().to_owned(), one["available"].as_u64().unwrap());
    list["products"].as_array().unwrap().iter().map(row).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_of_products_asks_redis_nothing_and_is_fresh() {
    let shop = Daemon::start("");
    for n in 0..40 {
        let wish = json!({"id": format!("p-{n:02}"), "price": "1.00"});
        assert_eq!(shop.ask(Method::POST, "/v1/products", Some(&wish)).await.0, 201);
        // At once, in a list that was asked for before it was added.
        assert_eq!(listed(&shop).await.len(), n + 1);
    }
    for (at, keys) in [(7, 3), (7, 2), (20, 4)] {
        shop.import(&format!("p-{at:02}"), keys * 10, keys);
        let expected = if (at, keys) == (7, 2) { 5 } else { u64::from(keys) };
        assert_eq!(listed(&shop).await[at].1, expected, "what was imported here shows at once");
    }
    shop.json(&["keys", "void", "p-20", "--count", "1"], "");
    assert_eq!(listed(&shop).await[20].1, 3);
    shop.json(&["keys", "restore", "p-20", "--count", "1"], "");
    assert_eq!(listed(&shop).await[20].1, 4);
    let before = shop.redis_calls("llen");
    for _ in 0..300 {
        assert_eq!(listed(&shop).await.len(), 40);
        shop.admin("/v1/products").await;
    }
    // Asked each time, it would be 48,000; the board reads 80 a second.
    let asked = shop.redis_calls("llen") - before;
    assert!(asked < 8000, "600 lists of 40 products asked Redis {asked} times");
    // What others change shows within about a second.
    let other = shop.second();
    other.import("p-30", 0, 6);
    let began = std::time::Instant::now();
    while listed(&shop).await[30].1 != 6 {
        assert!(began.elapsed().as_secs() < 20, "never");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_product_added_elsewhere_is_known_at_once_and_strangers_cannot_make_a_load_of_it() {
    let shop = Daemon::start("[limits]\norders_per_minute = 1000000\n");
    let other = shop.second();
    for n in 0..20 {
        let id = format!("new-{n}");
        let wish = json!({"id": id, "price": "1.00", "take": "payment"});
        let (status, added) = shop.ask(Method::POST, "/v1/products", Some(&wish)).await;
        assert_eq!(status, 201, "{added}");
        let (status, shown) = other.ask(Method::GET, &format!("/v1/products/{id}"), None).await;
        assert_eq!(status, 200, "{id} on the other daemon: {shown}");
        let wish = json!({"product": id, "contact": format!("{n}@example.test"), "channel": "pay"});
        let (status, refused) = other.post("/v1/orders", &wish).await;
        assert_eq!((status, refused["code"].as_str()), (409, Some("out_of_stock")), "{refused}");
    }
    let before = shop.redis_calls("mget");
    let probes: Vec<_> = (0..400)
        .map(|n| {
            let (http, url) = (shop.http.clone(), format!("{}/v1/orders", shop.public));
            let wish = json!({"product": format!("nope-{n}"), "contact": "x", "channel": "pay"});
            tokio::spawn(async move { http.post(url).json(&wish).send().await.unwrap().status().as_u16() })
        })
        .collect();
    for probe in probes {
        assert_eq!(probe.await.unwrap(), 404);
    }
    let asked = shop.redis_calls("mget") - before;
    assert!(asked < 300, "400 strangers made Redis answer {asked} times");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_shows_stock_as_it_is_now_whichever_instance_sold() {
    let shop = Daemon::start("");
    shop.product("now", &[], 9);
    let other = shop.second();
    let row = |args: &[&str]| shop.json(args, "")["products"][0]["stock"].clone();
    for n in 1..=8u64 {
        let seller = if n % 2 == 0 { &other } else { &shop };
        let id = seller.order("now", 1).await;
        assert_eq!(seller.pay(&id, &format!("N{n}"), 990).await, (200, "success".to_owned()));
        let command = if n % 3 == 0 { ["product", "list"] } else { ["keys", "stock"] };
        let stock = row(&command);
        assert_eq!((&stock["given"], &stock["pool"]), (&json!(n), &json!(9 - n)), "after payment {n}");
    }
}
