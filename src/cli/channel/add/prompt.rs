//! A person at a terminal: lines that are asked for on standard error, secrets without an echo.

use std::io::{IsTerminal as _, Write as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::signal::unix::{Signal, SignalKind, signal};
use zeroize::Zeroizing;

use crate::cli::Failure;
use crate::domain::Lang;

/// A terminal that shows nothing of what is typed, until this is dropped.
struct Hidden(Termios);

impl Hidden {
    fn new() -> std::io::Result<Self> {
        let before = tcgetattr(std::io::stdin())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        silent.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(std::io::stdin(), OptionalActions::Drain, &silent)?;
        Ok(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // A terminal that is gone needs no echo.
        let _gone = tcsetattr(std::io::stdin(), OptionalActions::Drain, &self.0);
    }
}

/// Who answers.
pub struct Person {
    pub lang: Lang,
    interrupt: Signal,
}

impl Person {
    /// Whoever sits at the terminal, if there is one.
    ///
    /// # Errors
    /// Ctrl-C cannot be listened for.
    pub fn here(lang: Lang) -> std::io::Result<Option<Self>> {
        if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
            return Ok(None);
        }
        Ok(Some(Self { lang, interrupt: signal(SignalKind::interrupt())? }))
    }

    /// Tells something.
    pub fn hears(&self, text: &str) {
        let _gone = writeln!(std::io::stderr(), "{text}");
    }

    /// Asks for a line; `hidden`: what is typed is not shown. The line without its end and blanks around it.
    ///
    /// # Errors
    /// Ctrl-C, or the terminal is gone: nothing is to be written.
    pub async fn answers(&mut self, question: &str, hidden: bool) -> Result<Zeroizing<String>, Failure> {
        let none = || Failure {
            message: self.lang.say("interrupted: nothing was written", "已中断,什么都没有写入").to_owned(),
            code: 130,
        };
        let gone = |error: std::io::Error| Failure::new(error.to_string());
        // Before the question, so that whoever answers at once is not shown either.
        let _silent = if hidden { Some(Hidden::new().map_err(gone)?) } else { None };
        let mut error = std::io::stderr();
        let _gone = write!(error, "{question} ").and_then(|()| error.flush());
        let read = tokio::task::spawn_blocking(|| {
            let mut line = Zeroizing::new(String::new());
            std::io::stdin().read_line(&mut line).map(|bytes| (bytes, line))
        });
        let line = tokio::select! {
            _ = self.interrupt.recv() => return Err(none()),
            read = read => match read.map_err(|error| Failure::new(error.to_string()))?.map_err(gone)? {
                (0, _) => return Err(none()),
                (_, line) => line,
            },
        };
        Ok(Zeroizing::new(line.trim().to_owned()))
    }

    /// Whether the answer is yes.
    ///
    /// # Errors
    /// See [`Person::answers`].
    pub async fn agrees(&mut self, question: &str) -> Result<bool, Failure> {
        let answer = self.answers(&format!("{question} [y/N]"), false).await?;
        Ok(matches!(answer.to_lowercase().as_str(), "y" | "yes" | "是"))
    }
}
