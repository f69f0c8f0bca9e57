//! A shop's whole life on a Redis in cluster mode, which refuses what has names of two places in one call. The store takes
//! none such yet, so it is told that this is an ordinary one; what it asks is what it asks of any Redis.

use std::time::Duration;

use kamid::domain::Slot;
use redis::Connection;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::receiver::Receiver;
use crate::support::redis::TestRedis;
use crate::support::shop::{Daemon, wait_for};

/// Products of different slots.
const PRODUCTS: [&str; 3] = ["alpha", "beta", "gamma"];

struct Life {
    // It ends before its Redis does.
    shop: Daemon,
    link: Connection,
    redis: TestRedis,
}

impl Life {
    fn begin(settings: &str) -> Self {
        let redis = TestRedis::cluster();
        let data = redis.folder().join("d");
        std::fs::create_dir_all(&data).unwrap();
        std::fs::write(data.join("hook"), "whsec_zwqI8DmmUIb5p5RiqZaJ19xhb0sgoPMag18A2Ytfrro=").unwrap();
        let shop = Daemon::at(&data, &format!("[store]\nurl = \"{}\"\n{settings}", redis.url()));
        let link = redis::Client::open(redis.url()).unwrap().get_connection().unwrap();
        Self { shop, link, redis }
    }

    async fn pay(&self, id: &str, trade_no: &str, minor: i64) {
        assert_eq!(self.shop.pay(id, trade_no, minor).await, (200, "success".to_owned()), "{id} {trade_no}");
    }

    /// A new order that is paid with so much.
    async fn paid(&self, product: &str, trade_no: &str, minor: i64) -> String {
        let id = self.shop.order(product, 1).await;
        self.pay(&id, trade_no, minor).await;
        id
    }

