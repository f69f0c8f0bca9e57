//! Each kind from the order to the money's way back, against a gateway that checks what it is sent: paid with a callback,
//! paid without one and asked about, given back.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::delivery::Simulator as _;
use crate::support::gateway::{Family, Gateway, SECRET, encoded};
use crate::support::shop::Daemon;

/// The channel's section, and files that it names.
pub fn settings(gateway: &Gateway, data: &std::path::Path) -> String {
    let file = |name: &str, text: &str| std::fs::write(data.join(name), text).unwrap();
    std::fs::create_dir_all(data).unwrap();
    file("merchant.key", &gateway.merchant.private());
    file("platform.pub", &gateway.platform.public());
    file("secret", SECRET);
    let url = &gateway.url;
    match gateway.family {
        Family::EpayV1 => {
            format!("kind = \"epay_v1\"\ngateway_url = \"{url}/\"\npid = \"1001\"\nkey_file = \"secret\"")
        }
        Family::EpayV2 => format!(
            "kind = \"epay_v2\"\ngateway_url = \"{url}/\"\npid = \"1001\"\npay = \"qr\"\nplatform_public_key_file = \"platform.pub\"\n\
             merchant_private_key_file = \"merchant.key\""
        ),
        Family::Alipay => format!(
            "kind = \"alipay\"\ngateway_url = \"{url}/gateway.do\"\napp_id = \"2021000000001234\"\nseller_id = \"2088000000000001\"\n\
             pay = \"qr\"\nalipay_public_key_file = \"platform.pub\"\napp_private_key_file = \"merchant.key\""
        ),
        Family::WeChat => format!(
            "kind = \"wechat_v3\"\napi_url = \"{url}\"\nmchid = \"1900000001\"\nappid = \"wx0000000000000001\"\napiv3_key_file = \"secret\"\n\
             merchant_serial = \"ABCDEF01\"\nmerchant_private_key_file = \"merchant.key\"\n\
             platform_public_key_id = \"PUB_KEY_ID_0100\"\nplatform_public_key_file = \"platform.pub\""
        ),
        Family::UnionPay => {
            let [_, middle, root] = gateway.certs.as_ref().unwrap();
            file("middle.pem", middle);
            file("root.pem", root);
            let key = rcgen::KeyPair::from_pem_and_sign_algo(&gateway.merchant.pem(), &rcgen::PKCS_RSA_SHA256).unwrap();
            let cert = rcgen::CertificateParams::new(vec!["merchant".to_owned()]).unwrap().self_signed(&key).unwrap();
            file("merchant.pem", &cert.pem());
            format!(
                "kind = \"unionpay\"\nmer_id = \"777290058110048\"\nfront_url = \"{url}/front\"\nquery_url = \"{url}/query\"\n\
                 back_url = \"{url}/back\"\nroot_cert_file = \"root.pem\"\nmiddle_cert_file = \"middle.pem\"\n\
                 sign_cert_file = \"merchant.pem\"\nsign_key_file = \"merchant.key\""
            )
        }
    }
}

/// Further settings, with the gateway's own key: for callbacks that the gateway did not send.
pub fn signing(gateway: &Gateway, data: &std::path::Path) -> String {
    if gateway.family == Family::EpayV1 {
        return String::new();
    }
    std::fs::write(data.join("platform.key"), gateway.platform.private()).unwrap();
    let mut more = "gateway_private_key_file = \"platform.key\"\n".to_owned();
    if let Some([own, _, _]) = &gateway.certs {
        std::fs::write(data.join("platform.pem"), own).unwrap();
        more.push_str("gateway_cert_file = \"platform.pem\"\n");
    }
    more
}

