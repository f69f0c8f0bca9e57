//! Orders as they are delivered or were searched for, and what waits for a person.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::View;
use super::table::{self, Cell, Column, List, figure, text};
use crate::top::ask::Row;
use crate::top::keys::Tab;
use crate::top::lang::{Lang, word};
use crate::top::model::lists::sorts;
use crate::top::text::lasting;

const EN: [Column; 7] = [
    text("when", 11, 0),
    text("order", 20, 0),
    text("product", 12, 1),
    figure("keys", 5, 3),
    text("state", 10, 0),
    figure("amount", 12, 2),
    text("contact", 16, 4),
];
const ZH: [Column; 7] = [
    text("时间", 11, 0),
    text("订单", 20, 0),
    text("商品", 12, 1),
    figure("数量", 5, 3),
    text("状态", 10, 0),
    figure("金额", 12, 2),
    text("联系方式", 16, 4),
];

const WAITING_EN: [Column; 7] = [
    figure("for", 7, 0),
    text("kind", 14, 0),
    text("order", 22, 0),
    text("product", 10, 3),
    figure("amount", 12, 1),
    text("why", 16, 2),
    text("payment", 24, 4),
];
const WAITING_ZH: [Column; 7] = [
    figure("已等", 7, 0),
    text("类别", 14, 0),
    text("订单", 22, 0),
    text("商品", 10, 3),
    figure("金额", 12, 1),
    text("原因", 16, 2),
    text("付款", 24, 4),
];

fn state(row: &Row, view: &View<'_>) -> Style {
    match row.kind.as_str() {
        "delivered" => view.theme.good(),
        "held" | "owed" | "extra" | "orphan" => view.theme.warn(),
        _ => view.theme.dim(),
    }
}

pub fn draw(frame: &mut Frame<'_>, area: Rect, view: &mut View<'_>) {
    let model = view.model;
    let rows = model.order_rows();
    let place = &model.ui.places[Tab::Orders as usize];
    let what = match &model.found {
        Some(_) => view.say("orders found", "找到的订单"),
        None => view.say("delivered just now", "刚刚发货"),
    };
    let sort = sorts(Tab::Orders, model.lang).get(place.sort).copied().unwrap_or_default();
    let block = view.block(&format!("{what} {} · {} {sort}", rows.len(), view.say("by", "排序")));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let empty = match &model.found {
        Some(_) => view.say(
            "nothing found: search by order or payment number, contact (whole) or trade number; Esc goes back",
            "没有找到:可按订单号、付款号、完整联系方式或交易号搜索;Esc 返回",
        ),
        None => view.say("nothing was delivered yet; / searches", "还没有发货;/ 搜索"),
    };
    let columns: &[Column] = if model.lang == Lang::Zh { &ZH } else { &EN };
    let list = List { columns, grows: 6, rows: rows.len(), chosen: place.row, empty };
    let made: Vec<Vec<Cell>> = rows
        .iter()
        .map(|row| {
            vec![
                (model.clock(row.since), Style::new()),
                (row.id.clone(), Style::new()),
                (row.product.clone(), Style::new()),
                (row.quantity.to_string(), Style::new()),
                (word(view.lang(), &row.kind).to_owned(), state(row, view)),
                (row.amount.clone(), Style::new()),
                (row.contact.clone(), view.theme.dim()),
            ]
        })
        .collect();
    table::draw(frame, inner, view, &list, |at| made.get(at).cloned().unwrap_or_default());
}

pub fn review(frame: &mut Frame<'_>, area: Rect, view: &mut View<'_>) {
    let model = view.model;
    let rows: Vec<Row> = model.review_rows().into_iter().cloned().collect();
    let place = &model.ui.places[Tab::Review as usize];
    let sort = sorts(Tab::Review, model.lang).get(place.sort).copied().unwrap_or_default();
    let block = view.block(&format!(
        "{} {} · {} {sort}",
        view.say("waiting for a person", "等待人工处理"),
        rows.len(),
        view.say("by", "排序")
    ));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let empty = if place.filter.is_empty() {
        view.say(
            "nothing waits: no held or owed order, no extra or orphan payment",
            "没有待处理:无待审或缺货订单,无重复或无主付款",
        )
    } else {
        view.say("none holds this text; Esc clears the filter", "没有符合的;Esc 清除筛选")
    };
    let columns: &[Column] = if model.lang == Lang::Zh { &WAITING_ZH } else { &WAITING_EN };
    let list = List { columns, grows: 5, rows: rows.len(), chosen: place.row, empty };
    let made: Vec<Vec<Cell>> = rows
        .iter()
        .map(|row| {
            vec![
                (lasting(model.now().saturating_sub(row.since) / 1000), Style::new()),
                (word(view.lang(), &row.kind).to_owned(), state(row, view)),
                (row.id.clone(), Style::new()),
                (row.product.clone(), Style::new()),
                (row.amount.clone(), Style::new()),
                (word(view.lang(), &row.why).to_owned(), view.theme.warn()),
                (row.payment.clone(), view.theme.dim()),
            ]
        })
        .collect();
    table::draw(frame, inner, view, &list, |at| made.get(at).cloned().unwrap_or_default());
}
