//! The embedded Redis is one: whatever is removed under it, no second one is started on its files, and one that is gone
//! comes back at once.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::shop::{Daemon, wait_for};

fn signal(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

/// Processes of a `redis-server` with that folder's socket.
pub fn servers(data: &Path) -> Vec<i32> {
    let socket = data.join("redis/redis.sock").display().to_string();
    let pids = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let on_it = |pid: &i32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        line.contains("redis-server") && line.contains("unixsocket") && line.contains(&socket)
    };
    pids.filter(on_it).collect()
}

/// For as long as the supervisor looks twenty times, there is this one and no other.
fn stays_alone(shop: &Daemon, pid: i32) {
    for _ in 0..40 {
        assert_eq!(servers(&shop.data), [pid], "another Redis was started on the same files");
        std::thread::sleep(Duration::from_millis(25));
    }
}

fn remove(data: &Path, names: &[&str]) {
    for name in names {
        std::fs::remove_file(data.join(name)).unwrap();
    }
}

/// Pays until the answer is no 503 any more.
async fn paid(shop: &Daemon, id: &str, trade_no: &str) {
    for _ in 0..600 {
        let answer = shop.pay(id, trade_no, 990).await;
        if answer.0 != 503 {
            assert_eq!(answer, (200, "success".to_owned()));
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{id} is not paid in time");
}

/// Every order has a key of its own, and everything adds up.
async fn nothing_twice(shop: &Daemon, ids: &[String]) {
    for _ in 0..600 {
        if shop.is_ready().await {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut keys = std::collections::BTreeSet::new();
    for id in ids {
        assert_eq!(shop.state(id).await, "delivered");
        let page = shop.admin(&format!("/v1/orders/{id}")).await["page"].as_str().unwrap().to_owned();
        let (_, text) = shop.send(&page[shop.public.len()..]).await;
        let key = text.split("PLAIN-one-").nth(1).map(|rest| rest.chars().take(6).collect::<String>());
        assert!(keys.insert(key.expect("a key")), "sold twice: {keys:?}");
    }
    shop.audit();
}

async fn shop_of(settings: &str) -> (Daemon, Vec<String>, i32) {
    let shop = Daemon::start(settings);
    shop.product("one", &[], 12);
    let mut ids = Vec::new();
    for _ in 0..6 {
        ids.push(shop.order("one", 1).await);
    }
    paid(&shop, &ids[0], "E0").await;
    let redis = shop.redis_pid().unwrap();
    (shop, ids, redis)
}

/// What the daemon's log has of a sentence.
fn said(shop: &Daemon, sentence: &str) -> usize {
    std::fs::read_to_string(shop.data.join("log")).unwrap().matches(sentence).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_second_redis_is_started_when_its_lock_is_removed_under_a_running_daemon() {
    let (mut shop, ids, redis) = shop_of("[store]\ntimeout_ms = 1000\n").await;
    remove(&shop.data, &["redis/redis.lock"]);
    stays_alone(&shop, redis);
    paid(&shop, &ids[1], "E1").await;
    // Frozen it answers nothing, and every connection of ours breaks.
    signal(redis, Signal::STOP);
    assert_eq!(shop.pay(&ids[2], "E2", 990).await.0, 503);
    let _gone = std::fs::remove_file(shop.data.join("redis/redis.lock"));
    stays_alone(&shop, redis);
    signal(redis, Signal::CONT);
    for (at, id) in ids.iter().enumerate().skip(1) {
        paid(&shop, id, &format!("E{at}")).await;
    }
    assert_eq!(said(&shop, "was gone"), 0, "it never was");
    // What is gone is started again, and that is said.
    signal(redis, Signal::KILL);
    wait_for("another Redis", || shop.redis_pid().filter(|pid| *pid != redis));
    wait_for("a line of the log", || (said(&shop, "was gone") == 1).then_some(()));
    nothing_twice(&shop, &ids).await;
    assert!(shop.stop());
    assert!(servers(&shop.data).is_empty(), "the one that runs is stopped with the daemon");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_daemon_is_refused_also_where_both_locks_were_removed() {
    let (shop, ids, redis) = shop_of("").await;
    remove(&shop.data, &["kamid.lock", "redis/redis.lock"]);
    for _ in 0..2 {
        let refused = shop.cli(&["serve"], "");
        assert!(!refused.status.success());
        let why = String::from_utf8_lossy(&refused.stderr);
        assert!(why.contains("another kamid"), "{why}");
    }
    stays_alone(&shop, redis);
    for (at, id) in ids.iter().enumerate().skip(1) {
        paid(&shop, id, &format!("E{at}")).await;
    }
    nothing_twice(&shop, &ids).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_kill_9_and_with_its_locks_gone_the_next_daemon_attaches_to_the_same_redis() {
    let (mut shop, ids, redis) = shop_of("").await;
    for (round, frozen) in [false, true].into_iter().enumerate() {
        shop.kill();
        remove(&shop.data, &["kamid.lock", "redis/redis.lock"]);
        let thaw = frozen.then(|| {
            signal(redis, Signal::STOP);
            let data = shop.data.clone();
            std::thread::spawn(move || {
                for _ in 0..40 {
                    assert_eq!(servers(&data), [redis]);
                    std::thread::sleep(Duration::from_millis(25));
                }
                signal(redis, Signal::CONT);
            })
        });
        shop.run();
        if let Some(thaw) = thaw {
            thaw.join().unwrap();
        }
        stays_alone(&shop, redis);
        paid(&shop, &ids[round + 1], &format!("E{}", round + 1)).await;
    }
    nothing_twice(&shop, &ids[..3]).await;
    // Of all that is dead, what is left behind hinders nothing.
    shop.kill();
    signal(redis, Signal::KILL);
    wait_for("the end of it", || servers(&shop.data).is_empty().then_some(()));
    assert!(shop.data.join("redis/redis.sock").exists());
    shop.run();
    for (at, id) in ids.iter().enumerate().skip(3) {
        paid(&shop, id, &format!("E{at}")).await;
    }
    nothing_twice(&shop, &ids).await;
}

/// A `redis-server` that keeps nothing it was given, as one of an earlier version whose lock was removed; where
/// there is a pipe `hold` beside it, it begins when something is written there.
const WITHOUT_LOCKS: &str = "#!/bin/bash\nfor fd in /proc/$$/fd/*; do n=${fd##*/}; [ $n -gt 2 ] && eval \"exec $n>&-\" 2>/dev/null; done\nhold=\"${0%/*}/hold\"; if [ -p \"$hold\" ]; then read -r go < \"$hold\"; fi\nexec redis-server \"$@\" </dev/null\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_holds_no_lock_is_seen_by_its_process_and_its_socket() {
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    let program = folder.path().join("redis-server");
    std::fs::write(&program, WITHOUT_LOCKS).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    let (mut shop, ids, redis) = shop_of(&format!("[store]\nredis_server = \"{}\"\n", program.display())).await;
    for (round, cut_off) in [false, true].into_iter().enumerate() {
        shop.kill();
        if cut_off {
            // Its process is the last that speaks for it: nobody reaches it, so it is ended in order.
            remove(&shop.data, &["redis/redis.sock"]);
        }
        shop.run();
        let now = shop.redis_pid().unwrap();
        assert_eq!(now == redis, !cut_off, "one that is reached goes on");
        stays_alone(&shop, now);
        paid(&shop, &ids[round + 1], &format!("E{}", round + 1)).await;
    }
    nothing_twice(&shop, &ids[..3]).await;
    // The same while it is loading, or has not even begun.
    let redis = shop.redis_pid().unwrap();
    let hold = folder.path().join("hold");
    assert!(std::process::Command::new("mkfifo").arg(&hold).status().unwrap().success());
    signal(redis, Signal::KILL);
    let slow = wait_for("one that begins", || servers(&shop.data).into_iter().find(|pid| *pid != redis));
    shop.kill();
    remove(&shop.data, &["kamid.lock", "redis/redis.lock"]);
    let data = shop.data.clone();
    let release = std::thread::spawn(move || {
        for _ in 0..20 {
            assert_eq!(servers(&data), [slow]);
            std::thread::sleep(Duration::from_millis(25));
        }
        std::fs::write(&hold, "go\n").unwrap();
        std::fs::remove_file(hold).unwrap();
    });
    shop.run();
    release.join().unwrap();
    assert_eq!(shop.redis_pid(), Some(slow));
    paid(&shop, &ids[3], "E3").await;
    nothing_twice(&shop, &ids[..4]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_socket_starts_no_second_redis_while_the_first_one_lives() {
    let (shop, ids, redis) = shop_of("").await;
    let client = redis::Client::open(format!("unix://{}", shop.data.join("redis/redis.sock").display())).unwrap();
    let mut link = client.get_connection().unwrap();
    remove(&shop.data, &["redis/redis.sock", "redis/redis.lock"]);
    stays_alone(&shop, redis);
    // Over the connections that stand it serves on.
    paid(&shop, &ids[1], "E1").await;
    assert_eq!(servers(&shop.data), [redis]);
    // Without them nobody reaches it: it is ended in order, and only then is another one started.
    redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg("normal").arg("SKIPME").arg("yes").exec(&mut link).unwrap();
    let next = wait_for("another Redis", || shop.redis_pid());
    assert_ne!(next, redis);
    stays_alone(&shop, next);
    for (at, id) in ids.iter().enumerate().skip(2) {
        paid(&shop, id, &format!("E{at}")).await;
    }
    nothing_twice(&shop, &ids).await;
}
