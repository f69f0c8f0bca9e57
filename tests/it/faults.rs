//! Faults on purpose, under load: whatever breaks, no acknowledged payment is lost and no key is sold twice.
//!
//! A short campaign runs with the other tests; `make faults` runs the long one. Each round prints its seed;
//! `KAMID_FAULT_SEED=… KAMID_FAULT_ROUNDS=1` plays it again.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use kamid::client::Client;
use kamid::hammer::{self, Arrivals, Load, Mix, Prepared, RunOptions, Schedule, Shape, Stats};

use crate::support::launch::{clocked, piped};
use crate::support::port::held_port;
use crate::support::proxy::{Line, Proxy, breaks};
use crate::support::redis::{TestRedis, programs};
use crate::support::shop::{CHANNEL, Daemon, channels, wait_for};

/// Every fault there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// `kill -9` of Redis; the daemon starts it again.
    KillRedis,
    /// `kill -9` of the daemon; the next one attaches to its Redis.
    KillDaemon,
    /// Both at once.
    KillBoth,
    /// Redis stands still for a while.
    FreezeRedis,
    /// The daemon stands still for a while.
    FreezeDaemon,
    /// Redis has no memory left for a while.
    FullMemory,
    /// Redis is killed in the middle of writing a record, of which half is in the file.
    TornRecord,
    /// The daemon may open no more files for a while.
    NoFiles,
    /// Somebody starts a second daemon on the same data.
    SecondDaemon,
    /// The disk is full for a while: Redis exits.
    FullDisk,
    /// The wall clock of the daemon jumps by so many days, and back after a while.
    Clock(i8),
    /// The line to Redis breaks, in one of five ways.
    Line(Line),
    /// The lock files are removed under a running daemon; or it is killed before, and started again.
    LocksGone { killed: bool },
    /// Redis' settings are changed so that payments could be lost, and set back after a while.
    SettingsChanged,
    /// Redis comes back empty for a while, until its files are brought back.
    StoreEmptied,
    /// The clock of Redis jumps by so many hours, and back after a while.
    RedisClock(i8),
    /// The replica that must have each payment stands still for a while, on the newest server that can be had.
    ReplicaSilent,
    /// Nobody reads the daemon's log for a while.
    LogBlocked,
}

