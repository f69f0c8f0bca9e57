//! Keys and clicks: what they change here, and what they ask to be done.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::Turn;
use crate::domain::snapshot::FILTER_BYTES;
use crate::domain::text::printable;
use crate::domain::{Action, IncidentBrief, Severity};
use crate::top::ask::{Ask, Row};
use crate::top::keys::{Command, command, number};
use crate::top::lang::word;
use crate::top::model::Effect;
use crate::top::model::prompt::Prompt;
use crate::top::model::ui::{Dialog, Hit, Intent, Name};
use crate::top::pane::Opening;
use crate::top::tab::Tab;

/// Rows of a page.
const PAGE: isize = 10;
/// Seconds of a jump in a recording.
const JUMP: i64 = 60;

impl Turn<'_> {
    /// A key that was pressed.
    pub(super) fn key(&mut self, key: &KeyEvent) {
        let plain = !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
        let leave = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
        // Where nothing can be seen, a key can only leave.
        if leave || (self.model.ui.small() && key.code == KeyCode::Char('q') && plain) {
            self.effects.push(Effect::Quit);
        } else if !self.model.ui.small() {
            self.key_seen(key, plain);
        }
    }

    fn key_seen(&mut self, key: &KeyEvent, plain: bool) {
        if self.model.ui.dialog.is_some() {
            self.key_in_dialog(key, plain);
        } else if self.model.ui.typing.is_some() {
            self.key_in_filter(key);
        } else if let Some(tab) = number(key).and_then(|number| self.panes.numbered(number)) {
            self.show(tab);
        } else if let Some(command) = command(key, &self.panes.here(self.model)) {
            self.command(command);
        }
    }

    /// What was pasted is typed, and never a command, an Enter or a yes.
    pub(super) fn paste(&mut self, text: &str) {
        if self.model.ui.small() {
            return;
        }
        let line = match &mut self.model.ui.dialog {
            Some(dialog) => dialog.line(),
            None => self.model.ui.typing.as_mut(),
        };
        if let Some(line) = line {
            line.paste(text);
        }
    }

    fn key_in_dialog(&mut self, key: &KeyEvent, plain: bool) {
        let Some(dialog) = &mut self.model.ui.dialog else { return };
        match key.code {
            KeyCode::Char('y' | 'Y') if dialog.asks() && plain => {
                self.effects.push(Effect::Ask(dialog.ask()));
                self.model.ui.dialog = None;
            }
            KeyCode::Esc => self.model.ui.dialog = None,
            _ if dialog.asks() => {
                self.model.ui.dialog = None;
                self.model.note(self.model.lang.say("nothing was done", "什么也没做"), Severity::Warning);
            }
            KeyCode::Enter => {
                if let Err(missing) = dialog.go_on() {
                    let what = format!("{}: {}", self.model.lang.say("missing", "缺少"), missing.asks(self.model.lang));
                    self.model.note(what, Severity::Alarm);
                }
            }
            _ => {
                if let Some(line) = dialog.line() {
                    line.key(key);
                }
            }
        }
    }

    fn key_in_filter(&mut self, key: &KeyEvent) {
        let Some(line) = &mut self.model.ui.typing else { return };
        match key.code {
            KeyCode::Esc => self.model.ui.typing = None,
            KeyCode::Enter => {
                let text = line.text().trim().to_owned();
                self.model.ui.typing = None;
                self.filter(text);
            }
            _ => line.key(key),
        }
    }

    fn filter(&mut self, text: String) {
        let (pane, place) = (self.pane(), self.model.ui.place_mut());
        place.filter.clone_from(&text);
        place.row = 0;
        self.effects.extend(pane.filtered(self.model, &text));
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::NextTab => self.show(self.panes.step(self.model.ui.tab, 1)),
            Command::PreviousTab => self.show(self.panes.step(self.model.ui.tab, -1)),
            Command::Up => self.go(-1),
            Command::Down => self.go(1),
            Command::PageUp => self.go(-PAGE),
            Command::PageDown => self.go(PAGE),
            Command::First => self.go(isize::MIN),
            Command::Last => self.go(isize::MAX),
            Command::Detail => self.open(),
            Command::Back => self.back(),
            Command::Help => self.model.ui.help = !self.model.ui.help,
            Command::Alarms => self.model.ui.alarms = !self.model.ui.alarms,
            Command::Filter => {
                self.model.ui.typing = Some(Prompt::new(&self.model.ui.place().filter, FILTER_BYTES, FILTER_BYTES));
            }
            Command::Sort => {
                let pane = self.pane();
                let name = self.chosen_name(pane);
                let place = self.model.ui.place_mut();
                place.sort = (place.sort + 1) % pane.sorts().max(1);
                self.choose(pane, name.as_deref());
            }
            Command::Pause => {
                self.effects.push(Effect::Hold(!self.model.ui.paused));
                if self.model.ui.paused { self.resume() } else { self.model.ui.paused = true }
            }
            Command::Quit => self.effects.push(Effect::Quit),
            Command::Group => {
                self.model.ui.grouped = !self.model.ui.grouped;
                self.model.ui.place_mut().row = 0;
            }
            Command::Zoom => self.model.ui.zoom = (self.model.ui.zoom + 1) % 3,
            Command::SeekBack => self.effects.push(Effect::Seek(-JUMP)),
            Command::SeekForward => self.effects.push(Effect::Seek(JUMP)),
            Command::FindOrder => self.find_order(),
            Command::ReplayIncident => self.incident(Ask::Replay),
            Command::Export => self.incident(Ask::Capture),
            Command::Block => self.block(),
            Command::BlockHolder => self.block_holder(),
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
        self.model.ui.tab = tab;
        self.model.ui.detail = None;
        (self.model.ui.help, self.model.ui.alarms) = (false, false);
        self.clamp(self.pane());
    }

    /// Moves the chosen row, or scrolls what is open.
    fn go(&mut self, by: isize) {
        if let Some(detail) = &mut self.model.ui.detail {
            detail.scroll = detail.scroll.saturating_add_signed(by).min(detail.last);
            return;
        }
        let last = self.pane().len(self.model).saturating_sub(1);
        let place = self.model.ui.place_mut();
        place.row = place.row.saturating_add_signed(by).min(last);
    }

    /// What keys act on: what is open, as it stands in the list now, or the chosen row.
    fn chosen(&self) -> Option<Opening> {
        let (pane, open) = (self.pane(), self.model.ui.detail.as_ref());
        match pane.marked(self.model) {
            Some(row) => pane.open(self.model, row),
            None => open.map(|open| Opening { id: open.id.clone(), about: open.about.clone() }),
        }
    }

    /// The order or payment that keys act on.
    fn chosen_row(&self) -> Option<Row> {
        self.chosen().and_then(|chosen| chosen.about.row().cloned())
    }

    /// The incident that keys act on.
    fn chosen_incident(&self) -> Option<&IncidentBrief> {
        let id = match &self.model.ui.detail {
            Some(detail) => detail.id.clone(),
            None => self.chosen()?.id,
        };
        self.model.incidents.iter().find(|brief| brief.id == id)
    }

    fn open(&mut self) {
        if let Some(Opening { id, about }) = self.chosen() {
            self.effects.extend(about.asks(&id).map(Effect::Ask));
            self.model.ui.open(&id, about);
            self.read_again();
        }
    }

    fn back(&mut self) {
        if self.model.ui.help || self.model.ui.alarms {
            (self.model.ui.help, self.model.ui.alarms) = (false, false);
        } else if self.model.ui.detail.is_some() {
            self.model.ui.detail = None;
        } else if !self.model.ui.place().filter.is_empty() {
            self.filter(String::new());
        }
    }

    /// Asks something about the chosen incident.
    fn incident(&mut self, ask: fn(String) -> Ask) {
        let id = self.chosen_incident().map(|brief| brief.id.clone());
        self.effects.extend(id.map(ask).map(Effect::Ask));
    }

    fn find_order(&mut self) {
        let number = match self.chosen_row() {
            // News end with what they are about.
            Some(row) => row.id.rsplit(':').next().map(str::to_owned),
            None => self.chosen_incident().map(|brief| brief.number.clone()),
        };
        let Some(number) = number.filter(|number| !number.is_empty()) else {
            return self.model.note(self.model.lang.say("it names no order", "其中没有订单号"), Severity::Warning);
        };
        self.show(Tab::ORDERS);
        self.filter(number);
    }

    fn block(&mut self) {
        if let Some(address) = self.chosen_incident().map(|brief| brief.address.clone()) {
            self.block_address(&address, false);
        }
    }

    /// Whoever holds much and does not pay, with his orders.
    fn block_holder(&mut self) {
        match self.model.fleet.holder().map(|holder| holder.network.clone()) {
            Some(address) => self.block_address(&address, true),
            None => {
                let what = self.model.lang.say("nobody holds many keys unpaid", "没有人占着大量未付款的卡密");
                self.model.note(what, Severity::Warning);
            }
        }
    }

    fn block_address(&mut self, address: &str, orders: bool) {
        if !address.is_empty() {
            let deed = Intent::Block(printable(address, 64), orders);
            self.model.ui.dialog = Some(Dialog::new(deed, &[(Name::Minutes, "60", false), (Name::Reason, "", false)]));
        }
    }

    /// Begins to ask about something to be done to the chosen order, or to the payment without one.
    fn deed(&mut self, action: Action, fields: &[(Name, &str, bool)]) {
        let Some(row) = self.chosen_row() else { return };
        if row.payment.is_empty() {
            let about = self.about(&row);
            self.model.ui.dialog = Some(Dialog { about, ..Dialog::new(Intent::Order(action, row.id), fields) });
        } else if action == Action::Refund {
            self.model.ui.dialog = Some(Dialog::new(Intent::Payment(row.id, row.payment, false), &[]));
        } else {
            let what = self.model.lang.say(
                "a payment without an order: refund it (u) or use it (t)",
                "没有订单的付款:退款 (u) 或用于订单 (t)",
            );
            self.model.note(what, Severity::Warning);
        }
    }

    /// An order in a line: what, how many, what was due, why it waits, whose.
    fn about(&self, row: &Row) -> String {
        let due = format!("{} {}", self.model.lang.say("due", "应付"), row.amount);
        let parts = [
            if row.quantity == 0 { row.product.clone() } else { format!("{} × {}", row.product, row.quantity) },
            if row.paid.is_empty() {
                String::new()
            } else {
                format!("{} {}", self.model.lang.say("paid", "实付"), row.paid)
            },
            if row.amount.trim().is_empty() { String::new() } else { due },
            word(self.model.lang, &row.why).to_owned(),
            row.contact.clone(),
        ];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
    }

    fn adopt(&mut self) {
        match self.chosen_row() {
            Some(row) if !row.payment.is_empty() => {
                let deed = Intent::Payment(row.id, row.payment, true);
                self.model.ui.dialog = Some(Dialog::new(deed, &[(Name::Order, "", false)]));
            }
            Some(_) => {
                let what = self.model.lang.say("this one has its order", "它已有订单");
                self.model.note(what, Severity::Warning);
            }
            None => {}
        }
    }

    pub(super) fn click(&mut self, hit: Hit) {
        if self.model.ui.dialog.is_some() || self.model.ui.typing.is_some() {
            return;
        }
        match hit {
            Hit::Tab(tab) => self.show(tab),
            Hit::Row(row) if self.model.ui.detail.is_none() => {
                if self.model.ui.place().row == row {
                    self.open();
                } else {
                    self.model.ui.place_mut().row = row;
                    self.clamp(self.pane());
                }
            }
            Hit::Row(_) => {}
        }
    }

    pub(super) fn wheel(&mut self, by: isize) {
        if self.model.ui.dialog.is_none() && !self.model.ui.small() {
            self.go(by * 3);
        }
    }
}
