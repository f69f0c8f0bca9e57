//! What a text is written in, where that is not plain.

use std::collections::BTreeMap;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{BIG5, EUC_JP, EUC_KR, Encoding, GBK, SHIFT_JIS, UTF_8, WINDOWS_1252};

/// Text from which on nobody doubts: so many different hanzi of a file in GBK are UTF-8 by chance once in 10^12 files,
/// since 682 of the 3,755 everyday ones are.
const DOUBTED: usize = 16;

/// What a text is likely written in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Guess {
    /// In words.
    pub looks: String,
    /// What `iconv` calls it, where there is no doubt.
    pub iconv: Option<&'static str>,
}

impl Guess {
    fn sure(name: &'static str, iconv: &'static str) -> Self {
        Self { looks: name.to_owned(), iconv: Some(iconv) }
    }
}

/// Encodings of units of two or four bytes: name, mark, bytes of a unit, the last byte is the least.
const WIDE: [(&str, &[u8], usize, bool); 4] = [
    ("UTF-32LE", b"\xff\xfe\0\0", 4, false),
    ("UTF-32BE", b"\0\0\xfe\xff", 4, true),
    ("UTF-16LE", b"\xff\xfe", 2, false),
    ("UTF-16BE", b"\xfe\xff", 2, true),
];
/// Units that are looked at.
const UNITS: usize = 2048;

/// The characters of a beginning in an encoding of wide units; `None` for what is none.
fn widened(head: &[u8], bytes: usize, last_is_least: bool) -> Vec<Option<char>> {
    let number = |unit: &[u8]| {
        let fold = |n: u32, b: &u8| n << 8 | u32::from(*b);
        if last_is_least { unit.iter().fold(0, fold) } else { unit.iter().rev().fold(0, fold) }
    };
    let numbers = head.chunks_exact(bytes).take(UNITS).map(number);
    if bytes == 4 {
        return numbers.map(char::from_u32).collect();
    }
    let mut all: Vec<_> = char::decode_utf16(numbers.map(|n| n as u16)).map(Result::ok).collect();
    // Half of a pair, cut off.
    if all.len() > 1 && all.last() == Some(&None) {
        all.pop();
    }
    all
}

