//! What a file is that is not a list of keys, recognised by how it begins.

use serde::de::IgnoredAny;
use serde_json::Value;

/// What is text and begins so (in small letters, behind blanks): what it is.
const TEXTS: [(&str, &[&str]); 9] = [
    ("a PDF document", &["%pdf-"]),
    ("an RTF document", &["{\\rtf"]),
    ("a PostScript document", &["%!ps"]),
    (
        "a web page or XML",
        &[
            "<!doctype",
            "<html",
            "<head>",
            "<body",
            "<?xml",
            "<?php",
            "<svg",
            "<script",
            "<!--",
            "<meta ",
            "<title",
            "<table",
            "<rss",
            "<feed",
            "<error",
            "<center",
            "<h1",
        ],
    ),
    ("an answer of a web server", &["http/1.0 ", "http/1.1 ", "http/2 "]),
    ("an SQL dump", &["-- mysql dump", "-- phpmyadmin", "-- postgresql", "insert into ", "create table ", "/*!40"]),
    ("a file of certificates or cryptographic keys", &["-----begin "]),
    ("an address card or calendar", &["begin:vc"]),
    ("a script", &["#!/"]),
];

/// Bytes that a file begins with, beyond those the `infer` package knows.
const MAGIC: [(&str, &[u8]); 2] =
    [("an old Office document (.xls, .doc)", b"\xd0\xcf\x11\xe0"), ("an SQLite database", b"SQLite format 3\0")];

/// What `infer` calls it, and what it is called here; others are recognised by their extension.
const NAMES: [(&str, &str); 11] = [
    ("zip", "a ZIP archive"),
    ("gz", "a gzip archive"),
    ("rar", "a RAR archive"),
    ("7z", "a 7-Zip archive"),
    ("tar", "a tar archive"),
    ("xlsx", "an Excel workbook"),
    ("docx", "a Word document"),
    ("pptx", "a PowerPoint presentation"),
    ("jpg", "a picture (JPEG)"),
    ("png", "a picture (PNG)"),
    ("gif", "a picture (GIF)"),
];

/// Names in the answer of an API that says no, or wraps what it says: one such object alone is no key.
const ANSWER: [&str; 10] =
    ["error", "errors", "errmsg", "errcode", "message", "msg", "code", "status", "detail", "data"];

/// What a file that begins so is, unless it may be a list of keys. `text`: it is all text. `whole`: this is all of it.
pub(super) fn what(head: &[u8], text: bool, whole: bool) -> Option<String> {
    let start = super::table::unmarked(head).trim_ascii_start();
    let begins = |with: &&str| start.get(..with.len()).is_some_and(|own| own.eq_ignore_ascii_case(with.as_bytes()));
    if let Some((name, _)) = TEXTS.iter().find(|(_, starts)| starts.iter().any(begins)) {
        return Some((*name).to_owned());
    }
    if !text {
        return magic(head);
    }
    if is_upload(start) {
        return Some("an upload of a form (multipart) with the file in it".to_owned());
    }
    let yaml = start.starts_with(b"---\n") || start.starts_with(b"---\r\n");
    let markup = || super::markup::is_xml(start).then_some("a web page or XML, or a piece of it");
    yaml.then_some("a YAML document").or_else(|| json(start, whole)).or_else(markup).map(str::to_owned)
}

/// Whether it is a form as browsers and `curl -F` send it (RFC 7578): a line of its boundary, then the fields of a part.
fn is_upload(start: &[u8]) -> bool {
    let mut lines = start.splitn(3, |b| *b == b'\n');
    let part = b"content-disposition: form-data";
    lines.next().is_some_and(|line| line.starts_with(b"--"))
        && lines.next().and_then(|line| line.get(..part.len())).is_some_and(|line| line.eq_ignore_ascii_case(part))
}

/// What is no text, by its first bytes. Never asked about text, where a key may begin with `BM` as a picture does.
fn magic(head: &[u8]) -> Option<String> {
    if !head.iter().take(4096).any(|b| matches!(b, 0..=8 | 14..=25 | 28..=31)) {
        return None;
    }
    if let Some((name, _)) = MAGIC.iter().find(|(_, bytes)| head.starts_with(bytes)) {
        return Some((*name).to_owned());
    }
    let found = infer::get(head)?;
    let known = NAMES.iter().find(|(extension, _)| *extension == found.extension());
    Some(
        known.map_or_else(
            || format!("a .{} file ({})", found.extension(), found.mime_type()),
            |known| known.1.to_owned(),
        ),
    )
}

/// One JSON document over several lines, a list, lists alone, or one object that holds others or is an API's answer. An
/// object of texts on each line is not one: accounts are sold so.
fn json(start: &[u8], whole: bool) -> Option<&'static str> {
    if !matches!(start.first(), Some(b'{' | b'[')) {
        return None;
    }
    let end = start.iter().position(|b| *b == b'\n').unwrap_or(start.len());
    let (first, after) = start.split_at(end);
    let alone = whole && after.trim_ascii().is_empty();
    let document = match serde_json::from_slice::<Value>(first) {
        Ok(Value::Array(list)) => {
            let second = after.trim_ascii_start().split(|b| *b == b'\n').next().unwrap_or_default();
            let lists = || matches!(serde_json::from_slice::<Value>(second), Ok(Value::Array(list)) if holds(&list));
            (alone && list.is_empty()) || (holds(&list) && (alone || lists()))
        }
        Ok(Value::Object(object)) => {
            let answers = |key: &String| ANSWER.contains(&key.to_ascii_lowercase().as_str());
            alone && (object.keys().any(answers) || object.values().any(|value| value.is_array() || value.is_object()))
        }
        Ok(_) => false,
        // Cut off here, it goes on in the next line: with what comes, or as far as was looked, it is JSON.
        Err(error) if error.is_eof() => match serde_json::from_slice::<IgnoredAny>(start) {
            Ok(_) => true,
            Err(error) => !whole && error.is_eof(),
        },
        Err(_) => false,
    };
    document.then_some("a JSON document")
}

/// Whether a list holds texts, objects or lists; `[A-1]` and `[1]` may be keys.
fn holds(list: &[Value]) -> bool {
    list.iter().any(|one| one.is_string() || one.is_object() || one.is_array())
}
