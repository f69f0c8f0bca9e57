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
