//! PayPal: what is sent is what its documents say, only its API says what was paid, and money is taken once and only for an
//! order that waits for it.

use std::path::Path;
use std::sync::Arc;

use kamid::channel::capture::borrowed;
use kamid::channel::{Answer, Asked, Begin, Channel, Claim, Refund, Refunded, Request};
use kamid::domain::{Call, Callback, Money, Payment, Rejection, Response};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::gates::started;
use super::{asked, channel, checkout, now, question, refunding, said_of, text, vector};
use crate::support::gateway::Fate;
use crate::support::pair::{Pair, authority_and_leaf};
use crate::support::paypal::{MERCHANT, PayPal, SECRET, WEBHOOK};
use crate::support::shop::{Daemon, wait_for};

fn header<'a>(call: &'a Call, name: &str) -> &'a str {
    call.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
}

fn response(status: u16, body: &Value) -> Response {
    Response { status, headers: Vec::new(), body: body.to_string().into_bytes() }
}

#[test]
fn an_order_is_what_the_documents_say() {
    let page = vector("paypal", "c01");
    let pay = channel("paypal", &page["config"], &[]);
    let back = format!("https://kamid.example.test/r/{}", text(&page["order"], "order_no"));
    let wish = kamid::channel::Checkout { return_url: &back, ..checkout(&page, &[]) };
    let call = asked(pay.checkout(&wish, &[], now(&page)));
    let output = &page["output"];
    assert!(call.url.ends_with(text(output, "path")) && call.method == "POST");
    assert_eq!(serde_json::from_slice::<Value>(&call.body).unwrap(), output["json"]);
    for (name, value) in output["headers"].as_object().unwrap() {
        assert_eq!(header(&call, name), value, "{name}");
    }
    let token = call.token.unwrap();
    assert_eq!(
        (token.url.as_str(), token.body.as_slice()),
        ("https://api-m.sandbox.paypal.com/v1/oauth2/token", &b"grant_type=client_credentials"[..])
    );
    assert_eq!(header(&token, "authorization"), "Basic Yzpz");
    // What PayPal takes whole alone is opened whole or not at all.
    let of = |minor, currency: &str| kamid::channel::Checkout {
        amount: Money { minor, currency: currency.parse().unwrap() },
        ..wish.clone()
    };
    let Begin::Ask(call) = pay.checkout(&of(2900, "TWD"), &[], 0) else { panic!("it asks nobody") };
    assert_eq!(serde_json::from_slice::<Value>(&call.body).unwrap()["purchase_units"][0]["amount"]["value"], "29");
    assert!(matches!(pay.checkout(&of(2950, "HUF"), &[], 0), Begin::Failed(_)));
    assert!(pay.takes("HUF".parse().unwrap()) && !pay.takes("KWD".parse().unwrap()));
}

