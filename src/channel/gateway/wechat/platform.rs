//! The platform's keys: its public key (微信支付公钥) and certificates that are configured, or certificates that are fetched
//! when a message names one that is not known yet (平台证书, which are exchanged now and then).
//!
//! Source: the platform's documents of its certificates' API. Its answer is sealed with our APIv3 key and signed by one of
//! the certificates in it; nothing else in a message chooses a key.

use std::collections::BTreeMap;

use aws_lc_rs::aead::LessSafeKey;
use serde_json::{Map, Value};

use super::settings::{CERT_SERIAL, CERTS, FETCH, KEY_ID, MODE, PEM, PLATFORM_CERT, PLATFORM_KEY, TOLERANCE};
use super::{SCHEME, unseal};
use crate::channel::kit::{
    callback,
    cert::{self, Cert, Followed},
    json, keys,
    keys::PublicKey,
};
use crate::domain::{Millis, Rejection, Response};
use crate::settings::Values;

/// The header with the signature.
pub const SIGNATURE: &str = "wechatpay-signature";
/// How the ids of public keys begin: no certificate has such a number.
const PUBLIC_KEY: &str = "PUB_KEY_ID_";

/// By serial number, upper case; a certificate brings the time it is good for.
pub type Keys = BTreeMap<String, (PublicKey, Option<Cert>)>;

/// Why a message is not believed (yet).
pub enum Unbelieved {
    /// Its key is not known: the certificates are to be fetched.
    Fetch,
    /// It is not the platform's.
    Refused(Rejection),
}

impl From<Rejection> for Unbelieved {
    fn from(why: Rejection) -> Self {
        Self::Refused(why)
    }
}

/// The platform's keys.
pub struct Platform {
    /// Those that are configured.
    pub known: Keys,
    /// Whether others are fetched.
    pub fetch: bool,
    fetched: Followed<Keys>,
    tolerance_s: u64,
}

/// Where a message carries what signs it.
type Header<'h, 'a> = &'h dyn Fn(&str) -> Option<&'a str>;

impl Platform {
    /// The keys of a section.
    pub fn read(v: &mut Values<'_>, now: Millis) -> Self {
        let mut known = Keys::new();
        if let Some(id) = v.given(&KEY_ID)
            && let Some(key) = keys::public(v, &PLATFORM_KEY)
        {
            known.insert(id_of(&id), (key, None));
        }
        let named = v.has(&PLATFORM_CERT);
        let mut certs = if named { cert::certs(v, &PLATFORM_CERT, now) } else { Vec::new() };
        for table in v.tables(&CERTS) {
            let mut inner = v.inner(&table, &[&[&CERT_SERIAL, &PEM]]);
            certs.extend(cert::certs(&mut inner, &PEM, now));
            let _said = inner.text(&CERT_SERIAL);
            inner.finish();
        }
        let named = named || !certs.is_empty();
        known.extend(certs.into_iter().filter_map(keyed));
        // Who chose certificates and names none has them fetched, whether or not the public key is there already: while an
        // account changes over, either signs.
        let certs = v.choice(&MODE) == "platform_cert" && !named;
        let fetch = v.flag(&FETCH).unwrap_or(certs);
        if known.is_empty() && !fetch && !v.has(&KEY_ID) {
            let what = "with platform_public_key_file, from the console (微信支付公钥); or mode = \"platform_cert\" (平台证书)";
            v.missing(&KEY_ID, what);
        }
        Self { known, fetch, fetched: Followed::default(), tolerance_s: v.whole(&TOLERANCE).unwrap_or_default() }
    }

