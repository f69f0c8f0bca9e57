//! Which language whoever sits here reads, and the daemon's words in it: reasons by their rows, the others by a table here.

use crate::domain::{Lang, Reason, Text};
use crate::tty::{first_set, utf8_environment};

/// The language of the environment: Chinese only where the terminal can show it.
#[must_use]
pub fn language() -> Lang {
    let named = first_set(["LC_ALL", "LC_MESSAGES", "LANG"]).filter(|_| utf8_environment());
    named.map_or(Lang::En, |it| Lang::of_locale(&it))
}

/// States, kinds and deeds, as the daemon writes them; reasons have rows of their own.
const TERMS: &[(&str, Text)] = &[
    ("sent", Text::new("sent", "已发送")),
    ("waiting", Text::new("put off", "推迟")),
    ("dead", Text::new("given up", "已放弃")),
    ("dropped", Text::new("dropped", "已取消")),
    ("delivered", Text::new("delivered", "已发货")),
    ("pending", Text::new("pending", "待付款")),
    ("owed", Text::new("owed", "待补货")),
    ("extra", Text::new("extra payment", "重复付款")),
    ("expired", Text::new("expired", "已过期")),
    ("approve", Text::new("approve", "通过")),
    ("reject", Text::new("reject", "拒绝")),
    ("refund", Text::new("refund", "退款")),
    ("redeliver", Text::new("redeliver", "重新发货")),
    ("mark-paid", Text::new("mark-paid", "标记已付款")),
    ("replace", Text::new("replace", "更换卡密")),
    ("resend", Text::new("resend", "重新通知")),
    ("expire", Text::new("expire", "使其过期")),
    ("query", Text::new("query", "向网关查询")),
    ("adopt", Text::new("adopt", "认领")),
    ("block", Text::new("block", "封锁")),
    ("unpaid", Text::new("unpaid", "未付款")),
    ("unknown", Text::new("unknown", "未知")),
    ("mismatch", Text::new("mismatch", "不符")),
    ("accept", Text::new("accept", "接受")),
    ("done", Text::new("done", "已完成")),
    ("rejected", Text::new("rejected", "已拒绝")),
    ("refunded", Text::new("refunded", "已退款")),
    ("settled", Text::new("settled", "已结算")),
];

/// A word of the daemon's in that language; an unknown one as it is.
#[must_use]
pub fn word(lang: Lang, word: &str) -> &str {
    let term = TERMS.iter().find(|(known, _)| *known == word).map(|(_, text)| *text);
    term.or_else(|| Reason::find(word).map(|reason| reason.row().text)).map_or(word, |text| text.say(lang))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_stands_there_once_and_is_chinese_in_chinese() {
        let mut seen = std::collections::HashSet::new();
        for (word, text) in TERMS {
            assert!(seen.insert(word) && Reason::find(word).is_none(), "{word} twice");
            assert!(!text.en.is_empty() && !text.zh.is_ascii(), "{word}");
        }
    }

    #[test]
    fn a_locale_says_whether_it_is_chinese() {
        assert_eq!([Lang::of_locale("zh_TW.UTF-8"), Lang::of_locale("C")], [Lang::Zh, Lang::En]);
    }
}
