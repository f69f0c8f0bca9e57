//! Who is connected: how many, how many from one address, and who goes when there is no seat left: whoever has been
//! silent longest. Knows neither HTTP nor the shop.
//!
//! A guest is silent while no request of its is being answered: before its first byte, within a head, while it owes the
//! rest of a body, between two requests, and while it does not read what it was sent.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ipnet::IpNet;
use tokio::sync::Notify;

use crate::domain::network::networks;
use crate::telemetry::counters;

/// How many times the share of one address the site around it has: an IPv6 /48 beside its 65,536 /64s.
const SITE: usize = 2;
/// Bytes that all requests may hold together that are not whole yet; past it the oldest of them go.
const HEADS_BYTES: usize = 64 << 20;
/// What is kept of a head, to tell what could not be read.
const HEAD_KEPT: usize = 2048;
/// How many of the longest silent are found at one look, so that the look is paid by as many newcomers.
const LOOK: usize = 256;
/// After a look that found nobody, how long there is no other.
const NOBODY: Duration = Duration::from_millis(50);
/// How often it is told that it is crowded.
const TOLD_AGAIN: Duration = Duration::from_secs(600);

/// One connection.
pub struct Guest {
    number: u64,
    nets: Nets,
    /// Neither counted by address nor sent away.
    spared: bool,
    /// Milliseconds since the house opened, and one; 0: a request of its is being answered.
    silent_since: AtomicU64,
    answering: AtomicBool,
    /// Its request's head is whole, and its body is not.
    owes: AtomicBool,
    heard: AtomicUsize,
    head: Mutex<Vec<u8>>,
    leave: Notify,
    began: Instant,
}

impl Guest {
    fn now(&self) -> u64 {
        self.began.elapsed().as_millis() as u64 + 1
    }

    /// Returns once it is asked to leave.
    pub async fn asked_to_leave(&self) {
        self.leave.notified().await;
    }

    /// Whether a request of its is being answered.
    pub fn is_answered(&self) -> bool {
        self.answering.load(Ordering::Relaxed)
    }

