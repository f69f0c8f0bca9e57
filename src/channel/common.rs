//! What kinds of several families have in common: settings, the first look at a callback, and what a gateway hears.

use std::ops::RangeInclusive;

use super::Verdict;
use crate::domain::{Callback, Currency, Millis, Money, Rejection, Reply};
use crate::settings::{Form, Setting, Values};

/// The largest query read where no setting says otherwise, in bytes.
pub const QUERY_BYTES: usize = 16_384;

/// The largest body read.
pub const BODY: Setting = Setting::optional(
    Form::Whole(1024, 1_048_576),
    "max_body_bytes",
    "the largest body read, in bytes",
    "读取的请求体上限,字节",
)
.or("65536");
/// [`BODY`] of kinds whose callbacks are long.
pub const LARGE_BODY: Setting = BODY.or("262144");
/// The largest query read.
pub const QUERY: Setting = Setting::optional(
    Form::Whole(256, 65_536),
    "max_query_bytes",
    "the largest query read, in bytes",
    "读取的查询串上限,字节",
)
.or("16384");
/// What the gateway shows of every order; see [`subject`].
pub const SUBJECT: Setting = Setting::optional(
    Form::Prose,
    "subject",
    "what the gateway shows, at most 127 bytes without & and =; never a buyer's text",
    "网关显示的名称,最多 127 字节,不含 & 和 =;不会是买家填写的内容",
)
.or("order");
/// What a currency must be.
pub const CURRENCY: Form = Form::Parsed("three capital letters");
/// The way to pay at a gateway with several; see [`super::epay`].
pub const PAY_TYPE: Setting = Setting::optional(
    Form::Line,
    "pay_type",
    "alipay, wxpay, qqpay, bank; a payment by another way is kept for a person. Empty: the gateway's own choice, and any way counts",
    "支付方式:alipay、wxpay、qqpay、bank;以其他方式付的款留待人工处理。留空由网关的收银台选择,任何方式都算",
)
.asked();

/// Where a gateway is that has no address of its own everywhere.
pub const fn gateway(en: &'static str, zh: &'static str) -> Setting {
    Setting::needed(Form::Address, "gateway_url", en, zh)
}

/// The merchant number of the epay family.
pub const fn pid(en: &'static str, zh: &'static str) -> Setting {
    Setting::needed(Form::Number, "pid", en, zh)
}

/// How far the moment that was signed may be from now.
pub const fn tolerance(key: &'static str) -> Setting {
    let (en, zh) = ("how far a callback's time may be from now, both ways, in seconds", "回调时间与现在最多相差的秒数");
    Setting::optional(Form::Whole(30, 3600), key, en, zh).or("300")
}

/// The address of a gateway, in a row of [`gateway`].
pub fn gateway_url(v: &mut Values<'_>, row: &Setting) -> Option<String> {
    let url = v.text(row)?;
    let last = url.rsplit('/').next().unwrap_or_default();
    if last.ends_with(".php") || ["submit", "create-transaction", "CreateOrder"].contains(&last) {
        v.reject(row, format!("is the address of one page: leave {last} and what belongs to it out"));
    }
    Some(url)
}

/// Whether a text is so many digits.
pub fn is_digits(text: &str, count: RangeInclusive<usize>) -> bool {
    count.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

/// What the gateway shows of every order.
pub fn subject(v: &mut Values<'_>, row: &Setting) -> String {
    let subject = v.text(row).unwrap_or_else(|| "order".to_owned());
    if subject.len() > 127 || subject.contains(['&', '=']) {
        v.reject(row, "at most 127 bytes, without & and =");
    }
    subject
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
