//! What runs by itself on every instance, each at its own pace, until the daemon stops.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::domain::Millis;
use crate::shop::Shop;

/// Waits; `false` when it is time to stop instead.
pub(super) async fn pause(time: Duration, stop: &mut watch::Receiver<bool>) -> bool {
    tokio::select! {
        () = tokio::time::sleep(time) => true,
        _ = stop.changed() => false,
    }
}

/// What the loops have to know beside the shop.
#[derive(Debug, Clone)]
pub struct Loops {
    /// When the daemon started.
    pub started: Millis,
    /// Where the embedded Redis writes.
    pub disk: Option<PathBuf>,
    /// A stock that is empty within so many minutes is told of.
    pub soon_minutes: u64,
}

impl Shop {
    /// Starts all that runs by itself.
    pub fn start(self: &Arc<Self>, loops: &mut JoinSet<()>, plan: Loops, stop: &watch::Receiver<bool>) {
        let Loops { started, disk, soon_minutes } = plan;
        let shop = || (Arc::clone(self), stop.clone());
        let (sweeper, until) = shop();
        loops.spawn(sweeper.sweep_forever(until, disk));
        let (reader, until) = shop();
        loops.spawn(reader.outbox_forever(until));
        if self.limits.asks_per_second > 0 {
            let (asker, until) = shop();
            loops.spawn(asker.lost_forever(until));
        }
        let (teller, until) = shop();
        loops.spawn(teller.snapshot_forever(started, until));
        let (hearer, until) = shop();
        loops.spawn(hearer.follow_forever(until));
        let (board, until) = shop();
        loops.spawn(board.board_forever(soon_minutes, until));
        let (mirrors, until) = shop();
        loops.spawn(mirrors.share_forever(until));
        let (ring, until) = shop();
        loops.spawn(ring.ring_forever(until));
    }
}
