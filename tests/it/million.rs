//! A shop that has grown large: its audit stays small, and says how far it is.
//!
//! `make large` has a million orders and ten million keys; KAMID_MILLION_ORDERS and KAMID_MILLION_KEYS change that. A small
//! one runs with the other tests.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use kamid::client::Client;
use kamid::domain::ProductPatch;
use kamid::wire::products::{ImportWish, NewProduct};
use kamid::wire::{AddProduct, ImportKeys, Raw, With};

use crate::support::shop::Daemon;

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Resident memory of a process, in MiB.
fn memory_mib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

/// Imports so many keys into so many products.
async fn fill(shop: &Daemon, products: usize, keys: usize) {
    let client = Client::find(&shop.data, None, None).unwrap();
    let each = keys / products;
    let fill = |n: usize| {
        let client = &client;
        async move {
            let [name, price] = ["large", "9.90"].map(|text| Some(text.to_owned()));
            let patch = ProductPatch { name, price, ..ProductPatch::default() };
            client.call::<AddProduct>((), &NewProduct { id: format!("p{n}"), patch }).await.unwrap();
            for first in (0..each).step_by(10_000) {
                let lines: String =
                    (first..each.min(first + 10_000)).map(|key| format!("LARGE-{n:05}-{key:010}\n")).collect();
                let wish = With { query: ImportWish::default(), body: Raw(lines.into_bytes()) };
                client.call::<ImportKeys>(format!("p{n}"), &wish).await.unwrap();
            }
        }
    };
    stream::iter((0..products).map(fill)).buffer_unordered(4).collect::<Vec<()>>().await;
}

/// Audits while somebody watches the daemon's memory: the report, the most it took, the lines of progress.
async fn audit(shop: &Daemon) -> (serde_json::Value, u64, Vec<String>) {
    let (pid, most, over) = (shop.pid(), Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let watch = std::thread::spawn({
        let (most, over) = (Arc::clone(&most), Arc::clone(&over));
        move || {
            while !over.load(Ordering::Relaxed) {
                most.fetch_max(memory_mib(pid), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    });
    let client = Client::find(&shop.data, None, None).unwrap();
    let mut heard: Vec<String> = Vec::new();
    let report = client.audit(|what, done, of| heard.push(format!("{what} {done}/{of}"))).await.unwrap();
    over.store(true, Ordering::Relaxed);
    watch.join().unwrap();
    (serde_json::to_value(report).unwrap(), most.load(Ordering::Relaxed), heard)
}

/// A shop of that size, its orders paid and audited by hammer, then counted again.
async fn grown(orders: usize, keys: usize, products: usize) {
    let shop = Daemon::quiet(&tempfile::Builder::new().prefix("k").tempdir().unwrap().keep().join("d"), "");
    let began = Instant::now();
    fill(&shop, products, keys).await;
    eprintln!("{keys} keys in {products} products: {:.0} s", began.elapsed().as_secs_f64());
    let mut left = orders;
    while left > 0 {
        let part = left.min(100_000);
        let began = Instant::now();
        let visits = part.to_string();
        let mut hammer = Command::new(env!("CARGO_BIN_EXE_kamid"));
        hammer.args(["hammer", "--channel", "pay", "--for", "1000s", "--visits", &visits, "--json", "--data"]);
        hammer.arg(&shop.data).stdout(Stdio::piped()).stderr(Stdio::null());
        // The whole shop is counted once, below.
        hammer.args(["--mix", "paid=90,duplicate=5,wrong-amount=2,unknown=3", "--no-audit"]);
        let done = tokio::task::spawn_blocking(move || hammer.output().unwrap()).await.unwrap();
        let report: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
        assert!(done.status.success(), "{report}");
        left -= part;
        eprintln!("{part} orders made and paid: {:.0} s", began.elapsed().as_secs_f64());
    }
    let before = memory_mib(shop.pid());
    let began = Instant::now();
    let (report, most, heard) = audit(&shop).await;
    let number = |name: &str| report[name].as_u64().unwrap() as usize;
    eprintln!(
        "audit of {} orders, {} keys, {} payments: {:.0} s; the daemon had {before} MiB before and {most} MiB at most; {} times it said how far it was",
        number("orders"),
        number("keys"),
        number("payments"),
        began.elapsed().as_secs_f64(),
        heard.len()
    );
    assert_eq!(report["count"], 0, "{report}");
    // Three in a hundred visits are for numbers that nobody gave.
    assert!(number("orders") >= orders * 97 / 100 && number("keys") >= keys, "{report}");
    assert!(most < 256, "the audit took {most} MiB");
    let folder = shop.data.parent().unwrap().to_owned();
    drop(shop);
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_that_has_grown_a_little_is_counted_again() {
    grown(2_000, 20_000, 20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a while: make large"]
async fn a_million_orders_and_ten_million_keys_are_counted_again() {
    grown(setting("KAMID_MILLION_ORDERS", 1_000_000), setting("KAMID_MILLION_KEYS", 10_000_000), 1000).await;
}
