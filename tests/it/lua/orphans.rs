//! `payment.lua` and `trade.lua`: a payment without an order is taken for one, or given back whole.

use kamid::domain::{Origin, Payment, PaymentState, ReviewKind, Take, Trade};
use kamid::store::{Finish, Finished, StoreError};

use crate::support::redis::{Bench, CHANNEL, PRICE, cny, payment};

#[tokio::test]
async fn payment_takes_an_orphan_for_one_order_and_gives_it_back_whole() {
    let bench = Bench::new(Take::Order, 2).await;
    let (first, second) = (format!("{}01", bench.order(1).await), format!("{}01", bench.order(1).await));
    let early = payment(bench.id(), "T1", cny(PRICE));
    assert_eq!(bench.settle(&early).await.unwrap(), "orphan order_unknown");
    let item = bench.store.review(10).await.unwrap().remove(0);
    let finish = async |how| bench.store.finish_payment(&item, how).await;
    let record = async || bench.store.payments(&item.id).await.unwrap().remove(0);
    let before = record().await;
    let taken = |number: &str| Finished::WrongState("adopted".to_owned(), number.to_owned());
    let (one, other) = (Finish::Adopted { target: &first, log: "" }, Finish::Adopted { target: &second, log: "" });
    twice!(bench, finish(one), Finished::Done, Finished::Done);
    twice!(bench, finish(other), taken(&first), taken(&first));
    twice!(bench, finish(Finish::Refunded), taken(&first), taken(&first));
    assert_eq!((record().await.counts_for, bench.lane().await.len()), (Some(first.clone()), 0));
    assert_eq!(bench.settle(&early).await.unwrap(), "replayed adopted");
    let from = format!("adopted|{first}");
    let waits = || Finished::WrongState("orphan".to_owned(), first.clone());
    twice!(bench, finish(Finish::Returned { from: &from }), Finished::Done, waits());
    assert_eq!((record().await, bench.lane().await), (before, vec!["orphan".to_owned()]));
    twice!(bench, finish(other), Finished::Done, Finished::Done);
    let event = bench.store.recent(1).await.unwrap().remove(0);
    assert_eq!((event.kind.as_str(), event.target, event.was), ("adopted", second, Some(PaymentState::Orphan)));
}

/// The payments of a number: who says that each was paid, and what became of it.
async fn origins(bench: &Bench, number: &str) -> Vec<(String, Option<Origin>, PaymentState)> {
    let mut all: Vec<_> = bench.store.payments(number).await.unwrap();
    all.sort_by_key(|record| record.trade_no.clone());
    all.into_iter().map(|record| (record.trade_no, record.origin, record.state)).collect()
}

#[tokio::test]
async fn a_payment_keeps_its_mark_whatever_becomes_of_it() {
    use Origin::{Stated, Told};
    let bench = Bench::new(Take::Order, 9).await;
    let store = &bench.store;
    let is = |trade: &str, origin, state| (trade.to_owned(), Some(origin), state);
    let state = async |payment: &Payment| store.settle_as(payment, CHANNEL, "1|root|mark-paid|x\n").await.unwrap();
    // A person states one; its callback, late, changes nothing of that. One too many is told by its gateway.
    let id = bench.order(1).await;
    let stated = payment(id, "T1", cny(PRICE));
    twice!(
        bench,
        async {
            state(&stated).await;
            bench.settle(&stated).await
        },
        "replayed settled",
        "replayed settled"
    );
    assert_eq!(bench.settle(&payment(id, "T2", cny(PRICE))).await.unwrap(), "extra");
    let both = |of_first| vec![is("T1", Stated, of_first), is("T2", Told, PaymentState::Extra)];
    assert_eq!(origins(&bench, id.as_str()).await, both(PaymentState::Settled));
    store.refund(&bench.read(id).await, None, "").await.unwrap();
    assert_eq!(origins(&bench, id.as_str()).await, both(PaymentState::Refunded));
    // The other way round: what the gateway told stays told, though a person states it after that.
    let id = bench.order(1).await;
    assert_eq!(bench.settle(&payment(id, "T3", cny(PRICE))).await.unwrap(), "delivered");
    state(&payment(id, "T3", cny(PRICE))).await;
    assert_eq!(origins(&bench, id.as_str()).await, [is("T3", Told, PaymentState::Settled)]);
    // Held: one is accepted, one makes room for the right one.
    for (trade, origin) in [("T4", Stated), ("T5", Told)] {
        let (id, less) = (bench.order(1).await, cny(PRICE - 1));
        let less = payment(id, trade, less);
        if origin == Stated {
            drop(state(&less).await)
        } else {
            drop(bench.settle(&less).await.unwrap())
        }
        assert_eq!(origins(&bench, id.as_str()).await, [is(trade, origin, PaymentState::Held)]);
        if origin == Stated {
            store.approve(id, "").await.unwrap();
            assert_eq!(origins(&bench, id.as_str()).await, [is(trade, origin, PaymentState::Settled)]);
        } else {
            state(&payment(id, "T6", cny(PRICE))).await;
            let extra = is(trade, origin, PaymentState::Extra);
            assert_eq!(origins(&bench, id.as_str()).await, [extra, is("T6", Stated, PaymentState::Settled)]);
        }
    }
    // One that learns its gateway's number, and an orphan that is taken for an order and given back.
    let id = bench.order(1).await;
    assert_eq!(bench.settle(&payment(id, &format!("{id}01"), cny(PRICE))).await.unwrap(), "delivered");
    bench.settle(&payment(id, "T7", cny(PRICE))).await.unwrap();
    assert_eq!(origins(&bench, id.as_str()).await, [is("T7", Told, PaymentState::Settled)]);
    let orphan = payment(bench.id(), "T8", cny(PRICE));
    assert_eq!(bench.settle(&orphan).await.unwrap(), "orphan order_unknown");
    let item = store.review(10).await.unwrap().into_iter().find(|item| item.kind == ReviewKind::Orphan).unwrap();
    let adopt = Finish::Adopted { target: &format!("{id}01"), log: "" };
    assert_eq!(store.finish_payment(&item, adopt).await.unwrap(), Finished::Done);
    assert_eq!(origins(&bench, &item.id).await, [is("T8", Told, PaymentState::Adopted)]);
    let back = Finish::Returned { from: &format!("adopted|{id}01") };
    assert_eq!(store.finish_payment(&item, back).await.unwrap(), Finished::Done);
    assert_eq!(origins(&bench, &item.id).await, [is("T8", Told, PaymentState::Orphan)]);
}

