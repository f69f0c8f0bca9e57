//! `config.toml` as checked values. The file in the repository is compiled in: its values are the defaults.
//!
//! Knows no module's insides: a channel's section is handed on as it is.

mod share;

mod live;

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use ipnet::IpNet;

use crate::settings::{Problem, Secret, Section, is_url};

pub use share::Share;

/// The complete, commented default configuration.
pub const DEFAULT: &str = include_str!("../config.toml");

/// Everything that can be set, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Listeners.
    pub server: Server,
    /// Redis.
    pub store: StoreConfig,
    /// How gateways and providers are reached.
    pub outbound: OutboundConfig,
    /// What has a limit.
    pub limits: Limits,
    /// Test mode: data apart from the live data, and a sandbox channel.
    pub test: bool,
    /// When the dashboard calls something an alarm.
    pub top: Top,
    /// The notifiers' sections by name; each kind reads its own.
    pub notify: Vec<(String, Section)>,
    /// The channels' sections by name; each kind reads its own.
    pub channels: Vec<(String, Section)>,
}

/// `[server]`
#[derive(Debug, Clone)]
pub struct Server {
    /// Buyers and gateways.
    pub public: SocketAddr,
    /// Operators.
    pub admin: SocketAddr,
    /// What buyers and gateways call, without a slash at the end.
    pub public_url: String,
    /// Peers whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Seconds a stop waits for what is in flight.
    pub drain_seconds: u64,
}

/// Whether a power cut may take back what was acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// `appendfsync always`: it may not.
    Strict,
    /// It may.
    Relaxed,
}

impl std::str::FromStr for Durability {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "strict" => Ok(Self::Strict),
            "relaxed" => Ok(Self::Relaxed),
            _ => Err(()),
        }
    }
}

/// Where Redis is.
#[derive(Debug, Clone)]
pub enum StoreUrl {
    /// A `redis-server` of our own.
    Embedded,
    /// One that runs already; the URL may hold a password.
    Remote(Secret),
}

/// `[store]`
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// Where Redis is.
    pub url: StoreUrl,
    /// The program that `embedded` starts.
    pub redis_server: String,
    /// MiB that an embedded Redis may take; 0: half of what there is.
    pub memory_mb: u64,
    /// What an acknowledgement promises.
    pub durability: Durability,
    /// Replicas that must have each payment before it is acknowledged.
    pub replicas: u32,
    /// Multiplexed connections.
    pub connections: u32,
    /// How long Redis may take to answer.
    pub timeout_ms: u64,
    /// Certificates (PEM) that a `rediss://` server's must come from, instead of the well-known ones.
    pub ca: Option<Secret>,
}

/// `[outbound]`
#[derive(Debug, Clone, Default)]
pub struct OutboundConfig {
    /// What everything is sent through; the URL may hold a password.
    pub proxy: Option<Secret>,
    /// Hosts and networks that are reached without it.
    pub direct: Vec<String>,
    /// Certificates (PEM) that are believed beside the well-known ones.
    pub ca: Option<String>,
}

/// `[top]`: when the dashboard calls something an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Top {
    /// Refused callbacks of one channel for one reason, in a minute.
    pub rejected_per_minute: u64,
    /// A product that will be empty within so many minutes.
    pub empty_minutes: u64,
    /// p99 of a minute's callbacks, in ms.
    pub slow_ms: u64,
    /// Seconds after which an instance that is not heard counts as lost.
    pub lost_seconds: u64,
    /// Products whose stock is asked for: those in most danger.
    pub products: usize,
}

impl Default for Top {
    fn default() -> Self {
        Self { rejected_per_minute: 10, empty_minutes: 60, slow_ms: 1000, lost_seconds: 5, products: 200 }
    }
}

