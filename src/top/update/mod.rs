//! What happens: a message comes in, the model changes, effects go out. Pure as the model is: time comes in as a tick. It
//! stands above the model and above the panes, which know nothing of it.

mod answers;
mod hands;

use std::collections::HashMap;

use super::ask::Ask;
use super::model::alarm::{self, Alarm};
use super::model::fleet::Fleet;
use super::model::spread::Spread;
use super::model::stock::StockBoard;
use super::model::ui::About;
use super::model::{Connection, Effect, Line, Message, Model};
use super::pane::{PANES, Pane, Panes};
use crate::domain::{IncidentBrief, Reason, Severity};

/// Incidents and deliveries remembered.
const FEED: usize = 500;
/// Lines kept while the picture stands still; of more, the oldest are dropped and counted.
const HELD: usize = 2000;
/// What waits for a person is asked for so often while somebody looks at it, ms.
const REVIEW_EVERY: u64 = 2000;
/// The same while a recording is written, whoever looks at what, ms.
const KEEP_EVERY: u64 = 10_000;
/// An instance that was not heard for so long was taken away on purpose.
const FORGET_SECONDS: u64 = 900;

impl Model {
    /// Takes a message in; what is to be done about it.
    pub fn update(&mut self, message: Message) -> Vec<Effect> {
        update(self, PANES, message)
    }
}

/// Takes a message in, of whoever sits before these panes; what is to be done about it.
pub fn update(model: &mut Model, panes: Panes, message: Message) -> Vec<Effect> {
    let mut turn = Turn { model, panes, effects: Vec::new() };
    turn.take(message);
    turn.effects
}

/// One message, while it is taken in.
struct Turn<'a> {
    model: &'a mut Model,
    panes: Panes,
    effects: Vec<Effect>,
}

