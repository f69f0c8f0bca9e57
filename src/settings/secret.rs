//! The one reader of secrets: out of a file, the environment or the settings themselves, without what nobody sees at their
//! edges.

use std::os::unix::fs::MetadataExt as _;

use super::{EMPTY, Problem, Secret, Section, Value, unreadable};
use crate::domain::text::{bare, is_invisible};

/// Quotation marks, as they stand in pairs around a text.
const QUOTES: [(char, char); 6] =
    [('"', '"'), ('\'', '\''), ('`', '`'), ('\u{201c}', '\u{201d}'), ('\u{2018}', '\u{2019}'), ('\u{ab}', '\u{bb}')];

/// What in a secret's text is hardly part of it, in words.
fn flaw(text: &str) -> Option<String> {
    let quoted =
        |(open, close): &(char, char)| text.chars().count() >= 2 && text.starts_with(*open) && text.ends_with(*close);
    if QUOTES.iter().any(quoted) {
        return Some("stands in quotation marks, which are no part of it: take them off".to_owned());
    }
    let hidden = text.chars().find(|c| is_invisible(*c))?;
    Some(format!(
        "holds a character that is not seen (U+{:04X}) in the middle: copy it once more, from its source",
        u32::from(hidden)
    ))
}

/// The text of a file with a secret.
fn read(path: &std::path::Path) -> Result<String, String> {
    let bytes = std::fs::read(path).map_err(|error| unreadable(&error))?;
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err("names a file in UTF-16, as some editors write it: save it as UTF-8".to_owned());
    }
    let no_text = |_| unreadable(&std::io::Error::from(std::io::ErrorKind::InvalidData));
    String::from_utf8(bytes).map_err(no_text)
}

impl Section {
    /// A secret called `key`, out of `<key>_file`, the environment variable that `<key>_env` names, or, with a warning,
    /// the settings themselves. What is not seen at its edges is no part of it.
    pub fn secret(&self, key: &str, problems: &mut Vec<Problem>) -> Option<Secret> {
        let (place, raw) = self.raw(key, problems)?;
        let secret = self.bare_secret(&place, &raw, problems)?;
        if let Some(flaw) = flaw(secret.reveal()) {
            self.warn(&place, flaw, problems);
        }
        Some(secret)
    }

    /// A secret as [`Section::secret`] reads it, which a program made up: it has no quotation marks around it, and nothing
    /// that is not seen inside.
    pub fn token(&self, key: &str, problems: &mut Vec<Problem>) -> Option<Secret> {
        let (place, raw) = self.raw(key, problems)?;
        let secret = self.bare_secret(&place, &raw, problems)?;
        if let Some(flaw) = flaw(secret.reveal()) {
            self.reject(&place, flaw, problems);
            return None;
        }
        Some(secret)
    }

    /// Secrets called `key`, all of them good, as while one is exchanged for another: a list in the settings, or what
    /// [`Section::secret`] reads, one on each line.
    pub fn secrets(&self, key: &str, problems: &mut Vec<Problem>) -> Vec<Secret> {
        let elsewhere = self.has(&format!("{key}_file")) || self.has(&format!("{key}_env"));
        let items = match self.find(key).map(|entry| &entry.value) {
            Some(Value::List(items)) if !elsewhere => items,
            _ => {
                let whole = self.token(key, problems);
                let lines = whole.iter().flat_map(|whole| whole.reveal().lines());
                return lines
                    .map(bare)
                    .filter(|line| !line.is_empty())
                    .map(|line| Secret::new(line.to_owned()))
                    .collect();
            }
        };
        self.warn_of_inline(key, problems);
        let text = |item: &Value| match item {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        };
        let Some(secrets) = items.iter().map(text).collect::<Option<Vec<_>>>() else {
            return self.wrong(key, "a list of texts in quotes", problems).unwrap_or_default();
        };
        let all: Option<Vec<Secret>> = secrets.iter().map(|secret| self.bare_secret(key, secret, problems)).collect();
        all.unwrap_or_default()
    }

    /// The text of a secret as it stands, and the setting that led to it.
    fn raw(&self, key: &str, problems: &mut Vec<Problem>) -> Option<(String, Secret)> {
        let (file, env) = (format!("{key}_file"), format!("{key}_env"));
        if let Some(path) = self.text(&file, problems) {
            let whole = self.base.join(&path);
            if std::fs::metadata(&whole).is_ok_and(|meta| meta.mode() & 0o077 != 0) {
                self.warn(&file, format!("others on this machine can read {path}: chmod 600 {path}"), problems);
            }
            let read = read(&whole).map_err(|why| self.reject(&file, why, problems)).ok()?;
            // Every editor ends a file with a line's end: that is not worth a word.
            return Some((file, Secret::new(read.trim_end_matches(['\r', '\n']).to_owned())));
        }
        if let Some(name) = self.text(&env, problems) {
            return match std::env::var(&name) {
                Ok(text) => Some((env, Secret::new(text))),
                Err(_) => self.wrong(&env, &format!("the name of a variable that is set ({name} is not)"), problems),
            };
        }
        match self.find(key).map(|entry| &entry.value)? {
            Value::Text(text) => {
                self.warn_of_inline(key, problems);
                Some((key.to_owned(), text.clone()))
            }
            _ => self.wrong(key, "a text in quotes", problems),
        }
    }

    /// A secret without its edges; one of which nothing is left is told.
    fn bare_secret(&self, place: &str, raw: &Secret, problems: &mut Vec<Problem>) -> Option<Secret> {
        let text = bare(raw.reveal());
        if text.is_empty() {
            let root = place.strip_suffix("_file").or_else(|| place.strip_suffix("_env")).unwrap_or(place);
            self.reject(root, EMPTY, problems);
            return None;
        }
        if text.len() != raw.reveal().len() {
            let message = "has blanks or characters that are not seen (such as a byte-order mark) at its edges: they are left out";
            self.warn(place, message, problems);
        }
        Some(Secret::new(text.to_owned()))
    }
}
