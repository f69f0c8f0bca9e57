//! Keys and clicks: what they change here, and what they ask to be done.

use std::collections::HashMap;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde_json::json;

use super::alarm::matters;
use super::prompt::Prompt;
use super::ui::{About, Deed, Detail, Dialog, Hit, Name};
use super::{Effect, Model};
use crate::domain::snapshot::FILTER_BYTES;
use crate::domain::text::printable;
use crate::domain::{Action, Brief, Reason, Severity};
use crate::top::ask::{Ask, Row};
use crate::top::keys::{Command, Tab, command};

/// Rows of a page.
const PAGE: isize = 10;
/// Seconds of a jump in a recording.
const JUMP: i64 = 60;

impl Model {
    /// A key that was pressed.
    pub(super) fn key(&mut self, key: &KeyEvent, effects: &mut Vec<Effect>) {
        let plain = !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
        let leave = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
        // Where nothing can be seen, a key can only leave.
        if leave || (self.ui.small() && key.code == KeyCode::Char('q') && plain) {
            effects.push(Effect::Quit);
        } else if !self.ui.small() {
            self.key_seen(key, plain, effects);
        }
    }

    fn key_seen(&mut self, key: &KeyEvent, plain: bool, effects: &mut Vec<Effect>) {
        if self.ui.dialog.is_some() {
            self.key_in_dialog(key, plain, effects);
        } else if self.ui.typing.is_some() {
            self.key_in_filter(key, effects);
        } else if let Some(command) = command(key, self.ui.tab, self.may_act, self.position.is_some()) {
            self.command(command, effects);
        }
    }

    /// What was pasted is typed, and never a command, an Enter or a yes.
    pub(super) fn paste(&mut self, text: &str) {
        if self.ui.small() {
            return;
        }
        let line = match &mut self.ui.dialog {
            Some(dialog) => dialog.line(),
            None => self.ui.typing.as_mut(),
        };
        if let Some(line) = line {
            line.paste(text);
        }
    }

    fn key_in_dialog(&mut self, key: &KeyEvent, plain: bool, effects: &mut Vec<Effect>) {
        let Some(dialog) = &mut self.ui.dialog else { return };
        match key.code {
            KeyCode::Char('y' | 'Y') if dialog.asks() && plain => {
                effects.push(Effect::Ask(dialog.ask()));
                self.ui.dialog = None;
            }
            KeyCode::Esc => self.ui.dialog = None,
            _ if dialog.asks() => {
                self.ui.dialog = None;
                self.note(self.lang.say("nothing was done", "什么也没做"), Severity::Warning);
            }
            KeyCode::Enter => {
                if let Err(missing) = dialog.go_on() {
                    let what = format!("{}: {}", self.lang.say("missing", "缺少"), missing.asks(self.lang));
                    self.note(what, Severity::Alarm);
                }
            }
            _ => {
                if let Some(line) = dialog.line() {
                    line.key(key);
                }
            }
        }
    }

    fn key_in_filter(&mut self, key: &KeyEvent, effects: &mut Vec<Effect>) {
        let Some(line) = &mut self.ui.typing else { return };
        match key.code {
            KeyCode::Esc => self.ui.typing = None,
            KeyCode::Enter => {
                let text = line.text().trim().to_owned();
                self.ui.typing = None;
                self.filter(text, effects);
            }
            _ => line.key(key),
        }
    }

    fn filter(&mut self, text: String, effects: &mut Vec<Effect>) {
        let tab = self.ui.tab;
        self.ui.place_mut().filter.clone_from(&text);
        self.ui.place_mut().row = 0;
        match tab {
            Tab::Stock => effects.push(Effect::Filter(text)),
            Tab::Orders if text.is_empty() => self.found = None,
            Tab::Orders => effects.push(Effect::Ask(Ask::Search(text))),
            _ => {}
        }
    }

