//! What the dashboard knows, and how it changes: pure. No clock, no terminal, no network: time comes in as a tick, what
//! is to be done goes out as an effect.

pub mod alarm;
pub mod fleet;
mod hands;
pub mod lists;
mod message;
mod prompt;
pub mod spread;
pub mod ui;

use std::collections::{BTreeMap, VecDeque};

use serde_json::Value;

use super::ask::{Ask, Row, notice_row, rows};
use super::keys::Tab;
use super::lang::word;
use crate::client::read;
use crate::config::Top;
use crate::domain::snapshot::{Delivery, NoticeRow, StockAlarms, StockLine, StockRow};
use crate::domain::time::Zone;
use crate::domain::{Action, Brief, Lang, Millis, Role, Severity};
use crate::wire::incidents::{IncidentList, ReplayReport};
use crate::wire::notices::NoticeList;
use crate::wire::orders::Acted;
use crate::wire::shop::Info;
pub use message::{Effect, Fault, Line, Link, Lost, Message};

use alarm::Alarm;
use fleet::{Fleet, Instance};
use spread::Spread;
use ui::{About, Ui};

/// Incidents and deliveries remembered.
const FEED: usize = 500;
/// Lines kept while the picture stands still; of more, the oldest are dropped and counted.
const HELD: usize = 2000;
/// What waits for a person is asked for so often while somebody looks at it, ms.
const REVIEW_EVERY: u64 = 2000;
/// The same while a recording is written, whoever looks at what, ms.
const KEEP_EVERY: u64 = 10_000;
/// Samples of one product's stock.
const SAMPLES: usize = 120;
/// An instance that was not heard for so long was taken away on purpose.
const FORGET_SECONDS: u64 = 900;

/// Stock as it was last told.
#[derive(Debug, Clone, Default)]
pub struct StockBoard {
    /// By product.
    pub rows: BTreeMap<String, StockRow>,
    /// What was available, in samples of five seconds, the newest last.
    pub samples: BTreeMap<String, VecDeque<u64>>,
    /// Products in all, and of those that fit the filter.
    pub products: u64,
    /// Those that fit the filter.
    pub matching: u64,
    /// What is wrong with the stock of any product.
    pub alarms: StockAlarms,
    /// Whether anything was told yet.
    pub told: bool,
    /// When it was first told.
    pub first: Millis,
    sampled: Millis,
}

impl StockBoard {
    /// Takes a line in; a daemon that tells of no alarms is judged by the rows it tells, where some are empty soon.
    fn take(&mut self, line: StockLine, soon_seconds: u64) {
        if !self.told {
            (self.told, self.first) = (true, line.at);
        }
        (self.products, self.matching) = (line.products, line.matching);
        for gone in &line.gone {
            self.rows.remove(gone);
            self.samples.remove(gone);
        }
        for row in line.rows {
            self.rows.insert(row.product.clone(), row);
        }
        self.alarms = line.alarms.unwrap_or_else(|| {
            let rows = self.rows.values().map(|row| (lists::danger_of(row), &row.stock, row.product.as_str()));
            StockAlarms::of(rows, soon_seconds)
        });
        if line.at >= self.sampled + 5000 {
            self.sampled = line.at;
            for (product, row) in &self.rows {
                let samples = self.samples.entry(product.clone()).or_default();
                samples.push_back(row.stock.available());
                if samples.len() > SAMPLES {
                    samples.pop_front();
                }
            }
        }
    }
}

/// Everything the dashboard knows.
#[derive(Debug, Clone, Default)]
pub struct Model {
    /// The daemons and their seconds.
    pub fleet: Fleet,
    /// The stock.
    pub stock: StockBoard,
    /// Failed callbacks, the newest first.
    pub incidents: VecDeque<Brief>,
    /// Deliveries, the newest first.
    pub deliveries: VecDeque<Delivery>,
    /// Orders that were searched for; `None` shows the deliveries.
    pub found: Option<Vec<Row>>,
    /// What waits for a person.
    pub review: Vec<Row>,
    /// Notices as they were told, the newest first: sent, put off, given up.
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
    pub link: Link,
    /// Whose token, and whether it may act.
    pub operator: String,
    /// Whether the token may change something.
    pub may_act: bool,
    /// Where a recording is: ms of ms.
    pub position: Option<(u64, u64)>,
    /// The local clock, ms.
    pub local: u64,
    /// The time of the first snapshot.
    first: Millis,
    /// The local clock when the fleet's newest time was heard.
    heard: u64,
    /// The shop's second in which it was last judged what is wrong.
    judged: u64,
    /// When what is looked at was asked for last.
    asked: u64,
    /// Whether what comes is written down, with what has to be asked for.
    pub recording: bool,
    /// When that was asked for last.
    kept: u64,
    /// Lines that wait while the picture stands still.
    held: VecDeque<Line>,
    /// Lines dropped meanwhile.
    pub dropped: u64,
    /// In which language.
    pub lang: Lang,
    /// Whether the terminal shows plain characters alone.
    pub ascii: bool,
    /// In which zone times are told.
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

