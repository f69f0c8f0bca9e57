//! Flat JSON that is signed as text: every field with a value but the signature's own, as `name=value` sorted by name (see
//! [`canonical`]), with the secret behind it under MD5, or under HMAC-SHA256.
//!
//! Source: epusdt's `util/sign`, BEpusdt's `EpusdtSign`, TokenPay's `Wiki/docs.md`. What came is signed, known or not; a
//! number is signed as the text of its float64, whatever its digits in the JSON were.

use std::collections::BTreeMap;

use aws_lc_rs::hmac;
use serde_json::{Map, Value, value::RawValue};

use super::{callback, canonical, json, sign};
use crate::channel::contract::{Checkout, Request, Step, is_number, is_trade_no};
use crate::domain::text::bare_json;
use crate::domain::{Call, Callback, Money, Rejection};
use crate::settings::Secret;

/// How a text is signed.
pub enum Signer {
    /// MD5 of the text and the secret behind it.
    Md5(Secret),
    /// HMAC-SHA256 of the text.
    Hmac(Box<hmac::Key>),
}

/// How a number is written where it is signed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    /// The shortest digits, never an exponent.
    Plain,
    /// As Go's `%v`: an exponent from a million on and below a ten-thousandth.
    Exponent,
}

/// How a family of gateways signs.
pub struct Scheme {
    /// With what.
    pub signer: Signer,
    /// How numbers are written.
    pub numbers: Numbers,
    /// The field that holds the signature.
    pub signature: &'static str,
    /// Fields that mean something: none of them may appear inside another's value.
    pub fields: &'static [&'static str],
    /// The largest body.
    pub body_bytes: usize,
}

struct Field {
    name: String,
    value: String,
    /// The value as it is signed.
    signed: String,
}

/// The fields of one object.
pub struct Flat(Vec<Field>);

/// A number as Go's `%v` writes it.
fn exponent(number: f64) -> String {
    let text = format!("{number:e}");
    let Some((digits, power)) = text.split_once('e') else { return text };
    match power.parse::<i32>() {
        Ok(power) if !(-4..6).contains(&power) => {
            format!("{digits}e{}{:02}", if power < 0 { '-' } else { '+' }, power.abs())
        }
        _ => number.to_string(),
    }
}

impl Flat {
    fn read(body: &[u8], numbers: Numbers) -> Result<Self, Rejection> {
        let object = json::object(body)?;
        // Digits are read from the bytes: the JSON library's own reading of a long number can be one step off, and then
        // the text of it is another.
        let raw: BTreeMap<String, &RawValue> =
            serde_json::from_slice(bare_json(body)).map_err(|_| Rejection::Malformed)?;
        let mut fields = Vec::with_capacity(object.len());
        for (name, value) in object {
            let (value, signed) = match value {
                Value::Null => (String::new(), String::new()),
                Value::String(text) => (text.clone(), text),
                Value::Bool(flag) => (flag.to_string(), flag.to_string()),
                Value::Number(_) => {
                    let number = raw.get(&name).and_then(|raw| raw.get().parse::<f64>().ok());
                    let number = number.filter(|number| number.is_finite()).ok_or(Rejection::Malformed)?;
                    let plain = number.to_string();
                    let signed = if numbers == Numbers::Plain { plain.clone() } else { exponent(number) };
                    (plain, signed)
                }
                Value::Array(_) | Value::Object(_) => return Err(Rejection::Malformed),
            };
            fields.push(Field { name, value, signed });
        }
        Ok(Self(fields))
    }

    /// The value of a name: a number in plain digits.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|field| field.name == name).map(|field| field.value.as_str())
    }

    /// The value of a name that must be there and not empty.
    ///
    /// # Errors
    /// [`Rejection::MissingField`].
    pub fn need(&self, name: &str) -> Result<&str, Rejection> {
        self.get(name).filter(|value| !value.is_empty()).ok_or(Rejection::MissingField)
    }

    /// The status under that name, digits.
    ///
    /// # Errors
    /// [`Rejection::MissingField`]; [`Rejection::Malformed`] where it is no digits.
    pub fn status(&self, name: &str) -> Result<&str, Rejection> {
        self.need(name).and_then(|status| {
            if status.bytes().all(|b| b.is_ascii_digit()) { Ok(status) } else { Err(Rejection::Malformed) }
        })
    }

    fn signed(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|field| (field.name.as_str(), field.signed.as_str()))
    }
}

impl Scheme {
    fn text(&self, flat: &Flat) -> String {
        canonical::join_text(flat.signed().filter(|(name, value)| *name != self.signature && !value.is_empty()))
    }

    fn sign(&self, flat: &Flat) -> String {
        let text = self.text(flat);
        match &self.signer {
            Signer::Md5(secret) => sign::md5_hex(&[text.as_bytes(), secret.reveal().as_bytes()]),
            Signer::Hmac(key) => sign::hmac_hex(key, text.as_bytes()),
        }
    }

