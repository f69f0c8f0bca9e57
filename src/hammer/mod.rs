//! `kamid hammer`: load of signed callbacks that does not lie, and an audit of what became of it.
//!
//! Speaks to a daemon as the world does: callbacks and buyers over its public HTTP, preparation and audit over its admin
//! HTTP, never Redis. `schedule` and `mix` are pure: what is due when, and what it is. `engine` sends it, and `buyer` what
//! follows from an order; `message` is what is said on the `wire`; `stats` counts; `screen` shows a `glance` of it; `audit`
//! holds what gateway and buyers were told against what is stored. Invariant: an open-loop request's latency counts from
//! the instant it was due, not from when a connection was free for it: a server that stalls is not excused by a load that
//! waits for it.

pub mod audit;
mod buyer;
pub mod engine;
pub mod glance;
pub mod limit;
mod message;
pub mod mix;
pub mod report;
pub mod schedule;
pub mod screen;
pub mod stats;
pub mod target;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::client::ClientError;

pub use audit::Audit;
pub use engine::{Arrivals, Load};
pub use mix::{Mix, VisitKind};
pub use report::RunReport;
pub use schedule::{Schedule, Shape};
pub use screen::{Screen, Show};
pub use stats::Stats;
pub use target::{Prepared, RunOptions};

/// Most requests of one run.
pub const MOST: u64 = 20_000_000;

/// Why a run did not happen.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum HammerError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("{0} is in live mode: real money. Hammer a daemon in test mode, or say --yes-this-is-live")]
    Live(String),
    #[error("{0} is not on this machine: load it only if it is yours, and say --allow-remote")]
    Remote(String),
    #[error("{0}")]
    Wrong(String),
}

/// What is counted again after a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audited {
    /// Nothing.
    No,
    /// What the run made: its orders and its product.
    Run,
    /// The whole shop too.
    Shop,
}

/// How long an audit waits for a daemon that is not ready.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a load against a prepared target and audits what became of it; then the run's product is not for sale any more.
/// A daemon that cannot be audited is told in the report: what was measured is not lost with it.
pub async fn run(
    target: &Prepared,
    load: &Load,
    stats: &Arc<Stats>,
    stop: &Arc<AtomicBool>,
    audited: Audited,
) -> RunReport {
    let sent = engine::run(target, load, Arc::clone(stats), Arc::clone(stop)).await;
    let interrupted = stop.load(Ordering::Relaxed);
    let audit = match audited {
        Audited::No => None,
        Audited::Run => Some(audit::audit(target, &sent, PATIENCE).await),
        Audited::Shop => Some(whole(target, &sent).await),
    };
    let off_sale = target.retire().await;
    RunReport::new(target, load, stats, audit, [interrupted, off_sale])
}

async fn whole(target: &Prepared, sent: &engine::Sent) -> Result<Audit, HammerError> {
    let mut audit = audit::audit(target, sent, PATIENCE).await?;
    audit::shop(target, &mut audit).await?;
    Ok(audit)
}
