//! Test mode beside real gateways: the sandbox's buttons pay the sandbox's orders only, and nobody overlooks the mode.

use std::process::Command;

use reqwest::Method;
use serde_json::json;

use crate::support::shop::Daemon;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sandboxs_buttons_pay_no_order_of_a_real_gateway() {
    let shop = Daemon::start("");
    shop.product("toy", &[], 5);
    let id = shop.order("toy", 1).await;
    let form = |number: String, channel: &str| {
        let url = format!("{}/pay/{channel}/checkout/{number}", shop.public);
        let (http, headers) = (shop.http.clone(), [("content-type", "application/x-www-form-urlencoded")]);
        async move {
            let get = http.get(&url).send().await.unwrap().status().as_u16();
            let mut answers = vec![get];
            for how in ["once", "twice", "less", "late", "forge"] {
                let ask = http.post(&url).header(headers[0].0, headers[0].1).body(format!("how={how}"));
                answers.push(ask.send().await.unwrap().status().as_u16());
            }
            answers
        }
    };
    for channel in ["pay", "sandbox"] {
        assert_eq!(form(format!("{id}01"), channel).await, [404; 6], "through {channel}");
    }
    for how in ["once", "twice", "less", "late", "forge"] {
        let path = format!("/v1/orders/{id}/sandbox");
        let (status, problem) = shop.ask(Method::POST, &path, Some(&json!({"how": how}))).await;
        assert_eq!(status, 409, "{problem}");
    }
    let done = shop.cli(&["order", "pay", &id], "");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(!done.status.success() && said.contains("a real gateway"), "{said}");
    assert_eq!(shop.state(&id).await, "pending", "nor is it expired for a late payment");
    // The gateway itself pays it; and the sandbox's own order has its buttons as before.
    assert_eq!(shop.pay(&id, "T1", 990).await, (200, "success".to_owned()));
    let id = shop.order_through("sandbox", "toy", 1).await;
    assert!(shop.cli(&["order", "pay", &id], "").status.success());
    assert_eq!(shop.state(&id).await, "delivered");
    shop.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn test_mode_that_the_world_or_a_gateway_sees_is_loud() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("k"), "SECRETKEY").unwrap();
    let check = |text: &str| {
        let file = folder.path().join("t.toml");
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_kamid"));
        let done = command.args(["config", "check", "--config"]).arg(&file).output().unwrap();
        assert_eq!(done.status.code(), Some(0));
        String::from_utf8_lossy(&done.stdout).into_owned()
    };
    let channel =
        "[channel.p]\nkind = \"epay_v1\"\npid = \"1\"\nkey_file = \"k\"\ngateway_url = \"https://pay.example/\"\n";
    let real = check(channel);
    assert!(real.contains("channel.p.kind: is a real gateway, and this is test mode"), "{real}");
    let world = check("[server]\npublic_url = \"https://shop.example\"\n");
    assert!(world.contains("test.mode: is true, and the world calls https://shop.example"), "{world}");
    for quiet in [
        "",
        "[server]\npublic_url = \"https://localhost:8443\"\n",
        "[channel.s]\nkind = \"sandbox\"\nkey_file = \"k\"\n",
    ] {
        let said = check(quiet);
        assert!(!said.contains("test mode") && !said.contains("test.mode"), "{quiet}: {said}");
    }
    // On every page, in the buyer's language, and in the log; where only the sandbox pays, in few words.
    let loud = Daemon::start("");
    let page = async |shop: &Daemon, language: &str| {
        let ask = shop.http.get(format!("{}/o/K6MWU8L8131LSGKH47IN", shop.public)).header("accept-language", language);
        ask.send().await.unwrap().text().await.unwrap()
    };
    assert!(page(&loud, "en").await.contains("Do not pay: its orders do not count"));
    assert!(page(&loud, "zh-CN").await.contains("请不要付款"));
    assert!(
        std::fs::read_to_string(loud.data.join("log")).unwrap().contains("TEST MODE, and the world or a real gateway")
    );
    assert_eq!(loud.admin("/v1/incidents").await["incidents"], json!([]), "it is no incident");
    let quiet = Daemon::bare(&folder.path().join("d"));
    let text = page(&quiet, "en").await;
    assert!(text.contains("Test mode: no real money") && !text.contains("Do not pay"));
    assert!(!std::fs::read_to_string(quiet.data.join("log")).unwrap().contains("TEST MODE, and"));
}
