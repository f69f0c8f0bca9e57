//! The dashboard: what it costs the daemon and the machine, how quickly it answers a key, how much it is sent.

use std::io::{Read as _, Write as _};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use kamid::domain::Product;
use kamid::wire::Follow;
use kamid::wire::shop::StreamWish;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::report::{Aim, Row};
use crate::rig::Rig;
use crate::shop::Shop;
use crate::{CONNECTIONS, Length, load};

const PRODUCTS: usize = 100;
/// A round is so many times as long as others: what is looked for is small.
const CALLS: usize = 3;
/// Callbacks a second that it is watched at, and for how many seconds.
const RATE: f64 = 10_000.0;
const SECONDS: f64 = 6.0;

/// A dashboard of 120 by 40 at a terminal.
struct Dashboard {
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn std::io::Write + Send>,
    _master: Box<dyn MasterPty + Send>,
    /// When something was drawn.
    drawn: Receiver<Instant>,
}

impl Dashboard {
    fn open(shop: &Shop) -> Self {
        let size = PtySize { rows: 40, cols: 120, pixel_width: 0, pixel_height: 0 };
        let pty = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_kamid"));
        command.args(["top", "--lang", "en", "--data"]);
        command.arg(&shop.daemon.data);
        command.env("TERM", "xterm-256color");
        let child = pty.slave.spawn_command(command).unwrap();
        let mut output = pty.master.try_clone_reader().unwrap();
        let (sender, drawn) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 65_536];
            while let Ok(1..) = output.read(&mut bytes) {
                if sender.send(Instant::now()).is_err() {
                    return;
                }
            }
        });
        let keys = pty.master.take_writer().unwrap();
        Self { child, keys, _master: pty.master, drawn }
    }

    fn status(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.child.process_id().unwrap())).unwrap()
    }

    /// Seconds of processor time so far.
    fn worked(&self) -> f64 {
        let text = self.status("stat");
        let fields: Vec<&str> = text.rsplit(')').next().unwrap().split_whitespace().collect();
        // Clock ticks of a hundredth of a second.
        (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
    }

    fn memory_mib(&self) -> f64 {
        let text = self.status("status");
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
    }

    /// From a key to the first byte of the picture that it changes, in ms.
    fn press(&mut self, key: u8) -> f64 {
        while self.drawn.try_recv().is_ok() {}
        let began = Instant::now();
        self.keys.write_all(&[key]).unwrap();
        let drawn = self.drawn.recv_timeout(Duration::from_secs(5)).unwrap();
        drawn.saturating_duration_since(began).as_secs_f64() * 1000.0
    }

    fn close(mut self) {
        self.keys.write_all(b"q").unwrap();
        self.child.wait().unwrap();
    }
}

/// Bytes a second of a stream that asks for the stock of a hundred products.
async fn sent(shop: &Shop) -> f64 {
    let wish = StreamWish { stock: Some(PRODUCTS), ..StreamWish::default() };
    let mut lines = shop.daemon.client.follow::<Follow>(&wish).await.unwrap();
    // The first lines tell all rows.
    let first = Instant::now() + Duration::from_millis(1500);
    let (mut began, mut bytes) = (None::<Instant>, 0usize);
    while began.is_none_or(|began| began.elapsed() < Duration::from_secs(4)) {
        let line = lines.next().await.unwrap().unwrap();
        if Instant::now() > first {
            began.get_or_insert_with(Instant::now);
            bytes += line.len() + 1;
        }
    }
    bytes as f64 / began.unwrap().elapsed().as_secs_f64()
}

/// Its rows.
pub async fn board(shop: &Shop, rig: &Rig, length: &Length) -> Vec<Row> {
    // Two halves of each round, and what is watched afterwards.
    let orders = length.calls * CALLS * 2 * (length.rounds + 1) + (RATE * SECONDS * 1.5) as usize;
    let keys = orders / PRODUCTS + 300;
    for n in 0..PRODUCTS {
        shop.daemon.stock(&format!("top-{n:03}"), keys).await;
    }
    let products: Vec<Product> =
        shop.products().await.into_iter().filter(|product| product.id.as_str().starts_with("top-")).collect();
    let mut cost = Vec::new();
    for round in 0..=length.rounds {
        let mut rates = [0.0; 2];
        // Who comes first takes turns too.
        for watched in [round % 2 == 0, round % 2 == 1] {
            let orders = rig.orders(&shop.store, &products, length.calls * CALLS).await;
            let dashboard = watched.then(|| Dashboard::open(shop));
            tokio::time::sleep(Duration::from_secs(2)).await;
            rates[usize::from(watched)] =
                load::http(shop.daemon.public, rig.requests(&orders), CONNECTIONS).await.rate();
            if let Some(dashboard) = dashboard {
                dashboard.close();
            }
            shop.quiet().await;
        }
        if round > 0 {
            cost.push(rates[1] / rates[0]);
        }
    }
    let orders = rig.orders(&shop.store, &products, (RATE * SECONDS) as usize).await;
    let requests = rig.requests(&orders);
    let mut dashboard = Dashboard::open(shop);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (worked, began) = (dashboard.worked(), Instant::now());
    let (run, bytes) = tokio::join!(load::http_at(shop.daemon.public, requests, CONNECTIONS, RATE), sent(shop));
    let share = (dashboard.worked() - worked) / began.elapsed().as_secs_f64() * 100.0;
    let achieved = run.rate();
    let orders = rig.orders(&shop.store, &products, (RATE * SECONDS / 2.0) as usize).await;
    let requests = rig.requests(&orders);
    let pressing = tokio::task::spawn_blocking(move || {
        let mut waits = Vec::new();
        for n in 0..24 {
            std::thread::sleep(Duration::from_millis(80));
            waits.push(dashboard.press(b'1' + n % 2));
        }
        (dashboard, waits)
    });
    let (_, pressed) = tokio::join!(load::http_at(shop.daemon.public, requests, CONNECTIONS, RATE), pressing);
    let (dashboard, waits) = pressed.unwrap();
    let memory = dashboard.memory_mib();
    dashboard.close();
    vec![
        Row::new("callbacks/s with one `kamid top` watching ÷ without", "×", cost, Aim::AtLeast(0.98)),
        Row::new(
            format!("`kamid top`, 120×40, at {achieved:.0} callbacks/s: share of a core"),
            "%",
            vec![share],
            Aim::AtMost(3.0),
        ),
        Row::new("… its memory, highest", "MiB", vec![memory], Aim::AtMost(30.0)),
        Row::new("… from a key to the first byte of the changed picture", "ms", waits, Aim::AtMost(50.0)),
        Row::new(
            format!("bytes of the stream with {PRODUCTS} products that all sell"),
            "B/s",
            vec![bytes],
            Aim::AtMost(20_000.0),
        ),
    ]
}
