//! Redis' clock, before anything expires by it.

use std::time::Duration;

use super::{IncidentNote, Shop, ShopError, given};
use crate::domain::Operator;
use crate::store::clock::ClockLook;

/// Orders that did not expire for so long hold what others would buy.
const ALARM: Duration = Duration::from_secs(600);
/// A matter is told again after so many ms.
const AGAIN_MS: u64 = 600_000;

/// What operators are to be told of a reading: the reason, and what to do.
fn matter(look: &ClockLook) -> Option<(&'static str, &'static str)> {
    if look.believed {
        let advice = "Redis' clock and this machine's were set together, or both stood still: orders expire by what both say now.";
        return look.set.then_some(("clock_skew", advice));
    }
    if look.stopped < ALARM {
        let advice = "Redis' clock and this machine's disagree, or one of them stood still: check NTP. No order expires until they agree.";
        return Some(("clock_skew", advice));
    }
    let advice = "No order expires here since ten minutes or more, as Redis' clock and this machine's disagree: unpaid orders hold keys. Set them right (NTP); or, if Redis' time is to be taken as it is: `kamid clock accept --reason …`.";
    Some(("clock_stopped", advice))
}

impl Shop {
    /// Whether orders may expire by Redis' clock. One that jumped must not expire everybody's orders at once; of several
    /// instances one whose own clock agrees with it is enough.
    pub(super) async fn check_clock(&self) -> bool {
        let Ok(look) = self.store.sync_clock().await else { return false };
        self.health.clock(&look);
        if let Some((reason, advice)) = matter(&look)
            && self.is_news(reason, AGAIN_MS)
        {
            self.incident(IncidentNote { reason, advice, ..IncidentNote::default() });
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
        let reason = |look: ClockLook| matter(&look).map(|(reason, _)| reason);
        assert_eq!(reason(look(true, false, 0)), None);
        assert_eq!(reason(look(true, true, 0)), Some("clock_skew"));
        assert_eq!([reason(look(false, false, 0)), reason(look(false, false, 599))], [Some("clock_skew"); 2]);
        let (reason, advice) = matter(&look(false, false, 600)).unwrap_or_default();
        assert_eq!(reason, "clock_stopped");
        assert!(advice.contains("kamid clock accept --reason"), "{advice}");
    }
}
