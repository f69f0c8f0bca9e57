//! `[store]`: where Redis is, and what it promises.

use crate::settings::{Form, Secret, Setting, Values};

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

/// Redis.
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
    pub ca: Option<String>,
}

const URL: Setting = Setting::optional(
    Form::PasswordAddress,
    "url",
    "or redis://host:6379/0, rediss://…, unix:///path; a password belongs into url_file or url_env",
    "或 redis://host:6379/0、rediss://…、unix:///path;密码写进 url_file 或 url_env",
);
const CA_FILE: Setting = Setting::optional(
    Form::File(1 << 20),
    "ca_file",
    "for rediss://: whose certificates to believe, instead of the well-known authorities",
    "rediss:// 时相信哪些证书,代替公认的机构",
);
const REDIS_SERVER: Setting = Setting::optional(
    Form::Prose,
    "redis_server",
    "the program that \"embedded\" starts (redis-server 7 or valkey-server)",
    "\"embedded\" 启动的程序(redis-server 7 或 valkey-server)",
);
const MEMORY_MB: Setting = Setting::optional(
    Form::Whole(0, 16_777_216),
    "memory_mb",
    "what \"embedded\" may take in MiB, at least half as much again as it has in use; 0: half of the machine's or the container's memory",
    "\"embedded\" 最多占用的 MiB,至少是现用量的一倍半;0:机器或容器内存的一半",
);
const DURABILITY: Setting = Setting::optional(
    Form::Parsed("\"strict\" or \"relaxed\""),
    "durability",
    "strict: appendfsync always. relaxed: a power cut may sell a key twice",
    "strict:appendfsync always。relaxed:断电可能把一张卡密卖两次",
);
const REPLICAS: Setting = Setting::optional(
    Form::Whole(0, 16),
    "replicas",
    "replicas that must have each payment before it is acknowledged or its key shown (WAIT)",
    "付款被确认、卡密被展示之前,必须有多少个副本收到(WAIT)",
);
const CONNECTIONS: Setting = Setting::optional(
    Form::Whole(1, 8),
    "connections",
    "multiplexed connections to Redis, 1 to 8",
    "到 Redis 的多路连接数,1 到 8",
);
const TIMEOUT_MS: Setting = Setting::optional(
    Form::Whole(50, 60_000),
    "timeout_ms",
    "a Redis that does not answer in time is a 503 to the gateway, which repeats",
    "Redis 超时不答时,网关得到 503 并会重发",
);
/// Its rows.
pub const ROWS: &[&Setting] =
    &[&URL, &REDIS_SERVER, &MEMORY_MB, &DURABILITY, &REPLICAS, &CONNECTIONS, &TIMEOUT_MS, &CA_FILE];
/// How an address of Redis begins.
const STARTS: [&str; 4] = ["embedded", "redis://", "rediss://", "unix://"];

/// Whether what stands behind `redis://` has a host, and a port and a database's number where it names some.
fn names_a_server(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("redis://").or_else(|| url.strip_prefix("rediss://")) else { return true };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, number) = rest.split_once('/').unwrap_or((rest, ""));
    let host = authority.rsplit('@').next().unwrap_or_default();
    // The colons of an IPv6 address stand in brackets.
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (host, None),
    };
    !name.is_empty()
        && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
        && (number.is_empty() || number.parse::<u16>().is_ok())
}

impl StoreConfig {
    pub(super) fn read(v: &mut Values<'_>) -> Option<Self> {
        let mut url = v.secret(&URL);
        if url.as_ref().is_some_and(|url| !STARTS.iter().any(|start| url.reveal().starts_with(start))) {
            v.reject(&URL, "must be \"embedded\" or begin with redis://, rediss:// or unix://");
            url = None;
        }
        if url.as_ref().is_some_and(|url| !names_a_server(url.reveal())) {
            v.reject(
                &URL,
                "must be redis://host:port/number: a port is at most 65535, and a number says which database",
            );
            url = None;
        }
        let redis_server = v.text(&REDIS_SERVER);
        let memory_mb = v.whole(&MEMORY_MB);
        let durability = v.parsed(&DURABILITY);
        let (replicas, connections) = (v.whole(&REPLICAS), v.whole(&CONNECTIONS));
        let timeout_ms = v.whole(&TIMEOUT_MS);
        let ca = v.file(&CA_FILE);
        let url = url?;
        Some(Self {
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_redis_names_a_server() {
        for right in [
            "embedded",
            "unix:///run/redis.sock",
            "redis://h",
            "redis://h:6379",
            "rediss://user:p%40ss@h:6379/3",
            "redis://[::1]:6379/0",
            "redis://[::1]",
            "redis://h/0?protocol=resp3",
        ] {
            assert!(names_a_server(right), "{right}");
        }
        for wrong in ["redis://h:99999/0", "redis://h:x/0", "redis://h/abc", "redis://", "redis://:6379", "redis://h:0"]
        {
            assert!(!names_a_server(wrong), "{wrong}");
        }
    }
}
