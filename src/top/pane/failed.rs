//! Failed callbacks: newest first, or grouped.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use ratatui::style::Style;

use super::Opening;
use super::list::{Column, List, figure, holds, sort, text};
use crate::domain::IncidentBrief;
use crate::domain::Text;
use crate::top::keys::Command;
use crate::top::model::Model;
use crate::top::model::ui::About;
use crate::top::tab::Tab;

/// A failed callback, or several of one kind.
#[derive(Debug, Clone)]
pub struct Failed {
    /// The newest of them.
    brief: IncidentBrief,
    /// How many.
    count: usize,
    /// The time of the oldest.
    since: u64,
}

/// Failed callbacks, and what else an operator should see.
pub static PANE: List<Failed> = List {
    tab: Tab::FAILED,
    title: Text::new("Failed", "失败回调"),
    says: Text::new("failed callbacks", "失败回调"),
    keys: &[
        Command::Filter,
        Command::Group,
        Command::FindOrder,
        Command::ReplayIncident,
        Command::Export,
        Command::Block,
    ],
    columns: COLUMNS,
    grows: 2,
    sorts: &[
        sort("newest", "最新", |a, b| Reverse(a.brief.at).cmp(&Reverse(b.brief.at))),
        sort("reason", "原因", |a, b| a.brief.reason.as_str().cmp(b.brief.reason.as_str())),
        sort("channel", "渠道", |a, b| a.brief.channel.cmp(&b.brief.channel)),
        sort("address", "地址", |a, b| a.brief.address.cmp(&b.brief.address)),
        sort("count", "次数", |a, b| Reverse(a.count).cmp(&Reverse(b.count))),
    ],
    rows,
    name: |row, model| name(&row.brief, model),
    open: |row| Opening { id: row.brief.id.clone(), about: About::Incident },
    opened: |detail, model| {
        if !model.ui.grouped {
            return Some(detail.id.clone());
        }
        model.incidents.iter().find(|brief| brief.id == detail.id).map(|brief| name(brief, model))
    },
    heading: |model, rows, by| {
        let counted: u64 = model.fleet.instances.values().map(|it| it.last.incidents_dropped).sum();
        let mut title = format!("{} {rows}", model.lang.say("failed callbacks", "失败回调"));
        if model.ui.grouped {
            title += model.lang.say(" · groups", " · 分组");
        }
        if counted > 0 {
            title += &format!(" · {counted} {}", model.lang.say("more were only counted", "另有仅计数"));
        }
        format!("{title} · {by}")
    },
    empty: |model| {
        if model.ui.place_of(Tab::FAILED).filter.is_empty() {
            Text::new("none was noted", "没有记录到失败的回调")
        } else {
            Text::new("none holds this text; Esc clears the filter", "没有符合的;Esc 清除筛选")
        }
    },
    ..List::BLANK
};

const COLUMNS: &[Column<Failed>] = &[
    text("when", "时间", 11, 0, |row, model, _| (model.clock(row.brief.at), Style::new())),
    text("channel", "渠道", 10, 0, |row, _, _| (row.brief.channel.clone(), Style::new())),
    text("reason", "原因", 22, 0, |row, model, theme| (row.brief.reason.text(model.lang).to_owned(), theme.warn())),
    text("address", "地址", 15, 1, |row, _, _| (row.brief.address.clone(), Style::new())),
    text("number", "订单/付款号", 22, 2, |row, _, theme| (row.brief.number.clone(), theme.dim())),
    figure("told", "应答", 4, 3, |row, _, _| {
        (if row.brief.status == 0 { String::new() } else { row.brief.status.to_string() }, Style::new())
    }),
    figure("times", "次数", 5, 0, |row, _, theme| {
        (row.count.to_string(), if row.count > 1 { theme.warn() } else { Style::new() })
    }),
    text("first", "最早", 11, 4, |row, model, theme| (model.clock(row.since), theme.dim())),
];

/// What a row is called: by its callback, or by what its group has in common.
fn name(brief: &IncidentBrief, model: &Model) -> String {
    let IncidentBrief { id, reason, channel, address, .. } = brief;
    if model.ui.grouped { format!("{reason} {channel} {address}") } else { id.clone() }
}

/// Failed callbacks, the newest first, or grouped.
fn rows(model: &Model) -> Vec<Failed> {
    let filter = &model.ui.place_of(Tab::FAILED).filter;
    let fits = |brief: &&IncidentBrief| {
        let shown = brief.reason.text(model.lang);
        holds(filter, &[brief.reason.as_str(), shown, &brief.channel, &brief.address, &brief.number, &brief.id])
    };
    let found = model.incidents.iter().filter(fits);
    let mut rows: Vec<Failed> = if model.ui.grouped {
        let mut groups: BTreeMap<(&str, &str, &str), Failed> = BTreeMap::new();
        for brief in found {
            let group = groups.entry((brief.reason.as_str(), &brief.channel, &brief.address));
            let group = group.or_insert_with(|| Failed { brief: brief.clone(), count: 0, since: brief.at });
            group.count += 1;
            group.since = group.since.min(brief.at);
        }
        groups.into_values().collect()
    } else {
        // How often the same callback was repeated, all in all.
        let mut repeats: BTreeMap<(&str, &str, &str), (usize, u64)> = BTreeMap::new();
        for brief in &model.incidents {
            let known = repeats.entry((brief.reason.as_str(), &brief.channel, &brief.number)).or_insert((0, brief.at));
            *known = (known.0 + 1, known.1.min(brief.at));
        }
        let count = |brief: &IncidentBrief| {
            let key = (brief.reason.as_str(), brief.channel.as_str(), brief.number.as_str());
            repeats.get(&key).filter(|_| !brief.number.is_empty()).copied().unwrap_or((1, brief.at))
        };
        found.map(|brief| Failed { brief: brief.clone(), count: count(brief).0, since: count(brief).1 }).collect()
    };
    rows.sort_by_key(|row| Reverse(row.brief.at));
    rows
}
