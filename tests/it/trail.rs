//! The trail: what operators did and what was refused by the state of things, by whom; nothing secret, nothing that did
//! not happen.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::shop::Daemon;

/// What the trail says of all that is done below, the oldest first.
fn deeds(id: &str) -> [String; 15] {
    [
        "root|product add|trod|low 2; price 9.90 CNY||done".to_owned(),
        "root|keys import|trod|||5 imported".to_owned(),
        "root|token add|anna|role operate||operate".to_owned(),
        "root|token add|eyes|role view||view".to_owned(),
        format!("root|order new|trod|quantity 1; channel pay||{id}"),
        format!("anna|order expire|{id}|state pending → expired|the buyer\u{fffd} left|expired"),
        format!("anna|order approve|{id}||let it be|conflict"),
        "root|product set|trod|price 9.90 CNY → 8.00 CNY||done".to_owned(),
        "root|product set|trod|low 2 → 0; per_contact none → 5 keys in 24 hours; sale_from none → 2030-01-02T03:04:05Z||done".to_owned(),
        "root|address block|203.0.113.7|until UNTIL|it forges|60 minutes".to_owned(),
        "root|address block|203.0.113.7|until UNTIL → LATER|it goes on|120 minutes".to_owned(),
        "root|address unblock|203.0.113.7|until LATER → none||done".to_owned(),
        "root|keys void|trod|||2 voided".to_owned(),
        "root|keys restore|trod|||1 restored".to_owned(),
        "root|token remove|eyes|role view → none||done".to_owned(),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_change_stands_in_the_trail_and_nothing_secret() {
    let shop = Daemon::start("");
    let other = shop.second();
    shop.product("trod", &["--low", "2"], 5);
    let added = shop.json(&["token", "add", "anna", "--role", "operate"], "");
    let anna = added["token"].as_str().unwrap().to_owned();
    let eyes = shop.json(&["token", "add", "eyes", "--role", "view"], "")["token"].as_str().unwrap().to_owned();
    let id = shop.order("trod", 1).await;
    let act = async |action: &str, body: Value| {
        shop.ask_as(&anna, Method::POST, &format!("/v1/orders/{id}/act/{action}"), Some(&body)).await.0
    };
    assert_eq!(act("expire", json!({"reason": "the buyer\u{1b} left"})).await, 200);
    assert_eq!(act("approve", json!({"reason": "let it be"})).await, 409);
    assert_eq!(act("refund", json!({})).await, 400, "no reason: it did nothing");
    assert_eq!(act("fly", json!({"reason": "x"})).await, 400);
    let refused = shop.ask_as(&eyes, Method::POST, "/v1/products/trod/void", Some(&json!({"count": 1}))).await;
    assert_eq!(refused.0, 403);
    shop.json(&["product", "set", "trod", "--price", "8.00"], "");
    let more = ["--low", "0", "--per-contact", "5/24h", "--sale-from", "2030-01-02T03:04:05Z"];
    shop.json(&[&["product", "set", "trod"][..], &more].concat(), "");
    let mut until = Vec::new();
    for (minutes, why) in [("60", "it forges"), ("120", "it goes on")] {
        let block = ["address", "block", "203.0.113.7", "--minutes", minutes, "--reason", why];
        let at = shop.json(&block, "")["until_at"].as_u64().unwrap();
        until.push(format!("{:.0}", jiff::Timestamp::from_millisecond(at.cast_signed()).unwrap()));
    }
    shop.json(&["address", "unblock", "203.0.113.7"], "");
    let keys = json!({"keys": "PLAIN-trod-000000\nPLAIN-trod-000001\n"});
    assert_eq!(shop.ask(Method::POST, "/v1/products/trod/void", Some(&keys)).await.0, 200);
    shop.json(&["keys", "restore", "trod", "--count", "1"], "");
    shop.json(&["token", "remove", "eyes"], "");
    let look = shop.ask(Method::POST, "/v1/orders/look", Some(&json!({"ids": [id]}))).await;
    assert_eq!(look.0, 200);
    let trail = other.json(&["trail"], "");
    let lines: Vec<String> = trail["trail"]
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .map(|deed| {
            ["by", "what", "on", "change", "reason", "result"].map(|name| deed[name].as_str().unwrap()).join("|")
        })
        .collect();
    let expected = deeds(&id).map(|line| line.replace("UNTIL", &until[0]).replace("LATER", &until[1]));
    assert_eq!(lines, expected);
    let shown = String::from_utf8(shop.cli(&["trail"], "").stdout).unwrap();
    assert!(shown.contains("9.90 CNY → 8.00 CNY"), "{shown}");
    let times: Vec<u64> = trail["trail"].as_array().unwrap().iter().map(|deed| deed["at"].as_u64().unwrap()).collect();
    assert!(times.is_sorted_by(|newer, older| newer >= older) && times[0] > 1_600_000_000_000);
    assert_eq!(shop.admin("/v1/trail?limit=2").await["trail"].as_array().unwrap().len(), 2);
    let text = trail.to_string() + &std::fs::read_to_string(shop.data.join("log")).unwrap();
    for secret in ["PLAIN-", &anna, &eyes] {
        assert!(!text.contains(secret), "{secret}");
    }
}
