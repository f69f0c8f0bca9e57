//! Gateways' downloaded bills (对账单) to lines: bytes in, rows out; no I/O.
//!
//! Columns are found by their names, whatever their order. A row that cannot be read is told with its line and why:
//! nothing is left out in silence but what a console itself calls unpaid. The formats are those of the gateways' public
//! documents, and for 易支付 of common consoles' exports.

mod formats;

use std::borrow::Cow;

use csv::StringRecord;

use self::formats::{BillRow, Ends};
use crate::domain::Money;

pub use self::formats::{ALIPAY, EPAY, Format, WECHAT};

/// What a row of a bill says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// It was paid.
    Paid,
    /// So much was given back.
    Refunded(Money),
}

/// One row of a bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillLine {
    /// Our number (`out_trade_no`), as the gateway knows it.
    pub number: String,
    /// The gateway's number.
    pub trade_no: String,
    /// How much was paid; nothing where a row about a refund does not say.
    pub paid: Money,
    /// What it is about.
    pub kind: Entry,
}

/// Rows that cannot be read: their line in the file, and why.
pub type Unread = Vec<(usize, String)>;

/// Why a file is no bill that can be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadBill {
    /// Nothing is in it.
    #[error("it is empty: download the bill again")]
    Empty,
    /// Not a text.
    #[error(
        "it is neither UTF-8 nor GBK text: download the bill as CSV, unpack it if it is an archive, save it as UTF-8 if it is UTF-16"
    )]
    Bytes,
    /// No row names the columns.
    #[error("no row has all the columns {0}: is it the right bill of the right kind of channel?")]
    Header(String),
    /// The bill counts its own rows, and differently.
    #[error("the bill counts {says} rows and holds {holds}: download it again, whole and as it is")]
    Count {
        /// What its end says.
        says: u64,
        /// How many there are.
        holds: u64,
    },
    /// The end is missing.
    #[error("the bill does not end with {0}: download it again, whole and as it is")]
    Cut(&'static str),
}

/// Reads a bill of that format: its lines, and the rows that cannot be read.
///
/// # Errors
/// It is no such bill, or not whole.
pub fn read(format: &Format, bytes: &[u8]) -> Result<(Vec<BillLine>, Unread), BadBill> {
    let text = text_of(bytes)?;
    if text.trim().is_empty() {
        return Err(BadBill::Empty);
    }
    let mut table = Table { format, header: None, lines: Vec::new(), unread: Vec::new(), rows: 0, counted: None };
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .quoting(format.quoting)
        .comment(format.comment)
        .from_reader(text.as_bytes());
    let mut place = Place { text: &text, byte: 0, line: 1 };
    for record in reader.records() {
        // Of a text in memory that is UTF-8 and may have rows of any length, nothing can fail.
        match record {
            Ok(record) => {
                let line = place.of(&record, format.comment);
                table.take(&record, line);
            }
            Err(error) => table.unread.push((place.line, error.to_string())),
        }
    }
    table.finish(&text)
}

/// Where rows begin, as an editor counts lines.
struct Place<'t> {
    text: &'t str,
    byte: usize,
    line: usize,
}

impl Place<'_> {
    /// The line of the next record. Its own position is before the line's end, empty lines and comments that go ahead.
    fn of(&mut self, record: &StringRecord, comment: Option<u8>) -> usize {
        let text = self.text.as_bytes();
        let begins = record.position().and_then(|at| usize::try_from(at.byte()).ok()).unwrap_or(self.byte);
        let mut at = begins;
        while let Some(byte) = text.get(at) {
            if Some(*byte) == comment {
                at += text[at..].iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(text.len() - at);
            } else if matches!(byte, b'\r' | b'\n') {
                at += 1;
            } else {
                break;
            }
        }
        let passed = text.get(self.byte..at).unwrap_or_default();
        self.line += passed.iter().filter(|byte| **byte == b'\n').count();
        self.byte = self.byte.max(at);
        self.line
    }
}

/// The text, without its mark of UTF-8; what is not UTF-8 is GBK.
fn text_of(bytes: &[u8]) -> Result<Cow<'_, str>, BadBill> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Cow::Borrowed(text)),
        Err(_) => encoding_rs::GB18030.decode_without_bom_handling_and_without_replacement(bytes).ok_or(BadBill::Bytes),
    }
}

