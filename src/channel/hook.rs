//! What the kinds have in common whose gateway posts JSON and signs its bytes in a header: the settings they share, the
//! first look at a callback, and the answers of an API that speaks JSON.

use serde_json::{Map, Value};

use super::{Verdict, is_number, is_trade_no, json};
use crate::domain::{Call, Callback, Currency, Millis, Money, Payment, Rejection, Reply, Response};
use crate::settings::{Problem, Secret, Section};

/// The largest query read before it is refused: none of these gateways adds one.
pub const QUERY_BYTES: usize = 256;

/// Headers of a call, in their own words.
pub type Headers<'a> = &'a [(&'a str, &'a str)];

/// The address of an API, without a slash at its end.
pub fn api(s: &Section, key: &str, default: Option<&str>, what: &str, problems: &mut Vec<Problem>) -> Option<String> {
    let url = s.text(key, problems).or_else(|| default.map(str::to_owned));
    match &url {
        None => s.require(key, what, problems),
        Some(url) if !(url.starts_with("https://") || url.starts_with("http://")) || url.contains(['?', '#', ' ']) => {
            s.reject(key, "must be http(s)://host/ without a query", problems);
        }
        Some(url) if url.starts_with("http://") && !url.contains("//127.0.0.1") && !url.contains("//localhost") => {
            s.warn(key, "is not https: the API key sent there can be read on the way", problems);
        }
        Some(_) => {}
    }
    url.map(|url| url.trim_end_matches('/').to_owned())
}

/// A secret that must be there.
pub fn secret(s: &Section, key: &str, what: &str, problems: &mut Vec<Problem>) -> Option<Secret> {
    let secret = s.secret(key, problems);
    if secret.is_none() {
        s.require(key, &format!("{key}_file names a file with {what} (or {key}_env)"), problems);
    }
    // A line's end or a blank inside is a copying slip, and no header can carry it.
    if secret.as_ref().is_some_and(|secret| secret.reveal().bytes().any(|b| b.is_ascii_control())) {
        s.reject(key, "holds a line's end or another control character: it is one line", problems);
        return None;
    }
    secret
}

/// The largest body read.
pub fn body_bytes(s: &Section, default: usize, problems: &mut Vec<Problem>) -> usize {
    s.whole("max_body_bytes", 1024..=1_048_576, problems).map_or(default, |bytes: u32| bytes as usize)
}

/// Refuses what is no POST, has a query or is too long, before anything of it is read.
pub fn posted(callback: &Callback<'_>, most: usize) -> Result<(), Rejection> {
    if callback.body.len() > most || callback.query.len() > QUERY_BYTES {
        return Err(Rejection::TooLarge);
    }
    if callback.method != "POST" || !callback.query.is_empty() {
        return Err(Rejection::MethodNotAllowed);
    }
    Ok(())
}

/// The header that carries the signature.
pub fn signature<'a>(callback: &Callback<'a>, name: &str) -> Result<&'a str, Rejection> {
    callback.header(name).map(str::trim).filter(|text| !text.is_empty()).ok_or(Rejection::MissingSignature)
}

/// Whether `at`, whole seconds in digits, is within `tolerance_s` of now, both ways.
pub fn fresh(at: &str, tolerance_s: u64, now: Millis) -> Result<(), Rejection> {
    let digits = (1..=12).contains(&at.len()) && at.bytes().all(|b| b.is_ascii_digit());
    let at: u64 = at.parse().ok().filter(|_| digits).ok_or(Rejection::Malformed)?;
    if at.abs_diff(now / 1000) > tolerance_s { Err(Rejection::StaleTimestamp) } else { Ok(()) }
}

/// What these gateways hear: only the status counts.
pub fn ack(verdict: Verdict) -> Reply {
    match verdict {
        Verdict::Received => Reply { status: 200, body: "ok" },
        Verdict::Refused => Reply { status: 400, body: "fail" },
        Verdict::Unavailable => Reply { status: 503, body: "fail" },
    }
}

/// A payment number under that name.
pub fn number<'a>(object: &'a Map<String, Value>, name: &str) -> Result<&'a str, Rejection> {
    let number = json::text(object, name)?;
    if is_number(number) { Ok(number) } else { Err(Rejection::Malformed) }
}

/// A gateway's own number under that name.
pub fn id<'a>(object: &'a Map<String, Value>, name: &str) -> Result<&'a str, Rejection> {
    let id = json::text(object, name)?;
    if is_trade_no(id) { Ok(id) } else { Err(Rejection::Malformed) }
}

/// A currency under that name, in either case.
pub fn currency(object: &Map<String, Value>, name: &str) -> Result<Currency, Rejection> {
    json::text(object, name)?.to_ascii_uppercase().parse().map_err(|_| Rejection::CurrencyMismatch)
}

