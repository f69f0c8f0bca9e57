//! The wire format of a snapshot: one second of one instance, one JSON line of `/v1/stream`.
//!
//! Counters only grow (a restart begins at 0 under another `started`); histograms hold this second's values and are to be
//! merged, never averaged; stock is shared by all instances: take it from the freshest snapshot.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer as Unpacker, Serializer, V2Serializer};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

use super::{Danger, Doubt, IncidentBrief, Millis, NoticeState, RedisHealth, Stock, Trouble};

/// Version of this format.
pub const FORMAT: u32 = 2;
/// Seconds of history that a stream begins with, at most: `/v1/stream?history=900`.
pub const HISTORY_SECONDS: u64 = 900;
/// Longest filter of a stream's stock, in bytes.
pub const FILTER_BYTES: usize = 200;
/// Deliveries told in one snapshot; of more, the newest.
pub const DELIVERIES: usize = 10;
/// Longest latency told apart, in microseconds.
pub const LONGEST_US: u64 = 60_000_000;

/// A list for people to look at: what cannot be read of it is left out, and the rest is shown. Never for what is counted
/// or compared, where a line less is a wrong answer.
///
/// # Errors
/// What is no list.
pub fn shown<'de, D, T>(source: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let list = Vec::<serde_json::Value>::deserialize(source)?;
    Ok(list.into_iter().filter_map(|item| serde_json::from_value(item).ok()).collect())
}

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

/// A notice and how its last try went, as the dashboard shows it.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct NoticeRow {
    /// Order number; of an operator's notice `topic:notifier:about`.
    pub order: String,
    /// Product.
    pub product: String,
    /// The buyer's contact, masked; of an operator's notice its topic.
    pub contact: String,
    /// Where it stands.
    pub state: NoticeState,
    /// How often it was tried.
    pub tries: u32,
    /// When that changed.
    pub at: Millis,
    /// When it is tried next; 0: it is not.
    pub next: Millis,
    /// The notifier that tried it.
    pub by: String,
    /// Why it failed.
    pub why: String,
}

/// How many notices are on their way.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, PartialEq, Eq)]
pub struct NoticeCounts {
    /// To be sent, now or again.
    pub waiting: u64,
    /// Given up.
    pub dead: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// A product's stock, as the dashboard shows it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct StockRow {
    /// Product id.
    pub product: String,
    /// What buyers read.
    pub name: String,
    /// Its numbers.
    #[serde(flatten)]
    pub stock: Stock,
    /// Fewer available keys than this are an alarm; 0 (left out): none was set.
    #[serde(skip_serializing_if = "is_zero")]
    pub low: u64,
    /// Keys given to buyers an hour, over the last ten minutes.
    pub hourly: u64,
    /// No new orders; left out where there may be.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub retired: bool,
}

/// What is the same matter at one product or several, with the one where it is worst.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct StockAlarm {
    /// How many products.
    pub products: u64,
    /// The worst of them.
    pub product: String,
    /// Its orders that wait, keys that are left or held, or seconds until it is empty.
    pub figure: u64,
}

/// What there is to tell of the stock of many products, by [`Trouble`]'s word.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(transparent)]
pub struct StockAlarms(pub BTreeMap<String, StockAlarm>);

impl StockAlarms {
    /// Of all products there are, by their ids; `soon_seconds`: when a stock that sells is in danger.
    pub fn of<'a>(all: impl Iterator<Item = (Danger, &'a Stock, &'a str)>, soon_seconds: u64) -> Self {
        let mut worst: BTreeMap<Trouble, (u64, Danger, &Stock, &str)> = BTreeMap::new();
        for (danger, stock, product) in all {
            let Some(trouble) = danger.trouble(soon_seconds) else { continue };
            let known = worst.entry(trouble).or_insert((0, danger, stock, product));
            known.0 += 1;
            if (danger, std::cmp::Reverse(product)) > (known.1, std::cmp::Reverse(known.3)) {
                (known.1, known.2, known.3) = (danger, stock, product);
            }
        }
        let alarms = worst.into_iter().map(|(trouble, (products, danger, stock, product))| {
            let figure = match trouble {
                Trouble::Owed => danger.owed,
                Trouble::Empty => 0,
                Trouble::Reserved => stock.pool,
                Trouble::Low => danger.available,
                Trouble::Soon => danger.empties_in_seconds.unwrap_or(0),
            };
            (trouble.as_str().to_owned(), StockAlarm { products, product: product.to_owned(), figure })
        });
        Self(alarms.collect())
    }
}

