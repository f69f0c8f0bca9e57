//! The limits a buyer can reach, and what is said of them: one table.

use std::fmt;

use super::Millis;
use super::time::iso;

/// A limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Limit {
    UnpaidOrdersOfAddress,
    UnpaidOrdersOf48,
    UnpaidOrdersOfContact,
    UnpaidKeysOfContact,
    UnpaidKeysOfAddress,
    UnpaidKeysOf64,
    UnpaidKeysOf48,
    UnpaidKeysOfOrder,
    KeysForAddress,
    KeysForContact,
    WaysToPay,
    AddressBlocked,
}

struct Row {
    limit: Limit,
    word: &'static str,
    en: &'static str,
    zh: &'static str,
}

const fn row(limit: Limit, word: &'static str, en: &'static str, zh: &'static str) -> Row {
    Row { limit, word, en, zh }
}

/// `{n}` is the most there may be; words are the settings' names.
const ROWS: [Row; 12] = [
    row(
        Limit::UnpaidOrdersOfAddress,
        "unpaid_per_address",
        "too many unpaid orders from this address: at most {n}",
        "此网络地址的未付款订单过多:最多 {n} 个",
    ),
    row(
        Limit::UnpaidOrdersOf48,
        "unpaid_per_address",
        "too many unpaid orders from this site: at most {n}",
        "此站点的未付款订单过多:最多 {n} 个",
    ),
    row(
        Limit::UnpaidOrdersOfContact,
        "unpaid_per_contact",
        "too many unpaid orders for this contact: at most {n}",
        "此联系方式的未付款订单过多:最多 {n} 个",
    ),
    row(
        Limit::UnpaidKeysOfContact,
        "unpaid_keys_per_contact",
        "too many keys in unpaid orders for this contact: at most {n} in several orders",
        "此联系方式未付款的卡密过多:多个订单合计最多 {n} 个",
    ),
    row(
        Limit::UnpaidKeysOfAddress,
        "unpaid_keys_per_address",
        "too many keys of this product in unpaid orders from this address: at most {n} now in several orders",
        "此网络地址未付款的该商品卡密过多:多个订单现在合计最多 {n} 个",
    ),
    row(
        Limit::UnpaidKeysOf64,
        "unpaid_keys_per_64",
        "too many keys of this product in unpaid orders from this network: at most {n} now in several orders",
        "此网络未付款的该商品卡密过多:多个订单现在合计最多 {n} 个",
    ),
    row(
        Limit::UnpaidKeysOf48,
        "unpaid_keys_per_48",
        "too many keys of this product in unpaid orders from this site: at most {n} now in several orders",
        "此站点未付款的该商品卡密过多:多个订单现在合计最多 {n} 个",
    ),
    row(
        Limit::UnpaidKeysOfOrder,
        "unpaid_keys_per_order",
        "too many keys of this product in one unpaid order: at most {n} now; order fewer, pay, and order the others",
        "单个未付款订单的卡密过多:该商品现在每单最多 {n} 个;请减少数量,付款后再下单",
    ),
    row(
        Limit::KeysForAddress,
        "per_address",
        "too many keys for this address: at most {n}",
        "此网络地址购买的卡密过多:最多 {n} 个",
    ),
    row(
        Limit::KeysForContact,
        "per_contact",
        "too many keys for this contact: at most {n}",
        "此联系方式购买的卡密过多:最多 {n} 个",
    ),
    row(Limit::WaysToPay, "order_attempts", "at most {n} ways to pay one order", "一个订单最多尝试 {n} 次付款方式"),
    row(
        Limit::AddressBlocked,
        "address_blocked",
        "no orders are taken from this address for now",
        "暂不接受来自此网络地址的订单",
    ),
];

/// A limit that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// Which.
    pub limit: Limit,
    /// The most there may be.
    pub most: u64,
    /// When it is worth trying again; `None`: not by waiting.
    pub until: Option<Millis>,
    /// When it was reached.
    pub at: Millis,
}

impl Reached {
    fn row(&self) -> Option<&'static Row> {
        ROWS.iter().find(|row| row.limit == self.limit)
    }

    /// Seconds from when it was reached until it is worth trying again.
    #[must_use]
    pub fn retry_seconds(&self) -> Option<u64> {
        self.until.map(|until| until.saturating_sub(self.at).div_ceil(1000).max(1))
    }

    /// Its word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        self.row().map_or("", |row| row.word)
    }

    /// In words, for a buyer.
    #[must_use]
    pub fn says(&self, zh: bool) -> String {
        let text = self.row().map_or("", |row| if zh { row.zh } else { row.en });
        let text = text.replace("{n}", &self.most.to_string());
        match (self.until, self.limit, zh) {
            (None, ..) => text,
            // What is paid counts no more as unpaid, and goes on counting as bought.
            (Some(until), Limit::KeysForAddress | Limit::KeysForContact | Limit::AddressBlocked, false) => {
                format!("{text}; try again after {}", iso(until))
            }
            (Some(until), Limit::KeysForAddress | Limit::KeysForContact | Limit::AddressBlocked, true) => {
                format!("{text};请在 {} 后再试", iso(until))
            }
            (Some(until), _, false) => format!("{text}; pay one, or try again after {}", iso(until)),
            (Some(until), _, true) => format!("{text};请先付款,或在 {} 后再试", iso(until)),
        }
    }
}

impl fmt::Display for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.says(false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_told_in_both_languages_with_its_end() {
        for row in &ROWS {
            let reached = Reached { limit: row.limit, most: 7, until: Some(1_000), at: 0 };
            assert!(reached.says(true).contains("1970-01-01T00:00:01Z"), "{}", row.word);
            assert!(reached.says(false).is_ascii() && !reached.says(false).contains('{'), "{}", row.word);
            assert_eq!(reached.word(), row.word);
            let never = Reached { until: None, ..reached };
            assert!(!never.says(false).contains("1970"));
        }
    }
}
