//! What the operator is doing: which tab, which row, what is open.

use std::collections::BTreeMap;

use serde_json::Value;

use super::prompt::Prompt;
use crate::domain::{Action, Lang, Severity};
use crate::top::ask::{Ask, Row};
use crate::top::tab::Tab;

/// The least that anything can be shown in.
pub const LEAST: (u16, u16) = (60, 16);
/// A note stays so long, ms.
const NOTE_MS: u64 = 8000;
/// Longest text in a field.
const FIELD: usize = 200;

/// Something on the screen that can be clicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hit {
    /// A tab's title.
    Tab(Tab),
    /// A row of the tab's list.
    Row(usize),
}

/// Where one tab stands.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// The row that is chosen.
    pub row: usize,
    /// The column that rows are sorted by.
    pub sort: usize,
    /// What rows must hold.
    pub filter: String,
}

/// Where a tab stands that nobody touched.
static BEGINNING: Place = Place { row: 0, sort: 0, filter: String::new() };

/// What is open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum About {
    /// A failed callback, which stays as it was heard.
    #[default]
    Incident,
    /// An order, as its row in the list was: asked for again while it is open.
    Order(Row),
    /// A payment without an order, as its row was.
    Payment(Row),
    /// A notice, by the name of its row.
    Notice(Row),
    /// What its pane knows itself, and reads again each second.
    Live,
}

impl About {
    /// The row that it was opened from, of an order, a payment or a notice.
    #[must_use]
    pub fn row(&self) -> Option<&Row> {
        match self {
            Self::Order(row) | Self::Payment(row) | Self::Notice(row) => Some(row),
            Self::Incident | Self::Live => None,
        }
    }

    /// What is asked when the thing of that number is opened.
    #[must_use]
    pub fn asks(&self, id: &str) -> Option<Ask> {
        match self {
            Self::Incident => Some(Ask::Incident(id.to_owned())),
            Self::Order(_) => Some(Ask::Order(id.to_owned())),
            Self::Payment(_) | Self::Notice(_) | Self::Live => None,
        }
    }
}

/// What is shown of one order or incident.
#[derive(Debug, Clone, Default)]
pub struct Detail {
    /// Its number.
    pub id: String,
    /// What it is.
    pub about: About,
    /// What the daemon says of it, once it has.
    pub value: Option<Value>,
    /// Lines that are scrolled past.
    pub scroll: usize,
    /// The most that can be, as the last picture was drawn.
    pub last: usize,
}

/// A text that an action needs.
#[derive(Debug, Clone)]
pub struct Field {
    /// What it is.
    pub name: Name,
    /// What was typed so far.
    pub text: Prompt,
    /// Whether it may be empty.
    pub optional: bool,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Name {
    Reason,
    TradeNo,
    Position,
    Minutes,
    Order,
}

impl Name {
    /// What is asked for.
    #[must_use]
    pub fn asks(self, lang: Lang) -> &'static str {
        match self {
            Self::Reason => lang.say("reason", "原因"),
            Self::TradeNo => lang.say("the gateway's trade number (may be empty)", "网关交易号(可留空)"),
            Self::Position => lang.say("which key of the order, from 1", "订单中的第几个卡密(从 1 起)"),
            Self::Minutes => lang.say("minutes", "分钟数"),
            Self::Order => lang.say("order number", "订单号"),
        }
    }
}

/// What a dialog is about to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    /// Something to an order.
    Order(Action, String),
    /// Refund (or, with an order, use) a payment: its number, its trade.
    Payment(String, String, bool),
    /// Block an address; its orders too, with those that are unpaid.
    Block(String, bool),
}

/// An action that is being asked about: first its fields, then whether to do it.
#[derive(Debug, Clone)]
pub struct Dialog {
    /// What will be done.
    pub deed: Intent,
    /// What it needs.
    pub fields: Vec<Field>,
    /// What it is done to, in words.
    pub about: String,
    /// The field that is typed into; past the last one it asks for a yes.
    pub at: usize,
}

impl Dialog {
    /// One with these fields: name, what stands there already, whether it may be empty.
    #[must_use]
    pub fn new(deed: Intent, fields: &[(Name, &str, bool)]) -> Self {
        let field = |(name, text, optional): &(Name, &str, bool)| Field {
            name: *name,
            text: Prompt::new(text, FIELD, 4 * FIELD),
            optional: *optional,
        };
        Self { deed, fields: fields.iter().map(field).collect(), about: String::new(), at: 0 }
    }

