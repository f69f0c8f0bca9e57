//! `kamid order reconcile`: payments whose callbacks were lost are found by asking, one order or a whole time.

use kamid::domain::{OrderId, Slot};
use serde_json::Value;

use super::gates::started;
use super::whole::{ordered, settings};
use crate::support::delivery::Simulator as _;
use crate::support::gateway::{Family, Fate, Gateway};
use crate::support::redis::TestRedis;
use crate::support::shop::Daemon;

/// Where an order stands when it stands there no more, or after two minutes and a half.
async fn after(shop: &Daemon, id: &str, there: &str) -> String {
    let began = std::time::Instant::now();
    loop {
        let state = shop.state(id).await;
        if state != there || began.elapsed().as_secs() > 150 {
            return state;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

/// The command's report and exit code.
fn reconcile(shop: &Daemon, args: &[&str]) -> (Value, Option<i32>) {
    let done = shop.cli(&[&["order", "reconcile", "--json"], args].concat(), "");
    let report = serde_json::from_slice(&done.stdout);
    (report.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&done.stderr))), done.status.code())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_an_outage_every_lost_payment_is_found_once() {
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    let data = folder.path().join("d");
    let gateway = Gateway::start(Family::EpayV1).await;
    // A gateway that is down: nobody listens there any more.
    let down = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let section = settings(&gateway, &data);
    let dead = section.replace(&gateway.url, &format!("http://{down}"));
    // Nobody asks but the command.
    let limits = "[limits]\nasks_per_second = 0\nunpaid_keys_per_address = \"1000\"\n";
    let shop = Daemon::at(&data, &format!("{limits}[channel.gate]\n{section}\n[channel.dead]\n{dead}\n"));
    shop.product("card", &[], 5);
    let before = "2026-01-01T00:00:00+08:00";
    let (early, paid_late) = ordered(&shop).await;
    let (paid, paid_number) = ordered(&shop).await;
    let (unpaid, _) = ordered(&shop).await;
    shop.json(&["order", "expire", &early, "--reason", "the time was up"], "");
    gateway.pay(&paid_late);
    gateway.pay(&paid_number);

    let (nothing, code) = reconcile(&shop, &["--since", before, "--until", "2026-01-02T00:00:00Z"]);
    assert_eq!((&nothing["asked"], code), (&0.into(), Some(0)), "{nothing}");
    let (nothing, code) = reconcile(&shop, &["--since", before, "--channel", "dead"]);
    assert_eq!((&nothing["asked"], code), (&0.into(), Some(0)), "{nothing}");
    let (report, code) = reconcile(&shop, &["--since", before, "--channel", "gate"]);
    let numbers = |report: &Value| ["asked", "found", "unpaid", "silent"].map(|name| report[name].as_u64().unwrap());
    assert_eq!((numbers(&report), code), ([3, 2, 1, 0], Some(0)), "{report}");
    assert_eq!(report["amounts"][0]["amount"], "19.80", "{report}");
    for (id, trade_no) in [(&early, &paid_late), (&paid, &paid_number)] {
        let row = report["orders"].as_array().unwrap().iter().find(|row| row["id"] == id.as_str()).unwrap();
        assert_eq!(
            (&row["result"], &row["trade_no"]),
            (&"delivered".into(), &format!("2026{trade_no}").into()),
            "{row}"
        );
        assert_eq!(shop.state(id).await, "delivered");
    }
    // Nothing new by asking again; one order by its number.
    let (again, code) = reconcile(&shop, &["--since", before]);
    assert_eq!((numbers(&again), code), ([1, 0, 1, 0], Some(0)), "{again}");
    assert_eq!(numbers(&reconcile(&shop, &[&unpaid]).0), [1, 0, 1, 0]);
    // Only what came of it stands in the trail.
    let trail = shop.admin("/v1/trail").await;
    let rows = trail["trail"].as_array().unwrap();
    assert_eq!(rows.iter().filter(|row| row["what"] == "order query").count(), 2, "{trail}");

    // Whoever does not answer is to be asked again.
    let silent = shop.order_through("dead", "card", 1).await;
    let (report, code) = reconcile(&shop, &["--since", before]);
    assert_eq!((numbers(&report), code), ([2, 0, 1, 1], Some(1)), "{report}");
    assert_eq!(reconcile(&shop, &[&silent]).1, Some(1));
    let shown = shop.cli(&["order", "reconcile", "--since", before], "");
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(
        shown.contains("2 orders: 0 found paid and settled, 1 unpaid")
            && shown.contains("1 without an answer (ask again)"),
        "{shown}"
    );
    // Wrong wishes are told.
    let wrong = shop.cli(&["order", "reconcile", "--since", before, "--channel", "nobody"], "");
    assert!(
        wrong.status.code() == Some(1) && String::from_utf8_lossy(&wrong.stderr).contains("known: dead, gate"),
        "{wrong:?}"
    );
    assert_eq!(shop.cli(&["order", "reconcile"], "").status.code(), Some(2));
    shop.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kind_that_cannot_be_asked_is_counted_and_no_failure() {
    let shop = Daemon::start(
        "[channel.own]\nkind = \"standard_webhooks\"\nsecrets = [\"whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3\"]\n\
         pay_url = \"https://pay.example/?order={number}\"\n",
    );
    shop.product("card", &[], 5);
    let order = shop.order_through("own", "card", 1).await;
    let (report, code) = reconcile(&shop, &["--since", "2026-01-01T00:00:00Z"]);
    assert_eq!((&report["cannot_be_asked"], code), (&1.into(), Some(0)), "{report}");
    // Asked for by its number, it is one.
    let done = shop.cli(&["order", "reconcile", &order], "");
    assert!(
        done.status.code() == Some(1) && String::from_utf8_lossy(&done.stderr).contains("cannot be asked"),
        "{done:?}"
    );
}

/// It expired, and was paid while nobody served: whoever serves next asks by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_expired_is_asked_about_after_a_restart() {
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    let data = folder.path().join("d");
    let gateway = Gateway::start(Family::EpayV1).await;
    let mut shop = Daemon::at(&data, &format!("[channel.gate]\n{}\n", settings(&gateway, &data)));
    shop.product("card", &[], 3);
    let (paid, number) = ordered(&shop).await;
    shop.json(&["order", "expire", &paid, "--reason", "the time was up"], "");
    let pid = rustix::process::Pid::from_raw(shop.pid().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    shop.wait();
    gateway.pay(&number);
    // It is not well yet when it is asked first, which is no answer about the order.
    gateway.next_answer(Fate::Trouble);
    let shop = started(shop).await;
    // The one that was killed keeps its lease for a while.
    assert_eq!(after(&shop, &paid, "expired").await, "delivered");
    shop.incidents("callback_lost", 1).await;
    shop.audit();
}

/// Between them stands whatever else happened in the hour: what expired is found page by page, and nothing older.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_expired_within_the_hour_is_read_back() {
    let redis = TestRedis::start();
    let (store, mut raw) = (redis.store().await, redis.raw().await);
    let slot = Slot::new(3);
    let orders: Vec<OrderId> = (0..6).map(|chance| OrderId::new(slot, 1_700_000_000_000, chance)).collect();
    let mut pipe = redis::pipe();
    for at in 0..1300_u64 {
        let expired = [5, 250, 450, 800, 1001, 1299].iter().position(|it| *it == at);
        let (event, order) = expired.map_or(("delivered", orders[0]), |which| ("expired", orders[which]));
        let fields = ["event", event, "order", &order.to_string()].map(str::to_owned);
        pipe.cmd("XADD").arg(store.names.outbox(slot)).arg(format!("{}-1", 1000 + at)).arg(&fields).ignore();
    }
    let _: () = pipe.query_async(&mut raw).await.unwrap();
    let newest_first: Vec<OrderId> = orders[1..].iter().rev().copied().collect();
    assert_eq!(store.expired_since(1006, 100).await.unwrap(), newest_first);
    assert_eq!(store.expired_since(9000, 100).await.unwrap(), []);
    assert_eq!(store.expired_since(0, 1).await.unwrap().first(), Some(&orders[5]), "no more pages than are needed");
}

/// Nobody asks and nobody calls: near its expiry the order's gateway is asked by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_near_its_expiry_is_asked_about_by_itself() {
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    let data = folder.path().join("d");
    let gateway = Gateway::start(Family::EpayV1).await;
    let often = "[limits]\nunpaid_keys_per_address = \"1000\"\n";
    let shop = Daemon::at(&data, &format!("{often}[channel.gate]\n{}\n", settings(&gateway, &data)));
    shop.product("card", &["--expires-minutes", "2"], 2);
    let (paid, number) = ordered(&shop).await;
    let (unpaid, _) = ordered(&shop).await;
    gateway.pay(&number);
    // It is asked about from a minute before its end on, by chance within half a minute of that: well before its end.
    assert_eq!(after(&shop, &paid, "pending").await, "delivered");
    shop.incidents("callback_lost", 1).await;
    assert_ne!(shop.state(&unpaid).await, "delivered");
    shop.audit();
}
