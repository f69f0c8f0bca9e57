//! The captures of every kind over HTTP, against one running daemon with a channel for each of their settings. Its clock
//! begins at the moment they were made.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use data_encoding::BASE64;
use kamid::channel::KINDS;
use kamid::domain::{Money, Opened, PaymentNo};
use kamid::store::Store;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixStream};

use super::{check_answer, text, vectors};
use crate::support::redis::TestRedis;
use crate::support::shop::Daemon;
use crate::support::tunnel::Tunnel;

/// What a request whose head is past all limits is answered, over a plain socket.
fn refused(public: &str, path: &str, query: &str) -> String {
    let mut stream = std::net::TcpStream::connect(public.trim_start_matches("http://")).unwrap();
    let _cut = stream.write_all(format!("GET {path}?{query} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
    let mut head = [0u8; 12];
    stream.read_exact(&mut head).unwrap();
    String::from_utf8_lossy(&head).into_owned()
}

/// The order a capture tells of, in the daemon's own store.
async fn create(store: &Store, channel: &str, order: &Value) {
    let no: PaymentNo = text(order, "order_no").parse().unwrap();
    let amount =
        Money { minor: order["amount_minor"].as_i64().unwrap(), currency: text(order, "currency").parse().unwrap() };
    let product = crate::support::redis::product("vectors", kamid::domain::Take::Payment);
    let product = kamid::domain::Product { slot: no.order.slot().index(), ..product };
    let contact = kamid::vault::Vault::ephemeral().unwrap().seal(b"x").unwrap();
    let draft = crate::support::redis::draft(&product, &contact, no.order, 1, store.now());
    let new = kamid::store::NewOrder { amount, attempt: no.attempt, channel, ..draft };
    assert_eq!(store.reserve(&new).await.unwrap(), kamid::store::Reserved::Created);
    let known = ["gateway_ref", "txn_time", "pay_address", "pay_type"].iter().find_map(|name| order[*name].as_str());
    if let Some(reference) = known {
        let opened = Opened { reference: reference.to_owned(), step: String::new() };
        assert!(store.open(no.order, no.attempt, &opened).await.unwrap());
    }
}

/// Answers of the gateways' API, by path.
async fn api(answers: BTreeMap<String, String>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answers = Arc::new(answers);
    let app = axum::Router::new().fallback(move |uri: axum::http::Uri| {
        let answers = Arc::clone(&answers);
        async move {
            let found = answers.get(uri.path()).cloned();
            found.map_or((axum::http::StatusCode::NOT_FOUND, String::new()), |body| (axum::http::StatusCode::OK, body))
        }
    });
    tokio::spawn(crate::support::gateway::serve(listener, app));
    url
}

/// Settings that can be run with: what a daemon refuses to start with is for `kamid channel verify` to say.
fn usable(config: &Value) -> bool {
    let bare = |value: &Value| value == "" || value == "whsec_";
    let empty = |value: &Value| bare(value) || value.as_array().is_some_and(|all| all.iter().any(bare));
    !config.as_object().unwrap().values().any(empty)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_captured_callback_is_answered_as_told_over_http() {
    let kinds: Vec<&str> = KINDS.iter().filter(|kind| !kind.test_only).map(|kind| kind.name).collect();
    let (mut answers, mut certs) = (BTreeMap::new(), BTreeMap::new());
    answers.insert("/v1/oauth2/token".to_owned(), json!({"access_token": "t", "expires_in": 3600}).to_string());
    let mut cases = Vec::new();
    for kind in &kinds {
        for (path, vector) in vectors(kind) {
            for (name, answer) in vector["gateway_api_answers"].as_object().into_iter().flatten() {
                answers.insert(name.split(' ').nth(1).unwrap().to_owned(), answer.to_string());
            }
            for (url, cert) in vector["fetchable_certs"].as_object().into_iter().flatten() {
                certs.insert(url.splitn(4, '/').nth(3).unwrap().to_owned(), cert.as_str().unwrap().to_owned());
            }
            // PayPal's API says what its genuine events say, unless the capture tells otherwise.
            let body = BASE64.decode(text(&vector["request"], "body_b64").as_bytes()).unwrap_or_default();
            let event: Value = serde_json::from_slice(&body).unwrap_or_default();
            if *kind == "paypal" && event["event_type"] == "PAYMENT.CAPTURE.COMPLETED" {
                let path = format!("/v2/payments/captures/{}", text(&event["resource"], "id"));
                answers.entry(path).or_insert_with(|| event["resource"].to_string());
            }
            let is_case = matches!(vector["kind"].as_str(), Some("notify" | "sequence"));
            // A second more or less decides about these: `kamid channel verify` tells of them with a clock that stands still.
            let edge = ["future", "299s"].iter().any(|word| path.to_str().unwrap().contains(word));
            if is_case && !edge && usable(&vector["config"]) {
                cases.push(((*kind).to_owned(), path, vector));
            }
        }
    }
    let url = api(answers).await;
    let mut sections: Vec<(String, String)> = Vec::new();
    let mut settings = String::from("[limits]\nrejected_per_minute = 100000\nasks_per_second = 0\n");
    for (kind, _, vector) in &mut cases {
        let config = vector["config"].as_object_mut().unwrap();
        config.insert("kind".to_owned(), json!(kind));
        for name in ["server_url", "api_base"] {
            if config.contains_key(name) {
                config.insert(name.to_owned(), json!(url));
            }
        }
        let section = toml::to_string(&json!({"channel": {"NAME": config}})).unwrap();
        if !sections.iter().any(|(known, _)| *known == section) {
            let name = format!("c{}", sections.len());
            settings += &section.replace("channel.NAME", &format!("channel.{name}"));
            sections.push((section, name));
        }
        vector["section"] = json!(toml::to_string(&json!({"channel": {"NAME": vector["config"]}})).unwrap());
    }
    let redis = TestRedis::start();
    let then = in_the_past(redis.url(), 1_763_884_800).await;
    let app = axum::Router::new().fallback(move |uri: axum::http::Uri| async move {
        let found = certs.get(uri.path().trim_start_matches('/')).cloned();
        found.ok_or(axum::http::StatusCode::NOT_FOUND)
    });
    let tunnel = Tunnel::start(&["api.paypal.com", "api.sandbox.paypal.com"], app).await;
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    settings += &tunnel.settings(&folder.path().join("ca.pem"));
    let settings = format!("[store]\nurl = \"{then}\"\n{settings}");
    let shop = Daemon::quiet(&folder.path().join("d"), &settings);
    // The slot that the captures' numbers live in.
    shop.product("vectors", &["--slot", "40", "--take", "payment"], 400);
    let store = store_of(&then).await;
    for (_, path, vector) in &cases {
        let (_, channel) = sections.iter().find(|(known, _)| *known == text(vector, "section")).unwrap();
        play(&shop, &store, channel, path, vector).await;
    }
    shop.audit();
    let strange = tunnel.connected.lock().unwrap().iter().find(|host| !host.ends_with("paypal.com:443")).cloned();
    assert_eq!(strange, None, "nothing else is ever fetched");
}

async fn store_of(url: &str) -> Store {
    let config = kamid::config::Config::parse(&format!("[store]\nurl = \"{url}\"\n"), Path::new("")).unwrap();
    Store::connect(&config.store, None, true).await.unwrap()
}

/// The same Redis, whose `TIME` begins at `then`: a daemon's clock is its store's. What stands between them changes the ten
/// digits of the seconds and nothing else.
async fn in_the_past(url: String, then: u64) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = format!("redis://{}", listener.local_addr().unwrap());
    let (socket, began) = (url.trim_start_matches("unix://").to_owned(), seconds());
    tokio::spawn(async move {
        while let Ok((daemon, _)) = listener.accept().await {
            let redis = UnixStream::connect(&socket).await.unwrap();
            let ((mut from_daemon, mut to_daemon), (mut from_redis, mut to_redis)) =
                (daemon.into_split(), redis.into_split());
            tokio::spawn(async move { tokio::io::copy(&mut from_daemon, &mut to_redis).await });
            tokio::spawn(async move {
                let mut buffer = vec![0; 65_536];
                while let Ok(count @ 1..) = from_redis.read(&mut buffer).await {
                    let part = &mut buffer[..count];
                    const HEAD: &[u8] = b"*2\r\n$10\r\n";
                    if part.starts_with(HEAD)
                        && let Some(digits) = part.get_mut(HEAD.len()..HEAD.len() + 10)
                        && let Some(now) = std::str::from_utf8(digits).ok().and_then(|text| text.parse::<u64>().ok())
                        && now.abs_diff(seconds()) < 5
                    {
                        digits.copy_from_slice((then + now - began).to_string().as_bytes());
                    }
                    if to_daemon.write_all(&buffer[..count]).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    here
}

fn seconds() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

async fn play(shop: &Daemon, store: &Store, channel: &str, path: &Path, vector: &Value) {
    let what = path.display().to_string();
    let target = format!("/pay/{channel}/notify");
    let query = text(&vector["request"], "query");
    if query.len() > 60_000 {
        // So much of it never reaches a channel: the HTTP library refuses such a head by itself.
        let head = refused(&shop.public, &target, query);
        assert!(head.starts_with("HTTP/1.1 414") || head.starts_with("HTTP/1.1 431"), "{head}");
        return;
    }
    let steps = match vector["steps"].as_array() {
        Some(steps) => steps.clone(),
        None => vec![vector.clone()],
    };
    if vector["kind"] == "notify" && vector["order"].is_object() {
        create(store, channel, &vector["order"]).await;
    }
    for step in steps {
        if step["do"] == "create_order" {
            create(store, channel, &vector["order"]).await;
            continue;
        }
        let request = &step["request"];
        let query = text(request, "target").split_once('?').map(|(_, query)| format!("?{query}")).unwrap_or_default();
        let method = reqwest::Method::from_bytes(text(request, "method").as_bytes()).unwrap();
        let body = BASE64.decode(text(request, "body_b64").as_bytes()).unwrap();
        let mut sent = shop.http.request(method, format!("{}{target}{query}", shop.public)).body(body);
        for header in request["headers"].as_array().unwrap() {
            let (name, value) = (header[0].as_str().unwrap(), header[1].as_str().unwrap());
            if name != "Host" && name != "Content-Length" {
                sent = sent.header(name, value);
            }
        }
        let large = text(request, "body_b64").len() > 80_000;
        let answer = match sent.send().await {
            // The daemon answers before the whole body came, and hangs up: the answer may be lost on the way.
            Err(_) if large => continue,
            answer => answer.unwrap(),
        };
        if large && answer.status().as_u16() >= 400 {
            let closes = answer.headers().get("connection").is_some_and(|value| value == "close");
            assert!(closes, "{what}: a connection that closes says so");
        }
        let (status, body) = (u64::from(answer.status().as_u16()), answer.text().await.unwrap());
        if step["expect"].is_object() {
            check_answer(&what, &step["expect"], status, &body);
        } else {
            let refuse = step["verdict"] == "reject";
            assert_eq!(status >= 400, refuse, "{what}: {step}: {status} {body}");
        }
    }
    if vector["kind"] == "sequence" {
        let no: PaymentNo = text(&vector["order"], "order_no").parse().unwrap();
        let order = store.order(no.order).await.unwrap().unwrap();
        assert_eq!(order.keys.len() as u64, vector["deliveries_in_the_end"].as_u64().unwrap_or(1), "{what}");
    }
}
