//! What the dashboard asks of the admin API, as data; what each answer is to it, and the rows it makes of them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::client::{ClientError, read, resend};
use crate::domain::snapshot::NoticeRow;
use crate::domain::{Action, IncidentBrief, Millis, Note, OrderState, time};
use crate::wire::incidents::{IncidentList, IncidentSearch, ReplayReport};
use crate::wire::notices::{NoticeList, NoticeView, NoticesWish};
use crate::wire::operators::BlockWish;
use crate::wire::operators::Blocked;
use crate::wire::orders::{Acted, OrderBrief, OrderList, OrderSearch, OrderWish};
use crate::wire::payments::{Adopted, OrphanList, OrphanView, OrphanWish};
use crate::wire::shop::Info;
use crate::wire::{
    ActOnOrder, AdoptOrphan, BlockAddress, CaptureIncident, ListIncidents, ListNotices, ListOrders, ListOrphans,
    Nothing, Question, RefundOrphan, ReplayIncident, ShowIncident, ShowInfo, ShowOrder, Word,
};

/// One request. Everything that changes something is here too: nothing else of the dashboard does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Who we are, and where.
    Info,
    /// Orders by number, contact or trade number.
    Search(String),
    /// One order, whole.
    Order(String),
    /// What waits for a person.
    Review,
    /// Notices that wait or were given up.
    Notices,
    /// Failed callbacks of earlier than the stream remembers.
    Incidents,
    /// One incident, whole.
    Incident(String),
    /// The incident's capture, for a file.
    Capture(String),
    /// The incident verified again; nothing is settled.
    Replay(String),
    /// Something done to an order.
    Act {
        /// Its number.
        order: String,
        /// What.
        action: Action,
        /// Why.
        reason: String,
        /// The gateway's number, for `mark-paid`.
        trade_no: Option<String>,
        /// Place of the key, for `replace`.
        position: Option<usize>,
    },
    /// An extra or orphan payment marked as refunded, or, with an order, used for it.
    Payment {
        /// The number it was paid under.
        id: String,
        /// Channel and trade number.
        payment: String,
        /// The order to use it for.
        order: Option<String>,
    },
    /// Callbacks of an address refused for a while.
    Block {
        /// Whose.
        address: String,
        /// For how long.
        minutes: u64,
        /// Why.
        reason: String,
        /// Its orders too, and the unpaid ones taken back.
        orders: bool,
    },
}

/// What was answered.
#[derive(Debug, Clone)]
pub enum Received {
    /// Who we are, and where.
    Info(Box<Info>),
    /// Orders, and payments without one.
    Rows(Vec<Row>),
    /// Notices.
    Notices(Vec<NoticeRow>),
    /// Incidents.
    Incidents(Vec<IncidentBrief>),
    /// A thing with all that is said of it, as it came: it is shown field by field.
    Whole(Value),
    /// What would be said of a request now.
    Replayed(Box<ReplayReport>),
    /// Something was done: the word of what came of it, or an empty text.
    Done(String),
}

/// Why there is no answer.
#[derive(Debug, Clone)]
pub enum Unanswered {
    /// The daemon did not answer, or refused.
    Failed(String),
    /// It answered what this version cannot read.
    Unread(String),
}

/// Rows shown at once.
const ROWS: usize = 200;

impl Ask {
    /// The requests to make, in order; their answers belong together.
    #[must_use]
    pub fn requests(&self) -> Vec<Question> {
        let orders = |search: OrderSearch| Question::of::<ListOrders>(&(), &OrderSearch { limit: ROWS, ..search });
        vec![match self {
            Self::Info => Question::of::<ShowInfo>(&(), &Nothing),
            Self::Search(text) => orders(OrderSearch { find: Some(text.clone()), ..OrderSearch::default() }),
            Self::Order(id) => Question::of::<ShowOrder>(id, &OrderWish::default()),
            Self::Review => {
                let of = |state| orders(OrderSearch { state: Some(state), ..OrderSearch::default() });
                let orphans = Question::of::<ListOrphans>(&(), &Nothing);
                return vec![of(OrderState::Held), of(OrderState::Owed), orphans];
            }
            Self::Notices => Question::of::<ListNotices>(&(), &NoticesWish { limit: ROWS }),
            Self::Incidents => {
                Question::of::<ListIncidents>(&(), &IncidentSearch { limit: ROWS, ..IncidentSearch::default() })
            }
            Self::Incident(id) => Question::of::<ShowIncident>(id, &Nothing),
            Self::Capture(id) => Question::of::<CaptureIncident>(id, &Nothing),
            Self::Replay(id) => Question::of::<ReplayIncident>(id, &Nothing),
            Self::Act { order, action: Action::Resend, .. } => resend(order),
            Self::Act { order, action, reason, trade_no, position } => {
                let (reason, trade_no) = (reason.clone(), trade_no.clone());
                let note = Note { reason, trade_no, position: *position, gateway: false };
                Question::of::<ActOnOrder>(&(order.clone(), *action), &note)
            }
            Self::Payment { id, payment, order } => {
                let order = order.clone();
                let which = |order| OrphanWish { id: id.clone(), payment: payment.clone(), order };
                match order {
                    Some(order) => Question::of::<AdoptOrphan>(&(), &which(order)),
                    None => Question::of::<RefundOrphan>(&(), &which(String::new())),
                }
            }
            Self::Block { address, minutes, reason, orders } => {
                let (address, reason) = (address.clone(), reason.clone());
                let wish = BlockWish { address, minutes: *minutes, reason, force: false, orders: *orders };
                Question::of::<BlockAddress>(&(), &wish)
            }
        }]
    }

