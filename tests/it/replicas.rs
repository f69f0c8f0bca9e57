//! A Redis with a replica that is silent, gone, or made the master, on every version that can be had: since 7.2 `WAIT`
//! acknowledges at once where its own connection wrote nothing.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::stores::paid_at_last;
use crate::support::port::held_port;
use crate::support::proxy::{Line, Proxy};
use crate::support::redis::{TestRedis, programs};
use crate::support::shop::{Daemon, wait_for};

/// A master with its replica, and a daemon that wants both to have what it acknowledges.
struct Pair {
    shop: Daemon,
    replica: TestRedis,
    master: TestRedis,
}

fn told(redis: &TestRedis, section: &str) -> String {
    let client = redis::Client::open(redis.url()).unwrap();
    redis::cmd("INFO").arg(section).query(&mut client.get_connection().unwrap()).unwrap()
}

fn is_online(master: &TestRedis) -> Option<()> {
    told(master, "replication").contains("state=online").then_some(())
}

impl Pair {
    fn of(program: &Path) -> Self {
        let port = held_port();
        Self::through(program, port, port, "")
    }

    /// The same with a master at `port`, whose replica finds it at `by`.
    fn through(program: &Path, port: u16, by: u16, limits: &str) -> Self {
        let master = TestRedis::of(program, |_| ["--port".to_owned(), port.to_string()].to_vec());
        let settings = |_: &Path| ["--replicaof".to_owned(), "127.0.0.1".to_owned(), by.to_string()].to_vec();
        let replica = TestRedis::of(program, settings);
        wait_for("the replica", || is_online(&master));
        let folder = "[notify.mail]\nkind = \"folder\"\nfrom = \"shop@example.test\"\n";
        let folder = format!("{folder}[limits]\nunpaid_keys_per_address = \"1000\"\n{limits}");
        let store = format!("{folder}[store]\nurl = \"{}\"\nreplicas = 1\ntimeout_ms = 2000\n", master.url());
        let shop = Daemon::at(&master.folder().join("d"), &store);
        Self { shop, replica, master }
    }

    /// An order with its buyer's address of its page.
    async fn order(&self) -> (String, String) {
        let wish = json!({"product": "copied", "quantity": 1, "contact": "buyer@example.test", "channel": "pay"});
        let (status, made) = self.shop.post("/v1/orders", &wish).await;
        assert_eq!(status, 201, "{made}");
        (made["id"].as_str().unwrap().to_owned(), made["token"].as_str().unwrap().to_owned())
    }

    /// Mails that were handed over.
    fn mails(&self) -> usize {
        std::fs::read_dir(self.shop.data.join("mail")).map_or(0, Iterator::count)
    }

    /// Whether anybody is shown a key of the order: by its page, the buyers' API and the command line.
    async fn shown(&self, id: &str, token: &str) -> [(u16, bool); 2] {
        let (page, text) = self.shop.send(&format!("/o/{id}?token={token}")).await;
        let (api, json) = self.shop.send(&format!("/v1/orders/{id}?token={token}")).await;
        let cli = self.shop.cli(&["order", "show", id, "--keys"], "");
        assert_eq!(cli.status.success(), api == 200, "{}", String::from_utf8_lossy(&cli.stderr));
        let key = |text: &str| text.contains("PLAIN-");
        assert_eq!(key(&String::from_utf8_lossy(&cli.stdout)), key(&json));
        [(page, key(&text)), (api, key(&json))]
    }
}

const SILENT: (u16, &str) = (503, "fail");

