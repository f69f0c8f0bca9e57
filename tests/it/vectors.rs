//! The captured epay callbacks, through `kamid channel verify` and through the channel's own requests.

use std::path::PathBuf;
use std::process::Command;

use kamid::channel::{Channels, Checkout, Step};
use kamid::domain::{Currency, Money};
use kamid::settings::Section;
use serde_json::Value;

fn vectors() -> Vec<(PathBuf, Value)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/epay_v1");
    let mut all: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap()))
        .collect();
    all.sort_by(|a: &(PathBuf, Value), b| a.0.cmp(&b.0));
    all
}

fn allowed(expect: &Value, one: &str, more: &str) -> Vec<Value> {
    let mut values = expect[more].as_array().cloned().unwrap_or_default();
    values.push(expect[one].clone());
    values
}

#[test]
fn every_captured_callback_gets_its_verdict() {
    let mut seen = 0;
    for (path, vector) in vectors().iter().filter(|(_, vector)| vector["kind"] == "notify") {
        let done = Command::new(env!("CARGO_BIN_EXE_kamid"))
            .args(["channel", "verify", "--json", "--explain", "--capture"])
            .arg(path)
            .output()
            .unwrap();
        assert!(done.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&done.stderr));
        let report: Value = serde_json::from_slice(&done.stdout).unwrap();
        let expect = &vector["expect"];
        assert!(allowed(expect, "verdict", "verdicts_ok").contains(&report["verdict"]), "{}: {report}", path.display());
        if report["verdict"] != "accept" {
            assert!(
                allowed(expect, "reason", "reasons_ok").contains(&report["reason"]),
                "{}: {report}",
                path.display()
            );
        }
        if !expect["extracted"].is_null() {
            assert_eq!(report["extracted"], expect["extracted"], "{}", path.display());
        }
        assert_eq!(report["answer"]["status"], expect["answer"]["status"], "{}", path.display());
        assert_eq!(report["answer"]["body"], expect["answer"]["body"], "{}", path.display());
        let key = vector["config"]["key"].as_str().unwrap();
        assert!(!String::from_utf8_lossy(&done.stdout).contains(key), "the key is shown");
        seen += 1;
    }
    assert_eq!(seen, 32);
}

#[test]
fn the_payment_page_and_the_query_are_what_the_sdk_makes() {
    for (path, vector) in vectors() {
        let mut settings = vector["config"].as_object().unwrap().clone();
        settings.insert("kind".to_owned(), "epay_v1".into());
        settings.extend(vector["input"]["pay_type"].as_str().map(|kind| ("pay_type".to_owned(), kind.into())));
        let section = Section::from_json("config", &settings);
        let channels = Channels::build(&[("pay".to_owned(), section)], true).unwrap();
        let channel = channels.get("pay").unwrap();
        let number = vector["order"]["order_no"].as_str().unwrap_or_default();
        if path.ends_with("c01-submit-url.json") {
            let text = |name: &str| vector["input"][name].as_str().unwrap();
            let checkout = Checkout {
                number,
                amount: Money { minor: vector["order"]["amount_minor"].as_i64().unwrap(), currency: Currency::CNY },
                subject: Some(text("subject")),
                notify_url: text("notify_url"),
                return_url: text("return_url"),
                extra: &[("clientip", text("client_ip")), ("device", text("device")), ("param", text("param"))],
            };
            let Step::Redirect { url } = channel.checkout(&checkout, 0) else { panic!("no redirect") };
            let set = |url: &str| {
                let mut pairs: Vec<String> = url.split_once('?').unwrap().1.split('&').map(str::to_owned).collect();
                pairs.sort();
                pairs
            };
            assert_eq!(set(&url), set(vector["output"]["url_by_sdk"].as_str().unwrap()));
        }
        if path.ends_with("q01-query-url.json") {
            assert_eq!(channel.query(number, 0).unwrap().url, vector["output"]["url"]);
            for answer in vector["answers"].as_array().unwrap() {
                let word =
                    format!("{:?}", channel.answer(number, answer["body"].to_string().as_bytes())).to_lowercase();
                let means = answer["means"].as_str().unwrap();
                // Another amount is told as paid: the caller holds it against what is due and parks it for a person.
                let fits = match means {
                    _ if means.starts_with("mismatch") => word == "mismatch" || word.contains("minor: 1,"),
                    _ => word.starts_with(means.split(' ').next().unwrap()),
                };
                assert!(fits, "{means}: {word}");
            }
        }
    }
}

