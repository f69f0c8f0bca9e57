//! Keeps what must not be read: seals keys before they reach Redis, opens them for their buyer, makes tokens.
//!
//! A sealed key is `ring id (1) | nonce (12) | ciphertext | tag (16)`, AES-256-GCM. The nonce is the start of an HMAC of
//! the plain text under a secret that never rotates: equal keys give equal blobs, and the nonce is the fingerprint by
//! which an audit sees one key twice without opening any. A nonce therefore never meets two messages, and there is no
//! additional data. Invariant: a plain key leaves this room only through [`Vault::open`].

mod guard;

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::{constant_time, hmac, rand};
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::domain::OrderId;
use crate::domain::text::bare;

const NONCE: usize = 12;
const TAG: usize = 16;

/// Why the vault cannot work.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum VaultError {
    #[error("the key ring {path} cannot be read or written: {source}")]
    File { path: String, source: std::io::Error },
    #[error("the key ring {0} is damaged: it must hold active, keys (32 bytes each, base64), fingerprint and token")]
    Damaged(String),
    #[error(
        "{path} can be read or written by others on this machine (mode {mode:04o}): who has it opens every key, or acts as you. Run: chmod 600 {path}"
    )]
    Exposed { path: String, mode: u32 },
    #[error("a sealed key was made under ring key {0}, which this ring does not hold")]
    UnknownRing(u8),
    #[error("a sealed key is damaged or was made under another ring")]
    Unreadable,
    #[error("the system gives no random bytes")]
    NoEntropy,
}

