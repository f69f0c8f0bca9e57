//! All of Redis: one method a verb, each one Lua script, so that what belongs together happens together or not at all.
//!
//! May touch `redis` and `bb8`, alone in the crate. Invariants: a callback is one round trip, which it may share with others; a time-out is never
//! retried, a lost connection once; `names.rs` alone builds names, and `names` in `lua/include` those of a product for the
//! scripts that find it in an order. The names and scripts are listed in `lua/README.md`.

pub mod audit;
mod catalog;
pub mod clock;
mod copies;
mod count;
pub mod embedded;
mod error;
mod index;
mod kept;
mod link;
mod look;
mod names;
mod notices;
mod orders;
pub mod outbox;
pub mod places;
mod preflight;
mod review;
mod ring;
mod schema;
pub mod script;
mod settle;
mod shared;
mod stock;
mod trail;

use std::sync::Arc;
use std::time::Duration;

use redis::Cmd;

use crate::config::{Durability, StoreConfig, StoreUrl};
use crate::domain::{Accounts, Doubt, Millis};
use clock::Clock;
pub use count::{CountSum, Counted, OrderLimits, Rule};
pub use error::StoreError;
pub use index::{Repeat, TradeClaim};
pub use look::Look;
pub use names::{CountName, Names};
pub use notices::Listed;
pub use orders::{NewOrder, Released, Reserved};
pub use outbox::{Event, EventKind, Lease};
use places::Places;
pub use preflight::Drift;
pub use review::{Changed, Finish, Finished, ReviewItem, Reviewed};
pub use ring::Sealing;
pub use schema::SCHEMA;
use script::{Script, ScriptReply};
pub use shared::Added;
pub use stock::{Chunk, ChunkReport};

/// The store: a few multiplexed connections to one Redis, and the clock it gives.
#[derive(Clone)]
pub struct Store {
    pool: bb8::Pool<link::Links>,
    client: redis::Client,
    /// Names of this shop's data.
    pub names: Names,
    /// Which channels are one account.
    pub accounts: Arc<Accounts>,
    /// The time scripts are given.
    pub clock: Arc<Clock>,
    copies: Arc<copies::Copies>,
    durability: Durability,
    lanes: Arc<settle::Lanes>,
    preflight: Arc<preflight::Preflight>,
    /// Whether this is the store that was there.
    pub places: Arc<Places>,
}

/// The client of a URL; a `rediss://` one believes `store.ca_file` where there is one.
fn client(url: String, config: &StoreConfig) -> Result<redis::Client, StoreError> {
    let Some(ca) = config.ca.as_ref().filter(|_| url.starts_with("rediss://")) else {
        return redis::Client::open(url).map_err(|_| {
            StoreError::Settings("store.url cannot be read: it begins with redis://, rediss:// or unix:///".to_owned())
        });
    };
    let certificates = redis::TlsCertificates { client_tls: None, root_cert: Some(ca.as_bytes().to_vec()) };
    redis::Client::build_with_tls(url, certificates).map_err(|_| {
        StoreError::Settings("store.url or store.ca_file cannot be read: it takes certificates as PEM".to_owned())
    })
}

impl Store {
    /// Connects without a memory of what the store was like before: for tools.
    ///
    /// # Errors
    /// As [`Store::attach`].
    pub async fn connect(
        config: &StoreConfig,
        socket: Option<&std::path::Path>,
        test: bool,
    ) -> Result<Self, StoreError> {
        let forgetful = Places::forgetful(Names::new(test).prefix(), config.durability == Durability::Relaxed);
        Self::attach(config, socket, test, Arc::new(forgetful)).await
    }

    /// Connects, checks Redis' settings and that it is the store that was there, loads the scripts. `socket` is the embedded
    /// server's, where there is one.
    ///
    /// # Errors
    /// A URL that cannot be used; settings under which payments could be lost; data of a newer kamid.
    pub async fn attach(
        config: &StoreConfig,
        socket: Option<&std::path::Path>,
        test: bool,
        places: Arc<Places>,
    ) -> Result<Self, StoreError> {
        let url = match (&config.url, socket) {
            (StoreUrl::Remote(url), _) => url.reveal().to_owned(),
            (StoreUrl::Embedded, Some(socket)) => format!("unix://{}", socket.display()),
            (StoreUrl::Embedded, None) => {
                return Err(StoreError::Settings("the embedded Redis is not running".to_owned()));
            }
        };
        let client = client(url, config)?;
        let timeout = Duration::from_millis(config.timeout_ms);
        let names = Names::new(test);
        let preflight = Arc::new(preflight::Preflight::new(config.durability));
        let mut links = link::Links::new(client.clone(), timeout, Arc::clone(&preflight), names, Arc::clone(&places));
        links.memory = matches!(config.url, StoreUrl::Embedded).then(|| match config.memory_mb {
            0 => embedded::memory::share(),
            mib => mib << 20,
        });
        // The first link is dialled here, so that a refused preflight has its own words instead of a pool's time-out.
        bb8::ManageConnection::connect(&links).await?;
        let pool = bb8::Pool::builder()
            .max_size(config.connections)
            .min_idle(config.connections)
            .connection_timeout(timeout)
            .max_lifetime(None)
            .idle_timeout(None)
            .test_on_check_out(true)
            .build(links)
            .await?;
        let store = Self {
            pool,
            client,
            names,
            accounts: Arc::default(),
            clock: Arc::new(Clock::default()),
            copies: Arc::new(copies::Copies::new(config)),
            durability: config.durability,
            lanes: Arc::default(),
            preflight,
            places,
        };
        store.agree_on_schema().await?;
        store.sync_clock().await?;
        if store.found_places().await? {
            tracing::warn!(
                "This data directory knows nothing of the store yet, which is in use already: whether it went back in time before now cannot be told. The directory must last."
            );
        }
        Ok(store)
    }

