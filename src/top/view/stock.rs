//! Stock: what there is, how quickly it goes, when it is gone.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::table::{self, Cell, Column, List, figure, text};
use super::{View, charts};
use crate::domain::danger::danger;
use crate::telemetry::snapshot::StockRow;
use crate::top::keys::Tab;
use crate::top::lang::Lang;
use crate::top::text::{clean, count, lasting, left, right};

const EN: [Column; 11] = [
    text("product", 14, 0),
    text("name", 12, 7),
    figure("available", 9, 0),
    figure("reserved", 8, 4),
    figure("given", 8, 5),
    figure("owed", 6, 0),
    figure("an hour", 8, 3),
    figure("empty in", 8, 0),
    figure("low", 6, 6),
    text("left", 12, 2),
    text("available, 10 min", 20, 8),
];
const ZH: [Column; 11] = [
    text("商品", 14, 0),
    text("名称", 12, 7),
    figure("可售", 9, 0),
    figure("已占用", 8, 4),
    figure("已售", 8, 5),
    figure("缺货", 6, 0),
    figure("每小时", 8, 3),
    figure("售完于", 8, 0),
    figure("警戒", 6, 6),
    text("剩余", 12, 2),
    text("可售 10 分钟", 20, 8),
];

/// How a row looks: by its danger.
fn style(row: &StockRow, view: &View<'_>) -> Style {
    let danger = danger(&row.stock, row.low, row.hourly, row.retired);
    let soon = danger.empties_in_seconds.is_some_and(|left| left < view.model.thresholds.empty_minutes * 60);
    if row.stock.owed > 0 {
        view.theme.bad()
    } else if row.retired {
        view.theme.dim()
    } else if danger.available == 0 && row.stock.imported > 0 {
        view.theme.bad()
    } else if danger.available < row.low || soon {
        view.theme.warn()
    } else {
        Style::new()
    }
}

fn empties(row: &StockRow) -> String {
    let danger = danger(&row.stock, row.low, row.hourly, row.retired);
    match danger.empties_in_seconds {
        _ if row.retired => "–".to_owned(),
        Some(0) => "0".to_owned(),
        Some(left) => lasting(left),
        None => "–".to_owned(),
    }
}

fn cells(row: &StockRow, view: &View<'_>) -> Vec<Cell> {
    let look = style(row, view);
    let plain = Style::new();
    let available = row.stock.available();
    // Of what was there when the last keys came in, as far as that can be told.
    let whole = row.stock.pool + row.stock.given;
    let share = if whole == 0 { 0.0 } else { available as f64 / whole as f64 };
    let samples = view.model.stock.samples.get(&row.product);
    let line = samples.map_or_else(String::new, |samples| charts::spark(samples.iter().copied(), 20));
    vec![
        (row.product.clone(), look),
        (row.name.clone(), view.theme.dim()),
        (count(available), look),
        (count(row.stock.reserved), plain),
        (count(row.stock.given), plain),
        (count(row.stock.owed), if row.stock.owed > 0 { look } else { plain }),
        (count(row.hourly), plain),
        (empties(row), look),
        (if row.low == 0 { "–".to_owned() } else { count(row.low) }, plain),
        (charts::bar(share, 12), look),
        (line, view.theme.good()),
    ]
}

pub fn draw(frame: &mut Frame<'_>, area: Rect, view: &mut View<'_>) {
    let model = view.model;
    let rows = model.stock_rows();
    let stock = &model.stock;
    let place = &model.ui.places[Tab::Stock as usize];
    let sort = crate::top::model::lists::sorts(Tab::Stock, model.lang).get(place.sort).copied().unwrap_or_default();
    let title = format!(
        "{} {}/{} · {} {sort}",
        view.say("products", "商品"),
        rows.len(),
        if place.filter.is_empty() { stock.products } else { stock.matching },
        view.say("by", "排序"),
    );
    let block = view.block(&title);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let columns: &[Column] = if model.lang == Lang::Zh { &ZH } else { &EN };
    let empty = match (stock.told, place.filter.is_empty()) {
        (false, _) => view.say("no stock was told yet", "还没有库存数据"),
        (true, true) => view.say(
            "no products yet: kamid product add demo --price 9.90",
            "还没有商品:kamid product add demo --price 9.90",
        ),
        (true, false) => view.say("no product holds this text; Esc clears the filter", "没有符合的商品;Esc 清除筛选"),
    };
    let list = List { columns, grows: 1, rows: rows.len(), chosen: place.row, empty };
    let made: Vec<Vec<Cell>> = rows.iter().map(|row| cells(row, view)).collect();
    table::draw(frame, inner, view, &list, |at| made.get(at).cloned().unwrap_or_default());
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
                format!(" {} {}", view.say("owed", "缺货"), row.stock.owed)
            } else {
                String::new()
            };
            let room = width.saturating_sub(17 + crate::top::text::columns(&owed));
            Line::styled(format!(" {}{ends}{owed}", left(&clean(&row.product, 32), room)), style(row, view))
        })
        .collect();
    if lines.is_empty() {
        lines.push(Line::styled(view.say(" no products", " 没有商品"), view.theme.dim()));
    }
    frame.render_widget(Paragraph::new(lines).block(block), area);
}
