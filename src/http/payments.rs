//! A channel's payments of a time, to be laid beside its gateway's bill.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Web;
use super::admin_orders::payment;
use super::problem::Problem;

/// Most payments told at once.
const MOST: usize = 200_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Between {
    from: u64,
    until: u64,
}

/// The payments that came through a channel in that time, whatever became of them. Every record of the shop is looked at.
pub async fn list(
    State(web): State<Arc<Web>>,
    Path(channel): Path<String>,
    Query(between): Query<Between>,
) -> Result<Json<Value>, Problem> {
    let Some(records) = web.shop.payments_between(&channel, (between.from, between.until), MOST).await? else {
        let detail = format!("There are more than {MOST} payments in that time: ask about a shorter one.");
        return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid", detail));
    };
    Ok(Json(json!({"payments": records.iter().map(payment).collect::<Vec<_>>()})))
}
