//! Incidents: what an operator should see, with the raw request where there was one.
//!
//! Kept in memory (a ring) and in a capped, rotated, rate-limited file; not in Redis, or forgers could buy fsyncs.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::config::Limits;
use crate::domain::Millis;
use crate::domain::text::printable;

/// Letters of its instance's name that an incident's id begins with.
pub(super) const PREFIX: usize = 6;
/// Largest raw request kept of one incident, in bytes of its JSON.
const REQUEST_BYTES: usize = 16_384;

/// A request as it came, for the operator only. `Authorization` and `Cookie` are left out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RawRequest {
    /// `GET` or `POST`.
    pub method: String,
    /// Path and raw query.
    pub target: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body, base64.
    pub body_b64: String,
    /// Whether it was cut to fit.
    #[serde(default)]
    pub cut: bool,
}

impl RawRequest {
    /// Drops what is secret or too much.
    #[must_use]
    pub fn trimmed(mut self) -> Self {
        self.headers.retain(|(name, _)| !matches!(name.to_ascii_lowercase().as_str(), "authorization" | "cookie"));
        let size: usize = self.headers.iter().map(|(n, v)| n.len() + v.len()).sum();
        if self.target.len() + self.body_b64.len() + size > REQUEST_BYTES {
            self.cut = true;
            self.target = printable(&self.target, 2048);
            self.body_b64.truncate(4096);
            self.headers.truncate(20);
            self.headers.retain(|(_, value)| value.len() <= 256);
        }
        self
    }
}

/// Something an operator should see.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Incident {
    /// Its id.
    pub id: String,
    /// When.
    pub at: Millis,
    /// The channel; empty where there is none.
    pub channel: String,
    /// The reason's word.
    pub reason: String,
    /// The reason in a sentence, and what to do.
    pub advice: String,
    /// Where it came from.
    pub address: String,
    /// The payment number it names, where it can be read.
    pub number: String,
    /// What the sender was told.
    pub status: u16,
    /// The request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<RawRequest>,
}

/// An incident without its request, safe to show anywhere.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Brief {
    pub id: String,
    pub at: Millis,
    pub channel: String,
    pub reason: String,
    pub address: String,
    pub number: String,
    pub status: u16,
}

impl Incident {
    /// Without its request; foreign text made printable.
    #[must_use]
    pub fn brief(&self) -> Brief {
        Brief {
            id: self.id.clone(),
            at: self.at,
            channel: self.channel.clone(),
            reason: self.reason.clone(),
            address: printable(&self.address, 64),
            number: printable(&self.number, 64),
            status: self.status,
        }
    }
}

/// The last incidents, and a way to their file.
pub struct IncidentLog {
    prefix: String,
    next: AtomicU64,
    most: usize,
    ring: Mutex<VecDeque<Incident>>,
    writer: Option<SyncSender<Incident>>,
    window: Mutex<(u64, u32)>,
    per_second: u32,
    dropped: AtomicU64,
    files: Option<[PathBuf; 2]>,
}

impl IncidentLog {
    /// A log of this instance; what an earlier run wrote under `data` is read again.
    #[must_use]
    pub fn new(instance: &str, data: Option<&Path>, limits: &Limits) -> Self {
        let files = data.map(|data| [data.join("incidents.ndjson"), data.join("incidents.1.ndjson")]);
        let mut ring = VecDeque::new();
        if let Some(files) = &files {
            for incident in files.iter().rev().flat_map(|file| read(file)) {
                if ring.len() >= limits.incidents {
                    ring.pop_front();
                }
                ring.push_back(incident);
            }
        }
        let writer = files.clone().map(|files| {
            let (sender, receiver) = sync_channel::<Incident>(256);
            let most = limits.incident_file_bytes;
            std::thread::spawn(move || {
                for incident in receiver {
                    if let Err(error) = append(&files, &incident, most) {
                        tracing::warn!(%error, "An incident could not be written to its file.");
                    }
                }
            });
            sender
        });
        Self {
            prefix: instance.chars().take(PREFIX).collect(),
            next: AtomicU64::new(1),
            most: limits.incidents,
            ring: Mutex::new(ring),
            writer,
            window: Mutex::new((0, 0)),
            per_second: limits.incidents_per_second,
            dropped: AtomicU64::new(0),
            files,
        }
    }

    /// An id that no other incident has.
    pub fn next_id(&self, now: Millis) -> String {
        format!("{}-{now:x}-{}", self.prefix, self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// How many were not written to the file, because too many came at once.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Whether this second still has room: past it, incidents are only counted, so that a forger cannot fill a disk or
    /// push what matters out of memory.
    pub fn has_room(&self, now: Millis) -> bool {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let second = now / 1000;
        if window.0 != second {
            *window = (second, 0);
        }
        window.1 += 1;
        let room = window.1 <= self.per_second;
        if !room {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        room
    }

    pub(super) fn push(&self, incident: Incident) {
        if let Some(writer) = &self.writer
            && let Err(TrySendError::Full(_)) = writer.try_send(incident.clone())
        {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        if ring.len() >= self.most {
            ring.pop_front();
        }
        ring.push_back(incident);
    }

    /// The newest, newest first.
    pub fn newest(&self, most: usize) -> Vec<Incident> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner).iter().rev().take(most).cloned().collect()
    }

    /// One of them: from memory, or from the files.
    pub fn get(&self, id: &str) -> Option<Incident> {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let found = ring.iter().rev().find(|incident| incident.id == id).cloned();
        drop(ring);
        found.or_else(|| self.files.iter().flatten().flat_map(|file| read(file)).find(|incident| incident.id == id))
    }
}

fn read(file: &Path) -> impl Iterator<Item = Incident> + use<> {
    let lines = File::open(file).ok().map(|file| BufReader::new(file).lines().map_while(Result::ok));
    // A line cut by a kill is no incident.
    lines.into_iter().flatten().filter_map(|line| serde_json::from_str(&line).ok())
}

fn append(files: &[PathBuf; 2], incident: &Incident, most: u64) -> std::io::Result<()> {
    if std::fs::metadata(&files[0]).is_ok_and(|meta| meta.len() >= most) {
        std::fs::rename(&files[0], &files[1])?;
    }
    let mut file = File::options().create(true).append(true).mode(0o600).open(&files[0])?;
    let mut line = serde_json::to_vec(incident)?;
    line.push(b'\n');
    file.write_all(&line)
}
