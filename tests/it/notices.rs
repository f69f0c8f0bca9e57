//! Buyers are told by a real mail server: once, over TLS, again after failures, and whatever is killed in between.

use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::mail::MailServer;
use crate::support::shop::{Daemon, wait_for};

fn shop_with(folder: &Path, server: &MailServer, more: &str) -> Daemon {
    let data = folder.join("d");
    std::fs::create_dir_all(&data).unwrap();
    std::fs::write(data.join("mail.password"), "mail-password-1\n").unwrap();
    let shop = Daemon::at(&data, &server.settings(more));
    shop.product("card", &["--name", "会员 月卡"], 20);
    shop
}

async fn order_of(shop: &Daemon, contact: &str) -> String {
    let wish = json!({"product": "card", "quantity": 1, "contact": contact, "channel": "pay"});
    let (status, made) = shop.ask(Method::POST, "/v1/orders", Some(&wish)).await;
    assert_eq!(status, 201, "{made}");
    made["id"].as_str().unwrap().to_owned()
}

async fn paid(shop: &Daemon, contact: &str, trade_no: &str) -> String {
    let id = order_of(shop, contact).await;
    assert_eq!(shop.pay(&id, trade_no, 990).await, (200, "success".to_owned()));
    id
}

async fn notice(shop: &Daemon, id: &str) -> Value {
    shop.admin(&format!("/v1/orders/{id}")).await["notice"].clone()
}