impl Turn<'_> {
    /// The pane that is shown.
    fn pane(&self) -> &'static dyn Pane {
        self.panes.of(self.model.ui.tab)
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Key(key) => self.key(&key),
            Message::Paste(text) => self.paste(&text),
            Message::Resize(width, height) => self.model.ui.size = Some((width, height)),
            Message::Drawn(last) => {
                if let Some(detail) = &mut self.model.ui.detail {
                    (detail.last, detail.scroll) = (last, detail.scroll.min(last));
                }
            }
            Message::Click(hit) => self.click(hit),
            Message::Wheel(by) => self.wheel(by),
            Message::Line(line) => self.line(line),
            Message::Link(link) => {
                if matches!(link, Connection::Open { .. }) {
                    self.effects.push(Effect::Ask(Ask::Info));
                    self.effects.push(Effect::Ask(Ask::Review));
                    self.effects.push(Effect::Ask(Ask::Incidents));
                }
                self.model.link = link;
                self.judge();
            }
            Message::Tick(local) => self.tick(local),
            Message::Answer(ask, answer) => self.answer(&ask, answer),
            Message::Position(at, of) => self.model.position = Some((at, of)),
            Message::Said(text, level) => self.model.note(text, level),
            Message::Rewound => {
                self.model.fleet = Fleet::default();
                self.model.first = 0;
                self.model.stock = StockBoard::default();
                self.model.incidents.clear();
                self.model.deliveries.clear();
                self.model.notices.clear();
                self.model.review.clear();
                self.model.unsent.clear();
                self.model.alarms.clear();
            }
        }
    }

    fn line(&mut self, line: Line) {
        // A recording stands still by itself; what it sends was jumped to.
        if self.model.ui.paused && self.model.position.is_none() {
            if self.model.held.len() >= HELD {
                self.model.held.pop_front();
                self.model.dropped += 1;
            }
            self.model.held.push_back(line);
            return;
        }
        self.absorb(line);
    }

    fn absorb(&mut self, line: Line) {
        match line {
            Line::Stock(line) => {
                let soon = self.model.thresholds.empty_minutes * 60;
                self.keeping(|model| model.stock.take(*line, soon));
            }
            Line::Review(rows) => self.keeping(|model| model.review = rows),
            Line::Unsent(rows) => self.keeping(|model| model.unsent = rows),
            Line::Earlier(briefs) => self.earlier(briefs),
            Line::Snapshot(next) => {
                let (incidents, deliveries) = (next.incidents.clone(), next.deliveries.clone());
                let notices = next.notices.clone();
                let waiting = next.surroundings.waiting;
                let before =
                    self.model.fleet.instances.values().map(|it| it.last.surroundings.waiting).max().unwrap_or(0);
                if !self.model.fleet.take(*next) {
                    return;
                }
                self.model.heard = self.model.local;
                if self.model.first == 0 {
                    self.model.first = self.model.fleet.at;
                }
                let known = |brief: &IncidentBrief| self.model.incidents.iter().any(|known| known.id == brief.id);
                let incidents: Vec<IncidentBrief> = incidents.into_iter().filter(|brief| !known(brief)).collect();
                if !incidents.is_empty() {
                    self.keeping(|model| {
                        incidents.into_iter().for_each(|incident| model.incidents.push_front(incident));
                        model.incidents.make_contiguous().sort_by_key(|brief| std::cmp::Reverse(brief.at));
                        shed_incidents(model, FEED);
                    });
                }
                if !deliveries.is_empty() {
                    self.keeping(|model| {
                        deliveries.into_iter().for_each(|delivery| model.deliveries.push_front(delivery));
                        model.deliveries.truncate(FEED);
                    });
                }
                if !notices.is_empty() {
                    self.keeping(|model| {
                        notices.into_iter().for_each(|notice| model.notices.push_front(notice));
                        model.notices.truncate(FEED);
                    });
                }
                if waiting != before && self.model.position.is_none() {
                    self.effects.push(Effect::Ask(Ask::Review));
                }
            }
        }
        // Once a second of the shop, however many instances tell it.
        if self.model.fleet.at / 1000 != self.model.judged {
            self.model.judged = self.model.fleet.at / 1000;
            self.judge();
        }
    }

    fn judge(&mut self) {
        self.model.minute = Spread::default();
        for second in self.model.fleet.newest(60) {
            second.channels.values().for_each(|tally| self.model.minute.add(&tally.latency));
        }
        let found = alarm::judge(self.model);
        let known = |alarm: &Alarm| self.model.alarms.iter().any(|known| known.id == alarm.id);
        if found.iter().any(|alarm| alarm.level == Severity::Alarm && !known(alarm)) {
            self.effects.push(Effect::Ring);
        }
        self.model.alarms = found;
        self.read_again();
    }

    fn tick(&mut self, local: u64) {
        let new_second = local / 1000 != self.model.local / 1000;
        if self.model.ui.paused {
            // The picture's time stands still with it: nobody is lost because nobody listens.
            self.model.heard += local.saturating_sub(self.model.local);
        }
        self.model.local = local;
        let now = self.model.now();
        self.model.fleet.instances.retain(|_, instance| now.saturating_sub(instance.last.at) / 1000 < FORGET_SECONDS);
        let live = matches!(self.model.link, Connection::Open { .. }) && !self.model.ui.paused;
        if live && local >= self.model.asked + REVIEW_EVERY {
            self.model.asked = local;
            self.effects.extend(self.looked_at().into_iter().map(Effect::Ask));
        }
        if live && self.model.recording && local >= self.model.kept + KEEP_EVERY {
            self.model.kept = local;
            self.effects.extend([Ask::Review, Ask::Notices].map(Effect::Ask));
        }
        self.model.ui.forget_note(local);
        if new_second {
            self.judge();
        }
    }

    /// What is asked for again and again while somebody looks at it.
    fn looked_at(&self) -> Vec<Ask> {
        let list = self.pane().asks();
        let open = self.model.ui.detail.as_ref().filter(|detail| matches!(detail.about, About::Order(_)));
        list.into_iter().chain(open.map(|detail| Ask::Order(detail.id.clone()))).collect()
    }

    /// Goes on after a pause.
    fn resume(&mut self) {
        self.model.ui.paused = false;
        for line in std::mem::take(&mut self.model.held) {
            self.absorb(line);
        }
    }

    /// What is chosen or open on a pane, by its name. The first row is whatever comes first, unless it is open.
    fn chosen_name(&self, pane: &dyn Pane) -> Option<String> {
        let (tab, row) = (pane.tab(), self.model.ui.place_of(pane.tab()).row);
        match (self.model.ui.tab == tab && self.model.ui.detail.is_some(), row) {
            (true, _) => pane.opened(self.model),
            (false, 0) => None,
            (false, row) => pane.name(self.model, row),
        }
    }

    /// Goes back to what was chosen, wherever it stands now; where it stood, if one of its name still does.
    fn choose(&mut self, pane: &dyn Pane, name: Option<&str>) {
        let row = self.model.ui.place_of(pane.tab()).row;
        let stays = name.is_some() && pane.name(self.model, row).as_deref() == name;
        match name.filter(|_| !stays).and_then(|name| pane.place(self.model, name)) {
            Some(row) => self.model.ui.places.entry(pane.tab()).or_default().row = row,
            None if stays => {}
            None => self.clamp(pane),
        }
    }

    /// A list that became shorter has no row behind its end.
    fn clamp(&mut self, pane: &dyn Pane) {
        if self.model.ui.place_of(pane.tab()).row > 0 {
            let last = pane.len(self.model).saturating_sub(1);
            let place = self.model.ui.places.entry(pane.tab()).or_default();
            place.row = place.row.min(last);
        }
    }

    /// Changes what panes list: a row that was chosen stays chosen, wherever it stands then.
    fn keeping(&mut self, change: impl FnOnce(&mut Model)) {
        let following = self.panes.0.iter().filter(|pane| pane.follows());
        let chosen: Vec<_> = following.map(|pane| (*pane, self.chosen_name(*pane))).collect();
        change(self.model);
        for (pane, name) in chosen {
            self.choose(pane, name.as_deref());
        }
    }

    /// Reads again what is open and known here, if it is not asked for; what left the list stays as it was last.
    fn read_again(&mut self) {
        let here = self.model.ui.detail.as_ref().filter(|detail| detail.about.asks(&detail.id).is_none());
        let known = here.and_then(|detail| self.pane().read(self.model, detail));
        if let (Some(value), Some(detail)) = (known, &mut self.model.ui.detail) {
            detail.value = Some(value);
        }
    }
}

/// Of too many incidents, the oldest of the reason and channel with most go: a flood of one kind hides only itself.
fn shed_incidents(model: &mut Model, most: usize) {
    while model.incidents.len() > most {
        let mut kinds: HashMap<(&str, &Reason), (usize, usize)> = HashMap::new();
        for (at, brief) in model.incidents.iter().enumerate() {
            let (count, oldest) = kinds.entry((&brief.channel, &brief.reason)).or_default();
            (*count, *oldest) = (*count + 1, at);
        }
        let Some(oldest) = kinds.into_values().max().map(|(_, oldest)| oldest) else { return };
        model.incidents.remove(oldest);
    }
}
