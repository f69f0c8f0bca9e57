//! `X-Forwarded-For`: whatever a stranger sends, the address that the trusted proxy wrote is the one that counts.

use std::net::IpAddr;
use std::sync::LazyLock;

use hyper::HeaderMap;
use hyper::header::HeaderValue;
use kamid::http::Proxies;

use super::drive::Target;

static PROXIES: LazyLock<Proxies> = LazyLock::new(|| {
    Proxies::new(["127.0.0.1/32", "10.0.0.0/8", "fd00::/8"].map(|network| network.parse().unwrap()).into())
});

fn headers(values: &[Vec<u8>]) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append("x-forwarded-for", HeaderValue::from_bytes(value).ok()?);
    }
    Some(headers)
}

fn bare(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || "\"'".contains(c))
}

/// One place of the header: an address, perhaps with a zone, in brackets, with a port.
fn read(hop: &str) -> Option<IpAddr> {
    let address = |text: &str| text.find('%').map_or(text, |zone| &text[..zone]).parse().ok();
    if let Some(inside) = hop.strip_prefix('[') {
        let (inside, behind) = inside.split_once(']')?;
        return address(bare(inside)).filter(|_| behind.is_empty() || behind.starts_with(':'));
    }
    let port = |port: &str| !port.is_empty() && port.len() < 6 && port.chars().all(|c| c.is_ascii_digit());
    let whole = address(hop);
    whole.or_else(|| hop.rsplit_once(':').filter(|(_, end)| port(end)).and_then(|(start, _)| address(start)))
}

/// Each line of the input is one header that the stranger sent.
fn check(bytes: &[u8]) {
    let sent: Vec<Vec<u8>> = bytes.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
    let Some(all) = headers(&sent) else { return };
    let (proxy, buyer): (IpAddr, IpAddr) = ("127.0.0.1".parse().unwrap(), "203.0.113.9".parse().unwrap());
    assert_eq!(PROXIES.client(buyer, &all), buyer, "a stranger is believed");
    // The proxy adds whom it saw to the last header, or adds a header of its own.
    let [mut joined, mut own] = [sent.clone(), sent.clone()];
    joined.last_mut().unwrap().extend_from_slice(b", 203.0.113.9");
    own.push(b"203.0.113.9".to_vec());
    for values in [joined, own] {
        assert_eq!(PROXIES.client(proxy, &headers(&values).unwrap()), buyer, "what the proxy wrote is not believed");
    }
    // Without that: a hop, read from the right past trusted ones, and nothing beyond what cannot be read.
    let got = PROXIES.client(proxy, &all);
    let text = sent.iter().map(|value| String::from_utf8_lossy(value)).collect::<Vec<_>>().join(",");
    let hops = text.rsplit(',').map(bare).filter(|hop| !hop.is_empty()).map(|hop| Some(read(hop)?.to_canonical()));
    let readable: Vec<IpAddr> = hops.map_while(|hop| hop).collect();
    let trusted = |ip: &IpAddr| PROXIES.client(*ip, &headers(&[b"203.0.113.9".to_vec()]).unwrap()) == buyer;
    let expected = readable.iter().find(|ip| !trusted(ip)).or(readable.last()).copied().unwrap_or(proxy);
    assert_eq!(got, expected);
}

pub fn a_stranger_cannot_choose_his_address() -> Target {
    let seeds = [
        "1.1.1.1, 2.2.2.2, 10.0.0.7",
        "2.2.2.2",
        "::ffff:3.3.3.3",
        "[2001:db8::1]:443, 10.1.2.3:80",
        "9.9.9.9\nfd00::1, nonsense",
        "unknown, 10.0.0.1",
    ];
    let seeds = seeds.map(|seed| seed.as_bytes().to_vec()).into();
    let words = &[
        ",", " ", "\n", "10.0.0.1", "fd00::1", "é", "[", "]", ":80", "::ffff:", "0x7f", "/8", "\t", "%eth0", "7.7.7.7",
    ];
    Target { name: "X-Forwarded-For", seeds, words, check }
}
