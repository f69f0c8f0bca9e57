//! A Redis that is a cluster of one node: it refuses scripts and commands whose names are not all of one slot.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use super::port::held_port;
use super::redis::TestRedis;

/// Set where what starts a Redis gets such a one.
pub const ASKED: &str = "KAMID_TEST_CLUSTER";

/// Whether it is.
pub fn asked() -> bool {
    std::env::var_os(ASKED).is_some()
}

/// What makes a server one.
pub fn settings() -> Vec<String> {
    let port = held_port().to_string();
    ["--cluster-enabled", "yes", "--cluster-port", &port].map(str::to_owned).to_vec()
}

/// Gives it all slots and waits until it serves them.
pub fn settle(redis: &TestRedis) {
    let mut link = redis::Client::open(redis.url()).unwrap().get_connection().unwrap();
    // One that was started again has them.
    let _had = redis::cmd("CLUSTER").arg("ADDSLOTSRANGE").arg(0).arg(16_383).exec(&mut link);
    super::shop::wait_for("the cluster", || {
        let said: String = redis::cmd("CLUSTER").arg("INFO").query(&mut link).unwrap();
        said.contains("cluster_state:ok").then_some(())
    });
}

/// A socket in front of a server's whose `INFO` does not say that it is a cluster, since the store refuses those.
pub fn disguised(socket: &Path) -> PathBuf {
    let front = socket.with_extension("front");
    let listener = UnixListener::bind(&front).unwrap();
    let socket = socket.to_owned();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (Ok(client), Ok(server)) = (client, UnixStream::connect(&socket)) else { return };
            let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || pass(from, to, false));
            std::thread::spawn(move || pass(server, client, true));
        }
    });
    front
}

fn pass(mut from: UnixStream, mut to: UnixStream, disguise: bool) {
    const SAYS: &[u8] = b"redis_mode:cluster";
    let mut buffer = vec![0; 65_536];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let said = &mut buffer[..read];
        if let Some(at) = said.windows(SAYS.len()).position(|part| disguise && part == SAYS) {
            said[at + SAYS.len() - 1] = b'*';
        }
        if to.write_all(said).is_err() {
            break;
        }
    }
    // Whichever end was closed first, the other hears of it.
    let _closed = (from.shutdown(std::net::Shutdown::Both), to.shutdown(std::net::Shutdown::Both));
}
