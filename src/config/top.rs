//! `[top]`: when the dashboard calls something an alarm.

use std::path::Path;

use super::DEFAULT;
use super::row::section;
use crate::settings::{Form, Section};

section! {
    /// When the dashboard calls something an alarm.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    Top;
    rejected_per_minute: u64, Form::Whole(1, 1_000_000),
        "refused callbacks of one channel for one reason",
        "一个渠道因同一原因被拒绝的回调数";
    empty_minutes: u64, Form::Whole(0, 100_000),
        "a product that will be empty so soon",
        "多少分钟内就会卖空的商品";
    slow_ms: u64, Form::Whole(1, 60_000),
        "p99 of a minute's callbacks",
        "一分钟内回调的 p99";
    lost_seconds: u64, Form::Whole(3, 600),
        "an instance that was not heard for so long",
        "多少秒没有消息的实例算失联";
    products: usize, Form::Whole(1, 1000),
        "products whose stock is shown: those in most danger (`/` finds others)",
        "显示库存的商品数:最危险的那些(其余用 `/` 查找)";
}

impl Default for Top {
    /// What `config.toml` says.
    fn default() -> Self {
        let mut problems = Vec::new();
        let section = Section::from_toml(DEFAULT, Path::new(""), &mut problems).section("top", &mut problems);
        Self::read(&mut section.values(&[ROWS], &mut problems))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_that_are_printed() {
        let defaults =
            Top { rejected_per_minute: 10, empty_minutes: 60, slow_ms: 1000, lost_seconds: 5, products: 200 };
        assert_eq!(Top::default(), defaults);
    }
}
