//! Whether this Redis is the store that was there: the identity of each place, and how far it had got.
//!
//! A place is a slot or the catalogue. Each has an identity in Redis (chance); this instance keeps outside of Redis, in its
//! data directory, those identities and the newest event of each slot's outbox that was acknowledged with its copies: its
//! *mark*. A place without its identity, or an outbox that ends before its mark, means that what was acknowledged is not
//! there any more: sold keys might be sold again. Then the store is *doubted*, and no script that draws runs
//! ([`super::script::Script::draws`]) until a person accepts what is there or the right store is back.
//!
//! Invariant: a mark is never ahead of what Redis had made durable when it was taken.

mod file;
mod look;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::{At, StoreError};
use crate::domain::{Cause, Doubt, Millis, Missing, Slot};
pub use look::Accepted;

/// Under `relaxed` an event counts as durable when it stood so long: `everysec` may take two seconds to its next sync.
const RELAXED_MS: Millis = 3_000;
/// A promoted replica had run so long before its master was last heard: a server's age is told in whole seconds.
const OLDER_MS: Millis = 2_000;

/// An entry of an outbox: ms and number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct EntryId(Millis, u64);

impl EntryId {
    /// When it was written, by Redis' clock.
    #[must_use]
    pub const fn at(self) -> Millis {
        self.0
    }
}

impl std::str::FromStr for EntryId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (ms, n) = text.split_once('-').ok_or(())?;
        Ok(Self(ms.parse().map_err(|_| ())?, n.parse().map_err(|_| ())?))
    }
}

impl std::fmt::Display for EntryId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.0, self.1)
    }
}

impl Serialize for EntryId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EntryId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|()| serde::de::Error::custom("no <ms>-<n>"))
    }
}

/// What is known of one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    id: String,
    /// Of a slot; the catalogue has none.
    #[serde(default)]
    mark: EntryId,
}

/// A process of Redis, as its `INFO` tells.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Server {
    run: String,
    /// The history it writes.
    replid: String,
    /// The history it wrote on from as a replica; all zeros where it was none.
    #[serde(skip)]
    before: String,
    /// When it was looked at, by its own clock.
    seen: Millis,
    /// When it started.
    #[serde(skip)]
    started: Millis,
}

/// What one prefix' data directory remembers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    places: BTreeMap<String, Known>,
    server: Server,
    doubt: Option<Doubt>,
}

/// Where each slot's outbox ends.
type Ends = BTreeMap<String, EntryId>;

/// What stands in Redis.
#[derive(Debug, Clone)]
struct Seen {
    /// Identities by place.
    ids: BTreeMap<String, String>,
    ends: Ends,
    /// From each identity of the catalogue that was given up to the next.
    accepted: BTreeMap<String, String>,
    server: Server,
}

/// What a look at the store came to, where an operator should hear of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// It is doubted from now on.
    Doubted(Doubt),
    /// The right store is back.
    Trusted,
    /// A person accepted it, here or at another instance.
    Accepted,
    /// A replica became the master, and lacks events that its master had acknowledged.
    Promoted {
        /// Slots that lack some.
        slots: usize,
        /// The newest of them, ms.
        until: Millis,
    },
}

/// The name of the catalogue among the places.
const CATALOG: &str = "catalog";

fn place_names() -> impl Iterator<Item = String> {
    At::all().map(|at| at.tag().to_owned())
}

#[derive(Debug, Default)]
struct State {
    kept: Kept,
    /// Ends that are not old enough to be marks, under `relaxed`: when they were read, and what was read.
    young: Vec<(Millis, Ends)>,
    findings: Vec<Finding>,
    unwritten: bool,
    /// Where the outboxes ended at the last look: each such entry must stand there at the next, or be trimmed.
    anchors: Ends,
    /// How often what stands in Redis was taken for the store: a look that began before the last time compares with another.
    adopted: u64,
}

/// What this instance knows of its store's places.
#[derive(Debug, Default)]
pub struct Places {
    /// Where it is kept; nowhere for tools and tests.
    file: Option<PathBuf>,
    prefix: &'static str,
    relaxed: bool,
    doubted: AtomicBool,
    state: Mutex<State>,
}