impl VaultError {
    fn is_missing(&self) -> bool {
        matches!(self, Self::File { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
    }
}

/// The ring as it stands in its file (0600) or in `KAMID_RING`.
#[derive(Serialize, Deserialize)]
struct RingFile {
    active: u8,
    keys: BTreeMap<u8, String>,
    fingerprint: String,
    token: String,
}

/// What Redis may see of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed(pub Vec<u8>);

impl Sealed {
    /// The 12 bytes that are equal for equal keys.
    #[must_use]
    pub fn fingerprint(&self) -> Option<&[u8]> {
        self.0.get(1..=NONCE)
    }
}

/// The key ring and what is done with it.
pub struct Vault {
    active: u8,
    keys: BTreeMap<u8, LessSafeKey>,
    fingerprint: hmac::Key,
    token: hmac::Key,
    check: String,
}

impl Vault {
    /// The ring of `KAMID_RING`, or of the file, which is made (0600) when it is not there.
    ///
    /// # Errors
    /// A file that cannot be read or written, or is damaged.
    pub fn load(path: &Path) -> Result<Self, VaultError> {
        let shown = path.display().to_string();
        let fail = |source| VaultError::File { path: shown.clone(), source };
        if let Ok(text) = std::env::var("KAMID_RING") {
            return Self::read(&text, "KAMID_RING");
        }
        match guard::read(path) {
            Ok(text) => Self::read(&text, &shown),
            Err(error) if error.is_missing() => {
                let text = Zeroizing::new(new_ring()?);
                write_private(path, text.as_bytes()).map_err(fail)?;
                Self::read(&text, &shown)
            }
            Err(error) => Err(error),
        }
    }

    /// A ring that lives only in memory.
    ///
    /// # Errors
    /// No random bytes.
    pub fn ephemeral() -> Result<Self, VaultError> {
        Self::read(&new_ring()?, "memory")
    }

    fn read(text: &str, name: &str) -> Result<Self, VaultError> {
        let damaged = || VaultError::Damaged(name.to_owned());
        let file: RingFile = serde_json::from_str(bare(text)).map_err(|_| damaged())?;
        let secret = |text: &str| {
            BASE64
                .decode(text.as_bytes())
                .ok()
                .filter(|bytes| bytes.len() == 32)
                .map(Zeroizing::new)
                .ok_or_else(damaged)
        };
        let mut keys = BTreeMap::new();
        let fingerprint = hmac::Key::new(hmac::HMAC_SHA256, &secret(&file.fingerprint)?);
        let mut check = HEXLOWER.encode(hmac::sign(&fingerprint, b"kamid ring").as_ref());
        check.truncate(32);
        for (id, text) in &file.keys {
            let key = UnboundKey::new(&AES_256_GCM, &secret(text)?).map_err(|_| damaged())?;
            keys.insert(*id, LessSafeKey::new(key));
        }
        if !keys.contains_key(&file.active) {
            return Err(damaged());
        }
        let token = hmac::Key::new(hmac::HMAC_SHA256, &secret(&file.token)?);
        Ok(Self { active: file.active, keys, fingerprint, token, check })
    }

    /// A value that is equal for equal rings and says nothing of them: it stands in Redis, so that a daemon with another
    /// ring refuses to start.
    #[must_use]
    pub fn check_value(&self) -> &str {
        &self.check
    }

    /// Seals a text under the active ring key.
    ///
    /// # Errors
    /// None in practice: the cipher takes any text of a key's length.
    pub fn seal(&self, plain: &[u8]) -> Result<Sealed, VaultError> {
        self.seal_under(self.active, plain)
    }

    /// How a text would be sealed under each ring key, to find it in a pool.
    pub fn seals(&self, plain: &[u8]) -> impl Iterator<Item = Sealed> {
        self.keys.keys().filter_map(|id| self.seal_under(*id, plain).ok())
    }

    fn seal_under(&self, id: u8, plain: &[u8]) -> Result<Sealed, VaultError> {
        let key = self.keys.get(&id).ok_or(VaultError::UnknownRing(id))?;
        let mut nonce = [0u8; NONCE];
        nonce.copy_from_slice(&hmac::sign(&self.fingerprint, plain).as_ref()[..NONCE]);
        let mut blob = Vec::with_capacity(1 + NONCE + plain.len() + TAG);
        blob.push(id);
        blob.extend_from_slice(&nonce);
        blob.extend_from_slice(plain);
        let tag = key
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut blob[1 + NONCE..])
            .map_err(|_| VaultError::Unreadable)?;
        blob.extend_from_slice(tag.as_ref());
        Ok(Sealed(blob))
    }

    /// Opens what was sealed.
    ///
    /// # Errors
    /// A ring key that is not here, or a blob that was changed.
    pub fn open(&self, sealed: &[u8]) -> Result<Zeroizing<String>, VaultError> {
        let (id, rest) = sealed.split_first().ok_or(VaultError::Unreadable)?;
        let (nonce, rest) = rest.split_at_checked(NONCE).ok_or(VaultError::Unreadable)?;
        let key = self.keys.get(id).ok_or(VaultError::UnknownRing(*id))?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| VaultError::Unreadable)?;
        let mut text = Zeroizing::new(rest.to_vec());
        let length = key.open_in_place(nonce, Aad::empty(), &mut text).map_err(|_| VaultError::Unreadable)?.len();
        text.truncate(length);
        String::from_utf8(std::mem::take(&mut *text)).map(Zeroizing::new).map_err(|error| {
            error.into_bytes().zeroize();
            VaultError::Unreadable
        })
    }

    /// Whether a sealed key can be opened and is what was sealed: a bit that turned on a disk shows here.
    #[must_use]
    pub fn is_sound(&self, sealed: &[u8]) -> bool {
        self.open(sealed).is_ok()
    }

    /// What lets a buyer see an order: an HMAC of its number, never stored.
    #[must_use]
    pub fn token(&self, order: OrderId) -> String {
        BASE64URL_NOPAD.encode(&hmac::sign(&self.token, order.as_str().as_bytes()).as_ref()[..20])
    }

    /// Whether a token is the order's, in constant time.
    #[must_use]
    pub fn is_token(&self, order: OrderId, given: &str) -> bool {
        constant_time::verify_slices_are_equal(self.token(order).as_bytes(), given.as_bytes()).is_ok()
    }

    /// A keyed hash by which a contact, an address or a trade number is indexed: 16 bytes.
    #[must_use]
    pub fn index(&self, kind: &str, text: &str) -> [u8; 16] {
        let mut context = hmac::Context::with_key(&self.fingerprint);
        context.update(kind.as_bytes());
        context.update(&[0]);
        context.update(text.as_bytes());
        let mut hash = [0u8; 16];
        hash.copy_from_slice(&context.sign().as_ref()[..16]);
        hash
    }

