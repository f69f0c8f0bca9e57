//! What is wrong with any product's stock is told, however many there are and whatever is looked at.

use futures_util::{StreamExt as _, stream};
use kamid::telemetry::snapshot::StockLine;
use reqwest::Method;
use serde_json::json;

use crate::support::shop::{Daemon, wait_for};

/// Two thousand products of which only the last have ever had a key.
async fn large(shop: &Daemon) {
    let made = stream::iter(0..2000u32).map(|n| async move {
        let product = json!({"id": format!("p-{n:04}"), "price": "9.90", "low": if n == 1997 { 50 } else { 0 }});
        assert_eq!(shop.ask(Method::POST, "/v1/products", Some(&product)).await.0, 201, "{n}");
    });
    made.buffer_unordered(16).collect::<Vec<()>>().await;
    for (product, keys) in [("p-1996", 500), ("p-1997", 9), ("p-1998", 1), ("p-1999", 3)] {
        shop.import(product, 0, keys);
    }
    // One is sold out, one is held by an order that is not paid.
    let sold = shop.order("p-1998", 1).await;
    assert_eq!(shop.pay(&sold, "S1", 990).await.0, 200);
    shop.json(&["product", "set", "p-1999", "--per-order", "3"], "");
    shop.order("p-1999", 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alarms_and_gauges_are_of_two_thousand_products_most_of_which_never_had_a_key() {
    let shop = Daemon::start("[limits]\nunpaid_per_address = 100\n");
    large(&shop).await;
    // Whoever looks at five of them hears of all.
    shop.stream("?stock=5&filter=p-0001", |mut line| {
        if line["stock"].is_null() {
            return false;
        }
        let told: StockLine = serde_json::from_value(line["stock"].take()).unwrap();
        let alarms = told.alarms.unwrap().0;
        let of = |word: &str| alarms.get(word).map(|it| (it.products, it.product.as_str(), it.figure));
        let wanted = [Some((1, "p-1998", 0)), Some((1, "p-1997", 9)), Some((1, "p-1999", 3)), None];
        ["empty", "low", "reserved", "owed"].map(of) == wanted
    })
    .await;
    let metrics = String::from_utf8(shop.admin_text("/metrics").await).unwrap();
    for (product, keys) in [("p-1996", 500), ("p-1997", 9), ("p-1998", 0), ("p-1999", 3)] {
        let gauge = format!("kamid_stock_keys{{product=\"{product}\",kind=\"pool\"}} {keys}");
        assert!(metrics.contains(&gauge), "{gauge}");
    }
    assert!(metrics.contains("kamid_stock_alarms{kind=\"empty\"} 1"), "{metrics}");
    assert!(metrics.contains("kamid_stock_alarms{kind=\"owed\"} 0"));
    let picture = wait_for("the alarms", || {
        let done =
            shop.cli(&["top", "--once", "--tab", "2", "--size", "120x40", "--filter", "p-0001", "--lang", "en"], "");
        let picture = String::from_utf8(done.stdout).unwrap();
        let all = ["p-1998: sold out", "p-1999: its last 3 keys are held by unpaid orders", "p-1997: only 9 keys left"];
        all.iter().all(|it| picture.contains(it)).then_some(picture)
    });
    assert!(!picture.contains("p-1999: sold out"), "{picture}");
}
