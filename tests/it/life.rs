//! How a daemon begins and ends: it attaches to the Redis that is there, never starts a second one, and drains.

use std::time::Duration;

use crate::embedded::servers;
use crate::support::shop::{Daemon, wait_for};

fn signal(pid: i32, signal: rustix::process::Signal) {
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), signal).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_kill_9_the_next_daemon_attaches_to_the_same_redis_even_a_frozen_one() {
    let mut shop = Daemon::start("");
    shop.product("same", &[], 2);
    let id = shop.order("same", 1).await;
    let redis = shop.redis_pid().unwrap();
    shop.kill();
    signal(redis, rustix::process::Signal::STOP);
    let thaw = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(1500));
        signal(redis, rustix::process::Signal::CONT);
    });
    shop.run();
    thaw.join().unwrap();
    assert_eq!(shop.redis_pid(), Some(redis), "a second Redis was started on the same files");
    assert_eq!(shop.pay(&id, "A1", 990).await, (200, "success".to_owned()));
    shop.audit();
}

#[test]
fn without_its_ring_a_shop_is_not_served_and_no_other_ring_is_left_behind() {
    let mut shop = Daemon::start("");
    let ring = shop.data.join("ring.json");
    let right = std::fs::read(&ring).unwrap();
    assert!(shop.stop());
    std::fs::remove_file(&ring).unwrap();
    let refused = shop.cli(&["serve"], "");
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("another key ring"));
    assert!(!ring.exists(), "it would pass for the right one");
    assert!(servers(&shop.data).is_empty(), "the Redis that it started is left behind");
    std::fs::write(&ring, right).unwrap();
    // As a backup gives it back; for everybody to read it would be refused.
    std::fs::set_permissions(&ring, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    shop.run();
}

/// Each step of a start that can fail once Redis is up; what the shop then says, and how it is mended.
#[test]
fn a_start_that_fails_stops_the_redis_that_it_started_and_no_other() {
    let mut shop = Daemon::start("");
    shop.product("left", &[], 1);
    let link = |shop: &Daemon| {
        let client = redis::Client::open(format!("unix://{}", shop.data.join("redis/redis.sock").display())).unwrap();
        client.get_connection().unwrap()
    };
    let set = |shop: &Daemon, layout: &str| {
        redis::cmd("SET").arg("t1:{catalog}:schema").arg(layout).exec(&mut link(shop)).unwrap();
    };
    let stands: String = redis::cmd("GET").arg("t1:{catalog}:schema").query(&mut link(&shop)).unwrap();
    let refused = |shop: &Daemon, why: &str| {
        let done = shop.cli(&["serve"], "");
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.code() == Some(1) && said.contains(why), "{why}: {said}");
    };
    // A folder stands where it says where it is: the last step.
    assert!(shop.stop());
    let (place, aside) = (shop.data.join("daemon.json"), shop.data.join("aside"));
    std::fs::create_dir(&place).unwrap();
    refused(&shop, "Is a directory");
    assert!(servers(&shop.data).is_empty(), "left behind");
    std::fs::remove_dir(&place).unwrap();
    // Its mark of home cannot be written.
    let home = shop.data.join("redis/home.json");
    std::fs::rename(&home, &aside).unwrap();
    std::fs::create_dir(&home).unwrap();
    refused(&shop, "home.json");
    assert!(servers(&shop.data).is_empty(), "left behind");
    std::fs::remove_dir(&home).unwrap();
    std::fs::rename(&aside, &home).unwrap();
    // Data of a newer layout. A Redis that was there before, after kill -9, is another's to stop.
    shop.run();
    let redis = shop.redis_pid();
    shop.kill();
    set(&shop, "99");
    refused(&shop, "layout 99");
    assert_eq!(shop.redis_pid(), redis, "it was there before");
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(redis.unwrap()).unwrap(),
        rustix::process::Signal::TERM,
    )
    .unwrap();
    wait_for("the end of it", || servers(&shop.data).is_empty().then_some(()));
    refused(&shop, "layout 99");
    assert!(servers(&shop.data).is_empty(), "left behind");
    let mut server = std::process::Command::new("redis-server");
    server.args(["--port", "0", "--appendonly", "yes", "--unixsocket", "redis.sock"]);
    let mut server = server.current_dir(shop.data.join("redis")).stdout(std::process::Stdio::null()).spawn().unwrap();
    wait_for("a Redis of the test's own", || {
        let client = redis::Client::open(format!("unix://{}", shop.data.join("redis/redis.sock").display())).ok()?;
        let mut link = client.get_connection().ok()?;
        redis::cmd("PING").exec(&mut link).ok()
    });
    set(&shop, &stands);
    let _gone = redis::cmd("SHUTDOWN").exec(&mut link(&shop));
    server.wait().unwrap();
    shop.run();
    shop.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_answers_what_is_in_flight_and_takes_redis_down_last() {
    let mut shop = Daemon::start("[store]\ntimeout_ms = 20000\n");
    shop.product("drain", &[], 2);
    let id = shop.order("drain", 1).await;
    let (redis, daemon) = (shop.redis_pid().unwrap(), shop.pid().cast_signed());
    signal(redis, rustix::process::Signal::STOP);
    let (answer, late) = tokio::join!(shop.pay(&id, "L1", 990), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        signal(daemon, rustix::process::Signal::TERM);
        tokio::time::sleep(Duration::from_millis(500)).await;
        let late = shop.send("/healthz").await;
        signal(redis, rustix::process::Signal::CONT);
        late
    });
    assert_eq!(answer, (200, "success".to_owned()), "the payment in flight");
    assert_eq!(late.0, 0, "a new connection while stopping");
    assert!(shop.wait(), "a stop is a success");
    wait_for("Redis to be gone", || (!std::path::Path::new(&format!("/proc/{redis}")).exists()).then_some(()));
    shop.run();
    assert_eq!(shop.state(&id).await, "delivered");
    assert_ne!(shop.redis_pid(), Some(redis));
    shop.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminal_that_closes_stops_in_order_and_under_nohup_it_changes_nothing() {
    let mut shop = Daemon::start("[store]\ntimeout_ms = 20000\n");
    shop.product("hang", &[], 2);
    let id = shop.order("hang", 1).await;
    let (redis, daemon) = (shop.redis_pid().unwrap(), shop.pid().cast_signed());
    signal(redis, rustix::process::Signal::STOP);
    let (answer, ()) = tokio::join!(shop.pay(&id, "H1", 990), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        // A shell and the kernel may each send one.
        signal(daemon, rustix::process::Signal::HUP);
        tokio::time::sleep(Duration::from_millis(300)).await;
        signal(daemon, rustix::process::Signal::HUP);
        signal(redis, rustix::process::Signal::CONT);
    });
    assert_eq!(answer, (200, "success".to_owned()), "the payment in flight");
    assert!(shop.wait(), "a stop is a success");
    wait_for("Redis to be gone", || (!std::path::Path::new(&format!("/proc/{redis}")).exists()).then_some(()));
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    let mut kept = Daemon::launched(&folder.path().join("d"), "", "trap '' HUP\nexec \"$@\"\n");
    signal(kept.pid().cast_signed(), rustix::process::Signal::HUP);
    for _ in 0..20 {
        assert_eq!(kept.send("/healthz").await.0, 200);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(kept.stop(), "a stop is a success");
}