#[test]
fn the_api_says_what_was_paid() {
    let page = vector("paypal", "c01");
    let pay = channel("paypal", &page["config"], &[]);
    let about = Asked { number: "KO1", reference: "O1", page: "" };
    let call = question(pay.query(&about, &[], 0));
    assert_eq!((call.method, call.url.ends_with("/v2/checkout/orders/O1")), ("GET", true));
    assert!(pay.query(&Asked { reference: "", ..about }, &[], 0).is_none());
    assert!(pay.query(&Asked { reference: "../x", ..about }, &[], 0).is_none());
    let capture = |status: &str| json!({"id": "C1", "status": status, "invoice_id": "KO1", "amount": {"value": "9.90", "currency_code": "USD"}});
    let order = |status: &str, captured: &str| {
        json!({"id": "O1", "status": status, "purchase_units": [{"reference_id": "KO1",
        "payee": {"merchant_id": MERCHANT}, "payments": {"captures": [capture(captured)]}}]})
    };
    let said =
        |status: &str, captured: &str| said_of(pay.as_ref(), &about, &response(200, &order(status, captured)), 0);
    let paid = Money { minor: 990, currency: "USD".parse().unwrap() };
    let payment = Payment { reference: Some("O1".to_owned()), ..Payment::new("KO1", "C1", paid, "pay") };
    assert_eq!(said("COMPLETED", "COMPLETED"), Answer::Paid(payment.clone()));
    assert_eq!(said("COMPLETED", "PENDING"), Answer::Unpaid);
    assert_eq!(said("COMPLETED", "REFUNDED"), Answer::Refunded);
    assert_eq!(said("CREATED", "COMPLETED"), Answer::Unpaid);
    assert_eq!(said("SOMETHING", "COMPLETED"), Answer::Mismatch);
    assert_eq!(said_of(pay.as_ref(), &about, &response(404, &json!({})), 0), Answer::Unknown);
    for (name, value) in [("id", json!("O2")), ("purchase_units", json!([])), ("status", json!(1))] {
        let mut other = order("COMPLETED", "COMPLETED");
        other[name] = value;
        assert_eq!(said_of(pay.as_ref(), &about, &response(200, &other), 0), Answer::Mismatch, "{name}");
    }
    for (name, value) in [("reference_id", json!("KO2")), ("payee", json!({"merchant_id": "ELSE"}))] {
        let mut other = order("COMPLETED", "COMPLETED");
        other["purchase_units"][0][name] = value;
        assert_eq!(said_of(pay.as_ref(), &about, &response(200, &other), 0), Answer::Mismatch, "{name}");
    }
    // Agreed to: the call that takes the money does it once.
    let Answer::Agreed(agreed) = said("APPROVED", "COMPLETED") else { panic!("it takes nothing") };
    assert_eq!(agreed.number, "KO1");
    assert!(agreed.call.url.ends_with("/v2/checkout/orders/O1/capture"));
    assert_eq!(header(&agreed.call, "PayPal-Request-Id"), "kamid-O1-capture");
    let heard = [response(200, &order("APPROVED", "x")), response(201, &order("COMPLETED", "COMPLETED"))];
    assert_eq!(pay.query(&about, &heard, 0), Some(Answer::Paid(payment.clone())));
    let heard = [response(200, &order("APPROVED", "x")), response(422, &json!({}))];
    assert_eq!(pay.query(&about, &heard, 0), Some(Answer::Unpaid));
    let refund = Refund {
        payment: &payment,
        number: "R1",
        reason: "bad key",
        notify_url: "",
        asked_at: &[],
        by_trade_no: false,
    };
    let call = refunding(pay.refund(&refund, &[], 0));
    assert!(call.url.ends_with("/v2/payments/captures/C1/refund"));
    assert_eq!(header(&call, "PayPal-Request-Id"), "kamid-R1");
    let sent: Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!(sent["amount"], json!({"currency_code": "USD", "value": "9.90"}));
    let said = |status, body: &Value| pay.refund(&refund, &[response(status, body)], 0);
    assert_eq!(said(201, &json!({"status": "COMPLETED"})), Some(Refunded::Done));
    assert!(matches!(said(422, &json!({"message": "no"})), Some(Refunded::Refused(_))));
    assert!(matches!(said(503, &json!({})), Some(Refunded::Pending(_))));
}

#[test]
fn no_certificate_is_fetched_from_anywhere_else() {
    let page = vector("paypal", "a01");
    let pay = channel("paypal", &page["config"], &[]);
    let said = |url: &str| {
        let headers = page["request"]["headers"].as_array().unwrap().iter().map(|pair| {
            let name = pair[0].as_str().unwrap();
            let value = if name == "Paypal-Cert-Url" { url } else { pair[1].as_str().unwrap() };
            (name.into(), value.into())
        });
        let headers: Vec<_> = headers.collect();
        let callback = Callback { method: "POST", path: "/", query: "", headers: &headers, body: b"{}" };
        pay.verify(&callback, &[], now(&page))
    };
    let Ok(Claim::Ask { call, .. }) = said("https://api.paypal.com/v1/notifications/certs/CERT-1") else {
        panic!("it asks nobody")
    };
    assert!(call.keep_s > 0 && call.token.is_none(), "no token goes there");
    for url in [
        "https://api.paypal.com.evil.example/v1/notifications/certs/x",
        "https://evil.example/v1/notifications/certs/x",
        "http://api.paypal.com/v1/notifications/certs/x",
        "https://api.paypal.com:8443/v1/notifications/certs/x",
        "https://api.paypal.com@evil.example/v1/notifications/certs/x",
        "https://user@api.paypal.com/v1/notifications/certs/x",
        "https://api.paypal.com/v1/notifications/certs/../../oauth2",
        "https://api.paypal.com/v1/notifications/certs/x?to=y",
        "https://api.paypal.com/v1/notifications/certs/%2e%2e",
        "https://api.paypal.com/v1/oauth2/token",
        "https://API.PAYPAL.COM\\@evil.example/v1/notifications/certs/x",
    ] {
        assert_eq!(said(url), Err(Rejection::CertUntrusted), "{url}");
    }
}

