//! Failed callbacks: newest first, or grouped.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::View;
use super::table::{self, Cell, Column, List, figure, text};
use crate::top::keys::Tab;
use crate::top::model::Model;
use crate::top::model::lists::{Failed, sorts};
use crate::top::theme::Theme;

const COLUMNS: &[Column] = &[
    text("when", "时间", 11, 0),
    text("channel", "渠道", 10, 0),
    text("reason", "原因", 22, 0),
    text("address", "地址", 15, 1),
    text("number", "订单/付款号", 22, 2),
    figure("told", "应答", 4, 3),
    figure("times", "次数", 5, 0),
    text("first", "最早", 11, 4),
];

fn cells(row: &Failed<'_>, model: &Model, theme: Theme) -> Vec<Cell> {
    let (brief, plain) = (row.brief, Style::new());
    vec![
        (model.clock(brief.at), plain),
        (brief.channel.clone(), plain),
        (brief.reason.text(model.lang).to_owned(), theme.warn()),
        (brief.address.clone(), plain),
        (brief.number.clone(), theme.dim()),
        (if brief.status == 0 { String::new() } else { brief.status.to_string() }, plain),
        (row.count.to_string(), if row.count > 1 { theme.warn() } else { plain }),
        (model.clock(row.since), theme.dim()),
    ]
}

pub fn draw(frame: &mut Frame<'_>, area: Rect, view: &mut View<'_>) {
    let (model, theme) = (view.model, view.theme);
    let rows = model.failed_rows();
    let place = &model.ui.places[Tab::Failed as usize];
    let counted: u64 = model.fleet.instances.values().map(|it| it.last.incidents_dropped).sum();
    let mut title = format!("{} {}", view.say("failed callbacks", "失败回调"), rows.len());
    if model.ui.grouped {
        title += view.say(" · groups", " · 分组");
    }
    if counted > 0 {
        title += &format!(" · {counted} {}", view.say("more were only counted", "另有仅计数"));
    }
    title +=
        &format!(" · {} {}", view.say("by", "排序"), sorts(Tab::Failed, model.lang).get(place.sort).unwrap_or(&""));
    let inner = view.panel(frame, area, &title);
    let empty = if place.filter.is_empty() {
        view.say("none was noted", "没有记录到失败的回调")
    } else {
        view.say("none holds this text; Esc clears the filter", "没有符合的;Esc 清除筛选")
    };
    let list = List { columns: COLUMNS, grows: 2, rows: rows.len(), chosen: model.marked(Tab::Failed), empty };
    table::draw(frame, inner, view, &list, |at| cells(&rows[at], model, theme));
}
