//! A TCP proxy between a daemon and its Redis that breaks the line on purpose.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

/// What the line does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// Passes everything on.
    Whole,
    /// Ends when something is sent, before it is passed on.
    CutBeforeSend,
    /// Passes what is sent on, and ends before any of the reply comes back.
    CutAfterSend,
    /// Passes half of a reply on, and ends.
    CutMidReply,
    /// Passes on what is sent; replies are held back, as by a network that drops them, until the line is whole again.
    OneWay,
    /// Passes everything on this much later.
    Slow(Duration),
    /// Holds back what is sent with that text in it until the line is another: see [`Proxy::holds`].
    HeldAt(&'static str),
}

/// A running proxy; ends with the runtime it was started on.
pub struct Proxy {
    pub port: u16,
    line: watch::Sender<Line>,
    /// Connections that were made before this count of forsakings hear nothing any more.
    forsaken: watch::Sender<u32>,
    /// How far Redis' clock seems to be ahead, in seconds.
    ahead: watch::Sender<i64>,
    /// Told of what is held back.
    held: Arc<Notify>,
}

impl Proxy {
    pub async fn start(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (line, of) = watch::channel(Line::Whole);
        let (forsaken, times) = watch::channel(0);
        let (ahead, seconds) = watch::channel(0);
        let held = Arc::<Notify>::default();
        let holds = Arc::clone(&held);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (of, mut times, seconds) = (of.clone(), times.clone(), seconds.clone());
                let holds = Arc::clone(&holds);
                times.mark_unchanged();
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(("127.0.0.1", target)).await else { return };
                    let (from_client, to_client) = client.into_split();
                    let (from_server, to_server) = server.into_split();
                    // Either direction's end ends both.
                    tokio::select! {
                        () = there(from_client, to_server, of.clone(), &holds) => {}
                        () = back(from_server, to_client, of, seconds) => {}
                        // Both ends are held, and nothing passes.
                        _ = times.changed() => std::future::pending().await,
                    }
                });
            }
        });
        Self { port, line, forsaken, ahead, held }
    }

    /// Every connection that is open now goes silent, for good.
    pub fn forsake(&self) {
        self.forsaken.send_modify(|times| *times += 1);
    }

    /// Lets Redis' clock seem to be so far ahead: what it answers to TIME.
    pub fn set_clock(&self, seconds: i64) {
        self.ahead.send_replace(seconds);
    }

    /// Returns once something is held back.
    pub async fn holds(&self) {
        self.held.notified().await;
    }

    pub fn set(&self, line: Line) {
        self.line.send(line).unwrap();
    }
}

async fn there(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut of: watch::Receiver<Line>, held: &Notify) {
    let mut buffer = vec![0u8; 65_536];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let line = *of.borrow();
        match line {
            Line::CutBeforeSend => return,
            Line::Slow(time) => tokio::time::sleep(time).await,
            Line::HeldAt(text) if buffer[..read].windows(text.len()).any(|part| part == text.as_bytes()) => {
                held.notify_one();
                if of.wait_for(|now| *now != line).await.is_err() {
                    return;
                }
            }
            _ => {}
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

/// Moves the seconds of each answer to TIME: two texts, the first of ten digits.
fn shift(bytes: &mut [u8], ahead: i64) {
    const HEAD: &[u8] = b"*2\r\n$10\r\n";
    for at in 0..bytes.len().saturating_sub(HEAD.len() + 13) {
        let (head, rest) = bytes[at..].split_at_mut(HEAD.len());
        let (seconds, rest) = rest.split_at_mut(10);
        let text = std::str::from_utf8(seconds).ok().filter(|_| head == HEAD && rest.starts_with(b"\r\n$"));
        if let Some(now) = text.and_then(|text| text.parse::<i64>().ok()) {
            seconds.copy_from_slice((now + ahead).to_string().as_bytes());
        }
    }
}

async fn back(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut line: watch::Receiver<Line>,
    ahead: watch::Receiver<i64>,
) {
    let mut buffer = vec![0u8; 65_536];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if line.wait_for(|line| *line != Line::OneWay).await.is_err() {
            return;
        }
        let (line, ahead) = (*line.borrow(), *ahead.borrow());
        if ahead != 0 {
            shift(&mut buffer[..read], ahead);
        }
        let part = match line {
            Line::CutAfterSend => return,
            Line::CutMidReply => &buffer[..read / 2],
            Line::Slow(time) => {
                tokio::time::sleep(time).await;
                &buffer[..read]
            }
            Line::Whole | Line::CutBeforeSend | Line::OneWay | Line::HeldAt(_) => &buffer[..read],
        };
        if to.write_all(part).await.is_err() || line == Line::CutMidReply {
            return;
        }
    }
}

/// Every way to break it.
pub fn breaks(chance: &mut fastrand::Rng) -> Line {
    match chance.u8(0..5) {
        0 => Line::CutBeforeSend,
        1 => Line::CutAfterSend,
        2 => Line::CutMidReply,
        3 => Line::OneWay,
        _ => Line::Slow(Duration::from_millis(chance.u64(50..1500))),
    }
}
