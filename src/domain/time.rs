//! Moments as text and back. The only room that knows the calendar's crate; it reads no clock.

use jiff::tz::{TimeZone, offset};
use jiff::{Timestamp, ZonedDateTime, civil, fmt::rfc2822};

use super::Millis;

/// Where somebody reads a clock.
#[derive(Debug, Clone)]
pub struct Zone(TimeZone);

impl Zone {
    /// That of China, which its gateways write their times in.
    #[must_use]
    pub fn beijing() -> Self {
        Self(TimeZone::fixed(offset(8)))
    }

    /// That of this machine.
    #[must_use]
    pub fn system() -> Self {
        Self(TimeZone::system())
    }

    /// A moment in it, in a form of `strftime`; a moment beyond the calendar is 1970.
    #[must_use]
    pub fn text(&self, at: Millis, form: &str) -> String {
        self.zoned(at).strftime(form).to_string()
    }

    /// Whether two moments are of one day in it.
    #[must_use]
    pub fn is_same_day(&self, one: Millis, other: Millis) -> bool {
        self.zoned(one).date() == self.zoned(other).date()
    }

    /// The moment that a text means: with an offset of its own, or else by the clock of this zone.
    #[must_use]
    pub fn parse(&self, text: &str) -> Option<Millis> {
        let by_clock = || text.parse::<civil::DateTime>().ok()?.to_zoned_datetime(self.0.clone()).ok();
        let at = text.parse::<Timestamp>().ok().or_else(|| by_clock().map(|at| at.timestamp()));
        millis(at?)
    }

    fn zoned(&self, at: Millis) -> ZonedDateTime {
        let at = i64::try_from(at).ok().and_then(|at| Timestamp::from_millisecond(at).ok()).unwrap_or_default();
        at.to_zoned_datetime(self.0.clone())
    }
}

/// Universal time.
impl Default for Zone {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

fn millis(at: Timestamp) -> Option<Millis> {
    u64::try_from(at.as_millisecond()).ok()
}

/// A moment as ISO 8601 in UTC, to the second.
#[must_use]
pub fn iso(at: Millis) -> String {
    Timestamp::from_millisecond(at.cast_signed()).map_or_else(|_| String::new(), |at| format!("{at:.0}"))
}

/// The moment of a text with its offset (RFC 3339), such as `2026-12-01T10:00:00+08:00`; `None` before 1970 too.
#[must_use]
pub fn parse(text: &str) -> Option<Millis> {
    text.parse().ok().and_then(millis)
}

/// The moment of a date as HTTP and mail write it (RFC 9110, RFC 5322).
#[must_use]
pub fn parse_date(text: &str) -> Option<Millis> {
    rfc2822::parse(text.trim()).ok().and_then(|at| millis(at.timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_as_it_is_written() {
        let at = 1_764_554_400_000;
        assert_eq!(Zone::beijing().text(at, "%Y-%m-%d %H:%M:%S"), "2025-12-01 10:00:00");
        assert_eq!(Zone::default().text(at, "%Y-%m-%dT%H:%M:%SZ"), "2025-12-01T02:00:00Z");
        assert_eq!(parse("2025-12-01T10:00:00+08:00"), Some(at));
        assert_eq!(Zone::beijing().parse("2025-12-01 10:00:00"), Some(at));
        assert_eq!(Zone::beijing().parse("2025-12-01"), Some(at - 36_000_000));
        assert_eq!(Zone::beijing().parse("2025-12-01T02:00:00Z"), Some(at));
        assert_eq!(parse_date(" Mon, 01 Dec 2025 02:00:00 GMT "), Some(at));
        for wrong in ["", "1969-12-31T23:59:59Z", "2025-13-01", "tomorrow"] {
            assert_eq!((parse(wrong), parse_date(wrong)), (None, None), "{wrong}");
        }
        assert_eq!(Zone::default().text(u64::MAX, "%Y"), "1970");
        assert!(Zone::beijing().is_same_day(at, at + 3_600_000) && !Zone::beijing().is_same_day(at, at + 86_400_000));
    }
}
