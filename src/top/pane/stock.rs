//! Stock: what there is, how quickly it goes, when it is gone.

use std::cmp::Reverse;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;
use serde_json::json;

use super::Opening;
use super::list::{Column, List, figure, holds, sort, text};
use crate::domain::snapshot::StockRow;
use crate::domain::{Text, Trouble};
use crate::top::keys::Command;
use crate::top::kit::{View, charts};
use crate::top::model::stock::danger_of;
use crate::top::model::ui::About;
use crate::top::model::{Effect, Model};
use crate::top::tab::Tab;
use crate::top::text::{clean, columns, count, lasting, left, right};
use crate::top::theme::Theme;

/// Products, the most endangered first.
pub static PANE: List<StockRow> = List {
    tab: Tab::STOCK,
    title: Text::new("Stock", "库存"),
    says: Text::new("stock", "库存"),
    keys: &[Command::Filter, Command::BlockHolder],
    columns: COLUMNS,
    grows: 1,
    sorts: &[
        sort("danger", "危险", |a, b| danger_of(b).cmp(&danger_of(a))),
        sort("product", "商品", |a, b| a.product.cmp(&b.product)),
        sort("available", "可售", |a, b| a.stock.available().cmp(&b.stock.available())),
        sort("rate", "速度", |a, b| Reverse(a.hourly).cmp(&Reverse(b.hourly))),
    ],
    rows: |model| {
        let filter = &model.ui.place_of(Tab::STOCK).filter;
        model.stock.rows.values().filter(|row| holds(filter, &[&row.product, &row.name])).cloned().collect()
    },
    name: |row, _| row.product.clone(),
    open: |row| Opening { id: row.product.clone(), about: About::Live },
    read: |detail, model| model.stock.rows.get(&detail.id).map(|row| json!(row)),
    filtered: |_, text| Some(Effect::Filter(text.to_owned())),
    heading: |model, rows, by| {
        let filter = &model.ui.place_of(Tab::STOCK).filter;
        let all = if filter.is_empty() { model.stock.products } else { model.stock.matching };
        format!("{} {rows}/{all} · {by}", model.lang.say("products", "商品"))
    },
    empty: |model| match (model.stock.known, model.ui.place_of(Tab::STOCK).filter.is_empty()) {
        (false, _) => Text::new("no stock is known yet", "还没有库存数据"),
        (true, true) => Text::new(
            "no products yet: kamid product add demo --price 9.90",
            "还没有商品:kamid product add demo --price 9.90",
        ),
        (true, false) => Text::new("no product holds this text; Esc clears the filter", "没有符合的商品;Esc 清除筛选"),
    },
    ..List::BLANK
};

const COLUMNS: &[Column<StockRow>] = &[
    text("product", "商品", 14, 0, |row, model, theme| (row.product.clone(), style(row, model, theme))),
    text("name", "名称", 12, 7, |row, _, theme| (row.name.clone(), theme.dim())),
    figure("available", "可售", 9, 0, |row, model, theme| (count(row.stock.available()), style(row, model, theme))),
    figure("reserved", "已占用", 8, 4, |row, _, _| (count(row.stock.reserved), Style::new())),
    figure("given", "已售", 8, 5, |row, _, _| (count(row.stock.given), Style::new())),
    figure("owed", "待补货", 6, 0, |row, model, theme| {
        let look = if row.stock.owed > 0 { style(row, model, theme) } else { Style::new() };
        (count(row.stock.owed), look)
    }),
    figure("an hour", "每小时", 8, 3, |row, _, _| (count(row.hourly), Style::new())),
    figure("empty in", "售完于", 8, 0, |row, model, theme| (empties(row), style(row, model, theme))),
    figure("low", "警戒", 6, 6, |row, _, _| {
        (if row.low == 0 { "–".to_owned() } else { count(row.low) }, Style::new())
    }),
    text("left", "剩余", 12, 2, |row, model, theme| {
        // Of what was there when the last keys came in, as far as that can be seen.
        let whole = row.stock.pool + row.stock.given;
        let share = if whole == 0 { 0.0 } else { row.stock.available() as f64 / whole as f64 };
        (charts::bar(share, 12), style(row, model, theme))
    }),
    text("available, 10 min", "可售 10 分钟", 20, 8, |row, model, theme| {
        let samples = model.stock.samples.get(&row.product);
        let line = samples.map_or_else(String::new, |samples| charts::spark(samples.iter().copied(), 20));
        (line, theme.good())
    }),
];

/// How a row looks: by its danger.
fn style(row: &StockRow, model: &Model, theme: Theme) -> Style {
    match model.trouble(row) {
        Some(Trouble::Owed | Trouble::Empty) => theme.bad(),
        Some(Trouble::Reserved | Trouble::Low | Trouble::Soon) => theme.warn(),
        None if row.retired => theme.dim(),
        None => Style::new(),
    }
}

fn empties(row: &StockRow) -> String {
    match danger_of(row).empties_in_seconds.filter(|_| !row.retired) {
        Some(0) => "0".to_owned(),
        Some(left) => lasting(left),
        None => "–".to_owned(),
    }
}

/// The few products in most danger.
pub fn endangered(frame: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    let block = view.block(view.say("stock, most endangered first → 2", "库存,最紧张的在前 → 2"));
    let inner = block.inner(area);
    let width = usize::from(inner.width);
    let rows = PANE.sorted(view.model);
    let mut lines: Vec<Line<'_>> = rows
        .iter()
        .take(usize::from(inner.height))
        .map(|row| {
            let ends = format!("{} {}", right(&count(row.stock.available()), 7), right(&empties(row), 7));
            let owed = if row.stock.owed > 0 {
                format!(" {} {}", view.say("owed", "待补货"), row.stock.owed)
            } else {
                String::new()
            };
            let room = width.saturating_sub(17 + columns(&owed));
            Line::styled(
                format!(" {}{ends}{owed}", left(&clean(&row.product, 32), room)),
                style(row, view.model, view.theme),
            )
        })
        .collect();
    if lines.is_empty() {
        lines.push(Line::styled(view.say(" no products", " 没有商品"), view.theme.dim()));
    }
    frame.render_widget(Paragraph::new(lines).block(block), area);
}
