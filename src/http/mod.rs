//! Listeners (`serve`, `seats`, `wire`), limits, routes and pages: HTTP in, use cases below, HTTP out.
//!
//! May touch `hyper`, `axum`, `governor` (in `limit`), `minijinja` (in `pages`). The callback has its own short way
//! (`callback`); everything else goes through axum. Invariant: sizes, times and counts are bounded before anything is read.

mod address;
mod addresses;
mod admin;
mod admin_orders;
mod audit;
mod callback;
mod channels;
mod find;
mod incidents;
pub mod limit;
mod near;
mod notices;
mod operators;
mod orders;
mod pages;
mod problem;
mod products;
mod public;
mod routes;
mod seats;
mod serve;
mod store;
mod stream;
mod trail;
mod wire;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use hyper::{HeaderMap, Request, header};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower::ServiceExt as _;

use crate::channel::Channels;
use crate::config::Limits;
use crate::notify::Notifiers;
use crate::shop::Shop;
use crate::telemetry::Telemetry;
use limit::Limiter;
use problem::Problem;
use seats::Crowd;
use serve::{Capacity, House};
use wire::Awaited;

pub use address::Proxies;
pub use public::serve_public;

/// How long a request's head may take.
const HEAD_TIME: Duration = Duration::from_secs(30);
/// What a request's head may have beside its query.
const HEAD_BYTES: usize = 16_384;

/// What the routes work with.
pub struct Web {
    /// The use cases.
    pub shop: Arc<Shop>,
    /// The configured channels.
    pub channels: Arc<Channels>,
    /// What has a limit.
    pub limits: Limits,
    /// What happened.
    pub telemetry: Arc<Telemetry>,
    /// What an address may do.
    pub limiter: Limiter,
    /// Peers whose `X-Forwarded-For` is believed.
    pub proxies: Proxies,
    /// Who tells buyers and operators.
    pub notifiers: Notifiers,
    /// What lets an operator in.
    pub admin_token: zeroize::Zeroizing<String>,
}

impl Web {
    /// Puts the web side of a shop together.
    #[must_use]
    pub fn new(shop: Arc<Shop>, rest: Around) -> Self {
        let Around { channels, limits, telemetry, notifiers, trusted_proxies, admin_token } = rest;
        let (limiter, proxies) = (Limiter::new(&limits), Proxies::new(trusted_proxies));
        Self { shop, channels, limits, telemetry, limiter, proxies, notifiers, admin_token }
    }
}

/// What [`Web::new`] needs beside the shop.
#[allow(missing_docs)]
pub struct Around {
    pub channels: Arc<Channels>,
    pub limits: Limits,
    pub telemetry: Arc<Telemetry>,
    pub notifiers: Notifiers,
    pub trusted_proxies: Vec<ipnet::IpNet>,
    pub admin_token: zeroize::Zeroizing<String>,
}

/// The address a request came from, as far as it can be believed.
#[derive(Debug, Clone, Copy)]
pub struct Client(pub IpAddr);

/// The address of ours that a request came to.
#[derive(Debug, Clone, Copy)]
pub struct Here(pub SocketAddr);

/// Serves operators on at most so many connections, as [`serve_public`].
pub async fn serve_admin(
    listener: TcpListener,
    web: Arc<Web>,
    connections: usize,
    stop: watch::Receiver<bool>,
    drain: Duration,
) {
    let house = Admin { router: admin::routes(web, stop.clone()) };
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
        route(self.router, request.map(Body::new), Client(peer.ip())).await
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

/// Whether two readers could take a request for different hosts' ones. None at all is HTTP/1.0, which gateways speak.
fn has_two_hosts(headers: &HeaderMap) -> bool {
    headers.get_all(header::HOST).iter().nth(1).is_some()
}

async fn route(router: Router, mut request: Request<Body>, client: Client) -> Response {
    request.extensions_mut().insert(client);
    match router.oneshot(request).await {
        Ok(response) => problem::told(response).await,
        Err(never) => match never {},
    }
}
