//! The one reader of secrets: out of a file, the environment or the settings themselves, without what nobody sees at their
//! edges.

use std::os::unix::fs::MetadataExt as _;

use super::{ConfigProblem, EMPTY, Secret, Section, Value, unreadable};
use crate::domain::text::{bare, is_hidden};

/// Quotation marks, as they stand in pairs around a text.
const QUOTES: [(char, char); 8] = [
    ('"', '"'),
    ('\'', '\''),
    ('`', '`'),
    ('\u{201c}', '\u{201d}'),
    ('\u{2018}', '\u{2019}'),
    ('\u{ab}', '\u{bb}'),
    ('\u{300c}', '\u{300d}'),
    ('\u{300e}', '\u{300f}'),
];
/// What stands in an example where the secret belongs, in lower case.
const STANDS_FOR: [&str; 6] = ["changeme", "change_me", "your_key", "your-key", "yourkey", "xxxxxxxx"];

/// What a key is called where it is copied from, in lower case and without what parts its words.
const NAMES: [&str; 10] = ["key", "secret", "token", "password", "passwd", "pwd", "密钥", "密码", "秘钥", "口令"];

/// What in a secret's text is hardly part of it, in words.
fn flaw(text: &str) -> Option<String> {
    // Behind what is copied out of a program stands what ends its line.
    let inner = text.trim_end_matches([',', ';', '，', '；', ' ']);
    let closed =
        QUOTES.iter().find(|(open, close)| inner.strip_suffix(*close).is_some_and(|rest| rest.contains(*open)));
    if let Some((open, _)) = closed {
        let message = if inner.starts_with(*open) && inner.matches(*open).count() <= 2 {
            "stands in quotation marks, which are no part of it: take them off"
        } else {
            "looks like a line of a program or of JSON: it is what stands between the last quotation marks alone"
        };
        return Some(message.to_owned());
    }
    let masked = |c: char| matches!(c, '*' | '\u{2022}' | '\u{25cf}');
    let example = inner.starts_with('<') && inner.ends_with('>') || STANDS_FOR.contains(&inner.to_lowercase().as_str());
    if example || inner.chars().all(masked) {
        return Some("only stands for the secret: put the secret itself there".to_owned());
    }
    // A line's end is found by whoever reads one line.
    let hidden = text.chars().find(|c| is_hidden(*c) && !c.is_control())?;
    Some(format!(
        "holds a character that is not seen (U+{:04X}) in the middle: copy it once more, from its source",
        u32::from(hidden)
    ))
}