    /// Whether the platform signed these headers and this body, not long ago; `seen` are the answers to fetching.
    pub fn check<'a>(
        &self,
        header: impl Fn(&str) -> Option<&'a str>,
        body: &[u8],
        seen: &[Response],
        seal: &LessSafeKey,
        now: Millis,
    ) -> Result<(), Unbelieved> {
        let need = |name: &str| header(name).filter(|text| !text.is_empty()).ok_or(Rejection::MissingSignature);
        if header("wechatpay-signature-type").is_some_and(|kind| kind != SCHEME) {
            return Err(Rejection::SignTypeMismatch.into());
        }
        let (timestamp, serial) = (need("wechatpay-timestamp")?, id_of(need("wechatpay-serial")?));
        need(SIGNATURE)?;
        need("wechatpay-nonce")?;
        if self.known.contains_key(&serial) {
            signed(&self.known, &header, body, now)?;
        } else if self.fetch && !serial.starts_with(PUBLIC_KEY) {
            let fetched = seen.iter().filter_map(|answer| self.certificates(answer, seal, now));
            let mut fetched: Vec<_> = fetched.collect();
            if fetched.is_empty() && !seen.is_empty() {
                // What came now cannot be read: what was believed last still holds.
                fetched.extend(self.fetched.latest());
            }
            match fetched.iter().find(|keys| keys.contains_key(&serial)) {
                Some(keys) => signed(keys, &header, body, now)?,
                // One answer may be of hours ago; a second one is of now.
                None if fetched.len() > 1 => return Err(Rejection::KeyUnknown.into()),
                None => return Err(Unbelieved::Fetch),
            }
        } else {
            return Err(Rejection::KeyUnknown.into());
        }
        Ok(callback::fresh(timestamp, self.tolerance_s, now)?)
    }

    /// The certificates of an answer, if it is the platform's.
    fn certificates(&self, answer: &Response, seal: &LessSafeKey, now: Millis) -> Option<std::sync::Arc<Keys>> {
        if answer.status != 200 {
            return None;
        }
        let text = std::str::from_utf8(&answer.body).ok()?;
        self.fetched.get(text, now, || {
            let said = json::object(&answer.body).ok()?;
            let listed = said.get("data")?.as_array()?.iter().filter_map(Value::as_object);
            let keys: Keys = listed.filter_map(|one| certificate(one, seal)).collect();
            // Its time is not looked at: an answer is kept, and each certificate says itself how long it is good.
            signed(&keys, &|name| answer.header(name), &answer.body, now).ok()?;
            Some((keys, 0..=Millis::MAX))
        })
    }
}

/// The name of a key as it is compared: serial numbers are written in either case, with and without zeros in front.
fn id_of(name: &str) -> String {
    name.trim_start_matches('0').to_ascii_uppercase()
}

fn keyed(cert: Cert) -> Option<(String, (PublicKey, Option<Cert>))> {
    Some((id_of(&cert.serial_hex()?), (cert.key()?, Some(cert))))
}

/// One of the listed certificates, opened.
fn certificate(listed: &Map<String, Value>, seal: &LessSafeKey) -> Option<(String, (PublicKey, Option<Cert>))> {
    let opened = unseal(seal, json::inner(listed, "encrypt_certificate").ok()?).ok()?;
    let mut certs = Cert::all(std::str::from_utf8(&opened).ok()?);
    let cert = certs.pop().filter(|_| certs.is_empty())?;
    let named = id_of(json::text(listed, "serial_no").ok()?);
    keyed(cert).filter(|(serial, _)| *serial == named)
}

/// Whether one of these keys, the one that is named, signed this.
fn signed<'a>(keys: &Keys, header: Header<'_, 'a>, body: &[u8], now: Millis) -> Result<(), Rejection> {
    let text = |name: &str| header(name).ok_or(Rejection::MissingSignature);
    let serial = id_of(text("wechatpay-serial")?);
    let (key, cert) = keys.get(&serial).ok_or(Rejection::KeyUnknown)?;
    let mut message = format!("{}\n{}\n", text("wechatpay-timestamp")?, text("wechatpay-nonce")?).into_bytes();
    message.extend_from_slice(body);
    message.push(b'\n');
    if !key.fits_base64(&message, text(SIGNATURE)?) {
        return Err(Rejection::BadSignature);
    }
    if cert.as_ref().is_some_and(|cert| !cert.is_valid(now)) {
        return Err(Rejection::CertUntrusted);
    }
    Ok(())
}