/// `[limits]`; the reasons stand beside the defaults in `config.toml`.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Limits {
    pub connections: usize,
    pub connections_per_address: usize,
    pub body_bytes: usize,
    pub query_bytes: usize,
    pub headers: usize,
    pub read_seconds: u64,
    pub orders_per_minute: u32,
    pub lookups_per_minute: u32,
    pub rejected_per_minute: u32,
    pub unpaid_per_address: u32,
    pub unpaid_per_contact: u32,
    pub unpaid_keys_per_contact: u32,
    pub unpaid_keys_per_address: Share,
    pub unpaid_keys_per_64: Share,
    pub unpaid_keys_per_48: Share,
    pub unpaid_keys_per_order: Share,
    pub unpaid_alarm_keys: u64,
    /// Networks that no limit on unpaid orders concerns.
    pub bulk_from: Vec<IpNet>,
    pub order_quantity: u32,
    pub order_attempts: u16,
    pub contact_bytes: usize,
    pub key_bytes: usize,
    pub import_bytes: usize,
    pub memory_percent: u64,
    pub disk_free_bytes: u64,
    pub keep_expired_hours: u64,
    pub keep_expired_orders: u64,
    pub outbox_hours: u64,
    pub incidents: usize,
    pub incident_file_bytes: u64,
    pub incidents_per_second: u32,
    pub stream_clients: usize,
    /// Questions a second to one channel's gateway about orders whose callback may be lost.
    pub asks_per_second: u32,
}

/// Why a configuration cannot be read. A new one is offered only where none is written over.
pub fn unread(path: &Path, error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => {
            format!("there is no such file; `kamid config default > {}` writes one", path.display())
        }
        std::io::ErrorKind::InvalidData => "cannot be read: it is not UTF-8 (save it as UTF-8)".to_owned(),
        _ => format!("cannot be read ({error})"),
    }
}

impl Config {
    /// The defaults.
    ///
    /// # Errors
    /// None in practice: a test reads the compiled-in file.
    pub fn defaults() -> Result<Self, Vec<Problem>> {
        Self::parse("", Path::new(""))
    }

    /// Reads a file; files named inside are relative to its folder.
    ///
    /// # Errors
    /// All problems at once.
    pub fn load(path: &Path) -> Result<(Self, Vec<Problem>), Vec<Problem>> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            vec![Problem {
                path: path.display().to_string(),
                line: None,
                message: unread(path, &error),
                warning: false,
            }]
        })?;
        let base = path.parent().map_or_else(PathBuf::new, Path::to_path_buf);
        let mut problems = Vec::new();
        let config = read(&text, &base, &mut problems);
        match config {
            Some(config) if problems.iter().all(|problem| problem.warning) => Ok((config, problems)),
            _ => Err(problems),
        }
    }

    /// Reads a text over the defaults.
    ///
    /// # Errors
    /// All problems at once; warnings alone are none.
    pub fn parse(text: &str, base: &Path) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        match read(text, base, &mut problems) {
            Some(config) if problems.iter().all(|problem| problem.warning) => Ok(config),
            _ => Err(problems),
        }
    }
}

fn read(text: &str, base: &Path, problems: &mut Vec<Problem>) -> Option<Config> {
    let defaults = Section::from_toml(DEFAULT, Path::new(""), problems);
    let given = Section::from_toml(text, base, problems);
    let mut section = |name: &str| {
        let fallback = defaults.section(name, problems);
        given.section(name, problems).with_defaults(fallback)
    };
    let (server, store, limits, test) = (section("server"), section("store"), section("limits"), section("test"));
    let (top, outbound) = (section("top"), section("outbound"));
    let channels = given.section("channel", problems).sections(problems);
    let notify = given.section("notify", problems).sections(problems);
    for (name, _) in channels.iter().chain(&notify) {
        if !is_name(name) {
            given.reject(
                "channel",
                format!("{name:?} is no name for a channel or a notifier: 1 to 32 of a-z, 0-9, - and _"),
                problems,
            );
        }
    }
    let listeners = server.clone();
    let server = read_server(&server, problems);
    let store = read_store(&store, problems);
    let outbound = read_outbound(&outbound, problems);
    let limits = read_limits(&limits, problems);
    let top = read_top(&top, problems);
    let mode = test.flag("mode", problems);
    test.finish(&["mode"], problems);
    if mode == Some(true)
        && let Some(server) =
            server.as_ref().filter(|s| s.public_url.starts_with("https://") && !is_local(&s.public_url))
    {
        let message = format!(
            "is true, and the world calls {}: no order counts, and every page says so. false goes live",
            server.public_url
        );
        test.warn("mode", message, problems);
    }
    if mode == Some(false) {
        live::warn(&listeners, server.as_ref(), channels.is_empty(), problems);
    }
    given.finish(&["server", "store", "outbound", "limits", "test", "top", "channel", "notify"], problems);
    Some(Config { server: server?, store: store?, outbound, limits, test: mode?, top: top?, channels, notify })
}

/// Whether a channel or a notifier may be called so.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    (1..=32).contains(&name.len()) && name.bytes().all(fits) && name != "manual"
}

