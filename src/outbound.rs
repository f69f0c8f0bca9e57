//! The one HTTP client: performs a [`Call`], with time-outs and a size cap, and follows no redirect.

use std::time::Duration;

use crate::domain::{Call, Response};

/// Largest answer read, in bytes.
const ANSWER_BYTES: usize = 262_144;

/// Why there is no answer, with its causes. Never the URL, which may carry a secret.
fn unreached(error: reqwest::Error) -> String {
    let error = error.without_url();
    let causes = std::iter::successors(std::error::Error::source(&error), |cause| cause.source());
    causes.fold(format!("the gateway could not be reached: {error}"), |text, cause| format!("{text}: {cause}"))
}

/// Sends requests of ours.
#[derive(Clone)]
pub struct Outbound(reqwest::Client);

impl Default for Outbound {
    fn default() -> Self {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(5))
            .no_proxy()
            .user_agent(concat!("kamid/", env!("CARGO_PKG_VERSION")))
            .build();
        Self(client.unwrap_or_default())
    }
}

impl Outbound {
    /// Performs a call and gives the whole answer, whatever its status. No message holds the URL, which may carry a secret.
    ///
    /// # Errors
    /// No whole answer in time, in words.
    pub async fn send(&self, call: &Call, timeout: Duration) -> Result<Response, String> {
        let method = if call.method == "POST" { reqwest::Method::POST } else { reqwest::Method::GET };
        let mut request = self.0.request(method, &call.url).timeout(timeout).body(call.body.clone());
        for (name, value) in &call.headers {
            request = request.header(name, value);
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
