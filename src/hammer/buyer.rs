//! What a buyer does after his order: he thinks, the gateway calls back, and he looks until he has his keys.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::engine::{PATIENCE, Run, Sent, Timing};
use super::message;
use super::mix::{RequestKind, Ticket};
use super::stats::RequestResult;
use super::wire::Wire;

/// Between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// Most looks of one buyer.
const LOOKS: u32 = 40;
/// What the timer that ends a pause is exact to.
const GRAIN: Duration = Duration::from_millis(2);
/// Nobody thinks longer than this many times the average.
const LONGEST: f64 = 8.0;

/// One buyer's visit from his order on; ends early when the run does.
pub(super) async fn after_order(run: Arc<Run>, visit: u32) -> Sent {
    let mut sent = Sent::default();
    let Some(due) = pause(&run, think(run.think, run.seed, visit)).await else { return sent };
    if pay(&run, visit, due, &mut sent).await != RequestResult::Success {
        return sent;
    }
    let mut wire = Wire::new(run.target.address, run.target.buyer(visit));
    let mut due = Instant::now();
    for _ in 0..LOOKS {
        if look(&run, visit, due, &mut wire, &mut sent).await != RequestResult::Pending {
            break;
        }
        let Some(again) = pause(&run, LOOK_AGAIN).await else { break };
        due = again;
    }
    sent
}

/// An exponential time of that average, bounded; the same for the same seed and visit.
fn think(average: Duration, seed: u64, visit: u32) -> Duration {
    let mut chance = fastrand::Rng::with_seed(seed ^ (u64::from(visit) << 20) ^ 0x5bd1_e995);
    average.mul_f64((-(1.0 - chance.f64()).ln()).min(LONGEST))
}

/// Waits so long; the instant at which it was over, or `None` when the run ends first. The timer's grain is no lateness:
/// the pause was somewhat longer; what comes on top of it is.
async fn pause(run: &Run, long: Duration) -> Option<Instant> {
    let until = Instant::now() + long;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if run.stopped() {
            return None;
        }
        if left.is_zero() {
            return Some(Instant::now().min(until + GRAIN));
        }
        // In parts, so that a stop is seen.
        tokio::time::sleep(left.min(Duration::from_millis(100))).await;
    }
}

/// When it was due, and how late the load is with it: a wait for a permit is not its own.
async fn permitted(run: &Run, due: Instant) -> (tokio::sync::SemaphorePermit<'_>, Timing) {
    let own = due.elapsed();
    // The semaphore is never closed.
    let permit = loop {
        if let Ok(permit) = run.permits.acquire().await {
            break permit;
        }
    };
    (permit, Timing { due, lag: own, scheduled: false })
}

/// The gateway's callback for the visit's order.
async fn pay(run: &Run, visit: u32, due: Instant, sent: &mut Sent) -> RequestResult {
    let ticket = Ticket { visit, request: RequestKind::Right };
    let Some(request) = run.target.request(ticket) else { return RequestResult::Other };
    let (_permit, timing) = permitted(run, due).await;
    let mut wire = run.gateway_wire();
    let heard = match wire.exchange(&request, false, PATIENCE).await {
        Ok(answer) => run.target.heard(&answer),
        Err(silence) => silence.into(),
    };
    run.gateway_free(wire);
    run.record(ticket, heard, &timing);
    sent.add(ticket, heard);
    heard
}

/// One look of the buyer.
async fn look(run: &Run, visit: u32, due: Instant, wire: &mut Wire, sent: &mut Sent) -> RequestResult {
    let ticket = Ticket { visit, request: RequestKind::Look };
    let Some(request) = run.target.request(ticket) else { return RequestResult::Other };
    let (_permit, timing) = permitted(run, due).await;
    let (heard, keys) = match wire.exchange(&request, false, PATIENCE).await {
        Ok(answer) => message::looked(&answer),
        Err(silence) => (silence.into(), Vec::new()),
    };
    run.record(ticket, heard, &timing);
    sent.add(ticket, heard);
    if heard == RequestResult::Delivered {
        sent.shown.insert(visit, keys);
    }
    heard
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buyers_think_as_long_as_they_should_on_average_and_none_for_ever() {
        let average = Duration::from_millis(500);
        let times: Vec<Duration> = (0..20_000).map(|visit| think(average, 7, visit)).collect();
        let mean = times.iter().sum::<Duration>().as_secs_f64() / times.len() as f64;
        assert!((mean / 0.5 - 1.0).abs() < 0.03, "{mean}");
        let below = times.iter().filter(|time| **time < average).count() as f64 / times.len() as f64;
        assert!((0.61..0.65).contains(&below), "exponential: 63 % are below the average, not {below}");
        assert!(times.iter().all(|time| *time <= average.mul_f64(LONGEST)));
        assert_eq!(think(average, 7, 3), times[3]);
        assert_eq!(think(Duration::ZERO, 7, 3), Duration::ZERO);
    }
}
