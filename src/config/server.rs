//! `[server]`: where kamid listens, and what the world calls.

use std::net::SocketAddr;

use ipnet::IpNet;

use crate::settings::{Form, Setting, Values, is_url};

/// Listeners.
#[derive(Debug, Clone)]
pub struct Server {
    /// Buyers and gateways.
    pub public: SocketAddr,
    /// Operators.
    pub admin: SocketAddr,
    /// What buyers and gateways call, without a slash at the end.
    pub public_url: String,
    /// Peers whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Seconds a stop waits for what is in flight.
    pub drain_seconds: u64,
}

const PUBLIC: Setting = Setting::optional(
    Form::Parsed("an address with its port, such as 127.0.0.1:8080"),
    "public",
    "buyers and gateways; put a TLS proxy in front of it",
    "买家和网关访问的地址;前面放一个 TLS 反向代理",
);
const ADMIN: Setting = Setting::optional(
    Form::Parsed("an address with its port, such as 127.0.0.1:9180"),
    "admin",
    "operators; keep it on loopback or behind a VPN",
    "运营者用的地址;只放在本机或 VPN 之内",
);
const PUBLIC_URL: Setting = Setting::optional(
    Form::Line,
    "public_url",
    "what buyers and gateways call: \"https://shop.example\"; empty: http://<public>",
    "买家和网关使用的网址,如 \"https://shop.example\";留空则为 http://<public>",
);
const TRUSTED_PROXIES: Setting = Setting::optional(
    Form::Networks("10.0.0.0/8"),
    "trusted_proxies",
    "peers whose X-Forwarded-For is believed: [\"127.0.0.1/32\", \"10.0.0.0/8\"]",
    "可以相信其 X-Forwarded-For 的对端:[\"127.0.0.1/32\", \"10.0.0.0/8\"]",
);
const DRAIN_SECONDS: Setting = Setting::optional(
    Form::Whole(0, 300),
    "drain_seconds",
    "how long a stop waits for what is in flight",
    "停止时最多等待正在处理的请求多少秒",
);
/// Its rows.
pub const ROWS: &[&Setting] = &[&PUBLIC, &ADMIN, &PUBLIC_URL, &TRUSTED_PROXIES, &DRAIN_SECONDS];

impl Server {
    pub(super) fn read(v: &mut Values<'_>) -> Option<Self> {
        let (public, admin) = (v.parsed(&PUBLIC), v.parsed(&ADMIN));
        let url = v.text(&PUBLIC_URL).map(|url| url.trim_end_matches('/').to_owned());
        if url.as_ref().is_some_and(|url| !is_url(url) || url.contains(['?', '#'])) {
            v.reject(&PUBLIC_URL, "must be http(s)://host without a query: a gateway would sign what follows");
        }
        let trusted_proxies = v.networks(&TRUSTED_PROXIES);
        let drain_seconds = v.whole(&DRAIN_SECONDS);
        let (public, admin): (SocketAddr, SocketAddr) = (public?, admin?);
        if public == admin && public.port() != 0 {
            v.reject(&ADMIN, "is the public address too: give each its own port");
        }
        let public_url = url.unwrap_or_else(|| format!("http://{public}"));
        Some(Self { public, admin, public_url, trusted_proxies, drain_seconds: drain_seconds? })
    }
}
