//! Foreign text, made safe to show, and without what nobody sees at its edges; text made safe for a query.

use icu_properties::CodePointSetData;
use icu_properties::props::DefaultIgnorableCodePoint;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What PHP's `urlencode` leaves as it is; a space becomes `+` afterwards.
const KEEP: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b' ');

/// `text` without control, escape and bidirectional characters, cut to `most` characters: what a terminal or a log
/// may be given of what a buyer or a gateway sent.
#[must_use]
pub fn printable(text: &str, most: usize) -> String {
    let mut shown: String = text.chars().map(|c| if is_hostile(c) { '\u{fffd}' } else { c }).take(most).collect();
    if text.chars().nth(most).is_some() {
        shown.push('…');
    }
    shown
}

/// Each character as one that every terminal shows, in as many columns but for wide ones, which lose one: frames, bars and
/// signs as what is nearest to them, all else as `?`.
#[must_use]
pub const fn ascii(c: char) -> char {
    match c {
        '\0'..='\u{7f}' => c,
        '│' | '┃' | '▏' | '▎' | '║' | '‖' => '|',
        '─' | '━' | '–' | '—' | '▁' => '-',
        '┌' | '┐' | '└' | '┘' | '├' | '┤' | '┬' | '┴' | '┼' | '┆' | '╌' | '═' | '╞' | '╪' | '╡' => {
            '+'
        }
        '█' | '▇' | '▉' | '■' | '▊' => '#',
        '▓' | '▆' | '▋' => '%',
        '▒' | '▅' | '▌' | '▄' => '=',
        '▃' | '▍' => ':',
        '░' | '▂' | '·' | '…' | '⋯' => '.',
        '→' | '›' | '»' => '>',
        '←' | '‹' | '«' => '<',
        '↑' => '^',
        '↓' => 'v',
        '✗' | '×' => 'x',
        '✓' => '*',
        '≤' => '<',
        '≥' => '>',
        'µ' => 'u',
        '\u{a0}' | '\u{2800}' => ' ',
        '\u{2801}'..='\u{28ff}' => '*',
        '‘' | '’' => '\'',
        '“' | '”' => '"',
        _ => '?',
    }
}

fn is_hostile(c: char) -> bool {
    (c.is_control() && c != '\t')
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// Milliseconds, seconds, minutes, hours and days, as they are written behind a number.
pub const UNITS: [&str; 5] = ["ms", "s", "min", "h", "d"];

/// A length of time in the one of these units that says most, to a tenth: `3 h`, `2.5 s`.
#[must_use]
pub fn span(ms: u64, units: &[&str; 5]) -> String {
    let (long, unit) = match ms {
        0..1000 => (1, units[0]),
        1000..60_000 => (1000, units[1]),
        60_000..3_600_000 => (60_000, units[2]),
        3_600_000..86_400_000 => (3_600_000, units[3]),
        _ => (86_400_000, units[4]),
    };
    let tenths = (ms.saturating_mul(10).saturating_add(long / 2)) / long;
    match tenths % 10 {
        0 => format!("{} {unit}", tenths / 10),
        tenth => format!("{}.{tenth} {unit}", tenths / 10),
    }
}

/// The ends of a text and dots between: enough to recognise, too little to use.
#[must_use]
pub fn masked(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    match letters.len() {
        0 => String::new(),
        1..=4 => "…".to_owned(),
        n => format!(
            "{}…{}",
            printable(&letters[..2].iter().collect::<String>(), 2),
            printable(&letters[n - 2..].iter().collect::<String>(), 2)
        ),
    }
}

/// A kind of what is not seen: its source, and whether a character is one.
type Unseen = (&'static str, fn(char) -> bool);

/// What is not seen beside white space and control characters, with its source.
const UNSEEN: [Unseen; 5] = [
    (
        "Default_Ignorable_Code_Point (Unicode, DerivedCoreProperties.txt): byte-order marks, zero-width characters, soft \
         hyphens, Hangul fillers, Khmer inherent vowels, Mongolian and other variation selectors, tags",
        |c| CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c),
    ),
    ("BRAILLE PATTERN BLANK (Unicode code charts, U+2800): a pattern without dots", |c| c == '\u{2800}'),
    ("interlinear annotation characters (Unicode Standard, 23.8 Specials)", |c| matches!(c, '\u{fff9}'..='\u{fffb}')),
    (
        "fillers and format controls of scripts (Unicode Standard: Khitan filler, null notehead, hieroglyphs' joiners)",
        |c| matches!(c, '\u{16fe4}' | '\u{1d159}' | '\u{13430}'..='\u{1343f}'),
    ),
    ("Noncharacter_Code_Point (Unicode, PropList.txt): for no text at all", |c| {
        matches!(c, '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xfffe == 0xfffe
    }),
];

/// Whether a character is not seen, by one table for keys, secrets and contacts.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    !c.is_ascii() && UNSEEN.iter().any(|(_, is)| is(c))
}

/// Whether a character is not seen, or is a blank that no keyboard writes (a no-break one, a full-width one, a line's end):
/// what is copied holds it, and no address, number or key does.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    c != ' ' && (c.is_whitespace() || c.is_control() || is_invisible(c))
}

