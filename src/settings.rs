//! Settings as text becomes values: one reader for `config.toml`, for a channel's section and for a capture's `config`.
//!
//! Every problem is collected with its path and line instead of stopping at the first; a setting that nobody read is
//! one too. A secret's text never enters a problem.

mod secret;
mod setting;
mod values;
mod word;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

pub use setting::{Form, Setting};
pub use values::{Rows, Values};
pub use word::is_url;

/// Said of a secret without a text.
const EMPTY: &str = "is empty: anybody could sign with an empty secret";

/// One thing wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ConfigProblem {
    /// Where: `channel.alipay.key_file`.
    pub path: String,
    /// Line in the file, from 1, where there is one.
    pub line: Option<usize>,
    /// What, and what to do.
    pub message: String,
    /// Whether the daemon can run all the same.
    pub warning: bool,
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.warning { "warning: " } else { "" };
        match self.line {
            Some(line) => write!(f, "line {line}: {kind}{}: {}", self.path, self.message),
            None => write!(f, "{kind}{}: {}", self.path, self.message),
        }
    }
}

/// A text that must not be shown: a key, a password.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a text as a secret.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself, for the one place that needs it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[derive(Debug, Clone)]
enum Value {
    Text(Secret),
    Whole(i64),
    Flag(bool),
    List(Vec<Value>),
    Section(Section),
    Other,
}

#[derive(Debug, Clone)]
struct Entry {
    value: Value,
    line: Option<usize>,
    read: Cell<bool>,
}

/// A table of settings, which remembers what was read of it.
#[derive(Debug, Clone, Default)]
pub struct Section {
    path: String,
    entries: BTreeMap<String, Entry>,
    fallback: Option<Box<Section>>,
    base: PathBuf,
}