    /// How long it has been silent, counted from `since` on; a body that it owes has a time of its own.
    pub fn silent_for(&self, since: Instant) -> Duration {
        match self.silent_since.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            _ if self.owes.load(Ordering::Relaxed) => Duration::ZERO,
            at => since.elapsed().min(Duration::from_millis(self.now().saturating_sub(at))),
        }
    }

    /// A head came whole, whose body is waited for. Silent until that has come: a head costs nothing, and whoever sends
    /// no more than heads would hold all places.
    pub fn owes_body(&self) {
        self.owes.store(true, Ordering::Relaxed);
        self.silent_since.store(self.now(), Ordering::Relaxed);
        self.head().clear();
    }

    /// What it owed is here, or nobody waits for it any more.
    pub fn owes_no_more(&self, seats: &Seats) {
        if self.owes.load(Ordering::Relaxed) {
            self.answers(seats);
        }
    }

    /// It is answered from here on.
    pub fn answers(&self, seats: &Seats) {
        self.answering.store(true, Ordering::Relaxed);
        self.owes.store(false, Ordering::Relaxed);
        self.silent_since.store(0, Ordering::Relaxed);
        seats.forget(self);
        self.head().clear();
    }

    /// It was answered.
    pub fn answered(&self) {
        self.answering.store(false, Ordering::Relaxed);
        self.owes.store(false, Ordering::Relaxed);
        self.silent_since.store(self.now(), Ordering::Relaxed);
    }

    /// It does not read.
    pub fn stalls(&self) {
        let now = self.now();
        let _silent = self.silent_since.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// It reads again.
    pub fn reads(&self) {
        if self.is_answered() {
            self.silent_since.store(0, Ordering::Relaxed);
        }
    }

    /// Bytes came from it.
    pub fn hear(&self, seats: &Seats, bytes: &[u8]) {
        if self.is_answered() {
            return;
        }
        if !self.owes.load(Ordering::Relaxed) {
            let mut head = self.head();
            let room = HEAD_KEPT.saturating_sub(head.len()).min(bytes.len());
            head.extend_from_slice(&bytes[..room]);
        }
        if !self.spared {
            // First the sum: whoever forgets a guest takes from it what the guest says.
            let all = seats.heads.fetch_add(bytes.len(), Ordering::Relaxed).saturating_add(bytes.len());
            self.heard.fetch_add(bytes.len(), Ordering::Relaxed);
            if all > seats.heads_bytes {
                seats.thin_heads();
            }
        }
    }

    /// The beginning of the request that it is sending, as it came.
    pub fn head(&self) -> MutexGuard<'_, Vec<u8>> {
        self.head.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The networks that a guest counts in: an IPv4 address, or an IPv6 /64 and the /48 around it.
type Nets = [Option<IpNet>; 2];

fn nets_of(peer: IpAddr) -> Nets {
    let mut all = networks(peer).into_iter().filter(|net| net.prefix_len() != 128);
    [all.next(), all.next()]
}

/// A guest and since when it was silent: it goes only if it still is.
type Silent = (u64, u64);

/// The longest silent of a network, or of all.
#[derive(Default)]
struct Tired {
    list: VecDeque<Silent>,
    nobody_until: Option<Instant>,
}

#[derive(Default)]
struct Table {
    next: u64,
    guests: HashMap<u64, Arc<Guest>>,
    of_net: HashMap<IpNet, usize>,
    tired: HashMap<Option<IpNet>, Tired>,
    crowded: bool,
    told: Option<Instant>,
}

impl Table {
    fn remove(&mut self, number: u64) -> Option<Arc<Guest>> {
        let guest = self.guests.remove(&number)?;
        for net in guest.nets.iter().flatten() {
            let Some(count) = self.of_net.get_mut(net) else { continue };
            *count -= 1;
            if *count == 0 {
                self.of_net.remove(net);
                self.tired.remove(&Some(*net));
            }
        }
        Some(guest)
    }

    /// Those who may be sent away, by how long they have been silent; at most [`LOOK`].
    fn silent(&self, of: Option<IpNet>) -> VecDeque<Silent> {
        let fits = |guest: &&Arc<Guest>| !guest.spared && (of.is_none() || guest.nets.contains(&of));
        let since = |guest: &Arc<Guest>| (guest.silent_since.load(Ordering::Relaxed), guest.number);
        let mut found: Vec<(u64, u64)> =
            self.guests.values().filter(fits).map(since).filter(|(since, _)| *since > 0).collect();
        if found.len() > LOOK {
            found.select_nth_unstable(LOOK - 1);
            found.truncate(LOOK);
        }
        found.sort_unstable();
        found.into_iter().map(|(since, number)| (number, since)).collect()
    }

    /// Asks the longest silent to leave, of a network or of all; its seat is free at once.
    fn send_away(&mut self, of: Option<IpNet>) -> Option<Arc<Guest>> {
        let mut tired = self.tired.remove(&of).unwrap_or_default();
        let mut sent = self.next_of(&mut tired.list);
        if sent.is_none() && tired.nobody_until.is_none_or(|until| until <= Instant::now()) {
            tired.list = self.silent(of);
            sent = self.next_of(&mut tired.list);
            tired.nobody_until = sent.is_none().then(|| Instant::now() + NOBODY);
        }
        self.tired.insert(of, tired);
        let guest = self.remove(sent?)?;
        guest.leave.notify_one();
        Some(guest)
    }

    fn next_of(&self, list: &mut VecDeque<Silent>) -> Option<u64> {
        std::iter::from_fn(|| list.pop_front()).find_map(|(number, since)| {
            let guest = self.guests.get(&number)?;
            (guest.silent_since.load(Ordering::Relaxed) == since).then_some(number)
        })
    }
}

/// Why somebody came in, or had to go, that others know of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crowd {
    /// Connections now.
    pub taken: usize,
    /// Connections that there may be.
    pub most: usize,
    /// The address that has most of them, or the site (a /48) where that has more, and how many; `None`: all are trusted
    /// proxies'.
    pub busiest: Option<(IpNet, usize)>,
}

/// The seats of one listener.
pub struct Seats {
    most: usize,
    per_address: usize,
    heads_bytes: usize,
    heads: AtomicUsize,
    began: Instant,
    table: Mutex<Table>,
}

