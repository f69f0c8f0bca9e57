//! The Lua scripts against a real Redis: their headers, every reply they can give, and that a repeat or a failure
//! changes nothing.

use std::collections::BTreeMap;
use std::path::Path;

use kamid::domain::{
    AttemptNo, Due, News, NewsId, Notice, NoticeId, NoticeState, Opened, OrderState, Payment, PaymentState, Take, Trade,
};
use kamid::store::script;
use kamid::store::{
    At, Changed, Chunk, ChunkReport, Finish, Finished, NewOrder, Released, Repeat, Reserved, ReviewItem, Reviewed,
    SCHEMA,
};

use crate::support::cluster;
use crate::support::redis::{Bench, CHANNEL, EXPIRES_MS, PRICE, TestRedis, cny, payment, product};

/// Texts of the Lua files of a folder, by name without `.lua`.
fn files(folder: &str) -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let paths = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    paths
        .filter(|path| path.extension().is_some_and(|end| end == "lua"))
        .map(|path| {
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).expect("a text"))
        })
        .collect()
}

#[tokio::test]
async fn every_file_is_compiled_in_and_loads() {
    let mut compiled: Vec<&str> = script::all().into_iter().map(|script| script.name).collect();
    compiled.sort_unstable();
    assert_eq!(compiled, files("lua").into_keys().collect::<Vec<_>>());
    let redis = TestRedis::start();
    let mut link = redis.raw().await;
    for script in script::all() {
        let loaded: redis::RedisResult<String> = script.load().query_async(&mut link).await;
        assert!(loaded.is_ok(), "{}: {loaded:?}", script.name);
    }
}

/// The whole suite once more, against servers that refuse what is not of one slot.
#[test]
fn all_of_it_holds_on_a_cluster_of_one_node() {
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    again.args(["lua::", "--skip", "all_of_it_holds", "--test-threads", "4"]).env(cluster::ASKED, "1");
    let done = again.output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
    let count = said.lines().filter(|line| line.starts_with("test lua::") && line.ends_with("ok")).count();
    assert!(count > 40, "{count} tests ran: {said}");
}

#[tokio::test]
async fn no_script_that_draws_reads_or_writes_a_place_that_is_another() {
    let bench = Bench::new(Take::Order, 3).await;
    bench.paid(1, 0).await;
    let (slot, n) = (bench.product.home(), bench.store.names);
    let mut link = bench.link.clone();
    for other in [None, Some("another")] {
        match other {
            None => redis::cmd("DEL").arg(n.place(At::Slot(slot))).exec_async(&mut link).await.unwrap(),
            Some(id) => redis::cmd("SET").arg(n.place(At::Slot(slot))).arg(id).exec_async(&mut link).await.unwrap(),
        }
        let before = bench.dump().await;
        let mut drawing = script::all();
        drawing.retain(|script| script.draws);
        assert!(drawing.len() > 15);
        for script in drawing {
            // What it would be called with does not matter: it is refused before it looks.
            let said = bench.raw(script, &[n.due(slot)], &[]).await.unwrap_err();
            assert_eq!(said.code(), Some("ELSEWHERE"), "{}: {said:?}", script.name);
        }
        assert_eq!(bench.dump().await, before);
    }
}

fn bytes<'a>(texts: &[&'a str]) -> Vec<&'a [u8]> {
    texts.iter().map(|text| text.as_bytes()).collect()
}

fn wrong(state: &str) -> Reviewed {
    Reviewed::WrongState(state.to_owned())
}

/// Makes a call twice, each with its answer; the second must leave everything as it is.
macro_rules! twice {
    ($bench:expr, $call:expr, $first:expr, $second:expr) => {{
        assert_eq!($call.await.unwrap(), $first, "the first run");
        let before = $bench.dump().await;
        assert_eq!($call.await.unwrap(), $second, "the second run");
        assert_eq!($bench.dump().await, before, "the second run changed something");
    }};
}

/// Makes a call once for each name while a string stands there; each must fail and write nothing.
macro_rules! fails_whole {
    ($bench:expr, $names:expr, $call:expr) => {
        for name in $names {
            $bench.poison(&name).await;
            let before = $bench.dump().await;
            let answer = $call.await;
            assert!(answer.is_err(), "with a string at {name}: {answer:?}");
            assert_eq!($bench.dump().await, before, "with a string at {name}, something was written");
            $bench.heal(&name).await;
        }
    };
}

