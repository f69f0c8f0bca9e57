//! Failed callbacks: newest first, or grouped.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::View;
use super::table::{self, Cell, Column, List, figure, text};
use crate::top::keys::Tab;
use crate::top::lang::{Lang, word};
use crate::top::model::lists::{Failed, sorts};

const EN: [Column; 8] = [
    text("when", 11, 0),
    text("channel", 10, 0),
    text("reason", 22, 0),
    text("address", 15, 1),
    text("number", 22, 2),
    figure("told", 4, 3),
    figure("times", 5, 0),
    text("first", 11, 4),
];
const ZH: [Column; 8] = [
    text("时间", 11, 0),
    text("渠道", 10, 0),
    text("原因", 22, 0),
    text("地址", 15, 1),
    text("订单/付款号", 22, 2),
    figure("应答", 4, 3),
    figure("次数", 5, 0),
    text("最早", 11, 4),
];

fn cells(row: &Failed<'_>, view: &View<'_>) -> Vec<Cell> {
    let (brief, plain) = (row.brief, Style::new());
    vec![
        (view.model.clock(brief.at), plain),
        (brief.channel.clone(), plain),
        (word(view.lang(), &brief.reason).to_owned(), view.theme.warn()),
        (brief.address.clone(), plain),
        (brief.number.clone(), view.theme.dim()),
        (if brief.status == 0 { String::new() } else { brief.status.to_string() }, plain),
        (row.count.to_string(), if row.count > 1 { view.theme.warn() } else { plain }),
        (view.model.clock(row.since), view.theme.dim()),
    ]
}

pub fn draw(frame: &mut Frame<'_>, area: Rect, view: &mut View<'_>) {
    let model = view.model;
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
    let block = view.block(&title);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let empty = if place.filter.is_empty() {
        view.say("none was noted", "没有记录到失败的回调")
    } else {
        view.say("none holds this text; Esc clears the filter", "没有符合的;Esc 清除筛选")
    };
    let columns: &[Column] = if model.lang == Lang::Zh { &ZH } else { &EN };
    let list = List { columns, grows: 2, rows: rows.len(), chosen: place.row, empty };
    let made: Vec<Vec<Cell>> = rows.iter().map(|row| cells(row, view)).collect();
    table::draw(frame, inner, view, &list, |at| made.get(at).cloned().unwrap_or_default());
}
