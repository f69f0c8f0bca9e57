//! What the system gives a process: signals, open files and the machine's clock.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Files that are not connections of strangers: links to Redis, what gateways are asked with, logs, incidents.
const OWN_FILES: u64 = 64;
/// Operators' connections, where files are plenty.
const ADMIN: usize = 1024;

/// The time by this machine's clock, in ms since 1970. Nothing else reads it: whoever needs it is given it, or asks here.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// SIGTERM, Ctrl-C, and SIGHUP of a terminal that closes.
pub struct Signals {
    term: Signal,
    int: Signal,
    hangup: Option<Signal>,
}

impl Signals {
    /// From here on none is lost.
    ///
    /// # Errors
    /// They cannot be listened for.
    pub fn new() -> std::io::Result<Self> {
        // Whoever started us with `nohup` wants us to outlive the terminal.
        let hangup = if ignores_hangup() { None } else { Some(signal(SignalKind::hangup())?) };
        Ok(Self { term: signal(SignalKind::terminate())?, int: signal(SignalKind::interrupt())?, hangup })
    }

    /// The next one that asks for an end.
    pub async fn next(&mut self) {
        let Self { term, int, hangup } = self;
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
            () = hung_up(hangup) => {}
        }
    }

    /// The next one that a person sent: of a terminal that closes, SIGHUP may come twice.
    pub async fn next_in_haste(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.int.recv() => {}
        }
    }
}

async fn hung_up(hangup: &mut Option<Signal>) {
    match hangup {
        Some(hangup) => drop(hangup.recv().await),
        None => std::future::pending().await,
    }
}

/// Whether SIGHUP was ignored when this process began; unknown where the system does not say.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 != 0)
}

/// How many connections fit the files that this process may open, whose soft limit is often 1,024 and is raised here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Files that may be open; none: without a limit.
    pub files: Option<u64>,
    /// Connections of buyers and gateways.
    pub public: usize,
    /// Connections of operators.
    pub admin: usize,
}

impl Room {
    /// Raises the limit as far as may be; of the `wanted` public connections as many as then fit.
    #[must_use]
    pub fn make(wanted: usize) -> Self {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
        Self::of(if raised.is_ok() { limit.maximum } else { limit.current }, wanted)
    }

    fn of(files: Option<u64>, wanted: usize) -> Self {
        let left =
            files.map_or(usize::MAX, |files| usize::try_from(files.saturating_sub(OWN_FILES)).unwrap_or(usize::MAX));
        let admin = ADMIN.min(left / 8).max(4);
        Self { files, public: wanted.min(left.saturating_sub(admin)).max(8), admin }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_fit_the_files_that_may_be_open() {
        let of = |files, wanted| {
            let room = Room::of(files, wanted);
            (room.public, room.admin)
        };
        assert_eq!(of(None, 12_000), (12_000, 1024));
        assert_eq!(of(Some(1_048_576), 12_000), (12_000, 1024));
        assert_eq!(of(Some(256), 12_000), (168, 24));
        assert_eq!(of(Some(256), 100), (100, 24));
        assert_eq!(of(Some(10), 12_000), (8, 4));
    }
}
