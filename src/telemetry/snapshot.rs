//! The wire format of a snapshot: one second of one instance, one JSON line of `/v1/stream`.
//!
//! Counters only grow (a restart begins at 0 under another `started`); histograms hold this second's values and are to be
//! merged, never averaged; stock is shared by all instances: take it from the freshest snapshot.

use std::collections::BTreeMap;
use std::sync::Arc;

use data_encoding::BASE64;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2Serializer};
use serde::{Deserialize, Serialize};

use super::incident::Brief;
use crate::domain::{Millis, Stock};

/// Version of this format.
pub const FORMAT: u32 = 1;
/// Instances kept; a fleet is smaller, and a stranger in Redis must not fill our memory.
const INSTANCES: usize = 64;

/// A delivery as the dashboard shows it.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Delivery {
    /// Order number.
    pub order: String,
    /// Product.
    pub product: String,
    /// Keys.
    pub quantity: u32,
    /// When.
    pub at: Millis,
    /// From the verified payment to its keys standing durably with the order, in microseconds.
    pub took_us: u64,
}

/// A product's stock, as the dashboard shows it.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct ProductStock {
    /// Product id.
    pub product: String,
    /// Its numbers.
    #[serde(flatten)]
    pub stock: Stock,
}

/// What stands around the counters.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Surroundings {
    /// kamid's version.
    pub kamid: String,
    /// Whether this is test mode.
    pub test: bool,
    /// When the instance started.
    pub started: Millis,
    /// Whether Redis answers.
    pub ready: bool,
    /// A round trip to Redis, µs.
    pub redis_us: u64,
    /// Redis' clock minus what this instance expected, ms.
    pub skew_ms: u64,
    /// Events in the outbox that nobody handled yet, as far as this instance read.
    pub outbox_behind: u64,
    /// Held orders, extra and orphan payments that wait for a person.
    pub waiting: u64,
    /// Stock of every product.
    pub stock: Vec<ProductStock>,
    /// The last deliveries.
    pub deliveries: Vec<Delivery>,
    /// How Redis is.
    pub redis: serde_json::Value,
}

/// One second of one instance.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Snapshot {
    /// [`FORMAT`].
    pub version: u32,
    /// Who.
    pub instance: String,
    /// Counts this instance's snapshots: a gap shows that some were missed.
    pub seq: u64,
    /// When, by Redis' clock.
    pub at: Millis,
    /// `channel/outcome[/reason]` to how many since the start; also `orders`, `expired`.
    pub counters: BTreeMap<String, u64>,
    /// Channel to this second's callback latencies: an HDR histogram of µs (V2, base64).
    pub latency: BTreeMap<String, String>,
    /// Incidents of this second, at most 50.
    pub incidents: Vec<Brief>,
    /// Incidents that were only counted, since the start.
    pub incidents_dropped: u64,
    /// The rest.
    #[serde(flatten)]
    pub surroundings: Surroundings,
}

/// A histogram as text.
#[must_use]
pub fn encode(histogram: &Histogram<u64>) -> String {
    let mut bytes = Vec::new();
    match V2Serializer::new().serialize(histogram, &mut bytes) {
        Ok(_) => BASE64.encode(&bytes),
        Err(_) => String::new(),
    }
}

/// A histogram from its text; `None` where it is none.
#[must_use]
pub fn decode(text: &str) -> Option<Histogram<u64>> {
    let bytes = BASE64.decode(text.as_bytes()).ok()?;
    Deserializer::new().deserialize(&mut bytes.as_slice()).ok()
}

/// The newest snapshot of each instance, as the lines they are sent as.
#[derive(Debug, Clone, Default)]
pub struct Fleet(pub BTreeMap<String, (u64, Arc<str>)>);

impl Fleet {
    /// Takes a line in, if it is a snapshot and newer than what is there.
    pub fn take(&mut self, line: String) {
        #[derive(Deserialize)]
        struct Head {
            instance: String,
            seq: u64,
            at: Millis,
        }
        let Ok(head) = serde_json::from_str::<Head>(&line) else { return };
        // `at` first, so that an instance that was started again and counts from 0 is newer all the same.
        let rank = head.at.max(head.seq);
        match self.0.get(&head.instance) {
            Some((known, _)) if *known >= rank => {}
            None if self.0.len() >= INSTANCES => {}
            _ => {
                self.0.insert(head.instance, (rank, line.into()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histograms_read_back_and_add_up() {
        let mut a = Histogram::<u64>::new_with_bounds(1, 1_000_000, 3).unwrap();
        a.record(250).unwrap();
        let mut sum = decode(&encode(&a)).unwrap();
        sum.add(&a).unwrap();
        assert_eq!((sum.len(), sum.max() / 10), (2, 25));
        assert!(decode("no").is_none());
    }
}
