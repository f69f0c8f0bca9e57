//! What a command prints arrives, or the command says that it did not: a full disk is no success.

use std::fs::File;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::shop::Daemon;

/// Exit code for what was printed and could not be written.
const NOT_WRITTEN: i32 = 74;

fn kamid(shop: &Daemon, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kamid"));
    command.args(args).env("KAMID_DATA", &shop.data).env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
    command
}

/// Runs it with a standard output that is full: what it says beside, and its exit code.
fn into_full(shop: &Daemon, args: &[&str]) -> (String, Option<i32>) {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let done = kamid(shop, args).stdout(full).output().unwrap();
    (String::from_utf8_lossy(&done.stderr).into_owned(), done.status.code())
}

/// The same for a reader that is gone.
fn into_nobody(shop: &Daemon, args: &[&str]) -> (String, Option<i32>) {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let done = kamid(shop, args).stdout(writer).output().unwrap();
    (String::from_utf8_lossy(&done.stderr).into_owned(), done.status.code())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_whose_output_is_lost_says_so_and_fails() {
    let shop = Daemon::start("");
    shop.product("full", &["--per-order", "100"], 30);
    let id = shop.order("full", 1).await;
    assert_eq!(shop.pay(&id, "F1", 990).await, (200, "success".to_owned()));
    let file = shop.data.join("more.txt");
    std::fs::write(&file, "MORE-1\nMORE-2\n").unwrap();
    let file = file.to_str().unwrap();
    let commands: [&[&str]; 24] = [
        &["audit"],
        &["order", "list"],
        &["order", "show", &id, "--keys"],
        &["order", "reconcile", "--since", "2026-01-01"],
        &["orphan", "list"],
        &["incident", "list"],
        &["keys", "stock"],
        &["keys", "import", "full", file],
        &["keys", "void", "full", "--count", "1"],
        &["product", "list"],
        &["product", "show", "full"],
        &["channel", "list"],
        &["channel", "kinds"],
        &["address", "list"],
        &["token", "list"],
        &["notice", "list"],
        &["store", "show"],
        &["trail"],
        &["top", "--once", "--size", "80x20"],
        &["config", "default"],
        &["config", "check"],
        &["completions", "bash"],
        &["--help"],
        &["--version"],
    ];
    for command in commands {
        for json in [false, true] {
            let command = [command, if json { &["--json"] } else { &[] }].concat();
            let (said, code) = into_full(&shop, &command);
            assert_eq!(code, Some(NOT_WRITTEN), "{command:?}: {said}");
            let lines: Vec<&str> = said.lines().collect();
            assert!(
                matches!(lines.as_slice(), [line] if line.contains("could not be written: No space left")),
                "{command:?}: {said}"
            );
            if json && !command[0].starts_with("--") {
                assert!(serde_json::from_str::<Value>(&said).unwrap()["error"].is_string(), "{command:?}");
            }
            // Whoever stopped reading has what they wanted.
            assert_eq!(into_nobody(&shop, &command), (String::new(), Some(0)), "{command:?}");
        }
    }
    // What it did is done: only the telling failed.
    assert_eq!(shop.json(&["keys", "stock"], "")["products"][0]["stock"]["imported"], 32);
    // A failure stays the failure that it was.
    let (said, code) = into_full(&shop, &["order", "show", "K6MWU8L8131LSGKH47IN"]);
    assert!(code == Some(1) && said.contains("no such"), "{said}");
    assert_eq!(into_full(&shop, &["nothing"]).1, Some(2));
}

#[test]
fn orders_that_nobody_would_hear_of_are_not_made() {
    let shop = Daemon::start("");
    shop.product("many", &["--take", "payment"], 1);
    let wish = ["order", "new", "many", "--contact", "a@b.example", "--channel", "pay", "--count", "20000"];
    let (said, code) = into_full(&shop, &wish);
    assert!(code == Some(NOT_WRITTEN) && said.contains("could not be written"), "{said}");
    let made = shop.json(&["audit"], "")["orders"].as_u64().unwrap();
    assert!(made < 20_000, "{made} orders were made");
}
