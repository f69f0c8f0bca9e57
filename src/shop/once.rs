//! What is said once in a while, not each time it happens.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::domain::Millis;

/// The longest pause there is, and the usual one: what is older is forgotten.
pub(super) const HOUR_MS: Millis = 3_600_000;

/// When each matter was said last.
pub(super) struct Once {
    most: usize,
    said: Mutex<BTreeMap<String, Millis>>,
}

impl Once {
    /// Remembers at most so many matters at a time; what would be one more is not said.
    pub(super) fn of_at_most(most: usize) -> Self {
        Self { most, said: Mutex::default() }
    }

    /// Whether a matter was not said within so many ms, at most [`HOUR_MS`]; it is now.
    pub(super) fn is_news(&self, what: &str, now: Millis, within: Millis) -> bool {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.retain(|_, at| now.saturating_sub(*at) < HOUR_MS);
        let news = match said.get(what) {
            Some(last) => now.saturating_sub(*last) >= within,
            None => said.len() < self.most,
        };
        if news {
            said.insert(what.to_owned(), now);
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matter_is_said_again_after_its_pause_and_forgotten_after_an_hour() {
        let once = Once::of_at_most(2);
        assert!(once.is_news("clock", 0, 600) && !once.is_news("clock", 599, 600) && once.is_news("clock", 600, 600));
        // One that was not said begins no pause.
        assert!(!once.is_news("clock", 1199, 600) && once.is_news("clock", 1200, 600));
        assert!(once.is_news("disk", 1200, HOUR_MS));
        assert!(!once.is_news("ring", 1300, 600), "there is no room for a third");
        assert!(!once.is_news("disk", HOUR_MS + 1199, HOUR_MS));
        assert!(once.is_news("ring", HOUR_MS + 1200, 600), "both are forgotten");
    }
}
