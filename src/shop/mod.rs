//! The use cases, as plain async functions over the rooms below: check out, settle, deliver, keep stock, review, sweep.
//!
//! Its state is in pieces: `mirror` (what is read each second), `once` (what is said once an hour), `health` (how all was at
//! the last look), `catalog`, `board`; `loops` starts what runs by itself, and `look` is what others look at.
//!
//! Knows nothing of HTTP. Invariant: a payment becomes goods only through [`Shop::settle`], whoever brings it: a
//! gateway's callback, its answer to a query, or a person.

mod blocks;
pub mod board;
mod catalog;
mod checkout;
mod clock;
mod deliver;
mod health;
mod held;
mod limits;
mod lines;
mod look;
mod loops;
mod lost;
mod mirror;
mod news;
mod notices;
mod once;
mod operators;
mod orphans;
mod pace;
mod repeat;
mod review;
mod ring;
mod sandbox;
mod settle;
pub mod sheet;
mod site;
mod stock;
mod sweep;
mod trades;
pub mod trial;
mod trust;
mod worker;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::channel::{Channel, Channels};
use crate::config::Limits;
use crate::domain::{Currency, Millis, Reached, Reason, RedisHealth};
use crate::outbound::Outbound;
use crate::store::{Store, StoreError};
use crate::telemetry::Telemetry;
use crate::telemetry::incident::{Incident, RawRequest};
use crate::vault::{Vault, VaultError};

pub use blocks::{Block, Blocking};
pub use checkout::{Buyer, By, Created, Wanted};
pub use deliver::{Found, OrderView};
pub use lines::{ImportReport, KeyLine, Reading, read_lines};
pub use loops::Loops;
pub use notices::{Due, Message, Refused, What};
pub use operators::KnownOperator;
pub use repeat::Keyed;
pub use review::{Action, Note};
pub use sandbox::Pay;
pub use stock::ProductPatch;
pub use trust::Standing;

