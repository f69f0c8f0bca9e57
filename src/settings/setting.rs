//! The table's type: one row says everything about a setting — its name, how it is written, when it must be there, what
//! stands where it is left out, and what it is. What reads it, asks for it, documents it and knows its name walks rows.

use std::ops::RangeInclusive;
use std::str::FromStr;

use super::{Problem, Secret, Section};
use crate::domain::{Currency, Text};

/// How a setting is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A line of text.
    Line,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// This word and no other: it says what its section takes anyway.
    Only(&'static str),
    /// A number out of a console: letters and digits.
    Number,
    /// An address that is called, without a query.
    Address,
    /// Three capital letters.
    Currency,
    /// A whole number within a range.
    Whole(i64, i64),
    /// `true` or `false`.
    Flag,
    /// A list of such texts.
    List(&'static str),
    /// A list of tables.
    Tables,
    /// A line that nobody may see, and no header could carry with a line's end in it.
    Secret,
    /// Several of those, all of them good.
    Secrets,
    /// A private key: PEM or base64.
    PrivateKey,
    /// Public keys or certificates: PEM or base64.
    PublicFile,
}

impl Form {
    /// Whether nobody may see it: it stands in a file or a variable.
    #[must_use]
    pub const fn is_secret(self) -> bool {
        matches!(self, Self::Secret | Self::Secrets | Self::PrivateKey)
    }

    /// Whether it stands in a file of its own, which the section names.
    #[must_use]
    pub const fn is_filed(self) -> bool {
        self.is_secret() || matches!(self, Self::PublicFile)
    }
}

/// When a setting must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Always.
    Always,
    /// It may be left out.
    Optional,
    /// Where that setting has that word.
    When(&'static str, &'static str),
}

/// One setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Its name in the section. A secret stands in `<key>_file` or `<key>_env`, a public file in `<key>_file`.
    pub key: &'static str,
    /// How it is written.
    pub form: Form,
    /// When it must be there.
    pub need: Need,
    /// What it is and where it is found.
    pub help: Text,
    /// What stands where it is left out, as it would be written.
    pub default: Option<&'static str>,
    /// Whether who adds a section is asked for it.
    pub asked: bool,
    /// What is wrong with it shows only once that setting is there too.
    pub with: Option<&'static str>,
}

impl Setting {
    /// One that must be there, and is asked for.
    #[must_use]
    pub const fn needed(form: Form, key: &'static str, en: &'static str, zh: &'static str) -> Self {
        let help = Text::new(en, zh);
        Self { key, form, need: Need::Always, help, default: None, asked: true, with: None }
    }

    /// One that may be left out, and is not asked for.
    #[must_use]
    pub const fn optional(form: Form, key: &'static str, en: &'static str, zh: &'static str) -> Self {
        Self { need: Need::Optional, asked: false, ..Self::needed(form, key, en, zh) }
    }

    /// A choice that is asked for; its first word stands where it is left out.
    #[must_use]
    pub const fn choice(
        words: &'static [&'static str],
        key: &'static str,
        en: &'static str,
        zh: &'static str,
    ) -> Self {
        Self { asked: true, default: words.first().copied(), ..Self::optional(Form::Choice(words), key, en, zh) }
    }

    /// With what stands where it is left out.
    #[must_use]
    pub const fn or(self, default: &'static str) -> Self {
        Self { need: Need::Optional, default: Some(default), ..self }
    }

    /// Needed, and asked for, only where that setting has that word.
    #[must_use]
    pub const fn when(self, key: &'static str, word: &'static str) -> Self {
        Self { need: Need::When(key, word), ..self }
    }

    /// Judged together with that setting.
    #[must_use]
    pub const fn with(self, key: &'static str) -> Self {
        Self { with: Some(key), ..self }
    }

    /// Asked for although it may be left out.
    #[must_use]
    pub const fn asked(self) -> Self {
        Self { asked: true, ..self }
    }

    /// The names under which a section may have it.
    pub fn names(&self) -> impl Iterator<Item = String> {
        let file = self.form.is_filed().then(|| format!("{}_file", self.key));
        let env = self.form.is_secret().then(|| format!("{}_env", self.key));
        [Some(self.key.to_owned()), file, env].into_iter().flatten()
    }
}

/// Slices of rows, as a kind's own and those of every kind.
pub type Rows<'a> = &'a [&'a [&'static Setting]];

/// A section's settings as values, read by their rows. What is wrong is collected; nothing stops at the first.
pub struct Values<'a> {
    section: &'a Section,
    rows: Vec<&'static Setting>,
    problems: &'a mut Vec<Problem>,
}

impl Section {
    /// Its settings, as these rows tell of them.
    pub fn values<'a>(&'a self, rows: Rows<'_>, problems: &'a mut Vec<Problem>) -> Values<'a> {
        Values { section: self, rows: rows.concat(), problems }
    }
}

