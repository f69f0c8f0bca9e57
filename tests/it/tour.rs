//! The READMEs' tours, word for word: what they say is typed, and what is said back is compared.

use std::process::Command;

use crate::support::shop::Daemon;

/// One command and the lines that follow it.
struct Step {
    command: String,
    said: Vec<String>,
}

/// The steps of all `console` blocks of a text.
fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for block in text.split("```console\n").skip(1) {
        for line in block.split("```").next().unwrap().lines() {
            match line.strip_prefix("$ ") {
                Some(command) => steps.push(Step { command: command.to_owned(), said: Vec::new() }),
                None => steps.last_mut().unwrap().said.push(line.to_owned()),
            }
        }
    }
    steps
}

/// Whether a line is what the tour shows: columns may be wider or narrower, `…` stands for anything.
fn alike(shown: &str, line: &str) -> bool {
    let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (shown, mut rest) = (squeeze(shown), squeeze(line));
    let parts: Vec<&str> = shown.split('…').map(str::trim).collect();
    let (last, others) = parts.split_last().unwrap();
    for (at, part) in others.iter().enumerate() {
        match rest.find(part) {
            Some(found) if found == 0 || at > 0 => rest = rest[found + part.len()..].to_owned(),
            _ => return false,
        }
    }
    if others.is_empty() { rest == *last } else { rest.ends_with(last) }
}

/// Every line that the tour shows comes, in its order; a lone `…` leaves any number out.
fn follows(shown: &[String], lines: &[&str]) -> bool {
    match shown.split_first() {
        None => lines.is_empty(),
        Some((first, more)) if first == "…" => (0..=lines.len()).any(|at| follows(more, &lines[at..])),
        Some((first, more)) => {
            lines.split_first().is_some_and(|(line, rest)| alike(first, line) && follows(more, rest))
        }
    }
}

/// The order number that the tours use.
const SHOWN: &str = "K6MWU8L8131LSGKH47IN";

fn walk(readme: &str, shop: &Daemon) {
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_kamid"));
    let path = format!("{}:{}", binary.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let mut id = SHOWN.to_owned();
    let steps = steps(readme);
    assert!(steps.len() > 5);
    for Step { command, said } in steps {
        let command = command.replace(SHOWN, &id).replace("http://127.0.0.1:8080", &shop.public);
        if command.starts_with("alias ") {
            continue;
        }
        let shell = Command::new("sh")
            .arg("-c")
            .arg(&command)
            .env("PATH", &path)
            .env("KAMID_DATA", &shop.data)
            .env("LC_ALL", "C.UTF-8")
            .output();
        let done = shell.unwrap();
        assert!(done.status.success(), "{command}: {}", String::from_utf8_lossy(&done.stderr));
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        if command.contains("order new") {
            id = text.lines().find_map(|line| line.strip_prefix("id ")).unwrap().trim().to_owned();
        }
        // On a busy machine the load tester says that it was late itself.
        let lines = text.trim_end().lines().filter(|line| !line.starts_with("The load itself was late"));
        let lines: Vec<&str> = lines.collect();
        let said: Vec<String> = said
            .iter()
            .map(|line| line.replace(SHOWN, &id).replace("http://127.0.0.1:8080", &shop.public))
            .map(|line| line.replace("2026-11-25 08:00:30", "…"))
            .collect();
        assert!(follows(&said, &lines), "$ {command}\nshown:\n{}\nsaid:\n{text}", said.join("\n"));
    }
}

/// A tour's daemon has no channel but its sandbox.
fn bare(folder: &tempfile::TempDir) -> Daemon {
    Daemon::bare(&folder.path().join("d"))
}

#[test]
fn the_tours_of_both_readmes_are_true() {
    for readme in [include_str!("../../README.md"), include_str!("../../README.zh.md")] {
        let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
        walk(readme, &bare(&folder));
    }
}

/// Whoever has configured a channel already walks the tour as well, up to the load tester.
#[test]
fn the_tours_go_on_beside_a_second_channel() {
    for readme in [include_str!("../../README.md"), include_str!("../../README.zh.md")] {
        let (orders, _) = readme.split_once("$ kamid hammer").unwrap();
        let asks = readme.lines().position(|line| line.starts_with("$ curl ")).unwrap();
        let curl: Vec<&str> = readme.lines().skip(asks).take(2).collect();
        walk(
            &format!("{orders}```\n```console\n{}\n```\n", curl.join("\n")),
            &Daemon::start("[limits]\nunpaid_keys_per_address = \"1000\"\n"),
        );
    }
}
