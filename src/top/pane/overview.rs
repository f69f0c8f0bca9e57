//! The first look: how much, how quick, what runs out, what failed.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::{Pane, stock};
use crate::domain::Text;
use crate::top::keys::Command;
use crate::top::kit::{View, charts};
use crate::top::model::fleet::{Bin, CLASSES};
use crate::top::model::spread::Spread;
use crate::top::tab::Tab;
use crate::top::text::{clean, lasting, left, rate, right};

/// The first look. It is no list, and is drawn by hand.
pub struct Overview;

/// The first look.
pub static PANE: Overview = Overview;

impl Pane for Overview {
    fn tab(&self) -> Tab {
        Tab::OVERVIEW
    }

    fn title(&self) -> Text {
        Text::new("Overview", "总览")
    }

    fn says(&self) -> Text {
        Text::new("overview", "总览")
    }

    fn keys(&self) -> &'static [Command] {
        &[Command::Zoom]
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, view: &mut View<'_>) {
        let tall = area.height >= 30;
        let lists = if tall { Constraint::Percentage(28) } else { Constraint::Length(6) };
        let [top, heat, bottom] =
            Layout::vertical([Constraint::Percentage(if tall { 36 } else { 42 }), Constraint::Min(5), lists])
                .areas(area);
        let side = if area.width >= 150 { 58 } else { 34 };
        let [rates, figures] = Layout::horizontal([Constraint::Min(30), Constraint::Length(side)]).areas(top);
        let inner = rates.width.saturating_sub(2 + charts::AXIS);
        let (columns, bin) = charts::columns(view, inner);
        rates_panel(frame, rates, view, &columns, bin);
        figures_panel(frame, figures, view);
        let (map, lines) = if area.width >= 110 {
            let [map, lines] = Layout::horizontal([Constraint::Percentage(60), Constraint::Percentage(40)]).areas(heat);
            (map, Some(lines))
        } else {
            (heat, None)
        };
        heat_panel(frame, map, view);
        if let Some(lines) = lines {
            lines_panel(frame, lines, view);
        }
        let [endangered, failed] =
            Layout::horizontal([Constraint::Percentage(50), Constraint::Percentage(50)]).areas(bottom);
        stock::endangered(frame, endangered, view);
        failed_panel(frame, failed, view);
    }
}

fn span_of(view: &View<'_>, columns: usize, bin: u64) -> String {
    format!("{} {}", view.say("last", "最近"), lasting((columns as u64 * bin).min(900)))
}

fn rates_panel(frame: &mut Frame<'_>, area: Rect, view: &View<'_>, columns: &[Bin], bin: u64) {
    let title = format!("{} · {}", view.say("callbacks/s", "回调/秒"), span_of(view, columns.len(), bin));
    let block = view.block(&title).title_bottom(charts::legend(view));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    charts::stacked(frame.buffer_mut(), inner, view, columns);
}

