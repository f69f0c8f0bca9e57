//! What can be paid from one address alone, or only for some minutes, is opened by the buyer's click: with the buyer's own
//! address, and again once it has aged.

use std::sync::Arc;

use fantoccini::Locator;
use serde_json::{Value, json};

use super::whole::settings;
use crate::support::browser::{Driver, PATIENCE, text};
use crate::support::delivery::Simulator as _;
use crate::support::gateway::{Family, Gateway};
use crate::support::shop::Daemon;

/// A shop behind a proxy that it believes, with one channel to that gateway.
fn shop(gateway: &Gateway, folder: &std::path::Path, more: &str) -> Daemon {
    let data = folder.join("d");
    let server = "[server]\npublic = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\ntrusted_proxies = [\"127.0.0.1/32\"]\n";
    let shop = Daemon::at(&data, &format!("{server}[channel.gate]\n{}\n{more}\n", settings(gateway, &data)));
    shop.product("card", &[], 5);
    shop
}

/// A buyer's browser as far as forms go: its cookie, and the address that the proxy tells.
struct Buyer<'a> {
    shop: &'a Daemon,
    http: reqwest::Client,
    id: String,
    cookie: String,
}

impl<'a> Buyer<'a> {
    async fn orders(shop: &'a Daemon, channel: &str) -> (Self, Value) {
        let wish = json!({"product": "card", "contact": "buyer@example.test", "channel": channel});
        let (status, made) = shop.post("/v1/orders", &wish).await;
        assert_eq!(status, 201, "{made}");
        let id = made["id"].as_str().unwrap().to_owned();
        let cookie = format!("o_{id}={}", made["token"].as_str().unwrap());
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        (Self { shop, http, id, cookie }, made)
    }

    async fn sees(&self, query: &str) -> String {
        let ask = self.http.get(format!("{}/o/{}{query}", self.shop.public, self.id)).header("cookie", &self.cookie);
        let page = ask.send().await.unwrap().text().await.unwrap();
        page.replace("&#x2f;", "/").replace("&amp;", "&")
    }

