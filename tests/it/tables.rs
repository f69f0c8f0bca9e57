//! The docs' tables of settings are their rows, line by line.

use kamid::channel::{self, TERMS};
use kamid::notify;
use kamid::settings::{Form, Setting};

const HEAD: &str = "| setting | default | what |\n| --- | --- | --- |\n";

/// The names as whoever writes a section is to write them.
fn names(row: &Setting) -> String {
    let names = row.names().filter(|name| !row.form.is_filed() || name != row.key);
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn line(row: &Setting) -> String {
    let with = row.when.map(|(key, word)| format!("with `{key} = \"{word}\"`"));
    let default = match (row.needed, row.default) {
        (true, _) => ["needed"].into_iter().chain(with.as_deref()).collect::<Vec<_>>().join(" "),
        (false, Some(default)) => format!("`{default}`"),
        (false, None) => with.unwrap_or_default(),
    };
    let range = match row.form {
        Form::Whole(from, i64::MAX) => format!(" (from {from} on)"),
        Form::Whole(from, to) => format!(" ({from} to {to})"),
        _ => String::new(),
    };
    let what = row.help.en.replace('|', "\\|").replace('<', "\\<");
    format!("| {} | {default} | {what}{range} |\n", names(row))
}

/// What is wrong with a page whose only table of settings, or one of several, must be that of these rows.
fn check(page: &str, rows: &[&'static Setting]) -> Option<String> {
    let path = format!("{}/docs/{page}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let table: String = HEAD.chars().chain(rows.iter().flat_map(|row| line(row).chars().collect::<Vec<_>>())).collect();
    // What follows a table is an empty line: no further row is in it.
    let right = text.contains(&format!("{table}\n"));
    (!right).then(|| format!("docs/{page} must hold:\n{table}"))
}

#[test]
fn the_tables_of_settings_are_those_of_the_rows() {
    let channels = channel::KINDS.iter().filter(|kind| !kind.test_only);
    let pages = channels.map(|kind| (format!("channels/{}.md", kind.name), kind.settings));
    let notifiers = notify::KINDS.iter().filter(|kind| !kind.test_only);
    let parts = notifiers.map(|kind| ("notices.md".to_owned(), kind.settings));
    let all = pages.chain(parts).chain([("channels.md".to_owned(), TERMS)]);
    let wrong: Vec<String> = all.filter_map(|(page, rows)| check(&page, rows)).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
