//! The fields of a message: what of them is signed, how an answer writes them, what their codes stand for.

use std::collections::BTreeMap;

use crate::channel::kit::{canonical, sign};
use crate::domain::Currency;

/// The currency of a numeric code (ISO 4217), [`Currency::NONE`] of one that is not listed here: money in another one than ours
/// is held for a person, not lost. `None`: it is no such code.
pub(super) fn currency_of(code: &str) -> Option<Currency> {
    let known = [
        ("156", "CNY"),
        ("344", "HKD"),
        ("392", "JPY"),
        ("410", "KRW"),
        ("446", "MOP"),
        ("702", "SGD"),
        ("826", "GBP"),
        ("840", "USD"),
        ("901", "TWD"),
        ("978", "EUR"),
    ];
    if code.len() != 3 || !code.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(
        known
            .iter()
            .find(|(number, _)| *number == code)
            .and_then(|(_, name)| name.parse().ok())
            .unwrap_or(Currency::NONE),
    )
}

/// What is signed: the hex digest of the sorted text, empty fields and the signature left out.
pub(super) fn digest<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let text = canonical::join_text(pairs.filter(|(name, value)| *name != "signature" && !value.is_empty()));
    sign::sha256_hex(text.as_bytes())
}

/// An answer's fields: joined with `&` and not escaped; `{…}` and `[…]` hide what is inside.
pub(super) fn fields(text: &str) -> Option<BTreeMap<&str, &str>> {
    let (mut all, mut depth, mut start) = (BTreeMap::new(), 0i32, 0);
    let ends = text.bytes().enumerate().filter_map(|(at, b)| {
        match b {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        (b == b'&' && depth == 0).then_some(at)
    });
    let ends: Vec<usize> = ends.chain([text.len()]).collect();
    for end in ends {
        let (name, value) = text.get(start..end)?.split_once('=')?;
        if all.insert(name, value).is_some() {
            return None;
        }
        start = end + 1;
    }
    Some(all)
}
