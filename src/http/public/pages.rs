//! The buyers' pages: an order's page, the way back from a gateway, the sandbox's pay page.
//!
//! Server-rendered; one small script, and without it a reload does. Nothing is cached, other sites hear the shop's name and
//! nothing of the address (WeChat Pay wants it), and the policy allows this script and style only.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Extension, Form, Json, Router};
use minijinja::{Environment, Value, context};
use serde::Deserialize;
use serde_json::json;

use super::find;
use super::orders::{cookie, looked_up, token_of};
use crate::channel::{Step, Wants};
use crate::domain::text::printable;
use crate::domain::time::iso;
use crate::domain::{Lang, Order, OrderId, OrderState, Pay, PaymentNo, Reached};
use crate::http::problem::Problem;
use crate::http::web::Caller;
use crate::http::web::Web;
use crate::shop::ShopError;
use crate::store::StoreError;
use crate::vault;

/// What another site hears of the page that led to it: its origin.
const REFERRER: &str = "strict-origin-when-cross-origin";
const SCRIPT: &str = include_str!("pages/o.js");

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut templates = Environment::new();
    for (name, text) in [
        ("layout.html", include_str!("pages/layout.html")),
        ("state.html", include_str!("pages/state.html")),
        ("order.html", include_str!("pages/order.html")),
        ("find.html", include_str!("pages/find.html")),
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
        .route("/o/{id}/pay", post(to_pay))
        .route("/o/{id}/find", post(find::find))
        // Some gateways send the buyer back by a form.
        .route("/r/{id}", get(back).post(back))
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

/// The reader's first language, where it is one of ours.
pub fn language(headers: &HeaderMap) -> Lang {
    let wanted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    Lang::of_locale(wanted.trim_start())
}

pub(super) fn render(web: &Web, name: &str, headers: &HeaderMap, status: StatusCode, values: Value) -> Response {
    let nonce = vault::chance().map_or_else(|_| String::new(), |chance| format!("{chance:032x}"));
    let zh = language(headers) == Lang::Zh;
    let lang = if zh { "zh-CN" } else { "en" };
    let common =
        context! { nonce => nonce.as_str(), zh, lang, test => web.shop.is_test(), loud => web.shop.loud(), ..values };
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
        (header::REFERRER_POLICY, REFERRER),
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
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if let Err(wait) = web.limiter.lookup(caller.0) {
        return Ok(find::busy(&web, &headers, &id, wait));
    }
    let token = token_of(&id, &headers, &query);
    let order = match web.shop.order_for(&id, &token).await {
        Ok(order) => order,
        Err(ShopError::NotFound(_)) => {
            return Ok(find::asks(&web, &headers, &id, StatusCode::NOT_FOUND, context! {}));
        }
        Err(error) => return Err(error.into()),
    };
    let shown = Shown { go: query.contains_key("go"), refused: None };
    let mut response = order_page(&web, &order, &headers, shown).await?;
    let cookie = cookie(&id, &token, web.shop.is_secure());
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

/// How an order's page is come to.
#[derive(Default)]
struct Shown {
    /// By the click that opened the payment: the page goes there.
    go: bool,
    /// With a way to pay that was not taken.
    refused: Option<Refused>,
}

/// An order's page.
async fn order_page(web: &Web, order: &Order, headers: &HeaderMap, shown: Shown) -> Result<Response, Problem> {
    let (view, copying) = match web.shop.view(order).await {
        Ok(view) => (view, false),
        // Paid and delivered, but not safe to be shown: the page says so, and looks again by itself.
        Err(ShopError::Store(StoreError::TooFewCopies)) => (web.shop.outline(order), true),
        Err(error) => return Err(error.into()),
    };
    let (status, refused, limited) = match shown.refused {
        None => (StatusCode::OK, None, None),
        Some(Refused::Channel(name)) => (StatusCode::BAD_GATEWAY, Some(name), None),
        Some(Refused::Limit(reached)) => (StatusCode::TOO_MANY_REQUESTS, None, Some(reached.says(language(headers)))),
    };
    let status = if copying { StatusCode::SERVICE_UNAVAILABLE } else { status };
    let values = context! {
        copying, refused, limited, order => Value::from(minijinja::value::Serde(&view)),
        expires => iso(order.expires), lookup_code => web.shop.code(order.id), ..ways(web, order, shown.go)
    };
    let mut response = render(web, "order.html", headers, status, values);
    if copying {
        let again = HeaderValue::from_static("2");
        response.headers_mut().insert(header::RETRY_AFTER, again.clone());
        response.headers_mut().insert(header::REFRESH, again);
    }
    Ok(response)
}

/// How an order can be paid, for its page; `go`: the click was made.
fn ways(web: &Web, order: &Order, go: bool) -> Value {
    let (way, tried) = web.shop.way(order).unzip();
    let ages_ms = way.as_ref().and_then(|way| way.ages_ms);
    let pay = way.and_then(|way| way.pay);
    // What is for one address only is reached through us, who look whose the click is.
    let bound = tried.is_some_and(|channel| web.shop.opens(channel).wants == Wants::Buyer);
    let through = bound && !go && matches!(pay, Some(Step::Redirect { .. }));
    let click = tried.filter(|_| pay.is_none() || through);
    let (mut pay_url, mut code, mut form) = (None, None, None);
    match &pay {
        Some(Step::Redirect { url }) if !through => pay_url = Some(url.as_str()),
        Some(Step::Qr { text }) => code = drawn(text),
        Some(Step::Form { url, fields }) => form = Some((url.as_str(), fields)),
        _ => {}
    }
    let form_url = form.map(|(url, _)| url);
    let fields = form.map(|(_, fields)| Value::from(minijinja::value::Serde(fields)));
    let others = web.shop.channels_for(order.amount.currency);
    let others = others.filter(|name| order.state == OrderState::Pending && Some(*name) != tried);
    let others: Vec<String> = others.map(str::to_owned).collect();
    context! { others, click, go, pay_url, code, form_url, fields, ages_ms }
}

#[derive(Deserialize)]
struct Way {
    channel: String,
    /// The buyer is on the way to pay, not only choosing.
    go: Option<String>,
}

/// The buyer goes to pay, or chose another channel: the page then leads there.
async fn to_pay(
    State(web): State<Arc<Web>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Form(way): Form<Way>,
) -> Result<Response, Problem> {
    if let Err(wait) = web.limiter.lookup(caller.0) {
        return Ok(find::busy(&web, &headers, &id, wait));
    }
    // Never by the query: the cookie is what the browser sends from our own pages alone.
    let token = token_of(&id, &headers, &HashMap::new());
    let order = match web.shop.order_for(&id, &token).await {
        Ok(order) => order,
        Err(ShopError::NotFound(_)) => {
            return Ok(find::asks(&web, &headers, &id, StatusCode::NOT_FOUND, context! {}));
        }
        Err(error) => return Err(error.into()),
    };
    match web.shop.go_and_pay(&order, &way.channel, caller.0).await {
        // A page of its own, with the other ways: whoever stands here has money in hand.
        Err(ShopError::Gateway(_)) => {
            let refused = Some(Refused::Channel(printable(&way.channel, 32)));
            order_page(&web, &order, &headers, Shown { refused, go: false }).await
        }
        Err(ShopError::Limited(reached)) => {
            let refused = Some(Refused::Limit(reached));
            order_page(&web, &order, &headers, Shown { refused, go: false }).await
        }
        Ok(created) if way.go.is_some() && matches!(created.pay, Some(Step::Redirect { .. })) => {
            Ok(Redirect::to(&format!("/o/{id}?go=1")).into_response())
        }
        // The page says where the order stands now.
        Ok(_) | Err(ShopError::Conflict(_) | ShopError::Invalid { .. }) => {
            Ok(Redirect::to(&format!("/o/{id}")).into_response())
        }
        Err(error) => Err(error.into()),
    }
}

async fn state(
    State(web): State<Arc<Web>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let order = looked_up(&web, caller, &id, &headers, &query).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(json!({"state": order.state}))).into_response())
}