impl Section {
    /// Reads TOML; syntax errors become problems and what could be read is kept. Files named inside are relative to `base`.
    #[must_use]
    pub fn from_toml(text: &str, base: &Path, problems: &mut Vec<ConfigProblem>) -> Self {
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            problems.push(ConfigProblem {
                path: "config".to_owned(),
                line: error.span().map(|span| line_of(text, span.start)),
                message: format!("not TOML: {}", error.message()),
                warning: false,
            });
        }
        from_table(table.get_ref(), text, String::new(), base)
    }

    /// Takes a JSON object, as captures have it.
    #[must_use]
    pub fn from_json(path: &str, object: &serde_json::Map<String, serde_json::Value>) -> Self {
        let entry = |(key, value): (&String, &serde_json::Value)| {
            let below = format!("{path}.{key}");
            (key.clone(), Entry { value: from_json(&below, value), line: None, read: Cell::new(false) })
        };
        let entries = object.iter().map(entry).collect();
        Self { path: path.to_owned(), entries, ..Self::default() }
    }

    /// This section, with `defaults` for what it does not say.
    #[must_use]
    pub fn with_defaults(mut self, defaults: Section) -> Self {
        self.fallback = Some(Box::new(defaults));
        self
    }

    fn find(&self, key: &str) -> Option<&Entry> {
        let found = self.entries.get(key);
        if let Some(entry) = found {
            entry.read.set(true);
        }
        found.or_else(|| self.fallback.as_ref()?.find(key))
    }

    fn problem(&self, key: &str, message: impl Into<String>) -> ConfigProblem {
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        let line = self.entries.get(key).and_then(|entry| entry.line);
        ConfigProblem { path, line, message: message.into(), warning: false }
    }

    /// Says that setting `key` is wrong.
    pub fn reject(&self, key: &str, message: impl Into<String>, problems: &mut Vec<ConfigProblem>) {
        problems.push(self.problem(key, message));
    }

    /// Says that setting `key` could be better.
    pub fn warn(&self, key: &str, message: impl Into<String>, problems: &mut Vec<ConfigProblem>) {
        problems.push(ConfigProblem { warning: true, ..self.problem(key, message) });
    }

    /// Takes back what could be better about `key`.
    pub fn unwarn(&self, key: &str, problems: &mut Vec<ConfigProblem>) {
        let path = self.problem(key, "").path;
        problems.retain(|problem| !(problem.warning && problem.path == path));
    }

    /// Says that setting `key` is missing, unless something is wrong with it already.
    pub fn require(&self, key: &str, why: &str, problems: &mut Vec<ConfigProblem>) {
        let missing = self.problem(key, format!("is missing: {why}"));
        let known = |problem: &ConfigProblem| {
            !problem.warning
                && problem.path.strip_prefix(&missing.path).is_some_and(|rest| matches!(rest, "" | "_file" | "_env"))
        };
        if !problems.iter().any(known) {
            problems.push(missing);
        }
    }

    /// Whether the setting is there.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.find(key).is_some()
    }

    /// A text for people to read, or a path, as it stands; empty counts as absent. What a program reads is [`Section::text`].
    pub fn prose(&self, key: &str, problems: &mut Vec<ConfigProblem>) -> Option<String> {
        match &self.find(key)?.value {
            Value::Text(text) if text.reveal().is_empty() => None,
            Value::Text(text) => Some(text.reveal().to_owned()),
            _ => self.wrong(key, "a text in quotes", problems),
        }
    }

    fn wrong<T>(&self, key: &str, wanted: &str, problems: &mut Vec<ConfigProblem>) -> Option<T> {
        problems.push(self.problem(key, format!("must be {wanted}")));
        None
    }

    /// A text of some form, such as an address.
    pub fn parsed<T>(&self, key: &str, wanted: &str, problems: &mut Vec<ConfigProblem>) -> Option<T>
    where
        T: std::str::FromStr,
    {
        let text = self.edged(key, &self.prose(key, problems)?, problems)?;
        if let Ok(value) = text.parse() {
            return Some(value);
        }
        self.visible(key, &text, problems)?;
        self.wrong(key, wanted, problems)
    }

    /// A list of texts of some form.
    pub fn parsed_list<T>(&self, key: &str, wanted: &str, problems: &mut Vec<ConfigProblem>) -> Vec<T>
    where
        T: std::str::FromStr,
    {
        let Some(Entry { value: Value::List(items), .. }) = self.find(key) else {
            if self.has(key) {
                self.wrong::<()>(key, "a list", problems);
            }
            return Vec::new();
        };
        let mut read = |item: &Value| {
            let Value::Text(text) = item else { return self.wrong(key, wanted, problems) };
            let text = self.edged(key, text.reveal(), problems)?;
            let parsed = self.visible(key, &text, problems)?.parse().ok();
            parsed.or_else(|| self.wrong(key, wanted, problems))
        };
        items.iter().filter_map(&mut read).collect()
    }

    /// A whole number within a range.
    pub fn whole<T: TryFrom<i64>>(
        &self,
        key: &str,
        range: RangeInclusive<i64>,
        problems: &mut Vec<ConfigProblem>,
    ) -> Option<T> {
        let wanted = format!("a whole number from {} to {}", range.start(), range.end());
        match self.find(key)?.value {
            Value::Whole(number) if range.contains(&number) => number.try_into().ok(),
            _ => self.wrong(key, &wanted, problems),
        }
    }

    /// `true` or `false`.
    pub fn flag(&self, key: &str, problems: &mut Vec<ConfigProblem>) -> Option<bool> {
        match self.find(key)?.value {
            Value::Flag(flag) => Some(flag),
            _ => self.wrong(key, "true or false", problems),
        }
    }

    fn warn_of_inline(&self, key: &str, problems: &mut Vec<ConfigProblem>) {
        if self.entries.get(key).is_some_and(|entry| entry.line.is_some()) {
            let message = format!("a secret in the configuration is read by whoever reads the file: prefer {key}_file");
            problems.push(ConfigProblem { warning: true, ..self.problem(key, message) });
        }
    }

    /// A text that is no secret: setting `key`, or the file that `<key>_file` names.
    pub fn public_text(&self, key: &str, problems: &mut Vec<ConfigProblem>) -> Option<String> {
        let file = format!("{key}_file");
        if self.has(&file) { self.file(&file, 1 << 20, problems) } else { self.prose(key, problems) }
    }

    /// The text of the file that setting `key` names, at most so many bytes; for what is no secret.
    pub fn file(&self, key: &str, most: u64, problems: &mut Vec<ConfigProblem>) -> Option<String> {
        let whole = self.base.join(self.prose(key, problems)?);
        let read = match std::fs::metadata(&whole) {
            Ok(meta) if meta.len() > most => Err(format!("names a file that is longer than {most} bytes")),
            _ => std::fs::read_to_string(&whole).map_err(|error| unreadable(&error)),
        };
        read.map_err(|why| self.reject(key, why, problems)).ok()
    }

    /// A table inside; empty where absent.
    pub fn section(&self, key: &str, problems: &mut Vec<ConfigProblem>) -> Section {
        match self.find(key).map(|entry| &entry.value) {
            Some(Value::Section(section)) => section.clone(),
            None => Section { path: key.to_owned(), base: self.base.clone(), ..Self::default() },
            Some(_) => self.wrong(key, "a table", problems).unwrap_or_default(),
        }
    }

    /// A list of tables.
    pub fn tables(&self, key: &str, problems: &mut Vec<ConfigProblem>) -> Vec<Section> {
        let items = match self.find(key).map(|entry| &entry.value) {
            Some(Value::List(items)) => items.as_slice(),
            None => return Vec::new(),
            Some(_) => return self.wrong(key, "a list of tables", problems).unwrap_or_default(),
        };
        let table = |item: &Value| match item {
            Value::Section(section) => Some(section.clone()),
            _ => None,
        };
        let tables: Option<Vec<Section>> = items.iter().map(table).collect();
        tables.or_else(|| self.wrong(key, "a list of tables", problems)).unwrap_or_default()
    }

    /// The names and tables inside.
    pub fn sections(&self, problems: &mut Vec<ConfigProblem>) -> Vec<(String, Section)> {
        let keys: Vec<String> = self.entries.keys().cloned().collect();
        keys.into_iter()
            .map(|key| {
                let section = self.section(&key, problems);
                (key, section)
            })
            .collect()
    }

    /// Reports what nobody read, with the known name that looks most like it.
    pub fn finish(&self, known: &[&str], problems: &mut Vec<ConfigProblem>) {
        for (key, entry) in &self.entries {
            if entry.read.get() {
                continue;
            }
            if known.contains(&key.as_str()) {
                // It is said one way only, and another setting says it already.
                let other = known.iter().find(|name| {
                    let root = |name: &str| name.trim_end_matches("_file").trim_end_matches("_env").to_owned();
                    **name != key && self.entries.get(**name).is_some_and(|it| it.read.get()) && root(name) == root(key)
                });
                let beside = other.map_or_else(|| "another setting".to_owned(), |name| (*name).to_owned());
                problems.push(self.problem(key, format!("is not used beside {beside}: leave one of them out")));
                continue;
            }
            let near = known.iter().find(|name| alike(name, key));
            let hint = near
                .map_or_else(|| format!("known here: {}", known.join(", ")), |name| format!("did you mean {name}?"));
            problems.push(self.problem(key, format!("is not a setting; {hint}")));
        }
    }
}

