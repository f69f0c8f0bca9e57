//! The composition root: what is built, started and drained, in order.
//!
//! Start: data lock → key ring and token → channels → listeners bound → Redis → shop → workers → listeners served.
//! Stop: no new connections → what is in flight is answered → workers → Redis last.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::channel::{self, Channels, SANDBOX};
use crate::config::{Config, Durability, StoreUrl};
use crate::http::{self, Around, Web};
use crate::notify::{self, Notifiers};
use crate::outbound::Outbound;
use crate::process::{self, Room, Signals};
use crate::settings::ConfigProblem;
use crate::shop::{Loops, Parts, Shop};
use crate::store::embedded::{Cut, DataLock, Embedded, EmbeddedError, make_private, warn_if_foreign};
use crate::store::places::Places;
use crate::store::{Names, Store, StoreError};
pub use crate::telemetry::log::{finish as finish_log, start as start_log};
use crate::telemetry::{Telemetry, log};
use crate::vault::{self, Vault, VaultError};

/// How long a Redis that is not ours may be away at the start.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why the daemon does not run.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum DaemonError {
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the configuration is wrong:\n{}", .0.iter().map(|p| format!("  {p}")).collect::<Vec<_>>().join("\n"))]
    Channels(Vec<ConfigProblem>),
    #[error("server.{name} = {address}: {source}; another program may listen there")]
    Listen { name: &'static str, address: SocketAddr, source: std::io::Error },
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// Where a running daemon is found: `daemon.json` in its data directory.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Whereabouts {
    /// Its process.
    pub pid: u32,
    /// Base URL of its public side.
    pub public: String,
    /// Base URL of its admin side.
    pub admin: String,
}

impl Whereabouts {
    /// Its file.
    #[must_use]
    pub fn file(data: &Path) -> PathBuf {
        data.join("daemon.json")
    }
}

/// The channels as configured; in test mode there is a `sandbox` too.
///
/// # Errors
/// What is wrong with their sections.
pub fn channels(config: &Config, vault: &Vault) -> Result<Channels, Vec<ConfigProblem>> {
    let mut channels = Channels::build(&config.channels, config.test, process::now())?;
    let name = SANDBOX.name;
    if config.test && channels.get(name).is_none() {
        channels.insert(name, &SANDBOX, channel::new_sandbox(name, &vault.sandbox_secret()));
    }
    Ok(channels)
}

/// Serves until SIGTERM, SIGHUP or Ctrl-C, then drains. `shell` is how a person calls this program for that data directory;
/// `moved` their word that its folder is no copy.
///
/// # Errors
/// Why it could not start.
pub async fn serve(mut config: Config, data: &Path, shell: &str, moved: bool) -> Result<(), DaemonError> {
    let began = Instant::now();
    // From here on a signal is not lost, however early it comes.
    let mut signals = Signals::new()?;
    make_private(data)?;
    warn_if_foreign(data);
    let _lock = DataLock::take(data)?;
    let room = fit_files(&mut config);
    let ring = Ring::load(data)?;
    let token = vault::load_token(&data.join("admin.token"))?;
    let Described { channels, outbound, notifiers } = Described::build(&config, &ring.vault, data)?;
    let public = bind("public", config.server.public).await?;
    let admin = bind("admin", config.server.admin).await?;
    let embedded = match config.store.url {
        StoreUrl::Embedded => Some(Embedded::new(data, &config.store.redis_server)?),
        StoreUrl::Remote(_) => None,
    };
    if let Some(embedded) = &embedded {
        // Before anything is started on what may be a copy.
        embedded.home("", moved)?;
    }
    let relaxed = config.store.durability == Durability::Relaxed;
    let places = Arc::new(Places::load(data, Names::new(config.test).prefix(), relaxed)?);
    let whereabouts = Whereabouts { pid: std::process::id(), public: url_of(&public)?, admin: url_of(&admin)? };
    let public_url = Some(&config.server.public_url).filter(|url| !url.ends_with(":0")).unwrap_or(&whereabouts.public);
    let (limits, test, public_url) = (config.limits.clone(), config.test, public_url.clone());
    let telemetry = Arc::new(Telemetry::new(instance_name()?, Some(data), &limits));
    let around = Around {
        channels: Arc::clone(&channels),
        limits: limits.clone(),
        telemetry: Arc::clone(&telemetry),
        notifiers,
        trusted_proxies: config.server.trusted_proxies.clone(),
        admin_token: token,
    };
    // From here on a Redis of ours may have been started: whatever fails stops it again.
    let connected = tokio::select! {
        connected = connect(&config, embedded.as_ref(), places) => connected,
        () = signals.next() => {
            tracing::info!("Stopped while waiting for Redis, which is left as it is.");
            return Ok(());
        }
    };
    let opened = match connected {
        Ok(store) => {
            let store = store.of_accounts(channels.accounts());
            let parts = |store, vault| Parts { store, vault, channels, outbound, limits, public_url, test, telemetry };
            let opening = Opening { data, embedded: embedded.as_ref(), moved, whereabouts: &whereabouts };
            opening.open(store, ring, parts, &around.notifiers).await
        }
        Err(error) => Err(error),
    };
    let (shop, started) = match (opened, &embedded) {
        (Ok(opened), _) => opened,
        (Err(error), embedded) => {
            if let Some(embedded) = embedded {
                embedded.stop_own().await;
            }
            return Err(error);
        }
    };
    let web = Arc::new(Web::new(shop, around));
    greet(&web, &whereabouts, data, began, shell);
    let shop = Arc::clone(&web.shop);
    let running = Running::start(&config, web, (public, admin, room), embedded, data, started);
    let why = until_ended(running, &shop, signals, Duration::from_secs(config.server.drain_seconds)).await;
    let _gone = std::fs::remove_file(Whereabouts::file(data));
    tracing::info!("Stopped.");
    why
}

