//! A buyer finds an order again from another browser: by its code, which opens it, by the contact, which shows where it
//! stands; whoever guesses learns nothing.

use fantoccini::Locator;
use serde_json::{Value, json};

use crate::support::browser::{Driver, PATIENCE, text};
use crate::support::shop::Daemon;

/// One buyer of these tests orders several times.
const OFTEN: &str = "[limits]\nunpaid_keys_per_address = \"1000\"\n";

async fn order(shop: &Daemon) -> Value {
    let wish = json!({"product": "card", "contact": "Buyer@example.test", "channel": "pay"});
    let (status, order) = shop.post("/v1/orders", &wish).await;
    assert_eq!(status, 201, "{order}");
    order
}

/// What a try to find an order is answered: status, page, cookie.
async fn tried(shop: &Daemon, id: &str, given: &str) -> (u16, String, Option<String>) {
    let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let form = [("given", given)];
    let body = crate::support::gateway::encoded(&form.map(|(name, text)| (name.to_owned(), text.to_owned())).into());
    let ask = http.post(format!("{}/o/{id}/find", shop.public)).body(body);
    let answer = ask.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
    let cookie = answer.headers().get("set-cookie").map(|cookie| cookie.to_str().unwrap().to_owned());
    (answer.status().as_u16(), answer.text().await.unwrap(), cookie)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_buyer_who_comes_back_in_another_browser_enters_the_code_and_gets_the_keys() {
    let shop = Daemon::start("");
    shop.product("card", &[], 5);
    let order = order(&shop).await;
    let (id, page) = (order["id"].as_str().unwrap(), order["page"].as_str().unwrap());
    let (driver, profiles) = (Driver::start(), [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()]);
    let browser = driver.browser("zh-CN,zh", profiles[0].path()).await;
    browser.goto(page).await.unwrap();
    // The page shows the code before anything is paid.
    let code = text(&browser, "#code").await;
    assert_eq!(order["code"], code);
    browser.close().await;
    assert_eq!(shop.pay(id, "A1", 990).await.0, 200);

    // The gateway sends the buyer back, and the phone opens another browser.
    let browser = driver.browser("zh-CN,zh", profiles[1].path()).await;
    let back = format!("{}/r/{id}", shop.public);
    browser.goto(&back).await.unwrap();
    assert!(text(&browser, "main p").await.contains("测试模式"));
    assert!(text(&browser, "label").await.contains("查询口令"));
    assert!(!browser.source().await.unwrap().contains("PLAIN-"));
    // By the contact: where it stands, and what to do; no key.
    browser.find(Locator::Id("given")).await.unwrap().send_keys("Buyer@example.test\n").await.unwrap();
    assert_eq!(text(&browser, "#state").await, "已发货");
    let shown = browser.source().await.unwrap();
    assert!(shown.contains("9.90 CNY") && shown.contains("请把订单号告诉卖家") && !shown.contains("PLAIN-"), "{shown}");
    assert!(browser.get_all_cookies().await.unwrap().is_empty(), "a contact opens nothing");
    // By the code, typed as people type: the keys, and from then on this browser has them too.
    let typed = format!(" {}\n", code.to_lowercase().replace('-', " "));
    browser.find(Locator::Id("given")).await.unwrap().send_keys(&typed).await.unwrap();
    assert!(text(&browser, "ol li code").await.starts_with("PLAIN-card-"));
    browser.goto(&back).await.unwrap();
    browser.wait().at_most(PATIENCE).for_element(Locator::Css("ol li code")).await.unwrap();
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_and_what_is_missing_look_alike_and_guesses_are_counted() {
    let shop = Daemon::start(&format!("{OFTEN}lookups_per_minute = 600\n"));
    shop.product("card", &[], 5);
    let (one, other) = (order(&shop).await, order(&shop).await);
    let (id, code) = (one["id"].as_str().unwrap(), other["code"].as_str().unwrap());
    let missing = "KO251123160000L7U2RE";
    let asks = async |path: &str| {
        let answer = shop.http.get(format!("{}{path}", shop.public)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    // The nonce of a page is another one each time.
    let plain = |page: &str, id: &str| {
        let nonce = page.split("nonce=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        page.replace(&nonce, "").replace(id, "ID")
    };
    for place in ["r", "o"] {
        let (there, absent) = (asks(&format!("/{place}/{id}")).await, asks(&format!("/{place}/{missing}")).await);
        assert_eq!((there.0, plain(&there.1, id)), (absent.0, plain(&absent.1, missing)));
        assert_eq!(there.0, if place == "r" { 200 } else { 404 });
    }
    // Another order's code, another spelling of the contact, a token, nothing.
    let token = one["token"].as_str().unwrap();
    let absent = tried(&shop, missing, code).await;
    assert_eq!((absent.0, absent.2), (404, None));
    for given in [code, "buyer@example.test", token, ""] {
        let wrong = tried(&shop, id, given).await;
        assert_eq!((wrong.0, wrong.2), (404, None), "{given}");
        assert_eq!(plain(&wrong.1, id), plain(&absent.1, missing), "{given}");
    }
    // Ten tries a minute here: then nobody is told whether the next one was right.
    let mut told = Vec::new();
    for _ in 0..6 {
        told.push(tried(&shop, id, one["code"].as_str().unwrap()).await);
    }
    assert!(told.iter().take(5).all(|(status, _, cookie)| *status == 303 && cookie.is_some()), "{told:?}");
    let (status, page, cookie) = told.last().unwrap();
    assert_eq!((*status, cookie), (429, &None), "{page}");
    assert!(page.contains("Too many tries from your network"), "{page}");
    // Whoever only looks goes on.
    assert_eq!(shop.send(&format!("/o/{id}?token={token}")).await.0, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_order_is_guessed_at_no_faster_from_many_addresses_and_its_owner_goes_on() {
    let server = "[server]\npublic = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\ntrusted_proxies = [\"127.0.0.1/32\"]\n";
    // Ten tries a minute for one address: thirty for one order.
    let shop =
        Daemon::start(&format!("{server}[limits]\nlookups_per_minute = 600\nunpaid_keys_per_address = \"1000\"\n"));
    shop.product("card", &[], 5);
    let (one, other) = (order(&shop).await, order(&shop).await);
    let (id, missing) = (one["id"].as_str().unwrap(), "KO251123160000L7U2RE");
    let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let guess = async |id: &str, address: &str, given: &str| {
        let ask = http.post(format!("{}/o/{id}/find", shop.public)).body(format!("given={given}"));
        let ask = ask.header("content-type", "application/x-www-form-urlencoded").header("x-forwarded-for", address);
        let answer = ask.send().await.unwrap();
        (answer.status().as_u16(), answer.headers().contains_key("set-cookie"), answer.text().await.unwrap())
    };
    // One that is there and one that is not look alike in this, too.
    for id in [id, missing] {
        let mut wrong = 0;
        while guess(id, &format!("203.0.113.{wrong}"), &format!("1380013{wrong:04}")).await.0 == 404 {
            wrong += 1;
            assert!(wrong < 60, "nobody stops it");
        }
        assert!(wrong >= 30, "{wrong} for {id}");
    }
    // A token comes back every two seconds: it is spent first.
    let mut last = (200, false, String::new());
    for turn in 0..20 {
        while guess(id, &format!("203.0.114.{turn}"), "13800139999").await.0 == 404 {}
        last = guess(id, &format!("198.51.101.{turn}"), "Buyer@example.test").await;
        if last.0 == 429 {
            break;
        }
    }
    let (status, cookie, page) = last;
    assert!(status == 429 && !cookie && page.contains("Too many tries for this order"), "{status} {page}");
    // The code opens it all the same, the link and the cookie never ask, and other orders are found by their contact.
    let code = one["code"].as_str().unwrap();
    let (status, cookie, _) = guess(id, "198.51.100.7", code).await;
    assert_eq!((status, cookie), (303, true));
    assert_eq!(shop.send(&format!("/o/{id}?token={}", one["token"].as_str().unwrap())).await.0, 200);
    assert_eq!(guess(other["id"].as_str().unwrap(), "198.51.100.7", "Buyer@example.test").await.0, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_may_send_the_buyer_back_by_a_form() {
    let shop = Daemon::start("");
    shop.product("card", &[], 5);
    let order = order(&shop).await;
    let id = order["id"].as_str().unwrap();
    let (driver, profile) = (Driver::start(), tempfile::tempdir().unwrap());
    let browser = driver.browser("zh-CN,zh", profile.path()).await;
    browser.goto(order["page"].as_str().unwrap()).await.unwrap();
    assert_eq!(text(&browser, "#state").await, "等待付款");
    // Another site's page, as UnionPay's: a form with what it knows of the payment.
    let form = format!(
        "<form method=post action='{}/r/{id}'><input name=respCode value=00><button>x</button></form>",
        shop.public
    );
    let site = profile.path().join("site.html");
    std::fs::write(&site, form).unwrap();
    browser.goto(&format!("file://{}", site.display())).await.unwrap();
    browser.find(Locator::Css("button")).await.unwrap().click().await.unwrap();
    assert_eq!(text(&browser, "#state").await, "等待付款", "the browser that ordered knows its order");
    browser.close().await;
}
