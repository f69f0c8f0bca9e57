//! The picture of a model: pure, and the same for a terminal, a pipe and a test.
//!
//! ```text
//! head      what this is, how it is reached, when
//! tabs      1 to 8
//! status    what is wrong now, in words, or that all is well
//! body      the tab; what is open lies over its lower or right part
//! foot      the keys of this tab, what was said last, what is being typed
//! ```

mod charts;
mod detail;
mod failed;
mod frame;
mod instances;
mod notices;
mod orders;
mod overview;
mod popup;
mod stock;
mod table;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::keys::Tab;
use super::model::Model;
use super::model::ui::{Hit, LEAST};
use super::text::clean;
use super::theme::Theme;
use crate::domain::Lang;
use crate::domain::text::ascii;

/// What is drawn with: the model, its colours, and where something can be clicked.
pub struct View<'a> {
    /// What is known.
    pub model: &'a Model,
    /// How it looks.
    pub theme: Theme,
    /// What the picture tells of itself.
    pub drawn: Drawn,
}

impl View<'_> {
    /// The language.
    #[must_use]
    pub fn lang(&self) -> Lang {
        self.model.lang
    }

    /// One of two languages' words.
    #[must_use]
    pub fn say(&self, en: &'static str, zh: &'static str) -> &'static str {
        self.model.lang.say(en, zh)
    }

    /// A frame with a title.
    #[must_use]
    pub fn block<'b>(&self, title: &str) -> ratatui::widgets::Block<'b> {
        ratatui::widgets::Block::bordered()
            .border_style(self.theme.dim())
            .title(Line::styled(format!(" {} ", clean(title, 200)), self.theme.accent()))
    }

    /// Draws a frame with a title; what is inside it.
    pub fn panel(&self, frame: &mut Frame<'_>, area: Rect, title: &str) -> Rect {
        let block = self.block(title);
        let inner = block.inner(area);
        frame.render_widget(block, area);
        inner
    }
}

/// What a picture tells of itself.
#[derive(Debug, Clone, Default)]
pub struct Drawn {
    /// What can be clicked where.
    pub hits: Vec<(Rect, Hit)>,
    /// How many lines of what is open can be scrolled past.
    pub last: usize,
}

/// Draws everything.
pub fn draw(frame: &mut Frame<'_>, model: &Model, theme: Theme) -> Drawn {
    let drawn = colourful(frame, model, theme);
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

fn colourful(frame: &mut Frame<'_>, model: &Model, theme: Theme) -> Drawn {
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
    frame::tabs(frame, tabs, &mut view);
    frame::status(frame, status, &view);
    tab(frame, body, &mut view);
    frame::foot(frame, foot, &view);
    if view.model.ui.help {
        popup::help(frame, area, &view);
    }
    if view.model.ui.alarms {
        popup::alarms(frame, area, &view);
    }
    popup::dialog(frame, area, &view);
    view.drawn
}

fn tab(frame: &mut Frame<'_>, area: Rect, view: &mut View<'_>) {
    let (list, open) = detail::split(area, view);
    match view.model.ui.tab {
        Tab::Overview => overview::draw(frame, list, view),
        Tab::Stock => stock::draw(frame, list, view),
        Tab::Failed => failed::draw(frame, list, view),
        Tab::Orders => orders::draw(frame, list, view),
        Tab::Review => orders::review(frame, list, view),
        Tab::Channels => instances::channels(frame, list, view),
        Tab::Notices => notices::draw(frame, list, view),
        Tab::Instances => instances::draw(frame, list, view),
    }
    if let Some(open) = open {
        detail::draw(frame, open, view);
    }
}
