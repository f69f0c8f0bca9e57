//! A gateway's way to be heard: a callback, and its repeats by the gateway's own schedule until one counts as received.

use std::time::Duration;

use reqwest::Request;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::schedule::{self, Schedule};

/// A gateway that a test plays.
pub trait Simulator: Send + Sync {
    /// The kind of channel that leads to it.
    fn kind(&self) -> &'static str;
    /// What tells the shop of a payment; the attempt counts from 0.
    fn notice(&self, number: &str, attempt: usize) -> Request;
    /// The buyer pays; nobody is told.
    fn pay(&self, number: &str);
    /// How many payments it took in.
    fn taken(&self) -> usize;
}

/// How a call ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// The answer arrives.
    Whole,
    /// The gateway hangs up as soon as it has spoken.
    HungUp,
    /// The answer is on its way, and the gateway hangs up before it reads it.
    Lost,
}

/// One call, and what was heard of it.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// What was sent.
    pub sent: Vec<u8>,
    /// Status and body; `None` where there was no whole answer in time.
    pub answer: Option<(u16, String)>,
    /// Whether the gateway counts it as received.
    pub received: bool,
}

/// What tells the shop of one payment.
pub struct Delivery<'a> {
    gateway: &'a dyn Simulator,
    number: String,
    schedule: &'static Schedule,
    http: reqwest::Client,
    pub attempts: Vec<Attempt>,
}

impl<'a> Delivery<'a> {
    pub fn new(gateway: &'a dyn Simulator, number: &str) -> Self {
        let none = reqwest::redirect::Policy::none();
        let http = reqwest::Client::builder().no_proxy().redirect(none).pool_max_idle_per_host(0).build().unwrap();
        let (schedule, number) = (schedule::of(gateway.kind()), number.to_owned());
        Self { gateway, number, schedule, http, attempts: Vec::new() }
    }

    /// How many calls are left.
    pub fn left(&self) -> usize {
        let heard = self.attempts.last().is_some_and(|last| last.received);
        if heard { 0 } else { self.schedule.gaps.attempts() - self.attempts.len() }
    }

    /// Calls when it is due, as long as the schedule goes on.
    pub async fn call(&mut self, line: Line) -> Option<&Attempt> {
        if self.left() == 0 {
            return None;
        }
        let at = self.attempts.len();
        if let Some(before) = at.checked_sub(1) {
            tokio::time::sleep(self.schedule.gaps.after(before)?).await;
        }
        let notice = self.gateway.notice(&self.number, at);
        let sent = wire(&notice);
        let patience = Duration::from_secs(self.schedule.patience);
        let answer = if line == Line::Whole {
            tokio::time::timeout(patience, self.exchange(notice)).await.ok().flatten()
        } else {
            let _nobody = tokio::time::timeout(patience, cut(&notice, &sent, line)).await;
            None
        };
        let received = answer.as_ref().is_some_and(|(status, body)| (self.schedule.received)(*status, body));
        self.attempts.push(Attempt { sent, answer, received });
        self.attempts.last()
    }

    /// Calls until it is heard or gives up: every attempt, with what each heard.
    pub async fn rest(mut self) -> Vec<Attempt> {
        while self.call(Line::Whole).await.is_some() {}
        self.attempts
    }

    async fn exchange(&self, notice: Request) -> Option<(u16, String)> {
        let answer = self.http.execute(notice).await.ok()?;
        Some((answer.status().as_u16(), answer.text().await.ok()?))
    }
}

/// A request as bytes.
fn wire(request: &Request) -> Vec<u8> {
    let url = request.url();
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut head = format!("{} {}{query} HTTP/1.1\r\nhost: {}\r\n", request.method(), url.path(), url.authority());
    for (name, value) in request.headers() {
        head.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    let body = request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default();
    head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    [head.as_bytes(), body].concat()
}

/// Says it, and does not listen.
async fn cut(request: &Request, bytes: &[u8], line: Line) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(request.url().authority()).await?;
    stream.write_all(bytes).await?;
    if line == Line::Lost {
        // One byte says that the answer was sent; what is not read is lost with the connection.
        stream.read_exact(&mut [0]).await?;
    }
    Ok(())
}
