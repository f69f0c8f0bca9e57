//! HTML and XML, and pieces of them.

/// Elements of HTML, as they are met in what is copied or saved from pages.
const ELEMENTS: [&str; 62] = [
    "html",
    "head",
    "body",
    "title",
    "meta",
    "link",
    "style",
    "script",
    "div",
    "span",
    "p",
    "br",
    "hr",
    "a",
    "b",
    "i",
    "u",
    "s",
    "em",
    "strong",
    "small",
    "font",
    "center",
    "img",
    "table",
    "thead",
    "tbody",
    "tfoot",
    "tr",
    "td",
    "th",
    "col",
    "colgroup",
    "caption",
    "ul",
    "ol",
    "li",
    "dl",
    "dt",
    "dd",
    "pre",
    "code",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "form",
    "input",
    "button",
    "label",
    "select",
    "option",
    "textarea",
    "section",
    "article",
    "header",
    "footer",
    "main",
    "nav",
    "blockquote",
];
/// Elements that are looked at for their ends.
const OPENED: usize = 64;

/// The name behind a `<` or `</`, where what follows it ends a name.
fn name(behind: &[u8]) -> Option<&str> {
    let end =
        behind.iter().take(80).position(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b':')))?;
    let name = behind.get(..end).filter(|name| name.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_'))?;
    matches!(behind.get(end), Some(b'>' | b'/' | b' ' | b'\t' | b'\r' | b'\n')).then_some(())?;
    std::str::from_utf8(name).ok()
}

fn is_html(name: &str) -> bool {
    ELEMENTS.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Each `<` of a text: the name behind it, whether it ends an element, and what follows.
fn tags(text: &[u8]) -> impl Iterator<Item = (&str, bool, &[u8])> {
    text.iter().enumerate().filter(|(_, b)| **b == b'<').filter_map(|(at, _)| {
        let behind = text.get(at + 1..)?;
        let (behind, ends) = behind.strip_prefix(b"/").map_or((behind, false), |behind| (behind, true));
        name(behind).map(|name| (name, ends, behind))
    })
}

/// Counts lines with elements of HTML.
#[derive(Default)]
pub(super) struct Markup {
    lines: u64,
    tagged: u64,
}

impl Markup {
    pub fn meet(&mut self, line: &[u8]) {
        let line = super::table::unmarked(line).trim_ascii();
        self.lines += u64::from(!line.is_empty());
        if !line.contains(&b'<') {
            return;
        }
        // Inside a line of chance characters `<b>` happens; longer names, and beginnings of lines, do not in half of all.
        let starts = line.starts_with(b"<");
        let mut html = tags(line).enumerate().filter(|(_, (name, ..))| is_html(name));
        self.tagged += u64::from(html.any(|(at, (name, ..))| name.len() > 1 || (starts && at == 0)));
    }

    pub fn what(&self) -> Option<&'static str> {
        (self.tagged > 0 && self.tagged * 2 >= self.lines).then_some("a web page or XML, or a piece of it")
    }
}

/// Whether a text that begins so is elements: it begins with one, and one that it opens is closed.
pub(super) fn is_xml(start: &[u8]) -> bool {
    if !start.starts_with(b"<") {
        return false;
    }
    let Some((first, false, behind)) = tags(start).next() else { return false };
    // The very first character opens it, or it is no document of elements.
    if !start.get(1..).is_some_and(|rest| rest.starts_with(first.as_bytes())) {
        return false;
    }
    let line = behind.split(|b| *b == b'\n').next().unwrap_or_default().trim_ascii_end();
    if line.ends_with(b"/>") && line.contains(&b'=') {
        return true;
    }
    let mut opened: Vec<&str> = Vec::new();
    for (name, ends, _) in tags(start) {
        if ends && opened.contains(&name) {
            return true;
        }
        if !ends && opened.len() < OPENED && !opened.contains(&name) {
            opened.push(name);
        }
    }
    false
}
