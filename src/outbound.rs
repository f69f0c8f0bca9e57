//! The one HTTP client: performs a [`Call`], with time-outs and a size cap, and follows no redirect.

use std::time::Duration;

use crate::domain::Call;

/// Largest answer read, in bytes.
const ANSWER_BYTES: usize = 262_144;

/// Sends requests of ours.
#[derive(Clone)]
pub struct Outbound(reqwest::Client);

impl Default for Outbound {
    fn default() -> Self {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(5))
            .no_proxy()
            .build();
        Self(client.unwrap_or_default())
    }
}

impl Outbound {
    /// Performs a call; anything but a 2xx is an error. No message holds the URL, which may carry a secret.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub async fn perform(&self, call: &Call, timeout: Duration) -> Result<Vec<u8>, String> {
        match self.send(call, timeout).await? {
            (200..=299, body) => Ok(body),
            (status, _) => Err(format!("the gateway answered {status}")),
        }
    }

    /// Performs a call and gives its status and body, whatever they are.
    ///
    /// # Errors
    /// No whole answer in time.
    pub async fn send(&self, call: &Call, timeout: Duration) -> Result<(u16, Vec<u8>), String> {
        let words = |error: reqwest::Error| format!("the gateway could not be reached: {}", error.without_url());
        let method = if call.method == "POST" { reqwest::Method::POST } else { reqwest::Method::GET };
        let mut request = self.0.request(method, &call.url).timeout(timeout).body(call.body.clone());
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        let mut response = request.send().await.map_err(words)?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(words)? {
            if body.len() + part.len() > ANSWER_BYTES {
                return Err("the gateway's answer is too long".to_owned());
            }
            body.extend_from_slice(&part);
        }
        Ok((status, body))
    }
}
