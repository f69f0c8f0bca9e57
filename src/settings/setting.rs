//! The table's type: one row says everything about a setting — its name, how it is written, whether it must be there, what
//! stands where it is left out, and what it is. What reads it, asks for it, documents it and knows its name walks rows.

use crate::domain::Text;

/// How a setting is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A line of text that a program reads.
    Line,
    /// A text for people to read, or a path: it is taken as it stands.
    Prose,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// This word and no other: it says what its section takes anyway.
    Only(&'static str),
    /// A number out of a console: letters and digits.
    Number,
    /// An address that is called, without a query.
    Address,
    /// An address that is called by https, or this machine's own; what it looks like.
    Https(&'static str),
    /// A text that can be read as something; what it must be, in words.
    Parsed(&'static str),
    /// A whole number within a range.
    Whole(i64, i64),
    /// `true` or `false`.
    Flag,
    /// A list of texts that can be read as something; what they must be, in words.
    List(&'static str),
    /// A list of networks; one of them.
    Networks(&'static str),
    /// A list of hosts and networks; one of them.
    Hosts(&'static str),
    /// A list of tables.
    Tables,
    /// The name of a file with at most so many bytes.
    File(u64),
    /// A secret of one line, as headers and signatures carry it.
    Secret,
    /// A secret that a program made up, whose own form is checked by what reads it.
    Token,
    /// A secret that a person may have made up.
    Password,
    /// An address that may hold a password; a bare one is no secret.
    PasswordAddress,
    /// Several secrets, all of them good.
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
        matches!(
            self,
            Self::Secret | Self::Token | Self::Password | Self::PasswordAddress | Self::Secrets | Self::PrivateKey
        )
    }

    /// Whether it stands in a file of its own, which the section names as `<key>_file`.
    #[must_use]
    pub const fn is_filed(self) -> bool {
        self.is_secret() || matches!(self, Self::PublicFile)
    }

    /// Whether a person has it as a file, too long to be typed.
    #[must_use]
    pub const fn is_file(self) -> bool {
        matches!(self, Self::PrivateKey | Self::PublicFile | Self::File(_))
    }
}

/// One setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Its name in the section. A secret stands in `<key>_file` or `<key>_env`, a public file in `<key>_file`.
    pub key: &'static str,
    /// How it is written.
    pub form: Form,
    /// What it is and where it is found.
    pub help: Text,
    /// Whether it must be there.
    pub needed: bool,
    /// Whether who adds a section is asked for it.
    pub asked: bool,
    /// What stands where it is left out, as it would be written.
    pub default: Option<&'static str>,
    /// It means something only where that setting has that word.
    pub when: Option<(&'static str, &'static str)>,
    /// What is wrong with it shows only once that setting is there too.
    pub with: Option<&'static str>,
}

impl Setting {
    /// One that must be there, and is asked for.
    #[must_use]
    pub const fn needed(form: Form, key: &'static str, en: &'static str, zh: &'static str) -> Self {
        let help = Text::new(en, zh);
        Self { key, form, help, needed: true, asked: true, default: None, when: None, with: None }
    }

    /// One that may be left out, and is not asked for.
    #[must_use]
    pub const fn optional(form: Form, key: &'static str, en: &'static str, zh: &'static str) -> Self {
        Self { needed: false, asked: false, ..Self::needed(form, key, en, zh) }
    }

    /// One of these words, the first where it is left out.
    #[must_use]
    pub const fn choice(words: &'static [&'static str], key: &'static str, en: &'static str, zh: &'static str) -> Self {
        Self { default: words.first().copied(), ..Self::optional(Form::Choice(words), key, en, zh) }
    }

    /// One that may say what is so anyway.
    #[must_use]
    pub const fn only(word: &'static str, key: &'static str) -> Self {
        Self::optional(Form::Only(word), key, "this, and nothing else", "只能是这个值").or(word)
    }

    /// With what stands where it is left out.
    #[must_use]
    pub const fn or(self, default: &'static str) -> Self {
        Self { needed: false, default: Some(default), ..self }
    }

    /// Meant only where that setting has that word.
    #[must_use]
    pub const fn when(self, key: &'static str, word: &'static str) -> Self {
        Self { when: Some((key, word)), ..self }
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
