//! The trail of what operators did. Every changing request passes here, so that a new route cannot be forgotten; what
//! only looks, although it is a POST, is named.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{MatchedPath, Query, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Web;
use super::problem::{Code, Problem};
use crate::domain::Operator;
use crate::domain::text::printable;
use crate::domain::time::iso;
use crate::store::Deed;

/// What a handler tells of the request under way, where the path does not say it.
#[derive(Clone, Default)]
pub struct Trace(Arc<Mutex<Deed>>);

/// As a handler takes it.
pub type Told = Extension<Trace>;

impl Trace {
    fn deed(&self) -> std::sync::MutexGuard<'_, Deed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it is done to.
    pub fn on(&self, on: &str) {
        self.deed().on = printable(on, 150);
    }

    /// What is different since.
    pub fn change(&self, change: &str) {
        self.deed().change = printable(change, 300);
    }

    /// Why.
    pub fn reason(&self, reason: &str) {
        self.deed().reason = printable(reason.trim(), 200);
    }

    /// What came of it.
    pub fn result(&self, result: &str) {
        self.deed().result = printable(result, 150);
    }
}

/// The body of a request that says why, and nothing else.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    reason: String,
}

impl Reason {
    /// What it says, which the trail keeps.
    pub fn told(&self, trace: &Trace) -> &str {
        trace.reason(&self.reason);
        &self.reason
    }
}

/// What differs between two views of one thing, as `price 9.90 → 8.00`; of a new one its values are told.
pub fn difference(before: &Value, after: &Value) -> String {
    let fields = after.as_object().into_iter().flatten().filter(|(name, value)| before[name.as_str()] != **value);
    let told = fields.map(|(name, value)| match &before[name.as_str()] {
        Value::Null if before.is_null() => format!("{name} {}", words(name, value)),
        old => format!("{name} {} → {}", words(name, old), words(name, value)),
    });
    told.collect::<Vec<_>>().join("; ")
}

/// A value as people read it.
fn words(name: &str, value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(at) if name.ends_with("_from") || name.ends_with("until") => {
            at.as_u64().map_or_else(|| at.to_string(), iso)
        }
        Value::Object(_) => format!("{} keys in {} hours", value["keys"], value["hours"]),
        other => other.to_string(),
    }
}

/// What a request does, as the command line says it; `None` for one that changes nothing of a shop's own.
fn deed_of(method: &Method, route: &str, path: &str) -> Option<String> {
    if matches!(*method, Method::GET | Method::HEAD) {
        return None;
    }
    let last = path.rsplit('/').next().unwrap_or_default();
    let word = match route {
        // The sandbox's payments are made by a gateway's means, and only in test mode.
        "/v1/orders/look" | "/v1/orders/{id}/sandbox" | "/v1/incidents/{id}/replay" | "/v1/channels/{name}/test" => {
            return None;
        }
        "/v1/products" => "product add",
        "/v1/products/{id}" => "product set",
        "/v1/products/{id}/keys" => "keys import",
        "/v1/products/{id}/void" => "keys void",
        "/v1/products/{id}/restore" => "keys restore",
        "/v1/orders" => "order new",
        "/v1/orders/{id}/act/{action}" => return Some(format!("order {}", printable(last, 20))),
        "/v1/orphans/adopt" => "orphan adopt",
        "/v1/orphans/refund" => "orphan refund",
        "/v1/addresses/block" => "address block",
        "/v1/addresses/unblock" => "address unblock",
        "/v1/store/accept" => "store accept",
        "/v1/clock/accept" => "clock accept",
        "/v1/addresses/expire" => "order expire",
        "/v1/notices/test" => "notice test",
        "/v1/notices/{id}/resend" => "notice resend",
        "/v1/tokens" => "token add",
        "/v1/tokens/{name}/remove" => "token remove",
        _ => return Some(format!("{method} {route}")),
    };
    Some(word.to_owned())
}

/// The part of the path that says what it is about.
fn subject(route: &str, path: &str) -> String {
    let found = route.split('/').zip(path.split('/')).find(|(name, _)| matches!(*name, "{id}" | "{name}"));
    found.map(|(_, part)| printable(part, 150)).unwrap_or_default()
}

/// Whether an answer belongs into the trail: what was done, what the state of things refused, and what nobody knows the
/// end of. A request that was wrong in itself did nothing.
fn belongs(status: StatusCode) -> bool {
    status.is_success() || status == StatusCode::CONFLICT || status.is_server_error()
}

/// Whether it was a question to a gateway that changed nothing: `kamid order reconcile` asks thousands, and they would
/// push out what was done.
fn only_asked(what: &str, result: &str) -> bool {
    const NOTHING: [&str; 7] = ["unpaid", "unknown", "refunded", "mismatch", "replayed", "gateway", "conflict"];
    what == "order query" && NOTHING.contains(&result)
}

/// Writes what an operator did.
pub async fn recorded(State(web): State<Arc<Web>>, mut request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str).to_owned();
    let trace = Trace::default();
    let what = deed_of(request.method(), &route, request.uri().path());
    let by = request.extensions().get::<Operator>().map(|operator| operator.name().to_owned());
    trace.on(&subject(&route, request.uri().path()));
    request.extensions_mut().insert(trace.clone());
    let response = next.run(request).await;
    let status = response.status();
    let (Some(what), true) = (what, belongs(status)) else { return response };
    let told = trace.deed().clone();
    let result = match response.extensions().get::<Code>() {
        Some(Code(code)) => (*code).to_owned(),
        None if told.result.is_empty() => "done".to_owned(),
        None => told.result,
    };
    if only_asked(&what, &result) {
        return response;
    }
    let deed = Deed { by: by.unwrap_or_default(), what, result, ..told };
    let Deed { by, what, on, change, reason, result, .. } = &deed;
    tracing::info!(by, what, on, change, reason, result, "An operator acts.");
    let write = async move {
        if let Err(error) = web.shop.add_deed(&deed).await {
            tracing::error!(%error, by = deed.by, what = deed.what, on = deed.on, "The trail could not be written.");
        }
    };
    // A store that fails has kept the operator waiting once already.
    if status.is_server_error() {
        tokio::spawn(write);
    } else {
        write.await;
    }
    response
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Most {
    #[serde(default = "hundred")]
    limit: usize,
}

fn hundred() -> usize {
    100
}

/// `GET /v1/trail`
pub async fn list(State(web): State<Arc<Web>>, Query(most): Query<Most>) -> Result<Json<Value>, Problem> {
    let deeds = web.shop.deeds(most.limit.clamp(1, 1000)).await?;
    Ok(Json(json!({"trail": deeds})))
}
