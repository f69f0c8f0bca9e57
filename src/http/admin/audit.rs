//! `/v1/audit`: everything counted again, with how far it is where the caller wants to hear it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Json;
use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use hyper::body::Bytes;

use super::routes::Errand;
use crate::http::problem::Problem;
use crate::wire::CountAgain;
use crate::wire::shop::{AuditLine, AuditProgress};

/// One audit at a time: each remembers what it met.
static AUDIT: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Counts everything again. With `?progress=true`: a JSON line now and then with how far it is, and the report as the last.
pub async fn audit(Errand { web, wish, .. }: Errand<CountAgain>) -> Result<Response, Problem> {
    if wish.progress.as_deref() != Some("true") {
        let _turn = AUDIT.lock().await;
        let report = web.shop.audit(&|_, _, _| {}).await?;
        return Ok(Json(report).into_response());
    }
    let (lines, heard) = tokio::sync::mpsc::channel::<AuditLine>(8);
    tokio::spawn(async move {
        let _turn = AUDIT.lock().await;
        let spoke = Mutex::new(Instant::now());
        let progress = |what: &'static str, done: u64, of: u64| {
            let mut spoke = spoke.lock().unwrap_or_else(PoisonError::into_inner);
            if spoke.elapsed() > Duration::from_millis(200) {
                *spoke = Instant::now();
                // A reader that does not keep up misses some; the report is waited for.
                let _full = lines.try_send(AuditLine::Progress(AuditProgress { what: what.to_owned(), done, of }));
            }
        };
        let report = tokio::select! {
            report = web.shop.audit(&progress) => report,
            () = lines.closed() => return,
        };
        let last = match report {
            Ok(report) => AuditLine::Report(report),
            Err(error) => AuditLine::Error(error.to_string()),
        };
        let _gone = lines.send(last).await;
    });
    let lines = futures_util::stream::unfold(heard, |mut heard| async move {
        let line = serde_json::to_string(&heard.recv().await?).unwrap_or_default();
        Some((Ok::<_, std::convert::Infallible>(Bytes::from(format!("{line}\n"))), heard))
    });
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response())
}
