//! Whether a secret's file is for its owner alone. One that others may read, and that its owner can close, is refused with the
//! command that does it; one that cannot be closed, a mounted secret say, is told of.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use zeroize::Zeroizing;

use super::VaultError;

/// File systems that make modes up, so that no chmod lasts: FAT, exFAT, NTFS, 9p (WSL, virtual machines), CIFS and SMB.
const WITHOUT_MODES: [i64; 8] =
    [0x4D44, 0x2011_BAB0, 0x5346_544E, 0x7366_746E, 0x0102_1997, 0xFF53_4D42, 0xFE53_4D42, 0x517B];

/// Reads the text of a secret file that nobody else may read.
pub fn read(path: &Path) -> Result<Zeroizing<String>, VaultError> {
    let fail = |source| VaultError::File { path: path.display().to_string(), source };
    let mut file = File::open(path).map_err(fail)?;
    let mode = file.metadata().map_err(fail)?.permissions().mode() & 0o777;
    if mode & 0o066 != 0 {
        if can_be_closed(&file, mode) {
            return Err(VaultError::Exposed { path: path.display().to_string(), mode });
        }
        tracing::warn!(path = %path.display(), mode = format!("{mode:04o}"), "Others on this machine may read this secret, and chmod cannot change it here: see that only kamid's user gets to it.");
    }
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text).map_err(fail)?;
    Ok(text)
}

/// Whether chmod would work: seen by one that changes nothing. Not so on what is mounted read-only, of another owner, or
/// where modes are made up.
fn can_be_closed(file: &File, mode: u32) -> bool {
    let kept = rustix::fs::fstatfs(file).is_ok_and(|system| !WITHOUT_MODES.contains(&system.f_type));
    kept && rustix::fs::fchmod(file, rustix::fs::Mode::from_raw_mode(mode)).is_ok()
}
