//! A listener: who comes in, how long a head may take and an answer may wait, and the stop that cuts nothing short. Knows
//! no shop: a [`House`] answers.

pub mod address;
pub mod limit;
pub mod seats;
pub mod socket;

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::response::Response;
use futures_util::future::FutureExt as _;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

use self::seats::{Crowd, Guest, Seat, Seats};
use self::socket::{Awaited, GuestStream, until_written};
use crate::telemetry::counters;

/// At a stop, how long a head that has begun, or an answer that nobody reads, is waited for.
const LAST: Duration = Duration::from_secs(2);

/// The address of ours that a request came to.
#[derive(Debug, Clone, Copy)]
pub struct Here(pub SocketAddr);

/// What stands behind a listener.
pub trait House: Clone + Send + Sync + 'static {
    /// Answers a request.
    fn answer(self, request: Request<Awaited>, peer: SocketAddr) -> impl Future<Output = Response> + Send + 'static;
    /// Whether a peer has no limit of its own and is not sent away for others.
    fn spares(&self, peer: IpAddr) -> bool;
    /// Seats are short; told once in a while.
    fn crowded(&self, crowd: &Crowd);
    /// A request came that is no HTTP, or too long to be read: how it began, and what it heard.
    fn unread(&self, peer: IpAddr, head: &[u8], status: u16);
    /// A request's head began and did not come whole in time.
    fn slow(&self, peer: IpAddr);
}

/// What one listener takes.
#[derive(Clone, Copy)]
pub struct Capacity {
    /// Connections.
    pub connections: usize,
    /// Of these, of one address.
    pub per_address: usize,
    /// Headers of a request.
    pub headers: usize,
    /// Bytes of a request's head.
    pub head_bytes: usize,
    /// How long a request's head may take; it also ends idle keep-alive connections.
    pub head_time: Duration,
    /// How long an answer waits for its reader.
    pub patience: Duration,
}

/// Serves until told to stop; returns when what was in flight is answered, or `drain` is over.
pub async fn serve<H: House>(
    listener: TcpListener,
    house: H,
    bounds: Capacity,
    stop: watch::Receiver<bool>,
    drain: Duration,
) {
    let seats = Arc::new(Seats::new(bounds.connections, bounds.per_address));
    // Every connection holds a sender: nothing comes out before all are gone.
    let (here, mut all_gone) = mpsc::channel::<Infallible>(1);
    let enter = |stream: TcpStream, peer: SocketAddr| {
        match seats.admit(peer.ip(), house.spares(peer.ip())) {
            Some(seat) => {
                let connection = connection(stream, (peer, seat), house.clone(), bounds, stop.clone());
                let here = here.clone();
                tokio::spawn(async move {
                    connection.await;
                    drop(here);
                });
            }
            // Closed at once: a full house must not grow.
            None => counters::connection_refused(),
        }
        if let Some(crowd) = seats.news() {
            house.crowded(&crowd);
        }
    };
    let mut stopping = stop.clone();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped(&mut stopping) => break,
        };
        match accepted {
            Ok((stream, peer)) => enter(stream, peer),
            Err(error) => {
                tracing::warn!(%error, "A connection could not be accepted.");
                // Where files have run out, a silent connection gives up its own.
                seats.make_room();
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    // What the system has taken in is in flight, too.
    while let Some(Ok((stream, peer))) = listener.accept().now_or_never() {
        enter(stream, peer);
    }
    drop(listener);
    drop(here);
    if tokio::time::timeout(drain, all_gone.recv()).await.is_err() {
        tracing::warn!("Some connections were still busy when the drain was over.");
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _gone = stop.wait_for(|stop| *stop).await;
}

async fn connection<H: House>(
    stream: TcpStream,
    (peer, seat): (SocketAddr, Seat),
    house: H,
    bounds: Capacity,
    mut stop: watch::Receiver<bool>,
) {
    let _latency = stream.set_nodelay(true);
    let (guest, seats) = (Arc::clone(&seat.guest), Arc::clone(&seat.seats));
    // Until it says something, a connection costs its socket and no buffer: ten thousand silent ones are cheap.
    // (Looked at, since a new socket passes for readable once.)
    let mut first = [0u8];
    tokio::select! {
        biased;
        heard = tokio::time::timeout(bounds.head_time, stream.peek(&mut first)) => match heard {
            Ok(Ok(1)) => {}
            _ => return,
        },
        () = guest.asked_to_leave() => return,
        () = stopped(&mut stop) => return,
    }
    let (host, visitor) = (house.clone(), Arc::clone(&guest));
    let here = stream.local_addr().map(Here).ok();
    let service = service_fn(move |mut request: Request<Incoming>| {
        if let Some(here) = here {
            request.extensions_mut().insert(here);
        }
        let request = request.map(|body| Awaited::new(body, Arc::clone(&visitor), Arc::clone(&seats)));
        let (answer, visitor) = (host.clone().answer(request, peer), Arc::clone(&visitor));
        async move { Ok::<_, Infallible>(until_written(answer.await, visitor)) }
    });
    let mut connection = Box::pin(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(bounds.head_time)
            .max_headers(bounds.headers)
            .max_header_size(bounds.head_bytes)
            .max_buf_size(bounds.head_bytes)
            .serve_connection(TokioIo::new(GuestStream::new(stream, seat, bounds.patience)), service),
    );
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        () = guest.asked_to_leave() => {
            if !guest.is_answered() {
                return;
            }
            connection.as_mut().graceful_shutdown();
            last(connection.as_mut(), &guest).await
        }
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            last(connection.as_mut(), &guest).await
        }
    };
    if let Err(error) = ended {
        tracing::trace!(%error, "A connection ended early.");
        if error.is_parse() {
            let status = if error.is_parse_too_large() { 431 } else { 400 };
            let head = std::mem::take(&mut *guest.head());
            house.unread(peer.ip(), &head, status);
        } else if error.is_timeout() && !guest.head().trim_ascii().is_empty() {
            house.slow(peer.ip());
        }
    }
}

