//! The honest gateway while the daemon is under attack: ten thousand connections that say nothing, slow requests, and five
//! thousand forged callbacks a second from one address.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use crate::load;
use crate::report::{Aim, Row};
use crate::rig::Rig;
use crate::shop::Shop;

const IDLE: usize = 10_000;
const SLOW: usize = 200;
const FORGED: f64 = 5_000.0;
/// Honest callbacks a second.
const HONEST: f64 = 300.0;

async fn from(shop: &Shop, address: [u8; 4]) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((address, 0).into()).unwrap();
    socket.connect(shop.public).await.unwrap()
}

/// Sends forged callbacks at their rate until told to stop; counts answers.
async fn forge(mut stream: TcpStream, text: String, rate: f64, stop: Arc<AtomicBool>, answered: Arc<AtomicU64>) {
    let (began, mut buffer) = (Instant::now(), [0u8; 4096]);
    for n in 0u32.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let due = began + Duration::from_secs_f64(f64::from(n) / rate);
        tokio::time::sleep(due.saturating_duration_since(Instant::now())).await;
        if stream.write_all(text.as_bytes()).await.is_err()
            || stream.read(&mut buffer).await.is_ok_and(|read| read == 0)
        {
            return;
        }
        answered.fetch_add(1, Ordering::Relaxed);
    }
}

/// Sends a head, letter by letter.
async fn dawdle(mut stream: TcpStream, stop: Arc<AtomicBool>) {
    for letter in "GET /pay/bench/notify?".bytes().chain(std::iter::repeat(b'a')) {
        if stop.load(Ordering::Relaxed) || stream.write_all(&[letter]).await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// The honest gateway's p99 under siege ÷ in peace, and what the siege adds to the daemon's memory.
pub async fn siege(shop: &Shop, rig: &Rig) -> Vec<Row> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let all = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, all).unwrap();
    let product = shop.products().await.into_iter().find(|product| product.id.as_str() == "bench").unwrap();
    let honest = async || {
        let orders = rig.orders(&shop.store, std::slice::from_ref(&product), 1500).await;
        load::http_at(shop.public, rig.requests(&orders), 16, HONEST).await.millis(99.0)
    };
    honest().await;
    let mut idle = Vec::new();
    let (mut ratios, mut grown, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    let before = shop.memory_mib("VmRSS");
    for round in 0..5u8 {
        idle.clear();
        tokio::time::sleep(Duration::from_millis(500)).await;
        let peace = honest().await;
        for n in 0..IDLE {
            idle.push(from(shop, [127, 0, 1, (n % 200) as u8 + 1]).await);
        }
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut jobs = JoinSet::new();
        for n in 0..SLOW {
            jobs.spawn(dawdle(from(shop, [127, 0, 2, n as u8 + 1]).await, Arc::clone(&stop)));
        }
        let began = Instant::now();
        for _ in 0..32 {
            let text =
                "GET /pay/bench/notify?pid=1001&out_trade_no=X&sign=0123456789abcdef HTTP/1.1\r\nhost: x\r\n\r\n";
            let stream = from(shop, [127, 0, 3, round + 1]).await;
            jobs.spawn(forge(stream, text.to_owned(), FORGED / 32.0, Arc::clone(&stop), Arc::clone(&answered)));
        }
        let besieged = honest().await;
        rates.push(answered.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64());
        grown.push(shop.memory_mib("VmRSS") - before);
        stop.store(true, Ordering::Relaxed);
        jobs.join_all().await;
        ratios.push(besieged / peace);
        shop.quiet().await;
    }
    let what = format!("{IDLE} idle connections, {SLOW} slow ones, forgeries from one address");
    vec![
        Row::new(
            format!("the honest gateway's p99 at {HONEST}/s under {what} ÷ in peace"),
            "×",
            ratios,
            Aim::AtMost(2.0),
        ),
        Row::new("… forged callbacks answered meanwhile", "/s", rates, Aim::None),
        Row::new("… what that adds to the daemon's memory", "MiB", grown, Aim::AtMost(64.0)),
    ]
}
