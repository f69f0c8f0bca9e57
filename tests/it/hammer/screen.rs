//! The live screen on a real terminal, and what a pipe gets instead. However it ends, the terminal is as it was.

use std::io::{BufRead as _, Read as _, Write as _};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use kamid::hammer::{Screen, Show, Stats};

use crate::support::seat::Seat;
use crate::support::shop::{Daemon, wait_for};

#[test]
fn a_real_terminal_shows_the_run_and_ctrl_c_ends_it_with_a_report() {
    let shop = Daemon::start("");
    let data = shop.data.display().to_string();
    let run = ["hammer", "--data", &data, "sale", "--rate", "40", "--for", "120s", "--channel", "pay", "--seed", "1"];
    let mut seat = Seat::take(std::path::Path::new(env!("CARGO_BIN_EXE_kamid")), &run);
    seat.shows(&[
        "kamid hammer sale",
        "offered              40/s",
        "p99.9",
        "own lateness",
        "delivered",
        "p99 by second",
    ]);
    assert!(seat.screen.lock().unwrap().screen().alternate_screen());
    // A terminal that becomes too small says so, and shows the figures again when it grows.
    seat.resize(8, 30);
    seat.shows(&["30x8 is too small"]);
    seat.resize(24, 80);
    seat.shows(&["achieved", "q or Ctrl-C: end early and report"]);
    let asked = Instant::now();
    seat.keys.write_all(b"\x03").unwrap();
    let (code, text) = seat.end();
    assert_eq!(code, 0, "{text}");
    assert!(asked.elapsed() < Duration::from_secs(30), "it ended early");
    for what in
        ["visits:", "offered 40/s", "order         ms   p50", "audit:", "nothing was lost, nothing was sold twice"]
    {
        assert!(text.contains(what), "{what}:\n{text}");
    }
}

#[test]
fn a_second_ctrl_c_leaves_at_once() {
    let shop = Daemon::start("");
    let data = shop.data.display().to_string();
    let run = ["hammer", "--data", &data, "--rate", "20", "--for", "60s", "--channel", "pay"];
    let mut seat = Seat::take(std::path::Path::new(env!("CARGO_BIN_EXE_kamid")), &run);
    seat.shows(&["kamid hammer callbacks", "success"]);
    // What is under way cannot be answered: the first one has to wait for it.
    let pid = rustix::process::Pid::from_raw(shop.pid().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    seat.keys.write_all(b"q").unwrap();
    seat.shows(&["leave without a report"]);
    seat.keys.write_all(b"\x03").unwrap();
    let (code, text) = seat.end();
    rustix::process::kill_process(pid, rustix::process::Signal::CONT).unwrap();
    assert_eq!(code, 130, "{text}");
    assert!(text.contains("interrupted: no report"), "{text}");
}

#[test]
fn a_panic_gives_the_terminal_back_before_it_speaks() {
    let me = std::env::current_exe().unwrap();
    let seat = Seat::take(&me, &["--ignored", "--exact", "hammer::screen::panics_under_a_screen", "--nocapture"]);
    seat.shows(&["something broke"]);
    let (code, text) = seat.end();
    assert_ne!(code, 0, "{text}");
    assert!(!text.contains("offered"), "{text}");
}

#[test]
#[ignore = "played by the test above, at a terminal"]
fn panics_under_a_screen() {
    let show = Show {
        scenario: "callbacks",
        channel: "pay".to_owned(),
        seed: 1,
        offered: None,
        lasts: Duration::from_secs(9),
        colour: true,
        ascii: false,
    };
    let stop = Arc::new(AtomicBool::new(false));
    let screen = Screen::open(show, Arc::new(Stats::default()), stop, || ()).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    // Nothing is dropped: the hook alone gives the terminal back.
    std::mem::forget(screen);
    panic!("something broke");
}

#[test]
fn a_pipe_gets_a_line_a_second_and_sigint_ends_it_with_a_report() {
    let shop = Daemon::start("");
    let mut child = Command::new(env!("CARGO_BIN_EXE_kamid"))
        .args(["hammer", "mix", "--rate", "50", "--for", "60s", "--channel", "pay", "--data"])
        .arg(&shop.data)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = std::io::BufReader::new(child.stderr.take().unwrap()).lines();
    let line = said.next().unwrap().unwrap();
    assert!(line.contains("/s") && line.contains("answered   p99"), "{line:?}");
    let asked = Instant::now();
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT).unwrap();
    let rest: Vec<String> = said.map(Result::unwrap).collect();
    assert!(rest.iter().all(|line| !line.contains('\u{1b}')), "{rest:?}");
    let mut report = String::new();
    child.stdout.take().unwrap().read_to_string(&mut report).unwrap();
    let ended = wait_for("the end", || child.try_wait().unwrap());
    assert!(ended.success() && asked.elapsed() < Duration::from_secs(30), "{report}");
    assert!(report.contains("offered 50/s") && report.contains("nothing was lost"), "{report}");
}
