//! Pictures of the last minutes: stacked rates, a heat map, percentiles, a small line, a bar.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Chart, Dataset, GraphType};

use super::View;
use crate::top::model::fleet::{self, Bin, CLASSES};
use crate::top::model::spread::{HEAT_ROWS, Spread, heat_edge};
use crate::top::text::{millis, rate, right};

/// Eighths of a cell, from the bottom.
const EIGHTHS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
/// Columns at the left for an axis.
pub const AXIS: u16 = 7;

/// Columns and seconds of each, so that a picture of that width goes back some minutes.
pub fn columns(view: &View<'_>, width: u16) -> (Vec<Bin>, u64) {
    let width = usize::from(width);
    // All of the quarter of an hour, as far as columns of 15 seconds go; or nearer.
    let bin = match view.model.ui.zoom {
        0 => (fleet::SECONDS.div_ceil(width.max(1)) as u64).clamp(1, 15),
        1 => 3,
        _ => 1,
    };
    (fleet::columns(&view.model.fleet, width, bin), bin)
}

/// Callbacks a second, stacked by what they came to; the best at the bottom.
pub fn stacked(buffer: &mut Buffer, area: Rect, view: &View<'_>, columns: &[Bin]) {
    let all = |column: &Bin| column.classes.iter().sum::<f64>();
    let highest = columns.iter().map(all).fold(0.0, f64::max).max(1.0);
    let height = f64::from(area.height);
    let axis = [(0, highest), (area.height.saturating_sub(1), 0.0)];
    for (row, value) in axis {
        buffer.set_string(area.x, area.y + row, right(&rate(value), usize::from(AXIS) - 1), view.theme.dim());
    }
    for (at, column) in columns.iter().enumerate() {
        let x = area.x + AXIS + at as u16;
        if x >= area.right() {
            break;
        }
        if column.heard == 0 {
            // Nothing was heard: a hole, not a zero.
            buffer.set_string(x, area.bottom() - 1, "·", view.theme.dim());
            continue;
        }
        let tops: Vec<f64> = column
            .classes
            .iter()
            .scan(0.0, |sum, count| {
                *sum += count;
                Some(*sum / highest * height)
            })
            .collect();
        for row in 0..area.height {
            let bottom = f64::from(area.height - 1 - row);
            let Some(class) = tops.iter().position(|top| *top > bottom) else { continue };
            let style = view.theme.class(CLASSES[class]);
            let fill = (tops[class] - bottom).min(1.0);
            // A little of something is seen.
            let eighths = ((fill * 8.0).round() as usize).clamp(1, 8);
            let above =
                tops.iter().skip(class + 1).position(|top| *top >= bottom + 0.5).map(|next| CLASSES[class + 1 + next]);
            let mut style = style;
            if eighths < 8
                && let Some(above) = above
                && let Some(colour) = view.theme.class(above).fg
            {
                style = style.bg(colour);
            }
            buffer.set_string(x, area.y + row, EIGHTHS[eighths], style);
        }
    }
}

/// Latencies over time: a row for a step of latency, brightness for how many. A second hump is a second band.
pub fn heat(buffer: &mut Buffer, area: Rect, view: &View<'_>, columns: &[Bin]) {
    let rows: Vec<[u32; HEAT_ROWS]> = columns.iter().map(|column| column.latency.heat()).collect();
    let used = |row: usize| rows.iter().any(|column| column[row] > 0);
    let last = (0..HEAT_ROWS).rev().find(|row| used(*row)).unwrap_or(7);
    let first = (0..HEAT_ROWS).find(|row| used(*row)).unwrap_or(0);
    let height = usize::from(area.height).max(1);
    // Rows of the map that share a line of the screen.
    let each = (last + 1 - first).div_ceil(height).max(1);
    let first = (last + 1).saturating_sub(height * each).min(first);
    let highest = rows.iter().flat_map(|column| column.chunks(1)).map(|cell| cell[0]).max().unwrap_or(0).max(1);
    for line in 0..height {
        // The slowest at the top.
        let from = first + (height - 1 - line) * each;
        if from >= HEAT_ROWS {
            continue;
        }
        let y = area.y + line as u16;
        let edge = heat_edge((from + each - 1).min(HEAT_ROWS - 1));
        buffer.set_string(area.x, y, right(&millis(edge), usize::from(AXIS) - 1), view.theme.dim());
        for (at, column) in rows.iter().enumerate() {
            let x = area.x + AXIS + at as u16;
            if x >= area.right() {
                break;
            }
            let count: u32 = column[from..(from + each).min(HEAT_ROWS)].iter().sum();
            let (sign, style) = view.theme.heat((f64::from(count) / f64::from(highest)).min(1.0));
            buffer.set_string(x, y, sign, style);
        }
    }
}

