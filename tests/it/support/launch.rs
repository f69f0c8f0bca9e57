//! Shell scripts that a daemon is started through: each ends with `exec "$@"`, or is followed by what does.

use std::path::Path;

/// Hands a daemon's log to a reader of its own, through a pipe that holds a page.
pub fn piped(folder: &Path) -> String {
    let (pipe, reader) = (folder.join("log.pipe"), folder.join("reader"));
    let read = "import fcntl, shutil, sys; pipe = open(sys.argv[1], 'rb', 0); fcntl.fcntl(pipe, 1031, 4096); shutil.copyfileobj(pipe, open(2, 'wb', 0), 512)";
    format!(
        "mkfifo {pipe}\nLD_PRELOAD= /usr/bin/python3 -c \"{read}\" {pipe} &\necho $! > {reader}\nexec \"$@\" 2> {pipe}\n",
        pipe = pipe.display(),
        reader = reader.display()
    )
}

/// Starts a program whose wall clock follows a file.
pub fn jumping(clock: &Path) -> String {
    format!("{}exec \"$@\"\n", clocked(clock))
}

/// Lets the wall clock of what a script starts follow a file, by a library that stands between it and the system's.
pub fn clocked(clock: &Path) -> String {
    let folders = std::fs::read_dir("/usr/lib").unwrap().map(|entry| entry.unwrap().path());
    let library = folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1")).find(|path| path.exists());
    let library = library.expect("libfaketime is installed: make setup-tests");
    format!(
        "export LD_PRELOAD={} FAKETIME_TIMESTAMP_FILE={} FAKETIME_NO_CACHE=1 DONT_FAKE_MONOTONIC=1\n",
        library.display(),
        clock.display()
    )
}
