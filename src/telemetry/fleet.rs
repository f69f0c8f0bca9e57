//! What the instances of a shop tell each other each second, as the lines they are sent as: the newest of each, and the
//! last quarter of an hour, so that a dashboard that is opened now sees what led here.
//!
//! Invariant: bounded in instances, lines and bytes, whatever a stranger in Redis publishes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::snapshot::HISTORY_SECONDS;
use crate::domain::Millis;

/// Instances kept; a fleet is smaller, and a stranger in Redis must not fill our memory.
const INSTANCES: usize = 64;
/// Lines kept of one instance.
const LINES: usize = HISTORY_SECONDS as usize;
/// Bytes kept of all lines; past it the oldest go.
const BYTES: usize = 16 << 20;
/// A line that is longer is none of ours.
const LINE_BYTES: usize = 1 << 20;
/// Lines given to a reader at once.
const CHUNK: usize = 200;

/// One line.
struct Kept {
    /// Counts all lines of the fleet, in the order in which they came.
    ticket: u64,
    at: Millis,
    heard: Instant,
    line: Arc<str>,
}

/// One instance's lines, oldest first.
struct Instance {
    name: Arc<str>,
    rank: u64,
    lines: VecDeque<Kept>,
}

/// The lines of all instances.
#[derive(Default)]
pub struct FleetLines {
    instances: BTreeMap<String, Instance>,
    bytes: usize,
    ticket: u64,
}

impl FleetLines {
    /// Takes a line in, if it is a snapshot and newer than what is there. It is sent on as it is: a line's end inside
    /// would make a second line of it, under whatever name.
    pub fn take(&mut self, line: String, now: Instant) {
        if line.len() > LINE_BYTES || line.contains(['\n', '\r']) {
            return;
        }
        #[derive(Deserialize)]
        struct Head {
            instance: String,
            seq: u64,
            at: Millis,
        }
        let Ok(head) = serde_json::from_str::<Head>(&line) else { return };
        self.forget(now);
        // `at` first, so that an instance that was started again and counts from 0 is newer all the same.
        let rank = head.at.max(head.seq);
        match self.instances.get(&head.instance) {
            Some(known) if known.rank >= rank => return,
            None if self.instances.len() >= INSTANCES => return,
            _ => {}
        }
        self.ticket += 1;
        self.bytes += line.len();
        let kept = Kept { ticket: self.ticket, at: head.at, heard: now, line: line.into() };
        let instance = self.instances.entry(head.instance).or_insert_with_key(|name| Instance {
            name: name.as_str().into(),
            rank,
            lines: VecDeque::new(),
        });
        instance.rank = rank;
        instance.lines.push_back(kept);
        if instance.lines.len() > LINES
            && let Some(oldest) = instance.lines.pop_front()
        {
            self.bytes -= oldest.line.len();
        }
        while self.bytes > BYTES && self.drop_oldest() {}
    }

    /// Forgets what is older than the history, and instances of which nothing else is known.
    fn forget(&mut self, now: Instant) {
        let span = Duration::from_secs(HISTORY_SECONDS);
        let mut freed = 0;
        self.instances.retain(|_, instance| {
            while let Some(oldest) = instance.lines.front().filter(|kept| now.duration_since(kept.heard) > span) {
                freed += oldest.line.len();
                instance.lines.pop_front();
            }
            !instance.lines.is_empty()
        });
        self.bytes -= freed;
    }

    fn drop_oldest(&mut self) -> bool {
        let ticket = |instance: &&mut Instance| instance.lines.front().map_or(u64::MAX, |kept| kept.ticket);
        let oldest = self.instances.values_mut().min_by_key(ticket).and_then(|instance| instance.lines.pop_front());
        self.bytes -= oldest.as_ref().map_or(0, |kept| kept.line.len());
        oldest.is_some()
    }