/// Why a file that a setting names cannot be read. The name is not shown: what stands there may be the secret itself.
pub fn unreadable(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::InvalidFilename => {
            "names no file that is there: give the path of a file, not the text that belongs into it".to_owned()
        }
        std::io::ErrorKind::InvalidData => {
            "names a file that is no text: turn a .pfx, .p12 or .der into PEM with openssl first".to_owned()
        }
        _ => format!("names a file that cannot be read ({error})"),
    }
}

fn from_table(table: &DeTable<'_>, text: &str, path: String, base: &Path) -> Section {
    let entries = table
        .iter()
        .map(|(key, value)| {
            let name = key.get_ref().to_string();
            let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let line = Some(line_of(text, key.span().start));
            (name, Entry { value: from_value(value.get_ref(), text, below, base), line, read: Cell::new(false) })
        })
        .collect();
    Section { path, entries, fallback: None, base: base.to_owned() }
}

fn from_json(path: &str, value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::String(text) => Value::Text(Secret::new(text.clone())),
        serde_json::Value::Number(number) => number.as_i64().map_or(Value::Other, Value::Whole),
        serde_json::Value::Bool(flag) => Value::Flag(*flag),
        serde_json::Value::Array(items) => Value::List(items.iter().map(|item| from_json(path, item)).collect()),
        serde_json::Value::Object(object) => Value::Section(Section::from_json(path, object)),
        serde_json::Value::Null => Value::Other,
    }
}

fn from_value(value: &DeValue<'_>, text: &str, path: String, base: &Path) -> Value {
    match value {
        DeValue::String(string) => Value::Text(Secret::new(string.to_string())),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).map_or(Value::Other, Value::Whole)
        }
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Array(items) => {
            Value::List(items.iter().map(|item| from_value(item.get_ref(), text, path.clone(), base)).collect())
        }
        DeValue::Table(table) => Value::Section(from_table(table, text, path, base)),
        DeValue::Float(_) | DeValue::Datetime(_) => Value::Other,
    }
}

fn line_of(text: &str, byte: usize) -> usize {
    text.bytes().take(byte).filter(|b| *b == b'\n').count() + 1
}

/// Whether two names differ by a slip: one letter more, less or other, two that changed places, or only by `-` and `_`.
fn alike(known: &str, given: &str) -> bool {
    known.replace('_', "") == given.replace(['-', '_'], "") || strsim::damerau_levenshtein(known, given) <= 1
}
