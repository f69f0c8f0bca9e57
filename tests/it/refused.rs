//! No request is refused without a trace, and none for a reason that leaves no doubt of what was meant.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;

use crate::support::shop::{Daemon, wait_for};

/// Sends these bytes and reads until the server closes: the status.
fn status(shop: &Daemon, bytes: &str) -> u16 {
    let mut stream = TcpStream::connect(shop.public.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(bytes.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _cut = stream.read_to_end(&mut answer);
    let line = String::from_utf8_lossy(&answer).into_owned();
    line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{bytes}: {line:?}"))
}

const END: &str = "HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_with_slashes_too_many_or_capitals_is_the_callbacks() {
    let shop = Daemon::start("");
    shop.product("near", &[], 9);
    for (at, path) in
        ["/pay/pay/notify/", "//pay/pay/notify", "/pay//pay/notify//", "/Pay/pay/Notify"].iter().enumerate()
    {
        let id = shop.order("near", 1).await;
        let right = shop.callback(&format!("{id}01"), &format!("N{at}"), 990);
        let sent = right.replace("/pay/pay/notify", path);
        assert_eq!(status(&shop, &format!("GET {sent} {END}\r\n")), 200, "{path}");
        assert_eq!(shop.state(&id).await, "delivered", "{path}");
    }
    assert_eq!(shop.admin("/v1/incidents").await["incidents"].as_array().unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_near_miss_of_a_callbacks_address_is_an_incident_that_names_it() {
    let shop = Daemon::start("[limits]\nrejected_per_minute = 1000\n");
    shop.product("near", &[], 2);
    let id = shop.order("near", 1).await;
    let right = shop.callback(&format!("{id}01"), "N1", 990);
    let misses = [
        ("/pay/pay/notify%20", "\"%20\" too much at its end"),
        ("/pay/pay", "lacks \"/notify\""),
        ("/pay/pay/notifi", "spelled otherwise"),
        ("/index.php/pay/pay/notify", "too much at its beginning"),
        ("/pay%2Fpay%2Fnotify", "percent-encoded"),
        ("/", "lacks"),
    ];
    for (at, (path, says)) in misses.iter().enumerate() {
        assert_eq!(status(&shop, &format!("GET {} {END}\r\n", right.replace("/pay/pay/notify", path))), 404, "{path}");
        let newest = shop.incidents("wrong_address", at + 1).await.remove(0);
        let shown = shop.json(&["incident", "show", newest["id"].as_str().unwrap()], "");
        let advice = shown["advice"].as_str().unwrap();
        assert!(advice.contains(says) && advice.contains("/pay/pay/notify") == (*path != "/"), "{path}: {advice}");
    }
    // What was sent tells whether it was genuine; nothing was settled by it.
    let named = shop.incidents("wrong_address", misses.len()).await;
    let named = named.iter().find(|incident| incident["channel"] == "pay").unwrap();
    let again = shop.json(&["incident", "replay", named["id"].as_str().unwrap()], "");
    assert_eq!(
        (again["verdict"].as_str(), again["number"].as_str()),
        (Some("accept"), Some(format!("{id}01").as_str()))
    );
    assert_eq!(shop.state(&id).await, "pending");
    // A stranger's wandering is counted and no incident.
    for path in ["/favicon.ico", "/wp-login.php", "/.env", "/modify"] {
        assert_eq!(status(&shop, &format!("GET {path} {END}\r\n")), 404);
    }
    assert_eq!(shop.admin("/v1/incidents").await["incidents"].as_array().unwrap().len(), misses.len());
    let metrics = String::from_utf8(shop.admin_text("/metrics").await).unwrap();
    assert!(metrics.contains("kamid_requests_refused_total{status=\"404\"} 10"), "{metrics}");
    assert!(metrics.contains("outcome=\"wrong_address\""), "{metrics}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_posted_and_signed_is_a_near_miss_wherever_it_was_posted_to() {
    let shop = Daemon::start("[limits]\nrejected_per_minute = 1000\n");
    let post = |path: &str, headers: &str, body: &str| {
        status(&shop, &format!("POST {path} {END}{headers}Content-Length: {}\r\n\r\n{body}", body.len()))
    };
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let event = "{\"id\":\"evt_1\"}";
    // No word of the address says what was meant; nor do those of pages, which buyers ask for.
    let signed = [
        ("/api/hook", "Stripe-Signature: t=1,v1=00\r\n", event),
        ("/cb", "Wechatpay-Signature: AA==\r\n", event),
        ("/v1/cb", "BTCPay-Sig: sha256=00\r\n", event),
        ("/cb.php", form, "out_trade_no=O1&money=9.90&sign=00"),
        ("/o/cb", "Content-Type: application/json\r\n", "{\"order_id\":\"O1\",\"signature\":\"00\"}"),
    ];
    for (at, (path, headers, body)) in signed.iter().enumerate() {
        assert_eq!(post(path, headers, body), 404, "{path}");
        let named = shop.incidents("wrong_address", at + 1).await;
        let shown = shop.json(&["incident", "show", named[0]["id"].as_str().unwrap()], "");
        assert!(shown["request"]["target"].as_str().unwrap().starts_with(path), "{path}: {shown}");
    }
    for (path, headers, body) in
        [("/api/hook", "", event), ("/cb.php", form, "out_trade_no=O1"), ("/cb", form, "sign=1")]
    {
        assert_eq!(post(path, headers, body), 404, "{path}");
    }
    shop.incidents("wrong_address", signed.len()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mistyped_address_is_not_charged_to_its_sender() {
    let shop = Daemon::start("[limits]\nrejected_per_minute = 3\n");
    shop.product("near", &[], 2);
    let id = shop.order("near", 1).await;
    let right = shop.callback(&format!("{id}01"), "N1", 990);
    for _ in 0..12 {
        assert_eq!(shop.send(&right.replace("/pay/pay/notify", "/pay/pay/notifi")).await.0, 404);
    }
    // The gateway behind it sends to the right one, too.
    assert_eq!(shop.send(&right).await, (200, "success".to_owned()));
    assert_eq!(shop.state(&id).await, "delivered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_token_of_an_order_stands_in_what_is_kept_of_a_refused_request() {
    let shop = Daemon::start("[limits]\nrejected_per_minute = 1000\n");
    let (first, second, page) = ("FIRST-TOKEN", "SECOND-TOKEN", "TOKEN-OF-A-PAGE");
    let headers = format!("{END}Referer: https://shop.example/o/O1?token={page}\r\nCookie: o={page}\r\n");
    let targets = [
        format!("/pay/pay/notifi?token={first}&a=1"),
        format!("/pay/pay/notifi?a=1&token={first}&token={second}&b=2&token={second}"),
        format!("/pay/pay/notifi?Token={first}&TOKEN={second}"),
    ];
    for (at, target) in targets.iter().enumerate() {
        assert_eq!(status(&shop, &format!("GET {target} {headers}\r\n")), 404, "{target}");
        shop.incidents("wrong_address", at + 1).await;
    }
    // Refused ones have a file of their own, written a moment later.
    let file = shop.data.join("refused.ndjson");
    let kept = wait_for("the file", || {
        std::fs::read_to_string(&file).ok().filter(|text| text.lines().count() >= targets.len())
    });
    let shown: Vec<String> = shop
        .incidents("wrong_address", targets.len())
        .await
        .iter()
        .map(|it| shop.json(&["incident", "show", it["id"].as_str().unwrap()], "").to_string())
        .collect();
    for secret in [first, second, page] {
        for text in [&kept, &shown.concat()] {
            assert!(text.contains("notifi?") && !text.contains(secret), "{secret}: {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callback_that_cannot_be_read_leaves_its_trace() {
    let shop = Daemon::start("[limits]\nrejected_per_minute = 1000\n");
    let many: String = (0..100).map(|n| format!("X-{n}: 1\r\n")).collect();
    let requests = [
        (format!("GET /pay/pay/notify?name=a\"b {END}\r\n"), 400, "raw '\"'"),
        (format!("GET /pay/pay/notify?name=a b {END}\r\n"), 400, "raw blank"),
        (format!("GET /pay/pay/notify?a=1 {END}{many}\r\n"), 431, "limits.headers"),
        (format!("GET /pay/pay/notify?a={} {END}\r\n", "x".repeat(60_000)), 431, "limits.query_bytes"),
        (format!("GET /pay/pay/notify?a=1 {END}Host: y\r\n\r\n"), 400, "two Host headers"),
    ];
    for (at, (request, expected, says)) in requests.iter().enumerate() {
        assert_eq!(status(&shop, request), *expected, "{says}");
        let newest = shop.incidents("unreadable_request", at + 1).await.remove(0);
        assert_eq!((newest["channel"].as_str(), newest["status"].as_u64()), (Some("pay"), Some(u64::from(*expected))));
        let shown = shop.json(&["incident", "show", newest["id"].as_str().unwrap()], "");
        assert!(shown["advice"].as_str().unwrap().contains(says), "{says}: {shown}");
    }
    assert_eq!(status(&shop, &format!("HEAD /pay/pay/notify?a=1 {END}\r\n")), 400);
    shop.incidents("method_not_allowed", 1).await;
    // Elsewhere it is counted.
    assert_eq!(status(&shop, &format!("GET /x?a=\"b {END}\r\n")), 400);
    assert_eq!(shop.admin("/v1/incidents").await["incidents"].as_array().unwrap().len(), requests.len() + 1);
}

/// Sends bytes from an address of this machine and reads until the server closes.
async fn speaks(shop: &Daemon, last: u8, bytes: &[u8]) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, last], 0).into()).unwrap();
    let there = shop.public.trim_start_matches("http://").parse().unwrap();
    let mut stream = socket.connect(there).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let _cut = stream.read_to_end(&mut Vec::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_http_is_named_and_a_proxy_of_ours_is_not_charged_for_what_it_could_not_say() {
    let shop = Daemon::start(
        "[server]\npublic = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\ntrusted_proxies = [\"127.0.0.9/32\"]\n[limits]\nrejected_per_minute = 3\n",
    );
    let port = shop.public.rsplit(':').next().unwrap();
    let spoken: [(&[u8], &str); 4] = [
        (b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "TLS"),
        (
            b"PROXY TCP4 203.0.113.9 127.0.0.1 4711 80\r\nGET /pay/pay/notify?a=1 HTTP/1.1\r\nHost: x\r\n\r\n",
            "proxy_protocol",
        ),
        (
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x09\x7f\0\0\x01\x12\x67\0\x50GET / HTTP/1.1\r\n\r\n",
            "proxy_protocol",
        ),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", "HTTP/1.1"),
    ];
    for (at, (bytes, says)) in spoken.iter().enumerate() {
        speaks(&shop, 5, bytes).await;
        let newest = shop.incidents("other_protocol", at + 1).await.remove(0);
        let shown = shop.json(&["incident", "show", newest["id"].as_str().unwrap()], "");
        let advice = shown["advice"].as_str().unwrap();
        assert!(advice.contains(says) && advice.contains(&format!("plain port {port}")), "{says}: {advice}");
        assert_eq!(newest["address"], "127.0.0.5");
    }
    // What a proxy of ours sends on and we cannot read is not the proxy's fault: all others come through it, too.
    for _ in 0..12 {
        speaks(&shop, 9, format!("GET /pay/pay/notify?name=a\"b {END}\r\n").as_bytes()).await;
    }
    shop.incidents("unreadable_request", 12).await;
    shop.incidents("address_blocked", 0).await;
    // Who comes without one is charged as ever.
    for _ in 0..12 {
        speaks(&shop, 6, format!("GET /pay/pay/notify?name=a\"b {END}\r\n").as_bytes()).await;
    }
    assert_eq!(shop.incidents("address_blocked", 1).await[0]["address"], "127.0.0.6");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_page_of_another_site_can_make_an_order() {
    let shop = Daemon::start("");
    shop.product("cross", &[], 20);
    let wish = json!({"product": "cross", "quantity": 1, "contact": "x@example.test", "channel": "pay"}).to_string();
    let send = |headers: &str| {
        let request = format!("POST /v1/orders {END}{headers}Content-Length: {}\r\n\r\n{wish}", wish.len());
        status(&shop, &request)
    };
    for kind in [
        "text/plain",
        "text/plain; application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
    ] {
        assert_eq!(send(&format!("Content-Type: {kind}\r\n")), 415, "{kind}");
    }
    // A page can also leave the type out; a program that does so sends no Origin.
    assert_eq!(send("Origin: https://evil.example\r\n"), 415);
    assert_eq!(send("Sec-Fetch-Site: cross-site\r\n"), 415);
    assert_eq!(send("Host: y\r\nContent-Type: application/json\r\n"), 400, "two hosts");
    assert_eq!(shop.admin("/v1/products/cross").await["stock"]["reserved"], 0);
    for good in ["Content-Type: application/json\r\n", "Content-Type: Application/JSON; charset=utf-8\r\n", ""] {
        assert_eq!(send(good), 201, "{good}");
    }
    // To choose another way to pay is the same.
    let id = shop.order("cross", 1).await;
    let request = format!("POST /v1/orders/{id}/pay {END}Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{{}}");
    assert_eq!(status(&shop, &request), 415);
}
