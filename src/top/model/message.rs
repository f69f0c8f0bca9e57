//! What comes in and what goes out: lines, keys, ticks and answers; requests, files, the end.

use ratatui::crossterm::event::KeyEvent;
use serde::Deserialize;

use super::ui::Hit;
use crate::domain::snapshot::{NoticeRow, Snapshot, StockLine};
use crate::domain::{IncidentBrief, Severity};
use crate::top::ask::{Ask, Received, Row, Unanswered};

/// One line of the stream, or of a recording, which also holds what was asked for beside it.
#[derive(Debug, Clone)]
pub enum Line {
    /// One second of one instance.
    Snapshot(Box<Snapshot>),
    /// What changed in the stock that was asked for.
    Stock(Box<StockLine>),
    /// What waits for a person.
    Review(Vec<Row>),
    /// Notices that wait or were given up.
    Unsent(Vec<NoticeRow>),
    /// Incidents of before the stream.
    Earlier(Vec<IncidentBrief>),
}

/// A line that is no snapshot: an object of one field.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Field {
    Stock(Box<StockLine>),
    Review(Vec<Row>),
    Unsent(Vec<NoticeRow>),
    Earlier(Vec<IncidentBrief>),
}

impl Line {
    /// Reads a line; `None` where it is none of these.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        if Self::kind(text).is_some() {
            return Some(match serde_json::from_str(text).ok()? {
                Field::Stock(line) => Self::Stock(line),
                Field::Review(rows) => Self::Review(rows),
                Field::Unsent(rows) => Self::Unsent(rows),
                Field::Earlier(briefs) => Self::Earlier(briefs),
            });
        }
        serde_json::from_str(text).ok().map(Self::Snapshot)
    }

    /// What a line begins with that is no snapshot.
    #[must_use]
    pub fn kind(text: &str) -> Option<&'static str> {
        ["{\"stock\"", "{\"review\"", "{\"unsent\"", "{\"earlier\""].into_iter().find(|kind| text.starts_with(kind))
    }
}

/// How the daemon is reached.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Connection {
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

/// Why a link is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fault {
    /// Nobody answers there.
    #[default]
    Away,
    /// A daemon answers, and does not know the token.
    Token,
    /// A daemon answers, and refuses for another reason; or it is none.
    Refused,
}

/// A link that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// Whose fault it is, as far as that can be seen.
    pub fault: Fault,
    /// Why.
    pub why: String,
    /// When it is tried again, by the local clock, ms.
    pub retry_at: u64,
}

impl Connection {
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
    /// Text was pasted.
    Paste(String),
    /// The terminal has so many columns and rows.
    Resize(u16, u16),
    /// A picture was drawn: so many lines of what is open can be scrolled past.
    Drawn(usize),
    /// Something was clicked.
    Click(Hit),
    /// The wheel was turned: down is positive.
    Wheel(isize),
    /// The stream said something.
    Line(Line),
    /// The link changed.
    Link(Connection),
    /// The local clock, in ms; at least four times a second.
    Tick(u64),
    /// An answer, or why there is none.
    Answer(Ask, Result<Received, Unanswered>),
    /// A recording is so far, ms of ms.
    Position(u64, u64),
    /// A recording jumped: what was known is void.
    Rewound,
    /// Something to be said.
    Said(String, Severity),
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
