//! A whole day of stream in the real program: its memory stays what it was.

use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use kamid::telemetry::snapshot::{StockLine, StockRow};

use super::scenes;

/// A recording of two instances with some products, so many seconds long.
fn recording(path: &std::path::Path, seconds: u64) {
    let mut text = format!("{{\"kamid_recording\":1,\"began\":{}}}\n", scenes::BEGAN);
    // Without the time, which is put in below: making a histogram for every second would take the test's time.
    let frame = |name: &str, latency: bool| {
        let mut second = scenes::second(name, 0, 0, 0);
        second.counters.clear();
        if !latency {
            (second.latency, second.delivered) = Default::default();
        }
        serde_json::to_string(&second).unwrap()
    };
    let frames = [("a1b2c3d4", false), ("a1b2c3d4", true), ("e5f6a7b8", true)].map(|(name, full)| frame(name, full));
    for n in 0..seconds {
        // Busy for a second in ten: an hour is as busy as a day, and neither takes the test's time.
        let told = if n % 10 == 0 { &frames[1..] } else { &frames[..1] };
        for frame in told {
            let at = format!("\"at\":{}", scenes::BEGAN + n * 1000);
            let line = frame
                .replacen(&format!("\"at\":{}", scenes::BEGAN), &at, 1)
                .replacen("\"seq\":0", &format!("\"seq\":{n}"), 1)
                .replacen("\"counters\":{}", &format!("\"counters\":{{\"alipay/delivered\":{}}}", n * 40), 1);
            writeln!(text, "{{\"ms\":{},\"line\":{line}}}", n * 1000).unwrap();
        }
        if n % 10 == 0 {
            let row = |at: u64| StockRow {
                product: format!("p-{}", (n / 10 + at) % 200),
                hourly: n % 50,
                ..StockRow::default()
            };
            let gone = vec![format!("p-{}", (n / 10 + 199) % 200)];
            let line = StockLine {
                at: scenes::BEGAN + n * 1000,
                products: 200,
                matching: 200,
                rows: (0..3).map(row).collect(),
                gone,
                alarms: None,
            };
            writeln!(text, "{{\"ms\":{},\"line\":{{\"stock\":{}}}}}", n * 1000, serde_json::to_string(&line).unwrap())
                .unwrap();
        }
    }
    std::fs::write(path, text).unwrap();
}

/// The most memory that drawing a recording's end took, in KiB.
fn peak(path: &std::path::Path) -> u64 {
    let command = ["top", "--once", "--lang", "en", "--replay"];
    let mut child = Command::new(env!("CARGO_BIN_EXE_kamid"));
    let mut child = child.args(command).arg(path).stdout(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        most = most.max(line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0));
        if let Some(ended) = child.try_wait().unwrap() {
            assert!(ended.success());
            return most;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_day_of_stream_takes_no_more_memory_than_an_hour() {
    let folder = tempfile::tempdir().unwrap();
    let (hour, day) = (folder.path().join("hour"), folder.path().join("day"));
    recording(&hour, 3600);
    recording(&day, 86_400);
    let (hour, day) = (peak(&hour), peak(&day));
    // The index of a recording takes 16 bytes a line: 2.8 MiB of a day that a live dashboard has not.
    assert!(day < hour + 8192, "{hour} KiB for an hour, {day} KiB for a day");
}
