//! While a run goes on: the live screen or a line a second, and how its user ends it.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use super::HammerArgs;
use crate::cli::Failure;
use crate::hammer::{Load, Prepared, Screen, Show, Stats};

/// How a run is ended by its user: the first time it ends early and reports, the second time it leaves.
#[derive(Clone, Default)]
pub(super) struct Ending {
    pub(super) stop: Arc<AtomicBool>,
    times: watch::Sender<u32>,
}

impl Ending {
    pub(super) fn ask(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.times.send_modify(|times| *times += 1);
    }

    pub(super) fn asked(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Returns when it was asked for so often.
    pub(super) async fn asked_times(&self, times: u32) {
        // The sender is our own: it does not go away.
        let mut heard = self.times.subscribe();
        let _seen = heard.wait_for(|asked| *asked >= times).await;
    }
}

pub(super) fn interrupted() -> Failure {
    Failure { message: "interrupted: no report".to_owned(), code: 130 }
}

/// The live screen, where standard error is a terminal that can show one.
pub(super) fn screen(
    args: &HammerArgs,
    load: &Load,
    target: &Prepared,
    stats: &Arc<Stats>,
    (ending, ascii): (&Ending, bool),
) -> Result<Option<Screen>, Failure> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if !std::io::stderr().is_terminal() || set("TERM").is_none_or(|term| term == "dumb") {
        return Ok(None);
    }
    let show = Show {
        scenario: args.mix()?.0,
        channel: target.channel.to_string(),
        seed: load.seed,
        offered: load.arrivals.offered(),
        lasts: args.lasts,
        colour: set("NO_COLOR").is_none(),
        ascii,
    };
    let ending = ending.clone();
    // A terminal that cannot be opened gets the lines of a pipe.
    Ok(Screen::open(show, Arc::clone(stats), Arc::clone(&ending.stop), move || ending.ask()).ok())
}

/// Ctrl-C, SIGTERM or a terminal that goes ends the load early, and it still reports; a second one leaves.
pub(super) async fn signals(ending: Ending) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminated), Ok(mut hung_up)) = (signal(SignalKind::terminate()), signal(SignalKind::hangup())) else {
        return;
    };
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminated.recv() => {}
            _ = hung_up.recv() => {}
        }
        ending.ask();
    }
}

/// A line a second says how it goes.
pub(super) async fn log(stats: Arc<Stats>) {
    let mut before = 0;
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let glance = stats.glance();
        if glance.answered > before {
            let p99 = glance.latency.first().map_or(0.0, |(_, values)| values[2]);
            let (rate, answered) = (glance.answered - before, glance.answered);
            let line = format_args!("{rate:>8}/s   {answered:>9} answered   p99 {p99:.2} ms\n");
            let _gone = std::io::Write::write_fmt(&mut std::io::stderr(), line);
        }
        before = glance.answered;
    }
}
