//! The real dashboard at a real terminal, on a real daemon under load.

use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::seat::Seat;
use crate::support::shop::{Daemon, wait_for};

const KAMID: &str = env!("CARGO_BIN_EXE_kamid");

fn dashboard(shop: &Daemon, extra: &[&str]) -> Seat {
    let data = shop.data.display().to_string();
    let args = [&["top", "--data", &data, "--lang", "en"], extra].concat();
    Seat::take(Path::new(KAMID), &args)
}

/// Light traffic with some failures, until it is ended.
struct Traffic(Child);

impl Traffic {
    fn start(shop: &Daemon) -> Self {
        let load = ["hammer", "mix", "--rate", "40", "--for", "300s", "--channel", "pay", "--no-audit", "--data"];
        let child = Command::new(KAMID).args(load).arg(&shop.data).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Self(child.unwrap())
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _ended = self.0.wait();
    }
}

/// A decision that reaches the order, with its reason.
async fn approves(shop: &Daemon, seat: &mut Seat, held: &str) {
    seat.types("5");
    seat.shows(&["waiting for a person"]);
    seat.types(&format!("/{held}\r"));
    seat.shows(&["waiting for a person 1"]);
    seat.types("a");
    seat.shows(&["Approve and deliver order", "paid", "due 9.90 CNY", "reason"]);
    seat.types("the buyer paid the rest\r");
    seat.shows(&["It cannot be undone"]);
    assert_eq!(shop.state(held).await, "held");
    seat.types("y");
    seat.shows(&["approve", "delivered"]);
    assert_eq!(shop.state(held).await, "delivered");
    let history = shop.admin(&format!("/v1/orders/{held}")).await["history"].to_string();
    assert!(history.contains("the buyer paid the rest") && history.contains("approve"), "{history}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_works_through_a_night() {
    let mut shop = Daemon::start("[notify.mail]\nkind = \"folder\"\nfrom = \"shop@example.test\"\n");
    shop.product("steam-ten", &[], 5);
    shop.product("office-one", &[], 5);
    let held = shop.order("steam-ten", 1).await;
    assert_eq!(shop.pay(&held, "T-LESS", 1).await.0, 200);
    let traffic = Traffic::start(&shop);
    let mut seat = dashboard(&shop, &[]);
    seat.shows(&["kamid top", "TEST", "callbacks/s", "delivered", "wait for a person", "steam-ten"]);
    seat.types("2");
    seat.shows(&["available", "steam-ten", "office-one", "an hour"]);
    // Only what is asked for, from the daemon.
    seat.types("/office\r");
    seat.shows(&["office-one", "1/1"]);
    seat.hides("steam-ten");
    seat.types("\x1b");
    seat.shows(&["steam-ten", "office-one"]);
    seat.types("3");
    seat.shows(&["bad signatures", "failed callbacks"]);
    seat.types("\r");
    seat.shows(&["advice", "canonical"]);
    seat.types("\x1b");
    seat.hides("canonical");
    seat.types("4");
    seat.shows(&["delivered just now", "hammer-"]);
    seat.types(&format!("/{held}\r"));
    seat.shows(&["orders found 1", &held, "held"]);
    // The link to the buyer's page is as good as the keys.
    seat.types("\r");
    seat.shows(&["payments", "T-LESS"]);
    assert!(!seat.text().contains("token"), "{}", seat.text());
    approves(&shop, &mut seat, &held).await;
    seat.types("6");
    seat.shows(&["channels", "success", "pay"]);
    seat.types("7");
    seat.shows(&["notices", "sent 1"]);
    seat.types("8");
    seat.shows(&["ready", "strict"]);
    // Too small, and large again.
    seat.resize(10, 40);
    seat.shows(&["too small"]);
    seat.resize(50, 160);
    seat.shows(&["Redis mem", "15 min"]);
    // The daemon is killed, and comes back elsewhere.
    shop.kill();
    seat.shows(&["no daemon answers", "lost"]);
    shop.run();
    seat.hides("no daemon answers");
    seat.shows(&["ready"]);
    seat.types("1");
    seat.shows(&["callbacks/s"]);
    seat.types("?");
    seat.shows(&["keys here", "quit"]);
    seat.types("q");
    let (code, text) = seat.end();
    assert_eq!(code, 0, "{text}");
    drop(traffic);
}

type Alone = (
    Box<dyn portable_pty::Child + Send + Sync>,
    Box<dyn std::io::Read + Send>,
    Box<dyn portable_pty::MasterPty + Send>,
);

/// The dashboard at a terminal that nobody reads.
fn alone(shop: &Daemon) -> Alone {
    let size = portable_pty::PtySize { rows: 50, cols: 200, pixel_width: 0, pixel_height: 0 };
    let pty = portable_pty::native_pty_system().openpty(size).unwrap();
    let mut command = portable_pty::CommandBuilder::new(KAMID);
    command.args(["top", "--lang", "en", "--data"]);
    command.arg(&shop.data);
    command.env("TERM", "xterm-256color");
    let child = pty.slave.spawn_command(command).unwrap();
    (child, pty.master.try_clone_reader().unwrap(), pty.master)
}

/// Waits until a thread of that process writes to its terminal and gets no further, as long as the kernel tells so.
fn stuck(pid: u32) {
    let began = Instant::now();
    // `write` on x86-64 or on other machines, to descriptor 1.
    let writes = |call: String| call.starts_with("1 0x1 ") || call.starts_with("64 0x1 ");
    while began.elapsed() < Duration::from_secs(5) {
        let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        let calls = threads.filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("syscall")).ok());
        if calls.into_iter().any(writes) {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn whatever_ends_it_the_terminal_is_as_it_was() {
    let shop = Daemon::start("");
    for signal in [Signal::TERM, Signal::INT] {
        let seat = dashboard(&shop, &["--bell"]);
        seat.shows(&["kamid top", "callbacks/s"]);
        kill_process(Pid::from_raw(seat.child.process_id().unwrap().cast_signed()).unwrap(), signal).unwrap();
        let (code, _) = seat.end();
        assert_eq!(code, 0);
    }
    // The terminal itself goes: nobody is left behind.
    let (mut child, mut output, master) = alone(&shop);
    let (mut seen, mut bytes) = (Vec::new(), [0; 4096]);
    while !String::from_utf8_lossy(&seen).contains("callbacks/s") {
        let read = output.read(&mut bytes).unwrap();
        seen.extend_from_slice(&bytes[..read]);
    }
    drop((output, master));
    wait_for("an end without a terminal", || child.try_wait().unwrap());
    // A terminal that takes nothing more (its line is stuck) does not hold it.
    let (mut child, output, master) = alone(&shop);
    stuck(child.process_id().unwrap());
    kill_process(Pid::from_raw(child.process_id().unwrap().cast_signed()).unwrap(), Signal::TERM).unwrap();
    wait_for("an end at a stuck terminal", || child.try_wait().unwrap());
    drop((output, master));
}

#[test]
fn one_picture_the_figures_and_a_recording() {
    let shop = Daemon::start("");
    shop.product("steam-ten", &[], 5);
    let text = |args: &[&str]| {
        let done = shop.cli(args, "");
        assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    };
    // A new product is told within some seconds.
    let once = wait_for("the product", || {
        let once = text(&["top", "--once", "--size", "80x24", "--tab", "stock", "--lang", "en"]);
        Some(once).filter(|once| once.contains("steam-ten"))
    });
    assert_eq!(once.lines().count(), 24);
    assert!(!once.contains('\u{1b}'), "{once}");
    assert!(text(&["top", "--once", "--tab", "2", "--lang", "zh"]).contains("商品"));
    assert!(text(&["top", "--once", "--svg"]).starts_with("<svg"));
    let lines = text(&["top", "--once", "--json"]);
    let kinds: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(kinds.iter().any(|line| line["stock"]["rows"][0]["product"] == "steam-ten"), "{lines}");
    assert!(kinds.iter().any(|line| line["version"] == 2), "{lines}");
    // Who may only look is told so, and has no keys that change something.
    let guest = shop.json(&["token", "add", "guest", "--role", "view"], "")["token"].as_str().unwrap().to_owned();
    let file = shop.data.join("guest.token");
    std::fs::write(&file, guest).unwrap();
    let file = file.display().to_string();
    let look = text(&["top", "--once", "--tab", "5", "--size", "160x24", "--lang", "en", "--token-file", &file]);
    assert!(look.contains("guest (may only look)") && !look.contains("approve"), "{look}");
    assert!(text(&["top", "--once", "--tab", "5", "--size", "160x24", "--lang", "en"]).contains("approve"));
    // A pipe is no terminal, and says what to do.
    let refused = shop.cli(&["top"], "");
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--once"));
    // Written down, and played again without a daemon.
    let night = shop.data.join("night.ndjson").display().to_string();
    let mut seat = dashboard(&shop, &["--record", &night]);
    seat.shows(&["steam-ten"]);
    seat.types("q");
    assert_eq!(seat.end().0, 0);
    let again = dashboard(&shop, &["--record", &night]).end();
    assert!(again.0 == 1 && again.1.contains("exists"), "{again:?}");
    let mut seat = dashboard(&shop, &["--replay", &night, "--speed", "10"]);
    seat.shows(&["recording", "steam-ten"]);
    seat.types("[5a?");
    seat.shows(&["a minute back"]);
    seat.types("q");
    assert_eq!(seat.end().0, 0);
    assert!(text(&["top", "--replay", &night, "--once", "--lang", "en"]).contains("steam-ten"));
}
