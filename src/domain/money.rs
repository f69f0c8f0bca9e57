//! Money: an integer of minor units and its currency. Never a float.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A text that is not an amount: `^[0-9]{1,15}(\.[0-9]{1,8})?$`, exact to the minor unit, is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an exact amount: digits, at most one dot, nothing below the smallest coin")]
pub struct BadAmount;

/// A text that is not a currency: three capital letters are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a currency is three capital letters, such as CNY")]
pub struct BadCurrency;

/// An ISO 4217 code.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

impl Currency {
    /// Renminbi, what the Chinese gateways pay in.
    pub const CNY: Self = Self(*b"CNY");

    /// What ISO 4217 writes where there is none: money in something that we have no code of.
    pub const NONE: Self = Self(*b"XXX");

    /// A foreign code in either case; [`Currency::NONE`] where it is none of three letters.
    #[must_use]
    pub fn foreign(text: &str) -> Self {
        text.to_ascii_uppercase().parse().unwrap_or(Self::NONE)
    }

    /// Its three letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// How many decimals its amounts have (ISO 4217, and Bitcoin's).
    #[must_use]
    pub fn exponent(&self) -> u32 {
        match &self.0 {
            b"JPY" | b"KRW" | b"VND" | b"CLP" | b"XAF" | b"XOF" | b"PYG" | b"UGX" => 0,
            b"KWD" | b"BHD" | b"OMR" | b"JOD" | b"TND" | b"IQD" | b"LYD" => 3,
            b"BTC" => 8,
            _ => 2,
        }
    }
}

impl TryFrom<String> for Currency {
    type Error = BadCurrency;

    fn try_from(text: String) -> Result<Self, BadCurrency> {
        text.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.as_str().to_owned()
    }
}

impl std::str::FromStr for Currency {
    type Err = BadCurrency;

    fn from_str(text: &str) -> Result<Self, BadCurrency> {
        let code: [u8; 3] = text.as_bytes().try_into().map_err(|_| BadCurrency)?;
        if code.iter().all(u8::is_ascii_uppercase) { Ok(Self(code)) } else { Err(BadCurrency) }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An amount. `Display` is the decimal text without its currency: `28.88`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// Minor units (fen, cents); never negative.
    pub minor: i64,
    /// In what.
    pub currency: Currency,
}

impl Money {
    /// Reads a decimal text exactly.
    ///
    /// # Errors
    /// Signs, exponents, spaces, thousands separators, digits that are not ASCII, and a digit other than zero below
    /// the minor unit.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, BadAmount> {
        let (whole, fraction) = match text.split_once('.') {
            Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
            Some(_) => return Err(BadAmount),
            None => (text, ""),
        };
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if !(1..=15).contains(&whole.len()) || fraction.len() > 8 || !digits(whole) || !digits(fraction) {
            return Err(BadAmount);
        }
        let places = currency.exponent() as usize;
        let (kept, below) = fraction.split_at_checked(places).unwrap_or((fraction, ""));
        if below.bytes().any(|byte| byte != b'0') {
            return Err(BadAmount);
        }
        format!("{whole}{kept:0<places$}").parse().map(|minor| Self { minor, currency }).map_err(|_| BadAmount)
    }

    /// This amount `quantity` times, or `None` past the largest amount there is.
    #[must_use]
    pub fn times(self, quantity: u32) -> Option<Self> {
        let minor = self.minor.checked_mul(i64::from(quantity))?;
        Some(Self { minor, ..self })
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = self.currency.exponent();
        if places == 0 {
            return write!(f, "{}", self.minor);
        }
        let unit = 10i64.pow(places);
        let width = places as usize;
        write!(f, "{}.{:0width$}", self.minor / unit, self.minor % unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cny(text: &str) -> Option<i64> {
        Money::parse(text, Currency::CNY).ok().map(|m| m.minor)
    }

    #[test]
    fn exact_texts_are_read() {
        for (text, minor) in [("1", 100), ("0.1", 10), ("29.9", 2990), ("100.0000", 10000), ("007.50", 750)] {
            assert_eq!(cny(text), Some(minor), "{text}");
        }
        let yen = "JPY".parse().unwrap();
        assert_eq!(Money::parse("100.00", yen).unwrap().minor, 100);
        assert_eq!(Money::parse("100", yen).unwrap().to_string(), "100");
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "1e2",
            "+1",
            "-1",
            " 1",
            "1 ",
            "1.",
            ".5",
            "1,000",
            "0x1",
            "NaN",
            "２０",
            "1.001",
            "1.2.3",
            "1234567890123456",
            "1.000000000",
        ] {
            assert_eq!(cny(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_text_reads_back() {
        for minor in [0, 1, 99, 100, 12345, 99_999_999_999_999] {
            let money = Money { minor, currency: Currency::CNY };
            assert_eq!(Money::parse(&money.to_string(), Currency::CNY), Ok(money));
        }
    }
}
