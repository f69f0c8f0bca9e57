//! `settle.lua`: one payment, several together, and what comes of each.

use kamid::domain::{
    Account, Accounts, AttemptNo, Money, Opened, OrderState, Origin, Payment, PaymentState, ReviewKind, Take,
};
use kamid::store::{At, EventKind, Finish, Finished, Reserved, script};

use crate::support::cluster;
use crate::support::redis::{Bench, CHANNEL, EXPIRES_MS, PRICE, cny, payment};

#[tokio::test]
async fn settle_delivers_the_oldest_keys_once() {
    let bench = Bench::new(Take::Order, 0).await;
    let keys = bench.import(3).await;
    let id = bench.order(2).await;
    let paid = payment(id, "T1", cny(2 * PRICE));
    twice!(bench, bench.settle(&paid), "delivered", "replayed settled");
    assert_eq!(bench.read(id).await.keys, [keys[0].0.clone(), keys[1].0.clone()]);
    let stock = bench.stock().await;
    assert_eq!((stock.pool, stock.reserved, stock.given), (1, 0, 2));
    let again = payment(id, "T2", cny(2 * PRICE));
    twice!(bench, bench.settle(&again), "extra", "replayed extra");
    assert_eq!(bench.lane().await, ["extra"]);
}

#[tokio::test]
async fn settle_owes_what_is_not_there() {
    let bench = Bench::new(Take::Payment, 1).await;
    let (first, second) = (bench.order(1).await, bench.order(1).await);
    twice!(bench, bench.settle(&payment(first, "T1", cny(PRICE))), "delivered", "replayed settled");
    twice!(bench, bench.settle(&payment(second, "T2", cny(PRICE))), "owed", "replayed settled");
    assert_eq!((bench.state(second).await, bench.stock().await.owed), (OrderState::Owed, 1));
}

#[tokio::test]
async fn settle_holds_another_amount_or_currency_until_the_right_one_comes() {
    let bench = Bench::new(Take::Order, 2).await;
    let (id, other) = (bench.order(1).await, bench.order(1).await);
    let short = payment(id, "T1", cny(PRICE - 1));
    twice!(bench, bench.settle(&short), "held amount_mismatch", "replayed held");
    assert_eq!(bench.stock().await.reserved, 1);
    let long = payment(id, "T2", cny(PRICE + 1));
    twice!(bench, bench.settle(&long), "extra", "replayed extra");
    let mut foreign = payment(other, "T3", cny(PRICE));
    foreign.paid.currency = "USD".parse().unwrap();
    twice!(bench, bench.settle(&foreign), "held currency_mismatch", "replayed held");
    let right = payment(id, "T4", cny(PRICE));
    twice!(bench, bench.settle(&right), "delivered", "replayed settled");
    let records = bench.store.payments(id.as_str()).await.unwrap();
    let extra = records.iter().filter(|record| record.state == PaymentState::Extra).count();
    assert_eq!((records.len(), extra), (3, 2));
    let mut lane = bench.lane().await;
    lane.sort();
    assert_eq!(lane, ["extra", "extra", "held"]);
}

#[tokio::test]
async fn settle_keeps_an_orphan_until_its_order_comes() {
    let bench = Bench::new(Take::Order, 2).await;
    let id = bench.id();
    let early = payment(id, "T1", cny(PRICE));
    twice!(bench, bench.settle(&early), "orphan order_unknown", "orphan order_unknown");
    assert_eq!(bench.store.reserve(&bench.draft(id, 1)).await.unwrap(), Reserved::Created);
    assert_eq!(bench.lane().await, ["orphan"]);
    twice!(bench, bench.settle(&early), "delivered", "replayed settled");
    assert!(bench.lane().await.is_empty());
    let foreign = Payment { number: "shop-2_77|9".to_owned(), ..early };
    twice!(bench, bench.settle(&foreign), "orphan order_unknown", "orphan order_unknown");
    let next = bench.order(1).await;
    let elsewhere = Payment { channel: "other".to_owned(), ..payment(next, "T1", cny(PRICE)) };
    twice!(bench, bench.settle(&elsewhere), "orphan channel_mismatch", "orphan channel_mismatch");
    assert_eq!(bench.state(next).await, OrderState::Pending);
}