/// Data of layout 1: their payments have no mark, and every script takes them as they are.
#[tokio::test]
async fn a_payment_of_the_layout_before_goes_the_same_ways() {
    let bench = Bench::new(Take::Order, 4).await;
    let n = bench.store.names;
    let unmark = async |id: &str| {
        let mut link = bench.link.clone();
        let all: Vec<(String, String)> = redis::cmd("HGETALL").arg(n.pay(id)).query_async(&mut link).await.unwrap();
        for (name, record) in all {
            let bare = record.replacen("t|", "|", 1).replacen("s|", "|", 1);
            redis::cmd("HSET").arg(n.pay(id)).arg(name).arg(bare).exec_async(&mut link).await.unwrap();
        }
    };
    let is = |trade: &str, state| (trade.to_owned(), None, state);
    let held = bench.paid(1, 1).await;
    unmark(held.as_str()).await;
    assert_eq!(origins(&bench, held.as_str()).await, [is("T1", PaymentState::Held)]);
    assert_eq!(bench.settle(&payment(held, "T1", cny(PRICE - 1))).await.unwrap(), "replayed held");
    bench.store.approve(held, "").await.unwrap();
    bench.store.refund(&bench.read(held).await, Some(&Trade::new(CHANNEL, "T1")), "").await.unwrap();
    assert_eq!(origins(&bench, held.as_str()).await, [is("T1", PaymentState::Refunded)]);
    let asked = bench.order(1).await;
    assert_eq!(bench.settle(&payment(asked, &format!("{asked}01"), cny(PRICE))).await.unwrap(), "delivered");
    unmark(asked.as_str()).await;
    assert_eq!(bench.settle(&payment(asked, "T2", cny(PRICE))).await.unwrap(), "replayed settled");
    assert_eq!(origins(&bench, asked.as_str()).await, [is("T2", PaymentState::Settled)]);
    let orphan = payment(bench.id(), "T3", cny(PRICE));
    assert_eq!(bench.settle(&orphan).await.unwrap(), "orphan order_unknown");
    let item = bench.store.review(10).await.unwrap().remove(0);
    unmark(&item.id).await;
    let adopt = Finish::Adopted { target: &format!("{asked}01"), log: "" };
    assert_eq!(bench.store.finish_payment(&item, adopt).await.unwrap(), Finished::Done);
    assert_eq!(origins(&bench, &item.id).await, [is("T3", PaymentState::Adopted)]);
    assert_eq!(bench.store.audit(&|_| true, &|_, _, _| {}).await.unwrap().count, 0);
}

#[tokio::test]
async fn a_kind_that_no_script_writes_is_told_and_nothing_is_made_of_it() {
    let bench = Bench::new(Take::Order, 1).await;
    let review = bench.store.names.review(bench.product.home());
    redis::cmd("ZADD").arg(review).arg(1).arg("melted:A:pay|T1").exec_async(&mut bench.link.clone()).await.unwrap();
    let said = bench.store.review(10).await;
    assert!(matches!(&said, Err(StoreError::Bug(why)) if why.contains("melted:A:pay|T1")), "{said:?}");
}

#[tokio::test]
async fn a_trade_number_moves_only_from_where_it_was_seen() {
    let bench = Bench::new(Take::Order, 0).await;
    let (store, trade) = (&bench.store, [3; 16]);
    twice!(bench, store.move_trade(trade, None, "A"), true, true);
    twice!(bench, store.move_trade(trade, None, "B"), false, false);
    twice!(bench, store.move_trade(trade, Some("A"), "B"), true, true);
    assert_eq!(store.trade_holders(&[trade]).await.unwrap(), [Some("B".to_owned())]);
}
