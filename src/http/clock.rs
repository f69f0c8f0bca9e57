//! Redis' clock, where a person has to say that it is right.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::post;
use axum::{Extension, Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Web;
use super::problem::Problem;
use super::trail::Told;
use crate::domain::Operator;
use crate::domain::text::lasting;

pub fn routes() -> Router<Arc<Web>> {
    Router::new().route("/v1/clock/accept", post(accept))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    reason: String,
}

async fn accept(
    State(web): State<Arc<Web>>,
    Extension(operator): Extension<Operator>,
    Extension(trace): Told,
    Json(wish): Json<Wish>,
) -> Result<Json<Value>, Problem> {
    trace.reason(&wish.reason);
    let ahead = web.shop.accept_clock(&wish.reason, &operator).await?;
    let where_it_is = format!("{} {}", lasting(ahead.unsigned_abs()), if ahead < 0 { "behind" } else { "ahead" });
    trace.result(&where_it_is);
    Ok(Json(json!({"result": "accepted", "clock": where_it_is, "ahead_ms": ahead})))
}
