//! Tables for people, JSON for programs, errors with what to do.

use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::sync::OnceLock;

use comfy_table::{ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::domain::text::{ascii, printable};
use crate::domain::time::Zone;
use crate::tty::utf8_environment;

/// Which characters are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signs {
    /// All there are.
    All,
    /// Our own signs as plain characters; foreign text as it is.
    Own,
    /// Plain characters alone.
    Plain,
}

impl Signs {
    /// Our own text.
    fn own(self, text: &str) -> String {
        let of = |c: char| {
            if matches!(c, '·' | '…' | '–' | '—' | '→' | '≤' | '≥' | '×') { ascii(c) } else { c }
        };
        match self {
            Self::All => text.to_owned(),
            Self::Own => text.chars().map(of).collect(),
            Self::Plain => text.chars().map(ascii).collect(),
        }
    }

    /// Foreign text.
    fn foreign(self, text: String) -> String {
        if self == Self::Plain { text.chars().map(ascii).collect() } else { text }
    }
}

/// The list inside an answer that people see, and which of its fields (`stock.pool` looks inside one). Each stands in the
/// table of the tests here, which holds it against the answer's type: a field of another name would be an empty column.
pub struct Shown<const N: usize> {
    /// The list's name.
    pub list: &'static str,
    /// Its columns.
    pub columns: [&'static str; N],
}

/// How a command shows what it found.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// JSON instead of tables.
    pub json: bool,
    /// Which characters.
    pub signs: Signs,
}

/// Why what was printed did not all arrive, once it did not.
static LOST: OnceLock<String> = OnceLock::new();

/// Prints bytes, at once; says whether more of them are of use. A reader that went away (`| head`) is no error of ours; any
/// other is kept for [`lost`]: what was not written must not pass for done.
pub fn put(bytes: &[u8]) -> bool {
    let mut out = std::io::stdout().lock();
    let done = out.write_all(bytes).and_then(|()| out.flush());
    if let Err(error) = &done
        && error.kind() != ErrorKind::BrokenPipe
    {
        let _first = LOST.set(error.to_string());
    }
    done.is_ok()
}

/// Why standard output does not have all that was printed.
pub fn lost() -> Option<&'static str> {
    LOST.get().map(String::as_str)
}

fn say(text: &str) {
    put(format!("{text}\n").as_bytes());
}

/// What a program wants twice and a person once.
const FOR_PROGRAMS: [&str; 5] = ["amount_minor", "price_minor", "time", "created", "ahead_ms"];

/// Whether a number of that name is a moment, in milliseconds since the epoch.
fn is_moment(name: &str) -> bool {
    matches!(name, "at" | "created" | "since" | "started" | "sale_from" | "sale_until") || name.ends_with("_at")
}

/// A moment in the reader's own time zone.
fn moment(ms: i64, short: bool) -> Option<String> {
    let at = u64::try_from(ms).ok()?;
    Some(Zone::system().text(at, if short { "%F %T" } else { "%F %T %z" }))
}

/// A column or field whose values are keys: sold as they are, and so shown.
fn is_key(name: &str) -> bool {
    matches!(name, "key" | "keys")
}

impl Output {
    /// Text of a value; `short` for a table's cell.
    fn cell(self, name: &str, value: &Value, short: bool) -> String {
        match value {
            Value::Null => String::new(),
            Value::String(text) if is_key(name) => printable(text, 8192),
            Value::String(text) => {
                let most = if short { 200 } else { 8192 };
                let shown = self.signs.foreign(printable(text, most));
                let cut = self.signs != Signs::All && text.chars().nth(most).is_some();
                if cut { shown.trim_end_matches('…').to_owned() + "..." } else { shown }
            }
            Value::Array(items) => items.iter().map(|item| self.cell(name, item, short)).collect::<Vec<_>>().join(", "),
            Value::Object(fields) => {
                let shown =
                    fields.iter().filter(|(name, value)| !value.is_null() && !FOR_PROGRAMS.contains(&name.as_str()));
                let each = shown.map(|(name, value)| format!("{name} {}", self.cell(name, value, short)));
                each.collect::<Vec<_>>().join(&self.signs.own(" · "))
            }
            Value::Number(number) if is_moment(name) => {
                number.as_i64().and_then(|ms| moment(ms, short)).unwrap_or_else(|| number.to_string())
            }
            other => other.to_string(),
        }
    }

