//! Who is at the other end: the peer, or what a trusted proxy says of it.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use hyper::HeaderMap;
use ipnet::IpNet;

use crate::domain::network::plain;

/// Peers whose `X-Forwarded-For` is believed.
pub struct Proxies {
    trusted: Vec<IpNet>,
    told: Mutex<HashSet<IpAddr>>,
}

/// Untrusted proxies that are told of, at most.
const TOLD: usize = 16;

impl Proxies {
    /// Trusts these networks.
    #[must_use]
    pub fn new(trusted: Vec<IpNet>) -> Self {
        Self { trusted, told: Mutex::default() }
    }

    pub fn trusts(&self, address: IpAddr) -> bool {
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

    /// Whether this proxy was not told of yet.
    pub fn is_news(&self, peer: IpAddr) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.len() < TOLD && told.insert(peer)
    }

    /// The nearest address that is not a trusted proxy: the header is read from right to left, and only past peers that
    /// are trusted. An empty place is passed over; what cannot be read (`unknown`, `_hidden`) ends the walk.
    fn resolve(&self, peer: IpAddr, forwarded: &str) -> IpAddr {
        let mut nearest = peer;
        for hop in forwarded.rsplit(',').map(bare).filter(|hop| !hop.is_empty()) {
            if !self.trusts(nearest) {
                break;
            }
            match read_hop(hop) {
                Some(address) => nearest = plain(address),
                None => break,
            }
        }
        nearest
    }
}

/// Without blanks and quotes around it.
fn bare(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c == '"' || c == '\'')
}

/// An address as proxies write it: alone, with a port, in brackets, with a zone.
fn read_hop(text: &str) -> Option<IpAddr> {
    let without_zone = |text: &str| text.split('%').next().unwrap_or_default().parse::<IpAddr>().ok();
    if let Some((inside, behind)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return without_zone(bare(inside)).filter(|_| behind.is_empty() || behind.starts_with(':'));
    }
    // A port behind an IPv6 address without brackets is one only where the whole is no address.
    let port = |port: &str| (1..=5).contains(&port.len()) && port.bytes().all(|b| b.is_ascii_digit());
    let before_port = || text.rsplit_once(':').filter(|(_, behind)| port(behind));
    without_zone(text).or_else(|| without_zone(before_port()?.0))
}

/// Whether only a machine of one's own network can have that address.
pub fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local() || is_shared(v4),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// 100.64.0.0/10, which clouds and carriers use within.
fn is_shared(v4: std::net::Ipv4Addr) -> bool {
    let [first, second, ..] = v4.octets();
    first == 100 && second & 0xc0 == 64
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
    fn an_address_is_read_in_every_form_that_proxies_write() {
        for (text, address) in [
            ("203.0.113.9", "203.0.113.9"),
            ("203.0.113.9:51423", "203.0.113.9"),
            ("\"203.0.113.9\"", "203.0.113.9"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("\"[2001:db8::1]:443\"", "2001:db8::1"),
            ("[fe80::1%eth0]", "fe80::1"),
            ("fe80::1%25eth0", "fe80::1"),
            ("[fe80::1%eth0]:443", "fe80::1"),
            ("2001:db8:1:2:3:4:5:6:443", "2001:db8:1:2:3:4:5:6"),
            ("::ffff:203.0.113.9:443", "203.0.113.9"),
            ("[::ffff:203.0.113.9]", "203.0.113.9"),
        ] {
            let read = read_hop(bare(text)).map(plain).map(|address| address.to_string());
            assert_eq!(read.as_deref(), Some(address), "{text}");
        }
        for text in ["unknown", "_hidden", "[2001:db8::1", "[2001:db8::1]x", "a.b", ":", "[]", "%eth0", "1.2.3.4.5"] {
            assert_eq!(read_hop(bare(text)), None, "{text}");
        }
    }

    #[test]
    fn empty_places_are_passed_over_and_unreadable_ones_end_the_walk() {
        let proxies = Proxies::new(vec!["10.0.0.0/8".parse().unwrap()]);
        let of = |header: &str| proxies.resolve("10.0.0.1".parse().unwrap(), header).to_string();
        assert_eq!(of("2.2.2.2,"), "2.2.2.2");
        assert_eq!(of("2.2.2.2, , ,10.0.0.2, "), "2.2.2.2");
        assert_eq!(of("9.9.9.9, unknown, 10.0.0.2"), "10.0.0.2");
        assert_eq!(of("9.9.9.9, _x"), "10.0.0.1");
        assert_eq!(of("\"[2001:db8::1]:80\", 10.0.0.2:99"), "2001:db8::1");
    }

    #[test]
    fn a_proxy_of_ones_own_network_is_told_once() {
        let private = |text: &str| is_private(text.parse().unwrap());
        for own in ["127.0.0.1", "::1", "10.1.2.3", "172.17.0.1", "192.168.0.1", "100.64.0.1", "169.254.1.1", "fd00::1"]
        {
            assert!(private(own), "{own}");
        }
        for other in ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2001:db8::1"] {
            assert!(!private(other), "{other}");
        }
        let proxies = Proxies::new(Vec::new());
        let news: Vec<bool> = ["172.17.0.1", "172.17.0.1", "10.0.0.1"]
            .iter()
            .map(|peer| proxies.is_news(peer.parse().unwrap()))
            .collect();
        assert_eq!(news, [true, false, true]);
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
}
