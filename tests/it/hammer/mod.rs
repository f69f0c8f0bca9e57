//! The load tester's own figures, against what is known: delays, a stall, a lie.

mod honest;
mod kinds;
mod sale;
mod screen;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use kamid::client::Client;
use kamid::hammer::{self, Arrivals, Load, Mix, Prepared, RunOptions, Schedule, Shape, Stats};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::shop::{CHANNEL, Daemon, channels};

/// A load of so many a second of that mix.
fn load(rate: f64, seconds: f64, mix: &str, connections: usize) -> Load {
    let schedule = Schedule { shape: Shape::Steady, rate, lasts: Duration::from_secs_f64(seconds), seed: 11 };
    let visits = mix.parse::<Mix>().unwrap().visits(schedule.count() as usize, 11);
    Load { visits, arrivals: Arrivals::Open(schedule), connections, think: Duration::from_millis(100), seed: 11 }
}

async fn prepared(shop: &Daemon, load: &Load) -> Prepared {
    let client = Client::find(&shop.data, None, None).unwrap();
    let wish = RunOptions { channel: Some("pay".to_owned()), quantity: 2, seed: 11, ..RunOptions::default() };
    Prepared::prepare(client, &channels(CHANNEL, &shop.data), &wish, &load.visits, &|_, _, _| {}).await.unwrap()
}

