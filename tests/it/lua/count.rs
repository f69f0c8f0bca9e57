//! `count.lua` and `uncount.lua`: what is counted once, given back once, and ends by itself.

use kamid::domain::{OrderId, OrderState, Take};
use kamid::store::{CountSum, Counted, NewOrder, OrderLimits, Released, Reserved, Rule, script};

use super::bytes;
use crate::support::redis::{Bench, EXPIRES_MS};

const FAR: u64 = 1 << 53;

fn rule(bench: &Bench, of: u8, group: &str, weight: u64) -> Rule {
    Rule {
        name: bench.store.count_of([of; 16]),
        group: group.to_owned(),
        weight,
        most: 5,
        limit: 10,
        first: true,
        until: bench.store.now() + EXPIRES_MS,
    }
}

async fn count(bench: &Bench, id: OrderId, rule: &Rule) -> Counted {
    bench.store.count(id, std::slice::from_ref(rule)).await.unwrap().remove(0)
}

async fn held(bench: &Bench, rule: &Rule) -> (u64, u64) {
    let CountSum { weight, orders } = bench.store.held(std::slice::from_ref(&rule.name)).await.unwrap()[0];
    (weight, orders)
}

#[tokio::test]
async fn an_id_counts_once_and_is_given_back_once() {
    let bench = Bench::new(Take::Order, 0).await;
    let (store, rule) = (&bench.store, rule(&bench, 1, "game", 4));
    let (a, b, c) = (bench.id(), bench.id(), bench.id());
    twice!(bench, store.count(a, std::slice::from_ref(&rule)), [Counted::Done(4)], [Counted::Done(4)]);
    twice!(bench, store.count(b, std::slice::from_ref(&rule)), [Counted::Done(8)], [Counted::Done(8)]);
    let full = [Counted::Weight(Some(rule.until))];
    twice!(bench, store.count(c, std::slice::from_ref(&rule)), full, full);
    let counted = store.counted(&rule.name, 10).await.unwrap();
    assert_eq!((counted.0.len(), counted.1), (2, 2));
    // One that is not counted gives nothing back.
    twice!(bench, store.uncount(&[(rule.name.clone(), c)]), (), ());
    assert_eq!(held(&bench, &rule).await, (8, 2));
    twice!(bench, store.uncount(&[(rule.name.clone(), a), (rule.name.clone(), a)]), (), ());
    assert_eq!(held(&bench, &rule).await, (4, 1));
    assert_eq!(count(&bench, c, &rule).await, Counted::Done(8));
    twice!(bench, store.uncount(&[(rule.name.clone(), b), (rule.name.clone(), c)]), (), ());
    assert!(bench.dump().await.keys().all(|name| !name.contains("count") && !name.contains("ends")), "nothing is left");
}

#[tokio::test]
async fn a_first_one_may_weigh_more_than_several() {
    let bench = Bench::new(Take::Order, 0).await;
    let heavy = |group| rule(&bench, 1, group, 100);
    let light = |group| rule(&bench, 1, group, 1);
    let first = bench.id();
    assert_eq!(count(&bench, first, &heavy("a")).await, Counted::Done(100));
    assert!(
        matches!(count(&bench, bench.id(), &light("a")).await, Counted::Weight(Some(_))),
        "the second one is bound"
    );
    // Another group has its own sum; what limits them together sees both.
    assert_eq!(count(&bench, bench.id(), &light("b")).await, Counted::Done(101));
    assert!(matches!(count(&bench, bench.id(), &light("")).await, Counted::Weight(Some(_))));
    let strict = Rule { first: false, ..heavy("c") };
    assert_eq!(count(&bench, bench.id(), &strict).await, Counted::Weight(None), "no waiting helps");
    let few = Rule { most: 2, ..light("c") };
    assert!(matches!(count(&bench, bench.id(), &few).await, Counted::Orders(Some(_))), "two orders there are");
    assert_eq!(count(&bench, first, &few).await, Counted::Done(101), "one that is counted already is not refused");
}