    /// Takes a message in; what is to be done about it.
    pub fn update(&mut self, message: Message) -> Vec<Effect> {
        let mut effects = Vec::new();
        match message {
            Message::Key(key) => self.key(&key, &mut effects),
            Message::Paste(text) => self.paste(&text),
            Message::Resize(width, height) => self.ui.size = Some((width, height)),
            Message::Drawn(last) => {
                if let Some(detail) = &mut self.ui.detail {
                    (detail.last, detail.scroll) = (last, detail.scroll.min(last));
                }
            }
            Message::Click(hit) => self.click(hit, &mut effects),
            Message::Wheel(by) => self.wheel(by),
            Message::Line(line) => self.line(line, &mut effects),
            Message::Link(link) => {
                if matches!(link, Link::Open { .. }) {
                    effects.push(Effect::Ask(Ask::Info));
                    effects.push(Effect::Ask(Ask::Review));
                    effects.push(Effect::Ask(Ask::Incidents));
                }
                self.link = link;
                self.judge(&mut effects);
            }
            Message::Tick(local) => self.tick(local, &mut effects),
            Message::Answer(ask, answer) => self.answer(ask, answer, &mut effects),
            Message::Position(at, of) => self.position = Some((at, of)),
            Message::Said(text, level) => self.note(text, level),
            Message::Rewound => {
                self.fleet = Fleet::default();
                self.first = 0;
                self.stock = StockBoard::default();
                self.incidents.clear();
                self.deliveries.clear();
                self.notices.clear();
                self.review.clear();
                self.unsent.clear();
                self.alarms.clear();
            }
        }
        effects
    }

    fn line(&mut self, line: Line, effects: &mut Vec<Effect>) {
        // A recording stands still by itself; what it sends was jumped to.
        if self.ui.paused && self.position.is_none() {
            if self.held.len() >= HELD {
                self.held.pop_front();
                self.dropped += 1;
            }
            self.held.push_back(line);
            return;
        }
        self.absorb(line, effects);
    }

    fn absorb(&mut self, line: Line, effects: &mut Vec<Effect>) {
        match line {
            Line::Stock(line) => {
                let soon = self.thresholds.empty_minutes * 60;
                self.keeping(Tab::Stock, |model| model.stock.take(*line, soon));
            }
            Line::Review(rows) => self.keeping(Tab::Review, |model| model.review = rows),
            Line::Unsent(rows) => self.keeping(Tab::Notices, |model| model.unsent = rows),
            Line::Earlier(briefs) => self.earlier(briefs),
            Line::Snapshot(next) => {
                let (incidents, deliveries) = (next.incidents.clone(), next.deliveries.clone());
                let notices = next.notices.clone();
                let waiting = next.surroundings.waiting;
                let before = self.fleet.instances.values().map(|it| it.last.surroundings.waiting).max().unwrap_or(0);
                if !self.fleet.take(*next) {
                    return;
                }
                self.heard = self.local;
                if self.first == 0 {
                    self.first = self.fleet.at;
                }
                let known = |brief: &Brief| self.incidents.iter().any(|known| known.id == brief.id);
                let incidents: Vec<Brief> = incidents.into_iter().filter(|brief| !known(brief)).collect();
                if !incidents.is_empty() {
                    self.keeping(Tab::Failed, |model| {
                        incidents.into_iter().for_each(|incident| model.incidents.push_front(incident));
                        model.incidents.make_contiguous().sort_by_key(|brief| std::cmp::Reverse(brief.at));
                        model.shed_incidents(FEED);
                    });
                }
                if !deliveries.is_empty() {
                    self.keeping(Tab::Orders, |model| {
                        deliveries.into_iter().for_each(|delivery| model.deliveries.push_front(delivery));
                        model.deliveries.truncate(FEED);
                    });
                }
                if !notices.is_empty() {
                    self.keeping(Tab::Notices, |model| {
                        notices.into_iter().for_each(|notice| model.notices.push_front(notice));
                        model.notices.truncate(FEED);
                    });
                }
                if waiting != before && self.position.is_none() {
                    effects.push(Effect::Ask(Ask::Review));
                }
            }
        }
        // Once a second of the shop, however many instances tell it.
        if self.fleet.at / 1000 != self.judged {
            self.judged = self.fleet.at / 1000;
            self.judge(effects);
        }
    }

