//! A table whose fields stand in quotes, or under headings: sold line by line, its quotes and headings would be keys.

/// What may stand between two fields.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];
/// Lines in which the headings of a table are looked for: a title or blank lines may stand above.
const TITLES: u64 = 10;
/// What spreadsheets show in a field that they cannot show, or cannot work out.
const SPOILT: [&[u8]; 9] =
    [b"#N/A", b"#REF!", b"#NAME?", b"#VALUE!", b"#DIV/0!", b"#NULL!", b"#NUM!", b"#SPILL!", b"#CALC!"];
/// Lines after which a quote that nobody closes was none.
const OPEN_LINES: u32 = 200;

/// How one line reads as a row of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Row {
    /// Without quotes, or with such as no table has.
    Plain,
    /// One field, in quotes.
    Single,
    /// Several fields, one of them in quotes.
    Quoted,
    /// A field's quote is not closed.
    Open,
}

/// A beginning without its marks: a file that was saved twice has two.
pub(super) fn unmarked(mut head: &[u8]) -> &[u8] {
    while let Some(rest) = head.strip_prefix("\u{feff}".as_bytes()) {
        head = rest;
    }
    head
}

/// Looks for a table, line by line.
#[derive(Default)]
pub(super) struct Quoted {
    line: u64,
    /// Line of the first row that is one of a table.
    found: Option<u64>,
    /// Line of the first with what only a spreadsheet writes.
    spreadsheet: Option<u64>,
    /// A field that is open since so many lines, and what its fields are parted by.
    open: Option<(u8, u32)>,
    /// Lines that are one field in quotes; others, but for the first.
    single: u64,
    others: u64,
    /// One of the first lines is headings: which, how many, parted by what.
    headings: Option<(u64, u8, usize)>,
    /// A row stands below them.
    headed: bool,
}

impl Quoted {
    pub fn meet(&mut self, line: &[u8]) {
        self.line += 1;
        let line = if self.line == 1 { unmarked(line) } else { line };
        // The delimiter behind it may be a blank, which ended the line before this.
        if self.line == 1 && (4..=5).contains(&line.len()) && line[..4].eq_ignore_ascii_case(b"sep=") {
            self.found = Some(1);
        }
        if let Some((_, delimiter, fields)) = self.headings {
            self.headed |= line.split(|b| *b == delimiter).count() == fields;
        } else if self.line <= TITLES {
            let all = DELIMITERS.into_iter().chain([b'|']);
            self.headings = all.into_iter().find_map(|part| Some((self.line, part, headings(line, part)?)));
        }
        if self.spreadsheet.is_none() && of_a_spreadsheet(line) {
            self.spreadsheet = Some(self.line);
        }
        if self.found.is_some() {
            return;
        }
        if let Some((delimiter, lines)) = self.open.take() {
            match closed(line, delimiter) {
                Some(Row::Quoted | Row::Single) => self.found = Some(self.line - u64::from(lines)),
                Some(Row::Open) | None if lines < OPEN_LINES => self.open = Some((delimiter, lines + 1)),
                _ => {}
            }
        }
        if !line.contains(&b'"') {
            self.others += u64::from(self.line > 1 && !line.is_empty());
            return;
        }
        let rows = DELIMITERS.map(|delimiter| (delimiter, row(line, delimiter)));
        let is = |wanted: Row| rows.iter().find(|(_, row)| *row == wanted);
        if is(Row::Quoted).is_some() {
            self.found = Some(self.line);
        } else if is(Row::Single).is_some() {
            self.single += 1;
        } else {
            self.others += u64::from(self.line > 1);
            if self.open.is_none() {
                self.open = is(Row::Open).map(|(delimiter, _)| (*delimiter, 1));
            }
        }
    }

    /// What it is, where it is one.
    pub fn what(&self) -> Option<String> {
        if let Some(line) = self.found.or_else(|| (self.single > 0 && self.others == 0).then_some(1)) {
            return Some(format!("a table (CSV) with fields in quotes, as in line {line}"));
        }
        if let Some(line) = self.spreadsheet {
            return Some(format!("a table as spreadsheets and pages write it, not its plain text, as in line {line}"));
        }
        let (line, ..) = self.headings.filter(|_| self.headed)?;
        Some(format!("a table (CSV) with headings in line {line}"))
    }
}

