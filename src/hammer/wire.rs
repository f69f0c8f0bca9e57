//! One HTTP/1.1 connection of the load: bytes out, one answer in. Nothing is retried: what fails is counted.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// Longest answer read.
const ANSWER_BYTES: usize = 65_536;
/// How a slow client sends: in so many pieces, with this pause between them.
const PIECES: usize = 8;
const PIECE_PAUSE: Duration = Duration::from_millis(40);

/// An answer: its status and its body's beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    pub status: u16,
    pub body: Vec<u8>,
}

/// Why there was no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// Could not connect.
    Refused,
    /// The connection ended before the whole answer was here.
    Cut,
    /// Too slow.
    Late,
    /// Not HTTP.
    Garbled,
}

/// A connection that is dialled when it is needed and after it broke.
pub struct Wire {
    target: SocketAddr,
    from: Option<IpAddr>,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

impl Wire {
    /// To `target`, from a local address of its own where one is given.
    pub fn new(target: SocketAddr, from: Option<IpAddr>) -> Self {
        Self { target, from, stream: None, buffer: Vec::with_capacity(4096) }
    }

    /// Sends a whole request and reads its answer.
    pub async fn exchange(&mut self, request: &[u8], slowly: bool, patience: Duration) -> Result<HttpAnswer, Silence> {
        let answer = timeout(patience, self.try_exchange(request, slowly)).await.unwrap_or(Err(Silence::Late));
        if answer.is_err() {
            self.stream = None;
        }
        answer
    }

    async fn dial(&self) -> std::io::Result<TcpStream> {
        let socket = if self.target.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(from) = self.from {
            socket.bind((from, 0).into())?;
        }
        let stream = socket.connect(self.target).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn try_exchange(&mut self, request: &[u8], slowly: bool) -> Result<HttpAnswer, Silence> {
        if self.stream.is_none() {
            self.stream = Some(self.dial().await.map_err(|_| Silence::Refused)?);
        }
        let stream = self.stream.as_mut().ok_or(Silence::Refused)?;
        if slowly {
            for piece in request.chunks(request.len().div_ceil(PIECES).max(1)) {
                stream.write_all(piece).await.map_err(|_| Silence::Cut)?;
                tokio::time::sleep(PIECE_PAUSE).await;
            }
        } else {
            stream.write_all(request).await.map_err(|_| Silence::Cut)?;
        }
        self.buffer.clear();
        loop {
            let read = stream.read_buf(&mut self.buffer).await.map_err(|_| Silence::Cut)?;
            if read == 0 || self.buffer.len() > ANSWER_BYTES {
                return Err(Silence::Cut);
            }
            if let Some((answer, keep)) = whole(&self.buffer)? {
                if !keep {
                    self.stream = None;
                }
                return Ok(answer);
            }
        }
    }
}

/// The answer once it is all here, and whether the connection may be used again.
fn whole(bytes: &[u8]) -> Result<Option<(HttpAnswer, bool)>, Silence> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let head = match response.parse(bytes).map_err(|_| Silence::Garbled)? {
        httparse::Status::Partial => return Ok(None),
        httparse::Status::Complete(head) => head,
    };
    let header = |name: &str| {
        let found = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.value).ok()
    };
    // Every answer of a callback has a length; one without ends with its connection.
    let Some(length) = header("content-length").and_then(|text| text.trim().parse::<usize>().ok()) else {
        return Err(Silence::Garbled);
    };
    let Some(body) = head.checked_add(length).and_then(|end| bytes.get(head..end)) else { return Ok(None) };
    let keep = header("connection").is_none_or(|text| !text.eq_ignore_ascii_case("close"));
    Ok(Some((HttpAnswer { status: response.code.unwrap_or(0), body: body.to_vec() }, keep)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_once_it_is_whole() {
        let text = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\nsuccess";
        for cut in 0..text.len() {
            assert_eq!(whole(&text[..cut]), Ok(None), "{cut}");
        }
        let (answer, keep) = whole(text).unwrap().unwrap();
        assert_eq!((answer.status, answer.body.as_slice(), keep), (200, &b"success"[..], false));
        assert_eq!(whole(b"nonsense\r\n\r\n"), Err(Silence::Garbled));
    }
}
