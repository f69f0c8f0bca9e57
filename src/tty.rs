//! A terminal that is taken for a full screen, and given back as it was: at the end, on an error, and before a panic says
//! what happened.
//!
//! Used by the load tester's screen (on standard error) and by the dashboard (on standard output). Also here: what the
//! environment says of the characters that a terminal can show.

use std::io::{self, BufWriter, Write};
use std::sync::Once;
use std::sync::atomic::{AtomicU8, Ordering};

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::{cursor, event, execute, terminal};

/// Where the screen is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output, with the mouse and with what is pasted told apart from what is typed.
    Out = 1,
    /// Standard error, without.
    Error = 2,
}

impl Stream {
    fn writer(self) -> Box<dyn Write + Send> {
        match self {
            Self::Out => Box::new(io::stdout()),
            Self::Error => Box::new(io::stderr()),
        }
    }
}

/// A terminal that is ours.
pub type Tty = Terminal<CrosstermBackend<BufWriter<Box<dyn Write + Send>>>>;

/// Which stream's terminal is ours now; 0: none.
static TAKEN: AtomicU8 = AtomicU8::new(0);
static HOOK: Once = Once::new();

/// Takes the terminal; a panic will give it back first.
///
/// # Errors
/// It cannot be taken; it is as it was.
pub fn take(stream: Stream) -> io::Result<Tty> {
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            before(panic);
        }));
    });
    TAKEN.store(stream as u8, Ordering::Relaxed);
    enter(stream).inspect_err(|_| give_back())
}

fn enter(stream: Stream) -> io::Result<Tty> {
    terminal::enable_raw_mode()?;
    let mut writer = stream.writer();
    execute!(writer, terminal::EnterAlternateScreen, cursor::Hide)?;
    if stream == Stream::Out {
        execute!(writer, event::EnableMouseCapture, event::EnableBracketedPaste)?;
    }
    Terminal::new(CrosstermBackend::new(BufWriter::new(writer)))
}

/// Whether a terminal is ours.
pub fn taken() -> bool {
    TAKEN.load(Ordering::Relaxed) != 0
}

/// Gives the terminal back; once, whoever calls first.
pub fn give_back() {
    let stream = match TAKEN.swap(0, Ordering::Relaxed) {
        0 => return,
        1 => Stream::Out,
        _ => Stream::Error,
    };
    let mut writer = stream.writer();
    // Whatever fails here, there is nobody left to tell.
    if stream == Stream::Out {
        let _gone = execute!(writer, event::DisableMouseCapture, event::DisableBracketedPaste);
    }
    let _gone = execute!(writer, terminal::LeaveAlternateScreen, cursor::Show);
    let _gone = terminal::disable_raw_mode();
    let _gone = writer.flush();
}

/// The first of these that the environment sets.
pub fn first_set(names: [&str; 3]) -> Option<String> {
    names.into_iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
}

/// Whether the environment's locale says that text is UTF-8. Where it says nothing it is `POSIX`, which is not.
pub fn utf8_environment() -> bool {
    first_set(["LC_ALL", "LC_CTYPE", "LANG"]).is_some_and(|locale| is_utf8(&locale))
}

/// Whether a locale such as `zh_CN.UTF-8@pinyin` is one of UTF-8.
fn is_utf8(locale: &str) -> bool {
    let locale = locale.split('@').next().unwrap_or_default();
    let charset = locale.rsplit('.').next().unwrap_or_default();
    charset.replace(['-', '_'], "").eq_ignore_ascii_case("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_says_whether_its_text_is_utf8() {
        for yes in ["zh_CN.UTF-8", "C.utf8", "en_US.UTF8@euro", "UTF-8"] {
            assert!(is_utf8(yes), "{yes}");
        }
        for no in ["C", "POSIX", "zh_CN.GBK", "zh_CN", "zh_CN.GB18030", "de_DE@euro", "en_US.ISO-8859-1"] {
            assert!(!is_utf8(no), "{no}");
        }
    }
}
