//! What waits for a person: held and owed orders, extra and orphan payments.

use ratatui::style::Style;
use serde_json::{Value, json};

use super::list::{Column, List, figure, holds, sort, text};
use super::orders::{opening, state};
use crate::domain::Text;
use crate::top::ask::{Ask, Row};
use crate::top::keys::Command;
use crate::top::lang::word;
use crate::top::model::Model;
use crate::top::model::ui::{About, Detail};
use crate::top::tab::Tab;
use crate::top::text::lasting;

/// What waits for a person, the oldest first.
pub static PANE: List<Row> = List {
    tab: Tab::REVIEW,
    title: Text::new("Review", "审核"),
    says: Text::new("review", "审核"),
    keys: &[
        Command::Filter,
        Command::FindOrder,
        Command::Redeliver,
        Command::Refund,
        Command::Approve,
        Command::Reject,
        Command::Adopt,
    ],
    count: |model| model.review.len(),
    columns: COLUMNS,
    grows: 5,
    sorts: &[
        sort("oldest", "最久", |a, b| a.since.cmp(&b.since)),
        sort("kind", "类别", |a, b| a.kind.cmp(&b.kind)),
        sort("product", "商品", |a, b| a.product.cmp(&b.product)),
    ],
    rows: |model| {
        let filter = &model.ui.place_of(Tab::REVIEW).filter;
        let fits =
            |row: &&Row| holds(filter, &[&row.id, &row.kind, &row.product, &row.contact, &row.payment, &row.why]);
        let mut rows: Vec<Row> = model.review.iter().filter(fits).cloned().collect();
        rows.sort_by_key(|row| row.since);
        rows
    },
    name: |row, _| row.name(),
    open: opening,
    opened: |detail, _| Some(detail.about.row().map_or_else(|| detail.id.clone(), Row::name)),
    read,
    asks: Some(|| Ask::Review),
    heading: |model, rows, by| format!("{} {rows} · {by}", model.lang.say("waiting for a person", "等待人工处理")),
    empty: |model| {
        if model.ui.place_of(Tab::REVIEW).filter.is_empty() {
            Text::new(
                "nothing waits: no held or owed order, no extra or orphan payment",
                "没有待处理:无待审或待补货订单,无重复或无主付款",
            )
        } else {
            Text::new("none holds this text; Esc clears the filter", "没有符合的;Esc 清除筛选")
        }
    },
    ..List::BLANK
};

const COLUMNS: &[Column<Row>] = &[
    figure("for", "已等", 7, 0, |row, model, _| {
        (
            if row.since == 0 { String::new() } else { lasting(model.now().saturating_sub(row.since) / 1000) },
            Style::new(),
        )
    }),
    text("kind", "类别", 14, 0, |row, model, theme| (word(model.lang, &row.kind).to_owned(), state(row, theme))),
    text("order", "订单", 22, 0, |row, _, _| (row.id.clone(), Style::new())),
    text("product", "商品", 10, 3, |row, _, _| (row.product.clone(), Style::new())),
    figure("amount", "金额", 12, 1, |row, _, _| (row.amount.clone(), Style::new())),
    text("why", "原因", 16, 2, |row, model, theme| (word(model.lang, &row.why).to_owned(), theme.warn())),
    text("payment", "付款", 24, 4, |row, _, theme| (row.payment.clone(), theme.dim())),
];

/// What is known of an open payment that has no order: as it stands in the review now, or as its row was.
pub fn read(detail: &Detail, model: &Model) -> Option<Value> {
    let About::Payment(row) = &detail.about else { return None };
    let now = model.review.iter().find(|known| known.name() == row.name()).unwrap_or(row);
    Some(json!({"kind": now.kind, "number": now.id, "payment": now.payment, "amount": now.amount}))
}
