//! Orders of a time that nobody is known to have paid: whoever asks their gateways finds lost callbacks.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Web;
use super::problem::Problem;
use crate::domain::Order;

/// Most orders told at once: at five questions a second they take three hours.
const MOST: usize = 50_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Between {
    from: u64,
    #[serde(default = "ever")]
    until: u64,
    channel: Option<String>,
}

fn ever() -> u64 {
    u64::MAX
}

/// Orders made in that time, pending or expired, the oldest first, each with the channel of every attempt to pay it; and
/// how many questions a second one channel's gateway is asked.
pub async fn list(State(web): State<Arc<Web>>, Query(between): Query<Between>) -> Result<Json<Value>, Problem> {
    if let Some(channel) = &between.channel {
        web.shop.channel(channel)?;
    }
    let Some(orders) = web.shop.unpaid_between((between.from, between.until), MOST).await? else {
        let detail = format!("There are more than {MOST} unpaid orders in that time: ask about a shorter one.");
        return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid", detail));
    };
    let through = |order: &&Order| {
        between.channel.as_ref().is_none_or(|name| order.attempts.iter().any(|attempt| attempt.due.channel == *name))
    };
    let told = |order: &Order| {
        let channels: Vec<&str> = order.attempts.iter().map(|attempt| attempt.due.channel.as_str()).collect();
        json!({
            "id": order.id.to_string(), "state": order.state, "created_at": order.created, "channels": channels,
        })
    };
    let orders: Vec<Value> = orders.iter().filter(through).map(told).collect();
    Ok(Json(json!({"orders": orders, "asks_per_second": web.limits.asks_per_second})))
}
