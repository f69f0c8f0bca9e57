//! Nothing secret where it must not be: in files, logs at trace level, metrics, incidents, the stream, errors.

use crate::support::shop::{Daemon, KEY};

/// Every file of a data directory that is not a place for secrets.
fn files(data: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut folders = vec![data.to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file()
                && !["epay.key", "ring.json", "admin.token"].iter().any(|name| path.ends_with(name))
            {
                found.push(path);
            }
        }
    }
    found
}

fn holds(text: &[u8], secret: &str) -> bool {
    text.windows(secret.len()).any(|part| part == secret.as_bytes())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_key_token_or_merchant_secret_is_anywhere_it_must_not_be() {
    let mut shop = Daemon::start("");
    shop.product("secret", &[], 20);
    let wish = serde_json::json!({"product": "secret", "quantity": 3, "contact": "who@example.test", "channel": "pay"});
    let (_, order) = shop.post("/v1/orders", &wish).await;
    let (id, token) = (order["id"].as_str().unwrap().to_owned(), order["token"].as_str().unwrap().to_owned());
    assert_eq!(shop.pay(&id, "P1", 2970).await.0, 200);
    let (status, page) = shop.send(&format!("/o/{id}?token={token}")).await;
    assert!(status == 200 && page.contains("PLAIN-secret-"), "the buyer sees the keys");
    assert_eq!(shop.send(&format!("/v1/orders/{id}?token=wrong")).await.0, 404);
    // What fails: forged, malformed, an unknown number, a key as a parameter's value.
    for path in ["?sign=0", "?a=%ff", "?sign=1&name=x&out_trade_no=PLAIN"] {
        assert_eq!(shop.send(&format!("/pay/pay/notify{path}")).await.0, 400);
    }
    assert_eq!(shop.send(&shop.callback("KO251123160000L7U2REDP", "U1", 990)).await.0, 400);
    let _void = shop.json(&["keys", "void", "secret", "--count", "2"], "");
    let replaced = shop.json(&["order", "replace", &id, "--reason", "it does not work"], "");
    assert_eq!(replaced["result"], "replaced");
    let mut seen: Vec<(String, Vec<u8>)> = Vec::new();
    let paths = [
        "/metrics",
        "/v1/info",
        "/v1/products",
        "/v1/orders",
        "/v1/orphans",
        "/v1/audit",
        "/v1/incidents",
        "/v1/channels",
        "/v1/tokens",
        "/v1/trail",
        "/v1/addresses",
    ];
    for path in paths {
        seen.push((path.to_owned(), shop.admin_text(path).await));
    }
    seen.push(("the order".to_owned(), shop.admin_text(&format!("/v1/orders/{id}")).await));
    for incident in shop.admin("/v1/incidents").await["incidents"].as_array().unwrap() {
        let path = format!("/v1/incidents/{}", incident["id"].as_str().unwrap());
        seen.push((path.clone(), shop.admin_text(&path).await));
        seen.push((path.clone(), shop.admin_text(&format!("{path}/capture")).await));
    }
    seen.push(("the stream".to_owned(), shop.stream_line().await));
    let metrics = &seen[0].1;
    assert!(holds(metrics, "kamid_callbacks_total") && holds(metrics, "reason=\"bad_signature\""));
    assert!(shop.stop());
    let admin_token = std::fs::read_to_string(shop.data.join("admin.token")).unwrap();
    for (place, text) in &seen {
        for secret in ["PLAIN-secret-", KEY, admin_token.trim()] {
            assert!(!holds(text, secret), "{secret} in {place}");
        }
        // The operator may see an order's page and its token; nobody else.
        assert!(place == "the order" || !holds(text, &token), "the order's token in {place}");
    }
    for file in files(&shop.data) {
        let text = std::fs::read(&file).unwrap();
        for secret in ["PLAIN-secret-", KEY, admin_token.trim(), &token, "who@example.test"] {
            assert!(!holds(&text, secret), "{secret} in {}", file.display());
        }
    }
}
