//! The limits a buyer can reach, and what is said of them: one table.

use std::fmt;

use super::time::iso;
use super::{Lang, Millis, Text};

/// What ends it before its time is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relief {
    /// What is paid counts no more as unpaid.
    Paying,
    /// Nothing: what is paid goes on counting as bought.
    Waiting,
}

/// What is said of one limit.
#[derive(Debug)]
pub(super) struct LimitRow {
    /// Its word: the setting's name, where there is one.
    word: &'static str,
    relief: Relief,
    /// `{n}` is the most there may be.
    text: Text,
}

impl LimitRow {
    /// In words, for a buyer: the most there may be, and when it is worth trying again.
    fn says(&self, most: u64, until: Option<Millis>, lang: Lang) -> String {
        let text = self.text.say(lang).replace("{n}", &most.to_string());
        let Some(until) = until.map(iso) else { return text };
        match (self.relief, lang) {
            (Relief::Waiting, Lang::En) => format!("{text}; try again after {until}"),
            (Relief::Waiting, Lang::Zh) => format!("{text};请在 {until} 后再试"),
            (Relief::Paying, Lang::En) => format!("{text}; pay one, or try again after {until}"),
            (Relief::Paying, Lang::Zh) => format!("{text};请先付款,或在 {until} 后再试"),
        }
    }
}

/// Makes the limits out of their rows.
macro_rules! limits {
    ($($name:ident $word:literal $relief:ident { en $en:literal; zh $zh:literal; })+) => {
        /// A limit.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub enum Limit {
            $($name,)+
        }

        impl Limit {
            #[cfg(test)]
            pub(super) const ALL: &[Self] = &[$(Self::$name),+];

            pub(super) fn row(self) -> &'static LimitRow {
                match self {
                    $(Self::$name => {
                        const ROW: LimitRow =
                            LimitRow { word: $word, relief: Relief::$relief, text: Text::new($en, $zh) };
                        &ROW
                    })+
                }
            }
        }
    };
}

limits! {
    UnpaidOrdersOfAddress "unpaid_per_address" Paying {
        en "too many unpaid orders from this address: at most {n}";
        zh "此网络地址的未付款订单过多:最多 {n} 个";
    }
    UnpaidOrdersOf48 "unpaid_per_address" Paying {
        en "too many unpaid orders from this site: at most {n}";
        zh "此站点的未付款订单过多:最多 {n} 个";
    }
    UnpaidOrdersOfContact "unpaid_per_contact" Paying {
        en "too many unpaid orders for this contact: at most {n}";
        zh "此联系方式的未付款订单过多:最多 {n} 个";
    }
    UnpaidKeysOfContact "unpaid_keys_per_contact" Paying {
        en "too many keys in unpaid orders for this contact: at most {n} in several orders";
        zh "此联系方式未付款的卡密过多:多个订单合计最多 {n} 个";
    }
    UnpaidKeysOfAddress "unpaid_keys_per_address" Paying {
        en "too many keys of this product in unpaid orders from this address: at most {n} now in several orders";
        zh "此网络地址未付款的该商品卡密过多:多个订单现在合计最多 {n} 个";
    }
    UnpaidKeysOf64 "unpaid_keys_per_64" Paying {
        en "too many keys of this product in unpaid orders from this network: at most {n} now in several orders";
        zh "此网络未付款的该商品卡密过多:多个订单现在合计最多 {n} 个";
    }
    UnpaidKeysOf48 "unpaid_keys_per_48" Paying {
        en "too many keys of this product in unpaid orders from this site: at most {n} now in several orders";
        zh "此站点未付款的该商品卡密过多:多个订单现在合计最多 {n} 个";
    }
    UnpaidKeysOfOrder "unpaid_keys_per_order" Paying {
        en "too many keys of this product in one unpaid order: at most {n} now; order fewer, pay, and order the others";
        zh "单个未付款订单的卡密过多:该商品现在每单最多 {n} 个;请减少数量,付款后再下单";
    }
    KeysForAddress "per_address" Waiting {
        en "too many keys for this address: at most {n}";
        zh "此网络地址购买的卡密过多:最多 {n} 个";
    }
    KeysForContact "per_contact" Waiting {
        en "too many keys for this contact: at most {n}";
        zh "此联系方式购买的卡密过多:最多 {n} 个";
    }
    WaysToPay "order_attempts" Paying {
        en "at most {n} ways to pay one order";
        zh "一个订单最多尝试 {n} 次付款方式";
    }
    AddressBlocked "address_blocked" Waiting {
        en "no orders are taken from this address for now";
        zh "暂不接受来自此网络地址的订单";
    }
}

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
    /// Seconds from when it was reached until it is worth trying again.
    #[must_use]
    pub fn retry_seconds(&self) -> Option<u64> {
        self.until.map(|until| until.saturating_sub(self.at).div_ceil(1000).max(1))
    }

    /// Its word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        self.limit.row().word
    }

    /// In words, for a buyer.
    #[must_use]
    pub fn says(&self, lang: Lang) -> String {
        self.limit.row().says(self.most, self.until, lang)
    }
}

impl fmt::Display for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.says(Lang::En))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What adding a limit takes: a row.
    mod added {
        use super::super::{LimitRow, Relief};
        use crate::domain::Text;

        limits! {
            KeysAtNight "keys_at_night" Waiting {
                en "too many keys at night: at most {n}";
                zh "夜间购买的卡密过多:最多 {n} 个";
            }
        }
    }

    /// What is wrong with a row.
    fn faults(row: &LimitRow) -> Vec<String> {
        let (en, zh) = (row.says(7, Some(1_000), Lang::En), row.says(7, Some(1_000), Lang::Zh));
        let never = row.says(7, None, Lang::En);
        let rules = [
            (zh.contains("1970-01-01T00:00:01Z") && zh.chars().any(|c| c > '\u{3000}'), "its Chinese"),
            (en.contains("1970-01-01T00:00:01Z") && en.is_ascii() && !en.contains('{'), "its English"),
            (en.contains("pay one") == (row.relief == Relief::Paying), "what ends it"),
            (!never.contains("1970") && en.starts_with(&never), "that waiting does not help"),
        ];
        rules.iter().filter(|(holds, _)| !holds).map(|(_, what)| format!("{}: {what}", row.word)).collect()
    }

    #[test]
    fn each_is_told_in_both_languages_with_its_end() {
        assert_eq!(Limit::ALL.iter().flat_map(|limit| faults(limit.row())).collect::<Vec<_>>(), Vec::<String>::new());
        let reached = Reached { limit: Limit::WaysToPay, most: 7, until: None, at: 0 };
        assert_eq!(
            (reached.word(), reached.to_string().as_str()),
            ("order_attempts", "at most 7 ways to pay one order")
        );
    }

    #[test]
    fn adding_a_limit_is_a_row() {
        let [night] = added::Limit::ALL else { panic!("one row") };
        assert_eq!((night.row().word, faults(night.row())), ("keys_at_night", Vec::new()));
        assert!(night.row().says(3, Some(1_000), Lang::Zh).starts_with("夜间购买的卡密过多:最多 3 个;请在 "));
    }
}
