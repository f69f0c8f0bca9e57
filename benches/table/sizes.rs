//! What things take: bytes in Redis, memory of the daemon, time to start.

use std::path::Path;

use crate::report::{Aim, Row};
use crate::rig::Rig;
use crate::shop::Shop;
use crate::{CONNECTIONS, load};

/// From nothing to ready, on an embedded Redis with an empty store.
pub async fn cold_start(folder: &Path) -> Row {
    let mut millis = Vec::new();
    for n in 0..9 {
        let shop = Shop::start(&folder.join(format!("c{n}"))).await;
        millis.push(shop.daemon.start.as_secs_f64() * 1000.0);
    }
    Row::new("cold start to ready, empty store, embedded Redis", "ms", millis, Aim::AtMost(300.0))
}

/// Memory of a daemon that has nothing to do.
pub fn idle(shop: &Shop) -> Row {
    Row::new("daemon's memory, idle", "MiB", vec![shop.daemon.memory_mib("VmRSS")], Aim::AtMost(25.0))
}

/// Its highest memory so far.
pub fn peak(shop: &Shop) -> Row {
    Row::new(
        "daemon's memory, highest under peak load",
        "MiB",
        vec![shop.daemon.memory_mib("VmHWM")],
        Aim::AtMost(80.0),
    )
}

/// Bytes of Redis for each key in a pool with its fingerprint, of the first 10,000; then the rest is imported.
pub async fn pooled(shop: &Shop, all: usize) -> Row {
    // What Redis needs once, for scripts and buffers, is no key's.
    shop.daemon.stock("before", 1_000).await;
    let before = shop.redis_bytes().await;
    shop.daemon.stock("first", 10_000).await;
    let bytes = (shop.redis_bytes().await - before) as f64 / 10_000.0;
    shop.daemon.stock("bench", all).await;
    Row::new(
        "Redis bytes per pooled 22-byte key with its fingerprint, at 10,000 keys",
        "B",
        vec![bytes],
        Aim::AtMost(80.0),
    )
}

/// Bytes of Redis for each delivered order with one key: all names that stand for it, and its events.
pub async fn orders(shop: &Shop, rig: &Rig) -> Vec<Row> {
    const ORDERS: usize = 2_000;
    let product = shop.products().await.into_iter().find(|product| product.id.as_str() == "first").unwrap();
    let ids = rig.orders(&shop.store, &[product], ORDERS).await;
    load::http(shop.daemon.public, rig.requests(&ids), CONNECTIONS).await;
    shop.quiet().await;
    let client =
        redis::Client::open(format!("unix://{}", shop.daemon.data.join("redis/redis.sock").display())).unwrap();
    let mut link = client.get_multiplexed_async_connection().await.unwrap();
    let n = shop.store.names;
    // A payment's trade number is found by a keyed hash; every name of that kind is as large as any other.
    let trade: Vec<String> = keys(&mut link, &n.every("trade")).await;
    let mut bytes = Vec::new();
    for (id, trade) in ids.iter().zip(&trade) {
        let mut sum = 0;
        for name in [n.order(*id), n.pay(id.as_str()), trade.clone()] {
            let size: u64 = redis::cmd("MEMORY").arg("USAGE").arg(&name).query_async(&mut link).await.unwrap();
            sum += size;
        }
        bytes.push(sum as f64);
    }
    assert_eq!(bytes.len(), ORDERS, "a name of each kind for each order");
    let outbox = n.outbox(ids[0].slot());
    let stream: u64 =
        redis::cmd("MEMORY").arg("USAGE").arg(outbox).arg("SAMPLES").arg(0).query_async(&mut link).await.unwrap();
    let what = "Redis bytes per delivered one-key order: order with its key, payment, trade number";
    vec![
        Row::new(what, "B", bytes, Aim::AtMost(800.0)),
        Row::new(
            "… and its events, until they are trimmed after some hours",
            "B",
            vec![stream as f64 / ORDERS as f64],
            Aim::None,
        ),
    ]
}

async fn keys(link: &mut redis::aio::MultiplexedConnection, pattern: &str) -> Vec<String> {
    let (mut all, mut cursor) = (Vec::new(), 0u64);
    loop {
        let (next, names): (u64, Vec<String>) = redis::cmd("SCAN")
            .arg(cursor)
            .arg("MATCH")
            .arg(pattern)
            .arg("COUNT")
            .arg(1000)
            .query_async(link)
            .await
            .unwrap();
        all.extend(names);
        cursor = next;
        if cursor == 0 {
            return all;
        }
    }
}
