//! A mail: saved with whatever fields first, a mailbox of several, or one that was forwarded as text.

/// Names of a mail's fields, as they stand in its source and as mail programs print them.
const FIELDS: [&str; 64] = [
    "from",
    "to",
    "cc",
    "bcc",
    "subject",
    "date",
    "sent",
    "received",
    "return-path",
    "delivered-to",
    "message-id",
    "mime-version",
    "reply-to",
    "content-type",
    "content-transfer-encoding",
    "content-disposition",
    "content-language",
    "dkim-signature",
    "domainkey-signature",
    "authentication-results",
    "arc-seal",
    "arc-message-signature",
    "arc-authentication-results",
    "received-spf",
    "sender",
    "in-reply-to",
    "references",
    "importance",
    "priority",
    "thread-topic",
    "thread-index",
    "list-unsubscribe",
    "list-id",
    "precedence",
    "feedback-id",
    "user-agent",
    "envelope-to",
    "errors-to",
    "auto-submitted",
    "x-mailer",
    "x-priority",
    "x-original-to",
    "x-originating-ip",
    "x-spam-status",
    "x-received",
    "x-google-smtp-source",
    "x-gm-message-state",
    "x-qq-mid",
    "x-qq-ssf",
    "x-mimeole",
    "x-mozilla-status",
    "x-uidl",
    "发件人",
    "收件人",
    "抄送",
    "主题",
    "发送时间",
    "寄件人",
    "寄件者",
    "收件者",
    "主旨",
    "副本",
    "發件人",
    "主題",
];
/// What stands between dashes above a mail that goes on to somebody else, or alone in its line.
const MARKS: [&str; 10] = [
    "original message",
    "forwarded message",
    "forwarded by",
    "begin forwarded message",
    "原始邮件",
    "原始郵件",
    "邮件原件",
    "郵件原件",
    "转发的邮件",
    "转发邮件",
];
/// Lines in which a second field makes a file a mail whose first line is one.
const NEAR: u64 = 6;
/// Fields, of different names, in lines one below the other, that are a mail wherever they stand.
const BLOCK: usize = 3;

/// Looks for a mail, line by line.
#[derive(Default)]
pub(super) struct Mail {
    /// Lines that were not blank, up to those that matter.
    lines: u64,
    /// The first line is one of a mail's.
    first: bool,
    /// All lines from the first on are fields, of whatever names.
    head: bool,
    /// Which names stood in the block under way.
    block: Vec<&'static str>,
    found: bool,
}

/// A line without the marks of a quotation and of bold letters.
fn plain(line: &[u8]) -> &[u8] {
    let start = line.iter().position(|b| !matches!(b, b'>' | b' ' | b'\t' | b'*' | b'|')).unwrap_or(line.len());
    &line[start..]
}

/// The field that a line begins with: its name.
fn named(line: &[u8]) -> Option<&str> {
    let text = line.get(..line.len().min(64)).unwrap_or_default();
    let text = match std::str::from_utf8(text) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(text.get(..error.valid_up_to())?).ok()?,
    };
    let (name, _) = text.split_once([':', '\u{ff1a}'])?;
    Some(name.trim_matches(['*', ' ']))
}

fn field(line: &[u8]) -> Option<&'static str> {
    let name = named(line)?;
    FIELDS.iter().find(|known| name.eq_ignore_ascii_case(known)).copied()
}

/// Whether a line is a field of whatever name, as the source of a mail has them.
fn is_field(line: &[u8]) -> bool {
    named(line).is_some_and(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
}

fn is_mark(line: &[u8]) -> bool {
    let Some(text) =
        Some(line.trim_ascii()).filter(|line| line.len() < 160).and_then(|line| std::str::from_utf8(line).ok())
    else {
        return false;
    };
    let inner = text.trim_matches(['-', '_', '=', '>', ' ', ':', '\u{ff1a}']);
    let dashes = ["--", "__", "=="].iter().any(|dashes| text.starts_with(dashes));
    let colon = text.ends_with([':', '\u{ff1a}']);
    if !dashes && !colon {
        return false;
    }
    let small = inner.to_lowercase();
    MARKS.iter().any(|mark| small.strip_prefix(mark).is_some_and(|rest| dashes || rest.is_empty()))
}

impl Mail {
    pub fn meet(&mut self, line: &[u8]) {
        if self.found {
            return;
        }
        let line = if self.lines == 0 { super::table::unmarked(line) } else { line };
        if line.trim_ascii().is_empty() {
            self.block.clear();
            self.head = false;
            return;
        }
        self.lines += 1;
        let folded = self.lines > 1 && matches!(line.first(), Some(b' ' | b'\t'));
        let line = plain(line);
        let name = field(line);
        if self.lines == 1 {
            // A mailbox has such a line above each mail.
            let mailbox = line.starts_with(b"From ") && line.contains(&b'@');
            self.first = name.is_some() || mailbox;
            self.head = mailbox || is_field(line);
            self.block.extend(name.or(mailbox.then_some("from ")));
            self.found = is_mark(line);
            return;
        }
        self.found |= self.first && self.lines <= NEAR && name.is_some();
        self.found |= line.len() > 4 && is_mark(line);
        match name {
            Some(name) => {
                if !self.block.contains(&name) {
                    self.block.push(name);
                }
                self.found |= self.block.len() >= BLOCK || (self.head && self.block.len() >= 2);
            }
            None if folded && !self.block.is_empty() => {}
            None if self.head && is_field(line) => {}
            None => {
                self.block.clear();
                self.head = false;
            }
        }
    }

    pub fn what(&self) -> Option<&'static str> {
        self.found.then_some("a mail, or has one in it")
    }
}
