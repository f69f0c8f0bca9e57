//! The trade's own words, as plain values: ids, money, products, orders, payments and an HTTP request as data.
//!
//! Pure: no clock, no I/O, no async. Everything else may use this room; this room uses none.
//! Invariant: a value that exists is valid (an [`OrderId`] has 20 characters of its alphabet, [`Money`] is an integer).

pub mod account;
pub mod audit;
pub mod callback;
pub mod contact;
pub mod danger;
pub mod deed;
pub mod doubt;
pub mod health;
pub mod ids;
pub mod import;
pub mod incident;
pub mod lang;
pub mod limit;
pub mod money;
pub mod network;
pub mod notice;
pub mod operator;
pub mod order;
pub mod payment;
pub mod product;
pub mod reason;
pub mod result;
pub mod snapshot;
pub mod step;
pub mod text;
pub mod time;
pub mod trade;
pub mod trial;
pub mod wish;
pub mod words;

pub use account::{Account, Accounts};
pub use audit::{AuditReport, Progress, Violation};
pub use callback::{Call, Callback, CallbackOutcome, Reply, Response, TOKEN};
pub use danger::{Danger, Level, Trouble, danger, worst};
pub use deed::Deed;
pub use doubt::{Cause, Doubt, Missing, Standing};
pub use health::RedisHealth;
pub use ids::{AttemptNo, OrderId, PaymentNo, SLOTS, Slot};
pub use import::{ImportReport, LINES_NAMED};
pub use incident::{Incident, IncidentBrief, RawRequest};
pub use lang::{Lang, Text};
pub use limit::{Limit, Reached};
pub use money::{Currency, Money};
pub use notice::{News, NewsId, Notice, NoticeId, NoticeState, Reach, Topic};
pub use operator::{Operator, Role};
pub use order::{Attempt, HistoryLine, Opened, Order, OrderState, OrderView, Take};
pub use payment::{Due, Origin, Outcome, Payment, PaymentState, ReviewKind};
pub use product::{Allowance, Product, ProductId, ProductPatch, Stock};
pub use reason::{Reason, ReasonRow, Rejection, Severity, ShownIn};
pub use result::ActResult;
pub use step::Step;
pub use trade::Trade;
pub use trial::TrialStep;
pub use wish::{Action, Note, Pay, Wanted};

/// Milliseconds since the Unix epoch, by the store's clock.
pub type Millis = u64;