impl Fault {
    /// How long a daemon may take to be ready again after its Redis is.
    const fn ready(self) -> Duration {
        match self {
            // Settings are looked at every three seconds.
            Self::SettingsChanged => Duration::from_secs(6),
            _ => Duration::from_secs(3),
        }
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// The shop that faults befall: a daemon on an embedded Redis with a disk that can be made full, and another daemon whose
/// Redis is behind a line that can be broken.
struct Rig {
    near: Daemon,
    far: Daemon,
    proxy: Proxy,
    room: PathBuf,
    clock: PathBuf,
    redis_port: u16,
    _redis: TestRedis,
    copied: Copied,
    folder: tempfile::TempDir,
}

/// A daemon whose payments must have a copy.
struct Copied {
    shop: Daemon,
    master: TestRedis,
    replica: TestRedis,
}

impl Copied {
    fn start(limits: &str) -> Self {
        let (port, program) = (held_port(), programs().pop().unwrap());
        let master = TestRedis::of(&program, |_| vec!["--port".to_owned(), port.to_string()]);
        let replica =
            TestRedis::of(&program, |_| vec!["--replicaof".to_owned(), "127.0.0.1".to_owned(), port.to_string()]);
        let store = format!("[store]\nurl = \"{}\"\nreplicas = 1\n{limits}{}", master.url(), fixed_ports());
        let shop = Daemon::quiet(&master.folder().join("d"), &store);
        Self { shop, master, replica }
    }
}

fn fixed_ports() -> String {
    format!("[server]\npublic = \"127.0.0.1:{}\"\nadmin = \"127.0.0.1:{}\"\n", held_port(), held_port())
}

impl Rig {
    async fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
        let room = folder.path().join("room");
        std::fs::write(&room, "unlimited").unwrap();
        let program = crate::stores::cramped(folder.path());
        let limits = "[limits]\nrejected_per_minute = 30\n";
        let store = format!("[store]\nredis_server = \"{}\"\n{limits}{}", program.display(), fixed_ports());
        let near = Daemon::quiet(&folder.path().join("d"), &store);
        let port = held_port();
        let redis = TestRedis::with(|_| ["--port".to_owned(), port.to_string()].to_vec());
        let proxy = Proxy::start(port).await;
        let store = format!("[store]\nurl = \"redis://127.0.0.1:{}/0\"\n{limits}{}", proxy.port, fixed_ports());
        let clock = folder.path().join("clock");
        std::fs::write(&clock, "+0").unwrap();
        let launch = format!("{}{}", clocked(&clock), piped(folder.path()));
        let far = Daemon::launched(&folder.path().join("e"), &store, &launch);
        let copied = Copied::start(limits);
        Self { near, far, proxy, room, clock, redis_port: port, _redis: redis, copied, folder }
    }

    fn shop(&self, fault: Fault) -> &Daemon {
        match fault {
            Fault::Line(_) | Fault::Clock(_) | Fault::RedisClock(_) | Fault::LogBlocked => &self.far,
            Fault::ReplicaSilent => &self.copied.shop,
            _ => &self.near,
        }
    }

    /// How long the daemon takes to be ready again once its Redis is.
    async fn ready_again(&self, fault: Fault) -> Duration {
        let shop = self.shop(fault);
        let url = match fault {
            Fault::Line(_) | Fault::Clock(_) | Fault::RedisClock(_) | Fault::LogBlocked => {
                format!("redis://127.0.0.1:{}/", self.redis_port)
            }
            Fault::ReplicaSilent => self.copied.master.url(),
            _ => format!("unix://{}", shop.data.join("redis/redis.sock").display()),
        };
        let client = redis::Client::open(url).unwrap();
        let (began, mut answers) = (Instant::now(), None);
        loop {
            if answers.is_none()
                && let Ok(mut link) = client.get_connection_with_timeout(Duration::from_millis(500))
                && redis::cmd("PING").exec(&mut link).is_ok()
            {
                answers = Some(Instant::now());
            }
            if let Some(since) = answers
                && shop.is_ready().await
            {
                return since.elapsed();
            }
            assert!(began.elapsed() < Duration::from_secs(30), "{fault:?}: not ready again");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Lets the fault happen, for `long` where it lasts.
    async fn strike(&mut self, fault: Fault, long: Duration, chance: &mut fastrand::Rng) {
        use rustix::process::Signal;
        match fault {
            Fault::KillRedis => self.near.kill_redis(),
            Fault::KillDaemon => {
                self.near.kill();
                self.near.run();
            }
            Fault::KillBoth => {
                self.near.kill_redis();
                self.near.kill();
                self.near.run();
            }
            Fault::FreezeRedis | Fault::FreezeDaemon => {
                let pid = match fault {
                    Fault::FreezeRedis => self.near.redis_pid(),
                    _ => Some(self.near.pid().cast_signed()),
                };
                let pid = pid.and_then(rustix::process::Pid::from_raw).unwrap();
                rustix::process::kill_process(pid, Signal::STOP).unwrap();
                tokio::time::sleep(long).await;
                rustix::process::kill_process(pid, Signal::CONT).unwrap();
            }
            Fault::FullMemory => {
                self.near.redis_set("maxmemory", "1mb");
                tokio::time::sleep(long).await;
                self.near.redis_set("maxmemory", "0");
            }
            Fault::TornRecord => {
                // The next one must not begin before the file is torn.
                let hold = self.room.with_file_name("hold");
                std::fs::write(&hold, "").unwrap();
                self.near.kill_redis();
                tear(&self.near.data, chance);
                std::fs::remove_file(hold).unwrap();
            }
            Fault::NoFiles => {
                let few = open_files(self.near.pid()) + chance.u64(0..4);
                self.near.file_limit(Some(few));
                tokio::time::sleep(long).await;
                self.near.file_limit(None);
            }
            Fault::SecondDaemon => {
                let second = self.near.cli(&["serve"], "");
                assert!(!second.status.success(), "a second daemon was let in");
            }
            Fault::FullDisk => {
                let file = crate::stores::append_only(&self.near.data);
                let size = std::fs::metadata(file).unwrap().len();
                std::fs::write(&self.room, (size / 512 + chance.u64(2..200)).to_string()).unwrap();
                self.near.kill_redis();
                tokio::time::sleep(long * 2).await;
                std::fs::write(&self.room, "unlimited").unwrap();
                self.near.kill_redis();
            }
            Fault::Clock(days) => {
                std::fs::write(&self.clock, format!("{days:+}d")).unwrap();
                tokio::time::sleep(long).await;
                let off = logged(&self.far.data).duration_since(jiff::Timestamp::now()).as_hours();
                assert!((off - i64::from(days) * 24).abs() <= 1, "the clock is off by {off} h, not {days} days");
                std::fs::write(&self.clock, "+0").unwrap();
            }
            Fault::Line(line) => {
                self.proxy.set(line);
                tokio::time::sleep(long).await;
                self.proxy.set(Line::Whole);
            }
            fault => self.strike_at_trust(fault, long).await,
        }
    }

    /// What makes a store or a log another than the one that was trusted.
    async fn strike_at_trust(&mut self, fault: Fault, long: Duration) {
        match fault {
            Fault::LocksGone { killed } => {
                if killed {
                    self.near.kill();
                }
                for lock in ["kamid.lock", "redis/redis.lock"] {
                    // One that an earlier round removed is not there again before the next server.
                    let _gone = std::fs::remove_file(self.near.data.join(lock));
                }
                if killed {
                    self.near.run();
                } else {
                    let second = self.near.cli(&["serve"], "");
                    assert!(!second.status.success(), "a second daemon was let in");
                }
            }
            Fault::SettingsChanged => {
                self.near.redis_set("appendfsync", "no");
                tokio::time::sleep(long).await;
                self.near.redis_set("appendfsync", "always");
            }
            Fault::StoreEmptied => {
                let (files, aside) =
                    (self.near.data.join("redis/appendonlydir"), self.near.data.join("redis/brought-back"));
                self.between_two_servers(|| std::fs::rename(&files, &aside).unwrap());
                tokio::time::sleep(long * 2).await;
                self.between_two_servers(|| {
                    std::fs::remove_dir_all(&files).unwrap();
                    std::fs::rename(&aside, &files).unwrap();
                });
            }
            Fault::RedisClock(hours) => {
                self.proxy.set_clock(i64::from(hours) * 3600);
                tokio::time::sleep(long).await;
                self.proxy.set_clock(0);
            }
            Fault::ReplicaSilent => {
                self.copied.replica.freeze(true);
                tokio::time::sleep(long).await;
                self.copied.replica.freeze(false);
            }
            Fault::LogBlocked => {
                use rustix::process::{Pid, Signal, kill_process};
                let reader = std::fs::read_to_string(self.folder.path().join("reader")).unwrap();
                let reader = Pid::from_raw(reader.trim().parse().unwrap()).unwrap();
                kill_process(reader, Signal::STOP).unwrap();
                tokio::time::sleep(long).await;
                kill_process(reader, Signal::CONT).unwrap();
            }
            other => unreachable!("{other:?} is struck elsewhere"),
        }
    }

    /// Does something to the files of the embedded Redis while none runs on them.
    fn between_two_servers(&self, act: impl FnOnce()) {
        let hold = self.room.with_file_name("hold");
        std::fs::write(&hold, "").unwrap();
        let pid = self.near.redis_pid();
        self.near.kill_redis();
        if let Some(pid) = pid {
            wait_for("the end of Redis", || (!Path::new(&format!("/proc/{pid}")).exists()).then_some(()));
        }
        act();
        std::fs::remove_file(hold).unwrap();
    }
}

/// When, by its own clock, a daemon wrote the last line of its log that has a time: forgeries give it many.
fn logged(data: &Path) -> jiff::Timestamp {
    let text = std::fs::read_to_string(data.join("log")).unwrap();
    text.lines().rev().find_map(|line| line.split(' ').next()?.parse().ok()).expect("a time in the log")
}

/// What a kill in the middle of a write leaves: half of a record at the end of the file.
fn tear(data: &Path, chance: &mut fastrand::Rng) {
    let record = b"*3\r\n$5\r\nHMSET\r\n$22\r\nt1:{00}:order:AAAAAAAA\r\n$5\r\nstate\r\n";
    let mut file = std::fs::File::options().append(true).open(crate::stores::append_only(data)).unwrap();
    file.write_all(&record[..chance.usize(1..record.len())]).unwrap();
}

fn open_files(pid: u32) -> u64 {
    std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count() as u64
}

/// One round: a load, a fault in the middle of it, and the audit. Returns what it came to, in a line.
async fn round(rig: &mut Rig, seed: u64, calls: u64, rate: f64) -> String {
    let mut chance = fastrand::Rng::with_seed(seed);
    let fault = match chance.u8(0..24) {
        0 => Fault::KillRedis,
        1 => Fault::KillDaemon,
        2 => Fault::KillBoth,
        3 => Fault::FreezeRedis,
        4 => Fault::FreezeDaemon,
        5 => Fault::FullMemory,
        6 => Fault::TornRecord,
        7 => Fault::NoFiles,
        8 => Fault::SecondDaemon,
        9 => Fault::FullDisk,
        10 => Fault::Clock(chance.i8(-100..100)),
        11 => Fault::LocksGone { killed: chance.bool() },
        12 => Fault::SettingsChanged,
        13 | 14 => Fault::StoreEmptied,
        15 => Fault::RedisClock(chance.i8(-100..100)),
        16 => Fault::ReplicaSilent,
        17 => Fault::LogBlocked,
        _ => Fault::Line(breaks(&mut chance)),
    };
    strike(rig, fault, seed, calls, rate, &mut chance).await
}

async fn strike(rig: &mut Rig, fault: Fault, seed: u64, calls: u64, rate: f64, chance: &mut fastrand::Rng) -> String {
    let mix: Mix =
        "paid=78,duplicate=8,forged=4,wrong-amount=2,unknown=2,late=2,out-of-order=2,slow=2".parse().unwrap();
    let lasts = Duration::from_secs_f64(calls as f64 / rate);
    let schedule = Schedule { shape: Shape::Poisson, rate, lasts, seed };
    let visits = mix.visits(calls as usize, seed);
    let load = Load { visits, arrivals: Arrivals::Open(schedule), connections: 64, think: Duration::ZERO, seed };
    let shop = rig.shop(fault);
    let client = Client::find(&shop.data, None, None).unwrap();
    let wish = RunOptions { channel: Some("pay".to_owned()), quantity: 1, seed, ..RunOptions::default() };
    let signed = channels(CHANNEL, &shop.data);
    let target = Prepared::prepare(client, &signed, &wish, &load.visits, &|_, _, _| {}).await.unwrap();
    let (stats, stop) = (Arc::new(Stats::default()), Arc::new(AtomicBool::new(false)));
    let (when, long) = (lasts.mul_f64(0.1 + 0.5 * chance.f64()), lasts.mul_f64(0.1 + 0.4 * chance.f64()));
    let began = Instant::now();
    let (report, ready) = tokio::join!(hammer::run(&target, &load, &stats, &stop, hammer::Audited::Shop), async {
        tokio::time::sleep(when).await;
        rig.strike(fault, long, chance).await;
        rig.ready_again(fault).await
    });
    assert!(ready <= fault.ready(), "seed {seed}, {fault:?}: ready {ready:?} after its Redis was");
    if let Some(error) = &report.unaudited {
        let shop = rig.shop(fault);
        let end = |name: &str| {
            let text = std::fs::read_to_string(shop.data.join(name)).unwrap_or_default();
            text.lines().rev().take(15).collect::<Vec<_>>().join("\n")
        };
        panic!("seed {seed}, {fault:?}: {error}\n{}\n{}", end("log"), end("redis/redis.log"))
    }
    assert_eq!(report.violations(), 0, "seed {seed}, {fault:?}:\n{}", report.text());
    let audit = report.audit.as_ref().unwrap();
    assert!(audit.acknowledged > 0, "seed {seed}, {fault:?}: nothing was acknowledged");
    format!(
        "seed {seed:<20} {:<24} {:>6} callbacks, {:>6} acknowledged, {:>5} uncertain, ready {:>4} ms after Redis, {:.1} s",
        format!("{fault:?}"),
        report.totals.answered + report.totals.unanswered,
        audit.acknowledged,
        audit.uncertain,
        ready.as_millis(),
        began.elapsed().as_secs_f64(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_that_go_silent_for_good_are_replaced() {
    let port = held_port();
    let redis = TestRedis::with(|_| ["--port".to_owned(), port.to_string()].to_vec());
    let proxy = Proxy::start(port).await;
    let store = format!("[store]\nurl = \"redis://127.0.0.1:{}/0\"\ntimeout_ms = 500\n", proxy.port);
    let shop = Daemon::at(&redis.folder().join("d"), &store);
    shop.product("silent", &[], 5);
    let id = shop.order("silent", 1).await;
    // The old connections never hear anything again; new ones are whole.
    proxy.forsake();
    let mut answers = Vec::new();
    for _ in 0..40 {
        answers.push(shop.pay(&id, "Q1", 990).await.0);
        if answers.last() == Some(&200) {
            break;
        }
    }
    assert_eq!(answers.last(), Some(&200), "{answers:?}");
    assert_eq!(answers[0], 503, "the first one met a silent link");
    assert_eq!(shop.state(&id).await, "delivered");
    shop.audit();
}

/// So many rounds; a fresh shop every ten, so that audits stay short.
async fn campaign(rounds: u64, calls: u64, rate: f64) {
    let seed = setting("KAMID_FAULT_SEED", fastrand::u64(..) >> 16);
    let mut rig = Rig::start().await;
    for at in 0..rounds {
        if at > 0 && at % 10 == 0 {
            rig = Rig::start().await;
        }
        let line = round(&mut rig, seed.wrapping_add(at), calls, rate).await;
        eprintln!("round {:>3}  {line}", at + 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_once_under_a_small_load() {
    let mut rig = Rig::start().await;
    let faults = [
        Fault::KillRedis,
        Fault::KillDaemon,
        Fault::KillBoth,
        Fault::FreezeRedis,
        Fault::FreezeDaemon,
        Fault::FullMemory,
        Fault::TornRecord,
        Fault::NoFiles,
        Fault::SecondDaemon,
        Fault::FullDisk,
        Fault::Clock(30),
        Fault::LocksGone { killed: false },
        Fault::LocksGone { killed: true },
        Fault::SettingsChanged,
        Fault::StoreEmptied,
        Fault::RedisClock(3),
        Fault::ReplicaSilent,
        Fault::LogBlocked,
        Fault::Line(Line::CutBeforeSend),
        Fault::Line(Line::CutAfterSend),
        Fault::Line(Line::CutMidReply),
        Fault::Line(Line::OneWay),
        Fault::Line(Line::Slow(Duration::from_millis(300))),
    ];
    for (at, fault) in faults.into_iter().enumerate() {
        let seed = 1000 + at as u64;
        let line = strike(&mut rig, fault, seed, 300, 150.0, &mut fastrand::Rng::with_seed(seed)).await;
        eprintln!("{line}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the long campaign: make faults"]
async fn campaign_of_faults() {
    campaign(setting("KAMID_FAULT_ROUNDS", 300), setting("KAMID_FAULT_CALLS", 5400), 3500.0).await;
}
