//! What the dashboard knows: data, and what can be read off it. It knows no pane; how it changes stands in
//! [`update`](super::update).

pub mod alarm;
pub mod fleet;
mod message;
pub mod prompt;
pub mod spread;
pub mod stock;
pub mod ui;

use std::collections::VecDeque;

use super::ask::Row;
use crate::config::Top;
use crate::domain::snapshot::{Delivery, NoticeRow};
use crate::domain::time::Zone;
use crate::domain::{IncidentBrief, Lang, Millis, Severity};
pub use message::{Connection, Effect, Fault, Line, Lost, Message};

use alarm::Alarm;
use fleet::{Fleet, Instance};
use spread::Spread;
use stock::StockBoard;
use ui::Ui;

/// Everything the dashboard knows.
#[derive(Debug, Clone, Default)]
pub struct Model {
    /// The daemons and their seconds.
    pub fleet: Fleet,
    /// The stock.
    pub stock: StockBoard,
    /// Failed callbacks, the newest first.
    pub incidents: VecDeque<IncidentBrief>,
    /// Deliveries, the newest first.
    pub deliveries: VecDeque<Delivery>,
    /// Orders that were searched for; `None` shows the deliveries.
    pub found: Option<Vec<Row>>,
    /// What waits for a person.
    pub review: Vec<Row>,
    /// Notices as they were heard of, the newest first: sent, put off, given up.
    pub notices: VecDeque<NoticeRow>,
    /// Notices that wait or were given up, as they were asked for.
    pub unsent: Vec<NoticeRow>,
    /// Latencies of the last minute.
    pub minute: Spread,
    /// What is wrong.
    pub alarms: Vec<Alarm>,
    /// When something is.
    pub thresholds: Top,
    /// The way to the daemon.
    pub link: Connection,
    /// Whose token, and whether it may act.
    pub operator: String,
    /// Whether the token may change something.
    pub may_act: bool,
    /// Where a recording is: ms of ms.
    pub position: Option<(u64, u64)>,
    /// The local clock, ms.
    pub local: u64,
    /// The time of the first snapshot.
    pub(super) first: Millis,
    /// The local clock when the fleet's newest time was heard.
    pub(super) heard: u64,
    /// The shop's second in which it was last judged what is wrong.
    pub(super) judged: u64,
    /// When what is looked at was asked for last.
    pub(super) asked: u64,
    /// Whether what comes is written down, with what has to be asked for.
    pub recording: bool,
    /// When that was asked for last.
    pub(super) kept: u64,
    /// Lines that wait while the picture stands still.
    pub(super) held: VecDeque<Line>,
    /// Lines dropped meanwhile.
    pub dropped: u64,
    /// In which language.
    pub lang: Lang,
    /// Whether the terminal shows plain characters alone.
    pub ascii: bool,
    /// In which zone times are shown.
    pub zone: Zone,
    /// What the operator is doing.
    pub ui: Ui,
}

impl Model {
    /// The shop's time: the newest heard, and what passed here since.
    #[must_use]
    pub fn now(&self) -> Millis {
        match (self.fleet.at, self.position) {
            (0, _) => self.local,
            // A recording's time is that of its lines, however quickly it is played.
            (at, Some(_)) => at,
            (at, None) => at + self.local.saturating_sub(self.heard),
        }
    }

    /// A time of day, as the operator's clock shows it.
    #[must_use]
    pub fn clock(&self, at: Millis) -> String {
        super::text::clock(at, self.now(), &self.zone)
    }

    /// For how many seconds an instance was not heard. One that lags a little behind the others is not lost.
    #[must_use]
    pub fn silence(&self, instance: &Instance) -> u64 {
        self.now().saturating_sub(instance.last.at) / 1000
    }

    /// Says something for a while.
    pub fn note(&mut self, text: impl Into<String>, level: Severity) {
        self.ui.note = Some((text.into(), level, self.local));
    }
}
