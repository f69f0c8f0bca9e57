//! The time that scripts are given: Redis' own, carried on by a monotonic clock, so that an instance whose wall clock
//! jumps expires nobody's orders.
//!
//! A clock of Redis that jumps expires nobody's either: its time is taken where it is what was expected, or what this machine's
//! clock says. Otherwise time goes on as it went, and nothing expires until they agree or a person accepts Redis' time.

use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use redis::Value;

use super::at::Pipe;
use super::script::{items_of, text_of};
use super::{At, Store, StoreError};
use crate::domain::Millis;
use crate::process::now as wall;

/// How far Redis' clock may be from where it was expected.
const STEADY_MS: u64 = 2000;
/// How far it may be from this machine's: what an order may lose or gain of its time.
const WALL_MS: u64 = 30_000;

/// What a reading of Redis' clock came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockLook {
    /// How far it is from what it is compared with, ms.
    pub skew_ms: u64,
    /// Whether it is believed: orders may expire by it.
    pub believed: bool,
    /// Whether it is not where it was expected, though this machine's clock went along: after a suspend, or set by hand.
    pub set: bool,
    /// How long it has not been believed.
    pub stopped: Duration,
}

/// Two readings taken together, and what is thought of them.
struct Reading {
    base: Millis,
    at: Instant,
    /// Whether `base` was ever believed: where not, it is nothing to compare with.
    known: bool,
    stopped: Option<Instant>,
    /// How far Redis' clock is ahead of this machine's where a person accepted that, ms.
    accepted: i64,
}

impl Reading {
    fn at(&self, at: Instant) -> Millis {
        self.base + at.saturating_duration_since(self.at).as_millis() as Millis
    }
}

/// See above.
pub struct Clock(RwLock<Reading>);

impl Default for Clock {
    fn default() -> Self {
        Self(RwLock::new(Reading { base: wall(), at: Instant::now(), known: false, stopped: None, accepted: 0 }))
    }
}

impl Clock {
    /// Milliseconds since the epoch.
    pub fn now(&self) -> Millis {
        self.0.read().unwrap_or_else(PoisonError::into_inner).at(Instant::now())
    }

    /// Takes a new reading of Redis' clock, beside this machine's.
    fn judge(&self, redis: Millis, wall: Millis, at: Instant) -> ClockLook {
        let mut reading = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let skew = redis.abs_diff(reading.at(at));
        let apart = redis.abs_diff(wall).min(redis.abs_diff(wall.saturating_add_signed(reading.accepted)));
        let steady = reading.known && skew <= STEADY_MS;
        let believed = steady || apart <= WALL_MS;
        let set = reading.known && believed && !steady;
        let skew_ms = if reading.known && !set { skew } else { apart };
        if believed || !reading.known {
            (reading.base, reading.at) = (redis, at);
        }
        reading.known |= believed;
        reading.stopped = if believed { None } else { reading.stopped.or(Some(at)) };
        let stopped = reading.stopped.map_or(Duration::ZERO, |since| at.saturating_duration_since(since));
        ClockLook { skew_ms, believed, set, stopped }
    }

    fn accept(&self, ahead: i64) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).accepted = ahead;
    }
}

impl Store {
    /// Reads Redis' clock again.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn sync_clock(&self) -> Result<ClockLook, StoreError> {
        let mut pipe = Pipe::default();
        pipe.cmd(At::Catalog, "TIME");
        pipe.cmd(At::Catalog, "GET").arg(self.names.clock());
        let answers = self.ask_all(pipe).await?;
        if let Some(ahead) = answers.get(1).and_then(text_of).and_then(|text| text.split('|').next()?.parse().ok()) {
            self.clock.accept(ahead);
        }
        Ok(self.clock.judge(time_of(answers.first())?, wall(), Instant::now()))
    }

    /// Accepts Redis' clock as it is, for all instances and from now on; says how far it is ahead of this machine's, ms.
    ///
    /// # Errors
    /// Redis cannot do it.
    pub async fn accept_clock(&self, by: &str) -> Result<i64, StoreError> {
        let time: Value = self.ask(At::Catalog, &redis::cmd("TIME")).await?;
        let redis = time_of(Some(&time))?;
        let ahead = redis.cast_signed() - wall().cast_signed();
        let record = format!("{ahead}|{redis}|{by}");
        let _set: String = self.ask(At::Catalog, redis::cmd("SET").arg(self.names.clock()).arg(record)).await?;
        self.sync_clock().await?;
        Ok(ahead)
    }
}

/// What `TIME` answered, in ms.
fn time_of(answer: Option<&Value>) -> Result<Millis, StoreError> {
    let parts: Vec<Millis> =
        answer.map(items_of).into_iter().flatten().filter_map(|part| text_of(part)?.parse().ok()).collect();
    match parts[..] {
        [seconds, micros] => Ok(seconds * 1000 + micros / 1000),
        _ => Err(StoreError::Damaged("an answer of another shape".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOURS: Millis = 3 * 3_600_000;
    const NOON: Millis = 1_800_000_000_000;

    fn looks(clock: &Clock, began: Instant, after_s: u64, redis: Millis, wall: Millis) -> ClockLook {
        clock.judge(redis, wall, began + Duration::from_secs(after_s))
    }

    #[test]
    fn a_jump_is_believed_only_where_this_machine_went_along_or_a_person_says_so() {
        let (clock, began) = (Clock::default(), Instant::now());
        let at = |s: u64| NOON + s * 1000;
        assert!(looks(&clock, began, 0, at(0), at(0)).believed);
        // Redis' clock alone jumps: not believed, however long it stays so.
        for s in [5, 10, 15] {
            let look = looks(&clock, began, s, at(s) + HOURS, at(s));
            assert_eq!((look.believed, look.skew_ms, look.stopped.as_secs()), (false, HOURS, s - 5));
        }
        // It comes back.
        let look = looks(&clock, began, 20, at(20), at(20) + 7 * HOURS);
        assert_eq!((look.believed, look.set, look.stopped), (true, false, Duration::ZERO));
        // Back in time is a jump too; and this machine's own jump is none.
        assert!(!looks(&clock, began, 25, at(25) - HOURS, at(25)).believed);
        assert!(looks(&clock, began, 30, at(30), at(30) - HOURS).believed);
        // Both went along, as after a suspend.
        let look = looks(&clock, began, 35, at(35) + HOURS, at(36) + HOURS);
        assert_eq!((look.believed, look.set, look.skew_ms), (true, true, 1000));
        assert!(looks(&clock, began, 40, at(40) + HOURS, at(40)).believed, "and goes on from there");
        // What a person accepted is believed by all whose own clock is right.
        assert!(!looks(&clock, began, 45, at(45) - HOURS, at(45)).believed);
        clock.accept(-HOURS.cast_signed());
        assert!(looks(&clock, began, 50, at(50) - HOURS, at(50)).believed);
    }

    #[test]
    fn a_clock_that_was_off_at_the_start_is_not_believed_for_being_steady() {
        let (clock, began) = (Clock::default(), Instant::now());
        for s in [0, 5, 10] {
            let look = looks(&clock, began, s, NOON + s * 1000 + HOURS, NOON + s * 1000);
            assert_eq!((look.believed, look.skew_ms, look.stopped.as_secs()), (false, HOURS, s));
        }
        assert!(looks(&clock, began, 15, NOON + 15_000, NOON + 15_000).believed);
    }
}
