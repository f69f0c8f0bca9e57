//! What a run came to: a text for people, JSON for programs, an `.hgrm` file for plotters.

use std::fmt::Write as _;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::HammerError;
use super::audit::Audit;
use super::engine::Load;
use super::glance::SHOWN;
use super::mix::{RequestKind, SaleStep};
use super::stats::{self, RequestResult, Stats, Totals, millis};
use super::target::Prepared;

/// The load's threads had no time left when they worked for at least this share of it. Measured on two cores: 0.93 where
/// nothing else was slow, 0.13 where the daemon was overloaded on the same machine.
const BUSY: f64 = 0.8;

/// A finished run.
#[derive(Debug, Clone)]
pub struct RunReport {
    /// What was measured.
    pub totals: Totals,
    /// What the audit found; `None` where none was wanted or none was possible.
    pub audit: Option<Audit>,
    /// Why none was possible.
    pub unaudited: Option<String>,
    /// Whether its user ended it early.
    pub interrupted: bool,
    /// Whether its product is off sale again.
    pub off_sale: bool,
    product: String,
    offered: Option<f64>,
    channel: String,
    seed: u64,
}

fn percentiles(histogram: &Histogram<u64>) -> Value {
    let mut all = serde_json::Map::new();
    for (name, percentile) in SHOWN {
        // `null` where there are too few values.
        all.insert(name.to_owned(), json!(stats::percentile(histogram, percentile)));
    }
    all.insert("mean".to_owned(), json!(histogram.mean() / 1000.0));
    Value::Object(all)
}

/// What an audit found, for people.
fn audited(audit: &Audit, text: &mut String) {
    let states: Vec<String> = audit.states.iter().map(|(state, count)| format!("{count} {state}")).collect();
    let _ = writeln!(
        text,
        "audit: {} orders looked up ({}); {} payments acknowledged; {} orders uncertain",
        audit.orders,
        states.join(", "),
        audit.acknowledged,
        audit.uncertain
    );
    for violation in audit.violations.iter().take(50) {
        let _ = writeln!(text, "  {} {}: {}", violation.kind, violation.what, violation.detail);
    }
    let scope = if audit.whole_shop { "the whole shop" } else { "this run alone; --audit-shop counts the whole shop" };
    let verdict = if audit.count == 0 {
        format!("nothing was lost, nothing was sold twice ({scope})")
    } else {
        format!("{} VIOLATIONS", audit.count)
    };
    let _ = writeln!(text, "{verdict}");
}

/// What became of the run's product.
#[must_use]
pub fn off_sale(product: &str, is: bool) -> String {
    if is {
        format!("its product {product} is off sale")
    } else {
        format!("its product {product} COULD NOT BE TAKEN OFF SALE: kamid product retire {product}")
    }
}

impl RunReport {
    pub(super) fn new(
        target: &Prepared,
        load: &Load,
        stats: &Stats,
        audit: Option<Result<Audit, HammerError>>,
        [interrupted, off_sale]: [bool; 2],
    ) -> Self {
        let (audit, unaudited) = match audit {
            Some(Ok(audit)) => (Some(audit), None),
            Some(Err(error)) => (None, Some(error.to_string())),
            None => (None, None),
        };
        Self {
            totals: stats.totals(),
            audit,
            unaudited,
            interrupted,
            product: target.product.clone(),
            offered: load.arrivals.offered().map(|_| stats.totals().offered()),
            off_sale,
            channel: target.channel.to_string(),
            seed: load.seed,
        }
    }

    /// Requests a second that were due; `None` in a closed loop.
    #[must_use]
    pub fn offered(&self) -> Option<f64> {
        self.offered
    }

    /// Whether nothing was found that must not be, and it could be looked for.
    #[must_use]
    pub fn clean(&self) -> bool {
        self.violations() == 0 && self.unaudited.is_none()
    }

    /// Whether anything was found that must not be.
    #[must_use]
    pub fn violations(&self) -> u64 {
        self.audit.as_ref().map_or(0, |audit| audit.count)
    }

    /// Whether it was the load that could not keep to its rate, not the server: it sent late although connections were
    /// free, or its threads had no time left to send and to read. Both are the load's own; a wait for a server that holds
    /// every connection is neither.
    #[must_use]
    pub fn bottleneck(&self) -> bool {
        let late = millis(&self.totals.lag, 99.0) > (millis(&self.totals.latency, 99.0) / 10.0).max(5.0);
        self.offered.is_some_and(|offered| self.totals.rate() < offered * 0.95) && (late || self.totals.busy >= BUSY)
    }

