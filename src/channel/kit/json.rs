//! JSON, read strictly: where two readers could disagree, it is refused.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::domain::Rejection;
use crate::domain::text::bare_json;

/// Marks a repeated name in an error.
const TWICE: &str = "a name came twice";

/// Values that any text may hold, and one more for so many bytes: a value takes 300 bytes while it is built, and a text of
/// nothing but small ones would take twenty times its size. Gateways' events have some hundred.
const VALUES: usize = 512;
const BYTES_A_VALUE: usize = 64;

/// Builds a value and refuses an object in which a name comes twice, at any depth; it counts down what it may build.
#[derive(Clone, Copy)]
struct Strict<'c>(&'c Cell<usize>);

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let left = self.0.get().checked_sub(1).ok_or_else(|| D::Error::custom("too many values"))?;
        self.0.set(left);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Value, E> {
        Number::from_f64(number).map(Value::Number).ok_or_else(|| E::custom("no number"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            let value = fields.next_value_seed(self)?;
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom(TWICE));
            }
        }
        Ok(Value::Object(object))
    }
}

/// The object that these bytes are, and nothing behind it.
///
/// # Errors
/// [`Rejection::NonUtf8`], [`Rejection::DuplicateParameter`] or [`Rejection::Malformed`].
pub fn object(bytes: &[u8]) -> Result<Map<String, Value>, Rejection> {
    let text = std::str::from_utf8(bare_json(bytes)).map_err(|_| Rejection::NonUtf8)?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let left = Cell::new(VALUES + bytes.len() / BYTES_A_VALUE);
    let value = Strict(&left).deserialize(&mut deserializer).map_err(|error| {
        if error.to_string().starts_with(TWICE) { Rejection::DuplicateParameter } else { Rejection::Malformed }
    })?;
    deserializer.end().map_err(|_| Rejection::Malformed)?;
    match value {
        Value::Object(object) => Ok(object),
        _ => Err(Rejection::Malformed),
    }
}

/// A text under that name, not empty.
///
/// # Errors
/// [`Rejection::MissingField`] where there is none, [`Rejection::Malformed`] where it is something else.
pub fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Result<&'a str, Rejection> {
    match object.get(name) {
        None | Some(Value::Null) => Err(Rejection::MissingField),
        Some(Value::String(text)) if text.is_empty() => Err(Rejection::MissingField),
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(Rejection::Malformed),
    }
}

/// A text, number or flag as text; `None` of anything else.
pub fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// An object under that name.
///
/// # Errors
/// As [`text`].
pub fn inner<'a>(object: &'a Map<String, Value>, name: &str) -> Result<&'a Map<String, Value>, Rejection> {
    match object.get(name) {
        None | Some(Value::Null) => Err(Rejection::MissingField),
        Some(Value::Object(inner)) => Ok(inner),
        Some(_) => Err(Rejection::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ambiguous_is_refused() {
        assert_eq!(object(br#"{"a":{"b":1,"b":1}}"#), Err(Rejection::DuplicateParameter));
        assert_eq!(object(br#"{"a":[{"b":1,"\u0062":1}]}"#), Err(Rejection::DuplicateParameter));
        for bad in [&br#"{"a":1} x"#[..], b"[]", b"{", b"", br#"{"a":1e400}"#, br#"{"a":NaN}"#] {
            assert_eq!(object(bad), Err(Rejection::Malformed), "{}", String::from_utf8_lossy(bad));
        }
        let many = |count: usize| object(format!("{{\"a\":[{}0]}}", "0,".repeat(count)).as_bytes());
        assert!(many(500).is_ok() && many(600) == Err(Rejection::Malformed));
        assert_eq!(object(b"{\"a\":\"\xff\"}"), Err(Rejection::NonUtf8));
        let read = object(br#"{"a":"x","n":1.50,"o":{"k":null}}"#).unwrap();
        assert_eq!(
            (text(&read, "a"), text(&read, "n"), text(&read, "z")),
            (Ok("x"), Err(Rejection::Malformed), Err(Rejection::MissingField))
        );
        assert_eq!(inner(&read, "o").map(|inner| text(inner, "k")), Ok(Err(Rejection::MissingField)));
    }
}
