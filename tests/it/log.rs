//! A log that cannot be written stops nothing: its reader gone, its disk full, its pipe read by nobody. What is lost is
//! counted, and said as soon as it can be.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::shop::{Daemon, wait_for};

/// A daemon whose standard error is this pipe, which the script opens for both ways, so that it has a reader that reads
/// nothing; everything is logged, so that it is full soon.
fn into_pipe(folder: &Path, settings: &str) -> (Daemon, PathBuf) {
    let pipe = folder.join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let script = format!("export KAMID_LOG=trace\nexec \"$@\" 2<>'{}'\n", pipe.display());
    (Daemon::launched(&folder.join("d"), settings, &script), pipe)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipe_that_nobody_reads_blocks_nothing_and_what_was_lost_is_told() {
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    let (mut shop, pipe) = into_pipe(folder.path(), "[limits]\nrejected_per_minute = 1000000\n");
    shop.product("log", &[], 3);
    let id = shop.order("log", 1).await;
    let mut lost = 0;
    for _ in 0..20 {
        tokio::task::block_in_place(|| many(&shop, 1000));
        let metrics = String::from_utf8(shop.admin_text("/metrics").await).unwrap();
        let line = metrics.lines().find_map(|line| line.strip_prefix("kamid_log_lost_total "));
        lost = line.map_or(0, |count| count.parse().unwrap());
        if lost > 0 {
            break;
        }
    }
    assert!(lost > 0, "the pipe took everything");
    assert_eq!(shop.pay(&id, "L1", 990).await, (200, "success".to_owned()));
    let seen = shop.cli(&["top", "--once", "--size", "160x40", "--lang", "en"], "");
    let seen = String::from_utf8_lossy(&seen.stdout).into_owned();
    assert!(seen.contains("lines of its log could not be written"), "{seen}");
    // Once somebody reads again, the log goes on and says what is missing.
    let mut reader = std::fs::File::options().read(true).custom_flags(libc_nonblock()).open(&pipe).unwrap();
    let mut text = String::new();
    wait_for("the log to say what was lost", || {
        let mut part = [0u8; 65_536];
        while let Ok(read @ 1..) = reader.read(&mut part) {
            text.push_str(&String::from_utf8_lossy(&part[..read]));
        }
        text.contains("Lines of this log could not be written").then_some(())
    });
    assert!(shop.stop(), "a stop is a success");
}

/// So many forged callbacks, one behind the other on one connection: each is a line of the log.
fn many(shop: &Daemon, count: usize) {
    let mut stream = TcpStream::connect(shop.public.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all("GET /pay/pay/notify?a=1 HTTP/1.1\r\nHost: x\r\n\r\n".repeat(count).as_bytes()).unwrap();
    let (mut text, mut part) = (Vec::new(), [0u8; 65_536]);
    while text.windows(12).filter(|twelve| *twelve == b"HTTP/1.1 400").count() < count {
        let read = stream.read(&mut part).unwrap();
        assert!(read > 0, "the connection was closed");
        text.extend_from_slice(&part[..read]);
    }
}

/// Reading does not wait.
fn libc_nonblock() -> i32 {
    rustix::fs::OFlags::NONBLOCK.bits().cast_signed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_who_reads_any_more_and_a_stop_with_a_full_pipe_end_in_order() {
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    let (mut blocked, pipe) = into_pipe(folder.path(), "");
    // Filled by somebody else, so that not one line fits.
    let mut filler = std::fs::File::options().write(true).custom_flags(libc_nonblock()).open(&pipe).unwrap();
    while filler.write(&[b'.'; 4096]).is_ok() {}
    assert_eq!(blocked.send("/pay/pay/notify").await.0, 400);
    assert!(blocked.stop(), "a stop is a success");
    // The reader goes away: every line fails from then on.
    let gone = folder.path().join("gone");
    assert!(Command::new("mkfifo").arg(&gone).status().unwrap().success());
    let reading = gone.clone();
    let reader = std::thread::spawn(move || std::fs::File::open(reading).unwrap());
    let script = format!("export KAMID_LOG=trace\nexec \"$@\" 2>'{}'\n", gone.display());
    let mut shop = Daemon::launched(&folder.path().join("e"), "", &script);
    drop(reader.join().unwrap());
    assert_eq!(shop.send("/pay/pay/notify").await.0, 400);
    shop.incidents("missing_signature", 1).await;
    shop.product("log", &[], 2);
    let id = shop.order("log", 1).await;
    assert_eq!(shop.pay(&id, "L1", 990).await, (200, "success".to_owned()));
    assert!(shop.stop(), "a stop is a success");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_on_a_full_disk_hinders_no_start() {
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    let mut shop = Daemon::launched(&folder.path().join("d"), "", "export KAMID_LOG=info\nexec \"$@\" 2>/dev/full\n");
    shop.product("log", &[], 1);
    let id = shop.order("log", 1).await;
    assert_eq!(shop.pay(&id, "L1", 990).await, (200, "success".to_owned()));
    assert!(shop.stop(), "a stop is a success");
}

#[test]
fn a_command_whose_reader_has_gone_ends_without_a_panic() {
    for args in [&["completions", "bash"][..], &["config", "default"], &["--help"], &["hammer", "--help"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_kamid"));
        let done = command.args(args).stdout(Stdio::from(writer)).stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.code() != Some(101) && !said.contains("panicked"), "{args:?}: {said}");
    }
}
