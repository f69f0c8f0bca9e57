//! Notices: given up, put off and sent.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::Line;

use super::View;
use super::table::{self, Cell, Column, List, figure, text};
use crate::domain::NoticeState;
use crate::domain::snapshot::NoticeRow;
use crate::top::keys::Tab;
use crate::top::lang::word;
use crate::top::model::Model;
use crate::top::model::lists::sorts;
use crate::top::text::{count, lasting};
use crate::top::theme::Theme;

const COLUMNS: &[Column] = &[
    text("when", "时间", 11, 0),
    text("order", "订单", 20, 0),
    text("state", "状态", 10, 0),
    figure("tries", "次数", 5, 2),
    figure("next in", "下次", 7, 1),
    text("by", "方式", 8, 5),
    text("contact", "联系方式", 10, 4),
    text("product", "商品", 12, 6),
    text("why", "原因", 20, 3),
];

fn cells(row: &NoticeRow, model: &Model, theme: Theme) -> Vec<Cell> {
    let look = match row.state {
        NoticeState::Sent => theme.good(),
        NoticeState::Waiting => theme.warn(),
        NoticeState::Dead => theme.bad(),
        NoticeState::Dropped => theme.dim(),
    };
    let next = match row.next.checked_sub(model.now()) {
        Some(left) => lasting(left / 1000),
        None if row.state == NoticeState::Waiting => model.lang.say("now", "即刻").to_owned(),
        None => String::new(),
    };
    vec![
        (model.clock(row.at), Style::new()),
        (row.order.clone(), Style::new()),
        (word(model.lang, row.state.as_str()).to_owned(), look),
        (row.tries.to_string(), Style::new()),
        (next, Style::new()),
        (row.by.clone(), theme.dim()),
        (row.contact.clone(), theme.dim()),
        (row.product.clone(), Style::new()),
        (row.why.clone(), theme.warn()),
    ]
}

pub fn draw(frame: &mut Frame<'_>, area: Rect, view: &mut View<'_>) {
    let (model, theme) = (view.model, view.theme);
    let rows = model.notice_rows();
    let place = &model.ui.places[Tab::Notices as usize];
    let sort = sorts(Tab::Notices, model.lang).get(place.sort).copied().unwrap_or_default();
    let title = format!("{} {} · {} {sort}", view.say("notices", "通知"), rows.len(), view.say("by", "排序"));
    let inner = view.panel(frame, area, &title);
    let [head, list_area] = Layout::vertical([Constraint::Length(1), Constraint::Min(1)]).areas(inner);
    let minute = model
        .fleet
        .newest(60)
        .fold([0; 3], |sums: [u64; 3], second| std::array::from_fn(|at| sums[at] + second.notices[at]));
    let told = match model.fleet.waiting() {
        Some(waiting) => format!(
            " {} {} · {} {} · {} {} · {} {} · {} {}",
            view.say("last minute: sent", "最近一分钟:已发"),
            count(minute[0]),
            view.say("put off", "推迟"),
            count(minute[1]),
            view.say("given up", "放弃"),
            count(minute[2]),
            view.say("waiting now", "现在等待"),
            count(waiting.waiting),
            view.say("given up in all", "共放弃"),
            count(waiting.dead),
        ),
        None => format!(
            " {}",
            view.say(
                "no notifier is configured ([notify.<name>]): buyers see their keys on the order's page only",
                "没有配置通知([notify.<name>]):买家只能在订单页面查看卡密",
            )
        ),
    };
    frame.render_widget(Line::styled(crate::top::text::clean(&told, usize::from(head.width)), theme.dim()), head);
    let empty =
        view.say("no notice was sent since this was opened, and none waits", "打开以来没有发送通知,也没有等待的");
    let list = List { columns: COLUMNS, grows: 8, rows: rows.len(), chosen: model.marked(Tab::Notices), empty };
    table::draw(frame, list_area, view, &list, |at| cells(rows[at], model, theme));
}
