//! Incidents: what an operator should see, with the raw request where there was one.
//!
//! Kept in memory (a ring of each channel and reason) and in capped, rotated, rate-limited files; not in Redis, or forgers
//! could buy fsyncs. What strangers can send has its own memory, its own file and its own share of each second, so that no
//! flood of it pushes out what is about money.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::config::Limits;
pub use crate::domain::incident::{Incident, IncidentBrief, RawRequest};
use crate::domain::{Millis, Reason};

/// Letters of its instance's name that an incident's id begins with.
pub(super) const PREFIX: usize = 6;

/// What is kept apart: a reason of a channel. A channel that is none of ours is whatever a stranger calls it.
type Kind = (String, Reason);

fn kind_of(channel: &str, reason: &Reason) -> Kind {
    let channel = if *reason == Reason::NoSuchChannel { "" } else { channel };
    (channel.to_owned(), reason.clone())
}

/// The last incidents: a ring of each kind. When all are full, the longest ring gives way, so that many of one kind push
/// out only each other.
struct Rings {
    most: usize,
    held: usize,
    next: u64,
    rings: HashMap<Kind, VecDeque<(u64, Incident)>>,
}

impl Rings {
    fn new(most: usize) -> Self {
        Self { most, held: 0, next: 0, rings: HashMap::new() }
    }

    fn push(&mut self, incident: Incident) {
        self.next += 1;
        let ring = self.rings.entry(kind_of(&incident.channel, &incident.reason)).or_default();
        ring.push_back((self.next, incident));
        self.held += 1;
        if self.held > self.most {
            self.give_way();
        }
    }

    /// The oldest of the longest ring; of equally long ones, of that with the oldest.
    fn give_way(&mut self) {
        let age = |ring: &VecDeque<(u64, Incident)>| ring.front().map_or(0, |(number, _)| u64::MAX - number);
        let longest = self.rings.iter().max_by_key(|(_, ring)| (ring.len(), age(ring))).map(|(kind, _)| kind.clone());
        let Some(kind) = longest else { return };
        if let Some(ring) = self.rings.get_mut(&kind)
            && ring.pop_front().is_some()
        {
            self.held -= 1;
        }
        self.rings.retain(|_, ring| !ring.is_empty());
    }

    fn all(&self) -> impl Iterator<Item = &(u64, Incident)> {
        self.rings.values().flatten()
    }
}

/// How many incidents with a request came in this second, and of which kinds.
#[derive(Default)]
struct Window {
    second: u64,
    all: u32,
    repeats: u32,
    kinds: HashMap<Kind, u32>,
}

impl Window {
    /// The first of a kind has a quarter of the room for itself; of the rest no kind gets more than half.
    fn takes(&mut self, now: Millis, kind: Kind, most: u32) -> bool {
        if self.second != now / 1000 {
            *self = Self { second: now / 1000, ..Self::default() };
        }
        let of_kind = self.kinds.get(&kind).copied().unwrap_or(0);
        let repeat = of_kind > 0;
        let fits = !repeat || (self.repeats < most - most / 4 && of_kind < most.div_ceil(2));
        let takes = self.all < most && fits;
        if takes {
            self.all += 1;
            self.repeats += u32::from(repeat);
            self.kinds.insert(kind, of_kind + 1);
        }
        takes
    }
}

/// A file and the one before it.
type Files = [PathBuf; 2];

/// The last incidents, and a way to their files.
pub struct IncidentLog {
    prefix: String,
    next: AtomicU64,
    /// Of strangers, and the others.
    rings: Mutex<[Rings; 2]>,
    writer: Option<SyncSender<Incident>>,
    /// Of strangers, and of what was signed.
    windows: Mutex<[Window; 2]>,
    per_second: u32,
    dropped: AtomicU64,
    files: Option<[Files; 2]>,
}

