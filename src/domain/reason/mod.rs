//! Why something went wrong, in one word: why a callback was refused, what an incident is about, how a callback is counted.
//!
//! All that is said of a reason stands in its row (`rows.rs`): its word on the wire, in logs and in files, how bad it is, where
//! the dashboard shows it, what it is and what to do in both languages. A word without a row is a newer daemon's, and is kept.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Lang, Text};

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Money or goods are at stake now.
    Alarm,
    /// Look at it soon.
    Warning,
}

/// Which tab of the dashboard shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShownIn {
    /// Failed callbacks and other incidents.
    Failed,
    /// What waits for a person.
    Review,
    /// Notices.
    Notices,
    /// Daemons and their Redis.
    Instances,
}

/// What is said of one reason.
#[derive(Debug)]
pub struct ReasonRow {
    /// Its word.
    pub word: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Where it is shown.
    pub tab: ShownIn,
    /// What it is, in the few words of a table.
    pub text: Text,
    /// What it means, and what to do.
    pub advice: Text,
    /// What an alarm asks behind its count; mostly empty.
    pub hint: Text,
}

/// Makes the reasons out of their rows, and of the first of them why a callback is refused.
macro_rules! reasons {
    (
        rejections { $(
            $refusal:ident $refusal_word:literal $refusal_severity:ident $refusal_tab:ident {
                en $refusal_en:literal => $refusal_do_en:literal;
                zh $refusal_zh:literal => $refusal_do_zh:literal;
                $(hint $refusal_hint_en:literal $refusal_hint_zh:literal;)?
            }
        )* }
        others { $(
            $other:ident $word:literal $severity:ident $tab:ident {
                en $en:literal => $do_en:literal;
                zh $zh:literal => $do_zh:literal;
                $(hint $hint_en:literal $hint_zh:literal;)?
            }
        )* }
    ) => {
        /// Why a callback was refused. Its word is what incidents, metrics and vectors say.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Rejection {
            $( #[doc = $refusal_do_en] $refusal, )*
        }

        impl Rejection {
            /// Every one.
            pub const ALL: &[Self] = &[$( Self::$refusal, )*];

            /// Its word.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$refusal => $refusal_word, )* }
            }
        }

        impl From<Rejection> for Reason {
            fn from(rejection: Rejection) -> Self {
                match rejection { $( Rejection::$refusal => Self::$refusal, )* }
            }
        }

        /// A reason: what an incident is about, why a callback was refused or is held, or how one is counted that was not read.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum Reason {
            $( #[doc = $refusal_do_en] $refusal, )*
            $( #[doc = $do_en] $other, )*
            /// A word of a newer daemon.
            Other(String),
        }

        impl Reason {
            /// Every one that has a row.
            pub const ALL: &[Self] = &[$( Self::$refusal, )* $( Self::$other, )*];

            /// What is said of it.
            #[must_use]
            pub const fn row(&self) -> &'static ReasonRow {
                match self {
                    $( Self::$refusal => const { &ReasonRow {
                        word: $refusal_word,
                        severity: Severity::$refusal_severity,
                        tab: ShownIn::$refusal_tab,
                        text: Text::new($refusal_en, $refusal_zh),
                        advice: Text::new($refusal_do_en, $refusal_do_zh),
                        hint: reasons!(hint $($refusal_hint_en $refusal_hint_zh)?),
                    } }, )*
                    $( Self::$other => const { &ReasonRow {
                        word: $word,
                        severity: Severity::$severity,
                        tab: ShownIn::$tab,
                        text: Text::new($en, $zh),
                        advice: Text::new($do_en, $do_zh),
                        hint: reasons!(hint $($hint_en $hint_zh)?),
                    } }, )*
                    Self::Other(_) => &OTHER,
                }
            }
        }
    };
    (hint) => { Text::new("", "") };
    (hint $en:literal $zh:literal) => { Text::new($en, $zh) };
}

mod rows;

pub use rows::{Reason, Rejection};

/// What is said of every word that has no row.
const OTHER: ReasonRow = ReasonRow {
    word: "other",
    severity: Severity::Alarm,
    tab: ShownIn::Failed,
    text: Text::new("another reason", "其他原因"),
    advice: Text::new("A newer kamid says it: update this one.", "较新的 kamid 所用的词:请更新此处的版本。"),
    hint: Text::new("", ""),
};

impl Reason {
    /// The reason of that word, if it has a row.
    #[must_use]
    pub fn find(word: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|reason| reason.row().word == word)
    }

    /// The reason of any word.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        Self::find(word).cloned().unwrap_or_else(|| Self::Other(word.to_owned()))
    }

    /// Its word, also where it has no row.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Other(word) => word,
            known => known.row().word,
        }
    }

    /// What it is in few words; where it has no row, its word.
    #[must_use]
    pub fn text(&self, lang: Lang) -> &str {
        match self {
            Self::Other(word) => word,
            known => known.row().text.say(lang),
        }
    }
}

