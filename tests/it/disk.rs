//! A disk that is really full: a small file system of the shop's own, seen by nobody else, which a file fills up.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::support::port::held_port;
use crate::support::shop::Daemon;

/// Starts the daemon with a file system of 24 MB under its Redis, which ends with the last process that sees it. The
/// shell may have to become root of a user namespace first.
const SMALL: &str = r#"here="$(dirname "$0")"
mkdir -p "$here/redis"
map=; [ "$(id -u)" = 0 ] || map=--map-root-user
exec unshare $map --mount sh -c 'mount -t tmpfs -o size=24m,mode=0700 tmpfs "$0/redis" && exec "$@"' "$here" "$@"
"#;

/// The daemon's folder as the daemon sees it.
fn seen_by(shop: &Daemon, name: &str) -> PathBuf {
    let inside = shop.data.join("redis").join(name);
    PathBuf::from(format!("/proc/{}/root", shop.pid())).join(inside.strip_prefix("/").unwrap())
}

/// Fills what is left of the small disk with a file; its size.
fn fill(shop: &Daemon) -> u64 {
    use std::io::Write as _;
    let mut file = std::fs::File::create(seen_by(shop, "ballast")).unwrap();
    let piece = vec![7u8; 64 * 1024];
    while file.write_all(&piece).is_ok() {}
    while file.write_all(&piece[..1]).is_ok() {}
    file.metadata().unwrap().len()
}

/// Starts the daemon with its ring mounted read-only.
const MOUNTED: &str = r#"here="$(dirname "$0")"
map=; [ "$(id -u)" = 0 ] || map=--map-root-user
exec unshare $map --mount sh -c 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"' "$here/ring.json" "$@"
"#;

#[test]
#[ignore = "needs a mount of its own: make faults"]
fn a_ring_that_chmod_cannot_close_is_told_of_and_used() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut shop = Daemon::start("");
    assert!(shop.stop());
    let ring = shop.data.join("ring.json");
    std::fs::set_permissions(&ring, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(!shop.cli(&["serve"], "").status.success(), "where chmod works it is asked for");
    std::fs::write(shop.data.join("launch"), MOUNTED).unwrap();
    shop.run();
    let log = std::fs::read_to_string(shop.data.join("log")).unwrap();
    assert!(log.contains("Others on this machine may read this secret"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a file system of its own: make faults"]
async fn a_disk_that_is_full_stops_redis_and_nothing_else_and_loses_nothing() {
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    // A free part of the disk is watched elsewhere; here Redis is to meet the end of it.
    let settings = format!(
        "[limits]\ndisk_free_bytes = 0\n[server]\npublic = \"127.0.0.1:{}\"\nadmin = \"127.0.0.1:{}\"\n",
        held_port(),
        held_port()
    );
    let shop = Daemon::launched(&folder.path().join("d"), &settings, SMALL);
    assert!(seen_by(&shop, "appendonlydir").exists() && !shop.data.join("redis/appendonlydir").exists());
    shop.product("full", &[], 400);
    let mut ids = Vec::new();
    for _ in 0..300 {
        ids.push(shop.order("full", 1).await);
    }
    let filled = fill(&shop);
    assert!(filled > 1_000_000, "{filled}");
    let mut paid = Vec::new();
    for (at, id) in ids.iter().enumerate() {
        paid.push(shop.pay(id, &format!("F{at}"), 990).await.0);
        if paid.ends_with(&[503]) {
            break;
        }
    }
    assert_eq!(paid.last(), Some(&503), "the disk was never full: {} payments went through", paid.len());
    // It stays up, says that it is not ready and why, and answers what needs no Redis.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!shop.is_ready().await);
    assert_eq!(shop.send("/healthz").await.0, 200);
    assert_eq!(shop.pay(&ids[299], "F299", 990).await.0, 503);
    let log = std::fs::read_to_string(shop.data.join("log")).unwrap();
    assert!(log.contains("cannot write: callbacks get 503") && log.contains("bytes of disk are free"), "{log}");
    std::fs::remove_file(seen_by(&shop, "ballast")).unwrap();
    let room = Instant::now();
    while !shop.is_ready().await {
        assert!(room.elapsed() < Duration::from_secs(30), "not ready again although there is room");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    eprintln!(
        "ready {:?} after there was room again; {} payments had gone through before",
        room.elapsed(),
        paid.len() - 1
    );
    for (at, id) in ids.iter().enumerate() {
        let answer = shop.pay(id, &format!("F{at}"), 990).await;
        assert_eq!(answer, (200, "success".to_owned()), "payment {at}");
        assert_eq!(shop.state(id).await, "delivered");
    }
    assert_eq!(shop.admin("/v1/products/full").await["stock"]["given"], 300);
    shop.audit();
}
