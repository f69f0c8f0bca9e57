//! A pane that is a list: columns that hide by priority on a narrow screen, ways to sort, the chosen row in sight, rows that
//! can be clicked and opened.

use std::cmp::Ordering;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use serde_json::Value;

use super::{Opening, Pane};
use crate::domain::Text;
use crate::top::ask::Ask;
use crate::top::keys::Command;
use crate::top::kit::View;
use crate::top::model::ui::{About, Detail, Hit};
use crate::top::model::{Effect, Model};
use crate::top::tab::Tab;
use crate::top::text::{clean, left, right};
use crate::top::theme::Theme;

/// A cell: its text and how it looks.
pub type Cell = (String, Style);

/// One column.
pub struct Column<R> {
    title: Text,
    /// Its width; the column that grows takes what is left too.
    width: u16,
    /// Figures stand at the right.
    right: bool,
    /// Hidden early: the higher, the earlier. 0 is never hidden.
    spare: u8,
    cell: fn(&R, &Model, Theme) -> Cell,
}

/// A column of text.
#[must_use]
pub const fn text<R>(
    en: &'static str,
    zh: &'static str,
    width: u16,
    spare: u8,
    cell: fn(&R, &Model, Theme) -> Cell,
) -> Column<R> {
    Column { title: Text::new(en, zh), width, right: false, spare, cell }
}

/// A column of figures.
#[must_use]
pub const fn figure<R>(
    en: &'static str,
    zh: &'static str,
    width: u16,
    spare: u8,
    cell: fn(&R, &Model, Theme) -> Cell,
) -> Column<R> {
    Column { title: Text::new(en, zh), width, right: true, spare, cell }
}

/// A way to sort rows; what it calls equal stays as it was made.
pub struct Sort<R> {
    title: Text,
    by: fn(&R, &R) -> Ordering,
}

/// A way to sort rows.
#[must_use]
pub const fn sort<R>(en: &'static str, zh: &'static str, by: fn(&R, &R) -> Ordering) -> Sort<R> {
    Sort { title: Text::new(en, zh), by }
}

/// A list as a value: all that is said of it.
pub struct List<R: 'static> {
    /// Its name, by which others point at it.
    pub tab: Tab,
    /// Its title.
    pub title: Text,
    /// What the help calls it.
    pub says: Text,
    /// What the keys ask for that it has beside those of all lists.
    pub keys: &'static [Command],
    /// How many wait there for somebody, beside its title.
    pub count: fn(&Model) -> usize,
    /// Its columns.
    pub columns: &'static [Column<R>],
    /// The column that takes what is left.
    pub grows: usize,
    /// Ways to sort, in the order that `s` goes through.
    pub sorts: &'static [Sort<R>],
    /// What it lists, filtered.
    pub rows: fn(&Model) -> Vec<R>,
    /// What a row is called, wherever it stands.
    pub name: fn(&R, &Model) -> String,
    /// What a row opens.
    pub open: fn(&R) -> Opening,
    /// What is open, as its row is called.
    pub opened: fn(&Detail, &Model) -> Option<String>,
    /// What is known here of what is open, to be read again each second.
    pub read: fn(&Detail, &Model) -> Option<Value>,
    /// What is asked for again and again while somebody looks at it.
    pub asks: Option<fn() -> Ask>,
    /// A filter was typed: what else than its rows that changes.
    pub filtered: fn(&mut Model, &str) -> Option<Effect>,
    /// Whether the chosen row stays chosen wherever it stands after news. Off where rows stand by names that seldom change.
    pub follows: bool,
    /// What its frame says, of so many rows, sorted by what that says.
    pub heading: fn(&Model, usize, &str) -> String,
    /// A line above its rows.
    pub above: Option<fn(&Model) -> String>,
    /// What it says where it has no row.
    pub empty: fn(&Model) -> Text,
}

