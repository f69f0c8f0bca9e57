//! What the screen shows: a pure function of a view. Wide terminals get panels, small ones the figures alone.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::super::glance::Glance;
use super::panels;
use crate::domain::text::ascii;

/// Smallest terminal that shows anything.
const SMALLEST: (u16, u16) = (40, 10);
/// Smallest terminal that has room for panels.
const PANELS: (u16, u16) = (76, 20);

/// What is known of a run before it begins.
#[derive(Debug, Clone)]
pub struct Show {
    /// The scenario's word.
    pub scenario: &'static str,
    /// The channel paid through.
    pub channel: String,
    /// What chance began with.
    pub seed: u64,
    /// Requests a second that are due; `None` in a closed loop.
    pub offered: Option<f64>,
    /// How long it is to last.
    pub lasts: Duration,
    /// Whether colours are wanted.
    pub colour: bool,
    /// Plain characters alone.
    pub ascii: bool,
}

/// What a run is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Sending.
    Running,
    /// Ended early: waits for what is under way.
    RequestResult,
    /// All is answered; every order is looked up.
    Auditing,
}

/// One picture's content.
#[derive(Debug, Clone)]
pub struct Picture<'a> {
    /// What was known before.
    pub show: &'a Show,
    /// The figures so far.
    pub glance: Glance,
    /// Answers to the schedule's a second, just now.
    pub rate_now: f64,
    /// Since the start.
    pub elapsed: Duration,
    /// What it is at.
    pub phase: Phase,
}

impl Picture<'_> {
    /// A style in that colour, or plain where none are wanted.
    pub(super) fn tint(&self, colour: Color) -> Style {
        if self.show.colour { Style::new().fg(colour) } else { Style::new() }
    }

    /// The rate that is offered, as text.
    pub(super) fn offered(&self) -> String {
        self.show.offered.map_or_else(|| "closed loop".to_owned(), |rate| format!("{rate:.0}/s"))
    }
}

/// Draws a picture of whatever size the frame has.
pub fn draw(frame: &mut Frame<'_>, view: &Picture<'_>) {
    picture(frame, view);
    let foreign = |cell: &&mut ratatui::buffer::Cell| view.show.ascii && !cell.symbol().is_ascii();
    for cell in frame.buffer_mut().content.iter_mut().filter(foreign) {
        let shown = ascii(cell.symbol().chars().next().unwrap_or(' '));
        cell.set_char(shown);
    }
}

fn picture(frame: &mut Frame<'_>, view: &Picture<'_>) {
    let area = frame.area();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        let text = format!("{}x{} is too small: {}x{}", area.width, area.height, SMALLEST.0, SMALLEST.1);
        let lines = vec![Line::from(text), Line::from("q: end and report")];
        frame.render_widget(Paragraph::new(lines), area);
        return;
    }
    let [title, body, hint] =
        Layout::vertical([Constraint::Length(1), Constraint::Fill(1), Constraint::Length(1)]).areas(area);
    head(frame, title, view);
    if area.width < PANELS.0 || area.height < PANELS.1 {
        small(frame, body, view);
    } else {
        wide(frame, body, view);
    }
    let keys = if view.phase == Phase::Running {
        "q or Ctrl-C: end early and report"
    } else {
        "q or Ctrl-C: leave without a report"
    };
    frame.render_widget(Paragraph::new(keys).style(Style::new().add_modifier(Modifier::DIM)), hint);
}

/// What runs on the left, how long still on the right.
fn head(frame: &mut Frame<'_>, area: Rect, view: &Picture<'_>) {
    let left = view.show.lasts.saturating_sub(view.elapsed).as_secs_f64().ceil();
    let elapsed = view.elapsed.as_secs_f64();
    let time = match view.phase {
        Phase::Running => format!("{elapsed:.0} s, {left:.0} s left"),
        Phase::RequestResult => "ending: waits for answers".to_owned(),
        Phase::Auditing => "looking every order up".to_owned(),
    };
    let [name, clock] = Layout::horizontal([Constraint::Fill(1), Constraint::Length(time.len() as u16)]).areas(area);
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let mut words = vec![Span::styled(format!("kamid hammer {}", view.show.scenario), bold)];
    if area.width >= PANELS.0 {
        words.push(Span::raw(format!("  through {}, seed {}", view.show.channel, view.show.seed)));
    }
    frame.render_widget(Paragraph::new(Line::from(words)), name);
    frame.render_widget(Paragraph::new(time).alignment(Alignment::Right), clock);
}

fn wide(frame: &mut Frame<'_>, area: Rect, view: &Picture<'_>) {
    // A header, the rows, and the frame; the panel beside it has five lines.
    let top = (view.glance.latency.len() as u16 + 3).max(7);
    let rows = Layout::vertical([Constraint::Length(top), Constraint::Fill(1), Constraint::Fill(1)]);
    let [top, middle, bottom] = rows.areas(area);
    let [rate, latency] = Layout::horizontal([Constraint::Length(28), Constraint::Fill(1)]).areas(top);
    panels::rate(frame, rate, view);
    panels::latency(frame, latency, view);
    let halves = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]);
    let [answers, errors] = halves.areas(middle);
    panels::answers(frame, answers, view);
    panels::errors(frame, errors, view);
    let [bars, seconds] = halves.areas(bottom);
    panels::bars(frame, bars, view);
    panels::seconds(frame, seconds, view);
}