/// Whether a text begins with what a secret is called, as whole lines of a file or a console are copied: `KEY=…`, `密钥：…`.
fn is_named(text: &str) -> bool {
    let Some((name, value)) = text.split_once(['=', ':', '＝', '：']).or_else(|| text.rsplit_once(' ')) else {
        return false;
    };
    let fits = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '_' | '-' | '.');
    let name = name.trim().to_lowercase();
    let called = name.chars().count() <= 40 && name.chars().all(fits) && NAMES.iter().any(|end| name.ends_with(end));
    // Behind the name is the secret: more than what pads base64 or parts a URL.
    called && value.chars().filter(|c| c.is_alphanumeric()).count() >= 4 && !value.starts_with("//")
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
    pub fn secret(&self, key: &str, problems: &mut Vec<ConfigProblem>) -> Option<Secret> {
        let (place, raw) = self.raw(key, problems)?;
        let secret = self.bare_secret(&place, raw.reveal(), problems)?;
        if let Some(flaw) = flaw(secret.reveal()) {
            self.warn(&place, flaw, problems);
        }
        Some(secret)
    }

    /// A secret as [`Section::secret`] reads it, which a program made up: it has no quotation marks around it, and nothing
    /// that is not seen inside.
    pub fn token(&self, key: &str, problems: &mut Vec<ConfigProblem>) -> Option<Secret> {
        let (place, raw) = self.raw(key, problems)?;
        self.made_up(&place, raw.reveal(), problems)
    }

    fn made_up(&self, place: &str, raw: &str, problems: &mut Vec<ConfigProblem>) -> Option<Secret> {
        let secret = self.bare_secret(place, raw, problems)?;
        if let Some(flaw) = flaw(secret.reveal()) {
            self.reject(place, flaw, problems);
            return None;
        }
        Some(secret)
    }

    /// Secrets called `key`, all of them good, as while one is exchanged for another: a list in the settings, or what
    /// [`Section::secret`] reads, one on each line.
    pub fn secrets(&self, key: &str, problems: &mut Vec<ConfigProblem>) -> Vec<Secret> {
        let elsewhere = self.has(&format!("{key}_file")) || self.has(&format!("{key}_env"));
        let items = match self.find(key).map(|entry| &entry.value) {
            Some(Value::List(items)) if !elsewhere => items,
            _ => {
                let Some((place, raw)) = self.raw(key, problems) else { return Vec::new() };
                // Each line has edges of its own: what was pasted together has a mark or a carriage return at any of them.
                let lines = raw.reveal().split(['\n', '\r']).filter(|line| !bare(line).is_empty());
                let all: Option<Vec<Secret>> = lines.map(|line| self.made_up(&place, line, problems)).collect();
                if all.as_ref().is_some_and(Vec::is_empty) {
                    self.reject(key, EMPTY, problems);
                }
                return all.unwrap_or_default();
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
        let all: Option<Vec<Secret>> =
            secrets.iter().map(|secret| self.made_up(key, secret.reveal(), problems)).collect();
        all.unwrap_or_default()
    }

    /// The text of a secret as it stands, and the setting that led to it.
    fn raw(&self, key: &str, problems: &mut Vec<ConfigProblem>) -> Option<(String, Secret)> {
        let (file, env) = (format!("{key}_file"), format!("{key}_env"));
        if let Some(path) = self.prose(&file, problems) {
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
                // What stands there may be the secret itself.
                Err(_) => self.wrong(&env, "the name of a variable that is set", problems),
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

    /// A secret without its edges; one of which nothing is left is a problem, and one that its name stands before.
    fn bare_secret(&self, place: &str, raw: &str, problems: &mut Vec<ConfigProblem>) -> Option<Secret> {
        let text = bare(raw);
        if text.is_empty() {
            let root = place.strip_suffix("_file").or_else(|| place.strip_suffix("_env")).unwrap_or(place);
            self.reject(root, EMPTY, problems);
            return None;
        }
        let text = self.edged(place, raw, problems)?;
        if is_named(&text) {
            let message = "begins with a name and a sign such as = or a colon, which are hardly part of it: give what stands behind them alone";
            self.once(ConfigProblem { warning: true, ..self.problem(place, message) }, problems);
        }
        Some(Secret::new(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_was_copied_with_its_name_is_known() {
        for named in [
            "KEY=0123456789abcdef",
            "key: 0123456789abcdef",
            "API_KEY = abcd",
            "商户密钥：0123456789abcdef",
            "export MERCHANT_KEY=abcd1234",
            "api_auth_token=abcd",
            "Password:hunter22",
        ] {
            assert!(is_named(named), "{named}");
        }
        for other in [
            "0123456789abcdef",
            "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
            "123456789:AAE-abcdef_0123456789",
            "key=",
            "a1b2key==",
            "redis://:key=abcd@127.0.0.1/",
            "-----BEGIN PRIVATE KEY-----\nabcd=",
            "MIIEvkey+/abc:defg",
        ] {
            assert!(!is_named(other), "{other}");
        }
    }

    #[test]
    fn secrets_have_edges_of_their_own_each() {
        let read = |text: &str| {
            let object = serde_json::json!({"secrets": text});
            let section = Section::from_json("s", object.as_object().unwrap());
            let mut problems = Vec::new();
            let read = section.secrets("secrets", &mut problems);
            let texts: Vec<String> = read.iter().map(|secret| secret.reveal().to_owned()).collect();
            (texts.join(" "), problems)
        };
        for text in [
            "\u{feff}one\r\n\u{feff}two\r\n",
            "one\rtwo",
            "\u{200b}one\u{a0}\n\n\u{feff}\n \u{2060}two",
            "one\n\ntwo\n\n",
        ] {
            let (both, problems) = read(text);
            assert_eq!(both, "one two", "{text:?}");
            assert!(problems.iter().all(|problem| problem.warning), "{problems:?}");
        }
        let (none, problems) = read("one\nt\u{200b}wo\n");
        assert!(none.is_empty() && problems.iter().any(|problem| problem.message.contains("U+200B")), "{problems:?}");
        let (_, problems) = read("\u{feff}\r\n");
        assert!(problems.iter().any(|problem| !problem.warning && problem.message == EMPTY), "{problems:?}");
    }
}