    /// Goes to pay, from that address: status, and where it leads.
    async fn clicks(&self, channel: &str, from: &str) -> (u16, String) {
        let ask = self.http.post(format!("{}/o/{}/pay", self.shop.public, self.id)).header("cookie", &self.cookie);
        let ask = ask.header("content-type", "application/x-www-form-urlencoded").header("x-forwarded-for", from);
        let answer = ask.body(format!("go=1&channel={channel}")).send().await.unwrap();
        let to = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned()).unwrap_or_default();
        (answer.status().as_u16(), to)
    }

    /// Time goes on until what its attempt was opened with leads nowhere any more.
    fn ages(&self, attempt: &str) {
        let socket = self.shop.data.join("redis/redis.sock");
        let mut link = redis::Client::open(format!("unix://{}", socket.display())).unwrap().get_connection().unwrap();
        let names: Vec<String> = redis::cmd("KEYS").arg(format!("*:order:{}", self.id)).query(&mut link).unwrap();
        let field = format!("s:{attempt}");
        let step: String = redis::cmd("HGET").arg(&names[0]).arg(&field).query(&mut link).unwrap();
        let mut step: Value = serde_json::from_str(&step).unwrap();
        assert!(step["until"].as_u64().is_some_and(|until| until > 1_600_000_000_000), "{step}");
        step["until"] = json!(1);
        redis::cmd("HSET").arg(&names[0]).arg(field).arg(step.to_string()).exec(&mut link).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_bound_to_an_address_is_opened_by_its_buyers_click() {
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    let gateway: Arc<Gateway> = Gateway::start(Family::WeChat).await;
    let shop = shop(&gateway, folder.path(), "pay = \"h5\"");
    // The shop's server orders: nothing is opened for its address, and its buyer is led to the page.
    let (buyer, made) = Buyer::orders(&shop, "gate").await;
    assert_eq!((&made["pay"]["kind"], &made["pay"]["url"]), (&json!("redirect"), &made["page"]), "{made}");
    assert_eq!(gateway.taken(), 0, "it is not opened for a server's address");
    let page = buyer.sees("").await;
    assert!(page.contains("name=\"channel\" value=\"gate\"") && !page.contains("/h5?"), "{page}");
    // The click opens it, for the whole address of whoever clicked; the page leads there.
    let from = "2001:db8:1:2:3:4:5:6";
    let there = (303, format!("/o/{}?go=1", buyer.id));
    assert_eq!(buyer.clicks("gate", from).await, there);
    let first = format!("{}01", buyer.id);
    assert_eq!(gateway.payment(&first).extra, from);
    let link = format!("href=\"{}/h5?number={first}", gateway.url);
    let page = buyer.sees("?go=1").await;
    assert!(page.contains(&link) && page.contains("data-go"), "{page}");
    // Whoever looks at the page later comes by a click again: as long as it is good, to the same.
    assert!(!buyer.sees("").await.contains("/h5?"));
    assert_eq!((buyer.clicks("gate", from).await, gateway.taken()), (there.clone(), 1));
    // From another network, and once its minutes are over, it is opened again under a number of its own.
    assert_eq!((buyer.clicks("gate", "203.0.113.9").await, gateway.taken()), (there.clone(), 2));
    assert_eq!(gateway.payment(&format!("{}02", buyer.id)).extra, "203.0.113.9");
    buyer.ages("02");
    let page = buyer.sees("?go=1").await;
    assert!(page.contains("name=\"channel\" value=\"gate\"") && !page.contains("/h5?"), "an old link is not shown");
    assert_eq!((buyer.clicks("gate", "203.0.113.9").await, gateway.taken()), (there, 3));
    // Paid by the second of them, although a third was opened.
    let second = format!("{}02", buyer.id);
    gateway.pay(&second);
    assert_eq!(gateway.call_back(&second).await.0, 200);
    assert!(buyer.sees("").await.contains("PLAIN-card-"));
    shop.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_way_to_pay_is_opened_for_the_buyers_address_and_never_for_ours() {
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    let gateway: Arc<Gateway> = Gateway::start(Family::WeChat).await;
    let shop = shop(&gateway, folder.path(), "pay = \"h5\"");
    let (buyer, made) = Buyer::orders(&shop, "pay").await;
    // What needs no gateway is there at once, as ever.
    assert!(made["pay"]["url"].as_str().unwrap().contains("submit.php?"), "{made}");
    // A server that chooses for its buyer opens nothing.
    let path = format!("/v1/orders/{}/pay?token={}", buyer.id, made["token"].as_str().unwrap());
    let (status, chosen) = shop.post(&path, &json!({"channel": "gate"})).await;
    assert_eq!((status, &chosen["pay"]["url"]), (201, &chosen["page"]), "{chosen}");
    assert_eq!(gateway.taken(), 0);
    assert_eq!(buyer.clicks("gate", "198.51.100.7").await.0, 303);
    assert_eq!(
        gateway.payment(&format!("{}02", buyer.id)).extra,
        "198.51.100.7",
        "the attempt that was waiting for it"
    );
    // Nor does an operator.
    let by_hand = shop.json(&["order", "new", "card", "--channel", "gate"], "");
    assert_eq!((&by_hand["pay"]["url"], gateway.taken()), (&by_hand["page"], 1));
    shop.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_that_has_aged_is_not_shown_and_a_click_makes_another() {
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    let gateway: Arc<Gateway> = Gateway::start(Family::Alipay).await;
    let shop = shop(&gateway, folder.path(), "");
    let (buyer, made) = Buyer::orders(&shop, "gate").await;
    assert_eq!((&made["pay"]["kind"], gateway.taken()), (&json!("qr"), 1), "it is opened with the order");
    let page = buyer.sees("").await;
    assert!(page.contains("<svg") && page.contains("data-ages="), "{page}");
    buyer.ages("01");
    let page = buyer.sees("").await;
    assert!(!page.contains("<svg") && page.contains("name=\"channel\" value=\"gate\""), "{page}");
    assert_eq!(buyer.clicks("gate", "198.51.100.7").await, (303, format!("/o/{}", buyer.id)));
    assert!(buyer.sees("").await.contains("<svg") && gateway.taken() == 2);
    let second = format!("{}02", buyer.id);
    gateway.pay(&second);
    assert_eq!(gateway.call_back(&second).await.0, 200);
    assert_eq!(shop.state(&buyer.id).await, "delivered");
    shop.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_wants_the_shops_name_hears_it_and_nothing_more() {
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    let gateway: Arc<Gateway> = Gateway::start(Family::WeChat).await;
    let shop = shop(&gateway, folder.path(), "pay = \"h5\"");
    let (buyer, made) = Buyer::orders(&shop, "gate").await;
    let (driver, profile) = (Driver::start(), tempfile::tempdir().unwrap());
    let browser = driver.browser("zh-CN,zh", profile.path()).await;
    browser.goto(made["page"].as_str().unwrap()).await.unwrap();
    // One click.
    browser.wait().at_most(PATIENCE).for_element(Locator::Css("button.pay")).await.unwrap().click().await.unwrap();
    // The order's page has a heading, too, until the browser has gone.
    let began = std::time::Instant::now();
    while browser.title().await.unwrap() != "WeChat" {
        assert!(began.elapsed() < PATIENCE, "the click leads to the gateway");
    }
    assert_eq!(text(&browser, "h1").await, "pay here");
    let number = format!("{}01", buyer.id);
    assert_eq!(gateway.payment(&number).extra, format!("127.0.0.1 {}/", shop.public), "no number and no token");
    // Back from there, the page stays.
    browser.back().await.unwrap();
    assert_eq!(text(&browser, "#state").await, "等待付款");
    gateway.pay(&number);
    assert_eq!(gateway.call_back(&number).await.0, 200);
    assert!(text(&browser, "ol li code").await.starts_with("PLAIN-card-"));
    browser.close().await;
    shop.audit();
}
