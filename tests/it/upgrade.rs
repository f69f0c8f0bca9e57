//! A data folder of an earlier version opens, and nothing in it is lost. `tests/fixtures/data-k1` was made by the first
//! version of schema `k1` in test mode: one product, six keys, one order delivered and one unpaid.

use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use crate::support::shop::Daemon;

/// The order that was delivered, what its buyer was given to see it, and its key.
const DELIVERED: (&str, &str, &str) = ("PIMX330ZWRP6SIPC75H4", "UsoqKmzHzd3eupsLDrDoWbtJTFQ", "FIXTURE-KEY-1");
/// The order that was not paid yet.
const UNPAID: (&str, &str, &str) = ("7QMX330ZZ5S8YGKAMVCA", "E8Z76xun8mtDna6kHHFN8GJxo-A", "FIXTURE-KEY-2");

/// Copies a folder as a shop has it: for its owner alone.
pub fn copy_private(from: &Path, to: &Path) {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let there = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_private(&entry.path(), &there);
        } else {
            let mut file = std::fs::File::options().write(true).create_new(true).mode(0o600).open(there).unwrap();
            std::io::copy(&mut std::fs::File::open(entry.path()).unwrap(), &mut file).unwrap();
        }
    }
}

async fn keys_of(shop: &Daemon, (id, token, _): (&str, &str, &str)) -> String {
    let (status, text) = shop.send(&format!("/v1/orders/{id}?token={token}")).await;
    assert_eq!(status, 200, "{text}");
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_data_folder_of_the_first_k1_opens_and_loses_nothing() {
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    let data = folder.path().join("d");
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/data-k1");
    copy_private(&fixture, &data);
    // It is a copy, and it is the shop: said as an operator says it.
    let mut shop = Daemon::launched(&data, "", "export KAMID_MOVED=1\nexec \"$@\"\n");
    assert!(keys_of(&shop, DELIVERED).await.contains(DELIVERED.2));
    // Unpaid for long, it has expired: paid late, it is delivered all the same.
    shop.json(&["order", "pay", UNPAID.0], "");
    assert!(keys_of(&shop, UNPAID).await.contains(UNPAID.2));
    assert_eq!(shop.admin("/v1/products/demo").await["stock"]["pool"], 4);
    // A key of then is known now.
    let again = shop.json(&["keys", "import", "demo", "-"], "FIXTURE-KEY-1\nFIXTURE-KEY-6\nFIXTURE-KEY-7\n");
    assert_eq!(again["imported"], 1, "{again}");
    shop.audit();
    // What it added does not keep it from opening once more.
    assert!(shop.stop());
    shop.run();
    assert!(keys_of(&shop, UNPAID).await.contains(UNPAID.2));
    shop.audit();
}
