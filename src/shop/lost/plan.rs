//! Who is to be asked about when.

use std::collections::{BTreeSet, HashMap};

use crate::domain::{Millis, OrderId};

/// Orders planned at once; of more, the later ones wait for their turn.
pub(super) const MOST: usize = 20_000;
/// Wait after a gateway that did not answer, doubled each time.
const SILENT_MS: u64 = 15_000;
/// Times that a gateway that does not answer is asked about one order.
const TRIES: u32 = 5;
/// An order with nothing left to ask is not planned anew for so long: the store still names it as due.
const DONE_MS: u64 = 120_000;

/// Orders and their times, and how much of its budget each channel used in this second.
pub(super) struct Plan {
    by_time: BTreeSet<(Millis, OrderId)>,
    /// Everyone planned or done, and the times in a row that nobody answered.
    known: HashMap<OrderId, u32>,
    /// Those with nothing left to ask, and until when they are known.
    done: BTreeSet<(Millis, OrderId)>,
    /// Channels that cannot be asked: their orders use up nobody's budget.
    mute: BTreeSet<String>,
    used: HashMap<String, u32>,
}

impl Plan {
    pub(super) fn new(mute: impl Iterator<Item = String>) -> Self {
        Self {
            by_time: BTreeSet::new(),
            known: HashMap::new(),
            done: BTreeSet::new(),
            mute: mute.collect(),
            used: HashMap::new(),
        }
    }

    /// Begins a second.
    pub(super) fn turn(&mut self, now: Millis) {
        self.used.clear();
        while let Some((at, id)) = self.done.first().copied().filter(|(at, _)| *at <= now) {
            self.done.remove(&(at, id));
            self.known.remove(&id);
        }
    }

    /// Plans an order that is not planned yet.
    pub(super) fn add(&mut self, id: OrderId, at: Millis) {
        if self.known.len() < MOST && !self.known.contains_key(&id) {
            self.again(id, at);
        }
    }

    /// The next order whose time has come; it is known still.
    pub(super) fn next(&mut self, now: Millis) -> Option<OrderId> {
        let (at, id) = *self.by_time.first()?;
        (at <= now).then(|| self.by_time.pop_first().map(|_| id))?
    }

    /// Seconds until an order's gateways, one for each way to pay it, may be asked: 0 is now. It counts as theirs then.
    pub(super) fn wait<'a>(&mut self, ways: impl Iterator<Item = &'a str>, a_second: u32) -> u64 {
        let mut wait = 0;
        for name in ways.filter(|name| !self.mute.contains(*name)).collect::<Vec<_>>() {
            let used = self.used.entry(name.to_owned()).or_default();
            wait = wait.max(*used / a_second.max(1));
            *used += 1;
        }
        wait.into()
    }

    /// It was not its turn.
    pub(super) fn later(&mut self, id: OrderId, at: Millis) {
        self.by_time.insert((at, id));
    }

    /// It was answered, and is to be asked about again.
    pub(super) fn again(&mut self, id: OrderId, at: Millis) {
        self.known.insert(id, 0);
        self.later(id, at);
    }

    /// Nobody answered: later again, and at last no more.
    pub(super) fn silent(&mut self, id: OrderId, now: Millis) {
        let tries = self.known.entry(id).or_default();
        *tries += 1;
        if *tries < TRIES {
            let wait = SILENT_MS << (*tries - 1);
            self.later(id, now + wait);
        } else {
            self.done(id, now);
        }
    }

    /// Nothing is left to ask.
    pub(super) fn done(&mut self, id: OrderId, now: Millis) {
        self.done.insert((now + DONE_MS, id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Slot;

    fn two() -> (OrderId, OrderId) {
        (OrderId::new(Slot::new(1), 5, 7), OrderId::new(Slot::new(2), 5, 8))
    }

    #[test]
    fn each_order_is_planned_once_and_taken_when_its_time_comes() {
        let (mut plan, (a, b)) = (Plan::new(std::iter::empty()), two());
        plan.add(a, 20);
        plan.add(b, 10);
        plan.add(a, 1);
        assert_eq!(
            (plan.next(5), plan.next(10), plan.next(10), plan.next(20), plan.next(99)),
            (None, Some(b), None, Some(a), None)
        );
        plan.again(a, 30);
        assert_eq!(plan.next(30), Some(a));
        plan.done(a, 30);
        plan.turn(31);
        plan.add(a, 31);
        assert_eq!(plan.next(31), None, "nothing is left to ask, though it is still due");
        plan.turn(30 + DONE_MS);
        plan.add(a, 32);
        assert_eq!(plan.next(32), Some(a));
    }

    #[test]
    fn a_gateway_that_stays_silent_is_asked_less_and_less() {
        let (mut plan, (a, _)) = (Plan::new(std::iter::empty()), two());
        let (mut now, mut asked) = (0, Vec::new());
        plan.add(a, now);
        while let Some((at, _)) = plan.by_time.first().copied() {
            now = at;
            assert_eq!(plan.next(now), Some(a));
            asked.push(now / 1000);
            plan.silent(a, now);
        }
        assert_eq!(asked, [0, 15, 45, 105, 225]);
    }

    #[test]
    fn each_channel_is_asked_at_its_pace_and_one_that_is_mute_uses_nothing() {
        let mut plan = Plan::new(["own".to_owned()].into_iter());
        let mut wait = |ways: &[&str]| plan.wait(ways.iter().copied(), 2);
        assert_eq!((wait(&["a"]), wait(&["a"]), wait(&["a"]), wait(&["a", "b"])), (0, 0, 1, 1));
        assert_eq!((wait(&["b"]), wait(&["b"]), wait(&["own"]), wait(&["own"]), wait(&["own"])), (0, 1, 0, 0, 0));
        plan.turn(1000);
        assert_eq!(plan.wait(["a"].into_iter(), 2), 0);
    }
}
