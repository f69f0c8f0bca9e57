//! What a text is written in, where that is not plain.

use std::collections::BTreeMap;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{GBK, UTF_8, WINDOWS_1252};

/// Text from which on nobody doubts: so many different hanzi of a file in GBK are UTF-8 by chance once in 10^12 files,
/// since 682 of the 3,755 everyday ones are.
const DOUBTED: usize = 16;

/// The encodings of two or four bytes a character, by their mark or by the zeros of their ASCII characters.
pub(super) fn wide(head: &[u8]) -> Option<&'static str> {
    for (mark, name) in [
        (&b"\xff\xfe\0\0"[..], "UTF-32LE"),
        (b"\0\0\xfe\xff", "UTF-32BE"),
        (b"\xff\xfe", "UTF-16LE"),
        (b"\xfe\xff", "UTF-16BE"),
    ] {
        if head.starts_with(mark) {
            return Some(name);
        }
    }
    let zeros = |first: usize| head.iter().skip(first).step_by(2).filter(|b| **b == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    // A line's end has one in whatever script: some zeros on one side, fewer on the other, and UTF-16 that can be read.
    let looks = |some: usize, others: usize| some * 50 > head.len() && others < some;
    let units = |of: fn([u8; 2]) -> u16| {
        let units = head.chunks_exact(2).take(2048).map(|pair| of([pair[0], pair[1]]));
        char::decode_utf16(units).all(|c| c.is_ok_and(|c| c != '\0' && (!c.is_control() || c.is_whitespace())))
    };
    match (even, odd) {
        _ if looks(odd, even) && units(u16::from_le_bytes) => Some("UTF-16LE"),
        _ if looks(even, odd) && units(u16::from_be_bytes) => Some("UTF-16BE"),
        _ => None,
    }
}

/// The encoding that a text which is no UTF-8 is most likely written in.
pub(super) fn guess(head: &[u8]) -> &'static str {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(head, true);
    // Sellers of keys are in China more often than not; a text that is no GBK is none for all that.
    let guessed = detector.guess(Some(b"cn"), Utf8Detection::Deny);
    let whole = head.iter().rposition(|b| *b == b'\n').map_or(head, |end| &head[..end]);
    if guessed == WINDOWS_1252 || guessed == UTF_8 {
        let mixed = whole.split(|b| *b == b'\n').any(|line| !line.is_ascii() && std::str::from_utf8(line).is_ok());
        return if mixed { "UTF-8 that is damaged, or mixed with another encoding" } else { "WINDOWS-1252" };
    }
    guessed.name()
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