impl IncidentLog {
    /// A log of this instance; what an earlier run wrote under `data` is read again.
    #[must_use]
    pub fn new(instance: &str, data: Option<&Path>, limits: &Limits) -> Self {
        let pair =
            |data: &Path, name: &str| [data.join(format!("{name}.ndjson")), data.join(format!("{name}.1.ndjson"))];
        let files = data.map(|data| [pair(data, "refused"), pair(data, "incidents")]);
        let mut rings = [Rings::new(limits.incidents), Rings::new(limits.incidents)];
        let mut earlier: Vec<Incident> = files.iter().flatten().flatten().flat_map(|file| read(file)).collect();
        earlier.sort_by_key(|incident| incident.at);
        for incident in earlier {
            rings[place(&incident)].push(incident);
        }
        let writer = files.clone().map(|files| {
            let (sender, receiver) = sync_channel::<Incident>(256);
            let most = limits.incident_file_bytes;
            std::thread::spawn(move || {
                for incident in receiver {
                    if let Err(error) = append(&files[place(&incident)], &incident, most) {
                        tracing::warn!(%error, "An incident could not be written to its file.");
                    }
                }
            });
            sender
        });
        Self {
            prefix: instance.chars().take(PREFIX).collect(),
            next: AtomicU64::new(1),
            rings: Mutex::new(rings),
            writer,
            windows: Mutex::default(),
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

    /// Whether this second still has room for one with a request: past it they are only counted, so that a forger can
    /// neither fill a disk nor use up the room of other kinds, or of what gateways signed.
    pub fn has_room(&self, now: Millis, (channel, reason): (&str, &Reason), signed: bool) -> bool {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let room = windows[usize::from(signed)].takes(now, kind_of(channel, reason), self.per_second);
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
        self.rings()[place(&incident)].push(incident);
    }

    fn rings(&self) -> MutexGuard<'_, [Rings; 2]> {
        self.rings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest, newest first.
    pub fn newest(&self, most: usize) -> Vec<Incident> {
        let rings = self.rings();
        let mut all: Vec<(Millis, u64, &Incident)> =
            rings.iter().flat_map(Rings::all).map(|(number, incident)| (incident.at, *number, incident)).collect();
        all.sort_by_key(|(at, number, _)| std::cmp::Reverse((*at, *number)));
        all.into_iter().take(most).map(|(_, _, incident)| incident.clone()).collect()
    }

    /// One of them: from memory, or from the files.
    pub fn get(&self, id: &str) -> Option<Incident> {
        let rings = self.rings();
        let found = rings.iter().flat_map(Rings::all).find(|(_, incident)| incident.id == id);
        let found = found.map(|(_, incident)| incident.clone());
        drop(rings);
        let files = self.files.iter().flatten().flatten();
        found.or_else(|| files.flat_map(|file| read(file)).find(|incident| incident.id == id))
    }
}

/// Which memory and which file are an incident's.
fn place(incident: &Incident) -> usize {
    usize::from(!incident.is_strangers())
}

fn read(file: &Path) -> impl Iterator<Item = Incident> + use<> {
    let lines = File::open(file).ok().map(|file| BufReader::new(file).lines().map_while(Result::ok));
    // A line cut by a kill is no incident.
    lines.into_iter().flatten().filter_map(|line| serde_json::from_str(&line).ok())
}

fn append(files: &Files, incident: &Incident, most: u64) -> std::io::Result<()> {
    if std::fs::metadata(&files[0]).is_ok_and(|meta| meta.len() >= most) {
        std::fs::rename(&files[0], &files[1])?;
    }
    let mut file = File::options().create(true).append(true).mode(0o600).open(&files[0])?;
    let mut line = serde_json::to_vec(incident)?;
    line.push(b'\n');
    file.write_all(&line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn incident(log: &IncidentLog, at: Millis, reason: &Reason, stranger: bool) -> Incident {
        let request = stranger.then(|| RawRequest {
            method: "GET".to_owned(),
            target: "/".to_owned(),
            headers: Vec::new(),
            body_b64: String::new(),
            cut: false,
        });
        let text = String::new;
        Incident {
            id: log.next_id(at),
            at,
            channel: "pay".to_owned(),
            reason: reason.to_owned(),
            advice: text(),
            address: text(),
            number: text(),
            status: 400,
            signed: false,
            request,
        }
    }

    fn count(log: &IncidentLog, reason: &Reason) -> usize {
        log.newest(usize::MAX).iter().filter(|incident| incident.reason == *reason).count()
    }

    #[test]
    fn a_flood_of_one_kind_pushes_out_neither_other_kinds_nor_what_no_stranger_can_cause() {
        let folder = tempfile::tempdir().unwrap();
        let limits = crate::config::Limits { incident_file_bytes: 65_536, ..Config::defaults().unwrap().limits };
        let log = IncidentLog::new("abcdef", Some(folder.path()), &limits);
        log.push(incident(&log, 1, &Reason::ExtraPayment, false));
        log.push(incident(&log, 2, &Reason::MerchantMismatch, true));
        for at in 0..5000 {
            log.push(incident(&log, 3 + at, &Reason::BadSignature, true));
            if at % 100 == 0 {
                // The writer takes its time.
                std::thread::yield_now();
            }
        }
        let kept =
            [&Reason::ExtraPayment, &Reason::MerchantMismatch, &Reason::BadSignature].map(|reason| count(&log, reason));
        assert_eq!(kept, [1, 1, limits.incidents - 1]);
        let newest = log.newest(usize::MAX);
        assert!(newest.is_sorted_by_key(|incident| std::cmp::Reverse(incident.at)), "newest first");
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while read(&folder.path().join("incidents.ndjson")).next().is_none() {
            assert!(std::time::Instant::now() < deadline, "written in its turn");
            std::thread::yield_now();
        }
        drop(log);
        let again = IncidentLog::new("fedcba", Some(folder.path()), &limits);
        assert_eq!(count(&again, &Reason::ExtraPayment), 1, "it is found after a restart");
    }

    #[test]
    fn a_second_keeps_room_for_other_kinds_and_for_what_is_signed() {
        let limits = Config::defaults().unwrap().limits;
        let log = IncidentLog::new("abcdef", None, &limits);
        let flood = |second: u64, reason: &Reason| {
            (0..1000).filter(|_| log.has_room(second * 1000, ("pay", reason), false)).count()
        };
        assert_eq!(flood(1, &Reason::BadSignature), 25, "half of the second's room");
        assert_eq!(flood(1, &Reason::MissingSignature), 15);
        assert_eq!(flood(1, &Reason::MerchantMismatch), 1, "the first of its kind");
        assert!(log.has_room(1000, ("pay", &Reason::OrderUnknown), true));
        // Whatever strangers call a channel, it is one kind.
        let made_up =
            (0..1000).filter(|n| log.has_room(9_000, (&format!("x{n}"), &Reason::NoSuchChannel), false)).count();
        assert_eq!((made_up, log.dropped()), (25, 975 + 985 + 999 + 975));
    }
    #[test]
    fn what_another_version_wrote_is_read_again_and_keeps_its_words() {
        let folder = tempfile::tempdir().unwrap();
        let line = |at: u64, reason: &str| {
            format!(
                r#"{{"id":"abcdef-{at}","at":{at},"channel":"pay","reason":"{reason}","advice":"see","address":"","number":"","status":0}}"#
            )
        };
        let lines = [line(1, "held"), line(2, "sun_spots")];
        std::fs::write(folder.path().join("incidents.ndjson"), lines.join("\n") + "\n").unwrap();
        let log = IncidentLog::new("abcdef", Some(folder.path()), &Config::defaults().unwrap().limits);
        let found = log.newest(usize::MAX);
        assert_eq!(found.iter().map(|it| it.reason.as_str()).collect::<Vec<_>>(), ["sun_spots", "held"]);
        assert_eq!((&found[0].reason, &found[1].reason), (&Reason::Other("sun_spots".to_owned()), &Reason::Held));
        for (incident, line) in found.iter().zip(lines.iter().rev()) {
            assert_eq!(serde_json::to_string(incident).unwrap(), *line);
        }
    }
}
