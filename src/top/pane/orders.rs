//! Orders as they are delivered, or as they were searched for.

use std::cmp::Reverse;

use ratatui::style::Style;

use super::list::{Column, List, figure, sort, text};
use super::{Opening, review};
use crate::domain::Text;
use crate::top::ask::{Ask, Row};
use crate::top::keys::Command;
use crate::top::lang::word;
use crate::top::model::ui::About;
use crate::top::model::{Effect, Model};
use crate::top::tab::Tab;
use crate::top::theme::Theme;

/// Orders that were searched for, or the newest deliveries.
pub static PANE: List<Row> = List {
    tab: Tab::ORDERS,
    title: Text::new("Orders", "订单"),
    says: Text::new("orders", "订单"),
    keys: &[Command::Filter, Command::Redeliver, Command::MarkPaid, Command::Replace, Command::Refund, Command::Resend],
    columns: COLUMNS,
    grows: 6,
    sorts: &[
        sort("newest", "最新", |a, b| Reverse(a.since).cmp(&Reverse(b.since))),
        sort("product", "商品", |a, b| a.product.cmp(&b.product)),
        sort("state", "状态", |a, b| a.kind.cmp(&b.kind)),
    ],
    rows,
    name: |row, _| row.name(),
    open: opening,
    opened: |detail, _| Some(detail.about.row().map_or_else(|| detail.id.clone(), Row::name)),
    read: review::read,
    filtered: |model, text| {
        if text.is_empty() {
            model.found = None;
            return None;
        }
        Some(Effect::Ask(Ask::Search(text.to_owned())))
    },
    heading: |model, rows, by| {
        let what = match &model.found {
            Some(_) => model.lang.say("orders found", "找到的订单"),
            None => model.lang.say("delivered just now", "刚刚发货"),
        };
        format!("{what} {rows} · {by}")
    },
    empty: |model| match &model.found {
        Some(_) => Text::new(
            "nothing found: search by order or payment number, contact (whole) or trade number; Esc goes back",
            "没有找到:可按订单号、付款号、完整联系方式或交易号搜索;Esc 返回",
        ),
        None => Text::new("nothing was delivered yet; / searches", "还没有发货;/ 搜索"),
    },
    ..List::BLANK
};

const COLUMNS: &[Column<Row>] = &[
    text("when", "时间", 11, 0, |row, model, _| (model.clock(row.since), Style::new())),
    text("order", "订单", 20, 0, |row, _, _| (row.id.clone(), Style::new())),
    text("product", "商品", 12, 1, |row, _, _| (row.product.clone(), Style::new())),
    figure("keys", "数量", 5, 3, |row, _, _| (row.quantity.to_string(), Style::new())),
    text("state", "状态", 10, 0, |row, model, theme| (word(model.lang, &row.kind).to_owned(), state(row, theme))),
    figure("amount", "金额", 12, 2, |row, _, _| (row.amount.clone(), Style::new())),
    text("contact", "联系方式", 16, 4, |row, _, theme| (row.contact.clone(), theme.dim())),
];

/// How an order's state looks.
pub fn state(row: &Row, theme: Theme) -> Style {
    match row.kind.as_str() {
        "delivered" => theme.good(),
        "held" | "owed" | "extra" | "orphan" => theme.warn(),
        _ => theme.dim(),
    }
}

/// What a row opens: its order, or the payment that has none.
pub fn opening(row: &Row) -> Opening {
    let about = if row.payment.is_empty() { About::Order(row.clone()) } else { About::Payment(row.clone()) };
    Opening { id: row.id.clone(), about }
}

fn rows(model: &Model) -> Vec<Row> {
    if let Some(found) = &model.found {
        return found.clone();
    }
    let delivered = model.deliveries.iter().map(|delivery| Row {
        kind: "delivered".to_owned(),
        id: delivery.order.clone(),
        product: delivery.product.clone(),
        quantity: u64::from(delivery.quantity),
        since: delivery.at,
        ..Row::default()
    });
    delivered.collect()
}
