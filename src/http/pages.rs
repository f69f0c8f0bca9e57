//! The buyers' pages: an order's page, the way back from a gateway, the sandbox's pay page.
//!
//! Server-rendered; one small script, and without it a reload does. Nothing is cached, no referrer leaves, and the policy
//! allows this script and style only.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Extension, Form, Json, Router};
use minijinja::{Environment, Value, context};
use serde::Deserialize;
use serde_json::json;

use super::orders::{cookie, iso, looked_up, token_of};
use super::problem::Problem;
use super::{Client, Web};
use crate::channel::Step;
use crate::domain::text::printable;
use crate::domain::{Order, OrderState, PaymentNo, Reached};
use crate::shop::{Pay, ShopError};
use crate::store::StoreError;
use crate::vault;

const SCRIPT: &str = include_str!("pages/o.js");

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut templates = Environment::new();
    for (name, text) in [
        ("layout.html", include_str!("pages/layout.html")),
        ("order.html", include_str!("pages/order.html")),
        ("gone.html", include_str!("pages/gone.html")),
        ("sandbox.html", include_str!("pages/sandbox.html")),
    ] {
        if let Err(error) = templates.add_template(name, text) {
            tracing::error!(%error, name, "A page's template is wrong.");
        }
    }
    templates
});

pub fn routes(web: Arc<Web>) -> Router {
    Router::new()
        .route("/o/{id}", get(page))
        .route("/o/{id}/state", get(state))
        .route("/o/{id}/pay", post(another_way))
        .route("/r/{id}", get(back))
        .route("/o.js", get(script))
        .route("/pay/{channel}/checkout/{number}", get(sandbox).post(sandbox_pay))
        .layer(axum::extract::DefaultBodyLimit::max(4096))
        .with_state(web)
}

/// The origin of an address, with a blank before it.
fn origin(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?;
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b':' | b'-');
    (matches!(scheme, "http" | "https") && host.bytes().all(fits)).then(|| format!(" {scheme}://{host}"))
}

/// A text as a QR code, SVG; `None` where it is too long for one.
fn drawn(text: &str) -> Option<String> {
    let code = qrcode::QrCode::new(text).ok()?;
    let svg = code.render::<qrcode::render::svg::Color<'_>>().min_dimensions(220, 220).build();
    Some(svg.split_once("?>").map_or(svg.clone(), |(_, drawing)| drawing.to_owned()))
}

async fn script() -> Response {
    let headers = [(header::CONTENT_TYPE, "text/javascript; charset=utf-8"), (header::CACHE_CONTROL, "max-age=3600")];
    (headers, SCRIPT).into_response()
}

/// Whether the reader's first language is Chinese.
pub fn is_zh(headers: &HeaderMap) -> bool {
    let wanted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    wanted.trim_start().to_ascii_lowercase().starts_with("zh")
}

fn render(web: &Web, name: &str, headers: &HeaderMap, status: StatusCode, values: Value) -> Response {
    let nonce = vault::chance().map_or_else(|_| String::new(), |chance| format!("{chance:032x}"));
    let zh = is_zh(headers);
    let lang = if zh { "zh-CN" } else { "en" };
    let common = context! { nonce => nonce.as_str(), zh, lang, test => web.shop.test, title => "kamid", ..values };
    let page = TEMPLATES.get_template(name).and_then(|template| template.render(common.clone()));
    let page = page.unwrap_or_else(|error| {
        tracing::error!(%error, name, "A page could not be rendered.");
        "Something is wrong here; the operator was told.".to_owned()
    });
    // A gateway that takes a form is posted to by the buyer's browser.
    let form_to = common.get_attr("form_url").ok().and_then(|url| origin(url.as_str()?)).unwrap_or_default();
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; form-action 'self'{form_to}; base-uri 'none'; frame-ancestors 'none'"
    );
    let mut response = (status, Html(page)).into_response();
    let set = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, policy.as_str()),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::VARY, "Accept-Language, Cookie"),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            set.insert(name, value);
        }
    }
    response
}

async fn page(
    State(web): State<Arc<Web>>,
    Extension(client): Extension<Client>,
    Path(id): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    web.limiter.lookup(client.0).map_err(Problem::limited)?;
    let token = token_of(&id, &headers, &query);
    let order = match web.shop.order_for(&id, &token).await {
        Ok(order) => order,
        Err(ShopError::NotFound(_)) => {
            return Ok(render(&web, "gone.html", &headers, StatusCode::NOT_FOUND, context! {}));
        }
        Err(error) => return Err(error.into()),
    };
    let mut response = order_page(&web, &order, &headers, None).await?;
    let cookie = cookie(&id, &token, web.shop.public_url.starts_with("https"));
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    Ok(response)
}

/// Why the way to pay that was chosen is not taken.
enum Refused {
    /// This one does not work now.
    Channel(String),
    /// No further one may be tried.
    Limit(Reached),
}

