//! How Redis is.

use serde::{Deserialize, Serialize};

/// How Redis is, for the dashboard and for the guard of new orders.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct RedisHealth {
    /// Its version.
    pub version: String,
    /// Bytes in use.
    pub used_bytes: u64,
    /// `maxmemory`, 0 where there is none.
    pub max_bytes: u64,
    /// Bytes of the append-only file.
    pub aof_bytes: u64,
    /// Connected replicas.
    pub replicas: u64,
    /// Its process.
    pub process: u32,
    /// Whether a power cut could take back what was acknowledged.
    pub relaxed: bool,
    /// Commands in the last second, by its own count.
    pub commands: u64,
    /// Connections.
    pub clients: u64,
    /// How often it had to wait for an fsync in the background (`everysec` only).
    pub delayed_fsyncs: u64,
    /// Whether its last write to the append-only file failed.
    pub write_failed: bool,
    /// Entries of its slow log (10 ms and more by default); `None` where it hides it.
    pub slow: Option<u64>,
}
