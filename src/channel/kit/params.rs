//! `application/x-www-form-urlencoded`, read strictly: where two readers could disagree, it is refused.

use std::borrow::Cow;

use crate::channel::contract::is_number;
pub use crate::domain::text::encode;
use crate::domain::{Callback, Rejection};

/// Most parameters in one request.
const MOST: usize = 100;

/// Names and values as bytes, in the order they came; no name is there twice. For text that need not be UTF-8.
#[derive(Debug, Clone, Default)]
pub struct RawParams<'a>(Vec<(Bytes<'a>, Bytes<'a>)>);

/// Borrowed where nothing was escaped.
type Bytes<'a> = Cow<'a, [u8]>;

impl<'a> RawParams<'a> {
    /// Adds those of a form.
    ///
    /// # Errors
    /// A repeated name, an invalid escape, a name with a bracket, a NUL, too many parameters.
    pub fn read(&mut self, text: &'a [u8]) -> Result<(), Rejection> {
        self.take(form(text).split(|b| *b == b'&'))
    }

    /// Adds those of a query, whose separators may be broken: a gateway that escapes its links as HTML writes `&amp;`, and
    /// one that follows HTML 4 writes `;`. Both are mended only where they can be nothing else: no name that was encoded
    /// begins with `amp;`, and `;` separates only where no `&` does.
    ///
    /// # Errors
    /// As [`RawParams::read`].
    fn read_query(&mut self, text: &'a [u8]) -> Result<(), Rejection> {
        if !text.contains(&b'&') {
            return self.take(text.split(|b| *b == b';'));
        }
        let pairs = text.split(|b| *b == b'&').enumerate();
        self.take(pairs.map(|(at, pair)| if at == 0 { pair } else { pair.strip_prefix(b"amp;").unwrap_or(pair) }))
    }

    fn take(&mut self, pairs: impl Iterator<Item = &'a [u8]>) -> Result<(), Rejection> {
        for pair in pairs.filter(|pair| !pair.is_empty()) {
            let (name, value) = match pair.iter().position(|b| *b == b'=') {
                Some(at) => (&pair[..at], &pair[at + 1..]),
                None => (pair, &b""[..]),
            };
            let (name, value) = (decode(name)?, decode(value)?);
            if name.is_empty() || name.iter().any(|b| matches!(b, b'[' | b']')) || self.0.len() >= MOST {
                return Err(Rejection::Malformed);
            }
            if self.0.iter().any(|(known, _)| *known == name) {
                return Err(Rejection::DuplicateParameter);
            }
            self.0.push((name, value));
        }
        Ok(())
    }

    /// The bytes of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(known, _)| **known == *name.as_bytes()).map(|(_, value)| value.as_ref())
    }

    /// Names and values, in the order they came.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    /// All as text, read by `decode`.
    ///
    /// # Errors
    /// [`Rejection::NonUtf8`] where it cannot.
    pub fn text(&self, decode: impl Fn(&[u8]) -> Option<String>) -> Result<Params<'static>, Rejection> {
        let one = |bytes: &[u8]| decode(bytes).map(Cow::Owned).ok_or(Rejection::NonUtf8);
        let pairs = self.0.iter().map(|(name, value)| Ok((one(name)?, one(value)?)));
        Ok(Params(pairs.collect::<Result<_, _>>()?))
    }
}

/// Decoded names and values in the order they came; no name is there twice.
#[derive(Debug, Clone, Default)]
pub struct Params<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Params<'a> {
    /// The parameters of a request: its query and, for a POST, its form.
    ///
    /// # Errors
    /// As [`RawParams::read`]; text that is not UTF-8.
    pub fn of(callback: &Callback<'a>) -> Result<Self, Rejection> {
        let mut raw = RawParams::default();
        raw.read_query(callback.query.as_bytes())?;
        match callback.method {
            "GET" => {}
            "POST" => raw.read(callback.body)?,
            _ => return Err(Rejection::MethodNotAllowed),
        }
        let one = |bytes: Cow<'a, [u8]>| match bytes {
            Cow::Borrowed(bytes) => std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| Rejection::NonUtf8),
            Cow::Owned(bytes) => String::from_utf8(bytes).map(Cow::Owned).map_err(|_| Rejection::NonUtf8),
        };
        let pairs = raw.0.into_iter().map(|(name, value)| Ok((one(name)?, one(value)?)));
        Ok(Self(pairs.collect::<Result<_, _>>()?))
    }

    /// The value of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_ref())
    }

    /// The value of a name that must be there and not empty.
    ///
    /// # Errors
    /// [`Rejection::MissingField`].
    pub fn need(&self, name: &str) -> Result<&str, Rejection> {
        self.get(name).filter(|value| !value.is_empty()).ok_or(Rejection::MissingField)
    }

    /// Names and values, in the order they came.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }
}

/// The payment number that a request names in that field, believed by nobody.
pub fn names(callback: &Callback<'_>, field: &str) -> Option<String> {
    Params::of(callback).ok()?.get(field).filter(|number| is_number(number)).map(str::to_owned)
}

