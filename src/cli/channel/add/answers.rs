//! What was answered so far, as a section and as what is wrong with it.

use std::path::Path;

use serde_json::{Map, json};

use super::words;
use crate::channel::{Channels, Kind};
use crate::domain::Lang;
use crate::domain::text::bare;
use crate::process;
use crate::settings::{ConfigProblem, Form, Secret, Section, Setting, unreadable};

/// Longest file with a secret or a key.
const FILE_BYTES: u64 = 1 << 20;

/// One answer.
#[derive(Debug, Clone)]
pub enum GivenAnswer {
    /// It stands in the section.
    Value(toml::Value),
    /// It stands in a file of its own, which the section names.
    Filed(Secret),
}

impl GivenAnswer {
    /// A secret as it was typed or pasted, without what is not seen at its edges.
    pub fn secret(text: &str) -> Self {
        Self::Filed(Secret::new(bare(text).to_owned()))
    }

    /// The text of a file, as [`GivenAnswer::Filed`].
    ///
    /// # Errors
    /// Why it cannot be read, in words.
    pub fn file(path: &str) -> Result<Self, String> {
        let home = path.strip_prefix("~/").and_then(|rest| Some(dirs::home_dir()?.join(rest)));
        let whole = home.unwrap_or_else(|| Path::new(path).to_owned());
        // What was typed may be the key itself: it is not shown.
        let text = match std::fs::metadata(&whole) {
            Ok(meta) if meta.len() > FILE_BYTES => Err(format!("the file is longer than {FILE_BYTES} bytes")),
            _ => std::fs::read_to_string(&whole).map_err(|error| unreadable(&error)),
        }?;
        Ok(Self::secret(&text))
    }
}

/// A channel to be.
pub struct Answers {
    pub name: String,
    pub kind: &'static Kind,
    given: Vec<(String, GivenAnswer)>,
}

impl Answers {
    pub fn new(name: &str, kind: &'static Kind) -> Self {
        Self { name: name.to_owned(), kind, given: Vec::new() }
    }

    pub fn give(&mut self, key: &str, given: GivenAnswer) {
        self.forget(key);
        self.given.push((key.to_owned(), given));
    }

    pub fn forget(&mut self, key: &str) {
        self.given.retain(|(known, _)| known != key);
    }

    /// Whether it is answered, or said to be elsewhere.
    pub fn has(&self, key: &str) -> bool {
        self.given.iter().any(|(known, _)| known.strip_prefix(key).is_some_and(|rest| matches!(rest, "" | "_env")))
    }

    /// Whether the answers so far need this setting.
    pub fn wants(&self, row: &Setting) -> bool {
        let is = |key: &str, word: &str| {
            let fits = |(known, given): &(String, GivenAnswer)| {
                known == key && matches!(given, GivenAnswer::Value(value) if value.as_str() == Some(word))
            };
            self.given.iter().any(fits)
        };
        row.when.is_none_or(|(key, word)| is(key, word))
    }

    /// The file, beside the configuration, that a setting stands in.
    fn file_of(&self, key: &str) -> String {
        format!("{}.{key}", self.name)
    }

    /// Every file with its text.
    pub fn files(&self) -> impl Iterator<Item = (String, &Secret)> {
        self.given.iter().filter_map(|(key, given)| match given {
            GivenAnswer::Filed(secret) => Some((self.file_of(key), secret)),
            GivenAnswer::Value(_) => None,
        })
    }

    /// In the order in which they are asked; what is not asked comes last.
    fn sorted(&self) -> Vec<&(String, GivenAnswer)> {
        let rows = self.kind.settings;
        let place = |key: &str| rows.iter().position(|row| row.asked && row.key == key).unwrap_or(rows.len());
        let mut sorted: Vec<_> = self.given.iter().collect();
        sorted.sort_by_key(|(key, _)| place(key));
        sorted
    }

    /// The section as it is written.
    pub fn toml(&self) -> String {
        let text = |text: &str| toml::Value::String(text.to_owned());
        let mut lines = vec![format!("[channel.{}]", self.name), format!("kind = {}", text(self.kind.name))];
        for (key, given) in self.sorted() {
            lines.push(match given {
                GivenAnswer::Value(value) => format!("{key} = {value}"),
                GivenAnswer::Filed(_) => format!("{key}_file = {}", text(&self.file_of(key))),
            });
        }
        lines.join("\n") + "\n"
    }

    /// The section as a channel is built of it, with what its files will hold.
    pub fn section(&self) -> Section {
        let value = |given: &GivenAnswer| match given {
            GivenAnswer::Value(value) => json!(value),
            GivenAnswer::Filed(secret) => json!(secret.reveal()),
        };
        let mut fields: Map<_, _> = self.given.iter().map(|(key, given)| (key.clone(), value(given))).collect();
        fields.insert("kind".to_owned(), json!(self.kind.name));
        Section::from_json(&format!("channel.{}", self.name), &fields)
    }

    /// What is wrong, or could be better, with what was answered so far.
    pub fn problems(&self) -> Vec<ConfigProblem> {
        let built = Channels::build(&[(self.name.clone(), self.section())], true, process::now());
        built.map_or_else(|problems| problems, |channels| channels.warnings)
    }

    /// Which answer a problem is about: one that is wrong, not one that is still to come.
    pub fn blamed(&self, problem: &ConfigProblem) -> Option<&'static Setting> {
        let key = problem.path.strip_prefix(&format!("channel.{}.", self.name))?;
        let is = |row: &&Setting| key.strip_prefix(row.key).is_some_and(|rest| matches!(rest, "" | "_file" | "_env"));
        let row = asked(self.kind).find(is)?;
        (self.has(row.key) && row.with.is_none_or(|other| self.has(other))).then_some(row)
    }

    /// A problem as whoever answers reads it: where, and what is wrong.
    pub fn sentence(&self, problem: &ConfigProblem, lang: Lang) -> String {
        format!("{}: {}", problem.path, words::said(self.blamed(problem), &problem.message, lang))
    }

    /// Whether a problem is about a setting that nobody asks for.
    pub fn is_unasked(&self, problem: &ConfigProblem) -> bool {
        let key = problem.path.strip_prefix(&format!("channel.{}.", self.name)).unwrap_or_default();
        self.given.iter().any(|(given, _)| given == key) && !asked(self.kind).any(|row| row.key == key)
    }
}

/// The settings that a kind asks for.
pub fn asked(kind: &Kind) -> impl Iterator<Item = &'static Setting> {
    kind.settings.iter().copied().filter(|row| row.asked)
}

/// What a text answers to a question; `None`: it is left out.
///
/// # Errors
/// It answers nothing: why, and what would.
pub fn read(row: &Setting, text: &str) -> Result<Option<GivenAnswer>, String> {
    let text = if text.is_empty() { row.default.unwrap_or_default() } else { text };
    if text.is_empty() {
        return Ok(None);
    }
    match row.form {
        Form::Choice(words) if !words.contains(&text) => Err(words.join(" ")),
        form if form.is_file() => GivenAnswer::file(text).map(Some),
        form if form.is_secret() => Ok(Some(GivenAnswer::secret(text))),
        _ => Ok(Some(GivenAnswer::Value(text.into()))),
    }
}
