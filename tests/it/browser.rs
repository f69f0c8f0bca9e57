//! The buyer's pages in a real browser: they wait, pay, come back, show the keys and copy them.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::json;

use crate::support::shop::Daemon;

/// How long a page may take; generous, the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// A browser driver of the test's own; ended when dropped.
struct Driver {
    child: Child,
    url: String,
}

impl Driver {
    fn start() -> Self {
        let mut child = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is installed (make setup)");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mark = "started successfully on port ";
        let port = lines
            .map_while(Result::ok)
            .find_map(|line| line.split_once(mark).map(|(_, port)| port.trim_end_matches('.').to_owned()));
        Self { child, url: format!("http://127.0.0.1:{}", port.expect("chromedriver says its port")) }
    }

    async fn browser(&self, language: &str, profile: &std::path::Path) -> Client {
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=480,800",
        ];
        let mut arguments: Vec<String> = arguments.map(str::to_owned).to_vec();
        arguments.push(format!("--user-data-dir={}", profile.display()));
        let options = json!({"args": arguments, "prefs": {"intl.accept_languages": language}});
        let wanted = Capabilities::from_iter([("goog:chromeOptions".to_owned(), options)]);
        ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
            .capabilities(wanted)
            .connect(&self.url)
            .await
            .unwrap()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Asked politely, it takes its browsers along.
        let pid = rustix::process::Pid::from_child(&self.child);
        let _sent = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _status = self.child.wait();
    }
}

async fn text(browser: &Client, css: &str) -> String {
    let wait = browser.wait().at_most(PATIENCE);
    wait.for_element(Locator::Css(css)).await.unwrap().text().await.unwrap()
}

/// Keeps a picture, where a person asked for one.
async fn picture(browser: &Client, name: &str) {
    if let Some(folder) = std::env::var_os("KAMID_PICTURES") {
        std::fs::write(std::path::Path::new(&folder).join(name), browser.screenshot().await.unwrap()).unwrap();
    }
}

async fn order(shop: &Daemon, channel: &str) -> (String, String) {
    let wish = json!({"product": "page", "quantity": 2, "contact": "buyer@example.test", "channel": channel});
    let (status, order) = shop.post("/v1/orders", &wish).await;
    assert_eq!(status, 201, "{order}");
    (order["id"].as_str().unwrap().to_owned(), order["page"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_buyer_pays_in_a_browser_and_gets_the_keys_without_a_reload() {
    let shop = Daemon::start("");
    let other = shop.second();
    shop.product("page", &["--name", "十元卡 <b>x</b>"], 20);
    let (driver, profile) = (Driver::start(), tempfile::tempdir().unwrap());
    let browser = driver.browser("zh-CN,zh", profile.path()).await;

    // The buyer waits here, pays at the gateway's page, and comes back by a link without a token.
    let (id, page) = order(&shop, "sandbox").await;
    browser.goto(&page).await.unwrap();
    assert_eq!(text(&browser, "#state").await, "等待付款");
    picture(&browser, "waiting.png").await;
    assert!(text(&browser, "h1").await.contains("<b>x</b>"), "a product's name is text");
    let at = browser.current_url().await.unwrap();
    assert_eq!((at.path(), at.query()), (format!("/o/{id}").as_str(), None), "the token does not stay in the address");
    browser.find(Locator::LinkText("去付款 19.80 CNY")).await.unwrap().click().await.unwrap();
    let buttons = browser.find_all(Locator::Css("button[name=how]")).await.unwrap();
    assert_eq!(buttons.len(), 5);
    picture(&browser, "sandbox.png").await;
    buttons[4].click().await.unwrap();
    assert_eq!(text(&browser, "ol code").await, "400 fail");
    browser.find(Locator::Css("button[value=once]")).await.unwrap().click().await.unwrap();
    let said = browser.wait().at_most(PATIENCE).for_element(Locator::XPath("//code[.='200 success']")).await;
    said.unwrap();
    browser.find(Locator::LinkText("返回商店")).await.unwrap().click().await.unwrap();
    assert!(text(&browser, "ol li code").await.starts_with("PLAIN-page-"));
    assert_eq!(browser.find_all(Locator::Css("ol li code")).await.unwrap().len(), 2);
    assert_eq!(text(&browser, "#state").await, "已发货");
    browser.find(Locator::Css("ol li button")).await.unwrap().click().await.unwrap();
    browser.wait().at_most(PATIENCE).for_element(Locator::XPath("//button[.='已复制']")).await.unwrap();
    browser.find(Locator::Css("[data-copy-all]")).await.unwrap().click().await.unwrap();
    browser.wait().at_most(PATIENCE).for_element(Locator::XPath("//p/button[.='已复制']")).await.unwrap();
    picture(&browser, "delivered.png").await;

    // Another instance takes the callback; the page that waits shows the keys by itself.
    let (id, page) = order(&shop, "pay").await;
    browser.goto(&page).await.unwrap();
    assert_eq!(text(&browser, "#state").await, "等待付款");
    browser.find(Locator::Css("button[value=sandbox]")).await.unwrap().click().await.unwrap();
    let pay = browser.wait().at_most(PATIENCE).for_element(Locator::Css("a.pay[href*='/pay/sandbox/']")).await.unwrap();
    assert!(pay.attr("href").await.unwrap().unwrap().ends_with(&format!("{id}02")), "another attempt");
    let paid = std::time::Instant::now();
    assert_eq!(other.send(&other.callback(&format!("{id}01"), "B1", 1980)).await, (200, "success".to_owned()));
    assert!(text(&browser, "ol li code").await.starts_with("PLAIN-page-"));
    eprintln!("the page showed the keys {} ms after the callback was sent", paid.elapsed().as_millis());

    // A stranger's browser sees nothing, and says so in its own words.
    browser.delete_all_cookies().await.unwrap();
    browser.goto(&format!("{}/o/{id}", shop.public)).await.unwrap();
    assert!(text(&browser, "h1").await.starts_with("没有这个订单"));
    assert!(!browser.source().await.unwrap().contains("PLAIN-"));
    browser.close().await.unwrap();
    shop.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_script_a_reload_shows_the_keys_and_nothing_is_kept() {
    let shop = Daemon::start("");
    shop.product("page", &[], 5);
    let (id, page) = order(&shop, "pay").await;
    let before = shop.http.get(&page).send().await.unwrap();
    let header = |name: &str| before.headers().get(name).unwrap().to_str().unwrap().to_owned();
    assert_eq!(header("cache-control"), "no-store");
    assert_eq!(header("referrer-policy"), "no-referrer");
    assert!(header("content-security-policy").starts_with("default-src 'none'"));
    assert!(header("set-cookie").contains("HttpOnly"));
    assert!(before.text().await.unwrap().contains("Waiting for payment"));
    assert_eq!(shop.pay(&id, "N1", 1980).await.0, 200);
    assert!(shop.http.get(&page).send().await.unwrap().text().await.unwrap().contains("PLAIN-page-"));
    // What the gateway knows of the way back carries neither token nor query.
    let (_, again) = shop.post("/v1/orders", &json!({"product": "page", "contact": "x", "channel": "pay"})).await;
    let url = again["pay"]["url"].as_str().unwrap();
    let back = format!("%2Fr%2F{}&", again["id"].as_str().unwrap());
    assert!(url.contains(&back) && !url.contains(again["token"].as_str().unwrap()), "{url}");
}