mod audit;
mod contract;
mod count;
mod notices;
mod orphans;
mod settle;
mod whole;

#[tokio::test]
async fn reserve_counts_an_order_once() {
    let bench = Bench::new(Take::Order, 3).await;
    let (first, second) = (bench.draft(bench.id(), 2), bench.draft(bench.id(), 2));
    twice!(bench, bench.store.reserve(&first), Reserved::Created, Reserved::Exists);
    let stock = bench.stock().await;
    assert_eq!((stock.pool, stock.reserved), (3, 2));
    twice!(bench, bench.store.reserve(&second), Reserved::Short(1), Reserved::Short(1));
}

#[tokio::test]
async fn release_gives_a_reservation_back_once() {
    let bench = Bench::new(Take::Order, 3).await;
    let (id, paid) = (bench.order(2).await, bench.paid(1, 0).await);
    let expires = bench.read(id).await.expires;
    twice!(bench, bench.store.release(id, expires - 1, EXPIRES_MS, ""), Released::Waiting, Released::Waiting);
    assert_eq!(bench.stock().await.reserved, 2);
    twice!(bench, bench.store.release(id, expires, EXPIRES_MS, ""), Released::Expired, Released::Past);
    assert_eq!((bench.state(id).await, bench.stock().await.reserved), (OrderState::Expired, 0));
    twice!(bench, bench.store.release(paid, expires + EXPIRES_MS, EXPIRES_MS, ""), Released::Past, Released::Past);
}

#[tokio::test]
async fn forget_takes_expired_orders_alone() {
    let bench = Bench::new(Take::Payment, 3).await;
    let (open, paid) = (bench.order(1).await, bench.order(1).await);
    let expired = [bench.order(1).await, bench.order(1).await, bench.order(1).await];
    let expires = bench.read(open).await.expires;
    for id in [&expired[..], &[paid]].concat() {
        assert_eq!(bench.store.release(id, expires + 100, EXPIRES_MS, "").await.unwrap(), Released::Expired);
    }
    for (at, id) in [(10, paid), (20, expired[1]), (30, expired[0]), (40, expired[2])] {
        bench.store.keep(&[(id, at)], 0).await.unwrap();
    }
    assert_eq!(bench.settle(&payment(paid, "T1", cny(PRICE))).await.unwrap(), "delivered");
    twice!(bench, bench.store.forget(open), false, false);
    assert_eq!(bench.store.kept().await.unwrap(), 4);
    // Those that expired first; one that was paid late stays, and is kept track of no more.
    assert_eq!(bench.store.forget_oldest(2).await.unwrap(), 2);
    assert_eq!(
        bench.store.states(&[open, paid]).await.unwrap(),
        [Some(OrderState::Pending), Some(OrderState::Delivered)]
    );
    let left = bench.store.states(&expired).await.unwrap();
    assert_eq!(left, [Some(OrderState::Expired), None, Some(OrderState::Expired)]);
    twice!(bench, bench.store.forget(expired[0]), true, false);
    assert_eq!(bench.settle(&payment(expired[0], "T2", cny(PRICE))).await.unwrap(), "orphan order_unknown");
    // What was forgotten by itself needs no keeping.
    bench.store.keep(&[(expired[2], 50)], 60).await.unwrap();
    assert_eq!(bench.store.kept().await.unwrap(), 0);
}

#[tokio::test]
async fn attempt_adds_a_way_to_pay_while_the_order_is_open() {
    let bench = Bench::new(Take::Order, 3).await;
    let (id, paid, late) = (bench.order(1).await, bench.paid(1, 0).await, bench.id());
    let (second, due) = (AttemptNo::number(2), Due { channel: CHANNEL.to_owned(), amount: cny(PRICE) });
    twice!(bench, bench.store.attempt(id, second, &due), Some(true), None);
    assert_eq!(bench.read(id).await.attempts.len(), 2);
    twice!(bench, bench.store.attempt(paid, second, &due), Some(false), Some(false));
    let draft = NewOrder { expires: bench.store.now() - 1, ..bench.draft(late, 1) };
    assert_eq!(bench.store.reserve(&draft).await.unwrap(), Reserved::Created);
    twice!(bench, bench.store.attempt(late, second, &due), Some(false), Some(false));
}

