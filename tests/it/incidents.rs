//! A failed callback is kept, told in words, exported, and replayed once the configuration is mended.

use serde_json::Value;

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
    assert!(shown["canonical"].as_str().unwrap().ends_with("&type=alipay{key}"), "{shown}");
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
