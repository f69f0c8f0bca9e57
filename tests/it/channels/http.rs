//! The captures over HTTP, against a running daemon.

use kamid::domain::Money;

use super::vectors;

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
    for (path, vector) in vectors("epay_v1") {
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
