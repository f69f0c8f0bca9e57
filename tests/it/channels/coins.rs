//! Each kind for coins from the order to its delivery, against a gateway that checks what it is sent. No coins can be given
//! back; Stripe gives back what it took.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::coins::{Coins, Kind, STORE, TOKEN, Told, WEBHOOK};
use crate::support::delivery::Simulator as _;
use crate::support::shop::Daemon;

/// A product that costs a fraction, and one that BEpusdt signs in its exponent's form.
const PRICES: [(&str, &str); 2] = [("card", "9.90"), ("dear", "1000000")];

/// The channel's section, with the token in that file.
pub fn settings(coins: &Coins, name: &str, token: &str) -> String {
    let url = &coins.url;
    let kind = match coins.kind {
        Kind::Epusdt => format!("kind = \"epusdt_md5\"\ngateway_url = \"{url}/\"\napi_token_file = \"{token}\""),
        Kind::Gmpay => format!(
            "kind = \"epusdt_gmpay\"\ngateway_url = \"{url}/\"\npid = \"1000\"\nsecret_key_file = \"{token}\"\n\
             sign_algo = \"hmac-sha256\""
        ),
        Kind::Bepusdt => format!("kind = \"bepusdt\"\ngateway_url = \"{url}/\"\napi_token_file = \"{token}\""),
        Kind::TokenPay => format!("kind = \"tokenpay\"\ngateway_url = \"{url}/\"\napi_token_file = \"{token}\""),
        Kind::Coinbase => format!(
            "kind = \"coinbase_commerce\"\napi_url = \"{url}\"\napi_key_file = \"{token}\"\n\
             webhook_secret_file = \"webhook\""
        ),
        Kind::BtcPay => format!(
            "kind = \"btcpay\"\nserver_url = \"{url}/\"\nstore_id = \"{STORE}\"\napi_key_file = \"{token}\"\n\
             webhook_secret_file = \"webhook\""
        ),
        Kind::Stripe => format!(
            "kind = \"stripe\"\napi_base = \"{url}\"\napi_key_file = \"{token}\"\n\
             webhook_secret_file = \"webhook\""
        ),
        Kind::Webhooks => format!(
            "kind = \"standard_webhooks\"\nsecrets_file = \"webhook\"\n\
             pay_url = \"{url}/page?order={{number}}&amount={{amount}}&currency={{currency}}\""
        ),
    };
    format!("[channel.{name}]\n{kind}\n")
}

pub fn files(data: &Path) {
    std::fs::create_dir_all(data).unwrap();
    for (name, text) in [("token", TOKEN), ("wrong", "epusdt_password_xasddawqf"), ("webhook", WEBHOOK)] {
        std::fs::write(data.join(name), text).unwrap();
    }
}

fn wish(product: &str, channel: &str) -> Value {
    json!({"product": product, "contact": format!("{channel}@example.test"), "channel": channel})
}