/// Runs until a signal ends it, or a newer daemon that raised the layout, then drains.
async fn until_ended(running: Running, shop: &Shop, mut signals: Signals, drain: Duration) -> Result<(), DaemonError> {
    let why = tokio::select! {
        () = signals.next() => Ok(()),
        newer = shop.outdated() => Err(newer.into()),
    };
    leave_at_the_next(signals);
    running.drain(drain).await;
    if let Err(error) = shop.keep_places() {
        tracing::error!(%error, "How far the store got could not be written into the data directory.");
    }
    why
}

/// What opens a shop once its Redis answers.
struct Opening<'a> {
    data: &'a Path,
    embedded: Option<&'a Embedded>,
    moved: bool,
    whereabouts: &'a Whereabouts,
}

impl Opening<'_> {
    /// The shop, with what stands in Redis of its catalogue and operators, and when it opened.
    async fn open(
        self,
        store: Store,
        ring: Ring,
        parts: impl FnOnce(Store, Vault) -> Parts,
        notifiers: &Notifiers,
    ) -> Result<(Arc<Shop>, u64), DaemonError> {
        if let Some(embedded) = self.embedded {
            settle_in(embedded, &store, self.moved).await?;
        }
        if let Some(doubt) = store.doubt() {
            tracing::error!(
                "Nothing is drawn: {doubt}. Bring the right store back, or accept this one: kamid store accept."
            );
        }
        let vault = ring.fitted(&store).await?;
        let started = store.now();
        let shop = Arc::new(Shop::new(parts(store, vault)));
        shop.reaches(notifiers.reaches());
        shop.listeners(notifiers.listeners());
        shop.listens_at(&self.whereabouts.public);
        shop.refresh_catalog().await?;
        shop.list_operators().await?;
        shop.list_blocks().await?;
        std::fs::write(Whereabouts::file(self.data), serde_json::to_vec(self.whereabouts).unwrap_or_default())?;
        Ok((shop, started))
    }
}

/// The key ring of a data directory, until it is known to be the store's.
struct Ring {
    vault: Vault,
    file: PathBuf,
    /// It was made just now.
    new: bool,
}

impl Ring {
    fn load(data: &Path) -> Result<Self, VaultError> {
        let file = data.join("ring.json");
        let new = !file.exists() && std::env::var_os("KAMID_RING").is_none();
        Ok(Self { vault: Vault::load(&file)?, file, new })
    }

    /// Its keys, of which the one that the store says is sealed under from now on.
    async fn fitted(self, store: &Store) -> Result<Vault, StoreError> {
        let sealing = store.check_ring(&self.vault).await;
        // Refused for certain, not merely unanswered: otherwise its mark may stand in Redis already, and it must be kept.
        if self.new && matches!(sealing, Err(StoreError::Ring(_))) {
            // Nothing was sealed with it: left behind, it would pass for the right one.
            let _gone = std::fs::remove_file(&self.file);
        }
        let vault = self.vault;
        vault.seal_from_now(sealing?.key(&vault, store.now()).unwrap_or_else(|| vault.active()));
        Ok(vault)
    }
}

/// What the configuration describes beside the daemon itself.
struct Described {
    channels: Arc<Channels>,
    outbound: Outbound,
    notifiers: Notifiers,
}

