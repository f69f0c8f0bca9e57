//! `/v1/stream`: history and then what comes, stock as far as it changes, and what Prometheus is told of it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use kamid::telemetry::snapshot::{StockLine, StockRow};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::shop::Daemon;

/// So many snapshots from the stream's beginning.
async fn snapshots(shop: &Daemon, query: &str, most: usize) -> Vec<Value> {
    let mut lines = Vec::new();
    shop.stream(query, |line| {
        lines.push(line);
        lines.len() >= most
    })
    .await;
    lines
}

fn by_instance(lines: &[Value]) -> BTreeMap<String, Vec<u64>> {
    let mut all: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for line in lines {
        all.entry(line["instance"].as_str().unwrap().to_owned()).or_default().push(line["seq"].as_u64().unwrap());
    }
    all
}

/// Counted up one by one.
fn unbroken(seqs: &[u64]) -> bool {
    seqs.windows(2).all(|pair| pair[1] == pair[0] + 1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_comes_first_and_the_live_lines_follow_without_gap_or_repeat() {
    let shop = Daemon::start("");
    let other = shop.second();
    shop.product("past", &[], 5);
    let id = shop.order("past", 2).await;
    assert_eq!(shop.pay(&id, "S1", 1980).await.0, 200);
    // Until both know a few seconds of each other, and one of them of the delivery.
    for daemon in [&shop, &other] {
        let mut seen = 0;
        daemon
            .stream("?history=900", |line| {
                seen += u64::from(!line["deliveries"].as_array().unwrap().is_empty());
                seen > 0
            })
            .await;
        snapshots(daemon, "", 6).await;
    }
    for daemon in [&shop, &other] {
        let lines = snapshots(daemon, "?history=900", 20).await;
        let told = by_instance(&lines);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told.values().all(|seqs| unbroken(seqs) && seqs.len() > 5), "{told:?}");
        let sold: Vec<&Value> = lines.iter().flat_map(|line| line["deliveries"].as_array().unwrap()).collect();
        assert_eq!(
            (sold.len(), &sold[0]["order"], &sold[0]["quantity"]),
            (1, &Value::from(id.clone()), &Value::from(2))
        );
        // The old ones are in the order of their time; the first live one is not older than the last of them by more
        // than what two instances tick apart.
        let times: Vec<u64> = lines.iter().map(|line| line["at"].as_u64().unwrap()).collect();
        assert!(times[..8].is_sorted(), "{times:?}");
    }
    let few = snapshots(&shop, "?history=1", 2).await;
    assert!(few[0]["seq"].as_u64().unwrap() > 3 && few[0]["deliveries"].as_array().unwrap().is_empty(), "{few:?}");
    for wrong in ["?history=901", "?stock=1001", "?stock=x", "?other=1"] {
        let (status, problem) = shop.ask(Method::GET, &format!("/v1/stream{wrong}"), None).await;
        assert_eq!((status, problem["status"].as_u64()), (400, Some(400)), "{wrong}: {problem}");
    }
}

/// Stock lines until `enough`: what a reader knows of the products by then.
async fn stock(shop: &Daemon, query: &str, enough: impl Fn(&BTreeMap<String, StockRow>, &StockLine) -> bool) -> usize {
    let (mut known, mut count) = (BTreeMap::new(), 0);
    shop.stream(query, |mut line| {
        if line["stock"].is_null() {
            return false;
        }
        let line: StockLine = serde_json::from_value(line["stock"].take()).unwrap();
        count += line.rows.len();
        for row in &line.rows {
            known.insert(row.product.clone(), row.clone());
        }
        for product in &line.gone {
            assert!(known.remove(product).is_some(), "{product} was never there");
        }
        enough(&known, &line)
    })
    .await;
    count
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stock_is_told_as_far_as_it_changes_the_worst_first_and_by_filter() {
    let shop = Daemon::start("");
    for (id, keys) in [("plenty", 50), ("scarce", 3), ("nothing", 0)] {
        shop.product(id, &["--name", &format!("The {id} one"), "--low", "5"], keys);
    }
    let names = |known: &BTreeMap<String, StockRow>| known.keys().cloned().collect::<Vec<_>>().join(" ");
    stock(&shop, "?stock=2", |known, line| {
        (names(known).as_str(), line.products, line.matching) == ("nothing scarce", 3, 3)
    })
    .await;
    stock(&shop, "?stock=9&filter=PLENTY%20o", |known, line| {
        (names(known).as_str(), line.matching) == ("plenty", 1) && known["plenty"].low == 5
    })
    .await;
    // What sells while one looks: its row alone comes again, and soon with its pace.
    let id = shop.order("plenty", 2).await;
    let pay = async {
        assert_eq!(shop.pay(&id, "S2", 1980).await.0, 200);
    };
    let look = stock(&shop, "?stock=9", |known, _| {
        known.get("plenty").is_some_and(|row| row.stock.given == 2 && row.stock.pool == 48 && row.hourly > 0)
    });
    let (rows, ()) = tokio::join!(look, pay);
    assert!((4..9).contains(&rows), "{rows} rows for three products and a sale");
    // One that somebody waits for is the worst of all.
    shop.json(&["product", "set", "nothing", "--take", "payment"], "");
    shop.product("late", &["--take", "payment"], 1);
    let (first, second) = (shop.order("late", 1).await, shop.order("late", 1).await);
    for (id, trade) in [(first, "S3"), (second, "S4")] {
        assert_eq!(shop.pay(&id, trade, 990).await.0, 200);
    }
    stock(&shop, "?stock=1", |known, _| names(known) == "late" && known["late"].stock.owed == 1).await;
    let metrics = String::from_utf8(shop.admin_text("/metrics").await).unwrap();
    assert!(metrics.contains("kamid_stock_keys{product=\"plenty\",kind=\"given\"} 2"), "{metrics}");
    assert!(metrics.contains("kamid_owed_orders{product=\"late\"} 1"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_tells_the_daemons_memory_and_how_each_channel_is_called() {
    let shop = Daemon::start("");
    let started = snapshots(&shop, "", 1).await.remove(0);
    let quiet = json!({"kind": "epay_v1", "last": 0, "addresses": 0});
    assert_eq!((&started["channels"]["pay"], &started["channels"]["sandbox"]["kind"]), (&quiet, &json!("sandbox")));
    let bytes = started["memory_bytes"].as_u64().unwrap();
    assert!((4 << 20..1 << 30).contains(&bytes), "{bytes}");
    for last in [2, 3, 3, 4] {
        let from = IpAddr::from([127, 0, 0, last]);
        let client = reqwest::Client::builder().no_proxy().local_address(from).build().unwrap();
        assert_eq!(client.get(format!("{}/pay/pay/notify", shop.public)).send().await.unwrap().status(), 400);
    }
    shop.stream("", |line| {
        let (pay, at) = (&line["channels"]["pay"], line["at"].as_u64().unwrap());
        pay["addresses"] == 3 && (started["at"].as_u64().unwrap()..=at).contains(&pay["last"].as_u64().unwrap())
    })
    .await;
}