/// Whether an address is this machine's own.
#[must_use]
pub fn is_local(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, host)| host);
    ["127.", "localhost", "0.0.0.0", "[::1]"].iter().any(|own| host.starts_with(own))
}

fn read_server(s: &Section, problems: &mut Vec<Problem>) -> Option<Server> {
    let public = s.parsed("public", "an address with its port, such as 127.0.0.1:8080", problems);
    let admin = s.parsed("admin", "an address with its port, such as 127.0.0.1:9180", problems);
    let url = s.text("public_url", problems).map(|url| url.trim_end_matches('/').to_owned());
    if let Some(url) = &url
        && (!is_url(url) || url.contains(['?', '#']))
    {
        s.reject("public_url", "must be http(s)://host without a query: a gateway would sign what follows", problems);
    }
    let trusted_proxies = s.networks("trusted_proxies", "10.0.0.0/8", problems);
    let drain_seconds = s.whole("drain_seconds", 0..=300, problems);
    s.finish(&["public", "admin", "public_url", "trusted_proxies", "drain_seconds"], problems);
    let (public, admin): (SocketAddr, SocketAddr) = (public?, admin?);
    if public == admin && public.port() != 0 {
        s.reject("admin", "is the public address too: give each its own port", problems);
    }
    Some(Server {
        public,
        admin,
        public_url: url.unwrap_or_else(|| format!("http://{public}")),
        trusted_proxies,
        drain_seconds: drain_seconds?,
    })
}

fn read_store(s: &Section, problems: &mut Vec<Problem>) -> Option<StoreConfig> {
    let url = s.secret("url", problems).filter(|url| {
        // A bare address is no secret; the warning is for one with a password.
        if !url.reveal().contains('@') {
            problems.retain(|problem| !(problem.warning && problem.path == "store.url"));
        }
        let known = ["embedded", "redis://", "rediss://", "unix://"];
        let fits = known.iter().any(|start| url.reveal().starts_with(start));
        if !fits {
            s.reject("url", "must be \"embedded\" or begin with redis://, rediss:// or unix://", problems);
        }
        fits
    });
    let redis_server = s.prose("redis_server", problems);
    let memory_mb = s.whole("memory_mb", 0..=16_777_216, problems);
    let durability = s.parsed("durability", "\"strict\" or \"relaxed\"", problems);
    let replicas = s.whole("replicas", 0..=16, problems);
    let connections = s.whole("connections", 1..=8, problems);
    let timeout_ms = s.whole("timeout_ms", 50..=60_000, problems);
    let ca = s.secret("ca", problems);
    let known = [
        "url",
        "url_file",
        "url_env",
        "redis_server",
        "memory_mb",
        "durability",
        "replicas",
        "connections",
        "timeout_ms",
        "ca_file",
    ];
    s.finish(&known, problems);
    let url = url?;
    Some(StoreConfig {
        url: if url.reveal() == "embedded" { StoreUrl::Embedded } else { StoreUrl::Remote(url) },
        redis_server: redis_server?,
        memory_mb: memory_mb?,
        durability: durability?,
        replicas: replicas?,
        connections: connections?,
        timeout_ms: timeout_ms?,
        ca,
    })
}

fn read_outbound(s: &Section, problems: &mut Vec<Problem>) -> OutboundConfig {
    let proxy = s.secret("proxy", problems).filter(|proxy| !proxy.reveal().is_empty());
    let fits = |proxy: &&Secret| ["http://", "https://"].iter().any(|start| proxy.reveal().starts_with(start));
    if proxy.as_ref().is_some_and(|proxy| !fits(&proxy)) {
        s.reject("proxy", "must be http://host:port or https://host:port", problems);
    }
    // A bare address is no secret; the warning is for one with a password.
    if proxy.as_ref().is_none_or(|proxy| !proxy.reveal().contains('@')) {
        problems.retain(|problem| !(problem.warning && problem.path == "outbound.proxy"));
    }
    let direct = s.hosts("direct", "10.0.0.0/8", problems);
    let ca = s.file("ca_file", 1 << 20, problems);
    s.finish(&["proxy", "proxy_file", "proxy_env", "direct", "ca_file"], problems);
    OutboundConfig { proxy, direct, ca }
}

