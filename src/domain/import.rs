//! What became of imported keys, as a report tells it.

use serde::{Deserialize, Serialize};

/// Line numbers named in a report, of each kind; the counts are always whole.
pub const LINES_NAMED: usize = 1000;

/// What became of an import, by line number, never by content.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct ImportReport {
    /// Lines read.
    pub lines: u64,
    /// Keys that went into the pool.
    pub imported: u64,
    /// Keys that stand earlier in the same file.
    pub repeated: u64,
    /// Keys that were imported before, into whatever product.
    pub known: u64,
    /// Lines without a key.
    pub blank: u64,
    /// Lines that are too long.
    pub too_long: u64,
    /// Lines that are not UTF-8 text, or hold control characters other than a tab, or invisible ones.
    pub unreadable: u64,
    /// Those of them that would be keys but for characters inside that nobody sees.
    pub invisible: u64,
    /// Lines that are a column's heading, where nobody said that every line is a key.
    pub headings: u64,
    /// Why the whole file was refused, where it was: then nothing was imported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// Numbers of those lines, from 1: the first thousand of each.
    pub repeated_lines: Vec<u64>,
    /// See `repeated_lines`.
    pub known_lines: Vec<u64>,
    /// See `repeated_lines`.
    pub too_long_lines: Vec<u64>,
    /// See `repeated_lines`.
    pub unreadable_lines: Vec<u64>,
    /// See `repeated_lines`.
    pub invisible_lines: Vec<u64>,
    /// See `repeated_lines`.
    pub heading_lines: Vec<u64>,
}

impl ImportReport {
    /// Takes another part's report in; parts may come in any order.
    pub fn add(&mut self, part: &Self) {
        self.lines += part.lines;
        self.imported += part.imported;
        self.repeated += part.repeated;
        self.known += part.known;
        self.blank += part.blank;
        self.too_long += part.too_long;
        self.unreadable += part.unreadable;
        self.invisible += part.invisible;
        self.headings += part.headings;
        for (mine, theirs) in [
            (&mut self.repeated_lines, &part.repeated_lines),
            (&mut self.known_lines, &part.known_lines),
            (&mut self.too_long_lines, &part.too_long_lines),
            (&mut self.unreadable_lines, &part.unreadable_lines),
            (&mut self.invisible_lines, &part.invisible_lines),
            (&mut self.heading_lines, &part.heading_lines),
        ] {
            mine.extend(theirs);
            mine.sort_unstable();
            mine.truncate(LINES_NAMED);
        }
    }
}
