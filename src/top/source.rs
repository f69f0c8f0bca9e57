//! Where the data comes from: one stream that carries the whole fleet. All reconnecting happens here; the model only
//! sees lines, and that the link is open or lost.

use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::ask::{Ask, Unanswered};
use super::clock::SteadyClock;
use super::model::{Connection, Fault, Line, Lost, Message};
use super::record::Recorder;
use crate::client::{Client, ClientError, Lines};
use crate::domain::Severity;
use crate::domain::snapshot::HISTORY_SECONDS;
use crate::wire::Follow;
use crate::wire::shop::StreamWish;

/// A daemon sends once a second: after so long without a line the link is taken for dead.
const SILENCE: Duration = Duration::from_secs(10);
/// Waits between tries: at first, and at most.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// History asked for when only the filter changed: enough for no gap.
const OVERLAP_SECONDS: u64 = 5;

/// What is followed.
pub struct Feed {
    /// Daemons of one shop; while one is away, the next is asked.
    pub clients: Vec<Client>,
    /// Products whose stock is wanted.
    pub products: usize,
    /// What their id or name must hold.
    pub filter: watch::Receiver<String>,
    /// The one that is used now: requests go there too.
    pub current: watch::Sender<Option<Client>>,
    /// Where lines are written down.
    pub recorder: Option<Recorder>,
}

/// Why a stream ended.
enum Ended {
    /// Another filter is wanted.
    Filter,
    /// The link is gone.
    Lost(Fault, String),
    /// Nobody listens any more.
    Unheard,
}

/// Whose fault an error is.
fn fault(error: &ClientError) -> Fault {
    match error {
        ClientError::Refused { status: 401, .. } => Fault::Token,
        ClientError::Refused { .. } | ClientError::NotAdmin(_) => Fault::Refused,
        _ => Fault::Away,
    }
}

impl Feed {
    /// Follows until nobody listens.
    pub async fn follow(mut self, clock: SteadyClock, out: mpsc::Sender<Message>) {
        let (mut at, mut wait, mut history) = (0usize, FIRST_WAIT, HISTORY_SECONDS);
        while let Some(client) = self.clients.get(at).map(Client::renewed) {
            let _listened = self.current.send(Some(client.clone()));
            let (fault, why) = match self.open(&client, history).await {
                Ok(lines) => {
                    wait = FIRST_WAIT;
                    match self.read(&client, lines, &clock, &out).await {
                        Ended::Filter => {
                            history = OVERLAP_SECONDS;
                            continue;
                        }
                        Ended::Unheard => return,
                        Ended::Lost(fault, why) => (fault, why),
                    }
                }
                Err(error) => (fault(&error), error.to_string()),
            };
            history = HISTORY_SECONDS;
            at = (at + 1) % self.clients.len().max(1);
            // With several daemons the next one is tried at once, until all were.
            let pause = if at == 0 { wait } else { Duration::from_millis(100) };
            if at == 0 {
                wait = (wait * 2).min(LONGEST_WAIT);
            }
            let lost = Lost { fault, why, retry_at: clock.now() + pause.as_millis() as u64 };
            if out.send(Message::Link(Connection::Lost(lost))).await.is_err() {
                return;
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn open(&mut self, client: &Client, history: u64) -> Result<Lines, ClientError> {
        let filter = self.filter.borrow_and_update().clone();
        let wish = StreamWish { history, stock: Some(self.products), filter };
        match tokio::time::timeout(SILENCE, client.follow::<Follow>(&wish)).await {
            Ok(lines) => lines,
            Err(_) => Err(ClientError::Answer("no answer within 10 s".to_owned())),
        }
    }

    async fn read(
        &mut self,
        client: &Client,
        mut lines: Lines,
        clock: &SteadyClock,
        out: &mpsc::Sender<Message>,
    ) -> Ended {
        let base = client.base().to_owned();
        if out.send(Message::Link(Connection::Open { base })).await.is_err() {
            return Ended::Unheard;
        }
        loop {
            let line = tokio::select! {
                line = tokio::time::timeout(SILENCE, lines.next()) => line,
                changed = self.filter.changed() => {
                    if changed.is_err() {
                        return Ended::Unheard;
                    }
                    return Ended::Filter;
                }
            };
            let line = match line {
                Ok(Ok(Some(line))) => line,
                Ok(Ok(None)) => return Ended::Lost(Fault::Away, "the daemon ended the stream".to_owned()),
                Ok(Err(error)) => return Ended::Lost(fault(&error), error.to_string()),
                Err(_) => return Ended::Lost(Fault::Away, "it was silent for 10 s".to_owned()),
            };
            if let Some(recorder) = &self.recorder
                && let Err(error) = recorder.write(clock.now(), &line)
            {
                self.recorder = None;
                let text = format!("the recording stopped: {error}");
                let _gone = out.send(Message::Said(text, Severity::Alarm)).await;
            }
            // A newer daemon may send lines of other kinds.
            let Some(line) = Line::read(&line) else { continue };
            if out.send(Message::Line(line)).await.is_err() {
                return Ended::Unheard;
            }
        }
    }
}

/// Asks a daemon and hands the answer back.
pub async fn ask(client: Client, ask: Ask, out: mpsc::Sender<Message>) {
    let mut answers = Vec::new();
    let mut failed = None;
    for request in ask.requests() {
        match client.ask(&request).await {
            Ok(value) => answers.push(value),
            // A search may find nothing in one place.
            Err(ClientError::Refused { status: 404 | 400, .. }) if matches!(ask, Ask::Search(_)) => {}
            Err(error) => failed = Some(Unanswered::Failed(error.to_string())),
        }
    }
    let answer = match failed {
        Some(failed) => Err(failed),
        None => ask.read(&answers).map_err(|error| Unanswered::Unread(error.to_string())),
    };
    let _gone = out.send(Message::Answer(ask, answer)).await;
}
