//! The buyer's pages in a real browser: they wait, pay, come back, show the keys and copy them.

use fantoccini::{Client, Locator};
use rustix::process::{Signal, kill_process, test_kill_process};
use serde_json::json;

use crate::support::browser::{Driver, PATIENCE, processes, text};
use crate::support::shop::Daemon;

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
    assert!(text(&browser, "h1").await.starts_with("查询订单"));
    assert!(!browser.source().await.unwrap().contains("PLAIN-"));
    browser.close().await;
    shop.audit();
}

/// Such a browser hands the page over to another one by its address.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_inside_another_program_keeps_the_token_in_the_address_until_the_keys_are_there() {
    let shop = Daemon::start("");
    shop.product("page", &[], 5);
    let (id, page) = order(&shop, "pay").await;
    let (driver, profile) = (Driver::start(), tempfile::tempdir().unwrap());
    let wechat = ["--user-agent=Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Mobile MicroMessenger/8.0.50"];
    let browser = driver.browser_with("zh-CN,zh", profile.path(), &wechat, None).await;
    browser.goto(&page).await.unwrap();
    assert_eq!(text(&browser, "#state").await, "等待付款");
    assert_eq!(browser.current_url().await.unwrap().as_str(), page);
    assert_eq!(shop.pay(&id, "I1", 1980).await.0, 200);
    text(&browser, "ol li code").await;
    assert_eq!(browser.current_url().await.unwrap().as_str(), format!("{}/o/{id}", shop.public));
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_script_a_reload_shows_the_keys_and_nothing_is_kept() {
    let shop = Daemon::start("");
    shop.product("page", &[], 5);
    let (id, page) = order(&shop, "pay").await;
    let before = shop.http.get(&page).send().await.unwrap();
    let header = |name: &str| before.headers().get(name).unwrap().to_str().unwrap().to_owned();
    assert_eq!(header("cache-control"), "no-store");
    assert_eq!(header("referrer-policy"), "strict-origin-when-cross-origin");
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

/// Keys that a page's layout would change: tabs, blanks side by side, quotes, what looks like HTML.
const ODD: [&str; 10] = [
    "AB  CD\tEF   G",
    "user7\tp4ss word",
    "\"quoted\" 'twice'",
    "<b>bold</b>&amp;<br>",
    "https://x.test/?a=1&b=2#c",
    "卡号：1　密码：2",
    "a\\nb\\tc",
    "`${x}`",
    "0123456789012345678901234567890123456789012345678901234567890123456789",
    "last",
];

/// What somebody would paste now.
async fn pasted(browser: &Client) -> String {
    let make = "document.getElementById('pasted')?.remove(); const box = document.createElement('textarea'); \
                box.id = 'pasted'; document.body.append(box); box.focus();";
    browser.execute(make, Vec::new()).await.unwrap();
    let paste = browser.find(Locator::Id("pasted")).await.unwrap();
    paste.send_keys("\u{e009}v\u{e000}").await.unwrap();
    paste.prop("value").await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_clipboard_each_button_copies_its_key_and_none_says_so_that_did_not() {
    let shop = Daemon::start("");
    shop.product("odd", &[], 0);
    shop.json(&["keys", "import", "odd", "-"], &(ODD.join("\n") + "\n"));
    let wish = json!({"product": "odd", "quantity": 10, "contact": "buyer@example.test", "channel": "pay"});
    let (_, order) = shop.post("/v1/orders", &wish).await;
    assert_eq!(shop.pay(order["id"].as_str().unwrap(), "C1", 9900).await.0, 200);
    // Plain http under a name of its own, as a shop without a certificate has it: there is no navigator.clipboard.
    let page = order["page"].as_str().unwrap().replace("127.0.0.1", "shop.test");
    let (driver, profile) = (Driver::start(), tempfile::tempdir().unwrap());
    let here = ["--host-resolver-rules=MAP shop.test 127.0.0.1"];
    let browser = driver.browser_with("zh-CN,zh", profile.path(), &here, None).await;
    browser.goto(&page).await.unwrap();
    text(&browser, "ol li code").await;
    assert_eq!(browser.execute("return typeof navigator.clipboard", Vec::new()).await.unwrap(), "undefined");
    let buttons = browser.find_all(Locator::Css("[data-copy]")).await.unwrap();
    let shown = browser.execute("return [...document.querySelectorAll('ol code')].map(c => c.innerText)", Vec::new());
    assert_eq!(shown.await.unwrap(), json!(ODD), "what is shown is the key too");
    for (button, key) in buttons.iter().zip(ODD) {
        button.click().await.unwrap();
        browser.wait().at_most(PATIENCE).for_element(Locator::XPath("//button[.='已复制']")).await.unwrap();
        assert_eq!(pasted(&browser).await, key);
    }
    let said = browser.find_all(Locator::XPath("//button[.='已复制']")).await.unwrap();
    assert_eq!(said.len(), 1, "one text is in the clipboard");
    browser.find(Locator::Css("[data-copy-all]")).await.unwrap().click().await.unwrap();
    browser.wait().at_most(PATIENCE).for_element(Locator::XPath("//p/button[.='已复制']")).await.unwrap();
    assert_eq!(pasted(&browser).await, ODD.join("\n"));

    // A browser that refuses: nothing is said to be copied, and the text waits, selected, for its reader's own Ctrl+C.
    browser.goto(&page).await.unwrap();
    text(&browser, "ol li code").await;
    browser.execute("document.execCommand = () => false", Vec::new()).await.unwrap();
    let first = browser.find(Locator::Css("[data-copy]")).await.unwrap();
    first.click().await.unwrap();
    assert!(text(&browser, "#by-hand p").await.contains("请长按"));
    assert_eq!(first.text().await.unwrap(), "复制");
    let hand = browser.find(Locator::Css("#by-hand textarea")).await.unwrap();
    picture(&browser, "by-hand.png").await;
    hand.send_keys("\u{e009}c\u{e000}").await.unwrap();
    assert_eq!(pasted(&browser).await, ODD[0]);
    browser.close().await;
}

/// Text that is hard to read: what it says, and its contrast with what is behind it.
const FAINT: &str = r"
  const light = (colour) => { const [r, g, b] = colour.match(/[\d.]+/g).map(Number).map((c) => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = (one) => { for (; one; one = one.parentElement) { const colour = getComputedStyle(one).backgroundColor; if (!colour.startsWith('rgba(') || !colour.endsWith(' 0)')) return colour; } return 'rgb(255, 255, 255)'; };
  const faint = [];
  for (const one of document.querySelectorAll('body *')) {
    const own = [...one.childNodes].filter((node) => node.nodeType === 3).map((node) => node.textContent.trim()).join('');
    if (!own || !one.getClientRects().length || one.matches('script, style, noscript')) continue;
    const [a, b] = [light(getComputedStyle(one).color), light(behind(one))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) faint.push(`${own}: ${ratio.toFixed(2)}`);
  }
  return faint;";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_reads_well_on_a_phone_by_day_and_by_night() {
    let shop = Daemon::start("");
    shop.product("page", &["--name", "十元卡"], 0);
    shop.json(&["keys", "import", "page", "-"], &format!("{}\n", "0123456789".repeat(9)));
    shop.import("page", 0, 9);
    let (paid, delivered) = order(&shop, "pay").await;
    assert_eq!(shop.pay(&paid, "N1", 1980).await.0, 200);
    let (tried, waiting) = order(&shop, "sandbox").await;
    let sandbox = format!("{}/pay/sandbox/checkout/{tried}01", shop.public);
    let pages = [
        (waiting.as_str(), "waiting", "十元卡 × 2 · 等待付款"),
        (delivered.as_str(), "delivered", "十元卡 × 2 · 已发货"),
        (sandbox.as_str(), "sandbox", "沙箱网关 · 19.80 CNY"),
        (&format!("{}/r/KO251123160000L7U2RE", shop.public), "find", "查询订单"),
    ];
    for (light, scheme) in [("1", "light"), ("0", "dark")] {
        let (driver, profile) = (Driver::start(), tempfile::tempdir().unwrap());
        let scheme_of = format!("--blink-settings=preferredColorScheme={light}");
        for (size, phone) in [("390x844", Some([390, 844])), ("1280x800", None)] {
            let more = [scheme_of.as_str(), "--window-size=1280,800"];
            let browser = driver.browser_with("zh-CN,zh", profile.path(), &more, phone).await;
            for (page, name, title) in pages {
                browser.goto(page).await.unwrap();
                text(&browser, "main h1").await;
                picture(&browser, &format!("{name}-{scheme}-{size}.png")).await;
                assert_eq!(browser.title().await.unwrap(), title);
                let dark = browser.execute("return matchMedia('(prefers-color-scheme: dark)').matches", Vec::new());
                assert_eq!(dark.await.unwrap(), scheme == "dark");
                let faint = browser.execute(FAINT, Vec::new()).await.unwrap();
                assert_eq!(faint, json!([]), "{name}, {scheme}");
                // Nothing is wider than the screen, and a button's label stays in one line.
                let wrong = "return [document.documentElement.scrollWidth > innerWidth, ...[...document.querySelectorAll('button')] \
                             .filter((one) => !one.hidden && one.clientHeight > 48).map((one) => one.textContent)]";
                assert_eq!(browser.execute(wrong, Vec::new()).await.unwrap(), json!([false]), "{name}, {size}");
            }
            browser.close().await;
        }
    }
}

/// A driver or a browser that hangs, as on a machine that is too busy, or that is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_is_closed_with_all_its_processes_whatever_became_of_it() {
    for (whose, signal) in [
        ("nobody's", Signal::CONT),
        ("the driver's", Signal::KILL),
        ("the driver's", Signal::STOP),
        ("the browser's", Signal::KILL),
        ("the browser's", Signal::STOP),
    ] {
        let (driver, profile) = (Driver::start(), tempfile::tempdir().unwrap());
        let browser = driver.browser("zh-CN,zh", profile.path()).await;
        browser.goto("data:text/html,<h1>x</h1>").await.unwrap();
        assert_eq!(text(&browser, "h1").await, "x");
        let running = processes(profile.path());
        assert!(running.len() > 2, "{running:?}");
        let driven = driver.pid();
        let hit = if whose == "the browser's" { running } else { vec![driven] };
        hit.iter().for_each(|pid| kill_process(*pid, signal).unwrap());
        browser.close().await;
        assert_eq!(processes(profile.path()), [], "{whose} {signal:?}");
        drop(driver);
        assert!(test_kill_process(driven).is_err(), "{whose} {signal:?}");
    }
}
