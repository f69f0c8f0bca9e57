//! A list: columns that hide by priority on a narrow screen, the chosen row in sight, rows that can be clicked.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::View;
use crate::top::model::ui::Hit;
use crate::top::text::{left, right};

/// One column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its title, in both languages.
    title: [&'static str; 2],
    /// Its width; the column that grows takes what is left too.
    pub width: u16,
    /// Figures stand at the right.
    pub right: bool,
    /// Hidden early: the higher, the earlier. 0 is never hidden.
    pub spare: u8,
}

/// A column of text.
#[must_use]
pub const fn text(en: &'static str, zh: &'static str, width: u16, spare: u8) -> Column {
    Column { title: [en, zh], width, right: false, spare }
}

/// A column of figures.
#[must_use]
pub const fn figure(en: &'static str, zh: &'static str, width: u16, spare: u8) -> Column {
    Column { title: [en, zh], width, right: true, spare }
}

/// A cell: its text and how it looks.
pub type Cell = (String, Style);

/// A list to be drawn.
pub struct List<'a> {
    /// Its columns.
    pub columns: &'a [Column],
    /// The column that takes what is left.
    pub grows: usize,
    /// Rows in all.
    pub rows: usize,
    /// The one that is marked, if it is in the list.
    pub chosen: Option<usize>,
    /// What to say where there is none.
    pub empty: &'a str,
}

/// The columns that fit, with their widths.
fn fit(list: &List<'_>, width: u16) -> Vec<(usize, u16)> {
    let mut shown: Vec<usize> = (0..list.columns.len()).collect();
    let taken = |shown: &[usize]| shown.iter().map(|at| list.columns[*at].width + 1).sum::<u16>();
    while taken(&shown) > width + 1 {
        let Some(place) = (0..shown.len())
            .filter(|at| list.columns[shown[*at]].spare > 0)
            .max_by_key(|at| list.columns[shown[*at]].spare)
        else {
            break;
        };
        shown.remove(place);
    }
    let left = (width + 1).saturating_sub(taken(&shown));
    let widen = |at: usize| list.columns[at].width + if at == list.grows { left } else { 0 };
    shown.into_iter().map(|at| (at, widen(at))).collect()
}

/// Draws a list; `cells` makes the cells of a row, one for each column.
pub fn draw(
    frame: &mut Frame<'_>,
    area: Rect,
    view: &mut View<'_>,
    list: &List<'_>,
    cells: impl Fn(usize) -> Vec<Cell>,
) {
    let shown = fit(list, area.width);
    let title = |at: usize| {
        let [en, zh] = list.columns[at].title;
        view.lang().say(en, zh)
    };
    let put = |text: &str, at: usize, width: u16| {
        let width = usize::from(width);
        if list.columns[at].right { right(text, width) } else { left(text, width) }
    };
    let head: String = shown.iter().map(|(at, width)| put(title(*at), *at, *width) + " ").collect();
    let mut lines = vec![Line::styled(head, view.theme.accent())];
    let room = usize::from(area.height.saturating_sub(1));
    if list.rows == 0 {
        lines.extend(list.empty.lines().map(|line| Line::styled(format!(" {line}"), view.theme.dim())));
    }
    // The chosen row a little above the end, so that one sees what follows.
    let first = (list.chosen.unwrap_or(0) + 2).saturating_sub(room).min(list.rows.saturating_sub(room));
    for row in (first..list.rows).take(room) {
        let made = cells(row);
        let spans: Vec<Span<'_>> = shown
            .iter()
            .filter_map(|(at, width)| {
                made.get(*at).map(|(text, style)| Span::styled(put(text, *at, *width) + " ", *style))
            })
            .collect();
        let mut line = Line::from(spans);
        if Some(row) == list.chosen {
            line = line.patch_style(view.theme.chosen());
        }
        let y = area.y + lines.len() as u16;
        view.drawn.hits.push((Rect { x: area.x, y, width: area.width, height: 1 }, Hit::Row(row)));
        lines.push(line);
    }
    frame.render_widget(Paragraph::new(lines), area);
}