/// Why a use case did not happen.
#[derive(Debug, Clone, thiserror::Error)]
#[allow(missing_docs)]
pub enum ShopError {
    #[error("there is no such {0}")]
    NotFound(&'static str),
    #[error("{field}: {message}")]
    Invalid { field: &'static str, message: String },
    #[error("not enough in stock: {0} free")]
    Short(u64),
    #[error("{0}")]
    Limited(Reached),
    #[error("{0}")]
    Conflict(String),
    #[error("no new orders or keys for now: {0}; payments go on")]
    Full(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}")]
    Vault(String),
    #[error("{0}")]
    Gateway(String),
    #[error(transparent)]
    NotKeys(#[from] sheet::NotKeys),
}

/// The reason that a person gives for what cannot be undone, without its edges: it must say something.
fn given(reason: &str) -> Result<&str, ShopError> {
    let reason = reason.trim();
    if reason.is_empty() {
        return Err(ShopError::Invalid { field: "reason", message: "is missing: say why".to_owned() });
    }
    Ok(reason)
}

impl From<VaultError> for ShopError {
    fn from(error: VaultError) -> Self {
        Self::Vault(error.to_string())
    }
}

/// What the use cases work with.
pub struct Shop {
    store: Store,
    vault: Vault,
    channels: Arc<Channels>,
    limits: Limits,
    site: site::Site,
    telemetry: Arc<Telemetry>,
    outbound: Outbound,
    /// How everything was at the last look.
    health: health::Health,
    catalog: catalog::Catalog,
    /// Every product's stock, a second old.
    board: Arc<board::Board>,
    operators: mirror::Mirror<Vec<KnownOperator>>,
    blocks: mirror::Mirror<BTreeMap<IpAddr, Block>>,
    outbox: worker::Outbox,
    postbox: notices::Postbox,
    newsroom: news::Newsroom,
    /// What is not said each time.
    once: once::Once,
    /// Orders that expired, for whoever asks their gateways.
    expired: lost::Expired,
    trials: trial::Trials,
}

impl Shop {
    /// Puts the rooms together.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { store, vault, channels, outbound, limits, public_url, test, telemetry } = parts;
        Self {
            store,
            vault,
            channels,
            limits,
            site: site::Site::new(public_url, test),
            telemetry,
            outbound,
            health: health::Health::default(),
            catalog: catalog::Catalog::default(),
            board: Arc::default(),
            operators: mirror::Mirror::default(),
            blocks: mirror::Mirror::default(),
            outbox: worker::Outbox::default(),
            postbox: notices::Postbox::default(),
            newsroom: news::Newsroom::default(),
            once: once::Once::of_at_most(usize::MAX),
            expired: lost::Expired::default(),
            trials: trial::Trials::default(),
        }
    }

    /// Whether something was not said within so many ms; it is then.
    fn is_news(&self, what: &str, within: Millis) -> bool {
        self.once.is_news(what, self.store.now(), within)
    }

    /// The stock board.
    #[must_use]
    pub fn board(&self) -> Arc<board::Board> {
        Arc::clone(&self.board)
    }

    /// A configured channel.
    pub(crate) fn channel(&self, name: &str) -> Result<&Arc<dyn Channel>, ShopError> {
        self.channels.get(name).ok_or_else(|| ShopError::Invalid {
            field: "channel",
            message: format!("there is none called {name:?}; known: {}", self.channels.names()),
        })
    }

    /// The same, if an amount in that currency can be paid through it.
    pub(crate) fn channel_for(&self, name: &str, currency: Currency) -> Result<&Arc<dyn Channel>, ShopError> {
        let channel = self.channel(name)?;
        if self.channels.terms(name).is_some_and(|terms| terms.retired) {
            let message = format!("{name} is retired: new payments go through another one");
            return Err(ShopError::Invalid { field: "channel", message });
        }
        if channel.takes(currency) {
            return Ok(channel);
        }
        let message = format!(
            "{name} cannot be paid in {currency} (docs/channels.md says what each kind takes, and what it needs)"
        );
        Err(ShopError::Invalid { field: "channel", message })
    }

    /// The channels that an amount in that currency can be paid through.
    pub fn channels_for(&self, currency: Currency) -> impl Iterator<Item = &str> {
        let fits = move |name: &&str| self.channels.get(name).is_some_and(|channel| channel.takes(currency));
        self.channels.offered().filter(fits)
    }

    /// Why no new orders or keys are taken now, if so.
    #[must_use]
    pub fn full(&self) -> Option<String> {
        self.health.seen().full.clone()
    }

    /// How Redis was at the last look.
    #[must_use]
    pub fn health(&self) -> RedisHealth {
        self.health.seen().redis.clone()
    }

    /// Whether Redis answered at the last look.
    #[must_use]
    pub fn answers(&self) -> bool {
        self.health.seen().answers
    }

    /// Whether Redis answered at the last look, has its replicas, and is trusted with payments.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.answers() && self.mistrusts().is_none()
    }

    /// Whether new orders and keys are taken now.
    fn guard(&self) -> Result<(), ShopError> {
        self.store.trusted()?;
        self.health.has_room()
    }

    /// Notes an incident, unless too many requests were noted this second, and tells operators of it.
    pub fn incident(&self, note: IncidentNote<'_>) {
        let Some(incident) = self.record_incident(note) else { return };
        // What strangers can send is seen, not told; a held order is news by itself.
        if incident.request.is_none() && incident.reason != Reason::Held {
            let Incident { id, at, channel, reason, number, advice, .. } = &incident;
            self.announce(id, *at, reason, [channel, number, advice]);
        }
    }

    /// Tells that Redis cut the end of its append-only file when it started: what stood there is forgotten.
    pub fn store_was_cut(&self, file: &str, offset: u64, bytes: Option<u64>) {
        let much = bytes.map_or_else(|| "its end".to_owned(), |bytes| format!("its last {bytes} bytes"));
        let advice = format!(
            "Redis could not read the end of its file {file} and cut {much} behind byte {offset}. After a crash, less than one entry is a write that nobody was told of. More is a loss: the newest orders and payments are forgotten and keys that were sold are for sale again; stop selling, run kamid audit and kamid order reconcile, and see docs/operations.md."
        );
        tracing::error!(file, offset, bytes, "Redis cut the end of its append-only file.");
        self.incident(IncidentNote { advice: &advice, ..IncidentNote::new(Reason::AofCut) });
    }

    fn record_incident(&self, note: IncidentNote<'_>) -> Option<Incident> {
        let now = self.store.now();
        // Only what is sent to us is counted: a flood of it must not hide what we saw ourselves.
        let kind = (note.channel, &note.reason);
        if note.request.is_some() && !self.telemetry.incidents.has_room(now, kind, note.signed) {
            return None;
        }
        let incident = Incident {
            id: self.telemetry.incidents.next_id(now),
            at: now,
            channel: note.channel.to_owned(),
            reason: note.reason,
            advice: note.advice.to_owned(),
            address: note.address.to_owned(),
            number: note.number.to_owned(),
            status: note.status,
            signed: note.signed,
            request: note.request.map(RawRequest::trimmed),
        };
        self.telemetry.record(crate::telemetry::Event::Incident(Box::new(incident.clone())));
        Some(incident)
    }
}

/// What [`Shop::new`] needs.
#[allow(missing_docs)]
pub struct Parts {
    pub store: Store,
    pub vault: Vault,
    pub channels: Arc<Channels>,
    pub outbound: Outbound,
    pub limits: Limits,
    pub public_url: String,
    pub test: bool,
    pub telemetry: Arc<Telemetry>,
}

/// An incident to be.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct IncidentNote<'a> {
    pub channel: &'a str,
    pub reason: Reason,
    /// What is wrong and what to do: the reason's own, where no more is known.
    pub advice: &'a str,
    pub address: &'a str,
    pub number: &'a str,
    pub status: u16,
    /// Whether what it is about was signed by its gateway.
    pub signed: bool,
    pub request: Option<RawRequest>,
}

impl IncidentNote<'_> {
    /// A note that says of its reason what its row says.
    #[must_use]
    pub fn new(reason: Reason) -> Self {
        Self {
            channel: "",
            advice: reason.row().advice.en,
            reason,
            address: "",
            number: "",
            status: 0,
            signed: false,
            request: None,
        }
    }
}
