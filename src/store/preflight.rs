//! What Redis must be before it is trusted with money: version, persistence, eviction, role.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use redis::Value;

use super::link::Link;
use super::script::{items_of, text_of};
use super::{At, Store, StoreError};
use crate::config::Durability;
use crate::domain::RedisHealth;

/// Checks a link once for each server process it meets, and later whether that is still set as it was.
pub struct Preflight {
    durability: Durability,
    passed: Mutex<Passed>,
}

/// A server that passed.
#[derive(Default)]
struct Passed {
    run_id: Option<String>,
    /// What it was set to; `None` where it hides that.
    settings: Option<Settings>,
    /// Whether it wrote an append-only file.
    wrote: bool,
    /// Its append-only file was switched off since: it is durable again only when a rewrite has ended well.
    unwritten: bool,
}

type Settings = BTreeMap<&'static str, String>;

/// What must be set, to what, and why.
const STRICT: [(&str, &str, &str); 4] = [
    ("maxmemory-policy", "noeviction", "Redis would throw keys away when memory runs out"),
    ("appendonly", "yes", "a restart would forget payments"),
    ("appendfsync", "always", "a power cut would put sold keys back on sale"),
    ("no-appendfsync-on-rewrite", "no", "payments during a rewrite would not be on disk"),
];

/// How a server is set, compared with what it was when it was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Drift {
    /// As it was.
    None,
    /// It hides that: not known is not changed.
    Hidden,
    /// Weaker than it was, where `store.durability = "relaxed"` allows that.
    Weaker(String),
    /// So that payments could be lost.
    Careless(String),
}

/// Whether an append-only file is being written, or is to be.
fn rewrites(info: &BTreeMap<String, String>) -> bool {
    ["aof_rewrite_in_progress", "aof_rewrite_scheduled"].iter().any(|name| info.get(*name).is_some_and(|is| is == "1"))
}

fn is(info: &BTreeMap<String, String>, name: &str, value: &str) -> bool {
    info.get(name).is_some_and(|is| is == value)
}

impl Preflight {
    pub fn new(durability: Durability) -> Self {
        Self { durability, passed: Mutex::default() }
    }

    fn passed(&self) -> std::sync::MutexGuard<'_, Passed> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this server is new to us; refuses one under whose settings payments could be lost.
    pub async fn check(&self, link: &mut Link) -> Result<bool, StoreError> {
        let server = info(link, "server").await?;
        let run_id = server.get("run_id").cloned().unwrap_or_default();
        if self.passed().run_id.as_ref() == Some(&run_id) {
            return Ok(false);
        }
        let major: u32 = server.get("redis_version").and_then(|v| v.split('.').next()?.parse().ok()).unwrap_or(0);
        if major < 7 {
            return Err(StoreError::Settings("Redis 7.0 or newer is needed (or Valkey)".to_owned()));
        }
        if is(&server, "redis_mode", "cluster") {
            return Err(StoreError::Settings("this Redis runs in cluster mode: kamid needs a single one".to_owned()));
        }
        if is(&info(link, "replication").await?, "role", "slave") {
            return Err(StoreError::Unavailable("this Redis is a replica; point store.url at its master".to_owned()));
        }
        let settings = settings(link).await?;
        match &settings {
            Some(settings) => self.accept(settings, is(&server, "config_file", ""))?,
            None => tracing::warn!(
                "This Redis hides CONFIG: its durability could not be checked. Make sure that appendonly is yes, appendfsync always, maxmemory-policy noeviction."
            ),
        }
        let persistence = info(link, "persistence").await?;
        let wrote = is(&persistence, "aof_enabled", "1");
        // Switched on a moment ago: until its first rewrite has ended, a restart would find nothing.
        if self.durability == Durability::Strict
            && wrote
            && rewrites(&persistence)
            && is(&persistence, "aof_base_size", "0")
        {
            return Err(StoreError::Unavailable("its first append-only file is being written".to_owned()));
        }
        *self.passed() = Passed { run_id: Some(run_id), settings, wrote, unwritten: false };
        Ok(true)
    }

    /// Refuses settings under which payments could be lost, with what to run.
    fn accept(&self, settings: &Settings, no_file: bool) -> Result<(), StoreError> {
        let wrong = |(name, wanted, _): &&(&str, &str, &str)| settings.get(name).is_some_and(|is| is != wanted);
        let wrong: Vec<_> = STRICT.iter().filter(wrong).collect();
        if wrong.is_empty() {
            return Ok(());
        }
        let why: Vec<String> = wrong
            .iter()
            .map(|(name, _, because)| {
                format!("{name} is {:?}: {because}", settings.get(name).map_or("", String::as_str))
            })
            .collect();
        let why = why.join(", ");
        if self.durability == Durability::Relaxed && !why.contains("maxmemory-policy") {
            tracing::warn!(settings = %why, "store.durability is relaxed: a power cut may sell a key twice or forget a payment.");
            return Ok(());
        }
        let kept = if no_file {
            "It runs without a settings file: give it the same where it is started, or its next start forgets them. "
        } else {
            ""
        };
        let run: Vec<String> =
            wrong.iter().map(|(name, wanted, _)| format!("redis-cli CONFIG SET {name} {wanted}")).collect();
        Err(StoreError::Settings(format!(
            "This Redis could lose payments: {why} (store.durability = \"relaxed\" accepts weaker persistence). {kept}Run: {}; redis-cli CONFIG REWRITE",
            run.join("; ")
        )))
    }