#[test]
fn a_status_or_an_event_of_a_payment_that_nobody_knows_is_told_apart() {
    let page = vector("paypal", "a01");
    let mut config = page["config"].clone();
    config.as_object_mut().unwrap().retain(|name, _| name != "trust_root" && name != "verify");
    let pay = channel("paypal", &config, &[]);
    let headers = page["request"]["headers"].as_array().unwrap().iter();
    let headers: Vec<_> =
        headers.map(|pair| (pair[0].as_str().unwrap().into(), pair[1].as_str().unwrap().into())).collect();
    let genuine = response(200, &json!({"verification_status": "SUCCESS"}));
    for (kind, status, strange) in [
        ("PAYMENT.CAPTURE.COMPLETED", "PENDING", None),
        ("PAYMENT.CAPTURE.COMPLETED", "SETTLED", Some("SETTLED")),
        ("PAYMENT.CAPTURE.PENDING", "PENDING", None),
        ("PAYMENT.CAPTURE.SETTLED", "COMPLETED", Some("PAYMENT.CAPTURE.SETTLED")),
        ("payment.capture.completed", "COMPLETED", Some("payment.capture.completed")),
        ("CHECKOUT.ORDER.COMPLETED", "COMPLETED", None),
        ("CUSTOMER.DISPUTE.CREATED", "OPEN", None),
    ] {
        let mut event: Value = serde_json::from_str(text(&page["request"], "body_text")).unwrap();
        (event["event_type"], event["resource"]["status"]) = (kind.into(), status.into());
        let body = event.to_string();
        let callback = Callback { method: "POST", path: "/", query: "", headers: &headers, body: body.as_bytes() };
        match (pay.verify(&callback, std::slice::from_ref(&genuine), now(&page)), strange) {
            (Ok(Claim::Strange(said)), Some(word)) => assert_eq!(said, word),
            (Ok(Claim::Nothing(_)), None) => {}
            (said, _) => panic!("{kind} {status}: {said:?}"),
        }
    }
}

/// A channel with a PayPal of the test's own, and the certificate of that.
fn own() -> (Arc<dyn Channel>, Response) {
    let key = Pair::new();
    let [leaf, root] = authority_and_leaf(&key, "messageverificationcerts.paypal.com");
    let config = json!({"client_id": "c", "client_secret": "s", "webhook_id": WEBHOOK, "merchant_id": MERCHANT,
        "verify": "local", "trust_root": root, "gateway_private_key": key.private()});
    let cert = Response { status: 200, headers: Vec::new(), body: leaf.into_bytes() };
    (channel("paypal", &config, &[]), cert)
}

