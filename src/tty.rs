//! A terminal that is taken for a full screen, and given back as it was: at the end, on an error, and before a panic says
//! what happened.
//!
//! Used by the load tester's screen (on standard error) and by the dashboard (on standard output).

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
