//! Redis as it may be: behind TLS, set up carelessly, with little disk, with none.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use crate::support::port::held_port;
use crate::support::redis::TestRedis;
use crate::support::shop::{Daemon, wait_for};

/// A daemon on that Redis.
fn daemon(folder: &Path, store: &str) -> Daemon {
    Daemon::at(&folder.join("d"), &format!("[store]\n{store}\n"))
}

fn set(redis: &TestRedis, name: &str, value: &str) {
    let client = redis::Client::open(redis.url()).unwrap();
    let mut link = client.get_connection().unwrap();
    redis::cmd("CONFIG").arg("SET").arg(name).arg(value).exec(&mut link).unwrap();
}

/// Pays until the answer is no 503 any more.
pub async fn paid_at_last(shop: &Daemon, id: &str, trade_no: &str) -> (u16, String) {
    let mut answer = (0, String::new());
    for _ in 0..600 {
        answer = shop.pay(id, trade_no, 990).await;
        if answer.0 != 503 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_behind_tls_is_believed_only_with_its_own_certificates() {
    let port = held_port();
    let redis = TestRedis::with(|folder| {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        std::fs::write(folder.join("ca.pem"), made.cert.pem()).unwrap();
        std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        let file = |name: &str| folder.join(name).display().to_string();
        let settings = [
            ("--tls-port", port.to_string()),
            ("--tls-cert-file", file("ca.pem")),
            ("--tls-key-file", file("key.pem")),
            ("--tls-ca-cert-file", file("ca.pem")),
            ("--tls-auth-clients", "no".to_owned()),
            ("--requirepass", "p-4711".to_owned()),
        ];
        settings.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect()
    });
    let folder = redis.folder();
    let url = format!("url = \"rediss://:p-4711@localhost:{port}/0\"");
    let shop = daemon(folder, &format!("{url}\nca_file = \"{}\"", folder.join("ca.pem").display()));
    shop.product("tls", &[], 2);
    let id = shop.order("tls", 1).await;
    assert_eq!(shop.pay(&id, "T1", 990).await, (200, "success".to_owned()));
    shop.audit();
    // Without them it is a stranger's.
    std::fs::create_dir(folder.join("e")).unwrap();
    let text =
        format!("[server]\npublic = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n[store]\n{url}\ntimeout_ms = 500\n");
    std::fs::write(folder.join("e/config.toml"), text).unwrap();
    let said = refused(&folder.join("e"));
    assert!(!said.contains("p-4711"), "{said}");
}

/// What a daemon says that does not start on that data directory.
fn refused(data: &Path) -> String {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_kamid"));
    let done = command.args(["serve", "--data"]).arg(data).output().unwrap();
    assert!(!done.status.success());
    String::from_utf8_lossy(&done.stderr).into_owned()
}

#[test]
fn a_redis_that_could_lose_payments_is_refused_with_what_to_set() {
    let redis = TestRedis::start();
    let data = redis.folder().join("d");
    std::fs::create_dir(&data).unwrap();
    let text =
        format!("[server]\npublic = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n[store]\nurl = \"{}\"\n", redis.url());
    std::fs::write(data.join("config.toml"), &text).unwrap();
    let cluster = TestRedis::with(|_| ["--cluster-enabled".to_owned(), "yes".to_owned()].to_vec());
    let other = data.join("c");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("config.toml"), text.replace(&redis.url(), &cluster.url())).unwrap();
    assert!(refused(&other).contains("cluster mode"));
    for (name, wrong, right) in [
        ("appendfsync", "everysec", "always"),
        ("appendonly", "no", "yes"),
        ("maxmemory-policy", "allkeys-lru", "noeviction"),
        ("no-appendfsync-on-rewrite", "yes", "no"),
    ] {
        set(&redis, name, wrong);
        let said = refused(&data);
        assert!(said.contains(&format!("CONFIG SET {name} {right}")), "{said}");
        set(&redis, name, right);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_little_disk_left_payments_go_on_and_orders_do_not() {
    let shop = Daemon::start("");
    shop.product("disk", &[], 5);
    let id = shop.order("disk", 1).await;
    let mut shop = shop;
    assert!(shop.stop());
    let file = shop.data.join("config.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("[limits]\ndisk_free_bytes = {}\n{text}", i64::MAX)).unwrap();
    shop.run();
    let refused = wait_for("a full disk", || {
        let done = shop.cli(&["order", "new", "disk", "--channel", "pay"], "");
        (!done.status.success()).then(|| String::from_utf8_lossy(&done.stderr).into_owned())
    });
    assert!(refused.contains("of disk are free"), "{refused}");
    assert_eq!(shop.pay(&id, "D1", 990).await, (200, "success".to_owned()));
    assert_eq!(shop.state(&id).await, "delivered");
    shop.audit();
}

/// A `redis-server` whose files cannot grow past what the file `room` beside it says (in blocks of 512 bytes): what a
/// full disk is, for one process. The shell ignores the signal, so that the write fails as on a full disk.
/// While there is a file `hold` beside it, it does not begin.
const CRAMPED: &str = "#!/bin/sh\nwhile [ -e \"$(dirname \"$0\")/hold\" ]; do sleep 0.02; done\ntrap '' XFSZ\nulimit -S -f \"$(cat \"$(dirname \"$0\")/room\")\"\nexec redis-server \"$@\"\n";

/// Writes that program into a folder.
pub fn cramped(folder: &Path) -> std::path::PathBuf {
    let program = folder.join("redis-server");
    std::fs::write(&program, CRAMPED).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    program
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_loses_nothing_and_the_repeat_settles_when_there_is_room() {
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    let program = cramped(folder.path());
    let room = folder.path().join("room");
    std::fs::write(&room, "unlimited").unwrap();
    let mut shop = daemon(folder.path(), &format!("redis_server = \"{}\"", program.display()));
    shop.product("full", &[], 200);
    let mut ids = Vec::new();
    for _ in 0..60 {
        ids.push(shop.order("full", 1).await);
    }
    assert!(shop.stop());
    let log = append_only(&shop.data);
    let size = std::fs::metadata(&log).unwrap().len();
    // Room for a few payments more, and the last one half-way.
    std::fs::write(&room, (size / 512 + 6).to_string()).unwrap();
    shop.run();
    let mut answers = Vec::new();
    for (at, id) in ids.iter().enumerate() {
        answers.push(shop.pay(id, &format!("F{at}"), 990).await.0);
        if answers.last() == Some(&503) {
            break;
        }
    }
    assert!(answers.contains(&503), "the disk was never full: {answers:?}");
    assert!(answers.iter().all(|status| [200, 503].contains(status)), "{answers:?}");
    assert_eq!(shop.send("/healthz").await.0, 200);
    std::fs::write(&room, "unlimited").unwrap();
    for (at, id) in ids.iter().enumerate() {
        assert_eq!(paid_at_last(&shop, id, &format!("F{at}")).await, (200, "success".to_owned()));
        assert_eq!(shop.state(id).await, "delivered");
    }
    assert_eq!(shop.admin("/v1/products/full").await["stock"]["given"], 60);
    shop.audit();
}

/// The embedded server's append-only file.
pub fn append_only(data: &Path) -> std::path::PathBuf {
    let files = std::fs::read_dir(data.join("redis/appendonlydir")).unwrap().map(|entry| entry.unwrap().path());
    files.into_iter().find(|path| path.to_string_lossy().ends_with(".incr.aof")).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_without_the_replicas_it_wants_means_later_and_is_no_bug() {
    let redis = TestRedis::start();
    let shop = daemon(redis.folder(), &format!("url = \"{}\"", redis.url()));
    shop.product("later", &[], 2);
    let id = shop.order("later", 1).await;
    set(&redis, "min-replicas-to-write", "1");
    assert_eq!(shop.pay(&id, "N1", 990).await, (503, "fail".to_owned()));
    let wish = serde_json::json!({"product": "later", "quantity": 1, "contact": "a@example.test", "channel": "pay"});
    let (status, said) = shop.post("/v1/orders", &wish).await;
    assert_eq!((status, &said["code"]), (503, &"unavailable".into()), "{said}");
    let log = std::fs::read_to_string(shop.data.join("log")).unwrap();
    assert!(!log.contains("a bug in kamid"), "{log}");
    set(&redis, "min-replicas-to-write", "0");
    assert_eq!(shop.pay(&id, "N1", 990).await, (200, "success".to_owned()));
    shop.audit();
}
