//! What holds for a channel of any kind: retired, confirmed by its gateway, known sources, older keys.

use serde_json::json;

use crate::support::delivery::Simulator as _;
use crate::support::gateway::{Family, Fate, Gateway, SECRET};
use crate::support::shop::Daemon;

/// A daemon with an epay channel `gate` at that gateway, with these further settings.
fn shop_at(folder: &std::path::Path, gateway: &Gateway, more: &str) -> Daemon {
    let data = folder.join("d");
    std::fs::create_dir_all(&data).unwrap();
    std::fs::write(data.join("secret"), SECRET).unwrap();
    let section = format!(
        "[channel.gate]\nkind = \"epay_v1\"\ngateway_url = \"{}/\"\npid = \"1001\"\nkey_file = \"secret\"\n{more}\n",
        gateway.url
    );
    let shop = Daemon::at(&data, &section);
    shop.product("card", &[], 9);
    shop
}

/// An order, and the gateway knows of it.
async fn ordered(shop: &Daemon) -> (String, String) {
    let id = shop.order_through("gate", "card", 1).await;
    let url = shop.admin(&format!("/v1/orders/{id}")).await["page"].as_str().unwrap().to_owned();
    let page =
        shop.http.get(url).send().await.unwrap().text().await.unwrap().replace("&#x2f;", "/").replace("&amp;", "&");
    let pay = page.split("class=\"pay\" href=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert_eq!(shop.http.get(pay).send().await.unwrap().status(), 200);
    let number = format!("{id}01");
    (id, number)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_confirm_a_leaked_key_buys_nothing() {
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    let gateway = Gateway::start(Family::EpayV1).await;
    let shop = shop_at(folder.path(), &gateway, "confirm = true");
    let (id, number) = ordered(&shop).await;
    // Rightly signed, by whoever has the key; the gateway knows of no money.
    assert_eq!(gateway.call_back(&number).await, (400, "fail".to_owned()));
    assert_eq!(shop.state(&id).await, "pending");
    let incident = shop.incidents("unconfirmed", 1).await.remove(0);
    assert_eq!(incident["number"], number.as_str());
    gateway.pay(&number);
    // Paid, but not as this one says: whoever has the key cannot make a second payment of one.
    let forged = shop.callback_of("gate", &number, "another-trade", 990);
    assert_eq!(shop.send(&forged).await, (400, "fail".to_owned()));
    assert_eq!(shop.state(&id).await, "pending");
    // It is not well, which is no word about the payment.
    gateway.next_answer(Fate::Trouble);
    assert_eq!(gateway.call_back(&number).await, (503, "fail".to_owned()));
    assert_eq!(gateway.call_back(&number).await, (200, "success".to_owned()));
    assert_eq!(shop.state(&id).await, "delivered");
    assert_eq!(shop.send(&forged).await, (400, "fail".to_owned()));
    assert_eq!(shop.admin("/v1/orphans").await["payments"], json!([]));
    shop.audit();
}

/// Less than was due is no way past the question.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_due_decides_whether_a_gateway_is_asked() {
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    let gateway = Gateway::start(Family::EpayV1).await;
    let shop = shop_at(folder.path(), &gateway, "confirm_from = 990");
    let (id, number) = ordered(&shop).await;
    let forged = shop.callback_of("gate", &number, "little", 1);
    assert_eq!(shop.send(&forged).await, (400, "fail".to_owned()));
    assert_eq!(shop.state(&id).await, "pending");
    shop.incidents("unconfirmed", 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_gateway_is_asked_again_with_its_next_callback() {
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    let gateway = Gateway::start(Family::EpayV1).await;
    let mut shop = shop_at(folder.path(), &gateway, "confirm_from = 990");
    let (id, number) = ordered(&shop).await;
    gateway.pay(&number);
    let config = std::fs::read_to_string(shop.data.join("config.toml")).unwrap();
    std::fs::write(shop.data.join("config.toml"), config.replace(&gateway.url, "http://127.0.0.1:9")).unwrap();
    assert!(shop.stop());
    shop.run();
    gateway.moved(&number, &format!("{}/pay/gate/notify", shop.public));
    assert_eq!(gateway.call_back(&number).await, (503, "fail".to_owned()));
    assert_eq!(shop.state(&id).await, "pending");
    std::fs::write(shop.data.join("config.toml"), config).unwrap();
    assert!(shop.stop());
    shop.run();
    gateway.moved(&number, &format!("{}/pay/gate/notify", shop.public));
    assert_eq!(gateway.call_back(&number).await, (200, "success".to_owned()));
    assert_eq!(shop.state(&id).await, "delivered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retired_channel_takes_callbacks_and_no_orders_and_an_older_key_is_believed_until_its_time() {
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    let gateway = Gateway::start(Family::EpayV1).await;
    let mut shop = shop_at(folder.path(), &gateway, "");
    let (id, number) = ordered(&shop).await;
    let (late, late_number) = ordered(&shop).await;
    gateway.pay(&number);
    // The key was changed in the console today; the gateway still signs what it began with the old one.
    std::fs::write(shop.data.join("new"), "a-new-key-0123456789").unwrap();
    let config = std::fs::read_to_string(shop.data.join("config.toml")).unwrap();
    let with = |until: &str| {
        let older = format!(
            "key_file = \"new\"\nretired = true\nolder_keys = [{{ until = \"{until}\", key_file = \"secret\" }}]"
        );
        config.replace("key_file = \"secret\"", &older)
    };
    std::fs::write(shop.data.join("config.toml"), with("2100-01-01T00:00:00Z")).unwrap();
    assert!(shop.stop());
    shop.run();
    for number in [&number, &late_number] {
        gateway.moved(number, &format!("{}/pay/gate/notify", shop.public));
    }
    assert_eq!(gateway.call_back(&number).await, (200, "success".to_owned()));
    assert_eq!(shop.state(&id).await, "delivered");
    let wish = json!({"product": "card", "contact": "a@b.example", "channel": "gate"});
    let (status, refused) = shop.post("/v1/orders", &wish).await;
    assert!(status == 400 && refused["detail"].as_str().unwrap().contains("retired"), "{refused}");
    std::fs::write(shop.data.join("config.toml"), with("2020-01-01T00:00:00Z")).unwrap();
    assert!(shop.stop());
    shop.run();
    gateway.moved(&late_number, &format!("{}/pay/gate/notify", shop.public));
    assert_eq!(gateway.call_back(&late_number).await, (400, "fail".to_owned()));
    assert_eq!(shop.state(&late).await, "pending");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callbacks_from_elsewhere_are_told_of_or_refused() {
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    let gateway = Gateway::start(Family::EpayV1).await;
    let mut shop = shop_at(folder.path(), &gateway, "sources = [\"203.0.113.0/24\"]");
    let (id, number) = ordered(&shop).await;
    assert_eq!(gateway.call_back(&number).await, (200, "success".to_owned()), "warned of, and taken");
    assert_eq!(shop.state(&id).await, "delivered");
    shop.incidents("source_unlisted", 1).await;
    let (other, number) = ordered(&shop).await;
    let config = std::fs::read_to_string(shop.data.join("config.toml")).unwrap();
    let enforced = config.replace("sources =", "source_check = \"enforce\"\nsources =");
    std::fs::write(shop.data.join("config.toml"), enforced).unwrap();
    assert!(shop.stop());
    shop.run();
    gateway.moved(&number, &format!("{}/pay/gate/notify", shop.public));
    assert_eq!(gateway.call_back(&number).await, (400, "fail".to_owned()));
    assert_eq!(shop.state(&other).await, "pending");
    shop.incidents("source_refused", 1).await;
}

/// What `kamid channel test` says of a step.
fn step<'a>(report: &'a serde_json::Value, name: &str) -> (&'a str, &'a str) {
    let found = report["steps"].as_array().unwrap().iter().find(|step| step["step"] == name);
    let found = found.unwrap_or_else(|| panic!("no {name} in {report}"));
    (found["result"].as_str().unwrap(), found["says"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_is_tried_without_touching_an_order() {
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    let gateway = Gateway::start(Family::EpayV1).await;
    let mut shop = shop_at(folder.path(), &gateway, "");
    let report = shop.json(&["channel", "test", "gate"], "");
    assert_eq!(report["works"], true, "{report}");
    for name in ["outside", "inside"] {
        assert_eq!(step(&report, name), ("ok", "a signed callback arrives unchanged and is believed"));
    }
    assert_eq!(
        (step(&report, "large body").0, step(&report, "gateway").0, step(&report, "address").0),
        ("ok", "ok", "warn")
    );
    assert!(shop.admin("/v1/orphans").await["payments"].as_array().unwrap().is_empty(), "it left nothing behind");
    assert!(shop.admin("/v1/incidents").await["incidents"].as_array().unwrap().is_empty());
    // Whoever sends the header without a token of ours is anybody.
    let stranger = shop.http.post(format!("{}/pay/gate/notify", shop.public)).header("x-kamid-trial", "x").send().await;
    assert_eq!(stranger.unwrap().status(), 400);
    // Something else answers at the public address; nothing does; the gateway knows another key.
    let config = std::fs::read_to_string(shop.data.join("config.toml")).unwrap();
    for (public_url, wanted) in [(gateway.url.as_str(), "bot wall"), ("http://127.0.0.1:9", "nothing listens there")] {
        let server = format!("[server]\npublic_url = \"{public_url}\"\n");
        std::fs::write(shop.data.join("config.toml"), config.replace("[server]\n", &server)).unwrap();
        std::fs::write(shop.data.join("secret"), "another-key").unwrap();
        assert!(shop.stop());
        shop.run();
        let done = shop.cli(&["channel", "test", "gate", "--json"], "");
        assert_eq!(done.status.code(), Some(1));
        let report: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
        let (result, says) = step(&report, "outside");
        assert!(result == "failed" && says.contains(wanted), "{says}");
        assert_eq!((step(&report, "inside").0, step(&report, "gateway").0), ("ok", "failed"), "{report}");
    }
}
