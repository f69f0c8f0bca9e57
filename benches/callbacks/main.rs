//! How many signed callbacks a second, against what the same machine does without us, in one run:
//! (a) a bare client that runs the same settle script, one call in flight on each of 64 connections;
//! (b) a bare hyper server that answers the same requests.
//!
//! Rounds go A B C A B C, so that a machine whose speed drifts slows all three; ratios are taken round by round.
//! `cargo bench --bench callbacks`; `KAMID_BENCH_ROUNDS`, `KAMID_BENCH_CALLS` change its length.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod load;
mod rig;

use std::time::Duration;

use rig::Rig;

/// Connections of every contestant.
const CONNECTIONS: usize = 64;

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn main() {
    // `cargo test --benches` and `--no-run` pass here too: without --bench there is nothing to measure.
    if let Ok(port_file) = std::env::var("KAMID_BENCH_HYPER") {
        return rig::serve_bare_hyper(&port_file);
    }
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let (rounds, calls) = (setting("KAMID_BENCH_ROUNDS", 40), setting("KAMID_BENCH_CALLS", 4_000));
    // One thread for the load: more would take the two cores from those that are measured.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async move {
        let rig = Rig::start(calls * (rounds + 1)).await;
        println!("{CONNECTIONS} connections, {calls} calls a round, {rounds} rounds, appendfsync always\n");
        println!("round   callbacks/s   p50 ms   p99 ms   bare script/s   bare hyper/s     (a)     (b)");
        let (mut a, mut b) = (Vec::new(), Vec::new());
        // One round more than is counted: the first one warms up.
        for round in 0..=rounds {
            let orders = rig.orders(calls).await;
            let callbacks = load::http(rig.public(), rig.requests(&orders), CONNECTIONS).await;
            rig.quiet().await;
            let bare_orders = rig.bare_orders(calls).await;
            let script = load::redis(rig.bare_socket(), rig.settle_calls(&bare_orders), CONNECTIONS).await;
            let hyper = load::http(rig.hyper(), rig.requests(&orders), CONNECTIONS).await;
            if round == 0 {
                continue;
            }
            let (ra, rb) = (callbacks.rate() / script.rate(), callbacks.rate() / hyper.rate());
            println!(
                "{round:>5}   {:>11.0}   {:>6.2}   {:>6.2}   {:>13.0}   {:>12.0}   {ra:>5.2}   {rb:>5.2}",
                callbacks.rate(),
                callbacks.millis(50.0),
                callbacks.millis(99.0),
                script.rate(),
                hyper.rate(),
            );
            a.push(ra);
            b.push(rb);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        for (name, mut ratios) in [("(a) ÷ bare script", a), ("(b) ÷ bare hyper ", b)] {
            ratios.sort_by(f64::total_cmp);
            let (low, mid, high) = (ratios[0], ratios[ratios.len() / 2], ratios[ratios.len() - 1]);
            println!("{name}   median {mid:.2}   ({low:.2} to {high:.2})");
        }
        rig.stop().await;
    });
}