/// The end of a connection that takes nothing new: what is being answered is waited for, and who stays silent is not.
async fn last<C>(mut connection: Pin<&mut C>, guest: &Guest) -> hyper::Result<()>
where
    C: Future<Output = hyper::Result<()>>,
{
    let since = Instant::now();
    loop {
        tokio::select! {
            biased;
            ended = connection.as_mut() => return ended,
            () = tokio::time::sleep(Duration::from_millis(100)) => {
                if guest.silent_for(since) >= LAST {
                    return Ok(());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    /// Answers everything at once, and remembers who was slow.
    #[derive(Clone, Default)]
    struct Quiet(Arc<Mutex<Vec<IpAddr>>>);

    impl House for Quiet {
        async fn answer(self, _: Request<Awaited>, _: SocketAddr) -> Response {
            Response::default()
        }

        fn spares(&self, _: IpAddr) -> bool {
            false
        }

        fn crowded(&self, _: &Crowd) {}

        fn unread(&self, _: IpAddr, _: &[u8], _: u16) {}

        fn slow(&self, peer: IpAddr) {
            self.0.lock().unwrap().push(peer);
        }
    }

    #[tokio::test]
    async fn a_head_that_does_not_come_whole_is_told_and_an_idle_connection_is_not() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (at, house) = (listener.local_addr().unwrap(), Quiet::default());
        let (head_time, patience) = (Duration::from_millis(300), Duration::from_secs(5));
        let bounds = Capacity { connections: 9, per_address: 9, headers: 64, head_bytes: 16_384, head_time, patience };
        let (_stop, stops) = watch::channel(false);
        let serving = tokio::spawn(serve(listener, house.clone(), bounds, stops, Duration::ZERO));
        for (sent, slow) in [("", 0), ("GET / HTTP/1.1\r\nHost: x\r\n\r\n\r\n", 0), ("GET / HTTP/1.1\r\nHost: ", 1)] {
            let mut stream = TcpStream::connect(at).await.unwrap();
            stream.write_all(sent.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            let _cut = stream.read_to_end(&mut answer).await;
            assert_eq!(answer.starts_with(b"HTTP/1.1 200"), sent.ends_with("\r\n\r\n"));
            // It is told by the task that has just closed the connection.
            for _ in 0..100 {
                if house.0.lock().unwrap().len() >= slow {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            assert_eq!(house.0.lock().unwrap().len(), slow, "{sent:?}");
        }
        serving.abort();
    }
}
