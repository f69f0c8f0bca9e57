//! Notices: given up, put off and sent.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use ratatui::style::Style;
use serde_json::json;

use super::list::{Column, List, figure, holds, sort, text};
use super::{Opening, orders};
use crate::domain::snapshot::NoticeRow;
use crate::domain::{NoticeState, Text};
use crate::top::ask::{Ask, Row};
use crate::top::keys::Command;
use crate::top::lang::word;
use crate::top::model::Model;
use crate::top::model::ui::About;
use crate::top::tab::Tab;
use crate::top::text::{count, lasting};

/// Notices: given up, then put off, then sent, each the newest first; of one order only where it stands now.
pub static PANE: List<NoticeRow> = List {
    tab: Tab::NOTICES,
    title: Text::new("Notices", "通知"),
    says: Text::new("notices", "通知"),
    keys: &[Command::Filter, Command::FindOrder, Command::Resend],
    columns: COLUMNS,
    grows: 8,
    sorts: &[
        sort("worst", "最差", |a, b| rank(a).cmp(&rank(b))),
        sort("newest", "最新", |a, b| Reverse(a.at).cmp(&Reverse(b.at))),
    ],
    rows,
    name: |row, _| row.order.clone(),
    open: |notice| {
        let row = Row {
            kind: notice.state.as_str().to_owned(),
            id: notice.order.clone(),
            product: notice.product.clone(),
            contact: notice.contact.clone(),
            why: notice.why.clone(),
            ..Row::default()
        };
        // News are about no order of that name.
        if row.id.contains(':') {
            Opening { id: row.id.clone(), about: About::Notice(row) }
        } else {
            orders::opening(&row)
        }
    },
    read: |detail, model| rows(model).iter().find(|row| row.order == detail.id).map(|row| json!(row)),
    asks: Some(|| Ask::Notices),
    heading: |model, rows, by| format!("{} {rows} · {by}", model.lang.say("notices", "通知")),
    above: Some(above),
    empty: |_| {
        Text::new("no notice was sent since this was opened, and none waits", "打开以来没有发送通知,也没有等待的")
    },
    ..List::BLANK
};

const COLUMNS: &[Column<NoticeRow>] = &[
    text("when", "时间", 11, 0, |row, model, _| (model.clock(row.at), Style::new())),
    text("order", "订单", 20, 0, |row, _, _| (row.order.clone(), Style::new())),
    text("state", "状态", 10, 0, |row, model, theme| {
        let look = match row.state {
            NoticeState::Sent => theme.good(),
            NoticeState::Waiting => theme.warn(),
            NoticeState::Dead => theme.bad(),
            NoticeState::Dropped => theme.dim(),
        };
        (word(model.lang, row.state.as_str()).to_owned(), look)
    }),
    figure("tries", "次数", 5, 2, |row, _, _| (row.tries.to_string(), Style::new())),
    figure("next in", "下次", 7, 1, |row, model, _| {
        let next = match row.next.checked_sub(model.now()) {
            Some(left) => lasting(left / 1000),
            None if row.state == NoticeState::Waiting => model.lang.say("now", "即刻").to_owned(),
            None => String::new(),
        };
        (next, Style::new())
    }),
    text("by", "方式", 8, 5, |row, _, theme| (row.by.clone(), theme.dim())),
    text("contact", "联系方式", 10, 4, |row, _, theme| (row.contact.clone(), theme.dim())),
    text("product", "商品", 12, 6, |row, _, _| (row.product.clone(), Style::new())),
    text("why", "原因", 20, 3, |row, _, theme| (row.why.clone(), theme.warn())),
];

/// What needs somebody most comes first.
fn rank(row: &NoticeRow) -> u8 {
    match row.state {
        NoticeState::Dead => 0,
        NoticeState::Waiting => 1,
        NoticeState::Sent | NoticeState::Dropped => 2,
    }
}

fn rows(model: &Model) -> Vec<NoticeRow> {
    let filter = &model.ui.place_of(Tab::NOTICES).filter;
    let mut newest: BTreeMap<&str, &NoticeRow> = BTreeMap::new();
    for row in model.notices.iter().chain(&model.unsent) {
        let known = newest.entry(&row.order).or_insert(row);
        if row.at > known.at {
            *known = row;
        }
    }
    let fits = |row: &&NoticeRow| {
        let state = word(model.lang, row.state.as_str());
        holds(filter, &[&row.order, &row.product, &row.contact, &row.by, &row.why, row.state.as_str(), state])
    };
    let mut rows: Vec<NoticeRow> = newest.into_values().filter(fits).cloned().collect();
    rows.sort_by_key(|row| Reverse(row.at));
    rows
}

/// How many there were and are, or that nobody is told.
fn above(model: &Model) -> String {
    let say = |en, zh| model.lang.say(en, zh);
    let minute = model
        .fleet
        .newest(60)
        .fold([0; 3], |sums: [u64; 3], second| std::array::from_fn(|at| sums[at] + second.notices[at]));
    match model.fleet.waiting() {
        Some(waiting) => format!(
            " {} {} · {} {} · {} {} · {} {} · {} {}",
            say("last minute: sent", "最近一分钟:已发"),
            count(minute[0]),
            say("put off", "推迟"),
            count(minute[1]),
            say("given up", "放弃"),
            count(minute[2]),
            say("waiting now", "现在等待"),
            count(waiting.waiting),
            say("given up in all", "共放弃"),
            count(waiting.dead),
        ),
        None => format!(
            " {}",
            say(
                "no notifier is configured ([notify.<name>]): buyers see their keys on the order's page only",
                "没有配置通知([notify.<name>]):买家只能在订单页面查看卡密",
            )
        ),
    }
}
