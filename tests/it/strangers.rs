//! Who listens where a daemon was: whatever they say, they hear no token.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc;

use crate::support::shop::{Daemon, wait_for};

/// Listens there and answers every request through `answer`; what was heard comes out in one text each.
fn listen(at: SocketAddr, answer: impl Fn(&str) -> String + Send + 'static) -> (SocketAddr, mpsc::Receiver<String>) {
    let listener = wait_for("the port", || TcpListener::bind(at).ok());
    let at = listener.local_addr().unwrap();
    let (heard, hears) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut text = Vec::new();
            let mut piece = [0u8; 4096];
            while !text.windows(4).any(|end| end == b"\r\n\r\n") {
                match stream.read(&mut piece) {
                    Ok(read) if read > 0 => text.extend_from_slice(&piece[..read]),
                    _ => break,
                }
            }
            let text = String::from_utf8_lossy(&text).into_owned();
            // Told before it is answered: whoever has the answer finds it heard.
            if heard.send(text.clone()).is_err() {
                return;
            }
            let _gone = stream.write_all(answer(&text).as_bytes());
        }
    });
    (at, hears)
}

fn answer(more: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nx-kamid: admin\r\n{more}content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn address(url: &str) -> SocketAddr {
    url.strip_prefix("http://").unwrap().parse().unwrap()
}

#[test]
fn a_token_is_said_only_to_who_shows_that_they_know_it() {
    let mut shop = Daemon::start("");
    shop.product("p", &[], 0);
    let token = std::fs::read_to_string(shop.data.join("admin.token")).unwrap().trim().to_owned();
    let left = address(&shop.admin_url());
    // By its address alone the own daemon is known; a token that somebody names is said to whom they name.
    for more in [vec![], vec!["--admin".to_owned(), shop.admin_url()]] {
        let args = ["product", "list"].into_iter().map(str::to_owned).chain(more).collect::<Vec<_>>();
        let done = shop.cli(&args.iter().map(String::as_str).collect::<Vec<_>>(), "");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    shop.kill();
    let (_, heard) = listen(left, |_| answer("", "{\"products\":[],\"audit\":true}"));
    for args in
        [&["product", "list"][..], &["audit"], &["keys", "import", "p", "-"], &["top", "--once"], &["token", "list"]]
    {
        let done = shop.cli(args, "K-1\n");
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(69), "{args:?}: {said}");
        let heard: Vec<String> = heard.try_iter().collect();
        assert!(!heard.is_empty() && heard.iter().all(|text| !text.contains(&token)), "{args:?}: {heard:?}");
        assert!(args[0] == "top" || said.contains("does not show that it is the daemon"), "{args:?}: {said}");
    }
    // Nor is one that was named for it, where the address was not.
    let mut command = Command::new(env!("CARGO_BIN_EXE_kamid"));
    let done =
        command.args(["product", "list", "--data"]).arg(&shop.data).env("KAMID_TOKEN", "operator-0123456789").output();
    assert_eq!(done.unwrap().status.code(), Some(69));
    assert!(heard.try_iter().all(|text| !text.contains("operator-0123456789")));

    // The daemon lives elsewhere now, and a stranger passes on what it is asked.
    let text = std::fs::read_to_string(shop.data.join("config.toml")).unwrap();
    assert!(text.contains("admin = \"127.0.0.1:0\""));
    shop.run();
    let real = address(&shop.admin_url());
    assert_ne!(real, left);
    let (fake, heard) = listen("127.0.0.1:0".parse().unwrap(), move |text| {
        let mut link = TcpStream::connect(real).unwrap();
        let _sent = link.write_all(text.replacen("\r\n", "\r\nconnection: close\r\n", 1).as_bytes());
        let mut said = String::new();
        let _end = link.read_to_string(&mut said);
        said
    });
    let done = shop.cli(&["product", "list", "--admin", &format!("http://{fake}")], "");
    assert_eq!(done.status.code(), Some(69), "{}", String::from_utf8_lossy(&done.stderr));
    let heard: Vec<String> = heard.try_iter().collect();
    assert!(!heard.is_empty() && heard.iter().all(|text| !text.contains(&token)), "{heard:?}");
    // A data directory that has no token of its own has none to say.
    let empty = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_kamid"));
    let done =
        command.args(["product", "list", "--admin", &shop.admin_url(), "--data"]).arg(empty.path()).output().unwrap();
    assert!(String::from_utf8_lossy(&done.stderr).contains("--token-file"), "{done:?}");
    let file = shop.data.join("admin.token");
    let mut command = Command::new(env!("CARGO_BIN_EXE_kamid"));
    command.args(["product", "list", "--admin", &shop.admin_url(), "--token-file"]).arg(&file);
    assert!(command.arg("--data").arg(empty.path()).output().unwrap().status.success());
}
