//! Head, tabs, status line and foot.

use std::sync::Arc;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use crate::domain::Severity;
use crate::top::keys::{BINDINGS, Held};
use crate::top::kit::View;
use crate::top::model::Connection;
use crate::top::model::fleet::{Instance, Tally};
use crate::top::model::ui::Hit;
use crate::top::pane::Panes;
use crate::top::text::{clean, columns, lasting, rate};

/// Rows for what is wrong: one on a small screen.
pub fn alarm_rows(view: &View<'_>, height: u16) -> u16 {
    let most = match height {
        0..30 => 2,
        30..50 => 3,
        _ => 5,
    };
    (view.model.alarms.len() as u16).clamp(1, most)
}

/// Puts `end` at the right of `start`, if there is room.
fn both_ends<'a>(mut start: Vec<Span<'a>>, end: Vec<Span<'a>>, width: u16) -> Line<'a> {
    let taken = |spans: &[Span<'_>]| spans.iter().map(|span| columns(&span.content)).sum::<usize>();
    if let Some(gap) = usize::from(width).checked_sub(taken(&start) + taken(&end)) {
        start.push(Span::raw(" ".repeat(gap)));
        start.extend(end);
    }
    Line::from(start)
}

pub fn head(frame: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    let model = view.model;
    let newest = model.fleet.instances.values().max_by_key(|instance| instance.last.at);
    let mode = match newest.map(|instance| instance.last.surroundings.test) {
        Some(true) => view.say(" TEST ", " 测试 "),
        Some(false) => view.say(" LIVE ", " 正式 "),
        None => "",
    };
    let mode_style =
        if mode.contains("TEST") || mode.contains("测试") { view.theme.dim() } else { view.theme.warn() };
    let all = model.fleet.instances.len();
    let is_lost = |it: &&Arc<Instance>| model.silence(it) >= model.thresholds.lost_seconds;
    let lost = model.fleet.instances.values().filter(is_lost).count();
    let ready = model.fleet.instances.values().filter(|it| !is_lost(it) && it.last.surroundings.ready).count();
    let mut start = vec![
        Span::styled(" kamid top ", view.theme.accent()),
        Span::styled(mode, mode_style),
        Span::raw(format!(" {} {}/{all}", view.say("instances", "实例"), ready)),
    ];
    // Of a fleet that is not heard nothing is known.
    let known = lost < all && model.link.lost().is_none();
    let recent: u64 = model.fleet.newest(5).flat_map(|second| second.channels.values()).map(Tally::all).sum();
    let shown = if known { rate(recent as f64 / 5.0) } else { "–".to_owned() };
    start.push(Span::raw(format!("  {} {shown}/s", view.say("callbacks", "回调"))));
    if model.ui.paused {
        let dropped = if model.dropped > 0 { format!(" -{}", model.dropped) } else { String::new() };
        start.push(Span::styled(format!("  ‖ {}{dropped} ", view.say("PAUSED", "已暂停")), view.theme.warn()));
    }
    let missed = model.fleet.missed();
    if missed > 0 {
        start.push(Span::styled(format!("  {missed} {}", view.say("missed", "缺失")), view.theme.dim()));
    }
    let mut end = Vec::new();
    if let Some((at, of)) = model.position {
        let text = format!("{} {} / {}  ", view.say("recording", "录像"), lasting(at / 1000), lasting(of / 1000));
        end.push(Span::styled(text, view.theme.warn()));
    } else if !model.operator.is_empty() {
        let role = if model.may_act { "" } else { view.say(" (may only look)", "(只读)") };
        end.push(Span::styled(format!("{}{role}  ", clean(&model.operator, 20)), view.theme.dim()));
    }
    if model.fleet.at > 0 {
        end.push(Span::raw(format!("{} ", model.clock(model.now()))));
    }
    frame.render_widget(Paragraph::new(both_ends(start, end, area.width)), area);
}

pub fn tabs(frame: &mut Frame<'_>, area: Rect, panes: Panes, view: &mut View<'_>) {
    let mut spans = Vec::new();
    let mut x = area.x;
    for (at, pane) in panes.0.iter().enumerate() {
        let (tab, title) = (pane.tab(), pane.title().say(view.lang()));
        let mark = match pane.count(view.model) {
            0 => String::new(),
            count => format!("({count})"),
        };
        let text =
            if area.width < 96 { format!(" {}{title}{mark}", at + 1) } else { format!(" {} {title}{mark} ", at + 1) };
        let width = columns(&text) as u16;
        if x + width > area.right() {
            break;
        }
        view.drawn.hits.push((Rect { x, y: area.y, width, height: 1 }, Hit::Tab(tab)));
        x += width;
        let style = if tab == view.model.ui.tab { view.theme.chosen() } else { view.theme.dim() };
        spans.push(Span::styled(text, style));
    }
    frame.render_widget(Paragraph::new(Line::from(spans)), area);
}

pub fn status(frame: &mut Frame<'_>, area: Rect, panes: Panes, view: &View<'_>) {
    let model = view.model;
    let width = usize::from(area.width);
    if model.alarms.is_empty() {
        let (text, style) = match &model.link {
            Connection::Opening => (view.say(" … connecting", " … 正在连接"), view.theme.dim()),
            _ if model.fleet.at == 0 => {
                (view.say(" … waiting for the first second", " … 等待第一秒数据"), view.theme.dim())
            }
            _ => (view.say(" ✓ all is well", " ✓ 一切正常"), view.theme.good()),
        };
        frame.render_widget(Paragraph::new(Line::styled(text, style)), area);
        return;
    }
    let rows = usize::from(area.height);
    let lines: Vec<Line<'_>> = model
        .alarms
        .iter()
        .take(rows)
        .enumerate()
        .map(|(at, alarm)| {
            let (mark, style) = match alarm.level {
                Severity::Alarm => ("✗", view.theme.bad()),
                Severity::Warning => ("!", view.theme.warn()),
            };
            let more = model.alarms.len().saturating_sub(rows);
            let more = if at + 1 == rows && more > 0 { format!(" +{more}: !") } else { String::new() };
            let word = if alarm.before { view.say("before", "早于") } else { view.say("since", "始于") };
            let since = format!("{} {}", word, model.clock(alarm.since));
            let end = format!(" {since} → {}{more} ", panes.number(alarm.tab));
            let text = clean(alarm.says(view.lang()), width.saturating_sub(columns(&end) + 3));
            both_ends(vec![Span::styled(format!(" {mark} {text}"), style)], vec![Span::styled(end, style)], area.width)
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), area);
}

/// What is being typed, what was said, or the keys of this tab.
pub fn foot(frame: &mut Frame<'_>, area: Rect, panes: Panes, view: &View<'_>) {
    let ui = &view.model.ui;
    let width = usize::from(area.width);
    if let Some(prompt) = &ui.typing {
        let ask = view.say("filter, Enter: ", "筛选,回车:");
        let (before, behind) = prompt.around(width.saturating_sub(columns(ask) + 3));
        let line = format!(" {ask}{before}▏{behind}");
        frame.render_widget(Paragraph::new(Line::styled(line, view.theme.accent())), area);
        return;
    }
    if let Some((text, level, _)) = &ui.note {
        let style = if *level == Severity::Alarm { view.theme.bad() } else { view.theme.accent() };
        frame.render_widget(
            Paragraph::new(Line::styled(format!(" {}", clean(text, width.saturating_sub(2))), style)),
            area,
        );
        return;
    }
    let mut spans: Vec<Span<'_>> = Vec::new();
    let mut used = 0;
    let here = panes.here(view.model);
    if ui.dialog.is_some() {
        return;
    }
    // What can be done here comes first, then what can be looked at, then what is always there.
    let moves = ["↑", "↓", "PgUp", "PgDn", "Home", "End"];
    let own = |acts: bool| {
        BINDINGS.iter().filter(move |it| it.held != Held::All && it.acts == acts && !moves.contains(&it.shown))
    };
    let help = BINDINGS.iter().filter(|it| it.shown == "?");
    let fixed = BINDINGS.iter().filter(|it| matches!(it.shown, "q" | "p"));
    for binding in help.chain(own(true)).chain(own(false)).chain(fixed) {
        if !binding.holds(&here) {
            continue;
        }
        let says = binding.says(view.lang()).split([';', ',', ':', ';', ',', ':']).next().unwrap_or_default();
        let size = columns(binding.shown) + columns(says) + 3;
        if used + size > width {
            continue;
        }
        used += size;
        spans.push(Span::styled(format!(" {}", binding.shown), view.theme.accent()));
        spans.push(Span::styled(format!(" {says} "), view.theme.dim()));
    }
    if !ui.place().filter.is_empty() {
        let text = format!(" /{} ", clean(&ui.place().filter, 24));
        if used + columns(&text) <= width {
            spans.push(Span::styled(text, view.theme.warn()));
        }
    }
    frame.render_widget(Paragraph::new(Line::from(spans)), area);
}
