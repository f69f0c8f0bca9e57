//! Redis' clock, where a person has to say that it is right.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::post;
use axum::{Extension, Json, Router};
use serde_json::{Value, json};

use super::Web;
use super::problem::Problem;
use super::trail::{Reason, Told};
use crate::domain::Operator;
use crate::domain::text::{UNITS, span};

pub fn routes() -> Router<Arc<Web>> {
    Router::new().route("/v1/clock/accept", post(accept))
}

async fn accept(
    State(web): State<Arc<Web>>,
    Extension(operator): Extension<Operator>,
    Extension(trace): Told,
    Json(why): Json<Reason>,
) -> Result<Json<Value>, Problem> {
    let ahead = web.shop.accept_clock(why.told(&trace), &operator).await?;
    let where_it_is = format!("{} {}", span(ahead.unsigned_abs(), &UNITS), if ahead < 0 { "behind" } else { "ahead" });
    trace.result(&where_it_is);
    Ok(Json(json!({"result": "accepted", "clock": where_it_is, "ahead_ms": ahead})))
}
