//! The callback's way in: limit, read, verify, settle, answer, record. Three calls deep; nothing calls back up.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{HeaderValue, Request, StatusCode, header};
use axum::response::Response;
use data_encoding::BASE64;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Bytes;

use crate::channel::{Channel, Claim, Source, Terms, Verdict};
use crate::domain::network::network;
use crate::domain::text::printable;
use crate::domain::{Callback, CallbackOutcome, Outcome, Reason, Rejection, Reply};
use crate::http::serve::limit::TooManyRejected;
use crate::http::serve::socket::Awaited;
use crate::http::web::Caller;
use crate::http::web::Web;
use crate::shop::IncidentNote;
use crate::shop::payments::trial;
use crate::store::StoreError;
use crate::telemetry::Observation;
use crate::telemetry::incident::RawRequest;

/// How one callback ended.
struct Ending {
    outcome: CallbackOutcome,
    /// Why it was refused: an incident.
    reason: Option<Rejection>,
    /// Why what was believed is held: only counted, since it stands with its order.
    held: Option<Rejection>,
    /// A status that its channel does not know: an incident.
    strange: Option<String>,
    verdict: Verdict,
    number: String,
}

impl Ending {
    fn new(outcome: CallbackOutcome, verdict: Verdict) -> Self {
        Self { outcome, reason: None, held: None, strange: None, verdict, number: String::new() }
    }

    fn rejected(reason: Rejection) -> Self {
        Self { reason: Some(reason), ..Self::new(CallbackOutcome::Rejected, Verdict::Refused) }
    }
}

/// Whether an address is not listened to, in the word that is counted: what an operator shut out is no news to him.
fn shut_out(web: &Web, caller: Caller) -> Option<CallbackOutcome> {
    if web.shop.is_blocked(network(caller.0)) {
        return Some(CallbackOutcome::Blocked);
    }
    web.limiter.blocked(caller.0).map(|_| CallbackOutcome::Limited)
}

