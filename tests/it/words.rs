//! Words of the sources: a name stands once, where it belongs, and means one thing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::layers::sources;

#[test]
fn names_of_redis_are_built_in_the_store_alone() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut wrong = Vec::new();
    for file in files.iter().filter(|file| !file.starts_with(root.join("store"))) {
        let text = std::fs::read_to_string(file).unwrap();
        let built = ["store.names", ".hashed(", "\"k1:", "\"t1:"].into_iter().filter(|piece| text.contains(piece));
        wrong.extend(built.map(|piece| format!("{}: {piece}", file.display())));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_public_types_name_stands_once() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut files, mut found) = (Vec::new(), BTreeMap::<String, BTreeSet<PathBuf>>::new());
    sources(&root, &mut files);
    for file in files.iter().filter(|file| !file.ends_with("tests.rs")) {
        let text = std::fs::read_to_string(file).unwrap();
        // What is for tests alone stands at the end; single items of it may stand before.
        for line in text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().lines() {
            let line = line.trim_start();
            let public = ["pub ", "pub(super) ", "pub(crate) "].into_iter().find_map(|start| line.strip_prefix(start));
            let kinds = ["struct ", "enum ", "trait ", "type "];
            let Some(rest) = public.and_then(|rest| kinds.into_iter().find_map(|kind| rest.strip_prefix(kind))) else {
                continue;
            };
            let name: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
            // A macro's `$name` is no name: its rows bring those.
            if !name.is_empty() {
                found.entry(name).or_default().insert(file.clone());
            }
        }
    }
    found.retain(|_, files| files.len() > 1);
    assert!(found.is_empty(), "a reader asks which one is meant: {found:#?}");
}

/// *Told* is who was notified. What is shown, known, answered or made into a view has another word.
#[test]
fn told_means_notified() {
    const NOTIFIES: [&str; 3] = ["notify/", "http/serve/address.rs", "http/serve/limit.rs"];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut wrong = Vec::new();
    for file in files {
        let name = file.strip_prefix(&root).unwrap().display().to_string();
        if NOTIFIES.iter().any(|room| name.starts_with(room)) {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        let lines = text
            .lines()
            .enumerate()
            .filter(|(_, line)| ["fn told(", "let told ", "let mut told "].iter().any(|word| line.contains(word)));
        wrong.extend(lines.map(|(at, line)| format!("{name}:{}: {}", at + 1, line.trim())));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