    /// The instances' names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.instances.keys().map(String::as_str)
    }

    /// The newest line of an instance, with what it is compared by.
    #[must_use]
    pub fn newest(&self, name: &str) -> Option<(u64, Arc<str>)> {
        let instance = self.instances.get(name)?;
        Some((instance.rank, Arc::clone(&instance.lines.back()?.line)))
    }

    /// The newest lines of the instances that were heard of since then.
    pub fn heard_since(&self, since: Instant) -> impl Iterator<Item = (&str, &str)> {
        let newest = self.instances.iter().filter_map(|(name, instance)| Some((name, instance.lines.back()?)));
        newest.filter(move |(_, kept)| kept.heard >= since).map(|(name, kept)| (name.as_str(), &*kept.line))
    }

    /// Bytes of all lines.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn find(&self, name: &str, ticket: u64) -> Option<Arc<str>> {
        let lines = &self.instances.get(name)?.lines;
        let at = lines.binary_search_by_key(&ticket, |kept| kept.ticket).ok()?;
        Some(Arc::clone(&lines[at].line))
    }
}

/// One reader's place in the fleet's lines. It holds no line itself: one that fell out of the history before a slow
/// reader came to it is missing, and its `seq` shows it.
pub struct Follower {
    cursor: u64,
    /// How far back it still has to read; `None` once it has caught up: then the newest line of an instance is enough.
    history: Option<Duration>,
    pending: VecDeque<(Arc<str>, u64)>,
}

impl Follower {
    /// Begins so far back; with nothing, at the newest line of each instance.
    #[must_use]
    pub fn new(history: Duration) -> Self {
        let history = (!history.is_zero()).then_some(history);
        Self { cursor: 0, history, pending: VecDeque::new() }
    }

    /// What comes next: nothing if the reader has all.
    pub fn next(&mut self, fleet: &FleetLines, now: Instant) -> Vec<Arc<str>> {
        if self.pending.is_empty() {
            self.gather(fleet, now);
        }
        let mut lines = Vec::new();
        while lines.len() < CHUNK {
            let Some((name, ticket)) = self.pending.pop_front() else { break };
            lines.extend(fleet.find(&name, ticket));
        }
        lines
    }

