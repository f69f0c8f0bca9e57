//! What Redis must be before it is trusted with money: version, persistence, eviction, role.

use std::collections::BTreeMap;
use std::sync::Mutex;

use redis::Value;

use super::link::Link;
use super::script::{items_of, text_of};
use super::{Store, StoreError};
use crate::config::Durability;
use crate::domain::Health;

/// Checks a link once for each server process it meets.
pub struct Preflight {
    durability: Durability,
    passed: Mutex<Option<String>>,
}

/// What must be set, to what, and why.
const STRICT: [(&str, &[&str], &str); 4] = [
    ("maxmemory-policy", &["noeviction"], "Redis would throw keys away when memory runs out"),
    ("appendonly", &["yes"], "a restart would forget payments"),
    ("appendfsync", &["always"], "a power cut would put sold keys back on sale"),
    ("no-appendfsync-on-rewrite", &["no"], "payments during a rewrite would not be on disk"),
];

impl Preflight {
    pub fn new(durability: Durability) -> Self {
        Self { durability, passed: Mutex::new(None) }
    }

    /// Whether this server is new to us; refuses one under whose settings payments could be lost.
    pub async fn check(&self, link: &mut Link) -> Result<bool, StoreError> {
        let info = info(link, "server").await?;
        let run_id = info.get("run_id").cloned().unwrap_or_default();
        let known = self.passed.lock().map_or(None, |passed| passed.clone());
        if known.as_deref() == Some(&run_id) {
            return Ok(false);
        }
        let major: u32 = info.get("redis_version").and_then(|v| v.split('.').next()?.parse().ok()).unwrap_or(0);
        if major < 7 {
            return Err(StoreError::Settings("Redis 7.0 or newer is needed (or Valkey)".to_owned()));
        }
        if info.get("redis_mode").is_some_and(|mode| mode == "cluster") {
            return Err(StoreError::Settings("this Redis runs in cluster mode: kamid needs a single one".to_owned()));
        }
        let role = super::preflight::info(link, "replication").await?.get("role").cloned().unwrap_or_default();
        if role == "slave" {
            return Err(StoreError::Unavailable("this Redis is a replica; point store.url at its master".to_owned()));
        }
        self.settings(link).await?;
        if let Ok(mut passed) = self.passed.lock() {
            *passed = Some(run_id);
        }
        Ok(true)
    }

    async fn settings(&self, link: &mut Link) -> Result<(), StoreError> {
        let mut wrong = Vec::new();
        for (name, wanted, because) in STRICT {
            let mut cmd = redis::cmd("CONFIG");
            cmd.arg("GET").arg(name);
            let answer = match link.run(&cmd).await {
                Ok(answer) => answer,
                Err(error @ (StoreError::Lost(_) | StoreError::Timeout | StoreError::Unavailable(_))) => {
                    return Err(error);
                }
                Err(_) => {
                    tracing::warn!(
                        setting = name,
                        "This Redis hides CONFIG: its durability could not be checked. Make sure that appendonly is yes, appendfsync always, maxmemory-policy noeviction."
                    );
                    return Ok(());
                }
            };
            let pairs = pairs(&answer);
            let is = pairs.get(name).map_or("", String::as_str);
            if !wanted.contains(&is) {
                wrong.push(format!("{name} is {is:?}: {because}. Run: redis-cli CONFIG SET {name} {}", wanted[0]));
            }
        }
        if wrong.is_empty() {
            return Ok(());
        }
        let text = wrong.join("; ");
        if self.durability == Durability::Relaxed && !text.contains("maxmemory-policy") {
            tracing::warn!(settings = %text, "store.durability is relaxed: a power cut may sell a key twice or forget a payment.");
            return Ok(());
        }
        Err(StoreError::Settings(format!(
            "This Redis could lose payments: {text}. (store.durability = \"relaxed\" accepts weaker persistence.)"
        )))
    }
}

fn pairs(value: &Value) -> BTreeMap<String, String> {
    match value {
        Value::Map(pairs) => pairs.iter().filter_map(|(k, v)| Some((text_of(k)?, text_of(v)?))).collect(),
        _ => items_of(value)
            .chunks(2)
            .filter_map(|pair| Some((text_of(pair.first()?)?, text_of(pair.get(1)?)?)))
            .collect(),
    }
}

/// One section of `INFO`.
async fn info(link: &mut Link, section: &str) -> Result<BTreeMap<String, String>, StoreError> {
    let mut cmd = redis::cmd("INFO");
    cmd.arg(section);
    let answer = link.run(&cmd).await?;
    let text = text_of(&answer)
        .or_else(|| match &answer {
            Value::VerbatimString { text, .. } => Some(text.clone()),
            _ => None,
        })
        .unwrap_or_default();
    Ok(text.lines().filter_map(|line| line.split_once(':')).map(|(k, v)| (k.to_owned(), v.trim().to_owned())).collect())
}

impl Store {
    /// Reads how Redis is.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn health(&self) -> Result<Health, StoreError> {
        let mut link = self.checkout().await?;
        let mut all = info(&mut link, "server").await?;
        for section in ["clients", "memory", "persistence", "replication", "stats"] {
            all.extend(info(&mut link, section).await?);
        }
        let slow: Option<u64> =
            link.run(redis::cmd("SLOWLOG").arg("LEN")).await.ok().and_then(|n| text_of(&n)?.parse().ok());
        let number = |key: &str| all.get(key).and_then(|text| text.parse().ok()).unwrap_or(0u64);
        Ok(Health {
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

    /// Writes as much as some fifty payments do, which a Redis on a full disk does not survive although it starts and
    /// answers.
    ///
    /// # Errors
    /// It cannot write.
    pub async fn prove_write(&self) -> Result<(), StoreError> {
        let now = self.now().to_string();
        self.run(&super::script::PROVE, &[&self.names.proof()], &[now.as_bytes()]).await.map(drop)
    }

    /// Compares the ring's check value with the one that stands in Redis; the first ring to come is written there.
    ///
    /// # Errors
    /// Another ring sealed this store's keys.
    pub async fn check_ring(&self, check: &str) -> Result<(), StoreError> {
        let name = self.names.ring();
        let _: Option<String> = self.ask(redis::cmd("SET").arg(&name).arg(check).arg("NX")).await?;
        let stands: String = self.ask(redis::cmd("GET").arg(&name)).await?;
        if stands == check {
            return Ok(());
        }
        Err(StoreError::Settings(
            "the keys in this Redis were sealed under another key ring: give this daemon the ring.json (or KAMID_RING) they were sealed with".to_owned(),
        ))
    }
}
