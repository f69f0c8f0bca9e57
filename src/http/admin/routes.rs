//! The operators' routes: each is guarded, read, answered and written down as its row in [`crate::wire`] says.

use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, FromRequest as _, FromRequestParts as _, Path, Query, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};
use axum::{Json, Router};
use hyper::body::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::trail::{self, Trace};
use crate::domain::Operator;
use crate::domain::text::printable;
use crate::http::problem::{Code, Problem};
use crate::http::web::Web;
use crate::wire::{InPath as _, Nothing, Raw, Route, Verb, With};

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

/// What is wrong with a request, by the words of whoever read it.
fn invalid(error: &dyn std::error::Error) -> Problem {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    Problem::new(StatusCode::BAD_REQUEST, "invalid", printable(&cause.to_string(), 500))
}

/// What a JSON object asks. Serde would take an array of values for one, whatever their order meant.
fn object<T: DeserializeOwned>(body: &RawValue) -> Result<T, Problem> {
    let text = body.get();
    if !text.starts_with('{') {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid", "the body must be a JSON object"));
    }
    serde_json::from_str(text).map_err(|error| invalid(&error))
}

/// The query that a request must have.
fn query<T: DeserializeOwned>(request: &Request) -> Result<T, Problem> {
    let read = Query::try_from_uri(request.uri()).map(|Query(query)| query);
    read.map_err(|refused: QueryRejection| invalid(&refused))
}

impl<T: DeserializeOwned + Send> Taken for T {
    async fn take(request: Request, verb: Verb) -> Result<Self, Response> {
        if verb == Verb::Get {
            return query(&request).map_err(IntoResponse::into_response);
        }
        match Json::<Box<RawValue>>::from_request(request, &()).await {
            Ok(Json(body)) => object(&body).map_err(IntoResponse::into_response),
            Err(refused @ (JsonRejection::JsonDataError(_) | JsonRejection::JsonSyntaxError(_))) => {
                Err(invalid(&refused).into_response())
            }
            // Too long, or no JSON by what it says of itself.
            Err(refused) => Err(refused.into_response()),
        }
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
        let query = query(&request).map_err(IntoResponse::into_response)?;
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
        Fut: Future<Output = Result<R::Out, Problem>> + Send + 'static,
    {
        self.on_large(handler, None)
    }

    /// The same, whose body may have so many bytes.
    pub fn on_large<R, F, Fut>(self, handler: F, most: impl Into<Option<usize>>) -> Self
    where
        R: Route<In: Taken, Out: Serialize>,
        F: Fn(Errand<R>) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<R::Out, Problem>> + Send + 'static,
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
        Fut: Future<Output = Result<Response, Problem>> + Send + 'static,
    {
        self.add(handler, None)
    }

    fn add<R, F, Fut>(self, answer: F, most: Option<usize>) -> Self
    where
        R: Route<In: Taken>,
        F: Fn(Errand<R>) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<Response, Problem>> + Send + 'static,
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
    F: Fn(Errand<R>) -> Fut + Send + 'static,
    Fut: Future<Output = Result<Response, Problem>> + Send + 'static,
{
    let Some(operator) = request.extensions().get::<Operator>().cloned() else {
        return Problem::no_token().into_response();
    };
    if operator.role < R::ROLE {
        return Problem::only_look().into_response();
    }
    let (mut parts, body) = request.into_parts();
    let at = match Path::<R::At>::from_request_parts(&mut parts, &()).await {
        Ok(Path(at)) => at,
        Err(refused) => return refused.into_response(),
    };
    let wish = match R::In::take(Request::from_parts(parts, body), R::VERB).await {
        Ok(wish) => wish,
        Err(refused) => return refused,
    };
    let trace = Trace::default();
    let named = at.texts();
    trace.on(named.first().copied().unwrap_or_default());
    let what = trail::word(R::DEED, &named);
    let by = operator.name().to_owned();
    let errand = Errand { web: Arc::clone(&web), operator, trace: trace.clone(), at, wish };
    let Some(what) = what else { return answer(errand).await.unwrap_or_else(|problem| problem.into_response()) };
    // Whoever hangs up takes neither the rest of what he began with him nor its line in the trail.
    let done = tokio::spawn(async move {
        let response = answer(errand).await.unwrap_or_else(|problem| problem.into_response());
        let answered = (response.status(), response.extensions().get::<Code>().copied());
        trail::recorded(web, &by, what, &trace, answered).await;
        response
    });
    done.await.unwrap_or_else(|_| Problem::internal().into_response())
}