    /// How the server is set now.
    async fn drift(&self, link: &mut Link) -> Result<Drift, StoreError> {
        let now = settings(link).await?;
        let persistence = info(link, "persistence").await?;
        let mut passed = self.passed();
        let mut changed = Vec::new();
        if let (Some(before), Some(now)) = (&passed.settings, &now) {
            for (name, wanted, _) in STRICT {
                let is = now.get(name).map_or("", String::as_str);
                if is != wanted && before.get(name).is_some_and(|before| before != is) {
                    changed.push(format!("{name} {is}"));
                }
            }
        }
        // What it hides of its settings it tells by this.
        if passed.wrote && is(&persistence, "aof_enabled", "0") {
            passed.unwritten = true;
            if now.is_none() {
                changed.push("appendonly no".to_owned());
            }
        } else if passed.unwritten && (rewrites(&persistence) || !is(&persistence, "aof_last_bgrewrite_status", "ok")) {
            changed.push("appendonly yes, and its append-only file is not written whole yet".to_owned());
        } else {
            passed.unwritten = false;
        }
        Ok(match (changed.is_empty(), self.durability) {
            (true, _) if now.is_none() => Drift::Hidden,
            (true, _) => Drift::None,
            (false, Durability::Strict) => Drift::Careless(changed.join(", ")),
            (false, Durability::Relaxed) => Drift::Weaker(changed.join(", ")),
        })
    }
}

/// What the server is set to; `None` where it hides that.
async fn settings(link: &mut Link) -> Result<Option<Settings>, StoreError> {
    let mut settings = Settings::new();
    for (name, ..) in STRICT {
        let mut cmd = redis::cmd("CONFIG");
        cmd.arg("GET").arg(name);
        match link.run(&cmd).await {
            Ok(answer) => settings.insert(name, pairs(&answer).remove(name).unwrap_or_default()),
            Err(error @ (StoreError::Lost(_) | StoreError::Timeout | StoreError::Unavailable(_))) => return Err(error),
            Err(_) => return Ok(None),
        };
    }
    Ok(Some(settings))
}

/// Names and texts of an answer that is pairs, in either protocol.
pub fn pairs(value: &Value) -> BTreeMap<String, String> {
    match value {
        Value::Map(pairs) => pairs.iter().filter_map(|(k, v)| Some((text_of(k)?, text_of(v)?))).collect(),
        _ => items_of(value)
            .chunks(2)
            .filter_map(|pair| Some((text_of(pair.first()?)?, text_of(pair.get(1)?)?)))
            .collect(),
    }
}

/// What an `INFO` answer says.
pub fn pairs_of_info(answer: &Value) -> BTreeMap<String, String> {
    let text = text_of(answer)
        .or_else(|| match answer {
            Value::VerbatimString { text, .. } => Some(text.clone()),
            _ => None,
        })
        .unwrap_or_default();
    text.lines().filter_map(|line| line.split_once(':')).map(|(k, v)| (k.to_owned(), v.trim().to_owned())).collect()
}

/// One section of `INFO`.
pub async fn info(link: &mut Link, section: &str) -> Result<BTreeMap<String, String>, StoreError> {
    let mut cmd = redis::cmd("INFO");
    cmd.arg(section);
    Ok(pairs_of_info(&link.run(&cmd).await?))
}

impl Store {
    /// Reads how Redis is.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn health(&self) -> Result<RedisHealth, StoreError> {
        let mut link = self.link_to(At::Catalog).await?;
        let mut all = info(&mut link, "server").await?;
        for section in ["clients", "memory", "persistence", "replication", "stats"] {
            all.extend(info(&mut link, section).await?);
        }
        let slow: Option<u64> =
            link.run(redis::cmd("SLOWLOG").arg("LEN")).await.ok().and_then(|n| text_of(&n)?.parse().ok());
        let number = |key: &str| all.get(key).and_then(|text| text.parse().ok()).unwrap_or(0u64);
        Ok(RedisHealth {
            version: all.get("redis_version").cloned().unwrap_or_default(),
            used_bytes: number("used_memory"),
            max_bytes: number("maxmemory"),
            aof_bytes: number("aof_current_size"),
            replicas: number("connected_slaves"),
            process: number("process_id") as u32,
            relaxed: self.durability == Durability::Relaxed,
            commands: number("instantaneous_ops_per_sec"),
            clients: number("connected_clients"),
            delayed_fsyncs: number("aof_delayed_fsync"),
            write_failed: all.get("aof_last_write_status").is_some_and(|status| status != "ok"),
            slow,
        })
    }

    /// Whether Redis is set as it was when it was accepted.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn drift(&self) -> Result<Drift, StoreError> {
        self.preflight.drift(&mut self.link_to(At::Catalog).await?).await
    }

    /// Writes as much as some fifty payments do, which a Redis on a full disk does not survive although it starts and
    /// answers.
    ///
    /// # Errors
    /// It cannot write.
    pub async fn prove_write(&self) -> Result<(), StoreError> {
        let now = self.now().to_string();
        self.run(At::Catalog, &super::script::PROVE, &[&self.names.proof()], &[now.as_bytes()]).await.map(drop)
    }
}
