//! The configuration file and the files beside it: written whole or not at all.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use super::answers::Answers;
use crate::cli::config::wrong;
use crate::cli::{Context, Failure};
use crate::config::{Config, unread};
use crate::domain::Lang;
use crate::domain::text::bare;
use crate::store::embedded::make_private;

/// The configuration that a channel is added to.
pub struct ConfigTarget {
    pub path: PathBuf,
    pub config: Config,
    text: String,
    mode: u32,
    /// Its owner and group; `None` where there is no such file yet.
    owner: Option<(u32, u32)>,
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("{}: {error}", path.display()))
}

impl ConfigTarget {
    /// The file that the daemon reads: the one named, or `config.toml` in the data directory, which need not be there.
    ///
    /// # Errors
    /// It cannot be read, or cannot be used as it is.
    pub fn of(context: &Context) -> Result<Self, Failure> {
        let named = context.global.config.is_some();
        let path = context.global.config.clone().unwrap_or_else(|| context.data.join("config.toml"));
        let absent = |error: &io::Error| !named && error.kind() == io::ErrorKind::NotFound;
        // A link stays one: what it leads to is written.
        let there = path.canonicalize().and_then(|real| {
            let (text, meta) = (std::fs::read_to_string(&real)?, std::fs::metadata(&real)?);
            Ok((real, text, meta.mode() & 0o7777, Some((meta.uid(), meta.gid()))))
        });
        let (path, text, mode, owner) = match there {
            Ok(there) => there,
            Err(error) if absent(&error) => (path, String::new(), 0o644, None),
            Err(error) => {
                return Err(Failure { message: format!("{}: {}", path.display(), unread(&path, &error)), code: 64 });
            }
        };
        let base = path.parent().unwrap_or(Path::new(""));
        let config = Config::parse(&text, base).map_err(|problems| wrong(&problems))?;
        Ok(Self { config, text, mode, owner, path })
    }

    /// Whether there is a channel of that name.
    pub fn has(&self, name: &str) -> bool {
        self.config.channels.iter().any(|(known, _)| known == name)
    }

    /// The whole file with one more section.
    ///
    /// # Errors
    /// It would not be a configuration that can be used.
    pub fn with(&self, section: &str) -> Result<String, Failure> {
        let end = if self.text.is_empty() || self.text.ends_with('\n') { "" } else { "\n" };
        let gap = if self.text.is_empty() { "" } else { "\n" };
        let whole = format!("{}{end}{gap}{section}", self.text);
        Config::parse(&whole, self.folder()).map_err(|problems| wrong(&problems))?;
        Ok(whole)
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// Files of these answers that are there already and hold something else.
    pub fn taken(&self, answers: &Answers) -> Vec<PathBuf> {
        let other = |(file, secret): &(String, &crate::settings::Secret)| {
            let text = std::fs::read_to_string(self.folder().join(file));
            match text {
                Ok(text) => bare(&text) != secret.reveal(),
                Err(error) => error.kind() != io::ErrorKind::NotFound,
            }
        };
        answers.files().filter(other).map(|(file, _)| self.folder().join(file)).collect()
    }

    /// Writes the files of the answers, then the whole configuration. Where that fails, no new file is left behind.
    ///
    /// # Errors
    /// A file cannot be written, or the configuration was changed meanwhile.
    pub fn write(&self, answers: &Answers, whole: &str, lang: Lang) -> Result<Vec<PathBuf>, Failure> {
        let now = std::fs::read_to_string(&self.path).unwrap_or_default();
        if now != self.text {
            let changed = lang.say("was changed meanwhile: nothing was written", "刚才被改动,什么都没有写入");
            return Err(Failure::new(format!("{} {changed}", self.path.display())));
        }
        // The data directory, of a daemon that never ran.
        make_private(self.folder()).map_err(|error| Failure::new(error.to_string()))?;
        let taken = self.taken(answers);
        let (mut all, mut new) = (Vec::new(), Vec::new());
        let mut write = || {
            for (file, secret) in answers.files() {
                let path = self.folder().join(file);
                all.push(path.clone());
                if taken.contains(&path) || !path.exists() {
                    let is_new = !path.exists();
                    self.place(&path, secret.reveal().as_bytes(), 0o600).map_err(|error| failed(&path, &error))?;
                    new.extend(is_new.then_some(path));
                }
            }
            self.place(&self.path, whole.as_bytes(), self.mode).map_err(|error| failed(&self.path, &error))
        };
        if let Err(failure) = write() {
            for path in new {
                let _gone = std::fs::remove_file(path);
            }
            return Err(failure);
        }
        Ok(all)
    }

    /// Puts a file in place at once: written beside, synced, renamed. It belongs to whom the configuration belongs.
    fn place(&self, path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let beside = self.folder().join(format!(".{name}.{}", std::process::id()));
        let fill = || {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(mode & 0o600).open(&beside)?;
            file.write_all(bytes)?;
            if let Some((user, group)) = self.owner
                && file.metadata()?.uid() != user
            {
                fchown(&file, Some(user), Some(group))?;
            }
            file.set_permissions(Permissions::from_mode(mode))?;
            file.sync_all()?;
            std::fs::rename(&beside, path)?;
            File::open(self.folder())?.sync_all()
        };
        fill().inspect_err(|_| {
            let _gone = std::fs::remove_file(&beside);
        })
    }
}
