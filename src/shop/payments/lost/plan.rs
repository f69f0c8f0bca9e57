//! Who is to be asked about when.

use std::collections::{BTreeSet, HashMap};

use crate::domain::{Millis, OrderId};

/// Orders planned at once; of more, the later ones are read back when there is room.
pub(super) const MOST: usize = 20_000;
/// Questions to one channel's gateway under way at once.
pub(super) const AT_ONCE: u32 = 8;
/// Wait after a gateway that did not answer, doubled each time.
const SILENT_MS: u64 = 15_000;
/// Times that a gateway that does not answer is asked about one order.
const TRIES: u32 = 5;
/// An order with nothing left to ask is not planned anew for so long: the store still names it as due.
const DONE_MS: u64 = 120_000;

/// Orders and their times, and how much of its budget each channel used in this second.
pub(super) struct Plan {
    by_time: BTreeSet<(Millis, OrderId)>,
    /// Everyone planned, asked about or done, and the times in a row that nobody answered.
    known: HashMap<OrderId, u32>,
    /// Those with nothing left to ask, and until when they are known.
    done: BTreeSet<(Millis, OrderId)>,
    /// Some did not fit, or nothing was read back yet.
    missed: bool,
    /// Channels that cannot be asked: their orders use up nobody's budget.
    mute: BTreeSet<String>,
    /// Questions asked in this second, and under way.
    used: HashMap<String, u32>,
    busy: HashMap<String, u32>,
}

impl Plan {
    pub(super) fn new(mute: BTreeSet<String>) -> Self {
        Self {
            by_time: BTreeSet::new(),
            known: HashMap::new(),
            done: BTreeSet::new(),
            missed: true,
            mute,
            used: HashMap::new(),
            busy: HashMap::new(),
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

    fn open(&self) -> usize {
        self.known.len().saturating_sub(self.done.len())
    }

    /// Whether it planned that order, and has not forgotten it.
    pub(super) fn knows(&self, id: OrderId) -> bool {
        self.known.contains_key(&id)
    }

    /// Whether those that were missed can be read back.
    pub(super) fn has_room_again(&self) -> bool {
        self.missed && self.open() <= MOST / 2
    }

    /// They were.
    pub(super) fn recalled(&mut self) {
        self.missed = false;
    }

    /// There were more than it holds.
    pub(super) fn overflows(&mut self) {
        self.missed = true;
    }

    /// Plans an order that is not planned yet. Says whether it is planned now.
    pub(super) fn add(&mut self, id: OrderId, at: Millis) -> bool {
        if self.knows(id) {
            return true;
        }
        let fits = self.open() < MOST;
        if fits {
            self.again(id, at);
        }
        fits
    }

    /// The next order whose time has come; it is known still.
    pub(super) fn next(&mut self, now: Millis) -> Option<OrderId> {
        let (at, id) = *self.by_time.first()?;
        (at <= now).then(|| self.by_time.pop_first().map(|_| id))?
    }

    /// Seconds until an order's gateways, one for each way to pay it, may be asked: 0 is now. Then it counts as theirs until
    /// [`Plan::answered`].
    pub(super) fn wait<'a>(&mut self, ways: impl Iterator<Item = &'a str>, a_second: u32) -> u64 {
        let ways: Vec<&str> = ways.filter(|name| !self.mute.contains(*name)).collect();
        let mut wait = 0;
        for name in &ways {
            let used = self.used.entry((*name).to_owned()).or_default();
            let busy = self.busy.get(*name).copied().unwrap_or(0) / AT_ONCE;
            wait = wait.max(*used / a_second.max(1)).max(busy);
            *used += 1;
        }
        if wait == 0 {
            for name in ways {
                *self.busy.entry(name.to_owned()).or_default() += 1;
            }
        }
        wait.into()
    }

    /// The questions about an order have come to something.
    pub(super) fn answered<'a>(&mut self, ways: impl Iterator<Item = &'a str>) {
        for name in ways {
            if let Some(busy) = self.busy.get_mut(name) {
                *busy = busy.saturating_sub(1);
            }
        }
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
        let (mut plan, (a, b)) = (Plan::new(BTreeSet::new()), two());
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
        let (mut plan, (a, _)) = (Plan::new(BTreeSet::new()), two());
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
        let mut plan = Plan::new(BTreeSet::from(["own".to_owned()]));
        let mut wait = |ways: &[&str]| plan.wait(ways.iter().copied(), 2);
        assert_eq!((wait(&["a"]), wait(&["a"]), wait(&["a"]), wait(&["a", "b"])), (0, 0, 1, 1));
        assert_eq!((wait(&["b"]), wait(&["b"]), wait(&["own"]), wait(&["own"]), wait(&["own"])), (0, 1, 0, 0, 0));
        plan.turn(1000);
        assert_eq!(plan.wait(["a"].into_iter(), 2), 0);
    }

    #[test]
    fn a_gateway_that_answers_slowly_has_no_more_questions_under_way_than_it_may() {
        let mut plan = Plan::new(BTreeSet::new());
        for _ in 0..AT_ONCE {
            plan.turn(0);
            assert_eq!(plan.wait(["slow"].into_iter(), 5), 0);
        }
        plan.turn(0);
        assert_eq!((plan.wait(["slow"].into_iter(), 5), plan.wait(["quick"].into_iter(), 5)), (1, 0));
        plan.answered(["slow"].into_iter());
        plan.turn(0);
        assert_eq!(plan.wait(["slow"].into_iter(), 5), 0);
    }

    #[test]
    fn an_answer_about_an_order_that_it_does_not_know_takes_no_room() {
        let (mut plan, (a, b)) = (Plan::new(BTreeSet::new()), two());
        plan.done(a, 1);
        assert!(!plan.knows(a) && plan.add(b, 1) && plan.next(1) == Some(b));
    }

    #[test]
    fn what_does_not_fit_is_read_back_when_there_is_room() {
        let mut plan = Plan::new(BTreeSet::new());
        assert!(plan.has_room_again(), "nothing was read back yet");
        plan.recalled();
        let ids: Vec<OrderId> = (0..MOST as u128 + 1).map(|chance| OrderId::new(Slot::new(1), 5, chance)).collect();
        let fits = ids.iter().filter(|id| plan.add(**id, 1)).count();
        assert_eq!(fits, MOST);
        plan.overflows();
        assert!(!plan.has_room_again());
        for _ in 0..MOST / 2 {
            let id = plan.next(1).unwrap();
            plan.done(id, 1);
        }
        assert!(plan.has_room_again());
    }
}
