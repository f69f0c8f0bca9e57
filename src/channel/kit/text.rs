//! Texts as gateways write them.

use std::ops::RangeInclusive;

use crate::domain::Millis;
use crate::domain::time::Zone;

/// Whether a text is so many digits.
pub fn is_digits(text: &str, count: RangeInclusive<usize>) -> bool {
    count.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

/// A time as a text of China's clock, which its gateways write their times in.
pub fn beijing(at: Millis, form: &str) -> String {
    Zone::beijing().text(at, form)
}

/// Whether a text begins with a word, in whatever case.
pub fn begins(text: &str, word: &str) -> bool {
    text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}
