//! Who asks at the admin side and what they may; the operators' own tokens.

use std::sync::Arc;

use axum::extract::{MatchedPath, Path, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Web;
use super::problem::Problem;
use super::trail::{Told, difference};
use crate::domain::{Operator, Role};
use crate::shop::{KnownOperator, ShopError};
use crate::vault::same_secret;

pub fn routes() -> Router<Arc<Web>> {
    Router::new().route("/v1/tokens", get(list).post(add)).route("/v1/tokens/{name}/remove", post(remove))
}

/// Lets operators in, each as far as their role goes; what they are is with the request from here on.
pub async fn operators_only(State(web): State<Arc<Web>>, mut request: Request, next: Next) -> Response {
    let given =
        request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let operator = given.map(str::trim).and_then(|given| {
        let root = same_secret(given, &web.admin_token).then(Operator::root);
        root.or_else(|| web.shop.operator(given))
    });
    let Some(operator) = operator else {
        let detail = "This needs an operator's token: Authorization: Bearer <admin.token in the data directory, or one of `kamid token add`>.";
        return Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail).into_response();
    };
    let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    if operator.role == Role::View && !may_look(request.method(), path) {
        return Problem::only_look().into_response();
    }
    request.extensions_mut().insert(operator);
    next.run(request).await
}

/// Whether this is only a look, at what everybody may see.
fn may_look(method: &Method, path: &str) -> bool {
    match *method {
        Method::GET | Method::HEAD => !matches!(path, "/v1/tokens" | "/v1/incidents/{id}/capture"),
        Method::POST => path == "/v1/orders/look",
        _ => false,
    }
}

fn told(known: &KnownOperator) -> Value {
    json!({"name": known.operator.name(), "role": known.operator.role, "created_at": known.created})
}

async fn list(State(web): State<Arc<Web>>) -> Result<Json<Value>, Problem> {
    let known = web.shop.list_operators().await.map_err(ShopError::from)?;
    Ok(Json(json!({"tokens": known.iter().map(told).collect::<Vec<_>>()})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    name: String,
    role: Role,
}

async fn add(State(web): State<Arc<Web>>, Extension(trace): Told, Json(new): Json<New>) -> Result<Response, Problem> {
    trace.on(&new.name);
    let (known, token) = web.shop.add_operator(&new.name, new.role).await?;
    trace.change(&difference(&Value::Null, &json!({"role": new.role})));
    trace.result(new.role.as_str());
    let mut value = told(&known);
    value["token"] = json!(token.as_str());
    Ok((StatusCode::CREATED, Json(value)).into_response())
}

async fn remove(
    State(web): State<Arc<Web>>,
    Path(name): Path<String>,
    Extension(trace): Told,
) -> Result<Json<Value>, Problem> {
    let known = web.shop.list_operators().await.map_err(ShopError::from)?;
    let role = known.iter().find(|known| known.operator.name() == name).map(|known| known.operator.role);
    web.shop.remove_operator(&name).await?;
    trace.change(&difference(&json!({"role": role}), &json!({"role": null})));
    Ok(Json(json!({"name": name, "result": "removed"})))
}