impl Described {
    /// Builds it, and says what could be better.
    fn build(config: &Config, vault: &Vault, data: &Path) -> Result<Self, DaemonError> {
        let channels = channels(config, vault).map_err(DaemonError::Channels)?;
        let outbound = Outbound::build(&config.outbound).map_err(|problem| DaemonError::Channels(vec![problem]))?;
        let (notifiers, warnings) =
            Notifiers::build(&config.notify, &outbound, data, config.test).map_err(DaemonError::Channels)?;
        for warning in channels.warnings.iter().chain(&warnings) {
            tracing::warn!(problem = %warning, "The configuration could be better.");
        }
        Ok(Self { channels: Arc::new(channels), outbound, notifiers })
    }
}

async fn bind(name: &'static str, address: SocketAddr) -> Result<TcpListener, DaemonError> {
    TcpListener::bind(address).await.map_err(|source| DaemonError::Listen { name, address, source })
}

fn url_of(listener: &TcpListener) -> std::io::Result<String> {
    let mut address = listener.local_addr()?;
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    Ok(format!("http://{address}"))
}

fn instance_name() -> Result<String, VaultError> {
    Ok(format!("{:08x}", (vault::chance()? >> 96) as u32))
}

/// Starts or attaches to the embedded Redis and connects; a frozen or loading one is waited for, however long.
async fn connect(config: &Config, embedded: Option<&Embedded>, places: Arc<Places>) -> Result<Store, DaemonError> {
    let socket = embedded.map(Embedded::socket);
    let fresh = match embedded {
        Some(embedded) => embedded.start()?,
        None => false,
    };
    let began = Instant::now();
    let mut said = false;
    loop {
        let error = match Store::attach(&config.store, socket.as_deref(), config.test, Arc::clone(&places)).await {
            Ok(store) => return Ok(store),
            Err(error) if error.retry() => error,
            Err(error) => return Err(error.into()),
        };
        match embedded {
            Some(embedded) if !embedded.alive()? => {
                if fresh {
                    return Err(embedded.diagnosis().into());
                }
                embedded.start()?;
            }
            Some(embedded) => embedded.recall(),
            None if began.elapsed() > PATIENCE => return Err(error.into()),
            None => {}
        }
        if began.elapsed() > Duration::from_secs(2) && !said {
            said = true;
            tracing::warn!(%error, "Waiting for Redis.");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The mark of home in Redis, which a folder without one of its own may have brought along; both are written where they differ.
async fn settle_in(embedded: &Embedded, store: &Store, moved: bool) -> Result<(), DaemonError> {
    let in_redis = store.home().await?;
    let place = match embedded.home(&in_redis, moved) {
        Ok(place) => place,
        Err(error) => {
            // Also one that was found running: nothing may go on writing a copy.
            embedded.stop(None).await;
            return Err(error.into());
        }
    };
    if let Some(was) = place.was {
        tracing::warn!(%was, is = %place.mark, "Moved: this is the shop from now on. The folder that it was copied from must never be started again.");
    } else if moved && !in_redis.is_empty() {
        tracing::warn!(
            "--moved (KAMID_MOVED) says that the data folder was moved, and it was not. Leave it out: with it a copy would start unasked."
        );
    }
    if !place.certain {
        tracing::warn!(
            "This file system has no id that lasts: whether the data folder is a copy is told by its inode and birth time only."
        );
    }
    if place.mark != in_redis {
        store.put_home(&place.mark).await?;
    }
    Ok(embedded.mark_home(&place.mark)?)
}

/// What runs, and what stops it.
struct Running {
    listeners: JoinSet<()>,
    workers: JoinSet<()>,
    stop_listening: watch::Sender<bool>,
    stop_working: watch::Sender<bool>,
    embedded: Option<Embedded>,
    shop: Arc<Shop>,
}

impl Running {
    fn start(
        config: &Config,
        web: Arc<Web>,
        (public, admin, room): (TcpListener, TcpListener, Room),
        embedded: Option<Embedded>,
        data: &Path,
        started: u64,
    ) -> Self {
        let (stop_listening, listening) = watch::channel(false);
        let (stop_working, working) = watch::channel(false);
        let shop = Arc::clone(&web.shop);
        let drain = Duration::from_secs(config.server.drain_seconds);
        let mut workers = JoinSet::new();
        if let Some(embedded) = embedded.clone() {
            let asked = Arc::clone(&shop);
            let hears = Arc::clone(&shop);
            let cut = move |cut: Cut| hears.store_was_cut(&cut.file, cut.offset, cut.bytes);
            workers.spawn(embedded.supervise(working.clone(), move || asked.answers(), cut));
        }
        let disk = embedded.is_some().then(|| data.to_owned());
        let soon_minutes = config.top.empty_minutes;
        shop.start(&mut workers, Loops { started, disk, soon_minutes }, &working);
        if !web.notifiers.is_empty() {
            workers.spawn(notify::run(Arc::clone(&shop), web.notifiers.clone(), working.clone()));
        }
        workers.spawn(forget_addresses(Arc::clone(&web), working));
        let mut listeners = JoinSet::new();
        listeners.spawn(http::serve_public(public, Arc::clone(&web), listening.clone(), drain));
        let routes = http::admin_routes(web, listening.clone());
        listeners.spawn(http::serve_admin(admin, routes, room.admin, listening, drain));
        Self { listeners, workers, stop_listening, stop_working, embedded, shop }
    }

    async fn drain(mut self, patience: Duration) {
        tracing::info!("Stopping: no new connections, what is in flight is answered.");
        let _nobody = self.stop_listening.send(true);
        let limit = patience + Duration::from_secs(1);
        let _late = tokio::time::timeout(limit, async { while self.listeners.join_next().await.is_some() {} }).await;
        let process = match &self.embedded {
            Some(_) => self.shop.redis_process().await,
            None => None,
        };
        let _nobody = self.stop_working.send(true);
        let _late =
            tokio::time::timeout(Duration::from_secs(5), async { while self.workers.join_next().await.is_some() {} })
                .await;
        if let Some(embedded) = &self.embedded {
            // Never one that was known earlier: it may have ended, and its number be another's.
            embedded.stop(process).await;
        }
    }
}

async fn forget_addresses(web: Arc<Web>, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(60)) => web.limiter.sweep(),
            _ = stop.changed() => return,
        }
    }
}

