//! A script writes all or nothing: what it writes to it has looked at before, so that a value of another type, or a name
//! whose slot is being moved, ends it before anything was written.

use std::collections::BTreeSet;

use kamid::domain::{AttemptNo, Due, NewsId, Notice, NoticeId, Opened, ReviewKind, Take};
use kamid::store::{Finish, Rule, script};

use super::{bytes, files};
use crate::support::redis::{Bench, CHANNEL, EXPIRES_MS, PRICE, cny, payment};

/// The name that a call is about: `p.pay` is `pay`, `shelves[p.product].owed` is `owed`.
fn last_word(argument: &str) -> String {
    let word = argument.rsplit('.').next().unwrap_or_default();
    word.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

/// What stands in the brackets behind `start`, up to the end of the line, cut at commas.
fn arguments<'a>(line: &'a str, start: &str) -> Vec<Vec<&'a str>> {
    let cut = |rest: &'a str| rest.split([',', ')']).map(str::trim).collect();
    line.match_indices(start).map(|(at, _)| cut(&line[at + start.len()..])).collect()
}

/// The names that a part of a script reads or writes to; not those of SET, which no type keeps from writing.
fn names(part: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in part.lines() {
        for call in arguments(line, "call(") {
            match call[0] {
                "'SET'" => {}
                "'LMOVE'" => found.extend([last_word(call[1]), last_word(call[2])]),
                _ => drop(found.insert(last_word(call[1]))),
            }
        }
        for helper in ["give(", "take(", "look("] {
            found.extend(arguments(line, helper).iter().map(|call| last_word(call[0])));
        }
        found.extend(arguments(line, "free(").iter().flat_map(|call| call[..3].iter().map(|name| last_word(name))));
    }
    found
}

#[test]
fn every_name_is_looked_at_before_it_is_written_to() {
    assert_eq!(last_word("shelves[p.product].owed"), "owed");
    for (name, text) in files("lua") {
        let (read, write) = text.split_once("\n-- Write.\n").unwrap();
        let unseen: Vec<_> = names(write).difference(&names(read)).cloned().collect();
        assert!(unseen.is_empty(), "{name} writes to {unseen:?}, which it never looked at");
    }
}

/// Makes a call, sees what it writes to, and makes it again from the same beginning for each such name with a value of
/// another type there: nothing may change.
macro_rules! whole {
    ($bench:expr, $tried:expr, $script:literal, $call:expr) => {{
        let (kept, before) = ($bench.keep().await, $bench.dump().await);
        let done = $call.await;
        assert!(done.is_ok(), "{}: {done:?}", $script);
        let after = $bench.dump().await;
        let names: BTreeSet<String> = before.keys().chain(after.keys()).cloned().collect();
        let written: Vec<String> = names.into_iter().filter(|name| before.get(name) != after.get(name)).collect();
        assert!(!written.is_empty(), "{} wrote nothing", $script);
        for name in &written {
            $bench.put_back(&kept).await;
            $bench.poison(name).await;
            let before = $bench.dump().await;
            let answer = $call.await;
            assert_eq!($bench.dump().await, before, "{} with another type at {name}: {answer:?}", $script);
        }
        $bench.put_back(&kept).await;
        $call.await.unwrap();
        $tried.insert($script);
    }};
}

#[tokio::test]
async fn a_value_of_another_type_anywhere_leaves_everything_as_it_is() {
    let mut tried = BTreeSet::new();
    of_payments(&mut tried).await;
    of_persons(&mut tried).await;
    of_stock(&mut tried).await;
    of_the_rest(&mut tried).await;
    // These have one SET each, which writes over anything.
    tried.extend(["prove", "fence"]);
    let all: BTreeSet<&str> = script::all().into_iter().map(|script| script.name).collect();
    assert_eq!(tried, all, "every script is tried");
}

async fn of_payments(tried: &mut BTreeSet<&'static str>) {
    let bench = Bench::new(Take::Order, 6).await;
    let (ordered, open) = (bench.draft(bench.id(), 1), bench.order(2).await);
    whole!(bench, tried, "reserve", bench.store.reserve(&ordered));
    let due = Due { channel: CHANNEL.to_owned(), amount: cny(PRICE) };
    whole!(bench, tried, "attempt", bench.store.attempt(open, AttemptNo::number(2), &due));
    let opened = Opened { reference: "cs_1".to_owned(), step: "{}".to_owned() };
    whole!(bench, tried, "open", bench.store.open(ordered.id, AttemptNo::FIRST, &opened));
    let unknown = payment(bench.id(), "T0", cny(PRICE));
    whole!(bench, tried, "settle", bench.settle(&unknown));
    whole!(bench, tried, "settle", bench.settle(&payment(open, "T1", cny(PRICE))));
    whole!(bench, tried, "settle", bench.settle(&payment(open, "T2", cny(2 * PRICE))));
    whole!(bench, tried, "settle", bench.settle(&payment(open, "T3", cny(2 * PRICE))));
    let expires = bench.read(ordered.id).await.expires;
    whole!(bench, tried, "release", bench.store.release(ordered.id, expires, EXPIRES_MS, "log"));
    whole!(bench, tried, "settle", bench.settle(&payment(ordered.id, "T4", cny(PRICE))));
    let extra = bench.store.review(10).await.unwrap().into_iter().find(|item| item.kind == ReviewKind::Extra).unwrap();
    whole!(bench, tried, "payment", bench.store.finish_payment(&extra, Finish::Refunded));
}

