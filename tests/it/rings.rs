//! Key rings that fit in part, and a new key on its way to all instances.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::shop::{Daemon, wait_for};

fn ring(data: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(data.join("ring.json")).unwrap()).unwrap()
}

fn secret(byte: u8) -> String {
    data_encoding::BASE64.encode(&[byte; 32])
}

/// Its key ring with a second key.
fn with_key(ring: &Value, byte: u8, active: u8) -> Value {
    let mut ring = ring.clone();
    ring["keys"]["2"] = json!(secret(byte));
    ring["active"] = json!(active);
    ring
}

/// Writes a ring as only its owner may read it.
fn write(data: &Path, ring: &Value) {
    let mut file = std::fs::File::options();
    let file = file.write(true).create(true).truncate(true).mode(0o600).open(data.join("ring.json"));
    file.unwrap().write_all(ring.to_string().as_bytes()).unwrap();
}

/// Settings of a daemon that shares this one's Redis.
fn sharing(shop: &Daemon) -> String {
    format!("[store]\nurl = \"unix://{}\"\n", shop.data.join("redis/redis.sock").display())
}

/// What a daemon says that does not start with that ring.
fn refused(shop: &Daemon, ring: &Value) -> String {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("[server]\npublic = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n{}", sharing(shop));
    std::fs::write(folder.path().join("config.toml"), text).unwrap();
    write(folder.path(), ring);
    let mut command = Command::new(env!("CARGO_BIN_EXE_kamid"));
    let mut child =
        command.args(["serve", "--data"]).arg(folder.path()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let ended = (0..600).find_map(|_| {
        std::thread::sleep(Duration::from_millis(50));
        child.try_wait().unwrap()
    });
    if ended.is_none() {
        child.kill().unwrap();
    }
    let done = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(ended.and_then(|status| status.code()), Some(1), "it runs with another ring: {said}");
    said
}

/// A daemon that shares this one's Redis, with that ring.
fn joined(shop: &Daemon, folder: &Path, ring: &Value) -> Daemon {
    std::fs::create_dir_all(folder).unwrap();
    write(folder, ring);
    Daemon::at(folder, &sharing(shop))
}

fn redis(shop: &Daemon) -> redis::Connection {
    let client = redis::Client::open(format!("unix://{}", shop.data.join("redis/redis.sock").display())).unwrap();
    client.get_connection().unwrap()
}

/// The ring keys that the product's pool is sealed under, oldest first.
fn under(shop: &Daemon, product: &str) -> Vec<u8> {
    let mut link = redis(shop);
    let names: Vec<String> = redis::cmd("KEYS").arg(format!("t1:*:pool:{product}")).query(&mut link).unwrap();
    let blobs: Vec<Vec<u8>> = redis::cmd("LRANGE").arg(&names[0]).arg(0).arg(-1).query(&mut link).unwrap();
    blobs.iter().map(|blob| blob[0]).collect()
}

/// What the one incident of a reason advises.
async fn advice(shop: &Daemon, reason: &str) -> String {
    let id = shop.incidents(reason, 1).await[0]["id"].as_str().unwrap().to_owned();
    shop.admin(&format!("/v1/incidents/{id}")).await["advice"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ring_that_fits_in_part_does_not_start() {
    let shop = Daemon::start("");
    shop.product("ring", &[], 3);
    let own = ring(&shop.data);
    let change = |change: &dyn Fn(&mut Value)| {
        let mut ring = own.clone();
        change(&mut ring);
        ring
    };
    let others: [(Value, &str); 3] = [
        (change(&|ring| ring["keys"]["1"] = json!(secret(7))), "its key 1 is another one"),
        (change(&|ring| ring["token"] = json!(secret(7))), "its token is another one"),
        (change(&|ring| ring["fingerprint"] = json!(secret(7))), "its fingerprint secret is another one"),
    ];
    for (ring, part) in &others {
        let said = refused(&shop, ring);
        assert!(said.contains(part), "{part}: {said}");
    }
    let mut alone = with_key(&own, 2, 2);
    alone["keys"].as_object_mut().unwrap().remove("1");
    assert!(refused(&shop, &alone).contains("lacks key 1"));
    // A further key that is not in use hinders nobody; from then on there is one key 2.
    let folder = tempfile::tempdir().unwrap();
    let second = joined(&shop, &folder.path().join("d"), &with_key(&own, 2, 1));
    assert_eq!(second.admin("/v1/info").await["test"], true);
    assert!(refused(&shop, &with_key(&own, 3, 1)).contains("its key 2 is another one"));
    // A store of an older version has no values of the parts: its keys are tried instead, before any are written.
    let _gone: i64 = redis::cmd("DEL").arg("t1:{catalog}:ring_parts").query(&mut redis(&shop)).unwrap();
    assert!(refused(&shop, &others[0].0).contains("its key 1 is another one"));
    drop(second);
    let second = shop.second();
    assert_eq!(
        second.json(&["order", "new", "ring", "--contact", "a@b.example", "--channel", "pay"], "")["state"],
        "pending"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_key_is_sealed_under_once_every_instance_holds_it() {
    let mut shop = Daemon::start("");
    shop.product("turn", &["--per-order", "10000"], 1);
    let own = ring(&shop.data);
    let folder = tempfile::tempdir().unwrap();
    let both = with_key(&own, 2, 2);
    let second = joined(&shop, &folder.path().join("d"), &both);
    // The first one lacks it: the second seals under the old key, and says what it waits for.
    second.import("turn", 10, 1);
    let advice = advice(&second, "ring_waits").await;
    assert!(advice.contains("without it are"), "{advice}");
    second.import("turn", 11, 1);
    assert_eq!(under(&shop, "turn"), [1, 1, 1]);
    // It gets the key; by and by both seal under it.
    shop.kill();
    write(&shop.data, &with_key(&own, 2, 1));
    shop.run();
    let mut next = 12;
    wait_for("the new key", || {
        second.import("turn", next, 1);
        next += 1;
        under(&shop, "turn").last().is_some_and(|key| *key == 2).then_some(())
    });
    // What is sealed under it is opened by the first one, too; and whoever lacks it does not start any more.
    let id = shop.order("turn", next - 9).await;
    assert_eq!(shop.pay(&id, "T1", 990 * i64::from(next - 9)).await.0, 200);
    let page = shop.admin(&format!("/v1/orders/{id}")).await["page"].as_str().unwrap().to_owned();
    let page = page.split_once("/o/").unwrap().1.to_owned();
    let (status, text) = shop.send(&format!("/o/{page}")).await;
    assert!(status == 200 && text.contains(&format!("PLAIN-turn-{:06}", next - 1)), "{status}");
    assert!(refused(&shop, &own).contains("lacks key 2"));
    shop.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ring_that_fits_no_more_while_it_runs_stops_the_shop() {
    let shop = Daemon::start("");
    shop.product("while", &[], 3);
    let id = shop.order("while", 1).await;
    let mut link = redis(&shop);
    let parts = "t1:{catalog}:ring_parts";
    let stood: String = redis::cmd("HGET").arg(parts).arg("key 1").query(&mut link).unwrap();
    let set = |value: &str, link: &mut redis::Connection| {
        let _n: i64 = redis::cmd("HSET").arg(parts).arg("key 1").arg(value).query(link).unwrap();
    };
    set("another", &mut link);
    let advice = advice(&shop, "other_ring").await;
    assert!(advice.contains("its key 1 is another one"), "{advice}");
    assert_eq!(shop.pay(&id, "T1", 990).await, (503, "fail".to_owned()));
    assert!(!shop.is_ready().await);
    // Not Redis is away: the dashboard says what it is, in its alarm and in the list.
    shop.stream("", |line| line["other_ring"].as_str().is_some_and(|why| why.contains("its key 1 is another one")))
        .await;
    let top = wait_for("the dashboard", || {
        let once = ["top", "--once", "--size", "120x30", "--lang", "en", "--tab", "instances"];
        let top = String::from_utf8_lossy(&shop.cli(&once, "").stdout).into_owned();
        top.contains("its key ring is not this store's").then_some(top)
    });
    assert!(top.contains("other ring") && !top.contains("does not answer") && !top.contains("no Redis"), "{top}");
    let refused = shop.cli(&["keys", "import", "while", "-"], "K-1\n");
    assert!(!refused.status.success());
    set(&stood, &mut link);
    let mut answer = (0, String::new());
    for _ in 0..200 {
        answer = shop.pay(&id, "T1", 990).await;
        if answer.0 == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!((answer, shop.state(&id).await.as_str()), ((200, "success".to_owned()), "delivered"));
    shop.stream("", |line| line["other_ring"].is_null()).await;
}