/// One more ends the drain.
fn leave_at_the_next(mut signals: Signals) {
    tokio::spawn(async move {
        signals.next_in_haste().await;
        tracing::warn!("A second signal: leaving at once. Redis stays up, the next start attaches to it.");
        log::finish();
        std::process::exit(130);
    });
}

/// Every connection is a file: no more of them are taken than may be open, and that is told.
fn fit_files(config: &mut Config) -> Room {
    let limits = &mut config.limits;
    let room = Room::make(limits.connections);
    if room.public < limits.connections {
        let (files, wanted, taken) = (room.files.unwrap_or_default(), limits.connections, room.public);
        tracing::warn!(
            files,
            wanted,
            taken,
            "limits.connections does not fit the open files that this process may have: fewer connections are taken. Raise its limit (ulimit -n, LimitNOFILE) or lower the setting."
        );
        limits.connections = room.public;
        limits.connections_per_address = limits.connections_per_address.min((room.public / 8).max(8));
    }
    room
}

/// What is listening where, and what to try next: a person reads a text, a pipe gets a line of the log.
fn greet(web: &Web, at: &Whereabouts, data: &Path, began: Instant, shell: &str) {
    let (shop, took_ms) = (&web.shop, began.elapsed().as_millis() as u64);
    if shop.loud() {
        let gateways = web.channels.real().collect::<Vec<_>>().join(", ");
        tracing::warn!(%gateways, public_url = %shop.public_url(), "TEST MODE, and the world or a real gateway is let in: orders and stock are apart from the live ones, and every page says so. `[test] mode = false` goes live.");
    }
    if !std::io::stderr().is_terminal() {
        let instance = &web.telemetry.instance;
        tracing::info!(public = %at.public, admin = %at.admin, test = shop.is_test(), took_ms, %instance, "Listening.");
        return;
    }
    let mode = match (shop.loud(), shop.is_test()) {
        (true, _) => "TEST MODE, where real buyers or a real gateway may come: orders do not count",
        (_, true) => "TEST MODE: no real money",
        _ => "LIVE",
    };
    let channels: Vec<String> = web.channels.list().map(|(name, kind)| format!("{name} ({kind})")).collect();
    let next = if shop.is_test() {
        "product add demo --price 9.90\nkeys import demo keys.txt\norder new demo --contact me@example.com --channel sandbox\norder pay <ID>"
    } else {
        "channel list\nproduct list\nkeys stock\nincident list"
    };
    let next: String = next.lines().map(|line| format!("    {shell} {line}\n")).collect();
    let text = format!(
        "\n  kamid {}   {mode}   ready after {took_ms} ms\n\n  buyers, gateways   {}\n  operators          {}   (token: admin.token below)\n  data               {}\n  channels           {}\n\n  Try next, in another terminal:\n{next}\n  Ctrl-C stops in order.\n\n",
        env!("CARGO_PKG_VERSION"),
        at.public,
        at.admin,
        data.display(),
        channels.join(", "),
    );
    log::say(&text);
}