fn read_top(s: &Section, problems: &mut Vec<Problem>) -> Option<Top> {
    let rejected_per_minute = s.whole("rejected_per_minute", 1..=1_000_000, problems);
    let empty_minutes = s.whole("empty_minutes", 0..=100_000, problems);
    let slow_ms = s.whole("slow_ms", 1..=60_000, problems);
    let lost_seconds = s.whole("lost_seconds", 3..=600, problems);
    let products = s.whole("products", 1..=1000, problems);
    s.finish(&["rejected_per_minute", "empty_minutes", "slow_ms", "lost_seconds", "products"], problems);
    Some(Top {
        rejected_per_minute: rejected_per_minute?,
        empty_minutes: empty_minutes?,
        slow_ms: slow_ms?,
        lost_seconds: lost_seconds?,
        products: products?,
    })
}

/// Reads `[limits]`, and knows then which settings there are.
struct LimitReader<'a> {
    section: &'a Section,
    problems: &'a mut Vec<Problem>,
    known: Vec<&'static str>,
}

impl LimitReader<'_> {
    /// Zero stands in for what could not be read, so that the other problems are found too; the configuration is refused.
    fn number(&mut self, key: &'static str, range: RangeInclusive<i64>) -> usize {
        self.known.push(key);
        self.section.whole::<i64>(key, range, self.problems).and_then(|n| usize::try_from(n).ok()).unwrap_or(0)
    }

    fn share(&mut self, key: &'static str) -> Share {
        self.known.push(key);
        let wanted = "a number of keys, or a share of the pool such as \"20%\"";
        self.section.parsed(key, wanted, self.problems).unwrap_or(Share::Keys(0))
    }

    fn networks(&mut self, key: &'static str) -> Vec<IpNet> {
        self.known.push(key);
        self.section.networks(key, "203.0.113.0/24", self.problems)
    }
}

fn read_limits(s: &Section, problems: &mut Vec<Problem>) -> Limits {
    let mut read = LimitReader { section: s, problems, known: Vec::new() };
    let limits = Limits {
        connections: read.number("connections", 1..=1_000_000),
        connections_per_address: read.number("connections_per_address", 1..=1_000_000),
        body_bytes: read.number("body_bytes", 1024..=1_048_576),
        query_bytes: read.number("query_bytes", 256..=65_536),
        headers: read.number("headers", 16..=256),
        read_seconds: read.number("read_seconds", 1..=60) as u64,
        orders_per_minute: read.number("orders_per_minute", 1..=1_000_000) as u32,
        lookups_per_minute: read.number("lookups_per_minute", 1..=1_000_000) as u32,
        rejected_per_minute: read.number("rejected_per_minute", 1..=1_000_000) as u32,
        unpaid_per_address: read.number("unpaid_per_address", 1..=1_000_000) as u32,
        unpaid_per_contact: read.number("unpaid_per_contact", 1..=1_000_000) as u32,
        unpaid_keys_per_contact: read.number("unpaid_keys_per_contact", 1..=1_000_000) as u32,
        unpaid_keys_per_address: read.share("unpaid_keys_per_address"),
        unpaid_keys_per_64: read.share("unpaid_keys_per_64"),
        unpaid_keys_per_48: read.share("unpaid_keys_per_48"),
        unpaid_keys_per_order: read.share("unpaid_keys_per_order"),
        unpaid_alarm_keys: read.number("unpaid_alarm_keys", 1..=1_000_000_000) as u64,
        bulk_from: read.networks("bulk_from"),
        order_quantity: read.number("order_quantity", 1..=100_000) as u32,
        order_attempts: read.number("order_attempts", 1..=1_000) as u16,
        contact_bytes: read.number("contact_bytes", 8..=1024),
        key_bytes: read.number("key_bytes", 1..=65_536),
        import_bytes: read.number("import_bytes", 65_536..=67_108_864),
        memory_percent: read.number("memory_percent", 10..=99) as u64,
        disk_free_bytes: read.number("disk_free_bytes", 0..=i64::MAX) as u64,
        keep_expired_hours: read.number("keep_expired_hours", 25..=8760) as u64,
        keep_expired_orders: read.number("keep_expired_orders", 100..=1_000_000_000) as u64,
        outbox_hours: read.number("outbox_hours", 1..=720) as u64,
        incidents: read.number("incidents", 1..=100_000),
        incident_file_bytes: read.number("incident_file_bytes", 65_536..=i64::MAX) as u64,
        incidents_per_second: read.number("incidents_per_second", 1..=10_000) as u32,
        stream_clients: read.number("stream_clients", 1..=10_000),
        asks_per_second: read.number("asks_per_second", 0..=1000) as u32,
    };
    let known = read.known;
    s.finish(&known, problems);
    limits
}