#[tokio::test]
async fn restock_settles_the_oldest_first_in_parts() {
    let bench = Bench::new(Take::Payment, 1).await;
    let mut ids = Vec::new();
    for _ in 0..26 {
        ids.push(bench.order(1).await);
    }
    for id in &ids {
        let said = bench.settle(&payment(*id, "T1", cny(PRICE))).await.unwrap();
        assert_eq!(said, if *id == ids[0] { "delivered" } else { "owed" });
    }
    let (slot, product, n) = (bench.product.home(), &bench.product.id, bench.store.names);
    let stale = [
        n.stock(slot, product),
        n.pool(slot, product),
        n.owed(slot, product),
        n.outbox(slot),
        n.marks(slot),
        n.order(ids[0]),
    ];
    // A head that another instance has settled meanwhile: look again.
    let args = bytes(&["1", product.as_str(), ids[0].as_str()]);
    twice!(bench, bench.raw(&script::RESTOCK, &stale, &args), "more 0", "more 0");
    bench.import(30).await;
    assert_eq!(bench.store.restock(slot, product).await.unwrap(), (20, true));
    for (at, id) in ids.iter().enumerate() {
        assert_eq!(bench.state(*id).await, if at <= 20 { OrderState::Delivered } else { OrderState::Owed });
    }
    twice!(bench, bench.store.restock(slot, product), (5, false), (0, false));
    assert!(bench.store.marked().await.unwrap().is_empty());
}

#[tokio::test]
async fn restock_waits_for_enough() {
    let bench = Bench::new(Take::Payment, 3).await;
    let (first, second) = (bench.order(3).await, bench.order(3).await);
    assert_eq!(bench.settle(&payment(first, "T1", cny(3 * PRICE))).await.unwrap(), "delivered");
    assert_eq!(bench.settle(&payment(second, "T1", cny(3 * PRICE))).await.unwrap(), "owed");
    bench.import(2).await;
    twice!(bench, bench.store.restock(bench.product.home(), &bench.product.id), (0, false), (0, false));
    assert_eq!(bench.state(second).await, OrderState::Owed);
}

#[tokio::test]
async fn approve_and_reject_decide_a_held_order_once() {
    let bench = Bench::new(Take::Payment, 2).await;
    let (first, second, third) = (bench.paid(1, 1).await, bench.paid(1, 1).await, bench.paid(1, 1).await);
    twice!(bench, bench.store.approve(first, "1|ok\n"), Reviewed::Delivered, wrong("delivered"));
    assert_eq!(bench.store.payments(first.as_str()).await.unwrap()[0].state, PaymentState::Settled);
    assert_eq!(bench.store.void(&bench.product, 10, &[]).await.unwrap(), 1);
    twice!(bench, bench.store.approve(second, ""), Reviewed::Owed, wrong("owed"));
    twice!(bench, bench.store.reject(third, ""), Reviewed::Rejected, wrong("rejected"));
    assert!(bench.lane().await.is_empty());
    let missing = bench.id();
    twice!(bench, bench.store.approve(missing, ""), wrong("missing"), wrong("missing"));
    twice!(bench, bench.store.reject(missing, ""), wrong("missing"), wrong("missing"));
}

#[tokio::test]
async fn refund_burns_the_keys_once() {
    let bench = Bench::new(Take::Payment, 2).await;
    let (pending, late) = (bench.order(1).await, bench.order(2).await);
    let delivered = bench.read(bench.paid(2, 0).await).await;
    assert_eq!(bench.settle(&payment(late, "T1", cny(2 * PRICE))).await.unwrap(), "owed");
    let (pending, late) = (bench.read(pending).await, bench.read(late).await);
    twice!(bench, bench.store.refund(&delivered, None, ""), Reviewed::Refunded(2), wrong("refunded"));
    twice!(bench, bench.store.refund(&late, None, ""), Reviewed::Refunded(0), wrong("refunded"));
    twice!(bench, bench.store.refund(&pending, None, ""), wrong("pending"), wrong("pending"));
    let stock = bench.stock().await;
    assert_eq!((stock.pool, stock.given, stock.voided, stock.owed), (0, 0, 2, 0));
    assert_eq!(bench.store.restore(&bench.product, 10).await.unwrap(), 0, "a burned key came back");
}

