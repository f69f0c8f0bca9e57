//! The use cases, as plain async functions over the rooms below: check out, settle, deliver, keep stock, review, sweep.
//!
//! Knows nothing of HTTP. Invariant: a payment becomes goods only through [`Shop::settle`], whoever brings it: a
//! gateway's callback, its answer to a query, or a person.

mod blocks;
pub mod board;
mod checkout;
mod clock;
mod deliver;
mod held;
mod limits;
mod lines;
mod lost;
mod news;
mod notices;
mod operators;
mod orphans;
mod pace;
mod review;
mod ring;
mod sandbox;
mod settle;
pub mod sheet;
mod stock;
pub mod sweep;
mod trades;
pub mod trial;
mod trust;
pub mod worker;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use tokio::sync::Notify;

use crate::channel::{Channel, Channels};
use crate::config::Limits;
use crate::domain::{Currency, Health, Millis, OrderId, Product, ProductId, Reach, Reached, Reason};
use crate::outbound::Outbound;
use crate::store::{Store, StoreError};
use crate::telemetry::Telemetry;
use crate::telemetry::incident::{Incident, RawRequest};
use crate::vault::{Vault, VaultError};

pub use blocks::{Block, Blocking};
pub use checkout::{Buyer, By, Created, Wanted};
pub use deliver::{Found, OrderView};
pub use lines::{ImportReport, KeyLine, Reading, read_lines};
pub use notices::{Due, Message, Refused, What};
pub use operators::KnownOperator;
pub use review::{Action, Note};
pub use sandbox::Pay;
pub use stock::ProductPatch;
pub use trust::Standing;

