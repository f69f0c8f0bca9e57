//! Operators and their programs hear what happened: signed, once, again after failures, whatever is killed in between.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::receiver::Receiver;
use crate::support::shop::Daemon;

const NEW: &str = "whsec_zwqI8DmmUIb5p5RiqZaJ19xhb0sgoPMag18A2Ytfrro=";
const OLD: &str = "whsec_Mqi/DhvvsO04FZCylf4Fwnb9pyvSc0O6SgBr5zXV+yY=";
const TOKEN: &str = "123456:9bjypbnTYVTWilH3NaPWReI2NQqOtiFAK6M";

/// A shop whose settings may name the files `new`, `old` and `token`.
fn shop(folder: &tempfile::TempDir, settings: &str) -> Daemon {
    let data = folder.path().join("d");
    std::fs::create_dir_all(&data).unwrap();
    for (name, secret) in [("new", NEW), ("old", OLD), ("token", TOKEN)] {
        std::fs::write(data.join(name), secret).unwrap();
    }
    let shop = Daemon::at(&data, settings);
    shop.product("card", &[], 20);
    shop
}

fn hook(receiver: &Receiver, more: &str) -> String {
    let url = format!("http://{}/hook/url-secret", receiver.address);
    format!("[notify.hook]\nkind = \"webhook\"\nurl = \"{url}\"\nsecret_file = \"new\"\n{more}\n")
}

fn chat(receiver: &Receiver, more: &str) -> String {
    let url = format!("http://{}", receiver.address);
    let bot = "bot_token_file = \"token\"\nchat_id = \"-100\"";
    format!("[notify.chat]\nkind = \"telegram\"\napi_url = \"{url}\"\n{bot}\n{more}\n")
}

async fn paid(shop: &Daemon, trade_no: &str, minor: i64) -> String {
    let id = shop.order("card", 1).await;
    assert_eq!(shop.pay(&id, trade_no, minor).await, (200, "success".to_owned()));
    id
}

