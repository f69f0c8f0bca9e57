//! This version beside another one, in turns: KAMID_PARENT names its binary. Both are asked over HTTP alone, since layouts
//! may differ.

use std::path::Path;

use kamid::domain::{OrderId, Wanted};
use kamid::wire::orders::{OrdersMade, Several};
use kamid::wire::{MakeOrders, With};

use crate::report::{Aim, Row};
use crate::rig::Rig;
use crate::shop::Daemon;
use crate::{CONNECTIONS, Length, load};

/// One of the two.
struct Side {
    daemon: Daemon,
    /// Orders that buyers made so far: each has an address and a contact of its own.
    buyers: u32,
}

/// What a round of one side came to.
struct Round {
    callbacks: f64,
    cpu_us: f64,
    orders: f64,
}

impl Side {
    async fn start(program: &Path, data: &Path, keys: usize) -> Self {
        let daemon = Daemon::start(program, data).await;
        daemon.stock("bench", keys).await;
        Self { daemon, buyers: 0 }
    }

    /// Unpaid orders, made by an operator.
    async fn orders(&self, count: usize) -> Vec<OrderId> {
        let body = Wanted {
            product: "bench".to_owned(),
            contact: "bench@example.com".to_owned(),
            channel: Some("bench".to_owned()),
            quantity: 1,
        };
        let mut ids = Vec::new();
        while ids.len() < count {
            let several = With { query: Several { count: Some(250.min(count - ids.len())) }, body: body.clone() };
            let OrdersMade::Several { orders } =
                self.daemon.client.call::<MakeOrders>((), &several).await.unwrap().known
            else {
                panic!("one order where several were asked for");
            };
            ids.extend(orders.into_iter().map(|order| order.id.parse::<OrderId>().unwrap()));
        }
        ids
    }

    /// What that many buyers send.
    fn wishes(&mut self, count: usize) -> Vec<Vec<u8>> {
        let wish = |n: u32| {
            let body = format!("{{\"product\":\"bench\",\"channel\":\"bench\",\"contact\":\"b{n}@example.com\"}}");
            let [a, b, c, d] = (0x0b00_0000 + n).to_be_bytes();
            format!(
                "POST /v1/orders HTTP/1.1\r\nHost: shop.example\r\nX-Forwarded-For: {a}.{b}.{c}.{d}\r\n\
                 Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
            .into_bytes()
        };
        // Buyers of one network share limits: they are spread over networks.
        let first = self.buyers;
        self.buyers += count as u32;
        (first..self.buyers).map(|n| wish(n.wrapping_mul(257) & 0x00ff_ffff)).collect()
    }

    /// Waits until each slot's cursor stands at its newest event.
    async fn quiet(&self) {
        let client = redis::Client::open(format!("unix://{}", self.daemon.socket().display())).unwrap();
        let mut link = client.get_multiplexed_async_connection().await.unwrap();
        for _ in 0..600 {
            let mut pipe = redis::pipe();
            for slot in 0..64 {
                pipe.cmd("GET").arg(format!("k1:{{{slot:02}}}:cursor"));
                pipe.cmd("XREVRANGE").arg(format!("k1:{{{slot:02}}}:outbox")).arg("+").arg("-").arg("COUNT").arg(1);
            }
            let answers: Vec<redis::Value> = pipe.query_async(&mut link).await.unwrap();
            let is_read = |pair: &[redis::Value]| {
                let cursor: Option<String> = redis::from_redis_value(pair[0].clone()).unwrap();
                let newest: Vec<(String, redis::Value)> = redis::from_redis_value(pair[1].clone()).unwrap();
                newest.first().is_none_or(|(id, _)| Some(id) == cursor.as_ref())
            };
            if answers.chunks(2).all(is_read) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("events were not handled within a minute");
    }

    async fn round(&mut self, rig: &Rig, calls: usize) -> Round {
        let orders = self.orders(calls).await;
        let requests = rig.requests(&orders);
        self.quiet().await;
        let before = self.daemon.cpu_s();
        let callbacks = load::http(self.daemon.public, requests, CONNECTIONS).await.rate();
        self.quiet().await;
        let cpu_us = (self.daemon.cpu_s() - before) * 1e6 / calls as f64;
        let wishes = self.wishes(calls / 4);
        let orders = load::made(self.daemon.public, wishes, CONNECTIONS).await.rate();
        self.quiet().await;
        Round { callbacks, cpu_us, orders }
    }
}

/// Callbacks and orders a second and CPU of this version ÷ the parent's, round by round; each begins every other round.
pub async fn compare(parent: &Path, length: &Length) -> Vec<Row> {
    let folder = tempfile::Builder::new().prefix("kb").tempdir().unwrap();
    let keys = length.calls * (length.rounds + 1) * 2;
    let mut sides = Vec::new();
    for (name, program) in [("new", Path::new(env!("CARGO_BIN_EXE_kamid"))), ("old", parent)] {
        sides.push(Side::start(program, &folder.path().join(name), keys).await);
    }
    let rig = Rig::start(folder.path()).await;
    let (mut rows, mut ratios) = ([Vec::new(), Vec::new(), Vec::new(), Vec::new()], [vec![], vec![], vec![]]);
    // One round more than is counted: the first one warms up.
    for number in 0..=length.rounds {
        let first = number % 2;
        let a = sides[first].round(&rig, length.calls).await;
        let b = sides[1 - first].round(&rig, length.calls).await;
        let (new, old) = if first == 0 { (a, b) } else { (b, a) };
        if number > 0 {
            rows[0].push(new.callbacks);
            rows[1].push(new.cpu_us);
            rows[2].push(old.cpu_us);
            rows[3].push(new.orders);
            ratios[0].push(new.callbacks / old.callbacks);
            ratios[1].push(new.cpu_us / old.cpu_us);
            ratios[2].push(new.orders / old.orders);
        }
    }
    rig.stop().await;
    let [callbacks, cpu, cpu_before, orders] = rows;
    let [callbacks_ratio, cpu_ratio, orders_ratio] = ratios;
    vec![
        Row::new("signed callbacks, beside the parent's binary", "/s", callbacks, Aim::None),
        Row::new("… ÷ the parent's", "×", callbacks_ratio, Aim::AtLeast(0.97)),
        Row::new("CPU a callback, daemon and Redis, with what follows it", "µs", cpu, Aim::None),
        Row::new("… the parent's", "µs", cpu_before, Aim::None),
        Row::new("… ÷ the parent's", "×", cpu_ratio, Aim::None),
        Row::new("orders, distinct buyers, default limits", "/s", orders, Aim::None),
        Row::new("… ÷ the parent's", "×", orders_ratio, Aim::None),
    ]
}