async fn pays(shop: &Daemon, id: &str, trade_no: &str) -> (u16, String) {
    shop.pay(id, trade_no, 990).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_replicas_nothing_is_acknowledged_or_shown_that_they_do_not_have() {
    for program in programs() {
        let mut pair = Pair::of(&program);
        let version = told(&pair.master, "server").lines().nth(1).unwrap_or_default().trim().to_owned();
        pair.shop.product("copied", &[], 5);
        let ((first, _), (second, token)) = (pair.order().await, pair.order().await);
        assert_eq!(pays(&pair.shop, &first, "R1").await, (200, "success".to_owned()), "{version}");
        wait_for("the first mail", || (pair.mails() == 1).then_some(()));
        pair.replica.freeze(true);
        let heard = pays(&pair.shop, &second, "R2").await;
        assert_eq!((heard.0, heard.1.as_str()), SILENT, "{version}");
        // The script ran; the copy is missing, for a repeat on links that wrote nothing as well.
        assert!(pair.shop.stop());
        pair.shop.run();
        let heard = pays(&pair.shop, &second, "R2").await;
        assert_eq!((heard.0, heard.1.as_str()), SILENT, "{version}: a repeat on a fresh link");
        // Nobody sees a key either, whoever asks first.
        assert!(pair.shop.stop());
        pair.shop.run();
        assert_eq!(pair.shown(&second, &token).await, [(503, false); 2], "{version}");
        assert_eq!(pair.mails(), 1, "{version}: a buyer was told too early");
        pair.replica.freeze(false);
        assert_eq!(paid_at_last(&pair.shop, &second, "R2").await, (200, "success".to_owned()), "{version}");
        assert_eq!(pair.shown(&second, &token).await, [(200, true); 2], "{version}");
        wait_for("the second mail", || (pair.mails() == 2).then_some(()));
        assert_eq!(pair.shop.admin("/v1/products/copied").await["stock"]["given"], 2);
        pair.shop.audit();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_becomes_the_master_has_all_that_was_acknowledged() {
    for program in programs() {
        let mut pair = Pair::of(&program);
        pair.shop.product("copied", &[], 20);
        let mut ids = Vec::new();
        for _ in 0..12 {
            ids.push(pair.shop.order("copied", 1).await);
        }
        let (mut acknowledged, mut silent) = (Vec::new(), Vec::new());
        for (at, id) in ids.iter().enumerate() {
            if at == 6 {
                pair.replica.freeze(true);
            }
            // Each twice, the second time past a circuit that the first one opened: on links of a daemon just started.
            let mut answer = pays(&pair.shop, id, &format!("P{at}")).await;
            if answer.0 != 200 && at < 8 {
                assert!(pair.shop.stop());
                pair.shop.run();
                answer = pays(&pair.shop, id, &format!("P{at}")).await;
            }
            if answer.0 == 200 { acknowledged.push(id.clone()) } else { silent.push(id.clone()) }
        }
        assert_eq!((acknowledged.len(), silent.len()), (6, 6), "{}", program.display());
        // What the frozen replica did not read dies with its master's side of the connection and with its own buffers.
        pair.master.kill();
        pair.shop.kill();
        let mut text = std::fs::read_to_string(pair.shop.data.join("config.toml")).unwrap();
        text = text.replace(&pair.master.url(), &pair.replica.url()).replace("replicas = 1", "replicas = 0");
        std::fs::write(pair.shop.data.join("config.toml"), text).unwrap();
        pair.replica.freeze(false);
        let client = redis::Client::open(pair.replica.url()).unwrap();
        redis::cmd("REPLICAOF").arg("NO").arg("ONE").exec(&mut client.get_connection().unwrap()).unwrap();
        pair.shop.run();
        for id in &acknowledged {
            assert_eq!(pair.shop.state(id).await, "delivered", "{}", program.display());
        }
        pair.shop.audit();
    }
}

async fn readiness(shop: &Daemon) -> (u16, String) {
    let (status, said) = shop.ask(reqwest::Method::GET, "/readyz", None).await;
    (status, said["detail"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_replica_is_told_costs_no_second_a_payment_and_is_awaited() {
    let mut pair = Pair::of(Path::new("redis-server"));
    pair.shop.product("copied", &[], 5);
    let (id, _) = pair.order().await;
    assert!(pair.shop.is_ready().await);
    pair.replica.kill();
    let began = Instant::now();
    let said = loop {
        let (status, said) = readiness(&pair.shop).await;
        if status == 503 {
            break said;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "/readyz stays {status}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(said.contains("replica"), "{said}");
    let told = pair.shop.incidents("replica_missing", 1).await;
    let whole = pair.shop.admin(&format!("/v1/incidents/{}", told[0]["id"].as_str().unwrap())).await;
    assert!(whole["advice"].as_str().unwrap().contains("payments wait"), "{whole}");
    let began = Instant::now();
    for _ in 0..20 {
        let heard = pays(&pair.shop, &id, "D1").await;
        assert_eq!((heard.0, heard.1.as_str()), SILENT);
    }
    assert!(began.elapsed() < Duration::from_secs(2), "twenty payments waited {:?}", began.elapsed());
    pair.shop.stream("", |line| line["copies_missing"] == true).await;
    let top = pair.shop.cli(&["top", "--once", "--lang", "en"], "");
    assert!(String::from_utf8_lossy(&top.stdout).contains("a replica is missing: payments wait"), "{top:?}");
    pair.replica.restart();
    wait_for("the replica", || is_online(&pair.master));
    let back = Instant::now();
    assert_eq!(paid_at_last(&pair.shop, &id, "D1").await, (200, "success".to_owned()));
    assert!(
        back.elapsed() < Duration::from_secs(4),
        "payments waited {:?} for a replica that was back",
        back.elapsed()
    );
    wait_for("readiness", || told_ready(&pair.shop));
    assert_eq!(pair.shop.state(&id).await, "delivered");
    pair.shop.audit();
}

fn told_ready(shop: &Daemon) -> Option<()> {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(shop.is_ready())).then_some(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_full_memory_payments_get_their_copies_too() {
    let pair = Pair::of(Path::new("redis-server"));
    pair.shop.product("copied", &[], 2);
    let (id, _) = pair.order().await;
    let client = redis::Client::open(pair.master.url()).unwrap();
    let mut link = client.get_connection().unwrap();
    redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg("1mb").exec(&mut link).unwrap();
    assert_eq!(pays(&pair.shop, &id, "F1").await, (200, "success".to_owned()));
}

/// Ends, with an error, every `WAIT` that runs once an order stands.
fn interrupt_once_it_stands(master: &str) {
    let mut link = redis::Client::open(master).unwrap().get_connection().unwrap();
    let stands = || {
        let orders: Vec<String> = redis::cmd("KEYS").arg("*:order:*").query(&mut link).unwrap();
        if orders.is_empty() {
            return None;
        }
        let clients: String = redis::cmd("CLIENT").arg("LIST").query(&mut link).unwrap();
        let waits = clients.lines().filter(|line| line.contains(" cmd=wait "));
        let ids: Vec<&str> = waits.filter_map(|line| line.strip_prefix("id=")?.split(' ').next()).collect();
        let mut ended = 0;
        for id in ids {
            ended += redis::cmd("CLIENT").arg("UNBLOCK").arg(id).arg("ERROR").query::<u64>(&mut link).unwrap();
        }
        (ended > 0).then_some(())
    };
    wait_for("a WAIT behind an order that stands", stands);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_whose_copies_are_not_known_of_counts_as_long_as_it_stands() {
    let port = held_port();
    let line = Proxy::start(port).await;
    let pair = Pair::through(Path::new("redis-server"), port, line.port, "unpaid_per_contact = 1\n");
    pair.shop.product("copied", &[], 5);
    // Copies take a while from here on, but less than is waited for them.
    line.set(Line::Slow(Duration::from_millis(200)));
    let wish = json!({"product": "copied", "quantity": 1, "contact": "buyer@example.test", "channel": "pay"});
    let master = pair.master.url();
    let interrupted = tokio::task::spawn_blocking(move || interrupt_once_it_stands(&master));
    let made = pair.shop.post("/v1/orders", &wish).await;
    interrupted.await.unwrap();
    assert_eq!(made.0, 503, "{}", made.1);
    line.set(Line::Whole);
    wait_for("readiness", || told_ready(&pair.shop));
    // It stands, may be paid, and is the one order that its contact may have.
    let (status, again) = pair.shop.post("/v1/orders", &wish).await;
    assert_eq!((status, &again["limit"]), (429, &json!("unpaid_per_contact")), "{again}");
    assert_eq!(pair.shop.admin("/v1/products/copied").await["stock"]["reserved"], 1);
}
