//! Where a data folder stands and what its files are worth: copies are refused, cuts and damage are told, secrets are for
//! their owner, and Redis has a limit of memory.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::embedded::servers;
use crate::stores::append_only;
use crate::support::shop::{Daemon, wait_for};
use crate::upgrade::copy_private;

/// What a daemon says that does not start on that folder, which nothing is left behind on.
fn refused(data: &Path) -> String {
    let done = Command::new(env!("CARGO_BIN_EXE_kamid")).args(["serve", "--data"]).arg(data).output().unwrap();
    assert!(!done.status.success());
    assert!(servers(data).is_empty(), "a Redis was left on {}", data.display());
    String::from_utf8_lossy(&done.stderr).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copied_data_folder_is_refused_until_it_is_said_to_be_the_shop() {
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    let [first, copy, bare] = ["a", "b", "c"].map(|name| folder.path().join(name));
    let mut shop = Daemon::at(&first, "");
    shop.product("home", &[], 3);
    let id = shop.order("home", 1).await;
    assert_eq!(shop.pay(&id, "H1", 990).await, (200, "success".to_owned()));
    assert!(shop.stop());
    // With everything in it, and without the folder's own mark: then the one in Redis tells.
    copy_private(&first, &copy);
    copy_private(&first, &bare);
    std::fs::remove_file(bare.join("redis/home.json")).unwrap();
    for data in [&copy, &bare] {
        let why = refused(data);
        assert!(why.contains("is a copy") && why.contains("--moved") && why.contains("KAMID_MOVED=1"), "{why}");
    }
    // The shop itself goes on, also under another name.
    shop.run();
    assert!(shop.stop());
    let renamed = folder.path().join("d");
    std::fs::rename(&first, &renamed).unwrap();
    let mut shop = Daemon::at(&renamed, "");
    assert_eq!(shop.state(&id).await, "delivered");
    assert!(shop.stop());
    // An operator's word makes the copy the shop, once and for all.
    let mut moved = Daemon::launched(&copy, "", "export KAMID_MOVED=1\nexec \"$@\"\n");
    assert!(moved.stop());
    std::fs::remove_file(copy.join("launch")).unwrap();
    moved.run();
    assert_eq!(moved.state(&id).await, "delivered");
    moved.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_append_only_file_is_an_incident_that_names_how_much() {
    let mut shop = Daemon::start("");
    shop.product("cut", &[], 5);
    let id = shop.order("cut", 1).await;
    assert_eq!(shop.pay(&id, "C1", 990).await, (200, "success".to_owned()));
    assert!(shop.stop());
    let file = append_only(&shop.data);
    let size = std::fs::metadata(&file).unwrap().len() - 7;
    std::fs::File::options().write(true).open(&file).unwrap().set_len(size).unwrap();
    for _ in 0..2 {
        shop.run();
        let incident = shop.incidents("aof_cut", 1).await.remove(0);
        let whole = shop.admin(&format!("/v1/incidents/{}", incident["id"].as_str().unwrap())).await;
        let advice = whole["advice"].as_str().unwrap().to_owned();
        let number = |before: &str| {
            let rest = advice.split(before).nth(1).unwrap_or_else(|| panic!("{advice}"));
            rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse::<u64>().unwrap()
        };
        let (bytes, offset) = (number("its last "), number("behind byte "));
        assert!(bytes > 0 && bytes + offset == size, "{advice}");
        assert!(shop.stop());
    }
    let log = std::fs::read_to_string(shop.data.join("log")).unwrap();
    assert_eq!(log.matches("Redis cut the end of its append-only file").count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bit_that_turned_in_a_sealed_key_is_found_by_the_audit() {
    let mut shop = Daemon::start("");
    shop.product("bit", &[], 3);
    let id = shop.order("bit", 1).await;
    assert_eq!(shop.pay(&id, "B1", 990).await, (200, "success".to_owned()));
    let client = redis::Client::open(format!("unix://{}", shop.data.join("redis/redis.sock").display())).unwrap();
    let mut link = client.get_connection().unwrap();
    let names: Vec<String> = redis::cmd("KEYS").arg("t1:*:pool:bit").query(&mut link).unwrap();
    let pool: Vec<Vec<u8>> = redis::cmd("LRANGE").arg(&names[0]).arg(0).arg(-1).query(&mut link).unwrap();
    let orders: Vec<String> = redis::cmd("KEYS").arg(format!("t1:*:order:{id}")).query(&mut link).unwrap();
    let given: Vec<u8> = redis::cmd("HGET").arg(&orders[0]).arg("k1").query(&mut link).unwrap();
    drop(link);
    shop.audit();
    assert!(shop.stop());
    let file = append_only(&shop.data);
    let mut bytes = std::fs::read(&file).unwrap();
    for sealed in [&pool[0], &given] {
        let found: Vec<usize> = (0..bytes.len() - sealed.len()).filter(|at| bytes[*at..].starts_with(sealed)).collect();
        assert!(!found.is_empty());
        for at in found {
            bytes[at + sealed.len() - 20] ^= 4;
        }
    }
    std::fs::write(&file, bytes).unwrap();
    shop.run();
    let report: serde_json::Value = serde_json::from_slice(&shop.cli(&["audit", "--json"], "").stdout).unwrap();
    let of = |what: &str| {
        let all = report["violations"].as_array().unwrap();
        all.iter().filter(|one| one["kind"] == "unreadable" && one["what"].as_str().unwrap().contains(what)).count()
    };
    assert_eq!([of(":pool:bit"), of(&id)], [1, 1], "{report}");
}

#[test]
fn secrets_that_others_may_read_are_refused_with_the_chmod_to_run() {
    let mut shop = Daemon::start("");
    assert!(shop.stop());
    for name in ["ring.json", "admin.token"] {
        let path = shop.data.join(name);
        for mode in [0o644, 0o640, 0o602] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let why = refused(&shop.data);
            assert!(why.contains(&format!("chmod 600 {}", path.display())), "{why}");
        }
        let done = Command::new("chmod").arg("600").arg(&path).status().unwrap();
        assert!(done.success());
    }
    // Folders that are open are told of.
    let folder = shop.data.join("redis");
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    shop.run();
    wait_for("a line of the log", || {
        let log = std::fs::read_to_string(shop.data.join("log")).unwrap();
        log.contains(&format!("chmod 700 {}", folder.display())).then_some(())
    });
}

#[test]
fn a_data_folder_of_another_user_is_told_of_with_the_chown_to_run() {
    let mut shop = Daemon::start("");
    let told = |shop: &Daemon| {
        let log = std::fs::read_to_string(shop.data.join("log")).unwrap();
        log.lines().filter(|line| line.contains("belongs to another user")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(told(&shop).is_empty());
    assert!(shop.stop());
    if let Err(error) = std::os::unix::fs::chown(&shop.data, Some(12_345), None) {
        eprintln!("not tried, only root gives a folder away: {error}");
        return;
    }
    shop.run();
    let command = format!("chown -R 0 {}", shop.data.display());
    let lines = wait_for("a line of the log", || Some(told(&shop)).filter(|lines| !lines.is_empty()));
    assert!(lines[0].contains("12345") && lines[0].contains(&command), "{lines:?}");
    assert!(shop.stop());
    assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success());
    shop.run();
    assert!(shop.stop());
    assert_eq!(told(&shop).len(), 1, "after that it is not foreign any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_redis_has_a_limit_of_memory_at_which_orders_stop_and_payments_go_on() {
    let mut shop = Daemon::start("[store]\nmemory_mb = 64\n[limits]\nmemory_percent = 50\n");
    shop.product("memory", &[], 500);
    let id = shop.order("memory", 1).await;
    let client = redis::Client::open(format!("unix://{}", shop.data.join("redis/redis.sock").display())).unwrap();
    let limit = || {
        let (_, limit): (String, u64) =
            redis::cmd("CONFIG").arg("GET").arg("maxmemory").query(&mut client.get_connection().unwrap()).unwrap();
        limit
    };
    assert_eq!(limit(), 64 << 20);
    // One that runs already gets it too.
    shop.kill();
    shop.redis_set("maxmemory", "0");
    shop.run();
    assert_eq!(limit(), 64 << 20);
    // In pieces: what comes in is in memory twice for a moment.
    let fill = |from: u32, to: u32| {
        let mut link = client.get_connection().unwrap();
        let piece = vec![7u8; 2 << 20];
        (from..to).for_each(|n| redis::cmd("SET").arg(format!("ballast:{n}")).arg(&piece).exec(&mut link).unwrap());
    };
    fill(0, 18);
    let why = wait_for("a full memory", || {
        let done = shop.cli(&["order", "new", "memory", "--channel", "pay"], "");
        (!done.status.success()).then(|| String::from_utf8_lossy(&done.stderr).into_owned())
    });
    assert!(why.contains("of its memory"), "{why}");
    assert_eq!(shop.pay(&id, "M1", 990).await, (200, "success".to_owned()));
    assert_eq!(shop.state(&id).await, "delivered");
    // What is more than the limit already gets half as much again.
    shop.redis_set("maxmemory", "0");
    fill(18, 50);
    assert!(shop.stop());
    shop.run();
    assert!(limit() >= 150 << 20, "{}", limit());
    shop.audit();
}