#[tokio::test]
async fn what_is_over_counts_no_more_a_hundred_a_call() {
    let bench = Bench::new(Take::Order, 0).await;
    let now = bench.store.now();
    let short = Rule { most: FAR, limit: FAR, until: now + EXPIRES_MS / 2, ..rule(&bench, 1, "game", 1) };
    for _ in 0..250 {
        assert!(matches!(count(&bench, bench.id(), &short).await, Counted::Done(_)));
    }
    // Beside them one that stays, so that the whole count does not go at once.
    let stays = Rule { until: now + EXPIRES_MS, ..short.clone() };
    assert_eq!(count(&bench, bench.id(), &stays).await, Counted::Done(251));
    let (keys, now) = ([short.name.as_str().to_owned(), short.name.ends()], (short.until + 1).to_string());
    let id = bench.id();
    let args = bytes(&[&now, id.as_str(), "game", "9", "99999999999999", "9", "10", "0"]);
    assert_eq!(bench.raw(&script::COUNT, &keys, &args).await.unwrap(), "more");
    assert_eq!(held(&bench, &short).await, (151, 151));
    assert_eq!(bench.raw(&script::COUNT, &keys, &args).await.unwrap(), "more");
    assert_eq!(bench.raw(&script::COUNT, &keys, &args).await.unwrap(), "counted 10");
    assert_eq!(held(&bench, &short).await, (10, 2));
}

#[tokio::test]
async fn a_count_ends_by_itself_and_an_id_that_is_over_counts_anew() {
    let bench = Bench::new(Take::Order, 0).await;
    let short = Rule { until: bench.store.now() + 3000, ..rule(&bench, 1, "game", 8) };
    let (a, b) = (bench.id(), bench.id());
    assert_eq!(count(&bench, a, &short).await, Counted::Done(8));
    let again = rule(&bench, 1, "game", 8);
    // Until then the other is refused, and told until when.
    assert_eq!(count(&bench, b, &again).await, Counted::Weight(Some(short.until)));
    while bench.store.now() <= short.until {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(count(&bench, a, &again).await, Counted::Done(8));
    assert_eq!(held(&bench, &again).await, (8, 1));
    assert!(matches!(count(&bench, b, &again).await, Counted::Weight(_)));
}

#[tokio::test]
async fn a_count_that_fails_has_written_nothing() {
    let bench = Bench::new(Take::Order, 0).await;
    let rule = rule(&bench, 1, "game", 4);
    let (name, ends) = (rule.name.as_str().to_owned(), rule.name.ends());
    assert_eq!(count(&bench, bench.id(), &rule).await, Counted::Done(4));
    let id = bench.id();
    fails_whole!(bench, [name.clone(), ends.clone()], bench.store.count(id, std::slice::from_ref(&rule)));
    fails_whole!(bench, [name.clone()], bench.store.uncount(&[(rule.name.clone(), id)]));
    assert_eq!(count(&bench, id, &rule).await, Counted::Done(8));
}

#[tokio::test]
async fn an_order_says_what_it_counts_in_either_form() {
    let bench = Bench::new(Take::Order, 5).await;
    let (unpaid, bought) = ([bench.store.count_of([1; 16])], [bench.store.count_of([2; 16])]);
    let id = bench.id();
    let draft = NewOrder { unpaid: &unpaid, bought: &bought, ..bench.draft(id, 2) };
    assert_eq!(bench.store.reserve(&draft).await.unwrap(), Reserved::Created);
    let old = bench.order(2).await;
    let mut link = bench.link.clone();
    let name = bench.store.names.order(old);
    let [c, d, e] = [3, 4, 5].map(|hash| bench.store.names.quota([hash; 16]));
    let fields = ["caps", &format!("{c} {d}"), "quotas", &e];
    redis::cmd("HSET").arg(&name).arg(&fields).exec_async(&mut link).await.unwrap();
    let limits = bench.store.limits_of(&[id, old, bench.id()]).await.unwrap();
    assert_eq!(
        (&limits[0].unpaid[..], &limits[0].bought[..], &limits[0].old),
        (&unpaid[..], &bought[..], &[vec![], vec![]])
    );
    let member = |set: &String, weight| (set.clone(), format!("{old}|{weight}"));
    assert_eq!(limits[1].old, [vec![member(&c, 1), member(&d, 1)], vec![member(&e, 2)]]);
    assert_eq!(limits[2], OrderLimits::default());
    // Such a set is given back to, and read, as it was written.
    for (set, by) in [(&e, old), (&e, id)] {
        let until = bench.store.now() + EXPIRES_MS;
        redis::cmd("ZADD").arg(set).arg(until).arg(format!("{by}|2")).exec_async(&mut link).await.unwrap();
    }
    assert_eq!(bench.store.counted_old([5; 16]).await.unwrap(), 4);
    bench.store.uncount_old(&limits[1].old[1]).await.unwrap();
    assert_eq!(bench.store.counted_old([5; 16]).await.unwrap(), 2);
    let expires = bench.read(old).await.expires;
    assert_eq!(bench.store.release(old, expires, EXPIRES_MS, "").await.unwrap(), Released::Expired);
    assert_eq!(bench.store.states(&[id, old]).await.unwrap(), [Some(OrderState::Pending), Some(OrderState::Expired)]);
}
