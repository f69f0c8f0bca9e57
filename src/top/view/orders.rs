//! Orders as they are delivered or were searched for, and what waits for a person.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::View;
use super::table::{self, Cell, Column, List, figure, text};
use crate::top::ask::Row;
use crate::top::keys::Tab;
use crate::top::lang::word;
use crate::top::model::Model;
use crate::top::model::lists::sorts;
use crate::top::text::lasting;
use crate::top::theme::Theme;

const COLUMNS: &[Column] = &[
    text("when", "时间", 11, 0),
    text("order", "订单", 20, 0),
    text("product", "商品", 12, 1),
    figure("keys", "数量", 5, 3),
    text("state", "状态", 10, 0),
    figure("amount", "金额", 12, 2),
    text("contact", "联系方式", 16, 4),
];

const WAITING: &[Column] = &[
    figure("for", "已等", 7, 0),
    text("kind", "类别", 14, 0),
    text("order", "订单", 22, 0),
    text("product", "商品", 10, 3),
    figure("amount", "金额", 12, 1),
    text("why", "原因", 16, 2),
    text("payment", "付款", 24, 4),
];

fn state(row: &Row, theme: Theme) -> Style {
    match row.kind.as_str() {
        "delivered" => theme.good(),
        "held" | "owed" | "extra" | "orphan" => theme.warn(),
        _ => theme.dim(),
    }
}

fn cells(row: &Row, model: &Model, theme: Theme) -> Vec<Cell> {
    vec![
        (model.clock(row.since), Style::new()),
        (row.id.clone(), Style::new()),
        (row.product.clone(), Style::new()),
        (row.quantity.to_string(), Style::new()),
        (word(model.lang, &row.kind).to_owned(), state(row, theme)),
        (row.amount.clone(), Style::new()),
        (row.contact.clone(), theme.dim()),
    ]
}

fn waiting(row: &Row, model: &Model, theme: Theme) -> Vec<Cell> {
    vec![
        (lasting(model.now().saturating_sub(row.since) / 1000), Style::new()),
        (word(model.lang, &row.kind).to_owned(), state(row, theme)),
        (row.id.clone(), Style::new()),
        (row.product.clone(), Style::new()),
        (row.amount.clone(), Style::new()),
        (word(model.lang, &row.why).to_owned(), theme.warn()),
        (row.payment.clone(), theme.dim()),
    ]
}

pub fn draw(frame: &mut Frame<'_>, area: Rect, view: &mut View<'_>) {
    let (model, theme) = (view.model, view.theme);
    let rows = model.order_rows();
    let place = &model.ui.places[Tab::Orders as usize];
    let what = match &model.found {
        Some(_) => view.say("orders found", "找到的订单"),
        None => view.say("delivered just now", "刚刚发货"),
    };
    let sort = sorts(Tab::Orders, model.lang).get(place.sort).copied().unwrap_or_default();
    let inner = view.panel(frame, area, &format!("{what} {} · {} {sort}", rows.len(), view.say("by", "排序")));
    let empty = match &model.found {
        Some(_) => view.say(
            "nothing found: search by order or payment number, contact (whole) or trade number; Esc goes back",
            "没有找到:可按订单号、付款号、完整联系方式或交易号搜索;Esc 返回",
        ),
        None => view.say("nothing was delivered yet; / searches", "还没有发货;/ 搜索"),
    };
    let list = List { columns: COLUMNS, grows: 6, rows: rows.len(), chosen: model.marked(Tab::Orders), empty };
    table::draw(frame, inner, view, &list, |at| cells(&rows[at], model, theme));
}

pub fn review(frame: &mut Frame<'_>, area: Rect, view: &mut View<'_>) {
    let (model, theme) = (view.model, view.theme);
    let rows = model.review_rows();
    let place = &model.ui.places[Tab::Review as usize];
    let sort = sorts(Tab::Review, model.lang).get(place.sort).copied().unwrap_or_default();
    let inner = view.panel(
        frame,
        area,
        &format!(
            "{} {} · {} {sort}",
            view.say("waiting for a person", "等待人工处理"),
            rows.len(),
            view.say("by", "排序")
        ),
    );
    let empty = if place.filter.is_empty() {
        view.say(
            "nothing waits: no held or owed order, no extra or orphan payment",
            "没有待处理:无待审或待补货订单,无重复或无主付款",
        )
    } else {
        view.say("none holds this text; Esc clears the filter", "没有符合的;Esc 清除筛选")
    };
    let list = List { columns: WAITING, grows: 5, rows: rows.len(), chosen: model.marked(Tab::Review), empty };
    table::draw(frame, inner, view, &list, |at| waiting(rows[at], model, theme));
}
