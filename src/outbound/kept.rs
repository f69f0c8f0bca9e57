//! Answers that are good for a while, by name. Who needs one while it is on its way waits for it: a sale's first thousand
//! callbacks ask a gateway for its certificate once.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::Response;

/// Answers kept at once; of more, those that came first go.
const MOST: usize = 256;

/// One answer, since when, and until when it is good.
struct Answer {
    response: Response,
    since: Instant,
    until: Instant,
}

type Cell = Arc<tokio::sync::Mutex<Option<Answer>>>;

/// What is kept.
#[derive(Default)]
pub struct Kept(Mutex<HashMap<String, (Instant, Cell)>>);

impl Kept {
    fn cell(&self, name: &str) -> Cell {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST && !all.contains_key(name) {
            let first = all.iter().min_by_key(|(_, (since, _))| *since).map(|(name, _)| name.clone());
            first.and_then(|first| all.remove(&first));
        }
        Arc::clone(&all.entry(name.to_owned()).or_insert_with(|| (Instant::now(), Cell::default())).1)
    }

    /// The answer kept under that name, if it is good and no older than `most`; else a new one, kept for as long as `lasts`
    /// says, which says nothing of an answer that is not worth keeping.
    pub async fn get(
        &self,
        name: &str,
        most: Duration,
        fresh: impl Future<Output = Result<Response, String>>,
        lasts: impl Fn(&Response) -> Option<Duration>,
    ) -> Result<Response, String> {
        let cell = self.cell(name);
        let mut kept = cell.lock().await;
        let good = |answer: &&Answer| Instant::now() < answer.until && answer.since.elapsed() <= most;
        if let Some(answer) = kept.as_ref().filter(good) {
            return Ok(answer.response.clone());
        }
        let response = fresh.await?;
        let since = Instant::now();
        if let Some(until) = lasts(&response).and_then(|lasts| since.checked_add(lasts)) {
            *kept = Some(Answer { response: response.clone(), since, until });
        }
        Ok(response)
    }

    /// Keeps the answer of that name no longer.
    pub fn forget(&self, name: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU16, Ordering};

    use super::*;

    #[tokio::test]
    async fn an_answer_is_asked_for_once_until_it_is_too_old_or_forgotten() {
        let (kept, asked) = (Kept::default(), AtomicU16::new(200));
        let get = |most| {
            let fresh = async {
                tokio::task::yield_now().await;
                Ok(Response { status: asked.fetch_add(1, Ordering::SeqCst), ..Response::default() })
            };
            let status = |answer: Response| answer.status;
            let got = kept.get("a", most, fresh, |_| Some(Duration::from_secs(60)));
            async move { got.await.map(status) }
        };
        let (a, b) = tokio::join!(get(Duration::MAX), get(Duration::MAX));
        assert_eq!((a, b), (Ok(200), Ok(200)), "the second waits for the first one's answer");
        assert_eq!(get(Duration::ZERO).await, Ok(201), "one that is this old will not do");
        assert_eq!(get(Duration::MAX).await, Ok(201));
        kept.forget("a");
        assert_eq!(get(Duration::MAX).await, Ok(202));
        let never = kept.get("b", Duration::MAX, async { Err("silent".to_owned()) }, |_| None).await;
        assert_eq!(never, Err("silent".to_owned()));
        for n in 0..2 * MOST {
            let good = kept.get(&n.to_string(), Duration::MAX, async { Ok(Response::default()) }, |_| None).await;
            assert!(good.is_ok());
        }
        assert!(kept.0.lock().unwrap().len() <= MOST);
    }
}
