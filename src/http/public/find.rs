//! An order that is looked for from another browser: by its code, which opens it, or by the contact given when ordering,
//! which shows where it stands and no key. Order numbers stand on bills and screenshots; what is missing and what is wrong
//! look alike, and each try is charged.
//!
//! Whoever has many addresses guesses at one order with all of them: each try that does not open it is charged to the order,
//! too. A code is 60 bits and not guessed: the right one opens the order whatever others have tried.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use minijinja::{Value, context};
use serde::Deserialize;
use serde_json::json;

use super::orders::cookie;
use super::pages::render;
use crate::domain::OrderId;
use crate::http::problem::Problem;
use crate::http::web::Caller;
use crate::http::web::Web;
use crate::shop::{Found, ShopError};

/// The page that asks for what its reader knows of an order.
pub fn asks(web: &Web, headers: &HeaderMap, id: &str, status: StatusCode, values: Value) -> Response {
    // Only a number of ours is shown again.
    let id = id.parse::<OrderId>().ok().map(|id| id.to_string());
    let longest = web.limits.contact_bytes;
    render(web, "find.html", headers, status, context! { id, longest, ..values })
}

/// The same, for an address that asked too often.
pub fn busy(web: &Web, headers: &HeaderMap, id: &str, wait: Duration) -> Response {
    too_often(web, headers, id, wait, false)
}

/// The same, for an address that asked too often, or (`guessed`) for an order that was asked for too often.
fn too_often(web: &Web, headers: &HeaderMap, id: &str, wait: Duration, guessed: bool) -> Response {
    let seconds = wait.as_secs() + 1;
    let mut response = asks(web, headers, id, StatusCode::TOO_MANY_REQUESTS, context! { wait => seconds, guessed });
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

#[derive(Deserialize)]
pub struct Given {
    given: String,
}

/// `POST /o/{id}/find`
pub async fn find(
    State(web): State<Arc<Web>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Form(Given { given }): Form<Given>,
) -> Result<Response, Problem> {
    if let Err(wait) = web.limiter.find(caller.0) {
        return Ok(busy(&web, &headers, &id, wait));
    }
    let found = web.shop.find_order(&id, &given).await;
    // One that is missing is charged as one that is there, and a right contact as a wrong one: the answer tells neither.
    if let Ok(Found::Standing(_)) | Err(ShopError::NotFound(_)) = found
        && let Ok(order) = id.parse()
        && let Err(wait) = web.limiter.guess(order)
    {
        return Ok(too_often(&web, &headers, &id, wait, true));
    }
    match found {
        Ok(Found::Whole(order)) => {
            let token = web.shop.token(order.id);
            let cookie = cookie(order.id.as_str(), &token, web.shop.is_secure());
            Ok(([(header::SET_COOKIE, cookie)], Redirect::to(&format!("/o/{}", order.id))).into_response())
        }
        Ok(Found::Standing(order)) => {
            let shown = json!({
                "state": order.state, "amount": order.amount.to_string(), "currency": order.amount.currency,
            });
            let values = context! { order => Value::from(minijinja::value::Serde(shown)) };
            Ok(asks(&web, &headers, &id, StatusCode::OK, values))
        }
        Err(ShopError::NotFound(_)) => Ok(asks(&web, &headers, &id, StatusCode::NOT_FOUND, context! { wrong => true })),
        Err(error) => Err(error.into()),
    }
}
