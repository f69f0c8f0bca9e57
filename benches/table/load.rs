//! Load over plain sockets: closed loop, where each connection sends its next request when the answer to the last one is
//! here, and open loop, where each request is due at its own instant.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinSet;

/// What a run came to.
pub struct Run {
    took: Duration,
    latencies_us: Vec<u32>,
}

impl Run {
    fn new(took: Duration, mut latencies_us: Vec<u32>) -> Self {
        latencies_us.sort_unstable();
        Self { took, latencies_us }
    }

    /// Calls a second.
    pub fn rate(&self) -> f64 {
        self.latencies_us.len() as f64 / self.took.as_secs_f64()
    }

    /// A percentile of the latencies, in ms.
    pub fn millis(&self, percentile: f64) -> f64 {
        let last = self.latencies_us.len() - 1;
        f64::from(self.latencies_us[(percentile / 100.0 * last as f64) as usize]) / 1000.0
    }
}

/// Length of a whole answer at the beginning of `bytes`, once it is all there.
type Whole = fn(&[u8]) -> Option<usize>;

/// One connection and what it must hear.
struct Line<S> {
    stream: S,
    whole: Whole,
    good: fn(&[u8]) -> bool,
    buffer: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Line<S> {
    fn new(stream: S, whole: Whole, good: fn(&[u8]) -> bool) -> Self {
        Self { stream, whole, good, buffer: vec![0; 16_384] }
    }

    async fn exchange(&mut self, request: &[u8]) {
        self.stream.write_all(request).await.unwrap();
        let mut filled = 0;
        let length = loop {
            let read = self.stream.read(&mut self.buffer[filled..]).await.unwrap();
            assert!(read > 0, "the server closed the connection");
            filled += read;
            if let Some(length) = (self.whole)(&self.buffer[..filled]) {
                break length;
            }
        };
        let answer = &self.buffer[..length];
        assert!((self.good)(answer), "{}", String::from_utf8_lossy(answer));
    }
}

fn is_success(answer: &[u8]) -> bool {
    answer.starts_with(b"HTTP/1.1 200") && answer.ends_with(b"success")
}

async fn http_lines(address: SocketAddr, connections: usize, good: fn(&[u8]) -> bool) -> Vec<Line<TcpStream>> {
    let mut lines = Vec::new();
    for _ in 0..connections {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        lines.push(Line::new(stream, whole_http, good));
    }
    lines
}

/// Requests against an HTTP server, closed loop; every answer must be `200` with `success`.
pub async fn http(address: SocketAddr, requests: Vec<Vec<u8>>, connections: usize) -> Run {
    closed(http_lines(address, connections, is_success).await, requests).await
}

/// The same, of requests that make something: every answer must be `201`.
pub async fn made(address: SocketAddr, requests: Vec<Vec<u8>>, connections: usize) -> Run {
    let good = |answer: &[u8]| answer.starts_with(b"HTTP/1.1 201");
    closed(http_lines(address, connections, good).await, requests).await
}

/// Commands against a Redis socket, closed loop; every answer must be `delivered`.
pub async fn redis(socket: &Path, commands: Vec<Vec<u8>>, connections: usize) -> Run {
    let mut lines = Vec::new();
    for _ in 0..connections {
        let stream = UnixStream::connect(socket).await.unwrap();
        lines.push(Line::new(stream, whole_resp, |answer| answer.windows(9).any(|part| part == b"delivered")));
    }
    closed(lines, commands).await
}

async fn closed<S>(lines: Vec<Line<S>>, requests: Vec<Vec<u8>>) -> Run
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let count = lines.len();
    let mut shares: Vec<Vec<Vec<u8>>> = vec![Vec::new(); count];
    for (at, request) in requests.into_iter().enumerate() {
        shares[at % count].push(request);
    }
    let started = Instant::now();
    let mut jobs = JoinSet::new();
    for (mut line, share) in lines.into_iter().zip(shares) {
        jobs.spawn(async move {
            let mut latencies = Vec::with_capacity(share.len());
            for request in share {
                let sent = Instant::now();
                line.exchange(&request).await;
                latencies.push(sent.elapsed().as_micros() as u32);
            }
            latencies
        });
    }
    let latencies = jobs.join_all().await.concat();
    Run::new(started.elapsed(), latencies)
}

/// Requests against an HTTP server at that rate, open loop: latencies count from when each was due.
pub async fn http_at(address: SocketAddr, requests: Vec<Vec<u8>>, connections: usize, rate: f64) -> Run {
    let lines = http_lines(address, connections, is_success).await;
    let (dues, due) = async_channel::unbounded();
    let started = Instant::now();
    let clock = std::thread::spawn(move || {
        for (at, request) in requests.into_iter().enumerate() {
            let due = started + Duration::from_secs_f64(at as f64 / rate);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if dues.send_blocking((due, request)).is_err() {
                return;
            }
        }
    });
    let mut jobs = JoinSet::new();
    for mut line in lines {
        let due = due.clone();
        jobs.spawn(async move {
            let mut latencies = Vec::new();
            while let Ok((due, request)) = due.recv().await {
                line.exchange(&request).await;
                latencies.push(due.elapsed().as_micros() as u32);
            }
            latencies
        });
    }
    let latencies = jobs.join_all().await.concat();
    clock.join().unwrap();
    Run::new(started.elapsed(), latencies)
}

fn whole_http(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|part| part == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..head]).ok()?.to_ascii_lowercase();
    let length: usize = text.split("content-length: ").nth(1)?.split("\r\n").next()?.parse().ok()?;
    (bytes.len() >= head + length).then_some(head + length)
}

/// A reply with whatever lists are in it, as the scripts give them.
fn whole_resp(bytes: &[u8]) -> Option<usize> {
    let end = bytes.windows(2).position(|part| part == b"\r\n")?;
    let number: i64 = std::str::from_utf8(&bytes[1..end]).ok()?.parse().unwrap_or(0);
    let mut at = end + 2;
    match bytes[0] {
        b'*' => {
            for _ in 0..number {
                at += whole_resp(&bytes[at..])?;
            }
        }
        b'$' if number >= 0 => at += usize::try_from(number).ok()? + 2,
        _ => {}
    }
    (at <= bytes.len()).then_some(at)
}
