//! Lines become keys: what is none is counted by its number, and never shown.

use std::collections::{HashMap, HashSet};

use super::sheet::is_heading;
use crate::domain::ImportReport;
use crate::domain::LINES_NAMED;
use crate::domain::text::{bare, is_invisible};

/// Most ways in which one key stands in one body that are remembered.
const STOOD: usize = 16;

/// Counts a line, and names it where there is room.
pub(super) fn name_line(lines: &mut Vec<u64>, count: &mut u64, line: u64) {
    *count += 1;
    if lines.len() < LINES_NAMED {
        lines.push(line);
    }
}

/// Whether a character that is no edge makes a line unreadable: control characters but the tab, further ends of lines,
/// and the sign for what a conversion lost. What nobody sees spoils it too, and is told apart.
fn spoils(c: char) -> bool {
    (c.is_control() && c != '\t') || matches!(c, '\u{2028}' | '\u{2029}' | '\u{fffd}')
}

/// How a body is read.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// The number of its first line in its file.
    pub first: u64,
    /// Bytes of the longest key.
    pub most: usize,
    /// Somebody says that every line is a key, a heading too.
    pub as_lines: bool,
}

/// A key, and the line it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyLine<'a> {
    /// The line's number, from 1.
    pub number: u64,
    /// The key.
    pub key: &'a str,
    /// The line as it stood between ASCII blanks, where that is another text: older versions sealed it so.
    pub stood: Vec<&'a str>,
}

/// What a line is.
enum Line<'a> {
    Blank,
    TooLong,
    Unreadable,
    Invisible,
    Key(&'a str),
}

fn line_of(line: &[u8], most: usize) -> Line<'_> {
    let Ok(text) = std::str::from_utf8(line) else {
        return if line.trim_ascii().len() > most { Line::TooLong } else { Line::Unreadable };
    };
    match bare(text) {
        "" => Line::Blank,
        key if key.len() > most => Line::TooLong,
        key if key.contains(spoils) => Line::Unreadable,
        key if key.contains(is_invisible) => Line::Invisible,
        key => Line::Key(key),
    }
}

/// A line as it stood between ASCII blanks, which is what older versions took for its key.
fn stood(line: &[u8]) -> Option<&str> {
    let line = line.strip_suffix(b"\r").unwrap_or(line).trim_ascii();
    let text = std::str::from_utf8(line).ok().filter(|text| !text.is_empty())?;
    (!text.contains(|c: char| c.is_control() && c != '\t')).then_some(text)
}

/// The lines of a body, each with its number; a mark before the first of a file is none of it.
fn numbered(body: &[u8], first: u64) -> impl Iterator<Item = (u64, &[u8])> {
    let body = if first == 1 { body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body) } else { body };
    // No line at all; a line's end alone is a blank one.
    let lines = (!body.is_empty()).then(|| body.strip_suffix(b"\n").unwrap_or(body).split(|b| *b == b'\n'));
    (first..).zip(lines.into_iter().flatten())
}

/// The keys of an import, each with its line's number, and the rest counted in `report`: byte order marks, CRLF and blank
/// lines are no keys, nor are headings.
pub fn read_lines<'a>(body: &'a [u8], reading: Reading, report: &mut ImportReport) -> Vec<KeyLine<'a>> {
    let Reading { first, most, as_lines } = reading;
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let mut keys: Vec<KeyLine<'_>> = Vec::new();
    for (number, line) in numbered(body, first) {
        report.lines += 1;
        match line_of(line, most) {
            Line::Blank => report.blank += 1,
            Line::TooLong => name_line(&mut report.too_long_lines, &mut report.too_long, number),
            Line::Unreadable => name_line(&mut report.unreadable_lines, &mut report.unreadable, number),
            Line::Invisible => {
                name_line(&mut report.unreadable_lines, &mut report.unreadable, number);
                name_line(&mut report.invisible_lines, &mut report.invisible, number);
            }
            Line::Key(key) if !as_lines && is_heading(key) => {
                name_line(&mut report.heading_lines, &mut report.headings, number);
            }
            Line::Key(key) => {
                let stood = stood(line).filter(|stood| *stood != key);
                if let Some(at) = seen.get(key) {
                    name_line(&mut report.repeated_lines, &mut report.repeated, number);
                    let all = &mut keys[*at].stood;
                    all.extend(stood.filter(|stood| !all.contains(stood) && all.len() < STOOD));
                } else {
                    seen.insert(key, keys.len());
                    keys.push(KeyLine { number, key, stood: stood.into_iter().collect() });
                }
            }
        }
    }
    keys
}

