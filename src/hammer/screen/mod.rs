//! The live screen: a terminal that is taken, drawn at most ten times a second from a glance of the figures, and given
//! back as it was: at the end, on an error, and before a panic says what happened.
//!
//! A thread of its own waits for keys, so that the runtime that sends waits for nobody.

mod draw;
mod panels;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};

use super::stats::Stats;
use crate::tty::{self, Tty};
pub use draw::{Phase, Picture, Show, draw};

/// Between two pictures.
const FRAME: Duration = Duration::from_millis(100);
/// The rate of this moment is counted over so long.
const MOMENT: Duration = Duration::from_secs(1);

/// An open screen; dropping it gives the terminal back.
pub struct Screen {
    done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Screen {
    /// Takes the terminal at standard error and shows `stats` on it; `end` is called for every `q` or Ctrl-C.
    ///
    /// # Errors
    /// The terminal cannot be taken; it is as it was.
    pub fn open(
        show: Show,
        stats: Arc<Stats>,
        stop: Arc<AtomicBool>,
        end: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        let tty = tty::take(tty::Stream::Error)?;
        let done = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&done);
        let thread = std::thread::Builder::new()
            .name("screen".to_owned())
            .spawn(move || keep(tty, &show, &stats, &stop, &until, end))
            .inspect_err(|_| tty::give_back())?;
        Ok(Self { done, thread: Some(thread) })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
        tty::give_back();
    }
}

fn keep(mut tty: Tty, show: &Show, stats: &Stats, stop: &AtomicBool, done: &AtomicBool, end: impl Fn()) {
    let began = Instant::now();
    let (mut drawn, mut moments) = (None, std::collections::VecDeque::new());
    while tty::taken() && !done.load(Ordering::Relaxed) {
        if drawn.is_none_or(|at: Instant| at.elapsed() >= FRAME) {
            let glance = stats.glance();
            let now = Instant::now();
            moments.push_back((now, glance.scheduled));
            while moments.len() > 2 && moments.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= MOMENT) {
                moments.pop_front();
            }
            let phase = match (glance.ended, stop.load(Ordering::Relaxed)) {
                (true, _) => Phase::Auditing,
                (false, true) => Phase::RequestResult,
                (false, false) => Phase::Running,
            };
            let view = Picture { show, rate_now: rate(&moments), glance, elapsed: began.elapsed(), phase };
            if tty.draw(|frame| draw(frame, &view)).is_err() {
                return;
            }
            drawn = Some(now);
        }
        match event::poll(FRAME.saturating_sub(drawn.map_or(FRAME, |at| at.elapsed()))) {
            Ok(true) => match event::read() {
                Ok(event) if ends(&event) => end(),
                Ok(Event::Resize(..)) => drawn = drawn.and_then(|at| at.checked_sub(FRAME)),
                _ => {}
            },
            Ok(false) => {}
            // No keys to be had: signals still end the run.
            Err(_) => std::thread::sleep(FRAME),
        }
    }
}

/// Answers to the schedule's a second between the oldest and the newest of these moments.
fn rate(moments: &std::collections::VecDeque<(Instant, u64)>) -> f64 {
    let (Some((from, before)), Some((to, now))) = (moments.front(), moments.back()) else { return 0.0 };
    let seconds = to.duration_since(*from).as_secs_f64();
    if seconds > 0.0 { (now - before) as f64 / seconds } else { 0.0 }
}

/// Whether a key asks for the end; in raw mode Ctrl-C is a key like others.
fn ends(event: &Event) -> bool {
    let Event::Key(key) = event else { return false };
    let plain = !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
    key.kind == KeyEventKind::Press
        && match key.code {
            KeyCode::Char('q' | 'Q') => plain,
            KeyCode::Char('c') => key.modifiers.contains(KeyModifiers::CONTROL),
            _ => false,
        }
}
