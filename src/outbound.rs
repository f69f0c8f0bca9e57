//! The one HTTP client: performs a [`Call`], with time-outs and a size cap, and follows no redirect.
//!
//! An address that a stranger's name server chose is not connected to where it is not of the public net.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::domain::{Call, Response};

/// Largest answer read, in bytes.
const ANSWER_BYTES: usize = 262_144;

/// Why there is no answer, with its causes. Never the URL, which may carry a secret.
fn unreached(error: reqwest::Error) -> String {
    let error = error.without_url();
    let causes = std::iter::successors(std::error::Error::source(&error), |cause| cause.source());
    causes.fold(format!("the other side could not be reached: {error}"), |text, cause| format!("{text}: {cause}"))
}

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
struct PublicNames;

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

fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(5))
        .no_proxy()
        .user_agent(concat!("kamid/", env!("CARGO_PKG_VERSION")))
}

/// Sends requests of ours.
#[derive(Clone)]
pub struct Outbound(reqwest::Client);

impl Default for Outbound {
    fn default() -> Self {
        Self(builder().build().unwrap_or_default())
    }
}

impl Outbound {
    /// For one address out of the configuration: https, or http on this machine. A name that resolves to a private
    /// address is connected to only where `allow_private`; one that is written as a number, or localhost, is meant.
    ///
    /// # Errors
    /// What is wrong with the address. Never the address, which may carry a secret.
    pub fn to(url: &str, allow_private: bool) -> Result<Self, String> {
        let url = reqwest::Url::parse(url).map_err(|error| format!("is no address: {error}"))?;
        let host = url.host_str().unwrap_or_default();
        let literal: Option<IpAddr> = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
        let local = host == "localhost" || literal.is_some_and(|address| address.is_loopback());
        if host.is_empty() || !(url.scheme() == "https" || (url.scheme() == "http" && local)) {
            return Err("must be https://… (http:// only to this machine itself)".to_owned());
        }
        let builder = if allow_private || local || literal.is_some() {
            builder()
        } else {
            builder().dns_resolver(Arc::new(PublicNames))
        };
        builder.build().map(Self).map_err(|error| format!("cannot be used: {}", error.without_url()))
    }

    async fn start(&self, call: &Call, timeout: Duration) -> Result<(reqwest::Response, Response), String> {
        let method = if call.method == "POST" { reqwest::Method::POST } else { reqwest::Method::GET };
        let mut request = self.0.request(method, &call.url).timeout(timeout).body(call.body.clone());
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        let answer = request.send().await.map_err(unreached)?;
        let pairs = answer.headers().iter();
        let headers =
            pairs.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned()))).collect();
        let status = answer.status().as_u16();
        Ok((answer, Response { status, headers, body: Vec::new() }))
    }

    /// Performs a call and gives the whole answer, whatever its status. No message holds the URL, which may carry a
    /// secret.
    ///
    /// # Errors
    /// No whole answer in time, in words.
    pub async fn send(&self, call: &Call, timeout: Duration) -> Result<Response, String> {
        let (mut answer, mut whole) = self.start(call, timeout).await?;
        while let Some(part) = answer.chunk().await.map_err(unreached)? {
            if whole.body.len() + part.len() > ANSWER_BYTES {
                return Err("the answer is too long".to_owned());
            }
            whole.body.extend_from_slice(&part);
        }
        Ok(whole)
    }

    /// Performs a call whose answer's status says everything: its body is not read.
    ///
    /// # Errors
    /// No answer in time, in words.
    pub async fn tell(&self, call: &Call, timeout: Duration) -> Result<Response, String> {
        self.start(call, timeout).await.map(|(_, head)| head)
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

    #[tokio::test]
    async fn a_name_that_stands_for_this_machine_is_not_connected_to_and_no_error_names_the_address() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let call = Call {
            method: "POST",
            url: format!("http://localhost:{port}/bot-secret"),
            headers: Vec::new(),
            body: Vec::new(),
        };
        let guarded = Outbound(builder().dns_resolver(Arc::new(PublicNames)).build().unwrap());
        let why = guarded.tell(&call, Duration::from_secs(10)).await.unwrap_err();
        assert!(why.contains("private address") && !why.contains("bot-secret"), "{why}");
        let nobody = tokio::time::timeout(Duration::from_millis(200), listener.accept()).await;
        assert!(nobody.is_err(), "somebody connected");
        // The same listener is reached where the configuration means this machine.
        let meant = Outbound::to(&call.url, false).unwrap();
        let (asked, came) = tokio::join!(meant.tell(&call, Duration::from_secs(2)), async {
            let (stream, _) = listener.accept().await.unwrap();
            drop(stream);
        });
        assert!(!asked.unwrap_err().contains("bot-secret"));
        let () = came;
    }

    #[test]
    fn an_address_is_https_or_this_machine() {
        for good in ["https://hook.example/a?b=c", "http://127.0.0.1:9/x", "http://[::1]/", "http://localhost/"] {
            assert!(Outbound::to(good, false).is_ok(), "{good}");
        }
        for wrong in ["http://hook.example/", "http://10.0.0.1/", "ftp://127.0.0.1/", "hook.example", "https://"] {
            let why = Outbound::to(wrong, true).err().unwrap();
            assert!(!why.contains("hook.example"), "{why}");
        }
    }
}
