//! What is open of an order, an incident, a product: every field the daemon tells, masked as it tells it.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};
use serde_json::Value;

use super::View;
use crate::top::lang;
use crate::top::model::Model;
use crate::top::text::{clean, left};

/// Longest text of one value; a canonical string is long, a hostile field longer.
const VALUE: usize = 1200;
/// Fields that are shown first, where there are any.
const FIRST: [&str; 11] =
    ["error", "reason", "advice", "canonical", "state", "why", "product", "quantity", "amount", "payments", "history"];
/// Fields that say again what another one says.
const AGAIN: [&str; 4] = ["id", "amount_minor", "created", "reserved"];
/// Lines shown of one thing.
const LINES: usize = 300;

/// The list's place and the open thing's: beside each other on a wide screen, else one above the other.
pub fn split(area: Rect, view: &View<'_>) -> (Rect, Option<Rect>) {
    if view.model.ui.detail.is_none() {
        return (area, None);
    }
    let parts = if area.width >= 140 {
        Layout::horizontal([Constraint::Percentage(55), Constraint::Percentage(45)])
    } else {
        Layout::vertical([Constraint::Percentage(35), Constraint::Percentage(65)])
    };
    let [list, open] = parts.areas(area);
    (list, Some(open))
}

/// A value in words: times as times, lists as lines.
fn flatten(name: &str, value: &Value, model: &Model, lines: &mut Vec<(String, String)>) {
    if lines.len() >= LINES {
        return;
    }
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                let name = if name.is_empty() { field.clone() } else { format!("{name}.{field}") };
                flatten(&name, value, model, lines);
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                match item.as_object() {
                    // A line of history or a payment reads best as a line.
                    Some(fields) if fields.values().all(|value| !value.is_object() && !value.is_array()) => {
                        let parts =
                            fields.iter().filter(|(field, _)| field.as_str() != "at" || !fields.contains_key("time"));
                        let text: Vec<String> = parts.map(|(_, value)| plain(value)).collect();
                        lines.push((if at == 0 { name.to_owned() } else { String::new() }, text.join("  ")));
                    }
                    _ => flatten(&if at == 0 { name.to_owned() } else { String::new() }, item, model, lines),
                }
            }
        }
        Value::Null => {}
        Value::Number(number) => {
            let time = number.as_u64().filter(|ms| (1_000_000_000_000..10_000_000_000_000).contains(ms));
            let text = time.map_or_else(|| number.to_string(), |ms| model.clock(ms));
            lines.push((name.to_owned(), text));
        }
        Value::String(text) if text.is_empty() => {}
        other => lines.push((name.to_owned(), plain(other))),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

pub fn draw(frame: &mut Frame<'_>, area: Rect, view: &mut View<'_>) {
    let Some(detail) = &view.model.ui.detail else { return };
    let block = view.block(&detail.id);
    let Some(value) = &detail.value else {
        let text = Paragraph::new(view.say(" … asking the daemon", " … 正在询问守护进程")).block(block);
        frame.render_widget(text, area);
        return;
    };
    let mut value = value.clone();
    // In the operator's language, where there is one.
    if let Some(advice) = value["reason"].as_str().and_then(|reason| lang::advice(view.lang(), reason)) {
        value["advice"] = Value::from(advice);
    }
    let mut pairs = Vec::new();
    // What is to be done comes before what was sent.
    if let Some(fields) = value.as_object_mut() {
        let mut sorted = serde_json::Map::new();
        for name in FIRST {
            if let Some(field) = fields.remove(name) {
                sorted.insert(name.to_owned(), field);
            }
        }
        AGAIN.iter().for_each(|name| drop(fields.remove(*name)));
        sorted.append(fields);
        value = Value::Object(sorted);
    }
    flatten("", &value, view.model, &mut pairs);
    let widest = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0).min(26);
    let lines: Vec<Line<'_>> = pairs
        .iter()
        .map(|(name, text)| {
            let style = match name.as_str() {
                "advice" | "error" => view.theme.warn(),
                _ => ratatui::style::Style::new(),
            };
            Line::from(vec![
                Span::styled(format!(" {} ", left(name, widest)), view.theme.dim()),
                Span::styled(clean(text, VALUE), style),
            ])
        })
        .collect();
    let scroll = detail.scroll.min(lines.len().saturating_sub(1)) as u16;
    let text = Paragraph::new(lines).wrap(Wrap { trim: false }).scroll((scroll, 0)).block(block);
    frame.render_widget(text, area);
}
