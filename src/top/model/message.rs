//! What comes in and what goes out: lines, keys, ticks and answers; requests, files, the end.

use ratatui::crossterm::event::KeyEvent;
use serde_json::Value;

use super::alarm::Level;
use super::ui::Hit;
use crate::telemetry::snapshot::{Snapshot, StockLine};
use crate::top::ask::Ask;

/// One line of the stream.
#[derive(Debug, Clone)]
pub enum Line {
    /// One second of one instance.
    Snapshot(Box<Snapshot>),
    /// What changed in the stock that was asked for.
    Stock(Box<StockLine>),
}

impl Line {
    /// Reads a line; `None` where it is neither.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        #[derive(serde::Deserialize)]
        struct Stock {
            stock: Box<StockLine>,
        }
        if text.starts_with("{\"stock\"") {
            return serde_json::from_str::<Stock>(text).ok().map(|line| Self::Stock(line.stock));
        }
        serde_json::from_str(text).ok().map(Self::Snapshot)
    }
}

/// How the daemon is reached.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Link {
    /// Not yet.
    #[default]
    Opening,
    /// It answers.
    Open {
        /// Where.
        base: String,
    },
    /// It does not.
    Lost(Lost),
    /// There is none: a recording is played.
    Recording,
}

/// A link that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// Why.
    pub why: String,
    /// When it is tried again, by the local clock, ms.
    pub retry_at: u64,
}

impl Link {
    /// Whether and why it is gone.
    #[must_use]
    pub fn lost(&self) -> Option<&Lost> {
        match self {
            Self::Lost(lost) => Some(lost),
            _ => None,
        }
    }
}

/// What can happen.
#[derive(Debug, Clone)]
pub enum Message {
    /// A key was pressed.
    Key(KeyEvent),
    /// Something was clicked.
    Click(Hit),
    /// The wheel was turned: down is positive.
    Wheel(isize),
    /// The stream said something.
    Line(Line),
    /// The link changed.
    Link(Link),
    /// The local clock, in ms; at least four times a second.
    Tick(u64),
    /// An answer, or why there is none.
    Answer(Ask, Result<Vec<Value>, String>),
    /// A recording is so far, ms of ms.
    Position(u64, u64),
    /// A recording jumped: what was known is void.
    Rewound,
    /// Something to be said.
    Said(String, Level),
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Ask the daemon.
    Ask(Ask),
    /// Stock of products that hold this text is wanted.
    Filter(String),
    /// Write a capture to a file of that name.
    Export(String, String),
    /// Go so many seconds on in a recording.
    Seek(i64),
    /// The picture stands still, or goes on.
    Hold(bool),
    /// Something is wrong that was not before.
    Ring,
    /// Leave.
    Quit,
}
