//! What an address may do in a minute. A callback that verifies is never charged; a rejected one is, and past the limit
//! its address is answered 429 before anything is read. An address that a payment of ours came from is a gateway's, which
//! others can make send what we reject: there the limit is many times as high.
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

use crate::config::Limits;
use crate::domain::OrderId;
use crate::domain::network::network;

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

/// How many times as many rejected callbacks an address of a gateway's may send: others have accounts there, too, and can make
/// it send what is not for us. Reading and checking so many is still little work.
const GATEWAYS: u32 = 50;
/// Addresses of gateways known at once. Each has cost a payment; past it the one that was silent for longest is forgotten.
const KNOWN: usize = 1024;
/// For how long an address is a gateway's after its last new payment.
const KNOWN_FOR: Duration = Duration::from_secs(7 * 86_400);

/// An operator hears of one blocked address once in this time, and of so many addresses.
const TOLD_AGAIN: Duration = Duration::from_secs(600);
const TOLD: usize = 100;

/// What a rejected callback came to, where an operator should hear of it: once in a while for an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TooManyRejected {
    /// Its address is not listened to for a moment.
    Blocked,
    /// It would be, if it were not a gateway's.
    Spared,
}

/// Keyed limiters, and the table of those who are blocked until then.
pub struct Limiter {
    orders: PerMinute,
    lookups: PerMinute,
    finds: PerMinute,
    guesses: PerMinute<OrderId>,
    rejected: PerMinute,
    of_gateways: PerMinute,
    gateways: Mutex<HashMap<IpAddr, Instant>>,
    blocked: Mutex<Generations<IpAddr, Instant>>,
    told: Mutex<HashMap<(IpAddr, bool), Instant>>,
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
            of_gateways: PerMinute::new(limits.rejected_per_minute.saturating_mul(GATEWAYS)),
            gateways: Mutex::default(),
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

    /// A payment that was not known before came from this address: it is a gateway's. (A repeat proves nothing: a buyer can
    /// hold what their own payment was told with.)
    pub fn paid_from(&self, address: IpAddr) {
        let (key, now) = (network(address), Instant::now());
        let mut gateways = self.gateways.lock().unwrap_or_else(PoisonError::into_inner);
        if gateways.len() >= KNOWN && !gateways.contains_key(&key) {
            let silent = gateways.iter().min_by_key(|(_, since)| **since).map(|(address, _)| *address);
            silent.map(|address| gateways.remove(&address));
        }
        gateways.insert(key, now);
    }

    /// Whether an address is a gateway's, as far as this instance has seen.
    fn is_gateways(&self, key: IpAddr) -> bool {
        let gateways = self.gateways.lock().unwrap_or_else(PoisonError::into_inner);
        gateways.get(&key).is_some_and(|since| since.elapsed() < KNOWN_FOR)
    }

    /// Charges a rejected callback, and blocks its address when there were too many; `listed`: it is one of those that a
    /// channel's gateway is known to call from. Says what an operator should hear and has not lately.
    pub fn reject(&self, address: IpAddr, listed: bool) -> Option<TooManyRejected> {
        let wait = self.rejected.charge(network(address)).err()?;
        let spared = listed || self.is_gateways(network(address));
        let wait = if spared { self.of_gateways.charge(network(address)).err() } else { Some(wait) };
        let now = Instant::now();
        if let Some(wait) = wait {
            // At least a second: the next token would otherwise let every other forgery in.
            let until = now + wait.max(Duration::from_secs(1));
            self.blocked.lock().unwrap_or_else(PoisonError::into_inner).put(network(address), until);
        }
        let news = if wait.is_some() { TooManyRejected::Blocked } else { TooManyRejected::Spared };
        let subject = (network(address), wait.is_some());
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= TOLD {
            told.retain(|_, since| now.duration_since(*since) < TOLD_AGAIN);
        }
        let lately = told.get(&subject).is_some_and(|since| now.duration_since(*since) < TOLD_AGAIN);
        if lately || told.len() >= TOLD {
            return None;
        }
        told.insert(subject, now);
        Some(news)
    }

    /// Forgets addresses that were not seen for a minute: called once a minute, after which they owe nothing any more.
    pub fn sweep(&self) {
        for limiter in [&self.orders, &self.lookups, &self.finds, &self.rejected, &self.of_gateways] {
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
    fn a_gateways_address_is_spared_up_to_a_bound_of_its_own_and_a_strangers_is_not() {
        let limits = Limits { rejected_per_minute: 5, ..crate::config::Config::defaults().unwrap().limits };
        let limiter = Limiter::new(&limits);
        let (gateway, listed, stranger) = (address(1), address(2), address(3));
        limiter.paid_from(gateway);
        let read = |address: IpAddr, listed: bool| {
            let mut news = Vec::new();
            for n in 0..10 * GATEWAYS {
                if limiter.blocked(address).is_some() {
                    return (n, news);
                }
                news.extend(limiter.reject(address, listed));
            }
            (u32::MAX, news)
        };
        // The last one blocks; a token may come back meanwhile.
        assert!((6..9).contains(&read(stranger, false).0));
        for (address, listed) in [(gateway, false), (listed, true)] {
            let (count, news) = read(address, listed);
            assert!((5 * GATEWAYS + 6..5 * GATEWAYS + 50).contains(&count), "{count}");
            assert_eq!(news, [TooManyRejected::Spared, TooManyRejected::Blocked]);
        }
    }

    #[test]
    fn only_so_many_gateways_are_known_and_the_one_silent_for_longest_goes() {
        let limiter = Limiter::new(&crate::config::Config::defaults().unwrap().limits);
        let last = 3 * u32::try_from(KNOWN).unwrap() - 1;
        for n in 0..=last {
            limiter.paid_from(address(n));
            limiter.paid_from(address(0));
        }
        assert_eq!(limiter.gateways.lock().unwrap().len(), KNOWN);
        assert!(limiter.is_gateways(address(0)) && limiter.is_gateways(address(last)));
        assert!(!limiter.is_gateways(address(1)));
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
