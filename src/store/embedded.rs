//! The embedded Redis: a real `redis-server` on a unix socket in the data directory, started, watched and stopped here.
//!
//! Two locks keep it single. `kamid.lock` is held by the one daemon of a data directory. `redis.lock` is given to the
//! server as its standard input, so that the kernel frees it exactly when that process and its children are gone: while
//! it is held we attach and wait, however long the server is frozen or loading, and never start a second one, which
//! would write the same file and pop the same keys.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

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

/// The right to serve a data directory; freed by the kernel when this process ends, however it ends.
#[derive(Debug)]
pub struct DataLock(#[allow(dead_code)] File);

impl DataLock {
    /// Takes `kamid.lock` or says who holds it.
    ///
    /// # Errors
    /// [`EmbeddedError::Taken`], or a file that cannot be opened.
    pub fn take(data: &Path) -> Result<Self, EmbeddedError> {
        let path = data.join("kamid.lock");
        let mut file = open_lock(&path)?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut pid = String::new();
            let _read = file.read_to_string(&mut pid);
            let path = data.display().to_string();
            return Err(EmbeddedError::Taken { pid: pid.trim().to_owned(), path });
        }
        file.set_len(0).and_then(|()| file.rewind()).map_err(at(&path))?;
        writeln!(file, "{}", std::process::id()).map_err(at(&path))?;
        Ok(Self(file))
    }
}

fn open_lock(path: &Path) -> Result<File, EmbeddedError> {
    File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(path).map_err(at(path))
}

/// The embedded server of one data directory.
#[derive(Debug, Clone)]
pub struct Embedded {
    folder: PathBuf,
    program: String,
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
        let embedded = Self { folder, program: program.to_owned() };
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

    /// Whether a server (or a child that still writes its files) is alive.
    ///
    /// # Errors
    /// The lock file cannot be opened.
    pub fn alive(&self) -> Result<bool, EmbeddedError> {
        let lock = open_lock(&self.folder.join("redis.lock"))?;
        Ok(flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err())
    }

    /// Starts a server if none is alive. Says whether it did.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn start(&self) -> Result<bool, EmbeddedError> {
        let lock = open_lock(&self.folder.join("redis.lock"))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Ok(false);
        }
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
        // Its own group: Ctrl-C on our terminal must not kill it before the drain.
        command.process_group(0).stdin(Stdio::from(lock)).stdout(Stdio::from(out)).stderr(Stdio::from(err));
        for (name, value) in settings {
            command.arg(name).arg(value);
        }
        let child =
            command.spawn().map_err(|source| EmbeddedError::Program { program: self.program.clone(), source })?;
        // The command holds our copy of the lock; the server alone must hold it from here on.
        drop(command);
        std::thread::spawn(move || reap(child));
        Ok(true)
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
    /// and then says why by the last lines of its log: a full disk, a damaged file.
    pub async fn supervise(self, mut stop: tokio::sync::watch::Receiver<bool>) {
        let mut started: Option<Instant> = None;
        let mut short_lives = 0u32;
        while !*stop.borrow() {
            let pause = (LOOK * 2u32.pow(short_lives.min(6))).min(SLOWEST);
            if started.is_none_or(|at| at.elapsed() >= pause) {
                match self.start() {
                    Ok(false) => {}
                    Ok(true) => {
                        short_lives =
                            if started.is_some_and(|at| at.elapsed() < LONG_LIFE) { short_lives + 1 } else { 0 };
                        started = Some(Instant::now());
                        self.tell(short_lives);
                    }
                    Err(error) => {
                        tracing::error!(%error, "The embedded Redis cannot be started.");
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

    /// Stops the server in order and waits until it is gone: nothing may start on its files before.
    pub async fn stop(&self, process: Option<u32>) {
        if let Some(pid) = process.and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed())) {
            let _sent = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        for _ in 0..200 {
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

fn reap(mut child: std::process::Child) {
    match child.wait() {
        Ok(status) => tracing::info!(%status, "The embedded Redis ended."),
        Err(error) => tracing::warn!(%error, "The embedded Redis could not be waited for."),
    }
}
