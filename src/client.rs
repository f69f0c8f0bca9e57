//! The admin API's client, for the command line: finds the daemon of a data directory, speaks JSON, explains failures.
//!
//! Invariant: a token that a person did not name for an address is said only to who shows that they know the data
//! directory's own; a port that a daemon left may be anybody's by now.

use std::path::Path;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::domain::text::bare;
use crate::vault;

/// Why the daemon did not do it.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ClientError {
    #[error(
        "no daemon is running on {0}: start one (`kamid serve --data {0}`), or name another with --data or --admin"
    )]
    NotRunning(String),
    #[error("{path}: {source}")]
    File { path: String, source: std::io::Error },
    #[error("the daemon at {url} cannot be reached: {why}")]
    Unreachable { url: String, why: String },
    #[error("{detail}")]
    Refused { status: u16, code: String, detail: String },
    #[error("the daemon's answer cannot be read: {0}")]
    Answer(String),
    #[error("{0:?} is no id: letters, digits and . _ | : - only")]
    NoId(String),
    #[error(
        "{0} does not show that it is the daemon of this data directory, so it was told nothing: is `kamid serve` running? (A daemon of another machine, behind a proxy or of another version is told a token that you name: --admin URL with --token-file FILE or KAMID_TOKEN.)"
    )]
    Stranger(String),
    #[error(
        "the daemon at {url} is told only a token that you name: --token-file FILE, or KAMID_TOKEN ({path}: {source})"
    )]
    NoToken { url: String, path: String, source: std::io::Error },
    #[error(
        "{0} is not a kamid's admin address: is it the public one? (the default admin address is http://127.0.0.1:9180)"
    )]
    NotAdmin(String),
}

/// Longest line of a stream: a snapshot is a few kilobytes, stock of a thousand products some hundred.
const LINE_BYTES: usize = 4 * 1_048_576;

/// Lines as they come.
pub struct Lines {
    response: reqwest::Response,
    buffer: Vec<u8>,
}

impl Lines {
    /// The next line; `None` where the daemon ended it.
    ///
    /// # Errors
    /// The link broke, or what comes is no text in lines.
    pub async fn next(&mut self) -> Result<Option<String>, ClientError> {
        let mut looked = 0;
        loop {
            if let Some(end) = self.buffer.iter().skip(looked).position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=looked + end).collect();
                let line = String::from_utf8(line).map_err(|error| ClientError::Answer(error.to_string()))?;
                return Ok(Some(line.trim_end().to_owned()));
            }
            looked = self.buffer.len();
            if looked > LINE_BYTES {
                return Err(ClientError::Answer("a line that does not end".to_owned()));
            }
            let broken = |error: reqwest::Error| ClientError::Answer(error.without_url().to_string());
            match self.response.chunk().await.map_err(broken)? {
                Some(piece) => self.buffer.extend_from_slice(&piece),
                None => return Ok(None),
            }
        }
    }
}

/// What a daemon warns of beside its answers, the first time it does.
pub type Warned = std::sync::Arc<std::sync::OnceLock<String>>;

/// A daemon's admin side.
#[derive(Clone)]
pub struct Client {
    base: String,
    token: Zeroizing<String>,
    http: reqwest::Client,
    /// The data directory it was found by.
    data: Option<std::path::PathBuf>,
    /// What it must know before it hears the token.
    knows: Option<Zeroizing<String>>,
    warned: Warned,
}

fn read(path: &Path) -> Result<String, ClientError> {
    std::fs::read_to_string(path).map_err(|source| ClientError::File { path: path.display().to_string(), source })
}

/// Where the admin side of a data directory's daemon is.
fn whereabouts(data: &Path) -> Option<String> {
    let found = std::fs::read(data.join("daemon.json")).ok()?;
    let at: Value = serde_json::from_slice(&found).ok()?;
    at["admin"].as_str().map(str::to_owned)
}

