//! The docs' tables of settings and of reasons are their rows, line by line.

use std::path::{Path, PathBuf};

use kamid::channel::{self, TERMS};
use kamid::config;
use kamid::domain::{Lang, Reason, ReasonRow, Severity, Text};
use kamid::notify;
use kamid::settings::{Form, Setting};
use kamid::top::pane::PANES;
use kamid::top::tab::Tab;

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

/// The settings that `config.toml` shows, each with its section and what is said behind it.
fn printed() -> Vec<(&'static str, &'static str, &'static str)> {
    let (mut section, mut found) = ("", Vec::new());
    for line in config::DEFAULT.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            section = name.0;
        } else if line.starts_with("# [") || line.starts_with("# One section") {
            section = "";
        } else if let Some((key, rest)) = line.trim_start_matches("# ").split_once(" = ") {
            let what = rest.split_once(" # ").map_or("", |(_, what)| what.trim());
            found.push((section, key, what));
        }
    }
    found.retain(|(section, ..)| !section.is_empty());
    found
}

#[test]
fn config_toml_prints_every_row_with_what_it_is() {
    let printed = printed();
    for (section, rows) in config::SECTIONS {
        for row in rows {
            let what = printed.iter().find(|(of, key, _)| *of == section && *key == row.key).map(|(.., what)| *what);
            assert_eq!(what, Some(row.help.en), "[{section}] {}", row.key);
            assert!(row.help.zh.chars().any(|c| c > '\u{3000}'), "[{section}] {}: its Chinese", row.key);
            assert!(row.default.is_none(), "[{section}] {}: its default stands in config.toml", row.key);
        }
    }
    for (section, key, _) in printed {
        let rows = config::SECTIONS.iter().find(|(name, _)| *name == section).map_or(&[][..], |(_, rows)| rows);
        assert!(rows.iter().any(|row| row.names().any(|name| name == key)), "[{section}] {key} has no row");
    }
}
/// How the docs tell how bad a reason is.
const SEVERITIES: [(Severity, Text); 2] =
    [(Severity::Alarm, Text::new("alarm", "警报")), (Severity::Warning, Text::new("warning", "提醒"))];

/// A line of the docs' table of reasons.
fn told(reason: &Reason, lang: Lang) -> String {
    let ReasonRow { word, severity, tab, text, advice, .. } = reason.row();
    let how = SEVERITIES.iter().find(|(known, _)| known == severity).map(|(_, text)| text.say(lang)).unwrap();
    let (tab, comma) = (PANES.number(Tab::from(*tab)), lang.say(", ", ","));
    format!("| `{word}` | {tab}{comma}{how} | {} | {} |\n", text.say(lang), advice.say(lang))
}

/// The docs' table of reasons in one language.
fn reasons(lang: Lang) -> String {
    let head = lang.say("| word | in `top` | what it is | what to do |", "| 词 | `top` 中 | 是什么 | 怎么办 |");
    let lines: String = Reason::ALL.iter().map(|reason| told(reason, lang)).collect();
    format!("{head}\n| --- | --- | --- | --- |\n{lines}")
}

fn page(path: &str) -> String {
    std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn the_tables_of_reasons_are_those_of_the_rows() {
    let page = format!("{}\n", page("docs/reasons.md"));
    for table in [Lang::En, Lang::Zh].map(reasons) {
        assert!(page.contains(&format!("{table}\n")), "docs/reasons.md must hold:\n{table}");
    }
}

#[test]
fn what_a_channels_page_explains_are_reasons() {
    let mut explained = 0;
    for kind in channel::KINDS.iter().filter(|kind| !kind.test_only) {
        let page = page(&format!("docs/channels/{}.md", kind.name));
        let table = page.lines().skip_while(|line| *line != "| reason | cause |").skip(2);
        for line in table.take_while(|line| line.starts_with('|')) {
            let words = line.split('|').nth(1).unwrap_or_default().split('`').skip(1).step_by(2);
            for word in words {
                assert!(Reason::find(word).is_some(), "docs/channels/{}.md: {word} is no reason", kind.name);
                explained += 1;
            }
        }
    }
    assert!(explained > 30, "{explained}");
}

/// Words that mean something else, too: a state of a payment, a limit, an answer of the API, a finding of the audit, a field.
const ELSEWHERE: [&str; 13] = [
    "held",
    "orphan",
    "full",
    "silent",
    "timeout",
    "unavailable",
    "limited",
    "incomplete",
    "too_large",
    "method_not_allowed",
    "address_blocked",
    "trade_twice",
    "other_ring",
];

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

#[test]
fn a_reason_is_written_in_its_row_alone() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut wrong = Vec::new();
    for file in files.iter().filter(|file| !file.starts_with(root.join("domain/reason"))) {
        let text = std::fs::read_to_string(file).unwrap();
        // Tests say what they expect.
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        let literal = |word: &&str| !ELSEWHERE.contains(word) && text.contains(&format!("\"{word}\""));
        wrong.extend(Reason::ALL.iter().map(|reason| reason.row().word).filter(literal).map(|word| (file, word)));
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}
