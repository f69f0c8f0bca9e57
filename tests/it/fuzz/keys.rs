//! Files of keys: cut into parts, read as lines, counted. Every key is imported once, and every line is accounted for.

use std::collections::HashSet;
use std::io::BufReader;

use kamid::cli::parts::FileParts;
use kamid::domain::ImportReport;
use kamid::shop::goods::sheet::is_heading;
use kamid::shop::{Reading, read_lines};

use super::drive::Target;

/// Longest key here.
const MOST: usize = 24;

/// What an import of the file comes to, with parts of so many bytes, and the keys in their order.
fn imported(file: &[u8], part_bytes: usize) -> (ImportReport, Vec<String>) {
    let mut parts = FileParts::new(Box::new(BufReader::new(std::io::Cursor::new(file.to_vec()))), part_bytes);
    let (mut total, mut keys) = (ImportReport::default(), Vec::new());
    let (mut known, mut read) = (HashSet::new(), 0);
    while let Some(part) = parts.part().unwrap() {
        read += part.read;
        let mut report = ImportReport::default();
        assert!(part.text.len() <= part_bytes, "a part of {} bytes", part.text.len());
        let reading = Reading { first: part.first, most: MOST, as_lines: false };
        for line in read_lines(&part.text, reading, &mut report) {
            if known.insert(line.key.to_owned()) {
                report.imported += 1;
                keys.push(line.key.to_owned());
            } else {
                report.known += 1;
                report.known_lines.push(line.number);
            }
        }
        total.add(&report);
    }
    assert_eq!(read, file.len() as u64, "every byte is read");
    parts.finish(&mut total);
    (total, keys)
}

/// What nobody sees, of what the words below are made of or are bent to.
fn unseen(c: char) -> bool {
    let plane_ends = c as u32 & 0xfffe == 0xfffe;
    let ranges = [
        (0xad, 0xad),
        (0x34f, 0x34f),
        (0x61c, 0x61c),
        (0x115f, 0x1160),
        (0x17b4, 0x17b5),
        (0x180b, 0x180f),
        (0x200b, 0x200f),
        (0x202a, 0x202e),
        (0x2060, 0x206f),
        (0x2800, 0x2800),
        (0x3164, 0x3164),
        (0xfe00, 0xfe0f),
        (0xfeff, 0xfeff),
        (0xffa0, 0xffa0),
        (0xfdd0, 0xfdef),
        (0xfff0, 0xfffb),
        (0x13430, 0x1343f),
        (0x16fe4, 0x16fe4),
        (0x1bca0, 0x1bca3),
        (0x1d159, 0x1d159),
        (0x1d173, 0x1d17a),
        (0xe0000, 0xe0fff),
    ];
    plane_ends || ranges.iter().any(|(from, to)| (*from..=*to).contains(&(c as u32)))
}

/// The same by the plain rule: one line, one key, but for what nobody sees around.
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
        let text = std::str::from_utf8(line).ok();
        let text = text.map(|text| text.trim_matches(|c: char| c.is_whitespace() || unseen(c)));
        let line = text.map_or(line.trim_ascii(), str::as_bytes);
        let spoils = |c: char| c.is_control() && c != '\t' || "\u{2028}\u{2029}\u{fffd}".contains(c);
        let hides = text.is_some_and(|text| text.contains(unseen) && !text.contains(spoils));
        let text = text.filter(|text| !text.contains(spoils) && !text.contains(unseen));
        report.lines += 1;
        if line.is_empty() {
            report.blank += 1;
        } else if !seen.insert(line) {
            report.repeated += 1;
            report.repeated_lines.push(number);
        } else if line.len() > MOST {
            report.too_long += 1;
            report.too_long_lines.push(number);
        } else if text.is_some_and(is_heading) {
            report.headings += 1;
            report.heading_lines.push(number);
        } else if let Some(text) = text {
            report.imported += 1;
            keys.push(text.to_owned());
        } else {
            report.unreadable += 1;
            report.unreadable_lines.push(number);
            if hides {
                report.invisible += 1;
                report.invisible_lines.push(number);
            }
        }
    }
    for named in [
        &mut report.repeated_lines,
        &mut report.too_long_lines,
        &mut report.unreadable_lines,
        &mut report.invisible_lines,
        &mut report.heading_lines,
    ] {
        named.truncate(1000);
    }
    (report, keys)
}

fn check(file: &[u8]) {
    let whole = expected(file);
    for part_bytes in [MOST, MOST + 1, 64, 262_144] {
        assert_eq!(imported(file, part_bytes), whole, "in parts of {part_bytes}");
    }
}

pub fn a_file_of_keys_is_imported_whole_and_each_key_once() -> Target {
    let seeds: [&[u8]; 9] = [
        b"\xef\xbb\xbfA1\r\n\r\nA2\nA1\n\xff\nWAY-TOO-LONG-FOR-A-KEY-OF-THIS-SHOP\n  A3 \n",
        b"AAAA-BBBB-CCCC\nDDDD-EEEE-FFFF\nAAAA-BBBB-CCCC",
        "账号----密码\nuser\tpassword\n\n".as_bytes(),
        b"A\0\nB\x1b[31m\r\r\nA\n",
        b"A\n\nA\nB\nA\n",
        b"\n",
        b"\xef\xbb\xbf",
        b" \xef\xbb\xbfA\nA\n",
        "A\u{a0}\r\n\u{200b}A\nA\u{200b}B\n\u{3000}\nB\u{2028}C\n\u{feff}B\n".as_bytes(),
    ];
    let words = &[
        "\n", "\r\n", "\u{feff}", "\t", " ", "\0", "\u{85}", "\u{c}", "A1\n", "\nA1", "密", "\u{200b}", "\u{ad}",
        "\u{3000}", "\u{2800}", "\u{fffa}", "卡密\n",
    ];
    Target { name: "files of keys", seeds: seeds.map(<[u8]>::to_vec).into(), words, check }
}
