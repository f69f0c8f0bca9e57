//! WeChat Pay's platform certificates: fetched when a message names one that is not known, once for all messages, and again
//! when the platform exchanges them; what is not sealed with our key or not signed by one of them is believed by nobody.

use std::sync::{Arc, Mutex};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse as _, Response};
use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::support::gateway::{SECRET, serve};
use crate::support::pair::{Pair, serial_cert};
use crate::support::shop::Daemon;

/// What the platform signs and seals with.
struct Platform {
    /// Keys with their certificates' serial numbers, the one it signs with last.
    keys: Mutex<Vec<(u64, Pair)>>,
    /// The public key that signs instead, by its id.
    named: Mutex<Option<(String, Pair)>>,
    /// How often its certificates were asked for.
    asked: Mutex<usize>,
    /// The key that its certificates are sealed with.
    seal: Mutex<String>,
}

impl Platform {
    fn sealed(&self, with: &str, text: &str) -> Value {
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, self.seal.lock().unwrap().as_bytes()).unwrap());
        let mut sealed = text.as_bytes().to_vec();
        let nonce = Nonce::try_assume_unique_for_key(b"0123456789ab").unwrap();
        key.seal_in_place_append_tag(nonce, Aad::from(with.as_bytes()), &mut sealed).unwrap();
        json!({"algorithm": "AEAD_AES_256_GCM", "ciphertext": BASE64.encode(&sealed), "nonce": "0123456789ab", "associated_data": with})
    }

    fn signed(&self, body: &str) -> Vec<(&'static str, String)> {
        let (keys, named) = (self.keys.lock().unwrap(), self.named.lock().unwrap());
        let of_cert = || keys.last().map(|(serial, key)| (format!("{serial:X}"), key)).unwrap();
        let (serial, key) = named.as_ref().map_or_else(of_cert, |(id, key)| (id.clone(), key));
        let at = jiff::Timestamp::now().as_second();
        vec![
            ("wechatpay-timestamp", at.to_string()),
            ("wechatpay-nonce", "n".to_owned()),
            ("wechatpay-signature", key.sign(&format!("{at}\nn\n{body}\n"))),
            ("wechatpay-serial", serial),
        ]
    }

    fn certificates(&self) -> String {
        *self.asked.lock().unwrap() += 1;
        let keys = self.keys.lock().unwrap();
        let listed = keys.iter().map(|(serial, key)| {
            let sealed = self.sealed("certificate", &serial_cert(key, *serial));
            json!({"serial_no": format!("{serial:X}"), "encrypt_certificate": sealed})
        });
        json!({"data": listed.collect::<Vec<_>>()}).to_string()
    }

    fn asked(&self) -> usize {
        *self.asked.lock().unwrap()
    }
}