/// Makes an order and goes where the buyer is sent: its number and its payment's.
pub async fn ordered(shop: &Daemon) -> (String, String) {
    let wish = json!({"product": "card", "contact": "buyer@example.test", "channel": "gate"});
    let (status, made) = shop.post("/v1/orders", &wish).await;
    assert_eq!(status, 201, "{made}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (id, number) = (text(&made["id"]), text(&made["payment_no"]));
    let page = shop.http.get(text(&made["page"])).send().await.unwrap().text().await.unwrap();
    let page = page.replace("&#x2f;", "/").replace("&amp;", "&");
    match made["pay"]["kind"].as_str().unwrap() {
        "redirect" => {
            let url = text(&made["pay"]["url"]);
            assert!(page.contains(&url), "the page leads there: {page}");
            assert_eq!(shop.http.get(url).send().await.unwrap().status(), 200, "the gateway takes the request");
        }
        "qr" => assert!(text(&made["pay"]["text"]).contains(&number) && page.contains("<svg"), "{made}"),
        "form" => {
            let url = text(&made["pay"]["url"]);
            assert!(page.contains(&format!("action=\"{url}\"")), "{page}");
            let answer = shop
                .http
                .post(url)
                .body(encoded(&serde_json::from_value(made["pay"]["fields"].clone()).unwrap()))
                .send()
                .await
                .unwrap();
            assert_eq!(answer.status(), 200, "the gateway takes the form");
        }
        other => panic!("{other}"),
    }
    (id, number)
}

async fn whole(family: Family, received: &str) {
    whole_as(family, received, "").await;
}

/// With these further settings.
async fn whole_as(family: Family, received: &str, more: &str) {
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    let data = folder.path().join("d");
    let gateway: Arc<Gateway> = Gateway::start(family).await;
    let shop = Daemon::at(&data, &format!("[channel.gate]\n{}\n{more}\n", settings(&gateway, &data)));
    shop.product("card", &[], 5);
    // Paid, and called back; the repeat changes nothing.
    let (id, number) = ordered(&shop).await;
    assert_eq!(shop.state(&id).await, "pending");
    gateway.pay(&number);
    for _ in 0..2 {
        let (status, body) = gateway.call_back(&number).await;
        assert!(status == 200 && body.contains(received), "{status} {body}");
    }
    assert_eq!(shop.state(&id).await, "delivered");
    // Asked before it is paid, and after; nobody called.
    let (lost, number) = ordered(&shop).await;
    let asked = |id: &str| shop.json(&["order", "query", id], "")["result"].clone();
    assert!(matches!(asked(&lost).as_str(), Some("unpaid" | "unknown")));
    gateway.pay(&number);
    assert_eq!(asked(&lost), "delivered");
    assert_eq!(shop.state(&lost).await, "delivered");
    // A payment of one cent is opened at the gateway, where it is the gateway that opens it.
    let tried = shop.cli(&["channel", "test", "gate", "--open", "--json"], "");
    let tried: Value = serde_json::from_slice(&tried.stdout).unwrap();
    let steps = tried["steps"].as_array().unwrap();
    let (step, says) = (&steps.last().unwrap()["step"], steps.last().unwrap()["says"].as_str().unwrap());
    assert!(step == "payment" && says.contains("0.01 CNY"), "{tried}");
    assert_eq!(says.starts_with("it was opened"), gateway.taken() > 2, "{family:?}: {says}");
    // The money goes back once.
    let refund = ["order", "refund", &lost, "--gateway", "--reason", "asked for it"];
    assert_eq!(shop.json(&refund, "")["result"], "refunded");
    assert!(!shop.cli(&refund, "").status.success());
    assert_eq!((gateway.payment(&number).refunded.len(), shop.state(&lost).await.as_str()), (1, "refunded"));
    shop.audit();
    // The merchant's secrets stay where they are, also at the log's finest level.
    let shown = [
        std::fs::read(shop.data.join("log")).unwrap(),
        shop.admin_text("/metrics").await,
        shop.admin_text("/v1/incidents").await,
        shop.admin_text("/v1/channels").await,
        shop.admin_text("/v1/trail").await,
        shop.admin_text(&format!("/v1/orders/{lost}")).await,
        shop.stream_line().await,
    ];
    let private = gateway.merchant.private();
    for secret in [SECRET, &private[200..260]] {
        let holds = |text: &Vec<u8>| text.windows(secret.len()).any(|part| part == secret.as_bytes());
        assert!(!shown.iter().any(holds), "{family:?}: a secret of the merchant's is shown");
    }
}

/// The buyer opens a second way to pay and then pays by the first; no callback comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_by_an_earlier_way_is_found() {
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    let data = folder.path().join("d");
    let gateway: Arc<Gateway> = Gateway::start(Family::EpayV1).await;
    let section = settings(&gateway, &data);
    let dead =
        "[channel.dead]\nkind = \"bepusdt\"\ngateway_url = \"http://127.0.0.1:1/\"\napi_token_file = \"secret\"\n";
    let shop = Daemon::at(&data, &format!("[channel.gate]\n{section}\n[channel.spare]\n{section}\n{dead}"));
    shop.product("card", &[], 1);
    let wish = json!({"product": "card", "contact": "buyer@example.test", "channel": "gate"});
    let (_, made) = shop.post("/v1/orders", &wish).await;
    let (id, first) = (made["id"].as_str().unwrap(), made["payment_no"].as_str().unwrap());
    let path = format!("/v1/orders/{id}/pay?token={}", made["token"].as_str().unwrap());
    let (status, second) = shop.post(&path, &json!({"channel": "spare"})).await;
    assert!(status == 201 && second["payment_no"] != first, "{second}");
    // A third gateway does not answer: the page still leads to the second.
    let (status, third) = shop.post(&path, &json!({"channel": "dead"})).await;
    assert!(status >= 500, "{third}");
    let page = shop.http.get(made["page"].as_str().unwrap()).send().await.unwrap().text().await.unwrap();
    let page = page.replace("&#x2f;", "/").replace("&amp;", "&");
    assert!(page.contains(second["pay"]["url"].as_str().unwrap()), "{page}");
    for way in [&made, &second] {
        shop.http.get(way["pay"]["url"].as_str().unwrap()).send().await.unwrap();
    }
    gateway.pay(first);
    assert_eq!(shop.json(&["order", "query", id], "")["result"], "delivered");
    assert_eq!(shop.state(id).await, "delivered");
    shop.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn epay_v1_from_the_order_to_the_refund() {
    whole(Family::EpayV1, "success").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn epay_v2_from_the_order_to_the_refund() {
    whole(Family::EpayV2, "success").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alipay_from_the_order_to_the_refund() {
    whole(Family::Alipay, "success").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wechat_v3_from_the_order_to_the_refund() {
    whole(Family::WeChat, "SUCCESS").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unionpay_from_the_order_to_the_refund() {
    whole(Family::UnionPay, "ok").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unionpay_by_a_code_from_the_order_to_the_refund() {
    whole_as(Family::UnionPay, "ok", "pay = \"qr\"").await;
}
