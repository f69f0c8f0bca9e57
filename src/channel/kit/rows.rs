//! Settings that kinds of several families have in common.

use crate::settings::{Form, Setting, Values};

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
/// The way to pay at a gateway with several; see [`epay`](crate::channel::gateway::epay).
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

/// What the gateway shows of every order.
pub fn subject(v: &mut Values<'_>, row: &Setting) -> String {
    let subject = v.text(row).unwrap_or_else(|| "order".to_owned());
    if subject.len() > 127 || subject.contains(['&', '=']) {
        v.reject(row, "at most 127 bytes, without & and =");
    }
    subject
}
