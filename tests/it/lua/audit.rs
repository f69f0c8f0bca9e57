//! The audit, where what it compares is in two places.

use kamid::domain::{Slot, Take};

use crate::support::redis::{Bench, product};

#[tokio::test]
async fn a_key_in_two_slots_is_found() {
    let bench = Bench::new(Take::Order, 3).await;
    let (store, n, mut link) = (&bench.store, bench.store.names, bench.link.clone());
    let other = product("other", Take::Order);
    let (here, there) = (bench.product.home(), other.home());
    assert_ne!(here, there);
    for product in [&bench.product, &other] {
        assert!(store.save_product(product).await.unwrap());
    }
    // One is for sale twice; another was sold, and is for sale elsewhere.
    let (sold, twice) = (bench.paid(1, 0).await, bench.import(1).await.remove(0));
    let given = bench.read(sold).await.keys.remove(0);
    for key in [&twice.0, &given] {
        redis::cmd("RPUSH").arg(n.pool(there, &other.id)).arg(key).exec_async(&mut link).await.unwrap();
    }
    let report = store.audit(&|_| true, &|_, _, _| {}).await.unwrap();
    let mut found: Vec<&str> = Vec::new();
    for violation in report.violations.iter().filter(|violation| violation.kind == "key_twice") {
        found.push(&violation.detail);
    }
    found.sort_unstable();
    let and = |names: [String; 2]| {
        let mut names = names;
        names.sort();
        names.join(" and ")
    };
    let pool = |slot: Slot, id| n.pool(slot, id);
    let mut expected =
        [and([n.order(sold), pool(there, &other.id)]), and([pool(here, &bench.product.id), pool(there, &other.id)])];
    expected.sort();
    assert_eq!(found, expected);
}