/// Waits until the list of notices is as wanted.
async fn until(shop: &Daemon, fits: impl Fn(&Value) -> bool) -> Value {
    let began = std::time::Instant::now();
    loop {
        let list = shop.admin("/v1/notices").await;
        if fits(&list) {
            return list;
        }
        assert!(began.elapsed().as_secs() < 60, "{list}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn log_of(shop: &Daemon) -> String {
    std::fs::read_to_string(shop.data.join("log")).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivered_order_is_one_event_signed_with_both_secrets_and_without_what_is_the_buyers() {
    let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::start().await);
    let mut shop = shop(&folder, &hook(&receiver, "previous_secret_file = \"old\""));
    let id = paid(&shop, "N1", 990).await;
    assert_eq!(shop.pay(&id, "N1", 990).await, (200, "success".to_owned()), "a repeat");
    let first = receiver.until(1).await.remove(0);
    assert!(first.is_signed_with(NEW) && first.is_signed_with(OLD), "{first:?}");
    assert_eq!(first.header("webhook-id"), format!("msg_{id}_order-delivered_hook"));
    assert_eq!(first.header("content-type"), "application/json");
    assert_eq!(first.body["type"], "order.delivered");
    let wanted = json!({"order_no": id, "product": "card", "quantity": 1, "amount_minor": 990, "currency": "CNY"});
    assert_eq!(first.body["data"], wanted);
    assert!(first.body["timestamp"].as_str().unwrap().ends_with('Z'), "{first:?}");
    // A held order is another event; a test is one without an order.
    let held = paid(&shop, "N2", 890).await;
    let second = receiver.until(2).await.remove(1);
    assert_eq!((&second.body["type"], &second.body["data"]["order_no"]), (&json!("order.held"), &json!(held)));
    assert_eq!(second.body["data"]["reason"], "amount_mismatch");
    shop.json(&["notice", "test", "hook"], "");
    assert_eq!(receiver.until(3).await[2].body["type"], "test");
    assert!(!shop.cli(&["notice", "test", "hook", "--to", "me@example.com"], "").status.success());
    // Asked for again, it is the same message; an order of long ago is told anew.
    let again = format!("order.delivered:hook:{id}");
    shop.json(&["notice", "resend", &again], "");
    let same = receiver.until(4).await.remove(3);
    assert_eq!((same.header("webhook-id"), &same.text), (first.header("webhook-id"), &first.text));
    assert!(!shop.cli(&["notice", "resend", &format!("order.held:hook:{id}")], "").status.success(), "it never was");
    assert!(!shop.cli(&["notice", "resend", &format!("order.delivered:other:{id}")], "").status.success());
    until(&shop, |list| list["waiting"] == 0 && list["dead"] == 0).await;
    let metrics = String::from_utf8(shop.admin_text("/metrics").await).unwrap();
    assert!(metrics.contains("kamid_notices_total{notifier=\"hook\",outcome=\"sent\"} 3"), "{metrics}");
    assert!(shop.json(&["trail"], "").to_string().contains("notice resend"));
    let keys = shop.json(&["order", "show", &id, "--keys"], "");
    let key = keys["keys"][0].as_str().unwrap();
    for came in receiver.came() {
        for secret in [key, "buyer@example.test", "token="] {
            assert!(!came.text.contains(secret), "{secret} in {}", came.text);
        }
    }
    shop.audit();
    // The same after the secret was exchanged for good: the old one signs nothing more.
    let config = shop.data.join("config.toml");
    let settings = std::fs::read_to_string(&config).unwrap().replace("previous_secret_file = \"old\"", "");
    std::fs::write(&config, settings).unwrap();
    assert!(shop.stop());
    shop.run();
    paid(&shop, "N3", 990).await;
    let last = receiver.until(5).await.remove(4);
    assert!(last.is_signed_with(NEW) && !last.is_signed_with(OLD));
    let log = log_of(&shop);
    for secret in [NEW, OLD, &NEW[6..], "url-secret"] {
        assert!(!log.contains(secret), "{secret} in the log");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_outlives_its_endpoint_and_the_daemon_under_one_id() {
    let (folder, mut receiver) = (tempfile::tempdir().unwrap(), Receiver::start().await);
    let mut shop = shop(&folder, &hook(&receiver, ""));
    receiver.answers(&[(503, "retry-after", "7")]);
    let id = paid(&shop, "K1", 990).await;
    receiver.until(1).await;
    let put_off = until(&shop, |list| list["notices"][0]["tries"] == 1 && list["notices"][0]["why"] != "").await;
    let notice = &put_off["notices"][0];
    let pause = notice["next"].as_u64().unwrap() - notice["at"].as_u64().unwrap();
    assert!((7000..=8400).contains(&pause), "not before the seven seconds that it asked for: {notice}");
    assert_eq!(
        (&notice["order"], &notice["contact"]),
        (&json!(format!("order.delivered:hook:{id}")), &json!("order.delivered"))
    );
    let tries = receiver.until(2).await;
    assert_eq!(tries[0].header("webhook-id"), tries[1].header("webhook-id"));
    assert!(tries[0].header("webhook-timestamp") < tries[1].header("webhook-timestamp"));
    assert!(tries[0].text == tries[1].text && tries[1].is_signed_with(NEW));
    // Down; and one that was paid and killed before its event was handled.
    receiver.stop().await;
    assert!(shop.stop(), "which ends its connections too");
    shop.run();
    let late = shop.order("card", 1).await;
    let down = paid(&shop, "K2", 990).await;
    until(&shop, |list| list["notices"][0]["why"].as_str().is_some_and(|why| why.contains("could not be reached")))
        .await;
    assert_eq!(shop.pay(&late, "K3", 990).await, (200, "success".to_owned()));
    shop.kill();
    receiver.run().await;
    shop.run();
    until(&shop, |list| list["waiting"] == 0).await;
    let mut told: Vec<Value> =
        receiver.until(4).await[2..].iter().map(|came| came.body["data"]["order_no"].clone()).collect();
    told.sort_by_key(Value::to_string);
    let mut wanted = vec![json!(down), json!(late)];
    wanted.sort_by_key(Value::to_string);
    assert_eq!(told, wanted, "each of them once");
    shop.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_is_gone_is_left_alone_until_the_daemon_starts_again() {
    let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::start().await);
    let elsewhere = Receiver::start().await;
    let mut shop = shop(&folder, &hook(&receiver, "events = [\"order.delivered\"]"));
    // A redirect is not followed.
    let other = format!("http://{}/", elsewhere.address);
    receiver.answers(&[(307, "location", &other), (410, "", "")]);
    let first = paid(&shop, "G1", 990).await;
    until(&shop, |list| list["notices"][0]["why"].as_str().is_some_and(|why| why.contains("redirects (307)"))).await;
    let gone = until(&shop, |list| list["notices"][0]["state"] == "dead").await;
    assert!(gone["notices"][0]["why"].as_str().unwrap().contains("410"), "{gone}");
    let incidents = shop.incidents("notifier_gone", 1).await;
    assert_eq!(incidents[0]["number"], first.as_str());
    let second = paid(&shop, "G2", 990).await;
    let again = format!("order.delivered:hook:{first}");
    assert!(!shop.cli(&["notice", "resend", &again], "").status.success());
    until(&shop, |list| list["waiting"] == 0).await;
    assert_eq!((receiver.came().len(), elsewhere.came().len()), (2, 0));
    assert!(shop.stop());
    shop.run();
    shop.json(&["notice", "resend", &again], "");
    shop.json(&["notice", "resend", &format!("order.delivered:hook:{second}")], "");
    let came = receiver.until(4).await;
    // Both at once, in either order.
    let mut told: Vec<_> = came[2..].iter().map(|one| one.body["data"]["order_no"].as_str().unwrap()).collect();
    told.sort_unstable();
    let mut wanted = [first.as_str(), second.as_str()];
    wanted.sort_unstable();
    assert_eq!(told, wanted);
    until(&shop, |list| list["waiting"] == 0 && list["dead"] == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_read_in_their_chat_what_needs_them_and_the_bots_token_is_nowhere_else() {
    let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::start().await);
    let shop = shop(&folder, &chat(&receiver, "lang = \"en\""));
    shop.json(&["notice", "test", "chat"], "");
    let test = receiver.until(1).await.remove(0);
    assert_eq!(test.path, format!("/bot{TOKEN}/sendMessage"));
    assert_eq!((&test.body["chat_id"], &test.body["parse_mode"]), (&json!("-100"), &json!("HTML")));
    // A limit is waited for; what the chat refuses is given up, and an incident says so, once.
    receiver.answers(&[(429, "", r#"{"ok":false,"description":"Too Many Requests","parameters":{"retry_after":6}}"#)]);
    let held = paid(&shop, "H1", 890).await;
    let put_off = until(&shop, |list| list["notices"][0]["tries"] == 1 && list["notices"][0]["why"] != "").await;
    let notice = &put_off["notices"][0];
    assert!(notice["next"].as_u64().unwrap() >= notice["at"].as_u64().unwrap() + 6000, "{notice}");
    let told = receiver.until(3).await.remove(2);
    let text = told.body["text"].as_str().unwrap();
    assert!(text.starts_with(&format!("Held: order {held}: amount_mismatch\ncard × 1")), "{text}");
    // A payment that no order is for, and stock that became low.
    assert_eq!(shop.send(&shop.callback("KO251123160000L7U2REDP", "U1", 990)).await.0, 400);
    let orphan = receiver.until(4).await.remove(3);
    assert!(orphan.body["text"].as_str().unwrap().contains("orphan\npay · KO251123160000L7U2RE"), "{orphan:?}");
    shop.json(&["product", "set", "card", "--low", "50"], "");
    let low = receiver.until(5).await.remove(4);
    assert!(low.body["text"].as_str().unwrap().starts_with("Stock is low: card"), "{low:?}");
    receiver.answers(&[(403, "", r#"{"ok":false,"description":"Forbidden: bot was kicked <by> x"}"#)]);
    paid(&shop, "H2", 890).await;
    let dead = until(&shop, |list| list["notices"][0]["state"] == "dead").await;
    assert!(dead["notices"][0]["why"].as_str().unwrap().contains("bot was kicked"), "{dead}");
    shop.incidents("notice_given_up", 1).await;
    let about_it = receiver.until(7).await.remove(6);
    assert!(about_it.body["text"].as_str().unwrap().contains("notice_given_up"), "{about_it:?}");
    until(&shop, |list| list["waiting"] == 0).await;
    assert_eq!(receiver.came().len(), 7, "a delivered order is not told here, and nothing twice");
    let seen = [
        log_of(&shop),
        shop.admin("/v1/notices").await.to_string(),
        shop.admin("/v1/incidents").await.to_string(),
        String::from_utf8(shop.stream_line().await).unwrap(),
    ];
    for text in seen {
        assert!(!text.contains(TOKEN) && !text.contains("/bot123456"));
    }
}
