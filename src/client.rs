//! The admin API's client, for the command line: finds the daemon of a data directory, speaks JSON, explains failures.
//!
//! Invariant: a token that a person did not name for an address is said only to who shows that they know the data
//! directory's own; a port that a daemon left may be anybody's by now.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::domain::text::bare;
use crate::domain::{Action, AuditReport, Note};
use crate::vault;
use crate::wire::shop::{AuditLine, AuditProgress, AuditWish};
use crate::wire::{ActOnOrder, Content, CountAgain, Nothing, Question, Raw, ResendNews, Route, Verb, Word};

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
    #[error("the daemon did it, and says so in a way that this version cannot read ({why}):\n{whole:#}")]
    Unread { why: String, whole: Value },
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

/// What a daemon answered: as this version knows it, and whole, with what a newer one says beside.
#[derive(Debug, Clone)]
pub struct Answered<T> {
    /// As it is known here.
    pub known: T,
    /// All of it, as it came.
    pub whole: Value,
}

impl<T: Serialize> Answered<T> {
    /// The same after something of it changed here.
    #[must_use]
    pub fn amended(mut self, change: impl FnOnce(&mut T)) -> Self {
        change(&mut self.known);
        if let (Some(whole), Ok(Value::Object(known))) = (self.whole.as_object_mut(), serde_json::to_value(&self.known))
        {
            whole.extend(known);
        }
        self
    }
}

impl<T> std::ops::Deref for Answered<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.known
    }
}

/// An answer as this version knows it.
///
/// # Errors
/// It is another one.
pub fn read<T: DeserializeOwned>(whole: &Value) -> Result<T, ClientError> {
    // Serde would take an array of values for an object.
    if !whole.is_object() {
        return Err(ClientError::Answer("it is no object".to_owned()));
    }
    T::deserialize(whole).map_err(|error| ClientError::Answer(error.to_string()))
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

fn text_of(path: &Path) -> Result<String, ClientError> {
    std::fs::read_to_string(path).map_err(|source| ClientError::File { path: path.display().to_string(), source })
}

/// Where the admin side of a data directory's daemon is.
fn whereabouts(data: &Path) -> Option<String> {
    let found = std::fs::read(data.join("daemon.json")).ok()?;
    let at: Value = serde_json::from_slice(&found).ok()?;
    at["admin"].as_str().map(str::to_owned)
}

/// An id as a part of a path: a text that could lead elsewhere is refused.
fn part(id: &str) -> Result<(), ClientError> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'|' | b':' | b'-');
    if id.is_empty() || id.len() > 200 || id.bytes().all(|b| b == b'.') || !id.bytes().all(fits) {
        return Err(ClientError::NoId(id.to_owned()));
    }
    Ok(())
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
            (Some(file), _) => Some(text_of(file)?),
            (None, Ok(token)) => Some(token),
            (None, Err(_)) => None,
        };
        let path = data.join("admin.token");
        let own = match (admin, &named) {
            (Some(_), Some(_)) => None,
            (None, _) => Some(text_of(&path)?),
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

    /// Asks a daemon for something of a route.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn call<R>(&self, at: impl Into<R::At>, asked: &R::In) -> Result<Answered<R::Out>, ClientError>
    where
        R: Route<Out: DeserializeOwned>,
    {
        let question = Question::of::<R>(&at.into(), asked);
        let whole = self.ask(&question).await?;
        match read(&whole) {
            Ok(known) => Ok(Answered { known, whole }),
            // What it says may be said this once: a token, an order's number.
            Err(ClientError::Answer(why)) if question.verb != Verb::Get => Err(ClientError::Unread { why, whole }),
            Err(error) => Err(error),
        }
    }

    /// The same for whoever only shows it: all of it as it came, whatever this version knows of it.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn whole<R: Route>(&self, at: impl Into<R::At>, asked: &R::In) -> Result<Value, ClientError> {
        self.ask(&Question::of::<R>(&at.into(), asked)).await
    }

    /// Asks that; the answer as it comes.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn ask(&self, question: &Question) -> Result<Value, ClientError> {
        // Whoever asks for a look may wait for all that is there.
        let patience = match (&question.content, question.verb) {
            (_, Verb::Get) => 3600,
            (Content::Text(_), _) => 300,
            _ => 120,
        };
        let request = self.request(question)?.timeout(Duration::from_secs(patience));
        let response = self.respond(request).await?;
        let body = response.bytes().await.map_err(|error| ClientError::Answer(error.without_url().to_string()))?;
        let value: Value = serde_json::from_slice(&body).map_err(|error| ClientError::Answer(error.to_string()))?;
        if let Some(warning) = value["warning"].as_str() {
            let _first = self.warned.set(warning.to_owned());
        }
        Ok(value)
    }

    fn request(&self, question: &Question) -> Result<reqwest::RequestBuilder, ClientError> {
        question.path.iter().try_for_each(|id| part(id))?;
        let pairs = question.query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mark = if question.query.is_empty() { "" } else { "?" };
        let url = format!("{}/{}{mark}{}", self.base, question.path.join("/"), crate::domain::text::encode(pairs));
        let request = match question.verb {
            Verb::Get => self.http.get(url),
            Verb::Post | Verb::Make => self.http.post(url),
            Verb::Patch => self.http.patch(url),
        };
        Ok(match &question.content {
            Content::Nothing => request,
            Content::Json(body) => request.json(body),
            Content::Text(text) => request.header("content-type", "text/plain").body(text.clone()),
        })
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

    /// Reads line by line what does not end by itself.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn follow<R: Route<At = (), Out = Raw>>(&self, asked: &R::In) -> Result<Lines, ClientError> {
        let response = self.respond(self.request(&Question::of::<R>(&(), asked))?).await?;
        Ok(Lines { response, buffer: Vec::new() })
    }

    /// Has everything counted again; `progress` hears what is looked at, how much of it, of how much. The report.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn audit(&self, mut progress: impl FnMut(&str, u64, u64)) -> Result<AuditReport, ClientError> {
        let mut lines = self.follow::<CountAgain>(&AuditWish { progress: Some("true".to_owned()) }).await?;
        while let Some(line) = lines.next().await? {
            match serde_json::from_str(&line).map_err(|error| ClientError::Answer(error.to_string()))? {
                Word::Known(AuditLine::Progress(AuditProgress { what, done, of })) => progress(&what, done, of),
                Word::Known(AuditLine::Report(report)) => return Ok(report),
                Word::Known(AuditLine::Error(why)) => return Err(ClientError::Answer(why)),
                Word::Other(_) => {}
            }
        }
        Err(ClientError::Answer("the daemon ended before the audit did".to_owned()))
    }
}

/// What sends a notice again: an order's to its buyer, or news (`topic:notifier:about`) to operators.
#[must_use]
pub fn resend(id: &str) -> Question {
    if id.contains(':') {
        return Question::of::<ResendNews>(&id.to_owned(), &Nothing);
    }
    Question::of::<ActOnOrder>(&(id.to_owned(), Action::Resend), &Note::default())
}
