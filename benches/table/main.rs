//! Every figure of docs/performance.md, in one run: the daemon beside what the same machine does without it.
//!
//! What is compared takes turns in short rounds, so that a machine whose speed drifts slows both; ratios are taken round
//! by round. `make bench`; KAMID_BENCH_ROUNDS, KAMID_BENCH_CALLS and KAMID_BENCH_KEYS change its length. With
//! KAMID_BENCH_ONLY=siege (or sizes) the rows of the siege (of memory) are measured alone, with KAMID_PARENT=PATH those
//! beside another binary of kamid; both are printed only.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod board;
mod load;
mod parent;
mod report;
mod rig;
mod shop;
mod siege;
mod sizes;
mod speeds;

use report::Row;
use rig::Rig;
use shop::Shop;

/// Connections of every contestant.
const CONNECTIONS: usize = 64;

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// How long the bench is.
struct Length {
    rounds: usize,
    calls: usize,
    /// Keys of the large shop.
    keys: usize,
}

async fn measure(length: &Length) -> Vec<Row> {
    let folder = tempfile::Builder::new().prefix("kb").tempdir().unwrap();
    let mut rows: Vec<Row> = Vec::new();
    let mut add = |row: Row| {
        report::say(&row);
        rows.push(row);
    };
    add(sizes::cold_start(folder.path()).await);
    let (small, wide) = (Shop::start(&folder.path().join("s")).await, Shop::start(&folder.path().join("w")).await);
    let rig = Rig::start(folder.path()).await;
    add(sizes::idle(&small));
    // Enough for every round, in one product.
    let wanted = 10_000.max(length.calls * (3 * length.rounds + 8)) + siege::KEYS;
    add(sizes::pooled(&small, wanted).await);
    sizes::orders(&small, &rig).await.into_iter().for_each(&mut add);
    speeds::imports(&wide, &rig, length.keys).await.into_iter().for_each(&mut add);
    let peak = speeds::callbacks(&small, &rig, length, &mut add).await;
    add(sizes::peak(&small));
    add(speeds::stocked(&small, &wide, &rig, length).await);
    speeds::latency(&small, &rig, length, peak).await.into_iter().for_each(&mut add);
    add(speeds::hammer(&small, &rig, peak).await);
    siege::siege(&small, &rig).await.into_iter().for_each(&mut add);
    board::board(&small, &rig, length).await.into_iter().for_each(&mut add);
    rig.stop().await;
    rows
}

/// The siege alone, on a shop that has done nothing before.
async fn besiege() {
    let folder = tempfile::Builder::new().prefix("kb").tempdir().unwrap();
    let (shop, rig) = (Shop::start(&folder.path().join("s")).await, Rig::start(folder.path()).await);
    shop.daemon.stock("bench", siege::KEYS).await;
    siege::siege(&shop, &rig).await.iter().for_each(report::say);
    rig.stop().await;
}

/// What things take, alone.
async fn weigh() {
    let folder = tempfile::Builder::new().prefix("kb").tempdir().unwrap();
    let (shop, rig) = (Shop::start(&folder.path().join("s")).await, Rig::start(folder.path()).await);
    report::say(&sizes::idle(&shop));
    report::say(&sizes::pooled(&shop, 1_000).await);
    sizes::orders(&shop, &rig).await.iter().for_each(report::say);
    rig.stop().await;
}

fn main() {
    if let Ok(port_file) = std::env::var("KAMID_BENCH_HYPER") {
        return rig::serve_bare_hyper(&port_file);
    }
    // `cargo test --benches` and `--no-run` pass here too: without --bench there is nothing to measure.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    // One thread for the load: more would take the cores from those that are measured.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let length = Length {
        rounds: setting("KAMID_BENCH_ROUNDS", 20),
        calls: setting("KAMID_BENCH_CALLS", 4_000),
        keys: setting("KAMID_BENCH_KEYS", 10_000_000),
    };
    if let Some(parent) = std::env::var_os("KAMID_PARENT") {
        return runtime.block_on(parent::compare(parent.as_ref(), &length)).iter().for_each(report::say);
    }
    match std::env::var("KAMID_BENCH_ONLY").as_deref() {
        Ok("siege") => return runtime.block_on(besiege()),
        Ok("sizes") => return runtime.block_on(weigh()),
        Ok(other) => panic!("KAMID_BENCH_ONLY takes \"siege\" or \"sizes\", not {other:?}"),
        Err(_) => {}
    }
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let Length { rounds, calls, keys } = length;
    let about = format!(
        "{rounds} rounds of {calls} calls, {CONNECTIONS} connections, {keys} keys in the large shop, {cores} shared cores, \
         release build, `appendfsync always`."
    );
    println!("{about}\n");
    let rows = runtime.block_on(measure(&length));
    report::write(&rows, &about);
}
