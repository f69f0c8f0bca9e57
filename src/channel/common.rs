//! What kinds of several families have in common: settings, the first look at a callback, and what a gateway hears.

use std::ops::RangeInclusive;

use super::{Verdict, terms};
use crate::domain::{Callback, Currency, Millis, Money, Rejection, Reply};
use crate::settings::{Problem, Secret, Section, is_url};

/// The largest query and body read unless a kind or its settings say otherwise, in bytes.
pub const QUERY_BYTES: usize = 16_384;
/// See [`QUERY_BYTES`].
pub const BODY_BYTES: usize = 65_536;

/// The address of a gateway or its API, without a slash at its end; `what` says where there is none by default.
pub fn address(
    s: &Section,
    key: &str,
    default: Option<&str>,
    what: &str,
    problems: &mut Vec<Problem>,
) -> Option<String> {
    let url = s.text(key, problems).or_else(|| default.map(str::to_owned));
    match &url {
        None => s.require(key, what, problems),
        Some(url) if !is_url(url) || url.contains(['?', '#']) => {
            s.reject(
                key,
                "must begin with https:// (or http://) and have no query: https://host/, or https://host/path/",
                problems,
            );
        }
        Some(url) if url.starts_with("http://") && !url.contains("//127.0.0.1") && !url.contains("//localhost") => {
            s.warn(key, "is not https: what is sent there can be read and changed on the way", problems);
        }
        Some(_) => {}
    }
    url.map(|url| url.trim_end_matches('/').to_owned())
}

/// Where a gateway is that has no address of its own everywhere.
pub fn gateway_url(s: &Section, problems: &mut Vec<Problem>) -> Option<String> {
    let url = address(s, "gateway_url", None, "where the gateway is, such as https://pay.example/", problems)?;
    let last = url.rsplit('/').next().unwrap_or_default();
    if last.ends_with(".php") || ["submit", "create-transaction", "CreateOrder"].contains(&last) {
        s.reject(
            "gateway_url",
            format!("is the address of one page: leave {last} and what belongs to it out"),
            problems,
        );
    }
    Some(url)
}

/// A secret that must be there: without it anybody could sign, or nobody is let in.
pub fn secret(s: &Section, key: &str, what: &str, problems: &mut Vec<Problem>) -> Option<Secret> {
    let secret = s.token(key, problems);
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

/// Reports what is no setting of the kind's, nor of every kind's.
pub fn finish(s: &Section, known: &[&str], problems: &mut Vec<Problem>) {
    s.finish(&[known, &terms::SETTINGS].concat(), problems);
}

/// A number out of the gateway's console, letters and digits; one that does not look like `what` is told of, and no more than
/// that: gateways give out others than they document.
pub fn number(
    s: &Section,
    key: &str,
    what: &str,
    usual: impl Fn(&str) -> bool,
    problems: &mut Vec<Problem>,
) -> Option<String> {
    let Some(text) = s.text(key, problems).filter(|text| !text.is_empty()) else {
        s.require(key, what, problems);
        return None;
    };
    if !text.bytes().all(|b| b.is_ascii_alphanumeric()) {
        s.reject(key, format!("must be letters and digits: {what}"), problems);
        return None;
    }
    if !usual(&text) {
        s.warn(key, format!("does not look like {what}"), problems);
    }
    Some(text)
}

/// Whether a text is so many digits.
pub fn is_digits(text: &str, count: RangeInclusive<usize>) -> bool {
    count.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

/// What the gateway shows of every order.
pub fn subject(s: &Section, problems: &mut Vec<Problem>) -> String {
    let subject = s.prose("subject", problems).unwrap_or_else(|| "order".to_owned());
    if subject.len() > 127 || subject.contains(['&', '=']) {
        s.reject("subject", "at most 127 bytes, without & and =", problems);
    }
    subject
}

/// The largest body read.
pub fn body_bytes(s: &Section, default: usize, problems: &mut Vec<Problem>) -> usize {
    s.whole("max_body_bytes", 1024..=1_048_576, problems).map_or(default, |bytes: u32| bytes as usize)
}

/// The largest query read.
pub fn query_bytes(s: &Section, problems: &mut Vec<Problem>) -> usize {
    s.whole("max_query_bytes", 256..=65_536, problems).map_or(QUERY_BYTES, |bytes: u32| bytes as usize)
}

/// How far the moment that was signed may be from now, in seconds.
pub fn tolerance_s(s: &Section, key: &str, problems: &mut Vec<Problem>) -> u64 {
    s.whole(key, 30..=3600, problems).unwrap_or(300)
}

/// Refuses what is no POST, has a query or is too long, before anything of it is read.
///
/// # Errors
/// What it is instead.
pub fn posted(callback: &Callback<'_>, most: usize) -> Result<(), Rejection> {
    if callback.body.len() > most || callback.query.len() > QUERY_BYTES {
        return Err(Rejection::TooLarge);
    }
    if callback.method != "POST" || !callback.query.is_empty() {
        return Err(Rejection::MethodNotAllowed);
    }
    Ok(())
}

/// Whether `at`, whole seconds in digits, is within `tolerance_s` of now, both ways.
///
/// # Errors
/// It is not, or is no such moment.
pub fn fresh(at: &str, tolerance_s: u64, now: Millis) -> Result<(), Rejection> {
    let digits = (1..=12).contains(&at.len()) && at.bytes().all(|b| b.is_ascii_digit());
    let at: u64 = at.parse().ok().filter(|_| digits).ok_or(Rejection::Malformed)?;
    if at.abs_diff(now / 1000) > tolerance_s { Err(Rejection::StaleTimestamp) } else { Ok(()) }
}

/// A genuine amount with parts of the smallest coin. No order is due in those, so it is another than is due and counts as
/// nothing: it is held for a person. Rounded, it could be taken for what is due.
///
/// # Errors
/// It is no amount.
pub fn finer(text: &str, currency: Currency) -> Result<Money, Rejection> {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let is_amount = text.len() <= 40 && text.split_once('.').is_some_and(|(whole, part)| digits(whole) && digits(part));
    if is_amount { Ok(Money { minor: 0, currency }) } else { Err(Rejection::AmountMalformed) }
}

/// What a gateway hears that counts that word, or the status alone, as received.
pub fn ack(verdict: Verdict, received: &'static str) -> Reply {
    match verdict {
        Verdict::Received => Reply { status: 200, body: received },
        Verdict::Refused => Reply { status: 400, body: "fail" },
        Verdict::Unavailable => Reply { status: 503, body: "fail" },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