/// Answers one callback.
pub async fn answer(web: &Web, name: &str, request: Request<Awaited>, caller: Caller) -> Response {
    let started = Instant::now();
    if let Some(outcome) = shut_out(web, caller) {
        web.telemetry.record(Observation::Callback {
            channel: "",
            outcome,
            reason: None,
            took: started.elapsed(),
            address: caller.0,
        });
        return reply(&Reply { status: 429, body: "fail" });
    }
    let Some(channel) = web.channels.get(name) else {
        no_channel(web, name, &request, caller, started);
        return reply(&Reply { status: 404, body: "fail" });
    };
    let (head, body) = request.into_parts();
    let (query_bytes, body_bytes) = channel.limits();
    let query = head.uri.query().unwrap_or_default();
    let headers: Vec<(Cow<'_, str>, Cow<'_, str>)> = head
        .headers
        .iter()
        .map(|(name, value)| (Cow::Borrowed(name.as_str()), String::from_utf8_lossy(value.as_bytes())))
        .collect();
    let read = if query.len() > query_bytes.min(web.limits.query_bytes) {
        Err(Rejection::TooLarge)
    } else {
        read(body, body_bytes, web.limits.read_seconds).await
    };
    let (body, cut) = match &read {
        Ok(body) => (body.as_ref(), None),
        Err(reason) => (&b""[..], Some(*reason)),
    };
    let callback = Callback { method: head.method.as_str(), path: head.uri.path(), query, headers: &headers, body };
    if callback.header(trial::HEADER).is_some_and(|token| web.shop.is_trial(token)) {
        let said = cut.map_or_else(|| channel.verify(&callback, &[], web.shop.now()), Err);
        return tried(&said);
    }
    let terms = web.channels.terms(name);
    let source = terms.map_or(Source::Listed, |terms| terms.source(caller.0));
    let mut ending = match cut {
        Some(reason) => Ending::rejected(reason),
        None if source == Source::Refused => Ending::rejected(Rejection::SourceRefused),
        None => settle(web, channel.as_ref(), terms, &callback, caller).await,
    };
    if source == Source::Unlisted && ending.verdict == Verdict::Received {
        web.shop.unlisted(name, caller.0);
    }
    let mut reply_data = channel.ack(ending.verdict);
    if cut == Some(Rejection::Incomplete) {
        reply_data.status = 408;
    }
    if ending.number.is_empty() && (ending.reason.is_some() || ending.strange.is_some()) {
        ending.number = channel.names(&callback).unwrap_or_default();
    }
    if let Some(reason) = ending.reason {
        note(web, name, &callback, caller, &ending, reason, reply_data.status);
    }
    if let Some(status) = &ending.strange {
        strange(web, name, &callback, caller, (&ending.number, status, reply_data.status));
    }
    let (outcome, reason, took) = (ending.outcome, ending.reason.or(ending.held), started.elapsed());
    web.telemetry.record(Observation::Callback { channel: name, outcome, reason, took, address: caller.0 });
    let mut response = reply(&reply_data);
    if cut.is_some() {
        // What was not read ends the connection: said, so that no gateway sends its next callback into one that closes.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// What a trial callback of our own hears: whether it would have been believed. Nothing is settled or counted.
fn tried(said: &Result<Claim, Rejection>) -> Response {
    let word = match said {
        Ok(Claim::Ask { .. }) => trial::ASKS,
        Ok(_) => "accept",
        Err(reason) => reason.as_str(),
    };
    let mut response = reply(&Reply { status: 200, body: "trial" });
    response.headers_mut().insert(trial::HEADER, HeaderValue::from_static(word));
    response
}

/// A callback for a channel that is not configured: counted, charged, and an operator hears of it.
fn no_channel(web: &Web, name: &str, request: &Request<Awaited>, caller: Caller, started: Instant) {
    charge(web, caller);
    web.telemetry.record(Observation::Callback {
        channel: "",
        outcome: CallbackOutcome::NoChannel,
        reason: None,
        took: started.elapsed(),
        address: caller.0,
    });
    web.shop.incident(IncidentNote {
        channel: &printable(name, 32),
        address: &caller.0.to_string(),
        status: 404,
        // Without its body, which is not read for nobody; it counts as a stranger's all the same.
        request: Some(RawRequest {
            method: request.method().to_string(),
            target: request.uri().to_string(),
            headers: Vec::new(),
            body_b64: String::new(),
            cut: true,
        }),
        ..IncidentNote::new(Reason::NoSuchChannel)
    });
}

/// A request that was nearly a callback, and why it is none.
pub struct Nearly<'a> {
    /// What it is counted as; its reason is the incident's.
    pub outcome: CallbackOutcome,
    /// The channel it may have been meant for; else empty.
    pub channel: &'a str,
    /// The payment number it names, where it can be read.
    pub number: String,
    /// What is wrong, and what to do.
    pub advice: &'a str,
    /// What it heard.
    pub status: u16,
    /// Whether its sender is charged for it, as for a rejected callback.
    pub charged: bool,
    /// The request.
    pub request: RawRequest,
}

/// A near miss: counted, and an operator hears of it, as of what a forger sends.
pub fn missed(web: &Web, caller: Caller, nearly: Nearly<'_>) {
    let limited = web.limiter.blocked(caller.0).is_some() || web.shop.is_blocked(network(caller.0));
    web.telemetry.record(Observation::Callback {
        channel: "",
        outcome: if limited { CallbackOutcome::Limited } else { nearly.outcome },
        reason: None,
        took: Duration::ZERO,
        address: caller.0,
    });
    if limited {
        return;
    }
    if nearly.charged {
        charge(web, caller);
    }
    let Some(reason) = nearly.outcome.reason() else { return };
    web.shop.incident(IncidentNote {
        channel: nearly.channel,
        advice: nearly.advice,
        address: &caller.0.to_string(),
        number: &nearly.number,
        status: nearly.status,
        request: Some(nearly.request),
        ..IncidentNote::new(reason)
    });
}

async fn settle(
    web: &Web,
    channel: &dyn Channel,
    terms: Option<&Terms>,
    callback: &Callback<'_>,
    caller: Caller,
) -> Ending {
    let payment = match web.shop.hear(channel, callback).await {
        Ok(Err(reason)) => return Ending::rejected(reason),
        Ok(Ok(Claim::Paid(payment))) => payment,
        Ok(Ok(Claim::Nothing(_))) => return Ending::new(CallbackOutcome::Ignored, Verdict::Received),
        Ok(Ok(Claim::Strange(status))) => {
            return Ending { strange: Some(status), ..Ending::new(CallbackOutcome::Ignored, Verdict::Received) };
        }
        Ok(Ok(Claim::Ask { .. } | Claim::Agreed(_))) | Err(_) => {
            return Ending::new(CallbackOutcome::Silent, Verdict::Unavailable);
        }
    };
    let payment = match web.shop.confirm(channel, terms, payment).await {
        Ok(Some(payment)) => payment,
        Ok(None) => return Ending::rejected(Rejection::Unconfirmed),
        Err(_) => return Ending::new(CallbackOutcome::Silent, Verdict::Unavailable),
    };
    match web.shop.settle(&payment).await {
        Ok(Outcome::Orphan(reason)) => {
            let reason = terms.filter(|_| reason == Rejection::OrderMismatch).map_or(reason, Terms::mismatch);
            Ending {
                reason: Some(reason),
                number: payment.number,
                ..Ending::new(CallbackOutcome::Orphan, Verdict::Refused)
            }
        }
        Ok(outcome) => {
            if !matches!(outcome, Outcome::Replayed(_)) {
                web.limiter.paid_from(caller.0);
            }
            let held = if let Outcome::Held(reason, _) = outcome { Some(reason) } else { None };
            Ending { held, ..Ending::new((&outcome).into(), Verdict::Received) }
        }
        Err(error) => {
            let outcome = match error {
                StoreError::Timeout => CallbackOutcome::Timeout,
                StoreError::Full(_) => CallbackOutcome::Full,
                _ => CallbackOutcome::Unavailable,
            };
            if !error.retry() {
                tracing::error!(%error, channel = %payment.channel, "A payment could not be settled; its gateway will repeat it.");
            }
            Ending::new(outcome, Verdict::Unavailable)
        }
    }
}

/// A whole body, if it is no longer than `most` bytes and here within `seconds`.
pub async fn read(body: Awaited, most: usize, seconds: u64) -> Result<Bytes, Rejection> {
    let whole = Limited::new(body, most).collect();
    match tokio::time::timeout(Duration::from_secs(seconds), whole).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Rejection::TooLarge),
        Ok(Err(error)) if broken_off(error.as_ref()) => Err(Rejection::Incomplete),
        Ok(Err(_)) => Err(Rejection::Malformed),
        Err(_) => Err(Rejection::Incomplete),
    }
}