    fn command(&mut self, command: Command, effects: &mut Vec<Effect>) {
        match command {
            Command::Tab(tab) => self.show(tab),
            Command::NextTab => self.show(self.ui.tab.step(1)),
            Command::PreviousTab => self.show(self.ui.tab.step(-1)),
            Command::Up => self.go(-1),
            Command::Down => self.go(1),
            Command::PageUp => self.go(-PAGE),
            Command::PageDown => self.go(PAGE),
            Command::First => self.go(isize::MIN),
            Command::Last => self.go(isize::MAX),
            Command::Detail => self.open(effects),
            Command::Back => self.back(effects),
            Command::Help => self.ui.help = !self.ui.help,
            Command::Alarms => self.ui.alarms = !self.ui.alarms,
            Command::Filter => {
                self.ui.typing = Some(Prompt::new(&self.ui.place().filter, FILTER_BYTES, FILTER_BYTES));
            }
            Command::Sort => {
                let columns = super::lists::sorts(self.ui.tab, self.lang).len().max(1);
                let tab = self.ui.tab;
                self.keeping(tab, |model| {
                    let place = model.ui.place_mut();
                    place.sort = (place.sort + 1) % columns;
                });
            }
            Command::Pause => {
                effects.push(Effect::Hold(!self.ui.paused));
                if self.ui.paused { self.resume(effects) } else { self.ui.paused = true }
            }
            Command::Quit => effects.push(Effect::Quit),
            Command::Group => {
                self.ui.grouped = !self.ui.grouped;
                self.ui.place_mut().row = 0;
            }
            Command::Zoom => self.ui.zoom = (self.ui.zoom + 1) % 3,
            Command::SeekBack => effects.push(Effect::Seek(-JUMP)),
            Command::SeekForward => effects.push(Effect::Seek(JUMP)),
            Command::FindOrder => self.find_order(effects),
            Command::ReplayIncident => self.incident(effects, Ask::Replay),
            Command::Export => self.incident(effects, Ask::Capture),
            Command::Block => self.block(),
            Command::Redeliver => self.deed(Action::Redeliver, &[]),
            Command::MarkPaid => self.deed(Action::MarkPaid, &[(Name::TradeNo, "", true), (Name::Reason, "", false)]),
            Command::Replace => self.deed(Action::Replace, &[(Name::Position, "1", false), (Name::Reason, "", false)]),
            Command::Refund => self.deed(Action::Refund, &[(Name::Reason, "", false)]),
            Command::Approve => self.deed(Action::Approve, &[(Name::Reason, "", false)]),
            Command::Reject => self.deed(Action::Reject, &[(Name::Reason, "", false)]),
            Command::Adopt => self.adopt(),
            Command::Resend => self.deed(Action::Resend, &[]),
        }
    }

    fn show(&mut self, tab: Tab) {
        self.ui.tab = tab;
        self.ui.detail = None;
        (self.ui.help, self.ui.alarms) = (false, false);
        self.clamp(tab);
    }

    /// Moves the chosen row, or scrolls what is open.
    fn go(&mut self, by: isize) {
        if let Some(detail) = &mut self.ui.detail {
            detail.scroll = detail.scroll.saturating_add_signed(by).min(detail.last);
            return;
        }
        let last = self.len(self.ui.tab).saturating_sub(1);
        let place = self.ui.place_mut();
        place.row = place.row.saturating_add_signed(by).min(last);
    }

    /// Of too many incidents, the oldest of the reason and channel with most go: a flood of one kind hides only itself.
    pub(super) fn shed_incidents(&mut self, most: usize) {
        while self.incidents.len() > most {
            let mut kinds: HashMap<(&str, &Reason), (usize, usize)> = HashMap::new();
            for (at, brief) in self.incidents.iter().enumerate() {
                let (count, oldest) = kinds.entry((&brief.channel, &brief.reason)).or_default();
                (*count, *oldest) = (*count + 1, at);
            }
            let Some(oldest) = kinds.into_values().max().map(|(_, oldest)| oldest) else { return };
            self.incidents.remove(oldest);
        }
    }

    /// A list that became shorter has no row behind its end.
    pub(super) fn clamp(&mut self, tab: Tab) {
        if self.ui.places[tab as usize].row > 0 {
            let last = self.len(tab).saturating_sub(1);
            let place = &mut self.ui.places[tab as usize];
            place.row = place.row.min(last);
        }
    }

    /// What keys act on: what is open, as it stands in the list now, or the chosen row.
    fn chosen(&self) -> Option<Row> {
        let open = self.ui.detail.as_ref().and_then(Detail::row);
        match (self.marked(self.ui.tab), open) {
            (Some(row), _) => self.row_at(row),
            (None, open) => open.cloned(),
        }
    }

