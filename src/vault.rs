//! Keeps what must not be read: seals keys before they reach Redis, opens them for their buyer, makes tokens.
//!
//! A sealed key is `ring id (1) | nonce (12) | ciphertext | tag (16)`, AES-256-GCM. The nonce is the start of an HMAC of
//! the plain text under a secret that never rotates: equal keys give equal blobs, and the nonce is the fingerprint by
//! which an audit sees one key twice without opening any. A nonce therefore never meets two messages, and there is no
//! additional data. Invariant: a plain key leaves this room only through [`Vault::open`].

mod guard;

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::{constant_time, hmac, rand};
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::domain::OrderId;
use crate::domain::text::bare;

/// Bytes of a nonce, which is a fingerprint.
pub const NONCE: usize = 12;
const TAG: usize = 16;

/// Digits of an order's code: 60 bits, tried against a limit.
const CODE: usize = 12;
/// Digits that nobody takes for one another.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A character of a code as it was meant, whatever keyboard it was typed on; `None` for what only parts them.
fn code_digit(typed: char) -> Option<u8> {
    let narrow = match typed {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(typed) - 0xfee0).unwrap_or(typed),
        other => other,
    };
    match narrow.to_ascii_uppercase() {
        'O' => Some(b'0'),
        'I' | 'L' => Some(b'1'),
        digit if digit.is_ascii_alphanumeric() => u8::try_from(digit).ok(),
        part if part.is_whitespace()
            || part.is_ascii_punctuation()
            || matches!(part, '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{200b}' | '\u{feff}') =>
        {
            None
        }
        _ => Some(b'?'),
    }
}

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

/// By what something is found again that nobody may read: see [`Vault::index`].
pub type Index = [u8; 16];