    /// One line for a person.
    pub fn line(self, text: &str) {
        if !self.json {
            say(&self.signs.own(text));
        }
    }

    /// A whole value as JSON.
    pub fn value(self, value: &Value) {
        say(&serde_json::to_string_pretty(value).unwrap_or_default());
    }

    /// A value on one line, for lists that grow.
    pub fn compact(self, value: &Value) {
        say(&value.to_string());
    }

    /// The list inside a value: a table of its columns, or the value as JSON.
    pub fn list<const N: usize>(self, value: &Value, shown: &Shown<N>) {
        let Shown { list: name, columns } = *shown;
        if self.json {
            return self.value(value);
        }
        let rows = value[name].as_array().map(Vec::as_slice).unwrap_or_default();
        if rows.is_empty() {
            return say(&format!("no {}", name.replace('_', " ")));
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(columns.map(|column| column.rsplit('.').next().unwrap_or(column).replace('_', " ")));
        for row in rows {
            let of = |column: &str| self.cell(column, column.split('.').fold(row, |value, part| &value[part]), true);
            table.add_row(columns.map(of));
        }
        say(&table.trim_fmt());
    }

    /// The list inside a value, an entry a line: a word, a name, and whole sentences, which a table would cut.
    pub fn sentences(self, value: &Value, shown: &Shown<3>) {
        let Shown { list: name, columns: [word, what, says] } = *shown;
        if self.json {
            return self.value(value);
        }
        let rows = value[name].as_array().map(Vec::as_slice).unwrap_or_default();
        let width = |of: &str| rows.iter().map(|row| self.cell(of, &row[of], true).chars().count()).max().unwrap_or(0);
        let (first, second) = (width(word), width(what));
        for row in rows {
            let (word, what) = (self.cell(word, &row[word], true), self.cell(what, &row[what], true));
            say(&format!("{word:first$}  {what:second$}  {}", self.cell(says, &row[says], false)));
        }
    }

    /// One thing: its fields below each other, or JSON.
    pub fn fields(self, value: &Value) {
        if self.json {
            return self.value(value);
        }
        let Value::Object(fields) = value else { return self.value(value) };
        let width = fields.keys().map(String::len).max().unwrap_or(0);
        // A warning stands on standard error.
        let again = |name: &str| {
            name == "warning"
                || (FOR_PROGRAMS.contains(&name) && (name != "created" || fields.contains_key("created_at")))
        };
        for (name, value) in fields.iter().filter(|(name, _)| !again(name)) {
            let lines = match value {
                Value::Null => &[],
                Value::Array(items) => items.as_slice(),
                one => std::slice::from_ref(one),
            };
            for line in lines {
                say(&format!("{name:width$}  {}", self.cell(name, line, false)));
            }
        }
    }

    /// An error, on standard error.
    pub fn error(self, message: &str) {
        self.beside("error", "kamid: ", message);
    }

    /// What whoever reads the answer has to know of it, on standard error.
    pub fn warning(self, message: &str) {
        self.beside("warning", "kamid: warning: ", message);
    }

    fn beside(self, name: &str, before: &str, message: &str) {
        let text =
            if self.json { json!({name: message}).to_string() } else { self.signs.own(&format!("{before}{message}")) };
        let _gone = writeln!(std::io::stderr(), "{text}");
    }
}

/// Something that turns while work is done whose length is not known; nothing in a pipe.
pub fn spinner(what: &'static str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner().with_message(what);
    if !utf8_environment() {
        bar.set_style(ProgressStyle::default_spinner().tick_chars("-\\|/ "));
    }
    bar.enable_steady_tick(std::time::Duration::from_millis(120));
    bar
}

/// A bar over a known length; nothing in a pipe.
pub fn bar(length: u64, bytes: bool) -> ProgressBar {
    if !std::io::stderr().is_terminal() || length == 0 {
        return ProgressBar::hidden();
    }
    let template = if bytes { "{bar:30} {bytes}/{total_bytes} {eta}" } else { "{bar:30} {pos}/{len} {per_sec} {eta}" };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let style = if utf8_environment() { style } else { style.progress_chars("#>-") };
    ProgressBar::new(length).with_style(style)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::capture::{CapturedAnswer, Judged};
    use crate::cli::channel::reconcile::{self, compare::Difference};
    use crate::cli::{
        TRAIL, VIOLATIONS, address, channel, incident, keys, notice, order, orphan, product, store, token,
    };
    use crate::domain::{AuditReport, Cause, Deed, Doubt, IncidentBrief, Missing, TrialStep, Violation};
    use crate::wire::channels::{ChannelList, ChannelView, TrialReport};
    use crate::wire::incidents::IncidentList;
    use crate::wire::notices::{NoticeList, NoticeView};
    use crate::wire::operators::{AddressList, BlockView, TokenList, TokenView, TrailList};
    use crate::wire::orders::{OrderBrief, OrderList};
    use crate::wire::payments::{OrphanList, OrphanView};
    use crate::wire::products::{ProductList, ProductView};

    /// A list that a command shows: an answer with one entry, and what is looked up there.
    type Row = (Value, &'static str, Vec<&'static str>);

    fn row<const N: usize>(answer: Value, shown: &Shown<N>) -> Row {
        (answer, shown.list, shown.columns.to_vec())
    }

    /// Every list that the daemon answers.
    fn answered() -> Vec<Row> {
        let block = BlockView {
            address: std::net::Ipv4Addr::LOCALHOST.into(),
            until_at: 0,
            since: 0,
            by: String::new(),
            reason: String::new(),
            orders: false,
        };
        let products = || json!(ProductList { products: vec![ProductView::default()] });
        vec![
            row(json!(OrderList { orders: vec![OrderBrief::default()] }), &order::ORDERS),
            row(json!(OrphanList { payments: vec![OrphanView::default()] }), &orphan::PAYMENTS),
            row(json!(NoticeList { notices: vec![NoticeView::default()], ..NoticeList::default() }), &notice::NOTICES),
            row(
                json!(IncidentList { incidents: vec![IncidentBrief::default()], ..IncidentList::default() }),
                &incident::INCIDENTS,
            ),
            row(products(), &product::PRODUCTS),
            row(products(), &keys::STOCK),
            row(json!(ChannelList { channels: vec![ChannelView::default()] }), &channel::CHANNELS),
            row(json!(TrialReport { steps: vec![TrialStep::default()], ..TrialReport::default() }), &channel::TRIAL),
            row(json!(AddressList { addresses: vec![block] }), &address::ADDRESSES),
            row(json!(TokenList { tokens: vec![TokenView::default()] }), &token::TOKENS),
            row(json!(TrailList { trail: vec![Deed::default()] }), &TRAIL),
            row(json!(AuditReport { violations: vec![Violation::default()], ..AuditReport::default() }), &VIOLATIONS),
        ]
    }

    /// Every list that a command makes itself.
    fn made() -> Vec<Row> {
        let difference = Difference {
            difference: "",
            number: String::new(),
            trade_no: String::new(),
            there: String::new(),
            here: String::new(),
            note: String::new(),
        };
        let judged = Judged {
            verdict: "",
            reason: None,
            extracted: None,
            answer: CapturedAnswer { status: 0, body: "" },
            canonical: None,
        };
        let missing = Missing { place: "00".to_owned(), id: String::new(), mark: "1-0".to_owned() };
        let doubt = Doubt { cause: Cause::Gone, since: 0, run: String::new(), missing: vec![missing] };
        vec![
            row(json!({"orders": [order::reconcile::heard()]}), &order::reconcile::HEARD),
            row(json!({"differences": [difference]}), &reconcile::DIFFERENCES),
            row(json!({"unread": reconcile::unread(&vec![(1, String::new())])}), &reconcile::UNREAD),
            row(json!({"steps": [judged]}), &channel::JUDGED),
            row(channel::kinds(), &channel::KINDS_SHOWN),
            row(store::last_known(&doubt), &store::SLOTS),
        ]
    }

    #[test]
    fn every_column_is_a_field_of_what_is_shown() {
        let rows = [answered(), made()].concat();
        for (answer, list, columns) in &rows {
            let entry = &answer[list][0];
            assert!(entry.is_object(), "{list} is no list of {answer}");
            for column in columns {
                let field = column.split('.').try_fold(entry, |value, part| value.get(part));
                assert!(field.is_some(), "{list} has no {column}: {entry}");
            }
        }
        let (mut files, mut consts) =
            (vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src/cli"))], 0);
        while let Some(path) = files.pop() {
            if path.is_dir() {
                files.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            } else {
                let text = std::fs::read_to_string(path).unwrap();
                consts +=
                    text.lines().filter(|line| line.starts_with("pub const ") && line.contains(": Shown<")).count();
            }
        }
        assert_eq!(rows.len(), consts, "each list that is shown stands in the table");
    }
}