    /// The same store, told which channels are one account.
    #[must_use]
    pub fn of_accounts(self, accounts: Accounts) -> Self {
        Self { accounts: Arc::new(accounts), ..self }
    }

    /// Milliseconds since the epoch, by Redis' clock.
    #[must_use]
    pub fn now(&self) -> Millis {
        self.clock.now()
    }

    /// Runs a command. Retried once when the link was lost before it answered: only for what may happen twice.
    async fn ask<T: redis::FromRedisValue>(&self, cmd: &Cmd) -> Result<T, StoreError> {
        match self.ask_once(cmd).await {
            Err(StoreError::Lost(_)) => self.ask_once(cmd).await,
            other => other,
        }
    }

    async fn ask_once<T: redis::FromRedisValue>(&self, cmd: &Cmd) -> Result<T, StoreError> {
        let mut link = self.checkout().await?;
        let answer = link.run(cmd).await?;
        T::from_redis_value(answer).map_err(|_| StoreError::Damaged("an answer of another shape".to_owned()))
    }

    /// Several commands in one write, each with its own answer.
    async fn ask_all(&self, pipe: &redis::Pipeline) -> Result<Vec<redis::Value>, StoreError> {
        if pipe.is_empty() {
            return Ok(Vec::new());
        }
        let mut link = self.checkout().await?;
        match link.run_all(pipe).await {
            Err(StoreError::Lost(_)) => self.checkout().await?.run_all(pipe).await,
            other => other,
        }
    }

    /// A link of the pool; its place is given back at once, so that concurrent callers share one pipeline.
    async fn checkout(&self) -> Result<link::Link, StoreError> {
        let guard = self.pool.get().await?;
        Ok(guard.clone())
    }

    /// Runs a script that changes something. Every script may run twice: the second run finds the first one's work.
    /// With replicas configured, the answer waits until they have it, on the same connection.
    async fn run(&self, script: &Script, keys: &[&str], args: &[&[u8]]) -> Result<ScriptReply, StoreError> {
        ScriptReply::of(script, self.run_for_value(script, keys, args).await?)
    }

    async fn run_for_value(&self, script: &Script, keys: &[&str], args: &[&[u8]]) -> Result<redis::Value, StoreError> {
        match self.run_once(script, keys, args).await {
            // Elsewhere: another instance accepted the store, as this one knows by now; nothing was written.
            Err(StoreError::Lost(_) | StoreError::Elsewhere) => self.run_once(script, keys, args).await,
            other => other,
        }
    }

    /// The command that runs a script, with who its place is known as where it draws.
    #[must_use]
    pub fn command(&self, script: &Script, keys: &[&str], args: &[&[u8]]) -> Cmd {
        if !script.draws {
            return script.command(keys, args);
        }
        let place = Names::place_of(keys.first().copied().unwrap_or_default());
        let name = self.names.place_named(place);
        self.places.known_as(place, |id| script.command_at((&name, id), keys, args))
    }

    async fn run_once(&self, script: &Script, keys: &[&str], args: &[&[u8]]) -> Result<redis::Value, StoreError> {
        let mut link = self.checkout().await?;
        // Behind the checkout, which may have dialled a link to a store that is not the one that was there.
        if script.draws {
            self.trusted()?;
        }
        let (name, cmd) = (keys.first().copied().unwrap_or_default(), self.command(script, keys, args));
        let answer = match self.run_on(&mut link, name, &cmd).await {
            Err(StoreError::NoScript) => {
                for script in [script, &script::FENCE] {
                    link.run(&script.load()).await?;
                }
                self.run_on(&mut link, name, &cmd).await
            }
            other => other,
        };
        if matches!(answer, Err(StoreError::Elsewhere)) {
            self.look_elsewhere(&mut link).await?;
        }
        answer
    }

    /// Why nothing is drawn from it, if nothing is.
    #[must_use]
    pub fn doubt(&self) -> Option<Doubt> {
        self.places.doubt()
    }

    /// Whether it may be drawn from.
    ///
    /// # Errors
    /// It is not the store that was there.
    pub fn trusted(&self) -> Result<(), StoreError> {
        self.doubt().map_or(Ok(()), |doubt| Err(StoreError::Doubted(doubt)))
    }

    /// A script found another place than was known: why is looked at before anything else is asked of it.
    async fn look_elsewhere(&self, link: &mut link::Link) -> Result<(), StoreError> {
        self.places.look(link, self.names).await?;
        self.trusted()
    }
}