impl Places {
    /// What a data directory remembers of its store.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub fn load(data: &Path, prefix: &'static str, relaxed: bool) -> Result<Self, StoreError> {
        let file = data.join("places.json");
        let kept = file::read(&file)?.remove(prefix).unwrap_or_default();
        let doubted = AtomicBool::new(kept.doubt.is_some());
        let state = Mutex::new(State { kept, ..State::default() });
        Ok(Self { file: Some(file), prefix, relaxed, doubted, state })
    }

    /// One that remembers nothing beyond this process.
    #[must_use]
    pub fn forgetful(prefix: &'static str, relaxed: bool) -> Self {
        Self { prefix, relaxed, ..Self::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether anything is known of a store.
    fn knows_any(&self) -> bool {
        !self.state().kept.places.is_empty()
    }

    /// Why the store is doubted, if it is.
    #[must_use]
    pub fn doubt(&self) -> Option<Doubt> {
        if self.doubted.load(Ordering::Acquire) { self.state().kept.doubt.clone() } else { None }
    }

    /// Says something with who a place is known as; empty where it is not, as no place is.
    pub(super) fn known_as<T>(&self, at: At, say: impl FnOnce(&str) -> T) -> T {
        say(self.state().kept.places.get(at.tag()).map_or("", |known| known.id.as_str()))
    }

    /// What was found since the last call.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        std::mem::take(&mut self.state().findings)
    }

    /// An event was acknowledged with its copies.
    pub(super) fn acknowledged(&self, slot: Slot, entry: EntryId) {
        if self.relaxed {
            return;
        }
        let mut state = self.state();
        if state.kept.doubt.is_none()
            && let Some(known) = state.kept.places.get_mut(At::Slot(slot).tag())
            && known.mark < entry
        {
            known.mark = entry;
            state.unwritten = true;
        }
    }

    /// Writes what is not written yet, whole or not at all.
    ///
    /// # Errors
    /// The disk.
    pub fn write(&self) -> std::io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let kept = {
            let mut state = self.state();
            if !std::mem::take(&mut state.unwritten) {
                return Ok(());
            }
            state.kept.clone()
        };
        file::write(file, self.prefix, kept).inspect_err(|_| self.state().unwritten = true)
    }

    /// Takes in what stands in Redis. `before` is what was known when the look began: what was acknowledged since may not be
    /// in it.
    fn judge(&self, (before, adopted): (&Kept, u64), seen: &Seen) {
        let mut state = self.state();
        if state.adopted != adopted {
            return;
        }
        let known_as = before.places.get(CATALOG).map_or("", |known| known.id.as_str());
        if seen.leads_from(known_as) {
            state.adopt(seen);
            state.findings.push(Finding::Accepted);
        } else {
            state.compare(before, seen);
        }
        if state.kept.doubt.is_none() {
            state.anchors = seen.ends.clone();
            if state.kept.server.run != seen.server.run {
                state.unwritten = true;
                state.young.clear();
            }
            state.kept.server = seen.server.clone();
        }
        self.doubted.store(state.kept.doubt.is_some(), Ordering::Release);
    }

    /// Whether any outbox ends behind its mark.
    fn are_ahead(&self, ends: &Ends) -> bool {
        let state = self.state();
        let moved =
            |(place, end): (&String, &EntryId)| state.kept.places.get(place).is_some_and(|known| known.mark < *end);
        state.kept.doubt.is_none() && ends.iter().any(moved)
    }

    /// What was seen has its copies: it becomes the marks, under `relaxed` a little later.
    fn advance(&self, ends: Ends, now: Millis) {
        let mut state = self.state();
        if state.kept.doubt.is_none() {
            state.advance(ends, now, self.relaxed);
        }
    }

    /// Takes what stands in Redis for the store from now on.
    fn adopt(&self, seen: &Seen) {
        let mut state = self.state();
        state.adopt(seen);
        self.doubted.store(false, Ordering::Release);
    }

    /// Another instance doubts for reasons that were found true here as well.
    fn doubt_too(&self, doubt: Doubt) {
        let mut state = self.state();
        if state.kept.doubt.is_none() {
            state.doubted(doubt);
            self.doubted.store(true, Ordering::Release);
        }
    }
}