    /// For programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let heard: Vec<Value> = self
            .totals
            .heard
            .iter()
            .map(|((request, heard), count)| {
                json!({"request": request.as_str(), "heard": heard.as_str(), "count": count})
            })
            .collect();
        let seconds: Vec<Value> = self
            .totals
            .seconds
            .iter()
            .map(|second| {
                json!({
                    "answered": second.answered, "success": second.success,
                    "p50_ms": millis(&second.latency, 50.0),
                    // Two digits round up, but never past the highest there was.
                    "p99_ms": millis(&second.latency, 99.0).min(millis(&self.totals.latency, 100.0)),
                })
            })
            .collect();
        let steps: serde_json::Map<String, Value> = SaleStep::ALL
            .into_iter()
            .map(|step| (step.as_str().to_owned(), &self.totals.steps[step as usize]))
            .filter(|(_, latency)| !latency.is_empty())
            .map(|(step, latency)| (step, percentiles(latency)))
            .collect();
        json!({
            "channel": self.channel, "seed": self.seed, "offered_per_second": self.offered,
            "achieved_per_second": self.totals.rate(), "answered": self.totals.answered,
            "unanswered": self.totals.unanswered, "interrupted": self.interrupted, "product": self.product, "product_off_sale": self.off_sale,
            "scheduled": self.totals.scheduled, "latency_ms": percentiles(&self.totals.latency), "steps_ms": steps,
            "own_lateness_ms": percentiles(&self.totals.lag),
            "load_busy": self.totals.busy, "load_was_the_bottleneck": self.bottleneck(), "heard": heard, "seconds": seconds, "audit": self.audit,
            "unaudited": self.unaudited,
        })
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        let totals = &self.totals;
        let offered = self.offered.map_or_else(|| "closed loop".to_owned(), |rate| format!("offered {rate:.0}/s"));
        let visits =
            if totals.scheduled < totals.answered { format!("{} visits: ", totals.scheduled) } else { String::new() };
        let _ = writeln!(
            text,
            "{visits}{} requests{} in {:.1} s through {}: {offered}, achieved {:.0}/s (seed {})",
            totals.answered + totals.unanswered,
            if self.interrupted { ", interrupted," } else { "" },
            totals.took.as_secs_f64(),
            self.channel,
            totals.rate(),
            self.seed,
        );
        let mut rows = vec![("latency", &totals.latency)];
        if totals.has_steps() {
            // What a sale's steps have in common says nothing.
            rows = SaleStep::ALL.map(|step| (step.as_str(), &totals.steps[step as usize])).to_vec();
        }
        rows.push(("own lateness", &totals.lag));
        for (what, histogram) in rows {
            let values: Vec<String> = SHOWN
                .iter()
                .map(|(name, percentile)| match stats::percentile(histogram, *percentile) {
                    Some(value) => format!("{name} {value:.2}"),
                    None => format!("{name} –"),
                })
                .collect();
            let _ = writeln!(text, "{what:<13} ms   {}", values.join("   "));
        }
        for ((request, heard), count) in &totals.heard {
            let _ = writeln!(text, "  {:<9} {:<13} {count}", request.as_str(), heard.as_str());
        }
        let unknown =
            |((_, heard), count): (&(RequestKind, RequestResult), &u64)| if heard.unknown() { *count } else { 0 };
        let failed: u64 = totals.heard.iter().map(unknown).sum();
        if failed > 0 {
            let _ = writeln!(
                text,
                "{failed} failed ({} without any answer); latencies are of the others",
                totals.unanswered
            );
        }
        if self.bottleneck() {
            let _ = writeln!(text, "The load itself was late: it was the bottleneck, not the daemon.");
        }
        if let Some(why) = &self.unaudited {
            let _ = writeln!(text, "COULD NOT BE AUDITED: {why}");
        }
        if let Some(audit) = &self.audit {
            audited(audit, &mut text);
        }
        let _ = writeln!(text, "{}", off_sale(&self.product, self.off_sale));
        text
    }

    /// The latency's distribution in the format of HdrHistogram's plotters, in milliseconds.
    #[must_use]
    pub fn hgrm(&self) -> String {
        let histogram = &self.totals.latency;
        let mut text = String::from("       Value     Percentile TotalCount 1/(1-Percentile)\n\n");
        let mut passed = 0;
        for step in histogram.iter_quantiles(5) {
            passed += step.count_since_last_iteration();
            let (value, quantile) = (step.value_iterated_to() as f64 / 1000.0, step.quantile_iterated_to());
            let _ = if quantile < 1.0 {
                writeln!(text, "{value:12.3} {quantile:14.12} {passed:10} {:14.2}", 1.0 / (1.0 - quantile))
            } else {
                writeln!(text, "{value:12.3} {quantile:14.12} {passed:10}")
            };
        }
        let _ = writeln!(
            text,
            "#[Mean    = {:12.3}, StdDeviation   = {:12.3}]\n#[Max     = {:12.3}, Total count    = {:12}]",
            histogram.mean() / 1000.0,
            histogram.stdev() / 1000.0,
            histogram.max() as f64 / 1000.0,
            histogram.len()
        );
        text
    }
}