/// JSON without the byte-order marks and blanks before it, which some servers put there: one of their files has them. It is
/// forbidden to send them and allowed to leave them out.
#[must_use]
pub fn bare_json(mut bytes: &[u8]) -> &[u8] {
    loop {
        bytes = match bytes.trim_ascii_start().strip_prefix(b"\xef\xbb\xbf") {
            Some(rest) => rest,
            None => return bytes.trim_ascii_start(),
        };
    }
}

/// `text` without what editors, consoles and mails leave at the edges of what is copied from them: white space, line ends,
/// byte-order marks and other characters that are not seen.
#[must_use]
pub fn bare(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || is_invisible(c))
}

/// Names and values as a query, the way PHP's `http_build_query` writes it: the one encoder there is.
#[must_use]
pub fn encode<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let part = |text: &str| utf8_percent_encode(text, KEEP).to_string().replace(' ', "+");
    pairs.into_iter().map(|(name, value)| format!("{}={}", part(name), part(value))).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_turn_or_hide_what_stands_beside_it_is_not_printed() {
        for c in ['\u{1b}', '\u{7f}', '\u{9b}', '\u{ad}', '\u{61c}', '\u{180e}', '\u{202e}', '\u{2066}', '\u{e0041}'] {
            assert_eq!(printable(&format!("a{c}b"), 9), "a\u{fffd}b", "{c:?}");
        }
        assert_eq!(printable("a\tb 中文", 9), "a\tb 中文");
    }

    #[test]
    fn what_is_not_seen_is_no_part_of_a_text() {
        let around = ["\u{feff}", " ", "\u{a0}", "\u{200b}", "\r\n", "\u{3000}", "\u{2060}\u{feff}\n", "\u{ad}"];
        for edge in around {
            assert_eq!(bare(&format!("{edge}a b{edge}")), "a b", "{edge:?}");
            assert_eq!(bare(edge), "");
        }
        assert_eq!(bare("a\u{200b}b"), "a\u{200b}b", "inside, it is not ours to take");
    }

    #[test]
    fn every_kind_of_the_unseen_is_unseen_and_what_is_seen_is_not() {
        let unseen = "\u{2800}\u{fff9}\u{fffa}\u{fffb}\u{3164}\u{115f}\u{1160}\u{17b4}\u{17b5}\u{180e}\u{e0000}\u{e0041}\u{e007f}\
                      \u{fe00}\u{fe0f}\u{e0100}\u{200d}\u{ad}\u{feff}\u{16fe4}\u{1d159}\u{13430}\u{fdd0}\u{fffe}\u{10ffff}";
        for c in unseen.chars() {
            assert!(is_invisible(c), "U+{:04X}", u32::from(c));
            assert_eq!(bare(&format!("{c}K{c}")), "K");
        }
        for c in "aé密カ한😀\u{2801}\u{fffc}\u{e000}\u{301}".chars() {
            assert!(!is_invisible(c), "U+{:04X}", u32::from(c));
        }
    }

    #[test]
    fn a_length_of_time_is_told_in_the_unit_that_says_most() {
        let times = [
            (0, "0 ms"),
            (999, "999 ms"),
            (2500, "2.5 s"),
            (90_000, "1.5 min"),
            (10_799_200, "3 h"),
            (10_800_003, "3 h"),
            (187_200_000, "2.2 d"),
        ];
        for (ms, said) in times {
            assert_eq!(span(ms, &UNITS), said, "{ms}");
        }
    }

    #[test]
    fn escapes_do_not_reach_a_terminal() {
        assert_eq!(printable("a\u{1b}[31mb\u{202e}c\n", 20), "a\u{fffd}[31mb\u{fffd}c\u{fffd}");
        assert_eq!(printable("长名字", 2), "长名…");
        assert_eq!(masked("buyer@example.test"), "bu…st");
        assert_eq!(masked("abc"), "…");
    }
}
