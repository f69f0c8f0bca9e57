//! The text that most gateways sign: `name=value` pairs, sorted by name and joined with `&`, nothing escaped.
//!
//! Without escaping, one long value can be two fields to another reader and still fit the signature. So every family that
//! signs such a text refuses values that hold `&<a field's name>=`.

use crate::domain::Rejection;

/// Names and values, sorted by the bytes of their names and joined; the caller leaves out what is not signed.
pub fn join<'a>(pairs: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Vec<u8> {
    let mut pairs: Vec<_> = pairs.collect();
    pairs.sort_unstable_by_key(|(name, _)| *name);
    let mut text = Vec::with_capacity(pairs.iter().map(|(name, value)| name.len() + value.len() + 2).sum());
    for (name, value) in pairs {
        if !text.is_empty() {
            text.push(b'&');
        }
        text.extend_from_slice(name);
        text.push(b'=');
        text.extend_from_slice(value);
    }
    text
}

/// The same of texts, as a text.
pub fn join_text<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let bytes = join(pairs.map(|(name, value)| (name.as_bytes(), value.as_bytes())));
    String::from_utf8(bytes).unwrap_or_default()
}

/// Refuses pairs whose signed text could be read as other pairs: a name with `&` or `=`, a value that holds one of these
/// `fields` behind an `&`.
///
/// # Errors
/// [`Rejection::Malformed`].
pub fn unambiguous<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>, fields: &[&str]) -> Result<(), Rejection> {
    let hides = |value: &str| {
        value.match_indices('&').any(|(at, _)| {
            let rest = value.get(at + 1..).unwrap_or_default();
            fields.iter().any(|field| rest.strip_prefix(field).is_some_and(|rest| rest.starts_with('=')))
        })
    };
    let wrong = |(name, value): (&str, &str)| name.contains(['&', '=']) || hides(value);
    for pair in pairs {
        if wrong(pair) {
            return Err(Rejection::Malformed);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_by_themselves_and_not_with_their_values() {
        // Sorted as whole pairs, "a=…" would come behind "a-b=…".
        let pairs = [("b", "1"), ("a-b", "2"), ("a", "3")];
        assert_eq!(join_text(pairs.into_iter()), "a=3&a-b=2&b=1");
    }

    #[test]
    fn a_value_that_could_be_a_field_is_refused() {
        let fields = ["money", "pid"];
        assert!(unambiguous([("name", "a&b=c"), ("x", "money=1")].into_iter(), &fields).is_ok());
        for pair in [("name", "x&money=1"), ("name", "&pid="), ("a&b", "1"), ("a=b", "1")] {
            assert_eq!(unambiguous([pair].into_iter(), &fields), Err(Rejection::Malformed), "{pair:?}");
        }
    }
}