    /// A secret for the sandbox channel, so that every instance of a shop has the same.
    #[must_use]
    pub fn sandbox_secret(&self) -> [u8; 16] {
        self.index("sandbox", "secret")
    }
}

fn random32() -> Result<Zeroizing<[u8; 32]>, VaultError> {
    let mut bytes = Zeroizing::new([0u8; 32]);
    rand::fill(&mut *bytes).map_err(|_| VaultError::NoEntropy)?;
    Ok(bytes)
}

fn new_ring() -> Result<String, VaultError> {
    let secret = || random32().map(|bytes| BASE64.encode(&*bytes));
    let file = RingFile { active: 1, keys: BTreeMap::from([(1, secret()?)]), fingerprint: secret()?, token: secret()? };
    serde_json::to_string_pretty(&file).map_err(|_| VaultError::NoEntropy)
}

/// 128 bits of chance, for order numbers.
///
/// # Errors
/// No random bytes.
pub fn chance() -> Result<u128, VaultError> {
    let mut bytes = [0u8; 16];
    rand::fill(&mut bytes).map_err(|_| VaultError::NoEntropy)?;
    Ok(u128::from_be_bytes(bytes))
}

/// The secret text in a file (0600), which is made from chance when it is not there: the admin token.
///
/// # Errors
/// A file that cannot be read or written.
pub fn load_token(path: &Path) -> Result<Zeroizing<String>, VaultError> {
    let fail = |source| VaultError::File { path: path.display().to_string(), source };
    match guard::read(path) {
        Ok(text) if bare(&text).len() >= 20 => Ok(Zeroizing::new(bare(&text).to_owned())),
        Ok(_) => Err(VaultError::Damaged(path.display().to_string())),
        Err(error) if error.is_missing() => {
            let token = new_token()?;
            write_private(path, token.as_bytes()).map_err(fail)?;
            Ok(token)
        }
        Err(error) => Err(error),
    }
}

/// A secret text that nobody guesses, for an operator.
///
/// # Errors
/// No random bytes.
pub fn new_token() -> Result<Zeroizing<String>, VaultError> {
    Ok(Zeroizing::new(BASE64URL_NOPAD.encode(&*random32()?)))
}

/// Whether two texts are equal, in constant time.
#[must_use]
pub fn same_secret(a: &str, b: &str) -> bool {
    constant_time::verify_slices_are_equal(a.as_bytes(), b.as_bytes()).is_ok()
}

/// Writes a file that only its owner reads, whole or not at all: a kill in between leaves no half ring.
///
/// # Errors
/// The disk.
pub fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let draft = path.with_extension("new");
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&draft, path)?;
    path.parent().map_or(Ok(()), |folder| std::fs::File::open(folder)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_and_equal_keys_are_equal_blobs() {
        let vault = Vault::ephemeral().unwrap();
        let sealed = vault.seal("KEY-一二三".as_bytes()).unwrap();
        assert_eq!(vault.open(&sealed.0).unwrap().as_str(), "KEY-一二三");
        assert_eq!(sealed, vault.seal("KEY-一二三".as_bytes()).unwrap());
        assert_ne!(sealed.fingerprint(), vault.seal(b"KEY-2").unwrap().fingerprint());
        assert_eq!(sealed.0.len(), 1 + 12 + "KEY-一二三".len() + 16);
    }

    #[test]
    fn a_changed_blob_or_another_ring_opens_nothing() {
        let (vault, other) = (Vault::ephemeral().unwrap(), Vault::ephemeral().unwrap());
        let sealed = vault.seal(b"secret").unwrap().0;
        for at in 1..sealed.len() {
            let mut bent = sealed.clone();
            bent[at] ^= 1;
            assert!(vault.open(&bent).is_err(), "byte {at}");
        }
        assert!(other.open(&sealed).is_err());
        assert!(vault.open(&[]).is_err());
        assert_ne!(vault.check_value(), other.check_value());
    }
}