    /// The incident that keys act on.
    fn chosen_incident(&self) -> Option<&Brief> {
        match &self.ui.detail {
            Some(detail) => self.incidents.iter().find(|brief| brief.id == detail.id),
            None => self.failed_rows().get(self.ui.place().row).map(|row| row.brief),
        }
    }

    fn row_at(&self, row: usize) -> Option<Row> {
        match self.ui.tab {
            Tab::Orders => self.order_rows().into_iter().nth(row),
            Tab::Review => self.review_rows().get(row).map(|row| (*row).clone()),
            Tab::Notices => self.notice_rows().get(row).map(|row| Row {
                kind: row.state.as_str().to_owned(),
                id: row.order.clone(),
                product: row.product.clone(),
                contact: row.contact.clone(),
                why: row.why.clone(),
                ..Row::default()
            }),
            _ => None,
        }
    }

    fn open(&mut self, effects: &mut Vec<Effect>) {
        let row = self.ui.place().row;
        match self.ui.tab {
            Tab::Failed => return self.incident(effects, Ask::Incident),
            Tab::Orders | Tab::Review | Tab::Notices => {
                let Some(row) = self.chosen() else { return };
                let id = row.id.clone();
                let about = match self.ui.tab {
                    // News are about no order of that name.
                    Tab::Notices if id.contains(':') => About::Notice(row),
                    _ if row.payment.is_empty() => {
                        effects.push(Effect::Ask(Ask::Order(id.clone())));
                        About::Order(row)
                    }
                    _ => About::Payment(row),
                };
                self.ui.open(&id, about);
            }
            Tab::Stock => {
                let id = self.stock_rows().get(row).map(|row| row.product.clone());
                id.into_iter().for_each(|id| self.ui.open(&id, About::Product));
            }
            Tab::Instances => {
                let id = self.instance_rows().get(row).map(|(name, _)| (*name).clone());
                id.into_iter().for_each(|id| self.ui.open(&id, About::Instance));
            }
            Tab::Channels => {
                let id = self.channel_rows().get(row).map(|row| row.name.clone());
                id.into_iter().for_each(|id| self.ui.open(&id, About::Channel));
            }
            Tab::Overview => {}
        }
        self.read_again();
    }

    /// Reads again what is open and known here; what left the list stays as it was last.
    pub(super) fn read_again(&mut self) {
        let Some(Detail { id, about, .. }) = &self.ui.detail else { return };
        let told = match about {
            About::Past | About::Order(_) => None,
            About::Payment(row) => {
                let now = self.review.iter().find(|known| known.name() == row.name()).unwrap_or(row);
                Some(json!({"kind": now.kind, "number": now.id, "payment": now.payment, "amount": now.amount}))
            }
            About::Notice(_) => self.notice_rows().iter().find(|row| row.order == *id).map(|row| json!(row)),
            About::Product => self.stock.rows.get(id).map(|row| json!(row)),
            About::Instance => self.fleet.instances.get(id).map(|it| matters::detail(self, it)),
            About::Channel => self.channel_rows().iter().find(|row| row.name == *id).map(|row| {
                json!({
                    "kind": row.state.kind, "last_callback": row.state.last, "addresses": row.state.addresses,
                    "refused_by_reason_in_a_minute": row.minute.reasons,
                    "counted_since_first_heard": self.fleet.counted(&row.name),
                })
            }),
        };
        if let (Some(value), Some(detail)) = (told, &mut self.ui.detail) {
            detail.value = Some(value);
        }
    }

    fn back(&mut self, effects: &mut Vec<Effect>) {
        if self.ui.help || self.ui.alarms {
            (self.ui.help, self.ui.alarms) = (false, false);
        } else if self.ui.detail.is_some() {
            self.ui.detail = None;
        } else if !self.ui.place().filter.is_empty() {
            self.filter(String::new(), effects);
        }
    }