/// Answers every callback with success: nine of ten after three tenths of a second, one after nine.
async fn delays() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let asked = Arc::new(std::sync::atomic::AtomicU64::new(0));
        while let Ok((mut stream, _)) = listener.accept().await {
            let asked = Arc::clone(&asked);
            tokio::spawn(async move {
                let mut buffer = vec![0; 8192];
                while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                    let tenth = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed).is_multiple_of(10);
                    tokio::time::sleep(Duration::from_millis(if tenth { 900 } else { 300 })).await;
                    let _gone = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nsuccess").await;
                }
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn percentiles_agree_with_a_server_of_known_delays() {
    let shop = Daemon::start("");
    let load = load(200.0, 5.0, "paid=1", 200);
    let mut target = prepared(&shop, &load).await;
    target.address = delays().await;
    let (stats, stop) = (Arc::new(Stats::default()), Arc::new(AtomicBool::new(false)));
    let report = hammer::run(&target, &load, &stats, &stop, hammer::Audited::No).await;
    let json = report.json();
    assert_eq!(json["answered"], 1000);
    for (percentile, known) in [("p50", 300.0), ("p99", 900.0)] {
        let measured = json["latency_ms"][percentile].as_f64().unwrap();
        assert!((measured / known - 1.0).abs() < 0.03, "{percentile}: {measured} ms, not {known}");
    }
    let mean = json["latency_ms"]["mean"].as_f64().unwrap();
    assert!((mean / 360.0 - 1.0).abs() < 0.03, "mean {mean}");
    assert!(report.hgrm().contains("Total count    =         1000"));
}

/// Answers every callback with "fail" at once, on a thread of its own.
fn instant() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut buffer = vec![0; 8192];
                    while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                        let _gone =
                            stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 4\r\n\r\nfail").await;
                    }
                });
            }
        });
    });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_load_is_blamed_when_it_cannot_keep_up_and_a_slow_server_when_that_cannot() {
    let shop = Daemon::start("");
    let run = async |load: Load, address| {
        let mut target = prepared(&shop, &load).await;
        target.address = address;
        let (stats, stop) = (Arc::new(Stats::default()), Arc::new(AtomicBool::new(false)));
        hammer::run(&target, &load, &stats, &stop, hammer::Audited::No).await
    };
    // A million a second: nothing that signs and speaks HTTP on this machine keeps to that.
    let report = run(load(1_000_000.0, 0.05, "unknown=1", 64), instant()).await;
    assert_eq!(report.json()["answered"], 50_000);
    assert!(report.totals.rate() < 950_000.0);
    assert!(report.bottleneck(), "busy {}: {}", report.totals.busy, report.text());
    assert!(report.text().contains("it was the bottleneck, not the daemon"));
    // Three connections that wait 0.36 s for each answer carry 8 of 20 a second: all the load can do is wait.
    let report = run(load(20.0, 1.5, "paid=1", 3), delays().await).await;
    assert!(report.totals.rate() < 15.0, "{}", report.text());
    assert!(
        report.totals.latency.value_at_quantile(0.99) > 1_000_000,
        "what waited for a connection waited for the server"
    );
    assert!(!report.bottleneck(), "busy {}: {}", report.totals.busy, report.text());
    assert!(!report.text().contains("bottleneck"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stalls_is_not_excused_by_the_load_that_waits_for_it() {
    let shop = Daemon::start("");
    // Four connections: a load that counted from sending would see four slow requests and no more.
    let load = load(100.0, 6.0, "paid=1", 4);
    let target = prepared(&shop, &load).await;
    let (stats, stop) = (Arc::new(Stats::default()), Arc::new(AtomicBool::new(false)));
    let pid = rustix::process::Pid::from_raw(shop.pid().cast_signed()).unwrap();
    let freeze = std::thread::spawn(move || {
        use rustix::process::{Signal, kill_process};
        std::thread::sleep(Duration::from_secs(2));
        kill_process(pid, Signal::STOP).unwrap();
        std::thread::sleep(Duration::from_secs(2));
        kill_process(pid, Signal::CONT).unwrap();
    });
    let report = hammer::run(&target, &load, &stats, &stop, hammer::Audited::Shop).await;
    freeze.join().unwrap();
    let json = report.json();
    assert_eq!(json["answered"], 600);
    // A third of the requests were due during the stall, evenly: a sixth of all waited a second or longer.
    let p90 = json["latency_ms"]["p90"].as_f64().unwrap();
    assert!(p90 > 1000.0, "p90 {p90} ms");
    assert!(json["latency_ms"]["max"].as_f64().unwrap() > 1900.0);
    assert_eq!(report.violations(), 0, "{}", report.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_audit_finds_what_was_taken_away_behind_the_shops_back() {
    let shop = Daemon::start("");
    let load = load(200.0, 1.0, "paid=8,out-of-order=1,unknown=1", 32);
    let target = prepared(&shop, &load).await;
    let (stats, stop) = (Arc::new(Stats::default()), Arc::new(AtomicBool::new(false)));
    let sent = hammer::engine::run(&target, &load, Arc::clone(&stats), Arc::clone(&stop)).await;
    let clean = hammer::audit::audit(&target, &sent, Duration::from_secs(20)).await.unwrap();
    assert_eq!(clean.count, 0, "{:?}", clean.violations);
    assert!(clean.acknowledged > 100);
    // One order loses its keys, another its payment, and a third its state.
    let client = redis::Client::open(format!("unix://{}", shop.data.join("redis/redis.sock").display())).unwrap();
    let mut link = client.get_connection().unwrap();
    let paid: Vec<u32> = sent
        .heard
        .iter()
        .filter(|(ticket, heard)| {
            load.visits[ticket.visit as usize] == hammer::VisitKind::Paid
                && heard[0] == hammer::stats::RequestResult::Success
        })
        .map(|(ticket, _)| ticket.visit)
        .collect();
    let name = |kind: &str, visit: u32| {
        let id = target.order(visit as usize).unwrap();
        format!("t1:{{{}}}:{kind}:{id}", kamid::domain::Slot::of_number(id))
    };
    redis::cmd("HDEL").arg(name("order", paid[0])).arg("k1").exec(&mut link).unwrap();
    redis::cmd("DEL").arg(name("pay", paid[1])).exec(&mut link).unwrap();
    redis::cmd("HSET").arg(name("order", paid[2])).arg("state").arg("pending").exec(&mut link).unwrap();
    let dirty = hammer::audit::audit(&target, &sent, Duration::from_secs(20)).await.unwrap();
    for (kind, visit) in [("quantity", paid[0]), ("unrecorded", paid[1]), ("unpaid", paid[1]), ("lost", paid[2])] {
        let what = target.order(visit as usize).unwrap();
        assert!(dirty.violations.iter().any(|v| v.kind == kind && v.what == what), "{kind}: {:?}", dirty.violations);
    }
}

#[test]
fn the_search_ends_with_a_rate_that_held_below_one_that_did_not() {
    let shop = Daemon::start("");
    // A daemon of this build breaks at some rate; where, is the machine's affair.
    let run =
        ["hammer", "--find-limit", "--rate", "400", "--for", "0.5s", "--p99", "200", "--channel", "pay", "--seed", "3"];
    let report = shop.json(&run, "");
    let steps = report["steps"].as_array().unwrap();
    // A loaded machine offers less than was asked for: rates are what is compared.
    let of = |step: &Value| (step["rate"].as_f64().unwrap(), step["held"].as_bool().unwrap());
    let knee = report["knee_per_second"].as_f64().unwrap();
    assert!(steps.iter().map(of).any(|(rate, held)| held && rate.total_cmp(&knee).is_eq()));
    assert!(steps.iter().map(of).any(|(rate, held)| !held && rate > knee), "{report}");
    assert!(steps.iter().all(|step| step["violations"] == 0));
}

#[test]
fn every_kind_of_visit_ends_as_it_should_and_live_mode_is_refused() {
    let mut shop = Daemon::start("[limits]\nrejected_per_minute = 5\n");
    let mix = "paid=60,duplicate=10,forged=10,wrong-amount=5,unknown=5,late=5,out-of-order=3,slow=2";
    let run = [
        "hammer",
        "--rate",
        "150",
        "--for",
        "4s",
        "--mix",
        mix,
        "--channel",
        "pay",
        "--seed",
        "5",
        "--shape",
        "poisson",
    ];
    let report = shop.json(&run, "");
    assert_eq!(report["audit"]["count"], 0, "{report}");
    let heard = |request: &str, heard: &str| -> u64 {
        let rows = report["heard"].as_array().unwrap().iter();
        rows.filter(|row| row["request"] == request && row["heard"] == heard)
            .map(|row| row["count"].as_u64().unwrap())
            .sum()
    };
    assert!(heard("right", "success") > 300 && heard("less", "success") > 20 && heard("stranger", "refused") > 5);
    assert!(heard("bent", "limited") > 5, "the forger comes from an address of his own, and is stopped");
    assert_eq!(heard("right", "limited") + heard("right", "refused") + heard("bent", "success"), 0);
    // Fewer keys than orders: the rest is owed, and the audit agrees.
    let scarce = ["hammer", "--rate", "100", "--for", "1s", "--stock", "40", "--channel", "pay"];
    let report = shop.json(&scarce, "");
    assert_eq!(
        (&report["audit"]["count"], &report["audit"]["states"]["delivered"]),
        (&Value::from(0), &Value::from(40))
    );
    assert_eq!(report["audit"]["states"]["owed"], 60);
    let remote = shop.cli(&["hammer", "--mix", "nobody=1"], "");
    assert_eq!(remote.status.code(), Some(2));
    assert!(shop.stop());
    let file = shop.data.join("config.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("[test]\nmode = false\n{text}")).unwrap();
    shop.run();
    let refused = shop.cli(&["hammer", "--rate", "10", "--for", "1s"], "");
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("live mode"));
    assert!(shop.json(&["product", "list"], "")["products"].as_array().unwrap().is_empty(), "nothing was made");
}
