//! The one HTTP client: performs a [`Call`], with time-outs and a size cap, and follows no redirect.
//!
//! What a gateway gives out for a while (an access token, its certificates) is kept here, so that a channel stays without
//! state: it names what it needs with each call. Invariant: no message holds a URL, which may carry a secret.

mod kept;
mod public;

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Certificate, NoProxy, Proxy, redirect};

pub use crate::config::OutboundConfig;
use crate::domain::text::bare_json;
use crate::domain::{Call, Response, TOKEN};
use crate::settings::ConfigProblem;
use kept::Kept;
use public::PublicNames;

/// Largest answer read, in bytes.
const ANSWER_BYTES: usize = 262_144;
/// A token that runs out so soon, in seconds, is not used any more.
const SPARE_S: u64 = 60;
/// How long an answer is kept at most.
const LONGEST: Duration = Duration::from_secs(7 * 86_400);
/// How long a token lasts that does not say so, in seconds.
const TOKEN_S: u64 = 300;

/// Why there is no answer: the last cause, which names what happened, not the layers that it came through.
fn unreached(error: reqwest::Error) -> String {
    let error = error.without_url();
    let causes: Vec<String> = std::iter::successors(std::error::Error::source(&error), |cause| cause.source())
        .map(ToString::to_string)
        .collect();
    if error.is_timeout() {
        return "the other side could not be reached: no answer in time".to_owned();
    }
    let who = if causes.iter().any(|cause| cause.contains("tunnel")) {
        "the proxy of [outbound] does not pass this on"
    } else {
        "the other side could not be reached"
    };
    format!("{who}: {}", causes.last().unwrap_or(&error.to_string()))
}

/// What is waited for no longer than that: also for others who ask the same.
async fn in_time(
    answer: impl Future<Output = Result<Response, String>>,
    timeout: Duration,
) -> Result<Response, String> {
    let late = |_| "the other side could not be reached: no answer in time".to_owned();
    tokio::time::timeout(timeout, answer).await.map_err(late)?
}

/// Sends requests of ours.
#[derive(Clone)]
pub struct Outbound {
    client: reqwest::Client,
    /// The same, for addresses that a stranger's name server could choose.
    guarded: reqwest::Client,
    kept: Arc<Kept>,
}

impl Outbound {
    /// A client as it is configured.
    ///
    /// # Errors
    /// Which setting cannot be used.
    pub fn build(config: &OutboundConfig) -> Result<Self, ConfigProblem> {
        let problem = |key: &str, message: String| ConfigProblem {
            path: format!("outbound.{key}"),
            line: None,
            message,
            warning: false,
        };
        let no_cert = || problem("ca_file", "holds no certificate (PEM)".to_owned());
        let make = |guard: bool| {
            let mut builder = reqwest::Client::builder()
                .redirect(redirect::Policy::none())
                .connect_timeout(Duration::from_secs(5))
                .user_agent(concat!("kamid/", env!("CARGO_PKG_VERSION")))
                .no_proxy();
            if guard {
                builder = builder.dns_resolver(Arc::new(PublicNames));
            }
            if let Some(proxy) = &config.proxy {
                let proxy = Proxy::all(proxy.reveal());
                let proxy = proxy.map_err(|_| problem("proxy", "is no address of a proxy".to_owned()))?;
                builder = builder.proxy(proxy.no_proxy(NoProxy::from_string(&config.direct.join(","))));
            }
            if let Some(ca) = &config.ca {
                let all = Certificate::from_pem_bundle(ca.as_bytes()).map_err(|_| no_cert())?;
                if all.is_empty() {
                    return Err(no_cert());
                }
                builder = all.into_iter().fold(builder, reqwest::ClientBuilder::add_root_certificate);
            }
            builder.build().map_err(|error| problem("ca_file", error.without_url().to_string()))
        };
        Ok(Self { client: make(false)?, guarded: make(true)?, kept: Arc::default() })
    }

    /// For one address out of the configuration: https, or http on this machine. A name that resolves to a private
    /// address is connected to only where `allow_private`; one that is written as a number, or localhost, is meant.
    /// Through a proxy, the proxy decides.
    ///
    /// # Errors
    /// What is wrong with the address. Never the address, which may carry a secret.
    pub fn to(&self, url: &str, allow_private: bool) -> Result<Self, String> {
        let url = reqwest::Url::parse(url).map_err(|error| format!("is no address: {error}"))?;
        let host = url.host_str().unwrap_or_default();
        let literal: Option<IpAddr> = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
        let local = host == "localhost" || literal.is_some_and(|address| address.is_loopback());
        if host.is_empty() || !(url.scheme() == "https" || (url.scheme() == "http" && local)) {
            return Err("must be https://… (http:// only to this machine itself)".to_owned());
        }
        let free = allow_private || local || literal.is_some();
        Ok(Self { client: if free { self.client.clone() } else { self.guarded.clone() }, ..self.clone() })
    }

