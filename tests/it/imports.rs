//! An import that is killed half-way, on either side, and run again: each key is there once.

use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::shop::{Daemon, wait_for};

/// Keys in the file: several requests' worth.
const KEYS: u64 = 30_000;

fn begin(shop: &Daemon, product: &str, file: &std::path::Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_kamid"))
        .args(["keys", "import", product, "--data"])
        .arg(&shop.data)
        .arg(file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn imported(shop: &Daemon, product: &str) -> u64 {
    let done = shop.cli(&["product", "show", product, "--json"], "");
    let value: Value = serde_json::from_slice(&done.stdout).unwrap_or_default();
    value["stock"]["imported"].as_u64().unwrap_or(0)
}

/// Waits until the import is under way, and that it is not over.
fn half_way(shop: &Daemon, product: &str) {
    let seen = wait_for("the import to begin", || Some(imported(shop, product)).filter(|count| *count > 0));
    assert!(seen < KEYS, "the import was over before it could be killed");
}

#[test]
fn an_import_that_is_killed_and_run_again_has_each_key_once() {
    let mut shop = Daemon::start("");
    let file = shop.data.join("keys.txt");
    let text: String = (0..KEYS).map(|n| format!("PLAIN-import-{n:060}\n")).collect();
    std::fs::write(&file, text).unwrap();
    // The one who imports is killed.
    shop.product("one", &[], 0);
    let mut child = begin(&shop, "one", &file);
    half_way(&shop, "one");
    child.kill().unwrap();
    child.wait().unwrap();
    let again = shop.json(&["keys", "import", "one", file.to_str().unwrap()], "");
    assert_eq!(again["imported"].as_u64().unwrap() + again["known"].as_u64().unwrap(), KEYS);
    assert!(again["known"].as_u64().unwrap() > 0);
    wait_for("every key, once", || Some(imported(&shop, "one")).filter(|count| *count == KEYS));
    shop.audit();
    // The daemon is killed, and its import is left to the sweep.
    let text: String = (0..KEYS).map(|n| format!("PLAIN-second-{n:060}\n")).collect();
    std::fs::write(&file, text).unwrap();
    shop.product("two", &[], 0);
    let mut child = begin(&shop, "two", &file);
    half_way(&shop, "two");
    shop.kill();
    child.wait().unwrap();
    shop.run();
    shop.json(&["keys", "import", "two", file.to_str().unwrap()], "");
    wait_for("every key, once", || Some(imported(&shop, "two")).filter(|count| *count == KEYS));
    shop.audit();
    // Nothing more comes of it later.
    let third = shop.json(&["keys", "import", "two", file.to_str().unwrap()], "");
    assert_eq!((third["imported"].as_u64(), third["known"].as_u64()), (Some(0), Some(KEYS)));
    let lines = third["known_lines"].as_array().unwrap();
    assert_eq!((lines.len(), lines[0].as_u64(), lines[999].as_u64()), (1000, Some(1), Some(1000)));
}
