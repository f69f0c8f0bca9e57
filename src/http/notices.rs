//! Notices: what waits, what was given up, and what a person does about it.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Web;
use super::problem::Problem;
use super::trail::Told;
use crate::domain::text::{masked, printable};
use crate::domain::time::iso;
use crate::domain::{NewsId, NoticeId, NoticeState};
use crate::shop::{Refused, ShopError};
use crate::store::Listed;
use crate::telemetry::snapshot::NoticeCounts;

pub fn routes() -> Router<Arc<Web>> {
    Router::new()
        .route("/v1/notices", get(list))
        .route("/v1/notices/test", post(try_out))
        .route("/v1/notices/{id}/resend", post(resend))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    #[serde(default = "fifty")]
    limit: usize,
}

fn fifty() -> usize {
    50
}

fn row(web: &Web, Listed { when, id, notice, order }: &Listed) -> Value {
    let waits = notice.state == NoticeState::Waiting;
    let contact = match (order, id) {
        (Some(order), _) => masked(&web.shop.contact(order)),
        (None, NoticeId::News(news)) => news.topic.as_str().to_owned(),
        (None, NoticeId::Buyer(_)) => String::new(),
    };
    json!({
        "order": id.to_string(), "product": order.as_ref().map_or("", |order| order.product.as_str()), "contact": contact,
        "state": notice.state, "tries": notice.tries, "at": notice.at, "time": iso(notice.at),
        "next": if waits { *when } else { 0 }, "next_time": waits.then(|| iso(*when)), "by": notice.by, "why": notice.why,
    })
}

/// What was given up, and what is to be sent, the next one first.
async fn list(State(web): State<Arc<Web>>, Query(wish): Query<Wish>) -> Result<Json<Value>, Problem> {
    let limit = wish.limit.clamp(1, 1000);
    let mut rows: Vec<Value> = Vec::new();
    for state in [NoticeState::Dead, NoticeState::Waiting] {
        rows.extend(web.shop.list_notices(state, limit).await?.iter().map(|listed| row(&web, listed)));
    }
    let NoticeCounts { waiting, dead } = web.shop.count_notices().await?;
    let notifiers: Vec<Value> = web.notifiers.list().map(|(name, kind)| json!({"name": name, "kind": kind})).collect();
    Ok(Json(json!({"notices": rows, "waiting": waiting, "dead": dead, "notifiers": notifiers})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Test {
    notifier: String,
    /// Where to; of a notifier that tells buyers.
    to: Option<String>,
}

/// Tells operators some news again; a buyer's notice is sent again by an action on its order.
async fn resend(State(web): State<Arc<Web>>, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    let news: NewsId = id.parse().map_err(|()| ShopError::NotFound("news"))?;
    web.shop.resend_news(&news).await?;
    Ok(Json(json!({"id": id, "result": "waiting"})))
}

async fn try_out(
    State(web): State<Arc<Web>>,
    Extension(trace): Told,
    Json(test): Json<Test>,
) -> Result<Json<Value>, Problem> {
    trace.on(&test.notifier);
    trace.change(&test.to.as_deref().map(|to| format!("to {}", masked(to))).unwrap_or_default());
    match web.notifiers.try_out(&test.notifier, test.to.as_deref()).await {
        Ok(()) => {
            trace.result("sent");
            Ok(Json(json!({"notifier": test.notifier, "result": "sent"})))
        }
        Err(Refused::Later(why, _) | Refused::Never(why) | Refused::Gone(why)) => {
            trace.result("refused");
            let text = format!("{} was not sent: {}", test.notifier, printable(&why, 400));
            Err(Problem::new(StatusCode::BAD_GATEWAY, "gateway", text))
        }
    }
}
