//! Every word that the daemon can write down is one that an operator reads in his language.

use std::path::{Path, PathBuf};

use kamid::domain::Lang;
use kamid::domain::{Cause, Doubt, Trouble};
use kamid::telemetry::snapshot::{NoticeCounts, StockRow, Surroundings};
use kamid::top::labels::label;
use kamid::top::lang::{advice, word};
use serde_json::{Value, json};

use crate::support::shop::Daemon;

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The reasons that incidents are raised with, as the sources of the daemon name them.
fn reasons() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    for room in ["shop", "http", "notify"] {
        sources(&root.join(room), &mut files);
    }
    files.push(root.join("daemon.rs"));
    let mut found = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        // Tests of a room name reasons of their own.
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        let raises = text.contains("IncidentNote");
        let fits = |word: &&str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        let mut words: Vec<&str> = Vec::new();
        for before in ["reason: \"", "note(\"", "=> (\"", "Some((\"", "then_some((\""] {
            words.extend(text.split(before).skip(1).filter_map(|part| part.split('"').next()));
        }
        // One of two.
        for line in text.lines().filter(|line| line.trim_start().starts_with("let reason = if ")) {
            words.extend(line.split('"').skip(1).step_by(2));
        }
        found.extend(words.into_iter().filter(fits).filter(|_| raises).map(str::to_owned));
    }
    found
}

#[test]
fn every_incident_is_told_in_chinese_with_what_to_do() {
    let found = reasons();
    for known in ["untrusted_proxy", "notice_given_up", "notifier_gone", "held", "clock_skew", "crowded", "store_gone"]
    {
        assert!(found.iter().any(|reason| reason == known), "{known} is raised somewhere: {found:?}");
    }
    for reason in &found {
        assert_ne!(word(Lang::Zh, reason), reason, "{reason} has no Chinese word");
        assert!(advice(Lang::Zh, reason).is_some(), "{reason} has no Chinese advice");
    }
}

/// Every field of a value, of those inside it too.
fn fields(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(all) => all.iter().for_each(|(name, value)| {
            found.push(name.clone());
            fields(value, found);
        }),
        Value::Array(all) => all.iter().for_each(|value| fields(value, found)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_field_of_a_detail_has_a_chinese_label() {
    let shop = Daemon::start("[notify.mail]\nkind = \"folder\"\nfrom = \"shop@example.test\"\n");
    shop.product("labelled", &["--low", "3"], 5);
    let id = shop.order("labelled", 1).await;
    assert_eq!(shop.pay(&id, "L1", 1).await.0, 200);
    shop.json(&["order", "approve", &id, "--reason", "seen"], "");
    assert_eq!(shop.send("/pay/pay/notify?money=1").await.0, 400);
    let refused = shop.incidents("missing_signature", 1).await;
    let incident = shop.admin(&format!("/v1/incidents/{}", refused[0]["id"].as_str().unwrap())).await;
    let order = shop.admin(&format!("/v1/orders/{id}")).await;
    let row = StockRow { low: 1, retired: true, ..StockRow::default() };
    let channel = json!({"kind": "", "last_callback": 0, "addresses": 0, "refused_by_reason_in_a_minute": {},
        "counted_since_first_heard": {}});
    let surroundings = Surroundings {
        full: Some(String::new()),
        careless: Some(String::new()),
        doubt: Some(Doubt { cause: Cause::Gone, since: 0, run: String::new(), missing: Vec::new() }),
        ..Surroundings::default()
    };
    let mut found = Vec::new();
    for value in [incident, order, json!(row), json!(surroundings), channel, json!(NoticeCounts::default())] {
        fields(&value, &mut found);
    }
    // Shown under other names, or not at all.
    let hidden = ["id", "amount_minor", "created", "page", "dead"];
    for field in found.iter().filter(|field| !hidden.contains(&field.as_str())) {
        assert!(*field == "redis" || label(Lang::Zh, field) != *field, "{field} has no Chinese label");
        assert_eq!(label(Lang::En, field), *field);
    }
    assert_eq!(label(Lang::Zh, "rejected/bad_signature"), "已拒绝/签名错误");
    assert_eq!(word(Lang::Zh, Trouble::Owed.as_str()), "待补货");
}
