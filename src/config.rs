//! `config.toml` as checked values. The file in the repository is compiled in: its values are the defaults.
//!
//! Knows no module's insides: a channel's section is handed on as it is.

mod limits;
mod live;
mod outbound;
mod row;
mod server;
mod share;
mod store;
mod top;

use std::path::{Path, PathBuf};

use crate::settings::{ConfigProblem, Form, Section, Setting, Values};

pub use limits::Limits;
pub use outbound::OutboundConfig;
pub use server::Server;
pub use share::Share;
pub use store::{Durability, StoreConfig, StoreUrl};
pub use top::Top;

/// The complete, commented default configuration.
pub const DEFAULT: &str = include_str!("../config.toml");

const MODE: Setting = Setting::optional(
    Form::Flag,
    "mode",
    "true: data apart from the live data, and a `sandbox` channel. false: real money",
    "true:数据与正式数据分开,并有 `sandbox` 渠道。false:真钱",
);
/// The sections that `config.toml` prints, with their rows.
pub const SECTIONS: [(&str, &[&Setting]); 6] = [
    ("server", server::ROWS),
    ("store", store::ROWS),
    ("outbound", outbound::ROWS),
    ("limits", limits::ROWS),
    ("test", &[&MODE]),
    ("top", top::ROWS),
];

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
    pub fn defaults() -> Result<Self, Vec<ConfigProblem>> {
        Self::parse("", Path::new(""))
    }

    /// Reads a file; files named inside are relative to its folder.
    ///
    /// # Errors
    /// All problems at once.
    pub fn load(path: &Path) -> Result<(Self, Vec<ConfigProblem>), Vec<ConfigProblem>> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            vec![ConfigProblem {
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
    pub fn parse(text: &str, base: &Path) -> Result<Self, Vec<ConfigProblem>> {
        let mut problems = Vec::new();
        match read(text, base, &mut problems) {
            Some(config) if problems.iter().all(|problem| problem.warning) => Ok(config),
            _ => Err(problems),
        }
    }
}

fn read(text: &str, base: &Path, problems: &mut Vec<ConfigProblem>) -> Option<Config> {
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
    let server = values(&server, server::ROWS, problems, Server::read);
    let store = values(&store, store::ROWS, problems, StoreConfig::read);
    let outbound = values(&outbound, outbound::ROWS, problems, OutboundConfig::read);
    let limits = values(&limits, limits::ROWS, problems, Limits::read);
    let top = values(&top, top::ROWS, problems, Top::read);
    let mode = values(&test, &[&MODE], problems, |v| {
        let mode = v.flag(&MODE);
        if mode == Some(true)
            && let Some(url) = server.as_ref().map(|server| &server.public_url)
            && url.starts_with("https://")
            && !is_local(url)
        {
            v.warn(
                &MODE,
                format!("is true, and the world calls {url}: no order counts, and every page says so. false goes live"),
            );
        }
        mode
    });
    if mode == Some(false) {
        live::warn(&listeners, server.as_ref(), channels.is_empty(), problems);
    }
    let known: Vec<&str> = SECTIONS.iter().map(|(name, _)| *name).chain(["channel", "notify"]).collect();
    given.finish(&known, problems);
    Some(Config { server: server?, store: store?, outbound, limits, test: mode?, top, channels, notify })
}

/// Whether a file means test mode, whatever else is wrong with it.
#[must_use]
pub fn is_test(file: &Section) -> bool {
    let mut unheard = Vec::new();
    let defaults = Section::from_toml(DEFAULT, Path::new(""), &mut unheard).section("test", &mut unheard);
    let test = file.section("test", &mut unheard).with_defaults(defaults);
    values(&test, &[&MODE], &mut unheard, |v| v.flag(&MODE)).unwrap_or(true)
}

/// What a section says, read by its rows.
fn values<T>(
    section: &Section,
    rows: &[&'static Setting],
    problems: &mut Vec<ConfigProblem>,
    read: impl FnOnce(&mut Values<'_>) -> T,
) -> T {
    let mut values = section.values(&[rows], problems);
    let read = read(&mut values);
    values.finish();
    read
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
