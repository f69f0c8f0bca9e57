//! The log on standard error: a bounded queue, and one thread that writes it. So a reader that went away, a full disk or
//! a pipe that nobody reads stops nobody; what could not be written is counted, and said as soon as it can be.

use std::io::{self, IsTerminal as _, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tracing_subscriber::EnvFilter;

/// Lines that wait to be written; further ones are lost.
const LINES: usize = 8192;
/// How long an end waits for the last lines.
const LAST_LINES: Duration = Duration::from_millis(500);
/// Losses are said once in this time.
const SAY_AGAIN: Duration = Duration::from_secs(1);

enum Item {
    Text(Vec<u8>),
    /// Answered once everything before it was written or lost.
    Mark(SyncSender<()>),
}

static QUEUE: OnceLock<SyncSender<Item>> = OnceLock::new();
static LOST: AtomicU64 = AtomicU64::new(0);
static FAILING: AtomicBool = AtomicBool::new(false);
static LAST_LOSS: Mutex<Option<Instant>> = Mutex::new(None);

/// Begins the log: `KAMID_LOG` filters, `KAMID_LOG_FORMAT=json` writes lines of JSON.
pub fn start() {
    let filter = EnvFilter::try_from_env("KAMID_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let (sender, receiver) = sync_channel(LINES);
    if QUEUE.set(sender).is_err() {
        return;
    }
    std::thread::spawn(move || write_all(&receiver));
    // Its own complaints would go to standard error past the queue, and panic where that is gone.
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Waiting).with_ansi(colour);
    let log = log.log_internal_errors(false);
    if std::env::var("KAMID_LOG_FORMAT").is_ok_and(|format| format == "json") {
        log.json().init();
    } else {
        log.with_target(false).init();
    }
    std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "Something in kamid broke: please report it.")));
}

/// A text for the person at the terminal, in its turn among the lines.
pub fn say(text: &str) {
    let _lost_is_counted = Waiting.write_all(text.as_bytes());
}

/// Waits a moment for the last lines; says whether all were dealt with.
pub fn finish() -> bool {
    let (sender, receiver) = sync_channel(1);
    let sent = QUEUE.get().is_none_or(|queue| queue.try_send(Item::Mark(sender)).is_ok());
    sent && (QUEUE.get().is_none() || receiver.recv_timeout(LAST_LINES).is_ok())
}

/// How many lines were lost since the start, and how long ago the last of them; at once, where the last line failed.
#[must_use]
pub fn lost() -> (u64, Option<Duration>) {
    let last = *LAST_LOSS.lock().unwrap_or_else(PoisonError::into_inner);
    let failing = FAILING.load(Ordering::Relaxed);
    (LOST.load(Ordering::Relaxed), last.map(|last| if failing { Duration::ZERO } else { last.elapsed() }))
}

fn lose() {
    LOST.fetch_add(1, Ordering::Relaxed);
    *LAST_LOSS.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
}

/// The queue's end at which lines come in: it neither waits nor fails.
struct Waiting;

impl Write for Waiting {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match QUEUE.get() {
            Some(queue) if queue.try_send(Item::Text(line.to_vec())).is_err() => lose(),
            Some(_) => {}
            None => drop(io::stderr().write_all(line)),
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes what comes, and says what was lost once a line got through again.
fn write_all(queue: &Receiver<Item>) {
    let (mut said, mut said_at) = (0, None::<Instant>);
    loop {
        match queue.recv_timeout(SAY_AGAIN) {
            Ok(Item::Text(line)) => {
                let failed = io::stderr().write_all(&line).is_err();
                FAILING.store(failed, Ordering::Relaxed);
                if failed {
                    lose();
                }
            }
            Ok(Item::Mark(done)) => drop(done.try_send(())),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let lost = LOST.load(Ordering::Relaxed);
        let due = said_at.is_none_or(|at| at.elapsed() >= SAY_AGAIN);
        if lost > said && due && !FAILING.load(Ordering::Relaxed) {
            tracing::warn!(lines = lost - said, "Lines of this log could not be written: they are lost.");
            (said, said_at) = (lost, Some(Instant::now()));
        }
    }
}
