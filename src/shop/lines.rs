//! Lines become keys: what is none is counted by its number, and never shown.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

/// Line numbers named in a report, of each kind; the counts are always whole.
const LINES_NAMED: usize = 1000;

/// What became of an import, by line number, never by content.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct ImportReport {
    /// Lines read.
    pub lines: u64,
    /// Keys that went into the pool.
    pub imported: u64,
    /// Keys that stand earlier in the same file.
    pub repeated: u64,
    /// Keys that were imported before, into whatever product.
    pub known: u64,
    /// Lines without a key.
    pub blank: u64,
    /// Lines that are too long.
    pub too_long: u64,
    /// Lines that are not UTF-8 text, or hold control characters other than a tab.
    pub unreadable: u64,
    /// Numbers of those lines, from 1: the first thousand of each.
    pub repeated_lines: Vec<u64>,
    /// See `repeated_lines`.
    pub known_lines: Vec<u64>,
    /// See `repeated_lines`.
    pub too_long_lines: Vec<u64>,
    /// See `repeated_lines`.
    pub unreadable_lines: Vec<u64>,
}

impl ImportReport {
    /// Takes another part's report in; parts may come in any order.
    pub fn add(&mut self, part: &Self) {
        self.lines += part.lines;
        self.imported += part.imported;
        self.repeated += part.repeated;
        self.known += part.known;
        self.blank += part.blank;
        self.too_long += part.too_long;
        self.unreadable += part.unreadable;
        for (mine, theirs) in [
            (&mut self.repeated_lines, &part.repeated_lines),
            (&mut self.known_lines, &part.known_lines),
            (&mut self.too_long_lines, &part.too_long_lines),
            (&mut self.unreadable_lines, &part.unreadable_lines),
        ] {
            mine.extend(theirs);
            mine.sort_unstable();
            mine.truncate(LINES_NAMED);
        }
    }
}

/// Counts a line, and names it where there is room.
pub(super) fn name_line(lines: &mut Vec<u64>, count: &mut u64, line: u64) {
    *count += 1;
    if lines.len() < LINES_NAMED {
        lines.push(line);
    }
}

/// The keys of an import, each with its line's number, and the rest counted in `report`: a byte order mark, CRLF and blank
/// lines are no keys. `first` is the number of the body's first line in its file, `most` the longest key.
pub fn read_lines<'a>(body: &'a [u8], first: u64, most: usize, report: &mut ImportReport) -> Vec<(u64, &'a str)> {
    let body = if first == 1 { body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body) } else { body };
    let mut seen = HashSet::new();
    let mut keys = Vec::new();
    // No line at all; a line's end alone is a blank one.
    if body.is_empty() {
        return keys;
    }
    let body = body.strip_suffix(b"\n").unwrap_or(body);
    for (number, line) in (first..).zip(body.split(|b| *b == b'\n')) {
        report.lines += 1;
        let line = line.strip_suffix(b"\r").unwrap_or(line).trim_ascii();
        if line.is_empty() {
            report.blank += 1;
        } else if line.len() > most {
            name_line(&mut report.too_long_lines, &mut report.too_long, number);
        } else if let Some(key) =
            std::str::from_utf8(line).ok().filter(|key| !key.chars().any(|c| c.is_control() && c != '\t'))
        {
            if seen.insert(key) {
                keys.push((number, key));
            } else {
                name_line(&mut report.repeated_lines, &mut report.repeated, number);
            }
        } else {
            name_line(&mut report.unreadable_lines, &mut report.unreadable, number);
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_by_number() {
        let mut report = ImportReport::default();
        let body = b"\xef\xbb\xbfA1\r\n\r\nA2\nA1\n\xff\nWAY-TOO-LONG\n  A3 \n";
        let keys = read_lines(body, 1, 5, &mut report);
        assert_eq!(keys, [(1, "A1"), (3, "A2"), (7, "A3")]);
        assert_eq!((report.lines, report.blank, report.repeated, report.too_long, report.unreadable), (7, 1, 1, 1, 1));
        assert_eq!(
            (report.repeated_lines, report.unreadable_lines, report.too_long_lines),
            (vec![4], vec![5], vec![6])
        );
    }

    #[test]
    fn a_blank_line_alone_is_a_line() {
        for (body, lines) in [(&b""[..], 0), (b"\n", 1), (b"\r\n\n", 2), (b"\xef\xbb\xbf\n", 1)] {
            let mut report = ImportReport::default();
            assert!(read_lines(body, 1, 5, &mut report).is_empty());
            assert_eq!((report.lines, report.blank), (lines, lines), "{body:?}");
        }
    }
}
