//! Addresses blocked by hand: refused on every instance before anything is read, and let in again.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use crate::support::shop::Daemon;

fn from(last: u8) -> reqwest::Client {
    let local = IpAddr::from([127, 0, 0, last]);
    reqwest::Client::builder().no_proxy().local_address(local).timeout(Duration::from_secs(20)).build().unwrap()
}

/// Sends an unsigned callback until its status is the wanted one.
async fn becomes(client: &reqwest::Client, shop: &Daemon, wanted: u16) {
    let began = Instant::now();
    while client.get(format!("{}/pay/pay/notify", shop.public)).send().await.unwrap().status() != wanted {
        assert!(began.elapsed() < Duration::from_secs(20), "never {wanted}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blocked_address_hears_429_on_every_instance_until_it_is_let_in() {
    let mut shop = Daemon::start("[limits]\nrejected_per_minute = 10000\n");
    let other = shop.second();
    shop.product("shut", &[], 3);
    let id = shop.order("shut", 1).await;
    let (forger, gateway) = (from(7), from(8));
    let block = ["address", "block", "127.0.0.7", "--minutes", "5", "--reason", "forges"];
    let refused = shop.cli(&block, "");
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && told.contains("this machine's own") && told.contains("force"), "{told}");
    let blocked = shop.json(&[&block[..], &["--force"]].concat(), "");
    assert!(blocked["advice"].as_str().unwrap().contains("a gateway behind it is blocked"), "{blocked}");
    let minutes = (blocked["until_at"].as_u64().unwrap() - blocked["since"].as_u64().unwrap()) / 60_000;
    assert_eq!((minutes, blocked["by"].as_str(), blocked["reason"].as_str()), (5, Some("root"), Some("forges")));
    // Here at once, and a genuine callback too; elsewhere within a moment; others are not concerned.
    let genuine = format!("{}{}", shop.public, shop.callback(&format!("{id}01"), "B1", 990));
    let answer = forger.get(&genuine).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap().as_str()), (429, "fail"));
    becomes(&forger, &other, 429).await;
    becomes(&gateway, &shop, 400).await;
    assert_eq!(shop.state(&id).await, "pending");
    let listed = other.json(&["address", "list"], "")["addresses"].clone();
    assert_eq!((listed[0]["address"].as_str(), listed.as_array().unwrap().len()), (Some("127.0.0.7"), 1));
    // It is still there after a restart.
    assert!(shop.stop());
    shop.run();
    becomes(&forger, &shop, 429).await;
    shop.json(&["address", "unblock", "127.0.0.7"], "");
    becomes(&forger, &shop, 400).await;
    becomes(&forger, &other, 400).await;
    let genuine = format!("{}{}", shop.public, shop.callback(&format!("{id}01"), "B1", 990));
    assert_eq!(forger.get(&genuine).send().await.unwrap().status(), 200);
    assert!(!shop.cli(&["address", "unblock", "127.0.0.7"], "").status.success(), "it is not blocked");
    let trail = shop.admin("/v1/trail").await["trail"].clone();
    let told = |n: usize| ["what", "on", "reason", "result"].map(|name| trail[n][name].as_str().unwrap().to_owned());
    assert_eq!(told(0), ["address unblock", "127.0.0.7", "", "done"]);
    assert_eq!(told(1), ["address block", "127.0.0.7", "forges", "5 minutes"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_address_and_what_would_shut_the_shop_is_refused() {
    let server = "[server]\npublic = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\ntrusted_proxies = [\"10.1.0.0/16\"]\n";
    let shop = Daemon::start(server);
    for (address, minutes, reason, status) in [
        ("203.0.113.9", 0, "x", 400),
        ("203.0.113.9", 10_081, "x", 400),
        ("203.0.113.9", 5, " ", 400),
        ("203.0.113", 5, "x", 400),
        ("203.0.113.0/24", 5, "x", 400),
        ("2001:db8:1::/48", 5, "x", 400),
        ("203.0.113.9/33", 5, "x", 400),
        ("203.0.113.7/32", 5, "x", 200),
        ("2001:db8:1:9::/64", 5, "x", 200),
        ("::ffff:203.0.113.8/128", 5, "x", 200),
        ("::1", 5, "x", 409),
        ("::ffff:127.0.0.1", 5, "x", 409),
        ("10.1.2.3", 5, "x", 409),
        ("10.2.2.3", 5, "x", 200),
        ("::ffff:203.0.113.9", 5, "x", 200),
        ("2001:db8:1:2:3::4", 5, "x", 200),
    ] {
        let wish = json!({"address": address, "minutes": minutes, "reason": reason});
        let (heard, answer) = shop.ask(Method::POST, "/v1/addresses/block", Some(&wish)).await;
        assert_eq!(heard, status, "{address}: {answer}");
        let net = address.ends_with("/24") || address.ends_with("/48");
        let says = answer["detail"].as_str().unwrap_or_default();
        assert_eq!(net, says.contains("one address at a time") && says.contains("firewall"), "{answer}");
        assert!(status != 409 || answer["detail"].as_str().unwrap().contains("would hear 429"), "{answer}");
    }
    let listed = shop.admin("/v1/addresses").await["addresses"].clone();
    let names: Vec<&str> = listed.as_array().unwrap().iter().map(|one| one["address"].as_str().unwrap()).collect();
    let wanted = ["10.2.2.3", "203.0.113.7", "203.0.113.8", "203.0.113.9", "2001:db8:1:2::", "2001:db8:1:9::"];
    assert_eq!(names, wanted);
    shop.json(&["address", "unblock", "203.0.113.7/32"], "");
    let refused = shop.cli(&["address", "unblock", "203.0.113.0/24"], "");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("one address at a time"));
}