    fn judge(&mut self, effects: &mut Vec<Effect>) {
        self.minute = Spread::default();
        for second in self.fleet.newest(60) {
            second.channels.values().for_each(|tally| self.minute.add(&tally.latency));
        }
        let found = alarm::judge(self);
        let known = |alarm: &Alarm| self.alarms.iter().any(|known| known.id == alarm.id);
        if found.iter().any(|alarm| alarm.level == Severity::Alarm && !known(alarm)) {
            effects.push(Effect::Ring);
        }
        self.alarms = found;
        self.read_again();
    }

    fn tick(&mut self, local: u64, effects: &mut Vec<Effect>) {
        let new_second = local / 1000 != self.local / 1000;
        if self.ui.paused {
            // The picture's time stands still with it: nobody is lost because nobody listens.
            self.heard += local.saturating_sub(self.local);
        }
        self.local = local;
        let now = self.now();
        self.fleet.instances.retain(|_, instance| now.saturating_sub(instance.last.at) / 1000 < FORGET_SECONDS);
        let live = matches!(self.link, Link::Open { .. }) && !self.ui.paused;
        if live && local >= self.asked + REVIEW_EVERY {
            self.asked = local;
            effects.extend(self.looked_at().into_iter().map(Effect::Ask));
        }
        if live && self.recording && local >= self.kept + KEEP_EVERY {
            self.kept = local;
            effects.extend([Ask::Review, Ask::Notices].map(Effect::Ask));
        }
        self.ui.forget_note(local);
        if new_second {
            self.judge(effects);
        }
    }

    /// What is asked for again and again while somebody looks at it.
    fn looked_at(&self) -> Vec<Ask> {
        let list = match self.ui.tab {
            Tab::Review => Some(Ask::Review),
            Tab::Notices => Some(Ask::Notices),
            _ => None,
        };
        let open = self.ui.detail.as_ref().filter(|detail| matches!(detail.about, About::Order(_)));
        list.into_iter().chain(open.map(|detail| Ask::Order(detail.id.clone()))).collect()
    }

    /// Goes on after a pause.
    fn resume(&mut self, effects: &mut Vec<Effect>) {
        self.ui.paused = false;
        for line in std::mem::take(&mut self.held) {
            self.absorb(line, effects);
        }
    }