impl<R: 'static> List<R> {
    /// What a list has that says nothing of it.
    pub const BLANK: Self = Self {
        tab: Tab::named(""),
        title: Text::new("", ""),
        says: Text::new("", ""),
        keys: &[],
        count: |_| 0,
        columns: &[],
        grows: 0,
        sorts: &[],
        rows: |_| Vec::new(),
        name: |_, _| String::new(),
        open: |_| Opening { id: String::new(), about: About::Live },
        opened: |detail, _| Some(detail.id.clone()),
        read: |_, _| None,
        asks: None,
        filtered: |_, _| None,
        follows: true,
        heading: |_, rows, by| format!("{rows} · {by}"),
        above: None,
        empty: |_| Text::new("nothing", "没有"),
    };

    fn sort_of(&self, model: &Model) -> Option<&'static Sort<R>> {
        self.sorts.get(model.ui.place_of(self.tab).sort)
    }

    /// Its rows as they are shown.
    #[must_use]
    pub fn sorted(&self, model: &Model) -> Vec<R> {
        let mut rows = (self.rows)(model);
        if let Some(sort) = self.sort_of(model) {
            rows.sort_by(sort.by);
        }
        rows
    }

    /// The columns that fit, with their widths.
    fn fit(&self, width: u16) -> Vec<(&'static Column<R>, u16)> {
        let mut shown: Vec<usize> = (0..self.columns.len()).collect();
        let taken = |shown: &[usize]| shown.iter().map(|at| self.columns[*at].width + 1).sum::<u16>();
        while taken(&shown) > width + 1 {
            let Some(place) = (0..shown.len())
                .filter(|at| self.columns[shown[*at]].spare > 0)
                .max_by_key(|at| self.columns[shown[*at]].spare)
            else {
                break;
            };
            shown.remove(place);
        }
        let left = (width + 1).saturating_sub(taken(&shown));
        let widen = |at: usize| self.columns[at].width + if at == self.grows { left } else { 0 };
        shown.into_iter().map(|at| (&self.columns[at], widen(at))).collect()
    }

    /// Draws its rows, the chosen one in sight.
    fn table(&self, frame: &mut Frame<'_>, area: Rect, view: &mut View<'_>, rows: &[R]) {
        let (model, theme, lang) = (view.model, view.theme, view.lang());
        let (shown, chosen) = (self.fit(area.width), self.marked(model));
        let put = |text: &str, column: &Column<R>, width: u16| {
            let width = usize::from(width);
            (if column.right { right(text, width) } else { left(text, width) }) + " "
        };
        let head: String = shown.iter().map(|(column, width)| put(column.title.say(lang), column, *width)).collect();
        let mut lines = vec![Line::styled(head, theme.accent())];
        let room = usize::from(area.height.saturating_sub(1));
        if rows.is_empty() {
            let empty = (self.empty)(model).say(lang);
            lines.extend(empty.lines().map(|line| Line::styled(format!(" {line}"), theme.dim())));
        }
        // The chosen row a little above the end, so that one sees what follows.
        let first = (chosen.unwrap_or(0) + 2).saturating_sub(room).min(rows.len().saturating_sub(room));
        for (at, row) in rows.iter().enumerate().skip(first).take(room) {
            let span = |(column, width): &(&Column<R>, u16)| {
                let (text, style) = (column.cell)(row, model, theme);
                Span::styled(put(&text, column, *width), style)
            };
            let mut line = Line::from(shown.iter().map(span).collect::<Vec<_>>());
            if Some(at) == chosen {
                line = line.patch_style(theme.chosen());
            }
            let y = area.y + lines.len() as u16;
            view.drawn.hits.push((Rect { x: area.x, y, width: area.width, height: 1 }, Hit::Row(at)));
            lines.push(line);
        }
        frame.render_widget(Paragraph::new(lines), area);
    }
}

impl<R: 'static> Pane for List<R> {
    fn tab(&self) -> Tab {
        self.tab
    }

    fn title(&self) -> Text {
        self.title
    }

    fn says(&self) -> Text {
        self.says
    }

    fn keys(&self) -> &'static [Command] {
        self.keys
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, view: &mut View<'_>) {
        let (model, rows) = (view.model, self.sorted(view.model));
        let by = self.sort_of(model).map_or("", |sort| sort.title.say(model.lang));
        let by = format!("{} {by}", view.say("by", "排序"));
        let mut area = view.panel(frame, area, &(self.heading)(model, rows.len(), &by));
        if let Some(above) = self.above {
            let [line, rest] = Layout::vertical([Constraint::Length(1), Constraint::Min(1)]).areas(area);
            let text = clean(&above(model), usize::from(line.width));
            frame.render_widget(Line::styled(text, view.theme.dim()), line);
            area = rest;
        }
        self.table(frame, area, view, &rows);
    }

    fn count(&self, model: &Model) -> usize {
        (self.count)(model)
    }

    fn lists(&self) -> bool {
        true
    }

    fn follows(&self) -> bool {
        self.follows
    }

    fn len(&self, model: &Model) -> usize {
        (self.rows)(model).len()
    }

    fn sorts(&self) -> usize {
        self.sorts.len()
    }

    fn name(&self, model: &Model, row: usize) -> Option<String> {
        self.sorted(model).get(row).map(|row| (self.name)(row, model))
    }

    fn place(&self, model: &Model, name: &str) -> Option<usize> {
        self.sorted(model).iter().position(|row| (self.name)(row, model) == name)
    }

    fn opened(&self, model: &Model) -> Option<String> {
        model.ui.detail.as_ref().and_then(|detail| (self.opened)(detail, model))
    }

    fn open(&self, model: &Model, row: usize) -> Option<Opening> {
        self.sorted(model).get(row).map(self.open)
    }

    fn read(&self, model: &Model, detail: &Detail) -> Option<Value> {
        (self.read)(detail, model)
    }

    fn asks(&self) -> Option<Ask> {
        self.asks.map(|asks| asks())
    }

    fn filtered(&self, model: &mut Model, text: &str) -> Option<Effect> {
        (self.filtered)(model, text)
    }
}

/// Whether one of these texts holds what was typed, whatever its case.
pub fn holds(filter: &str, texts: &[&str]) -> bool {
    filter.is_empty() || {
        let wanted = filter.to_lowercase();
        texts.iter().any(|text| text.to_lowercase().contains(&wanted))
    }
}