async fn take(State(platform): State<Arc<Platform>>, uri: Uri) -> Response {
    let body = match uri.path() {
        "/v3/certificates" => platform.certificates(),
        _ => json!({"code_url": "weixin://x"}).to_string(),
    };
    let mut response = body.clone().into_response();
    for (name, value) in platform.signed(&body) {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}

/// Tells the shop that an order was paid; the status it hears.
async fn tell(platform: &Platform, shop: &Daemon, number: &str) -> u16 {
    let inner = json!({"mchid": "19", "appid": "wx1", "out_trade_no": number, "transaction_id": format!("W{number}"),
        "trade_state": "SUCCESS", "amount": {"total": 990, "currency": "CNY"}});
    let resource = platform.sealed("transaction", &inner.to_string());
    let body = json!({"event_type": "TRANSACTION.SUCCESS", "resource": resource}).to_string();
    let sent = shop.http.post(format!("{}/pay/gate/notify", shop.public)).body(body.clone());
    let sent = platform.signed(&body).into_iter().fold(sent, |sent, (name, value)| sent.header(name, value));
    sent.send().await.unwrap().status().as_u16()
}

/// Tells until it is taken, as the platform does, a few times a second.
async fn told(platform: &Platform, shop: &Daemon, number: &str) {
    for _ in 0..50 {
        if tell(platform, shop, number).await == 200 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    }
    panic!("it is never taken");
}

/// While an account changes over from certificates to the public key, either signs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_that_are_fetched_and_the_public_key_are_believed_side_by_side() {
    let (cert, public) = (Pair::new(), Pair::new());
    let keys = Mutex::new(vec![(0xA1, cert)]);
    let platform = Arc::new(Platform {
        keys,
        named: Mutex::default(),
        asked: Mutex::default(),
        seal: Mutex::new(SECRET.to_owned()),
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, axum::Router::new().fallback(take).with_state(Arc::clone(&platform))));
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    let data = folder.path().join("d");
    std::fs::create_dir_all(&data).unwrap();
    std::fs::write(data.join("merchant.key"), Pair::new().private()).unwrap();
    std::fs::write(data.join("platform.pub"), public.public()).unwrap();
    std::fs::write(data.join("secret"), SECRET).unwrap();
    let shop = Daemon::at(
        &data,
        &format!(
            "[channel.gate]\nkind = \"wechat_v3\"\napi_url = \"http://{at}\"\nmchid = \"19\"\nappid = \"wx1\"\n\
             apiv3_key_file = \"secret\"\nmerchant_serial = \"AB\"\nmerchant_private_key_file = \"merchant.key\"\n\
             mode = \"platform_cert\"\nplatform_public_key_id = \"PUB_KEY_ID_0119\"\n\
             platform_public_key_file = \"platform.pub\"\n"
        ),
    );
    shop.product("card", &[], 5);
    let first = shop.order_through("gate", "card", 1).await;
    told(&platform, &shop, &format!("{first}01")).await;
    assert_eq!(shop.state(&first).await, "delivered");
    // From now on the public key signs.
    let second = shop.order_through("gate", "card", 1).await;
    let asked = platform.asked();
    *platform.named.lock().unwrap() = Some(("PUB_KEY_ID_0119".to_owned(), public));
    assert_eq!(tell(&platform, &shop, &format!("{second}01")).await, 200);
    assert_eq!(shop.state(&second).await, "delivered");
    // A public key that is not configured is no certificate: none is fetched for it.
    let stranger = Some(("PUB_KEY_ID_0220".to_owned(), Pair::new()));
    *platform.named.lock().unwrap() = stranger;
    assert_eq!(tell(&platform, &shop, &format!("{second}01")).await, 400);
    shop.incidents("key_unknown", 1).await;
    assert_eq!(platform.asked(), asked);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_are_fetched_once_and_again_when_they_change() {
    let keys = Mutex::new(vec![(0xA1, Pair::new())]);
    let platform = Arc::new(Platform {
        keys,
        named: Mutex::default(),
        asked: Mutex::default(),
        seal: Mutex::new(SECRET.to_owned()),
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, axum::Router::new().fallback(take).with_state(Arc::clone(&platform))));
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    let data = folder.path().join("d");
    std::fs::create_dir_all(&data).unwrap();
    std::fs::write(data.join("merchant.key"), Pair::new().private()).unwrap();
    std::fs::write(data.join("secret"), SECRET).unwrap();
    let shop = Daemon::at(
        &data,
        &format!(
            "[channel.gate]\nkind = \"wechat_v3\"\napi_url = \"http://{at}\"\nmchid = \"19\"\nappid = \"wx1\"\n\
             apiv3_key_file = \"secret\"\nmerchant_serial = \"AB\"\nmerchant_private_key_file = \"merchant.key\"\n\
             mode = \"platform_cert\"\n"
        ),
    );
    shop.product("card", &[], 5);
    // The answer to the first order is signed by a certificate that is not known yet.
    let first = shop.order_through("gate", "card", 1).await;
    assert_eq!((tell(&platform, &shop, &format!("{first}01")).await, platform.asked()), (200, 1));
    assert_eq!(shop.state(&first).await, "delivered");
    // Exchanged: a new one signs, and both are listed. Whoever forges with a serial number of his own is asked about, too.
    let second = shop.order_through("gate", "card", 1).await;
    platform.keys.lock().unwrap().push((0xB2, Pair::new()));
    told(&platform, &shop, &format!("{second}01")).await;
    assert_eq!((shop.state(&second).await.as_str(), platform.asked()), ("delivered", 2));
    for _ in 0..5 {
        assert_eq!(tell(&platform, &shop, &format!("{second}01")).await, 200);
    }
    let third = shop.order_through("gate", "card", 1).await;
    assert_eq!(platform.asked(), 2, "what is kept will do");
    // A key of a stranger's under the known serial number, and under an unknown one.
    let real = std::mem::replace(&mut *platform.keys.lock().unwrap(), vec![(0xB2, Pair::new())]);
    assert_eq!(tell(&platform, &shop, &format!("{third}01")).await, 400);
    shop.incidents("bad_signature", 1).await;
    *platform.keys.lock().unwrap() = vec![(0xC3, Pair::new())];
    // The platform itself, as it is now, would list it; what is sealed with another key than ours is not its list.
    *platform.seal.lock().unwrap() = "another key of another merchant's".chars().take(32).collect();
    assert!(tell(&platform, &shop, &format!("{third}01")).await >= 400);
    assert_eq!(shop.state(&third).await, "pending");
    SECRET.clone_into(&mut platform.seal.lock().unwrap());
    *platform.keys.lock().unwrap() = real;
    told(&platform, &shop, &format!("{third}01")).await;
    assert_eq!(shop.state(&third).await, "delivered");
    shop.audit();
}
