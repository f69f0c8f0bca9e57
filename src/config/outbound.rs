//! `[outbound]`: how gateways and providers are reached.

use crate::settings::{Form, Secret, Setting, Values};

/// How gateways and providers are reached.
#[derive(Debug, Clone, Default)]
pub struct OutboundConfig {
    /// What everything is sent through; the URL may hold a password.
    pub proxy: Option<Secret>,
    /// Hosts and networks that are reached without it.
    pub direct: Vec<String>,
    /// Certificates (PEM) that are believed beside the well-known ones.
    pub ca: Option<String>,
}

const PROXY: Setting = Setting::optional(
    Form::PasswordAddress,
    "proxy",
    "a password belongs into proxy_file or proxy_env",
    "密码写进 proxy_file 或 proxy_env",
);
const DIRECT: Setting = Setting::optional(
    Form::Hosts("10.0.0.0/8"),
    "direct",
    "hosts and networks that are reached without the proxy",
    "不经代理直接访问的主机和网段",
);
const CA_FILE: Setting = Setting::optional(
    Form::File(1 << 20),
    "ca_file",
    "authorities believed beside the well-known ones: of a proxy, or of a gateway of your own",
    "在公认机构之外还相信的证书:代理的,或自建网关的",
);
/// Its rows.
pub const ROWS: &[&Setting] = &[&PROXY, &DIRECT, &CA_FILE];

impl OutboundConfig {
    pub(super) fn read(v: &mut Values<'_>) -> Self {
        let proxy = v.secret(&PROXY).filter(|proxy| !proxy.reveal().is_empty());
        let fits = |proxy: &Secret| ["http://", "https://"].iter().any(|start| proxy.reveal().starts_with(start));
        if proxy.as_ref().is_some_and(|proxy| !fits(proxy)) {
            v.reject(&PROXY, "must be http://host:port or https://host:port");
        }
        Self { proxy, direct: v.hosts(&DIRECT), ca: v.file(&CA_FILE) }
    }
}