/// An order's page; `refused`: with what is said of a way to pay that was not taken.
async fn order_page(
    web: &Web,
    order: &Order,
    headers: &HeaderMap,
    refused: Option<Refused>,
) -> Result<Response, Problem> {
    let (view, copying) = match web.shop.view(order).await {
        Ok(view) => (view, false),
        // Paid and delivered, but not safe to be shown: the page says so, and looks again by itself.
        Err(ShopError::Store(StoreError::TooFewCopies)) => (web.shop.outline(order), true),
        Err(error) => return Err(error.into()),
    };
    // The newest way that leads anywhere: a gateway may not have opened the one behind it.
    let newest = order.attempts.iter().rev().find_map(|(attempt, due)| {
        let way = web.shop.created(order, *attempt).ok()?;
        Some((way.pay, due.channel.as_str()))
    });
    let (pay, tried) = newest.filter(|_| order.state == OrderState::Pending).unzip();
    let (mut pay_url, mut code, mut form) = (None, None, None);
    match &pay {
        Some(Step::Redirect { url }) => pay_url = Some(url.as_str()),
        Some(Step::Qr { text }) => code = drawn(text),
        Some(Step::Form { url, fields }) => form = Some((url.as_str(), fields)),
        None => {}
    }
    let form_url = form.map(|(url, _)| url);
    let fields = form.map(|(_, fields)| Value::from(minijinja::value::Serde(fields)));
    let expires = iso(order.expires);
    let others = web.shop.channels_for(order.amount.currency);
    let others = others.filter(|name| order.state == OrderState::Pending && Some(*name) != tried);
    let others: Vec<String> = others.map(str::to_owned).collect();
    let (mut status, refused, limited) = match refused {
        None => (StatusCode::OK, None, None),
        Some(Refused::Channel(name)) => (StatusCode::BAD_GATEWAY, Some(name), None),
        Some(Refused::Limit(reached)) => (StatusCode::TOO_MANY_REQUESTS, None, Some(reached.says(is_zh(headers)))),
    };
    if copying {
        status = StatusCode::SERVICE_UNAVAILABLE;
    }
    let values = context! { others, refused, limited, copying, order => Value::from(minijinja::value::Serde(&view)), pay_url, code, form_url, fields, expires, title => view.name };
    let mut response = render(web, "order.html", headers, status, values);
    if copying {
        let again = HeaderValue::from_static("2");
        response.headers_mut().insert(header::RETRY_AFTER, again.clone());
        response.headers_mut().insert(header::REFRESH, again);
    }
    Ok(response)
}

#[derive(Deserialize)]
struct Way {
    channel: String,
}

/// The buyer chose another channel: the page then leads there.
async fn another_way(
    State(web): State<Arc<Web>>,
    Extension(client): Extension<Client>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Form(way): Form<Way>,
) -> Result<Response, Problem> {
    // Never by the query: the cookie is what the browser sends from our own pages alone.
    let order = looked_up(&web, client, &id, &headers, &HashMap::new()).await?;
    match web.shop.pay_again(order.id, &way.channel).await {
        // A page of its own, with the other ways: whoever stands here has money in hand.
        Err(ShopError::Gateway(_)) => {
            order_page(&web, &order, &headers, Some(Refused::Channel(printable(&way.channel, 32)))).await
        }
        Err(ShopError::Limited(reached)) => order_page(&web, &order, &headers, Some(Refused::Limit(reached))).await,
        // The page says where the order stands now.
        Ok(_) | Err(ShopError::Conflict(_) | ShopError::Invalid { .. }) => {
            Ok(Redirect::to(&format!("/o/{id}")).into_response())
        }
        Err(error) => Err(error.into()),
    }
}

async fn state(
    State(web): State<Arc<Web>>,
    Extension(client): Extension<Client>,
    Path(id): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let order = looked_up(&web, client, &id, &headers, &query).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(json!({"state": order.state}))).into_response())
}

/// Where a gateway sends the buyer back to: its address carries nothing but the number; the browser's cookie does the rest.
async fn back(Path(id): Path<String>) -> Response {
    if id.parse::<crate::domain::OrderId>().is_err() {
        return Problem::not_found().into_response();
    }
    ([(header::REFERRER_POLICY, "no-referrer")], Redirect::to(&format!("/o/{id}"))).into_response()
}

async fn sandbox_page(web: &Web, number: &str, headers: &HeaderMap, answers: Vec<String>) -> Result<Response, Problem> {
    if !web.shop.test {
        return Err(Problem::not_found());
    }
    let no: PaymentNo = number.parse().map_err(|_| Problem::not_found())?;
    let order = web.shop.store.order(no.order).await.map_err(ShopError::from)?.ok_or_else(Problem::not_found)?;
    let due = order.attempts.iter().find(|(attempt, _)| *attempt == no.attempt).map(|(_, due)| due.amount);
    let due = due.ok_or_else(Problem::not_found)?;
    let values = context! {
        number, answers, amount => due.to_string(), currency => due.currency.as_str(),
        back => format!("/r/{}", order.id), paid => order.state != OrderState::Pending,
    };
    Ok(render(web, "sandbox.html", headers, StatusCode::OK, values))
}

async fn sandbox(
    State(web): State<Arc<Web>>,
    Path((_, number)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    sandbox_page(&web, &number, &headers, Vec::new()).await
}

#[derive(Deserialize)]
struct Button {
    how: Pay,
}

async fn sandbox_pay(
    State(web): State<Arc<Web>>,
    Path((_, number)): Path<(String, String)>,
    headers: HeaderMap,
    Form(button): Form<Button>,
) -> Result<Response, Problem> {
    let no: PaymentNo = number.parse().map_err(|_| Problem::not_found())?;
    let answers = web.shop.sandbox_pay(no.order, Some(no.attempt), button.how).await?;
    sandbox_page(&web, &number, &headers, answers).await
}