/// Rates of the last minute, and the percentiles of the last minute and of all that is remembered.
fn figures_panel(frame: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    let model = view.model;
    let inner = view.panel(frame, area, view.say("last minute: ms, a second", "最近一分钟:毫秒、每秒"));
    let mut sums = [0u64; 5];
    let (mut delivered, mut noticed, mut orders) = (Spread::default(), Spread::default(), 0);
    let mut heard = 0u32;
    for second in model.fleet.newest(60) {
        heard += 1;
        delivered.add(&second.delivered);
        noticed.add(&second.noticed);
        orders += second.orders;
        for tally in second.channels.values() {
            sums.iter_mut().zip(tally.classes).for_each(|(sum, count)| *sum += count);
        }
    }
    let mut lines = vec![latency_head(view, inner.width)];
    lines.push(latency_line(view.say("answered", "回调应答"), &model.minute, inner.width));
    lines.push(latency_line(view.say("paid→keys", "付款→发货"), &delivered, inner.width));
    // Where there is little room, figures come before what there is none of.
    let roomy = inner.height >= 9;
    if roomy {
        lines.push(if model.fleet.waiting().is_some() || noticed.count() > 0 {
            latency_line(view.say("paid→notice", "付款→通知"), &noticed, inner.width)
        } else {
            let none = view.say("paid→notice no notifier configured", "付款→通知 未配置通知");
            Line::styled(format!(" {none}"), view.theme.dim())
        });
    }
    let per = |count: u64| rate(count as f64 / f64::from(heard.max(1)));
    let mut cells: Vec<Span<'_>> = Vec::new();
    for (class, sum) in CLASSES.iter().zip(sums) {
        let style = if sum > 0 { view.theme.class(*class) } else { view.theme.dim() };
        cells.push(Span::styled(format!(" {}{}/s", left(class.title(view.lang()), 10), right(&per(sum), 5)), style));
    }
    cells.push(Span::raw(format!(" {}{}/s", left(view.say("orders", "下单"), 10), right(&per(orders), 5))));
    let across = if inner.width >= 56 { 3 } else { 1 };
    let room = usize::from(inner.height).saturating_sub(lines.len());
    // On a small screen two share a line, so that none is lost.
    let across = if across == 1 && room < cells.len() { 2 } else { across };
    lines.extend(cells.chunks(across).map(|part| {
        if across == 2 && inner.width < 40 {
            let short = part.iter().map(|cell| {
                let text = cell.content.trim_start().trim_end_matches("/s");
                let mut words = text.split_whitespace();
                let (name, figure) = (words.next().unwrap_or_default(), words.next_back().unwrap_or_default());
                Span::styled(format!(" {}{}", left(name, 9), right(figure, 6)), cell.style)
            });
            Line::from(short.collect::<Vec<_>>())
        } else {
            Line::from(part.to_vec())
        }
    }));
    frame.render_widget(Paragraph::new(lines), inner);
}

fn latency_head<'a>(view: &View<'_>, width: u16) -> Line<'a> {
    let names = ["p50", "p90", "p99", "p99.9", "max"].map(|name| right(name, 6));
    Line::styled(left("", 13) + &names[..shown(width)].concat(), view.theme.accent())
}

fn shown(width: u16) -> usize {
    usize::from(width.saturating_sub(13) / 6).clamp(1, 5)
}

fn latency_line<'a>(name: &str, spread: &Spread, width: u16) -> Line<'a> {
    let figures = charts::figures(spread).map(|text| right(&text, 6));
    Line::raw(left(&format!(" {name}"), 13) + &figures[..shown(width)].concat())
}

fn heat_panel(frame: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    let (columns, bin) = charts::columns(view, area.width.saturating_sub(2 + charts::AXIS));
    let title = format!(
        "{} · {}",
        view.say("callback latency, ms: how many fell where", "回调延迟(毫秒)分布"),
        span_of(view, columns.len(), bin)
    );
    let inner = view.panel(frame, area, &title);
    if columns.iter().all(|column| column.latency.count() == 0) {
        let text = Line::styled(view.say(" no callbacks yet", " 还没有回调"), view.theme.dim());
        frame.render_widget(Paragraph::new(text), inner);
        return;
    }
    charts::heat(frame.buffer_mut(), inner, view, &columns);
}

fn lines_panel(frame: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    let (columns, _) = charts::columns(view, area.width.saturating_sub(2 + charts::AXIS));
    let inner = view.panel(frame, area, view.say("p50 · p90 · p99, ms", "p50 · p90 · p99 毫秒"));
    charts::percentiles(frame, inner, view, &columns);
}

fn failed_panel(frame: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    let block = view.block(view.say("newest failed callbacks → 3", "最新失败回调 → 3"));
    let inner = block.inner(area);
    let width = usize::from(inner.width);
    let mut lines: Vec<Line<'_>> = view
        .model
        .incidents
        .iter()
        .take(usize::from(inner.height))
        .map(|brief| {
            let text = format!(
                " {} {} {} {}",
                view.model.clock(brief.at),
                clean(&brief.channel, 12),
                brief.reason.text(view.lang()),
                clean(&brief.address, 24)
            );
            Line::raw(clean(&text, width))
        })
        .collect();
    if lines.is_empty() {
        lines.push(Line::styled(view.say(" none", " 没有"), view.theme.dim()));
    }
    frame.render_widget(Paragraph::new(lines).block(block), area);
}
