//! The operators' API: a bearer token, loopback by default. Products, keys, stock, incidents, channels, the stream.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use hyper::body::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::problem::Problem;
use super::trail::{Told, difference};
use super::{
    Here, Web, addresses, admin_orders, audit, clock, incidents, notices, operators, payments, store, stream, trail,
    unpaid,
};
use crate::domain::{Operator, Product, Stock};
use crate::shop::{ImportReport, ProductPatch, sheet};
use crate::vault::proof;

pub fn routes(web: Arc<Web>, stop: watch::Receiver<bool>) -> Router {
    let stream_web = Arc::clone(&web);
    let import = axum::extract::DefaultBodyLimit::max(web.limits.import_bytes);
    Router::new()
        .route("/v1/info", get(info))
        .route("/v1/products", get(products).post(add_product))
        .route("/v1/products/{id}", get(product).patch(set_product))
        .route("/v1/products/{id}/keys", post(import_keys).layer(import))
        .route("/v1/products/{id}/void", post(void))
        .route("/v1/products/{id}/restore", post(restore))
        .route("/v1/channels", get(channels))
        .route("/v1/channels/{name}/test", post(try_channel))
        .route("/v1/channels/{name}/payments", get(payments::list))
        .route("/v1/orders/unpaid", get(unpaid::list))
        .route("/v1/audit", get(audit::audit))
        .route(
            "/v1/stream",
            get(move |Query(wish): Query<stream::Wish>| async move { stream::follow(&stream_web, &wish, stop) }),
        )
        .route("/metrics", get(metrics))
        .merge(admin_orders::routes())
        .merge(incidents::routes())
        .merge(notices::routes())
        .merge(operators::routes())
        .merge(addresses::routes())
        .merge(store::routes())
        .merge(clock::routes())
        .route("/v1/trail", get(trail::list))
        .layer(middleware::from_fn_with_state(Arc::clone(&web), store::warned))
        .layer(middleware::from_fn_with_state(Arc::clone(&web), trail::recorded))
        .layer(middleware::from_fn_with_state(Arc::clone(&web), operators::operators_only))
        .route("/readyz", get(readyz))
        .route("/healthz", get(healthz))
        .fallback(|| async { Problem::not_found() })
        .layer(middleware::map_response(|mut response: Response| async {
            // By this the command line tells the admin side from the public one.
            response.headers_mut().insert("x-kamid", header::HeaderValue::from_static("admin"));
            response
        }))
        .with_state(web)
}

async fn readyz(State(web): State<Arc<Web>>) -> Response {
    if web.shop.ready() {
        return "ready".into_response();
    }
    let why = web.shop.mistrusts().map_or_else(|| "Redis does not answer.".to_owned(), |why| why.to_string());
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", why).into_response()
}

#[derive(Deserialize)]
struct Health {
    prove: Option<String>,
}

/// That we are alive; and, where it is asked, that we know the data directory's token, which is said to nobody else.
async fn healthz(State(web): State<Arc<Web>>, Query(health): Query<Health>, here: Option<Extension<Here>>) -> Response {
    let mut response = "ok".into_response();
    let asked = health.prove.filter(|asked| (16..=64).contains(&asked.len()) && asked.is_ascii());
    if let Some((asked, Extension(Here(here)))) = asked.zip(here)
        && let Ok(proof) = header::HeaderValue::from_str(&proof(&web.admin_token, &asked, here))
    {
        response.headers_mut().insert("x-kamid-proof", proof);
    }
    response
}

async fn metrics(State(web): State<Arc<Web>>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], web.telemetry.prometheus()).into_response()
}

async fn info(State(web): State<Arc<Web>>, Extension(operator): Extension<Operator>) -> Json<Value> {
    Json(json!({
        "operator": operator.name(), "role": operator.role,
        "kamid": env!("CARGO_PKG_VERSION"), "instance": web.telemetry.instance, "test": web.shop.is_test(),
        "public": web.shop.own_url(), "public_url": web.shop.public_url(), "ready": web.shop.ready(),
        "full": web.shop.full(), "redis": web.shop.health(), "import_bytes": web.limits.import_bytes,
        "now": web.shop.now(),
    }))
}

/// What an operator can set of a product, to tell what is different.
fn settable(product: &Product) -> Value {
    let mut value = serde_json::to_value(product).unwrap_or_default();
    value["price"] = json!(format!("{} {}", product.price, product.price.currency));
    for counted in ["id", "slot", "revision", "created"] {
        value.as_object_mut().map(|fields| fields.remove(counted));
    }
    value
}

fn with_stock(product: &Product, stock: &Stock) -> Value {
    let mut value = serde_json::to_value(product).unwrap_or_default();
    value["price"] = json!(product.price.to_string());
    value["price_minor"] = json!(product.price.minor);
    value["currency"] = json!(product.price.currency);
    value["stock"] = serde_json::to_value(stock).unwrap_or_default();
    value["stock"]["available"] = json!(stock.available());
    value
}

#[derive(Deserialize)]
struct ProductsQuery {
    /// `?fresh`: numbers as they are in Redis now.
    #[serde(default)]
    fresh: Option<String>,
}