/// An id as a part of a path: a text that could lead elsewhere is refused.
///
/// # Errors
/// [`ClientError::NoId`].
pub fn part(id: &str) -> Result<&str, ClientError> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'|' | b':' | b'-');
    if id.is_empty() || id.len() > 200 || id.bytes().all(|b| b == b'.') || !id.bytes().all(fits) {
        return Err(ClientError::NoId(id.to_owned()));
    }
    Ok(id)
}

/// The path that sends a notice again: an order's to its buyer, or news (`topic:notifier:about`) to operators.
#[must_use]
pub fn resend_path(id: &str) -> String {
    if id.contains(':') { format!("/v1/notices/{id}/resend") } else { format!("/v1/orders/{id}/act/resend") }
}

impl Client {
    /// The daemon at `admin`, or the one that serves `data`.
    ///
    /// # Errors
    /// None runs there, or its token cannot be read.
    pub fn find(data: &Path, admin: Option<&str>, token_file: Option<&Path>) -> Result<Self, ClientError> {
        let base = if let Some(url) = admin {
            url.trim_end_matches('/').to_owned()
        } else {
            whereabouts(data).ok_or_else(|| ClientError::NotRunning(data.display().to_string()))?
        };
        let named = match (token_file, std::env::var("KAMID_TOKEN")) {
            (Some(file), _) => Some(read(file)?),
            (None, Ok(token)) => Some(token),
            (None, Err(_)) => None,
        };
        let path = data.join("admin.token");
        let own = match (admin, &named) {
            (Some(_), Some(_)) => None,
            (None, _) => Some(read(&path)?),
            (Some(_), None) => Some(std::fs::read_to_string(&path).map_err(|source| ClientError::NoToken {
                url: base.clone(),
                path: path.display().to_string(),
                source,
            })?),
        };
        let secret = |text: &str| Zeroizing::new(bare(text).to_owned());
        let knows = own.as_deref().map(secret);
        let token = named.as_deref().map(secret).or_else(|| knows.clone()).unwrap_or_default();
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(5))
            .build();
        let http = http.map_err(|error| ClientError::Answer(error.to_string()))?;
        let data = admin.is_none().then(|| data.to_owned());
        Ok(Self { base, token, http, data, knows, warned: Warned::default() })
    }

    /// The same, which keeps there what answers warn of.
    #[must_use]
    pub fn warning(self, warned: &Warned) -> Self {
        Self { warned: std::sync::Arc::clone(warned), ..self }
    }

    /// The daemon that serves the same data directory now: after a restart it may listen elsewhere.
    #[must_use]
    pub fn renewed(&self) -> Self {
        let base = self.data.as_deref().and_then(whereabouts);
        Self { base: base.unwrap_or_else(|| self.base.clone()), ..self.clone() }
    }

    /// Where its admin side is.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Value, ClientError> {
        let response = self.respond(request).await?;
        let body = response.bytes().await.map_err(|error| ClientError::Answer(error.without_url().to_string()))?;
        let value: Value = serde_json::from_slice(&body).map_err(|error| ClientError::Answer(error.to_string()))?;
        if let Some(warning) = value["warning"].as_str() {
            let _first = self.warned.set(warning.to_owned());
        }
        Ok(value)
    }

    fn unreachable(&self, error: reqwest::Error) -> ClientError {
        let why = if error.is_connect() {
            "nothing listens there; is `kamid serve` running?".to_owned()
        } else {
            error.without_url().to_string()
        };
        ClientError::Unreachable { url: self.base.clone(), why }
    }

    /// Has whoever listens there show that they know the data directory's token, before they hear any.
    async fn prove(&self) -> Result<(), ClientError> {
        let Some(knows) = &self.knows else { return Ok(()) };
        let asked = vault::chance().map_err(|error| ClientError::Answer(error.to_string()))?;
        let asked = format!("{asked:032x}");
        let request = self.http.get(format!("{}/healthz?prove={asked}", self.base)).timeout(Duration::from_secs(10));
        let response = request.send().await.map_err(|error| self.unreachable(error))?;
        let shown = response.headers().get("x-kamid-proof").and_then(|value| value.to_str().ok());
        let fits = shown
            .zip(response.remote_addr())
            .is_some_and(|(shown, at)| vault::same_secret(shown, &vault::proof(knows, &asked, at)));
        // Read to its end, the connection serves the request behind it.
        let _end = response.bytes().await;
        if fits { Ok(()) } else { Err(ClientError::Stranger(self.base.clone())) }
    }

    /// A response that says that it was done.
    async fn respond(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response, ClientError> {
        self.prove().await?;
        let request = request.bearer_auth(self.token.as_str());
        let response = request.send().await.map_err(|error| self.unreachable(error))?;
        let status = response.status();
        if response.headers().get("x-kamid").is_none_or(|side| side != "admin") {
            return Err(ClientError::NotAdmin(self.base.clone()));
        }
        if status.is_success() {
            return Ok(response);
        }
        let body = response.bytes().await.map_err(|error| ClientError::Answer(error.without_url().to_string()))?;
        let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
        let text = String::from_utf8_lossy(&body);
        let detail = problem["detail"].as_str().unwrap_or(&text).to_owned();
        let code = problem["code"].as_str().unwrap_or_default().to_owned();
        Err(ClientError::Refused { status: status.as_u16(), code, detail })
    }

    /// Reads something.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Value, ClientError> {
        self.send(self.http.get(self.url(path, query)).timeout(Duration::from_secs(3600))).await
    }

    fn url(&self, path: &str, query: &[(&str, String)]) -> String {
        let pairs = query.iter().map(|(name, value)| (*name, value.as_str()));
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{}{path}{mark}{}", self.base, crate::channel::params::encode(pairs))
    }

    /// Reads line by line what does not end by itself.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn follow(&self, path: &str, query: &[(&str, String)]) -> Result<Lines, ClientError> {
        let response = self.respond(self.http.get(self.url(path, query))).await?;
        Ok(Lines { response, buffer: Vec::new() })
    }

    /// Reads something of a known shape.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn get_as<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        serde_json::from_value(self.get(path, &[]).await?).map_err(|error| ClientError::Answer(error.to_string()))
    }

    /// Has everything counted again; `progress` hears what is looked at, how much of it, of how much. The report.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn audit(&self, mut progress: impl FnMut(&str, u64, u64)) -> Result<Value, ClientError> {
        let mut lines = self.follow("/v1/audit", &[("progress", "true".to_owned())]).await?;
        while let Some(line) = lines.next().await? {
            let mut line: Value =
                serde_json::from_str(&line).map_err(|error| ClientError::Answer(error.to_string()))?;
            if let Some(why) = line["error"].as_str() {
                return Err(ClientError::Answer(why.to_owned()));
            }
            if line["report"].is_object() {
                return Ok(line["report"].take());
            }
            let number = |name: &str| line["progress"][name].as_u64().unwrap_or(0);
            progress(line["progress"]["what"].as_str().unwrap_or_default(), number("done"), number("of"));
        }
        Err(ClientError::Answer("the daemon ended before the audit did".to_owned()))
    }

    /// Asks for something to be done.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        self.send(self.http.post(format!("{}{path}", self.base)).json(body).timeout(Duration::from_secs(120))).await
    }

    /// Changes something.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn patch(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        self.send(self.http.patch(format!("{}{path}", self.base)).json(body).timeout(Duration::from_secs(120))).await
    }

    /// Hands over a text.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn upload<T: DeserializeOwned>(&self, path: &str, body: Vec<u8>) -> Result<T, ClientError> {
        let request = self.http.post(format!("{}{path}", self.base)).header("content-type", "text/plain").body(body);
        let value = self.send(request.timeout(Duration::from_secs(300))).await?;
        serde_json::from_value(value).map_err(|error| ClientError::Answer(error.to_string()))
    }
}
