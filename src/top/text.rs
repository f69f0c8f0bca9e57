//! Text in cells: what strangers wrote cannot leave its cell, and wide characters line up.

use crate::domain::time::Zone;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::domain::Lang;
use crate::domain::text::{UNITS, printable, span};

/// Marks that may stand on one letter; of a heap of them the rest is dropped.
const MARKS: usize = 2;

/// Columns that a text takes.
#[must_use]
pub fn columns(text: &str) -> usize {
    text.width()
}

/// Foreign text in at most `most` columns: no control, escape or bidirectional characters, no heap of combining marks.
#[must_use]
pub fn clean(text: &str, most: usize) -> String {
    let mut shown = String::new();
    let (mut used, mut marks) = (0, 0);
    // Never more than a few kilobytes are looked at.
    for c in printable(text, most.saturating_mul(8).min(4096)).chars() {
        let c = if c == '\t' { ' ' } else { c };
        let width = c.width().unwrap_or(0);
        if width == 0 {
            marks += 1;
            if marks > MARKS || shown.is_empty() {
                continue;
            }
        } else {
            marks = 0;
        }
        if used + width > most {
            return cut(shown, most);
        }
        used += width;
        shown.push(c);
    }
    shown
}

/// The beginning of a text that goes on, with the sign for it.
fn cut(mut shown: String, most: usize) -> String {
    while columns(&shown) + 1 > most {
        if shown.pop().is_none() {
            return shown;
        }
    }
    shown.push('…');
    shown
}

/// A clean text in lines of at most `width` columns, broken at a blank where there is one.
#[must_use]
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let width = width.max(2);
    let (mut lines, mut line) = (Vec::new(), String::new());
    let mut used = 0;
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide > width {
            // What stands behind the last blank goes on in the next line.
            let rest = line.rfind(' ').map(|at| line.split_off(at)).unwrap_or_default();
            lines.push(std::mem::replace(&mut line, rest.trim_start().to_owned()));
            used = columns(&line);
            if c == ' ' && line.is_empty() {
                continue;
            }
        }
        used += wide;
        line.push(c);
    }
    lines.push(line);
    lines
}

/// A text in exactly `width` columns, to the left.
#[must_use]
pub fn left(text: &str, width: usize) -> String {
    let shown = clean(text, width);
    let pad = width.saturating_sub(columns(&shown));
    shown + &" ".repeat(pad)
}

/// A text in exactly `width` columns, to the right.
#[must_use]
pub fn right(text: &str, width: usize) -> String {
    let shown = clean(text, width);
    " ".repeat(width.saturating_sub(columns(&shown))) + &shown
}

/// A count in few columns: 950, 12.3k, 4.56M.
#[must_use]
pub fn count(n: u64) -> String {
    let scaled = |by: f64, unit: &str| {
        let value = n as f64 / by;
        if value >= 100.0 { format!("{value:.0}{unit}") } else { format!("{value:.1}{unit}") }
    };
    match n {
        0..10_000 => n.to_string(),
        10_000..1_000_000 => scaled(1e3, "k"),
        1_000_000..1_000_000_000 => scaled(1e6, "M"),
        _ => scaled(1e9, "G"),
    }
}

/// A rate a second.
#[must_use]
pub fn rate(n: f64) -> String {
    if n == 0.0 || n >= 100.0 { count(n.round() as u64) } else { format!("{n:.1}") }
}

/// Bytes.
#[must_use]
pub fn bytes(n: u64) -> String {
    match n {
        0..1_048_576 => format!("{} KiB", n / 1024),
        1_048_576..1_073_741_824 => format!("{} MiB", n / 1_048_576),
        _ => format!("{:.1} GiB", n as f64 / 1_073_741_824.0),
    }
}

/// Microseconds as milliseconds, in at most six columns.
#[must_use]
pub fn millis(us: f64) -> String {
    let ms = us / 1000.0;
    match ms {
        ms if ms < 10.0 => format!("{ms:.2}"),
        ms if ms < 100.0 => format!("{ms:.1}"),
        ms => format!("{ms:.0}"),
    }
}

/// A length of time in two units at most: 45s, 12m, 3h05, 4d.
#[must_use]
pub fn lasting(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{:02}", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d{:02}", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// How far two clocks are from each other, in the one unit that says most: 3 h, 2.5 s.
#[must_use]
pub fn apart(ms: u64, lang: Lang) -> String {
    match lang {
        Lang::En => span(ms, &UNITS),
        Lang::Zh => span(ms, &["毫秒", "秒", "分钟", "小时", "天"]),
    }
}

/// A time of day in a zone: 21:04:33; with the date where it is another day than `now`'s.
#[must_use]
pub fn clock(at: u64, now: u64, zone: &Zone) -> String {
    zone.text(at, if zone.is_same_day(at, now) { "%H:%M:%S" } else { "%m-%d %H:%M" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_stays_in_its_cell() {
        for hostile in [
            "\u{1b}[2J\u{1b}]0;title\u{7}name",
            &format!("a{}", "\u{301}".repeat(10_000)),
            "\u{202e}drawkcab",
            "\u{200f}\u{2066}x",
            "wide 宽宽宽宽宽宽宽宽宽宽宽宽",
            "e\u{301}\u{301}\u{301}\u{301}",
            "\u{301}alone",
        ] {
            for width in [0, 1, 2, 5, 12, 40] {
                let cell = left(hostile, width);
                assert_eq!(columns(&cell), width, "{hostile:?} in {width}");
                assert!(cell.len() <= width * 8 + 16, "{} bytes", cell.len());
                assert!(!cell.chars().any(|c| c.is_control() || (('\u{200b}'..='\u{206f}').contains(&c) && c != '…')));
            }
        }
        assert_eq!((clean("short", 5), clean("longer", 5)), ("short".to_owned(), "long…".to_owned()));
        assert_eq!((right("宽", 3), left("宽宽", 3)), (" 宽".to_owned(), "宽…".to_owned()));
    }

    #[test]
    fn a_text_is_broken_at_blanks_and_anywhere_where_there_is_none() {
        assert_eq!(wrapped("one two three", 8), ["one two", "three"]);
        assert_eq!(wrapped("onetwothree", 5), ["onetw", "othre", "e"]);
        assert_eq!(wrapped("宽宽 宽宽宽", 5), ["宽宽", "宽宽", "宽"]);
        assert_eq!(wrapped("", 5), [""]);
        for width in 0..9 {
            assert!(wrapped("a bc 宽宽def ghi j", width).iter().all(|line| columns(line) <= width.max(2)));
        }
    }

    #[test]
    fn figures_are_short() {
        assert_eq!([0, 9_999, 12_345, 4_560_000, 7_000_000_000].map(count), ["0", "9999", "12.3k", "4.6M", "7.0G"]);
        assert_eq!([45, 725, 11_100, 360_000].map(lasting), ["45s", "12m05", "3h05", "4d04"]);
        assert_eq!([250.0, 12_340.0, 812_000.0].map(millis), ["0.25", "12.3", "812"]);
        let apart = |lang| [0, 250, 2500, 90_000, 10_800_000, 172_800_000].map(|ms| apart(ms, lang));
        assert_eq!(apart(Lang::En), ["0 ms", "250 ms", "2.5 s", "1.5 min", "3 h", "2 d"]);
        assert_eq!(apart(Lang::Zh), ["0 毫秒", "250 毫秒", "2.5 秒", "1.5 分钟", "3 小时", "2 天"]);
    }
}
