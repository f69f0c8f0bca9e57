//! The whole fleet as one series of seconds: counters summed with resets seen, histograms merged, gaps counted.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::spread::Spread;
use crate::domain::snapshot::{HISTORY_SECONDS, Holder, NoticeCounts, Snapshot};
use crate::domain::{CallbackOutcome, Lang, Millis};

/// Seconds remembered.
pub const SECONDS: usize = HISTORY_SECONDS as usize;
/// Instances and channels told apart; a stranger in Redis must not fill our memory.
const MOST: usize = 64;
/// Counters summed.
const TOTALS: usize = 4096;
/// Reasons told apart in one second of one channel.
const REASONS: usize = 32;

/// What a callback came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Paid and delivered.
    Delivered,
    /// Genuine, and nothing changed: a repeat, or no payment.
    Repeated,
    /// Paid, and a person or stock is needed: owed, held, extra, orphan.
    Waiting,
    /// Not believed, or from a blocked address.
    Refused,
    /// Redis could not say: the gateway repeats it.
    Failed,
}

/// Every class, the best first.
pub const CLASSES: [Class; 5] = [Class::Delivered, Class::Repeated, Class::Waiting, Class::Refused, Class::Failed];

impl Class {
    /// What it is called.
    #[must_use]
    pub fn title(self, lang: Lang) -> &'static str {
        match self {
            Self::Delivered => lang.say("delivered", "已发货"),
            Self::Repeated => lang.say("repeated", "重复"),
            Self::Waiting => lang.say("waiting", "待处理"),
            Self::Refused => lang.say("refused", "拒绝"),
            Self::Failed => lang.say("failed", "失败"),
        }
    }

    /// The class of an outcome's word, as counters name it.
    #[must_use]
    pub fn of(outcome: &str) -> Self {
        use CallbackOutcome as Is;
        match CallbackOutcome::of(outcome) {
            Some(Is::Delivered) => Self::Delivered,
            Some(Is::Owed | Is::Held | Is::Extra | Is::Orphan) => Self::Waiting,
            Some(Is::Rejected | Is::Limited | Is::Blocked | Is::NoChannel | Is::WrongAddress | Is::Unreadable) => {
                Self::Refused
            }
            Some(Is::Unavailable | Is::Timeout | Is::Full | Is::Silent) => Self::Failed,
            Some(Is::Replayed | Is::Ignored) | None => Self::Repeated,
        }
    }
}

/// One second of one channel, of all instances.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Callbacks by [`Class`].
    pub classes: [u64; 5],
    /// Refused and held ones by reason, and what failed by its outcome.
    pub reasons: BTreeMap<String, u64>,
    /// Latencies.
    pub latency: Spread,
}

impl Tally {
    /// Callbacks in all.
    #[must_use]
    pub fn all(&self) -> u64 {
        self.classes.iter().sum()
    }

    fn add(&mut self, other: &Self) {
        for (ours, theirs) in self.classes.iter_mut().zip(other.classes) {
            *ours += theirs;
        }
        for (reason, count) in &other.reasons {
            *self.reasons.entry(reason.clone()).or_default() += count;
        }
        self.latency.add(&other.latency);
    }
}

/// One second of the fleet.
#[derive(Debug, Clone, Default)]
pub struct Second {
    /// Since 1970.
    pub at: u64,
    /// By channel; "" is for no channel.
    pub channels: BTreeMap<String, Tally>,
    /// From payment to delivered.
    pub delivered: Spread,
    /// From payment to the notice that was sent.
    pub noticed: Spread,
    /// Tries to tell buyers: sent, put off, given up.
    pub notices: [u64; 3],
    /// Orders made.
    pub orders: u64,
    /// Snapshots in it.
    pub heard: u32,
}

/// One daemon as it was last heard.
#[derive(Debug, Clone, Default)]
pub struct Instance {
    /// Its newest snapshot.
    pub last: Snapshot,
    /// Snapshots that were missed.
    pub missed: u64,
    /// Restarts seen.
    pub restarts: u64,
    /// Callbacks by second: (second, count).
    pub rates: VecDeque<(u64, u64)>,
}

/// Every daemon of the shop, and their common seconds.
#[derive(Debug, Clone, Default)]
pub struct Fleet {
    /// By name.
    pub instances: BTreeMap<String, Arc<Instance>>,
    /// The oldest first; seconds in which nothing was heard are absent.
    pub seconds: VecDeque<Second>,
    /// What all instances counted since they were first heard: a restart takes nothing back.
    pub totals: BTreeMap<String, u64>,
    /// The newest time heard.
    pub at: Millis,
}

/// What an instance counted since its last snapshot.
fn growth(last: Option<&Snapshot>, next: &Snapshot) -> BTreeMap<String, u64> {
    let same_life = last.is_some_and(|last| last.surroundings.started == next.surroundings.started);
    let before = |name: &str| last.filter(|_| same_life).and_then(|last| last.counters.get(name)).copied().unwrap_or(0);
    let grown = |(name, count): (&String, &u64)| {
        let more = count.checked_sub(before(name)).unwrap_or(*count);
        (more > 0).then(|| (name.clone(), more))
    };
    next.counters.iter().filter_map(grown).collect()
}

