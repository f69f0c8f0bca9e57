//! A file of keys, cut into parts that are imported at once.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::io::{BufRead, Read};

use crate::domain::ImportReport;
use crate::domain::text::bare;

/// Longest line read; what is longer is reported, not kept.
const LINE_BYTES: u64 = 131_072;

/// Reads a file a part at a time: whole lines, and the number of the first.
pub struct FileParts {
    input: Box<dyn BufRead + Send>,
    /// Most bytes of a part.
    most: usize,
    /// A line that was read and is too long for the part it would have ended.
    held: Option<Held>,
    /// Nothing more comes: a terminal would wait for another key press.
    ended: bool,
    line: u64,
    seen: HashSet<(u64, u64)>,
    hashers: (RandomState, RandomState),
    report: ImportReport,
}

/// A line as it is sent, without its end, and the bytes of the file it was read from.
struct Held {
    text: Vec<u8>,
    read: u64,
}

/// Some lines of a file.
#[derive(Debug)]
pub struct FilePart {
    /// The number of the first, from 1.
    pub first: u64,
    /// The lines.
    pub text: Vec<u8>,
    /// Bytes of the file they were read from.
    pub read: u64,
}

impl FileParts {
    /// Reads `input` in parts of at most `most` bytes.
    #[must_use]
    pub fn new(input: Box<dyn BufRead + Send>, most: usize) -> Self {
        Self {
            input,
            most,
            held: None,
            ended: false,
            line: 0,
            seen: HashSet::new(),
            hashers: (RandomState::new(), RandomState::new()),
            report: ImportReport::default(),
        }
    }

    /// Whether any line was read.
    #[must_use]
    pub fn began(&self) -> bool {
        self.line > 0
    }

    /// The next part. A key that stood earlier in the file is counted here and its line sent empty, so that line numbers
    /// stay what they are; so is a line that no part has room for.
    ///
    /// # Errors
    /// The input cannot be read.
    pub fn part(&mut self) -> std::io::Result<Option<FilePart>> {
        let mut part = FilePart { first: self.line + 1, text: Vec::new(), read: 0 };
        let mut lines = 0;
        while let Some(line) = self.next_line(part.first + lines)? {
            // A line's end stands between two lines, and where there is room for it.
            let needs = line.text.len() + usize::from(lines > 0 && part.text.last() != Some(&b'\n'));
            if lines > 0 && part.text.len() + needs >= self.most {
                self.held = Some(line);
                break;
            }
            if lines > 0 && part.text.last() != Some(&b'\n') {
                part.text.push(b'\n');
            }
            part.text.extend_from_slice(&line.text);
            if part.text.len() < self.most {
                part.text.push(b'\n');
            }
            part.read += line.read;
            lines += 1;
        }
        self.line += lines;
        Ok((lines > 0).then_some(part))
    }

    /// Line `number` as it is to be sent: the one that was held back, or what comes.
    fn next_line(&mut self, number: u64) -> std::io::Result<Option<Held>> {
        match self.held.take() {
            None => self.line(number),
            held => Ok(held),
        }
    }

    fn line(&mut self, number: u64) -> std::io::Result<Option<Held>> {
        let mut line = Vec::new();
        if self.ended {
            return Ok(None);
        }
        let mut read = self.input.by_ref().take(LINE_BYTES).read_until(b'\n', &mut line)? as u64;
        if read == 0 {
            self.ended = true;
            return Ok(None);
        }
        if read == LINE_BYTES && line.last() != Some(&b'\n') {
            read += self.skip_line()?;
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        // The file's mark is no part of its first line, also where that is no text.
        let unmarked = line.strip_prefix(b"\xef\xbb\xbf").filter(|_| number == 1).unwrap_or(&line);
        let key = match std::str::from_utf8(unmarked) {
            Ok(text) => bare(text).as_bytes(),
            Err(_) => unmarked.trim_ascii(),
        };
        // 128 bits: two lines that are taken for one would lose a key.
        let hash = (self.hashers.0.hash_one(key), self.hashers.1.hash_one(key));
        let report = &mut self.report;
        let (count, lines) = if !key.is_empty() && !self.seen.insert(hash) {
            (&mut report.repeated, &mut report.repeated_lines)
        } else if key.len() > self.most {
            (&mut report.too_long, &mut report.too_long_lines)
        } else {
            let text = if line.len() > self.most { key.to_vec() } else { line };
            return Ok(Some(Held { text, read }));
        };
        *count += 1;
        if lines.len() < 1000 {
            lines.push(number);
        }
        // The daemon will count the empty line that stands for it.
        report.blank = report.blank.wrapping_sub(1);
        Ok(Some(Held { text: Vec::new(), read }))
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