/// How much of it is characters that people write: of what scripts, in percent; 0 with any that no text has.
fn written(chars: &[Option<char>]) -> usize {
    let is_text = |c: &Option<char>| c.is_some_and(|c| c != '\0' && (!c.is_control() || c.is_whitespace()));
    if chars.is_empty() || !chars.iter().all(is_text) {
        return 0;
    }
    let usual = chars.iter().flatten().filter(|c| {
        matches!(**c, '\0'..='\u{24f}' | '\u{370}'..='\u{52f}' | '\u{2010}'..='\u{206f}' | '\u{2190}'..='\u{27bf}' | '\u{3000}'..='\u{30ff}'
            | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' | '\u{feff}' | '\u{ff00}'..='\u{ffef}' | '\u{1f000}'..='\u{1faff}' | '\u{20000}'..='\u{3134f}')
    });
    100 * usual.count() / chars.len()
}

/// The encodings of two or four bytes a character, by their mark, or by the zeros that a line's end has in whatever script
/// and what the text is when it is read so.
pub(super) fn wide(head: &[u8]) -> Option<Guess> {
    if let Some((name, ..)) = WIDE.iter().find(|(_, mark, ..)| head.starts_with(mark)) {
        return Some(Guess::sure(name, name));
    }
    if !head.iter().take(UNITS * 4).any(|b| *b == 0) {
        return None;
    }
    let read =
        |(name, _, bytes, order): &(&'static str, &[u8], usize, bool)| (written(&widened(head, *bytes, *order)), *name);
    let (share, name) = WIDE.iter().map(read).max_by_key(|(share, _)| *share)?;
    (share >= 90).then(|| Guess::sure(name, name))
}

/// An encoding of one or two bytes a character: what the detector calls it, its words, `iconv`'s name, and the first bytes of
/// its characters for every day.
struct Narrow {
    encoding: &'static Encoding,
    looks: &'static str,
    iconv: &'static str,
    everyday: fn(u8, u8) -> bool,
}

const NARROW: [Narrow; 5] = [
    Narrow {
        encoding: GBK,
        looks: "GBK (GB18030)",
        iconv: "GB18030",
        everyday: |a, b| matches!(a, 0xa1..=0xa3 | 0xb0..=0xd7) && b >= 0xa1,
    },
    Narrow {
        encoding: BIG5,
        looks: "Big5",
        iconv: "BIG5",
        everyday: |a, b| matches!(a, 0xa1..=0xc6) && !matches!(b, 0x7f..=0xa0),
    },
    Narrow {
        encoding: SHIFT_JIS,
        looks: "Shift-JIS",
        iconv: "CP932",
        everyday: |a, b| matches!(a, 0x81..=0x83 | 0x88..=0x97) && b >= 0x40,
    },
    Narrow {
        encoding: EUC_JP,
        looks: "EUC-JP",
        iconv: "EUC-JP",
        everyday: |a, b| matches!(a, 0xa1 | 0xa3..=0xa5 | 0xb0..=0xcf) && b >= 0xa1,
    },
    Narrow {
        encoding: EUC_KR,
        looks: "EUC-KR",
        iconv: "CP949",
        everyday: |a, b| matches!(a, 0xa1 | 0xb0..=0xc8) && b >= 0xa1,
    },
];

impl Narrow {
    /// How much of a text is its characters for every day, in percent; 0 where it is no text in it.
    fn share(&self, text: &[u8]) -> usize {
        if self.encoding.decode_without_bom_handling_and_without_replacement(text).is_none() {
            return 0;
        }
        let (mut all, mut usual, mut at) = (0, 0, 0);
        while let Some(a) = text.get(at) {
            at += 1;
            if a.is_ascii() {
                continue;
            }
            all += 1;
            // A katakana of half width is one byte.
            if self.encoding == SHIFT_JIS && matches!(a, 0xa1..=0xdf) {
                continue;
            }
            usual += usize::from(text.get(at).is_some_and(|b| (self.everyday)(*a, *b)));
            at += 1;
        }
        (100 * usual).checked_div(all).unwrap_or(0)
    }
}

const BARE_UTF16: &str = "UTF-16 without its mark";

/// Whether it reads as everyday hanzi alone in UTF-16, which has no zero then.
fn is_bare_utf16(head: &[u8]) -> bool {
    let hanzi = |c: &Option<char>| c.is_some_and(|c| matches!(c, '\u{4e00}'..='\u{9fff}') && everyday(c));
    head.len().is_multiple_of(2) && [false, true].into_iter().any(|order| widened(head, 2, order).iter().all(hanzi))
}

/// The encoding that a text which is no UTF-8 is most likely written in; several, where so little of it reads in each.
pub(super) fn guess(head: &[u8]) -> Guess {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(head, true);
    let whole = head.iter().rposition(|b| *b == b'\n').map_or(head, |end| &head[..end]);
    // Sellers of keys are in China more often than not: what only a hint at it says is said beside the rest.
    let hinted = detector.guess(Some(b"cn"), Utf8Detection::Deny);
    let plain = detector.guess(None, Utf8Detection::Deny);
    let of = |encoding: &'static Encoding| NARROW.iter().find(|narrow| narrow.encoding == encoding);
    let Some(first) = of(plain).or_else(|| of(hinted)) else {
        let lines = whole.split(|b| *b == b'\n').filter(|line| !line.is_ascii());
        if lines.clone().any(|line| std::str::from_utf8(line).is_ok()) {
            return Guess { looks: "UTF-8 that is damaged, or mixed with another encoding".to_owned(), iconv: None };
        }
        if is_bare_utf16(head) {
            return Guess { looks: format!("{BARE_UTF16}, or an encoding of one byte a character"), iconv: None };
        }
        let name = if plain == UTF_8 { WINDOWS_1252.name() } else { plain.name() };
        let looks = if name == "windows-1252" {
            "windows-1252 (Latin-1), or another encoding of one byte a character".to_owned()
        } else {
            format!("{name}, windows-1252 (Latin-1) or another encoding of one byte a character")
        };
        return Guess { looks, iconv: None };
    };
    let best = first.share(whole);
    let others = NARROW.iter().filter(|narrow| {
        narrow.encoding != first.encoding && (narrow.encoding == hinted || narrow.share(whole) + 5 >= best.max(60))
    });
    let mut names: Vec<&str> = std::iter::once(first).chain(others).map(|narrow| narrow.looks).collect();
    if of(plain).is_none() {
        names.push("windows-1252 (Latin-1)");
    }
    if is_bare_utf16(head) {
        names.push(BARE_UTF16);
    }
    if let [name] = names.as_slice() {
        return Guess::sure(name, first.iconv);
    }
    let last = names.pop().unwrap_or_default();
    Guess { looks: format!("{} or {last}: so little text could be each", names.join(", ")), iconv: None }
}

/// A character that people write every day, in any of the scripts of one encoding.
fn everyday(c: char) -> bool {
    match c {
        '\u{4e00}'..='\u{9fff}' => {
            let mut bytes = [0u8; 4];
            let (gbk, _, _) = GBK.encode(c.encode_utf8(&mut bytes));
            matches!(*gbk, [0xb0..=0xd7, 0xa1..=0xfe])
        }
        // Punctuation, kana, hangul, full width, and what is outside the first plane: emoji.
        '\u{2010}'..='\u{27ff}' | '\u{3000}'..='\u{30ff}' | '\u{ac00}'..='\u{d7a3}' | '\u{ff00}'..='\u{ffef}' => true,
        _ => c >= '\u{10000}',
    }
}

/// A text's two readings, as long as there can be a doubt.
#[derive(Default)]
pub(super) struct Readings {
    /// Hanzi that the bytes are in GBK, with the line of the first; and characters that they are in UTF-8.
    gbk: BTreeMap<[u8; 2], u64>,
    utf8: BTreeMap<char, ()>,
    /// It is no GBK, or too much text for chance.
    certain: bool,
}

impl Readings {
    /// Looks at a line that is UTF-8, without its edges.
    pub fn meet(&mut self, line: &str, number: u64) {
        if self.certain {
            return;
        }
        for run in line.as_bytes().split(u8::is_ascii).filter(|run| !run.is_empty()) {
            // What people write in GBK is nearly all of GB 2312, where both bytes are from A1: the rest is rare hanzi, which
            // UTF-8 looks like when it is read so.
            let (pairs, odd) = run.as_chunks::<2>();
            if !odd.is_empty() || pairs.iter().any(|pair| pair[0] < 0xa1 || pair[0] > 0xf7 || pair[1] < 0xa1) {
                self.certain = true;
                return;
            }
            for pair in pairs {
                let _first = self.gbk.entry(*pair).or_insert(number);
            }
        }
        self.utf8.extend(line.chars().filter(|c| !c.is_ascii()).map(|c| (c, ())));
        self.certain = self.gbk.len() > DOUBTED;
    }

    /// The first line that reads as well or better in GBK, where the whole does.
    pub fn fits_two(&self) -> Option<u64> {
        if self.certain || self.gbk.is_empty() {
            return None;
        }
        let hanzi: Vec<u8> = self.gbk.keys().flatten().copied().collect();
        let (gbk, _, failed) = GBK.decode(&hanzi);
        let common = |of: &mut dyn Iterator<Item = char>| of.filter(|c| everyday(*c)).count();
        let (in_gbk, in_utf8) = (common(&mut gbk.chars()), common(&mut self.utf8.keys().copied()));
        // Shares, crosswise: the readings have different numbers of characters.
        let better = in_gbk * self.utf8.len() > in_utf8 * self.gbk.len();
        (!failed && better).then(|| self.gbk.values().min().copied().unwrap_or(1))
    }
}
