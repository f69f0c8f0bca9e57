//! Connections that hold places without asking for anything: they give way, they have a bound, and they stretch no stop.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::support::shop::{Daemon, wait_for};

const ASK: &str = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

fn at(shop: &Daemon) -> SocketAddr {
    shop.public.trim_start_matches("http://").parse().unwrap()
}

/// A connection from a local address of its own.
fn from(shop: &Daemon, address: [u8; 4]) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind((address, 0).into()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stream = runtime.block_on(socket.connect(at(shop))).unwrap().into_std().unwrap();
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// Sends it, and reads all until the other side closes.
fn answer(mut stream: TcpStream, ask: &str) -> String {
    let _cut = stream.write_all(ask.as_bytes());
    let mut text = Vec::new();
    let _cut = stream.read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// Whether the other side has closed it by now.
fn closed(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let read = (&mut { stream }).read(&mut [0u8; 1]);
    stream.set_nonblocking(false).unwrap();
    !matches!(read, Err(error) if error.kind() == ErrorKind::WouldBlock)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_silent_longest_gives_way_and_an_operator_hears_of_it_once() {
    let shop = Daemon::start("[limits]\nconnections = 40\nconnections_per_address = 10\n");
    shop.product("busy", &[], 3);
    let id = shop.order("busy", 1).await;
    let crowd = tokio::task::block_in_place(|| {
        // Half of a request, nothing at all, an answered one that is kept open.
        let mut held = Vec::new();
        for n in 0..60u8 {
            let mut stream = from(&shop, [127, 0, 1, n % 20 + 1]);
            if n % 3 == 0 {
                stream.write_all(b"POST /pay/pay/notify HTTP/1.1\r\nHost: ").unwrap();
            }
            held.push(stream);
        }
        wait_for("the oldest to go", || held[..20].iter().all(closed).then_some(()));
        for _ in 0..100 {
            assert!(answer(from(&shop, [127, 0, 2, 1]), ASK).starts_with("HTTP/1.1 200"));
        }
        held
    });
    assert_eq!(shop.pay(&id, "C1", 990).await, (200, "success".to_owned()));
    let told = shop.incidents("crowded", 1).await;
    let shown = shop.json(&["incident", "show", told[0]["id"].as_str().unwrap()], "");
    assert!(shown["advice"].as_str().unwrap().contains("of 40 places"), "{shown}");
    drop(crowd);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_who_says_nothing_shuts_the_operators_out() {
    let shop = Daemon::start("");
    let admin: SocketAddr = shop.admin_url().trim_start_matches("http://").parse().unwrap();
    let crowd: Vec<TcpStream> = (0..1_060)
        .map(|_| {
            let mut stream = TcpStream::connect(admin).unwrap();
            let _cut = stream.write_all(b"G");
            stream
        })
        .collect();
    assert!(shop.is_ready().await);
    assert!(shop.cli(&["keys", "stock"], "").status.success());
    drop(crowd);
}

/// A callback's head without its body.
const HALF: &str = "POST /pay/pay/notify HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\npid=1001&";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_do_not_come_hold_no_place() {
    let server = "[server]\npublic = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\ntrusted_proxies = [\"127.0.0.9/32\"]\n";
    let shop =
        Daemon::start(&format!("{server}[limits]\nconnections = 40\nconnections_per_address = 5\nread_seconds = 60\n"));
    shop.product("busy", &[], 3);
    let id = shop.order("busy", 1).await;
    let half = |address: [u8; 4], path: &str| {
        let mut stream = from(&shop, address);
        stream.write_all(HALF.replace("/pay/pay/notify", path).as_bytes()).unwrap();
        stream
    };
    let (proxy, crowd) = tokio::task::block_in_place(|| {
        // Places of a trusted proxy are kept, and eight addresses take all others, each its whole share.
        let proxy: Vec<TcpStream> = (0..8).map(|_| half([127, 0, 0, 9], "/pay/pay/notify")).collect();
        let paths = ["/pay/pay/notify", "/v1/orders", "/o/KO251123160000L7U2REDP/find"];
        let mut crowd: Vec<TcpStream> =
            (0..40u8).map(|n| half([127, 0, 1, n % 8 + 1], paths[usize::from(n) % 3])).collect();
        for _ in 0..20 {
            assert!(answer(from(&shop, [127, 0, 2, 1]), ASK).starts_with("HTTP/1.1 200"));
            // Whoever had to go comes again at once.
            crowd.push(half([127, 0, 1, 1], "/pay/pay/notify"));
        }
        (proxy, crowd)
    });
    // A genuine callback by POST, whose body comes a little later than its head.
    let callback = shop.callback(&format!("{id}01"), "H1", 990);
    let (path, body) = callback.split_once('?').unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let said = tokio::task::block_in_place(|| {
        let mut stream = from(&shop, [127, 0, 3, 1]);
        stream.write_all(head.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(50));
        answer(stream, body)
    });
    assert!(said.starts_with("HTTP/1.1 200") && said.ends_with("success"), "{said}");
    assert!(!proxy.iter().any(closed), "a trusted proxy gives way to nobody");
    let left = crowd.iter().filter(|stream| !closed(stream)).count();
    assert!((16..=32).contains(&left), "{left} are left: of forty places eight are the proxy's");
    shop.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_do_not_come_whole_are_charged_to_their_address() {
    let shop = Daemon::start("[limits]\nread_seconds = 1\nrejected_per_minute = 3\n");
    shop.product("busy", &[], 3);
    let id = shop.order("busy", 1).await;
    let callback = shop.callback(&format!("{id}01"), "H1", 990);
    let ask = format!("GET {callback} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let half = "POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{";
    tokio::task::block_in_place(|| {
        let slow: Vec<_> = (0..6).map(|_| from(&shop, [127, 0, 0, 2])).collect();
        std::thread::scope(|scope| {
            let told: Vec<_> = slow.into_iter().map(|stream| scope.spawn(|| answer(stream, half))).collect();
            for told in told {
                let said = told.join().unwrap();
                assert!(said.starts_with("HTTP/1.1 408"), "{said}");
            }
        });
        let said = answer(from(&shop, [127, 0, 0, 2]), &ask);
        assert!(said.starts_with("HTTP/1.1 429"), "{said}");
        // Everybody else is heard.
        let said = answer(from(&shop, [127, 0, 0, 3]), &ask);
        assert!(said.starts_with("HTTP/1.1 200") && said.ends_with("success"), "{said}");
    });
    assert_eq!(shop.incidents("address_blocked", 1).await[0]["address"], "127.0.0.2");
}

#[test]
fn one_address_has_its_share_and_a_trusted_proxy_has_none() {
    let proxies = "[server]\npublic = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\ntrusted_proxies = [\"127.0.0.9/32\"]\n";
    let shop = Daemon::start(&format!("{proxies}[limits]\nconnections = 1000\nconnections_per_address = 20\n"));
    let other = from(&shop, [127, 0, 0, 2]);
    let proxy: Vec<TcpStream> = (0..100).map(|_| from(&shop, [127, 0, 0, 9])).collect();
    let greedy: Vec<TcpStream> = (0..100).map(|_| from(&shop, [127, 0, 0, 3])).collect();
    wait_for("all but its share to be closed", || {
        (greedy.iter().filter(|stream| closed(stream)).count() == 80).then_some(())
    });
    assert!(greedy[80..].iter().all(|stream| !closed(stream)), "the newest stay");
    assert!(!closed(&other) && !proxy.iter().any(closed));
    // It is served all the same, and so are the others.
    for address in [3, 2, 9] {
        assert!(answer(from(&shop, [127, 0, 0, address]), ASK).starts_with("HTTP/1.1 200"));
    }
}

#[test]
fn a_head_has_the_length_that_is_documented() {
    let shop = Daemon::start("[limits]\nquery_bytes = 4096\n");
    let long = |bytes: usize| {
        format!("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Long: {}\r\n\r\n", "a".repeat(bytes))
    };
    assert!(answer(from(&shop, [127, 0, 0, 1]), &long(16_000)).starts_with("HTTP/1.1 200"));
    assert!(answer(from(&shop, [127, 0, 0, 1]), &long(30_000)).starts_with("HTTP/1.1 431"));
    // One that does not end is not waited for either.
    let endless = format!("GET /healthz HTTP/1.1\r\nX-Long: {}", "a".repeat(30_000));
    let began = Instant::now();
    assert!(answer(from(&shop, [127, 0, 0, 1]), &endless).starts_with("HTTP/1.1 431"));
    assert!(began.elapsed() < Duration::from_secs(15), "after {:?}", began.elapsed());
}

#[test]
fn half_heads_and_those_who_never_read_stretch_no_stop() {
    let server = "[server]\npublic = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\ndrain_seconds = 60\n";
    let mut shop = Daemon::start(server);
    let mut half = from(&shop, [127, 0, 0, 2]);
    half.write_all(b"GET /pay/pay/notify?pid=1001 HTTP/1.1\r\nHost: ").unwrap();
    // It asks and asks, and reads nothing: until neither side's buffers take more.
    let mut deaf = from(&shop, [127, 0, 0, 3]);
    deaf.set_nonblocking(true).unwrap();
    let asks = "GET /o.js HTTP/1.1\r\nHost: x\r\n\r\n".repeat(1000);
    wait_for("everything to be full", || {
        let before = Instant::now();
        while deaf.write(asks.as_bytes()).is_ok_and(|written| written > 0) {
            if before.elapsed() > Duration::from_secs(5) {
                return None;
            }
        }
        std::thread::sleep(Duration::from_millis(300));
        deaf.write(asks.as_bytes()).is_err().then_some(())
    });
    let began = Instant::now();
    assert!(shop.stop(), "a stop is a success");
    assert!(began.elapsed() < Duration::from_secs(30), "the stop took {:?}", began.elapsed());
}

#[test]
fn few_open_files_are_told_at_the_start_and_are_enough_for_who_asks() {
    let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
    let shop = Daemon::launched(&folder.path().join("d"), "", "ulimit -n 256\nexec \"$@\"\n");
    let log = std::fs::read_to_string(shop.data.join("log")).unwrap();
    assert!(log.contains("open files"), "{log}");
    let silent: Vec<TcpStream> = (0..300u16).map(|n| from(&shop, [127, 0, 3, (n % 250) as u8 + 1])).collect();
    for _ in 0..50 {
        let began = Instant::now();
        assert!(answer(from(&shop, [127, 0, 0, 2]), ASK).starts_with("HTTP/1.1 200"));
        assert!(began.elapsed() < Duration::from_secs(10), "after {:?}", began.elapsed());
    }
    assert!(silent.iter().filter(|stream| closed(stream)).count() >= 100);
}
