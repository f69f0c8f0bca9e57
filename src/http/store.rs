//! `/v1/store`: whether the store is the one that was there, and accepting it as it is.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use serde_json::{Value, json};

use super::Web;
use super::problem::Problem;
use super::trail::{Reason, Told};
use crate::domain::Operator;
use crate::shop::Standing;

pub fn routes() -> Router<Arc<Web>> {
    Router::new().route("/v1/store", get(show)).route("/v1/store/accept", post(accept))
}

async fn show(State(web): State<Arc<Web>>) -> Json<Standing> {
    Json(web.shop.standing())
}

async fn accept(
    State(web): State<Arc<Web>>,
    Extension(operator): Extension<Operator>,
    Extension(trace): Told,
    Json(why): Json<Reason>,
) -> Result<Json<Value>, Problem> {
    let accepted = web.shop.accept_store(why.told(&trace), &operator).await?;
    let was = accepted.doubt.map(|doubt| doubt.to_string()).unwrap_or_default();
    trace.result(&was);
    Ok(Json(json!({"result": "accepted", "was": was, "epoch": accepted.epoch})))
}
