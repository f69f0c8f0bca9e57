//! What stands behind the public listener: callbacks, the buyers' API and pages, and what is nearly a callback.

mod callback;
mod find;
mod near;
mod orders;
mod pages;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse as _, Response};
use data_encoding::BASE64;
use hyper::Request;
use hyper::body::Bytes;
use ipnet::IpNet;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::channel::capture::borrowed;
use crate::domain::network::{network, plain};
use crate::domain::text::printable;
use crate::domain::{Callback, CallbackOutcome, Reason, Rejection, Reply};
use crate::http::problem::Problem;
use crate::http::serve::seats::Crowd;
use crate::http::serve::socket::Awaited;
use crate::http::serve::{self, Capacity, House};
use crate::http::web::Web;
use crate::http::web::{Caller, HEAD_BYTES, HEAD_TIME, has_two_hosts, route};
use crate::shop::IncidentNote;
use crate::telemetry::counters;
use crate::telemetry::incident::RawRequest;
use callback::Nearly;
use near::Miss;

/// How long a buyer or a gateway may take to read.
const PATIENCE: Duration = Duration::from_secs(20);

/// Serves buyers and gateways until told to stop; returns when what was in flight is answered, or `drain` is over.
pub async fn serve_public(listener: TcpListener, web: Arc<Web>, stop: watch::Receiver<bool>, drain: Duration) {
    let router = orders::routes(Arc::clone(&web)).merge(pages::routes(Arc::clone(&web)));
    let limits = &web.limits;
    let bounds = Capacity {
        connections: limits.connections,
        per_address: limits.connections_per_address,
        headers: limits.headers,
        head_bytes: limits.query_bytes + HEAD_BYTES,
        head_time: HEAD_TIME,
        patience: PATIENCE,
    };
    let port = listener.local_addr().map_or(0, |address| address.port());
    serve::serve(listener, Public { web, router, port }, bounds, stop, drain).await;
}

#[derive(Clone)]
struct Public {
    web: Arc<Web>,
    router: Router,
    port: u16,
}

impl House for Public {
    async fn answer(self, request: Request<Awaited>, peer: SocketAddr) -> Response {
        let Self { web, router, .. } = self;
        let caller = web.caller(peer.ip(), request.headers());
        let channel = near::channel_of(request.uri().path()).map(str::to_owned);
        let response = if has_two_hosts(request.headers()) {
            two_hosts(&web, caller, channel.as_deref(), request)
        } else if let Some(channel) = channel {
            return callback::answer(&web, &channel, request, caller).await;
        } else {
            let (head, body) = request.into_parts();
            match callback::read(body, web.limits.body_bytes, web.limits.read_seconds).await {
                Ok(body) => routed(&web, router, (head, body), caller).await,
                Err(reason) => {
                    if reason == Rejection::Incomplete {
                        callback::charge(&web, caller);
                    }
                    Problem::body(reason).into_response()
                }
            }
        };
        if response.status().is_client_error() {
            counters::request_refused(response.status().as_u16());
        }
        response
    }

    fn spares(&self, peer: IpAddr) -> bool {
        self.web.proxies.trusts(plain(peer))
    }

    fn crowded(&self, crowd: &Crowd) {
        let Crowd { taken, most, busiest } = crowd;
        // A site is no address that could be blocked by that name.
        let name = |net: IpNet| if net.prefix_len() == 48 { net.to_string() } else { net.addr().to_string() };
        let advice = match busiest {
            Some((net, count)) => format!(
                "Connections are short: {taken} of {most} places are taken, {count} by {}, and those silent for longest are closed for newcomers. If that address is your own proxy's, name it in server.trusted_proxies; if not, and it goes on, stop it at the firewall.",
                name(*net)
            ),
            None => format!(
                "Connections are short: {taken} of {most} places are taken, all by your own proxies, whose connections are not closed for others: raise limits.connections, or let them keep fewer open."
            ),
        };
        let busiest = busiest.map(|(net, _)| name(net)).unwrap_or_default();
        self.web.shop.incident(IncidentNote {
            advice: &advice,
            address: &busiest,
            ..IncidentNote::new(Reason::Crowded)
        });
    }

    fn unread(&self, peer: IpAddr, head: &[u8], status: u16) {
        counters::request_refused(status);
        let caller = Caller(plain(peer));
        if let Some(spoken) = near::spoken(head) {
            return self.not_http(caller, spoken, head, status);
        }
        let (method, target) = near::first_line(head);
        let path = target.split(['?', ' ']).next().unwrap_or_default();
        let channel = near::channel_of(path).map(str::to_owned).or_else(|| {
            let known: Vec<&str> = self.web.channels.list().map(|(name, _)| name).collect();
            Some(near::miss(path, &target, false, &known)?.channel)
        });
        let Some(channel) = channel else { return };
        let why = near::unreadable(&target, status);
        let request = RawRequest {
            method: printable(&method, 16),
            target,
            headers: Vec::new(),
            body_b64: String::new(),
            cut: true,
        };
        // It does not say whom a proxy of ours sent it for: the proxy's own address must not be shut out for it.
        let charged = !self.web.proxies.trusts(caller.0);
        unreadable(&self.web, caller, (&channel, &why, status), charged, request);
    }

