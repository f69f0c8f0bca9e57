//! A route with what is asked of it, as data: whoever sends it needs no more.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::route::{Nothing, Raw, Route, Verb, With};
use crate::domain::Action;

/// What a request carries beside its address.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Nothing.
    Nothing,
    /// JSON.
    Json(Value),
    /// A text.
    Text(Vec<u8>),
}

/// One request, ready to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// How.
    pub verb: Verb,
    /// The parts of its path, with what it names: a `/` in one of them leads nowhere else.
    pub path: Vec<String>,
    /// Names and values of the query.
    pub query: Vec<(String, String)>,
    /// What it carries.
    pub content: Content,
}

impl Question {
    /// That route, asked for that.
    #[must_use]
    pub fn of<R: Route>(at: &R::At, asked: &R::In) -> Self {
        let mut named = at.texts().into_iter();
        let part = |part: &'static str| if part.starts_with('{') { named.next().unwrap_or_default() } else { part };
        let path = R::PATH.split('/').skip(1).map(part).map(str::to_owned).collect();
        let mut question = Self { verb: R::VERB, path, query: Vec::new(), content: Content::Nothing };
        asked.put(&mut question);
        question
    }

    fn ask(&mut self, query: &impl Serialize) {
        let Ok(Value::Object(fields)) = serde_json::to_value(query) else { return };
        self.query.extend(fields.into_iter().filter_map(|(name, value)| match value {
            Value::Null => None,
            Value::String(text) => Some((name, text)),
            other => Some((name, other.to_string())),
        }));
    }
}

/// What a path names: nothing, one thing, or an order and what is done to it.
pub trait InPath: DeserializeOwned + Send {
    /// The parts, in order.
    fn texts(&self) -> Vec<&str>;
}

impl InPath for () {
    fn texts(&self) -> Vec<&str> {
        Vec::new()
    }
}

impl InPath for String {
    fn texts(&self) -> Vec<&str> {
        vec![self]
    }
}

impl InPath for (String, Action) {
    fn texts(&self) -> Vec<&str> {
        vec![&self.0, self.1.as_str()]
    }
}

/// What a request asks.
pub trait Payload: Send + Sync + 'static {
    /// Puts it where it is read from.
    fn put(&self, question: &mut Question);
}

impl<T: Serialize + Send + Sync + 'static> Payload for T {
    fn put(&self, question: &mut Question) {
        match question.verb {
            Verb::Get => question.ask(self),
            _ => question.content = Content::Json(serde_json::to_value(self).unwrap_or_default()),
        }
    }
}

impl Payload for Nothing {
    fn put(&self, _: &mut Question) {}
}

impl Payload for Raw {
    fn put(&self, question: &mut Question) {
        question.content = Content::Text(self.0.clone());
    }
}

impl<Q: Serialize + Send + Sync + 'static, B: Payload> Payload for With<Q, B> {
    fn put(&self, question: &mut Question) {
        question.ask(&self.query);
        self.body.put(question);
    }
}
