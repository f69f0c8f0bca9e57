//! Records that cannot be read, since somebody changed them or a disk did: they are named, and hold up nothing else.

use serde_json::{Value, json};

use crate::support::shop::Daemon;

fn redis(shop: &Daemon) -> redis::Connection {
    let client = redis::Client::open(format!("unix://{}", shop.data.join("redis/redis.sock").display())).unwrap();
    client.get_connection().unwrap()
}

/// The name of one kind of thing of an order, whatever its slot.
fn name(link: &mut redis::Connection, kind: &str, id: &str) -> String {
    let names: Vec<String> = redis::cmd("KEYS").arg(format!("t1:*:{kind}:{id}")).query(link).unwrap();
    assert_eq!(names.len(), 1, "{names:?}");
    names[0].clone()
}

fn set(link: &mut redis::Connection, name: &str, field: &str, value: &str) {
    redis::cmd("HSET").arg(name).arg(field).arg(value).exec(link).unwrap();
}

/// What `kamid audit` finds: kinds and of what, with its whole report. It ends with 1.
fn audit(shop: &Daemon) -> (Vec<(String, String)>, Value) {
    let done = shop.cli(&["audit", "--json"], "");
    let report: Value = serde_json::from_slice(&done.stdout)
        .unwrap_or_else(|_| panic!("no report: {}", String::from_utf8_lossy(&done.stderr)));
    assert_eq!(done.status.code(), Some(1), "{report}");
    let text = |it: &Value, name: &str| it[name].as_str().unwrap().to_owned();
    let mut found: Vec<(String, String)> =
        report["violations"].as_array().unwrap().iter().map(|it| (text(it, "kind"), text(it, "what"))).collect();
    found.sort();
    (found, report)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audit_names_what_cannot_be_read_and_goes_on_with_the_rest() {
    let shop = Daemon::start("");
    shop.product("torn", &[], 5);
    let ids = [shop.order("torn", 1).await, shop.order("torn", 1).await, shop.order("torn", 1).await];
    for (at, id) in ids.iter().enumerate() {
        assert_eq!(shop.pay(id, &format!("T{at}"), 990).await.0, 200);
    }
    // An orphan, whose number is no order's.
    assert_eq!(shop.send(&shop.callback("of-nobody", "T9", 990)).await.0, 400);
    shop.audit();
    let mut link = redis(&shop);
    let (first, nobody) = (name(&mut link, "pay", &ids[0]), name(&mut link, "pay", "of-nobody"));
    set(&mut link, &first, "pay|T0", "settled|gibberish");
    let said = String::from_utf8_lossy(&shop.cli(&["audit"], "").stdout).into_owned();
    assert!(said.contains("damaged") && said.contains(&ids[0]) && said.contains("pay|T0"), "{said}");
    let damaged = |id: &str| ("damaged".to_owned(), id.to_owned());
    let (found, report) = audit(&shop);
    assert_eq!(found, [damaged(&ids[0])], "what cannot be read is no second fault: {report}");
    assert_eq!((&report["orders"], &report["products"]), (&json!(3), &json!(1)));
    // Beside others of its kind, and with something else that is wrong.
    set(&mut link, &nobody, "no name", "x");
    let stock = name(&mut link, "stock", "torn");
    redis::cmd("HINCRBY").arg(&stock).arg("imported").arg(1).exec(&mut link).unwrap();
    let mut expected = vec![("counts".to_owned(), "torn".to_owned()), damaged(&ids[0]), damaged("of-nobody")];
    expected.sort();
    assert_eq!(audit(&shop).0, expected);
    // An order itself: it is named, and its keys are missing in the sums.
    let order = name(&mut link, "order", &ids[2]);
    redis::cmd("HDEL").arg(&order).arg("quantity").exec(&mut link).unwrap();
    let (found, report) = audit(&shop);
    assert!(found.contains(&damaged(&ids[2])), "{report}");
    assert_eq!(report["orders"], 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_adoption_that_does_not_say_how_its_payment_waited_is_told_and_left_to_a_person() {
    let shop = Daemon::start("");
    shop.product("torn", &[], 5);
    let id = shop.order("torn", 1).await;
    assert_eq!(shop.send(&shop.callback("of-nobody", "T1", 990)).await.0, 400);
    let mut link = redis(&shop);
    let pay = name(&mut link, "pay", "of-nobody");
    let (slot, _) = pay.split_once(":pay:").unwrap();
    let target = format!("{id}01");
    set(&mut link, &pay, "pay|T1", &format!("adopted|{target}|990|CNY|1700000000000t|of-nobody"));
    redis::cmd("ZREM").arg(format!("{slot}:review")).arg("orphan:of-nobody:pay|T1").exec(&mut link).unwrap();
    let mut event = redis::cmd("XADD");
    event.arg(format!("{slot}:outbox")).arg("*").arg("event").arg("adopted").arg("order").arg("of-nobody");
    event.arg("payment").arg("pay|T1").arg("for").arg(&target).arg("was").arg("melted").arg("log").arg("");
    event.exec(&mut link).unwrap();
    let incident = shop.incidents("damaged_record", 1).await[0]["id"].as_str().unwrap().to_owned();
    let advice = shop.admin(&format!("/v1/incidents/{incident}")).await["advice"].as_str().unwrap().to_owned();
    assert!(advice.contains("does not say how its payment waited"), "{advice}");
    assert_eq!(shop.state(&id).await, "pending");
    // A person does the same again.
    let again = shop.json(&["orphan", "adopt", "of-nobody", "pay|T1", "--order", &id], "");
    assert_eq!(again["result"], "delivered", "{again}");
    shop.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_outbox_passes_over_an_event_whose_record_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let notify = "[notify.mail]\nkind = \"folder\"\nfrom = \"shop@example.test\"\n";
    let shop = Daemon::at(&folder.path().join("d"), notify);
    shop.product("torn", &[], 5);
    let (torn, whole) = (shop.order("torn", 1).await, shop.order("torn", 1).await);
    let mut link = redis(&shop);
    let order = name(&mut link, "order", &torn);
    let (slot, _) = order.split_once(":order:").unwrap();
    set(&mut link, &format!("{slot}:pay:{torn}"), "pay|T1", "orphan|gibberish");
    // What the payment's own script writes with it.
    let mut event = redis::cmd("XADD");
    event.arg(format!("{slot}:outbox")).arg("*").arg("event").arg("orphan").arg("order").arg(&torn);
    event.arg("payment").arg("pay|T1").exec(&mut link).unwrap();
    let incident = shop.incidents("damaged_record", 1).await[0]["id"].as_str().unwrap().to_owned();
    let advice = shop.admin(&format!("/v1/incidents/{incident}")).await["advice"].as_str().unwrap().to_owned();
    assert!(advice.contains("payment pay|T1"), "{advice}");
    // What comes behind it in the same stream is told as ever.
    assert_eq!(shop.pay(&whole, "T2", 990).await, (200, "success".to_owned()));
    let began = std::time::Instant::now();
    loop {
        let notice = shop.admin(&format!("/v1/orders/{whole}")).await["notice"].clone();
        if notice["state"] == "sent" {
            break;
        }
        assert!(began.elapsed().as_secs() < 60, "it waits behind the damaged one: {notice}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}
