//! `application/x-www-form-urlencoded`, read strictly: where two readers could disagree, it is refused.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::domain::{Callback, Rejection};

/// Most parameters in one request.
const MOST: usize = 100;
/// What PHP's `urlencode` leaves as it is; a space becomes `+` afterwards.
const KEEP: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b' ');

/// Decoded names and values in the order they came; no name is there twice.
#[derive(Debug, Clone, Default)]
pub struct Params<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Params<'a> {
    /// The parameters of a request: its query and, for a POST, its form.
    ///
    /// # Errors
    /// A repeated name, an invalid escape, a name with a bracket, a NUL, text that is not UTF-8, too many parameters.
    pub fn of(callback: &Callback<'a>) -> Result<Self, Rejection> {
        let mut params = Self::default();
        params.read(callback.query)?;
        match callback.method {
            "GET" => Ok(params),
            "POST" => {
                let form = std::str::from_utf8(callback.body).map_err(|_| Rejection::NonUtf8)?;
                params.read(form)?;
                Ok(params)
            }
            _ => Err(Rejection::MethodNotAllowed),
        }
    }

    fn read(&mut self, text: &'a str) -> Result<(), Rejection> {
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            if name.is_empty() || name.contains(['[', ']']) || self.0.len() >= MOST {
                return Err(Rejection::Malformed);
            }
            if self.get(&name).is_some() {
                return Err(Rejection::DuplicateParameter);
            }
            self.0.push((name, value));
        }
        Ok(())
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

/// One name or value: `+` is a space, `%XX` a byte.
fn decode(text: &str) -> Result<Cow<'_, str>, Rejection> {
    if text.bytes().all(|b| b != b'+' && b != b'%' && b != 0) {
        return Ok(Cow::Borrowed(text));
    }
    let bytes = text.as_bytes();
    for (at, _) in text.match_indices('%') {
        let hex = |offset: usize| bytes.get(at + offset).is_some_and(u8::is_ascii_hexdigit);
        if !hex(1) || !hex(2) {
            return Err(Rejection::Malformed);
        }
    }
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8().map_err(|_| Rejection::NonUtf8)?;
    if decoded.contains('\0') {
        return Err(Rejection::Malformed);
    }
    Ok(Cow::Owned(decoded.into_owned()))
}

/// Names and values as a query, the way PHP's `http_build_query` writes it.
pub fn encode<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let part = |text: &str| utf8_percent_encode(text, KEEP).to_string().replace(' ', "+");
    pairs.into_iter().map(|(name, value)| format!("{}={}", part(name), part(value))).collect::<Vec<_>>().join("&")
}

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
        assert_eq!(read("a=1;b=2").unwrap(), [("a".to_owned(), "1;b=2".to_owned())]);
    }
}
