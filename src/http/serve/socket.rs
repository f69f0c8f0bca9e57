//! A connection's bytes: what comes is heard by its seat, who owes a body is not answered yet, and who does not read what is
//! sent has only so long.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use hyper::body::{Body as _, Bytes, Frame, Incoming, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

use super::seats::{Guest, Seat, Seats};

/// What the system takes of an answer at once, whoever reads it.
const SMALL: u64 = 8192;

/// A connection.
pub struct GuestStream {
    stream: TcpStream,
    seat: Seat,
    patience: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl GuestStream {
    /// One that waits so long for a reader.
    pub fn new(stream: TcpStream, seat: Seat, patience: Duration) -> Self {
        Self { stream, seat, patience, stalled: None }
    }

    /// What a write came to: one that cannot go on ends the connection after a while.
    fn written(&mut self, cx: &mut Context<'_>, done: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if done.is_ready() {
            if self.stalled.take().is_some() {
                self.seat.guest.reads();
            }
            return done;
        }
        self.seat.guest.stalls();
        let patience = self.patience;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        stalled.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for GuestStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        let Seat { seats, guest } = &self.seat;
        guest.hear(seats, &buf.filled()[before..]);
        read
    }
}

impl AsyncWrite for GuestStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(cx, done)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.written(cx, done)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A request's body: its guest is answered once it is whole, or once nobody waits for it.
pub struct Awaited {
    body: Incoming,
    guest: Arc<Guest>,
    seats: Arc<Seats>,
}

impl Awaited {
    /// The body of a request of this guest.
    pub fn new(body: Incoming, guest: Arc<Guest>, seats: Arc<Seats>) -> Self {
        if body.is_end_stream() {
            guest.answers(&seats);
        } else {
            guest.owes_body();
        }
        Self { body, guest, seats }
    }
}

impl hyper::body::Body for Awaited {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let came = std::task::ready!(Pin::new(&mut self.body).poll_frame(cx));
        if !matches!(came, Some(Ok(_))) || self.body.is_end_stream() {
            self.guest.owes_no_more(&self.seats);
        }
        Poll::Ready(came)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.guest.owes_no_more(&self.seats);
    }
}

/// A large answer: its guest counts as answered once it is gone.
struct Watched {
    body: Body,
    guest: Arc<Guest>,
}

/// The answer, whose guest is silent again when it is written.
pub fn until_written(response: Response, guest: Arc<Guest>) -> Response {
    if response.body().size_hint().exact().is_some_and(|bytes| bytes <= SMALL) {
        guest.answered();
        return response;
    }
    response.map(|body| Body::new(Watched { body, guest }))
}

impl hyper::body::Body for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.guest.answered();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::serve::seats::Seats;
    use tokio::io::AsyncWriteExt as _;

    #[tokio::test]
    async fn who_does_not_read_has_only_so_long() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let deaf = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, peer) = listener.accept().await.unwrap();
        let seat = Arc::new(Seats::new(1, 1)).admit(peer.ip(), false).unwrap();
        let guest = Arc::clone(&seat.guest);
        guest.answers(&seat.seats);
        let mut wire = GuestStream::new(stream, seat, Duration::from_millis(200));
        let piece = vec![0u8; 65_536];
        let mut sent = 0;
        let error = loop {
            match wire.write(&piece).await {
                Ok(bytes) => sent += bytes,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut, "after {sent} bytes");
        assert!(
            guest.silent_for(std::time::Instant::now() - Duration::from_secs(9)) > Duration::ZERO,
            "it may be sent away"
        );
        drop(deaf);
    }
}
