//! Copies: what replicas have, where `store.replicas` asks for some.
//!
//! Since Redis 7.2, and on Valkey, `WAIT` waits for the last write of its own connection: behind a script that wrote nothing it
//! acknowledges at once, although what the script found may stand on the master alone. So a write of ours goes between the
//! two, `fence.lua`: its place in the stream of replication is behind all that any connection wrote before.
//!
//! When copies were missing once, nothing more is written until they are there again: each write would wait in vain, and
//! whoever wants it hears so at once. One connection of its own goes on asking, and no other waits behind it.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use redis::{Cmd, Value};

use super::{At, Store, StoreError, link, orders, script};
use crate::config::StoreConfig;
use crate::domain::Order;

/// Pause before a Redis that did not answer is asked about its replicas again.
const PAUSE: Duration = Duration::from_millis(200);
/// Orders remembered as safe to be shown; beyond them all are forgotten, which costs the next look one round trip.
const REMEMBERED: usize = 65_536;

/// What is known of the replicas.
pub(super) struct Copies {
    wanted: u32,
    wait_ms: u64,
    missing: AtomicBool,
    /// Of orders that may be shown: a hash of the number and the keys.
    safe: Mutex<HashSet<u64>>,
}

/// What an order is remembered by: with another key it is another one.
fn mark_of(order: &Order) -> u64 {
    let mut hasher = DefaultHasher::new();
    (order.id.as_str(), &order.keys).hash(&mut hasher);
    hasher.finish()
}

impl Copies {
    pub(super) fn new(config: &StoreConfig) -> Self {
        let (wanted, wait_ms) = (config.replicas, config.timeout_ms / 2);
        Self { wanted, wait_ms, missing: AtomicBool::new(false), safe: Mutex::default() }
    }

    fn is_safe(&self, order: u64) -> bool {
        self.safe.lock().unwrap_or_else(PoisonError::into_inner).contains(&order)
    }

    fn remember(&self, order: u64) {
        let mut safe = self.safe.lock().unwrap_or_else(PoisonError::into_inner);
        if safe.len() >= REMEMBERED {
            safe.clear();
        }
        safe.insert(order);
    }
}

impl Store {
    /// Whether fewer replicas than configured have what was written: nothing more is written until they do.
    #[must_use]
    pub fn copies_missing(&self) -> bool {
        self.copies.missing.load(Ordering::Relaxed)
    }

    /// Takes in how many replicas Redis says it has.
    ///
    /// # Errors
    /// Fewer than are configured, or fewer acknowledged the last write.
    pub fn count_replicas(&self, connected: u64) -> Result<(), StoreError> {
        if connected < u64::from(self.copies.wanted) {
            self.miss_copies();
        }
        if self.copies_missing() { Err(StoreError::TooFewCopies) } else { Ok(()) }
    }

    /// Notes that copies are missing, and asks for them until they are there.
    fn miss_copies(&self) {
        if !self.copies.missing.swap(true, Ordering::Relaxed) {
            tokio::spawn(self.clone().find_copies());
        }
    }

    async fn find_copies(self) {
        let asked = async || -> Result<(), StoreError> {
            let mut link = self.pool.dedicated_connection().await?;
            loop {
                match self.fenced(&mut link, At::Catalog, None).await {
                    Err(StoreError::TooFewCopies) => {}
                    Err(StoreError::NoScript) => drop(link.run(&script::FENCE.load()).await?),
                    other => return other.map(drop),
                }
            }
        };
        while asked().await.is_err() {
            tokio::time::sleep(PAUSE).await;
        }
        self.copies.missing.store(false, Ordering::Relaxed);
    }

    /// Runs a command; with replicas configured, what it wrote and what it found has its copies when this returns.
    /// `at` is where, and the link is one to it.
    pub(super) async fn run_on(&self, link: &mut link::Link, at: At, cmd: &Cmd) -> Result<Value, StoreError> {
        if self.copies.wanted == 0 {
            return link.run(cmd).await;
        }
        if self.copies_missing() {
            return Err(StoreError::TooFewCopies);
        }
        let answer = self.fenced(link, at, Some(cmd)).await;
        if matches!(answer, Err(StoreError::TooFewCopies)) {
            self.miss_copies();
        }
        answer
    }

    /// Whether all that was written until now has its copies.
    pub(super) async fn all_copied(&self) -> Result<bool, StoreError> {
        if self.copies.wanted == 0 || self.copies_missing() {
            return Ok(!self.copies_missing());
        }
        let mut link = self.link_to(At::Catalog).await?;
        match self.fenced(&mut link, At::Catalog, None).await {
            Ok(_) => Ok(true),
            Err(StoreError::TooFewCopies) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A command, the fence and `WAIT` in one write: `WAIT` counts for its own connection only. Once the command ran, whatever
    /// becomes of the rest, such as a `WAIT` that ends because its master is one no longer, is a copy that is missing.
    async fn fenced(&self, link: &mut link::Link, at: At, cmd: Option<&Cmd>) -> Result<Value, StoreError> {
        let (fence, now) = (self.names.fence(at), self.now().to_string());
        let mut pipe = redis::pipe();
        if let Some(cmd) = cmd {
            pipe.add_command(cmd.clone());
        }
        pipe.add_command(script::FENCE.command(&[&fence], &[now.as_bytes()]));
        pipe.cmd("WAIT").arg(self.copies.wanted).arg(self.copies.wait_ms);
        let mut answers = link.run_each(&pipe).await?.into_iter();
        let answer = link.value(answers.next().unwrap_or(Value::Nil))?;
        let rest: Result<Vec<Value>, StoreError> = answers.map(|value| link.value(value)).collect();
        match rest.as_deref() {
            Ok([.., Value::Int(copies)]) if *copies >= i64::from(self.copies.wanted) => Ok(answer),
            // The fence is not known to this Redis: both are run once more when it is.
            Err(StoreError::NoScript) => Err(StoreError::NoScript),
            _ => Err(StoreError::TooFewCopies),
        }
    }

    /// Makes sure that an order's keys may be shown: that the order stands as it was read where a master that is lost would be
    /// replaced from. A key that a buyer saw must not be for sale again.
    ///
    /// # Errors
    /// It has too few copies, or Redis does not answer: nothing of it may be shown yet.
    pub async fn secure(&self, order: &Order) -> Result<(), StoreError> {
        let mark = mark_of(order);
        if self.copies.wanted == 0 || self.copies.is_safe(mark) {
            return Ok(());
        }
        let at = At::Slot(order.id.slot());
        // Read again in the same write: another server than the one it was read from may answer by now.
        let mut read = redis::cmd("HGETALL");
        read.arg(self.names.order(order.id));
        let mut link = self.link_to(at).await?;
        let answer = match self.run_on(&mut link, at, &read).await {
            Err(StoreError::NoScript) => {
                link.run(&script::FENCE.load()).await?;
                self.run_on(&mut link, at, &read).await?
            }
            other => other?,
        };
        let stands = orders::read_order(order.id, &answer)?;
        if stands.is_some_and(|stands| stands.state == order.state && stands.keys == order.keys) {
            self.copies.remember(mark);
            return Ok(());
        }
        Err(StoreError::Unavailable("the order changed meanwhile".to_owned()))
    }
}