/// What a request whose head is past all limits is answered, over a plain socket.
fn refused(public: &str, query: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(public.trim_start_matches("http://")).unwrap();
    let _cut = stream.write_all(format!("GET /pay/pay/notify?{query} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
    let mut head = [0u8; 12];
    stream.read_exact(&mut head).unwrap();
    String::from_utf8_lossy(&head).into_owned()
}

/// The order a capture tells of, in the daemon's own store.
async fn create(store: &kamid::store::Store, number: &str, minor: i64, currency: &str) {
    use kamid::domain::PaymentNo;
    let no: PaymentNo = number.parse().unwrap();
    let amount = Money { minor, currency: currency.parse().unwrap() };
    let product = crate::support::redis::product("vectors", kamid::domain::Take::Payment);
    let product = kamid::domain::Product { slot: no.order.slot().index(), ..product };
    let contact = kamid::vault::Vault::ephemeral().unwrap().seal(b"x").unwrap();
    let now = store.now();
    let draft = crate::support::redis::draft(&product, &contact, no.order, 1, now);
    let new = kamid::store::NewOrder { amount, attempt: no.attempt, channel: "pay", ..draft };
    assert_eq!(store.reserve(&new).await.unwrap(), kamid::store::Reserved::Created);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_captured_callback_is_answered_as_told_over_http() {
    use data_encoding::BASE64;
    let redis = crate::support::redis::TestRedis::start();
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    let settings = format!("[store]\nurl = \"{}\"\n[limits]\nrejected_per_minute = 1000\n", redis.url());
    let shop = crate::support::shop::Daemon::at(&folder.path().join("d"), &settings);
    // The slot that the captures' numbers live in.
    shop.product("vectors", &["--slot", "40", "--take", "payment"], 60);
    let store = redis.store().await;
    for (path, vector) in vectors() {
        let steps = match vector["kind"].as_str() {
            Some("notify") => vec![vector.clone()],
            Some("sequence") => vector["steps"].as_array().unwrap().clone(),
            _ => continue,
        };
        if path.ends_with("r18-huge.json") {
            // 100 KB of query never reach a channel: the HTTP library refuses such a head by itself.
            let head = refused(&shop.public, vector["request"]["query"].as_str().unwrap());
            assert!(head.starts_with("HTTP/1.1 414") || head.starts_with("HTTP/1.1 431"), "{head}");
            continue;
        }
        let order = &vector["order"];
        let number = order["order_no"].as_str().unwrap_or_default();
        let (minor, currency) =
            (order["amount_minor"].as_i64().unwrap_or(0), order["currency"].as_str().unwrap_or("CNY"));
        if vector["kind"] == "notify" && order.is_object() {
            create(&store, number, minor, currency).await;
        }
        for step in steps {
            if step["do"] == "create_order" {
                create(&store, number, minor, currency).await;
                continue;
            }
            let request = &step["request"];
            let query = request["query"].as_str().map(|query| format!("?{query}")).unwrap_or_default();
            let url = format!("{}/pay/pay/notify{query}", shop.public);
            let method = reqwest::Method::from_bytes(request["method"].as_str().unwrap().as_bytes()).unwrap();
            let mut sent = shop
                .http
                .request(method, url)
                .body(BASE64.decode(request["body_b64"].as_str().unwrap().as_bytes()).unwrap());
            for header in request["headers"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|header| header[0] != "Host" && header[0] != "Content-Length")
            {
                sent = sent.header(header[0].as_str().unwrap(), header[1].as_str().unwrap());
            }
            let answer = sent.send().await.unwrap();
            let got = (answer.status().as_u16(), answer.text().await.unwrap());
            let verdict = step["expect"]["verdict"].as_str().or(step["verdict"].as_str()).unwrap();
            let wanted = if verdict == "reject" { (400, "fail") } else { (200, "success") };
            assert_eq!((got.0, got.1.as_str()), wanted, "{}: {verdict}", path.display());
        }
    }
    shop.audit();
}