    /// Asks something about the chosen incident.
    fn incident(&mut self, effects: &mut Vec<Effect>, ask: fn(String) -> Ask) {
        let Some(id) = self.chosen_incident().map(|brief| brief.id.clone()) else { return };
        let ask = ask(id.clone());
        if matches!(ask, Ask::Incident(_)) {
            self.ui.open(&id, About::Past);
        }
        effects.push(Effect::Ask(ask));
    }

    fn find_order(&mut self, effects: &mut Vec<Effect>) {
        let number = match self.ui.tab {
            Tab::Failed => self.chosen_incident().map(|brief| brief.number.clone()),
            // News end with what they are about.
            _ => self.chosen().map(|row| row.id.rsplit(':').next().unwrap_or_default().to_owned()),
        };
        let Some(number) = number.filter(|number| !number.is_empty()) else {
            return self.note(self.lang.say("it names no order", "其中没有订单号"), Severity::Warning);
        };
        self.show(Tab::Orders);
        self.filter(number, effects);
    }

    fn block(&mut self) {
        // Elsewhere than among the callbacks it is about who holds much and does not pay.
        let orders = self.ui.tab != Tab::Failed;
        let address = if orders {
            self.fleet.holder().map(|holder| holder.network.clone())
        } else {
            self.chosen_incident().map(|brief| brief.address.clone())
        };
        if orders && address.is_none() {
            let what = self.lang.say("nobody holds many keys unpaid", "没有人占着大量未付款的卡密");
            return self.note(what, Severity::Warning);
        }
        if let Some(address) = address.filter(|address| !address.is_empty()) {
            let deed = Deed::Block(printable(&address, 64), orders);
            self.ui.dialog = Some(Dialog::new(deed, &[(Name::Minutes, "60", false), (Name::Reason, "", false)]));
        }
    }

    /// Begins to ask about something to be done to the chosen order, or to the payment without one.
    fn deed(&mut self, action: Action, fields: &[(Name, &str, bool)]) {
        let Some(row) = self.chosen() else { return };
        if row.payment.is_empty() {
            let about = self.about(&row);
            self.ui.dialog = Some(Dialog { about, ..Dialog::new(Deed::Order(action, row.id), fields) });
        } else if action == Action::Refund {
            self.ui.dialog = Some(Dialog::new(Deed::Payment(row.id, row.payment, false), &[]));
        } else {
            let what = self.lang.say(
                "a payment without an order: refund it (u) or use it (t)",
                "没有订单的付款:退款 (u) 或用于订单 (t)",
            );
            self.note(what, Severity::Warning);
        }
    }

    /// An order in a line: what, how many, what was due, why it waits, whose.
    fn about(&self, row: &Row) -> String {
        let due = format!("{} {}", self.lang.say("due", "应付"), row.amount);
        let parts = [
            if row.quantity == 0 { row.product.clone() } else { format!("{} × {}", row.product, row.quantity) },
            if row.paid.is_empty() {
                String::new()
            } else {
                format!("{} {}", self.lang.say("paid", "实付"), row.paid)
            },
            if row.amount.trim().is_empty() { String::new() } else { due },
            super::super::lang::word(self.lang, &row.why).to_owned(),
            row.contact.clone(),
        ];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
    }

    fn adopt(&mut self) {
        match self.chosen() {
            Some(row) if !row.payment.is_empty() => {
                let deed = Deed::Payment(row.id, row.payment, true);
                self.ui.dialog = Some(Dialog::new(deed, &[(Name::Order, "", false)]));
            }
            Some(_) => {
                let what = self.lang.say("this one has its order", "它已有订单");
                self.note(what, Severity::Warning);
            }
            None => {}
        }
    }

    pub(super) fn click(&mut self, hit: Hit, effects: &mut Vec<Effect>) {
        if self.ui.dialog.is_some() || self.ui.typing.is_some() {
            return;
        }
        match hit {
            Hit::Tab(tab) => self.show(tab),
            Hit::Row(row) if self.ui.detail.is_none() => {
                if self.ui.place().row == row {
                    self.open(effects);
                } else {
                    self.ui.place_mut().row = row;
                    self.clamp(self.ui.tab);
                }
            }
            Hit::Row(_) => {}
        }
    }

    pub(super) fn wheel(&mut self, by: isize) {
        if self.ui.dialog.is_none() && !self.ui.small() {
            self.go(by * 3);
        }
    }
}