    /// Performs a call and gives the whole answer, whatever its status.
    ///
    /// # Errors
    /// No whole answer in time, or no token for it, in words.
    pub async fn send(&self, call: &Call, timeout: Duration) -> Result<Response, String> {
        let Some(giver) = &call.token else {
            return self.kept_or_sent(call, timeout).await;
        };
        let token = self.token(giver, timeout).await?;
        let answer = self.perform(call, Some(&token), timeout).await?;
        if answer.status != 401 {
            return Ok(answer);
        }
        // It ended before its time: the gateway took it back, or forgot it.
        self.kept.forget(&giver.name);
        let token = self.token(giver, timeout).await?;
        self.perform(call, Some(&token), timeout).await
    }

    async fn kept_or_sent(&self, call: &Call, timeout: Duration) -> Result<Response, String> {
        if call.keep_s == 0 {
            return self.perform(call, None, timeout).await;
        }
        // Who asks says how old an answer may be.
        let good = |answer: &Response| (200..300).contains(&answer.status).then_some(LONGEST);
        let fresh = self.perform(call, None, timeout);
        in_time(self.kept.get(&call.name, Duration::from_secs(call.keep_s), fresh, good), timeout).await
    }

    /// An access token, of RFC 6749's answer: `access_token` and `expires_in`, in seconds.
    async fn token(&self, giver: &Call, timeout: Duration) -> Result<String, String> {
        let read = |answer: &Response| {
            serde_json::from_slice::<serde_json::Value>(bare_json(&answer.body)).unwrap_or_default()
        };
        let lasts = |answer: &Response| {
            let said = read(answer);
            said["access_token"].as_str().filter(|_| (200..300).contains(&answer.status))?;
            let seconds = said["expires_in"].as_u64().unwrap_or(TOKEN_S).saturating_sub(SPARE_S);
            Some(Duration::from_secs(seconds))
        };
        let fresh = self.perform(giver, None, timeout);
        let answer = in_time(self.kept.get(&giver.name, Duration::MAX, fresh, lasts), timeout).await?;
        let token = read(&answer)["access_token"].as_str().map(str::to_owned);
        token.ok_or_else(|| format!("the gateway gives no access token ({}): look at the credentials", answer.status))
    }

    /// Performs a call whose answer's status says everything: its body is not read.
    ///
    /// # Errors
    /// No answer in time, in words.
    pub async fn tell(&self, call: &Call, timeout: Duration) -> Result<Response, String> {
        self.start(call, None, timeout).await.map(|(_, head)| head)
    }

    async fn perform(&self, call: &Call, token: Option<&str>, timeout: Duration) -> Result<Response, String> {
        let (mut answer, mut whole) = self.start(call, token, timeout).await?;
        while let Some(part) = answer.chunk().await.map_err(unreached)? {
            if whole.body.len() + part.len() > ANSWER_BYTES {
                return Err("the answer is too long".to_owned());
            }
            whole.body.extend_from_slice(&part);
        }
        Ok(whole)
    }

    /// Performs a call as far as its answer's status and headers.
    async fn start(
        &self,
        call: &Call,
        token: Option<&str>,
        timeout: Duration,
    ) -> Result<(reqwest::Response, Response), String> {
        let method = if call.method == "POST" { reqwest::Method::POST } else { reqwest::Method::GET };
        let mut request = self.client.request(method, &call.url).timeout(timeout).body(call.body.clone());
        for (name, value) in &call.headers {
            request = match token {
                Some(token) => request.header(name, value.replace(TOKEN, token)),
                None => request.header(name, value),
            };
        }
        let answer = request.send().await.map_err(unreached)?;
        let pairs = answer.headers().iter();
        let headers =
            pairs.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned()))).collect();
        let status = answer.status().as_u16();
        Ok((answer, Response { status, headers, body: Vec::new() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_that_stands_for_this_machine_is_not_connected_to_and_no_error_names_the_address() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let call = Call::post(format!("http://localhost:{port}/bot-secret"), "text/plain", Vec::new());
        let any = Outbound::build(&OutboundConfig::default()).unwrap();
        let guarded = Outbound { client: any.guarded.clone(), ..any.clone() };
        let why = guarded.tell(&call, Duration::from_secs(10)).await.unwrap_err();
        assert!(why.contains("private address") && !why.contains("bot-secret"), "{why}");
        let nobody = tokio::time::timeout(Duration::from_millis(200), listener.accept()).await;
        assert!(nobody.is_err(), "somebody connected");
        // The same listener is reached where the configuration means this machine.
        let meant = any.to(&call.url, false).unwrap();
        let (asked, came) = tokio::join!(meant.tell(&call, Duration::from_secs(2)), async {
            let (stream, _) = listener.accept().await.unwrap();
            drop(stream);
        });
        assert!(!asked.unwrap_err().contains("bot-secret"));
        let () = came;
    }

    #[test]
    fn an_address_is_https_or_this_machine() {
        let any = Outbound::build(&OutboundConfig::default()).unwrap();
        for good in ["https://hook.example/a?b=c", "http://127.0.0.1:9/x", "http://[::1]/", "http://localhost/"] {
            assert!(any.to(good, false).is_ok(), "{good}");
        }
        for wrong in ["http://hook.example/", "http://10.0.0.1/", "ftp://127.0.0.1/", "hook.example", "https://"] {
            let why = any.to(wrong, true).err().unwrap();
            assert!(!why.contains("hook.example"), "{why}");
        }
    }
}