/// The key ring and what is done with it.
pub struct Vault {
    active: u8,
    keys: BTreeMap<u8, LessSafeKey>,
    fingerprint: hmac::Key,
    token: hmac::Key,
    check: String,
    checks: BTreeMap<String, String>,
    /// The key that is sealed under: `active`, once all instances hold it.
    sealing: AtomicU8,
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
        let check = check_of(&fingerprint, b"kamid ring");
        let mut checks = BTreeMap::new();
        for (id, text) in &file.keys {
            let bytes = secret(text)?;
            let key = UnboundKey::new(&AES_256_GCM, &bytes).map_err(|_| damaged())?;
            keys.insert(*id, LessSafeKey::new(key));
            let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
            checks.insert(key_part(*id), check_of(&key, b"kamid ring key"));
        }
        if !keys.contains_key(&file.active) {
            return Err(damaged());
        }
        let token = hmac::Key::new(hmac::HMAC_SHA256, &secret(&file.token)?);
        checks.insert("token".to_owned(), check_of(&token, b"kamid ring token"));
        let sealing = AtomicU8::new(file.active);
        Ok(Self { active: file.active, keys, fingerprint, token, check, checks, sealing })
    }

    /// Of each further part of the ring such a value, by its name: `token`, and `key N` of each key.
    #[must_use]
    pub fn checks(&self) -> &BTreeMap<String, String> {
        &self.checks
    }

    /// The key that the ring's file wants to seal under.
    #[must_use]
    pub fn active(&self) -> u8 {
        self.active
    }

    /// The key that is sealed under.
    #[must_use]
    pub fn sealing(&self) -> u8 {
        self.sealing.load(Ordering::Relaxed)
    }

    /// Seals under that key from here on, if it is in the ring.
    pub fn seal_from_now(&self, id: u8) {
        if self.keys.contains_key(&id) {
            self.sealing.store(id, Ordering::Relaxed);
        }
    }

    /// The ring's keys.
    pub fn key_ids(&self) -> impl Iterator<Item = u8> {
        self.keys.keys().copied()
    }

    /// A value that is equal for equal rings and says nothing of them: it stands in Redis, so that a daemon with another
    /// ring refuses to start.
    #[must_use]
    pub fn check_value(&self) -> &str {
        &self.check
    }

    /// Seals a text under the ring key that is in use.
    ///
    /// # Errors
    /// None in practice: the cipher takes any text of a key's length.
    pub fn seal(&self, plain: &[u8]) -> Result<Sealed, VaultError> {
        self.seal_under(self.sealing(), plain)
    }

    /// How a text would be sealed under each ring key, to find it in a pool.
    pub fn seals(&self, plain: &[u8]) -> impl Iterator<Item = Sealed> {
        self.keys.keys().filter_map(|id| self.seal_under(*id, plain).ok())
    }

    /// The fingerprint of a text: what a blob of it would carry.
    #[must_use]
    pub fn fingerprint(&self, plain: &[u8]) -> [u8; NONCE] {
        let mut print = [0u8; NONCE];
        print.copy_from_slice(&hmac::sign(&self.fingerprint, plain).as_ref()[..NONCE]);
        print
    }

    fn seal_under(&self, id: u8, plain: &[u8]) -> Result<Sealed, VaultError> {
        let key = self.keys.get(&id).ok_or(VaultError::UnknownRing(id))?;
        let nonce = self.fingerprint(plain);
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

    /// The code that a person types to see an order from another browser: an HMAC of its number, never stored.
    #[must_use]
    pub fn code(&self, order: OrderId) -> String {
        let digits = self.code_digits(order);
        let groups: Vec<String> = digits.chunks(4).map(|group| String::from_utf8_lossy(group).into_owned()).collect();
        groups.join("-")
    }

    /// Whether what a person typed is the order's code, in constant time once it is read.
    #[must_use]
    pub fn is_code(&self, order: OrderId, typed: &str) -> bool {
        let given: Vec<u8> = typed.chars().filter_map(code_digit).take(CODE + 1).collect();
        constant_time::verify_slices_are_equal(&self.code_digits(order), &given).is_ok()
    }

    fn code_digits(&self, order: OrderId) -> [u8; CODE] {
        let mut context = hmac::Context::with_key(&self.token);
        // No order's number has this length: a code says nothing of a token.
        context.update(b"code\0");
        context.update(order.as_str().as_bytes());
        let hash = context.sign();
        let mut digits = [0; CODE];
        for (digit, byte) in digits.iter_mut().zip(hash.as_ref()) {
            *digit = DIGITS[usize::from(byte % 32)];
        }
        digits
    }

    /// The keyed hash by which a contact, an address or a trade number is indexed.
    #[must_use]
    pub fn index(&self, kind: &str, text: &str) -> Index {
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

/// The name of a ring key, as checks and errors tell it.
#[must_use]
pub fn key_part(id: u8) -> String {
    format!("key {id}")
}

fn check_of(key: &hmac::Key, what: &[u8]) -> String {
    let mut check = HEXLOWER.encode(hmac::sign(key, what).as_ref());
    check.truncate(32);
    check
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

/// What shows that somebody knows a token without saying it, to whoever knows it too: an HMAC of what was asked, and of
/// the address that answers, so that nobody shows what another said.
#[must_use]
pub fn proof(token: &str, asked: &str, at: SocketAddr) -> String {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, token.as_bytes()));
    let at = SocketAddr::new(at.ip().to_canonical(), at.port());
    context.update(format!("kamid admin|{asked}|{at}").as_bytes());
    HEXLOWER.encode(context.sign().as_ref())
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
    fn a_code_is_read_as_people_type_it_and_opens_no_other_order() {
        let vault = Vault::ephemeral().unwrap();
        let (order, other) =
            (OrderId::new(crate::domain::Slot::new(1), 1, 1), OrderId::new(crate::domain::Slot::new(1), 1, 2));
        let code = vault.code(order);
        assert_eq!((code.len(), code.matches('-').count()), (14, 2));
        let wide: String = code.chars().map(|c| char::from_u32(u32::from(c) + 0xfee0).unwrap()).collect();
        for typed in [
            code.clone(),
            code.to_lowercase(),
            code.replace('-', ""),
            code.replace('-', " \u{2014} "),
            code.replace('0', "o").replace('1', "l"),
            format!(" {code}\u{200b}\n"),
            wide,
        ] {
            assert!(vault.is_code(order, &typed), "{typed:?}");
            assert!(!vault.is_code(other, &typed), "{typed:?}");
        }
        for wrong in ["", "-", &code[..13], &format!("{code}0"), &format!("{code}口"), &vault.token(order)] {
            assert!(!vault.is_code(order, wrong), "{wrong:?}");
        }
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
