//! How PayPal signs a webhook: headers over an id, a time, our webhook's id and the body's CRC32, with a certificate that is
//! named by its address; or PayPal's own word for it.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{CERT_S, PayPal};
use crate::channel::kit::{callback, cert::Cert, hook, json as strict, keys::PublicKey};
use crate::domain::{Call, Callback, Millis, Rejection, Response, time};

/// The header with the signature.
pub const SIGNATURE: &str = "Paypal-Transmission-Sig";

/// The headers that sign a webhook.
pub struct Transmission<'a> {
    pub id: &'a str,
    pub time: &'a str,
    pub signature: &'a str,
    pub cert_url: &'a str,
    pub algorithm: &'a str,
}

impl<'a> Transmission<'a> {
    pub fn of(callback: &Callback<'a>) -> Result<Self, Rejection> {
        Ok(Self {
            id: hook::signature(callback, "Paypal-Transmission-Id")?,
            time: hook::signature(callback, "Paypal-Transmission-Time")?,
            signature: hook::signature(callback, SIGNATURE)?,
            cert_url: hook::signature(callback, "Paypal-Cert-Url")?,
            algorithm: hook::signature(callback, "Paypal-Auth-Algo")?,
        })
    }

    pub fn signed(&self, webhook_id: &str, body: &[u8]) -> String {
        format!("{}|{}|{webhook_id}|{}", self.id, self.time, crc32fast::hash(body))
    }
}

impl PayPal {
    /// Whether the address of a certificate is one of PayPal's own, in full: nothing else is ever fetched.
    fn is_paypals(&self, url: &str) -> bool {
        let Some((host, path)) = url.strip_prefix("https://").and_then(|rest| rest.split_once('/')) else {
            return false;
        };
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'/');
        self.hosts.iter().any(|known| known == host)
            && path.len() <= 256
            && path.starts_with("v1/notifications/certs/")
            && path.bytes().all(plain)
    }

    /// The key of the certificate that signs webhooks, if it leads to a configured root.
    fn key_of(&self, text: &str, roots: &[Cert], now: Millis) -> Result<Arc<PublicKey>, Rejection> {
        let follow = || {
            let mut certs = Cert::all(text);
            let leaf = (!certs.is_empty()).then(|| certs.remove(0))?;
            leaf.common_name().filter(|name| name.ends_with(".paypal.com"))?;
            let when = leaf.leads_to(roots, &certs, now)?;
            Some((leaf.key()?, when))
        };
        self.followed.get(text, now, follow).ok_or(Rejection::CertUntrusted)
    }

    /// Whether PayPal signed this webhook, as far as its signature goes. `Ok(Some)`: to be asked first.
    pub fn signed(
        &self,
        callback: &Callback<'_>,
        heard: Option<&Response>,
        now: Millis,
    ) -> Result<Option<Call>, Rejection> {
        callback::posted(callback, self.body_bytes)?;
        let sent = Transmission::of(callback)?;
        if sent.algorithm != "SHA256withRSA" {
            return Err(Rejection::SignTypeMismatch);
        }
        if !self.is_paypals(sent.cert_url) {
            return Err(Rejection::CertUntrusted);
        }
        let at = time::parse(sent.time).ok_or(Rejection::Malformed)?;
        if (at / 1000).abs_diff(now / 1000) > self.tolerance_s {
            return Err(Rejection::StaleTimestamp);
        }
        let Some(roots) = &self.local else { return self.asked_whether(callback, &sent, heard) };
        let Some(answer) = heard else {
            return Ok(Some(Call::get(sent.cert_url.to_owned()).kept(sent.cert_url, CERT_S)));
        };
        let text = std::str::from_utf8(&answer.body).ok().filter(|_| answer.status == 200);
        let key = self.key_of(text.ok_or(Rejection::CertUntrusted)?, roots, now)?;
        let fits = key.fits_base64(sent.signed(&self.webhook_id, callback.body).as_bytes(), sent.signature);
        if fits { Ok(None) } else { Err(Rejection::BadSignature) }
    }

    /// The same, by PayPal's own word; the body goes there as it came.
    fn asked_whether(
        &self,
        callback: &Callback<'_>,
        sent: &Transmission<'_>,
        heard: Option<&Response>,
    ) -> Result<Option<Call>, Rejection> {
        if let Some(answer) = heard {
            // What it refuses to look at, it did not sign.
            let said = hook::good(answer).map_err(|_| Rejection::BadSignature)?;
            let right = strict::text(&said, "verification_status") == Ok("SUCCESS");
            return if right { Ok(None) } else { Err(Rejection::BadSignature) };
        }
        // What is no JSON cannot be put in.
        strict::object(callback.body)?;
        let head = json!({
            "auth_algo": sent.algorithm, "cert_url": sent.cert_url, "transmission_id": sent.id,
            "transmission_sig": sent.signature, "transmission_time": sent.time, "webhook_id": self.webhook_id,
        });
        let head = head.to_string();
        let head = head.trim_end_matches('}').as_bytes();
        let call = self.call("v1/notifications/verify-webhook-signature", None, Some(&Value::Null));
        let body = [head, b",\"webhook_event\":", callback.body, b"}"].concat();
        Ok(Some(Call { body, ..call }))
    }
}
