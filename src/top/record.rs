//! A stream written down, and played again: a head, then one JSON line for each line of the stream with its time.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use super::ask::{Ask, Received, Row};
use super::model::{Line, Message};
use crate::domain::text::masked;

/// Version of the form.
const FORMAT: u32 = 1;
/// What a jump shows at once of the time before it, ms.
const BEFORE_MS: u64 = 900_000;
/// How often a player says how far it is, ms of this clock.
const STEP: Duration = Duration::from_millis(100);

#[derive(Serialize, Deserialize)]
struct Head {
    kamid_recording: u32,
    began: u64,
}

#[derive(Serialize)]
struct Written<'a> {
    ms: u64,
    line: &'a RawValue,
}

#[derive(Deserialize)]
struct Read<'a> {
    ms: u64,
    #[serde(borrow)]
    line: &'a RawValue,
}

/// Writes a recording; the stream and what is asked for beside it go into the same one.
#[derive(Clone)]
pub struct Recorder {
    inner: Arc<Mutex<Open>>,
}

struct Open {
    file: BufWriter<File>,
    began: u64,
    /// What was asked for, as it was last written: what did not change is not written again.
    last: BTreeMap<&'static str, String>,
}

/// What an answer is in a recording: what a screen shows of it, with contacts masked.
#[must_use]
pub fn line_of(message: &Message) -> Option<String> {
    let Message::Answer(ask, Ok(answer)) = message else { return None };
    let line = match (ask, answer) {
        (Ask::Review, Received::Rows(rows)) => {
            let masked = |row: &Row| Row { contact: masked(&row.contact), ..row.clone() };
            json!({"review": rows.iter().map(masked).collect::<Vec<_>>()})
        }
        (_, Received::Notices(notices)) => json!({"unsent": notices}),
        (_, Received::Incidents(incidents)) => json!({"earlier": incidents}),
        _ => return None,
    };
    Some(line.to_string())
}

/// An error of a file, with its name.
fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

impl Recorder {
    /// Begins a new file; an existing one is not touched.
    ///
    /// # Errors
    /// It is there already or cannot be made.
    pub fn create(path: &Path, now: u64) -> io::Result<Self> {
        let made = File::options().write(true).create_new(true).mode(0o600).open(path);
        let file = made.map_err(|error| named(path, &error))?;
        let mut file = BufWriter::new(file);
        serde_json::to_writer(&mut file, &Head { kamid_recording: FORMAT, began: now })?;
        file.write_all(b"\n")?;
        file.flush()?;
        Ok(Self { inner: Arc::new(Mutex::new(Open { file, began: now, last: BTreeMap::new() })) })
    }

    /// Writes a line of the stream, whole or not at all as far as a reader is concerned.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, now: u64, line: &str) -> io::Result<()> {
        let mut open = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kind) = asked(line) {
            if open.last.get(kind).is_some_and(|last| last == line) {
                return Ok(());
            }
            open.last.insert(kind, line.to_owned());
        }
        // What is no JSON is no line of ours.
        let Ok(line) = serde_json::from_str::<&RawValue>(line) else { return Ok(()) };
        let ms = now.saturating_sub(open.began);
        serde_json::to_writer(&mut open.file, &Written { ms, line })?;
        open.file.write_all(b"\n")?;
        // Each at once: a recording is there for the moment before a crash.
        open.file.flush()
    }
}

/// The kind of a line that was asked for, which says how things stand and not what happened.
fn asked(line: &str) -> Option<&'static str> {
    Line::kind(line).filter(|kind| *kind != "{\"stock\"")
}

/// What a player is told.
#[derive(Debug, Clone, Copy)]
pub enum PlayerOrder {
    /// So many seconds on or back.
    Seek(i64),
    /// Stand still, or go on.
    Hold(bool),
}

/// A recording that is played.
pub struct Player {
    file: BufReader<File>,
    /// Time and place of each line.
    lines: Vec<(u64, u64)>,
    /// Those of them that say how things stand, by kind.
    standing: BTreeMap<&'static str, Vec<usize>>,
    speed: f64,
}

