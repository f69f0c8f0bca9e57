//! Who is at the other end: the peer, or what a trusted proxy says of it.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use hyper::HeaderMap;
use ipnet::{IpNet, Ipv6Net};

use super::{Client, Web};
use crate::shop::IncidentNote;

/// Peers whose `X-Forwarded-For` is believed.
pub struct Proxies {
    trusted: Vec<IpNet>,
    told: AtomicBool,
}

impl Proxies {
    /// Trusts these networks.
    #[must_use]
    pub fn new(trusted: Vec<IpNet>) -> Self {
        Self { trusted, told: AtomicBool::new(false) }
    }

    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(&address))
    }

    /// Whose request this is, by its peer and its headers.
    #[must_use]
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        // A value with foreign bytes is kept: left out, it would take along what our proxy wrote behind them, and an
        // earlier header, a stranger's own, would count instead.
        let values = headers.get_all("x-forwarded-for").iter();
        let joined: Vec<_> = values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        self.resolve(plain(peer), &joined.join(","))
    }

    /// The nearest address that is not a trusted proxy: the header is read from right to left, and only past peers that
    /// are trusted. What cannot be read ends the walk.
    fn resolve(&self, peer: IpAddr, forwarded: &str) -> IpAddr {
        let mut nearest = peer;
        for hop in forwarded.rsplit(',') {
            if !self.trusts(nearest) {
                break;
            }
            let hop = hop.trim();
            let address = hop.parse().or_else(|_| hop.parse::<std::net::SocketAddr>().map(|socket| socket.ip()));
            match address {
                Ok(address) => nearest = plain(address),
                Err(_) => break,
            }
        }
        nearest
    }
}

/// IPv4 in IPv6's clothes is IPv4.
pub(super) fn plain(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// The network that limits count by: an IPv4 address, or the /64 of an IPv6 one.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match plain(address) {
        IpAddr::V6(v6) => Ipv6Net::new(v6, 64).map_or(IpAddr::V6(v6), |net| IpAddr::V6(net.network())),
        v4 => v4,
    }
}

impl Web {
    /// Whose request this is.
    pub(super) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Client {
        let peer = plain(peer);
        let forwarded = headers.contains_key("x-forwarded-for");
        if forwarded
            && peer.is_loopback()
            && !self.proxies.trusts(peer)
            && !self.proxies.told.swap(true, Ordering::Relaxed)
        {
            self.shop.incident(IncidentNote {
                reason: "untrusted_proxy",
                advice: "A proxy on this machine sends X-Forwarded-For and is not trusted: all buyers look like one address. Add \"127.0.0.1/32\" to server.trusted_proxies.",
                address: &peer.to_string(),
                ..IncidentNote::default()
            });
        }
        Client(self.proxies.client(peer, headers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_believed_only_past_trusted_peers() {
        let proxies = Proxies::new(vec!["127.0.0.1/32".parse().unwrap(), "10.0.0.0/8".parse().unwrap()]);
        let local: IpAddr = "127.0.0.1".parse().unwrap();
        let of = |peer: IpAddr, header: &str| proxies.resolve(peer, header).to_string();
        assert_eq!(of(local, "1.1.1.1, 2.2.2.2, 10.0.0.7"), "2.2.2.2");
        assert_eq!(of(local, "2.2.2.2"), "2.2.2.2");
        assert_eq!(of(local, "::ffff:3.3.3.3"), "3.3.3.3");
        assert_eq!(of(local, "nonsense"), "127.0.0.1");
        assert_eq!(of("9.9.9.9".parse().unwrap(), "1.1.1.1"), "9.9.9.9");
    }

    #[test]
    fn foreign_bytes_hide_nothing_that_the_proxy_wrote() {
        let proxies = Proxies::new(vec!["127.0.0.1/32".parse().unwrap()]);
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", "9.9.9.9".parse().unwrap());
        let value = hyper::header::HeaderValue::from_bytes(b"\xe9, 2.2.2.2").unwrap();
        headers.append("x-forwarded-for", value);
        assert_eq!(proxies.client("127.0.0.1".parse().unwrap(), &headers).to_string(), "2.2.2.2");
    }

    #[test]
    fn a_v6_network_counts_as_one() {
        let net = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(net("2001:db8:1:2:3::4"), "2001:db8:1:2::");
        assert_eq!(net("::ffff:1.2.3.4"), "1.2.3.4");
    }
}
