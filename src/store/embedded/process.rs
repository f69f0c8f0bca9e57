//! What speaks for a server on these files besides its locks: its process, and its socket.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

/// Whether a server listens on the socket. A frozen one answers nothing, but the kernel takes the connection for it, or
/// says that as many wait as may; behind the socket of a killed one there is nobody.
pub fn accepts(socket: &Path) -> bool {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let Ok(ours) = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None) else { return false };
    let Ok(address) = SocketAddrUnix::new(socket) else { return false };
    // Refused for want of rights, there is somebody of whom we know no more.
    matches!(connect(&ours, &address), Ok(()) | Err(Errno::AGAIN | Errno::INPROGRESS | Errno::ACCESS | Errno::PERM))
}

/// Whether a server listens under that path although its file is gone: nobody reaches it any more.
pub fn is_cut_off(socket: &Path) -> bool {
    is_cut_off_by(socket, || std::fs::read_to_string("/proc/net/unix"))
}

/// The same by that table of all sockets.
fn is_cut_off_by(socket: &Path, table: impl FnOnce() -> std::io::Result<String>) -> bool {
    let path = socket.display().to_string();
    let listens =
        |line: &str| line.split_whitespace().nth(3) == Some("00010000") && line.ends_with(&format!(" {path}"));
    // In this order: one that is just starting has its file before it listens.
    table().is_ok_and(|table| table.lines().any(listens)) && !socket.exists()
}

/// The process of a server in that folder: it works there, or was started with that socket. A shell that stands there is none.
pub fn of(folder: &Path, socket: &Path) -> Option<u32> {
    let processes = std::fs::read_dir("/proc").ok()?;
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let mut about = None;
    for pid in pids {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        if !has(&line, b"unixsocket", |_, _| true) {
            continue;
        }
        if works_in(pid, folder) {
            return Some(pid);
        }
        // A program that starts it, or traces it.
        about = about.or_else(|| names(&line, socket).then_some(pid));
    }
    about
}

/// Whether a process has its working directory there, whatever that is called by now.
pub fn works_in(pid: u32, folder: &Path) -> bool {
    let inode = |path: &Path| std::fs::metadata(path).map(|meta| (meta.dev(), meta.ino())).ok();
    let here = inode(folder);
    here.is_some() && inode(Path::new(&format!("/proc/{pid}/cwd"))) == here
}

/// Whether a command line has the socket, whole: as an argument, or in the title that servers give themselves.
fn names(line: &[u8], socket: &Path) -> bool {
    has(line, socket.as_os_str().as_encoded_bytes(), |before, after| {
        matches!(before, Some(0 | b':')) && matches!(after, None | Some(0 | b' '))
    })
}

fn has(text: &[u8], part: &[u8], fits: impl Fn(Option<u8>, Option<u8>) -> bool) -> bool {
    text.windows(part.len())
        .enumerate()
        .filter(|(_, window)| *window == part)
        .any(|(at, _)| fits(at.checked_sub(1).and_then(|at| text.get(at).copied()), text.get(at + part.len()).copied()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_found_whole_in_arguments_and_titles() {
        let socket = Path::new("/d/redis/redis.sock");
        for (line, is) in [
            ("redis-server unixsocket:/d/redis/redis.sock\0\0", true),
            ("sh\0x\0--unixsocket\0/d/redis/redis.sock\0--dir\0/d/redis", true),
            ("redis-server unixsocket:/other/d/redis/redis.sock", false),
            ("redis-server unixsocket:/d/redis/redis.sock.old", false),
        ] {
            assert_eq!(names(line.as_bytes(), socket), is, "{line:?}");
        }
    }

    #[test]
    fn one_that_begins_to_listen_while_it_is_looked_at_is_not_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("s");
        let mut begun = None;
        let cut_off = is_cut_off_by(&socket, || {
            begun = Some(std::os::unix::net::UnixListener::bind(&socket)?);
            std::fs::read_to_string("/proc/net/unix")
        });
        assert!(begun.is_some() && !cut_off);
        // The same table tells of one whose file is gone.
        std::fs::remove_file(&socket).unwrap();
        assert!(is_cut_off(&socket));
    }

    #[test]
    fn a_listener_is_alive_a_dead_socket_is_not_and_one_without_its_file_is_cut_off() {
        let folder = std::env::temp_dir().join(format!("kamid-process-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let socket = folder.join("s");
        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        // Nobody takes them off its hands, as with a frozen server: also where no more may wait, it is alive.
        let mut waiting = Vec::new();
        for _ in 0..5000 {
            assert!(accepts(&socket));
            let full = {
                let flags = SocketFlags::NONBLOCK;
                let one = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
                let answer = connect(&one, &SocketAddrUnix::new(&socket).unwrap());
                waiting.push(one);
                answer == Err(Errno::AGAIN)
            };
            if full {
                break;
            }
        }
        assert!(accepts(&socket) && !is_cut_off(&socket));
        std::fs::rename(&socket, folder.join("t")).unwrap();
        assert!(!accepts(&socket) && is_cut_off(&socket));
        drop((listener, waiting));
        assert!(!accepts(&folder.join("t")) && !is_cut_off(&socket));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
