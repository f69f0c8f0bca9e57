//! How fast things go, each beside what it is held against.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use kamid::channel::Channels;
use kamid::hammer::{self, Arrivals, Load, Mix, Prepared, RunOptions, Stats};
use kamid::settings::Section;

use crate::report::{Aim, Row};
use crate::rig::Rig;
use crate::shop::{CHANNEL, Shop, lines};
use crate::{CONNECTIONS, Length, load};

/// Fills the large shop: a million keys in one product against as many plain `RPUSH` through `redis-cli --pipe`, then the
/// rest in a thousand products.
pub async fn imports(wide: &Shop, rig: &Rig, all: usize) -> Vec<Row> {
    let million = 1_000_000.min(all / 2);
    let before = wide.redis_bytes().await;
    let (mut ratios, parts) = (Vec::new(), 5);
    for part in 0..parts {
        let took = wide.daemon.stock(&format!("m{part}"), million / parts).await;
        ratios.push(pushed(rig, million / parts, part).await.as_secs_f64() / took.as_secs_f64());
    }
    let began = Instant::now();
    let (rest, products) = (all - million, 1000 - parts);
    for n in 0..products {
        wide.daemon.stock(&format!("w{n}"), rest / products).await;
    }
    println!("({rest} more keys in {products} products: {:.0} s)", began.elapsed().as_secs_f64());
    let kept = million / parts * parts + rest / products * products;
    let bytes = (wide.redis_bytes().await - before) as f64 / kept as f64;
    let what = format!("Redis bytes per pooled 22-byte key with its fingerprint, at {kept} keys");
    vec![
        Row::new(
            format!(
                "import of {} keys of 22 bytes, sealed and deduplicated ÷ `redis-cli --pipe` of plain RPUSH",
                million / parts
            ),
            "×",
            ratios,
            Aim::AtLeast(0.3),
        ),
        Row::new(what, "B", vec![bytes], Aim::AtMost(80.0)),
    ]
}

/// Pushes as many plain keys into the bare Redis.
async fn pushed(rig: &Rig, keys: usize, part: usize) -> Duration {
    let mut commands = Vec::new();
    for line in lines(&format!("p{part}"), keys).lines() {
        write!(commands, "*3\r\n$5\r\nRPUSH\r\n$5\r\nplain\r\n${}\r\n{line}\r\n", line.len()).unwrap();
    }
    let socket = rig.socket.clone();
    let push = move || {
        let began = Instant::now();
        let mut child = Command::new("redis-cli")
            .arg("-s")
            .arg(socket)
            .arg("--pipe")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&commands).unwrap();
        assert!(child.wait().unwrap().success());
        began.elapsed()
    };
    tokio::task::spawn_blocking(push).await.unwrap()
}

/// Signed callbacks a second against the bare script client and bare hyper; the daemon's rate at its peak.
pub async fn callbacks(small: &Shop, rig: &Rig, length: &Length, add: &mut impl FnMut(Row)) -> f64 {
    let product = small.products().await.into_iter().find(|product| product.id.as_str() == "bench").unwrap();
    let bare = rig.bare_product(length.calls * (length.rounds + 1)).await;
    let (mut rates, mut a, mut b) = (Vec::new(), Vec::new(), Vec::new());
    // One round more than is counted: the first one warms up.
    for round in 0..=length.rounds {
        let orders = rig.orders(&small.store, std::slice::from_ref(&product), length.calls).await;
        let callbacks = load::http(small.daemon.public, rig.requests(&orders), CONNECTIONS).await.rate();
        small.quiet().await;
        let bare_orders = rig.orders(&rig.bare_store, std::slice::from_ref(&bare), length.calls).await;
        let script = load::redis(&rig.socket, rig.settle_calls(&bare_orders), CONNECTIONS).await.rate();
        let hyper = load::http(rig.hyper_address, rig.requests(&orders), CONNECTIONS).await.rate();
        if round > 0 {
            rates.push(callbacks);
            a.push(callbacks / script);
            b.push(callbacks / hyper);
        }
    }
    let rate = Row::new("signed callbacks", "/s", rates, Aim::None);
    let peak = rate.median();
    add(rate);
    add(Row::new("(a) … ÷ a bare client with the same settle script, one payment a call", "×", a, Aim::AtLeast(1.6)));
    add(Row::new("(b) … ÷ bare hyper answering the same requests", "×", b, Aim::AtLeast(0.4)));
    peak
}

