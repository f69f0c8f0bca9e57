//! One picture is one of now, and what cannot be shown is said.

use std::fmt::Write as _;

use crate::support::shop::Daemon;

/// What a quarter of an hour of another instance would have left behind, ten minutes ago.
fn publish_the_past(shop: &Daemon) {
    let client = redis::Client::open(format!("unix://{}", shop.data.join("redis/redis.sock").display())).unwrap();
    let mut link = client.get_connection().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
    let mut pipe = redis::pipe();
    for n in 0..890u64 {
        let mut padding = String::new();
        // As long as a busy second: a reader takes its time over each.
        for reason in 0..60 {
            write!(padding, "\"pay/rejected/reason_{reason}\":{n},").unwrap();
        }
        let line = format!(
            "{{\"version\":2,\"instance\":\"past0001\",\"seq\":{n},\"at\":{},\"counters\":{{{padding}\"orders\":{n}}},\"latency\":{{}},\"incidents\":[],\"incidents_dropped\":0,\"ready\":true}}",
            now - 1_500_000 + n * 1000
        );
        pipe.cmd("PUBLISH").arg("t1:snapshots").arg(line).ignore();
    }
    pipe.exec(&mut link).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_picture_is_of_now_however_much_history_comes_first() {
    let shop = Daemon::start("");
    shop.stream("", |line| line["version"] == 2).await;
    publish_the_past(&shop);
    shop.stream("?history=900", |line| line["instance"] == "past0001" && line["seq"] == 889).await;
    for _ in 0..6 {
        let done = shop.cli(&["top", "--once", "--tab", "8", "--size", "120x24", "--lang", "en"], "");
        let picture = String::from_utf8(done.stdout).unwrap();
        assert!(done.status.success(), "{picture}");
        // The one that is gone is lost, and the one that was asked is there: the past shows neither.
        assert!(picture.contains("instances 1/2"), "{picture}");
        let row = picture.lines().find(|line| line.contains("past0001") && line.contains("│")).unwrap();
        assert!(row.contains("lost"), "{picture}");
    }
}

#[test]
fn a_wrong_token_is_called_one_and_nobody_is_called_nobody() {
    let mut shop = Daemon::start("");
    let file = shop.data.join("wrong.token");
    std::fs::write(&file, "not-the-token").unwrap();
    let file = file.display().to_string();
    let wrong = shop.cli(&["top", "--once", "--lang", "en", "--token-file", &file], "");
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert_eq!((wrong.status.code(), wrong.stdout.len()), (Some(1), 0), "{said}");
    assert!(said.contains("the token is not accepted"), "{said}");
    let data = shop.data.display().to_string();
    for (lang, shown) in [("en", "the token is not accepted"), ("zh", "令牌不被接受")] {
        let args = ["top", "--data", &data, "--lang", lang, "--token-file", &file];
        let mut seat = crate::support::seat::Seat::take(std::path::Path::new(env!("CARGO_BIN_EXE_kamid")), &args);
        seat.shows(&[shown]);
        let text = seat.text();
        assert!(!text.contains("01-01") && !text.contains("no daemon answers"), "{text}");
        seat.types("q");
        assert_eq!(seat.end().0, 0);
    }
    // Not the admin side: said too.
    let public = shop.cli(&["top", &shop.public.clone(), "--once", "--lang", "en"], "");
    assert!(String::from_utf8_lossy(&public.stdout).contains("does not show that it is the daemon"), "{public:?}");
    assert!(shop.stop());
    let away = shop.cli(&["top", "http://127.0.0.1:1", "--once", "--lang", "en"], "");
    let picture = String::from_utf8_lossy(&away.stdout).into_owned();
    assert_eq!(away.status.code(), Some(69));
    assert!(picture.contains("no daemon answers") && !picture.contains("01-01"), "{picture}");
}
