//! Captures: one callback in a JSON file, to be verified again offline.
//!
//! The format is that of the captured vectors under `tests/vectors`; `kamid incident export` writes it too. A capture of
//! ours never holds the channel's secret: it is verified with the configured channel of its name.

mod sequence;

use std::borrow::Cow;

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::contract::{Answer, Asked, Channel, Claim, Verdict};
use super::kind::Reference;
use super::terms::Terms;
use crate::domain::{Call, Callback, Millis, Payment, Reason, Rejection, Response};

pub use sequence::{Replayed, SequenceStep, replay_steps};

/// One request, as JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CapturedRequest {
    /// `GET` or `POST`.
    pub method: String,
    /// Path and raw query.
    pub target: String,
    /// Names and values, in order.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The body's exact bytes.
    #[serde(default)]
    pub body_b64: String,
}

/// The order as it stood.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CapturedOrder {
    /// The number the gateway knows.
    pub order_no: String,
    /// What was due, in minor units.
    pub amount_minor: i64,
    /// In what.
    pub currency: String,
    /// The channel that it was to be paid through; absent: the one that it is verified with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// What it was opened with, as we keep it: what that is depends on its kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// In others' captures each has its own name; [`Reference`] is the one that counts.
    #[serde(flatten)]
    pub references: References,
    /// Where it stood.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub status: String,
}

/// What an attempt can have been opened with: the gateway's own number, time or address of it, or the way to pay.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct References {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway_ref: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub txn_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pay_address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pay_type: Option<String>,
}

impl CapturedOrder {
    /// What its payment must name again.
    fn opened_with(&self, reference: Reference) -> Option<&str> {
        let other = &self.references;
        let named = match reference {
            Reference::Own => &other.gateway_ref,
            Reference::Time => &other.txn_time,
            Reference::Address => &other.pay_address,
            Reference::PayType => &other.pay_type,
        };
        self.reference.as_deref().or(named.as_deref()).filter(|text| !text.is_empty())
    }
}

/// One capture.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Capture {
    /// The channel's kind.
    pub channel: String,
    /// The channel's name in the configuration it was captured under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel_name: Option<String>,
    /// `notify`, for one callback; `sequence`, for several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Seconds since the epoch, by the verifier's clock.
    #[serde(default)]
    pub now: Option<u64>,
    /// Settings that stand in for the configured ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Map<String, Value>>,
    /// The order; absent: no such order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<CapturedOrder>,
    /// What the gateway's API answered, by `METHOD path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_api_answers: Option<Map<String, Value>>,
    /// Certificates that could be fetched then, by address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetchable_certs: Option<Map<String, Value>>,
    /// The callback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<CapturedRequest>,
    /// Callbacks that came one after another, and when the order was there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<SequenceStep>,
}

impl Capture {
    /// When it was captured; `None` where it does not say. A time past all times is the last one.
    #[must_use]
    pub fn at(&self) -> Option<Millis> {
        self.now.map(|seconds| seconds.saturating_mul(1000))
    }

    /// The name of the channel that a payment came through; settings that the capture brings are those of its own channel.
    fn channel_of<'a>(&'a self, payment: &'a Payment) -> &'a str {
        let own = self.channel_name.as_deref().filter(|_| self.config.is_some() && payment.channel == self.channel);
        own.unwrap_or(&payment.channel)
    }

    /// What the gateway's API answered to that call when this was captured: what is not among its answers was not found.
    /// `None`: none of its answers was kept.
    fn answer_to(&self, call: &Call) -> Option<Response> {
        let cert = self.fetchable_certs.as_ref().and_then(|certs| certs.get(&call.url));
        let path = call.url.splitn(4, '/').nth(3).unwrap_or_default();
        let said = cert.or_else(|| self.gateway_api_answers.as_ref()?.get(&format!("{} /{path}", call.method)));
        let (status, body) = match said {
            Some(Value::String(text)) => (200, text.clone()),
            Some(json) => (200, json.to_string()),
            // A certificate is fetched by everybody; what the API says, only we are told.
            None if self.gateway_api_answers.is_some() => (404, String::new()),
            None if self.fetchable_certs.is_some() && call.token.is_none() && call.headers.is_empty() => {
                (404, String::new())
            }
            None => return None,
        };
        Some(Response { status, headers: Vec::new(), body: body.into_bytes() })
    }

    /// What the channel says of the callback, asking this capture instead of the gateway.
    fn claim(&self, callback: &Callback<'_>, channel: &dyn Channel, now: Millis) -> Result<Claim, Rejection> {
        let mut heard = Vec::new();
        loop {
            let claim = channel.verify(callback, &heard, now)?;
            let (call, otherwise) = match claim {
                Claim::Ask { call, alone } => (call, alone.map(Claim::Paid).ok_or(Rejection::Unconfirmed)),
                Claim::Agreed(agreed) => (agreed.call, Ok(Claim::Nothing(Reason::StatusNotPaid))),
                claim => return Ok(claim),
            };
            match self.answer_to(&call) {
                // The same question again is one that this has no other answer to.
                Some(answer) if heard.contains(&answer) => return Err(Rejection::Unconfirmed),
                Some(answer) => heard.push(answer),
                None => return otherwise,
            }
        }
    }

