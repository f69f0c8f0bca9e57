//! Ports that somebody must know before anybody listens on them: a server that comes back to its address, a configuration
//! that names it.
//!
//! A port that was free a moment ago may be another program's by the time it is bound. Here it is held by a socket that is
//! bound and does not listen, for as long as the tests run: the system gives it to nobody who asks for any port, and who asks
//! for this one with `SO_REUSEADDR`, as every server here does, listens on it.

use std::net::SocketAddr;
use std::sync::Mutex;

use tokio::net::TcpSocket;

static HELD: Mutex<Vec<TcpSocket>> = Mutex::new(Vec::new());

/// A TCP port of 127.0.0.1 that is nobody else's as long as this process lives.
pub fn held_port() -> u16 {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let port = socket.local_addr().unwrap().port();
    HELD.lock().unwrap().push(socket);
    port
}

#[test]
fn a_held_port_is_given_to_nobody_and_its_server_listens_on_it_again_and_again() {
    let ports: Vec<u16> = (0..20).map(|_| held_port()).collect();
    let busy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = busy.local_addr().unwrap();
    for _ in 0..5_000 {
        let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let outgoing = std::net::TcpStream::connect(at).unwrap().local_addr().unwrap().port();
        let _heard = busy.accept().unwrap();
        assert!(!ports.contains(&other) && !ports.contains(&outgoing));
    }
    for port in &ports {
        for _ in 0..3 {
            let listener = std::net::TcpListener::bind(("127.0.0.1", *port)).unwrap();
            let _asked = std::net::TcpStream::connect(("127.0.0.1", *port)).unwrap();
            let _heard = listener.accept().unwrap();
        }
    }
}
