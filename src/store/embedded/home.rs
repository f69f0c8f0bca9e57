//! The mark of home: where the files of a shop stand. A folder that was copied has the same keys as the one it was copied
//! from, and both would sell them; so the mark stands in the folder and in its Redis, and a start elsewhere is refused.
//!
//! It holds the file system's persistent id where there is one, and the folder's inode. Never a device's number, which
//! changes from boot to boot, nor a host's name, which changes with every container.

use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::{major, minor};
use serde::{Deserialize, Serialize};

use super::{EmbeddedError, at};
use crate::store::{At, Names, Store, StoreError};

/// File systems whose id is made when they are, and kept in them: ext2 to ext4, btrfs, ZFS, bcachefs; tmpfs has one for as
/// long as it has its files. Others (XFS, F2FS) give the device's number for it.
const WITH_ID: [i64; 5] = [0xEF53, 0x9123_683E, 0x2FC1_2FC1, 0xCA45_1A4E, 0x0102_1994];

/// Where a folder stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Home {
    /// The file system's id; empty where none lasts.
    system: String,
    /// The folder's inode.
    inode: u64,
    /// When the folder was made, in nanoseconds since the epoch; 0 where that is not known.
    born: u128,
}

/// Whether a folder is where its mark says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HomeVerdict {
    /// It is.
    Same,
    /// As far as can be told without an id.
    Likely,
    /// It is not.
    Other,
}

/// The id of a file system that tells its device's number instead, as udev noted it.
fn noted(device: u64) -> Option<String> {
    let note = std::fs::read_to_string(format!("/run/udev/data/b{}:{}", major(device), minor(device))).ok()?;
    note.lines().find_map(|line| line.strip_prefix("E:ID_FS_UUID=")).map(str::to_owned)
}

impl Home {
    /// Where it stands now.
    pub fn of(folder: &Path) -> Result<Self, EmbeddedError> {
        let meta = std::fs::metadata(folder).map_err(at(folder))?;
        let kind = rustix::fs::statfs(folder).map_err(|error| at(folder)(error.into()))?.f_type;
        let id = rustix::fs::statvfs(folder).map_err(|error| at(folder)(error.into()))?.f_fsid;
        let system = if WITH_ID.contains(&kind) && id != 0 {
            format!("{id:016x}")
        } else {
            noted(meta.dev()).unwrap_or_default()
        };
        let born = meta.created().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        Ok(Self { system, inode: meta.ino(), born: born.map_or(0, |since| since.as_nanos()) })
    }

    /// The mark that stands in a folder; empty where none does.
    pub fn marked(folder: &Path) -> String {
        std::fs::read_to_string(folder.join("home.json")).map(|text| text.trim().to_owned()).unwrap_or_default()
    }

    /// Writes the mark into the folder, whole or not at all.
    pub fn mark(folder: &Path, text: &str) -> Result<(), EmbeddedError> {
        let (path, draft) = (folder.join("home.json"), folder.join("home.new"));
        let write = || {
            let mut file = std::fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
            writeln!(file, "{text}")?;
            file.sync_all()?;
            std::fs::rename(&draft, &path)
        };
        write().map_err(at(&path))
    }

    /// The mark as it is written.
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    fn against(&self, mark: &Self) -> HomeVerdict {
        if self.inode != mark.inode {
            return HomeVerdict::Other;
        }
        let ids = !self.system.is_empty() && !mark.system.is_empty();
        match ids {
            true if self.system == mark.system => HomeVerdict::Same,
            false if self.born == mark.born => HomeVerdict::Likely,
            _ => HomeVerdict::Other,
        }
    }

    /// Whether this is home by a mark, which an empty one does not deny; one that cannot be read does.
    pub fn by(&self, mark: &str) -> HomeVerdict {
        match serde_json::from_str::<Self>(mark) {
            Ok(known) => self.against(&known),
            Err(_) if mark.is_empty() => HomeVerdict::Same,
            Err(_) => HomeVerdict::Other,
        }
    }
}

impl Store {
    /// The mark of home that stands in Redis; empty where none does.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn home(&self) -> Result<String, StoreError> {
        let mark: Option<String> = self.ask(At::Catalog, redis::cmd("GET").arg(Names::home())).await?;
        Ok(mark.unwrap_or_default())
    }

    /// Writes it.
    ///
    /// # Errors
    /// Redis cannot do it.
    pub async fn put_home(&self, mark: &str) -> Result<(), StoreError> {
        self.ask::<String>(At::Catalog, redis::cmd("SET").arg(Names::home()).arg(mark)).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_is_known_by_id_and_inode_and_else_by_inode_and_birth() {
        let home = |system: &str, inode, born| Home { system: system.to_owned(), inode, born };
        for (now, mark, verdict) in [
            (home("a", 1, 5), home("a", 1, 5), HomeVerdict::Same),
            // Where there is an id, the birth says nothing more.
            (home("a", 1, 6), home("a", 1, 5), HomeVerdict::Same),
            (home("a", 2, 5), home("a", 1, 5), HomeVerdict::Other),
            (home("b", 1, 5), home("a", 1, 5), HomeVerdict::Other),
            (home("", 1, 5), home("", 1, 5), HomeVerdict::Likely),
            (home("", 1, 5), home("a", 1, 5), HomeVerdict::Likely),
            (home("", 1, 6), home("", 1, 5), HomeVerdict::Other),
            (home("", 1, 0), home("", 1, 0), HomeVerdict::Likely),
        ] {
            assert_eq!(now.against(&mark), verdict, "{now:?} {mark:?}");
        }
        assert_eq!(home("", 1, 1).by(""), HomeVerdict::Same, "no mark");
        assert_eq!(home("", 1, 1).by("{"), HomeVerdict::Other, "a mark that cannot be read is no leave to start");
    }
}