/// Waits until an order's notice is as wanted.
async fn until(shop: &Daemon, id: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let began = std::time::Instant::now();
    loop {
        let now = notice(shop, id).await;
        if fits(&now) {
            return now;
        }
        assert!(began.elapsed().as_secs() < 60, "{now}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_buyer_is_told_by_mail_once_and_again_on_request() {
    let (folder, server) = (tempfile::tempdir().unwrap(), MailServer::new());
    let shop = shop_with(folder.path(), &server, "");
    let id = paid(&shop, "buyer@example.test", "N1").await;
    assert_eq!(shop.pay(&id, "N1", 990).await, (200, "success".to_owned()), "a repeat");
    let told = until(&shop, &id, |notice| notice["state"] == "sent").await;
    assert_eq!((&told["tries"], &told["by"], &told["why"]), (&json!(1), &json!("mail"), &json!("")));
    let mail = wait_for("the mail", || server.mails().pop());
    let parsed = std::process::Command::new("/usr/bin/python3")
        .args(["-c", "import sys,email,email.policy as p; m=email.message_from_string(sys.stdin.read(),policy=p.default); print(m['subject']); print(m['from']); print(m['to']); print(m['message-id']); print(m.get_content())"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .and_then(|mut child| {
            std::io::Write::write_all(&mut child.stdin.take().unwrap(), mail.as_bytes())?;
            child.wait_with_output()
        })
        .unwrap();
    let text = String::from_utf8(parsed.stdout).unwrap();
    let key = shop.json(&["order", "show", &id, "--keys"], "")["keys"][0].as_str().unwrap().to_owned();
    for part in ["会员 月卡", "卡密商城", "buyer@example.test", &format!("<{id}.kamid@shop.example>"), &key, "9.90 CNY"]
    {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    let link = text.lines().find(|line| line.contains("/o/")).unwrap().trim();
    let page = shop.http.get(link).send().await.unwrap().text().await.unwrap();
    assert!(page.contains(&key), "the link opens the order's page");
    // Nobody else is told what the buyer is.
    let log = std::fs::read_to_string(shop.data.join("log")).unwrap();
    for secret in [&key, "mail-password-1", "?token=", "buyer@example.test"] {
        assert!(!log.contains(secret), "{secret} in the log");
    }
    // Once, although the outbox goes on; and once more when a person says so.
    let other = paid(&shop, "second@example.test", "N2").await;
    until(&shop, &other, |notice| notice["state"] == "sent").await;
    assert_eq!(server.mails().len(), 2);
    shop.json(&["notice", "resend", &id], "");
    wait_for("the third mail", || (server.mails().len() == 3).then_some(()));
    until(&shop, &id, |notice| notice["state"] == "sent").await;
    shop.json(&["notice", "test", "mail", "--to", "owner@example.test"], "");
    assert_eq!(server.mails().len(), 4);
    let metrics = String::from_utf8(shop.admin_text("/metrics").await).unwrap();
    assert!(metrics.contains("kamid_notices_total{notifier=\"mail\",outcome=\"sent\"} 3"), "{metrics}");
    let trail = shop.json(&["trail"], "").to_string();
    assert!(trail.contains("order resend") && trail.contains("notice test"), "{trail}");
    shop.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_a_server_refuses_is_given_up_and_what_it_puts_off_is_tried_again() {
    let (folder, server) = (tempfile::tempdir().unwrap(), MailServer::new());
    let shop = shop_with(folder.path(), &server, "lang = \"en\"\nkeys = false");
    server.rules("gone@ 550 5.1.1 no such user {}\nbusy@ 451 4.7.1 try later\n");
    let gone = paid(&shop, "gone@example.test", "R1").await;
    let dead = until(&shop, &gone, |notice| notice["state"] == "dead").await;
    let why = dead["why"].as_str().unwrap();
    assert!(why.contains("no such user") && !why.contains("gone@example.test"), "{why}");
    let busy = paid(&shop, "busy@example.test", "R2").await;
    let waits = until(&shop, &busy, |notice| notice["tries"] == 1 && notice["by"] == "mail").await;
    assert_eq!(waits["state"], "waiting", "{waits}");
    let list = shop.json(&["notice", "list"], "");
    assert_eq!((&list["dead"], &list["waiting"]), (&json!(1), &json!(1)), "{list}");
    assert_eq!(list["notices"][0]["order"], gone.as_str());
    assert!(list["notices"][1]["next"].as_u64() > list["notices"][1]["at"].as_u64());
    // What nobody can be told by mail is not tried, and nobody's contact becomes a header.
    let id = paid(&shop, "qq 12345", "R3").await;
    assert_eq!(notice(&shop, &id).await, Value::Null);
    assert!(!shop.cli(&["notice", "resend", &id], "").status.success());
    let wish =
        json!({"product": "card", "quantity": 1, "contact": "a@b.example\r\nBcc: x@y.example", "channel": "pay"});
    assert_eq!(shop.ask(Method::POST, "/v1/orders", Some(&wish)).await.0, 400);
    server.rules("");
    shop.json(&["notice", "resend", &gone], "");
    until(&shop, &gone, |notice| notice["state"] == "sent").await;
    until(&shop, &busy, |notice| notice["state"] == "sent").await;
    let mails = server.mails();
    assert_eq!(mails.len(), 2);
    assert!(mails.iter().all(|mail| mail.contains("Your") && !mail.contains("PLAIN-card")), "keys = false: {mails:?}");
    // A refunded order has nothing to be told any more.
    shop.json(&["order", "refund", &gone, "--reason", "asked for"], "");
    assert!(!shop.cli(&["notice", "resend", &gone], "").status.success());
    assert!(!shop.cli(&["notice", "test", "mail", "--to", "13800138000"], "").status.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notice_outlives_the_mail_server_and_the_daemon() {
    let (folder, mut server) = (tempfile::tempdir().unwrap(), MailServer::new());
    let mut shop = shop_with(folder.path(), &server, "");
    server.stop();
    let id = paid(&shop, "buyer@example.test", "K1").await;
    let waits = until(&shop, &id, |notice| notice["tries"] == 1 && notice["why"] != "").await;
    assert_eq!((&waits["state"], shop.state(&id).await.as_str()), (&json!("waiting"), "delivered"));
    // Paid, and killed before its event was handled.
    let late = order_of(&shop, "late@example.test").await;
    assert_eq!(shop.pay(&late, "K2", 990).await, (200, "success".to_owned()));
    shop.kill();
    server.run();
    shop.run();
    // Another lease may still run for a quarter of a minute.
    for id in [&id, &late] {
        until(&shop, id, |notice| notice["state"] == "sent").await;
    }
    assert_eq!(server.mails().len(), 2, "each of them once");
    // A wrong password is the operator's fault: nobody's notice is given up for it.
    std::fs::write(shop.data.join("mail.password"), "wrong\n").unwrap();
    assert!(shop.stop());
    shop.run();
    let third = paid(&shop, "third@example.test", "K3").await;
    let waits = until(&shop, &third, |notice| notice["why"] != "" && notice["tries"] == 1).await;
    assert_eq!(waits["state"], "waiting", "{waits}");
    assert!(waits["why"].as_str().unwrap().contains("535"), "{waits}");
    shop.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_is_told_by_text_message_without_a_key() {
    use std::sync::{Arc, Mutex};
    // The provider: it limits the first message of a number, and takes the next.
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let known = Arc::clone(&asked);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = axum::Router::new().fallback(move |uri: axum::http::Uri, headers: axum::http::HeaderMap| {
        let known = Arc::clone(&known);
        async move {
            let mut known = known.lock().unwrap();
            known.push(format!("{uri} {:?}", headers.get("authorization")));
            let code = if known.len() == 1 { "isv.BUSINESS_LIMIT_CONTROL" } else { "OK" };
            axum::Json(json!({"Code": code, "Message": "x"}))
        }
    });
    tokio::spawn(crate::support::gateway::serve(listener, app));
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("d");
    std::fs::create_dir_all(&data).unwrap();
    std::fs::write(data.join("sms.secret"), "sms-secret-1").unwrap();
    let shop = Daemon::at(
        &data,
        &format!(
            "[notify.sms]\nkind = \"sms_aliyun\"\nendpoint = \"{url}\"\naccess_key_id = \"LTAI\"\naccess_key_secret_file = \"sms.secret\"\n\
             sign_name = \"卡密商城\"\ntemplate_code = \"SMS_1\"\nparams = [\"order\", \"product\"]\n"
        ),
    );
    shop.product("card", &["--name", "会员月卡"], 9);
    let id = paid(&shop, "13800138000", "S1").await;
    let limited = until(&shop, &id, |notice| notice["tries"] == 1 && notice["by"] == "sms").await;
    assert!(limited["state"] == "waiting" && limited["why"].as_str().unwrap().contains("LIMIT"), "{limited}");
    shop.json(&["notice", "resend", &id], "");
    until(&shop, &id, |notice| notice["state"] == "sent").await;
    let sent = asked.lock().unwrap().last().unwrap().clone();
    assert!(
        sent.contains(&id) && sent.contains("PhoneNumbers=13800138000") && sent.contains("ACS3-HMAC-SHA256"),
        "{sent}"
    );
    assert!(!sent.contains("PLAIN") && !sent.contains("token"), "neither a key nor the way to it: {sent}");
    let log = std::fs::read_to_string(shop.data.join("log")).unwrap();
    assert!(!log.contains("sms-secret-1") && !log.contains("13800138000"));
    // A mail address is nobody's that this shop can tell.
    let other = paid(&shop, "a@b.example", "S2").await;
    assert_eq!(notice(&shop, &other).await, Value::Null);
}

#[test]
fn a_notifiers_settings_are_checked_with_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.toml");
    let check = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let done = std::process::Command::new(env!("CARGO_BIN_EXE_kamid"))
            .args(["config", "check", "--config", file.to_str().unwrap()])
            .output()
            .unwrap();
        (done.status.code(), String::from_utf8(done.stdout).unwrap())
    };
    let whole = "kind = \"smtp\"\nhost = \"mx.example\"\nfrom = \"Shop <a@b.example>\"\n";
    let (code, said) = check(&format!("[notify.mail]\n{whole}"));
    assert_eq!(code, Some(0), "{said}");
    std::fs::write(folder.path().join("own.txt"), "{{ product }}\n\n{{ keyz }}").unwrap();
    for (text, wanted) in [
        ("[notify.mail]\nkind = \"pigeon\"\n".to_owned(), "must be one of smtp"),
        ("[notify.mail]\nkind = \"smtp\"\n".to_owned(), "notify.mail.host: is missing"),
        ("[notify.sms]\nkind = \"sms_tencent\"\nparams = [\"key\"]\n".to_owned(), "keys are not among them"),
        (
            "[notify.hook]\nkind = \"webhook\"\nurl = \"http://a.example\"\n".to_owned(),
            "notify.hook.url: must be https",
        ),
        ("[notify.chat]\nkind = \"telegram\"\n".to_owned(), "notify.chat.bot_token: is missing"),
        ("[notify.sms]\nkind = \"sms_aliyun\"\nsignature = \"md5\"\n".to_owned(), "must be \"acs3\" or \"rpc\""),
        (format!("[notify.mail]\n{whole}tls = \"none\"\n"), "only to this machine itself"),
        (format!("[notify.mail]\n{whole}user = \"me\"\n"), "password_file names a file"),
        (format!("[notify.mail]\n{whole}template_file = \"own.txt\"\n"), "cannot be filled in"),
        (format!("[notify.mail]\n{whole}hosts = \"x\"\n"), "did you mean host?"),
        (format!("[notify.mail]\n{whole}[notify.two]\n{whole}"), "reaches the same people"),
        (
            "[test]\nmode = false\n[notify.mail]\nkind = \"folder\"\nfrom = \"a@b.example\"\n".to_owned(),
            "test mode only",
        ),
    ] {
        let (code, said) = check(&text);
        assert_eq!(code, Some(64), "{said}");
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
}