/// Stock of the products that a reader of `/v1/stream?stock=N&filter=TEXT` asked for: the N most endangered of those
/// whose id or name holds the text. Sent beside the snapshots as `{"stock": …}`, and only what changed.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct StockLine {
    /// When, by Redis' clock.
    pub at: Millis,
    /// Products in the catalogue.
    pub products: u64,
    /// Of those, which fit the filter.
    pub matching: u64,
    /// Rows that are new or have changed since the last line.
    pub rows: Vec<StockRow>,
    /// Products that are no longer among the N.
    pub gone: Vec<String>,
    /// What is wrong with the stock of any product, asked for or not; a daemon of before told nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alarms: Option<StockAlarms>,
}

/// A network that holds many keys in unpaid orders.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct Holder {
    /// An address, or the /64 of an IPv6 one.
    pub network: String,
    /// Keys.
    pub keys: u64,
    /// Orders.
    pub orders: u64,
}

/// What one channel's callbacks are like, beside their counts.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct ChannelState {
    /// Its kind, such as `epay_v1`.
    pub kind: String,
    /// When its last callback came; 0: none since the start.
    pub last: Millis,
    /// Addresses that its callbacks came from since the start, counted up to a thousand.
    pub addresses: u32,
}

/// What stands around the counters.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Surroundings {
    /// kamid's version.
    pub kamid: String,
    /// Whether this is test mode.
    pub test: bool,
    /// When the instance started.
    pub started: Millis,
    /// Whether Redis answers.
    pub ready: bool,
    /// Whether fewer replicas than configured have what was written.
    pub copies_missing: bool,
    /// Why no new orders and keys are taken, if so.
    pub full: Option<String>,
    /// Why nothing is drawn from the store, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doubt: Option<Doubt>,
    /// What was changed in Redis' settings so that payments could be lost, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub careless: Option<String>,
    /// Why this instance's key ring is not this store's, if it is not: it sells nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_ring: Option<String>,
    /// A round trip to Redis, µs.
    pub redis_us: u64,
    /// How far Redis' clock is from what this instance expected, ms.
    pub skew_ms: u64,
    /// How long this instance expires no orders since it does not believe Redis' clock, seconds.
    pub stopped_s: u64,
    /// Events in the outbox that nobody handled yet, as far as this instance read.
    pub outbox_behind: u64,
    /// Held orders, extra and orphan payments that wait for a person.
    pub waiting: u64,
    /// The network that holds most keys unpaid, where it holds as many as an operator is to be told of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder: Option<Holder>,
    /// The daemon's own memory, bytes.
    pub memory_bytes: u64,
    /// Every configured channel.
    pub channels: BTreeMap<String, ChannelState>,
    /// How Redis is.
    pub redis: RedisHealth,
    /// Check values of the key ring's parts: a new key is used once all instances hold it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub ring: BTreeMap<String, String>,
}

/// One second of one instance.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Snapshot {
    /// [`FORMAT`].
    pub version: u32,
    /// Who.
    pub instance: String,
    /// Counts this instance's snapshots: a gap shows that some were missed.
    pub seq: u64,
    /// When, by Redis' clock.
    pub at: Millis,
    /// `channel/outcome[/reason]` to how many since the start; also `orders`, `expired`, `delivered` (orders).
    pub counters: BTreeMap<String, u64>,
    /// Channel to this second's callback latencies: an HDR histogram of µs (two digits, V2, base64).
    pub latency: BTreeMap<String, String>,
    /// This second's times from verified payment to delivered; such a histogram, or empty.
    #[serde(default)]
    pub delivered: String,
    /// This second's times from payment to sent notice; such a histogram, or empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub noticed: String,
    /// Notices tried in this second, the newest [`DELIVERIES`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[serde(deserialize_with = "shown")]
    pub notices: Vec<NoticeRow>,
    /// What waits to be sent; only of the instance that sends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notices_waiting: Option<NoticeCounts>,
    /// Incidents of this second, at most 50.
    #[serde(deserialize_with = "shown")]
    pub incidents: Vec<IncidentBrief>,
    /// Incidents that were only counted, since the start.
    pub incidents_dropped: u64,
    /// Lines of the log that could not be written, since the start.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub log_lost: u64,
    /// When the last of them was lost; now, as long as the log cannot be written.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub log_lost_at: Millis,
    /// Deliveries of this second, the newest [`DELIVERIES`].
    #[serde(default)]
    pub deliveries: Vec<Delivery>,
    /// The rest.
    #[serde(flatten)]
    pub surroundings: Surroundings,
}

