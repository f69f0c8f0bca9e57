//! A store that is not the one that was there: emptied, gone back in time, taken over by a replica, set otherwise, or
//! written by a newer kamid. Nothing may be sold twice from it, and an operator must hear of it.

use std::path::Path;

use kamid::domain::{Cause, Slot, Take};
use kamid::store::places::Finding;
use kamid::store::{Reserved, StoreError};
use redis::Connection;
use serde_json::{Value, json};

use crate::support::port::held_port;
use crate::support::proxy::{Line, Proxy};
use crate::support::redis::{Bench, TestRedis};
use crate::support::shop::{Daemon, wait_for};

fn link(redis: &TestRedis) -> Connection {
    redis::Client::open(redis.url()).unwrap().get_connection().unwrap()
}

fn set(redis: &TestRedis, name: &str, value: &str) {
    redis::cmd("CONFIG").arg("SET").arg(name).arg(value).exec(&mut link(redis)).unwrap();
}

fn daemon(data: &Path, redis: &TestRedis) -> Daemon {
    Daemon::at(data, &format!("[store]\nurl = \"{}\"\n", redis.url()))
}

/// A shop on a Redis of its own, with a product of nine keys and one delivered order.
async fn shop(redis: &TestRedis) -> (Daemon, String) {
    let shop = daemon(&redis.folder().join("d"), redis);
    shop.product("p", &[], 9);
    let id = shop.order("p", 1).await;
    assert_eq!(shop.pay(&id, "T1", 990).await, (200, "success".to_owned()));
    (shop, id)
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

fn doubt(shop: &Daemon) -> Option<Value> {
    let done = shop.cli(&["store", "show", "--json"], "");
    let standing: Value = serde_json::from_slice(&done.stdout).unwrap();
    let doubt = standing["doubt"].clone();
    assert_eq!(done.status.success(), doubt.is_null() && standing["careless"].is_null());
    (!doubt.is_null()).then_some(doubt)
}

fn accept(shop: &Daemon) {
    shop.json(&["store", "accept", "--reason", "the volume is lost"], "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_emptied_redis_sells_nothing_until_a_person_accepts_it() {
    let redis = TestRedis::start();
    let (mut first, _) = shop(&redis).await;
    let second = first.second_on(&redis.url());
    let wish = json!({"product": "p", "quantity": 1, "contact": "buyer@example.test", "channel": "pay"});
    let (_, made) = first.post("/v1/orders", &wish).await;
    let (open, token) = (made["id"].as_str().unwrap().to_owned(), made["token"].as_str().unwrap());
    redis::cmd("FLUSHALL").exec(&mut link(&redis)).unwrap();
    for shop in [&first, &second] {
        wait_for("the doubt", || doubt(shop));
    }
    // Its buyer has an order of the store that was there: it is not unknown.
    let shown = |token: &str| first.http.get(format!("{}/v1/orders/{open}?token={token}", first.public)).send();
    assert_eq!(shown(token).await.unwrap().status().as_u16(), 503);
    assert_eq!(shown("another").await.unwrap().status().as_u16(), 404);
    first.incidents("store_gone", 1).await;
    assert_eq!(first.pay(&open, "T2", 990).await, (503, "fail".to_owned()));
    assert_eq!(second.pay(&open, "T2", 990).await, (503, "fail".to_owned()));
    assert!(!first.is_ready().await);
    let sold = first.cli(&["keys", "import", "p", "-"], "PLAIN-p-000000\n");
    assert!(!sold.status.success() && String::from_utf8_lossy(&sold.stderr).contains("store accept"));
    let audit: Value = serde_json::from_slice(&first.cli(&["audit", "--json"], "").stdout).unwrap();
    assert_eq!(audit["violations"][0]["kind"], "store");
    wait_for("the dashboard", || {
        let top = first.cli(&["top", "--once", "--size", "100x20", "--lang", "en"], "");
        String::from_utf8_lossy(&top.stdout).contains("Redis is empty or another one").then_some(())
    });
    // Not forgotten by a start.
    assert!(first.stop());
    first.run();
    assert_eq!(doubt(&first).unwrap()["cause"], "gone");
    let refused = first.cli(&["store", "accept", "--reason", " "], "");
    assert!(!refused.status.success());
    accept(&first);
    assert!(first.json(&["trail"], "")["trail"].to_string().contains("store accept"));
    // The other one follows.
    wait_for("trust", || doubt(&second).is_none().then_some(()));
    second.product("p", &[], 1);
    let id = second.order("p", 1).await;
    assert_eq!(second.pay(&id, "T3", 990).await, (200, "success".to_owned()));
    first.audit();
    let nothing = first.cli(&["store", "accept", "--reason", "again"], "");
    assert!(!nothing.status.success(), "there is nothing to accept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_drawn_in_the_second_before_the_next_look() {
    let redis = TestRedis::start();
    let (shop, _) = shop(&redis).await;
    let open = shop.order("p", 1).await;
    let names: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut link(&redis)).unwrap();
    // Everything but the places' own names is there: what would be sold is.
    for name in names.iter().filter(|name| name.ends_with(":place")) {
        redis::cmd("DEL").arg(name).exec(&mut link(&redis)).unwrap();
    }
    assert_eq!(shop.pay(&open, "T2", 990).await, (503, "fail".to_owned()));
    assert_eq!(doubt(&shop).unwrap()["cause"], "gone");
    let keys = redis::cmd("KEYS").arg("*:order:*").query::<Vec<String>>(&mut link(&redis)).unwrap();
    let states = keys.iter().map(|name| redis::cmd("HGET").arg(name).arg("state").query(&mut link(&redis)).unwrap());
    assert_eq!(states.filter(|state: &String| state == "delivered").count(), 1);
    shop.incidents("store_gone", 1).await;
    accept(&shop);
    assert_eq!(shop.pay(&open, "T2", 990).await, (200, "success".to_owned()));
    shop.audit();
}

#[tokio::test]
async fn a_store_that_another_instance_accepted_is_drawn_from_at_once() {
    let bench = Bench::new(Take::Order, 3).await;
    let other = bench.redis.store().await;
    other.accept("exchanged", "root").await.unwrap();
    bench.import(2).await;
    assert_eq!(bench.store.reserve(&bench.draft(bench.id(), 5)).await.unwrap(), Reserved::Created);
    assert!(bench.store.places.doubt().is_none());
    // One that nobody accepted is doubted by the first that asks, and nothing is claimed of it.
    let mut link = bench.link.clone();
    redis::cmd("FLUSHALL").exec_async(&mut link).await.unwrap();
    let chunk = bench.chunk(&[bench.key()]);
    assert!(matches!(bench.store.import(&chunk).await, Err(StoreError::Doubted(_))));
    assert!(bench.dump().await.is_empty());
    assert!(bench.store.places.doubt().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_done_in_a_doubted_store_is_warned_of() {
    let redis = TestRedis::start();
    let (shop, _) = shop(&redis).await;
    redis::cmd("FLUSHALL").exec(&mut link(&redis)).unwrap();
    wait_for("the doubt", || doubt(&shop));
    let commands: [(&[&str], i32); 9] = [
        (&["product", "add", "q", "--price", "1.00"], 0),
        (&["product", "set", "q", "--low", "3"], 0),
        (&["token", "add", "night", "--role", "view"], 0),
        (&["address", "block", "203.0.113.9", "--reason", "forges"], 0),
        (&["keys", "stock"], 0),
        (&["product", "show", "q"], 0),
        (&["order", "list"], 0),
        (&["order", "reconcile", "--since", "2026-01-01"], 1),
        (&["trail"], 0),
    ];
    for (command, code) in commands {
        let said = |more: &[&str]| {
            let done = shop.cli(&[command, more].concat(), "");
            let [out, err] = [&done.stdout, &done.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
            (out, err, done.status.code())
        };
        let (out, err, ended) = said(&["--json"]);
        let answer: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{command:?}: {out}{err}"));
        let warning = answer["warning"].as_str().unwrap_or_else(|| panic!("{command:?}: {answer}"));
        assert!(warning.contains("is gone when the right store is brought back") && ended == Some(code), "{warning}");
        let beside: Value = serde_json::from_str(&err).unwrap();
        assert_eq!(beside["warning"], warning, "{command:?}");
        if command.get(1) != Some(&"add") {
            let (out, err, ended) = said(&[]);
            assert!(err.starts_with("kamid: warning: the store is empty") && ended == Some(code), "{command:?}: {err}");
            assert!(!out.contains("warning"), "{command:?}: {out}");
        }
    }
    // What says it by itself says it once.
    let shown = shop.cli(&["store", "show", "--json"], "");
    let standing: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert!(standing["warning"].is_null() && shown.stderr.is_empty());
    accept(&shop);
    let (calm, answer) = (shop.cli(&["keys", "stock", "--json"], ""), shop.admin("/v1/products").await);
    assert!(calm.stderr.is_empty() && answer["warning"].is_null() && answer["products"].is_array(), "{answer}");
    assert!(shop.cli(&["order", "reconcile", "--since", "2026-01-01"], "").status.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_went_back_in_time_sells_nothing_and_is_trusted_when_the_right_files_are_back() {
    let mut redis = TestRedis::start();
    let (shop, _) = shop(&redis).await;
    let (files, old, new) =
        (redis.folder().join("appendonlydir"), redis.folder().join("old"), redis.folder().join("new"));
    copy(&files, &old);
    // Acknowledged, and gone a moment later: no second passes in which the daemon could look.
    let id = shop.order("p", 1).await;
    assert_eq!(shop.pay(&id, "T2", 990).await, (200, "success".to_owned()));
    redis.kill();
    copy(&files, &new);
    copy(&old, &files);
    redis.restart();
    let found = wait_for("the doubt", || doubt(&shop));
    assert_eq!(found["cause"], "behind");
    assert_eq!(shop.pay(&id, "T2", 990).await, (503, "fail".to_owned()));
    shop.incidents("store_behind", 1).await;
    let held = shop.ask(reqwest::Method::POST, "/v1/products/p/restore", Some(&json!({"count": 1}))).await;
    assert_eq!((held.0, &held.1["code"]), (503, &json!("doubted")));
    // What was sold since is taken out of sale before the store is accepted: that draws nothing.
    let voided = shop.json(&["keys", "void", "p", "--count", "1"], "");
    assert_eq!(voided["voided"], 1, "{voided}");
    redis.kill();
    copy(&new, &files);
    redis.restart();
    wait_for("trust", || doubt(&shop).is_none().then_some(()));
    assert_eq!(shop.state(&id).await, "delivered");
    shop.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_catalogue_is_read_again_with_the_trust_whatever_its_version_says() {
    let redis = TestRedis::start();
    let (first, _) = shop(&redis).await;
    let second = first.second_on(&redis.url());
    let products = "t1:{catalog}:products";
    let record: String = redis::cmd("HGET").arg(products).arg("p").query(&mut link(&redis)).unwrap();
    redis::cmd("FLUSHALL").exec(&mut link(&redis)).unwrap();
    for shop in [&first, &second] {
        wait_for("the doubt", || doubt(shop));
        wait_for("no product", || (!shop.cli(&["product", "show", "p"], "").status.success()).then_some(()));
    }
    // What is brought back happens to have the version that these daemons know.
    let other = record.replace("\"name\":\"p\"", "\"name\":\"of the other store\"");
    assert_ne!(other, record);
    redis::cmd("HSET").arg(products).arg("p").arg(&other).exec(&mut link(&redis)).unwrap();
    accept(&first);
    for shop in [&first, &second] {
        wait_for("its catalogue", || {
            let shown = String::from_utf8_lossy(&shop.cli(&["product", "list"], "").stdout).into_owned();
            shown.contains("of the other store").then_some(())
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_past_on_the_same_link_is_doubted_although_it_got_ahead() {
    let redis = TestRedis::start();
    let (shop, _) = shop(&redis).await;
    let (first, second) = (shop.order("p", 1).await, shop.order("p", 1).await);
    // The second database is the first one as it is now.
    let names: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut link(&redis)).unwrap();
    for name in names {
        redis::cmd("COPY").arg(&name).arg(&name).arg("DB").arg(1).exec(&mut link(&redis)).unwrap();
    }
    assert_eq!(shop.pay(&first, "T2", 990).await, (200, "success".to_owned()));
    let outbox = redis::cmd("KEYS").arg("*:outbox").query::<Vec<String>>(&mut link(&redis)).unwrap();
    let ends = outbox.iter().map(|name| {
        let mut newest = redis::cmd("XREVRANGE");
        newest.arg(name).arg("+").arg("-").arg("COUNT").arg(1);
        let newest: Vec<(String, Vec<String>)> = newest.query(&mut link(&redis)).unwrap();
        newest[0].0.clone()
    });
    let end = ends.max().unwrap();
    wait_for("the mark", || {
        std::fs::read_to_string(shop.data.join("places.json")).is_ok_and(|text| text.contains(&end)).then_some(())
    });
    redis::cmd("SWAPDB").arg(0).arg(1).exec(&mut link(&redis)).unwrap();
    let _at_once = shop.pay(&second, "T3", 990).await;
    assert_eq!(wait_for("the doubt", || doubt(&shop))["cause"], "behind");
    assert_eq!(shop.pay(&first, "T2", 990).await, (503, "fail".to_owned()));
}

#[tokio::test]
async fn a_store_emptied_within_a_look_is_doubted_for_that() {
    let port = held_port();
    let redis = TestRedis::with(|_| vec!["--port".to_owned(), port.to_string()]);
    let proxy = Proxy::start(port).await;
    let mut past = redis.raw().await;
    let outbox = redis.store().await.names.outbox(Slot::new(7));
    let write = redis::cmd("XADD").arg(&outbox).arg("*").arg("any").arg("event").clone();
    write.exec_async(&mut past).await.unwrap();
    let store = TestRedis::store_at(format!("redis://127.0.0.1:{}/0", proxy.port)).await;
    // It went on since: whether what stood there still does is asked for, after the rest was read.
    write.exec_async(&mut past).await.unwrap();
    proxy.set(Line::HeldAt("XRANGE"));
    let (looked, ()) = tokio::join!(store.look_at_places(), async {
        proxy.holds().await;
        redis::cmd("FLUSHALL").exec_async(&mut past).await.unwrap();
        proxy.set(Line::Whole);
    });
    looked.unwrap();
    let found = store.places.findings();
    let [Finding::Doubted(doubt)] = &found[..] else { panic!("{found:?}") };
    assert_eq!((doubt.cause, doubt.missing.len()), (Cause::Gone, 65), "{doubt:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_files_lost_beside_the_ring_are_missed_at_the_start() {
    let mut shop = Daemon::start("");
    shop.product("p", &[], 1);
    assert!(shop.stop());
    std::fs::remove_dir_all(shop.data.join("redis")).unwrap();
    shop.run();
    assert_eq!(doubt(&shop).unwrap()["cause"], "gone");
    let log = std::fs::read_to_string(shop.data.join("log")).unwrap();
    assert!(log.contains("ERROR") && log.contains("store accept"));
    accept(&shop);
    assert!(doubt(&shop).is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promoted_replica_that_lacks_events_is_told_and_the_shop_stays_open() {
    let port = held_port();
    let mut master = TestRedis::with(|_| vec!["--port".to_owned(), port.to_string()]);
    let replica = TestRedis::with(|_| {
        ["--replicaof", "127.0.0.1", &port.to_string(), "--repl-timeout", "3600"].map(str::to_owned).to_vec()
    });
    wait_for("the replica", || {
        let info: String = redis::cmd("INFO").arg("replication").query(&mut link(&master)).unwrap();
        info.contains("state=online").then_some(())
    });
    // What stands before the two, as a name or an address that moves does.
    let front = master.folder().join("front.sock");
    std::os::unix::fs::symlink(master.socket(), &front).unwrap();
    let data = master.folder().join("d");
    let shop = Daemon::at(&data, &format!("[store]\nurl = \"unix://{}\"\n", front.display()));
    shop.product("p", &[], 3);
    wait_for("the copy", || {
        let there: i64 = redis::cmd("HLEN").arg("t1:{catalog}:products").query(&mut link(&replica)).unwrap();
        (there == 1).then_some(())
    });
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    let id = shop.order("p", 1).await;
    // Promoted while the old master still answers: what comes now the new one never hears of.
    redis::cmd("REPLICAOF").arg("NO").arg("ONE").exec(&mut link(&replica)).unwrap();
    assert_eq!(shop.pay(&id, "T1", 990).await, (200, "success".to_owned()));
    master.kill();
    std::fs::remove_file(&front).unwrap();
    std::os::unix::fs::symlink(replica.socket(), &front).unwrap();
    shop.incidents("master_behind", 1).await;
    assert!(doubt(&shop).is_none());
    // The gateway's repeat, or the question to it, settles what was lost.
    let again = wait_for("the shop", || {
        let answer =
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(shop.pay(&id, "T1", 990)));
        (answer.0 != 503).then_some(answer)
    });
    assert_eq!(again, (200, "success".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_changed_later_stop_callbacks_until_they_are_set_back() {
    let redis = TestRedis::start();
    let (shop, _) = shop(&redis).await;
    for (at, (name, wrong, right)) in [
        ("appendonly", "no", "yes"),
        ("appendfsync", "everysec", "always"),
        ("maxmemory-policy", "allkeys-lru", "noeviction"),
        ("no-appendfsync-on-rewrite", "yes", "no"),
    ]
    .into_iter()
    .enumerate()
    {
        let id = shop.order("p", 1).await;
        set(&redis, name, wrong);
        let careless = || shop.cli(&["store", "show"], "");
        let said = wait_for("the change", || Some(careless()).filter(|done| !done.status.success()));
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        assert!(said.contains(&format!("{name} {wrong}")), "{said}");
        assert_eq!(shop.pay(&id, "S1", 990).await, (503, "fail".to_owned()));
        assert!(!shop.is_ready().await);
        shop.incidents("settings_changed", at + 1).await;
        // What operators do goes on.
        shop.json(&["order", "expire", &id, "--reason", "a test"], "");
        set(&redis, name, right);
        wait_for("as it was", || careless().status.success().then_some(()));
        let id = shop.order("p", 1).await;
        assert_eq!(shop.pay(&id, &format!("S-{name}"), 990).await, (200, "success".to_owned()));
    }
    shop.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_only_file_switched_on_again_counts_when_it_is_written_whole() {
    let redis = TestRedis::start();
    let (shop, _) = shop(&redis).await;
    let id = shop.order("p", 1).await;
    let careless = |word: &str| {
        let said = shop.cli(&["store", "show"], "");
        String::from_utf8_lossy(&said.stdout).contains(word).then_some(())
    };
    // Each name of the rewrite takes so many microseconds.
    set(&redis, "rdb-key-save-delay", "60000");
    set(&redis, "appendonly", "no");
    wait_for("it is off", || careless("appendonly no"));
    set(&redis, "appendonly", "yes");
    wait_for("it is being written", || careless("not written whole yet"));
    assert_eq!(shop.pay(&id, "S1", 990).await.0, 503);
    set(&redis, "rdb-key-save-delay", "0");
    wait_for("it is written", || careless("The store is the one that was there"));
    assert_eq!(shop.pay(&id, "S1", 990).await, (200, "success".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_durability_is_relaxed_a_change_is_told_and_payments_go_on() {
    let redis = TestRedis::start();
    let settings = format!("[store]\nurl = \"{}\"\ndurability = \"relaxed\"\n", redis.url());
    let shop = Daemon::at(&redis.folder().join("d"), &settings);
    shop.product("p", &[], 1);
    let id = shop.order("p", 1).await;
    set(&redis, "appendfsync", "no");
    shop.incidents("settings_changed", 1).await;
    assert_eq!(shop.pay(&id, "S1", 990).await, (200, "success".to_owned()));
    assert!(shop.is_ready().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_layout_stops_a_running_daemon_and_refuses_a_start() {
    let redis = TestRedis::start();
    let (mut shop, _) = shop(&redis).await;
    let stands = || redis::cmd("GET").arg("t1:{catalog}:schema").query::<u64>(&mut link(&redis)).unwrap();
    let said = || std::fs::read_to_string(redis.folder().join("d/log")).unwrap();
    // An empty store has it from the first start on: there is nobody to wait for.
    assert_eq!(stands(), kamid::store::SCHEMA);
    assert!(!said().contains("layout is raised"), "{}", said());
    redis::cmd("SET").arg("t1:{catalog}:schema").arg(99).exec(&mut link(&redis)).unwrap();
    assert!(!shop.wait(), "it ends with an error");
    assert!(said().contains("layout 99"), "{}", said());
    let done = std::process::Command::new(env!("CARGO_BIN_EXE_kamid"))
        .args(["serve", "--data"])
        .arg(redis.folder().join("d"))
        .output()
        .unwrap();
    assert!(!done.status.success() && String::from_utf8_lossy(&done.stderr).contains("layout 99"));
    // An older one is raised, after the others had their time to stop.
    redis::cmd("SET").arg("t1:{catalog}:schema").arg(kamid::store::SCHEMA - 1).exec(&mut link(&redis)).unwrap();
    shop.run();
    assert_eq!(stands(), kamid::store::SCHEMA);
    assert!(said().contains("layout is raised"));
}