/// Makes an order and goes where the buyer is sent: its number and its payment's.
async fn ordered(shop: &Daemon, product: &str) -> (String, String) {
    let (status, made) = shop.post("/v1/orders", &wish(product, "gate")).await;
    assert_eq!(status, 201, "{made}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (id, number) = (text(&made["id"]), text(&made["payment_no"]));
    assert_eq!(made["pay"]["kind"], "redirect", "{made}");
    let (page, url) = (text(&made["page"]), text(&made["pay"]["url"]));
    let page = shop.http.get(page).send().await.unwrap().text().await.unwrap();
    let page = page.replace("&#x2f;", "/").replace("&amp;", "&");
    assert!(page.contains(&url), "the page leads there: {page}");
    let there = shop.http.get(url).send().await.unwrap();
    assert_eq!((there.status().as_u16(), there.text().await.unwrap().as_str()), (200, "pay here"));
    (id, number)
}

/// Keys of a product that are available, reserved and given.
async fn stock(shop: &Daemon, product: &str) -> [u64; 3] {
    let shown = shop.admin(&format!("/v1/products/{product}")).await;
    ["available", "reserved", "given"].map(|name| shown["stock"][name].as_u64().unwrap())
}

/// A command that must fail, and say so.
fn fails(shop: &Daemon, args: &[&str], words: &str) {
    let done = shop.cli(args, "");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(!done.status.success() && said.contains(words), "{args:?}: {} {said}", done.status);
}

/// What is no payment delivers nothing, and what is none of this order's is refused.
async fn unpaid(shop: &Daemon, coins: &Coins, id: &str, number: &str) {
    for told in [Told::Waiting, Told::Expired] {
        assert_eq!(coins.tell(number, told).await, (200, "ok".to_owned()), "{told:?}");
    }
    assert_eq!(coins.tell(number, Told::Forged).await, (400, "fail".to_owned()));
    shop.incidents("bad_signature", 1).await;
    // A page of one's own has no address and no charge that the order could be bound to.
    if coins.kind != Kind::Webhooks {
        assert_eq!(coins.tell(number, Told::Elsewhere).await, (400, "fail".to_owned()));
        shop.incidents("order_mismatch", 1).await;
    }
    assert_eq!(shop.state(id).await, "pending");
    assert_eq!(stock(shop, "card").await, [4, 1, 0]);
}

/// Paid, and nobody calls: the gateway is asked where it can be.
async fn lost(shop: &Daemon, coins: &Coins) {
    let (id, number) = ordered(shop, "card").await;
    let query = ["order", "query", &id];
    if matches!(coins.kind, Kind::Coinbase | Kind::BtcPay | Kind::Stripe | Kind::TokenPay) {
        assert_eq!(shop.json(&query, "")["result"], "unpaid");
        coins.pay(&number);
        assert_eq!(shop.json(&query, "")["result"], "delivered");
    } else {
        coins.pay(&number);
        fails(shop, &query, "cannot be asked");
        assert_eq!(shop.state(&id).await, "pending");
    }
    // The callback comes late: it is the same payment, or the first word of it.
    assert_eq!(coins.tell(&number, Told::Paid).await, (200, "ok".to_owned()));
    assert_eq!(shop.state(&id).await, "delivered");
    assert_eq!(stock(shop, "card").await, [3, 0, 2]);
}

async fn whole(kind: Kind) {
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    let data = folder.path().join("d");
    files(&data);
    let coins: Arc<Coins> = Coins::start(kind).await;
    let shop = Daemon::at(&data, &settings(&coins, "gate", "token"));
    *coins.console.lock().unwrap() = format!("{}/pay/gate/notify", shop.public);
    for (product, price) in PRICES {
        shop.json(&["product", "add", product, "--price", price], "");
        shop.import(product, 0, 5);
        let (id, number) = ordered(&shop, product).await;
        if product == "card" {
            unpaid(&shop, &coins, &id, &number).await;
        }
        coins.pay(&number);
        for _ in 0..2 {
            assert_eq!(coins.tell(&number, Told::Paid).await, (200, "ok".to_owned()));
            assert_eq!(shop.state(&id).await, "delivered");
            assert_eq!(stock(&shop, product).await, [4, 0, 1], "delivered once");
        }
        let refund = ["order", "refund", &id, "--gateway", "--reason", "x"];
        if kind != Kind::Stripe {
            fails(&shop, &refund, "cannot give money back");
            assert_eq!(shop.state(&id).await, "delivered");
        } else if product == "dear" {
            assert_eq!(shop.json(&refund, "")["result"], "refunded");
            let given: Vec<_> = coins.given_back.lock().unwrap().values().cloned().collect();
            assert_eq!(given, [(format!("pi_{number}"), "100000000".to_owned())]);
        }
    }
    lost(&shop, &coins).await;
    assert_eq!(coins.taken(), 3);
    // Money that came elsewhere is money: it waits for a person, and no repeat or refused signature waits with it.
    let waiting = shop.admin("/v1/orphans").await;
    let kinds: Vec<_> = waiting["payments"].as_array().unwrap().iter().map(|payment| &payment["kind"]).collect();
    assert_eq!(kinds.len(), usize::from(kind != Kind::Webhooks), "{waiting}");
    assert!(kinds.iter().all(|kind| *kind == "orphan"), "{waiting}");
    shop.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn epusdt_md5_from_the_order_to_its_delivery() {
    whole(Kind::Epusdt).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn epusdt_gmpay_from_the_order_to_its_delivery() {
    whole(Kind::Gmpay).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bepusdt_from_the_order_to_its_delivery() {
    whole(Kind::Bepusdt).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokenpay_from_the_order_to_its_delivery() {
    whole(Kind::TokenPay).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn coinbase_commerce_from_the_order_to_its_delivery() {
    whole(Kind::Coinbase).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn btcpay_from_the_order_to_its_delivery() {
    whole(Kind::BtcPay).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stripe_from_the_order_to_its_delivery() {
    whole(Kind::Stripe).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn standard_webhooks_from_the_order_to_its_delivery() {
    whole(Kind::Webhooks).await;
}

/// The page of one's own is not among them: nothing is asked of it before the buyer comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_token_opens_no_payment_and_reserves_nothing() {
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    let data = folder.path().join("d");
    files(&data);
    let refused = "signature verification failed";
    let kinds = [
        ("epusdt", Kind::Epusdt, refused),
        ("gmpay", Kind::Gmpay, refused),
        ("bepusdt", Kind::Bepusdt, refused),
        ("tokenpay", Kind::TokenPay, refused),
        ("coinbase", Kind::Coinbase, "no such API key"),
        ("btcpay", Kind::BtcPay, "Authentication is required"),
        ("stripe", Kind::Stripe, "Invalid API Key provided"),
    ];
    let mut gateways = Vec::new();
    for (name, kind, words) in kinds {
        gateways.push((name, Coins::start(kind).await, words));
    }
    let sections: String = gateways.iter().map(|(name, coins, _)| settings(coins, name, "wrong")).collect();
    let shop = Daemon::at(&data, &sections);
    shop.product("card", &[], 5);
    for (name, coins, words) in &gateways {
        let (status, said) = shop.post("/v1/orders", &wish("card", name)).await;
        assert_eq!((status, &said["code"]), (502, &json!("gateway")), "{name}: {said}");
        // A stranger is not told what the gateway said; an operator is.
        assert!(!said["detail"].as_str().unwrap().contains(words), "{name}: {said}");
        let told = shop.cli(&["order", "new", "card", "--channel", name], "");
        let told = String::from_utf8_lossy(&told.stderr).into_owned();
        assert!(told.contains(words) && told.contains(&format!("channel {name}:")), "{name}: {told}");
        assert_eq!((coins.taken(), stock(&shop, "card").await), (0, [5, 0, 0]), "{name}");
    }
    let noted = shop.incidents("payment_not_opened", kinds.len()).await;
    for (name, _, words) in kinds {
        let of = noted.iter().find(|incident| incident["channel"] == name);
        let of = of.unwrap_or_else(|| panic!("{name}: {noted:?}"));
        let shown = shop.json(&["incident", "show", of["id"].as_str().unwrap()], "");
        assert!(shown["advice"].as_str().unwrap().contains(words), "{shown}");
    }
    // A buyer who chose that way on the order's page is shown the page again, with the other ways.
    let (_, made) = shop.post("/v1/orders", &wish("card", "sandbox")).await;
    let (id, token) = (made["id"].as_str().unwrap(), made["token"].as_str().unwrap());
    for (lang, words) in [("zh", "暂时无法付款"), ("en", "cannot be paid through now")] {
        let chosen = shop.http.post(format!("{}/o/{id}/pay", shop.public)).body("channel=epusdt");
        let chosen = chosen.header("content-type", "application/x-www-form-urlencoded").header("accept-language", lang);
        let answer = chosen.header("cookie", format!("o_{id}={token}")).send().await.unwrap();
        let (status, page) = (answer.status(), answer.text().await.unwrap());
        assert!(status == 502 && page.contains(words) && page.contains("value=\"stripe\""), "{status} {page}");
        assert!(!page.contains(refused), "{page}");
    }
    shop.audit();
}