    /// The fields of a callback, if the gateway signed them.
    ///
    /// # Errors
    /// Why it is not believed.
    pub fn believed(&self, callback: &Callback<'_>) -> Result<Flat, Rejection> {
        callback::posted(callback, self.body_bytes)?;
        let flat = Flat::read(callback.body, self.numbers)?;
        let given = flat.need(self.signature).map_err(|_| Rejection::MissingSignature)?;
        if !sign::equal(given, &self.sign(&flat)) {
            return Err(Rejection::BadSignature);
        }
        canonical::unambiguous(flat.signed(), self.fields)?;
        Ok(flat)
    }

    /// The signature of these fields.
    pub fn signature(&self, fields: Map<String, Value>) -> String {
        let unsigned = Value::Object(fields).to_string();
        Flat::read(unsigned.as_bytes(), self.numbers).map(|flat| self.sign(&flat)).unwrap_or_default()
    }

    /// These fields with their signature, as a body.
    fn body(&self, mut fields: Map<String, Value>) -> Vec<u8> {
        let signature = self.signature(fields.clone());
        fields.insert(self.signature.to_owned(), signature.into());
        Value::Object(fields).to_string().into_bytes()
    }

    /// A request of ours.
    pub fn call(&self, url: String, fields: Map<String, Value>) -> Call {
        Call::post(url, "application/json", self.body(fields))
    }

    /// A callback of a gateway's.
    pub fn forge(&self, fields: Map<String, Value>) -> Request {
        Request { method: "POST", query: String::new(), headers: vec![json_type()], body: self.body(fields) }
    }

    /// The payment number that a callback names in that field.
    pub fn names(&self, callback: &Callback<'_>, field: &str) -> Option<String> {
        let flat = Flat::read(callback.body, self.numbers).ok()?;
        flat.get(field).filter(|number| is_number(number)).map(str::to_owned)
    }

    /// The text that was signed, without the secret.
    pub fn explain(&self, callback: &Callback<'_>) -> Option<String> {
        let text = self.text(&Flat::read(callback.body, self.numbers).ok()?);
        let behind = if matches!(self.signer, Signer::Md5(_)) { "{key}" } else { "" };
        Some(format!("{text}{behind}"))
    }

    /// Largest query and body.
    pub fn limits(&self) -> (usize, usize) {
        (callback::QUERY_BYTES, self.body_bytes)
    }
}

fn json_type() -> (String, String) {
    ("content-type".to_owned(), "application/json".to_owned())
}

/// An amount as the shortest JSON number.
pub fn number(amount: Money) -> Value {
    let text = amount.to_string();
    let whole = text.split_once('.').filter(|(_, fraction)| fraction.bytes().all(|b| b == b'0'));
    serde_json::from_str(whole.map_or(text.as_str(), |(whole, _)| whole)).unwrap_or_default()
}

/// Pairs as a JSON object.
pub fn object<const N: usize>(pairs: [(&str, Value); N]) -> Map<String, Value> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The address to pay to, out of an answer that must repeat our number and amount; the names are those of all three.
///
/// # Errors
/// What does not fit, in words.
pub fn address(
    data: &Map<String, Value>,
    [number, amount, address]: [&str; 3],
    checkout: &Checkout<'_>,
) -> Result<String, String> {
    let field = |name: &str| data.get(name).and_then(json::scalar).unwrap_or_default();
    if field(number) != checkout.number {
        return Err("its answer is about another order".to_owned());
    }
    if Money::parse(&field(amount), checkout.amount.currency) != Ok(checkout.amount) {
        return Err(format!("it opened the payment for {:?} instead of {}", field(amount), checkout.amount));
    }
    Some(field(address)).filter(|text| is_trade_no(text)).ok_or_else(|| format!("it tells no {address}"))
}

/// Sends the buyer to an address that a gateway gave.
///
/// # Errors
/// Where it is none.
pub fn redirect(url: &str) -> Result<Step, String> {
    if url.starts_with("https://") || url.starts_with("http://") {
        Ok(Step::Redirect { url: url.to_owned() })
    } else {
        Err("it tells no address of its pay page".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_written_as_go_writes_it() {
        let cases = [
            (0.0, "0"),
            (100.0, "100"),
            (28.88, "28.88"),
            (999_999.0, "999999"),
            (1_000_000.0, "1e+06"),
            (1_234_567.89, "1.23456789e+06"),
            (0.0001, "0.0001"),
            (0.000_012, "1.2e-05"),
            (1e100, "1e+100"),
        ];
        for (number, text) in cases {
            assert_eq!(exponent(number), text);
        }
    }

    #[test]
    fn a_number_is_its_float_and_not_its_digits() {
        let body = br#"{"a":100.00,"b":0.30000000000000004,"c":1E+3,"d":12345678901234567890,"e":1000000}"#;
        let read = |numbers| {
            let flat = Flat::read(body, numbers).unwrap();
            flat.signed().map(|(_, text)| text.to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(read(Numbers::Plain), ["100", "0.30000000000000004", "1000", "12345678901234567000", "1000000"]);
        assert_eq!(read(Numbers::Exponent), ["100", "0.30000000000000004", "1000", "1.2345678901234567e+19", "1e+06"]);
    }
}
