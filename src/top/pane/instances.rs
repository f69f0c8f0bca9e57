//! Instances: each daemon and its Redis.

use std::cmp::Reverse;
use std::sync::Arc;

use ratatui::style::Style;

use super::Opening;
use super::list::{Cell, Column, List, figure, sort, text};
use crate::domain::Text;
use crate::top::kit::charts;
use crate::top::model::Model;
use crate::top::model::alarm::matters;
use crate::top::model::fleet::Instance;
use crate::top::model::ui::About;
use crate::top::tab::Tab;
use crate::top::text::{bytes, count, lasting, millis, rate};
use crate::top::theme::Theme;

/// A daemon and its name.
type Heard = (String, Arc<Instance>);

/// Every daemon that was heard lately.
pub static PANE: List<Heard> = List {
    tab: Tab::INSTANCES,
    title: Text::new("Instances", "实例"),
    says: Text::new("instances", "实例"),
    columns: COLUMNS,
    grows: 1,
    sorts: &[
        sort("instance", "实例", |a, b| a.0.cmp(&b.0)),
        sort("rate", "速度", |a, b| Reverse(newest(a)).cmp(&Reverse(newest(b)))),
    ],
    rows: |model| model.fleet.instances.iter().map(|(name, it)| (name.clone(), Arc::clone(it))).collect(),
    name: |(name, _), _| name.clone(),
    open: |(name, _)| Opening { id: name.clone(), about: About::Live },
    read: |detail, model| model.fleet.instances.get(&detail.id).map(|it| matters::detail(model, it)),
    follows: false,
    heading: |model, rows, _| format!("{} {rows}", model.lang.say("instances", "实例")),
    empty: |_| Text::new("no daemon was heard yet", "还没有收到守护进程的消息"),
    ..List::BLANK
};

const COLUMNS: &[Column<Heard>] = &[
    text("instance", "实例", 10, 0, |(name, it), model, theme| (name.clone(), plain(it, model, theme))),
    text("state", "状态", 10, 0, |(_, it), model, theme| state(it, model, theme)),
    figure("a second", "每秒", 8, 0, |(_, it), model, theme| {
        let recent: u64 = it.rates.iter().rev().take(5).map(|(_, count)| count).sum();
        let shown = if is_lost(it, model) { "–".to_owned() } else { rate(recent as f64 / 5.0) };
        (shown, plain(it, model, theme))
    }),
    figure("up", "运行", 7, 1, |(_, it), model, theme| {
        (lasting(it.last.at.saturating_sub(it.last.surroundings.started) / 1000), plain(it, model, theme))
    }),
    text("version", "版本", 8, 7, |(_, it), _, theme| (it.last.surroundings.kamid.clone(), theme.dim())),
    figure("memory", "内存", 8, 2, |(_, it), model, theme| {
        (bytes(it.last.surroundings.memory_bytes), plain(it, model, theme))
    }),
    figure("Redis ms", "Redis毫秒", 9, 0, |(_, it), model, theme| {
        known(millis(it.last.surroundings.redis_us as f64), it, model, theme)
    }),
    text("durability", "持久性", 10, 0, |(_, it), model, theme| {
        if it.last.surroundings.redis.relaxed {
            ("relaxed".to_owned(), theme.bad())
        } else {
            ("strict".to_owned(), plain(it, model, theme))
        }
    }),
    figure("Redis mem", "Redis内存", 9, 3, |(_, it), model, theme| {
        known(bytes(it.last.surroundings.redis.used_bytes), it, model, theme)
    }),
    figure("AOF", "AOF", 8, 5, |(_, it), model, theme| {
        known(bytes(it.last.surroundings.redis.aof_bytes), it, model, theme)
    }),
    figure("cmds/s", "命令/秒", 7, 6, |(_, it), model, theme| {
        known(count(it.last.surroundings.redis.commands), it, model, theme)
    }),
    figure("replicas", "副本", 8, 8, |(_, it), model, theme| {
        (it.last.surroundings.redis.replicas.to_string(), plain(it, model, theme))
    }),
    figure("slow", "慢日志", 6, 4, |(_, it), model, theme| {
        let slow = it.last.surroundings.redis.slow;
        (slow.map_or_else(|| "?".to_owned(), |slow| slow.to_string()), plain(it, model, theme))
    }),
    text("15 min", "15 分钟", 15, 9, |(_, it), _, theme| {
        let rates: Vec<u64> = it.rates.iter().map(|(_, count)| *count).collect();
        (charts::spark(rates.into_iter(), 15), theme.good())
    }),
];

/// What it counted in its newest second.
fn newest((_, it): &Heard) -> u64 {
    it.rates.back().map_or(0, |(_, count)| *count)
}

fn is_lost(it: &Instance, model: &Model) -> bool {
    model.silence(it) >= model.thresholds.lost_seconds
}

/// How a cell looks that says nothing bad.
fn plain(it: &Instance, model: &Model, theme: Theme) -> Style {
    if is_lost(it, model) { theme.dim() } else { Style::new() }
}

/// A figure of its Redis: of one that does not answer the last figures are old.
fn known(text: String, it: &Instance, model: &Model, theme: Theme) -> Cell {
    let shown = if it.last.surroundings.ready && !is_lost(it, model) { text } else { "–".to_owned() };
    (shown, plain(it, model, theme))
}

fn state(it: &Instance, model: &Model, theme: Theme) -> Cell {
    if is_lost(it, model) {
        let retry = model.link.lost().map(|lost| lost.retry_at.saturating_sub(model.local).div_ceil(1000));
        let next = retry.map_or_else(String::new, |left| format!(" {} {left}s", model.lang.say("retry", "重试")));
        return (format!("{} {}{next}", model.lang.say("lost", "失联"), lasting(model.silence(it))), theme.dim());
    }
    let (state, well) = matters::state(model, it);
    (state.to_owned(), if well { theme.good() } else { theme.bad() })
}