/// A value without what keeps spreadsheets from taking it for a number.
fn clean(value: &str) -> &str {
    let value = value.trim();
    let value = value.strip_prefix("=\"").and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
    value.strip_prefix(['`', '\'']).unwrap_or(value).trim()
}

/// Where the columns are.
struct Header {
    columns: [usize; 4],
    further: [Option<usize>; 3],
    width: usize,
}

impl Header {
    fn of(format: &Format, record: &StringRecord) -> Option<Self> {
        let place = |names: &[&str]| names.iter().find_map(|name| record.iter().position(|cell| clean(cell) == *name));
        let mut columns = [0; 4];
        for (at, names) in columns.iter_mut().zip(format.columns) {
            *at = place(names)?;
        }
        Some(Self { columns, further: format.further.map(place), width: record.len() })
    }
}

/// What was read so far.
struct Table<'f> {
    format: &'f Format,
    header: Option<Header>,
    lines: Vec<BillLine>,
    unread: Unread,
    rows: u64,
    /// What its end counts; the row before it names what is counted.
    counted: Option<Option<u64>>,
}

impl Table<'_> {
    fn take(&mut self, record: &StringRecord, at: usize) {
        let Some(header) = &self.header else {
            self.header = Header::of(self.format, record);
            return;
        };
        let first = clean(record.get(0).unwrap_or_default());
        if self.counted == Some(None) {
            self.counted = Some(first.parse().ok());
            return;
        }
        if first == TOTAL {
            self.counted = Some(None);
            return;
        }
        if record.iter().all(|cell| clean(cell).is_empty()) {
            return;
        }
        self.rows += 1;
        match row(self.format, header, record) {
            Ok(line) => self.lines.extend(line),
            Err(why) => self.unread.push((at, why)),
        }
    }

    fn finish(self, text: &str) -> Result<(Vec<BillLine>, Unread), BadBill> {
        if self.header.is_none() {
            let names: Vec<String> = self.format.columns.iter().map(|names| names.join(" or ")).collect();
            return Err(BadBill::Header(names.join(", ")));
        }
        match self.format.ends {
            Ends::BillRow => counts(self.counted.flatten().ok_or(BadBill::Cut(TOTAL))?, self.rows)?,
            Ends::Comments => {
                let says = ["交易合计", "退款合计"].map(|name| total_of(text, name));
                if let [Some(paid), Some(back)] = says {
                    counts(paid.saturating_add(back), self.rows)?;
                }
            }
            Ends::Open => {}
        }
        Ok((self.lines, self.unread))
    }
}

/// What WeChat Pay's bills end with: this row of names, and one of values.
const TOTAL: &str = "总交易单数";

fn counts(says: u64, holds: u64) -> Result<(), BadBill> {
    if says == holds { Ok(()) } else { Err(BadBill::Count { says, holds }) }
}

/// The number in a comment such as `#交易合计：2笔，…`.
fn total_of(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.trim().strip_prefix('#')?.trim().strip_prefix(name))?;
    rest.trim_start_matches(['：', ':', ' ']).split_once('笔')?.0.trim().parse().ok()
}

fn row(format: &Format, header: &Header, record: &StringRecord) -> Result<Option<BillLine>, String> {
    // A comma at the end of each row is not a value.
    let more = record.iter().skip(header.width).any(|cell| !cell.trim().is_empty());
    if record.len() < header.width || more {
        return Err(format!("{} values under {} columns", record.len(), header.width));
    }
    if record.iter().any(|cell| cell.contains('\n')) {
        return Err("a value goes on over the line's end: a quotation mark that is not closed?".to_owned());
    }
    let of = |at: usize| clean(record.get(at).unwrap_or_default());
    let [number, trade_no, state, amount] = header.columns.map(of);
    let [given_back, fate, currency] = header.further.map(|at| at.map_or("", of));
    let fits = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.:-".contains(&b));
    if !(1..=128).contains(&trade_no.len()) || !fits(trade_no) {
        return Err(format!("{trade_no:?} is no number of the gateway"));
    }
    if number.is_empty() || number.len() > 200 {
        return Err("there is no number of ours, or it is too long".to_owned());
    }
    (format.row)(&BillRow { number, trade_no, state, amount, given_back, fate, currency })
}

#[cfg(test)]
mod tests;