/// How many fields a line has that is headings alone.
fn headings(line: &[u8], delimiter: u8) -> Option<usize> {
    let fields: Vec<&str> = std::str::from_utf8(line).ok()?.split(char::from(delimiter)).collect();
    (fields.len() > 1 && fields.iter().all(|field| super::heading::is_word(field))).then_some(fields.len())
}

/// What a spreadsheet writes into a field that is no text of its own: `="0001"`, so that zeros stay, `1.23457E+15`, by
/// which digits are lost, and `########` or `#N/A` where there is nothing to show; or the line of dashes below the headings of a table in Markdown.
fn of_a_spreadsheet(line: &[u8]) -> bool {
    let forced = |field: &[u8]| field.starts_with(b"=\"") && field.len() > 2 && field.ends_with(b"\"");
    let shortened = |field: &[u8]| {
        let Some((exponent, [mantissa @ .., b'E' | b'e', b'+'])) = field.split_last_chunk::<2>().map(|(a, b)| (b, a))
        else {
            return false;
        };
        let part = match mantissa {
            [_] => &b"0"[..],
            [_, b'.' | b',', rest @ ..] => rest,
            _ => return false,
        };
        let digits = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
        digits(exponent) && digits(&mantissa[..1]) && digits(part) && part.len() < 18
    };
    let spoilt = |field: &[u8]| SPOILT.contains(&field) || (field.len() >= 4 && field.iter().all(|b| *b == b'#'));
    let fields =
        |is: &dyn Fn(&[u8]) -> bool| line.split(|b| DELIMITERS.contains(b)).any(|field| is(field.trim_ascii()));
    let ruled = || {
        let bars = line.iter().filter(|b| **b == b'|').count();
        bars > 0 && line.windows(3).any(|dashes| dashes == b"---") && line.iter().all(|b| b"|-: ".contains(b))
    };
    let has = |two: &[u8; 2]| line.windows(2).any(|pair| pair == two);
    (has(b"=\"") && fields(&forced))
        || ((has(b"E+") || has(b"e+")) && (fields(&shortened) || shortened(line.trim_ascii())))
        || (line.contains(&b'#') && fields(&spoilt))
        || (line.starts_with(b"|") && ruled())
}

/// The bytes behind a field's closing quote; `None` where it does not close.
fn behind(field: &[u8]) -> Option<&[u8]> {
    let mut at = 0;
    while let Some(quote) = field.get(at..)?.iter().position(|b| *b == b'"') {
        at += quote + 1;
        if field.get(at) != Some(&b'"') {
            return field.get(at..);
        }
        at += 1;
    }
    None
}

fn row(mut line: &[u8], delimiter: u8) -> Row {
    let (mut fields, mut quoted) = (0, false);
    loop {
        fields += 1;
        if let Some(field) = line.strip_prefix(b"\"") {
            match behind(field) {
                None => return Row::Open,
                Some([]) => return if fields > 1 { Row::Quoted } else { Row::Single },
                Some([next, rest @ ..]) if *next == delimiter => {
                    quoted = true;
                    line = rest;
                }
                Some(_) => return Row::Plain,
            }
        } else {
            let end = line.iter().position(|b| *b == delimiter).unwrap_or(line.len());
            if line[..end].contains(&b'"') {
                return Row::Plain;
            }
            match line.get(end + 1..) {
                Some(rest) => line = rest,
                None => return if quoted { Row::Quoted } else { Row::Plain },
            }
        }
    }
}

/// How a line reads in which a field goes on that an earlier line opened; `None` where it goes on through all of it.
fn closed(line: &[u8], delimiter: u8) -> Option<Row> {
    match behind(line)? {
        [] => Some(Row::Single),
        [next, rest @ ..] if *next == delimiter => match row(rest, delimiter) {
            Row::Open => Some(Row::Open),
            Row::Plain if rest.contains(&b'"') => Some(Row::Plain),
            _ => Some(Row::Quoted),
        },
        _ => Some(Row::Plain),
    }
}