impl Player {
    /// Opens a recording; `speed` 1 is as it was.
    ///
    /// # Errors
    /// It cannot be read, or is none. A torn last line is left out.
    pub fn open(path: &Path, speed: f64) -> io::Result<Self> {
        let mut file = BufReader::new(File::open(path).map_err(|error| named(path, &error))?);
        let none = || {
            let what = "this is no recording of kamid top --record";
            named(path, &io::Error::new(io::ErrorKind::InvalidData, what))
        };
        let mut text = String::new();
        let mut at = file.read_line(&mut text)? as u64;
        let head: Head = serde_json::from_str(&text).map_err(|_| none())?;
        if head.kamid_recording != FORMAT {
            return Err(none());
        }
        let (mut lines, mut standing) = (Vec::new(), BTreeMap::<_, Vec<usize>>::new());
        loop {
            text.clear();
            let size = file.read_line(&mut text)? as u64;
            if size == 0 {
                break;
            }
            if let Ok(read) = serde_json::from_str::<Read<'_>>(&text) {
                if let Some(kind) = asked(read.line.get()) {
                    standing.entry(kind).or_default().push(lines.len());
                }
                lines.push((read.ms, at));
            }
            at += size;
        }
        if lines.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "this recording is empty"));
        }
        Ok(Self { file, lines, standing, speed })
    }

    /// How long it is, in ms.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.lines.last().map_or(0, |(ms, _)| *ms)
    }

    fn line(&mut self, at: usize) -> io::Result<Option<Line>> {
        let Some((_, place)) = self.lines.get(at) else { return Ok(None) };
        self.file.seek(SeekFrom::Start(*place))?;
        let mut text = String::new();
        self.file.read_line(&mut text)?;
        let read: Read<'_> = serde_json::from_str(&text)?;
        Ok(Line::read(read.line.get()))
    }

    /// How things stood before that line, as far as it was written down.
    fn stood(&mut self, before: usize) -> Vec<Line> {
        let last = |at: &Vec<usize>| at.get(at.partition_point(|at| *at < before).checked_sub(1)?).copied();
        let places: Vec<usize> = self.standing.values().filter_map(last).collect();
        places.into_iter().filter_map(|at| self.line(at).ok().flatten()).collect()
    }

    /// Everything, at once: for one picture of its end.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn all(&mut self, mut take: impl FnMut(Line)) -> io::Result<()> {
        for at in 0..self.lines.len() {
            if let Some(line) = self.line(at)? {
                take(line);
            }
        }
        Ok(())
    }

    /// Plays until nobody listens; stands still at its end.
    pub async fn play(mut self, mut orders: mpsc::Receiver<PlayerOrder>, out: mpsc::Sender<Message>) {
        let (mut next, mut ms, mut held) = (0usize, 0f64, false);
        let length = self.length();
        let mut step = tokio::time::interval(STEP);
        loop {
            tokio::select! {
                order = orders.recv() => match order {
                    None => return,
                    Some(PlayerOrder::Hold(hold)) => held = hold,
                    Some(PlayerOrder::Seek(by)) => {
                        let target = (ms + by as f64 * 1000.0).clamp(0.0, length as f64);
                        if target < ms {
                            if out.send(Message::Rewound).await.is_err() {
                                return;
                            }
                            let from = (target as u64).saturating_sub(BEFORE_MS);
                            next = self.lines.partition_point(|(at, _)| *at < from);
                            for line in self.stood(next) {
                                if out.send(Message::Line(line)).await.is_err() {
                                    return;
                                }
                            }
                        }
                        ms = target;
                    }
                },
                _ = step.tick() => if !held {
                    ms = (ms + STEP.as_millis() as f64 * self.speed).min(length as f64);
                },
            }
            while self.lines.get(next).is_some_and(|(at, _)| *at as f64 <= ms) {
                let line = self.line(next);
                next += 1;
                if let Ok(Some(line)) = line
                    && out.send(Message::Line(line)).await.is_err()
                {
                    return;
                }
            }
            if out.send(Message::Position(ms as u64, length)).await.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_a_torn_end_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("night.ndjson");
        let recorder = Recorder::create(&path, 1_000).unwrap();
        for n in 0..5u64 {
            let line = format!(
                "{{\"version\":2,\"instance\":\"a\",\"seq\":{n},\"at\":{},\"counters\":{{}},\"latency\":{{}},\"incidents\":[],\"incidents_dropped\":0}}",
                n * 1000 + 1
            );
            recorder.write(1_000 + n * 1000, &line).unwrap();
        }
        assert!(Recorder::create(&path, 1).is_err(), "a recording is not written over");
        File::options().append(true).open(&path).unwrap().write_all(b"{\"ms\":5000,\"line\":{\"ver").unwrap();
        let mut player = Player::open(&path, 1.0).unwrap();
        assert_eq!(player.length(), 4000);
        let mut seen = Vec::new();
        player
            .all(|line| {
                if let Line::Snapshot(it) = line {
                    seen.push(it.seq)
                }
            })
            .unwrap();
        assert_eq!(seen, [0, 1, 2, 3, 4]);
        std::fs::write(&path, "{}\n").unwrap();
        assert!(Player::open(&path, 1.0).is_err());
    }
}
