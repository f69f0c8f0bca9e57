//! The rows of each kind's settings: those that are asked for make a channel, and every name in them is one it takes.

use std::collections::BTreeSet;

use kamid::channel::capture::{Capture, replay};
use kamid::channel::{Channels, KINDS, Kind, TERMS};
use kamid::domain::{Currency, Money, Payment};
use kamid::settings::{ConfigProblem, Form, Section, Setting};
use serde_json::{Map, Value, json};

use super::{channel, vectors};

use crate::support::channel::NOW;

type Settings = Map<String, Value>;

fn kinds() -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().copied().filter(|kind| !kind.test_only)
}

fn asked(kind: &Kind) -> impl Iterator<Item = &'static Setting> {
    kind.settings.iter().copied().filter(|row| row.asked)
}

fn build(kind: &Kind, answers: &Settings) -> Result<Channels, Vec<ConfigProblem>> {
    let mut settings = answers.clone();
    settings.insert("kind".to_owned(), json!(kind.name));
    Channels::build(&[("x".to_owned(), Section::from_json("x", &settings))], true, NOW)
}

/// A capture's own setting, or the default; captures have platform certificates one by one.
fn answer(row: &Setting, config: &Settings) -> Option<Value> {
    if let (Some(certs), "platform_cert") = (config.get("platform_certs"), row.key) {
        let all = certs.as_array().unwrap().iter().map(|cert| cert["pem"].as_str().unwrap());
        return Some(json!(all.collect::<Vec<_>>().join("\n")));
    }
    config.get(row.key).cloned().or_else(|| row.default.map(|word| json!(word)))
}

/// The answers that a capture's settings give, one after the other as they are asked for; after each of them nothing
/// that was answered may be complained of.
fn answers(kind: &Kind, config: &Settings) -> Settings {
    let mut given = Settings::new();
    for row in asked(kind) {
        if row.when.is_some_and(|(key, word)| given.get(key).is_none_or(|is| is != word)) {
            continue;
        }
        match answer(row, config) {
            Some(value) => drop(given.insert(row.key.to_owned(), value)),
            None => assert!(!row.needed, "{}: no capture answers {}", kind.name, row.key),
        }
        let problems = build(kind, &given).err().unwrap_or_default();
        let with = |key: &str| kind.settings.iter().find(|row| row.key == key).and_then(|row| row.with);
        let judged = |key: &str| given.contains_key(key) && with(key).is_none_or(|other| given.contains_key(other));
        let about = |it: &&ConfigProblem| !it.warning && judged(it.path.trim_start_matches("x."));
        assert_eq!(problems.iter().find(about), None, "{} after {}", kind.name, row.key);
    }
    given
}

#[test]
fn what_is_asked_makes_a_channel_that_believes_the_captures() {
    for kind in kinds() {
        let (mut seen, mut believed) = (BTreeSet::new(), 0);
        for (path, vector) in vectors(kind.name) {
            let name = path.file_stem().unwrap().to_str().unwrap();
            let Some(config) = vector["config"].as_object().filter(|_| name.starts_with(['a', 'c'])) else { continue };
            let given = answers(kind, config);
            let channels = build(kind, &given).unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
            seen.extend(given.keys().cloned());
            let capture: Capture = serde_json::from_value(vector.clone()).unwrap();
            if let (Some(at), true) = (capture.at(), capture.request.is_some()) {
                let report =
                    replay(&capture, channels.get("x").unwrap().as_ref(), channels.terms("x").unwrap(), at, false)
                        .unwrap();
                believed += u32::from(report.verdict == "accept");
            }
            // What is needed, and has no default, is really needed.
            for row in asked(kind).filter(|row| row.needed && given.contains_key(row.key)) {
                let mut without = given.clone();
                without.remove(row.key);
                assert!(build(kind, &without).is_err(), "{} works without {}", kind.name, row.key);
            }
        }
        assert!(believed > 0, "{} believes no capture", kind.name);
        let must = |row: &&Setting| row.needed || row.default.is_some();
        let never: Vec<_> = asked(kind).filter(must).filter(|row| !seen.contains(row.key)).collect();
        assert!(never.is_empty(), "{}: never asked: {never:?}", kind.name);
    }
}

/// A value of a row's form that no reader can take for none.
fn value(row: &Setting, name: &str) -> Value {
    match row.form {
        _ if name != row.key => json!("/nowhere"),
        Form::Whole(from, _) => json!(from),
        Form::Flag => json!(false),
        Form::List(_) | Form::Networks(_) | Form::Tables => json!([]),
        Form::Choice(words) => json!(words[0]),
        _ => json!("x"),
    }
}

