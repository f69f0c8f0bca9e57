//! Listeners, limits, routes and pages: HTTP in, use cases below, HTTP out.
//!
//! May touch `hyper`, `axum`, `governor` (in `limit`), `minijinja` (in `pages`). The callback has its own short way
//! (`callback`); everything else goes through axum. Invariant: sizes, times and counts are bounded before anything is read.

mod address;
mod addresses;
mod admin;
mod admin_orders;
mod audit;
mod callback;
mod incidents;
pub mod limit;
mod notices;
mod operators;
mod orders;
mod pages;
mod payments;
mod problem;
mod store;
mod stream;
mod trail;
mod unpaid;

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tower::ServiceExt as _;

use crate::notify::Notifiers;
use crate::shop::Shop;
use limit::Limiter;
use problem::Problem;

pub use address::Proxies;

/// How long a request's head may take; it also ends idle keep-alive connections.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Largest request head.
const HEAD_BYTES: usize = 65_536;

/// What the routes work with.
pub struct Web {
    /// The use cases.
    pub shop: Arc<Shop>,
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
    /// Puts the web side together.
    #[must_use]
    pub fn new(
        shop: Arc<Shop>,
        notifiers: Notifiers,
        trusted: Vec<ipnet::IpNet>,
        admin_token: zeroize::Zeroizing<String>,
    ) -> Self {
        let limiter = Limiter::new(&shop.limits);
        Self { shop, limiter, proxies: Proxies::new(trusted), notifiers, admin_token }
    }
}

/// The address a request came from, as far as it can be believed.
#[derive(Debug, Clone, Copy)]
pub struct Client(pub IpAddr);

/// Serves buyers and gateways until told to stop; returns when what was in flight is answered, or `drain` is over.
pub async fn serve_public(listener: TcpListener, web: Arc<Web>, stop: watch::Receiver<bool>, drain: Duration) {
    let router = orders::routes(Arc::clone(&web)).merge(pages::routes(Arc::clone(&web)));
    let bounds = Bounds { connections: web.shop.limits.connections, headers: web.shop.limits.headers };
    let handle = move |request: Request<Incoming>, peer: SocketAddr| {
        let (web, router) = (Arc::clone(&web), router.clone());
        async move {
            let client = web.client(peer.ip(), request.headers());
            if let Some(channel) = callback::channel_of(request.uri().path()) {
                let channel = channel.to_owned();
                return callback::answer(&web, &channel, request, client).await;
            }
            let (head, body) = request.into_parts();
            match callback::read(body, web.shop.limits.body_bytes, web.shop.limits.read_seconds).await {
                Ok(body) => route(router, Request::from_parts(head, Body::from(body)), client).await,
                Err(reason) => Problem::body(reason).into_response(),
            }
        }
    };
    serve(listener, handle, bounds, stop, drain).await;
}

/// Serves operators, as [`serve_public`].
pub async fn serve_admin(listener: TcpListener, web: Arc<Web>, stop: watch::Receiver<bool>, drain: Duration) {
    let router = admin::routes(web, stop.clone());
    let handle = move |request: Request<Incoming>, peer: SocketAddr| {
        route(router.clone(), request.map(Body::new), Client(peer.ip()))
    };
    serve(listener, handle, Bounds { connections: 1024, headers: 64 }, stop, drain).await;
}

async fn route(router: Router, mut request: Request<Body>, client: Client) -> Response {
    request.extensions_mut().insert(client);
    match router.oneshot(request).await {
        Ok(response) => problem::told(response).await,
        Err(never) => match never {},
    }
}

/// What one listener takes.
#[derive(Clone, Copy)]
struct Bounds {
    connections: usize,
    headers: usize,
}

async fn serve<H, F>(listener: TcpListener, handle: H, bounds: Bounds, mut stop: watch::Receiver<bool>, drain: Duration)
where
    H: Fn(Request<Incoming>, SocketAddr) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(bounds.connections));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.changed() => break,
        };
        match accepted {
            Ok((stream, peer)) => match Arc::clone(&places).try_acquire_owned() {
                Ok(place) => {
                    let connection = connection(stream, peer, handle.clone(), bounds, stop.clone());
                    tokio::spawn(async move {
                        connection.await;
                        drop(place);
                    });
                }
                // Closed at once: a full house must not grow.
                Err(_) => metrics::counter!("kamid_connections_refused_total").increment(1),
            },
            Err(error) => {
                tracing::warn!(%error, "A connection could not be accepted.");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    let all = u32::try_from(bounds.connections).unwrap_or(u32::MAX);
    if tokio::time::timeout(drain, places.acquire_many(all)).await.is_err() {
        tracing::warn!("Some connections were still busy when the drain was over.");
    }
}

async fn connection<H, F>(
    stream: TcpStream,
    peer: SocketAddr,
    handle: H,
    bounds: Bounds,
    mut stop: watch::Receiver<bool>,
) where
    H: Fn(Request<Incoming>, SocketAddr) -> F + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let _latency = stream.set_nodelay(true);
    // Until it says something, a connection costs its socket and no buffer: ten thousand silent ones are cheap.
    // (Looked at, since a new socket passes for readable once.)
    let mut first = [0u8];
    tokio::select! {
        heard = tokio::time::timeout(HEAD_TIMEOUT, stream.peek(&mut first)) => match heard {
            Ok(Ok(1)) => {}
            _ => return,
        },
        _ = stop.changed() => return,
    }
    let service = service_fn(move |request| {
        let answer = handle(request, peer);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let mut connection = Box::pin(
        hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_headers(bounds.headers)
            .max_buf_size(HEAD_BYTES)
            .serve_connection(TokioIo::new(stream), service),
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = stop.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::trace!(%error, "A connection ended early.");
    }
}