/// An amount in minor units, which must be a JSON integer.
pub fn minor(object: &Map<String, Value>, name: &str, currency: Currency) -> Result<Money, Rejection> {
    match object.get(name) {
        None | Some(Value::Null) => Err(Rejection::MissingField),
        Some(value) => match value.as_i64() {
            Some(minor) if minor >= 0 => Ok(Money { minor, currency }),
            _ => Err(Rejection::AmountMalformed),
        },
    }
}

/// An amount as decimal text, with its currency beside it.
pub fn decimal(object: &Map<String, Value>, amount: &str, unit: &str) -> Result<Money, Rejection> {
    let currency = currency(object, unit)?;
    match object.get(amount) {
        None | Some(Value::Null) => Err(Rejection::MissingField),
        Some(Value::String(text)) => Money::parse(text, currency).map_err(|_| Rejection::AmountMalformed),
        Some(_) => Err(Rejection::AmountMalformed),
    }
}

/// A payment that must be of what its attempt was opened with: `id` is the gateway's number of both.
pub fn bound(number: &str, id: &str, paid: Money, channel: &str) -> Payment {
    Payment { reference: Some(id.to_owned()), ..Payment::new(number, id, paid, channel) }
}

/// A call to the API; with a body it is a POST.
pub fn call(url: String, headers: Headers<'_>, body: Option<(&str, Vec<u8>)>) -> Call {
    let mut headers: Vec<_> = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    match body {
        None => Call { method: "GET", url, headers, body: Vec::new() },
        Some((kind, body)) => {
            headers.push(("Content-Type".to_owned(), kind.to_owned()));
            Call { method: "POST", url, headers, body }
        }
    }
}

/// An API's answer of success, as an object.
///
/// # Errors
/// What it says instead, in words.
pub fn good(answer: &Response) -> Result<Map<String, Value>, String> {
    let object = json::object(&answer.body);
    if !(200..300).contains(&answer.status) {
        let why = object.ok().and_then(|object| message(&object)).unwrap_or_else(|| "no reason given".to_owned());
        return Err(format!("it answered {}: {why}", answer.status));
    }
    object.map_err(|_| format!("it answered {}, unreadable", answer.status))
}

/// The words of an error, wherever these APIs put them.
fn message(object: &Map<String, Value>) -> Option<String> {
    let error = json::inner(object, "error").unwrap_or(object);
    let words = json::text(error, "message").or_else(|_| json::text(error, "type")).ok()?;
    Some(words.chars().filter(|c| !c.is_control()).take(200).collect())
}

/// An address that a buyer can be sent to.
pub fn link(object: &Map<String, Value>, name: &str) -> Result<String, String> {
    match json::text(object, name) {
        Ok(url) if url.starts_with("https://") || url.starts_with("http://") => Ok(url.to_owned()),
        _ => Err(format!("it tells no {name}")),
    }
}

/// What was signed, behind the name of the setting that it was signed with.
pub fn explained(setting: &str, text: &[u8]) -> String {
    format!("HMAC-SHA256({{{setting}}}, {:?})", String::from_utf8_lossy(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_amounts_are_read() {
        let read = json::object(br#"{"a":5,"b":5.0,"c":"5","d":-5,"e":1e2,"u":"usd","y":"JPY","z":"US","k":"0.500"}"#);
        let read = read.unwrap();
        let usd = "USD".parse().unwrap();
        assert_eq!(minor(&read, "a", usd), Ok(Money { minor: 5, currency: usd }));
        for name in ["b", "c", "d", "e"] {
            assert_eq!(minor(&read, name, usd), Err(Rejection::AmountMalformed), "{name}");
        }
        assert_eq!(minor(&read, "x", usd), Err(Rejection::MissingField));
        assert_eq!(decimal(&read, "c", "y").map(|money| money.minor), Ok(5));
        assert_eq!(decimal(&read, "c", "u").map(|money| money.minor), Ok(500));
        assert_eq!(decimal(&read, "k", "y"), Err(Rejection::AmountMalformed));
        assert_eq!(decimal(&read, "a", "u"), Err(Rejection::AmountMalformed));
        assert_eq!(decimal(&read, "a", "z"), Err(Rejection::CurrencyMismatch));
    }

    #[test]
    fn a_moment_is_whole_seconds_close_to_now() {
        assert_eq!(fresh("1000", 300, 1_300_000), Ok(()));
        assert_eq!(fresh("1000", 300, 700_000), Ok(()));
        for (at, now) in [("1000", 1_301_000), ("1000", 699_000), ("999999999999", 0)] {
            assert_eq!(fresh(at, 300, now), Err(Rejection::StaleTimestamp), "{at} {now}");
        }
        for at in ["", "1000.0", "+1000", " 1000", "１000", "1000000000000"] {
            assert_eq!(fresh(at, 300, 1_000_000), Err(Rejection::Malformed), "{at:?}");
        }
    }
}
