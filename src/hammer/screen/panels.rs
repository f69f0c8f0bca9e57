//! The panels of a wide screen.

use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Bar, BarChart, BarGroup, Block, Paragraph, Row, Sparkline, Table};

use super::super::glance::{BUCKETS_MS, SHOWN};
use super::super::stats::RequestResult;
use super::draw::Picture;

/// Columns of one bar, and between two.
const BAR: (u16, u16) = (4, 1);

fn block<'a>(view: &Picture<'_>, title: impl Into<Line<'a>>) -> Block<'a> {
    Block::bordered().title(title).border_style(view.tint(Color::DarkGray))
}

/// Offered and achieved.
pub fn rate(frame: &mut Frame<'_>, area: Rect, view: &Picture<'_>) {
    let glance = &view.glance;
    let unit = if glance.scheduled < glance.answered { "visits" } else { "requests" };
    let line = |name: &str, value: String| Line::from(format!("{name:<10}{value:>15}"));
    let lines = vec![
        line("offered", view.offered()),
        line("achieved", format!("{:.1}/s", glance.rate)),
        line("answered", glance.answered.to_string()),
        line("just now", format!("{:.0}/s", view.rate_now)),
    ];
    frame.render_widget(Paragraph::new(lines).block(block(view, format!(" rate of {unit} "))), area);
}

/// Percentiles of all, of each step, and of the load's own lateness.
pub fn latency(frame: &mut Frame<'_>, area: Rect, view: &Picture<'_>) {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let names = SHOWN.map(|(name, _)| format!("{name:>6}"));
    let header = Row::new(std::iter::once(String::new()).chain(names)).style(bold);
    let rows = view.glance.latency.iter().map(|(name, values)| {
        Row::new(std::iter::once((*name).to_owned()).chain(values.iter().map(|ms| format!("{:>6}", figure(*ms)))))
    });
    let widths = std::iter::once(Constraint::Length(12)).chain([Constraint::Length(6); 5]);
    let table = Table::new(rows, widths).header(header).block(block(view, " latency from when due, ms "));
    frame.render_widget(table, area);
}

/// Milliseconds in at most six columns.
fn figure(ms: f64) -> String {
    if ms < 100.0 { format!("{ms:.2}") } else { format!("{ms:.0}") }
}

/// Whether an answer is a failure, not an outcome that somebody asked for.
pub fn failed(heard: RequestResult) -> bool {
    heard.unknown()
}

/// A line for each kind of answer that is wanted.
pub fn answer_lines<'a>(view: &Picture<'_>, wanted: impl Fn(RequestResult) -> bool) -> Vec<Line<'a>> {
    let kept = view.glance.heard.iter().filter(|((_, heard), _)| wanted(*heard));
    kept.map(|((request, heard), count)| {
        let colour = match heard {
            heard if heard.good() => Color::Green,
            heard if failed(*heard) => Color::Red,
            _ => Color::Yellow,
        };
        let word = Span::styled(format!("{:<14}", heard.as_str()), view.tint(colour));
        Line::from(vec![Span::raw(format!("{:<9}", request.as_str())), word, Span::raw(format!("{count:>9}"))])
    })
    .collect()
}

/// As many lines as there is room for; the last says how many more there are.
fn fitting<'a>(mut lines: Vec<Line<'a>>, area: Rect) -> Paragraph<'a> {
    let room = usize::from(area.height.saturating_sub(2));
    if lines.len() > room && room > 0 {
        let more = lines.len() - (room - 1);
        lines.truncate(room - 1);
        lines.push(Line::from(format!("… {more} more")));
    }
    Paragraph::new(lines)
}

/// Outcomes by kind.
pub fn answers(frame: &mut Frame<'_>, area: Rect, view: &Picture<'_>) {
    let lines = answer_lines(view, |heard| !failed(heard));
    frame.render_widget(fitting(lines, area).block(block(view, " outcomes ")), area);
}

/// Failures by kind.
pub fn errors(frame: &mut Frame<'_>, area: Rect, view: &Picture<'_>) {
    let mut lines = answer_lines(view, failed);
    if lines.is_empty() {
        lines.push(Line::from("none"));
    }
    frame.render_widget(fitting(lines, area).block(block(view, " errors ")), area);
}

/// The latencies' histogram. Bars that do not fit are folded into the first one that does.
pub fn bars(frame: &mut Frame<'_>, area: Rect, view: &Picture<'_>) {
    let framed = block(view, " latencies up to, ms ");
    let room = usize::from(framed.inner(area).width + BAR.1) / usize::from(BAR.0 + BAR.1);
    let bars: Vec<Bar<'_>> = folded(&view.glance.buckets, room.max(1))
        .into_iter()
        .map(|(label, count)| Bar::default().value(count).text_value("").label(Line::from(label)))
        .collect();
    let style = view.tint(Color::Cyan);
    let chart = BarChart::default()
        .data(BarGroup::default().bars(&bars))
        .bar_width(BAR.0)
        .bar_gap(BAR.1)
        .bar_style(style)
        .block(framed);
    frame.render_widget(chart, area);
}

/// The bars from the first to the last that is not empty, at most so many of them.
fn folded(buckets: &[u64], room: usize) -> Vec<(String, u64)> {
    let Some(first) = buckets.iter().position(|count| *count > 0) else { return Vec::new() };
    let last = buckets.iter().rposition(|count| *count > 0).unwrap_or(first);
    let from = first.max((last + 1).saturating_sub(room));
    let label = |at: usize| BUCKETS_MS.get(at).map_or_else(|| "more".to_owned(), u64::to_string);
    let count = |at: usize| if at == from { buckets[..=at].iter().sum() } else { buckets[at] };
    (from..=last).map(|at| (label(at), count(at))).collect()
}

/// p99 second by second; the newest that fit.
pub fn seconds(frame: &mut Frame<'_>, area: Rect, view: &Picture<'_>) {
    let all = &view.glance.seconds;
    let highest = all.iter().copied().fold(0.0, f64::max);
    let title = match all.last() {
        Some(last) => format!(" p99 by second: {last:.0} ms, highest {highest:.0} "),
        None => " p99 by second ".to_owned(),
    };
    let framed = block(view, title);
    let room = usize::from(framed.inner(area).width);
    let newest = all.iter().skip(all.len().saturating_sub(room)).map(|ms| (ms * 1000.0) as u64);
    frame.render_widget(Sparkline::default().data(newest).style(view.tint(Color::Cyan)).block(framed), area);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_that_do_not_fit_are_folded_and_none_is_lost() {
        let mut buckets = [0; BUCKETS_MS.len() + 1];
        assert!(folded(&buckets, 7).is_empty());
        (buckets[2], buckets[4]) = (3, 4);
        let names = |room| folded(&buckets, room);
        assert_eq!(names(7), [("5".to_owned(), 3), ("10".to_owned(), 0), ("20".to_owned(), 4)]);
        assert_eq!(names(1), [("20".to_owned(), 7)]);
    }
}
