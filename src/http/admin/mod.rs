//! The operators' API: a bearer token, loopback by default. What it has is the table in [`crate::wire`].

mod addresses;
mod audit;
mod channels;
mod incidents;
mod notices;
mod operators;
mod orders;
mod products;
mod routes;
mod store;
mod stream;
mod trail;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use hyper::Request;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::http::problem::Problem;
use crate::http::serve::seats::Crowd;
use crate::http::serve::socket::Awaited;
use crate::http::serve::{self, Capacity, Here, House};
use crate::http::web::{Caller, HEAD_BYTES, HEAD_TIME, Web, has_two_hosts, route};
use crate::vault::proof;
use crate::wire::shop::Info;
use crate::wire::{Follow, ShowInfo, ShowMetrics};
pub use routes::{Errand, Routes};

/// All that the operators' side has; what is followed ends with `stop`.
pub fn admin_routes(web: Arc<Web>, stop: watch::Receiver<bool>) -> Routes {
    let follow = move |errand: Errand<Follow>| {
        let stop = stop.clone();
        async move { stream::follow(errand, stop) }
    };
    let own = Routes::new(Arc::clone(&web)).on(info).raw(metrics).raw(follow).raw(audit::audit).on(trail::list);
    let rooms = [
        products::routes,
        orders::routes,
        channels::routes,
        incidents::routes,
        notices::routes,
        operators::routes,
        addresses::routes,
        store::routes,
    ];
    rooms.into_iter().fold(own, |routes, room| room(routes))
}

/// These routes behind the token that lets an operator in, and what there is without one.
fn guarded(routes: Routes) -> Router {
    let web = Arc::clone(routes.web());
    routes
        .router()
        .method_not_allowed_fallback(|| async { Problem::wrong_method() })
        .layer(middleware::from_fn_with_state(Arc::clone(&web), store::warned))
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

async fn metrics(Errand { web, .. }: Errand<ShowMetrics>) -> Result<Response, Problem> {
    let text = web.telemetry.prometheus();
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
}

async fn info(Errand { web, operator, .. }: Errand<ShowInfo>) -> Result<Info, Problem> {
    let shop = &web.shop;
    Ok(Info {
        operator: operator.name().to_owned(),
        role: Some(operator.role.into()),
        kamid: env!("CARGO_PKG_VERSION").to_owned(),
        instance: web.telemetry.instance.clone(),
        test: shop.is_test(),
        public: shop.own_url().map(str::to_owned),
        public_url: shop.public_url().to_owned(),
        ready: shop.ready(),
        full: shop.full(),
        redis: shop.health(),
        import_bytes: Some(web.limits.import_bytes as u64),
        now: Some(shop.now()),
    })
}

/// Serves operators those routes on at most so many connections, as [`crate::http::serve_public`].
pub async fn serve_admin(
    listener: TcpListener,
    routes: Routes,
    connections: usize,
    stop: watch::Receiver<bool>,
    drain: Duration,
) {
    let house = Admin { router: guarded(routes) };
    // A dashboard that was stopped for a while reads on: who comes here has a token.
    let patience = Duration::from_secs(300);
    let bounds = Capacity {
        connections,
        per_address: connections,
        headers: 64,
        head_bytes: 4 * HEAD_BYTES,
        head_time: HEAD_TIME,
        patience,
    };
    serve::serve(listener, house, bounds, stop, drain).await;
}

/// What stands behind the operators' listener.
#[derive(Clone)]
struct Admin {
    router: Router,
}

impl House for Admin {
    async fn answer(self, request: Request<Awaited>, peer: SocketAddr) -> Response {
        if has_two_hosts(request.headers()) {
            return Problem::two_hosts().into_response();
        }
        route(self.router, request.map(Body::new), Caller(peer.ip())).await
    }

    fn spares(&self, _: IpAddr) -> bool {
        false
    }

    fn crowded(&self, crowd: &Crowd) {
        tracing::warn!(taken = crowd.taken, "The operators' side has no place left.");
    }

    fn unread(&self, _: IpAddr, _: &[u8], status: u16) {
        tracing::debug!(status, "A request to the operators' side could not be read.");
    }

    fn slow(&self, _: IpAddr) {}
}
