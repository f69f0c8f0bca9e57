//! Keys of their time: a channel whose key was exchanged still believes what the older one signed, until a moment.

use std::sync::Arc;

use super::contract::{Answer, Asked, Begin, Channel, Checkout, Claim, Refund, Refunded, Request, Verdict};
use super::kind::{ChannelInputs, Kind};
use super::terms;
use crate::domain::{Callback, Currency, Millis, Payment, Rejection, Reply, Response, time};
use crate::settings::{Form, Setting, Values};

/// A channel and its older keys.
struct Older {
    today: Arc<dyn Channel>,
    /// Until when each is believed.
    older: Vec<(Millis, Arc<dyn Channel>)>,
}

/// What a moment must be.
const MOMENT: &str = "a moment such as \"2026-12-01T00:00:00+08:00\"";
/// Until when an older key is believed.
const UNTIL: Setting = Setting::needed(
    Form::Parsed(MOMENT),
    "until",
    "until when callbacks signed with this key are believed",
    "用此密钥签名的回调在何时之前有效",
);

/// The channel of a section, with the older keys that it names.
pub fn build(kind: &Kind, inputs: ChannelInputs<'_>, v: &mut Values<'_>) -> Option<Arc<dyn Channel>> {
    let mut older = Vec::new();
    for table in v.tables(&terms::OLDER_KEYS) {
        let mut until = v.inner(&table, &[&[&UNTIL]]);
        let text = until.text(&UNTIL);
        let moment = text.as_deref().and_then(time::parse);
        if text.is_some() && moment.is_none() {
            until.reject(&UNTIL, format!("must be {MOMENT}"));
        }
        let Some(moment) = moment else {
            continue;
        };
        let table = table.with_defaults(v.section().clone());
        let mut v = v.alike(&table);
        older.extend((kind.build)(inputs, &mut v).map(|channel| (moment, channel)));
        v.finish();
    }
    let today = (kind.build)(inputs, v)?;
    Some(if older.is_empty() { today } else { Arc::new(Older { today, older }) })
}

impl Channel for Older {
    /// By the key of today, or, where that does not fit, by one that is still believed.
    fn verify(&self, callback: &Callback<'_>, heard: &[Response], now: Millis) -> Result<Claim, Rejection> {
        let first = self.today.verify(callback, heard, now);
        let unknown = matches!(first, Err(Rejection::BadSignature | Rejection::KeyUnknown | Rejection::DecryptFailed));
        if !unknown {
            return first;
        }
        let older = self.older.iter().filter(|(until, _)| now <= *until);
        older.map(|(_, key)| key.verify(callback, heard, now)).find(Result::is_ok).unwrap_or(first)
    }

    fn ack(&self, verdict: Verdict) -> Reply {
        self.today.ack(verdict)
    }

    fn takes(&self, currency: Currency) -> bool {
        self.today.takes(currency)
    }

    fn checkout(&self, checkout: &Checkout<'_>, heard: &[Response], now: Millis) -> Begin {
        self.today.checkout(checkout, heard, now)
    }

    fn query(&self, asked: &Asked<'_>, heard: &[Response], now: Millis) -> Option<Answer> {
        self.today.query(asked, heard, now)
    }

    fn refund(&self, refund: &Refund<'_>, heard: &[Response], now: Millis) -> Option<Refunded> {
        self.today.refund(refund, heard, now)
    }

    fn forge(&self, payment: &Payment, now: Millis) -> Request {
        self.today.forge(payment, now)
    }

    fn names(&self, callback: &Callback<'_>) -> Option<String> {
        self.today.names(callback).or_else(|| self.older.iter().find_map(|(_, key)| key.names(callback)))
    }

    fn explain(&self, callback: &Callback<'_>) -> Option<String> {
        self.today.explain(callback)
    }

    fn limits(&self) -> (usize, usize) {
        self.today.limits()
    }
}
