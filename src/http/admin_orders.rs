//! The operators' side of orders, and of payments without one.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Web;
use super::orders::with_token;
use super::problem::Problem;
use super::trail::{Told, difference};
use crate::domain::order::PaymentRecord;
use crate::domain::time::iso;
use crate::domain::{Attempt, HistoryLine, Operator, Order, OrderId, OrderState, PaymentNo, PaymentState, Role};
use crate::shop::{Action, Buyer, By, Created, Note, Pay, ShopError, Wanted};
use crate::store::Look;

pub fn routes() -> Router<Arc<Web>> {
    Router::new()
        .route("/v1/orders", get(list).post(new))
        .route("/v1/orders/look", post(look))
        .route("/v1/orders/{id}", get(show))
        .route("/v1/orders/{id}/sandbox", post(sandbox))
        .route("/v1/orders/{id}/act/{action}", post(act))
        .route("/v1/orphans", get(orphans))
        .route("/v1/orphans/adopt", post(adopt))
        .route("/v1/orphans/refund", post(refund))
}

fn order_id(text: &str) -> Result<OrderId, Problem> {
    // A payment number is as good: the order's number is its beginning.
    let id = text.get(..20).filter(|_| text.len() == 22).unwrap_or(text);
    id.parse().map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "invalid", format!("{error}")))
}

fn brief(web: &Web, order: &Order) -> Value {
    json!({
        "id": order.id.to_string(), "state": order.state, "product": order.product, "quantity": order.quantity,
        "amount": order.amount.to_string(), "amount_minor": order.amount.minor, "currency": order.amount.currency,
        "contact": web.shop.contact(order), "created_at": order.created, "created": iso(order.created),
        "expires_at": order.expires, "paid_at": order.paid, "delivered_at": order.delivered, "why": order.why,
    })
}

pub(super) fn payment(record: &PaymentRecord) -> Value {
    json!({
        "channel": record.channel, "trade_no": record.trade_no, "state": record.state, "number": record.number,
        "amount": record.paid.to_string(), "amount_minor": record.paid.minor, "currency": record.paid.currency,
        "at": record.at, "time": iso(record.at),
    })
}

/// Orders made at once by one request for several.
const AT_ONCE: usize = 64;

#[derive(Deserialize)]
struct Several {
    count: Option<usize>,
}

