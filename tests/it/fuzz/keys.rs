//! Files of keys: cut into parts, read as lines, counted. Every key is imported once, and every line is accounted for.

use std::collections::HashSet;
use std::io::BufReader;

use kamid::cli::parts::Parts;
use kamid::shop::{ImportReport, read_lines};

use super::drive::Target;

/// Longest key here.
const MOST: usize = 24;

/// What an import of the file comes to, with parts of so many bytes, and the keys in their order.
fn imported(file: &[u8], part_bytes: usize) -> (ImportReport, Vec<String>) {
    let mut parts = Parts::new(Box::new(BufReader::new(std::io::Cursor::new(file.to_vec()))), part_bytes);
    let (mut total, mut keys) = (ImportReport::default(), Vec::new());
    let (mut known, mut read) = (HashSet::new(), 0);
    while let Some(part) = parts.part().unwrap() {
        read += part.read;
        let mut report = ImportReport::default();
        for (number, key) in read_lines(&part.text, part.first, MOST, &mut report) {
            if known.insert(key.to_owned()) {
                report.imported += 1;
                keys.push(key.to_owned());
            } else {
                report.known += 1;
                report.known_lines.push(number);
            }
        }
        total.add(&report);
    }
    assert_eq!(read, file.len() as u64, "every byte is read");
    parts.finish(&mut total);
    (total, keys)
}

/// The same by the plain rule: one line, one key, but for a mark at the very beginning and white space around.
fn expected(file: &[u8]) -> (ImportReport, Vec<String>) {
    let mut report = ImportReport::default();
    let (mut keys, mut seen) = (Vec::new(), HashSet::new());
    let marked = file.strip_prefix(b"\xef\xbb\xbf");
    let mut lines: Vec<&[u8]> = marked.unwrap_or(file).split(|b| *b == b'\n').collect();
    // A file that ends with a line's end has no line behind it, and a mark alone is a line.
    if lines.last().is_some_and(|last| last.is_empty()) && (lines.len() > 1 || marked.is_none()) {
        lines.pop();
    }
    for (number, line) in (1u64..).zip(lines) {
        let line = line.trim_ascii();
        let text = std::str::from_utf8(line).ok().filter(|text| !text.contains(|c: char| c.is_control() && c != '\t'));
        report.lines += 1;
        if line.is_empty() {
            report.blank += 1;
        } else if !seen.insert(line) {
            report.repeated += 1;
            report.repeated_lines.push(number);
        } else if line.len() > MOST {
            report.too_long += 1;
            report.too_long_lines.push(number);
        } else if let Some(text) = text {
            report.imported += 1;
            keys.push(text.to_owned());
        } else {
            report.unreadable += 1;
            report.unreadable_lines.push(number);
        }
    }
    for named in [&mut report.repeated_lines, &mut report.too_long_lines, &mut report.unreadable_lines] {
        named.truncate(1000);
    }
    (report, keys)
}

fn check(file: &[u8]) {
    let whole = expected(file);
    for part_bytes in [1, 7, 64, 262_144] {
        assert_eq!(imported(file, part_bytes), whole, "in parts of {part_bytes}");
    }
}

pub fn a_file_of_keys_is_imported_whole_and_each_key_once() -> Target {
    let seeds: [&[u8]; 8] = [
        b"\xef\xbb\xbfA1\r\n\r\nA2\nA1\n\xff\nWAY-TOO-LONG-FOR-A-KEY-OF-THIS-SHOP\n  A3 \n",
        b"AAAA-BBBB-CCCC\nDDDD-EEEE-FFFF\nAAAA-BBBB-CCCC",
        "账号----密码\nuser\tpassword\n\n".as_bytes(),
        b"A\0\nB\x1b[31m\r\r\nA\n",
        b"A\n\nA\nB\nA\n",
        b"\n",
        b"\xef\xbb\xbf",
        b" \xef\xbb\xbfA\nA\n",
    ];
    let words = &["\n", "\r\n", "\u{feff}", "\t", " ", "\0", "\u{85}", "\u{c}", "A1\n", "\nA1", "密"];
    Target { name: "files of keys", seeds: seeds.map(<[u8]>::to_vec).into(), words, check }
}
