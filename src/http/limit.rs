//! What an address may do in a minute. A callback that verifies is never charged; a rejected one is, and past the limit
//! its address is answered 429 before anything is read.
//!
//! An order has a limit of its own for whoever guesses at it from many addresses.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use governor::clock::{Clock as _, DefaultClock};
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::{Quota, RateLimiter};

use super::address::network;
use crate::config::Limits;
use crate::domain::OrderId;

/// Most addresses, or orders, remembered at once; past it the oldest knowledge is dropped.
const ADDRESSES: usize = 65_536;

/// What somebody types to find an order counts as so many look-ups: it may be a guess.
const FINDS: u32 = 60;
/// How many times what one address may guess in a minute all together may guess at one order: no address alone closes it.
const GUESSES: u32 = 3;

/// What is known of addresses, in two generations. When the young one is full, or a minute old, it becomes the old one,
/// and what nobody asked for since is forgotten whole: a look-up costs the same however many addresses there are.
struct Generations<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K, V> Default for Generations<K, V> {
    fn default() -> Self {
        Self { young: HashMap::new(), old: HashMap::new() }
    }
}

impl<K: Copy + Eq + Hash, V: Copy> Generations<K, V> {
    fn get(&mut self, key: K) -> Option<V> {
        if let Some(known) = self.young.get(&key) {
            return Some(*known);
        }
        let known = self.old.remove(&key)?;
        self.put(key, known);
        Some(known)
    }

    fn put(&mut self, key: K, value: V) {
        if self.young.len() >= ADDRESSES / 2 && !self.young.contains_key(&key) {
            self.turn();
        }
        self.young.insert(key, value);
    }

    fn remove(&mut self, key: K) {
        self.young.remove(&key);
        self.old.remove(&key);
    }

    fn turn(&mut self) {
        self.old = std::mem::take(&mut self.young);
    }

    fn is_empty(&self) -> bool {
        self.young.is_empty() && self.old.is_empty()
    }
}

/// What each address, or order, was charged, for governor.
#[derive(Clone)]
struct Charges<K>(Arc<Mutex<Generations<K, Nanos>>>);

impl<K> Charges<K> {
    fn known(&self) -> MutexGuard<'_, Generations<K, Nanos>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Copy + Eq + Hash> StateStore for Charges<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, judge: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut known = self.known();
        let (verdict, charged) = judge(known.get(*key))?;
        known.put(*key, charged);
        Ok(verdict)
    }
}

/// Allows each network (an IPv4 address, an IPv6 /64), or order, so much a minute.
struct PerMinute<K: Copy + Eq + Hash = IpAddr> {
    limiter: RateLimiter<K, Charges<K>, DefaultClock>,
    charges: Charges<K>,
    clock: DefaultClock,
}

impl<K: Copy + Eq + Hash> PerMinute<K> {
    fn new(count: u32) -> Self {
        let (clock, quota) =
            (DefaultClock::default(), Quota::per_minute(NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN)));
        let charges = Charges(Arc::default());
        Self { limiter: RateLimiter::new(quota, charges.clone(), clock.clone()), charges, clock }
    }

    fn charge(&self, key: K) -> Result<(), Duration> {
        let charged = self.limiter.check_key(&key);
        charged.map_err(|not_until| not_until.wait_time_from(self.clock.now()))
    }

    fn turn(&self) {
        self.charges.known().turn();
    }

    #[cfg(test)]
    fn known(&self) -> usize {
        let known = self.charges.known();
        known.young.len() + known.old.len()
    }
}

/// An operator hears of one blocked address once in this time, and of so many addresses.
const TOLD_AGAIN: Duration = Duration::from_secs(600);
const TOLD: usize = 100;

/// Keyed limiters, and the table of those who are blocked until then.
pub struct Limiter {
    orders: PerMinute,
    lookups: PerMinute,
    finds: PerMinute,
    guesses: PerMinute<OrderId>,
    rejected: PerMinute,
    blocked: Mutex<Generations<IpAddr, Instant>>,
    told: Mutex<HashMap<IpAddr, Instant>>,
}