/// One order; with `?count=N` a list of that many like it, each told in short. When one cannot be made, the answer is its
/// error; those made before it stand unpaid until they expire.
async fn new(
    State(web): State<Arc<Web>>,
    Query(several): Query<Several>,
    Extension(trace): Told,
    Json(wanted): Json<Wanted>,
) -> Result<Response, Problem> {
    trace.on(&wanted.product);
    let channel = wanted.channel.as_deref().map(|channel| format!("; channel {channel}")).unwrap_or_default();
    trace.change(&format!("quantity {}{channel}", wanted.quantity));
    let Some(count) = several.count else {
        let created = web.shop.order(&wanted, Buyer::Operator, By::Asker(None)).await?;
        trace.result(&created.id);
        return Ok((StatusCode::CREATED, Json(with_token(&web.shop, &created)?)).into_response());
    };
    if !(1..=1000).contains(&count) {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid", "count: from 1 to 1000"));
    }
    let jobs = stream::iter(0..count).map(|_| web.shop.order(&wanted, Buyer::Operator, By::Asker(None)));
    let made: Vec<Created> = jobs.buffered(AT_ONCE).try_collect().await?;
    trace.result(&format!("{count} orders"));
    let orders: Result<Vec<Value>, Problem> = made
        .iter()
        .map(|created| {
            let whole = with_token(&web.shop, created)?;
            Ok(json!({
                "id": whole["id"], "token": whole["token"], "payment_no": whole["payment_no"],
                "amount_minor": whole["amount_minor"], "currency": whole["currency"], "reference": created.reference,
            }))
        })
        .collect();
    Ok((StatusCode::CREATED, Json(json!({"orders": orders?}))).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ids {
    ids: Vec<OrderId>,
}

/// Where up to a thousand orders stand, each at one moment, with how many keys they hold and what was paid for them.
async fn look(State(web): State<Arc<Web>>, Json(wish): Json<Ids>) -> Result<Json<Value>, Problem> {
    if wish.ids.len() > 1000 {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid", "ids: at most 1000"));
    }
    let looks = web.shop.looks(&wish.ids).await?;
    let one = |look: &Look| {
        let payments: Vec<Value> = look.payments.iter().map(payment).collect();
        json!({
            "id": look.id.to_string(), "state": look.order.as_ref().map(|order| order.state),
            "quantity": look.order.as_ref().map_or(0, |order| order.quantity), "keys": look.order.as_ref().map_or(0, |order| order.keys.len()), "payments": payments,
        })
    };
    Ok(Json(json!({"orders": looks.iter().map(one).collect::<Vec<_>>()})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Search {
    state: Option<OrderState>,
    contact: Option<String>,
    trade_no: Option<String>,
    /// Any of these, or an order's or a payment's number: gateways' numbers may look like ours.
    find: Option<String>,
    #[serde(default = "fifty")]
    limit: usize,
}

fn fifty() -> usize {
    50
}

async fn list(State(web): State<Arc<Web>>, Query(search): Query<Search>) -> Result<Json<Value>, Problem> {
    let limit = search.limit.clamp(1, 1000);
    let ids = find(&web, &search, limit).await?;
    let orders = web.shop.orders_of(&ids).await?;
    let orders = orders.iter().filter(|order| search.state.is_none_or(|state| state == order.state));
    let mut list: Vec<Value> = orders.take(limit).map(|order| brief(&web, order)).collect();
    if search.state == Some(OrderState::Held) {
        // Whoever is to decide about it must see what came beside what was due.
        let looks = web.shop.looks(&ids).await?;
        for row in &mut list {
            let look = looks.iter().find(|look| row["id"] == look.id.as_str());
            let held = look.and_then(|look| look.payments.iter().find(|it| it.state == PaymentState::Held));
            row["paid"] = held.map_or(Value::Null, |it| json!(format!("{} {}", it.paid, it.paid.currency)));
        }
    }
    Ok(Json(json!({"orders": list})))
}

/// The orders that a text means, in whatever way it can be read: a number of ours, one of a gateway's, a contact.
async fn meant(web: &Web, text: &str) -> Result<Vec<OrderId>, ShopError> {
    let mut ids: Vec<OrderId> = order_id(text).into_iter().collect();
    for id in [web.shop.orders_of_trade(text).await?, web.shop.orders_of_contact(text).await?].concat() {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(ids)
}

async fn find(web: &Web, search: &Search, limit: usize) -> Result<Vec<OrderId>, ShopError> {
    let shop = &web.shop;
    if let Some(text) = &search.find {
        return meant(web, text.trim()).await;
    }
    if let Some(contact) = &search.contact {
        return shop.orders_of_contact(contact).await;
    }
    if let Some(trade_no) = &search.trade_no {
        return shop.orders_of_trade(trade_no).await;
    }
    match search.state {
        Some(OrderState::Pending) => shop.pending(limit).await,
        Some(OrderState::Held) => shop.held(limit).await,
        Some(OrderState::Owed) => shop.owed(limit).await,
        _ => shop.recent(limit.saturating_mul(4)).await,
    }
}

async fn show(
    State(web): State<Arc<Web>>,
    Extension(operator): Extension<Operator>,
    Path(id): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Json<Value>, Problem> {
    let id = order_id(&id)?;
    let wants_keys = query.get("keys").is_some_and(|wish| wish == "true");
    if wants_keys && operator.role != Role::Operate {
        return Err(Problem::only_look());
    }
    let order = web.shop.order_of(id).await?;
    let payments = web.shop.payments_of(id).await?;
    let mut value = brief(&web, &order);
    value["payments"] = payments.iter().map(payment).collect();
    value["attempts"] = order
        .attempts
        .iter()
        .map(|Attempt { no, due, opened }| {
            json!({
                "payment_no": format!("{id}{}", no.as_str()), "channel": due.channel, "amount": due.amount.to_string(),
                "reference": opened.as_ref().map(|opened| &opened.reference),
            })
        })
        .collect();
    value["history"] = order
        .history()
        .map(|HistoryLine { at, by, what, why }| {
            json!({"at": at, "time": iso(at), "by": by, "action": what, "reason": why})
        })
        .collect();
    // The page shows the keys: its address is for those who may see them.
    if operator.role == Role::Operate {
        value["page"] = json!(web.shop.page(id));
    }
    value["notice"] = order.notice.as_ref().map_or(Value::Null, |notice| {
        json!({
            "state": notice.state, "tries": notice.tries, "time": iso(notice.at), "by": notice.by, "why": notice.why,
        })
    });
    value["reserved"] = json!(order.reserved);
    // Keys only when they are asked for by name.
    if wants_keys {
        let keys = web.shop.open(&order).await?;
        value["keys"] = keys.iter().map(|key| json!(key.as_str())).collect();
    }
    Ok(Json(value))
}

async fn act(
    State(web): State<Arc<Web>>,
    Extension(operator): Extension<Operator>,
    Path((id, action)): Path<(String, Action)>,
    Extension(trace): Told,
    Json(note): Json<Note>,
) -> Result<Json<Value>, Problem> {
    let id = order_id(&id)?;
    trace.on(id.as_str());
    trace.reason(&note.reason);
    // What cannot be read here is told by the act itself.
    let state = async || web.shop.order_of(id).await.ok().map(|order| order.state);
    let before = state().await;
    let result = web.shop.act(id, action, &note, &operator).await?;
    trace.result(&result);
    let after = state().await;
    let mut changes = vec![difference(&json!({"state": before}), &json!({"state": after}))];
    changes.extend(note.trade_no.as_deref().map(|number| format!("trade number {number}")));
    changes.extend(note.position.map(|position| format!("key {position}")));
    changes.extend(note.gateway.then(|| "through the gateway".to_owned()));
    trace.change(&changes.into_iter().filter(|change| !change.is_empty()).collect::<Vec<_>>().join("; "));
    Ok(Json(json!({"id": id.to_string(), "result": result})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct How {
    how: Pay,
}

async fn sandbox(
    State(web): State<Arc<Web>>,
    Path(id): Path<String>,
    Json(wish): Json<How>,
) -> Result<Json<Value>, Problem> {
    let attempt = id.parse::<PaymentNo>().ok().map(|no| no.attempt);
    let id = order_id(&id)?;
    let answers = web.shop.sandbox_pay(id, attempt, wish.how).await?;
    let order = web.shop.order_of(id).await?;
    Ok(Json(json!({"id": id.to_string(), "answers": answers, "state": order.state})))
}

async fn orphans(State(web): State<Arc<Web>>) -> Result<Json<Value>, Problem> {
    let list: Vec<Value> = web
        .shop
        .orphans()
        .await?
        .iter()
        .map(|waiting| {
            json!({
                "kind": waiting.kind, "id": waiting.id, "payment": waiting.payment, "since": iso(waiting.since),
                "amount": waiting.paid.map(|paid| paid.to_string()), "currency": waiting.paid.map(|paid| paid.currency),
            })
        })
        .collect();
    Ok(Json(json!({"payments": list})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    id: String,
    payment: String,
    #[serde(default)]
    order: String,
}

async fn adopt(
    State(web): State<Arc<Web>>,
    Extension(operator): Extension<Operator>,
    Extension(trace): Told,
    Json(which): Json<Which>,
) -> Result<Json<Value>, Problem> {
    let order = order_id(&which.order)?;
    trace.on(&format!("{} {} for {order}", which.id, which.payment));
    let result = web.shop.adopt(&which.id, &which.payment, order, &operator).await?;
    trace.result(&result);
    Ok(Json(json!({"order": order.to_string(), "result": result})))
}

async fn refund(
    State(web): State<Arc<Web>>,
    Extension(trace): Told,
    Json(which): Json<Which>,
) -> Result<Json<Value>, Problem> {
    trace.on(&format!("{} {}", which.id, which.payment));
    let result = web.shop.refund_payment(&which.id, &which.payment).await?;
    trace.result(&result);
    Ok(Json(json!({"id": which.id, "result": result})))
}
