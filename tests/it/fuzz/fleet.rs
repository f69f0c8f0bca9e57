//! What other instances publish: a stranger in Redis fills no memory, and his line is one line.

use std::time::Instant;

use hdrhistogram::Histogram;
use kamid::telemetry::fleet::FleetLines;
use kamid::telemetry::snapshot::{decode, encode};

use super::drive::Target;

/// Whom a line is of; what else it says is skipped, whatever it is.
#[derive(serde::Deserialize)]
struct Named {
    instance: String,
}

/// The input's lines, between NULs, come one after the other.
fn lines(bytes: &[u8]) {
    let mut fleet = FleetLines::default();
    let now = Instant::now();
    for line in bytes.split(|b| *b == 0).filter_map(|line| std::str::from_utf8(line).ok()) {
        let name = serde_json::from_str::<Named>(line).ok().map(|said| said.instance);
        let before = name.as_ref().and_then(|name| fleet.newest(name));
        let others = fleet.names().count() - usize::from(before.is_some());
        fleet.take(line.to_owned(), now);
        let after = name.as_ref().and_then(|name| fleet.newest(name));
        assert_eq!(fleet.names().count() - usize::from(after.is_some()), others, "a line is about its own instance");
        assert!(fleet.names().count() <= 64 && fleet.bytes() <= 16 << 20, "a stranger fills the memory");
        let Some((rank, kept)) = after else { continue };
        assert!(!kept.contains(['\n', '\r']), "two lines of the stream: {kept:?}");
        assert!(before.is_none_or(|(known, old)| rank > known || old == kept), "older wins");
    }
}

/// A histogram's text is one of ours, or none.
fn histogram(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let Some(read) = decode(&text) else { return };
    assert!(read.distinct_values() <= 65_536, "a short text fills the memory");
    let again = decode(&encode(&read)).unwrap();
    assert!(read == again && read.len() == again.len(), "what is written reads back");
}

pub fn a_strangers_snapshot_fills_no_memory_and_is_one_line() -> Target {
    let one = r#"{"version":1,"instance":"a-1","seq":7,"at":1763884800000,"counters":{"pay/paid":3},"latency":{}}"#;
    let many: Vec<String> = (0..70).map(|n| format!(r#"{{"instance":"{n}","seq":1,"at":2}}"#)).collect();
    let seeds = vec![
        one.into(),
        many.join("\0").into(),
        format!("{one}\0{}", one.replace('7', "8")).into(),
        // A number that no float holds, in a field that nobody reads.
        format!(r#"{{"instance":"","seq":7,"at":7,"":{}}}"#, "3".repeat(400)).into(),
    ];
    let words = &[
        "\0",
        "\n",
        "\r\n",
        "\"",
        "{",
        "}",
        ",",
        ":",
        "\"seq\":",
        "\"at\":",
        "18446744073709551615",
        "-1",
        "0",
        "\\n",
    ];
    Target { name: "snapshots", seeds, words, check: lines }
}

pub fn a_histogram_is_ours_or_none() -> Target {
    let mut all = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3).unwrap();
    let empty = encode(&all);
    for value in [1, 250, 3_000, 59_000_000] {
        all.record_n(value, value).unwrap();
    }
    let wide = encode(&Histogram::<u64>::new_with_bounds(1, u64::MAX, 5).unwrap());
    // A count that no reader can negate, as the fuzzer found it.
    let full = format!("HISTEwAAABEAAAAAAAAAAwAAAAAAAAABAAAAAAOThwA/8AAAAAAAA{}", "/".repeat(30));
    let seeds = vec![empty.into_bytes(), encode(&all).into_bytes(), wide.into_bytes(), full.into_bytes()];
    let words = &["A", "AAAA", "=", "/", "/////w", "//////////", "HISTFAAA", "HISTEwAA"];
    Target { name: "histograms", seeds, words, check: histogram }
}
