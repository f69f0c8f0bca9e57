//! Whether a file is a file of keys: judged as a whole, before any line of it becomes a key.
//!
//! A file is UTF-8 text with a key on each line, or it is refused by the name of what it looks like: an archive sold line
//! by line, or a line of GBK that happens to be UTF-8, is a key that works for nobody. Invariant: what is said of a file
//! names lines and kinds, never what stands in it.

mod document;
mod encoding;
mod heading;
mod mail;
mod markup;
mod table;

use crate::domain::text::bare;
use encoding::{Guess, Readings};
pub use heading::is_heading;
use mail::Mail;
use markup::Markup;
use table::Quoted;

/// As much of a file's beginning as is looked at for what it is.
const HEAD_BYTES: usize = 262_144;
/// A line is looked at in pieces of this size.
const PIECE_BYTES: usize = 131_072;

/// Why a file holds no keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum NotKeys {
    #[error(
        "the file is {0}, not a text with a key on each line. If every line is a key all the same: --as-lines (as_lines=true)"
    )]
    Document(String),
    #[error("the file is {0}, not a text with a key on each line")]
    Binary(String),
    #[error(
        "the file is no UTF-8 text (line {line}): it looks like {looks}. Save it as UTF-8 (Notepad: Save as, encoding UTF-8; elsewhere: iconv -t UTF-8 -f {from} FILE > NEW)"
    )]
    Encoding { looks: String, from: &'static str, line: u64 },
    #[error(
        "the lines of the file end with a carriage return alone, as old Macs wrote them, so that all of it is one line: write a line feed instead (tr '\\r' '\\n' < FILE > NEW)"
    )]
    LoneReturns,
    #[error(
        "the file can be read as UTF-8 and as GBK, with different text (line {line}): say --encoding utf-8 (encoding=utf-8) if it is UTF-8; a file in GBK is saved as UTF-8 first"
    )]
    Ambiguous { line: u64 },
}

/// What is said where another encoding is asked for.
pub const UTF8_ONLY: &str =
    "files are imported in UTF-8 only: save a file in GBK, or an Excel workbook, as UTF-8 text first";

/// Whether that is a name of the one encoding that is read.
#[must_use]
pub fn is_utf8(name: &str) -> bool {
    ["utf-8", "utf8"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// What somebody says of a file who has looked at it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Said {
    /// It is UTF-8, where it could be two encodings.
    pub utf8: bool,
    /// Every line is a key, whatever the whole looks like: what is no text is refused all the same.
    pub as_lines: bool,
}

/// Looks at a file as it is read.
#[derive(Default)]
pub struct Sheet {
    head: Vec<u8>,
    bytes: u64,
    /// What was fed and has no end of line yet.
    rest: Vec<u8>,
    /// Lines that ended.
    lines: u64,
    /// First line that is no UTF-8.
    broken: Option<u64>,
    /// Whether there is a NUL, or in what is no UTF-8 another control character that no text has.
    binary: bool,
    /// Carriage returns inside lines.
    returns: u64,
    quoted: Quoted,
    mail: Mail,
    markup: Markup,
    readings: Readings,
}

impl Sheet {
    /// Takes the next bytes of the file.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        let room = HEAD_BYTES - self.head.len();
        self.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
        while let Some(end) = bytes.iter().position(|b| *b == b'\n') {
            let (line, after) = bytes.split_at(end + 1);
            bytes = after;
            if self.rest.is_empty() {
                self.line(line);
            } else {
                self.rest.extend_from_slice(line);
                let whole = std::mem::take(&mut self.rest);
                self.line(&whole);
            }
            self.lines += 1;
        }
        self.rest.extend_from_slice(bytes);
        if self.rest.len() > PIECE_BYTES {
            // A character that is cut in two stays for the next piece.
            let whole = std::str::from_utf8(&self.rest)
                .map_or_else(|e| if e.error_len().is_none() { e.valid_up_to() } else { self.rest.len() }, str::len);
            let left = self.rest.split_off(whole);
            let piece = std::mem::replace(&mut self.rest, left);
            self.line(&piece);
        }
    }

    /// Lines of what was fed.
    #[must_use]
    pub fn lines(&self) -> u64 {
        let last = self.bytes > 0 && (self.lines == 0 || !self.rest.is_empty());
        self.lines + u64::from(last)
    }

    /// What is to be said of the whole file, beside what somebody said of it who knows.
    ///
    /// # Errors
    /// It is no file of keys.
    pub fn judge(mut self, said: Said) -> Result<(), NotKeys> {
        if !self.rest.is_empty() {
            let last = std::mem::take(&mut self.rest);
            self.line(&last);
        }
        let whole = self.bytes == self.head.len() as u64;
        let text = self.broken.is_none() && !self.binary;
        let encoding = |Guess { looks, iconv }, line| {
            Err(NotKeys::Encoding { looks, from: iconv.unwrap_or("ITS-ENCODING"), line })
        };
        if let Some(wide) = encoding::wide(&self.head) {
            return encoding(wide, self.broken.unwrap_or(1));
        }
        if !text {
            if let Some(what) = document::what(&self.head, false, whole) {
                return Err(NotKeys::Binary(what));
            }
            if self.binary {
                return Err(NotKeys::Binary("a binary file".to_owned()));
            }
        }
        if let Some(line) = self.broken {
            return encoding(encoding::guess(&self.head), line);
        }
        if self.returns > self.lines {
            return Err(NotKeys::LoneReturns);
        }
        if !said.as_lines {
            let document = document::what(&self.head, true, whole).or_else(|| self.quoted.what());
            let others = || self.mail.what().or_else(|| self.markup.what()).map(str::to_owned);
            if let Some(what) = document.or_else(others) {
                return Err(NotKeys::Document(what));
            }
        }
        let marked = self.head.starts_with("\u{feff}".as_bytes());
        match self.readings.fits_two() {
            Some(line) if !said.utf8 && !marked => Err(NotKeys::Ambiguous { line }),
            _ => Ok(()),
        }
    }

    fn line(&mut self, line: &[u8]) {
        let number = self.lines + 1;
        self.binary |= line.contains(&0);
        match std::str::from_utf8(line) {
            Ok(text) => {
                if !text.is_ascii() {
                    self.readings.meet(bare(text), number);
                }
            }
            Err(_) => {
                let _first = self.broken.get_or_insert(number);
                self.binary |= line.iter().any(|b| matches!(b, 1..=8 | 14..=25 | 28..=31 | 127));
            }
        }
        let line = line.trim_ascii_end();
        self.returns += line.iter().filter(|b| **b == b'\r').count() as u64;
        self.quoted.meet(line);
        self.mail.meet(line);
        self.markup.meet(line);
    }
}

/// Judges a whole file that is at hand.
///
/// # Errors
/// It is no file of keys; beside that, how many lines it has.
pub fn judge(file: &[u8], said: Said) -> Result<(), (NotKeys, u64)> {
    let mut sheet = Sheet::default();
    sheet.feed(file);
    let lines = sheet.lines();
    sheet.judge(said).map_err(|why| (why, lines))
}

#[cfg(test)]
mod tests;
