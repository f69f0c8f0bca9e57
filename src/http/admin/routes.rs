//! The operators' routes: each is guarded, read, answered and written down as its row in [`crate::wire`] says.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, FromRequest as _, FromRequestParts as _, Path, Query, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodFilter, on};
use axum::{Json, Router};
use hyper::body::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::trail::{self, Trace};
use crate::domain::Operator;
use crate::http::problem::{Code, Problem};
use crate::http::web::Web;
use crate::wire::{Nothing, Raw, Route, Verb, With};

/// A request of a route: who asks, of what, and for what.
pub struct Errand<R: Route> {
    /// What the routes work with.
    pub web: Arc<Web>,
    /// Who asks.
    pub operator: Operator,
    /// What is told of it in the trail.
    pub trace: Trace,
    /// What the path names.
    pub at: R::At,
    /// What is asked.
    pub wish: R::In,
}

/// What can be read out of a request.
pub trait Taken: Sized + Send {
    /// Reads it; else what is answered.
    fn take(request: Request, verb: Verb) -> impl Future<Output = Result<Self, Response>> + Send;
}

/// The query that a request must have.
fn query<T: DeserializeOwned>(request: &Request) -> Result<T, QueryRejection> {
    Query::try_from_uri(request.uri()).map(|Query(query)| query)
}

impl<T: DeserializeOwned + Send> Taken for T {
    async fn take(request: Request, verb: Verb) -> Result<Self, Response> {
        if verb == Verb::Get {
            return query(&request).map_err(|refused| refused.into_response());
        }
        let read = Json::from_request(request, &()).await;
        read.map(|Json(body)| body).map_err(|refused| refused.into_response())
    }
}

impl Taken for Nothing {
    async fn take(_: Request, _: Verb) -> Result<Self, Response> {
        Ok(Self)
    }
}

impl Taken for Raw {
    async fn take(request: Request, _: Verb) -> Result<Self, Response> {
        let read = Bytes::from_request(request, &()).await;
        read.map(|bytes| Self(bytes.into())).map_err(|refused| refused.into_response())
    }
}

impl<Q: DeserializeOwned + Send, B: Taken> Taken for With<Q, B> {
    async fn take(request: Request, verb: Verb) -> Result<Self, Response> {
        let query = query(&request).map_err(|refused| refused.into_response())?;
        Ok(Self { query, body: B::take(request, verb).await? })
    }
}

/// Routes that are put together.
pub struct Routes {
    web: Arc<Web>,
    router: Router<Arc<Web>>,
}

impl Routes {
    /// None yet.
    pub fn new(web: Arc<Web>) -> Self {
        Self { web, router: Router::new() }
    }

    /// What they work with.
    pub fn web(&self) -> &Arc<Web> {
        &self.web
    }

    /// All of them.
    pub fn router(self) -> Router<Arc<Web>> {
        self.router
    }

    /// One more, which is the type that its handler takes.
    pub fn on<R, F, Fut>(self, handler: F) -> Self
    where
        R: Route<In: Taken, Out: Serialize>,
        F: Fn(Errand<R>) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<R::Out, Problem>> + Send,
    {
        self.on_large(handler, None)
    }

    /// The same, whose body may have so many bytes.
    pub fn on_large<R, F, Fut>(self, handler: F, most: impl Into<Option<usize>>) -> Self
    where
        R: Route<In: Taken, Out: Serialize>,
        F: Fn(Errand<R>) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<R::Out, Problem>> + Send,
    {
        let status = if R::VERB == Verb::Make { StatusCode::CREATED } else { StatusCode::OK };
        let answer = move |errand| {
            let done = handler(errand);
            async move { done.await.map(|out| (status, Json(out)).into_response()) }
        };
        self.add(answer, most.into())
    }

    /// One more whose answer is no JSON of ours: text, or lines that do not end.
    pub fn raw<R, F, Fut>(self, handler: F) -> Self
    where
        R: Route<In: Taken, Out = Raw>,
        F: Fn(Errand<R>) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<Response, Problem>> + Send,
    {
        self.add(handler, None)
    }

    fn add<R, F, Fut>(self, answer: F, most: Option<usize>) -> Self
    where
        R: Route<In: Taken>,
        F: Fn(Errand<R>) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<Response, Problem>> + Send,
    {
        let method = match R::VERB {
            Verb::Get => MethodFilter::GET,
            Verb::Post | Verb::Make => MethodFilter::POST,
            Verb::Patch => MethodFilter::PATCH,
        };
        let web = Arc::clone(&self.web);
        let mut route = on(method, move |request: Request| served(Arc::clone(&web), request, answer.clone()));
        if let Some(most) = most {
            route = route.layer(DefaultBodyLimit::max(most));
        }
        Self { router: self.router.route(R::PATH, route), ..self }
    }
}

/// One request, from whether its operator may to its line in the trail.
async fn served<R, F, Fut>(web: Arc<Web>, request: Request, answer: F) -> Response
where
    R: Route<In: Taken>,
    F: Fn(Errand<R>) -> Fut + Send,
    Fut: Future<Output = Result<Response, Problem>> + Send,
{
    let Some(operator) = request.extensions().get::<Operator>().cloned() else {
        return Problem::no_token().into_response();
    };
    if operator.role < R::ROLE {
        return Problem::only_look().into_response();
    }
    let path = request.uri().path().to_owned();
    let trace = Trace::default();
    trace.on(&trail::subject(R::PATH, &path));
    let (mut parts, body) = request.into_parts();
    let named = Path::<R::At>::from_request_parts(&mut parts, &()).await;
    let asked = match named {
        Ok(Path(at)) => R::In::take(Request::from_parts(parts, body), R::VERB).await.map(|wish| (at, wish)),
        Err(refused) => Err(refused.into_response()),
    };
    let response = match asked {
        Ok((at, wish)) => {
            let (web, operator, trace) = (Arc::clone(&web), operator.clone(), trace.clone());
            answer(Errand { web, operator, trace, at, wish }).await.unwrap_or_else(|problem| problem.into_response())
        }
        Err(refused) => refused,
    };
    if let Some(what) = trail::word(R::DEED, &path) {
        let answered = (response.status(), response.extensions().get::<Code>().copied());
        trail::recorded(web, operator.name(), what, &trace, answered).await;
    }
    response
}