    fn slow(&self, peer: IpAddr) {
        counters::request_refused(StatusCode::REQUEST_TIMEOUT.as_u16());
        // Whose it was stands in a head that never came.
        if !self.spares(peer) {
            callback::charge(&self.web, Caller(plain(peer)));
        }
    }
}

impl Public {
    /// Somebody speaks another protocol to this port: a proxy of ours that is set up wrong, and then nothing at all comes
    /// through; or a stranger who looks for something else, who is not charged, since it can be no callback.
    fn not_http(&self, caller: Caller, (what, todo): (&str, &str), head: &[u8], status: u16) {
        if self.web.limiter.blocked(caller.0).is_some() || self.web.shop.is_blocked(network(caller.0)) {
            return;
        }
        let advice =
            format!("Somebody speaks {what} to the plain port {}. If it is your own proxy: {todo}.", self.port);
        self.web.shop.incident(IncidentNote {
            advice: &advice,
            address: &caller.0.to_string(),
            status,
            request: Some(RawRequest {
                method: String::new(),
                target: String::new(),
                headers: Vec::new(),
                body_b64: BASE64.encode(head.get(..256).unwrap_or(head)),
                cut: true,
            }),
            ..IncidentNote::new(Reason::OtherProtocol)
        });
    }
}

/// A request for a callback's address that is not read any further, and why.
fn unreadable(
    web: &Web,
    caller: Caller,
    (channel, why, status): (&str, &str, u16),
    charged: bool,
    request: RawRequest,
) {
    let known = web.channels.get(channel).is_some();
    let advice = format!(
        "A request to a callback's address was not read, and if it was genuine, it is lost: {why}. Ask for what was paid meanwhile: `kamid order reconcile`."
    );
    let channel = if known { channel } else { "" };
    let number = String::new();
    let nearly =
        Nearly { outcome: CallbackOutcome::Unreadable, channel, number, advice: &advice, status, charged, request };
    callback::missed(web, caller, nearly);
}

fn two_hosts(web: &Web, caller: Caller, channel: Option<&str>, request: Request<Awaited>) -> Response {
    let Some(channel) = channel else { return Problem::two_hosts().into_response() };
    let (head, _) = request.into_parts();
    let why = "it has two Host headers, so a proxy and we could take it for different ones: see what stands in between";
    unreadable(web, caller, (channel, why, 400), true, raw(&head, &Bytes::new(), true));
    callback::reply(&Reply { status: 400, body: "fail" })
}

/// An answer of the routes; where there is none for the address, and it is nearly a callback's, an operator hears of it.
async fn routed(web: &Web, router: Router, (head, body): (Parts, Bytes), caller: Caller) -> Response {
    let miss = missed(web, &head, &body).map(|miss| {
        let request = raw(&head, &body, false);
        (number_of(web, &miss.channel, &request, &body), miss, request)
    });
    let response = route(router, Request::from_parts(head, Body::from(body)), caller).await;
    let nowhere = matches!(response.status(), StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED);
    let Some((number, Miss { channel, says }, request)) = miss.filter(|_| nowhere) else { return response };
    // A mistyped address is the operator's mistake: the gateway behind it may send to the right one, too.
    let charged = false;
    let nearly = Nearly {
        outcome: CallbackOutcome::WrongAddress,
        channel: &channel,
        number,
        advice: &says,
        status: 404,
        charged,
        request,
    };
    callback::missed(web, caller, nearly);
    callback::reply(&Reply { status: 404, body: "fail" })
}

/// The payment number that a request names, as its channel would read it.
fn number_of(web: &Web, channel: &str, request: &RawRequest, body: &Bytes) -> String {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let headers = borrowed(&request.headers);
    let callback = Callback { method: &request.method, path, query, headers: &headers, body };
    web.channels.get(channel).and_then(|channel| channel.names(&callback)).unwrap_or_default()
}

/// Whether an address is nearly a callback's; those of buyers are none.
fn missed(web: &Web, head: &Parts, body: &Bytes) -> Option<Miss> {
    let path = head.uri.path();
    let signed = near::is_signed(head.headers.keys().map(HeaderName::as_str), body);
    if !signed && ["/v1/", "/o/", "/r/", "/o.js", "/healthz"].iter().any(|ours| path.starts_with(ours)) {
        return None;
    }
    let known: Vec<&str> = web.channels.list().map(|(name, _)| name).collect();
    near::miss(path, head.uri.query().unwrap_or_default(), signed, &known)
}

fn raw(head: &Parts, body: &Bytes, cut: bool) -> RawRequest {
    let headers = head.headers.iter();
    RawRequest {
        method: head.method.to_string(),
        target: head.uri.path_and_query().map_or_else(String::new, ToString::to_string),
        headers: headers
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect(),
        body_b64: BASE64.encode(body),
        cut,
    }
}
