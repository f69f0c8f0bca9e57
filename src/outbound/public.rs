//! Addresses of the public net: what a stranger's name server chose is not connected to where it is of none.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Whether an address belongs to one machine or network alone, or to nobody. Source: IANA's registries of
/// special-purpose addresses. What carries an IPv4 address inside (mapped, NAT64) is judged by that one.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            let special = matches!((a, b), (0 | 127, _) | (100, 64..=127) | (198, 18 | 19) | (224.., _));
            let kept = v4.is_private() || v4.is_link_local() || v4.is_documentation();
            special || kept || matches!((a, b, c), (192, 0, 0) | (192, 88, 99))
        }
        IpAddr::V6(v6) => {
            let [a, b, c, d, e, f, g, h] = v6.segments();
            let inner = || IpAddr::V4(Ipv4Addr::from((u32::from(g) << 16) | u32::from(h)));
            match (a, b) {
                (0, 0) if (c, d, e, f) == (0, 0, 0, 0xffff) => is_private(inner()),
                (0x64, 0xff9b) if (c, d, e, f) == (0, 0, 0, 0) => is_private(inner()),
                (0x2001, 0..=0x1ff | 0xdb8) | (0x2002, _) | (0x3fff, 0..=0xfff) => true,
                _ => a & 0xe000 != 0x2000,
            }
        }
    }
}

/// Resolves names to public addresses alone.
pub struct PublicNames;

impl Resolve for PublicNames {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let public: Vec<SocketAddr> = found.into_iter().filter(|found| !is_private(found.ip())).collect();
            if public.is_empty() {
                return Err("the name stands for a private address (allow_private = true allows it)".into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_known_in_every_dress() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "100.127.255.255",
            "192.0.0.8",
            "192.88.99.1",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::1",
            "2001:db8::1",
            "2001::1",
            "2002:a00:1::",
            "100::1",
            "3fff::1",
        ] {
            assert!(is_private(private.parse().unwrap()), "{private}");
        }
        for public in [
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.167.1.1",
            "223.255.255.255",
            "192.88.98.1",
            "2606:4700::1111",
            "2400:3200::1",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
        ] {
            assert!(!is_private(public.parse().unwrap()), "{public}");
        }
    }
}
