//! What both sides share: what their routes work with, who asks, and the way through the router.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use hyper::{HeaderMap, Request, header};
use tower::ServiceExt as _;

use super::problem::{self, Problem};
use super::serve::address::{Proxies, is_private};
use super::serve::limit::Limiter;
use crate::channel::{Channels, Step};
use crate::config::Limits;
use crate::domain::Reason;
use crate::domain::network::plain;
use crate::notify::Notifiers;
use crate::shop::{Created, IncidentNote, Shop};
use crate::telemetry::Telemetry;
use crate::wire::orders::OrderMade;

/// How long a request's head may take.
pub const HEAD_TIME: Duration = Duration::from_secs(30);
/// What a request's head may have beside its query.
pub const HEAD_BYTES: usize = 16_384;

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

    /// Whose request this is.
    pub fn caller(&self, peer: IpAddr, headers: &HeaderMap) -> Caller {
        let peer = plain(peer);
        let forwarded = headers.contains_key("x-forwarded-for");
        if forwarded && is_private(peer) && !self.proxies.trusts(peer) && self.proxies.is_news(peer) {
            let whole = if peer.is_ipv4() { 32 } else { 128 };
            let advice = format!(
                "A proxy at {peer} sends X-Forwarded-For and is not trusted: all buyers look like one address. Add \"{peer}/{whole}\" to server.trusted_proxies, if it is yours."
            );
            self.shop.incident(IncidentNote {
                advice: &advice,
                address: &peer.to_string(),
                ..IncidentNote::new(Reason::UntrustedProxy)
            });
        }
        Caller(self.proxies.client(peer, headers))
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
pub struct Caller(pub IpAddr);

/// Whether two readers could take a request for different hosts' ones. None at all is HTTP/1.0, which gateways speak.
pub fn has_two_hosts(headers: &HeaderMap) -> bool {
    headers.get_all(header::HOST).iter().nth(1).is_some()
}

pub async fn route(router: Router, mut request: Request<Body>, caller: Caller) -> Response {
    request.extensions_mut().insert(caller);
    match router.oneshot(request).await {
        Ok(response) => problem::of_axum(response).await,
        Err(never) => match never {},
    }
}

/// A new order as its buyer gets it: what was stored, its token and its page.
pub fn with_token(shop: &Shop, created: &Created) -> Result<OrderMade, Problem> {
    let id = created.id.parse().map_err(|_| Problem::not_found())?;
    let page = shop.page(id);
    Ok(OrderMade {
        id: created.id.clone(),
        payment_no: created.payment_no.clone(),
        state: created.state.into(),
        amount: created.amount.clone(),
        amount_minor: created.amount_minor,
        currency: created.currency.clone(),
        expires_at: created.expires_at,
        // What is not open yet is opened there by the buyer's click, with the buyer's own address.
        pay: created.pay.clone().unwrap_or_else(|| Step::Redirect { url: page.clone() }).into(),
        page,
        code: shop.code(id),
        token: shop.token(id),
    })
}