async fn products(State(web): State<Arc<Web>>, Query(query): Query<ProductsQuery>) -> Result<Json<Value>, Problem> {
    let fresh = query.fresh.is_some_and(|fresh| fresh != "false");
    let stock = if fresh { web.shop.fresh_stock().await? } else { web.shop.stock().await? };
    let list: Vec<Value> = stock.iter().map(|(product, stock)| with_stock(product, stock)).collect();
    Ok(Json(json!({"products": list})))
}

async fn product(State(web): State<Arc<Web>>, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    let product = web.shop.product(&id).await?;
    let stock = web.shop.stock_of(&product).await?;
    Ok(Json(with_stock(&product, &stock)))
}

#[derive(Deserialize)]
struct NewProduct {
    id: String,
    #[serde(flatten)]
    patch: Value,
}

fn patch_of(value: Value) -> Result<ProductPatch, Problem> {
    serde_json::from_value(value).map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "invalid", error.to_string()))
}

async fn add_product(
    State(web): State<Arc<Web>>,
    Extension(trace): Told,
    Json(new): Json<NewProduct>,
) -> Result<Response, Problem> {
    trace.on(&new.id);
    let asked = new.patch.clone();
    let product = web.shop.add_product(&new.id, &patch_of(new.patch)?).await?;
    let mut told = settable(&product);
    if let Some(fields) = told.as_object_mut() {
        fields.retain(|name, _| asked.get(name).is_some());
    }
    trace.change(&difference(&Value::Null, &told));
    Ok((StatusCode::CREATED, Json(with_stock(&product, &Stock::default()))).into_response())
}

async fn set_product(
    State(web): State<Arc<Web>>,
    Path(id): Path<String>,
    Extension(trace): Told,
    Json(patch): Json<Value>,
) -> Result<Json<Value>, Problem> {
    let (before, after) = web.shop.set_product(&id, &patch_of(patch)?).await?;
    trace.change(&difference(&settable(&before), &settable(&after)));
    product(State(web), Path(id)).await
}

#[derive(Deserialize)]
struct ImportQuery {
    #[serde(default = "first_line")]
    first: u64,
    /// What the body is written in, by somebody who knows.
    #[serde(default)]
    encoding: Option<String>,
    /// Every line is a key, whatever the whole looks like, by somebody who has looked.
    #[serde(default)]
    as_lines: bool,
    /// This is a part of a file that was judged as a whole.
    #[serde(default)]
    judged: bool,
}

fn first_line() -> u64 {
    1
}

async fn import_keys(
    State(web): State<Arc<Web>>,
    Path(id): Path<String>,
    Query(query): Query<ImportQuery>,
    Extension(trace): Told,
    body: Bytes,
) -> Result<Json<ImportReport>, Problem> {
    let utf8 = match query.encoding.as_deref() {
        None => false,
        Some(name) if sheet::is_utf8(name) => true,
        Some(_) => return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid", sheet::UTF8_ONLY)),
    };
    if !query.judged {
        let said = sheet::Said { utf8, as_lines: query.as_lines };
        sheet::judge(&body, said).map_err(|(why, _)| crate::shop::ShopError::from(why))?;
    }
    let report = web.shop.import(&id, &body, (query.first.max(1), query.as_lines)).await?;
    trace.result(&format!("{} imported", report.imported));
    Ok(Json(report))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VoidWish {
    #[serde(default)]
    count: u32,
    #[serde(default)]
    keys: String,
}

async fn void(
    State(web): State<Arc<Web>>,
    Path(id): Path<String>,
    Extension(trace): Told,
    Json(wish): Json<VoidWish>,
) -> Result<Json<Value>, Problem> {
    let (voided, named) = web.shop.void(&id, wish.count, wish.keys.as_bytes()).await?;
    trace.result(&format!("{voided} voided"));
    let not_in_pool = named.map(|named| named.saturating_sub(voided));
    Ok(Json(json!({"voided": voided, "keys_named": named, "not_in_pool": not_in_pool})))
}

async fn restore(
    State(web): State<Arc<Web>>,
    Path(id): Path<String>,
    Extension(trace): Told,
    Json(wish): Json<VoidWish>,
) -> Result<Json<Value>, Problem> {
    let restored = web.shop.restore(&id, wish.count).await?;
    trace.result(&format!("{restored} restored"));
    Ok(Json(json!({"restored": restored})))
}

/// How a channel is tried.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct TrialWish {
    /// Open a payment of one cent at its gateway, too.
    open: bool,
}

async fn try_channel(
    State(web): State<Arc<Web>>,
    Path(name): Path<String>,
    Json(wish): Json<TrialWish>,
) -> Result<Json<Value>, Problem> {
    let steps = web.shop.try_channel(&name, wish.open).await?;
    let works = steps.iter().all(|step| step.result != "failed");
    Ok(Json(json!({"channel": name, "works": works, "steps": steps})))
}

async fn channels(State(web): State<Arc<Web>>) -> Json<Value> {
    let list: Vec<Value> = web
        .channels
        .list()
        .map(|(name, kind)| {
            json!({
                "name": name, "kind": kind, "notify_url": web.shop.notify_url(name),
                "account": web.shop.account_of(name),
            })
        })
        .collect();
    Json(json!({"channels": list}))
}
