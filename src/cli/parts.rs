//! A file of keys, cut into parts that are imported at once.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::io::{BufRead, Read};

use crate::shop::ImportReport;

/// Longest line read; what is longer is reported, not kept.
const LINE_BYTES: u64 = 131_072;

/// Reads a file a part at a time: whole lines, and the number of the first.
pub struct Parts {
    input: Box<dyn BufRead + Send>,
    /// A part ends with the line that makes it this long.
    most: usize,
    /// Nothing more comes: a terminal would wait for another key press.
    ended: bool,
    line: u64,
    seen: HashSet<(u64, u64)>,
    hashers: (RandomState, RandomState),
    report: ImportReport,
}

/// Some lines of a file.
#[derive(Debug)]
pub struct Part {
    /// The number of the first, from 1.
    pub first: u64,
    /// The lines, each with its end.
    pub text: Vec<u8>,
    /// Bytes of the file they were read from.
    pub read: u64,
}

impl Parts {
    /// Reads `input` in parts of `most` bytes and a line.
    #[must_use]
    pub fn new(input: Box<dyn BufRead + Send>, most: usize) -> Self {
        Self {
            input,
            most,
            ended: false,
            line: 0,
            seen: HashSet::new(),
            hashers: (RandomState::new(), RandomState::new()),
            report: ImportReport::default(),
        }
    }

    /// The next part. A key that stood earlier in the file is counted here and its line sent empty, so that line numbers
    /// stay what they are.
    ///
    /// # Errors
    /// The input cannot be read.
    pub fn part(&mut self) -> std::io::Result<Option<Part>> {
        let mut part = Part { first: self.line + 1, text: Vec::new(), read: 0 };
        let mut line = Vec::new();
        while part.text.len() < self.most && !self.ended {
            line.clear();
            let read = self.input.by_ref().take(LINE_BYTES).read_until(b'\n', &mut line)? as u64;
            if read == 0 {
                self.ended = true;
                break;
            }
            part.read += read;
            if read == LINE_BYTES && line.last() != Some(&b'\n') {
                part.read += self.skip_line()?;
                line.push(b'\n');
            }
            self.line += 1;
            let key = if self.line == 1 { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line) } else { &line };
            let key = key.trim_ascii();
            // 128 bits: two lines that are taken for one would lose a key.
            let hash = (self.hashers.0.hash_one(key), self.hashers.1.hash_one(key));
            if !key.is_empty() && !self.seen.insert(hash) {
                self.report.repeated += 1;
                if self.report.repeated_lines.len() < 1000 {
                    self.report.repeated_lines.push(self.line);
                }
                self.report.blank = self.report.blank.wrapping_sub(1);
                part.text.push(b'\n');
            } else {
                part.text.extend_from_slice(&line);
                if part.text.last() != Some(&b'\n') {
                    part.text.push(b'\n');
                }
            }
        }
        Ok((part.read > 0).then_some(part))
    }

    /// Adds what was counted here to the daemon's reports of all parts.
    pub fn finish(mut self, total: &mut ImportReport) {
        total.blank = total.blank.wrapping_add(self.report.blank);
        self.report.blank = 0;
        total.add(&self.report);
    }

    fn skip_line(&mut self) -> std::io::Result<u64> {
        let mut skipped = 0;
        loop {
            let buffer = self.input.fill_buf()?;
            if buffer.is_empty() {
                return Ok(skipped);
            }
            let end = buffer.iter().position(|b| *b == b'\n').map_or(buffer.len(), |at| at + 1);
            let done = buffer.get(end - 1) == Some(&b'\n');
            self.input.consume(end);
            skipped += end as u64;
            if done {
                return Ok(skipped);
            }
        }
    }
}
