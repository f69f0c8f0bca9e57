//! Too many and too slow: connections, bodies, addresses. Each gets an answer, and memory stays flat.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use futures_util::future::join_all;

use crate::support::shop::Daemon;

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
    let shop = Daemon::start("[limits]\nconnections = 20\n");
    let mut streams: Vec<TcpStream> = (0..40).map(|_| connect(&shop)).collect();
    let ask = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    let answers: Vec<String> = streams.iter_mut().map(|stream| exchange(stream, ask)).collect();
    let served = answers.iter().filter(|answer| answer.starts_with("HTTP/1.1 200")).count();
    assert_eq!(served, 20, "of 40 connections");
    drop(streams);
    crate::support::shop::wait_for("a free place", || {
        exchange(&mut connect(&shop), ask).starts_with("HTTP/1.1 200").then_some(())
    });
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let shop = Daemon::start("[limits]\nread_seconds = 1\n");
    for (path, status) in [("/v1/orders", 408), ("/pay/pay/notify", 400), ("/pay/sandbox/checkout/x", 408)] {
        let ask = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{{");
        let answer = exchange(&mut connect(&shop), &ask);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {answer}");
    }
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
    assert!(size("incidents.ndjson") + size("incidents.1.ndjson") < 80_000_000);
}
