//! Stock: what there is, how quickly it goes, when it is gone.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::table::{self, Cell, Column, List, figure, text};
use super::{View, charts};
use crate::domain::Trouble;
use crate::domain::snapshot::StockRow;
use crate::top::keys::Tab;
use crate::top::model::Model;
use crate::top::model::lists::{danger_of, sorts};
use crate::top::text::{clean, count, lasting, left, right};
use crate::top::theme::Theme;

const COLUMNS: &[Column] = &[
    text("product", "商品", 14, 0),
    text("name", "名称", 12, 7),
    figure("available", "可售", 9, 0),
    figure("reserved", "已占用", 8, 4),
    figure("given", "已售", 8, 5),
    figure("owed", "待补货", 6, 0),
    figure("an hour", "每小时", 8, 3),
    figure("empty in", "售完于", 8, 0),
    figure("low", "警戒", 6, 6),
    text("left", "剩余", 12, 2),
    text("available, 10 min", "可售 10 分钟", 20, 8),
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

fn cells(row: &StockRow, model: &Model, theme: Theme) -> Vec<Cell> {
    let look = style(row, model, theme);
    let plain = Style::new();
    let available = row.stock.available();
    // Of what was there when the last keys came in, as far as that can be told.
    let whole = row.stock.pool + row.stock.given;
    let share = if whole == 0 { 0.0 } else { available as f64 / whole as f64 };
    let samples = model.stock.samples.get(&row.product);
    let line = samples.map_or_else(String::new, |samples| charts::spark(samples.iter().copied(), 20));
    vec![
        (row.product.clone(), look),
        (row.name.clone(), theme.dim()),
        (count(available), look),
        (count(row.stock.reserved), plain),
        (count(row.stock.given), plain),
        (count(row.stock.owed), if row.stock.owed > 0 { look } else { plain }),
        (count(row.hourly), plain),
        (empties(row), look),
        (if row.low == 0 { "–".to_owned() } else { count(row.low) }, plain),
        (charts::bar(share, 12), look),
        (line, theme.good()),
    ]
}

pub fn draw(frame: &mut Frame<'_>, area: Rect, view: &mut View<'_>) {
    let (model, theme) = (view.model, view.theme);
    let rows = model.stock_rows();
    let stock = &model.stock;
    let place = &model.ui.places[Tab::Stock as usize];
    let sort = sorts(Tab::Stock, model.lang).get(place.sort).copied().unwrap_or_default();
    let title = format!(
        "{} {}/{} · {} {sort}",
        view.say("products", "商品"),
        rows.len(),
        if place.filter.is_empty() { stock.products } else { stock.matching },
        view.say("by", "排序"),
    );
    let inner = view.panel(frame, area, &title);
    let empty = match (stock.told, place.filter.is_empty()) {
        (false, _) => view.say("no stock was told yet", "还没有库存数据"),
        (true, true) => view.say(
            "no products yet: kamid product add demo --price 9.90",
            "还没有商品:kamid product add demo --price 9.90",
        ),
        (true, false) => view.say("no product holds this text; Esc clears the filter", "没有符合的商品;Esc 清除筛选"),
    };
    let list = List { columns: COLUMNS, grows: 1, rows: rows.len(), chosen: model.marked(Tab::Stock), empty };
    table::draw(frame, inner, view, &list, |at| cells(rows[at], model, theme));
}

/// The few products in most danger.
pub fn endangered(frame: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    let block = view.block(view.say("stock, most endangered first → 2", "库存,最紧张的在前 → 2"));
    let inner = block.inner(area);
    let width = usize::from(inner.width);
    let rows = view.model.stock_rows();
    let mut lines: Vec<Line<'_>> = rows
        .into_iter()
        .take(usize::from(inner.height))
        .map(|row| {
            let ends = format!("{} {}", right(&count(row.stock.available()), 7), right(&empties(row), 7));
            let owed = if row.stock.owed > 0 {
                format!(" {} {}", view.say("owed", "待补货"), row.stock.owed)
            } else {
                String::new()
            };
            let room = width.saturating_sub(17 + crate::top::text::columns(&owed));
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
