//! The use cases, as plain async functions over the rooms below: check out, settle, deliver, keep stock, review, sweep.
//!
//! A folder for each part of the trade: `goods` and their keys, `orders`, their `payments`, the `news` of them, the
//! `people` behind the counter, `alarms`. Its state is in pieces: `mirror` (what is read each second), `once` (what is said
//! once an hour), `health` (how all was at the last look); `loops` starts what runs by itself, `look` is what others look at.
//!
//! Knows nothing of HTTP. Invariant: a payment becomes goods only through [`Shop::settle`], whoever brings it: a
//! gateway's callback, its answer to a query, or a person.

mod alarms;
mod error;
pub mod goods;
mod health;
mod look;
mod loops;
mod mirror;
mod news;
mod once;
pub mod orders;
pub mod payments;
mod people;
mod site;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::channel::{Channel, Channels};
use crate::config::Limits;
use crate::domain::{Currency, Millis, RedisHealth};
use crate::outbound::Outbound;
use crate::store::Store;
use crate::telemetry::Telemetry;
use crate::vault::Vault;

pub use alarms::IncidentNote;
pub use error::ShopError;
use error::given;
pub use goods::lines::{KeyLine, Reading, read_lines};
pub use loops::Loops;
pub use news::notices::{BuyerMessage, DueNotice, Refused, What};
pub use orders::checkout::{Buyer, By, Created};
pub use orders::deliver::Found;
pub use orders::repeat::Keyed;
pub use people::blocks::{Block, Blocking};
pub use people::operators::KnownOperator;

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
    catalog: goods::catalog::Catalog,
    /// Every product's stock, a second old.
    board: Arc<goods::board::Board>,
    operators: mirror::Mirror<Vec<KnownOperator>>,
    blocks: mirror::Mirror<BTreeMap<IpAddr, Block>>,
    outbox: news::outbox::Outbox,
    postbox: news::notices::Postbox,
    newsroom: news::Newsroom,
    /// What is not said each time.
    once: once::Once,
    /// Orders that expired, for whoever asks their gateways.
    expired: payments::lost::Expired,
    trials: payments::trial::Trials,
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
            catalog: goods::catalog::Catalog::default(),
            board: Arc::default(),
            operators: mirror::Mirror::default(),
            blocks: mirror::Mirror::default(),
            outbox: news::outbox::Outbox::default(),
            postbox: news::notices::Postbox::default(),
            newsroom: news::Newsroom::default(),
            once: once::Once::of_at_most(usize::MAX),
            expired: payments::lost::Expired::default(),
            trials: payments::trial::Trials::default(),
        }
    }

    /// Whether something was not said within so many ms; it is then.
    fn is_news(&self, what: &str, within: Millis) -> bool {
        self.once.is_news(what, self.store.now(), within)
    }

    /// The stock board.
    #[must_use]
    pub fn board(&self) -> Arc<goods::board::Board> {
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
