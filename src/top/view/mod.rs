//! The picture of a model: pure, and the same for a terminal, a pipe and a test.
//!
//! ```text
//! head      what this is, how it is reached, when
//! tabs      the panes' titles
//! status    what is wrong now, in words, or that all is well
//! body      the pane; what is open lies over its lower or right part
//! foot      the keys of this tab, what was said last, what is being typed
//! ```

mod detail;
mod frame;
mod popup;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout};
use ratatui::widgets::Paragraph;

use super::kit::{Drawn, View};
use super::model::Model;
use super::model::ui::LEAST;
use super::pane::Panes;
use super::theme::Theme;
use crate::domain::text::ascii;

/// Draws everything; the tab that is shown is one of these panes.
pub fn draw(frame: &mut Frame<'_>, panes: Panes, model: &Model, theme: Theme) -> Drawn {
    let drawn = colourful(frame, panes, model, theme);
    if model.ascii {
        plain(frame.buffer_mut());
    }
    drawn
}

/// Nothing but what every terminal shows, cell by cell.
fn plain(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if !cell.symbol().is_ascii() {
            let shown = ascii(cell.symbol().chars().next().unwrap_or(' '));
            cell.set_char(shown);
        }
    }
}

fn colourful(frame: &mut Frame<'_>, panes: Panes, model: &Model, theme: Theme) -> Drawn {
    let area = frame.area();
    let mut view = View { model, theme, drawn: Drawn::default() };
    if area.width < LEAST.0 || area.height < LEAST.1 {
        let text = format!(
            "{} {}×{}; {} {}×{}",
            view.say("too small:", "窗口太小:"),
            area.width,
            area.height,
            view.say("needs", "至少"),
            LEAST.0,
            LEAST.1
        );
        frame.render_widget(Paragraph::new(text), area);
        return view.drawn;
    }
    let alarms = frame::alarm_rows(&view, area.height);
    let [head, tabs, status, body, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(alarms),
        Constraint::Min(1),
        Constraint::Length(1),
    ])
    .areas(area);
    frame::head(frame, head, &view);
    frame::tabs(frame, tabs, panes, &mut view);
    frame::status(frame, status, panes, &view);
    let (list, open) = detail::split(body, &view);
    panes.of(model.ui.tab).draw(frame, list, &mut view);
    if let Some(open) = open {
        detail::draw(frame, open, &mut view);
    }
    frame::foot(frame, foot, panes, &view);
    if view.model.ui.help {
        popup::help(frame, area, panes, &view);
    }
    if view.model.ui.alarms {
        popup::alarms(frame, area, panes, &view);
    }
    popup::dialog(frame, area, &view);
    view.drawn
}
