//! RSA keys and certificates as merchants get them: PEM or bare base64, PKCS#1, PKCS#8 or X.509. Read once, at the start;
//! what is wrong is said with the setting's name.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256};
use data_encoding::BASE64;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::{PublicKey as RsaOrOther, RSAPublicKey};
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::settings::{Form, Setting, Values};

/// A key that verifies SHA256withRSA.
pub struct PublicKey(ParsedPublicKey);

/// A key that signs SHA256withRSA.
pub struct PrivateKey(KeyPair);

/// How a block of PEM begins (RFC 7468). What stands in front of it, as OpenSSL's `Bag Attributes`, is explanation.
pub const BEGIN: &str = "-----BEGIN ";

/// What stands in a text of PEM: the word of each block's head and its bytes; or, without a word, the bytes of bare base64.
pub fn blocks(text: &str) -> Vec<(Option<&str>, Vec<u8>)> {
    let decode = |inner: &str| {
        let base64: String = inner.chars().filter(|c| !c.is_whitespace()).collect();
        BASE64.decode(base64.as_bytes()).ok().filter(|bytes| !bytes.is_empty())
    };
    let block = |rest| {
        let (label, rest): (&str, &str) = str::split_once(rest, "-----")?;
        Some((Some(label), decode(rest.split_once("-----END")?.0)?))
    };
    if text.contains(BEGIN) {
        return text.split(BEGIN).skip(1).filter_map(block).collect();
    }
    decode(text.trim_start_matches('\u{feff}')).map(|bytes| (None, bytes)).into_iter().collect()
}

/// The key in a text: the block that says so in its head, or else the first one.
fn der<'a>(text: &'a str, word: &str) -> Option<(Option<&'a str>, Vec<u8>)> {
    let mut blocks = blocks(text);
    let named = blocks.iter().position(|(label, _)| label.is_some_and(|label| label.contains(word)));
    (!blocks.is_empty()).then(|| blocks.swap_remove(named.unwrap_or(0)))
}

/// Least bits of a key's modulus.
const BITS: usize = 2048;

/// Whether a `SubjectPublicKeyInfo` or `RSAPublicKey` is of an RSA key that is long enough.
fn is_long_enough(bytes: &[u8]) -> bool {
    let inner = SubjectPublicKeyInfo::from_der(bytes).ok();
    let key = match inner.as_ref().map(|(_, info)| info.parsed()) {
        Some(Ok(RsaOrOther::RSA(key))) => Some(key),
        Some(_) => None,
        None => RSAPublicKey::from_der(bytes).ok().map(|(_, key)| key),
    };
    key.is_some_and(|key| key.key_size() >= BITS)
}

/// Said of a private key that a password protects, PKCS#8 or older.
const PROTECTED: &str = "a private key with a password: take it off (openssl rsa -in this -out new)";

/// Said of a text that holds no block and is no base64.
fn not_a_key(text: &str) -> &'static str {
    if text.contains("ENCRYPTED") {
        PROTECTED
    } else {
        "neither PEM nor base64 (a file is named by the setting with _file)"
    }
}

/// What a key's text is, said when it is not what was asked for.
fn kind_of(label: Option<&str>, bytes: &[u8]) -> &'static str {
    let private = KeyPair::from_pkcs8(bytes).is_ok() || KeyPair::from_der(bytes).is_ok();
    match label {
        Some(label) if label.contains("CERTIFICATE") => "a certificate",
        Some(label) if label.contains("ENCRYPTED") => PROTECTED,
        Some(label) if label.contains("EC ") => "a key of elliptic curves, not RSA",
        Some(label) if label.contains("OPENSSH") => "a key of ssh",
        _ if private => "a private key",
        _ if is_long_enough(bytes) => "a public key",
        _ if X509Certificate::from_der(bytes).is_ok() => "a certificate",
        _ => "no RSA key of 2048 bits or more, or a part of it is missing",
    }
}

impl PublicKey {
    /// Of a `SubjectPublicKeyInfo` or `RSAPublicKey`, DER.
    #[must_use]
    pub fn from_der(bytes: &[u8]) -> Option<Self> {
        ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, bytes).ok().filter(|_| is_long_enough(bytes)).map(Self)
    }

    /// Of a text as merchants get it.
    ///
    /// # Errors
    /// What the text is instead.
    pub fn read(text: &str) -> Result<Self, &'static str> {
        let (label, bytes) = der(text, "PUBLIC KEY").ok_or_else(|| not_a_key(text))?;
        Self::from_der(&bytes).ok_or_else(|| kind_of(label, &bytes))
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
        let (label, bytes) = der(text, "PRIVATE KEY").ok_or_else(|| not_a_key(text))?;
        let key = KeyPair::from_pkcs8(&bytes).or_else(|_| KeyPair::from_der(&bytes)).ok().map(Self);
        key.ok_or_else(|| kind_of(label, &bytes))
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

/// The gateway's own private key, which only a test or a load can have: with it, callbacks can be forged.
pub const GATEWAY: Setting = Setting::optional(
    Form::PrivateKey,
    "gateway_private_key",
    "the gateway's own private key, for tests and load alone: whoever has it can make payments up",
    "网关自己的私钥,仅供测试和压测:有它就能伪造付款",
);

/// A setting that holds a public key, or names a file with it.
pub fn public(v: &mut Values<'_>, row: &Setting) -> Option<PublicKey> {
    let text = v.public_text(row)?;
    PublicKey::read(&text).map_err(|is| v.reject(row, format!("is {is}; needed: {}", row.help.en))).ok()
}

/// A setting that holds a private key, or names a file with it.
pub fn private(v: &mut Values<'_>, row: &Setting) -> Option<PrivateKey> {
    let text = v.secret(row)?;
    PrivateKey::read(text.reveal()).map_err(|is| v.reject(row, format!("is {is}; needed: {}", row.help.en))).ok()
}

/// [`GATEWAY`], with a warning.
pub fn gateway(v: &mut Values<'_>) -> Option<PrivateKey> {
    let text = v.secret(&GATEWAY)?;
    v.warn_of_file(&GATEWAY, "is for tests and load alone: whoever has it can make payments up");
    PrivateKey::read(text.reveal()).map_err(|is| v.reject(&GATEWAY, format!("is {is}"))).ok()
}

/// The merchant's public key in the place of the platform's verifies nothing a gateway signs, and everything that whoever
/// has the merchant's key signs: the commonest slip, told with its setting.
pub fn not_a_pair(v: &mut Values<'_>, row: &Setting, private: Option<&PrivateKey>, public: Option<&PublicKey>) {
    if let (Some(private), Some(public)) = (private, public)
        && private.is_pair_of(public)
    {
        v.reject(row, "is your own key, the one of the private key here: the platform's belongs here");
    }
}
