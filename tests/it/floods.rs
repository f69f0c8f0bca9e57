//! Too many and too slow: connections, bodies, addresses. Each gets an answer, and memory stays flat.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use kamid::client::Client;
use kamid::hammer::{self, Arrivals, Load, Mix, Prepared, RunOptions, Schedule, Shape, Stats};

use crate::support::shop::{CHANNEL, Daemon, channels};

fn connect(shop: &Daemon) -> TcpStream {
    let stream = TcpStream::connect(shop.public.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// Sends a text and reads until the server closes, or an answer's end is in sight.
fn exchange(stream: &mut TcpStream, text: &str) -> String {
    let _cut = stream.write_all(text.as_bytes());
    let mut answer = Vec::new();
    let mut part = [0u8; 4096];
    while let Ok(read @ 1..) = stream.read(&mut part) {
        answer.extend_from_slice(&part[..read]);
        if answer.windows(4).any(|end| end == b"\r\n\r\n") {
            break;
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn more_connections_than_there_are_places_are_closed_and_the_others_go_on() {
    let proxy = "[server]\npublic = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\ntrusted_proxies = [\"127.0.0.1/32\"]\n";
    let shop = Daemon::start(&format!("{proxy}[limits]\nconnections = 20\nread_seconds = 60\n"));
    // Twenty whose bodies are waited for, of a proxy that is trusted: they give way to nobody.
    let mut busy: Vec<TcpStream> = (0..20).map(|_| connect(&shop)).collect();
    let begin = "POST /v1/orders HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    for stream in &mut busy {
        assert!(exchange(stream, begin).starts_with("HTTP/1.1 100"));
    }
    let ask = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    for _ in 0..20 {
        assert_eq!(exchange(&mut connect(&shop), ask), "", "a full house took one more");
    }
    for stream in &mut busy {
        assert!(exchange(stream, "{}").starts_with("HTTP/1.1 400"), "what was being answered is answered");
    }
    drop(busy);
    crate::support::shop::wait_for("a free place", || {
        exchange(&mut connect(&shop), ask).starts_with("HTTP/1.1 200").then_some(())
    });
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let shop = Daemon::start("[limits]\nread_seconds = 1\n");
    for (path, status) in [("/v1/orders", 408), ("/pay/pay/notify", 408), ("/pay/sandbox/checkout/x", 408)] {
        let ask = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{{");
        let answer = exchange(&mut connect(&shop), &ask);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {answer}");
    }
    let ask = "POST /pay/pay/notify HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\npid=1\r\n";
    assert!(exchange(&mut connect(&shop), ask).starts_with("HTTP/1.1 408"));
    // Nor is one that its sender breaks off malformed.
    let mut broken = connect(&shop);
    broken.write_all(b"POST /pay/pay/notify HTTP/1.1\r\nHost: x\r\nContent-Length: 300\r\n\r\npid=1001&a").unwrap();
    broken.shutdown(std::net::Shutdown::Write).unwrap();
    let mut said = String::new();
    broken.read_to_string(&mut said).unwrap();
    assert!(said.starts_with("HTTP/1.1 408"), "{said}");
    let found = shop.json(&["incident", "list"], "")["incidents"].clone();
    assert!(found.as_array().unwrap().iter().all(|incident| incident["reason"] == "incomplete"), "{found}");
    let ask = format!("POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n{}", "x".repeat(70_000));
    assert!(exchange(&mut connect(&shop), &ask).starts_with("HTTP/1.1 413"));
}

/// Resident memory of a process, in KiB.
fn memory_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Forged callbacks with bodies just below the limit, from many addresses, fifty at once.
async fn flood(shop: &Daemon, round: u8) {
    let body = format!("out_trade_no=X&sign=0&name={}", "A".repeat(60_000));
    let head = format!("POST /pay/pay/notify HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
    let (ask, target) = (head + &body, shop.public.trim_start_matches("http://").parse().unwrap());
    for part in 0..10 {
        let jobs = (1..=50).map(|n| forge(target, [127, 1 + round, part, n], &ask));
        assert!(join_all(jobs).await.iter().all(|answer| answer.starts_with("HTTP/1.1 400")));
    }
}

/// One request from a local address of its own: how its answer begins.
async fn forge(target: std::net::SocketAddr, from: [u8; 4], ask: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    let mut stream = socket.connect(target).await.unwrap();
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut answer = [0u8; 12];
    stream.read_exact(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_large_forgeries_from_many_addresses_leaves_memory_flat() {
    let shop = Daemon::start("[limits]\nrejected_per_minute = 1000000\n");
    flood(&shop, 0).await;
    let before = memory_kib(shop.pid());
    for round in 1..5 {
        flood(&shop, round).await;
    }
    let grown = memory_kib(shop.pid()).saturating_sub(before);
    // Two thousand bodies of 60 KB are 120 MB: what is kept of them is a ring of 200, cut to 16 KB each.
    assert!(grown < 32 * 1024, "memory grew by {grown} KiB");
    let size = |name: &str| std::fs::metadata(shop.data.join(name)).map_or(0, |meta| meta.len());
    assert!(size("refused.ndjson") + size("refused.1.ndjson") < 80_000_000);
    assert!(size("refused.ndjson") > 0 && size("incidents.ndjson") < 10_000, "a forger writes into a file of his own");
}

/// A load of honest callbacks, six hundred in three seconds; what came of it.
async fn honest(shop: &Daemon) -> hammer::RunReport {
    let schedule = Schedule { shape: Shape::Poisson, rate: 200.0, lasts: Duration::from_secs(3), seed: 7 };
    let visits = "paid=1".parse::<Mix>().unwrap().visits(600, 7);
    let load = Load { visits, arrivals: Arrivals::Open(schedule), connections: 32, think: Duration::ZERO, seed: 7 };
    let client = Client::find(&shop.data, None, None).unwrap();
    let wish = RunOptions { channel: Some("pay".to_owned()), quantity: 1, seed: 7, ..RunOptions::default() };
    let signed = channels(CHANNEL, &shop.data);
    let target = Prepared::prepare(client, &signed, &wish, &load.visits, &|_, _, _| {}).await.unwrap();
    let (stats, stop) = (Arc::new(Stats::default()), Arc::new(AtomicBool::new(false)));
    hammer::run(&target, &load, &stats, &stop, hammer::Audited::Shop).await
}

/// A connection from a local address of its own.
async fn connect_from(shop: &Daemon, from: [u8; 4]) -> tokio::net::TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    socket.connect(shop.public.trim_start_matches("http://").parse().unwrap()).await.unwrap()
}

/// Forges as fast as answers come, until told to stop; how many there were, and how many of them 429.
async fn forge_on(mut stream: tokio::net::TcpStream, stop: Arc<AtomicBool>) -> (u64, u64) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let ask = b"GET /pay/pay/notify?pid=1001&out_trade_no=X&sign=0123456789abcdef HTTP/1.1\r\nhost: x\r\n\r\n";
    let (mut all, mut limited, mut buffer) = (0, 0, [0u8; 4096]);
    while !stop.load(Ordering::Relaxed) {
        stream.write_all(ask).await.unwrap();
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(read > 12, "the forger was cut off");
        all += 1;
        limited += u64::from(buffer.starts_with(b"HTTP/1.1 429"));
        tokio::time::sleep(Duration::from_millis(6)).await;
    }
    (all, limited)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_silent_connections_slow_ones_and_a_forger_hinder_no_gateway() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    use tokio::io::AsyncWriteExt as _;
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most }).unwrap();
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    let shop = Daemon::quiet(&folder.path().join("d"), "");
    let peace = honest(&shop).await;
    let before = memory_kib(shop.pid());
    let mut silent = Vec::new();
    for n in 0..10_000 {
        silent.push(connect_from(&shop, [127, 0, 1, (n % 200) as u8 + 1]).await);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let mut slow = Vec::new();
    for n in 0..100 {
        let (mut stream, stop) = (connect_from(&shop, [127, 0, 2, n + 1]).await, Arc::clone(&stop));
        slow.push(tokio::spawn(async move {
            for letter in "GET /pay/pay/notify?".bytes().chain(std::iter::repeat(b'a')) {
                if stop.load(Ordering::Relaxed) || stream.write_all(&[letter]).await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }));
    }
    let mut forgers = Vec::new();
    for _ in 0..32 {
        forgers.push(tokio::spawn(forge_on(connect_from(&shop, [127, 0, 3, 1]).await, Arc::clone(&stop))));
    }
    let besieged = honest(&shop).await;
    let grown = memory_kib(shop.pid()).saturating_sub(before);
    stop.store(true, Ordering::Relaxed);
    let (mut forged, mut limited) = (0, 0);
    for forger in forgers {
        let (all, refused) = forger.await.unwrap();
        (forged, limited) = (forged + all, limited + refused);
    }
    for slow in slow {
        slow.await.unwrap();
    }
    for report in [&peace, &besieged] {
        assert_eq!(report.violations(), 0, "{}", report.text());
        assert_eq!(
            report.totals.count(hammer::stats::RequestResult::Success),
            report.totals.answered,
            "{}",
            report.text()
        );
    }
    assert!(limited > forged / 2 && limited > 100, "{limited} of {forged} forgeries heard 429");
    assert!(grown < 64 * 1024, "memory grew by {grown} KiB");
    let p99 = |report: &hammer::RunReport| report.json()["latency_ms"]["p99"].as_f64().unwrap();
    eprintln!(
        "{forged} forgeries, {limited} of them 429; memory grew by {grown} KiB; p99 {:.2} ms in peace, {:.2} ms besieged",
        p99(&peace),
        p99(&besieged)
    );
}