/// What its signature and its certificate make of a request.
fn stated(pay: &dyn Channel, request: &Request, cert: &Response, at: u64) -> Result<Option<Payment>, Rejection> {
    let headers = borrowed(&request.headers);
    let callback = Callback { method: "POST", path: "/", query: "", headers: &headers, body: &request.body };
    match pay.verify(&callback, std::slice::from_ref(cert), at)? {
        Claim::Ask { alone, .. } => Ok(alone),
        _ => Ok(None),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn what_is_forged_verifies_and_no_changed_byte_does(
        minor in 1i64..100_000_000,
        trade_no in "[A-Z0-9]{4,17}",
        byte in 0usize..4096,
        bit in 0u8..8,
        late in 0u64..700_000,
    ) {
        static OWN: std::sync::LazyLock<(Arc<dyn Channel>, Response)> = std::sync::LazyLock::new(own);
        const NOW: u64 = 1_800_000_000_000;
        let (pay, cert) = (OWN.0.as_ref(), &OWN.1);
        let paid = Money { minor, currency: "USD".parse().unwrap() };
        let reference = Some("O1".to_owned());
        let payment = Payment { reference, ..Payment::new("07MIBQ3K2XZ0A1B2C3D401", &trade_no, paid, "pay") };
        let request = pay.forge(&payment, NOW);
        prop_assert_eq!(stated(pay, &request, cert, NOW), Ok(Some(payment.clone())));
        let mut bent = request.clone();
        let at = byte % bent.body.len();
        bent.body[at] ^= 1 << bit;
        prop_assert_eq!(stated(pay, &bent, cert, NOW), Err(Rejection::BadSignature));
        // Four days both ways.
        let said = |at: u64| stated(pay, &request, cert, at).map(|_| ());
        let wanted = if late <= 345_600 { Ok(()) } else { Err(Rejection::StaleTimestamp) };
        prop_assert_eq!((said(NOW + late * 1000), said(NOW - late * 1000)), (wanted, wanted));
        // Another certificate, though it leads to the same name.
        static OTHER: std::sync::LazyLock<(Arc<dyn Channel>, Response)> = std::sync::LazyLock::new(own);
        prop_assert_eq!(stated(pay, &request, &OTHER.1, NOW), Err(Rejection::CertUntrusted));
    }
}

/// A channel `gate` that asks PayPal about each event.
pub fn section(paypal: &PayPal, data: &Path) -> String {
    std::fs::create_dir_all(data).unwrap();
    std::fs::write(data.join("secret"), SECRET).unwrap();
    format!(
        "[channel.gate]\nkind = \"paypal\"\napi_base = \"{}\"\nclient_id = \"client\"\nclient_secret_file = \"secret\"\n\
         webhook_id = \"{WEBHOOK}\"\nmerchant_id = \"{MERCHANT}\"\n",
        paypal.url
    )
}

/// What lets a load sign events as PayPal does.
pub fn signing(paypal: &PayPal, data: &Path) -> String {
    std::fs::write(data.join("paypal.key"), paypal.key.private()).unwrap();
    "gateway_private_key_file = \"paypal.key\"\n".to_owned()
}

fn settings(paypal: &PayPal, data: &Path) -> String {
    let word = section(paypal, data).replace("channel.gate", "channel.word");
    let local = format!("{}verify = \"local\"\ntrust_root_file = \"root.pem\"\n", section(paypal, data));
    std::fs::write(data.join("root.pem"), &paypal.root).unwrap();
    format!("{}{local}{word}", paypal.tunnel.settings(&data.join("ca.pem")))
}

/// An order through that channel: its number and its payment's.
async fn ordered(shop: &Daemon, channel: &str) -> (String, String) {
    let wish = json!({"product": "card", "contact": "buyer@example.test", "channel": channel});
    let (status, made) = shop.post("/v1/orders", &wish).await;
    assert_eq!(status, 201, "{made}");
    let (id, number) = (made["id"].as_str().unwrap().to_owned(), made["payment_no"].as_str().unwrap().to_owned());
    assert!(made["pay"]["url"].as_str().unwrap().contains(&format!("token=O{number}")), "{made}");
    (id, number)
}

/// The daemon is killed after PayPal took the money and before it hears so: nothing is taken again, and the buyer gets the
/// key, whether the event comes again or nobody calls any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn money_that_was_taken_is_not_forgotten_by_a_kill() {
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    let data = folder.path().join("d");
    let paypal: Arc<PayPal> = PayPal::start().await;
    let mut shop = Daemon::at(&data, &settings(&paypal, &data));
    shop.product("card", &["--currency", "USD"], 2);
    for event_comes_again in [true, false] {
        let (id, number) = ordered(&shop, "gate").await;
        paypal.approve(&number);
        paypal.next_capture(Fate::Held);
        let to = format!("{}/pay/gate/notify", shop.public);
        let teller = {
            let (paypal, to, number) = (Arc::clone(&paypal), to, number.clone());
            tokio::spawn(async move { paypal.try_tell(&to, &number, "CHECKOUT.ORDER.APPROVED").await })
        };
        let pid = rustix::process::Pid::from_raw(shop.pid().cast_signed()).unwrap();
        tokio::task::block_in_place(|| wait_for("the capture", || paypal.order(&number).captured.map(drop)));
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        shop.wait();
        assert_eq!(teller.await.unwrap(), None, "nobody was told that it is received");
        let by = paypal.order(&number).captured;
        shop = started(shop).await;
        assert_eq!(shop.state(&id).await, "pending");
        if event_comes_again {
            let to = format!("{}/pay/gate/notify", shop.public);
            assert_eq!(paypal.tell(&to, &number, "CHECKOUT.ORDER.APPROVED").await, 200);
        } else {
            assert_eq!(shop.json(&["order", "query", &id], "")["result"], "delivered");
        }
        assert_eq!(shop.state(&id).await, "delivered");
        assert_eq!(paypal.order(&number).captured, by, "taken once");
    }
    shop.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_the_order_to_the_refund() {
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    let data = folder.path().join("d");
    let paypal: Arc<PayPal> = PayPal::start().await;
    let shop = Daemon::at(&data, &settings(&paypal, &data));
    shop.product("card", &["--currency", "USD"], 6);
    let ordered = async |channel: &str| ordered(&shop, channel).await;
    let to = |channel: &str| format!("{}/pay/{channel}/notify", shop.public);
    // Agreed to, captured, told of; each event comes twice, and one key goes.
    for channel in ["gate", "word"] {
        let (id, number) = ordered(channel).await;
        assert_eq!(paypal.tell(&to(channel), &number, "CHECKOUT.ORDER.APPROVED").await, 200);
        assert_eq!(shop.state(&id).await, "pending", "PayPal does not let it be captured yet");
        paypal.approve(&number);
        for event in ["CHECKOUT.ORDER.APPROVED", "PAYMENT.CAPTURE.COMPLETED"] {
            for _ in 0..2 {
                assert_eq!(paypal.tell(&to(channel), &number, event).await, 200, "{channel} {event}");
            }
        }
        assert_eq!(shop.state(&id).await, "delivered");
    }
    assert_eq!(paypal.tokens(), 2, "one for each channel");
    assert_eq!(paypal.tunnel.connected.lock().unwrap().len(), 1, "its certificate was fetched once");
    // The answer to the capture is lost: the event's repeat takes nothing again and delivers.
    let (id, number) = ordered("gate").await;
    paypal.approve(&number);
    paypal.next_capture(Fate::Lost);
    let first = paypal.tell(&to("gate"), &number, "CHECKOUT.ORDER.APPROVED").await;
    assert!(first == 200 || first == 503, "{first}");
    assert_eq!(paypal.tell(&to("gate"), &number, "CHECKOUT.ORDER.APPROVED").await, 200);
    assert_eq!(shop.state(&id).await, "delivered");
    // No event comes at all, and the token is not good any more: asked, captured, delivered.
    let (lost, number) = ordered("gate").await;
    paypal.revoke();
    let asked = |id: &str| shop.json(&["order", "query", id], "")["result"].clone();
    assert_eq!(asked(&lost), "unpaid");
    paypal.approve(&number);
    assert_eq!(asked(&lost), "delivered");
    // An order that waits no more takes no money, whoever asks.
    let (late, late_number) = ordered("gate").await;
    shop.json(&["order", "expire", &late, "--reason", "too late"], "");
    paypal.approve(&late_number);
    assert_eq!(paypal.tell(&to("gate"), &late_number, "CHECKOUT.ORDER.APPROVED").await, 200);
    assert_eq!(asked(&late), "unpaid");
    assert_eq!((shop.state(&late).await.as_str(), paypal.order(&late_number).captured), ("expired", None));
    // Signed, and not what the API says.
    let (id, number) = ordered("gate").await;
    assert_eq!(paypal.tell(&to("gate"), &number, "PAYMENT.CAPTURE.COMPLETED").await, 400);
    shop.incidents("unconfirmed", 1).await;
    assert_eq!(shop.state(&id).await, "pending");
    let refund = ["order", "refund", &lost, "--gateway", "--reason", "asked for it"];
    assert_eq!(shop.json(&refund, "")["result"], "refunded");
    shop.audit();
    let log = std::fs::read_to_string(shop.data.join("log")).unwrap();
    for secret in [SECRET, "Bearer T", "access_token"] {
        assert!(!log.contains(secret), "{secret}");
    }
}
