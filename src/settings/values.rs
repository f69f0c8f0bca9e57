//! The reader: a section's settings become values, each by its row.

use std::str::FromStr;

use ipnet::IpNet;

use super::{ConfigProblem, Form, Secret, Section, Setting, is_url};

/// Slices of rows, as a kind's own and those of every kind.
pub type Rows<'a> = &'a [&'a [&'static Setting]];

/// A section's settings as values, read by their rows: a needed one that is read and not there is missed. What is wrong is
/// collected; nothing stops at the first, and a default stands in for what cannot be read.
pub struct Values<'a> {
    section: &'a Section,
    rows: Vec<&'static Setting>,
    problems: &'a mut Vec<ConfigProblem>,
}

impl Section {
    /// Its settings, as these rows tell of them.
    pub fn values<'a>(&'a self, rows: Rows<'_>, problems: &'a mut Vec<ConfigProblem>) -> Values<'a> {
        Values { section: self, rows: rows.concat(), problems }
    }
}

/// Words in quotation marks, as a choice of them.
fn choice_of(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

/// Whether an address is called by https, or is this machine's own.
fn is_https(url: &str) -> bool {
    is_url(url) && (url.starts_with("https://") || url.starts_with("http://127.0.0.1"))
}

impl<'a> Values<'a> {
    /// The section itself, for what is read without being judged.
    #[must_use]
    pub const fn section(&self) -> &'a Section {
        self.section
    }

    /// A table inside, with rows of its own.
    pub fn inner<'b>(&'b mut self, section: &'b Section, rows: Rows<'_>) -> Values<'b> {
        section.values(rows, self.problems)
    }

    /// A table inside that has the same rows.
    pub fn alike<'b>(&'b mut self, section: &'b Section) -> Values<'b> {
        Values { section, rows: self.rows.clone(), problems: self.problems }
    }

    /// A row that is not among the section's own would have a name that nobody knows.
    fn check(&self, row: &Setting) {
        debug_assert!(self.rows.contains(&row), "{} is no row of this section, or another one", row.key);
    }

    /// Says that it is missing, where it must be there.
    fn require<T>(&mut self, row: &Setting, value: Option<T>) -> Option<T> {
        if value.is_none() && row.needed {
            let place = match row.form {
                form if form.is_secret() => format!("{0}_file names a file with it (or {0}_env a variable): ", row.key),
                form if form.is_filed() => format!("{}_file names a file with it: ", row.key),
                _ => String::new(),
            };
            self.section.require(row.key, &format!("{place}{}", row.help.en), self.problems);
        }
        value
    }

    /// Says that it is missing, though its row does not say that it must be there.
    pub fn missing(&mut self, row: &Setting, why: &str) {
        self.section.require(row.key, why, self.problems);
    }

    /// Says that it is wrong.
    pub fn reject(&mut self, row: &Setting, message: impl Into<String>) {
        self.section.reject(row.key, message, self.problems);
    }

    /// Says that it could be better.
    pub fn warn(&mut self, row: &Setting, message: impl Into<String>) {
        self.section.warn(row.key, message, self.problems);
    }

    /// Says that the file it stands in could be better.
    pub fn warn_of_file(&mut self, row: &Setting, message: impl Into<String>) {
        self.section.warn(&format!("{}_file", row.key), message, self.problems);
    }

    /// Whether it is there, under any of its names.
    #[must_use]
    pub fn has(&self, row: &Setting) -> bool {
        self.check(row);
        row.names().any(|name| self.section.has(&name))
    }

    /// Whether it stands in the section itself, not in a file or a variable.
    #[must_use]
    pub fn has_inline(&self, row: &Setting) -> bool {
        self.check(row);
        self.section.has(row.key)
    }

    /// A text that is there: what is missing is no problem, since another setting may stand in its place.
    pub fn given(&mut self, row: &Setting) -> Option<String> {
        self.check(row);
        match row.form {
            Form::Prose => self.section.prose(row.key, self.problems),
            _ => self.section.text(row.key, self.problems),
        }
    }

    /// A text in any form of one: what stands there, or its default.
    pub fn text(&mut self, row: &Setting) -> Option<String> {
        let text = self.given(row).or_else(|| row.default.map(str::to_owned));
        let text = self.require(row, text)?;
        match row.form {
            Form::Only(word) if text != word => self.reject(row, format!("must be {word:?}")),
            Form::Number if !text.bytes().all(|b| b.is_ascii_alphanumeric()) => {
                self.reject(row, format!("must be letters and digits: {}", row.help.en));
                return None;
            }
            Form::Https(wanted) if !is_https(&text) => {
                self.reject(row, format!("must be {wanted}"));
            }
            Form::Address => {
                self.check_address(row, &text);
                return Some(text.trim_end_matches('/').to_owned());
            }
            _ => {}
        }
        Some(text)
    }

    fn check_address(&mut self, row: &Setting, url: &str) {
        if !is_url(url) || url.contains(['?', '#']) {
            let message =
                "must begin with https:// (or http://) and have no query: https://host/, or https://host/path/";
            self.reject(row, message);
        } else if url.starts_with("http://") && !url.contains("//127.0.0.1") && !url.contains("//localhost") {
            self.warn(row, "is not https: what is sent there can be read and changed on the way");
        }
    }

    /// A number out of a console; one that does not look as usual is warned of, and no more than that: gateways give out
    /// others than they document.
    pub fn number(&mut self, row: &Setting, usual: impl Fn(&str) -> bool) -> Option<String> {
        let text = self.text(row)?;
        if !usual(&text) {
            self.warn(row, format!("does not look like this: {}", row.help.en));
        }
        Some(text)
    }

    /// One of its words, or its default.
    pub fn choice(&mut self, row: &Setting) -> &'static str {
        let Form::Choice(words) = row.form else { return "" };
        let default = row.default.unwrap_or_default();
        let Some(text) = self.given(row) else { return default };
        words.iter().find(|word| **word == text).copied().unwrap_or_else(|| {
            self.reject(row, format!("must be {}: {}", choice_of(words), row.help.en));
            default
        })
    }

    /// What a text can be read as, or its default.
    pub fn parsed<T: FromStr>(&mut self, row: &Setting) -> Option<T> {
        self.check(row);
        let Form::Parsed(wanted) = row.form else { return None };
        let value = self.section.parsed(row.key, wanted, self.problems).or_else(|| row.default?.parse().ok());
        self.require(row, value)
    }

    /// A whole number within its range, or its default.
    pub fn whole<T: TryFrom<i64>>(&mut self, row: &Setting) -> Option<T> {
        self.check(row);
        let Form::Whole(from, to) = row.form else { return None };
        let default = || T::try_from(row.default?.parse().ok()?).ok();
        self.section.whole(row.key, from..=to, self.problems).or_else(default)
    }

    /// `true` or `false`, or its default; `None`: neither is said.
    pub fn flag(&mut self, row: &Setting) -> Option<bool> {
        self.check(row);
        self.section.flag(row.key, self.problems).or_else(|| row.default?.parse().ok())
    }

    /// What a list of texts can be read as.
    pub fn list<T: FromStr>(&mut self, row: &Setting) -> Vec<T> {
        self.check(row);
        let Form::List(wanted) = row.form else { return Vec::new() };
        self.section.parsed_list(row.key, wanted, self.problems)
    }

    /// The networks of a list.
    pub fn networks(&mut self, row: &Setting) -> Vec<IpNet> {
        self.check(row);
        let Form::Networks(example) = row.form else { return Vec::new() };
        self.section.networks(row.key, example, self.problems)
    }

    /// The hosts and networks of a list.
    pub fn hosts(&mut self, row: &Setting) -> Vec<String> {
        self.check(row);
        let Form::Hosts(example) = row.form else { return Vec::new() };
        self.section.hosts(row.key, example, self.problems)
    }

    /// Tables in it.
    pub fn tables(&mut self, row: &Setting) -> Vec<Section> {
        self.check(row);
        self.section.tables(row.key, self.problems)
    }

    /// The text of the file that it names.
    pub fn file(&mut self, row: &Setting) -> Option<String> {
        self.check(row);
        let Form::File(most) = row.form else { return None };
        self.section.file(row.key, most, self.problems)
    }

    /// One secret, or a private key for what understands it.
    pub fn secret(&mut self, row: &Setting) -> Option<Secret> {
        self.check(row);
        let secret = match row.form {
            Form::Secret | Form::Token => self.section.token(row.key, self.problems),
            _ => self.section.secret(row.key, self.problems),
        };
        let secret = self.require(row, secret)?;
        if row.form == Form::PasswordAddress && !secret.reveal().contains('@') {
            self.section.unwarn(row.key, self.problems);
        }
        // A line's end or a blank inside is a copying slip, and no header can carry it.
        if row.form == Form::Secret && secret.reveal().bytes().any(|b| b.is_ascii_control()) {
            self.reject(row, "holds a line's end or another control character: it is one line");
            return None;
        }
        Some(secret)
    }

    /// Several secrets; none where there is none.
    pub fn secrets(&mut self, row: &Setting) -> Vec<Secret> {
        self.check(row);
        let secrets = self.section.secrets(row.key, self.problems);
        self.require(row, (!secrets.is_empty()).then_some(secrets)).unwrap_or_default()
    }

    /// Public keys or certificates, for what understands them.
    pub fn public_text(&mut self, row: &Setting) -> Option<String> {
        self.check(row);
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NAME: Setting = Setting::needed(Form::Number, "name", "its number", "编号");
    const MODE: Setting = Setting::choice(&["one", "two", "three"], "mode", "which", "哪个");
    const SIZE: Setting = Setting::optional(Form::Whole(1, 9), "size", "how much", "多少").or("5");
    const ROWS: &[&Setting] = &[&NAME, &MODE, &SIZE];

    fn section(settings: &Value) -> Section {
        Section::from_json("x", settings.as_object().unwrap())
    }

    #[test]
    fn a_row_says_what_is_read_what_stands_in_and_what_is_wrong() {
        let read = |settings: Value| {
            let (s, mut problems) = (section(&settings), Vec::new());
            let mut v = s.values(&[ROWS], &mut problems);
            let read = (v.text(&NAME), v.choice(&MODE), v.whole::<u32>(&SIZE));
            v.finish();
            (read, problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
        };
        let said = |name: &str, mode: &'static str, size| (Some(name.to_owned()), mode, Some(size));
        assert_eq!(read(json!({"name": "a1"})), (said("a1", "one", 5), String::new()));
        assert_eq!(read(json!({"name": "a1", "mode": "two", "size": 9})), (said("a1", "two", 9), String::new()));
        let (read_, wrong) = read(json!({"mode": "four", "size": 10, "siez": 1}));
        assert_eq!(read_, (None, "one", Some(5)));
        let wanted = "x.name: is missing: its number; x.mode: must be \"one\", \"two\" or \"three\": which; \
                      x.size: must be a whole number from 1 to 9; x.siez: is not a setting; did you mean size?";
        assert_eq!(wrong, wanted);
        assert_eq!(read(json!({"name": "a b"})).1, "x.name: must be letters and digits: its number");
    }

    #[test]
    fn every_form_says_what_it_must_be() {
        let (en, zh) = ("what it is", "是什么");
        let row = |form| Setting::needed(form, "it", en, zh);
        for (form, value, wanted) in [
            (Form::Only("MD5"), json!("RSA"), "must be \"MD5\""),
            (Form::Only("MD5"), json!("MD5"), ""),
            (Form::Address, json!("pay.example"), "must begin with https://"),
            (Form::Address, json!("https://pay.example/?a=1"), "must begin with https://"),
            (Form::Address, json!("http://pay.example/"), "is not https"),
            (Form::Address, json!("http://127.0.0.1:1/"), ""),
            (Form::Https("https://…/do"), json!("http://pay.example/"), "must be https://…/do"),
            (Form::Https("https://…/do"), json!("http://127.0.0.1:1/"), ""),
            (Form::Https("https://…/do"), json!("https://pay.example／do"), "must be https://…/do"),
            (Form::Https("https://…/do"), json!("https:///do"), "must be https://…/do"),
            (Form::Address, json!("https://pay。example/"), "must begin with https://"),
            (Form::Line, json!("\u{feff}a\u{200b}"), "at its edges: they are left out"),
            (Form::Line, json!("a\u{200b}b"), "(U+200B) in the middle"),
            (Form::Prose, json!(" a\u{200b}b "), ""),
            (Form::Line, json!(1), "must be a text in quotes"),
            (Form::Line, json!(""), "is missing: what it is"),
            (Form::Secret, json!("a\nb"), "holds a line's end"),
            (Form::Secret, json!("'a'"), "stands in quotation marks"),
            (Form::Token, json!("a\nb"), ""),
            (Form::Token, json!("'a'"), "stands in quotation marks"),
            (Form::Password, json!("'a'"), "stands in quotation marks"),
            (Form::Secret, Value::Null, "must be a text in quotes"),
            (Form::PasswordAddress, json!("http://proxy.example:3128"), ""),
            (Form::PasswordAddress, json!(""), "is empty"),
            (Form::PasswordAddress, json!(8080), "must be a text in quotes"),
            (Form::Hosts("10.0.0.0/8"), json!(["bank.example", "10.0.0.0/8"]), ""),
            (Form::Hosts("10.0.0.0/8"), json!("bank.example"), "must be a list"),
            (Form::Hosts("10.0.0.0/8"), json!([7]), "must be hosts or networks such as \"10.0.0.0/8\""),
            (Form::Hosts("10.0.0.0/8"), json!(["::ffff:0:0/90"]), "is IPv4 addresses as IPv6 writes them"),
        ] {
            let row: &'static Setting = Box::leak(Box::new(row(form)));
            let (s, mut problems) = (section(&json!({"it": value})), Vec::new());
            let mut v = s.values(&[&[row]], &mut problems);
            let there = match form {
                Form::Hosts(_) => !v.hosts(row).is_empty(),
                form if form.is_secret() => v.secret(row).is_some(),
                _ => v.text(row).is_some(),
            };
            v.finish();
            let said = problems.iter().map(|it| it.message.as_str()).collect::<Vec<_>>().join("; ");
            assert!(
                if wanted.is_empty() { said.is_empty() && there } else { said.contains(wanted) },
                "{form:?}: {said}"
            );
            // A person's password may have such marks, and is only warned of.
            let refused = problems.iter().any(|problem| !problem.warning);
            assert!(form != Form::Password || !refused && there);
        }
    }

    #[test]
    fn an_address_in_the_file_itself_is_warned_of_only_with_a_password_in_it() {
        const PROXY: Setting = Setting::optional(Form::PasswordAddress, "proxy", "what it is", "是什么");
        for (url, warnings) in [("http://proxy.example:3128", 0), ("http://me:word@proxy.example:3128", 1)] {
            let mut problems = Vec::new();
            let s = Section::from_toml(&format!("proxy = \"{url}\""), std::path::Path::new(""), &mut problems);
            assert_eq!(s.values(&[&[&PROXY]], &mut problems).secret(&PROXY).unwrap().reveal(), url);
            assert_eq!(problems.iter().filter(|problem| problem.warning).count(), warnings, "{problems:?}");
        }
    }

    #[test]
    fn a_secret_that_is_missing_is_told_with_its_file() {
        const KEY: Setting = Setting::needed(Form::Secret, "key", "the key", "密钥");
        const CERT: Setting = Setting::needed(Form::PublicFile, "cert", "the certificate", "证书");
        let (s, mut problems) = (section(&json!({})), Vec::new());
        let mut v = s.values(&[&[&KEY, &CERT]], &mut problems);
        assert!(v.secret(&KEY).is_none() && v.public_text(&CERT).is_none());
        let said: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
        let wanted = [
            "is missing: key_file names a file with it (or key_env a variable): the key",
            "is missing: cert_file names a file with it: the certificate",
        ];
        assert_eq!(said, wanted);
        assert_eq!(KEY.names().collect::<Vec<_>>(), ["key", "key_file", "key_env"]);
        assert_eq!(CERT.names().collect::<Vec<_>>(), ["cert", "cert_file"]);
    }

    /// The names that are known are those of the rows: a reader of another row would read what is refused as unknown.
    #[test]
    #[should_panic(expected = "size is no row of this section")]
    fn a_row_of_another_section_is_a_bug() {
        let (s, mut problems) = (section(&json!({})), Vec::new());
        let _size = s.values(&[&[&NAME]], &mut problems).whole::<u32>(&SIZE);
    }
}
