//! Channels: how each did in the last minute.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use ratatui::style::Style;
use serde_json::json;

use super::Opening;
use super::list::{Column, List, figure, sort, text};
use crate::domain::Text;
use crate::domain::snapshot::ChannelState;
use crate::top::kit::charts;
use crate::top::model::Model;
use crate::top::model::fleet::{Class, SECONDS, Tally};
use crate::top::model::ui::About;
use crate::top::tab::Tab;
use crate::top::text::{apart, count, rate};

/// One channel over the last minute and the last quarter of an hour.
#[derive(Debug, Clone, Default)]
pub struct ChannelRow {
    name: String,
    /// What the instances say of it.
    state: ChannelState,
    /// The last minute.
    minute: Tally,
    /// Callbacks a second, over what was heard of the last minute.
    rate: f64,
    /// Callbacks by second, the newest last.
    seconds: Vec<u64>,
    /// Largest clock skew of the instances, ms.
    skew_ms: u64,
}

/// Every channel that is configured or was called.
pub static PANE: List<ChannelRow> = List {
    tab: Tab::named("channels"),
    title: Text::new("Channels", "渠道"),
    says: Text::new("channels", "渠道"),
    columns: COLUMNS,
    sorts: &[
        sort("channel", "渠道", |a, b| a.name.cmp(&b.name)),
        sort("rate", "速度", |a, b| Reverse(a.minute.all()).cmp(&Reverse(b.minute.all()))),
        sort("success", "成功率", |a, b| success(a).unwrap_or(101.0).total_cmp(&success(b).unwrap_or(101.0))),
    ],
    rows,
    name: |row, _| row.name.clone(),
    open: |row| Opening { id: row.name.clone(), about: About::Live },
    read: |detail, model| {
        rows(model).iter().find(|row| row.name == detail.id).map(|row| {
            json!({
                "kind": row.state.kind, "last_callback": row.state.last, "addresses": row.state.addresses,
                "refused_by_reason_in_a_minute": row.minute.reasons,
                "counted_since_first_heard": model.fleet.counted(&row.name),
            })
        })
    },
    follows: false,
    heading: |model, _, _| model.lang.say("channels · last minute", "渠道 · 最近一分钟").to_owned(),
    empty: |_| {
        Text::new(
            "no channel is configured: nobody can pay ([channel.<name>] in the configuration)",
            "没有配置渠道:无法付款(配置中的 [channel.<name>])",
        )
    },
    ..List::BLANK
};

const COLUMNS: &[Column<ChannelRow>] = &[
    text("channel", "渠道", 12, 0, |row, model, _| {
        let name = if row.name.is_empty() { model.lang.say("(none)", "(无)") } else { row.name.as_str() };
        (name.to_owned(), Style::new())
    }),
    text("kind", "类型", 9, 5, |row, _, theme| (row.state.kind.clone(), theme.dim())),
    figure("a second", "每秒", 8, 0, |row, _, _| (rate(row.rate), Style::new())),
    figure("success", "成功率", 8, 0, |row, _, theme| {
        let look = match success(row) {
            Some(share) if share < 90.0 => theme.bad(),
            Some(share) if share < 99.0 => theme.warn(),
            _ => Style::new(),
        };
        (success(row).map_or_else(|| "–".to_owned(), |share| format!("{share:.1} %")), look)
    }),
    figure("p50 ms", "p50 毫秒", 8, 3, |row, _, _| {
        let [p50, ..] = charts::figures(&row.minute.latency);
        (p50, Style::new())
    }),
    figure("p99 ms", "p99 毫秒", 8, 1, |row, _, _| {
        let [_, _, p99, ..] = charts::figures(&row.minute.latency);
        (p99, Style::new())
    }),
    text("last callback", "最近回调", 13, 0, |row, model, _| {
        (if row.state.last == 0 { "–".to_owned() } else { model.clock(row.state.last) }, Style::new())
    }),
    figure("skew", "时差", 9, 6, |row, model, _| (apart(row.skew_ms, model.lang), Style::new())),
    figure("addresses", "来源地址", 9, 4, |row, _, _| (count(u64::from(row.state.addresses)), Style::new())),
    text("15 min", "15 分钟", 15, 2, |row, _, theme| (charts::spark(row.seconds.iter().copied(), 15), theme.good())),
];

/// The share of a minute's callbacks that were believed and recorded, in percent.
fn success(row: &ChannelRow) -> Option<f64> {
    let all = row.minute.all();
    let bad = row.minute.classes[Class::Refused as usize] + row.minute.classes[Class::Failed as usize];
    (all > 0).then(|| 100.0 * (all - bad) as f64 / all as f64)
}

fn rows(model: &Model) -> Vec<ChannelRow> {
    let mut rows: BTreeMap<String, ChannelRow> = BTreeMap::new();
    for instance in model.fleet.instances.values() {
        let around = &instance.last.surroundings;
        for (name, state) in &around.channels {
            let row = rows.entry(name.clone()).or_default();
            row.state.kind.clone_from(&state.kind);
            row.state.last = row.state.last.max(state.last);
            // Instances see the same gateways: the one that saw most is nearest.
            row.state.addresses = row.state.addresses.max(state.addresses);
            row.skew_ms = row.skew_ms.max(around.skew_ms);
        }
    }
    let heard = model.fleet.newest(60).count().max(1) as f64;
    for (name, tally) in model.fleet.by_channel(60) {
        let row = rows.entry(name).or_default();
        row.rate = tally.all() as f64 / heard;
        row.minute = tally;
    }
    let newest = model.fleet.at / 1000;
    for (name, row) in &mut rows {
        row.name.clone_from(name);
        row.seconds = vec![0; SECONDS];
        for second in &model.fleet.seconds {
            let back = newest.saturating_sub(second.at) as usize;
            let count = second.channels.get(name).map_or(0, Tally::all);
            if let Some(place) = SECONDS.checked_sub(back + 1).and_then(|at| row.seconds.get_mut(at)) {
                *place += count;
            }
        }
    }
    rows.into_values().collect()
}
