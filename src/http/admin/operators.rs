//! Who asks at the admin side; the operators' own tokens.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::routes::{Errand, Routes};
use super::trail::difference;
use crate::domain::Operator;
use crate::http::problem::Problem;
use crate::http::web::Web;
use crate::shop::{KnownOperator, ShopError};
use crate::vault::same_secret;
use crate::wire::operators::{TokenList, TokenMade, TokenRemoved, TokenView};
use crate::wire::{AddToken, ListTokens, RemoveToken};

pub fn routes(to: Routes) -> Routes {
    to.on(list).on(add).on(remove)
}

/// Lets operators in; who they are is with the request from here on, and each route says who may.
pub async fn operators_only(State(web): State<Arc<Web>>, mut request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token)
    });
    let operator = given.map(str::trim).and_then(|given| {
        let root = same_secret(given, &web.admin_token).then(Operator::root);
        root.or_else(|| web.shop.operator(given))
    });
    let Some(operator) = operator else { return Problem::no_token().into_response() };
    request.extensions_mut().insert(operator);
    next.run(request).await
}

fn view_of(known: &KnownOperator) -> TokenView {
    TokenView { name: known.operator.name().to_owned(), role: known.operator.role.into(), created_at: known.created }
}

async fn list(Errand { web, .. }: Errand<ListTokens>) -> Result<TokenList, Problem> {
    let known = web.shop.list_operators().await.map_err(ShopError::from)?;
    Ok(TokenList { tokens: known.iter().map(view_of).collect() })
}

async fn add(Errand { web, trace, wish: new, .. }: Errand<AddToken>) -> Result<TokenMade, Problem> {
    trace.on(&new.name);
    let (known, token) = web.shop.add_operator(&new.name, new.role).await?;
    trace.change(&difference(&Value::Null, &json!({"role": new.role})));
    trace.result(new.role.as_str());
    Ok(TokenMade { operator: view_of(&known), token: token.to_string() })
}

async fn remove(Errand { web, trace, at: name, .. }: Errand<RemoveToken>) -> Result<TokenRemoved, Problem> {
    let known = web.shop.list_operators().await.map_err(ShopError::from)?;
    let role = known.iter().find(|known| known.operator.name() == name).map(|known| known.operator.role);
    web.shop.remove_operator(&name).await?;
    trace.change(&difference(&json!({"role": role}), &json!({"role": null})));
    Ok(TokenRemoved { name, result: "removed".to_owned() })
}
