//! What can go wrong between us and Redis, and what may be done about it.

use crate::domain::Doubt;

/// Why the store could not do it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The link broke; whether the command ran is not known. May be tried once more on another link.
    #[error("the connection to Redis was lost ({0})")]
    Lost(String),
    /// No answer in time; whether the command ran is not known. Not tried again: that would double the load of a stall.
    #[error("Redis did not answer in time")]
    Timeout,
    /// Redis cannot be reached at all, or is loading.
    #[error("Redis is not available ({0})")]
    Unavailable(String),
    /// No memory or disk left for this command. Nothing was changed.
    #[error("Redis is full ({0}): make room; payments go on as long as they can")]
    Full(String),
    /// Fewer replicas than configured acknowledged in time.
    #[error("fewer replicas than store.replicas acknowledged the write")]
    TooFewCopies,
    /// The store is not, or may not be, the one that was there: nothing is drawn from it.
    #[error("{0}: nothing is drawn from it until the right one is back or a person accepts it (kamid store accept)")]
    Doubted(Doubt),
    /// Redis was set since the start so that payments could be lost.
    #[error("Redis could lose payments since its settings were changed: {0}")]
    Careless(String),
    /// The script is not known to this Redis; handled inside.
    #[error("a script is not loaded")]
    NoScript,
    /// Redis is set up so that payments could be lost.
    #[error("{0}")]
    Settings(String),
    /// Data of a shape we never write.
    #[error("data in Redis is damaged: {0}")]
    Damaged(String),
    /// A script or command of ours is wrong.
    #[error("a bug in kamid or in its scripts: {0}")]
    Bug(String),
}

impl StoreError {
    /// Whether the same request may succeed later.
    #[must_use]
    pub const fn retry(&self) -> bool {
        !matches!(self, Self::Settings(_) | Self::Damaged(_) | Self::Bug(_))
    }
}

impl From<redis::RedisError> for StoreError {
    fn from(error: redis::RedisError) -> Self {
        // Only Redis' own code and words, never a command's arguments.
        let code = error.code().unwrap_or_default().to_owned();
        let detail = format!("{} {}", code, error.detail().unwrap_or_default()).trim().to_owned();
        match code.as_str() {
            "NOSCRIPT" => Self::NoScript,
            "OOM" | "MISCONF" => Self::Full(detail),
            "LOADING" | "READONLY" | "CLUSTERDOWN" | "MASTERDOWN" | "TRYAGAIN" | "BUSY" => Self::Unavailable(detail),
            "NOAUTH" | "WRONGPASS" | "NOPERM" => Self::Settings(format!("Redis refuses us: {code}; check store.url")),
            _ if error.is_timeout() => Self::Timeout,
            _ if error.is_connection_refusal() => Self::Unavailable(error.category().to_owned()),
            _ if error.is_unrecoverable_error() || error.is_io_error() => Self::Lost(error.category().to_owned()),
            _ if detail.contains("OOM") => Self::Full(detail),
            // Without a code it is not Redis that spoke: a reply cut short, a driver that ended with its link.
            _ if code.is_empty() => Self::Lost(error.category().to_owned()),
            _ => Self::Bug(if detail.is_empty() { error.category().to_owned() } else { detail }),
        }
    }
}

impl From<bb8::RunError<StoreError>> for StoreError {
    fn from(error: bb8::RunError<Self>) -> Self {
        match error {
            bb8::RunError::User(error) => error,
            bb8::RunError::TimedOut => Self::Unavailable("no connection in time".to_owned()),
        }
    }
}
