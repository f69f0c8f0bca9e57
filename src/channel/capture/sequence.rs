//! Several callbacks of one order, one after another.

use serde::{Deserialize, Serialize};

use super::{BadCapture, Capture, CapturedRequest, Judged, replay};
use crate::channel::contract::Channel;
use crate::channel::terms::Terms;
use crate::domain::Millis;

/// What happens next.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum SequenceStep {
    /// A callback comes.
    Notify {
        /// The callback.
        request: CapturedRequest,
    },
    /// The order is there from now on.
    CreateOrder,
}

/// What came of each callback, and how often the goods were handed over.
#[derive(Debug, Clone, Serialize)]
pub struct Replayed {
    /// One for each callback; `duplicate` is answered as `accept` is, and hands over nothing more.
    pub steps: Vec<Judged>,
    /// 0 or 1.
    pub deliveries: u32,
}

/// Runs a capture's steps, as [`replay`] runs one callback.
///
/// # Errors
/// As [`replay`].
pub fn replay_steps(
    capture: &Capture,
    channel: &dyn Channel,
    terms: &Terms,
    now: Millis,
    explain: bool,
) -> Result<Replayed, BadCapture> {
    let comes_later = capture.steps.iter().any(|step| matches!(step, SequenceStep::CreateOrder));
    let order = capture.order.clone().filter(|_| !comes_later);
    let mut one = Capture { steps: Vec::new(), order, ..capture.clone() };
    let mut all = Replayed { steps: Vec::new(), deliveries: 0 };
    for step in &capture.steps {
        let SequenceStep::Notify { request } = step else {
            one.order.clone_from(&capture.order);
            continue;
        };
        one.request = Some(request.clone());
        let mut report = replay(&one, channel, terms, now, explain)?;
        if report.verdict == "accept" {
            if all.deliveries > 0 {
                report.verdict = "duplicate";
            }
            all.deliveries = 1;
        }
        all.steps.push(report);
    }
    Ok(all)
}