/// Callbacks a second with many keys in many products ÷ with few in one.
pub async fn stocked(small: &Shop, wide: &Shop, rig: &Rig, length: &Length) -> Row {
    let one: Vec<_> = small.products().await.into_iter().filter(|product| product.id.as_str() == "bench").collect();
    let many: Vec<_> = wide.products().await;
    let mut ratios = Vec::new();
    for round in 0..=length.rounds / 2 {
        let mut rates = Vec::new();
        for (shop, products) in [(wide, &many), (small, &one)] {
            let orders = rig.orders(&shop.store, products, length.calls).await;
            rates.push(load::http(shop.daemon.public, rig.requests(&orders), CONNECTIONS).await.rate());
            shop.quiet().await;
        }
        if round > 0 {
            ratios.push(rates[0] / rates[1]);
        }
    }
    let what = format!("callbacks/s with {} keys in {} products ÷ with few in one product", length.keys, many.len());
    Row::new(what, "×", ratios, Aim::AtLeast(0.9))
}

/// p99 in an open loop at half the peak, bare hyper's at the same rate, and their ratio.
pub async fn latency(small: &Shop, rig: &Rig, length: &Length, peak: f64) -> Vec<Row> {
    let product = small.products().await.into_iter().find(|product| product.id.as_str() == "bench").unwrap();
    let (mut all, mut bares, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=length.rounds / 2 {
        let orders = rig.orders(&small.store, std::slice::from_ref(&product), length.calls).await;
        let ours =
            load::http_at(small.daemon.public, rig.requests(&orders), CONNECTIONS, peak / 2.0).await.millis(99.0);
        small.quiet().await;
        let bare = load::http_at(rig.hyper_address, rig.requests(&orders), CONNECTIONS, peak / 2.0).await.millis(99.0);
        if round > 0 {
            all.push(ours);
            bares.push(bare);
            ratios.push(ours / bare);
        }
    }
    vec![
        Row::new(format!("p99 at half the peak rate ({:.0}/s), open loop", peak / 2.0), "ms", all, Aim::None),
        Row::new("… bare hyper's at the same rate", "ms", bares, Aim::None),
        Row::new("… their ratio", "×", ratios, Aim::AtMost(4.0)),
    ]
}

/// What `kamid hammer` can offer to a server that only answers ÷ what the daemon takes.
pub async fn hammer(small: &Shop, rig: &Rig, peak: f64) -> Row {
    let mut problems = Vec::new();
    let sections = Section::from_toml(CHANNEL, &small.daemon.data, &mut problems)
        .section("channel", &mut problems)
        .sections(&mut problems);
    let channels = Channels::build(&sections, true, 0).unwrap();
    let visits = "paid=1".parse::<Mix>().unwrap().visits(20_000, 1);
    let wish = RunOptions { channel: Some("bench".to_owned()), quantity: 1, seed: 1, ..RunOptions::default() };
    let mut target =
        Prepared::prepare(small.daemon.client.clone(), &channels, &wish, &visits, &|_, _, _| {}).await.unwrap();
    target.address = rig.hyper_address;
    let run = move || {
        // As the command has it: all the machine's cores.
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let mut offers = Vec::new();
        for _ in 0..5 {
            let arrivals = Arrivals::Closed(Duration::from_secs(60));
            let load =
                Load { visits: visits.clone(), arrivals, connections: CONNECTIONS, think: Duration::ZERO, seed: 1 };
            let (stats, stop) = (Arc::new(Stats::default()), Arc::new(AtomicBool::new(false)));
            let report = runtime.block_on(hammer::run(&target, &load, &stats, &stop, hammer::Audited::No));
            offers.push(report.totals.rate() / peak);
        }
        offers
    };
    let offers = tokio::task::spawn_blocking(run).await.unwrap();
    Row::new("what `kamid hammer` offers to a bare server ÷ what the daemon takes", "×", offers, Aim::AtLeast(1.5))
}
