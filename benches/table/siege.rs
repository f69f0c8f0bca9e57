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
/// Honest callbacks of one part of a round.
const PART: usize = 750;
/// Each is peace, siege, siege, peace: two pairs of neighbours, so that a machine that gets slower is no siege, and one that
/// stands still for a moment (a host that is busy, a disk that syncs) spoils one of many pairs.
const ROUNDS: u8 = 9;
/// Keys that it sells.
pub const KEYS: usize = PART * (4 * ROUNDS as usize + 1);

async fn from(shop: &Shop, address: [u8; 4]) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((address, 0).into()).unwrap();
    socket.connect(shop.daemon.public).await.unwrap()
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

/// An attack that is under way.
struct Siege {
    idle: Vec<TcpStream>,
    jobs: JoinSet<()>,
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    began: Instant,
}

impl Siege {
    async fn begin(shop: &Shop, round: u8) -> Self {
        let mut idle = Vec::with_capacity(IDLE);
        for n in 0..IDLE {
            idle.push(from(shop, [127, 0, 1, (n % 200) as u8 + 1]).await);
        }
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut jobs = JoinSet::new();
        for n in 0..SLOW {
            jobs.spawn(dawdle(from(shop, [127, 0, 2, n as u8 + 1]).await, Arc::clone(&stop)));
        }
        let text = "GET /pay/bench/notify?pid=1001&out_trade_no=X&sign=0123456789abcdef HTTP/1.1\r\nhost: x\r\n\r\n";
        for _ in 0..32 {
            let stream = from(shop, [127, 0, 3, round + 1]).await;
            jobs.spawn(forge(stream, text.to_owned(), FORGED / 32.0, Arc::clone(&stop), Arc::clone(&answered)));
        }
        Self { idle, jobs, stop, answered, began: Instant::now() }
    }

    /// Forged callbacks that were answered, a second.
    fn rate(&self) -> f64 {
        self.answered.load(Ordering::Relaxed) as f64 / self.began.elapsed().as_secs_f64()
    }

    /// Returns when all of it has gone.
    async fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.jobs.join_all().await;
        drop(self.idle);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// The honest gateway's latencies under siege ÷ in peace, and what the siege adds to the daemon's memory.
pub async fn siege(shop: &Shop, rig: &Rig) -> Vec<Row> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let all = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, all).unwrap();
    let product = shop.products().await.into_iter().find(|product| product.id.as_str() == "bench").unwrap();
    let honest = async || {
        let orders = rig.orders(&shop.store, std::slice::from_ref(&product), PART).await;
        // What follows the last part, and these orders, is not measured with this one.
        shop.quiet().await;
        load::http_at(shop.daemon.public, rig.requests(&orders), 16, HONEST).await
    };
    honest().await;
    let (mut ratios, mut medians, mut grown, mut rates) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let before = shop.daemon.memory_mib("VmRSS");
    for round in 0..ROUNDS {
        let first = honest().await;
        let siege = Siege::begin(shop, round).await;
        let besieged = [honest().await, honest().await];
        rates.push(siege.rate());
        grown.push(shop.daemon.memory_mib("VmRSS") - before);
        siege.end().await;
        let peace = [first, honest().await];
        for (besieged, peace) in besieged.iter().zip(&peace) {
            ratios.push(besieged.millis(99.0) / peace.millis(99.0));
            medians.push(besieged.millis(50.0) / peace.millis(50.0));
        }
    }
    let what = format!("{IDLE} idle connections, {SLOW} slow ones, forgeries from one address");
    let ratio = format!("the honest gateway's p99 at {HONEST}/s under {what} ÷ in peace");
    vec![
        Row::new(ratio, "×", ratios, Aim::AtMost(2.0)),
        Row::new("… its median", "×", medians, Aim::None),
        Row::new("… forged callbacks answered meanwhile", "/s", rates, Aim::None),
        Row::new("… what that adds to the daemon's memory", "MiB", grown, Aim::AtMost(64.0)),
    ]
}
