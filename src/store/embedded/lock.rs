//! Locks of a folder: one on a file in it, as ever, and one on the folder itself, which no `rm` takes away.

use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::process::Stdio;

use rustix::fs::{FlockOperation, flock};
use rustix::io::{Errno, FdFlags, fcntl_setfd};

use super::{EmbeddedError, at};

/// The two files of a folder that are locked; opened, each by a description of its own.
#[derive(Debug)]
pub struct Locks {
    folder: File,
    file: File,
    /// Some file systems over a network lock no folders.
    whole: bool,
}

/// Tries for a lock: whether it is ours, or nothing where the file system has none.
fn try_lock(file: &File) -> Result<bool, Errno> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error),
    }
}

impl Locks {
    /// Opens them; the file is made where it is not there.
    pub fn open(folder: &Path, name: &str) -> Result<Self, EmbeddedError> {
        let path = folder.join(name);
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(at(&path))?;
        Ok(Self { folder: File::open(folder).map_err(at(folder))?, file, whole: true })
    }

    /// Takes both. Says whether they are ours; otherwise none is.
    pub fn take(&mut self, folder: &Path) -> Result<bool, EmbeddedError> {
        match try_lock(&self.folder) {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(error) => {
                if std::mem::take(&mut self.whole) {
                    tracing::warn!(folder = %folder.display(), %error, "This file system locks no folders: only the lock files tell whether the folder is in use. Never remove them.");
                }
            }
        }
        let ours = try_lock(&self.file).map_err(|error| at(folder)(error.into()));
        if !matches!(ours, Ok(true)) {
            self.leave();
        }
        ours
    }

    /// Whether somebody else has one of them, whatever stands under their names by now.
    pub fn elsewhere(&self) -> bool {
        let held = [&self.folder, &self.file].into_iter().any(|file| try_lock(file) == Ok(false));
        self.leave();
        held
    }

    fn leave(&self) {
        for file in [&self.folder, &self.file] {
            // What was not locked is not unlocked either.
            let _free = flock(file, FlockOperation::Unlock);
        }
    }

    /// Whether both are of the same folder.
    pub fn same_folder(&self, other: &Self) -> bool {
        let inode = |locks: &Self| locks.folder.metadata().map(|meta| (meta.dev(), meta.ino())).ok();
        inode(self) == inode(other)
    }

    /// What the file says: its holder.
    pub fn note(&mut self) -> String {
        let mut text = String::new();
        let _read = self.file.read_to_string(&mut text);
        text.trim().to_owned()
    }

    /// Writes into the file who holds it.
    pub fn sign(&mut self) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        writeln!(self.file, "{}", std::process::id())
    }

    /// Makes them a command's: as its standard input, which every program that is put in between hands on, and, where that
    /// is the folder, the file beside it under its own number. The kernel frees them exactly when the process and its
    /// children are gone; ours must be dropped after the start.
    pub fn hand_to(&self) -> std::io::Result<Stdio> {
        if !self.whole {
            return Ok(Stdio::from(self.file.try_clone()?));
        }
        // No other process is started by a daemon, so nothing else inherits it.
        fcntl_setfd(self.file.as_fd(), FdFlags::empty())?;
        Ok(Stdio::from(self.folder.try_clone()?))
    }
}
