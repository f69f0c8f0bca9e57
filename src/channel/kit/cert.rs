//! X.509 certificates of gateways: read, named as they name them, and followed to a root that is configured.

use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};

use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use super::{
    keys::{self, PublicKey},
    sign, text,
};
use crate::domain::Millis;
use crate::settings::{Setting, Values};

/// One certificate.
pub struct Cert(Vec<u8>);

/// What was made of texts that certificates were read from, with when it can be believed: a gateway has one or two, and to
/// follow one costs more than to verify a signature.
pub struct Followed<T>(Mutex<Vec<Made<T>>>);

/// A text, what was made of it, and when that can be believed.
type Made<T> = (String, Arc<T>, RangeInclusive<Millis>);

impl<T> Default for Followed<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Followed<T> {
    /// Texts kept.
    const MOST: usize = 8;

    /// What was made last.
    pub fn latest(&self) -> Option<Arc<T>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.first().map(|(_, made, _)| Arc::clone(made))
    }

    /// What is made of a text at that time; `follow` makes it where it is not kept, and says when it can be believed.
    pub fn get(
        &self,
        text: &str,
        now: Millis,
        follow: impl FnOnce() -> Option<(T, RangeInclusive<Millis>)>,
    ) -> Option<Arc<T>> {
        let kept = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, made, _)) = kept().iter().find(|(known, _, when)| known == text && when.contains(&now)) {
            return Some(Arc::clone(made));
        }
        let (made, when) = follow()?;
        let made = Arc::new(made);
        let mut kept = kept();
        kept.truncate(Self::MOST - 1);
        kept.insert(0, (text.to_owned(), Arc::clone(&made), when));
        Some(made)
    }
}

/// Object identifiers of signatures with RSA: `1.2.840.113549.1.1.*` (RFC 8017).
const RSA: &str = "1.2.840.113549.1.1.";

impl Cert {
    /// Every certificate of a PEM text, or of the bare base64 of one.
    pub fn all(text: &str) -> Vec<Self> {
        let certs = keys::blocks(text).into_iter().map(|(_, bytes)| Self(bytes));
        certs.filter(|cert| cert.read().is_some()).collect()
    }

    fn read(&self) -> Option<X509Certificate<'_>> {
        X509Certificate::from_der(&self.0).ok().map(|(_, cert)| cert)
    }

    /// Its key.
    #[must_use]
    pub fn key(&self) -> Option<PublicKey> {
        PublicKey::from_der(self.read()?.public_key().raw)
    }

    /// Its serial number, decimal.
    #[must_use]
    pub fn serial(&self) -> Option<String> {
        Some(self.read()?.tbs_certificate.serial.to_string())
    }

    /// Its serial number, upper-case hex without leading zeros in front of a digit.
    #[must_use]
    pub fn serial_hex(&self) -> Option<String> {
        Some(format!("{:X}", self.read()?.tbs_certificate.serial))
    }

    /// Whether it is signed with an RSA algorithm.
    #[must_use]
    pub fn is_rsa(&self) -> bool {
        self.read().is_some_and(|cert| cert.signature_algorithm.algorithm.to_id_string().starts_with(RSA))
    }

    /// Alipay's number of a certificate: MD5 of the issuer's name, its last part first, and the decimal serial number.
    #[must_use]
    pub fn alipay_sn(&self) -> Option<String> {
        let cert = self.read()?;
        let mut parts: Vec<String> = Vec::new();
        for attribute in cert.issuer().iter_attributes() {
            let name = x509_parser::objects::oid2abbrev(attribute.attr_type(), x509_parser::objects::oid_registry());
            parts.push(format!("{}={}", name.ok()?, attribute.as_str().ok()?));
        }
        parts.reverse();
        Some(sign::md5_hex(&[parts.join(",").as_bytes(), cert.tbs_certificate.serial.to_string().as_bytes()]))
    }

    /// The common name of its subject.
    #[must_use]
    pub fn common_name(&self) -> Option<String> {
        let cert = self.read()?;
        let names: Vec<&str> = cert.subject().iter_common_name().filter_map(|name| name.as_str().ok()).collect();
        // Two names could be read as either.
        if let [only] = names[..] { Some(only.to_owned()) } else { None }
    }

    /// From when to when it is valid, in ms; an empty range where it cannot be read.
    fn window(&self) -> RangeInclusive<Millis> {
        let Some(cert) = self.read() else { return RangeInclusive::new(1, 0) };
        let ms = |seconds: i64| u64::try_from(seconds).unwrap_or(0).saturating_mul(1000);
        ms(cert.validity().not_before.timestamp())..=ms(cert.validity().not_after.timestamp()).saturating_add(999)
    }

    /// Whether it was valid at that time.
    #[must_use]
    pub fn is_valid(&self, now: Millis) -> bool {
        self.window().contains(&now)
    }

    /// Whether it may sign others.
    fn is_authority(&self) -> bool {
        self.read().is_some_and(|cert| cert.is_ca())
    }

    /// Whether that one issued it.
    pub fn is_signed_by(&self, issuer: &Self) -> bool {
        let (Some(cert), Some(by)) = (self.read(), issuer.read()) else { return false };
        cert.issuer() == by.subject() && cert.verify_signature(Some(by.public_key())).is_ok()
    }

    /// When it can be believed: it leads over at most one of `middle` to one of `roots`, authorities above it and itself
    /// none, and all of them are valid in that time. `None`: not at `now`.
    #[must_use]
    pub fn leads_to(&self, roots: &[Self], middle: &[Self], now: Millis) -> Option<RangeInclusive<Millis>> {
        let sound = |cert: &&Self| cert.is_authority() && cert.is_valid(now);
        let root_of = |cert: &Self| roots.iter().filter(sound).find(|root| cert.is_signed_by(root)).map(Self::window);
        if self.is_authority() || !self.is_valid(now) {
            return None;
        }
        let both =
            |a: &RangeInclusive<Millis>, b: &RangeInclusive<Millis>| *a.start().max(b.start())..=*a.end().min(b.end());
        if let Some(root) = root_of(self) {
            return Some(both(&self.window(), &root));
        }
        middle.iter().filter(sound).filter(|cert| self.is_signed_by(cert)).find_map(|cert| {
            let root = root_of(cert)?;
            Some(both(&both(&self.window(), &cert.window()), &root))
        })
    }
}

/// A setting that holds certificates, or names a file with them; where it is read it must be there. One that is not valid
/// `now` is warned of.
pub fn certs(v: &mut Values<'_>, row: &Setting, now: Millis) -> Vec<Cert> {
    let Some(text) = v.public_text(row) else {
        v.missing(row, row.help.en);
        return Vec::new();
    };
    let certs = Cert::all(&text);
    if certs.is_empty() {
        v.reject(row, format!("holds no certificate; needed: {}", row.help.en));
    }
    // No reason not to start: the other channels sell on, and an older one may stand beside its successor.
    for cert in certs.iter().filter(|cert| !cert.is_valid(now)) {
        let until = text::beijing(*cert.window().end(), "%Y-%m-%d");
        v.warn(
            row,
            format!("holds a certificate that is not valid now (its last day: {until}): what it signs is refused"),
        );
    }
    certs
}

/// A setting that holds one certificate.
pub fn one(v: &mut Values<'_>, row: &Setting, now: Millis) -> Option<Cert> {
    let mut certs = certs(v, row, now);
    let cert = certs.pop()?;
    if !certs.is_empty() {
        v.reject(row, format!("holds several certificates; needed: {}", row.help.en));
    }
    Some(cert)
}
