//! What nobody sees at the edges of secrets, answers and callbacks is no part of them.

use std::process::Command;

use kamid::channel::{Claim, Verdict};
use kamid::domain::{Callback, Currency, Money, Payment};
use serde_json::json;

use crate::support::channel::channels;
use crate::support::shop::{CHANNEL, Daemon, KEY, forged};

/// The test channel with its key in another file, or written down in another way.
fn with_key(name: &str, key: &str) -> String {
    CHANNEL.replace("channel.pay", &format!("channel.{name}")).replace("key_file = \"epay.key\"", key)
}

/// `config check` of these channels: its exit code, and what it says.
fn check(folder: &std::path::Path, channel: &str, env: &str) -> (Option<i32>, String) {
    let file = folder.join("config.toml");
    std::fs::write(&file, channel).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_kamid"));
    let done = command.args(["config", "check", "--config"]).arg(&file).env("EDGES_KEY", env).output().unwrap();
    (done.status.code(), String::from_utf8_lossy(&done.stdout).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_with_invisible_edges_is_the_key() {
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    let data = folder.path().join("d");
    std::fs::create_dir_all(&data).unwrap();
    let edges = [
        ("\u{feff}", "\r\n"),
        ("", "  \n"),
        (" ", ""),
        ("", "\u{a0}\n"),
        ("\u{200b}", "\u{2060}"),
        ("\n\n", "\u{3000}\t"),
    ];
    let mut settings = String::new();
    for (at, (before, after)) in edges.iter().enumerate() {
        std::fs::write(data.join(format!("k{at}")), format!("{before}{KEY}{after}")).unwrap();
        settings += &with_key(&format!("c{at}"), &format!("key_file = \"k{at}\""));
    }
    settings += &with_key("inline", &format!("key = \"\\uFEFF {KEY}\\u00A0\""));
    let shop = Daemon::at(&data, &settings);
    shop.product("edge", &[], 20);
    let clean = channels(CHANNEL, &data);
    for name in (0..edges.len()).map(|at| format!("c{at}")).chain(["inline".to_owned()]) {
        let id = shop.order_through(&name, "edge", 1).await;
        let query = forged(&clean, "pay", &format!("{id}01"), &format!("T-{name}"), 990);
        assert_eq!(shop.send(&format!("/pay/{name}/notify?{query}")).await.0, 200, "{name}");
    }
    // Whoever checks the configuration is told; a line's end alone is worth no word.
    let (code, said) = check(&data, &with_key("p", "key_file = \"k0\""), "");
    assert!(
        code == Some(0) && said.contains("channel.p.key_file: has blanks or characters that are not seen"),
        "{said}"
    );
    std::fs::write(data.join("plain"), format!("{KEY}\r\n")).unwrap();
    let (_, said) = check(&data, &with_key("p", "key_file = \"plain\""), "");
    assert!(!said.contains("not seen"), "{said}");
    let (code, said) = check(&data, &with_key("p", "key_env = \"EDGES_KEY\""), &format!("{KEY}\u{200b}"));
    assert!(code == Some(0) && said.contains("channel.p.key_env: has blanks"), "{said}");
}

#[test]
fn a_key_that_cannot_be_one_is_refused_without_being_shown() {
    let folder = tempfile::tempdir().unwrap();
    let long = "0123456789abcdef0123456789abcdef";
    for (text, wanted) in [
        (format!("\"{long}\"\n"), "quotation marks"),
        (format!("\u{feff}'{long}'"), "quotation marks"),
        (format!("\u{201c}{long}\u{201d}"), "quotation marks"),
        (format!("0123\u{200b}4567{long}"), "(U+200B) in the middle"),
        (format!("0123\u{feff}4567{long}"), "(U+FEFF) in the middle"),
        (format!("0123\n4567{long}"), "a line's end"),
        ("\u{feff} \u{200b}\n".to_owned(), "is empty"),
    ] {
        std::fs::write(folder.path().join("k"), &text).unwrap();
        let (code, said) = check(folder.path(), &with_key("p", "key_file = \"k\""), "");
        assert!(code == Some(64) && said.contains(wanted) && !said.contains(long), "{text:?}: {said}");
    }
    let wide: Vec<u8> = "\u{feff}abc".encode_utf16().flat_map(u16::to_le_bytes).collect();
    std::fs::write(folder.path().join("k"), wide).unwrap();
    let (code, said) = check(folder.path(), &with_key("p", "key_file = \"k\""), "");
    assert!(code == Some(64) && said.contains("UTF-16"), "{said}");
}

#[test]
fn a_key_that_is_added_is_kept_without_its_edges() {
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    std::fs::write(folder.path().join("given"), format!("\u{feff}{KEY} \r\n")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_kamid"));
    let done = command
        .args(["channel", "add", "shop", "--kind", "epay_v1", "--offline", "--set", "pid=1001"])
        .args(["--set", "gateway_url=https://pay.example/", "--secret-file"])
        .arg(format!("key={}", folder.path().join("given").display()))
        .arg("--data")
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(std::fs::read_to_string(folder.path().join("shop.key")).unwrap(), KEY);
}

#[test]
fn json_behind_a_mark_is_read_and_what_was_signed_is_not_touched() {
    let text = "[channel.coins]\nkind = \"epusdt_md5\"\ngateway_url = \"https://pay.example/\"\napi_token = \"token-0123456789\"\n\
                [channel.hook]\nkind = \"standard_webhooks\"\npay_url = \"https://pay.example/{number}\"\n\
                secrets = [\"whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\"]\n";
    let all = channels(text, std::path::Path::new("."));
    let paid = Money { minor: 990, currency: Currency::CNY };
    for (name, signs_fields) in [("coins", true), ("hook", false)] {
        let channel = all.get(name).unwrap();
        let payment = Payment::new("07MIBQ3K2XZ0A1B2C3D401", "T1", paid, name);
        let request = channel.forge(&payment, 1_800_000_000_000);
        let headers = kamid::channel::capture::borrowed(&request.headers);
        for mark in ["", "\u{feff}", "\u{feff}\u{feff}\r\n", " \r\n\u{feff}"] {
            let body = [mark.as_bytes(), &request.body].concat();
            let callback = Callback { method: "POST", path: "/", query: "", headers: &headers, body: &body };
            let believed = matches!(channel.verify(&callback, &[], 1_800_000_000_000), Ok(Claim::Paid(_)));
            assert_eq!(believed, signs_fields || mark.is_empty(), "{name} {mark:?}");
        }
    }
    assert_eq!(all.get("coins").unwrap().ack(Verdict::Received).status, 200);
}

/// A gateway that says this to every question.
fn gateway(says: impl Fn(&str) -> String + Send + 'static) -> std::net::SocketAddr {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut whole = Vec::new();
            let mut part = [0; 4096];
            // A body that came whole ends with a brace; a question in the address has none.
            while let Ok(read @ 1..) = stream.read(&mut part) {
                whole.extend_from_slice(&part[..read]);
                if whole.ends_with(b"}") || (whole.starts_with(b"GET") && whole.ends_with(b"\r\n\r\n")) {
                    break;
                }
            }
            let body = says(&String::from_utf8_lossy(&whole));
            let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
            let _gone = stream.write_all([head.as_bytes(), body.as_bytes()].concat().as_slice());
        }
    });
    at
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_behind_a_mark_finds_the_lost_payment() {
    let at = gateway(|asked| {
        let number: String = asked.split("out_trade_no=").nth(1).unwrap_or_default().chars().take(22).collect();
        let said = json!({"code": 1, "msg": "ok", "trade_no": format!("G{number}"), "out_trade_no": number, "type": "alipay",
            "pid": "1001", "name": "order", "money": "9.90", "status": 1});
        format!("\u{feff}\u{feff}\n{said}")
    });
    let shop = Daemon::start(
        &CHANNEL.replace("channel.pay", "channel.ask").replace("https://pay.example/", &format!("http://{at}/")),
    );
    shop.product("lost", &[], 2);
    let id = shop.order_through("ask", "lost", 1).await;
    assert_eq!(shop.json(&["order", "query", &id], "")["result"], "delivered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_leads_no_buyer_to_a_script_or_a_page_of_ours() {
    let at = gateway(|asked| {
        let body: serde_json::Value =
            serde_json::from_str(asked.split("\r\n\r\n").nth(1).unwrap_or_default()).unwrap_or_default();
        json!({"status_code": 200, "message": "success", "request_id": "", "data": {
            "trade_id": "T1", "order_id": body["order_id"], "amount": body["amount"], "actual_amount": 1.4, "token": "TXxxxx",
            "expiration_time": 1_900_000_000, "payment_url": "https:///o/x"}})
        .to_string()
    });
    let shop = Daemon::start(&format!(
        "[channel.coins]\nkind = \"epusdt_md5\"\ngateway_url = \"http://{at}/\"\napi_token = \"token-0123456789\"\n"
    ));
    shop.product("led", &[], 2);
    let wish = json!({"product": "led", "contact": "a@example.test", "channel": "coins"});
    let (status, said) = shop.post("/v1/orders", &wish).await;
    assert_eq!(status, 502, "{said}");
    let told = shop.incidents("payment_not_opened", 1).await;
    let whole = shop.admin(&format!("/v1/incidents/{}", told[0]["id"].as_str().unwrap())).await;
    assert!(whole["advice"].as_str().unwrap().contains("no absolute http(s) address"), "{whole}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_counted_line_end_behind_a_form_is_no_part_of_it() {
    let shop = Daemon::start("");
    shop.product("form", &[], 4);
    for (at, end) in ["\r\n", "\n", "\r\n\r\n"].iter().enumerate() {
        let id = shop.order("form", 1).await;
        let path = shop.callback(&format!("{id}01"), &format!("F{at}"), 990);
        let (path, query) = path.split_once('?').unwrap();
        let sent = shop.http.post(format!("{}{path}", shop.public)).body(format!("{query}{end}"));
        let sent = sent.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
        assert_eq!((sent.status().as_u16(), shop.state(&id).await.as_str()), (200, "delivered"), "{end:?}");
    }
}

#[test]
fn what_is_copied_into_a_setting_is_read_without_its_edges_and_refused_with_something_unseen_inside() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("epay.key"), KEY).unwrap();
    let server = "[server]\npublic = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n";
    for mark in ["\u{a0}", "\u{3000}", "\u{200b}"] {
        let settings = [
            (CHANNEL.replace("pay.example/", &format!("pay{mark}.example/")), "channel.pay.gateway_url"),
            (CHANNEL.replace("1001", &format!("10{mark}01")), "channel.pay.pid"),
            (format!("{CHANNEL}pay_type = \"ali{mark}pay\"\n"), "channel.pay.pay_type"),
            (format!("{server}public_url = \"https://shop{mark}.example\"\n{CHANNEL}"), "server.public_url"),
            (format!("{server}trusted_proxies = [\"10.0.0.{mark}0/8\"]\n{CHANNEL}"), "server.trusted_proxies"),
            (
                format!("{CHANNEL}[notify.t]\nkind = \"telegram\"\nbot_token = \"1:a\"\nchat_id = \"-1{mark}0\"\n"),
                "notify.t.chat_id",
            ),
        ];
        for (text, setting) in settings {
            let (code, said) = check(folder.path(), &text, "");
            let line = said.lines().find(|line| line.contains(setting)).unwrap_or_default();
            assert!(code == Some(64) && line.contains("not seen (U+"), "{mark:?} {setting}: {said}");
        }
        let edged = CHANNEL.replace("https://pay.example/", &format!("{mark}https://pay.example/{mark}"));
        let (code, said) = check(folder.path(), &edged, "");
        assert!(code == Some(0) && said.contains("gateway_url: has blanks or characters that are not seen"), "{said}");
    }
    for url in ["https://pay.example／", "https://pay。example/", "https：//pay.example/", "https://"] {
        let (code, said) = check(folder.path(), &CHANNEL.replace("https://pay.example/", url), "");
        assert!(code == Some(64) && said.contains("gateway_url: must begin with https://"), "{url}: {said}");
    }
    let mapped = format!("{server}trusted_proxies = [\"::ffff:10.0.0.0/90\"]\n{CHANNEL}");
    let (code, said) = check(folder.path(), &mapped, "");
    assert!(
        code == Some(64) && said.contains("trusted_proxies: ::ffff:10.0.0.0/90 is IPv4 addresses as IPv6"),
        "{said}"
    );
}

#[test]
fn a_secret_with_something_unseen_inside_or_its_name_before_it_is_told_of() {
    let folder = tempfile::tempdir().unwrap();
    for (text, code, wanted) in [
        (format!("0123\u{a0}4567{KEY}"), 64, "(U+00A0) in the middle"),
        (format!("0123\u{3000}4567{KEY}"), 64, "(U+3000) in the middle"),
        (format!("KEY={KEY}\n"), 0, "begins with a name"),
        (format!("商户密钥：{KEY}"), 0, "begins with a name"),
        (format!("商户密钥 {KEY}"), 0, "begins with a name"),
        (format!("'key' => '{KEY}',\n"), 64, "a line of a program"),
        (format!("\"key\": \"{KEY}\","), 64, "a line of a program"),
        (format!("'{KEY}';"), 64, "quotation marks"),
        (format!("\"{KEY}\","), 64, "quotation marks"),
        (format!("「{KEY}」"), 64, "quotation marks"),
        ("<your key>".to_owned(), 64, "only stands for the secret"),
        ("changeme".to_owned(), 64, "only stands for the secret"),
        ("••••••••••••".to_owned(), 64, "only stands for the secret"),
    ] {
        std::fs::write(folder.path().join("k"), &text).unwrap();
        let (ended, said) = check(folder.path(), &with_key("p", "key_file = \"k\""), "");
        assert!(ended == Some(code) && said.contains(wanted) && !said.contains(KEY), "{text:?}: {said}");
    }
    // Several on a line each: every line has edges of its own.
    let secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
    let hook = "[channel.hook]\nkind = \"standard_webhooks\"\npay_url = \"https://pay.example/{number}\"\nsecrets_file = \"k\"\n";
    for text in [
        format!("\u{feff}{secret}\r\n\u{feff}{secret}\r\n"),
        format!("{secret}\r{secret}"),
        format!("\u{200b}{secret}\n\u{2060}\n{secret}\u{a0}\n"),
    ] {
        std::fs::write(folder.path().join("k"), &text).unwrap();
        let (code, said) = check(folder.path(), hook, "");
        assert!(code == Some(0) && !said.contains(secret), "{text:?}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_whose_network_is_written_as_ipv6_writes_ipv4_is_trusted() {
    let shop = Daemon::start(
        "[server]\npublic = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\ntrusted_proxies = [\"::ffff:127.0.0.0/104\"]\n",
    );
    let sent = shop.http.get(format!("{}/pay/pay/notify", shop.public)).header("x-forwarded-for", "203.0.113.77");
    assert_eq!(sent.send().await.unwrap().status().as_u16(), 400);
    assert_eq!(shop.incidents("missing_signature", 1).await[0]["address"], "203.0.113.77");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_genuine_callback_with_an_unknown_status_leaves_an_incident() {
    let shop = Daemon::start("");
    shop.product("odd", &[], 9);
    let id = shop.order("odd", 1).await;
    let number = format!("{id}01");
    let say = |status: &str| {
        let fields = format!(
            "money=9.9&name=order&out_trade_no={number}&pid=1001&trade_no=T1&trade_status={status}&type=alipay"
        );
        let digest = <md5::Md5 as md5::Digest>::digest(format!("{fields}{KEY}"));
        let sign = data_encoding::HEXLOWER.encode(&digest);
        format!("/pay/pay/notify?{fields}&sign={sign}&sign_type=MD5")
    };
    for (at, status) in ["TRADE_FINISHED", "TRADE_SUCCESSS", "1", "trade_success"].iter().enumerate() {
        assert_eq!(shop.send(&say(status)).await, (200, "success".to_owned()), "{status}");
        let newest = shop.incidents("status_unknown", at + 1).await.remove(0);
        assert_eq!((newest["channel"].as_str(), newest["number"].as_str()), (Some("pay"), Some(number.as_str())));
        let shown = shop.json(&["incident", "show", newest["id"].as_str().unwrap()], "");
        let advice = shown["advice"].as_str().unwrap();
        assert!(advice.contains(&format!("{status:?}")) && advice.contains("kamid order query"), "{advice}");
    }
    for status in ["WAIT_BUYER_PAY", "TRADE_CLOSED"] {
        assert_eq!(shop.send(&say(status)).await, (200, "success".to_owned()), "{status}");
    }
    shop.incidents("status_unknown", 4).await;
    assert_eq!(shop.state(&id).await, "pending");
    assert_eq!(shop.send(&say("TRADE_SUCCESS")).await, (200, "success".to_owned()));
    assert_eq!(shop.state(&id).await, "delivered");
}
