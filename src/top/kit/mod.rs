//! What pictures are made of: the model with its colours, frames with titles, charts.

pub mod charts;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::model::Model;
use super::model::ui::Hit;
use super::text::clean;
use super::theme::Theme;
use crate::domain::Lang;

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