#[tokio::test]
async fn a_refund_of_a_payment_marks_the_order_only_while_that_one_stands_for_it() {
    let bench = Bench::new(Take::Payment, 3).await;
    let id = bench.order(1).await;
    // Too little came first, then what was due.
    assert_eq!(bench.settle(&payment(id, "W", cny(PRICE - 1))).await.unwrap(), "held amount_mismatch");
    assert_eq!(bench.settle(&payment(id, "R", cny(PRICE))).await.unwrap(), "delivered");
    let order = bench.read(id).await;
    twice!(bench, bench.store.refund(&order, Some(&Trade::new(CHANNEL, "W")), ""), wrong("extra"), wrong("extra"));
    twice!(bench, bench.store.refund(&order, Some(&Trade::new(CHANNEL, "X")), ""), wrong("missing"), wrong("missing"));
    assert_eq!((bench.state(id).await, bench.read(id).await.keys.len()), (OrderState::Delivered, 1));
    twice!(
        bench,
        bench.store.refund(&order, Some(&Trade::new(CHANNEL, "R")), ""),
        Reviewed::Refunded(1),
        wrong("refunded")
    );
}

#[tokio::test]
async fn replace_burns_one_key_for_another() {
    let bench = Bench::new(Take::Payment, 2).await;
    let pending = bench.read(bench.order(1).await).await;
    let order = bench.read(bench.paid(1, 0).await).await;
    let bad = bench.read(order.id).await.keys.remove(0);
    twice!(bench, bench.store.replace(&order, 0, &bad, ""), Changed::Done, Changed::Moved);
    let fresh = bench.read(order.id).await.keys.remove(0);
    assert_ne!(fresh, bad);
    twice!(bench, bench.store.replace(&order, 0, &fresh, ""), Changed::Short, Changed::Short);
    let state = || Changed::WrongState("pending".to_owned());
    twice!(bench, bench.store.replace(&pending, 0, &bad, ""), state(), state());
}

#[tokio::test]
async fn open_binds_an_attempt_to_what_its_payment_must_name_again() {
    let bench = Bench::new(Take::Order, 3).await;
    let id = bench.order(1).await;
    let opened = Opened { reference: "cs_1".to_owned(), step: "{}".to_owned() };
    twice!(bench, bench.store.open(id, AttemptNo::FIRST, &opened), true, true);
    assert_eq!(bench.read(id).await.opening(AttemptNo::FIRST), Some(&opened));
    let paid = |trade_no, reference: Option<&str>| Payment {
        reference: reference.map(str::to_owned),
        ..payment(id, trade_no, cny(PRICE))
    };
    assert_eq!(bench.settle(&paid("T1", Some("cs_2"))).await.unwrap(), "orphan order_mismatch");
    assert_eq!(bench.settle(&paid("T2", Some("cs_1"))).await.unwrap(), "delivered");
    // One that names nothing is bound by its number alone.
    let other = bench.order(1).await;
    assert!(bench.store.open(other, AttemptNo::FIRST, &opened).await.unwrap());
    assert_eq!(bench.settle(&payment(other, "T3", cny(PRICE))).await.unwrap(), "delivered");
    twice!(bench, bench.store.open(other, AttemptNo::FIRST, &opened), false, false);
}

#[tokio::test]
async fn payment_finishes_an_extra_payment_once() {
    let bench = Bench::new(Take::Order, 1).await;
    let id = bench.paid(1, 0).await;
    assert_eq!(bench.settle(&payment(id, "T2", cny(PRICE))).await.unwrap(), "extra");
    let item = bench.store.review(10).await.unwrap().remove(0);
    let state = |word: &str, number: &str| Finished::WrongState(word.to_owned(), number.to_owned());
    let finish = async |item: &ReviewItem, how| bench.store.finish_payment(item, how).await;
    twice!(bench, finish(&item, Finish::Refunded), Finished::Done, state("refunded", "01"));
    assert!(bench.lane().await.is_empty());
    let missing = ReviewItem { payment: Some(Trade::new(CHANNEL, "T3")), ..item };
    twice!(bench, finish(&missing, Finish::Refunded), state("missing", ""), state("missing", ""));
}

