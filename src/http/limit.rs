//! What an address may do in a minute. A callback that verifies is never charged; a rejected one is, and past the limit
//! its address is answered 429 before anything is read.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::address::network;
use crate::config::Limits;

/// Most addresses remembered at once; past it the oldest knowledge is dropped.
const ADDRESSES: usize = 65_536;

/// An operator hears of one blocked address once in this time, and of so many addresses.
const TOLD_AGAIN: Duration = Duration::from_secs(600);
const TOLD: usize = 100;

/// Keyed limiters, and the table of those who are blocked until then.
pub struct Limiter {
    orders: DefaultKeyedRateLimiter<IpAddr>,
    lookups: DefaultKeyedRateLimiter<IpAddr>,
    rejected: DefaultKeyedRateLimiter<IpAddr>,
    blocked: Mutex<HashMap<IpAddr, Instant>>,
    told: Mutex<HashMap<IpAddr, Instant>>,
}

fn per_minute(count: u32) -> DefaultKeyedRateLimiter<IpAddr> {
    RateLimiter::dashmap(Quota::per_minute(NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN)))
}

fn charge(limiter: &DefaultKeyedRateLimiter<IpAddr>, address: IpAddr) -> Result<(), Duration> {
    if limiter.len() > ADDRESSES {
        limiter.retain_recent();
    }
    let clock = DefaultClock::default();
    limiter.check_key(&network(address)).map_err(|not_until| not_until.wait_time_from(clock.now()))
}

impl Limiter {
    /// Limits as configured.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            orders: per_minute(limits.orders_per_minute),
            lookups: per_minute(limits.lookups_per_minute),
            rejected: per_minute(limits.rejected_per_minute),
            blocked: Mutex::default(),
            told: Mutex::default(),
        }
    }

    /// Charges a new order.
    ///
    /// # Errors
    /// How long to wait.
    pub fn order(&self, address: IpAddr) -> Result<(), Duration> {
        charge(&self.orders, address)
    }

    /// Charges a look-up.
    ///
    /// # Errors
    /// How long to wait.
    pub fn lookup(&self, address: IpAddr) -> Result<(), Duration> {
        charge(&self.lookups, address)
    }

    /// How long an address is still blocked.
    pub fn blocked(&self, address: IpAddr) -> Option<Duration> {
        let mut blocked = self.blocked.lock().unwrap_or_else(PoisonError::into_inner);
        if blocked.is_empty() {
            return None;
        }
        let key = network(address);
        let left = blocked.get(&key)?.checked_duration_since(Instant::now());
        if left.is_none() {
            blocked.remove(&key);
        }
        left
    }

    /// Charges a rejected callback, and blocks its address when there were too many. Says whether it was not blocked
    /// lately: then an operator should hear of it.
    pub fn reject(&self, address: IpAddr) -> bool {
        let Err(wait) = charge(&self.rejected, address) else { return false };
        let mut blocked = self.blocked.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if blocked.len() >= ADDRESSES {
            blocked.retain(|_, until| *until > now);
        }
        if blocked.len() >= ADDRESSES {
            return false;
        }
        // At least a second: the next token would otherwise let every other forgery in.
        blocked.insert(network(address), now + wait.max(Duration::from_secs(1)));
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= TOLD {
            told.retain(|_, since| now.duration_since(*since) < TOLD_AGAIN);
        }
        let lately = told.get(&network(address)).is_some_and(|since| now.duration_since(*since) < TOLD_AGAIN);
        if lately || told.len() >= TOLD {
            return false;
        }
        told.insert(network(address), now);
        true
    }

    /// Forgets addresses that have not been seen for a while.
    pub fn sweep(&self) {
        for limiter in [&self.orders, &self.lookups, &self.rejected] {
            limiter.retain_recent();
        }
        let now = Instant::now();
        self.blocked.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, until| *until > now);
    }
}
