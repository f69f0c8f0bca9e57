//! Operators: each as far as their role goes, on every instance, under their own name, while their token stands.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::redis::TestRedis;
use crate::support::shop::Daemon;

/// Asks until the status is the wanted one.
async fn becomes(shop: &Daemon, token: &str, wanted: u16) {
    let began = Instant::now();
    while shop.ask_as(token, Method::GET, "/v1/info", None).await.0 != wanted {
        assert!(began.elapsed() < Duration::from_secs(20), "never {wanted}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn token(added: &Value) -> String {
    added["token"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_sees_no_key_and_changes_nothing() {
    let shop = Daemon::start("");
    shop.product("seen", &[], 3);
    let id = shop.order("seen", 1).await;
    assert_eq!(shop.pay(&id, "V1", 990).await.0, 200);
    assert_eq!(shop.send("/pay/pay/notify").await.0, 400);
    let incident = shop.incidents("missing_signature", 1).await.remove(0)["id"].as_str().unwrap().to_owned();
    let viewer = token(&shop.json(&["token", "add", "eyes", "--role", "view"], ""));
    let get = async |path: &str| shop.ask_as(&viewer, Method::GET, path, None).await;
    let (status, info) = get("/v1/info").await;
    assert_eq!((status, &info["operator"], &info["role"]), (200, &json!("eyes"), &json!("view")));
    assert_eq!(shop.admin("/v1/info").await["operator"], "root");
    let order = format!("/v1/orders/{id}");
    let (status, seen) = get(&order).await;
    assert_eq!((status, seen["state"].as_str(), seen["page"].is_null()), (200, Some("delivered"), true));
    assert!(shop.admin(&order).await["page"].is_string());
    let (status, seen) = get(&format!("/v1/incidents/{incident}")).await;
    assert_eq!((status, seen["reason"].as_str(), seen["request"].is_null()), (200, Some("missing_signature"), true));
    for path in ["/v1/orders", "/v1/products", "/v1/incidents", "/v1/channels", "/v1/audit", "/metrics", "/v1/orphans"]
    {
        assert_eq!(get(path).await.0, 200, "{path}");
    }
    let look = json!({"ids": [id]});
    assert_eq!(shop.ask_as(&viewer, Method::POST, "/v1/orders/look", Some(&look)).await.0, 200);
    let hidden = [
        format!("{order}?keys=true"),
        format!("{order}?k%65ys=true"),
        "/v1/tokens".to_owned(),
        format!("/v1/incidents/{incident}/capture"),
    ];
    for path in hidden {
        let (status, problem) = get(&path).await;
        assert_eq!((status, problem["code"].as_str()), (403, Some("forbidden")), "{path}: {problem}");
        assert!(
            problem["detail"].as_str().unwrap().contains("may only look") && !problem.to_string().contains("PLAIN")
        );
    }
    for (method, path, body) in [
        (Method::POST, format!("{order}/act/refund"), json!({"reason": "mine"})),
        (Method::POST, "/v1/products".to_owned(), json!({"id": "new", "price": "1"})),
        (Method::PATCH, "/v1/products/seen".to_owned(), json!({"price": "0.01"})),
        (Method::POST, "/v1/products/seen/void".to_owned(), json!({"count": 1})),
        (Method::POST, "/v1/orders".to_owned(), json!({"product": "seen", "quantity": 1})),
        (Method::POST, "/v1/tokens".to_owned(), json!({"name": "more", "role": "operate"})),
        (Method::POST, "/v1/tokens/eyes/remove".to_owned(), json!({})),
        (Method::POST, "/v1/orphans/refund".to_owned(), json!({"id": "x", "payment": "y"})),
    ] {
        assert_eq!(shop.ask_as(&viewer, method, &path, Some(&body)).await.0, 403, "{path}");
    }
    assert_eq!(shop.state(&id).await, "delivered");
    assert_eq!(shop.ask_as("wrong", Method::GET, "/v1/info", None).await.0, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_acts_under_their_name_on_every_instance_until_removed() {
    let shop = Daemon::start("");
    let other = shop.second();
    shop.product("done", &[], 3);
    let id = shop.order("done", 1).await;
    let added = shop.json(&["token", "add", "night-shift", "--role", "operate"], "");
    let secret = token(&added);
    becomes(&other, &secret, 200).await;
    let act = format!("/v1/orders/{id}/act/mark-paid");
    let (status, done) = other.ask_as(&secret, Method::POST, &act, Some(&json!({"reason": "seen | paid"}))).await;
    assert_eq!((status, done["result"].as_str()), (200, Some("delivered")), "{done}");
    let history = shop.admin(&format!("/v1/orders/{id}")).await["history"][0].clone();
    let told = ["by", "action", "reason"].map(|name| history[name].as_str().unwrap().to_owned());
    assert_eq!(told, ["night-shift", "mark-paid", "seen | paid"]);
    shop.json(&["order", "refund", &id, "--reason", "paid back"], "");
    assert_eq!(shop.admin(&format!("/v1/orders/{id}")).await["history"][1]["by"], "root");
    // Names are told apart, and have rules; the list shows no token and no hash.
    for (name, role, status) in [("night-shift", "view", 409), ("root", "view", 400), ("A B", "view", 400)] {
        let wish = json!({"name": name, "role": role});
        assert_eq!(shop.ask(Method::POST, "/v1/tokens", Some(&wish)).await.0, status, "{name}");
    }
    assert!(!shop.cli(&["token", "add", "x", "--role", "god"], "").status.success());
    let list = shop.json(&["token", "list"], "");
    assert_eq!(list["tokens"], json!([{"name": "night-shift", "role": "operate", "created_at": added["created_at"]}]));
    shop.json(&["token", "remove", "night-shift"], "");
    assert_eq!(shop.ask_as(&secret, Method::GET, "/v1/info", None).await.0, 401, "here at once");
    becomes(&other, &secret, 401).await;
    assert!(!shop.cli(&["token", "remove", "night-shift"], "").status.success(), "it is gone already");
    let logs = [&shop, &other].map(|daemon| daemon.data.join("log"));
    let written = shop.data.join("redis/appendonlydir").read_dir().unwrap().map(|entry| entry.unwrap().path());
    for file in written.chain(logs) {
        let text = std::fs::read(&file).unwrap();
        assert!(!String::from_utf8_lossy(&text).contains(&secret), "{}", file.display());
    }
    shop.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_goes_on_working_while_redis_is_away() {
    let mut redis = TestRedis::start();
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    let shop = Daemon::at(&folder.path().join("d"), &format!("[store]\nurl = \"{}\"\n", redis.url()));
    let secret = token(&shop.json(&["token", "add", "steady", "--role", "view"], ""));
    redis.kill();
    let began = Instant::now();
    while shop.is_ready().await {
        assert!(began.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (status, info) = shop.ask_as(&secret, Method::GET, "/v1/info", None).await;
    assert_eq!((status, info["operator"].as_str(), info["ready"].as_bool()), (200, Some("steady"), Some(false)));
    redis.restart();
    becomes(&shop, &secret, 200).await;
}

/// Whoever hangs up, and a store that is away for a while, take no line of the trail with them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_done_is_written_whoever_hangs_up_and_whatever_the_store_does() {
    let redis = TestRedis::start();
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    let store = format!("[store]\nurl = \"{}\"\ntimeout_ms = 500\n", redis.url());
    let shop = Daemon::at(&folder.path().join("d"), &store);
    shop.product("left", &[], 3);
    let lines = async |wanted: &str| {
        let began = Instant::now();
        loop {
            let trail = shop.admin("/v1/trail").await;
            let found = trail["trail"].as_array().unwrap().iter().filter(|deed| deed["what"] == wanted).count();
            if found > 0 || began.elapsed() > Duration::from_secs(40) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    // It stands at the store when the one who asked for it goes away.
    let price = json!({"price": "0.01"});
    redis.freeze(true);
    let asked = shop.ask_as(shop.token(), Method::PATCH, "/v1/products/left", Some(&price));
    assert!(tokio::time::timeout(Duration::from_millis(200), asked).await.is_err(), "it was answered");
    redis.freeze(false);
    assert_eq!(lines("product set").await, 1);
    // It is not known whether it was done: the answer says so, and the line comes when the store is back.
    redis.freeze(true);
    let body = json!({"count": 1});
    let (status, _) = shop.ask_as(shop.token(), Method::POST, "/v1/products/left/void", Some(&body)).await;
    assert_eq!(status, 503);
    tokio::time::sleep(Duration::from_secs(2)).await;
    redis.freeze(false);
    assert_eq!(lines("keys void").await, 1);
    // The try that nobody heard of and the one that is made again are one line.
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert_eq!(lines("keys void").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_ends_with_the_token_that_opened_it() {
    let shop = Daemon::start("");
    let viewer = token(&shop.json(&["token", "add", "eyes", "--role", "view"], ""));
    let open = async |token: &str| {
        let stream = shop.http.get(format!("{}/v1/stream", shop.admin_url())).bearer_auth(token).send().await.unwrap();
        assert_eq!(stream.status().as_u16(), 200);
        stream
    };
    let (mut theirs, mut root) = (open(&viewer).await, open(shop.token()).await);
    assert!(theirs.chunk().await.unwrap().is_some() && root.chunk().await.unwrap().is_some());
    // One of the same name and role is somebody else.
    shop.json(&["token", "remove", "eyes"], "");
    shop.json(&["token", "add", "eyes", "--role", "view"], "");
    let ends = async { while theirs.chunk().await.unwrap().is_some() {} };
    tokio::time::timeout(Duration::from_secs(20), ends).await.expect("it goes on");
    for _ in 0..3 {
        assert!(root.chunk().await.unwrap().is_some());
    }
}
