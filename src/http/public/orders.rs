//! The buyers' API: products, orders, and another way to pay.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use hyper::body::Bytes;
use serde::Deserialize;

use super::pages::language;
use crate::domain::network::plain;
use crate::domain::{Lang, Order, Wanted};
use crate::http::problem::Problem;
use crate::http::web::Web;
use crate::http::web::{Caller, with_token};
use crate::shop::{Buyer, By, Created, Shop};
use crate::store::Repeat;
use crate::wire::public::{Offer, OfferList, PayWish};

pub fn routes(web: Arc<Web>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/v1/products", get(products))
        .route("/v1/orders", post(order))
        .route("/v1/orders/{id}", get(show))
        .route("/v1/orders/{id}/pay", post(pay))
        .fallback(|| async { Problem::not_found() })
        .method_not_allowed_fallback(|| async {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "This address takes another method.")
        })
        .layer(axum::extract::DefaultBodyLimit::max(web.limits.body_bytes))
        .with_state(web)
}

async fn products(
    State(web): State<Arc<Web>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<OfferList>, Problem> {
    web.limiter.lookup(caller.0).map_err(Problem::limited)?;
    let now = web.shop.now();
    let stock = web.shop.stock().await?;
    let sold = stock.iter().filter(|(product, _)| !product.retired);
    Ok(Json(OfferList {
        products: sold.map(|(product, stock)| Offer::of(product, stock, now)).collect(),
        channels: web.channels.list().map(|(name, _)| name.to_owned()).collect(),
    }))
}

/// Whether a page of another site can have sent it: a browser lets such a page send forms and plain text to us, and JSON
/// only after asking, to which we say no.
fn is_json(headers: &HeaderMap) -> bool {
    let mut kinds = headers.get_all(header::CONTENT_TYPE).iter().peekable();
    if kinds.peek().is_none() {
        return !(headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site"));
    }
    let json = |kind: &HeaderValue| {
        let kind = kind.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
    };
    kinds.all(json)
}

fn read_json<'a, T: Deserialize<'a>>(headers: &HeaderMap, body: &'a Bytes) -> Result<T, Problem> {
    if !is_json(headers) {
        return Err(Problem::not_json());
    }
    // Serde would take an array of values for an object, whatever their order meant.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid", "The body must be a JSON object."));
    }
    serde_json::from_slice(body).map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, "invalid", format!("The body is not the JSON expected: {error}"))
    })
}

async fn order(
    State(web): State<Arc<Web>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    web.limiter.order(caller.0).map_err(Problem::limited)?;
    let wanted: Wanted = read_json(&headers, &body)?;
    let lang = language(&headers);
    let key = match headers.get("idempotency-key") {
        None => None,
        Some(key) => {
            let key = key.to_str().ok().filter(|key| (1..=255).contains(&key.len())).ok_or_else(|| {
                Problem::new(StatusCode::BAD_REQUEST, "invalid", "An Idempotency-Key has 1 to 255 characters.")
            })?;
            Some(key.to_owned())
        }
    };
    let shop = Arc::clone(&web.shop);
    let created = whole(async move {
        match key {
            None => made(&shop, &wanted, caller).await.map_err(|error| Problem::for_buyers(error, lang)),
            Some(key) => once(&shop, (&key, lang), &wanted, caller).await,
        }
    })
    .await?;
    let answer = with_token(&web.shop, &created)?;
    let cookie = cookie(&created.id, &answer.token, web.shop.is_secure());
    let headers = [(header::SET_COOKIE, cookie), (header::CACHE_CONTROL, "no-store".to_owned())];
    Ok((StatusCode::CREATED, headers, Json(answer)).into_response())
}

/// Runs to its end what an order changes, also for a buyer who goes away meanwhile: else what was counted would count for
/// nobody, and the key of a repeat would stand for nothing.
async fn whole<T: Send + 'static>(
    work: impl Future<Output = Result<T, Problem>> + Send + 'static,
) -> Result<T, Problem> {
    let broke = |_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "This could not be done.");
    tokio::spawn(work).await.map_err(broke)?
}

/// The cookie by which a buyer's browser finds its order again when it comes back from the gateway.
pub fn cookie(id: &str, token: &str, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("o_{id}={token}; Path=/; Max-Age=604800; HttpOnly; SameSite=Lax{secure}")
}

/// Makes an order for whoever asks from an address: the whole one counts, and is what a gateway hears.
async fn made(shop: &Shop, wanted: &Wanted, caller: Caller) -> Result<Created, crate::shop::ShopError> {
    shop.order(wanted, Buyer::Address(plain(caller.0)), By::Asker(Some(caller.0))).await
}

/// Runs a request once for a key of one address: another buyer's key of the same text is another key.
async fn once(shop: &Shop, (key, lang): (&str, Lang), wanted: &Wanted, caller: Caller) -> Result<Created, Problem> {
    let body = serde_json::to_string(wanted).unwrap_or_default();
    let conflict = |status, detail: &str| Problem::new(status, "idempotency", detail);
    let (request, before) = shop.begin_once(caller.0, key, &body).await?;
    match before {
        Repeat::Run => {}
        Repeat::Running => return Err(conflict(StatusCode::CONFLICT, "The first request under this key still runs.")),
        Repeat::Other => {
            return Err(conflict(StatusCode::UNPROCESSABLE_ENTITY, "This key was used for another request."));
        }
        Repeat::Done(answer) => {
            return serde_json::from_str(&answer)
                .map_err(|_| conflict(StatusCode::INTERNAL_SERVER_ERROR, "The first answer cannot be read any more."));
        }
    }
    let created = made(shop, wanted, caller).await;
    let answer = created.as_ref().ok().and_then(|created| serde_json::to_string(created).ok());
    shop.end_once(request, answer.as_deref()).await?;
    created.map_err(|error| Problem::for_buyers(error, lang))
}

/// The token of a request: `Authorization: Bearer`, then `?token=`, then the order's cookie.
pub fn token_of(id: &str, headers: &HeaderMap, query: &HashMap<String, String>) -> String {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let name = format!("o_{id}=");
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let cookie = cookies.flat_map(|text| text.split("; ")).find_map(|pair| pair.strip_prefix(name.as_str()));
    bearer.or_else(|| query.get("token").map(String::as_str)).or(cookie).unwrap_or_default().trim().to_owned()
}

/// The order of a request that has its token, charged to the address it comes from.
pub async fn looked_up(
    web: &Web,
    caller: Caller,
    id: &str,
    headers: &HeaderMap,
    query: &HashMap<String, String>,
) -> Result<Order, Problem> {
    web.limiter.lookup(caller.0).map_err(Problem::limited)?;
    web.shop.order_for(id, &token_of(id, headers, query)).await.map_err(|error| match error {
        crate::shop::ShopError::NotFound(_) => Problem::not_found(),
        other => other.into(),
    })
}

async fn show(
    State(web): State<Arc<Web>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let order = looked_up(&web, caller, &id, &headers, &query).await?;
    let view = web.shop.view(&order).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(view)).into_response())
}

async fn pay(
    State(web): State<Arc<Web>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let wanted: PayWish = read_json(&headers, &body)?;
    let order = looked_up(&web, caller, &id, &headers, &query).await?;
    let (shop, lang) = (Arc::clone(&web.shop), language(&headers));
    let created = whole(async move {
        let again = shop.pay_again(order.id, &wanted.channel, By::Asker(Some(caller.0))).await;
        again.map_err(|error| Problem::for_buyers(error, lang))
    })
    .await?;
    let answer = with_token(&web.shop, &created)?;
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response())
}
