//! The scripts of notices: what buyers and operators are told.

use super::*;

#[tokio::test]
async fn notice_is_queued_once_and_stands_in_one_list() {
    let bench = Bench::new(Take::Order, 1).await;
    let id = bench.paid(1, 0).await;
    let notice =
        |state, tries| Notice { state, again: false, tries, at: 5, by: "mail".to_owned(), why: "a | b".to_owned() };
    let buyer = NoticeId::Buyer(id);
    let lists = async || {
        let waiting = bench.store.notices(None, 1000, 9).await.unwrap();
        let dead = bench.store.list_notices(NoticeState::Dead, &[], 9).await.unwrap();
        (waiting, dead.into_iter().map(|listed| (listed.when, listed.id)).collect::<Vec<_>>())
    };
    let first = notice(NoticeState::Waiting, 0);
    let set = async |id: &NoticeId, notice, when, once| bench.store.set_notice(id, notice, when, once, None).await;
    twice!(bench, set(&buyer, &first, 10, true), true, false);
    assert_eq!(
        (lists().await, bench.read(id).await.notice),
        ((vec![(10, buyer.clone())], vec![]), Some(first.clone()))
    );
    let dead = notice(NoticeState::Dead, 9);
    twice!(bench, set(&buyer, &dead, 20, false), true, true);
    let counted = bench.store.count_notices(&[]).await.unwrap();
    assert_eq!((lists().await, counted), ((vec![], vec![(20, buyer.clone())]), (0, 1)));
    let sent = notice(NoticeState::Sent, 1);
    twice!(bench, set(&buyer, &sent, 30, false), true, true);
    assert_eq!((lists().await, bench.read(id).await.notice), ((vec![], vec![]), Some(sent.clone())));
    assert_eq!(bench.store.untold(&[id]).await.unwrap(), [None], "it has one already");
    twice!(bench, set(&NoticeId::Buyer(bench.id()), &first, 10, false), false, false);
    let names = [bench.store.names.notices(id.slot(), None), bench.store.names.dead(id.slot())];
    fails_whole!(bench, names, set(&buyer, &first, 10, false));
}

#[tokio::test]
async fn news_stand_by_themselves_and_leave_once_they_were_sent() {
    let bench = Bench::new(Take::Order, 1).await;
    let id: NewsId = "order.delivered:hook:07MIBQ3K2XZ0A1B2C001".parse().unwrap();
    let (names, of) = (bench.store.names, NoticeId::News(id.clone()));
    let notice = |state| Notice { state, ..Notice::new(5, false) };
    let news = News { at: 7, data: "{\"a\":1}".to_owned() };
    let set = async |state, when, once, news| bench.store.set_notice(&of, &notice(state), when, once, news).await;
    assert!(!set(NoticeState::Waiting, 10, true, None).await.unwrap(), "nothing is known of what happened");
    assert!(bench.dump().await.keys().all(|key| !key.contains("news") && !key.contains("notices")));
    twice!(bench, set(NoticeState::Waiting, 10, true, Some(&news)), true, false);
    let waiting = async || bench.store.notices(Some("hook"), 1000, 9).await.unwrap();
    assert_eq!(waiting().await, [(10, of.clone())]);
    assert_eq!(bench.store.notices(None, 1000, 9).await.unwrap(), [], "no buyer's");
    assert_eq!(bench.store.count_notices(&["hook".to_owned()]).await.unwrap(), (1, 0));
    assert_eq!(bench.store.news(&id).await.unwrap(), Some((news.clone(), notice(NoticeState::Waiting))));
    let left = async || {
        let mut link = bench.redis.raw().await;
        let left: i64 = redis::cmd("PTTL").arg(names.news(&id)).query_async(&mut link).await.unwrap();
        left
    };
    twice!(bench, set(NoticeState::Dead, 20, false, None), true, true);
    assert_eq!((waiting().await, left().await), (vec![], -1), "what was given up stays");
    assert!(set(NoticeState::Sent, 30, false, None).await.unwrap());
    assert!((1..=3_600_000).contains(&left().await));
    assert!(!set(NoticeState::Waiting, 10, true, None).await.unwrap(), "it is known for an hour");
    assert!(set(NoticeState::Waiting, 40, false, None).await.unwrap());
    assert_eq!((waiting().await.len(), left().await), (1, -1), "asked for again, it stays");
    let lists = [names.notices(of.slot(), Some("hook")), names.dead(of.slot())];
    fails_whole!(bench, lists, set(NoticeState::Dead, 10, false, None));
}
