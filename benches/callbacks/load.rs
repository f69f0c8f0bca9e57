//! Closed-loop load over plain sockets: each connection sends its next request when the answer to the last one is here.

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

/// Requests against an HTTP server; every answer must be `200` with `success`.
pub async fn http(address: SocketAddr, requests: Vec<Vec<u8>>, connections: usize) -> Run {
    let mut streams = Vec::new();
    for _ in 0..connections {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        streams.push(stream);
    }
    run(streams, requests, whole_http, |answer| answer.starts_with(b"HTTP/1.1 200") && answer.ends_with(b"success"))
        .await
}

/// Commands against a Redis socket; every answer must be `delivered`.
pub async fn redis(socket: &Path, commands: Vec<Vec<u8>>, connections: usize) -> Run {
    let mut streams = Vec::new();
    for _ in 0..connections {
        streams.push(UnixStream::connect(socket).await.unwrap());
    }
    run(streams, commands, whole_resp, |answer| answer.windows(9).any(|part| part == b"delivered")).await
}

async fn run<S>(streams: Vec<S>, requests: Vec<Vec<u8>>, whole: Whole, good: fn(&[u8]) -> bool) -> Run
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let count = streams.len();
    let mut shares: Vec<Vec<Vec<u8>>> = vec![Vec::new(); count];
    for (at, request) in requests.into_iter().enumerate() {
        shares[at % count].push(request);
    }
    let started = Instant::now();
    let mut jobs = JoinSet::new();
    for (mut stream, share) in streams.into_iter().zip(shares) {
        jobs.spawn(async move {
            let mut latencies = Vec::with_capacity(share.len());
            let mut buffer = vec![0u8; 16_384];
            for request in share {
                let sent = Instant::now();
                stream.write_all(&request).await.unwrap();
                let mut filled = 0;
                let length = loop {
                    let read = stream.read(&mut buffer[filled..]).await.unwrap();
                    assert!(read > 0, "the server closed the connection");
                    filled += read;
                    if let Some(length) = whole(&buffer[..filled]) {
                        break length;
                    }
                };
                assert!(good(&buffer[..length]), "{}", String::from_utf8_lossy(&buffer[..length]));
                latencies.push(sent.elapsed().as_micros() as u32);
            }
            latencies
        });
    }
    let mut latencies_us: Vec<u32> = Vec::new();
    while let Some(done) = jobs.join_next().await {
        latencies_us.extend(done.unwrap());
    }
    let took = started.elapsed();
    latencies_us.sort_unstable();
    Run { took, latencies_us }
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
