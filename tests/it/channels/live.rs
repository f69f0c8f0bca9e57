//! Gateways that are asked, against a running daemon: an order is opened there, a callback is confirmed there, and a lost
//! one is found again.

use std::sync::atomic::{AtomicBool, Ordering};

use kamid::domain::{Currency, Money, Payment};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::pairs;
use crate::support::shop::Daemon;

/// Whether the BTCPay server is down.
static DOWN: AtomicBool = AtomicBool::new(true);

/// What Stripe gave back: intents and amounts.
static GIVEN_BACK: std::sync::Mutex<Vec<(String, String)>> = std::sync::Mutex::new(Vec::new());

/// What the gateways answer: each order's session or invoice is named after its number.
fn answer(head: &str, body: &str) -> (u16, Value) {
    let path = head.split(' ').nth(1).unwrap();
    let session = |number: &str, status: &str| {
        json!({"id": format!("cs_{number}"), "object": "checkout.session", "livemode": false, "amount_total": 990,
            "client_reference_id": number, "currency": "cny", "payment_status": status, "url": "https://stripe.test/c", "payment_intent": format!("pi_{number}")})
    };
    let invoice = |number: &str, status: &str| {
        json!({"id": format!("I{number}"), "storeId": "S", "amount": "9.90", "currency": "CNY", "status": status,
            "additionalStatus": "None", "metadata": {"orderId": number}, "checkoutLink": "https://btcpay.test/i"})
    };
    if path == "/v1/checkout/sessions" {
        let fields = pairs(body);
        let number = &fields.iter().find(|(name, _)| name == "client_reference_id").unwrap().1;
        return (200, session(number, "unpaid"));
    }
    if path == "/api/v1/stores/S/invoices" {
        let wish: Value = serde_json::from_str(body).unwrap();
        return (200, invoice(wish["metadata"]["orderId"].as_str().unwrap(), "New"));
    }
    if path == "/v1/refunds" {
        let fields = pairs(body);
        let of = |wanted: &str| fields.iter().find(|(name, _)| name == wanted).unwrap().1.clone();
        GIVEN_BACK.lock().unwrap().push((of("payment_intent"), of("amount")));
        return (200, json!({"id": "re_1", "status": "succeeded"}));
    }
    if let Some(number) = path.strip_prefix("/v1/checkout/sessions/cs_") {
        return (200, session(number, "paid"));
    }
    match path.strip_prefix("/api/v1/stores/S/invoices/I") {
        Some(_) if DOWN.load(Ordering::SeqCst) => (500, json!({})),
        Some(number) => (200, invoice(number, "Settled")),
        None => (404, json!({})),
    }
}

async fn serve(mut stream: TcpStream) {
    let mut text = Vec::new();
    let (head, body) = loop {
        if stream.read_buf(&mut text).await.unwrap() == 0 {
            return;
        }
        let whole = String::from_utf8(text.clone()).unwrap();
        let Some((head, body)) = whole.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= length.unwrap_or(0) {
            break (head.to_owned(), body.to_owned());
        }
    };
    let (status, body) = answer(&head, &body);
    let body = body.to_string();
    let answer = format!("HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(answer.as_bytes()).await.unwrap();
}

/// Sends the callback that a channel's gateway would: 9.90 for an order's first attempt, by that number of its own.
async fn notify(
    shop: &Daemon,
    channels: &kamid::channel::Channels,
    channel: &str,
    id: &str,
    own: &str,
) -> (u16, String) {
    let amount = Money { minor: 990, currency: Currency::CNY };
    let payment = Payment::new(&format!("{id}01"), own, amount, channel);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let forged = channels.get(channel).unwrap().forge(&payment, now.as_millis() as u64);
    let mut sent = shop.http.post(format!("{}/pay/{channel}/notify", shop.public)).body(forged.body);
    for (name, value) in &forged.headers {
        sent = sent.header(name, value);
    }
    let answer = sent.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_opened_confirmed_and_found_again_at_its_gateway() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    let settings = format!(
        "[channel.card]\nkind = \"stripe\"\napi_base = \"http://{at}\"\napi_key = \"sk_test_x\"\n\
         webhook_secret = \"whsec_x\"\n[channel.btc]\nkind = \"btcpay\"\nserver_url = \"http://{at}/\"\n\
         store_id = \"S\"\napi_key = \"k\"\nwebhook_secret = \"a secret\"\n"
    );
    let shop = Daemon::start(&settings);
    let channels = crate::support::shop::channels(&settings, std::path::Path::new("."));
    shop.product("p", &[], 10);

    let card = shop.order_through("card", "p", 1).await;
    let (good, bad) = ((200, "ok".to_owned()), (400, "fail".to_owned()));
    assert_eq!(notify(&shop, &channels, "card", &card, "cs_other").await, bad);
    shop.incidents("order_mismatch", 1).await;
    assert_ne!(shop.state(&card).await, "delivered");
    let own = format!("cs_{card}01");
    assert_eq!(notify(&shop, &channels, "card", &card, &own).await, good);
    assert_eq!(shop.state(&card).await, "delivered");
    assert_eq!(notify(&shop, &channels, "card", &card, &own).await, good);

    shop.json(&["order", "refund", &card, "--gateway", "--reason", "asked for it"], "");
    assert_eq!(shop.state(&card).await, "refunded");
    assert_eq!(*GIVEN_BACK.lock().unwrap(), [(format!("pi_{card}01"), "990".to_owned())]);

    // A callback without an amount waits until its server says what came.
    let btc = shop.order_through("btc", "p", 1).await;
    let own = format!("I{btc}01");
    assert_eq!(notify(&shop, &channels, "btc", &btc, &own).await, (503, "fail".to_owned()));
    DOWN.store(false, Ordering::SeqCst);
    assert_eq!(notify(&shop, &channels, "btc", &btc, &own).await, good);
    assert_eq!(shop.state(&btc).await, "delivered");

    // Lost callbacks: the gateway is asked by what the attempt was opened with.
    for channel in ["card", "btc"] {
        let lost = shop.order_through(channel, "p", 1).await;
        shop.json(&["order", "query", &lost], "");
        assert_eq!(shop.state(&lost).await, "delivered", "{channel}");
    }
    shop.audit();
}
