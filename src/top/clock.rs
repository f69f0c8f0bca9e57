//! The local clock: milliseconds since 1970 that only go forward.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// A clock that was set once and cannot jump.
#[derive(Debug, Clone, Copy)]
pub struct SteadyClock {
    base: u64,
    began: Instant,
}

impl SteadyClock {
    /// Begins at the machine's time.
    #[must_use]
    pub fn start() -> Self {
        let base = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        Self { base, began: Instant::now() }
    }

    /// Now, in ms since 1970.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.base + self.began.elapsed().as_millis() as u64
    }
}
