//! Whether the store is the one that was there, and accepting it as it is; Redis' clock, where a person says that it is right.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::Response;
use serde_json::Value;

use super::routes::{Errand, Routes};
use crate::domain::Standing;
use crate::domain::text::{UNITS, span};
use crate::http::problem::Problem;
use crate::http::web::Web;
use crate::wire::shop::{ClockAccepted, StoreAccepted};
use crate::wire::{AcceptClock, AcceptStore, CaptureIncident, CountAgain, Route as _, ShowStore};

pub fn routes(to: Routes) -> Routes {
    to.on(show).on(accept).on(accept_clock)
}

/// Routes whose answers say it themselves, or are files that other programs read.
const UNWARNED: [&str; 4] = [ShowStore::PATH, AcceptStore::PATH, CountAgain::PATH, CaptureIncident::PATH];

/// What is to be known of everything that is read from this store or written into it, while it is not to be trusted.
fn warning(standing: &Standing) -> Option<String> {
    let doubted = |why: &String| {
        format!(
            "{why}. What is changed now is gone when the right store is brought back, and what is shown is not all there was: kamid store show"
        )
    };
    let careless =
        |what: &String| format!("Redis was set to {what} since it was accepted: what is changed now may be lost");
    standing.why.as_ref().map(doubted).or_else(|| standing.careless.as_ref().map(careless))
}

/// Adds a `warning` to answers of a store that is doubted, whatever the route: what is done there is allowed, and must not
/// look as if it stayed.
pub async fn warned(State(web): State<Arc<Web>>, request: Request, next: Next) -> Response {
    let silent = request.extensions().get::<MatchedPath>().is_some_and(|path| UNWARNED.contains(&path.as_str()));
    let response = next.run(request).await;
    let is_json = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    let Some(warning) = warning(&web.shop.standing()).filter(|_| !silent && is_json && response.status().is_success())
    else {
        return response;
    };
    let (mut head, body) = response.into_parts();
    // It was built in memory as a whole.
    let Ok(bytes) = to_bytes(body, usize::MAX).await else { return Response::from_parts(head, Body::empty()) };
    let Ok(Value::Object(mut fields)) = serde_json::from_slice(&bytes) else {
        return Response::from_parts(head, Body::from(bytes));
    };
    fields.insert("warning".to_owned(), Value::String(warning));
    head.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(head, Body::from(Value::Object(fields).to_string()))
}

async fn show(Errand { web, .. }: Errand<ShowStore>) -> Result<Standing, Problem> {
    Ok(web.shop.standing())
}

async fn accept(Errand { web, operator, trace, wish, .. }: Errand<AcceptStore>) -> Result<StoreAccepted, Problem> {
    trace.reason(&wish.reason);
    let accepted = web.shop.accept_store(&wish.reason, &operator).await?;
    let was = accepted.doubt.map(|doubt| doubt.to_string()).unwrap_or_default();
    trace.result(&was);
    Ok(StoreAccepted { result: "accepted".to_owned(), was, epoch: accepted.epoch })
}

async fn accept_clock(
    Errand { web, operator, trace, wish, .. }: Errand<AcceptClock>,
) -> Result<ClockAccepted, Problem> {
    trace.reason(&wish.reason);
    let ahead_ms = web.shop.accept_clock(&wish.reason, &operator).await?;
    let way = if ahead_ms < 0 { "behind" } else { "ahead" };
    let clock = format!("{} {way}", span(ahead_ms.unsigned_abs(), &UNITS));
    trace.result(&clock);
    Ok(ClockAccepted { result: "accepted".to_owned(), clock, ahead_ms })
}