    /// What the answers to its requests say.
    ///
    /// # Errors
    /// They are no answers to it.
    pub fn read(&self, answers: &[Value]) -> Result<Received, ClientError> {
        let missing = || ClientError::Answer("there is none".to_owned());
        let first = || answers.first().ok_or_else(missing);
        Ok(match self {
            Self::Info => Received::Info(read(first()?)?),
            Self::Search(_) => Received::Rows(rows_of(answers, |list: Orders| list.orders)?),
            Self::Review => {
                let (orphans, orders) = answers.split_last().ok_or_else(missing)?;
                let mut rows = rows_of(orders, |list: Orders| list.orders)?;
                rows.extend(rows_of(std::slice::from_ref(orphans), |list: Orphans| list.payments)?);
                Received::Rows(rows)
            }
            Self::Notices => {
                let list: NoticeList = read(first()?)?;
                Received::Notices(list.notices.into_iter().filter_map(notice_row).collect())
            }
            Self::Incidents => Received::Incidents(read::<IncidentList>(first()?)?.incidents),
            Self::Order(_) | Self::Incident(_) | Self::Capture(_) => Received::Whole(first()?.clone()),
            Self::Replay(_) => Received::Replayed(read(first()?)?),
            Self::Act { .. } | Self::Payment { order: None, .. } => {
                Received::Done(read::<Acted>(first()?)?.result.to_string())
            }
            Self::Payment { order: Some(_), .. } => Received::Done(read::<Adopted>(first()?)?.result.to_string()),
            Self::Block { .. } => Received::Done(read::<Blocked>(first()?).map(|_| String::new())?),
        })
    }

    /// Whether it changes something.
    #[must_use]
    pub fn acts(&self) -> bool {
        matches!(self, Self::Act { .. } | Self::Payment { .. } | Self::Block { .. })
    }
}

/// An order, or a payment without one, as a list shows it. All text is foreign until it is drawn.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Row {
    /// `held`, `owed`, `extra`, `orphan`, or an order's state.
    pub kind: String,
    /// The order's number, or the one it was paid under.
    pub id: String,
    /// Channel and trade number, of a payment without an order.
    pub payment: String,
    /// Product.
    pub product: String,
    /// Keys.
    pub quantity: u64,
    /// Amount and currency.
    pub amount: String,
    /// Masked by whoever wrote it down, or the operator's to see.
    pub contact: String,
    /// What was paid, where that is not what was due.
    pub paid: String,
    /// Why it waits.
    pub why: String,
    /// Since when.
    pub since: Millis,
}

impl Row {
    /// What tells it from every other one: an order may have several payments.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {}", self.id, self.payment)
    }
}

impl From<OrderBrief> for Row {
    fn from(order: OrderBrief) -> Self {
        Self {
            kind: order.state.to_string(),
            id: order.id,
            payment: String::new(),
            product: order.product,
            quantity: order.quantity.into(),
            amount: format!("{} {}", order.amount, order.currency),
            contact: order.contact,
            paid: order.paid.flatten().unwrap_or_default(),
            why: order.why.unwrap_or_default(),
            since: order.delivered_at.or(order.paid_at).unwrap_or(order.created_at),
        }
    }
}

impl From<OrphanView> for Row {
    fn from(orphan: OrphanView) -> Self {
        Self {
            kind: orphan.kind.to_string(),
            id: orphan.id,
            payment: orphan.payment,
            amount: format!("{} {}", orphan.amount.unwrap_or_default(), orphan.currency.unwrap_or_default()),
            since: time::parse(&orphan.since).unwrap_or(0),
            ..Self::default()
        }
    }
}

/// The row of what stands in a list: one that this version cannot read is shown as far as it can, since it may be money
/// that waits.
fn row<T>(item: Word<T>) -> Row
where
    Row: From<T>,
{
    let whole = match item {
        Word::Known(known) => return Row::from(known),
        Word::Other(whole) => whole,
    };
    let text = |name: &str| whole[name].as_str().unwrap_or_default().to_owned();
    let kind = [text("kind"), text("state")].into_iter().find(|text| !text.is_empty()).unwrap_or_default();
    let why = "unreadable here".to_owned();
    Row { kind, id: text("id"), payment: text("payment"), why, ..Row::default() }
}

/// Rows of answers, each order once.
fn rows_of<L, T>(answers: &[Value], items: fn(L) -> Vec<Word<T>>) -> Result<Vec<Row>, ClientError>
where
    L: serde::de::DeserializeOwned,
    Row: From<T>,
{
    let lists = answers.iter().map(read::<L>).collect::<Result<Vec<L>, ClientError>>()?;
    let mut rows: Vec<Row> = lists.into_iter().flat_map(items).map(row).collect();
    let mut seen = std::collections::HashSet::new();
    rows.retain(|row| seen.insert((row.id.clone(), row.payment.clone())));
    Ok(rows)
}

type Orders = OrderList<Word<OrderBrief>>;
type Orphans = OrphanList<Word<OrphanView>>;

/// A notice as a list shows it; `None` where it stands in a way that is not known here.
fn notice_row(notice: NoticeView) -> Option<NoticeRow> {
    let state = *notice.state.known()?;
    let NoticeView { order, product, contact, tries, at, next, by, why, .. } = notice;
    Some(NoticeRow { order, product, contact, state, tries, at, next, by, why })
}
