//! `places.json` in the data directory: what is known of the store's places, by prefix.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Kept, StoreError};

/// What stands there; nothing where there is no such file.
///
/// # Errors
/// It cannot be read, or is damaged.
pub(super) fn read(path: &Path) -> Result<BTreeMap<String, Kept>, StoreError> {
    let wrong = |why: String| {
        StoreError::Settings(format!(
            "{}: {why}. It tells whether Redis went back in time or was emptied: bring it back from a backup, or move it away to begin anew without that",
            path.display()
        ))
    };
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| wrong(format!("is damaged ({error})"))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(wrong(format!("cannot be read ({error})"))),
    }
}

/// Writes one prefix' part of it, whole or not at all.
pub(super) fn write(path: &Path, prefix: &str, kept: Kept) -> std::io::Result<()> {
    let mut all = read(path).unwrap_or_default();
    all.insert(prefix.to_owned(), kept);
    crate::vault::write_private(path, &serde_json::to_vec(&all)?)
}
