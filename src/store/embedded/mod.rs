//! The embedded Redis: a real `redis-server` on a unix socket in the data directory, started, watched and stopped here.
//!
//! One server at most writes these files, or the same keys would be sold twice. It is given the locks of its folder and of
//! `redis.lock`, which the kernel frees exactly when that process and its children are gone. Files can be removed under a
//! running server, so more than their names is asked: the locks that were given, the folder's own, our child, any process
//! that works there, and a socket that takes connections, as a frozen server's does. While one of them stands we attach
//! and wait, however long the server is frozen or loading.

mod home;
mod lock;
mod log;
pub mod memory;
mod process;

use std::fs::File;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use home::{Home, HomeVerdict};
use lock::Locks;
pub use log::Cut;
use log::HeardLog;

/// What stops the embedded Redis from serving.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum EmbeddedError {
    #[error("{path}: {source}")]
    File { path: String, source: std::io::Error },
    #[error("another kamid (pid {pid}) serves {path}; stop it, or give this one its own --data")]
    Taken { pid: String, path: String },
    #[error(
        "{program:?} cannot be started ({source}): install it (apt install redis-server), or name it in store.redis_server"
    )]
    Program { program: String, source: std::io::Error },
    #[error("{path} is too long for a unix socket ({length} bytes, at most 107): choose a shorter --data")]
    LongPath { path: String, length: usize },
    #[error(
        "{path} is not the folder any more that this daemon's Redis was started in: nothing is started there. Put the old one back, or restart kamid"
    )]
    Exchanged { path: String },
    #[error(
        "{path} is a copy, or was moved from another file system: its mark of home says {mark}, and it stands at {here}. Two shops on copies of the same files sell every key twice. If this is the shop, and the other folder (or its backup) will never be started again, start it once with --moved (or KAMID_MOVED=1). Otherwise leave it alone"
    )]
    Moved { path: String, mark: String, here: String },
    #[error("the embedded Redis stopped at once ({status}); the last lines of {log}:\n{tail}")]
    Stopped { status: String, log: String, tail: String },
}

/// How often the supervisor looks; how slowly it starts a server at most that does not stay up; how long it must have lived
/// to count as one that did.
const LOOK: Duration = Duration::from_millis(50);
const SLOWEST: Duration = Duration::from_secs(2);
const LONG_LIFE: Duration = Duration::from_secs(10);
/// A disk with fewer free bytes is full.
const NO_ROOM: u64 = 1_048_576;

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> EmbeddedError {
    let path = path.display().to_string();
    move |source| EmbeddedError::File { path, source }
}

/// Makes the data directory, readable by its owner only.
///
/// # Errors
/// It cannot be made.
pub fn make_private(path: &Path) -> Result<(), EmbeddedError> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(at(path))
}

/// A folder of another user than ours or root is told of: who owns it can read, and exchange, the keys' own key.
pub fn warn_if_foreign(path: &Path) {
    let owner = std::fs::metadata(path).map_or(0, |meta| meta.uid());
    let us = rustix::process::geteuid().as_raw();
    if is_foreign(owner, us) {
        tracing::warn!(path = %path.display(), owner, "This folder belongs to another user, who can read and exchange the key ring and the operators' token in it. Run kamid as that user, or: chown -R {us} {}", path.display());
    }
}

/// Whether an owner is neither us nor root, who reads everything anyway.
const fn is_foreign(owner: u32, us: u32) -> bool {
    owner != 0 && owner != us
}

/// A folder that was made or copied with other modes is told of, and left as it is.
fn warn_if_open(path: &Path, mask: u32, why: &str) {
    let mode = std::fs::metadata(path).map_or(0, |meta| meta.permissions().mode() & 0o777);
    if mode & mask != 0 {
        tracing::warn!(path = %path.display(), mode = format!("{mode:04o}"), "This folder is open: {why}. Run: chmod 700 {}", path.display());
    }
}

