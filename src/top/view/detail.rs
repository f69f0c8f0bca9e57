//! What is open of an order, an incident, a product: every field the daemon shows, masked as it shows it.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use serde_json::Value;

use crate::domain::{Lang, Reason};
use crate::top::kit::View;
use crate::top::labels::{in_words, label};
use crate::top::model::Model;
use crate::top::text::{clean, columns, left, wrapped};

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

/// A value in words: times as times, lists as lines. `name` is what the operator reads, `field` the admin API's name.
fn flatten([name, field]: [&str; 2], value: &Value, model: &Model, lines: &mut Vec<(String, String)>) {
    if lines.len() >= LINES {
        return;
    }
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                let label = label(model.lang, field);
                let name = if name.is_empty() { label } else { format!("{name}.{label}") };
                flatten([&name, field], value, model, lines);
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                let name = if at == 0 { name } else { "" };
                match item.as_object() {
                    // A line of history or a payment reads best as a line.
                    Some(fields) if fields.values().all(|value| !value.is_object() && !value.is_array()) => {
                        let parts =
                            fields.iter().filter(|(field, _)| field.as_str() != "at" || !fields.contains_key("time"));
                        let text: Vec<String> = parts.map(|(field, value)| plain(field, value, model.lang)).collect();
                        lines.push((name.to_owned(), text.join("  ")));
                    }
                    _ => flatten([name, field], item, model, lines),
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
        other => lines.push((name.to_owned(), plain(field, other, model.lang))),
    }
}

/// A value as it is read; a word of the daemon's in the operator's language.
fn plain(field: &str, value: &Value, lang: Lang) -> String {
    match (value, lang) {
        (Value::String(text), _) => in_words(lang, field, text).to_owned(),
        (Value::Bool(is), Lang::Zh) => if *is { "是" } else { "否" }.to_owned(),
        (other, _) => other.to_string(),
    }
}

/// What to do about an incident, in Chinese: the daemon says it in English. What it says beside that of its reason (which
/// file, which address, how much) stands below.
fn advice(incident: &Value, lang: Lang) -> Option<Value> {
    let general = incident["reason"].as_str().and_then(Reason::find).filter(|_| lang == Lang::Zh)?.row().advice;
    let own = incident["advice"].as_str().unwrap_or_default();
    // A row's text may be a part of it.
    let particular = own.replace(general.en, "");
    let particular = Some(particular.trim()).filter(|text| !text.is_empty());
    Some([general.zh].into_iter().chain(particular).collect())
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
    if let Some(advice) = advice(&value, view.lang()) {
        value["advice"] = advice;
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
    flatten(["", ""], &value, view.model, &mut pairs);
    let inner = block.inner(area);
    let widest = pairs.iter().map(|(name, _)| columns(name)).max().unwrap_or(0).min(26);
    let room = usize::from(inner.width).saturating_sub(widest + 2);
    let urgent = [label(view.lang(), "advice"), label(view.lang(), "error")];
    let mut lines: Vec<Line<'_>> = Vec::new();
    for (name, text) in &pairs {
        let style = if urgent.contains(name) { view.theme.warn() } else { ratatui::style::Style::new() };
        for (at, part) in wrapped(&clean(text, VALUE), room).into_iter().enumerate() {
            let name = left(if at == 0 { name } else { "" }, widest);
            lines
                .push(Line::from(vec![Span::styled(format!(" {name} "), view.theme.dim()), Span::styled(part, style)]));
        }
    }
    view.drawn.last = lines.len().saturating_sub(usize::from(inner.height));
    let scroll = detail.scroll.min(view.drawn.last) as u16;
    frame.render_widget(Paragraph::new(lines).scroll((scroll, 0)).block(block), area);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_an_incident_says_of_itself_stands_below_what_its_reason_says_in_chinese() {
        let general = Reason::AofCut.row().advice;
        let of = |own: &str, lang| advice(&json!({"reason": "aof_cut", "advice": own}), lang);
        let own = "7 bytes of /srv/appendonly.aof were cut off.";
        assert_eq!(of(own, Lang::Zh), Some(json!([general.zh, own])));
        assert_eq!(of(&format!("{own} {}", general.en), Lang::Zh), Some(json!([general.zh, own])));
        for nothing in [general.en, ""] {
            assert_eq!(of(nothing, Lang::Zh), Some(json!([general.zh])));
        }
        assert_eq!(of(own, Lang::En), None, "in English it is whole");
        assert_eq!(advice(&json!({"reason": "sun_spots", "advice": own}), Lang::Zh), None);
    }
}
