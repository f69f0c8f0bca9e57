//! The one HTTP client: performs a [`Call`], with time-outs and a size cap, and follows no redirect.
//!
//! What a gateway gives out for a while (an access token, its certificates) is kept here, so that a channel stays without
//! state: it names what it needs with each call. Invariant: no message holds a URL, which may carry a secret.

mod kept;

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Certificate, NoProxy, Proxy, redirect};

use crate::config::OutboundConfig;
use crate::domain::{Call, Response, TOKEN};
use crate::settings::Problem;
use kept::Kept;

/// Largest answer read, in bytes.
const ANSWER_BYTES: usize = 262_144;
/// A token that runs out so soon, in seconds, is not used any more.
const SPARE_S: u64 = 60;
/// How long an answer is kept at most.
const LONGEST: Duration = Duration::from_secs(7 * 86_400);
/// How long a token lasts that does not say so, in seconds.
const TOKEN_S: u64 = 300;

/// Why there is no answer, with its causes.
fn unreached(error: reqwest::Error) -> String {
    let error = error.without_url();
    let causes = std::iter::successors(std::error::Error::source(&error), |cause| cause.source());
    causes.fold(format!("the gateway could not be reached: {error}"), |text, cause| format!("{text}: {cause}"))
}

/// Sends requests of ours.
#[derive(Clone)]
pub struct Outbound {
    client: reqwest::Client,
    kept: Arc<Kept>,
}

impl Outbound {
    /// A client as it is configured.
    ///
    /// # Errors
    /// Which setting cannot be used.
    pub fn build(config: &OutboundConfig) -> Result<Self, Problem> {
        let problem = |key: &str, message: String| Problem {
            path: format!("outbound.{key}"),
            line: None,
            message,
            warning: false,
        };
        let no_cert = || problem("ca_file", "holds no certificate (PEM)".to_owned());
        let mut builder = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .connect_timeout(Duration::from_secs(5))
            .user_agent(concat!("kamid/", env!("CARGO_PKG_VERSION")))
            .no_proxy();
        if let Some(proxy) = &config.proxy {
            let proxy =
                Proxy::all(proxy.reveal()).map_err(|_| problem("proxy", "is no address of a proxy".to_owned()))?;
            builder = builder.proxy(proxy.no_proxy(NoProxy::from_string(&config.direct.join(","))));
        }
        if let Some(ca) = &config.ca {
            let all = Certificate::from_pem_bundle(ca.as_bytes()).map_err(|_| no_cert())?;
            if all.is_empty() {
                return Err(no_cert());
            }
            builder = all.into_iter().fold(builder, reqwest::ClientBuilder::add_root_certificate);
        }
        let client = builder.build().map_err(|error| problem("ca_file", error.without_url().to_string()))?;
        Ok(Self { client, kept: Arc::default() })
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
        self.kept.get(&call.name, Duration::from_secs(call.keep_s), self.perform(call, None, timeout), good).await
    }

    /// An access token, of RFC 6749's answer: `access_token` and `expires_in`, in seconds.
    async fn token(&self, giver: &Call, timeout: Duration) -> Result<String, String> {
        let read = |answer: &Response| serde_json::from_slice::<serde_json::Value>(&answer.body).unwrap_or_default();
        let lasts = |answer: &Response| {
            let said = read(answer);
            said["access_token"].as_str().filter(|_| (200..300).contains(&answer.status))?;
            let seconds = said["expires_in"].as_u64().unwrap_or(TOKEN_S).saturating_sub(SPARE_S);
            Some(Duration::from_secs(seconds))
        };
        let answer = self.kept.get(&giver.name, Duration::MAX, self.perform(giver, None, timeout), lasts).await?;
        let token = read(&answer)["access_token"].as_str().map(str::to_owned);
        token.ok_or_else(|| format!("the gateway gives no access token ({}): look at the credentials", answer.status))
    }

    async fn perform(&self, call: &Call, token: Option<&str>, timeout: Duration) -> Result<Response, String> {
        let method = if call.method == "POST" { reqwest::Method::POST } else { reqwest::Method::GET };
        let mut request = self.client.request(method, &call.url).timeout(timeout).body(call.body.clone());
        for (name, value) in &call.headers {
            request = match token {
                Some(token) => request.header(name, value.replace(TOKEN, token)),
                None => request.header(name, value),
            };
        }
        let mut response = request.send().await.map_err(unreached)?;
        let status = response.status().as_u16();
        let pairs = response.headers().iter();
        let headers =
            pairs.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned()))).collect();
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(unreached)? {
            if body.len() + part.len() > ANSWER_BYTES {
                return Err("the gateway's answer is too long".to_owned());
            }
            body.extend_from_slice(&part);
        }
        Ok(Response { status, headers, body })
    }
}
