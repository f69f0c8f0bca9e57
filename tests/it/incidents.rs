//! A failed callback is kept, told in words, exported, and replayed once the configuration is mended.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::shop::{Daemon, KEY};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callback_refused_for_a_wrong_key_is_accepted_offline_after_the_key_is_mended() {
    let mut shop = Daemon::start("");
    shop.product("mend", &[], 3);
    let id = shop.order("mend", 1).await;
    std::fs::write(shop.data.join("epay.key"), "not-the-merchants-key").unwrap();
    assert!(shop.stop());
    shop.run();
    assert_eq!(shop.pay(&id, "G1", 990).await, (400, "fail".to_owned()));
    let incident = shop.incidents("bad_signature", 1).await.remove(0);
    assert_eq!(incident["number"], format!("{id}01"), "it names the order");
    let name = incident["id"].as_str().unwrap();
    let shown = shop.json(&["incident", "show", name], "");
    assert!(shown["canonical"].as_str().unwrap().ends_with("&trade_status=TRADE_SUCCESS{key}"), "{shown}");
    assert!(shown["advice"].as_str().unwrap().contains("key"));
    let file = shop.data.join("capture.json");
    std::fs::write(&file, shop.cli(&["incident", "export", name], "").stdout).unwrap();
    let verify = ["channel", "verify", "--capture", file.to_str().unwrap()];
    let report = shop.json(&verify, "");
    assert_eq!((report["verdict"].as_str(), report["reason"].as_str()), (Some("reject"), Some("bad_signature")));
    std::fs::write(shop.data.join("epay.key"), KEY).unwrap();
    let report = shop.json(&verify, "");
    assert_eq!((report["verdict"].as_str(), report["reason"].is_null()), (Some("accept"), true), "{report}");
    assert_eq!(report["extracted"]["gateway_trade_no"], "G1");
    assert_eq!(report["answer"], serde_json::json!({"status": 200, "body": "success"}));
    // An earlier run's incidents are still there after a restart, and the gateway's repeat settles the order.
    assert!(shop.stop());
    shop.run();
    shop.incidents("bad_signature", 1).await;
    assert_eq!(shop.pay(&id, "G1", 990).await, (200, "success".to_owned()));
    assert_eq!(shop.state(&id).await, "delivered");
    let capture: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert!(!capture.to_string().contains(KEY));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incident_is_replayed_against_the_running_configuration_without_settling() {
    let mut shop = Daemon::start("[limits]\nrejected_per_minute = 1\n");
    shop.product("again", &[], 3);
    let id = shop.order("again", 1).await;
    std::fs::write(shop.data.join("epay.key"), "not-the-merchants-key").unwrap();
    assert!(shop.stop());
    shop.run();
    assert_eq!(shop.pay(&id, "R1", 990).await, (400, "fail".to_owned()));
    let incident = shop.incidents("bad_signature", 1).await.remove(0);
    let name = incident["id"].as_str().unwrap();
    let said = shop.json(&["incident", "replay", name], "");
    let nothing = json!({
        "verdict": "reject", "reason": "bad_signature", "number": null, "amount": null, "currency": null,
        "trade_no": null, "answer": {"status": 400, "body": "fail"},
    });
    assert_eq!(said, nothing);
    std::fs::write(shop.data.join("epay.key"), KEY).unwrap();
    assert!(shop.stop());
    shop.run();
    for _ in 0..5 {
        let said = shop.json(&["incident", "replay", name], "");
        let settled = json!({
            "verdict": "accept", "reason": null, "number": format!("{id}01"), "amount": "9.90", "currency": "CNY",
            "trade_no": "R1", "answer": {"status": 200, "body": "success"},
        });
        assert_eq!(said, settled);
    }
    // Nothing was settled, noted, or charged to anybody's address.
    assert_eq!(shop.state(&id).await, "pending");
    shop.incidents("bad_signature", 1).await;
    shop.incidents("address_blocked", 0).await;
    assert_eq!(shop.pay(&id, "R1", 990).await, (200, "success".to_owned()));
    // What has no request, or no channel any more, says so.
    assert_eq!(shop.send("/pay/gone/notify?a=1").await.0, 404);
    let gone = shop.incidents("no_such_channel", 1).await.remove(0);
    let path = format!("/v1/incidents/{}/replay", gone["id"].as_str().unwrap());
    assert_eq!(shop.ask(Method::POST, &path, Some(&json!({}))).await.0, 409);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn incidents_are_filtered_and_another_instances_is_named() {
    let shop = Daemon::start("");
    let other = shop.second();
    for path in ["/pay/pay/notify", "/pay/pay/notify?a=1&a=2", "/pay/sandbox/notify"] {
        assert_eq!(shop.send(path).await.0, 400);
    }
    let all = shop.admin("/v1/incidents").await["incidents"].as_array().unwrap().clone();
    assert_eq!(all.len(), 3);
    let count =
        async |query: &str| shop.admin(&format!("/v1/incidents?{query}")).await["incidents"].as_array().unwrap().len();
    for (query, expected) in [
        ("channel=pay", 2),
        ("channel=pay&reason=duplicate_parameter", 1),
        ("address=127.0.0.1", 3),
        ("address=127.0.0.2", 0),
        ("before=1", 0),
        ("limit=1", 1),
    ] {
        assert_eq!(count(query).await, expected, "{query}");
    }
    assert!(count(&format!("before={}", all[0]["at"])).await < 3);
    assert_eq!(shop.ask(Method::GET, "/v1/incidents?chanel=pay", None).await.0, 400);
    let listed = shop.json(&["incident", "list", "--channel", "sandbox", "--before", "2999-01-01T00:00:00Z"], "");
    assert_eq!(listed["incidents"].as_array().unwrap().len(), 1);
    let name = shop.admin("/v1/info").await["instance"].as_str().unwrap().to_owned();
    let path = format!("/v1/incidents/{}", all[0]["id"].as_str().unwrap());
    let began = Instant::now();
    loop {
        let (status, problem) = other.ask(Method::GET, &path, None).await;
        assert_eq!(status, 404);
        if problem["detail"].as_str().unwrap().contains(&format!("instance {name}'s")) {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{problem}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(shop.ask(Method::GET, "/v1/incidents/none-1-1", None).await.0, 404);
}
