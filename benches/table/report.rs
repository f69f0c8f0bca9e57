//! The table: rows with their spread and their aims, as text, as Markdown in docs/performance.md and as JSON beside it.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

/// Which side of an aim is the good one.
#[derive(Clone, Copy)]
pub enum Aim {
    AtLeast(f64),
    AtMost(f64),
    /// A figure for orientation.
    None,
}

/// One row: values of all rounds, of which the median counts.
pub struct Row {
    what: String,
    unit: &'static str,
    values: Vec<f64>,
    aim: Aim,
}

impl Row {
    /// A row of these values.
    pub fn new(what: impl Into<String>, unit: &'static str, mut values: Vec<f64>, aim: Aim) -> Self {
        values.sort_by(f64::total_cmp);
        Self { what: what.into(), unit, values, aim }
    }

    fn at(&self, share: f64) -> f64 {
        self.values[((self.values.len() - 1) as f64 * share).round() as usize]
    }

    /// The median.
    pub fn median(&self) -> f64 {
        self.at(0.5)
    }

    fn shown(value: f64) -> String {
        match value.abs() {
            large if large >= 1000.0 => format!("{value:.0}"),
            middle if middle >= 10.0 => format!("{value:.1}"),
            _ => format!("{value:.2}"),
        }
    }

    fn spread(&self) -> String {
        if self.values.len() < 2 {
            return "one run".to_owned();
        }
        let [low, early, late, high] = [0.0, 0.25, 0.75, 1.0].map(|share| Self::shown(self.at(share)));
        format!("{early} to {late} ({low} to {high} of {})", self.values.len())
    }

    fn aim(&self) -> (String, Option<bool>) {
        match self.aim {
            Aim::AtLeast(aim) => (format!("≥ {aim}"), Some(self.median() >= aim)),
            Aim::AtMost(aim) => (format!("≤ {aim}"), Some(self.median() <= aim)),
            Aim::None => (String::new(), None),
        }
    }

    fn cells(&self) -> [String; 4] {
        let (aim, reached) = self.aim();
        let verdict = match reached {
            Some(true) => format!("{aim}: reached"),
            Some(false) => format!("{aim}: **missed**"),
            None => String::new(),
        };
        [self.what.clone(), format!("{} {}", Self::shown(self.median()), self.unit), self.spread(), verdict]
    }

    fn json(&self) -> Value {
        let (aim, reached) = self.aim();
        json!({
            "what": self.what, "unit": self.unit, "median": self.median(), "low": self.at(0.0), "high": self.at(1.0),
            "values": self.values, "aim": aim, "reached": reached,
        })
    }
}

/// Prints a row as soon as it is known.
pub fn say(row: &Row) {
    let [what, value, spread, aim] = row.cells();
    println!("{what}: {value}   {spread}   {aim}");
}

/// Writes the table between its marks in docs/performance.md, and docs/performance.json.
pub fn write(rows: &[Row], about: &str) {
    let mut table = format!(
        "{about}\n\n| what | median | middle half (lowest to highest of how many) | aim |\n| --- | --- | --- | --- |\n"
    );
    for row in rows {
        let _ = writeln!(table, "| {} |", row.cells().join(" | "));
    }
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let page = docs.join("performance.md");
    let text = std::fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once("<!-- table -->").expect("the table's mark");
    let (_, after) = rest.split_once("<!-- /table -->").expect("the table's end");
    std::fs::write(&page, format!("{before}<!-- table -->\n{table}<!-- /table -->{after}")).unwrap();
    let all = json!({"about": about, "rows": rows.iter().map(Row::json).collect::<Vec<_>>()});
    std::fs::write(docs.join("performance.json"), format!("{all:#}\n")).unwrap();
    println!("\nwritten to docs/performance.md and docs/performance.json");
}