impl Limiter {
    /// Limits as configured.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let finds = (limits.lookups_per_minute / FINDS).max(1);
        Self {
            orders: PerMinute::new(limits.orders_per_minute),
            lookups: PerMinute::new(limits.lookups_per_minute),
            finds: PerMinute::new(finds),
            guesses: PerMinute::new(finds.saturating_mul(GUESSES)),
            rejected: PerMinute::new(limits.rejected_per_minute),
            blocked: Mutex::default(),
            told: Mutex::default(),
        }
    }

    /// Charges a new order.
    ///
    /// # Errors
    /// How long to wait.
    pub fn order(&self, address: IpAddr) -> Result<(), Duration> {
        self.orders.charge(network(address))
    }

    /// Charges a look-up.
    ///
    /// # Errors
    /// How long to wait.
    pub fn lookup(&self, address: IpAddr) -> Result<(), Duration> {
        self.lookups.charge(network(address))
    }

    /// Charges a try to find an order.
    ///
    /// # Errors
    /// How long to wait.
    pub fn find(&self, address: IpAddr) -> Result<(), Duration> {
        self.finds.charge(network(address))
    }

    /// Charges an order with a try to find it that did not open it, wherever it came from.
    ///
    /// # Errors
    /// How long to wait.
    pub fn guess(&self, order: OrderId) -> Result<(), Duration> {
        self.guesses.charge(order)
    }

    /// How long an address is still blocked.
    pub fn blocked(&self, address: IpAddr) -> Option<Duration> {
        let mut blocked = self.blocked.lock().unwrap_or_else(PoisonError::into_inner);
        if blocked.is_empty() {
            return None;
        }
        let key = network(address);
        let left = blocked.get(key)?.checked_duration_since(Instant::now());
        if left.is_none() {
            blocked.remove(key);
        }
        left
    }

    /// Charges a rejected callback, and blocks its address when there were too many. Says whether it was not blocked
    /// lately: then an operator should hear of it.
    pub fn reject(&self, address: IpAddr) -> bool {
        let Err(wait) = self.rejected.charge(network(address)) else { return false };
        let now = Instant::now();
        // At least a second: the next token would otherwise let every other forgery in.
        let until = now + wait.max(Duration::from_secs(1));
        self.blocked.lock().unwrap_or_else(PoisonError::into_inner).put(network(address), until);
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

    /// Forgets addresses that were not seen for a minute: called once a minute, after which they owe nothing any more.
    pub fn sweep(&self) {
        for limiter in [&self.orders, &self.lookups, &self.finds, &self.rejected] {
            limiter.turn();
        }
        self.guesses.turn();
        self.blocked.lock().unwrap_or_else(PoisonError::into_inner).turn();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u32) -> IpAddr {
        std::net::Ipv4Addr::from(0x0100_0000 + n).into()
    }

    #[test]
    fn a_million_addresses_stay_within_the_table_and_a_busy_one_keeps_its_charges() {
        let lookups = PerMinute::new(100);
        let busy = address(5_000_000);
        let mut refused = 0;
        for n in 0..1_000_000 {
            assert!(lookups.charge(address(n)).is_ok());
            if n % 5000 == 0 {
                refused += u32::from(lookups.charge(busy).is_err());
            }
        }
        assert!(lookups.known() <= ADDRESSES, "{} addresses", lookups.known());
        assert!(refused > 50, "{refused} of 200 charges of the busy one were refused");
    }

    #[test]
    fn guesses_at_one_order_are_bounded_wherever_they_come_from_and_concern_no_other() {
        let limiter = Limiter::new(&crate::config::Config::defaults().unwrap().limits);
        let order = |n: u64| OrderId::new(crate::domain::Slot::new(3), 1_700_000_000_000 + n, 7);
        let taken = (0..1000).filter(|_| limiter.guess(order(0)).is_ok()).count();
        assert!((60..70).contains(&taken), "{taken}: three times what one address may");
        assert!(
            limiter.guess(order(0)).is_err_and(|wait| wait <= Duration::from_secs(2)),
            "and a second later the next"
        );
        assert!(limiter.guess(order(1)).is_ok());
        for n in 0..1_000_000 {
            assert!(limiter.guess(order(n + 2)).is_ok());
        }
        assert!(limiter.guesses.known() <= ADDRESSES);
    }

    #[test]
    fn an_address_is_forgotten_after_two_turns_in_which_nobody_asked_for_it() {
        let lookups = PerMinute::new(1);
        assert!(lookups.charge(address(1)).is_ok());
        lookups.turn();
        assert!(lookups.charge(address(1)).is_err(), "one turn keeps it");
        lookups.turn();
        lookups.turn();
        assert_eq!(lookups.known(), 0);
    }
}
