//! Errors as RFC 9457 problem details.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::domain::text::printable;
use crate::domain::{Lang, Reached, Rejection};
use crate::shop::ShopError;
use crate::store::StoreError;

/// What is said of a store that has to be asked again.
const LATER: &str = "The store cannot answer now: try again.";

/// A problem's word, beside its answer.
#[derive(Debug, Clone, Copy)]
pub struct Code(pub &'static str);

/// One problem.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    retry_seconds: Option<u64>,
    more: Vec<(&'static str, Value)>,
}

impl Problem {
    /// A problem with its HTTP status, its word and what to tell.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), retry_seconds: None, more: Vec::new() }
    }

    /// Nothing there, or not for this token: both look the same.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "There is nothing here, or not for you.")
    }

    /// What a stranger hears where a gateway does not do its part: not what it said, and not where it is.
    /// A limit is said in the buyer's language.
    pub fn for_buyers(error: ShopError, lang: Lang) -> Self {
        match error {
            ShopError::Limited(reached) => Self { detail: reached.says(lang), ..reached.into() },
            ShopError::Gateway(_) => Self::new(
                StatusCode::BAD_GATEWAY,
                "gateway",
                "This way to pay is not available now: choose another, or try again in a minute.",
            ),
            ShopError::Store(StoreError::Doubted(_)) => {
                Self { retry_seconds: Some(30), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", LATER) }
            }
            other => other.into(),
        }
    }

    /// Two hosts: a proxy and we could take the request for different ones.
    pub fn two_hosts() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", "A request has one Host header.")
    }

    /// There is something, and it is not asked so.
    pub fn wrong_method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "This address is not asked by that method.")
    }

    /// A failure of ours, which the log tells of.
    pub fn internal() -> Self {
        let detail = "Something is wrong here; the operator was told.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    /// A body that a page of any other site could send.
    pub fn not_json() -> Self {
        let detail = "The body must come as Content-Type: application/json.";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
    }

    /// Nobody that is known here.
    pub fn no_token() -> Self {
        let detail = "This needs an operator's token: Authorization: Bearer <admin.token in the data directory, or one of `kamid token add`>.";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
    }

    /// More than a token that may only look is for.
    pub fn only_look() -> Self {
        let detail = "This token may only look (role view): ask somebody whose role is operate.";
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// A body that was too long, is not as its head says, or did not come whole in time.
    pub fn body(reason: Rejection) -> Self {
        match reason {
            Rejection::TooLarge => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The body is longer than is taken here.")
            }
            Rejection::Malformed => Self::new(StatusCode::BAD_REQUEST, "invalid", "The body cannot be read."),
            _ => Self::new(StatusCode::REQUEST_TIMEOUT, "incomplete", "The body did not come whole in time."),
        }
    }

    /// Too many requests; when to come back.
    pub fn limited(wait: std::time::Duration) -> Self {
        let problem =
            Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", "Too many requests from your address.");
        let seconds = wait.as_secs() + 1;
        Self { retry_seconds: Some(seconds), more: vec![("retry_after", json!(seconds))], ..problem }
    }
}

impl From<Reached> for Problem {
    fn from(reached: Reached) -> Self {
        let mut more = vec![("limit", json!(reached.word()))];
        if let (Some(until), Some(seconds)) = (reached.until, reached.retry_seconds()) {
            more.extend([("until", json!(until)), ("retry_after", json!(seconds))]);
        }
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "limit_reached", reached.to_string());
        Self { retry_seconds: reached.retry_seconds(), more, ..problem }
    }
}

/// What axum refuses by itself it says in plain text; here that becomes a problem as every other.
pub async fn of_axum(response: Response) -> Response {
    let status = response.status();
    let plain =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain"));
    if !status.is_client_error() || !plain {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let text = axum::body::to_bytes(body, 4096).await.unwrap_or_default();
    let mut problem = Problem::new(status, "invalid", printable(&String::from_utf8_lossy(&text), 500)).into_response();
    // What else stands there stays: by it the command line knows the admin side.
    for name in [header::CONTENT_TYPE, header::CONTENT_LENGTH] {
        head.headers.remove(name);
    }
    problem.headers_mut().extend(head.headers);
    problem
}

impl From<ShopError> for Problem {
    fn from(error: ShopError) -> Self {
        let text = error.to_string();
        match error {
            ShopError::NotFound(_) => Self::new(StatusCode::NOT_FOUND, "not_found", text),
            ShopError::Invalid { field, .. } => {
                Self { more: vec![("field", json!(field))], ..Self::new(StatusCode::BAD_REQUEST, "invalid", text) }
            }
            ShopError::Short(available) => Self {
                more: vec![("available", json!(available))],
                ..Self::new(StatusCode::CONFLICT, "out_of_stock", text)
            },
            ShopError::Limited(reached) => reached.into(),
            ShopError::Conflict(_) => Self::new(StatusCode::CONFLICT, "conflict", text),
            ShopError::Full(_) => {
                Self { retry_seconds: Some(30), ..Self::new(StatusCode::INSUFFICIENT_STORAGE, "full", text) }
            }
            ShopError::Store(StoreError::Full(_)) => {
                Self { retry_seconds: Some(30), ..Self::new(StatusCode::INSUFFICIENT_STORAGE, "full", text) }
            }
            ShopError::Store(StoreError::Doubted(_)) => {
                Self { retry_seconds: Some(30), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "doubted", text) }
            }
            ShopError::Store(error) if error.retry() => {
                Self { retry_seconds: Some(1), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", LATER) }
            }
            ShopError::Gateway(_) => Self::new(StatusCode::BAD_GATEWAY, "gateway", text),
            ShopError::NotKeys(_) => Self {
                more: vec![("imported", json!(0))],
                ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "not_keys", text)
            },
            ShopError::Store(_) | ShopError::Vault(_) => {
                tracing::error!(error = %text, "A request failed inside.");
                Self::internal()
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let mut body = json!({
            "type": "about:blank", "title": title, "status": self.status.as_u16(), "code": self.code, "detail": self.detail,
        });
        for (name, value) in self.more {
            body[name] = value;
        }
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = self.status;
        response.extensions_mut().insert(Code(self.code));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_seconds {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}