impl Fleet {
    /// Takes a snapshot in. Says whether it was news.
    pub fn take(&mut self, next: Snapshot) -> bool {
        if !self.instances.contains_key(&next.instance) && self.instances.len() >= MOST {
            return false;
        }
        let known = self.instances.get(&next.instance);
        let last = known.map(|known| &known.last);
        if last.is_some_and(|last| last.at >= next.at) {
            return false;
        }
        // Of an instance that has run for a while, the first snapshot says where it stands and not what is new.
        let first = last.is_none() && next.seq > 0;
        let grown = if first { BTreeMap::new() } else { growth(last, &next) };
        self.put(&next, &grown);
        let instance = Arc::make_mut(self.instances.entry(next.instance.clone()).or_default());
        let again = instance.last.at > 0 && instance.last.surroundings.started != next.surroundings.started;
        if again {
            instance.restarts += 1;
        } else if instance.last.at > 0 {
            instance.missed += next.seq.saturating_sub(instance.last.seq + 1);
        }
        let callbacks = grown.iter().filter(|(name, _)| name.contains('/')).map(|(_, count)| count).sum();
        instance.rates.push_back((next.at / 1000, callbacks));
        if instance.rates.len() > SECONDS {
            instance.rates.pop_front();
        }
        self.at = self.at.max(next.at);
        instance.last = next;
        for (name, more) in grown {
            if self.totals.len() < TOTALS || self.totals.contains_key(&name) {
                *self.totals.entry(name).or_default() += more;
            }
        }
        true
    }

    /// The second of that time, made where it is missing; `None` where it is too old.
    fn second(&mut self, at: u64) -> Option<&mut Second> {
        let place = self.seconds.partition_point(|second| second.at < at);
        if self.seconds.get(place).is_none_or(|second| second.at != at) {
            let oldest = self.seconds.back().map_or(0, |newest| newest.at.saturating_sub(HISTORY_SECONDS));
            if at < oldest {
                return None;
            }
            self.seconds.insert(place, Second { at, ..Second::default() });
            while self.seconds.front().is_some_and(|first| first.at + HISTORY_SECONDS < at)
                || self.seconds.len() > SECONDS
            {
                self.seconds.pop_front();
            }
        }
        let place = self.seconds.partition_point(|second| second.at < at);
        self.seconds.get_mut(place)
    }

    fn put(&mut self, next: &Snapshot, grown: &BTreeMap<String, u64>) {
        let Some(second) = self.second(next.at / 1000) else { return };
        second.heard += 1;
        second.orders += grown.get("orders").copied().unwrap_or(0);
        second.delivered.add(&Spread::read(&next.delivered));
        second.noticed.add(&Spread::read(&next.noticed));
        for (sum, name) in second.notices.iter_mut().zip(["notices_sent", "notices_failed", "notices_dead"]) {
            *sum += grown.get(name).copied().unwrap_or(0);
        }
        for (name, count) in grown {
            let mut words = name.splitn(3, '/');
            let (Some(channel), Some(outcome)) = (words.next(), words.next()) else { continue };
            let Some(tally) = tally(second, channel) else { continue };
            let class = Class::of(outcome);
            tally.classes[class as usize] += count;
            // What waits for a person is shown where it has a reason: a wrong amount, an unknown order.
            let reason = match class {
                Class::Refused | Class::Failed => Some(words.next().unwrap_or(outcome)),
                Class::Waiting => words.next(),
                Class::Delivered | Class::Repeated => None,
            };
            if let Some(reason) = reason.filter(|_| tally.reasons.len() < REASONS) {
                *tally.reasons.entry(reason.to_owned()).or_default() += count;
            }
        }
        for (channel, text) in &next.latency {
            if let Some(tally) = tally(second, channel) {
                tally.latency.add(&Spread::read(text));
            }
        }
    }

    /// What the last `seconds` came to, by channel: callbacks, reasons, latencies.
    #[must_use]
    pub fn by_channel(&self, seconds: u64) -> BTreeMap<String, Tally> {
        let mut sums: BTreeMap<String, Tally> = BTreeMap::new();
        for second in self.newest(seconds) {
            for (channel, tally) in &second.channels {
                sums.entry(channel.clone()).or_default().add(tally);
            }
        }
        sums
    }

    /// The last so many seconds, the oldest first.
    pub fn newest(&self, seconds: u64) -> impl Iterator<Item = &Second> {
        let from = (self.at / 1000).saturating_sub(seconds.saturating_sub(1));
        self.seconds.range(self.seconds.partition_point(|second| second.at < from)..)
    }

    /// What a channel's callbacks came to since it was first heard: outcome and reason to count.
    #[must_use]
    pub fn counted(&self, channel: &str) -> BTreeMap<&str, u64> {
        self.totals
            .iter()
            .filter_map(|(name, count)| Some((name.strip_prefix(channel)?.strip_prefix('/')?, *count)))
            .collect()
    }