/// Where a gateway sends the buyer back to: its address carries nothing but the number; the browser's cookie does the rest.
/// Another browser is asked for what its reader knows of the order.
async fn back(
    State(web): State<Arc<Web>>,
    Extension(caller): Extension<Caller>,
    method: Method,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let order: OrderId = id.parse().map_err(|_| Problem::not_found())?;
    if let Err(wait) = web.limiter.lookup(caller.0) {
        return Ok(find::busy(&web, &headers, &id, wait));
    }
    // With a form from another site comes no cookie; the page it leads to gets one.
    let known = web.shop.is_token(order, &token_of(&id, &headers, &HashMap::new()));
    if known || method == Method::POST {
        let to = if known { format!("/o/{id}") } else { format!("/r/{id}") };
        return Ok(([(header::REFERRER_POLICY, REFERRER)], Redirect::to(&to)).into_response());
    }
    Ok(find::asks(&web, &headers, &id, StatusCode::OK, context! { back => true }))
}

async fn sandbox_page(web: &Web, number: &str, headers: &HeaderMap, answers: Vec<String>) -> Result<Response, Problem> {
    let no: PaymentNo = number.parse().map_err(|_| Problem::not_found())?;
    let order = web.shop.known_order(no.order).await?.ok_or_else(Problem::not_found)?;
    let due = web.shop.trial_due(&order, no.attempt).map_err(|_| Problem::not_found())?.amount;
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
    let answers = match web.shop.sandbox_pay(no.order, Some(no.attempt), button.how).await {
        // A stranger learns no more than of any other number.
        Err(ShopError::Conflict(_) | ShopError::NotFound(_)) => return Err(Problem::not_found()),
        other => other?,
    };
    sandbox_page(&web, &number, &headers, answers).await
}