/// An empty histogram of the form that snapshots carry: µs from 1 to [`LONGEST_US`], two significant digits.
#[must_use]
pub fn histogram() -> Option<Histogram<u64>> {
    Histogram::new_with_bounds(1, LONGEST_US, 2).ok()
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

/// A histogram from its text; `None` where it is none of the form that [`encode`] writes of values up to a day: what a
/// stranger's head says would be asked of the memory before anything else is read.
#[must_use]
pub fn decode(text: &str) -> Option<Histogram<u64>> {
    const V2: u64 = 0x1c84_9313;
    const DAY_US: u64 = 86_400_000_000;
    let bytes = BASE64.decode(text.as_bytes()).ok()?;
    let number =
        |from: usize, to: usize| Some(bytes.get(from..to)?.iter().fold(0u64, |sum, b| (sum << 8) | u64::from(*b)));
    let (cookie, length, digits, highest) = (number(0, 4)?, number(4, 8)?, number(12, 16)?, number(24, 32)?);
    // Nine full bytes are a count that no instance reaches, and that the reader cannot negate.
    let past_all_counts = bytes.windows(9).any(|nine| nine == [0xff; 9]);
    if cookie != V2 || length > bytes.len() as u64 || digits > 3 || highest > DAY_US || past_all_counts {
        return None;
    }
    Unpacker::new().deserialize(&mut bytes.as_slice()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_read_though_a_newer_daemon_says_more_in_it() {
        let row = NoticeRow {
            order: "A".to_owned(),
            product: String::new(),
            contact: String::new(),
            state: NoticeState::Dead,
            tries: 1,
            at: 0,
            next: 0,
            by: String::new(),
            why: String::new(),
        };
        let mut second = serde_json::to_value(Snapshot::default()).unwrap();
        second["notices"] = serde_json::json!([{"state": "melted"}, 7, row]);
        second["doubt"] = serde_json::json!({"cause": "sun_spots"});
        let read: Snapshot = serde_json::from_value(second).unwrap();
        let orders: Vec<&str> = read.notices.iter().map(|notice| notice.order.as_str()).collect();
        assert_eq!(orders, ["A"]);
        assert_eq!(read.surroundings.doubt.map(|doubt| doubt.cause), Some(crate::domain::Cause::Other));
    }

    #[test]
    fn histograms_read_back_and_add_up() {
        let mut a = Histogram::<u64>::new_with_bounds(1, 1_000_000, 3).unwrap();
        a.record(250).unwrap();
        let mut sum = decode(&encode(&a)).unwrap();
        sum.add(&a).unwrap();
        assert_eq!((sum.len(), sum.max() / 10), (2, 25));
        assert!(decode("no").is_none());
        let wide = Histogram::<u64>::new_with_bounds(1, u64::MAX, 5).unwrap();
        assert!(decode(&encode(&wide)).is_none());
        let mut long = BASE64.decode(encode(&a).as_bytes()).unwrap();
        long[4..8].fill(0xff);
        assert!(decode(&BASE64.encode(&long)).is_none());
        let mut full = BASE64.decode(encode(&a).as_bytes()).unwrap();
        full.extend([0xff; 9]);
        let payload = (full.len() - 40) as u32;
        full[4..8].copy_from_slice(&payload.to_be_bytes());
        assert!(decode(&BASE64.encode(&full)).is_none());
    }
}
