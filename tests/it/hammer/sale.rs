//! A flash sale: buyers who order, pay and look, and nobody is sold more than there is.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use kamid::hammer::{self, Stats};
use serde_json::Value;

use super::{load, prepared};
use crate::support::shop::Daemon;

/// How many answers of a kind a report counts.
pub fn heard(report: &Value, request: &str, heard: &str) -> u64 {
    let rows = report["heard"].as_array().unwrap().iter();
    rows.filter(|row| row["request"] == request && row["heard"] == heard)
        .map(|row| row["count"].as_u64().unwrap())
        .sum()
}

#[test]
fn a_sale_sells_what_there_is_and_no_more() {
    let shop = Daemon::start("");
    let run = ["hammer", "sale", "--rate", "60", "--for", "3s", "--think", "100ms", "--stock", "100", "--unpaid", "10"];
    let report = shop.json(&[&run[..], &["--channel", "pay", "--seed", "7"]].concat(), "");
    assert_eq!(report["audit"]["count"], 0, "{report}");
    // 180 buyers, of whom 100 find a key: more than one address may order in a minute.
    assert_eq!((heard(&report, "order", "created"), heard(&report, "order", "sold-out")), (100, 80), "{report}");
    let paid = heard(&report, "right", "success");
    assert!((80..100).contains(&paid), "about a tenth of the buyers never pay: {paid} of 100 did");
    assert_eq!(heard(&report, "look", "delivered"), paid);
    let states = &report["audit"]["states"];
    assert_eq!((states["delivered"].as_u64(), states["pending"].as_u64()), (Some(paid), Some(100 - paid)));
    let stock = &shop.json(&["product", "list"], "")["products"][0]["stock"];
    assert_eq!((stock["given"].as_u64(), stock["pool"].as_u64()), (Some(paid), Some(100 - paid)), "{stock}");
    // The rate is that of visits; steps are told apart.
    assert_eq!(report["scheduled"], 180);
    for step in ["order", "pay", "look"] {
        assert!(report["steps_ms"][step]["p50"].as_f64().unwrap() > 0.0, "{report}");
    }
    // A closed loop: each connection is a buyer after the other, until the visits are used up.
    let run = ["hammer", "sale", "--connections", "10", "--for", "60s", "--visits", "100", "--think", "20ms"];
    let report = shop.json(&[&run[..], &["--channel", "pay", "--quantity", "3"]].concat(), "");
    assert_eq!(
        (&report["audit"]["count"], &report["audit"]["states"]["delivered"]),
        (&0.into(), &100.into()),
        "{report}"
    );
    assert_eq!(heard(&report, "look", "delivered"), 100);
    let wrong = shop.cli(&["hammer", "sale", "--mix", "paid=1"], "");
    assert_eq!(wrong.status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_two_buyers_were_shown_is_found() {
    let shop = Daemon::start("");
    // Buyers and callbacks can be mixed.
    let load = load(60.0, 1.0, "buyer=8,unpaid=1,paid=1", 16);
    let target = prepared(&shop, &load).await;
    let (stats, stop) = (Arc::new(Stats::default()), Arc::new(AtomicBool::new(false)));
    let mut sent = hammer::engine::run(&target, &load, stats, stop).await;
    let clean = hammer::audit::audit(&target, &sent, Duration::from_secs(20)).await.unwrap();
    assert_eq!(clean.count, 0, "{:?}", clean.violations);
    assert_eq!((clean.orders, sent.shown.len()), (60, 48));
    let mut visits: Vec<u32> = sent.shown.keys().copied().collect();
    visits.sort_unstable();
    let [first, second, third] = visits[..3] else { panic!("{visits:?}") };
    let again = sent.shown[&first].clone();
    sent.shown.insert(second, again);
    sent.shown.insert(third, vec!["ONE".to_owned()]);
    let dirty = hammer::audit::audit(&target, &sent, Duration::from_secs(20)).await.unwrap();
    for (kind, visit) in [("twice", second), ("shown", third)] {
        let what = target.order(visit as usize).unwrap();
        assert!(dirty.violations.iter().any(|v| v.kind == kind && v.what == what), "{kind}: {:?}", dirty.violations);
    }
    assert_eq!(dirty.count, 2, "{:?}", dirty.violations);
}
