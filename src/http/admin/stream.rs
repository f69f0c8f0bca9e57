//! `/v1/stream`: one JSON line an instance and second, and one of stock where it is asked for.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use hyper::body::Bytes;
use serde_json::json;
use tokio::sync::watch;

use super::routes::Errand;
use crate::domain::{Millis, Operator};
use crate::http::problem::Problem;
use crate::http::web::Web;
use crate::shop::goods::board::{Board, MOST, StockReader};
use crate::telemetry::fleet::{FleetLines, Follower};
use crate::telemetry::snapshot::{FILTER_BYTES, HISTORY_SECONDS};
use crate::wire::Follow;

static READERS: AtomicUsize = AtomicUsize::new(0);

struct Place;

impl Drop for Place {
    fn drop(&mut self) {
        READERS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One reader: where it stands in the snapshots and in the stock.
struct Reader {
    _place: Place,
    fleet: watch::Receiver<FleetLines>,
    follower: Follower,
    stock: Option<Stock>,
    stop: watch::Receiver<bool>,
    web: Arc<Web>,
    operator: Operator,
    /// Since when they had the token that they came with.
    since: Option<Millis>,
}

struct Stock {
    board: Arc<Board>,
    turns: watch::Receiver<u64>,
    reader: Box<StockReader>,
    due: bool,
}

impl Stock {
    /// The line of this second. A filter looks at every product, which is not done on a thread that answers callbacks.
    async fn line(&mut self) -> Option<String> {
        self.turns.mark_unchanged();
        self.due = false;
        let board = Arc::clone(&self.board);
        let mut reader = std::mem::replace(&mut self.reader, Box::new(StockReader::new(0, "")));
        let (reader, line) = tokio::task::spawn_blocking(move || {
            let line = reader.next(&board);
            (reader, line)
        })
        .await
        .ok()?;
        self.reader = reader;
        Some(format!("{}\n", json!({"stock": line?})))
    }

    async fn turned(stock: &mut Option<Self>) {
        let Some(stock) = stock else { return std::future::pending().await };
        if stock.turns.changed().await.is_err() {
            return std::future::pending().await;
        }
        stock.due = true;
    }
}

impl Reader {
    /// What comes next, as soon as there is something; `None` when the daemon stops, or the operator's token is gone.
    async fn next(&mut self) -> Option<String> {
        loop {
            let since = self.web.shop.token_since(&self.operator);
            if since.is_none() || since != self.since {
                return None;
            }
            let mut text = String::new();
            for line in self.follower.next(&self.fleet.borrow_and_update(), Instant::now()) {
                text.push_str(&line);
                text.push('\n');
            }
            // It is of now: a reader that is still at the history would take it for something older.
            let behind = self.follower.is_behind();
            if let Some(stock) = self.stock.as_mut().filter(|stock| stock.due && !behind) {
                text.extend(stock.line().await);
            }
            if !text.is_empty() {
                return Some(text);
            }
            tokio::select! {
                changed = self.fleet.changed() => changed.ok()?,
                () = Stock::turned(&mut self.stock) => {}
                _ = self.stop.changed() => return None,
            }
        }
    }
}

/// The fleet's snapshots, history first, as they come until the reader goes or the daemon stops. A slow reader misses
/// lines: their `seq` shows it.
pub fn follow(errand: Errand<Follow>, stop: watch::Receiver<bool>) -> Result<Response, Problem> {
    let Errand { web, operator, wish, .. } = errand;
    let wrong = |detail: String| Problem::new(StatusCode::BAD_REQUEST, "invalid", detail);
    if wish.history > HISTORY_SECONDS {
        return Err(wrong(format!("history: at most {HISTORY_SECONDS} seconds")));
    }
    if wish.stock.is_some_and(|most| most > MOST) || wish.filter.len() > FILTER_BYTES {
        return Err(wrong(format!("stock: at most {MOST} products; filter: at most {FILTER_BYTES} bytes")));
    }
    let place = Place;
    if READERS.fetch_add(1, Ordering::Relaxed) >= web.limits.stream_clients {
        let busy = "Too many readers (limits.stream_clients).";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", busy));
    }
    let board = web.shop.board();
    let reader = Reader {
        _place: place,
        fleet: web.telemetry.follow(),
        follower: Follower::new(Duration::from_secs(wish.history)),
        stock: wish.stock.map(|most| Stock {
            turns: board.turns(),
            board,
            reader: Box::new(StockReader::new(most, &wish.filter)),
            due: true,
        }),
        stop,
        since: web.shop.token_since(&operator),
        web,
        operator,
    };
    let lines = stream::unfold(reader, |mut reader| async move {
        let text = reader.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(text)), reader))
    });
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response())
}
