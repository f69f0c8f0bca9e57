//! The local clock: milliseconds since 1970 that only go forward.

use std::time::Instant;

use crate::process;

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
        Self { base: process::now(), began: Instant::now() }
    }

    /// Now, in ms since 1970.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.base + self.began.elapsed().as_millis() as u64
    }
}
