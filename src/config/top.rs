//! `[top]`: when the dashboard calls something an alarm.

use crate::settings::{Form, Setting, Values};

/// When the dashboard calls something an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Top {
    /// Refused callbacks of one channel for one reason, in a minute.
    pub rejected_per_minute: u64,
    /// A product that will be empty within so many minutes.
    pub empty_minutes: u64,
    /// p99 of a minute's callbacks, in ms.
    pub slow_ms: u64,
    /// Seconds after which an instance that is not heard counts as lost.
    pub lost_seconds: u64,
    /// Products whose stock is asked for: those in most danger.
    pub products: usize,
}

impl Default for Top {
    fn default() -> Self {
        Self { rejected_per_minute: 10, empty_minutes: 60, slow_ms: 1000, lost_seconds: 5, products: 200 }
    }
}

const REJECTED_PER_MINUTE: Setting = Setting::optional(
    Form::Whole(1, 1_000_000),
    "rejected_per_minute",
    "refused callbacks of one channel for one reason",
    "一个渠道因同一原因被拒绝的回调数",
);
const EMPTY_MINUTES: Setting = Setting::optional(
    Form::Whole(0, 100_000),
    "empty_minutes",
    "a product that will be empty so soon",
    "多少分钟内就会卖空的商品",
);
const SLOW_MS: Setting =
    Setting::optional(Form::Whole(1, 60_000), "slow_ms", "p99 of a minute's callbacks", "一分钟内回调的 p99");
const LOST_SECONDS: Setting = Setting::optional(
    Form::Whole(3, 600),
    "lost_seconds",
    "an instance that was not heard for so long",
    "多少秒没有消息的实例算失联",
);
const PRODUCTS: Setting = Setting::optional(
    Form::Whole(1, 1000),
    "products",
    "products whose stock is shown: those in most danger (`/` finds others)",
    "显示库存的商品数:最危险的那些(其余用 `/` 查找)",
);
/// Its rows.
pub const ROWS: &[&Setting] = &[&REJECTED_PER_MINUTE, &EMPTY_MINUTES, &SLOW_MS, &LOST_SECONDS, &PRODUCTS];

impl Top {
    pub(super) fn read(v: &mut Values<'_>) -> Option<Self> {
        let rejected_per_minute = v.whole(&REJECTED_PER_MINUTE);
        let empty_minutes = v.whole(&EMPTY_MINUTES);
        let slow_ms = v.whole(&SLOW_MS);
        let lost_seconds = v.whole(&LOST_SECONDS);
        let products = v.whole(&PRODUCTS);
        Some(Self {
            rejected_per_minute: rejected_per_minute?,
            empty_minutes: empty_minutes?,
            slow_ms: slow_ms?,
            lost_seconds: lost_seconds?,
            products: products?,
        })
    }
}