/// Whether a body ended before its end: what came of it may be well formed.
fn broken_off(error: &(dyn std::error::Error + 'static)) -> bool {
    if let Some(error) = error.downcast_ref::<std::io::Error>() {
        return error.kind() == std::io::ErrorKind::UnexpectedEof;
    }
    let hyper = error.downcast_ref::<hyper::Error>();
    hyper.is_some_and(|error| error.is_incomplete_message() || error.is_timeout() || error.is_closed())
        || error.source().is_some_and(broken_off)
}

/// Charges an address for a rejected callback, or for a request that did not come whole in time; when that blocks it, an
/// operator should know, since a gateway or a proxy that is not trusted may share the address with a forger.
pub fn charge(web: &Web, caller: Caller) {
    let Some(news) = web.limiter.reject(caller.0, web.channels.calls_from(caller.0)) else { return };
    let (reason, status) = match news {
        TooManyRejected::Blocked => (Reason::AddressBlocked, 429),
        TooManyRejected::Spared => (Reason::GatewayMisused, 400),
    };
    let address = caller.0.to_string();
    web.shop.incident(IncidentNote { address: &address, status, ..IncidentNote::new(reason) });
}

/// A genuine callback whose status nobody knows: it may mean that money came, so a person should look.
fn strange(web: &Web, name: &str, callback: &Callback<'_>, caller: Caller, answered: (&str, &str, u16)) {
    let (number, said, status) = answered;
    let advice = format!(
        "A genuine callback says {said:?}, which the documents of this kind of gateway do not name: nothing was delivered, and the gateway heard that it came. See in its console what became of the payment; if it was made, `kamid order query ID` or `kamid order mark-paid ID` delivers."
    );
    web.shop.incident(IncidentNote {
        channel: name,
        advice: &advice,
        address: &caller.0.to_string(),
        number,
        status,
        signed: true,
        request: Some(raw(callback)),
        ..IncidentNote::new(Reason::StatusUnknown)
    });
}

/// A callback as it is kept for an operator.
fn raw(callback: &Callback<'_>) -> RawRequest {
    let mark = if callback.query.is_empty() { "" } else { "?" };
    RawRequest {
        method: callback.method.to_owned(),
        target: format!("{}{mark}{}", callback.path, callback.query),
        headers: callback.headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
        body_b64: BASE64.encode(callback.body),
        cut: false,
    }
}

/// An incident for the operator, and a charge for whoever sent it, unless the gateway itself signed it.
fn note(
    web: &Web,
    name: &str,
    callback: &Callback<'_>,
    caller: Caller,
    ending: &Ending,
    reason: Rejection,
    status: u16,
) {
    if ending.outcome != CallbackOutcome::Orphan {
        charge(web, caller);
    }
    web.shop.incident(IncidentNote {
        channel: name,
        address: &caller.0.to_string(),
        number: &ending.number,
        status,
        signed: ending.outcome == CallbackOutcome::Orphan,
        request: Some(raw(callback)),
        ..IncidentNote::new(reason.into())
    });
}

pub fn reply(reply: &Reply) -> Response {
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = if reply.body.starts_with('{') { "application/json" } else { "text/plain; charset=utf-8" };
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
