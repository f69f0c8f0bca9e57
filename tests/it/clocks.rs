//! Clocks that jump: Redis' alone, and both at once.

use std::path::PathBuf;

use serde_json::Value;

use crate::support::launch::jumping;
use crate::support::port::held_port;
use crate::support::proxy::Proxy;
use crate::support::redis::TestRedis;
use crate::support::shop::{Daemon, wait_for};

/// Three, in seconds.
const HOURS: i64 = 3 * 3600;

/// A daemon and its Redis, with clocks that jump when they are told to.
struct Rig {
    shop: Daemon,
    redis: Proxy,
    own: PathBuf,
    _redis: TestRedis,
    _folder: tempfile::TempDir,
}

impl Rig {
    async fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
        let port = held_port();
        let redis = TestRedis::with(|_| ["--port".to_owned(), port.to_string()].to_vec());
        let proxy = Proxy::start(port).await;
        let own = folder.path().join("clock");
        std::fs::write(&own, "+0").unwrap();
        let store = format!("[store]\nurl = \"redis://127.0.0.1:{}/0\"\n", proxy.port);
        let shop = Daemon::launched(&folder.path().join("d"), &store, &jumping(&own));
        shop.product("clock", &[], 5);
        Self { shop, redis: proxy, own, _redis: redis, _folder: folder }
    }

    /// Waits for a second of which that is true; says how many seconds went by.
    async fn second(&self, what: impl Fn(&Value) -> bool) -> u32 {
        let mut seconds = 0;
        self.shop
            .stream("", |line| {
                seconds += 1;
                assert!(seconds < 60, "not in time: {line}");
                what(&line)
            })
            .await;
        seconds
    }

    /// Lets so many seconds go by, as the daemon counts them.
    async fn seconds(&self, most: u64) {
        let mut first = None;
        self.second(|_| true).await;
        self.shop
            .stream("", |line| {
                let seq = line["seq"].as_u64().unwrap();
                seq >= *first.get_or_insert(seq) + most
            })
            .await;
    }
}

fn stopped(line: &Value) -> bool {
    line["stopped_s"].as_u64().unwrap() > 0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_jump_of_redis_clock_expires_nothing_until_a_person_accepts_it() {
    let mut rig = Rig::start().await;
    let id = rig.shop.order("clock", 1).await;
    rig.redis.set_clock(HOURS);
    rig.shop.incidents("clock_skew", 1).await;
    // Two looks more: that it is steady where it is now says nothing.
    rig.seconds(12).await;
    assert_eq!(rig.shop.state(&id).await, "pending");
    assert!(rig.second(stopped).await < 3);
    // Shop goes on by the time that went on before.
    let paid = rig.shop.order("clock", 1).await;
    assert_eq!(rig.shop.pay(&paid, "C1", 990).await, (200, "success".to_owned()));
    let order = rig.shop.admin(&format!("/v1/orders/{paid}")).await;
    let ahead = order["created_at"].as_u64().unwrap().cast_signed() - jiff::Timestamp::now().as_millisecond();
    assert!(ahead.abs() < 60_000, "{ahead} ms: {order}");
    // A daemon that meets it so at its start believes it no more.
    assert!(rig.shop.stop());
    rig.shop.run();
    rig.second(stopped).await;
    rig.seconds(6).await;
    assert_eq!(rig.shop.state(&id).await, "pending");
    let refused = rig.shop.cli(&["clock", "accept", "--reason", " "], "");
    assert!(!refused.status.success());
    assert_eq!(rig.shop.state(&id).await, "pending");
    let done = rig.shop.json(&["clock", "accept", "--reason", "the container's clock is right"], "");
    let ahead = done["ahead_ms"].as_i64().unwrap();
    assert!((ahead - 1000 * HOURS).abs() < 60_000, "{done}");
    let said = done["clock"].as_str().unwrap();
    assert!(["3 h ahead", "2 h 59 min ahead", "3 h 1 min ahead"].contains(&said), "{done}");
    let began = std::time::Instant::now();
    while rig.shop.state(&id).await != "expired" {
        assert!(began.elapsed().as_secs() < 20, "it does not expire");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(rig.shop.state(&paid).await, "delivered");
    let trail = rig.shop.json(&["trail"], "").to_string();
    assert!(
        trail.contains("clock accept") && trail.contains(said) && trail.contains("the container's clock is right"),
        "{trail}"
    );
    assert!(!rig.shop.cli(&["clock", "accept", "--reason", "again"], "").status.success(), "it is believed by now");
    // From now on, and after a start too.
    assert!(rig.shop.stop());
    rig.shop.run();
    rig.second(|line| line["ready"] == true && !stopped(line)).await;
    rig.seconds(6).await;
    assert!(rig.second(|line| !stopped(line)).await < 3);
    rig.shop.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_of_redis_that_comes_back_is_believed_again_by_itself() {
    let rig = Rig::start().await;
    let id = rig.shop.order("clock", 1).await;
    rig.redis.set_clock(-HOURS);
    rig.shop.incidents("clock_skew", 1).await;
    rig.second(stopped).await;
    rig.redis.set_clock(0);
    rig.second(|line| !stopped(line)).await;
    assert_eq!(rig.shop.state(&id).await, "pending");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_that_agree_after_a_suspend_go_on() {
    let rig = Rig::start().await;
    let id = rig.shop.order("clock", 1).await;
    std::fs::write(&rig.own, "+3h").unwrap();
    rig.redis.set_clock(HOURS);
    wait_for("expiry", || {
        let shown = rig.shop.json(&["order", "show", &id], "");
        (shown["state"] == "expired").then_some(())
    });
    rig.shop.audit();
}
