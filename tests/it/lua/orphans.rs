//! `payment.lua` and `trade.lua`: a payment without an order is taken for one, or given back whole.

use kamid::domain::Take;
use kamid::store::{Finish, Finished};

use crate::support::redis::{Bench, PRICE, cny, payment};

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
    assert_eq!((event.kind.as_str(), event.target, event.was.as_str()), ("adopted", second, "orphan"));
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