/// A gateway that was asked did not tell its own number; its callback does, and is no second payment.
#[tokio::test]
async fn settle_learns_the_gateways_number_of_a_payment() {
    let bench = Bench::new(Take::Payment, 3).await;
    let id = bench.order(1).await;
    let ours = format!("{id}01");
    let asked = payment(id, &ours, cny(PRICE));
    twice!(bench, bench.settle(&asked), "delivered", "replayed settled");
    twice!(bench, bench.settle(&payment(id, "T1", cny(PRICE))), "replayed settled", "replayed settled");
    let records = bench.store.payments(id.as_str()).await.unwrap();
    let known: Vec<(&str, &str)> = records.iter().map(|it| (it.trade_no.as_str(), it.number.as_str())).collect();
    assert_eq!(known, [("T1", ours.as_str())]);
    // It may have come first, as an orphan: then it leaves the lane, to be counted for nothing else.
    let (late, other) = (bench.order(1).await, "another way");
    bench
        .store
        .open(late, AttemptNo::FIRST, &Opened { reference: "the way".to_owned(), step: String::new() })
        .await
        .unwrap();
    let early = Payment { reference: Some(other.to_owned()), ..payment(late, "T9", cny(PRICE)) };
    assert_eq!(bench.settle(&early).await.unwrap(), "orphan order_mismatch");
    assert_eq!(bench.lane().await, ["orphan"]);
    assert_eq!(bench.settle(&payment(late, &format!("{late}01"), cny(PRICE))).await.unwrap(), "delivered");
    twice!(bench, bench.settle(&early), "replayed settled", "replayed settled");
    assert!(bench.lane().await.is_empty());
    // Another one is one more, and so is another amount.
    twice!(bench, bench.settle(&payment(id, "T2", cny(PRICE))), "extra", "replayed extra");
    let id = bench.order(1).await;
    let asked = payment(id, &format!("{id}01"), cny(PRICE));
    assert_eq!(bench.settle(&asked).await.unwrap(), "delivered");
    twice!(bench, bench.settle(&payment(id, "T3", cny(PRICE + 1))), "extra", "replayed extra");
}

/// What one channel of an account is paid with, the others hear of too, and whoever replays it there gains nothing.
#[tokio::test]
async fn settle_counts_a_payment_once_for_all_channels_of_its_account() {
    let mut bench = Bench::new(Take::Order, 9).await;
    let account = |twin: &str| Account { name: "a".to_owned(), twins: vec![twin.to_owned()] };
    let accounts = [(CHANNEL.to_owned(), account("twin")), ("twin".to_owned(), account(CHANNEL))];
    bench.store = bench.store.clone().of_accounts(Accounts::new(accounts.into()));
    let twin = |payment: &Payment| Payment { channel: "twin".to_owned(), ..payment.clone() };
    // Settled, then replayed.
    let paid = payment(bench.order(1).await, "T1", cny(PRICE));
    twice!(bench, bench.settle(&paid), "delivered", "replayed settled");
    twice!(bench, bench.settle(&twin(&paid)), "replayed settled", "replayed settled");
    assert!(bench.lane().await.is_empty());
    // Replayed first: an orphan, until its own channel brings it.
    let paid = payment(bench.order(1).await, "T2", cny(PRICE));
    twice!(bench, bench.settle(&twin(&paid)), "orphan channel_mismatch", "orphan channel_mismatch");
    assert_eq!(bench.lane().await, ["orphan"]);
    twice!(bench, bench.settle(&paid), "delivered", "replayed settled");
    twice!(bench, bench.settle(&twin(&paid)), "replayed settled", "replayed settled");
    assert!(bench.lane().await.is_empty());
    // For no order, through both: it waits once.
    let paid = payment(bench.id(), "T3", cny(PRICE));
    assert_eq!(bench.settle(&paid).await.unwrap(), "orphan order_unknown");
    twice!(bench, bench.settle(&twin(&paid)), "orphan order_unknown", "orphan order_unknown");
    assert_eq!(bench.lane().await, ["orphan"]);
    // Found by asking, under our number; its twin's callback knows the gateway's.
    let id = bench.order(1).await;
    assert_eq!(bench.settle(&payment(id, &format!("{id}01"), cny(PRICE))).await.unwrap(), "delivered");
    twice!(bench, bench.settle(&twin(&payment(id, "T4", cny(PRICE)))), "replayed settled", "replayed settled");
    let known: Vec<String> = bench
        .store
        .payments(id.as_str())
        .await
        .unwrap()
        .into_iter()
        .map(|it| format!("{}|{}", it.channel, it.trade_no))
        .collect();
    assert_eq!(known, [format!("{CHANNEL}|T4")]);
    // Another account's is another payment.
    let other = Payment { channel: "other".to_owned(), ..paid };
    assert_eq!(bench.settle(&other).await.unwrap(), "orphan order_unknown");
    assert_eq!(bench.lane().await.len(), 2);
}