/// Percentiles over time, on a logarithmic scale.
pub fn percentiles(frame: &mut Frame<'_>, area: Rect, view: &View<'_>, columns: &[Bin]) {
    let line = |q: f64| -> Vec<(f64, f64)> {
        let point = |(at, column): (usize, &Bin)| Some((at as f64, (column.latency.quantile(q)? as f64).log10()));
        columns.iter().enumerate().filter_map(point).collect()
    };
    let lines = [("p50", line(0.5)), ("p90", line(0.9)), ("p99", line(0.99))];
    let values = || lines.iter().flat_map(|(_, line)| line.iter().map(|(_, value)| *value));
    let (low, high) = (values().fold(f64::MAX, f64::min), values().fold(f64::MIN, f64::max));
    let (low, high) = if low > high { (2.0, 5.0) } else { ((low - 0.1).floor(), (high + 0.1).ceil()) };
    let styles = [view.theme.good(), view.theme.dim(), view.theme.warn()];
    let sets = lines.iter().zip(styles).map(|((name, line), style)| {
        Dataset::default().name(*name).marker(Marker::Braille).graph_type(GraphType::Line).style(style).data(line)
    });
    let labels = [low, (low + high) / 2.0, high]
        .map(|value| Span::styled(right(&millis(10f64.powf(value)), usize::from(AXIS) - 1), view.theme.dim()));
    let chart = Chart::new(sets.collect())
        .x_axis(Axis::default().bounds([0.0, columns.len().max(1) as f64]))
        .y_axis(Axis::default().bounds([low, high]).labels(labels).style(view.theme.dim()))
        .legend_position(None);
    frame.render_widget(chart, area);
}

/// A line of eighths, as wide as asked for; the newest at the right.
pub fn spark(values: impl ExactSizeIterator<Item = u64>, width: usize) -> String {
    let values: Vec<u64> = values.collect();
    if values.is_empty() || width == 0 {
        return String::new();
    }
    let bin = values.len().div_ceil(width);
    let sums: Vec<u64> = values.rchunks(bin).rev().map(|part| part.iter().sum::<u64>() / part.len() as u64).collect();
    let highest = sums.iter().copied().max().unwrap_or(0).max(1);
    let step =
        |value: &u64| EIGHTHS[if *value == 0 { 0 } else { ((value * 7).div_ceil(highest)).clamp(1, 8) as usize }];
    sums.iter().map(step).collect()
}

/// A bar of so many cells, filled to a share.
pub fn bar(share: f64, width: usize) -> String {
    let eighths = (share.clamp(0.0, 1.0) * width as f64 * 8.0).round() as usize;
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let full = "█".repeat(eighths / 8);
    let text = full + PARTS[eighths % 8];
    let used = eighths.div_ceil(8);
    text + &"░".repeat(width.saturating_sub(used))
}

/// Percentiles of a spread, in columns: p50 p90 p99 p99.9 max.
pub fn figures(spread: &Spread) -> [String; 5] {
    let shown = |us: Option<u64>| us.map_or_else(|| "–".to_owned(), |us| millis(us as f64));
    [
        shown(spread.quantile(0.5)),
        shown(spread.quantile(0.9)),
        shown(spread.quantile(0.99)),
        shown(spread.quantile(0.999)),
        shown(spread.max()),
    ]
}

/// What the colours of the stack mean.
pub fn legend<'a>(view: &View<'_>) -> Line<'a> {
    let spans = CLASSES.iter().flat_map(|class| {
        let style = view.theme.class(*class);
        let mark = if style.fg.is_some_and(|colour| colour != Color::Reset) { style } else { Style::new() };
        [Span::styled("■", mark), Span::styled(format!("{} ", class.title(view.lang())), view.theme.dim())]
    });
    Line::from(spans.collect::<Vec<_>>())
}
