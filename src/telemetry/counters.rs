//! Counters of what other rooms do, for `/metrics` alone: nothing reads them here.

use std::time::Duration;

/// The longest silent connection was closed for a new one.
pub fn connection_sent_away() {
    metrics::counter!("kamid_connections_sent_away_total").increment(1);
}

/// A connection found no place.
pub fn connection_refused() {
    metrics::counter!("kamid_connections_refused_total").increment(1);
}

/// A request was refused before anything of it was done.
pub fn request_refused(status: u16) {
    metrics::counter!("kamid_requests_refused_total", "status" => status.to_string()).increment(1);
}

/// One round of the sweeper.
pub fn swept(took: Duration) {
    metrics::histogram!("kamid_sweep_seconds").record(took.as_secs_f64());
}

/// Keys went into a pool.
pub fn keys_imported(keys: u64) {
    metrics::counter!("kamid_keys_imported_total").increment(keys);
}

/// Expired orders were forgotten before their time: there were more than are kept.
pub fn orders_forgotten(orders: u64) {
    metrics::counter!("kamid_orders_forgotten_total").increment(orders);
}