#[tokio::test]
async fn import_pools_a_key_once_shop_wide() {
    let bench = Bench::new(Take::Order, 0).await;
    let chunk = bench.chunk(&[bench.key(), bench.key()]);
    twice!(bench, bench.store.import(&chunk), ChunkReport(vec![true; 2]), ChunkReport(vec![false; 2]));
    let other = product("other", Take::Order);
    let again = Chunk { product: &other.id, slot: other.home(), batch: "again".to_owned(), ..chunk.clone() };
    twice!(bench, bench.store.import(&again), ChunkReport(vec![false; 2]), ChunkReport(vec![false; 2]));
    assert_eq!((bench.stock().await.pool, bench.store.stock(&other).await.unwrap().imported), (2, 0));
}

#[tokio::test]
async fn an_import_takes_each_of_its_steps_once() {
    let bench = Bench::new(Take::Order, 0).await;
    let (slot, product, n) = (bench.product.home(), &bench.product.id, bench.store.names);
    let (keys, member) = ([bench.key(), bench.key()], format!("{product}|b"));
    let staged = [n.staged(slot, "b"), n.staging(slot)];
    let sealed: [&[u8]; 4] = [b"1", member.as_bytes(), &keys[0].0, &keys[1].0];
    twice!(bench, bench.raw(&script::STAGE, &staged, &sealed), "staged", "exists");

    let bucket = n.claims(slot).replace("claims", "seen:0:0");
    let (claims, ours) = ([n.claims(slot), bucket.clone(), bucket], bytes(&["a", "480", "1", "11", "12"]));
    twice!(bench, bench.raw(&script::CLAIM, &claims, &ours), "claimed 11", "claimed 11");
    let theirs = bytes(&["b", "480", "1", "11", "12"]);
    twice!(bench, bench.raw(&script::CLAIM, &claims, &theirs), "claimed 00", "claimed 00");

    let pool = [n.pool(slot, product), n.stock(slot, product), n.marks(slot), n.outbox(slot)];
    let names = [staged.as_slice(), pool.as_slice()].concat();
    let unlike = bytes(&[member.as_str(), "1", product.as_str()]);
    twice!(bench, bench.raw(&script::COMMIT, &names, &unlike), "gone", "gone");
    let one = bytes(&[member.as_str(), "10", product.as_str()]);
    twice!(bench, bench.raw(&script::COMMIT, &names, &one), "committed 1", "gone");

    twice!(bench, bench.raw(&script::FINISH, &claims, &ours), "finished", "finished");
    twice!(bench, bench.raw(&script::CLAIM, &claims, &ours), "claimed 00", "claimed 00");
}

#[tokio::test]
async fn a_staged_chunk_is_finished_by_whoever_finds_it() {
    let bench = Bench::new(Take::Order, 0).await;
    let (slot, n, keys) = (bench.product.home(), bench.store.names, [bench.key(), bench.key()]);
    let member = format!("{}|b", bench.product.id);
    let sealed: [&[u8]; 4] = [b"1", member.as_bytes(), &keys[0].0, &keys[1].0];
    let staged = [n.staged(slot, "b"), n.staging(slot)];
    assert_eq!(bench.raw(&script::STAGE, &staged, &sealed).await.unwrap(), "staged");
    // One that cannot be read is named, and holds up no other.
    for (name, value) in [("b", "short"), ("c", "short")] {
        let mut link = bench.link.clone();
        redis::cmd("RPUSH")
            .arg(n.staged(slot, &format!("{name}{name}")))
            .arg(value)
            .exec_async(&mut link)
            .await
            .unwrap();
        let member = format!("{}|{name}{name}", bench.product.id);
        redis::cmd("ZADD")
            .arg(n.staging(slot))
            .arg(if name == "b" { 0 } else { 1 })
            .arg(member)
            .exec_async(&mut link)
            .await
            .unwrap();
    }
    let (finished, damaged) = bench.store.recover(1).await.unwrap();
    assert_eq!((finished, damaged.len()), (1, 2), "{damaged:?}");
    assert!(damaged[0].contains("|bb in slot") && damaged[0].contains("damaged"), "{damaged:?}");
    assert_eq!(bench.store.recover(1).await.unwrap().0, 0);
    assert_eq!((bench.stock().await.pool, bench.stock().await.imported), (2, 2));
}

