//! All of Redis: one method a verb, each one Lua script, so that what belongs together happens together or not at all.
//!
//! May touch `redis` and `bb8`, alone in the crate. Invariants: a callback is one round trip, which it may share with others; a time-out is never
//! retried, a lost connection once; every call names its place ([`At`]), and all names in it are of that place; `names.rs` alone
//! builds names, and `names` in `lua/include` those of a product for the scripts that find it in an order. The names and scripts
//! are listed in `lua/README.md`.

mod at;
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

use futures_util::future::join_all;
use redis::Cmd;

use crate::config::{Durability, StoreConfig, StoreUrl};
use crate::domain::{Accounts, Doubt, Millis};
pub use at::At;
use at::{Node, Pipe, ToNode, Topology};
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
    topology: Topology,
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
            topology: Topology::One,
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
    async fn ask<T: redis::FromRedisValue>(&self, at: At, cmd: &Cmd) -> Result<T, StoreError> {
        debug_assert_eq!(at::misplaced(at, cmd), None, "asked of {at:?}");
        self.ask_node(self.topology.node(at), cmd).await
    }

    /// The same, of what a node knows of itself.
    async fn ask_node<T: redis::FromRedisValue>(&self, node: Node, cmd: &Cmd) -> Result<T, StoreError> {
        match self.ask_once(node, cmd).await {
            Err(StoreError::Lost(_)) => self.ask_once(node, cmd).await,
            other => other,
        }
    }

    async fn ask_once<T: redis::FromRedisValue>(&self, node: Node, cmd: &Cmd) -> Result<T, StoreError> {
        let answer = self.checkout(node).await?.run(cmd).await?;
        T::from_redis_value(answer).map_err(|_| StoreError::Damaged("an answer of another shape".to_owned()))
    }

    /// Several commands, in one write for each node that has places of theirs; each with its own answer, in their order.
    async fn ask_all(&self, pipe: Pipe) -> Result<Vec<redis::Value>, StoreError> {
        debug_assert_eq!(pipe.misplaced(), None, "in another place");
        let asked = pipe.by_node(|at| self.topology.node(at));
        // All of them end: one that is given up may have written, and nobody would know how far.
        let answers: Result<Vec<_>, StoreError> =
            join_all(asked.iter().map(|one| self.ask_of(one))).await.into_iter().collect();
        Ok(at::in_order(&asked, answers?))
    }

    async fn ask_of(&self, asked: &ToNode<Node>) -> Result<Vec<redis::Value>, StoreError> {
        match self.checkout(asked.node).await?.run_all(&asked.pipe).await {
            Err(StoreError::Lost(_)) => self.checkout(asked.node).await?.run_all(&asked.pipe).await,
            other => other,
        }
    }

    /// A link to a node; its place in the pool is given back at once, so that concurrent callers share one pipeline.
    async fn checkout(&self, node: Node) -> Result<link::Link, StoreError> {
        let pool = match node {
            Node::Only => &self.pool,
        };
        let guard = pool.get().await?;
        Ok(guard.clone())
    }

    /// A link to the node of a place.
    async fn link_to(&self, at: At) -> Result<link::Link, StoreError> {
        self.checkout(self.topology.node(at)).await
    }

    /// Runs a script that changes something. Every script may run twice: the second run finds the first one's work.
    /// With replicas configured, the answer waits until they have it, on the same connection.
    async fn run(&self, at: At, script: &Script, keys: &[&str], args: &[&[u8]]) -> Result<ScriptReply, StoreError> {
        ScriptReply::of(script, self.run_for_value(at, script, keys, args).await?)
    }

    async fn run_for_value(
        &self,
        at: At,
        script: &Script,
        keys: &[&str],
        args: &[&[u8]],
    ) -> Result<redis::Value, StoreError> {
        match self.run_once(at, script, keys, args).await {
            // Elsewhere: another instance accepted the store, as this one knows by now; nothing was written.
            Err(StoreError::Lost(_) | StoreError::Elsewhere) => self.run_once(at, script, keys, args).await,
            other => other,
        }
    }

    /// The command that runs a script, with who its place is known as where it draws.
    #[must_use]
    pub fn command(&self, at: At, script: &Script, keys: &[&str], args: &[&[u8]]) -> Cmd {
        if !script.draws {
            return script.command(keys, args);
        }
        let name = self.names.place(at);
        self.places.known_as(at, |id| script.command_at((&name, id), keys, args))
    }

    async fn run_once(
        &self,
        at: At,
        script: &Script,
        keys: &[&str],
        args: &[&[u8]],
    ) -> Result<redis::Value, StoreError> {
        let mut link = self.link_to(at).await?;
        // Behind the checkout, which may have dialled a link to a store that is not the one that was there.
        if script.draws {
            self.trusted()?;
        }
        let cmd = self.command(at, script, keys, args);
        debug_assert_eq!(at::misplaced(at, &cmd), None, "{}.lua at {at:?}", script.name);
        let answer = match self.run_on(&mut link, at, &cmd).await {
            Err(StoreError::NoScript) => {
                for script in [script, &script::FENCE] {
                    link.run(&script.load()).await?;
                }
                self.run_on(&mut link, at, &cmd).await
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