impl Seats {
    /// So many, and so many for one address: an IPv4 one or an IPv6 /64; a /48 has [`SITE`] times that.
    pub fn new(most: usize, per_address: usize) -> Self {
        let began = Instant::now();
        Self { most, per_address, heads_bytes: HEADS_BYTES, heads: AtomicUsize::new(0), began, table: Mutex::default() }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A seat, if there is one, or somebody silent has to go for it.
    pub fn admit(self: &Arc<Self>, peer: IpAddr, spared: bool) -> Option<Seat> {
        // Behind a proxy of ours stand all buyers: it counts as nobody's.
        let nets = if spared { Nets::default() } else { nets_of(peer) };
        let mut table = self.table();
        for (net, share) in nets.into_iter().flatten().zip([1, SITE]) {
            let taken = table.of_net.get(&net).copied().unwrap_or(0);
            if taken >= self.per_address.saturating_mul(share) {
                table.crowded = true;
                self.gone(table.send_away(Some(net)))?;
            }
        }
        if table.guests.len() >= self.most {
            table.crowded = true;
            self.gone(table.send_away(None))?;
        }
        table.next += 1;
        let number = table.next;
        let guest = Arc::new(Guest {
            number,
            nets,
            spared,
            silent_since: AtomicU64::new(self.began.elapsed().as_millis() as u64 + 1),
            answering: AtomicBool::new(false),
            owes: AtomicBool::new(false),
            heard: AtomicUsize::new(0),
            head: Mutex::default(),
            leave: Notify::new(),
            began: self.began,
        });
        table.guests.insert(number, Arc::clone(&guest));
        for net in nets.into_iter().flatten() {
            *table.of_net.entry(net).or_default() += 1;
        }
        Some(Seat { seats: Arc::clone(self), guest })
    }

    /// Makes one seat free, where files have run out.
    pub fn make_room(&self) -> bool {
        let mut table = self.table();
        table.crowded = true;
        self.gone(table.send_away(None)).is_some()
    }

    fn gone(&self, guest: Option<Arc<Guest>>) -> Option<()> {
        self.forget(&*guest?);
        counters::connection_sent_away();
        Some(())
    }

    /// The crowd, if there is one and that was not told lately.
    pub fn news(&self) -> Option<Crowd> {
        let mut table = self.table();
        if !std::mem::take(&mut table.crowded) || table.told.is_some_and(|at| at.elapsed() < TOLD_AGAIN) {
            return None;
        }
        table.told = Some(Instant::now());
        let busiest = table.of_net.iter().max_by_key(|(net, count)| (**count, net.prefix_len()));
        let busiest = busiest.map(|(net, count)| (*net, *count));
        Some(Crowd { taken: table.guests.len(), most: self.most, busiest })
    }

    /// What was heard of a request is no longer held.
    fn forget(&self, guest: &Guest) {
        self.heads.fetch_sub(guest.heard.swap(0, Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Sends away the oldest who hold a piece of a request, until a quarter of the room for those is free again.
    fn thin_heads(&self) {
        let mut table = self.table();
        let holds = |guest: &&Arc<Guest>| guest.heard.load(Ordering::Relaxed) > 0;
        let since = |guest: &Arc<Guest>| (guest.silent_since.load(Ordering::Relaxed), guest.number);
        let mut holders: Vec<(u64, u64)> =
            table.guests.values().filter(holds).map(since).filter(|(since, _)| *since > 0).collect();
        holders.sort_unstable();
        table.crowded = true;
        for (_, number) in holders {
            if self.heads.load(Ordering::Relaxed) <= self.heads_bytes - self.heads_bytes / 4 {
                return;
            }
            if let Some(guest) = table.remove(number) {
                guest.leave.notify_one();
                self.gone(Some(guest));
            }
        }
    }
}

/// A seat that is taken, until this is dropped.
pub struct Seat {
    /// The listener's seats.
    pub seats: Arc<Seats>,
    /// Who has it.
    pub guest: Arc<Guest>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.table().remove(self.guest.number);
        self.seats.forget(&self.guest);
    }
}

#[cfg(test)]
mod tests;