    /// The payment as the gateway confirms it, where the terms want that and its answers were kept.
    fn confirmed(
        &self,
        payment: Payment,
        channel: &dyn Channel,
        terms: &Terms,
        now: Millis,
    ) -> Result<Payment, Rejection> {
        let due = self.order.as_ref().map(|order| order.amount_minor);
        if self.gateway_api_answers.is_none() || !terms.wants_confirmed(payment.paid.minor, due) {
            return Ok(payment);
        }
        let reference = payment.reference.clone().unwrap_or_default();
        let asked = Asked { number: &payment.number, reference: &reference, page: "" };
        let mut heard = Vec::new();
        loop {
            match channel.query(&asked, &heard, now) {
                Some(Answer::Ask(call)) => match self.answer_to(&call).filter(|answer| !heard.contains(answer)) {
                    Some(answer) => heard.push(answer),
                    None => return Err(Rejection::Unconfirmed),
                },
                Some(Answer::Paid(said)) => return Terms::confirmed(&payment, &said).ok_or(Rejection::Unconfirmed),
                _ => return Err(Rejection::Unconfirmed),
            }
        }
    }
}

/// What a payment says, in the vectors' words.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Extracted {
    pub order_no: String,
    pub amount_minor: i64,
    pub currency: String,
    pub gateway_trade_no: String,
}

/// What a gateway would be answered.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct CapturedAnswer {
    pub status: u16,
    pub body: &'static str,
}

/// What offline verification came to, in the vectors' words.
#[derive(Debug, Clone, Serialize)]
pub struct Judged {
    /// `accept`, `hold`, `reject` or `ignore`.
    pub verdict: &'static str,
    /// Why, unless accepted.
    pub reason: Option<&'static str>,
    /// What the payment says, where it can be believed.
    pub extracted: Option<Extracted>,
    /// What the gateway hears.
    pub answer: CapturedAnswer,
    /// The signed text, secrets masked; only when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canonical: Option<String>,
}

/// Kept headers, as a callback has them.
#[must_use]
pub fn borrowed(headers: &[(String, String)]) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
    headers.iter().map(|(name, value)| (Cow::Borrowed(name.as_str()), Cow::Borrowed(value.as_str()))).collect()
}

/// A capture that cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum BadCapture {
    /// No callback in it.
    #[error(
        "there is no callback in this capture (kind {0:?}): only kinds \"notify\" and \"sequence\" can be verified"
    )]
    NoRequest(String),
    /// The body is not base64.
    #[error("body_b64 is not base64")]
    Body,
}

/// Runs a captured callback through a channel and compares it with the captured order. Touches nothing else.
///
/// # Errors
/// Where there is no callback in the capture.
pub fn replay(
    capture: &Capture,
    channel: &dyn Channel,
    terms: &Terms,
    now: Millis,
    explain: bool,
) -> Result<Judged, BadCapture> {
    let request =
        capture.request.as_ref().ok_or_else(|| BadCapture::NoRequest(capture.kind.clone().unwrap_or_default()))?;
    let body = BASE64.decode(request.body_b64.as_bytes()).map_err(|_| BadCapture::Body)?;
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let headers = borrowed(&request.headers);
    let callback = Callback { method: &request.method, path, query, headers: &headers, body: &body };
    let mut extracted = None;
    let claim = capture.claim(&callback, channel, now).and_then(|claim| match claim {
        Claim::Paid(payment) => capture.confirmed(payment, channel, terms, now).map(Claim::Paid),
        claim => Ok(claim),
    });
    let (verdict, reason) = match claim {
        Err(rejection) => ("reject", Some(rejection.as_str())),
        Ok(Claim::Nothing(why)) => ("ignore", Some(why.row().word)),
        Ok(Claim::Strange(_)) => ("ignore", Some(Rejection::StatusNotPaid.as_str())),
        Ok(Claim::Ask { .. } | Claim::Agreed(_)) => ("reject", Some(Rejection::Unconfirmed.as_str())),
        Ok(Claim::Paid(payment)) => {
            let currency = payment.paid.currency.to_string();
            let judged = match &capture.order {
                Some(order) if order.order_no == payment.number => {
                    let differs =
                        |given: &String| order.opened_with(terms.reference).is_some_and(|known| known != given);
                    if order.channel.as_deref().is_some_and(|named| named != capture.channel_of(&payment)) {
                        ("reject", Some(Rejection::ChannelMismatch.as_str()))
                    } else if payment.reference.as_ref().is_some_and(differs) {
                        ("reject", Some(terms.mismatch().as_str()))
                    } else if order.currency != currency {
                        ("hold", Some(Rejection::CurrencyMismatch.as_str()))
                    } else if order.amount_minor != payment.paid.minor {
                        ("hold", Some(Rejection::AmountMismatch.as_str()))
                    } else {
                        ("accept", None)
                    }
                }
                _ => ("reject", Some(Rejection::OrderUnknown.as_str())),
            };
            extracted = Some(Extracted {
                order_no: payment.number,
                amount_minor: payment.paid.minor,
                currency,
                gateway_trade_no: payment.trade_no,
            });
            judged
        }
    };
    let reply = channel.ack(if verdict == "reject" { Verdict::Refused } else { Verdict::Received });
    Ok(Judged {
        verdict,
        reason,
        extracted,
        answer: CapturedAnswer { status: reply.status, body: reply.body },
        canonical: explain.then(|| channel.explain(&callback)).flatten(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_past_all_times_is_read() {
        let read = |text: &str| serde_json::from_str::<Capture>(text).unwrap().at();
        assert_eq!(read(r#"{"channel":"x","now":18446744073709551615}"#), Some(Millis::MAX));
        assert_eq!(read(r#"{"channel":"x","now":2}"#), Some(2000));
    }
}