/// The texts under which the keys named in `body`, one a line, may be sealed: as they are read now, and as their lines
/// stood. A line that would be refused today may be a key of an older version.
pub fn named_lines(body: &[u8], most: usize) -> Vec<Vec<&str>> {
    let mut seen = HashSet::new();
    let texts = numbered(body, 1).map(|(_, line)| {
        let key = match line_of(line, most) {
            Line::Key(key) => Some(key),
            _ => None,
        };
        let mut texts: Vec<&str> = key.into_iter().chain(stood(line)).collect();
        texts.dedup();
        texts
    });
    texts.filter(|texts| texts.first().is_some_and(|first| seen.insert(*first))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(first: u64, most: usize) -> Reading {
        Reading { first, most, as_lines: false }
    }

    #[test]
    fn lines_are_counted_by_number() {
        let mut report = ImportReport::default();
        let body = b"\xef\xbb\xbfA1\r\n\r\nA2\nA1\n\xff\nWAY-TOO-LONG\n  A3 \n";
        let keys = read_lines(body, reading(1, 5), &mut report);
        let keys: Vec<_> = keys.iter().map(|line| (line.number, line.key)).collect();
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
            assert!(read_lines(body, reading(1, 5), &mut report).is_empty());
            assert_eq!((report.lines, report.blank), (lines, lines), "{body:?}");
        }
    }

    #[test]
    fn what_nobody_sees_is_no_part_of_a_key() {
        let edges = [
            "\u{a0}",
            "\u{3000}",
            "\u{200b}",
            "\u{200e}",
            "\u{2060}",
            "\u{feff}",
            "\u{2009}",
            "\u{ad}",
            "\u{85}",
            "\u{b}",
            "\u{61c}",
            "\u{34f}",
            "\u{115f}",
            "\u{180e}",
            "\u{202e}",
            "\u{2066}",
            "\u{3164}",
            "\u{fe0f}",
            "\u{ffa0}",
            "\u{e0001}",
            "\u{e01ef}",
            "\u{2028}",
            "\u{1680}",
            "\u{feff}\u{feff} \u{200d}\t",
        ];
        for edge in edges {
            for line in [format!("K-1{edge}\r\n"), format!("{edge}K-1"), format!("K-1\n{edge}K-1{edge}\n")] {
                let keys = read_lines(line.as_bytes(), reading(2, 64), &mut ImportReport::default());
                assert_eq!(keys.iter().map(|line| line.key).collect::<Vec<_>>(), ["K-1"], "{edge:?} in {line:?}");
            }
        }
    }

    #[test]
    fn inside_a_key_nothing_is_invisible() {
        let mut report = ImportReport::default();
        let body = "A\u{200b}B\nA\u{ad}B\nA\0B\nA\u{feff}B\nA\rB\nA\u{2028}B\nA\u{fffd}B\nA\tB 密\u{3000}码\nA\u{2800}B\nA\u{fffa}B\nA❤\u{fe0f}B\n👩\u{200d}💻\n\u{e0041}A\n";
        let keys = read_lines(body.as_bytes(), reading(1, 64), &mut report);
        assert_eq!(keys.iter().map(|line| line.number).collect::<Vec<_>>(), [8, 13]);
        assert_eq!(report.unreadable_lines, [1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12]);
        assert_eq!(
            report.invisible_lines,
            [1, 2, 4, 9, 10, 11, 12],
            "an emoji's joiner and selector are not seen either"
        );
    }

    #[test]
    fn a_heading_is_no_key_unless_somebody_says_so() {
        let body = "\u{feff}卡密\nK-1\n Card No.\nK-2\ncode\n".as_bytes();
        let mut report = ImportReport::default();
        let keys = read_lines(body, reading(1, 64), &mut report);
        assert_eq!(keys.iter().map(|line| line.key).collect::<Vec<_>>(), ["K-1", "K-2"]);
        assert_eq!((report.headings, report.heading_lines), (3, vec![1, 3, 5]));
        let mut report = ImportReport::default();
        let keys = read_lines(body, Reading { as_lines: true, ..reading(1, 64) }, &mut report);
        assert_eq!((keys.len(), report.headings), (5, 0));
        assert_eq!(named_lines("卡密\n".as_bytes(), 64), [vec!["卡密"]], "to be taken out again");
    }

    #[test]
    fn a_line_is_known_as_it_stood_too() {
        let body = "\u{feff}A\nA\u{200b}\n \u{a0}A\nB\n\u{85}C\nD\u{200b}E\n";
        let keys = read_lines(body.as_bytes(), reading(1, 64), &mut ImportReport::default());
        let line = |number, key, stood: &[&'static str]| KeyLine { number, key, stood: stood.to_vec() };
        // A control character was refused by older versions as well.
        assert_eq!(keys, [line(1, "A", &["A\u{200b}", "\u{a0}A"]), line(4, "B", &[]), line(5, "C", &[])]);
        // What would be refused today may stand in a pool, to be taken out of it.
        assert_eq!(
            named_lines("D\u{200b}E\nA\u{a0}\nB\nB\n".as_bytes(), 64),
            [vec!["D\u{200b}E"], vec!["A", "A\u{a0}"], vec!["B"],]
        );
    }
}
