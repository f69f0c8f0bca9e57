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
    /// A place is not who it was known as; handled inside.
    #[error("this is not the store that was there")]
    Elsewhere,
    /// The script is not known to this Redis; handled inside.
    #[error("a script is not loaded")]
    NoScript,
    /// Redis is set up so that payments could be lost.
    #[error("{0}")]
    Settings(String),
    /// Another key ring than ours made what stands here.
    #[error("{0}")]
    Ring(String),
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
        !matches!(self, Self::Settings(_) | Self::Ring(_) | Self::Damaged(_) | Self::Bug(_))
    }

    /// Whether what was asked may stand all the same: only its answer, or its copies, are missing.
    #[must_use]
    pub const fn may_stand(&self) -> bool {
        matches!(self, Self::Lost(_) | Self::Timeout | Self::TooFewCopies)
    }
}

/// Words by which Redis says that it cannot do it now: it loads, is a replica or lost its own, is busy, or moves a slot.
const LATER: [&str; 10] =
    ["LOADING", "READONLY", "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN", "BUSY", "NOREPLICAS", "UNBLOCKED", "MOVED", "ASK"];
/// What a script hears that looks for a name of a slot which is being moved.
const ELSEWHERE: &str = "non local key";

/// Whether an error says that: also one that Redis puts inside its words about a script.
fn is_later(words: &str) -> bool {
    words.contains(ELSEWHERE) || words.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| LATER.contains(&word))
}

impl From<redis::RedisError> for StoreError {
    fn from(error: redis::RedisError) -> Self {
        // Only Redis' own code and words, never a command's arguments.
        let code = error.code().unwrap_or_default().to_owned();
        let detail = format!("{} {}", code, error.detail().unwrap_or_default()).trim().to_owned();
        match code.as_str() {
            "NOSCRIPT" => Self::NoScript,
            "ELSEWHERE" => Self::Elsewhere,
            "OOM" | "MISCONF" => Self::Full(detail),
            "NOAUTH" | "WRONGPASS" | "NOPERM" => Self::Settings(format!("Redis refuses us: {code}; check store.url")),
            _ if error.is_timeout() => Self::Timeout,
            _ if error.is_connection_refusal() => Self::Unavailable(error.category().to_owned()),
            _ if error.is_unrecoverable_error() || error.is_io_error() => Self::Lost(error.category().to_owned()),
            _ if detail.contains("OOM") => Self::Full(detail),
            _ if is_later(&detail) => Self::Unavailable(detail),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The error that Redis' line becomes.
    fn error(line: &str) -> StoreError {
        match redis::parse_redis_value(format!("-{line}\r\n").as_bytes()) {
            Ok(redis::Value::ServerError(error)) => redis::RedisError::from(error).into(),
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn what_means_later_is_no_bug_however_it_is_said() {
        let plain = [
            "NOREPLICAS Not enough good replicas to write.",
            "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
            "MOVED 3999 127.0.0.1:6381",
            "ASK 3999 127.0.0.1:6381",
            "TRYAGAIN Multiple keys request during rehashing of slot",
            "CLUSTERDOWN The cluster is down",
            "LOADING Redis is loading the dataset in memory",
            "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
            "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
            "READONLY You can't write against a read only replica.",
        ];
        for line in plain {
            let words = line.split_once(' ').map_or(line, |(_, words)| words);
            let word = line.split(' ').next().unwrap_or_default();
            for said in [
                line.to_owned(),
                format!("{line} script: 7a1c, on @user_script:3."),
                format!("ERR Error running script (call to f_7a1c): @user_script:3: -{word} {words}"),
                format!("ERR {line} script: 7a1c, on @user_script:3."),
            ] {
                assert!(matches!(error(&said), StoreError::Unavailable(_)), "{said}: {:?}", error(&said));
                assert!(error(&said).retry(), "{said}");
            }
        }
        let moved =
            "ERR Script attempted to access a non local key in a cluster node script: 7a1c, on @user_script:30.";
        assert!(matches!(error(moved), StoreError::Unavailable(_)), "{:?}", error(moved));
        for bug in ["ERR unknown command 'TASK'", "WRONGTYPE Operation against a key holding the wrong kind of value"] {
            assert!(matches!(error(bug), StoreError::Bug(_)), "{bug}: {:?}", error(bug));
        }
    }
}
