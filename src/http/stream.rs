//! `/v1/stream`: one JSON line an instance and second, newest wins.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use hyper::body::Bytes;
use tokio::sync::watch;

use super::Web;
use super::problem::Problem;
use axum::http::{StatusCode, header};

static READERS: AtomicUsize = AtomicUsize::new(0);

struct Reader;

impl Drop for Reader {
    fn drop(&mut self) {
        READERS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The fleet's snapshots as they come, until the reader goes or the daemon stops. A slow reader misses lines: their
/// `seq` shows it.
pub fn follow(web: &Arc<Web>, stop: watch::Receiver<bool>) -> Response {
    let reader = Reader;
    if READERS.fetch_add(1, Ordering::Relaxed) >= web.shop.limits.stream_clients {
        drop(reader);
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "Too many readers (limits.stream_clients).")
            .into_response();
    }
    let start = (web.shop.telemetry.follow(), stop, BTreeMap::<String, u64>::new(), reader);
    let lines = stream::unfold(start, |(mut fleet, mut stop, mut sent, reader)| async move {
        loop {
            let fresh: Vec<(String, u64, Arc<str>)> = fleet
                .borrow_and_update()
                .0
                .iter()
                .filter(|(instance, (rank, _))| sent.get(*instance) != Some(rank))
                .map(|(instance, (rank, line))| (instance.clone(), *rank, Arc::clone(line)))
                .collect();
            if !fresh.is_empty() {
                let mut text = String::new();
                for (instance, rank, line) in fresh {
                    text.push_str(&line);
                    text.push('\n');
                    sent.insert(instance, rank);
                }
                return Some((Ok::<_, std::convert::Infallible>(Bytes::from(text)), (fleet, stop, sent, reader)));
            }
            tokio::select! {
                changed = fleet.changed() => { changed.ok()?; }
                _ = stop.changed() => return None,
            }
        }
    });
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response()
}