/// The right to serve a data directory; freed by the kernel when this process ends, however it ends.
#[derive(Debug)]
pub struct DataLock(#[allow(dead_code)] Locks);

impl DataLock {
    /// Takes `kamid.lock` and the directory, or says who holds them.
    ///
    /// # Errors
    /// [`EmbeddedError::Taken`], or a file that cannot be opened.
    pub fn take(data: &Path) -> Result<Self, EmbeddedError> {
        let path = data.join("kamid.lock");
        let mut locks = Locks::open(data, "kamid.lock")?;
        if !locks.take(data)? {
            let noted = Some(locks.note()).filter(|pid| !pid.is_empty());
            let pid = noted.unwrap_or_else(|| "unknown: its kamid.lock was removed".to_owned());
            return Err(EmbeddedError::Taken { pid, path: data.display().to_string() });
        }
        locks.sign().map_err(at(&path))?;
        Ok(Self(locks))
    }
}

/// Where the files stand.
#[derive(Debug)]
pub struct FilesPlace {
    /// The mark of it.
    pub mark: String,
    /// The mark of another place, where an operator said that they were moved.
    pub was: Option<String>,
    /// Whether a copy would be seen for certain.
    pub certain: bool,
}

/// What is known of the server.
#[derive(Debug, Default)]
struct Known {
    /// The child that we started, until it has ended.
    child: Option<u32>,
    /// The locks it was given, or was seen to have: not by their names, which may stand for other files by now.
    held: Option<Locks>,
    /// Whether it was said that its locks are gone and it is not.
    told: bool,
    /// Whether it was told to end, since nobody reaches it.
    recalled: bool,
    /// Sizes of its append-only files before it was started.
    sizes: std::collections::BTreeMap<String, u64>,
    /// Its log.
    heard: Option<HeardLog>,
}

/// The embedded server of one data directory.
#[derive(Debug, Clone)]
pub struct Embedded {
    folder: PathBuf,
    program: String,
    known: Arc<Mutex<Known>>,
}

impl Embedded {
    /// Prepares `data/redis`.
    ///
    /// # Errors
    /// The folder cannot be made, or its path is too long for a socket.
    pub fn new(data: &Path, program: &str) -> Result<Self, EmbeddedError> {
        let data = std::path::absolute(data).map_err(at(data))?;
        let folder = data.join("redis");
        make_private(&folder)?;
        warn_if_open(&data, 0o022, "others may exchange the files of the shop");
        warn_if_open(&folder, 0o077, "others may read orders and contacts");
        let embedded = Self { folder, program: program.to_owned(), known: Arc::default() };
        embedded.known().heard = Some(HeardLog::new(&embedded.folder, embedded.log()));
        let socket = embedded.socket();
        let length = socket.as_os_str().len();
        if length > 107 {
            return Err(EmbeddedError::LongPath { path: socket.display().to_string(), length });
        }
        Ok(embedded)
    }

    /// Where it listens.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.join("redis.sock")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("redis.log")
    }

    /// Refuses to be a copy, by the mark in the folder and, where one is given, by the one in Redis; says what to write there
    /// otherwise. `moved` is an operator's word that there is no other.
    ///
    /// # Errors
    /// [`EmbeddedError::Moved`], or a folder that cannot be looked at.
    pub fn home(&self, in_redis: &str, moved: bool) -> Result<FilesPlace, EmbeddedError> {
        let home = Home::of(&self.folder)?;
        let in_folder = Home::marked(&self.folder);
        let mut place = FilesPlace { mark: home.text(), was: None, certain: true };
        for mark in [in_folder.as_str(), in_redis] {
            match home.by(mark) {
                HomeVerdict::Same => {}
                HomeVerdict::Likely => place.certain = false,
                HomeVerdict::Other if moved => place.was = Some(mark.to_owned()),
                HomeVerdict::Other => {
                    let (path, mark) = (self.folder.display().to_string(), mark.to_owned());
                    return Err(EmbeddedError::Moved { path, mark, here: place.mark });
                }
            }
        }
        Ok(place)
    }

    /// Writes the mark of this place into the folder.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn mark_home(&self, mark: &str) -> Result<(), EmbeddedError> {
        if Home::marked(&self.folder) == mark { Ok(()) } else { Home::mark(&self.folder, mark) }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a server (or a child that still writes its files) is alive.
    ///
    /// # Errors
    /// The lock file cannot be opened.
    pub fn alive(&self) -> Result<bool, EmbeddedError> {
        Ok(self.claim(&mut self.known())?.is_none())
    }

    /// The locks of the files, ours, where nothing speaks for a server on them.
    fn claim(&self, known: &mut Known) -> Result<Option<Locks>, EmbeddedError> {
        if known.child.is_some() || known.held.as_ref().is_some_and(Locks::elsewhere) {
            return Ok(None);
        }
        let mut locks = Locks::open(&self.folder, "redis.lock")?;
        if known.held.as_ref().is_some_and(|held| !held.same_folder(&locks)) {
            return Err(EmbeddedError::Exchanged { path: self.folder.display().to_string() });
        }
        if !locks.take(&self.folder)? {
            known.held = Some(locks);
            return Ok(None);
        }
        let process = process::of(&self.folder, &self.socket());
        if process.is_none() && !process::accepts(&self.socket()) {
            return Ok(Some(locks));
        }
        if !std::mem::replace(&mut known.told, true) {
            tracing::warn!(
                process,
                "The embedded Redis runs although nobody has its locks: redis.lock was removed. It is used as it is; no second one is started."
            );
        }
        Ok(None)
    }

    /// Starts a server if none is alive. Says whether it did.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn start(&self) -> Result<bool, EmbeddedError> {
        let mut known = self.known();
        let Some(locks) = self.claim(&mut known)? else { return Ok(false) };
        let socket = self.socket();
        let _gone = std::fs::remove_file(&socket);
        let log = self.log();
        let out = File::options().create(true).append(true).mode(0o600).open(&log).map_err(at(&log))?;
        let err = out.try_clone().map_err(at(&log))?;
        let socket_text = socket.display().to_string();
        let folder_text = self.folder.display().to_string();
        let settings = [
            ("--port", "0"),
            ("--unixsocket", socket_text.as_str()),
            ("--unixsocketperm", "700"),
            ("--dir", folder_text.as_str()),
            ("--daemonize", "no"),
            ("--appendonly", "yes"),
            ("--appendfsync", "always"),
            ("--no-appendfsync-on-rewrite", "no"),
            ("--maxmemory-policy", "noeviction"),
            ("--save", ""),
            // A rewrite costs a flash sale half a core: not for a small file.
            ("--auto-aof-rewrite-min-size", "256mb"),
            // An order stays compact with its keys; the claims of an import, many more, are found by hash.
            ("--hash-max-listpack-value", "512"),
            ("--hash-max-listpack-entries", "64"),
            ("--maxclients", "10000"),
        ];
        let mut command = Command::new(&self.program);
        let stdin = locks.hand_to().map_err(at(&self.folder))?;
        // Its own group: Ctrl-C on our terminal must not kill it before the drain.
        command.process_group(0).stdin(stdin).stdout(Stdio::from(out)).stderr(Stdio::from(err));
        for (name, value) in settings {
            command.arg(name).arg(value);
        }
        let held = Locks::open(&self.folder, "redis.lock")?;
        let sizes = log::sizes(&self.folder);
        let child =
            command.spawn().map_err(|source| EmbeddedError::Program { program: self.program.clone(), source })?;
        // The command holds our copies of the locks; the server alone must hold them from here on.
        drop((command, locks));
        *known =
            Known { child: Some(child.id()), held: Some(held), sizes, heard: known.heard.take(), ..Known::default() };
        let embedded = self.clone();
        std::thread::spawn(move || embedded.reap(child));
        Ok(true)
    }

    /// Waits for a child that ends.
    fn reap(&self, mut child: std::process::Child) {
        let ended = child.wait();
        self.known().child = None;
        match ended {
            Ok(status) => tracing::info!(%status, "The embedded Redis ended."),
            Err(error) => tracing::warn!(%error, "The embedded Redis could not be waited for."),
        }
    }

    /// Ends a server that nobody reaches any more, since its socket was removed, in order: it writes what it has, and
    /// another one is started on its files when it is gone. Only for when no connection of ours works.
    pub fn recall(&self) {
        if self.known().recalled || !process::is_cut_off(&self.socket()) {
            return;
        }
        let Some(pid) = process::of(&self.folder, &self.socket()) else { return };
        self.known().recalled = true;
        // One that works in another folder by now may have the only copy of what it knows.
        if !process::works_in(pid, &self.folder) {
            tracing::error!(pid, folder = %self.folder.display(), "The embedded Redis cannot be reached: its socket was removed, and its folder was removed or exchanged. Nothing is started beside it. Save its files first, then end it: docs/operations.md.");
            return;
        }
        tracing::error!(
            pid,
            "The embedded Redis cannot be reached: its socket was removed. It is ended in order and started again."
        );
        terminate(pid);
    }

    /// Why the server stopped at once, from its log.
    #[must_use]
    pub fn diagnosis(&self) -> EmbeddedError {
        let log = self.log();
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(5).collect();
        let mut tail = lines.into_iter().rev().collect::<Vec<_>>().join("\n");
        // A server on a full disk cannot write why it stopped either.
        let free = rustix::fs::statvfs(&self.folder).map_or(u64::MAX, |stat| stat.f_bavail * stat.f_frsize);
        if free < NO_ROOM {
            tail.push_str(&format!("\nOnly {free} bytes of disk are free at {}: make room.", self.folder.display()));
        }
        EmbeddedError::Stopped { status: "see below".to_owned(), log: log.display().to_string(), tail }
    }

    /// Keeps a server running until told to stop: starts one whenever none is alive, more slowly when it does not stay up,
    /// and then says why by the last lines of its log: a full disk, a damaged file. `answers` says whether a connection of
    /// ours works: then nothing is started unless the locks that the server had are seen to be free. `cut` hears that the
    /// server cut its file.
    pub async fn supervise(
        self,
        mut stop: tokio::sync::watch::Receiver<bool>,
        answers: impl Fn() -> bool + Send,
        cut: impl Fn(Cut) + Send,
    ) {
        let mut started: Option<Instant> = None;
        let mut short_lives = 0u32;
        while !*stop.borrow() {
            while let Some(found) = self.hear() {
                cut(found);
            }
            let pause = (LOOK * 2u32.pow(short_lives.min(6))).min(SLOWEST);
            if !answers() {
                self.recall();
            }
            if started.is_none_or(|at| at.elapsed() >= pause) && (self.is_certain() || !answers()) {
                match self.start() {
                    Ok(false) => {}
                    Ok(true) => {
                        short_lives =
                            if started.is_some_and(|at| at.elapsed() < LONG_LIFE) { short_lives + 1 } else { 0 };
                        started = Some(Instant::now());
                        self.tell(short_lives);
                    }
                    Err(error) => {
                        if short_lives.is_power_of_two() || short_lives == 0 {
                            tracing::error!(%error, "The embedded Redis cannot be started.");
                        }
                        short_lives += 1;
                        started = Some(Instant::now());
                    }
                }
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// The next that the server says to have cut.
    fn hear(&self) -> Option<Cut> {
        let mut known = self.known();
        let Known { heard, sizes, .. } = &mut *known;
        heard.as_mut()?.next(sizes)
    }

    /// Whether its end can be seen: locks are freed with the process, while signs of one can be missed.
    fn is_certain(&self) -> bool {
        self.known().held.is_some()
    }

    fn tell(&self, short_lives: u32) {
        match short_lives {
            0 => tracing::warn!("The embedded Redis was gone and was started again."),
            // Once more is a coincidence; after that a person should know, and not each time.
            n if n.is_power_of_two() && n > 1 => {
                tracing::error!(why = %self.diagnosis(), "The embedded Redis does not stay up; it is tried again and again.");
            }
            _ => {}
        }
    }

    /// Stops the server if it is one that was started here; one that was found running is left as it is.
    pub async fn stop_own(&self) {
        let child = self.known().child;
        if child.is_some() {
            self.stop(child).await;
        }
    }

    /// Stops the server in order, this process or the one that is found, and waits until it is gone: nothing may start on its
    /// files before.
    pub async fn stop(&self, process: Option<u32>) {
        let mut ended = None;
        for look in 0..200u32 {
            // One that was just started again is another one.
            if look.is_multiple_of(20) {
                let pid = process.filter(|_| look == 0).or_else(|| process::of(&self.folder, &self.socket()));
                if let Some(pid) = pid.filter(|pid| ended != Some(*pid)) {
                    terminate(pid);
                    ended = Some(pid);
                }
            }
            if !self.alive().unwrap_or(false) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        tracing::error!(
            "The embedded Redis did not stop in 10 s; it is left to itself, and the next start attaches to it."
        );
    }
}

fn terminate(pid: u32) {
    if let Some(pid) = Pid::from_raw(pid.cast_signed()) {
        // It may be gone already.
        let _sent = kill_process(pid, Signal::TERM);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_anybody_but_us_and_root_is_foreign() {
        for (owner, us, foreign) in
            [(1000, 1000, false), (0, 1000, false), (0, 0, false), (1001, 1000, true), (1000, 0, true)]
        {
            assert_eq!(is_foreign(owner, us), foreign, "{owner} {us}");
        }
    }
}
