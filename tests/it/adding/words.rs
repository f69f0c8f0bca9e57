//! What stands in a row's own place stands nowhere else: nothing else in the tree lists kinds or routes by hand.

use std::collections::BTreeSet;
use std::path::Path;

use kamid::channel;
use kamid::notify;
use kamid::wire::ROUTES;

use crate::layers::{code_of, sources};

/// Files that may name a kind of channel, or what its accounts are called, and why. Test mode's own gateway is another matter:
/// its pay page and its payments are ours.
const NAMED: [(&str, &str); 7] = [
    ("channel/gateway/", "its own files"),
    ("channel/mod.rs", "the rows"),
    ("channel/bill", "forms of bills, which the rows name"),
    ("channel/kit/cert.rs", "Alipay's number of a certificate"),
    ("channel/kit/rows.rs", "words for ways to pay at gateways that have several"),
    ("channel/contract/step.rs", "the apps that a buyer may be sent to"),
    ("channel/terms.rs", "an example of an account"),
];

/// Every file's code, by its name in `src`.
fn code() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    files.retain(|file| !file.ends_with("tests.rs"));
    let read = |file: &std::path::PathBuf| {
        let name = file.strip_prefix(&root).unwrap().display().to_string();
        (name, code_of(&std::fs::read_to_string(file).unwrap()))
    };
    files.iter().map(read).collect()
}

/// Whether a word stands there, in any case, and not as the end of another one.
fn names(line: &str, word: &str) -> bool {
    let line = line.to_lowercase();
    line.match_indices(word).any(|(at, _)| !line[..at].ends_with(|c: char| c.is_ascii_alphanumeric()))
}

/// The lines that name one of these words, without examples in a command's help.
fn named(code: &[(String, String)], words: &BTreeSet<String>, may: &[(&str, &str)]) -> Vec<String> {
    let mut found = Vec::new();
    for (file, text) in code.iter().filter(|(file, _)| !may.iter().any(|(place, _)| file.starts_with(place))) {
        for line in text.lines().filter(|line| !line.contains("kamid channel ") && !line.contains("kamid order ")) {
            let line = line.trim();
            let orphan = line.contains("kamid orphan ");
            found.extend(
                words.iter().filter(|word| !orphan && names(line, word)).map(|word| format!("{file}: {word}: {line}")),
            );
        }
    }
    found
}

#[test]
fn a_kind_of_channel_is_named_in_its_file_and_its_row_alone() {
    let code = code();
    let real = channel::KINDS.iter().filter(|kind| !kind.test_only);
    let words: BTreeSet<String> =
        real.flat_map(|kind| [kind.name.to_owned(), kind.account.family.to_owned()]).collect();
    assert!(words.len() > 15, "{words:?}");
    let found = named(&code, &words, &NAMED);
    assert!(found.is_empty(), "{found:#?}");
    // Every place that may is one that does.
    for (place, why) in NAMED {
        let others: Vec<_> = NAMED.into_iter().filter(|(other, _)| *other != place).collect();
        assert!(!named(&code, &words, &others).is_empty(), "{place} names none: {why}");
    }
    // The header that signs is its row's: what looks like a callback is known by it.
    let headers = channel::KINDS.iter().filter_map(|kind| kind.signed_in.map(str::to_lowercase)).collect();
    let found = named(
        &code,
        &headers,
        &[("channel/gateway/", "its own files"), ("notify/webhook.rs", "what we sign ourselves")],
    );
    assert!(headers.len() > 5 && found.is_empty(), "{found:#?}");
}

#[test]
fn a_kind_of_notifier_is_named_in_its_file_and_its_row_alone() {
    let written: BTreeSet<String> = notify::KINDS.iter().map(|kind| format!("\"{}\"", kind.name)).collect();
    let found = named(&code(), &written, &[("notify/", "its own files, and the rows")]);
    assert!(written.len() > 5 && found.is_empty(), "{found:#?}");
}

#[test]
fn a_routes_address_is_written_in_its_row_alone() {
    let written: BTreeSet<String> = ROUTES.iter().map(|row| format!("\"{}\"", row.path)).collect();
    let may = [("wire/routes.rs", "the rows"), ("http/public/", "the buyers' side, which has some of the same")];
    let found = named(&code(), &written, &may);
    assert!(written.len() > 30 && found.is_empty(), "{found:#?}");
}

#[test]
fn what_is_named_by_hand_is_found() {
    let words = BTreeSet::from(["stripe".to_owned(), "epay".to_owned()]);
    let file = |name: &str, text: &str| [(name.to_owned(), text.to_owned())];
    assert_eq!(named(&file("shop/mod.rs", "if kind == \"stripe\" {\nlet x = StripeKey;"), &words, &NAMED).len(), 2);
    assert!(named(&file("channel/gateway/stripe.rs", "name: \"stripe\""), &words, &NAMED).is_empty());
    assert!(named(&file("store/look.rs", "take: TakePayment<'_>"), &words, &NAMED).is_empty());
}