async fn of_persons(tried: &mut BTreeSet<&'static str>) {
    let bench = Bench::new(Take::Payment, 4).await;
    let (good, bad, gone) = (bench.paid(1, 1).await, bench.paid(1, 1).await, bench.paid(1, 1).await);
    whole!(bench, tried, "approve", bench.store.approve(good, "log"));
    whole!(bench, tried, "reject", bench.store.reject(bad, "log"));
    let held = bench.read(gone).await;
    whole!(bench, tried, "refund", bench.store.refund(&held, None, "log"));
    let order = bench.read(good).await;
    whole!(bench, tried, "replace", bench.store.replace(&order, 0, &order.keys[0], "log"));
    whole!(bench, tried, "refund", bench.store.refund(&order, None, "log"));
    let (late, waits) = ([bench.order(1).await, bench.order(1).await], bench.paid(1, 1).await);
    bench.store.void(&bench.product, 10, &[]).await.unwrap();
    for id in &late {
        whole!(bench, tried, "settle", bench.settle(&payment(*id, "T9", cny(PRICE))));
    }
    let owed = bench.read(late[0]).await;
    whole!(bench, tried, "refund", bench.store.refund(&owed, None, "log"));
    whole!(bench, tried, "approve", bench.store.approve(waits, "log"));
    bench.import(1).await;
    whole!(bench, tried, "restock", bench.store.restock(bench.product.home(), &bench.product.id));
}

async fn of_stock(tried: &mut BTreeSet<&'static str>) {
    let bench = Bench::new(Take::Order, 0).await;
    let (slot, product, n) = (bench.product.home(), &bench.product.id, bench.store.names);
    let (keys, member) = ([bench.key(), bench.key()], format!("{product}|b"));
    let staged = [n.staged(slot, "b"), n.staging(slot)];
    let sealed: [&[u8]; 4] = [b"1", member.as_bytes(), &keys[0].0, &keys[1].0];
    whole!(bench, tried, "stage", bench.raw(&script::STAGE, &staged, &sealed));
    let bucket = |at: u8| n.claims(slot).replace("claims", &format!("seen:0:{at}"));
    let claims = [n.claims(slot), bucket(1), bucket(2)];
    let ours = bytes(&["a", "480", "1", "11", "12"]);
    whole!(bench, tried, "claim", bench.raw(&script::CLAIM, &claims, &ours));
    let pool = [n.pool(slot, product), n.stock(slot, product), n.marks(slot), n.outbox(slot)];
    let names = [staged.as_slice(), pool.as_slice()].concat();
    let both = bytes(&[member.as_str(), "11", product.as_str()]);
    whole!(bench, tried, "commit", bench.raw(&script::COMMIT, &names, &both));
    whole!(bench, tried, "finish", bench.raw(&script::FINISH, &claims, &ours));
    whole!(bench, tried, "void", bench.store.void(&bench.product, 0, &keys[..1]));
    whole!(bench, tried, "void", bench.store.void(&bench.product, 1, &[]));
    whole!(bench, tried, "restore", bench.store.restore(&bench.product, 2));
}

async fn of_the_rest(tried: &mut BTreeSet<&'static str>) {
    let bench = Bench::new(Take::Order, 1).await;
    let (store, n) = (&bench.store, bench.store.names);
    whole!(bench, tried, "catalog", store.save_product(&bench.product));
    let (name, id) = (n.count([1; 16]), bench.id());
    let rule = Rule {
        name: name.clone(),
        group: "game".to_owned(),
        weight: 2,
        most: 9,
        limit: 9,
        first: true,
        until: store.now() + EXPIRES_MS,
    };
    whole!(bench, tried, "count", store.count(id, std::slice::from_ref(&rule)));
    whole!(bench, tried, "count", store.count(bench.id(), std::slice::from_ref(&rule)));
    whole!(bench, tried, "uncount", store.uncount(&[(name.clone(), id)]));
    let late = bench.order(1).await;
    let expires = bench.read(late).await.expires;
    store.release(late, expires, EXPIRES_MS, "").await.unwrap();
    store.keep(&[(late, expires)], 0).await.unwrap();
    whole!(bench, tried, "forget", store.forget(late));
    whole!(bench, tried, "trade", store.move_trade([3; 16], None, "A"));
    whole!(bench, tried, "once", store.once([2; 16], "body", EXPIRES_MS));
    let (buyer, notice) = (NoticeId::Buyer(bench.paid(1, 0).await), Notice::new(5, false));
    whole!(bench, tried, "notice", store.set_notice(&buyer, &notice, 10, true, None));
    let news: NewsId = "order.delivered:hook:07MIBQ3K2XZ0A1B2C001".parse().unwrap();
    let data = kamid::domain::News { at: 7, data: "{}".to_owned() };
    whole!(bench, tried, "notice", store.set_notice(&news.clone().into(), &notice, 10, true, Some(&data)));
}