    fn answer(&mut self, ask: Ask, answer: Result<Vec<Value>, String>, effects: &mut Vec<Effect>) {
        let values = match answer {
            Ok(values) => values,
            Err(why) => return self.failed(&ask, why),
        };
        let first = values.first().cloned().unwrap_or_default();
        match ask {
            Ask::Info => {
                let info: Info = read(&first).unwrap_or_default();
                self.operator = info.operator;
                // A daemon that does not tell roles has one token, which may do everything.
                self.may_act = info.role.is_none_or(|role| role.is(Role::Operate));
            }
            Ask::Review => self.keeping(Tab::Review, |model| model.review = rows(&values)),
            Ask::Notices => {
                let told: NoticeList = read(&first).unwrap_or_default();
                let told = told.notices.into_iter().filter_map(notice_row).collect();
                self.keeping(Tab::Notices, |model| model.unsent = told);
            }
            Ask::Incidents => {
                self.earlier(read(&first).map(|told: IncidentList| told.incidents).unwrap_or_default());
            }
            Ask::Search(text) => {
                let found = rows(&values);
                if found.is_empty() {
                    self.note(format!("{}: {text}", self.lang.say("nothing found", "没有找到")), Severity::Warning);
                }
                self.keeping(Tab::Orders, |model| model.found = Some(found));
            }
            Ask::Order(id) | Ask::Incident(id) => {
                let mut told = first;
                // The link to the buyer's page opens the keys: it is not for a screen.
                if let Some(fields) = told.as_object_mut() {
                    fields.remove("page");
                }
                self.ui.fill(&id, told);
            }
            Ask::Replay(id) => {
                let ReplayReport { verdict, reason, .. } = read(&first).unwrap_or_default();
                let reason = reason.unwrap_or_default();
                let what = format!("{id}: {} {}", word(self.lang, &verdict), word(self.lang, &reason));
                self.note(what, if verdict == "accept" { Severity::Warning } else { Severity::Alarm });
            }
            Ask::Capture(id) => {
                let text = serde_json::to_string_pretty(&first).unwrap_or_default();
                effects.push(Effect::Export(format!("incident-{id}.json"), text));
            }
            Ask::Act { .. } | Ask::Payment { .. } | Ask::Block { .. } => {
                let Acted { result, .. } = read(&first).unwrap_or_default();
                let result = match (&ask, result.as_str()) {
                    // It waits for no other try than its first.
                    (Ask::Act { action: Action::Resend, .. }, "waiting") => self.lang.say("on its way", "正在发送"),
                    (_, "") => self.lang.say("done", "已完成"),
                    (_, result) => word(self.lang, result),
                };
                let what = format!("{}: {result}", self.acted(&ask));
                self.note(what, Severity::Warning);
                effects.push(Effect::Ask(if self.ui.tab == Tab::Notices { Ask::Notices } else { Ask::Review }));
                self.look_again(&ask, effects);
            }
        }
    }

    /// What was acted on is asked for again, where it is open or was searched for.
    fn look_again(&self, ask: &Ask, effects: &mut Vec<Effect>) {
        let Ask::Act { order, .. } = ask else { return };
        if self.ui.detail.as_ref().is_some_and(|detail| detail.id == *order && !order.contains(':')) {
            effects.push(Effect::Ask(Ask::Order(order.clone())));
        }
        let searched = &self.ui.places[Tab::Orders as usize].filter;
        if self.ui.tab == Tab::Orders && self.found.is_some() && !searched.is_empty() {
            effects.push(Effect::Ask(Ask::Search(searched.clone())));
        }
    }

    /// Incidents that the daemon kept of the time before the stream.
    fn earlier(&mut self, told: Vec<Brief>) {
        let known: std::collections::HashSet<String> = self.incidents.iter().map(|brief| brief.id.clone()).collect();
        self.keeping(Tab::Failed, |model| {
            model.incidents.extend(told.into_iter().filter(|brief| !known.contains(&brief.id)));
            model.incidents.make_contiguous().sort_by_key(|brief| std::cmp::Reverse(brief.at));
            model.shed_incidents(FEED);
        });
    }

    fn acted(&self, ask: &Ask) -> String {
        match ask {
            Ask::Act { order, action, .. } => format!("{} {order}", word(self.lang, action.as_str())),
            Ask::Payment { id, order: Some(order), .. } => format!("{} {id} → {order}", word(self.lang, "adopt")),
            Ask::Payment { id, .. } => format!("{} {id}", word(self.lang, "refund")),
            Ask::Block { address, .. } => format!("{} {address}", word(self.lang, "block")),
            _ => String::new(),
        }
    }

    fn failed(&mut self, ask: &Ask, why: String) {
        match ask {
            // Asked again by itself.
            Ask::Info | Ask::Review | Ask::Notices | Ask::Incidents => {}
            Ask::Order(id) | Ask::Incident(id) => {
                // What was told once is better than that it cannot be told again.
                let told = self.ui.detail.as_ref().is_some_and(|detail| detail.id == *id && detail.value.is_some());
                if !told {
                    self.ui.fill(id, serde_json::json!({"error": why}));
                }
            }
            Ask::Search(_) => {
                self.found = Some(Vec::new());
                self.note(why, Severity::Alarm);
            }
            _ => self.note(why, Severity::Alarm),
        }
    }

    /// Says something for a while.
    pub fn note(&mut self, text: impl Into<String>, level: Severity) {
        self.ui.note = Some((text.into(), level, self.local));
    }
}