/// No reason was given: the empty word.
impl Default for Reason {
    fn default() -> Self {
        Self::Other(String::new())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Reason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|word| Self::parse(&word))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};

    use super::*;

    /// What adding a reason takes: a row, and all that reads rows knows it.
    mod added {
        use super::super::{OTHER, ReasonRow, Severity, ShownIn};
        use crate::domain::Text;

        reasons! {
            rejections {
                MoonPhase "moon_phase" Warning Failed {
                    en "wrong moon" => "It was signed under another moon: wait.";
                    zh "月相不符" => "签名时月相不同:请等待。";
                    hint "; is it night?" ";是夜里吗?";
                }
            }
            others {
                TideHigh "tide_high" Alarm Instances {
                    en "high tide" => "The cellar is wet: carry Redis upstairs.";
                    zh "涨潮" => "地下室进水:请把 Redis 搬到楼上。";
                }
            }
        }
    }

    /// What is wrong with rows: a word that is none or stands twice, an empty text, Chinese that is not.
    fn faults<'a>(rows: impl Iterator<Item = &'a ReasonRow>) -> Vec<String> {
        let mut seen = HashSet::new();
        let mut found = Vec::new();
        for row in rows {
            let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            if row.word.is_empty() || !row.word.chars().all(is_word) || !seen.insert(row.word) {
                found.push(format!("{:?} is no word, or stands twice", row.word));
            }
            let hint = [row.hint].into_iter().filter(|hint| *hint != Text::new("", ""));
            for text in [row.text, row.advice].into_iter().chain(hint) {
                let chinese = text.zh.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
                if text.en.is_empty() || !chinese || text.en.chars().any(|c| ('\u{3000}'..='\u{9fff}').contains(&c)) {
                    found.push(format!("{}: {text:?} does not stand there in both languages", row.word));
                }
            }
        }
        found
    }

    #[test]
    fn every_reason_is_said_in_both_languages_under_a_word_of_its_own() {
        let rows = || Reason::ALL.iter().map(Reason::row).chain([&OTHER]);
        assert_eq!(faults(rows()), Vec::<String>::new());
        assert_eq!(faults(rows().take(1).chain(rows())).len(), 1, "a word that stands twice is found");
        let empty = ReasonRow { text: Text::new("no Chinese", "no Chinese"), advice: Text::new("", "无"), ..OTHER };
        assert_eq!(faults([&empty].into_iter()).len(), 2);
        for rejection in Rejection::ALL {
            assert_eq!(Reason::from(*rejection).as_str(), rejection.as_str());
        }
    }

    /// Commands that have others below them, and those that have none.
    const GROUPS: [&str; 12] = [
        "address", "channel", "clock", "config", "incident", "keys", "notice", "order", "orphan", "product", "store",
        "token",
    ];
    const ALONE: [&str; 5] = ["audit", "hammer", "serve", "top", "trail"];

    /// What both languages write with the same letters: commands and their flags, settings, words with `_`, files, numbers.
    fn same_letters(text: &str) -> BTreeSet<String> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
        let words =
            text.split(|c| !is_part(c)).map(|word| word.trim_end_matches(['.', '/', '-'])).filter(|w| !w.is_empty());
        let words: Vec<&str> = words.collect();
        let technical = |word: &&&str| {
            word.starts_with("--") || word.contains(|c: char| c.is_ascii_digit() || matches!(c, '_' | '.' | '/'))
        };
        let mut found: BTreeSet<String> = words.iter().filter(technical).map(|word| (*word).to_owned()).collect();
        for (at, _) in words.iter().enumerate().filter(|(_, word)| **word == "kamid") {
            match (words.get(at + 1), words.get(at + 2)) {
                (Some(group), Some(command)) if GROUPS.contains(group) => found.insert(format!("{group} {command}")),
                (Some(command), _) if ALONE.contains(command) => found.insert((*command).to_owned()),
                _ => false,
            };
        }
        found
    }

    #[test]
    fn both_languages_name_the_same_commands_settings_files_and_numbers() {
        for row in Reason::ALL.iter().map(Reason::row).chain([&OTHER]) {
            for Text { en, zh } in [row.text, row.advice, row.hint] {
                assert_eq!(same_letters(en), same_letters(zh), "{}: in English, in Chinese", row.word);
            }
        }
        let found = same_letters(
            "运行 kamid audit 与 kamid order query ID --open(limits.headers):kamid 回答 503,见 docs/a.md。",
        );
        assert_eq!(
            found.iter().map(String::as_str).collect::<Vec<_>>(),
            ["--open", "503", "audit", "docs/a.md", "limits.headers", "order query"]
        );
    }

    #[test]
    fn a_word_is_written_and_read_as_it_is_and_one_without_a_row_is_kept() {
        for reason in Reason::ALL {
            let text = serde_json::to_string(reason).unwrap();
            assert_eq!(text, format!("\"{}\"", reason.row().word));
            assert_eq!(serde_json::from_str::<Reason>(&text).unwrap(), *reason);
        }
        let newer: Reason = serde_json::from_str("\"sun_spots\"").unwrap();
        assert_eq!(newer, Reason::Other("sun_spots".to_owned()));
        assert_eq!(
            (serde_json::to_string(&newer).unwrap().as_str(), newer.text(Lang::Zh)),
            ("\"sun_spots\"", "sun_spots")
        );
        assert_eq!((newer.row().severity, newer.row().tab), (Severity::Alarm, ShownIn::Failed));
    }

    #[test]
    fn adding_a_reason_is_a_row() {
        assert_eq!(faults(added::Reason::ALL.iter().map(added::Reason::row)), Vec::<String>::new());
        let refused: added::Reason = added::Rejection::ALL[0].into();
        assert_eq!((refused.row().word, added::Rejection::MoonPhase.as_str()), ("moon_phase", "moon_phase"));
        assert_eq!(refused.row().hint.en, "; is it night?");
        let tide = added::Reason::TideHigh;
        assert_eq!((tide.row().text.say(Lang::Zh), tide.row().hint.zh), ("涨潮", ""));
        assert_eq!(added::Reason::Other(String::new()).row().word, OTHER.word);
    }
}