    /// Whether lines that were there already are still to come: what is told now stands behind them.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        !self.pending.is_empty()
    }

    fn gather(&mut self, fleet: &FleetLines, now: Instant) {
        let instances = fleet.instances.values();
        match self.history {
            None => self.pending.extend(instances.filter_map(|instance| {
                let newest = instance.lines.back().filter(|kept| kept.ticket > self.cursor)?;
                Some((Arc::clone(&instance.name), newest.ticket))
            })),
            Some(span) => {
                let mut all: Vec<(Millis, u64, &Arc<str>)> = Vec::new();
                for instance in instances {
                    let unread = instance.lines.iter().rev().take_while(|kept| kept.ticket > self.cursor);
                    // What came while the reader was at the history is read whatever its age.
                    let wanted = unread.take_while(|kept| self.cursor > 0 || now.duration_since(kept.heard) <= span);
                    all.extend(wanted.map(|kept| (kept.at, kept.ticket, &instance.name)));
                }
                all.sort_unstable();
                self.pending.extend(all.into_iter().map(|(_, ticket, name)| (Arc::clone(name), ticket)));
                if self.pending.is_empty() {
                    self.history = None;
                }
            }
        }
        self.cursor = fleet.ticket;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(instance: &str, seq: u64) -> String {
        format!("{{\"instance\":\"{instance}\",\"seq\":{seq},\"at\":{}}}", 1_000_000 + seq * 1000)
    }

    fn read(follower: &mut Follower, fleet: &FleetLines, now: Instant) -> Vec<String> {
        follower.next(fleet, now).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_snapshot_is_one_line() {
        let (mut fleet, now) = (FleetLines::default(), Instant::now());
        fleet.take("{\"instance\":\"a\",\"seq\":1,\"at\":1,\"x\":[\n{\"instance\":\"b\"}\n]}".to_owned(), now);
        assert_eq!(fleet.names().count(), 0);
        fleet.take(line("a", 1), now);
        assert_eq!(fleet.names().count(), 1);
    }

    #[test]
    fn history_then_live_without_gap_or_repeat() {
        let (mut fleet, now) = (FleetLines::default(), Instant::now());
        for seq in 0..300 {
            fleet.take(line("a", seq), now);
            fleet.take(line("b", seq), now);
        }
        let mut follower = Follower::new(Duration::from_secs(900));
        let mut heard = read(&mut follower, &fleet, now);
        assert!(heard.len() == CHUNK && follower.is_behind(), "in parts");
        // What comes while the history is sent is not lost, nor is any of it newest-wins.
        for seq in 300..305 {
            fleet.take(line("b", seq), now);
        }
        loop {
            let more = read(&mut follower, &fleet, now);
            if more.is_empty() {
                break;
            }
            heard.extend(more);
        }
        let expected: Vec<String> = (0..300)
            .flat_map(|seq| [line("a", seq), line("b", seq)])
            .chain((300..305).map(|seq| line("b", seq)))
            .collect();
        assert_eq!(heard, expected, "oldest first, each once");
        assert!(!follower.is_behind());
        fleet.take(line("b", 305), now);
        assert_eq!(read(&mut follower, &fleet, now), [line("b", 305)]);
        assert!(read(&mut follower, &fleet, now).is_empty());
    }

    #[test]
    fn a_slow_reader_misses_lines_and_seq_shows_it() {
        let (mut fleet, now) = (FleetLines::default(), Instant::now());
        let mut follower = Follower::new(Duration::ZERO);
        fleet.take(line("a", 1), now);
        assert_eq!(read(&mut follower, &fleet, now), [line("a", 1)]);
        for seq in 2..10 {
            fleet.take(line("a", seq), now);
        }
        assert_eq!(read(&mut follower, &fleet, now), [line("a", 9)], "the newest wins");
        let mut follower = Follower::new(Duration::from_secs(900));
        let first = read(&mut follower, &fleet, now);
        for seq in 10..10 + 2 * LINES as u64 {
            fleet.take(line("a", seq), now);
        }
        let later = read(&mut follower, &fleet, now);
        assert_eq!((first.last(), later.first()), (Some(&line("a", 9)), Some(&line("a", 10 + LINES as u64))));
    }

    #[test]
    fn it_is_bounded_by_age_lines_and_bytes_and_old_instances_make_room() {
        let (mut fleet, now) = (FleetLines::default(), Instant::now());
        let later = |seconds| now + Duration::from_secs(seconds);
        for n in 0..100 {
            fleet.take(line(&format!("i{n}"), 1), now);
        }
        assert_eq!(fleet.names().count(), INSTANCES);
        fleet.take(line("new", 1), later(HISTORY_SECONDS + 1));
        assert_eq!(fleet.names().collect::<Vec<_>>(), ["new"]);
        let long = "x".repeat(LINE_BYTES / 2);
        for seq in 0..100 {
            let text = format!("{{\"instance\":\"long\",\"seq\":{seq},\"at\":{seq},\"x\":\"{long}\"}}");
            fleet.take(text, later(HISTORY_SECONDS + 1));
        }
        assert!(fleet.bytes() <= BYTES && fleet.bytes() > BYTES / 2, "{}", fleet.bytes());
        let sum: usize = fleet.instances.values().flat_map(|i| &i.lines).map(|kept| kept.line.len()).sum();
        assert_eq!(fleet.bytes(), sum);
        let short = Follower::new(Duration::from_secs(10)).next(&fleet, later(HISTORY_SECONDS + 5));
        assert!(
            !short.is_empty()
                && Follower::new(Duration::from_secs(1)).next(&fleet, later(HISTORY_SECONDS + 5)).is_empty()
        );
    }
}
