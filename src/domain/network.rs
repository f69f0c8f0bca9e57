//! Addresses as limits see them: each with the networks around it.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// IPv4 in IPv6's clothes is IPv4.
#[must_use]
pub fn plain(address: IpAddr) -> IpAddr {
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

/// An address and what stands around it, the narrowest first: an IPv4 one stands alone (its neighbours are strangers behind
/// other subscribers' doors); an IPv6 one has its /64, one subscriber's, and its /48, one site's.
#[must_use]
pub fn networks(address: IpAddr) -> Vec<IpNet> {
    match plain(address) {
        IpAddr::V4(v4) => vec![Ipv4Net::from(v4).into()],
        IpAddr::V6(v6) => {
            [128, 64, 48].iter().filter_map(|bits| Some(Ipv6Net::new(v6, *bits).ok()?.trunc().into())).collect()
        }
    }
}

/// An address, meaning the network that limits count by, or one of [`networks`] by its name.
#[must_use]
pub fn named(text: &str) -> Option<IpNet> {
    if let Ok(address) = text.trim().parse::<IpAddr>() {
        return networks(network(address)).into_iter().find(|net| matches!(net.prefix_len(), 32 | 64));
    }
    let net: IpNet = text.trim().parse().ok()?;
    networks(net.addr()).into_iter().find(|known| *known == net)
}

/// What a text means as a network, where peers are called by their [`plain`] addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meant {
    /// A network.
    Net(IpNet),
    /// IPv4 in IPv6's clothes, and other addresses: it would hold none of the former.
    Mixed,
    /// It is none.
    Nothing,
}

/// Reads a network.
#[must_use]
pub fn meant(text: &str) -> Meant {
    let Ok(net) = text.parse::<IpNet>() else { return Meant::Nothing };
    let IpNet::V6(v6) = net else { return Meant::Net(net) };
    let Some(v4) = v6.addr().to_ipv4_mapped() else { return Meant::Net(net) };
    let inner = v6.prefix_len().checked_sub(96).and_then(|bits| Ipv4Net::new(v4, bits).ok());
    inner.map_or(Meant::Mixed, |net| Meant::Net(net.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_v6_network_counts_as_one() {
        let net = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(net("2001:db8:1:2:3::4"), "2001:db8:1:2::");
        assert_eq!(net("::ffff:1.2.3.4"), "1.2.3.4");
    }

    #[test]
    fn an_address_has_its_networks_and_they_are_found_by_name() {
        let all = |text: &str| {
            let nets = networks(text.parse().unwrap());
            nets.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(all("2001:db8:1:2:3::4"), "2001:db8:1:2:3::4/128 2001:db8:1:2::/64 2001:db8:1::/48");
        assert_eq!(all("::ffff:1.2.3.4"), "1.2.3.4/32");
        for (text, net) in [
            ("1.2.3.4", Some("1.2.3.4/32")),
            ("::ffff:1.2.3.4", Some("1.2.3.4/32")),
            ("2001:db8:1:2:3::4", Some("2001:db8:1:2::/64")),
            ("2001:db8:1:2:3::4/128", Some("2001:db8:1:2:3::4/128")),
            ("2001:db8:1:2::/64", Some("2001:db8:1:2::/64")),
            ("2001:db8:1::/48", Some("2001:db8:1::/48")),
            ("2001:db8:1:2::/48", None),
            ("1.2.3.0/24", None),
            ("0.0.0.0/0", None),
            ("home", None),
        ] {
            assert_eq!(named(text).map(|net| net.to_string()).as_deref(), net, "{text}");
        }
    }
}
