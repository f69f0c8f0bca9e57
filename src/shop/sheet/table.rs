//! A table whose fields stand in quotes, or under headings: sold line by line, its quotes and headings would be keys.

/// What may stand between two fields.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];
/// What columns are called; a first line of such words alone is no key.
const HEADINGS: &str = "account amount card cards code codes comment date email expires expiry id key keys login mail name no \
    note notes number order pass passwd password pin price product pwd remark remarks secret serial status type \
    user username \
    备注 编号 兑换码 内容 卡密内容 密钥 激活码 序列号 链接 验证码 价格 面值 名称 密码 日期 商品 序号 用户名 邮箱 有效期 账号 帐号 账户 卡号 卡密 状态";
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
    /// A field that is open since so many lines, and what its fields are parted by.
    open: Option<(u8, u32)>,
    /// Lines that are one field in quotes; others, but for the first.
    single: u64,
    others: u64,
    /// The first line is headings, so many, parted by that.
    headings: Option<(u8, usize)>,
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
        if self.line == 1 {
            self.headings = DELIMITERS.into_iter().find_map(|delimiter| Some((delimiter, headings(line, delimiter)?)));
        } else if let Some((delimiter, fields)) = self.headings {
            self.headed |= line.split(|b| *b == delimiter).count() == fields;
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
        self.headed.then(|| "a table (CSV) with headings in its first line".to_owned())
    }
}

/// How many fields a line has that is headings alone.
fn headings(line: &[u8], delimiter: u8) -> Option<usize> {
    let fields = std::str::from_utf8(line).ok()?.split(char::from(delimiter));
    let fields: Vec<String> = fields.map(|field| field.trim().to_lowercase()).collect();
    (fields.len() > 1 && fields.iter().all(|field| HEADINGS.split_whitespace().any(|word| word == field)))
        .then_some(fields.len())
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