#[test]
fn every_name_of_a_row_is_one_that_its_kind_takes() {
    for kind in KINDS {
        for row in kind.settings.iter().chain(TERMS).filter(|row| row.key != "kind") {
            for name in row.names() {
                // Whatever else is wrong with these: it is not that nobody reads the name.
                let mut settings = Settings::from_iter([(name.clone(), value(row, &name))]);
                settings.extend(row.when.map(|(key, word)| (key.to_owned(), json!(word))));
                if row.key == "platform_public_key" {
                    settings.insert("platform_public_key_id".to_owned(), json!("PUB_KEY_ID_1"));
                }
                let problems = build(kind, &settings).err().unwrap_or_default();
                let unread = |it: &&ConfigProblem| {
                    it.path == format!("x.{name}")
                        && ["is not a setting", "is not used"].iter().any(|why| it.message.starts_with(why))
                };
                assert_eq!(problems.iter().find(unread), None, "{}", kind.name);
            }
        }
    }
}

#[test]
fn a_row_is_whole_and_stands_in_its_table_once() {
    for kind in KINDS {
        let mut keys = BTreeSet::new();
        for row in kind.settings.iter().chain(TERMS) {
            assert!(keys.insert(row.key), "{}: {} twice", kind.name, row.key);
            assert!(![row.help.en, row.help.zh].contains(&""), "{}", row.key);
            assert!(!row.needed || row.default.is_none(), "{} is needed and has a default", row.key);
            match (row.form, row.default) {
                (Form::Choice(words), Some(default)) => assert!(words.contains(&default), "{}", row.key),
                (Form::Choice(_), None) => panic!("{} has no default", row.key),
                (Form::Whole(from, to), Some(default)) => {
                    assert!((from..=to).contains(&default.parse().unwrap()), "{}", row.key);
                }
                _ => {}
            }
            for other in row.when.map(|(key, _)| key).into_iter().chain(row.with) {
                assert!(kind.settings.iter().any(|row| row.key == other), "{} looks at {other}", row.key);
            }
        }
    }
}

/// A kind's unknown settings are told with the names of its rows, the kind's own first.
#[test]
fn a_slip_in_any_name_is_told_with_the_right_one() {
    for kind in KINDS {
        for row in kind.settings.iter().chain(TERMS).filter(|row| row.key.len() > 4) {
            let slip = format!("{}x", row.key);
            let problems = build(kind, &Settings::from_iter([(slip.clone(), json!("y"))])).err().unwrap();
            let told = problems.iter().find(|it| it.path == format!("x.{slip}")).unwrap();
            assert!(told.message.contains("did you mean "), "{}: {}", kind.name, told.message);
        }
    }
}

/// What an earlier version took is still taken: another word for a mode, and inside a capture what the other mode needs; what
/// it refused, a file that nobody reads, is still refused.
#[test]
fn alipay_takes_the_older_word_and_no_file_of_the_other_mode() {
    let kind = KINDS.iter().find(|kind| kind.name == "alipay").unwrap();
    let path = format!("{}/tests/vectors/alipay/c06-cert-mode-sn.json", env!("CARGO_MANIFEST_DIR"));
    let page: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut config = page["config"].as_object().unwrap().clone();
    config.insert("mode".to_owned(), json!("certificate"));
    assert!(build(kind, &config).is_ok());
    config.insert("alipay_public_key".to_owned(), json!("anything"));
    assert!(build(kind, &config).is_ok());
    config.remove("alipay_public_key");
    config.insert("alipay_public_key_file".to_owned(), json!("/nowhere"));
    let problems = build(kind, &config).err().unwrap();
    assert!(problems.iter().any(|it| it.path == "x.alipay_public_key_file" && !it.warning), "{problems:?}");
    config.remove("app_cert");
    let problems = build(kind, &config).err().unwrap();
    assert!(problems.iter().any(|it| it.path == "x.app_cert" && it.message.contains("is missing")), "{problems:?}");
}

/// By it a callback is known for one wherever it is posted to.
#[test]
fn the_header_of_a_row_is_the_one_that_its_callbacks_are_signed_in() {
    for kind in kinds() {
        let all = vectors(kind.name);
        let (_, vector) = all.iter().find(|(_, vector)| vector["kind"] == "notify").unwrap();
        let payment = Payment::new("N01", "T1", Money { minor: 990, currency: Currency::CNY }, "pay");
        let request = channel(kind.name, &vector["config"], &[]).forge(&payment, NOW);
        let signed = request.headers.iter().map(|(name, _)| name).filter(|name| kamid::channel::is_signature(name));
        let wanted: Vec<String> = kind.signed_in.iter().map(|name| name.to_lowercase()).collect();
        assert_eq!(signed.map(|name| name.to_lowercase()).collect::<Vec<_>>(), wanted, "{}", kind.name);
    }
}
