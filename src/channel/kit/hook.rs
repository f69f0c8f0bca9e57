//! What the kinds have in common whose gateway posts JSON and signs its bytes in a header: the settings they share, the
//! first look at a callback, and the answers of an API that speaks JSON.

use aws_lc_rs::hmac;
use serde_json::{Map, Value};

use super::{callback, json, sign};
use crate::channel::contract::{Answer, Refunded, is_number, is_trade_no};
use crate::domain::{Call, Callback, Currency, Money, Payment, Rejection, Response};

/// Headers of a call, in their own words.
pub type Headers<'a> = &'a [(&'a str, &'a str)];

/// The header that carries the signature.
pub fn signature<'a>(callback: &Callback<'a>, name: &str) -> Result<&'a str, Rejection> {
    callback.header(name).map(str::trim).filter(|text| !text.is_empty()).ok_or(Rejection::MissingSignature)
}

/// Whether one of the given signatures is one that one of the keys makes, as `written`: while a secret is exchanged there may
/// be several of both.
pub fn signed<'a>(
    keys: &[hmac::Key],
    given: impl Iterator<Item = &'a str> + Clone,
    written: impl Fn(&hmac::Key) -> String,
) -> Result<(), Rejection> {
    let fits = |right: String| given.clone().any(|given| sign::equal(given, &right));
    if keys.iter().map(written).any(fits) { Ok(()) } else { Err(Rejection::BadSignature) }
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

/// A currency under that name, in either case. One that we have no code of is another than was due: such money is held.
pub fn currency(object: &Map<String, Value>, name: &str) -> Result<Currency, Rejection> {
    json::text(object, name).map(Currency::foreign)
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
        Some(Value::String(text)) => match Money::parse(text, currency) {
            Ok(money) => Ok(money),
            Err(_) => callback::finer(text, currency),
        },
        Some(_) => Err(Rejection::AmountMalformed),
    }
}

/// A payment that must be of what its attempt was opened with: `id` is the gateway's number of both.
pub fn bound(number: &str, id: &str, paid: Money, channel: &str) -> Payment {
    Payment { reference: Some(id.to_owned()), ..Payment::new(number, id, paid, channel) }
}

/// A call to the API; with a body it is a POST.
pub fn call(url: String, headers: Headers<'_>, body: Option<(&str, Vec<u8>)>) -> Call {
    let call = body.map_or_else(|| Call::get(url.clone()), |(kind, body)| Call::post(url.clone(), kind, body));
    headers.iter().fold(call, |call, (name, value)| call.with(name, *value))
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

/// What an API knows of a payment that it was asked about: it is read out of a good answer.
pub fn known(answer: &Response, read: impl FnOnce(Map<String, Value>) -> Answer) -> Answer {
    if answer.status == 404 && json::object(&answer.body).is_ok() {
        return Answer::Unknown;
    }
    good(answer).map_or(Answer::Mismatch, read)
}

/// What the answer to a refund means, whose `status` is one of these words where it is decided.
pub fn refunded(answer: &Response, done: [&str; 2], refused: [&str; 2]) -> Refunded {
    let refund = match good(answer) {
        Ok(refund) => refund,
        Err(why) if (400..500).contains(&answer.status) => return Refunded::Refused(why),
        Err(why) => return Refunded::Pending(why),
    };
    match json::text(&refund, "status") {
        Ok(status) if done.contains(&status) => Refunded::Done,
        Ok(status) if refused.contains(&status) => Refunded::Refused(format!("the refund is {status}")),
        _ => Refunded::Pending("the refund is not decided".to_owned()),
    }
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
        let read = json::object(
            br#"{"a":5,"b":5.0,"c":"5","d":-5,"e":1e2,"u":"usd","y":"JPY","z":"USDT","k":"0.500","m":"0.0001"}"#,
        );
        let read = read.unwrap();
        let usd = "USD".parse().unwrap();
        assert_eq!(minor(&read, "a", usd), Ok(Money { minor: 5, currency: usd }));
        for name in ["b", "c", "d", "e"] {
            assert_eq!(minor(&read, name, usd), Err(Rejection::AmountMalformed), "{name}");
        }
        assert_eq!(minor(&read, "x", usd), Err(Rejection::MissingField));
        assert_eq!(decimal(&read, "c", "y").map(|money| money.minor), Ok(5));
        assert_eq!(decimal(&read, "c", "u").map(|money| money.minor), Ok(500));
        assert_eq!(decimal(&read, "k", "y").map(|money| money.minor), Ok(0), "nobody owes parts of a yen");
        assert_eq!(decimal(&read, "a", "u"), Err(Rejection::AmountMalformed));
        assert_eq!(decimal(&read, "c", "z"), Ok(Money { minor: 500, currency: Currency::NONE }));
        assert_eq!(decimal(&read, "m", "z"), Ok(Money { minor: 0, currency: Currency::NONE }));
    }
}