impl Seen {
    /// Whether a person accepted what stands there after an identity of the catalogue, at once or one by one.
    fn leads_from(&self, known: &str) -> bool {
        let now = self.ids.get(CATALOG).map_or("", String::as_str);
        let mut at = known;
        for _ in 0..=self.accepted.len() {
            match self.accepted.get(at) {
                Some(next) if next == now => return true,
                Some(next) => at = next,
                None => return false,
            }
        }
        false
    }
}

impl State {
    fn adopt(&mut self, seen: &Seen) {
        let known = |(place, id): (&String, &String)| {
            let mark = seen.ends.get(place).copied().unwrap_or_default();
            (place.clone(), Known { id: id.clone(), mark })
        };
        self.kept = Kept { places: seen.ids.iter().map(known).collect(), server: seen.server.clone(), doubt: None };
        self.young.clear();
        self.anchors = seen.ends.clone();
        self.unwritten = true;
        self.adopted += 1;
    }

    fn doubted(&mut self, doubt: Doubt) {
        self.findings.push(Finding::Doubted(doubt.clone()));
        self.kept.doubt = Some(doubt);
        self.young.clear();
        self.unwritten = true;
    }

    fn compare(&mut self, before: &Kept, seen: &Seen) {
        let missing = |fits: &dyn Fn(&str, &Known) -> bool| -> Vec<Missing> {
            let places = before.places.iter().filter(|(place, known)| fits(place, known));
            let missing = |(place, known): (&String, &Known)| Missing {
                place: place.clone(),
                id: known.id.clone(),
                mark: known.mark.to_string(),
            };
            places.map(missing).collect()
        };
        let gone = missing(&|place, known| seen.ids.get(place) != Some(&known.id));
        let behind = missing(&|place, known| seen.ends.get(place).copied().unwrap_or_default() < known.mark);
        let doubt = |cause, missing| Doubt { cause, since: seen.server.seen, run: seen.server.run.clone(), missing };
        let was = self.kept.doubt.as_ref().map(|doubt| doubt.cause);
        match (gone.is_empty(), behind.is_empty(), was) {
            (false, _, Some(Cause::Gone)) => {}
            (false, _, _) => self.doubted(doubt(Cause::Gone, gone)),
            (true, false, None) if before.server.is_followed_by(&seen.server) => {
                let until = behind.iter().filter_map(|missing| missing.mark.parse::<EntryId>().ok()).max();
                let until = until.unwrap_or_default().at();
                self.findings.push(Finding::Promoted { slots: behind.len(), until });
                self.adopt(seen);
            }
            (true, false, Some(Cause::Behind)) => {}
            (true, false, _) => self.doubted(doubt(Cause::Behind, behind)),
            // What went back may have got ahead of its mark meanwhile: see `Store::look_at_places`.
            (true, true, Some(Cause::Gone)) => {
                self.kept.doubt = None;
                self.findings.push(Finding::Trusted);
                self.unwritten = true;
            }
            (true, true, _) => {}
        }
    }

    fn advance(&mut self, ends: Ends, now: Millis, relaxed: bool) {
        let old = if relaxed {
            self.young.push((now, ends));
            let ripe = self.young.iter().take_while(|(at, _)| at + RELAXED_MS <= now).count();
            self.young.drain(..ripe).next_back().map(|(_, ends)| ends)
        } else {
            Some(ends)
        };
        for (place, end) in old.into_iter().flatten() {
            if let Some(known) = self.kept.places.get_mut(&place)
                && known.mark < end
            {
                known.mark = end;
                self.unwritten = true;
            }
        }
    }
}

impl Server {
    /// Whether another server goes on where this one was: a replica of it that ran beside it and was promoted.
    fn is_followed_by(&self, other: &Self) -> bool {
        !self.replid.is_empty()
            && self.run != other.run
            && self.replid == other.before
            && other.started + OLDER_MS < self.seen
    }
}

#[cfg(test)]
mod tests;
