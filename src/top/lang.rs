//! Which language whoever sits here reads, and the daemon's words in it: reasons' by their rows, an enum's by
//! `domain::words`.

use crate::domain::{ActResult, Action, CallbackOutcome, Lang, NoticeState, OrderState, PaymentState, Reason, Text};
use crate::tty::{first_set, utf8_environment};

/// The language of the environment: Chinese only where the terminal can show it.
#[must_use]
pub fn language() -> Lang {
    let named = first_set(["LC_ALL", "LC_MESSAGES", "LANG"]).filter(|_| utf8_environment());
    named.map_or(Lang::En, |it| Lang::of_locale(&it))
}

/// Words that stand in the daemon's answers and are of no enum: how a request is judged again, deeds that are done to
/// payments and addresses.
const OTHERS: [(&str, Text); 6] = [
    ("accept", Text::new("accept", "接受")),
    ("hold", Text::new("hold", "待审")),
    ("ignore", Text::new("ignore", "忽略")),
    ("adopt", Text::new("adopt", "认领")),
    ("block", Text::new("block", "封锁")),
    ("done", Text::new("done", "已完成")),
];

/// Each of an enum's, as the daemon writes it and as it is read.
fn each<T: Copy>(
    all: &[T],
    word: fn(T) -> &'static str,
    text: fn(T) -> Text,
) -> impl Iterator<Item = (&'static str, Text)> {
    all.iter().map(move |it| (word(*it), text(*it)))
}

/// Every word that the daemon writes but those of reasons; one of several kinds comes several times.
fn terms() -> impl Iterator<Item = (&'static str, Text)> {
    each(&OrderState::ALL, OrderState::as_str, OrderState::text)
        .chain(each(&PaymentState::ALL, PaymentState::as_str, PaymentState::text))
        .chain(each(&NoticeState::ALL, NoticeState::as_str, NoticeState::text))
        .chain(each(&Action::ALL, Action::as_str, Action::text))
        .chain(each(&CallbackOutcome::ALL, CallbackOutcome::as_str, CallbackOutcome::text))
        .chain(each(&ActResult::ALL, ActResult::as_str, ActResult::text))
        .chain(OTHERS)
}

/// A word of the daemon's in that language; an unknown one as it is.
#[must_use]
pub fn word(lang: Lang, word: &str) -> &str {
    let term = terms().find(|(known, _)| *known == word).map(|(_, text)| text);
    term.or_else(|| Reason::find(word).map(|reason| reason.row().text)).map_or(word, |text| text.say(lang))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_chinese_in_chinese_and_read_alike_wherever_it_stands() {
        let mut seen = std::collections::HashMap::new();
        for (word, text) in terms() {
            assert!(!text.en.is_empty() && !text.zh.is_ascii(), "{word}");
            assert_eq!(*seen.entry(word).or_insert(text), text, "{word}");
            if let Some(reason) = Reason::find(word) {
                assert_eq!(text, reason.row().text, "{word}");
            }
        }
        assert_eq!(terms().filter(|(word, _)| OTHERS.iter().any(|(other, _)| other == word)).count(), OTHERS.len());
        let read = |word| super::word(Lang::Zh, word);
        assert_eq!(
            ["held", "replayed", "adopted", "mark-paid"].map(read),
            ["待审", "此前已结算", "已认领", "标记已付款"]
        );
    }

    #[test]
    fn a_locale_says_whether_it_is_chinese() {
        assert_eq!([Lang::of_locale("zh_TW.UTF-8"), Lang::of_locale("C")], [Lang::Zh, Lang::En]);
    }
}
