//! What a run says of itself is so: its rates, its flags, its audit, and what it leaves behind.

use std::process::{Command, Stdio};
use std::time::Duration;

use kamid::hammer::{Stats, stats::RequestResult};
use serde_json::Value;

use crate::support::shop::{Daemon, wait_for};

#[test]
fn achieved_is_never_above_offered() {
    let shop = Daemon::start("");
    // Five requests a second whose last is due before the second is over; bursts; and by chance more than the rate.
    for (rate, lasts, shape) in
        [("5", "1s", "steady"), ("40", "1.5s", "burst"), ("50", "1s", "poisson"), ("60", "1s", "ramp")]
    {
        let run = ["hammer", "--rate", rate, "--for", lasts, "--shape", shape, "--channel", "pay", "--seed", "9"];
        let report = shop.json(&run, "");
        let figure = |name: &str| report[name].as_f64().unwrap();
        let (offered, achieved) = (figure("offered_per_second"), figure("achieved_per_second"));
        assert!(achieved <= offered && achieved > 0.0, "{shape}: {achieved} of {offered}");
        assert_eq!(report["product_off_sale"], true);
        assert_eq!(report["audit"]["whole_shop"], false);
    }
    // While it goes on, too: what was answered in its first milliseconds is no rate.
    let stats = Stats::default();
    assert_eq!((stats.totals().offered(), stats.totals().count(RequestResult::Success)), (0.0, 0));
}

#[test]
fn a_flag_that_would_change_nothing_is_refused_by_its_name() {
    let shop = Daemon::start("");
    let refused: [&[&str]; 9] = [
        &["--shape", "poisson"],
        &["--rate", "10", "--burst", "5"],
        &["--rate", "10", "--visits", "5"],
        &["--rate", "10", "--think", "1s"],
        &["mix", "--rate", "10", "--unpaid", "10"],
        &["--rate", "10", "--p99", "20"],
        &["--rate", "10", "--errors", "1"],
        &["--find-limit", "--hgrm", "/tmp/never.hgrm"],
        &["--rate", "10", "--no-audit", "--audit-shop"],
    ];
    for args in refused {
        let done = shop.cli(&[&["hammer"], args].concat(), "");
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        let flag = args.iter().rev().find(|arg| arg.starts_with("--")).unwrap();
        assert!(done.status.code() == Some(2) && said.contains(flag), "{args:?}: {said}");
    }
    assert!(shop.json(&["product", "list"], "")["products"].as_array().unwrap().is_empty(), "nothing was made");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_audits_what_it_made_and_the_whole_shop_where_that_is_asked_for() {
    let shop = Daemon::start("");
    shop.product("other", &[], 3);
    let id = shop.order("other", 1).await;
    assert_eq!(shop.pay(&id, "O1", 990).await.0, 200);
    // Something is wrong with an order that is no run's.
    let client = redis::Client::open(format!("unix://{}", shop.data.join("redis/redis.sock").display())).unwrap();
    let name = format!("t1:{{{}}}:order:{id}", kamid::domain::Slot::of_number(&id));
    redis::cmd("HDEL").arg(name).arg("k1").exec(&mut client.get_connection().unwrap()).unwrap();
    let run = ["hammer", "--rate", "20", "--for", "1s", "--channel", "pay"];
    let own = shop.cli(&run, "");
    let text = String::from_utf8_lossy(&own.stdout).into_owned();
    assert_eq!(own.status.code(), Some(0), "{text}");
    assert!(text.contains("this run alone; --audit-shop counts the whole shop"), "{text}");
    let whole = shop.cli(&[&run[..], &["--audit-shop"]].concat(), "");
    let text = String::from_utf8_lossy(&whole.stdout).into_owned();
    assert!(whole.status.code() == Some(1) && text.contains(&id), "{text}");
}

fn products(shop: &Daemon) -> Vec<Value> {
    shop.json(&["product", "list"], "")["products"].as_array().unwrap().clone()
}

#[test]
fn whoever_ends_a_run_leaves_nothing_on_sale() {
    let shop = Daemon::start("");
    // While orders are made ready, and at the second signal while the load goes on.
    for (load, seen) in [(["--visits", "300000"], 1), (["--rate", "20"], 2)] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_kamid"))
            .args(["hammer", "--for", "60s", "--channel", "pay", "--data"])
            .arg(&shop.data)
            .args(load)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let made = wait_for("the product", || {
            let all = products(&shop);
            (all.len() == seen).then(|| all.iter().find(|product| product["retired"] == false).cloned()).flatten()
        });
        let id = made["id"].as_str().unwrap().to_owned();
        // Whatever becomes of the run, it is not on sale for ever.
        assert!(made["sale_until"].as_u64().is_some_and(|until| until > 0), "{made}");
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        let ended = wait_for("the end", || {
            std::thread::sleep(Duration::from_millis(20));
            let _again = rustix::process::kill_process(pid, rustix::process::Signal::INT);
            child.try_wait().unwrap()
        });
        let mut said = String::new();
        std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut said).unwrap();
        assert!(matches!(ended.code(), Some(0 | 130)), "{said}");
        if ended.code() == Some(130) {
            assert!(said.contains(&format!("its product {id} is off sale")), "{said}");
        }
        assert!(products(&shop).iter().all(|product| product["retired"] == true), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_mailed_at_an_address_that_nobody_can_have() {
    let shop = Daemon::start("[notify.mail]\nkind = \"folder\"\nfrom = \"shop@example.test\"\n");
    let run = ["hammer", "sale", "--rate", "20", "--for", "1s", "--think", "20ms", "--channel", "pay"];
    let report = tokio::task::block_in_place(|| shop.json(&run, ""));
    assert_eq!(report["audit"]["states"]["delivered"], 20, "{report}");
    // A real buyer's mail comes after them, and is the only one.
    shop.product("real", &[], 1);
    let id = shop.order("real", 1).await;
    assert_eq!(shop.pay(&id, "R1", 990).await.0, 200);
    let mails = || std::fs::read_dir(shop.data.join("mail")).map_or(0, Iterator::count);
    wait_for("the mail", || (mails() > 0).then_some(()));
    let notices = shop.admin("/v1/notices").await;
    assert_eq!((mails(), &notices["waiting"], &notices["dead"]), (1, &Value::from(0), &Value::from(0)), "{notices}");
}