/// The callback told the gateway's number; who asks about it hears ours alone, and it is no second payment.
#[tokio::test]
async fn settle_knows_a_payment_again_that_is_asked_about_after_its_callback() {
    let bench = Bench::new(Take::Order, 3).await;
    let id = bench.order(1).await;
    let asked = payment(id, &format!("{id}01"), cny(PRICE));
    twice!(bench, bench.settle(&payment(id, "T1", cny(PRICE))), "delivered", "replayed settled");
    twice!(bench, bench.settle(&asked), "replayed settled", "replayed settled");
    let another = Payment { paid: cny(PRICE + 1), ..asked };
    twice!(bench, bench.settle(&another), "extra", "replayed extra");
    // An orphan of the same number and amount is the same payment: it leaves the lane.
    let late = bench.id();
    assert_eq!(bench.settle(&payment(late, "T2", cny(PRICE))).await.unwrap(), "orphan order_unknown");
    assert_eq!(bench.store.reserve(&bench.draft(late, 1)).await.unwrap(), Reserved::Created);
    let asked = payment(late, &format!("{late}01"), cny(PRICE));
    twice!(bench, bench.settle(&asked), "delivered", "replayed settled");
    assert_eq!(bench.lane().await, ["extra"]);
}

#[tokio::test]
async fn settle_knows_the_callback_of_a_payment_that_was_asked_about_whatever_became_of_it() {
    let bench = Bench::new(Take::Order, 3).await;
    // Held under our number: approved, it must not be counted for another order by its callback.
    let held = bench.order(1).await;
    twice!(bench, bench.settle(&payment(held, &format!("{held}01"), cny(1))), "held amount_mismatch", "replayed held");
    twice!(bench, bench.settle(&payment(held, "T1", cny(1))), "replayed held", "replayed held");
    // Extra, and given back: not once more.
    let twice = bench.order(1).await;
    assert_eq!(bench.settle(&payment(twice, "T2", cny(PRICE))).await.unwrap(), "delivered");
    twice!(bench, bench.settle(&payment(twice, &format!("{twice}01"), cny(7))), "extra", "replayed extra");
    twice!(bench, bench.settle(&payment(twice, "T3", cny(7))), "replayed extra", "replayed extra");
    let item = bench.store.review(10).await.unwrap().into_iter().find(|item| item.kind == ReviewKind::Extra).unwrap();
    assert_eq!(bench.store.finish_payment(&item, Finish::Refunded).await.unwrap(), Finished::Done);
    twice!(bench, bench.settle(&payment(twice, "T3", cny(7))), "replayed refunded", "replayed refunded");
    // An orphan under our number is the same orphan, and settles with its order.
    let late = bench.id();
    assert_eq!(bench.settle(&payment(late, &format!("{late}01"), cny(PRICE))).await.unwrap(), "orphan order_unknown");
    assert_eq!(bench.settle(&payment(late, "T4", cny(PRICE))).await.unwrap(), "orphan order_unknown");
    assert_eq!(bench.lane().await.iter().filter(|kind| *kind == "orphan").count(), 1);
    assert_eq!(bench.store.reserve(&bench.draft(late, 1)).await.unwrap(), Reserved::Created);
    twice!(bench, bench.settle(&payment(late, "T4", cny(PRICE))), "delivered", "replayed settled");
    assert_eq!(bench.lane().await, ["held"]);
}

/// A payment of a batch, as arguments of the script.
fn asked(payment: &Payment) -> [String; 9] {
    let (id, attempt) = payment.number.split_at(payment.number.len().saturating_sub(2).max(1));
    let Money { minor, currency } = payment.paid;
    let field = format!("{}|{}", payment.channel, payment.trade_no);
    let due = format!("{}|{minor}|{currency}", payment.channel);
    let words = [id, attempt, &field, &due, &payment.number, "", Origin::Told.mark(), "", ""];
    words.map(str::to_owned)
}

/// Settles several payments in one call; each one's reply in words.
async fn together(bench: &Bench, payments: &[Payment]) -> Vec<String> {
    let (slot, n) = (bench.product.home(), bench.store.names);
    let asked: Vec<[String; 9]> = payments.iter().map(asked).collect();
    let mut names = vec![n.due(slot), n.outbox(slot), n.review(slot), n.marks(slot)];
    names.extend(asked.iter().flat_map(|one| [n.order_of(&one[0]), n.pay(&one[0])]));
    let mut args = vec![bench.store.now().to_string()];
    args.extend(asked.into_iter().flatten());
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let args: Vec<&[u8]> = args.iter().map(|text| text.as_bytes()).collect();
    let mut replies: Vec<Vec<String>> = bench
        .store
        .command(At::Slot(slot), &script::SETTLE, &names, &args)
        .query_async(&mut bench.link.clone())
        .await
        .unwrap();
    let entry = replies.pop();
    assert!(entry.is_some_and(|entry| entry.concat().is_empty() || entry.concat().contains('-')));
    replies.into_iter().map(|reply| reply[..reply.len().min(2)].join(" ")).collect()
}