    async fn becomes(&self, id: &str, state: &str) {
        let began = std::time::Instant::now();
        while self.shop.state(id).await != state {
            assert!(began.elapsed().as_secs() < 30, "{id} is {}, not {state}", self.shop.state(id).await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn act(&self, action: &str, id: &str, more: &[&str]) {
        self.shop.json(&[&["order", action, id, "--reason", "a test"], more].concat(), "");
    }

    /// What the daemon said when something was asked of the wrong place: nobody may hear of it otherwise.
    fn said(&self) -> String {
        let log = std::fs::read_to_string(self.shop.data.join("log")).unwrap();
        let bad = ["panicked", "CROSSSLOT", "non local", "MOVED", "a bug in kamid"];
        log.lines().filter(|line| bad.iter().any(|word| line.contains(word))).collect::<Vec<_>>().join("\n")
    }
}

#[test]
fn it_refuses_what_is_of_two_places() {
    let redis = TestRedis::cluster();
    let mut link = redis::Client::open(redis.url()).unwrap().get_connection().unwrap();
    let mut ask = |words: &[&str]| redis::cmd(words[0]).arg(&words[1..]).query::<redis::Value>(&mut link);
    assert!(ask(&["MGET", "t1:{07}:a", "t1:{07}:b"]).is_ok());
    assert_eq!(ask(&["MGET", "t1:{07}:a", "t1:{08}:b"]).unwrap_err().code(), Some("CROSSSLOT"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shops_whole_life_asks_nothing_of_two_places_at_once() {
    let receiver = Receiver::start().await;
    let hook =
        format!("[notify.hook]\nkind = \"webhook\"\nurl = \"http://{}/\"\nsecret_file = \"hook\"\n", receiver.address);
    let mut life = Life::begin(&hook);
    for product in PRODUCTS {
        life.shop.product(product, &["--per-contact", "100/24h", "--low", "2"], 8);
        assert_eq!(life.shop.import(product, 0, 8)["imported"], 0, "each is known");
    }
    // As buyers order: counted, remembered by contact, once under a key.
    let wish = json!({"product": "alpha", "quantity": 2, "contact": "buyer@example.test", "channel": "pay"});
    for _ in 0..2 {
        let url = format!("{}/v1/orders", life.shop.public);
        let answer = life.shop.http.post(url).header("Idempotency-Key", "once-1").json(&wish).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }
    let (_, listed) = life.shop.ask(Method::GET, "/v1/orders?contact=buyer%40example.test", None).await;
    assert_eq!(listed["orders"].as_array().unwrap().len(), 1, "{listed}");
    let bought = listed["orders"][0]["id"].as_str().unwrap().to_owned();
    life.pay(&bought, "B1", 1980).await;
    life.pay(&bought, "B1", 1980).await;
    of_payments(&life).await;
    of_stock(&mut life).await;
    of_operators(&life).await;
    // The outbox was read, and its people told.
    let told = receiver.until(5).await;
    assert!(told.iter().any(|call| call.body["type"] == "order.delivered"), "{told:?}");
    let cursor = format!("t1:{{{}}}:cursor", Slot::of_number(&bought));
    wait_for("the cursor", || redis::cmd("GET").arg(&cursor).query::<Option<String>>(&mut life.link).unwrap());
    life.shop.audit();
    // A second daemon, and the first once more, on what stands there.
    let second = life.shop.second_on(&life.redis.url());
    let id = second.order("gamma", 1).await;
    assert_eq!(second.pay(&id, "Z1", 990).await.0, 200);
    assert!(life.shop.stop());
    life.shop.run();
    assert_eq!(life.shop.state(&id).await, "delivered");
    life.shop.audit();
    assert_eq!(life.said(), "");
}

async fn of_payments(life: &Life) {
    let shop = &life.shop;
    let (good, bad) = (life.paid("beta", "H1", 890).await, life.paid("gamma", "H2", 890).await);
    life.act("approve", &good, &[]);
    life.act("reject", &bad, &[]);
    life.act("refund", &bad, &[]);
    assert_eq!((shop.state(&good).await, shop.state(&bad).await), ("delivered".to_owned(), "refunded".to_owned()));
    // Two payments for one order, one of nobody's, and one that a person states.
    life.pay(&good, "H3", 990).await;
    let (stated, adopter) = (shop.order("alpha", 1).await, shop.order("beta", 1).await);
    assert_eq!(shop.send(&shop.callback("NOBODYS-NUMBER-000001", "N1", 990)).await.0, 400);
    shop.json(&["orphan", "adopt", "NOBODYS-NUMBER-000001", "pay|N1", "--order", &adopter], "");
    life.act("mark-paid", &stated, &["--trade-no", "M1"]);
    life.becomes(&adopter, "delivered").await;
    assert_eq!(shop.state(&stated).await, "delivered");
    let waits = shop.admin("/v1/orphans").await;
    let extra = waits["payments"].as_array().unwrap().iter().find(|it| it["id"] == json!(good)).unwrap();
    let wish = json!({"id": extra["id"], "payment": extra["payment"]});
    assert_eq!(shop.ask(Method::POST, "/v1/orphans/refund", Some(&wish)).await.0, 200);
    // A bad key, and one order given back with its key.
    life.act("replace", &good, &[]);
    life.act("refund", &stated, &[]);
    let (_, found) = shop.ask(Method::GET, "/v1/orders?trade_no=M1", None).await;
    assert_eq!(found["orders"].as_array().unwrap().len(), 1, "{found}");
}

async fn of_stock(life: &mut Life) {
    let (shop, link) = (&life.shop, &mut life.link);
    shop.json(&["keys", "void", "beta", "--count", "2"], "");
    shop.json(&["keys", "restore", "beta", "--count", "1"], "");
    shop.json(&["keys", "void", "gamma", "--count", "100"], "");
    // Paid and out of stock, then settled by the sweep.
    shop.product("late", &["--take", "payment"], 1);
    let (first, owed) = (shop.order("late", 1).await, shop.order("late", 1).await);
    assert_eq!(shop.pay(&first, "O0", 990).await.0, 200);
    assert_eq!(shop.pay(&owed, "O1", 990).await.0, 200);
    assert_eq!(shop.state(&owed).await, "owed");
    shop.import("late", 1, 2);
    // One expires by hand, one in the sweep.
    let (first, second) = (shop.order("alpha", 1).await, shop.order("alpha", 1).await);
    shop.json(&["order", "expire", &first, "--reason", "a test"], "");
    let slot = Slot::of_number(&second);
    redis::cmd("HSET").arg(format!("t1:{{{slot}}}:order:{second}")).arg("expires").arg(1).exec(link).unwrap();
    redis::cmd("ZADD").arg(format!("t1:{{{slot}}}:due")).arg(1).arg(&second).exec(link).unwrap();
    life.becomes(&owed, "delivered").await;
    life.becomes(&second, "expired").await;
    life.shop.import("gamma", 100, 3);
}

async fn of_operators(life: &Life) {
    let shop = &life.shop;
    shop.json(&["token", "add", "night", "--role", "view"], "");
    shop.json(&["address", "block", "203.0.113.9", "--reason", "a test"], "");
    // No gateway answers here; what is to be asked about was looked for all the same.
    let asked = shop.cli(&["order", "reconcile", "--since", "2026-01-01", "--json"], "");
    assert!(serde_json::from_slice::<Value>(&asked.stdout).is_ok(), "{asked:?}");
    shop.json(&["store", "show"], "");
    let trail = shop.json(&["trail"], "")["trail"].to_string();
    assert!(trail.contains("night") && trail.contains("203.0.113.9"), "{trail}");
    for path in ["/v1/notices", "/v1/products", "/v1/orders", "/v1/orders?state=held", "/v1/orders?state=owed"] {
        let (status, said) = shop.ask(Method::GET, path, None).await;
        assert_eq!((status, &said["code"]), (200, &Value::Null), "{path}: {said}");
    }
}
