//! Redis' clock, before anything expires by it.

use std::time::Duration;

use crate::domain::{Operator, Reason};
use crate::shop::{IncidentNote, Shop, ShopError, given};
use crate::store::clock::ClockLook;

/// Orders that did not expire for so long hold what others would buy.
const ALARM: Duration = Duration::from_secs(600);
/// A matter is told again after so many ms.
const AGAIN_MS: u64 = 600_000;

/// What operators are to be told of a reading.
fn matter(look: &ClockLook) -> Option<IncidentNote<'static>> {
    if look.believed {
        let advice = "Redis' clock and this machine's were set together, or both stood still: orders expire by what both say now.";
        return look.set.then(|| IncidentNote { advice, ..IncidentNote::new(Reason::ClockSkew) });
    }
    let reason = if look.stopped < ALARM { Reason::ClockSkew } else { Reason::ClockStopped };
    Some(IncidentNote::new(reason))
}

impl Shop {
    /// Whether orders may expire by Redis' clock. One that jumped must not expire everybody's orders at once; of several
    /// instances one whose own clock agrees with it is enough.
    pub(in crate::shop) async fn check_clock(&self) -> bool {
        let Ok(look) = self.store.sync_clock().await else { return false };
        self.health.clock(&look);
        if let Some(note) = matter(&look)
            && self.is_news(note.reason.as_str(), AGAIN_MS)
        {
            self.incident(note);
        }
        look.believed
    }

    /// Accepts Redis' clock as it is; says how far it is ahead of this machine's, ms.
    ///
    /// # Errors
    /// No reason, or it is believed already.
    pub async fn accept_clock(&self, reason: &str, by: &Operator) -> Result<i64, ShopError> {
        given(reason)?;
        if self.store.sync_clock().await?.believed {
            return Err(ShopError::Conflict("Redis' clock is believed: there is nothing to accept".to_owned()));
        }
        let ahead = self.store.accept_clock(by.name()).await?;
        tracing::warn!(ahead_ms = ahead, by = by.name(), "Redis' clock was accepted as it is: orders expire by it.");
        Ok(ahead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_ten_minutes_the_alarm_names_what_to_do() {
        let look =
            |believed, set, seconds| ClockLook { skew_ms: 0, believed, set, stopped: Duration::from_secs(seconds) };
        let reason = |look: ClockLook| matter(&look).map(|note| note.reason);
        assert_eq!(reason(look(true, false, 0)), None);
        assert_eq!(reason(look(true, true, 0)), Some(Reason::ClockSkew));
        assert_eq!(
            [reason(look(false, false, 0)), reason(look(false, false, 599))],
            [const { Some(Reason::ClockSkew) }; 2]
        );
        let note = matter(&look(false, false, 600)).unwrap();
        assert_eq!(note.reason, Reason::ClockStopped);
        assert!(note.advice.contains("kamid clock accept --reason"), "{}", note.advice);
    }
}
