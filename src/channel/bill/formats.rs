//! How each kind of bill is written, and what a row of it says.

use super::{BillLine, Entry};
use crate::domain::{Currency, Money};

/// How one kind of bill is written.
pub struct Format {
    /// Names of the columns of our number, the gateway's, the state and the amount, the best first.
    pub(super) columns: [&'static [&'static str]; 4],
    /// Columns that help where they are there: the amount given back, what became of that, the currency.
    pub(super) further: [&'static [&'static str]; 3],
    pub(super) quoting: bool,
    pub(super) comment: Option<u8>,
    pub(super) ends: Ends,
    /// Whether a row says in which currency it is.
    pub names_currency: bool,
    pub(super) row: fn(&BillRow<'_>) -> Result<Option<BillLine>, String>,
}

/// How a bill says how many rows it has.
pub(super) enum Ends {
    /// By a row of names and one of values, which it must have.
    BillRow,
    /// By comments, which it may have.
    Comments,
    /// Not at all.
    Open,
}

/// 微信支付.
pub const WECHAT: Format = Format {
    // What a callback calls the total is 订单金额; older bills have only 应结订单金额, which is less with coupons.
    columns: [&["商户订单号"], &["微信订单号"], &["交易状态"], &["订单金额", "应结订单金额"]],
    further: [&["申请退款金额", "退款金额"], &["退款状态"], &["货币种类"]],
    quoting: false,
    comment: None,
    ends: Ends::BillRow,
    names_currency: true,
    row: wechat,
};

/// 支付宝.
pub const ALIPAY: Format = Format {
    columns: [&["商户订单号"], &["支付宝交易号"], &["业务类型"], &["订单金额（元）", "订单金额(元)"]],
    further: [&[], &[], &[]],
    quoting: true,
    comment: Some(b'#'),
    ends: Ends::Comments,
    names_currency: true,
    row: alipay,
};

/// Common consoles of 易支付.
pub const EPAY: Format = Format {
    columns: [&["商户订单号", "out_trade_no"], &["系统订单号", "trade_no"], &["状态", "status"], &["金额", "money"]],
    further: [&[], &[], &[]],
    quoting: true,
    comment: None,
    ends: Ends::Open,
    names_currency: false,
    row: epay,
};

/// A row's values, cleaned.
pub(super) struct BillRow<'a> {
    pub(super) number: &'a str,
    pub(super) trade_no: &'a str,
    pub(super) state: &'a str,
    pub(super) amount: &'a str,
    pub(super) given_back: &'a str,
    pub(super) fate: &'a str,
    pub(super) currency: &'a str,
}

impl BillRow<'_> {
    fn line(&self, paid: Money, kind: Entry) -> BillLine {
        BillLine { number: self.number.to_owned(), trade_no: self.trade_no.to_owned(), paid, kind }
    }
}

fn money(text: &str, currency: Currency) -> Result<Money, String> {
    Money::parse(text, currency).map_err(|error| format!("the amount {text:?} is {error}"))
}

/// A refund's row of a gateway that has another one for the payment.
fn given_back(row: &BillRow<'_>, amount: &str, currency: Currency) -> Result<Option<BillLine>, String> {
    let back = money(amount, currency)?;
    if back.minor == 0 {
        return Err("a refund of nothing".to_owned());
    }
    Ok(Some(row.line(Money { minor: 0, currency }, Entry::Refunded(back))))
}

fn wechat(row: &BillRow<'_>) -> Result<Option<BillLine>, String> {
    let currency = if row.currency.is_empty() {
        Currency::CNY
    } else {
        row.currency.parse().map_err(|error| format!("{:?}: {error}", row.currency))?
    };
    match row.state {
        "SUCCESS" => Ok(Some(row.line(money(row.amount, currency)?, Entry::Paid))),
        "REFUND" | "REVOKED" if matches!(row.fate, "" | "SUCCESS") => given_back(row, row.given_back, currency),
        "REFUND" | "REVOKED" => Err(format!("a refund with 退款状态 {}: look at it by hand", row.fate)),
        other => Err(format!("交易状态 {other:?} is unknown: SUCCESS, REFUND or REVOKED is")),
    }
}

fn alipay(row: &BillRow<'_>) -> Result<Option<BillLine>, String> {
    match row.state {
        "交易" => Ok(Some(row.line(money(row.amount, Currency::CNY)?, Entry::Paid))),
        "退款" => given_back(row, row.amount.strip_prefix('-').unwrap_or(row.amount), Currency::CNY),
        other => Err(format!("业务类型 {other:?} is unknown: 交易 or 退款 is")),
    }
}

fn epay(row: &BillRow<'_>) -> Result<Option<BillLine>, String> {
    match row.state {
        "已支付" | "1" => Ok(Some(row.line(money(row.amount, Currency::CNY)?, Entry::Paid))),
        "已退款" | "2" => {
            let paid = money(row.amount, Currency::CNY)?;
            Ok(Some(row.line(paid, Entry::Refunded(paid))))
        }
        "未支付" | "0" => Ok(None),
        other => Err(format!("状态 {other:?} is unknown: 已支付/1, 已退款/2 or 未支付/0 is")),
    }
}
