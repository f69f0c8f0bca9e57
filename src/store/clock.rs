//! The time that scripts are given: Redis' own, carried on by a monotonic clock, so that an instance whose wall clock
//! jumps expires nobody's orders.

use std::sync::RwLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::domain::Millis;

/// A pair of readings taken together.
pub struct Clock(RwLock<(Millis, Instant)>);

impl Default for Clock {
    fn default() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as Millis);
        Self(RwLock::new((wall, Instant::now())))
    }
}

impl Clock {
    /// Milliseconds since the epoch.
    pub fn now(&self) -> Millis {
        let (base, at) = *self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        base + at.elapsed().as_millis() as Millis
    }

    /// Takes a new reading; says how far it is from what was expected.
    pub fn set(&self, now: Millis) -> u64 {
        let expected = self.now();
        *self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner) = (now, Instant::now());
        now.abs_diff(expected)
    }
}
