//! What happened, in one place: [`Telemetry::record`] logs, counts and keeps it for the snapshot.
//!
//! May touch `metrics`. Invariant: nothing recorded holds a key, a token, a signature's secret or an unmasked contact;
//! every table here has a bound.

pub mod counters;
pub mod fleet;
pub mod incident;
pub mod log;

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::sync::watch;

use crate::config::Limits;
pub use crate::domain::snapshot;
use crate::domain::{CallbackOutcome, Millis, NoticeState, Rejection, Trouble};
use fleet::FleetLines;
use incident::{Incident, IncidentLog};
use snapshot::{ChannelState, Delivery, NoticeCounts, NoticeRow, Snapshot, StockAlarms, StockRow};

/// One thing that happened.
#[derive(Debug)]
pub enum Observation<'a> {
    /// A callback was answered.
    Callback {
        /// Its channel; empty for an unknown one.
        channel: &'a str,
        /// What became of it.
        outcome: CallbackOutcome,
        /// Why, for the rejected and the held.
        reason: Option<Rejection>,
        /// From its first byte to its answer.
        took: Duration,
        /// Where it came from.
        address: IpAddr,
    },
    /// An order's keys became its buyer's.
    Delivered(Delivery),
    /// A notice was tried.
    Notice {
        /// How it went.
        row: NoticeRow,
        /// From the payment, where that says something.
        took: Option<Duration>,
    },
    /// An order was made.
    Ordered {
        /// Product.
        product: &'a str,
    },
    /// An order expired.
    Expired,
    /// Something an operator should see.
    Incident(Box<Incident>),
}

/// Incidents in one snapshot.
const FRESH: usize = 50;
/// Addresses told apart of one channel's callbacks.
const ADDRESSES: usize = 1000;

/// How often one kind of ending came, and the handle of its metric: looking one up by its labels at each callback
/// would cost more than counting.
struct Tally {
    outcome: &'static str,
    reason: &'static str,
    count: u64,
    metric: metrics::Counter,
}

/// What one channel's callbacks came to.
struct Endings {
    tallies: Vec<Tally>,
    latency: Histogram<u64>,
    seconds: metrics::Histogram,
    last: Instant,
    addresses: HashSet<IpAddr>,
}

#[derive(Default)]
struct State {
    counters: BTreeMap<String, u64>,
    endings: BTreeMap<String, Endings>,
    delivered: Option<Histogram<u64>>,
    deliveries: VecDeque<Delivery>,
    noticed: Option<Histogram<u64>>,
    notices: VecDeque<NoticeRow>,
    waiting: Option<NoticeCounts>,
    fresh: Vec<String>,
    stock: Arc<(Vec<StockRow>, StockAlarms)>,
}

/// A histogram as text, and empty from now on.
fn emptied(histogram: &mut Option<Histogram<u64>>) -> String {
    match histogram {
        Some(histogram) if !histogram.is_empty() => {
            let text = snapshot::encode(histogram);
            histogram.reset();
            text
        }
        _ => String::new(),
    }
}

/// What stands now, for whoever watches the metrics.
fn gauge(rest: &snapshot::Surroundings) {
    metrics::gauge!("kamid_review_waiting").set(rest.waiting as f64);
    metrics::gauge!("kamid_redis_ready").set(f64::from(u8::from(rest.ready)));
}

