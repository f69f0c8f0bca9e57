//! RSA keys and certificates as merchants get them: PEM or bare base64, PKCS#1, PKCS#8 or X.509. Read once, at the start;
//! what is wrong is said with the setting's name.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256};
use data_encoding::BASE64;

use crate::settings::{Problem, Section};

/// A key that verifies SHA256withRSA.
pub struct PublicKey(ParsedPublicKey);

/// A key that signs SHA256withRSA.
pub struct PrivateKey(KeyPair);

/// The bytes inside PEM, or of bare base64; and the word of a PEM's head.
fn der(text: &str) -> Option<(Option<String>, Vec<u8>)> {
    let text = text.trim();
    let (label, inner) = match text.strip_prefix("-----BEGIN ") {
        Some(rest) => {
            let (label, rest) = rest.split_once("-----")?;
            (Some(label.to_owned()), rest.split_once("-----END")?.0)
        }
        None => (None, text),
    };
    let base64: String = inner.chars().filter(|c| !c.is_whitespace()).collect();
    Some((label, BASE64.decode(base64.as_bytes()).ok()?))
}

/// Every PEM block of a text.
pub fn pem_blocks(text: &str) -> Vec<Vec<u8>> {
    let starts: Vec<usize> = text.match_indices("-----BEGIN ").map(|(at, _)| at).collect();
    starts.iter().filter_map(|at| Some(der(text.get(*at..)?)?.1)).collect()
}

/// What a key's text is, said when it is not what was asked for.
fn kind_of(label: Option<&str>, bytes: &[u8]) -> &'static str {
    let private = KeyPair::from_pkcs8(bytes).is_ok() || KeyPair::from_der(bytes).is_ok();
    match label {
        Some(label) if label.contains("CERTIFICATE") => "a certificate",
        _ if private => "a private key",
        _ if ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, bytes).is_ok() => "a public key",
        _ => "no RSA key of 2048 bits or more",
    }
}

impl PublicKey {
    /// Of a `SubjectPublicKeyInfo` or `RSAPublicKey`, DER.
    #[must_use]
    pub fn from_der(bytes: &[u8]) -> Option<Self> {
        ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, bytes).ok().map(Self)
    }

    /// Of a text as merchants get it.
    ///
    /// # Errors
    /// What the text is instead.
    pub fn read(text: &str) -> Result<Self, &'static str> {
        let (label, bytes) = der(text).ok_or("neither PEM nor base64")?;
        Self::from_der(&bytes).ok_or_else(|| kind_of(label.as_deref(), &bytes))
    }

    /// Whether it signed that message, with SHA256 and PKCS#1 padding.
    #[must_use]
    pub fn fits(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.verify_sig(message, signature).is_ok()
    }

    /// Whether it signed that message; the signature as standard base64.
    #[must_use]
    pub fn fits_base64(&self, message: &[u8], signature: &str) -> bool {
        BASE64.decode(signature.as_bytes()).is_ok_and(|signature| self.fits(message, &signature))
    }
}

impl PrivateKey {
    /// Of a text as merchants get it.
    ///
    /// # Errors
    /// What the text is instead.
    pub fn read(text: &str) -> Result<Self, &'static str> {
        let (label, bytes) = der(text).ok_or("neither PEM nor base64")?;
        let key = KeyPair::from_pkcs8(&bytes).or_else(|_| KeyPair::from_der(&bytes)).ok().map(Self);
        key.ok_or_else(|| kind_of(label.as_deref(), &bytes))
    }

    /// The signature of a message, as standard base64.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> String {
        let mut signature = vec![0; self.0.public_modulus_len()];
        match self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature) {
            Ok(()) => BASE64.encode(&signature),
            Err(_) => String::new(),
        }
    }

    /// Whether the public key belongs to this private one.
    #[must_use]
    pub fn is_pair_of(&self, public: &PublicKey) -> bool {
        public.fits_base64(b"kamid", &self.sign(b"kamid"))
    }
}

/// A setting that holds a public key, or names a file with it.
pub fn public(s: &Section, key: &str, what: &str, problems: &mut Vec<Problem>) -> Option<PublicKey> {
    let Some(text) = s.public_text(key, problems) else {
        s.require(key, what, problems);
        return None;
    };
    PublicKey::read(&text).map_err(|is| s.reject(key, format!("is {is}; needed: {what}"), problems)).ok()
}

/// A setting that holds a private key, or names a file with it.
pub fn private(s: &Section, key: &str, what: &str, problems: &mut Vec<Problem>) -> Option<PrivateKey> {
    let Some(text) = s.secret(key, problems) else {
        s.require(key, what, problems);
        return None;
    };
    PrivateKey::read(text.reveal()).map_err(|is| s.reject(key, format!("is {is}; needed: {what}"), problems)).ok()
}

/// The gateway's own private key, which only a test or a load can have: with it, callbacks can be forged.
pub fn gateway(s: &Section, problems: &mut Vec<Problem>) -> Option<PrivateKey> {
    let text = s.secret("gateway_private_key", problems)?;
    s.warn("gateway_private_key_file", "is for tests and load alone: whoever has it can make payments up", problems);
    PrivateKey::read(text.reveal()).map_err(|is| s.reject("gateway_private_key", format!("is {is}"), problems)).ok()
}

/// The merchant's public key in the place of the platform's verifies nothing a gateway signs, and everything that whoever
/// has the merchant's key signs: the commonest slip, told with its setting.
pub fn not_a_pair(
    s: &Section,
    key: &str,
    private: Option<&PrivateKey>,
    public: Option<&PublicKey>,
    problems: &mut Vec<Problem>,
) {
    if let (Some(private), Some(public)) = (private, public)
        && private.is_pair_of(public)
    {
        s.reject(key, "is your own key, the one of the private key here: the platform's belongs here", problems);
    }
}
