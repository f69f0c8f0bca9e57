//! The first look at a callback, and what a gateway hears.

use crate::channel::contract::Verdict;
use crate::domain::{Callback, Currency, Millis, Money, Rejection, Reply};

/// The largest query read where no setting says otherwise, in bytes.
pub const QUERY_BYTES: usize = 16_384;

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
