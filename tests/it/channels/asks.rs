//! What an operator is asked for when a channel is added: enough for every kind, and nothing that it does not read.

use std::collections::BTreeSet;

use kamid::channel::asks::{Ask, Form};
use kamid::channel::capture::{Capture, replay};
use kamid::channel::{Channels, KINDS, Kind};
use kamid::settings::{Problem, Section};
use serde_json::{Map, Value, json};

use super::vectors;

type Settings = Map<String, Value>;

fn kinds() -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().filter(|kind| !kind.test_only)
}

fn build(kind: &Kind, answers: &Settings) -> Result<Channels, Vec<Problem>> {
    let mut settings = answers.clone();
    settings.insert("kind".to_owned(), json!(kind.name));
    Channels::build(&[("x".to_owned(), Section::from_json("x", &settings))], true)
}

/// A capture's own setting, or the default; captures have platform certificates one by one.
fn answer(ask: &Ask, config: &Settings) -> Option<Value> {
    if let (Some(certs), "platform_cert") = (config.get("platform_certs"), ask.key) {
        let all = certs.as_array().unwrap().iter().map(|cert| cert["pem"].as_str().unwrap());
        return Some(json!(all.collect::<Vec<_>>().join("\n")));
    }
    config.get(ask.key).cloned().or_else(|| ask.default.map(|word| json!(word)))
}

/// The answers that a capture's settings give, one after the other as they are asked for; after each of them nothing
/// that was answered may be complained of.
fn answers(kind: &Kind, config: &Settings) -> Settings {
    let mut given = Settings::new();
    for ask in kind.asks.settings {
        if ask.when.is_some_and(|(key, word)| given.get(key).is_none_or(|is| is != word)) {
            continue;
        }
        match answer(ask, config) {
            Some(value) => drop(given.insert(ask.key.to_owned(), value)),
            None => assert!(ask.optional, "{}: no capture answers {}", kind.name, ask.key),
        }
        let problems = build(kind, &given).err().unwrap_or_default();
        let with = |key: &str| kind.asks.settings.iter().find(|ask| ask.key == key).and_then(|ask| ask.with);
        let judged = |key: &str| given.contains_key(key) && with(key).is_none_or(|other| given.contains_key(other));
        let about = |it: &&Problem| !it.warning && judged(it.path.trim_start_matches("x."));
        assert_eq!(problems.iter().find(about), None, "{} after {}", kind.name, ask.key);
    }
    given
}

#[test]
fn what_is_asked_makes_a_channel_that_believes_the_captures() {
    for kind in kinds() {
        let (mut asked, mut believed) = (BTreeSet::new(), 0);
        for (path, vector) in vectors(kind.name) {
            let name = path.file_stem().unwrap().to_str().unwrap();
            let Some(config) = vector["config"].as_object().filter(|_| name.starts_with(['a', 'c'])) else { continue };
            let given = answers(kind, config);
            let channels = build(kind, &given).unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
            asked.extend(given.keys().cloned());
            let capture: Capture = serde_json::from_value(vector.clone()).unwrap();
            if let (Some(at), true) = (capture.at(), capture.request.is_some()) {
                let report =
                    replay(&capture, channels.get("x").unwrap().as_ref(), channels.terms("x").unwrap(), at, false)
                        .unwrap();
                believed += u32::from(report.verdict == "accept");
            }
            // What is needed, and has no default, is really needed.
            let needed = |ask: &&Ask| !ask.optional && ask.default.is_none() && given.contains_key(ask.key);
            for ask in kind.asks.settings.iter().filter(needed) {
                let mut without = given.clone();
                without.remove(ask.key);
                assert!(build(kind, &without).is_err(), "{} works without {}", kind.name, ask.key);
            }
        }
        assert!(believed > 0, "{} believes no capture", kind.name);
        let never: Vec<_> = kind.asks.settings.iter().filter(|ask| !ask.optional && !asked.contains(ask.key)).collect();
        assert!(never.is_empty(), "{}: never asked: {never:?}", kind.name);
    }
}

#[test]
fn every_setting_that_is_asked_is_one_that_the_kind_reads() {
    for kind in kinds() {
        for ask in kind.asks.settings {
            let names: &[String] = &match ask.form {
                Form::Text | Form::Choice(_) => vec![ask.key.to_owned()],
                Form::PublicFile => vec![format!("{}_file", ask.key)],
                // Only what the kind takes for a secret can come from a variable.
                Form::Secret | Form::PrivateFile => vec![format!("{}_file", ask.key), format!("{}_env", ask.key)],
            };
            for name in names {
                // Whatever else is wrong with these: it is not that nobody knows the name.
                let mut settings = Settings::from_iter([(name.clone(), json!("/nowhere"))]);
                settings.extend(ask.when.map(|(key, word)| (key.to_owned(), json!(word))));
                if ask.key == "platform_public_key" {
                    settings.insert("platform_public_key_id".to_owned(), json!("PUB_KEY_ID_1"));
                }
                let problems = build(kind, &settings).err().unwrap_or_default();
                let unknown = |it: &&Problem| it.path == format!("x.{name}") && it.message.contains("is not a setting");
                assert_eq!(problems.iter().find(unknown), None, "{}", kind.name);
            }
            if let (Form::Choice(words), Some(default)) = (ask.form, ask.default) {
                assert!(words.contains(&default));
            }
            assert!(ask.when.is_none_or(|(key, _)| kind.asks.settings.iter().any(|other| other.key == key)));
        }
    }
}
