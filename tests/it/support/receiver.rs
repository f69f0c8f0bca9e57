//! What an operator's program is: an HTTP server that takes events and checks their signatures by its own reading of
//! Standard Webhooks, or a bot's messages.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::hmac;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, Uri};
use data_encoding::BASE64;
use serde_json::Value;
use tokio::task::JoinHandle;

use super::port::held_port;

/// One request.
#[derive(Debug, Clone)]
pub struct Came {
    pub path: String,
    pub headers: HeaderMap,
    pub text: String,
    pub body: Value,
}

impl Came {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Whether a signature of it was made with that secret, for the time that it names, which is about now.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let key = BASE64.decode(secret.strip_prefix("whsec_").unwrap().as_bytes()).unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        let at = self.header("webhook-timestamp");
        let mut text = [self.header("webhook-id"), ".", at, "."].concat().into_bytes();
        text.extend_from_slice(self.text.as_bytes());
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let fits = |given: &str| {
            let given = given.strip_prefix("v1,").and_then(|given| BASE64.decode(given.as_bytes()).ok());
            given.is_some_and(|given| hmac::verify(&key, &text, &given).is_ok())
        };
        now.abs_diff(at.parse().unwrap()) <= 300 && self.header("webhook-signature").split(' ').any(fits)
    }
}

/// An answer: status, headers, body.
type Answer = (u16, Vec<(&'static str, String)>, String);

#[derive(Default)]
struct State {
    came: Vec<Came>,
    next: VecDeque<Answer>,
}

/// The server. It answers 200 unless it was told what to answer next.
pub struct Receiver {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
    task: Option<JoinHandle<()>>,
}

impl Receiver {
    pub async fn start() -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], held_port()));
        let mut receiver = Self { address, state: Arc::default(), task: None };
        receiver.run().await;
        receiver
    }

    /// Listens, where it did before.
    pub async fn run(&mut self) {
        let listener = tokio::net::TcpListener::bind(self.address).await.unwrap();
        let state = Arc::clone(&self.state);
        let app = axum::Router::new().fallback(move |uri: Uri, headers: HeaderMap, body: Bytes| {
            let mut state = state.lock().unwrap();
            let text = String::from_utf8(body.to_vec()).unwrap();
            let body = serde_json::from_str(&text).unwrap_or_default();
            state.came.push(Came { path: uri.path().to_owned(), headers, text, body });
            let (status, names, text) = state.next.pop_front().unwrap_or((200, Vec::new(), "{\"ok\":true}".to_owned()));
            let mut headers = HeaderMap::new();
            for (name, value) in names {
                headers.insert(name, value.parse().unwrap());
            }
            std::future::ready((StatusCode::from_u16(status).unwrap(), headers, text))
        });
        self.task = Some(tokio::spawn(super::gateway::serve(listener, app)));
    }

    /// Is not there any more. Connections that are open go with the daemon that holds them.
    pub async fn stop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            let _ended = task.await;
        }
    }

    /// What the next requests are answered, one after the other.
    pub fn answers(&self, answers: &[(u16, &'static str, &str)]) {
        let of = |(status, header, value): &(u16, &'static str, &str)| match *header {
            "" => (*status, Vec::new(), (*value).to_owned()),
            header => (*status, vec![(header, (*value).to_owned())], String::new()),
        };
        self.state.lock().unwrap().next.extend(answers.iter().map(of));
    }

    pub fn came(&self) -> Vec<Came> {
        self.state.lock().unwrap().came.clone()
    }

    /// Waits until so many requests have come.
    pub async fn until(&self, count: usize) -> Vec<Came> {
        let began = std::time::Instant::now();
        loop {
            let came = self.came();
            if came.len() >= count {
                return came;
            }
            assert!(began.elapsed().as_secs() < 60, "{} came, not {count}", came.len());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