/// Orders of every kind in both shops alike, and a payment for each: right, short, foreign, again, of nobody.
async fn crowd(bench: &Bench, seed: u64) -> Vec<Payment> {
    let mut chance = fastrand::Rng::with_seed(seed);
    bench.import(chance.u32(4..16)).await;
    let mut payments = Vec::new();
    while payments.len() < 12 {
        let quantity = chance.u32(1..4);
        let id = bench.id();
        if bench.store.reserve(&bench.draft(id, quantity)).await.unwrap() == Reserved::Created {
            if chance.u8(..).is_multiple_of(4) {
                let expires = bench.read(id).await.expires;
                bench.store.release(id, expires, EXPIRES_MS, "").await.unwrap();
            } else if chance.u8(..).is_multiple_of(4) {
                bench.settle(&payment(id, &format!("{id}-0"), cny(1))).await.unwrap();
            }
        }
        let short = i64::from(chance.u8(..).is_multiple_of(5));
        let mut paid = payment(id, &format!("{id}-1"), cny(PRICE * i64::from(quantity) - short));
        if chance.u8(..).is_multiple_of(8) {
            paid.channel = "other".to_owned();
        }
        if chance.u8(..).is_multiple_of(8) {
            bench.settle(&paid).await.unwrap();
        }
        payments.push(paid);
    }
    payments
}

#[tokio::test]
async fn payments_settled_together_come_to_what_they_come_to_one_by_one() {
    // A cluster takes seconds to start.
    for seed in 0..if cluster::asked() { 2 } else { 24 } {
        let take = if seed % 2 == 0 { Take::Order } else { Take::Payment };
        let (one, all) = (Bench::new(take, 0).await, Bench::new(take, 0).await);
        let (singly, payments) = (crowd(&one, seed).await, crowd(&all, seed).await);
        let mut said = Vec::new();
        for payment in &singly {
            said.push(together(&one, std::slice::from_ref(payment)).await.remove(0));
        }
        assert_eq!(together(&all, &payments).await, said, "seed {seed}");
        assert_eq!(all.stock().await, one.stock().await, "seed {seed}");
        let (mut lanes, mut ends, mut events) = (Vec::new(), Vec::new(), Vec::new());
        for (bench, payments) in [(&one, &singly), (&all, &payments)] {
            let mut lane = bench.lane().await;
            lane.sort();
            lanes.push(lane);
            let mut end = Vec::new();
            for payment in payments {
                let order = bench.store.order(payment.number[..20].parse().unwrap()).await.unwrap();
                end.push(order.map(|order| (order.state, order.reserved, order.keys.len(), order.quantity)));
            }
            ends.push(end);
            let mut kinds: Vec<EventKind> =
                bench.store.recent(1000).await.unwrap().into_iter().map(|event| event.kind).collect();
            kinds.sort();
            events.push(kinds);
            let report = bench.store.audit(&|_| true, &|_, _, _| {}).await.unwrap();
            assert_eq!(report.count, 0, "seed {seed}: {:?}", report.violations);
        }
        assert_eq!(events[0], events[1], "seed {seed}");
        assert_eq!(lanes[0], lanes[1], "seed {seed}");
        assert_eq!(ends[0], ends[1], "seed {seed}");
    }
}

#[tokio::test]
async fn one_damaged_order_keeps_no_other_payment_from_being_settled() {
    let bench = Bench::new(Take::Order, 40).await;
    let mut payments = Vec::new();
    for _ in 0..40 {
        payments.push(payment(bench.order(1).await, "T1", cny(PRICE)));
    }
    bench.poison(&bench.store.names.order_of(&payments[20].number[..20])).await;
    let all = payments.iter().map(|payment| bench.settle(payment));
    let answers = futures_util::future::join_all(all).await;
    for (at, answer) in answers.iter().enumerate() {
        assert_eq!(answer.is_ok(), at != 20, "payment {at}: {answer:?}");
    }
    assert_eq!(bench.stock().await.given, 39);
}
