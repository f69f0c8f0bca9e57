//! The trail of what operators did. Every route's row says what it does, so that a new one cannot be forgotten.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use serde_json::Value;

use super::routes::Errand;
use crate::domain::text::printable;
use crate::domain::time::iso;
use crate::domain::{ActResult, Deed};
use crate::http::problem::{Code, Problem};
use crate::http::web::Web;
use crate::wire::operators::TrailList;
use crate::wire::{ListTrail, TrailWord};

/// What a handler tells of the request under way, where the path does not say it.
#[derive(Clone, Default)]
pub struct Trace(Arc<Mutex<Deed>>);

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

/// What differs between two views of one thing, as `price 9.90 → 8.00`; of a new one its values are told.
pub fn difference(before: &Value, after: &Value) -> String {
    let fields = after.as_object().into_iter().flatten().filter(|(name, value)| before[name.as_str()] != **value);
    let changes = fields.map(|(name, value)| match &before[name.as_str()] {
        Value::Null if before.is_null() => format!("{name} {}", words(name, value)),
        old => format!("{name} {} → {}", words(name, old), words(name, value)),
    });
    changes.collect::<Vec<_>>().join("; ")
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

/// What a request does to what its path names, as the command line says it; `None` for one that changes nothing of a
/// shop's own.
pub fn word(deed: TrailWord, named: &[&str]) -> Option<String> {
    match deed {
        TrailWord::Unwritten => None,
        TrailWord::Written(word) => Some(word.to_owned()),
        TrailWord::WrittenWithAction(word) => Some(format!("{word} {}", named.last().copied().unwrap_or_default())),
    }
}

/// Whether an answer belongs into the trail: what was done, what the state of things refused, and what nobody knows the
/// end of. A request that was wrong in itself did nothing.
fn belongs(status: StatusCode) -> bool {
    status.is_success() || status == StatusCode::CONFLICT || status.is_server_error()
}

/// Whether it was a question to a gateway that changed nothing: `kamid order reconcile` asks thousands, and they would
/// push out what was done.
fn only_asked(what: &str, result: &str) -> bool {
    let found = ActResult::ALL.iter().any(|known| known.is_found() && known.as_str() == result);
    let refused = ["gateway", "conflict"].contains(&result);
    let asked = ActResult::ALL.iter().any(|known| known.as_str() == result);
    what == "order query" && !found && (asked || refused)
}

/// Between two tries to write a line of the trail, and how many there are: an hour.
const PAUSE: Duration = Duration::from_secs(5);
const TRIES: u32 = 720;

/// Lines that wait for the store, at most, and how many there are.
const MOST_WAITING: usize = 1_000;
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// One of them.
struct Place;

impl Drop for Place {
    fn drop(&mut self) {
        WAITING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Writes what an operator did, as far as it belongs there.
pub async fn recorded(web: Arc<Web>, by: &str, what: String, trace: &Trace, answered: (StatusCode, Option<Code>)) {
    let (status, code) = answered;
    if !belongs(status) {
        return;
    }
    let done = trace.deed().clone();
    let result = match code {
        Some(Code(code)) => code.to_owned(),
        None if done.result.is_empty() => "done".to_owned(),
        None => done.result,
    };
    if only_asked(&what, &result) {
        return;
    }
    let deed = Deed { by: by.to_owned(), what, result, ..done };
    let Deed { by, what, on, change, reason, result, .. } = &deed;
    tracing::info!(by, what, on, change, reason, result, "An operator acts.");
    let mut line = web.shop.new_line();
    if write(&web, &deed, &mut line).await {
        return;
    }
    let place = Place;
    if WAITING.fetch_add(1, Ordering::Relaxed) >= MOST_WAITING {
        return unwritten(&deed);
    }
    // The store may be away for a while: what was done is written when it is back, and nobody is kept waiting.
    tokio::spawn(async move {
        let _place = place;
        for _ in 0..TRIES {
            tokio::time::sleep(PAUSE).await;
            if write(&web, &deed, &mut line).await {
                return;
            }
        }
        unwritten(&deed);
    });
}

fn unwritten(deed: &Deed) {
    let Deed { by, what, on, .. } = deed;
    tracing::error!(by, what, on, "The trail could not be written: what stands in the log is all there is of it.");
}

async fn write(web: &Web, deed: &Deed, line: &mut String) -> bool {
    let written = web.shop.add_deed(deed, line).await;
    if let Err(error) = &written {
        tracing::warn!(%error, by = deed.by, what = deed.what, on = deed.on, "The trail could not be written yet.");
    }
    written.is_ok()
}

/// `GET /v1/trail`
pub async fn list(Errand { web, wish, .. }: Errand<ListTrail>) -> Result<TrailList, Problem> {
    Ok(TrailList { trail: web.shop.deeds(wish.limit.clamp(1, 1000)).await? })
}
