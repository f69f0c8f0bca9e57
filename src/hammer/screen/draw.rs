//! What the screen shows: a pure function of a view. Wide terminals get panels, small ones the figures alone.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::super::glance::Glance;
use super::panels;

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
}

/// What a run is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Sending.
    Running,
    /// Ended early: waits for what is under way.
    Ending,
    /// All is answered; every order is looked up.
    Auditing,
}

/// One picture's content.
#[derive(Debug, Clone)]
pub struct View<'a> {
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

impl View<'_> {
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
pub fn draw(frame: &mut Frame<'_>, view: &View<'_>) {
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
fn head(frame: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    let left = view.show.lasts.saturating_sub(view.elapsed).as_secs_f64().ceil();
    let elapsed = view.elapsed.as_secs_f64();
    let time = match view.phase {
        Phase::Running => format!("{elapsed:.0} s, {left:.0} s left"),
        Phase::Ending => "ending: waits for answers".to_owned(),
        Phase::Auditing => "looking every order up".to_owned(),
    };
    let [name, clock] = Layout::horizontal([Constraint::Fill(1), Constraint::Length(time.len() as u16)]).areas(area);
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let name_line = Line::from(vec![
        Span::styled(format!("kamid hammer {}", view.show.scenario), bold),
        Span::raw(format!("  through {}, seed {}", view.show.channel, view.show.seed)),
    ]);
    frame.render_widget(Paragraph::new(name_line), name);
    frame.render_widget(Paragraph::new(time).alignment(Alignment::Right), clock);
}

fn wide(frame: &mut Frame<'_>, area: Rect, view: &View<'_>) {
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
fn small(frame: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    let glance = &view.glance;
    let mut lines = vec![
        Line::from(format!("offered {}, achieved {:.0}/s", view.offered(), glance.rate)),
        Line::from(format!("answered {}, now {:.0}/s", glance.answered, view.rate_now)),
        Line::from(format!("{:<12} {:>8} {:>8} {:>8}", "ms", "p50", "p99", "max")),
    ];
    for (name, [p50, _, p99, _, max]) in &glance.latency {
        lines.push(Line::from(format!("{name:<12} {p50:>8.1} {p99:>8.1} {max:>8.1}")));
    }
    lines.extend(panels::answer_lines(view, |_| true));
    frame.render_widget(Paragraph::new(lines), area);
}