/// Stock as gauges. Written here, since a recorder forgets no label: a product that left would stay for ever.
fn stock_gauges(rows: &[StockRow], alarms: &StockAlarms) -> String {
    let mut text = String::new();
    if rows.is_empty() {
        return text;
    }
    text.push_str("# TYPE kamid_stock_keys gauge\n");
    for StockRow { product, stock, .. } in rows {
        for (kind, keys) in
            [("pool", stock.pool), ("reserved", stock.reserved), ("given", stock.given), ("voided", stock.voided)]
        {
            // An id has neither quotes nor backslashes.
            let _never = writeln!(text, "kamid_stock_keys{{product=\"{product}\",kind=\"{kind}\"}} {keys}");
        }
    }
    text.push_str("\n# TYPE kamid_owed_orders gauge\n");
    for StockRow { product, stock, .. } in rows {
        let _never = writeln!(text, "kamid_owed_orders{{product=\"{product}\"}} {}", stock.owed);
    }
    // Of all products, however many have gauges of their own.
    text.push_str("\n# TYPE kamid_stock_alarms gauge\n");
    for word in Trouble::ALL.map(Trouble::as_str) {
        let products = alarms.0.get(word).map_or(0, |alarm| alarm.products);
        let _never = writeln!(text, "kamid_stock_alarms{{kind=\"{word}\"}} {products}");
    }
    text
}

impl Tally {
    /// `channel/outcome[/reason]`
    fn name(&self, channel: &str) -> String {
        let mark = if self.reason.is_empty() { "" } else { "/" };
        format!("{channel}/{}{mark}{}", self.outcome, self.reason)
    }
}

impl Endings {
    fn new() -> Option<Self> {
        let latency = snapshot::histogram()?;
        let seconds = metrics::histogram!("kamid_callback_seconds");
        Some(Self { tallies: Vec::new(), latency, seconds, last: Instant::now(), addresses: HashSet::new() })
    }

    fn tally(&mut self, channel: &str, outcome: &'static str, reason: &'static str) -> &mut Tally {
        let known = self.tallies.iter().position(|tally| tally.outcome == outcome && tally.reason == reason);
        let at = known.unwrap_or_else(|| {
            let labels =
                [("channel", channel.to_owned()), ("outcome", outcome.to_owned()), ("reason", reason.to_owned())];
            let metric = metrics::counter!("kamid_callbacks_total", &labels);
            self.tallies.push(Tally { outcome, reason, count: 0, metric });
            self.tallies.len() - 1
        });
        &mut self.tallies[at]
    }
}

/// Counters, histograms, the last incidents and deliveries of this instance, and the newest snapshot of every instance.
pub struct Telemetry {
    /// This instance's name.
    pub instance: String,
    state: Mutex<State>,
    /// Failed callbacks, with their requests.
    pub incidents: IncidentLog,
    prometheus: PrometheusHandle,
    fleet: watch::Sender<FleetLines>,
    seq: AtomicU64,
}