#[tokio::test]
async fn void_and_restore_leave_reserved_keys_alone() {
    let bench = Bench::new(Take::Order, 0).await;
    let keys = bench.import(4).await;
    bench.order(2).await;
    twice!(bench, bench.store.void(&bench.product, 0, &keys[3..]), 1, 0);
    twice!(bench, bench.store.void(&bench.product, 10, &[]), 1, 0);
    twice!(bench, bench.store.void(&bench.product, 0, &keys[1..2]), 0, 0);
    let stock = bench.stock().await;
    assert_eq!((stock.pool, stock.reserved, stock.voided), (2, 2, 2));
    twice!(bench, bench.store.restore(&bench.product, 10), 2, 0);
    assert_eq!((bench.stock().await.pool, bench.stock().await.voided), (4, 0));
}

#[tokio::test]
async fn catalog_and_once_take_the_first() {
    let bench = Bench::new(Take::Order, 0).await;
    let store = &bench.store;
    twice!(bench, store.save_product(&bench.product), true, false);
    assert_eq!(store.versions().await.unwrap(), (1, SCHEMA));

    let key = [2; 16];
    twice!(bench, store.once(key, "body", EXPIRES_MS), Repeat::Run, Repeat::Running);
    twice!(bench, store.once(key, "else", EXPIRES_MS), Repeat::Other, Repeat::Other);
    store.once_done(key, Some("answer"), EXPIRES_MS).await.unwrap();
    let done = || Repeat::Done("answer".to_owned());
    twice!(bench, store.once(key, "body", EXPIRES_MS), done(), done());
}

#[tokio::test]
async fn a_script_that_fails_has_written_nothing() {
    let bench = Bench::new(Take::Payment, 2).await;
    let (slot, product, n) = (bench.product.home(), &bench.product.id, bench.store.names);
    let stocks = || [n.pool(slot, product), n.stock(slot, product), n.owed(slot, product)];
    let new = bench.draft(bench.id(), 1);
    fails_whole!(bench, stocks(), bench.store.reserve(&new));

    let (id, late) = (bench.order(2).await, bench.order(1).await);
    let paid = payment(id, "T1", cny(2 * PRICE));
    fails_whole!(bench, stocks(), bench.settle(&paid));
    fails_whole!(bench, [n.order(id), n.pay(id.as_str())], bench.settle(&paid));

    assert_eq!(bench.settle(&paid).await.unwrap(), "delivered");
    assert_eq!(bench.settle(&payment(late, "T1", cny(PRICE))).await.unwrap(), "owed");
    bench.import(1).await;
    fails_whole!(bench, stocks(), bench.store.restock(slot, product));
    fails_whole!(bench, [n.order(late)], bench.store.restock(slot, product));

    let order = bench.read(id).await;
    fails_whole!(bench, [n.order(id), n.pay(id.as_str())], bench.store.refund(&order, None, ""));
    // After all that, what failed still works.
    assert_eq!(bench.store.restock(slot, product).await.unwrap(), (1, false));
    assert_eq!(bench.store.refund(&order, None, "").await.unwrap(), Reviewed::Refunded(2));
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    let mut bench = Bench::new(Take::Order, 2).await;
    let id = bench.paid(1, 0).await;
    let (before, process) = (bench.dump().await, bench.redis.pid());
    bench.redis.kill();
    bench.redis.restart();
    assert_ne!(bench.redis.pid(), process);
    (bench.store, bench.link) = (bench.redis.store().await, bench.redis.raw().await);
    assert_eq!(bench.dump().await, before);
    assert_eq!(bench.settle(&payment(id, "T1", cny(PRICE))).await.unwrap(), "replayed settled");
}