/// The version of a catalogue that was not read, or is not known to be the store's.
const UNREAD: u64 = u64::MAX;

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
    /// Redis.
    pub store: Store,
    /// Seals and tokens.
    pub vault: Vault,
    /// The configured channels.
    pub channels: Channels,
    /// What has a limit.
    pub limits: Limits,
    /// What buyers and gateways call.
    pub public_url: String,
    /// Test mode.
    pub test: bool,
    /// What happened.
    pub telemetry: Arc<Telemetry>,
    /// The one HTTP client.
    pub outbound: Outbound,
    /// Where our own public listener is, for the sandbox's callbacks.
    pub own_url: OnceLock<String>,
    /// Wakes the outbox worker.
    pub outbox: Notify,
    /// Wakes the senders of notices.
    pub notices: Notify,
    /// Every product's stock, a second old.
    pub board: Arc<board::Board>,
    catalog: RwLock<Arc<BTreeMap<ProductId, Product>>>,
    /// Which catalogue is in memory; [`UNREAD`]: none that is known to be the store's.
    catalog_version: AtomicU64,
    refreshing: tokio::sync::Mutex<()>,
    /// When somebody last looked for a product that was not known, and what came of it.
    looked: tokio::sync::Mutex<Option<(tokio::time::Instant, Result<(), StoreError>)>>,
    /// Held by whoever reads what the board does not know yet.
    reading: tokio::sync::Mutex<()>,
    operators: RwLock<Arc<Vec<KnownOperator>>>,
    blocks: RwLock<Arc<BTreeMap<IpAddr, Block>>>,
    sharing: tokio::sync::Mutex<()>,
    full: RwLock<Option<String>>,
    /// What was changed in Redis' settings so that payments could be lost.
    careless: RwLock<Option<String>>,
    /// The layout of the data, as last read; wakes whoever must stop for a newer one.
    schema: AtomicU64,
    outdated: Notify,
    /// Why the key ring is not this store's, if so.
    ring_fault: RwLock<Option<String>>,
    health: RwLock<Health>,
    ready: AtomicBool,
    /// The process of Redis that was seen to write.
    proved: AtomicU32,
    skew_ms: AtomicU64,
    /// How long no order expires here, seconds.
    stopped_s: AtomicU64,
    redis_us: AtomicU64,
    behind: AtomicU64,
    told: RwLock<BTreeSet<Reach>>,
    newsroom: news::Newsroom,
    /// When something was last told that is not to be told each time.
    told_at: Mutex<BTreeMap<String, Millis>>,
    /// Orders that expired, for whoever asks their gateways.
    expired: Mutex<Vec<OrderId>>,
    /// Tokens of trial callbacks under way.
    trials: Mutex<BTreeSet<String>>,
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
            public_url,
            test,
            telemetry,
            outbound,
            own_url: OnceLock::new(),
            outbox: Notify::new(),
            notices: Notify::new(),
            board: Arc::default(),
            catalog: RwLock::default(),
            catalog_version: AtomicU64::new(UNREAD),
            refreshing: tokio::sync::Mutex::default(),
            looked: tokio::sync::Mutex::default(),
            reading: tokio::sync::Mutex::default(),
            operators: RwLock::default(),
            blocks: RwLock::default(),
            sharing: tokio::sync::Mutex::default(),
            full: RwLock::new(None),
            careless: RwLock::new(None),
            schema: AtomicU64::new(0),
            outdated: Notify::new(),
            ring_fault: RwLock::new(None),
            health: RwLock::default(),
            ready: AtomicBool::new(false),
            proved: AtomicU32::new(0),
            skew_ms: AtomicU64::new(0),
            stopped_s: AtomicU64::new(0),
            redis_us: AtomicU64::new(0),
            behind: AtomicU64::new(0),
            told: RwLock::default(),
            newsroom: news::Newsroom::default(),
            told_at: Mutex::default(),
            expired: Mutex::default(),
            trials: Mutex::default(),
        }
    }

    /// Whether something was not told within so many ms; it is then.
    fn is_news(&self, what: &str, within: Millis) -> bool {
        let now = self.store.now();
        let mut told = self.told_at.lock().unwrap_or_else(PoisonError::into_inner);
        let news = told.get(what).is_none_or(|last| now.saturating_sub(*last) >= within);
        if news {
            told.insert(what.to_owned(), now);
        }
        news
    }

    /// The catalogue as this instance knows it (at most about a second old).
    #[must_use]
    pub fn catalog(&self) -> Arc<BTreeMap<ProductId, Product>> {
        Arc::clone(&self.catalog.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// One product. Before it says that there is none, it looks whether another instance has added it meanwhile.
    ///
    /// # Errors
    /// There is none of that id, or Redis does not answer.
    pub async fn product(&self, id: &str) -> Result<Product, ShopError> {
        let id: ProductId = id.parse().map_err(|_| ShopError::NotFound("product"))?;
        if let Some(known) = self.catalog().get(&id) {
            return Ok(known.clone());
        }
        self.look_again().await?;
        self.catalog().get(&id).cloned().ok_or(ShopError::NotFound("product"))
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
        self.full.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How Redis was at the last look.
    #[must_use]
    pub fn health(&self) -> Health {
        self.health.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether Redis answered at the last look.
    #[must_use]
    pub fn answers(&self) -> bool {
        self.ready.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Whether Redis answered at the last look, has its replicas, and is trusted with payments.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.answers() && self.mistrusts().is_none()
    }

    /// Whether this is test mode where others than those who try it may come: the world calls it, or a real gateway does.
    #[must_use]
    pub fn loud(&self) -> bool {
        let world = self.public_url.starts_with("https://") && !crate::config::is_local(&self.public_url);
        self.test && (world || self.channels.real().next().is_some())
    }

    fn guard(&self) -> Result<(), ShopError> {
        if let Some(doubt) = self.store.places.doubt() {
            return Err(StoreError::Doubted(doubt).into());
        }
        self.ring_fits()?;
        self.full().map_or(Ok(()), |why| Err(ShopError::Full(why)))
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
    pub channels: Channels,
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