impl Telemetry {
    /// Begins to count; incidents are also written under `data`.
    ///
    /// # Panics
    /// Never: a second instance in one process keeps its own counters without a global recorder.
    #[must_use]
    pub fn new(instance: String, data: Option<&Path>, limits: &Limits) -> Self {
        let buckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];
        let builder = PrometheusBuilder::new();
        let builder = builder
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &buckets)
            .unwrap_or_else(|_| PrometheusBuilder::new());
        let recorder = builder.build_recorder();
        let prometheus = recorder.handle();
        let _second = metrics::set_global_recorder(recorder);
        Self {
            incidents: IncidentLog::new(&instance, data, limits),
            instance,
            state: Mutex::new(State {
                delivered: snapshot::histogram(),
                noticed: snapshot::histogram(),
                ..State::default()
            }),
            prometheus,
            fleet: watch::Sender::new(FleetLines::default()),
            seq: AtomicU64::new(0),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of something: once, for every ending.
    pub fn record(&self, event: Observation<'_>) {
        match event {
            Observation::Callback { channel, outcome, reason, took, address } => {
                self.callback(channel, outcome.as_str(), reason, took, address);
            }
            Observation::Delivered(delivery) => {
                metrics::counter!("kamid_keys_delivered_total").increment(u64::from(delivery.quantity));
                metrics::histogram!("kamid_paid_to_delivered_seconds").record(delivery.took_us as f64 / 1e6);
                let mut state = self.state();
                *state.counters.entry("delivered".to_owned()).or_default() += 1;
                if let Some(delivered) = &mut state.delivered {
                    delivered.saturating_record(delivery.took_us.max(1));
                }
                if state.deliveries.len() >= snapshot::DELIVERIES {
                    state.deliveries.pop_front();
                }
                state.deliveries.push_back(delivery);
            }
            Observation::Notice { row, took } => self.notice(row, took),
            Observation::Ordered { product } => {
                metrics::counter!("kamid_orders_total", "product" => product.to_owned()).increment(1);
                *self.state().counters.entry("orders".to_owned()).or_default() += 1;
            }
            Observation::Expired => {
                metrics::counter!("kamid_orders_expired_total").increment(1);
                *self.state().counters.entry("expired".to_owned()).or_default() += 1;
            }
            Observation::Incident(incident) => {
                metrics::counter!("kamid_incidents_total", "reason" => incident.reason.to_string()).increment(1);
                tracing::warn!(id = %incident.id, reason = %incident.reason, channel = %incident.channel, address = %incident.address, "An incident was noted.");
                let mut state = self.state();
                // Half of them are left for what no stranger can send.
                let most = if incident.is_strangers() { FRESH / 2 } else { FRESH };
                if state.fresh.len() < most {
                    state.fresh.push(incident.id.clone());
                }
                drop(state);
                self.incidents.push(*incident);
            }
        }
    }

    fn notice(&self, row: NoticeRow, took: Option<Duration>) {
        let outcome = match row.state {
            NoticeState::Sent => "sent",
            NoticeState::Waiting => "failed",
            NoticeState::Dead => "dead",
            NoticeState::Dropped => "dropped",
        };
        metrics::counter!("kamid_notices_total", "notifier" => row.by.clone(), "outcome" => outcome).increment(1);
        let mut state = self.state();
        *state.counters.entry(format!("notices_{outcome}")).or_default() += 1;
        if let Some(took) = took {
            metrics::histogram!("kamid_paid_to_notice_seconds").record(took.as_secs_f64());
            if let Some(noticed) = &mut state.noticed {
                noticed.saturating_record((took.as_micros() as u64).max(1));
            }
        }
        if state.notices.len() >= snapshot::DELIVERIES {
            state.notices.pop_front();
        }
        state.notices.push_back(row);
    }

    /// What waits to be sent, as the instance that sends counted it; `None` on the others.
    pub fn notices(&self, waiting: Option<NoticeCounts>) {
        self.state().waiting = waiting;
    }

    fn callback(
        &self,
        channel: &str,
        outcome: &'static str,
        reason: Option<Rejection>,
        took: Duration,
        address: IpAddr,
    ) {
        let reason = reason.map_or("", Rejection::as_str);
        let micros = took.as_micros() as u64;
        tracing::debug!(channel, outcome, reason, micros, "Answered a callback.");
        let mut state = self.state();
        if !state.endings.contains_key(channel)
            && let Some(endings) = Endings::new()
        {
            state.endings.insert(channel.to_owned(), endings);
        }
        if let Some(endings) = state.endings.get_mut(channel) {
            endings.latency.saturating_record(micros.max(1));
            endings.seconds.record(took.as_secs_f64());
            endings.last = Instant::now();
            if endings.addresses.len() < ADDRESSES {
                endings.addresses.insert(address);
            }
            let tally = endings.tally(channel, outcome, reason);
            tally.count += 1;
            tally.metric.increment(1);
        }
    }

    /// Everything for Prometheus, as text.
    #[must_use]
    pub fn prometheus(&self) -> String {
        self.prometheus.run_upkeep();
        let stock = Arc::clone(&self.state().stock);
        self.prometheus.render() + &stock_gauges(&stock.0, &stock.1)
    }

    /// The stock that Prometheus hears of: the most endangered products, and what is wrong with any.
    pub fn stock(&self, rows: Vec<StockRow>, alarms: StockAlarms) {
        self.state().stock = Arc::new((rows, alarms));
    }

    /// How these channels, by name and kind, are called.
    pub fn channels<'a>(
        &self,
        now: Millis,
        known: impl Iterator<Item = (&'a str, &'static str)>,
    ) -> BTreeMap<String, ChannelState> {
        let state = self.state();
        let of = |(name, kind): (&str, &str)| {
            let endings = state.endings.get(name);
            let channel = ChannelState {
                kind: kind.to_owned(),
                last: endings.map_or(0, |endings| now.saturating_sub(endings.last.elapsed().as_millis() as u64)),
                addresses: endings.map_or(0, |endings| endings.addresses.len() as u32),
            };
            (name.to_owned(), channel)
        };
        known.map(of).collect()
    }

    /// This second's snapshot: counters as they stand, histograms since the last one.
    #[must_use]
    pub fn tick(&self, now: Millis, rest: snapshot::Surroundings) -> Snapshot {
        // Or every sample would stay in memory until somebody asks for the metrics.
        self.prometheus.run_upkeep();
        gauge(&rest);
        let (log_lost, log_lost_ago) = log::lost();
        metrics::counter!("kamid_log_lost_total").absolute(log_lost);
        let mut state = self.state();
        let mut counters = state.counters.clone();
        let mut latency = BTreeMap::new();
        for (channel, endings) in &mut state.endings {
            counters.extend(endings.tallies.iter().map(|tally| (tally.name(channel), tally.count)));
            if !endings.latency.is_empty() {
                latency.insert(channel.clone(), snapshot::encode(&endings.latency));
                endings.latency.reset();
            }
        }
        let delivered = emptied(&mut state.delivered);
        let noticed = emptied(&mut state.noticed);
        let notices = std::mem::take(&mut state.notices).into();
        let deliveries = std::mem::take(&mut state.deliveries).into();
        let fresh = std::mem::take(&mut state.fresh);
        let incidents = fresh.iter().filter_map(|id| self.incidents.get(id)).map(|i| i.brief()).collect();
        Snapshot {
            version: snapshot::FORMAT,
            instance: self.instance.clone(),
            seq: self.seq.fetch_add(1, Ordering::Relaxed),
            at: now,
            counters,
            latency,
            delivered,
            noticed,
            notices,
            notices_waiting: state.waiting,
            deliveries,
            incidents,
            incidents_dropped: self.incidents.dropped(),
            log_lost,
            log_lost_at: log_lost_ago.map_or(0, |ago| now.saturating_sub(ago.as_millis() as u64)),
            surroundings: rest,
        }
    }

    /// Takes an instance's newest snapshot into the fleet's.
    pub fn publish(&self, line: String) {
        self.fleet.send_modify(|fleet| fleet.take(line, Instant::now()));
    }

    /// The other instance that an incident's id begins with, if it was heard of lately.
    #[must_use]
    pub fn whose_incident(&self, id: &str) -> Option<String> {
        let prefix = id.split('-').next().filter(|prefix| prefix.len() == incident::PREFIX)?;
        let fleet = self.fleet.borrow();
        fleet.names().find(|name| name.starts_with(prefix) && **name != self.instance).map(str::to_owned)
    }

    /// Other instances that live (were heard of within `live`) and do not hold this part of the key ring.
    #[must_use]
    pub fn lacking(&self, part: &str, check: Option<&String>, live: Duration) -> Vec<String> {
        #[derive(serde::Deserialize)]
        struct Held {
            #[serde(default)]
            ring: std::collections::BTreeMap<String, String>,
        }
        let since = Instant::now().checked_sub(live).unwrap_or_else(Instant::now);
        let fleet = self.fleet.borrow();
        let holds = |line: &str| serde_json::from_str::<Held>(line).is_ok_and(|held| held.ring.get(part) == check);
        let lacking = fleet.heard_since(since).filter(|(name, line)| **name != self.instance && !holds(line));
        lacking.map(|(name, _)| name.to_owned()).collect()
    }

    /// Follows the fleet's snapshots.
    #[must_use]
    pub fn follow(&self) -> watch::Receiver<FleetLines> {
        self.fleet.subscribe()
    }
}