/// The figures without frames; what does not fit is left out from the end.
fn small(frame: &mut Frame<'_>, area: Rect, view: &Picture<'_>) {
    let glance = &view.glance;
    let mut lines = vec![
        Line::from(format!("offered {}, achieved {:.0}/s", view.offered(), glance.rate)),
        Line::from(format!("answered {}, now {:.0}/s", glance.answered, view.rate_now)),
        Line::from(format!("{:<12} {:>8} {:>8} {:>8}", "ms", "p50", "p99", "max")),
    ];
    for (name, [p50, _, p99, _, max]) in &glance.latency {
        lines.push(Line::from(format!("{name:<12} {p50:>8.1} {p99:>8.1} {max:>8.1}")));
    }
    lines.extend(panels::answer_lines(view, panels::failed));
    lines.extend(panels::answer_lines(view, |heard| !panels::failed(heard)));
    frame.render_widget(Paragraph::new(lines), area);
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use ratatui::buffer::Buffer;

    use super::super::super::mix::RequestKind;
    use super::super::super::stats::RequestResult;
    use super::*;

    fn show(colour: bool) -> Show {
        let lasts = Duration::from_secs(30);
        Show { scenario: "sale", channel: "pay".to_owned(), seed: 7, offered: Some(200.0), lasts, colour, ascii: false }
    }

    fn glance() -> Glance {
        let mut buckets = vec![0; 13];
        (buckets[1], buckets[3]) = (10, 20);
        Glance {
            heard: vec![
                ((RequestKind::Order, RequestResult::Created), 40),
                ((RequestKind::Order, RequestResult::SoldOut), 60),
                ((RequestKind::Right, RequestResult::Unavailable), 3),
            ],
            latency: vec![
                ("latency", [1.0, 2.0, 3.0, 4.0, 12345.678]),
                ("order", [1.5; 5]),
                ("pay", [2.5; 5]),
                ("look", [3.5; 5]),
                ("own lateness", [0.1; 5]),
            ],
            buckets,
            seconds: vec![5.0, 40.0, 3.0],
            answered: 103,
            scheduled: 100,
            rate: 199.6,
            ended: false,
        }
    }

    fn picture(width: u16, height: u16, colour: bool, phase: Phase) -> Buffer {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let show = show(colour);
        let view = Picture { show: &show, glance: glance(), rate_now: 203.0, elapsed: Duration::from_secs(12), phase };
        terminal.draw(|frame| draw(frame, &view)).unwrap();
        terminal.backend().buffer().clone()
    }

    fn text(buffer: &Buffer) -> Vec<String> {
        let row = |y| (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
        (0..buffer.area.height).map(row).collect()
    }

    #[test]
    fn everything_is_there_at_eighty_by_twenty_four() {
        let lines = text(&picture(80, 24, true, Phase::Running));
        let squeezed: Vec<String> =
            lines.iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert!(
            lines[0].starts_with("kamid hammer sale  through pay, seed 7") && lines[0].ends_with("12 s, 18 s left")
        );
        for what in [
            "offered 200/s",
            "achieved 199.6/s",
            "answered 103",
            "just now 203/s",
            "p50 p90 p99 p99.9 max",
            "latency 1.00 2.00 3.00 4.00 12346",
            "order 1.50",
            "look 3.50",
            "own lateness 0.10",
            "sold-out 60",
            "unavailable 3",
            "2 5 10",
            "p99 by second: 3 ms, highest 40",
        ] {
            assert!(squeezed.iter().any(|line| line.contains(what)), "{what}: {lines:#?}");
        }
        let errors = lines.iter().position(|line| line.contains("errors")).unwrap();
        assert!(lines[errors + 1].contains("unavailable"), "a failure stands apart from outcomes");
        assert!(lines[23].starts_with("q or Ctrl-C: end early and report"));
        // Frames close: nothing was drawn over a corner.
        let corners = lines.iter().map(|line| line.matches(['┘', '┐']).count()).sum::<usize>();
        assert_eq!(corners, 12, "{lines:#?}");
    }

    #[test]
    fn small_ones_show_the_figures_and_the_smallest_says_so() {
        let lines = text(&picture(40, 10, true, Phase::Running));
        assert!(lines[1].starts_with("offered 200/s, achieved 200/s"), "{lines:#?}");
        assert!(lines[4].starts_with("latency           1.0      3.0  12345.7"), "{lines:#?}");
        assert!(lines[9].starts_with("q or Ctrl-C"));
        assert!(text(&picture(39, 10, true, Phase::Running))[0].starts_with("39x10 is too small: 40x10"));
        for width in [1, 5, 40, 75, 76, 200] {
            for height in [1, 3, 10, 19, 20, 60] {
                picture(width, height, true, Phase::RequestResult);
            }
        }
    }

    #[test]
    fn the_end_is_told_and_without_colours_there_are_none() {
        let lines = text(&picture(80, 24, true, Phase::Auditing));
        assert!(lines[0].ends_with("looking every order up") && lines[23].contains("leave without a report"));
        let coloured = |colour| {
            let cells = picture(80, 24, colour, Phase::Running).content;
            cells.iter().any(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset)
        };
        assert!(coloured(true) && !coloured(false));
    }
}