    /// What waits to be told; `None`: nobody is told by this shop.
    #[must_use]
    pub fn waiting(&self) -> Option<NoticeCounts> {
        let counted = |it: &&Arc<Instance>| it.last.notices_waiting.is_some();
        self.instances.values().filter(counted).max_by_key(|it| it.last.at)?.last.notices_waiting
    }

    /// Who holds most keys unpaid, if it is much, as the freshest instance has it.
    #[must_use]
    pub fn holder(&self) -> Option<&Holder> {
        self.instances.values().max_by_key(|it| it.last.at)?.last.surroundings.holder.as_ref()
    }

    /// Snapshots missed, of all instances.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.instances.values().map(|instance| instance.missed).sum()
    }
}

fn tally<'a>(second: &'a mut Second, channel: &str) -> Option<&'a mut Tally> {
    if !second.channels.contains_key(channel) {
        if second.channels.len() >= MOST {
            return None;
        }
        second.channels.insert(channel.to_owned(), Tally::default());
    }
    second.channels.get_mut(channel)
}

/// What the seconds came to in one column of a picture.
#[derive(Debug, Clone, Default)]
pub struct Bin {
    /// Callbacks by class, a second.
    pub classes: [f64; 5],
    /// Latencies of all channels.
    pub latency: Spread,
    /// Seconds of it that were heard: of none, nothing is known.
    pub heard: u32,
}

/// The last `width` columns of `bin` seconds each, the newest last.
#[must_use]
pub fn columns(fleet: &Fleet, width: usize, bin: u64) -> Vec<Bin> {
    let mut columns = vec![Bin::default(); width];
    // Bins begin at whole multiples, so that a picture moves by whole columns.
    let newest = fleet.at / 1000 / bin;
    for second in &fleet.seconds {
        let back = newest.saturating_sub(second.at / bin) as usize;
        let Some(column) = width.checked_sub(back + 1).and_then(|at| columns.get_mut(at)) else { continue };
        column.heard += 1;
        for tally in second.channels.values() {
            for (sum, count) in column.classes.iter_mut().zip(tally.classes) {
                *sum += count as f64;
            }
            column.latency.add(&tally.latency);
        }
    }
    for column in columns.iter_mut().filter(|column| column.heard > 0) {
        column.classes.iter_mut().for_each(|sum| *sum /= f64::from(column.heard));
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::snapshot::Surroundings;

    fn snapshot(instance: &str, started: u64, seq: u64, at: u64, paid: u64) -> Snapshot {
        Snapshot {
            instance: instance.to_owned(),
            seq,
            at,
            counters: [("pay/delivered".to_owned(), paid), ("pay/rejected/bad_signature".to_owned(), paid / 2)].into(),
            surroundings: Surroundings { started, ..Surroundings::default() },
            ..Snapshot::default()
        }
    }

    #[test]
    fn a_restart_takes_nothing_back_and_a_gap_is_counted() {
        let mut fleet = Fleet::default();
        assert!(fleet.take(snapshot("a", 1, 0, 1_000, 10)));
        assert!(fleet.take(snapshot("a", 1, 1, 2_000, 30)));
        assert!(!fleet.take(snapshot("a", 1, 1, 2_000, 30)), "the same again is no news");
        assert_eq!(fleet.totals["pay/delivered"], 30);
        // It is killed and begins again; the third snapshot of its new life is the next that is heard.
        assert!(fleet.take(snapshot("a", 5_000, 0, 6_000, 4)));
        assert!(fleet.take(snapshot("a", 5_000, 3, 9_000, 14)));
        assert_eq!((fleet.totals["pay/delivered"], fleet.instances["a"].restarts, fleet.missed()), (44, 1, 2));
        let counts: Vec<u64> = fleet.seconds.iter().map(|second| second.channels["pay"].classes[0]).collect();
        assert_eq!(counts, [10, 20, 4, 10]);
        assert_eq!(fleet.by_channel(1)["pay"].reasons["bad_signature"], 5);
        // Another that has long been there says where it stands, not what is new.
        assert!(fleet.take(snapshot("b", 1, 500, 9_500, 1_000_000)));
        assert_eq!(fleet.seconds.back().unwrap().channels["pay"].classes[0], 10);
        assert_eq!(fleet.totals["pay/delivered"], 44);
    }

    #[test]
    fn a_day_of_snapshots_takes_no_more_than_a_quarter_of_an_hour() {
        let mut fleet = Fleet::default();
        for n in 0..86_400u64 {
            fleet.take(snapshot("a", 1, n, n * 1000 + 1, n * 3));
            fleet.take(snapshot("b", 1, n, n * 1000 + 500, n));
        }
        assert_eq!((fleet.seconds.len(), fleet.instances["a"].rates.len()), (SECONDS, SECONDS));
        assert_eq!(fleet.totals["pay/delivered"], 86_399 * 4);
        let shown = columns(&fleet, 90, 10);
        assert!(shown.iter().all(|column| column.heard > 0 && (column.classes[0] - 4.0).abs() < 0.5));
    }
}
