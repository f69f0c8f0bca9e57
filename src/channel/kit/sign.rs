//! The signature algorithms of the gateways, each from a well-kept crate. Compares in constant time.

use aws_lc_rs::{constant_time, digest, hmac};
use data_encoding::HEXLOWER;
use md5::{Digest, Md5};

/// Lower-case hex of the MD5 of all `parts`, joined.
pub fn md5_hex(parts: &[&[u8]]) -> String {
    let mut hash = Md5::new();
    for part in parts {
        hash.update(part);
    }
    HEXLOWER.encode(&hash.finalize())
}

/// Lower-case hex of the HMAC-SHA256 of `message`.
pub fn hmac_hex(key: &hmac::Key, message: &[u8]) -> String {
    HEXLOWER.encode(hmac::sign(key, message).as_ref())
}

/// A key for HMAC-SHA256.
pub fn hmac_key(secret: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret)
}

/// Lower-case hex of the SHA-256 of `message`.
pub fn sha256_hex(message: &[u8]) -> String {
    HEXLOWER.encode(digest::digest(&digest::SHA256, message).as_ref())
}

/// Whether two texts are equal, in a time that depends only on their lengths.
pub fn equal(a: &str, b: &str) -> bool {
    constant_time::verify_slices_are_equal(a.as_bytes(), b.as_bytes()).is_ok()
}