    /// Whether everything was typed, and only the yes is missing.
    #[must_use]
    pub fn asks(&self) -> bool {
        self.at >= self.fields.len()
    }

    /// The line that is typed into.
    pub fn line(&mut self) -> Option<&mut Prompt> {
        self.fields.get_mut(self.at).map(|field| &mut field.text)
    }

    /// On to the next field, if this one may be left as it is.
    ///
    /// # Errors
    /// What is missing.
    pub fn go_on(&mut self) -> Result<(), Name> {
        let Some(field) = self.fields.get(self.at) else { return Ok(()) };
        let text = field.text.text().trim();
        let number = matches!(field.name, Name::Position | Name::Minutes);
        let fits = if number { text.parse::<u64>().is_ok_and(|n| n > 0) } else { field.optional || !text.is_empty() };
        if !fits {
            return Err(field.name);
        }
        self.at += 1;
        Ok(())
    }

    fn text(&self, name: Name) -> String {
        self.fields
            .iter()
            .find(|field| field.name == name)
            .map(|field| field.text.text().trim().to_owned())
            .unwrap_or_default()
    }

    /// The request it comes to.
    #[must_use]
    pub fn ask(&self) -> Ask {
        let some = |name| Some(self.text(name)).filter(|text| !text.is_empty());
        match &self.deed {
            Intent::Order(action, order) => Ask::Act {
                order: order.clone(),
                action: *action,
                reason: self.text(Name::Reason),
                trade_no: some(Name::TradeNo),
                position: some(Name::Position).and_then(|text| text.parse().ok()),
            },
            Intent::Payment(id, payment, _) => {
                Ask::Payment { id: id.clone(), payment: payment.clone(), order: some(Name::Order) }
            }
            Intent::Block(address, orders) => Ask::Block {
                orders: *orders,
                address: address.clone(),
                minutes: self.text(Name::Minutes).parse().unwrap_or(60),
                reason: self.text(Name::Reason),
            },
        }
    }
}

/// What the operator is doing.
#[derive(Debug, Clone, Default)]
pub struct Ui {
    /// The tab that is shown.
    pub tab: Tab,
    /// Where each tab stands that was touched.
    pub places: BTreeMap<Tab, Place>,
    /// A filter that is being typed.
    pub typing: Option<Prompt>,
    /// Failed callbacks by reason, channel and address.
    pub grouped: bool,
    /// How near the pictures of the overview are: 0 all that is remembered, 1 three seconds a column, 2 one.
    pub zoom: u8,
    /// The help is open.
    pub help: bool,
    /// The list of everything that is wrong is open.
    pub alarms: bool,
    /// The picture stands still.
    pub paused: bool,
    /// What is open.
    pub detail: Option<Detail>,
    /// What is being asked.
    pub dialog: Option<Dialog>,
    /// The terminal's columns and rows, where there is one.
    pub size: Option<(u16, u16)>,
    /// What was said last, how bad, when.
    pub note: Option<(String, Severity, u64)>,
}

impl Ui {
    /// Where a tab stands.
    #[must_use]
    pub fn place_of(&self, tab: Tab) -> &Place {
        self.places.get(&tab).unwrap_or(&BEGINNING)
    }

    /// Where this tab stands.
    #[must_use]
    pub fn place(&self) -> &Place {
        self.place_of(self.tab)
    }

    /// The same, to be changed.
    pub fn place_mut(&mut self) -> &mut Place {
        self.places.entry(self.tab).or_default()
    }

    /// Whether the terminal is too small for a picture: then no key means what cannot be seen.
    #[must_use]
    pub fn small(&self) -> bool {
        self.size.is_some_and(|(width, height)| width < LEAST.0 || height < LEAST.1)
    }

    /// Opens what is not known yet.
    pub fn open(&mut self, id: &str, about: About) {
        self.detail = Some(Detail { id: id.to_owned(), about, ..Detail::default() });
    }

    /// What the daemon says of what is open.
    pub fn fill(&mut self, id: &str, value: Value) {
        if let Some(detail) = self.detail.as_mut().filter(|detail| detail.id == id) {
            detail.value = Some(value);
        }
    }

    /// A note that was there long enough goes.
    pub fn forget_note(&mut self, local: u64) {
        if self.note.as_ref().is_some_and(|(_, _, since)| local > since + NOTE_MS) {
            self.note = None;
        }
    }
}