/// A form without the line ends behind it that some senders count in. Encoded, a value has none; and what is signed is
/// checked without them, so that they change nothing that could be meant.
fn form(body: &[u8]) -> &[u8] {
    let end = body.iter().rposition(|b| !matches!(b, b'\r' | b'\n')).map_or(0, |last| last + 1);
    &body[..end]
}

/// One name or value: `+` is a space, `%XX` a byte.
fn decode(bytes: &[u8]) -> Result<Cow<'_, [u8]>, Rejection> {
    if bytes.iter().all(|b| !matches!(b, b'+' | b'%' | 0)) {
        return Ok(Cow::Borrowed(bytes));
    }
    for (at, _) in bytes.iter().enumerate().filter(|(_, b)| **b == b'%') {
        let hex = |offset: usize| bytes.get(at + offset).is_some_and(u8::is_ascii_hexdigit);
        if !hex(1) || !hex(2) {
            return Err(Rejection::Malformed);
        }
    }
    let spaced: Vec<u8> = bytes.iter().map(|b| if *b == b'+' { b' ' } else { *b }).collect();
    let decoded: Vec<u8> = percent_encoding::percent_decode(&spaced).collect();
    if decoded.contains(&0) {
        return Err(Rejection::Malformed);
    }
    Ok(Cow::Owned(decoded))
}

/// The content type of a form.
pub const FORM: &str = "application/x-www-form-urlencoded";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Vec<(String, String)>, Rejection> {
        let callback = Callback { method: "GET", path: "/", query, headers: &[], body: b"" };
        Ok(Params::of(&callback)?.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect())
    }

    #[test]
    fn what_is_written_reads_back() {
        let pairs = [("name", "会员 月卡+赠品"), ("a", "x&y=z%~*")];
        let query = encode(pairs);
        assert_eq!(query, "name=%E4%BC%9A%E5%91%98+%E6%9C%88%E5%8D%A1%2B%E8%B5%A0%E5%93%81&a=x%26y%3Dz%25%7E%2A");
        assert_eq!(read(&query).unwrap(), pairs.map(|(k, v)| (k.to_owned(), v.to_owned())));
    }

    #[test]
    fn the_ambiguous_is_refused() {
        for (query, reason) in [
            ("a=1&a=2", Rejection::DuplicateParameter),
            ("a=1&%61=2", Rejection::DuplicateParameter),
            ("a[]=1", Rejection::Malformed),
            ("a=%4", Rejection::Malformed),
            ("a=%zz", Rejection::Malformed),
            ("a=%00", Rejection::Malformed),
            ("a=%ff", Rejection::NonUtf8),
            ("=1", Rejection::Malformed),
        ] {
            assert_eq!(read(query), Err(reason), "{query}");
        }
        assert!(read(&"a=1&".repeat(2)).is_err());
    }

    #[test]
    fn line_ends_behind_a_form_are_no_part_of_it() {
        for end in ["\r\n", "\n", "\r\n\r\n", "\n\n\r"] {
            let body = format!("a=1&b=x%0A{end}");
            let callback = Callback { method: "POST", path: "/", query: "", headers: &[], body: body.as_bytes() };
            let params = Params::of(&callback).unwrap();
            assert_eq!((params.get("a"), params.get("b")), (Some("1"), Some("x\n")), "{end:?}: encoded ones are");
        }
        let inside = Callback { method: "POST", path: "/", query: "", headers: &[], body: b"a=1\r\n&b=2" };
        assert_eq!(Params::of(&inside).unwrap().get("a"), Some("1\r\n"), "only at the end");
        let query = Callback { method: "GET", path: "/", query: "a=1\n", headers: &[], body: b"" };
        assert_eq!(Params::of(&query).unwrap().get("a"), Some("1\n"), "only of a form");
    }

    #[test]
    fn broken_separators_are_mended_where_they_can_be_nothing_else() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let both = [pair("a", "1"), pair("b", "2")];
        for query in ["a=1&b=2", "a=1&amp;b=2", "a=1;b=2", "a=1&&b=2", "a=1&amp;&b=2"] {
            assert_eq!(read(query).unwrap(), both, "{query}");
        }
        assert_eq!(read("a=1;b=2&c=3").unwrap(), [pair("a", "1;b=2"), pair("c", "3")]);
        assert_eq!(read("a=1&amp%3Bb=2").unwrap(), [pair("a", "1"), pair("amp;b", "2")]);
        assert_eq!(read("a=x%26amp%3Bb%3D2").unwrap(), [pair("a", "x&amp;b=2")]);
        // Mended, a name can come twice.
        assert_eq!(read("a=1&amp;a=2"), Err(Rejection::DuplicateParameter));
        assert_eq!(read("a=1;a=2"), Err(Rejection::DuplicateParameter));
        let body = Callback { method: "POST", path: "/", query: "", headers: &[], body: b"a=1;b=2" };
        assert_eq!(Params::of(&body).unwrap().get("a"), Some("1;b=2"), "only links are written so");
    }
}