impl Values<'_> {
    fn known(&self, row: &Setting) {
        debug_assert!(self.rows.iter().any(|known| known.key == row.key), "{} is no row of this section", row.key);
    }

    /// Whether it must be there, as the section stands.
    fn is_needed(&mut self, row: &Setting) -> bool {
        match row.need {
            Need::Always => true,
            Need::Optional => false,
            Need::When(key, word) => {
                let default = self.rows.iter().find(|row| row.key == key).and_then(|row| row.default);
                // A value that is no text is told of where it is read.
                self.section.text(key, &mut Vec::new()).as_deref().or(default) == Some(word)
            }
        }
    }

    /// Says that it is missing, where it must be there.
    fn require<T>(&mut self, row: &Setting, value: Option<T>) -> Option<T> {
        if value.is_none() && self.is_needed(row) {
            let place = match row.form {
                _ if row.form.is_secret() => format!("{0}_file names a file with it (or {0}_env a variable): ", row.key),
                _ if row.form.is_filed() => format!("{}_file names a file with it: ", row.key),
                _ => String::new(),
            };
            self.section.require(row.key, &format!("{place}{}", row.help.en), self.problems);
        }
        value
    }

    /// Says that it is wrong.
    pub fn reject(&mut self, row: &Setting, message: impl Into<String>) {
        self.section.reject(row.key, message, self.problems);
    }

    /// Says that it could be better.
    pub fn warn(&mut self, row: &Setting, message: impl Into<String>) {
        self.section.warn(row.key, message, self.problems);
    }

    /// Whether it is there, under any of its names.
    #[must_use]
    pub fn has(&self, row: &Setting) -> bool {
        row.names().any(|name| self.section.has(&name))
    }

    /// A line, a number out of a console or an address: what stands there, or its default.
    pub fn text(&mut self, row: &Setting) -> Option<String> {
        self.known(row);
        let text = self.section.text(row.key, self.problems).or_else(|| row.default.map(str::to_owned));
        let text = self.require(row, text)?;
        match row.form {
            Form::Number => self.number(row, text),
            Form::Address => self.address(row, text),
            Form::Only(word) if text != word => {
                self.reject(row, format!("must be {word:?}"));
                None
            }
            _ => Some(text),
        }
    }

    fn number(&mut self, row: &Setting, text: String) -> Option<String> {
        if text.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Some(text);
        }
        self.reject(row, format!("must be letters and digits: {}", row.help.en));
        None
    }

    /// Without a slash at its end.
    fn address(&mut self, row: &Setting, url: String) -> Option<String> {
        if !(url.starts_with("https://") || url.starts_with("http://")) || url.contains(['?', '#', ' ']) {
            let message = "must begin with https:// (or http://) and have no query: https://host/, or https://host/path/";
            self.reject(row, message);
            return None;
        }
        if url.starts_with("http://") && !url.contains("//127.0.0.1") && !url.contains("//localhost") {
            self.warn(row, "is not https: what is sent there can be read and changed on the way");
        }
        Some(url.trim_end_matches('/').to_owned())
    }

    /// One of its words, or its first.
    pub fn choice(&mut self, row: &Setting) -> &'static str {
        self.known(row);
        let Form::Choice(words) = row.form else { return "" };
        let first = words.first().copied().unwrap_or_default();
        let Some(text) = self.section.text(row.key, self.problems) else { return row.default.unwrap_or(first) };
        words.iter().find(|word| **word == text).copied().unwrap_or_else(|| {
            let all: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
            self.reject(row, format!("must be {}", all.join(" or ")));
            first
        })
    }

    /// A whole number within its range, or its default.
    pub fn whole<T: TryFrom<i64>>(&mut self, row: &Setting) -> Option<T> {
        self.known(row);
        let Form::Whole(from, to) = row.form else { return None };
        let range: RangeInclusive<i64> = from..=to;
        let default = || T::try_from(row.default?.parse().ok()?).ok();
        self.section.whole(row.key, range, self.problems).or_else(default)
    }

    /// `true` or `false`; `None`: it is not said.
    pub fn flag(&mut self, row: &Setting) -> Option<bool> {
        self.known(row);
        self.section.flag(row.key, self.problems).or_else(|| row.default?.parse().ok())
    }

    /// A currency, or its default.
    pub fn currency(&mut self, row: &Setting) -> Currency {
        self.known(row);
        let default = || row.default.and_then(|word| word.parse().ok()).unwrap_or(Currency::CNY);
        self.section.parsed(row.key, "three capital letters", self.problems).unwrap_or_else(default)
    }

    /// A list of what can be read of texts.
    pub fn list<T: FromStr>(&mut self, row: &Setting) -> Vec<T> {
        self.known(row);
        let Form::List(wanted) = row.form else { return Vec::new() };
        self.section.parsed_list(row.key, wanted, self.problems)
    }

    /// Tables in it.
    pub fn tables(&mut self, row: &Setting) -> Vec<Section> {
        self.known(row);
        self.section.tables(row.key, self.problems)
    }

    /// A secret of one line.
    pub fn secret(&mut self, row: &Setting) -> Option<Secret> {
        self.known(row);
        let secret = self.section.token(row.key, self.problems);
        let secret = self.require(row, secret)?;
        // A line's end or a blank inside is a copying slip, and no header can carry it.
        if secret.reveal().bytes().any(|b| b.is_ascii_control()) {
            self.reject(row, "holds a line's end or another control character: it is one line");
            return None;
        }
        Some(secret)
    }

    /// Several secrets; none where there is none.
    pub fn secrets(&mut self, row: &Setting) -> Vec<Secret> {
        self.known(row);
        let secrets = self.section.secrets(row.key, self.problems);
        self.require(row, (!secrets.is_empty()).then_some(secrets)).unwrap_or_default()
    }

    /// A private key as text, for what understands it.
    pub fn private_text(&mut self, row: &Setting) -> Option<Secret> {
        self.known(row);
        let text = self.section.secret(row.key, self.problems);
        self.require(row, text)
    }

    /// Public keys or certificates as text, for what understands them.
    pub fn public_text(&mut self, row: &Setting) -> Option<String> {
        self.known(row);
        let text = self.section.public_text(row.key, self.problems);
        self.require(row, text)
    }

    /// Reports what is no setting of this section.
    pub fn finish(self) {
        let known: Vec<String> = self.rows.iter().flat_map(|row| row.names()).collect();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        self.section.finish(&known, self.problems);
    }
}
