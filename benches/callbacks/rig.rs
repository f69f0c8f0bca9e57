//! What is measured, set up by itself: the daemon on its embedded Redis, a second bare Redis, a bare hyper server.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use kamid::channel::Channels;
use kamid::config::{Config, StoreUrl};
use kamid::domain::{Attempt, Currency, Money, OrderId, Payment, Product, Slot, Take};
use kamid::settings::{Secret, Section};
use kamid::store::embedded::Embedded;
use kamid::store::{Chunk, NewOrder, Store, script};
use kamid::vault::{Vault, chance};

const CHANNEL: &str = "[channel.bench]\nkind = \"epay_v1\"\ngateway_url = \"https://pay.example/\"\npid = \"1001\"\nkey_file = \"epay.key\"\n";
const SLOT: Slot = Slot::new(7);

/// Everything that runs.
pub struct Rig {
    folder: tempfile::TempDir,
    daemon: Child,
    hyper: Child,
    bare: Embedded,
    stores: [Store; 2],
    channels: Channels,
    product: Product,
    public: SocketAddr,
    hyper_address: SocketAddr,
    vault: Vault,
}

fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{what} did not come up");
        std::thread::sleep(Duration::from_millis(20));
    }
}

async fn store(socket: &Path) -> Store {
    let mut config = Config::defaults().unwrap().store;
    config.url = StoreUrl::Remote(Secret::new(format!("unix://{}", socket.display())));
    config.timeout_ms = 20_000;
    loop {
        match Store::connect(&config, None, true).await {
            Ok(store) => return store,
            Err(error) => assert!(error.retry(), "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

impl Rig {
    /// Starts all and puts enough keys into both pools.
    pub async fn start(keys: usize) -> Self {
        let folder = tempfile::Builder::new().prefix("kb").tempdir().unwrap();
        let data = folder.path().join("d");
        std::fs::create_dir(&data).unwrap();
        let server = "[server]\npublic = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n";
        std::fs::write(data.join("config.toml"), format!("{server}{CHANNEL}")).unwrap();
        std::fs::write(data.join("epay.key"), "2T9PRRx0wYIVkBjwDEklFFx89d6Ukl5h").unwrap();
        let daemon = Command::new(env!("CARGO_BIN_EXE_kamid"))
            .args(["serve", "--data"])
            .arg(&data)
            .env("KAMID_LOG", "warn")
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let at: serde_json::Value =
            wait_for("the daemon", || serde_json::from_slice(&std::fs::read(data.join("daemon.json")).ok()?).ok());
        let public = at["public"].as_str().unwrap().trim_start_matches("http://").parse().unwrap();
        let port_file = folder.path().join("hyper");
        let hyper = Command::new(std::env::current_exe().unwrap())
            .env("KAMID_BENCH_HYPER", &port_file)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let hyper_address = wait_for("the bare server", || std::fs::read_to_string(&port_file).ok()?.parse().ok());
        let bare = Embedded::new(&folder.path().join("b"), "redis-server").unwrap();
        bare.start().unwrap();
        let stores = [store(&data.join("redis/redis.sock")).await, store(&bare.socket()).await];
        let mut problems = Vec::new();
        let sections =
            Section::from_toml(CHANNEL, &data, &mut problems).section("channel", &mut problems).sections(&mut problems);
        let product = Product {
            id: "bench".parse().unwrap(),
            name: "bench".to_owned(),
            price: Money { minor: 990, currency: Currency::CNY },
            take: Take::Order,
            slot: SLOT.index(),
            per_order: 100,
            per_address: None,
            per_contact: None,
            sale_from: None,
            sale_until: None,
            expires_minutes: 600,
            retired: false,
            revision: 1,
            created: 0,
        };
        let channels = Channels::build(&sections, true).unwrap();
        let vault = Vault::ephemeral().unwrap();
        let rig = Self { folder, daemon, hyper, bare, stores, channels, product, public, hyper_address, vault };
        for store in &rig.stores {
            assert!(store.save_product(&rig.product).await.unwrap());
            rig.import(store, keys).await;
        }
        rig
    }

    async fn import(&self, store: &Store, keys: usize) {
        let jobs: Vec<_> = (0..keys.div_ceil(250))
            .map(|at| async move {
                let keys =
                    (0..250).map(|n| self.vault.seal(format!("KEY-{at:08}-{n:04}").as_bytes()).unwrap()).collect();
                let chunk = Chunk { product: &self.product.id, slot: SLOT, batch: format!("bench.{at}"), keys };
                store.import(&chunk).await.unwrap();
            })
            .collect();
        stream::iter(jobs).buffer_unordered(8).collect::<Vec<()>>().await;
    }

    async fn reserve(&self, store: &Store, count: usize) -> Vec<OrderId> {
        let contact = self.vault.seal(b"bench").unwrap();
        let now = store.now();
        let ids: Vec<OrderId> = (0..count).map(|_| OrderId::new(SLOT, now, chance().unwrap())).collect();
        let jobs: Vec<_> = ids
            .iter()
            .map(|id| {
                let new = NewOrder {
                    id: *id,
                    product: &self.product,
                    quantity: 1,
                    amount: self.product.price,
                    attempt: Attempt::FIRST,
                    channel: "bench",
                    contact: &contact,
                    created: now,
                    expires: now + 36_000_000,
                    quotas: &[],
                    caps: &[],
                };
                async move { store.reserve(&new).await.unwrap() }
            })
            .collect();
        stream::iter(jobs).buffer_unordered(128).collect::<Vec<_>>().await;
        ids
    }

    /// Fresh orders in the daemon's store.
    pub async fn orders(&self, count: usize) -> Vec<OrderId> {
        self.reserve(&self.stores[0], count).await
    }

    /// Fresh orders in the bare store.
    pub async fn bare_orders(&self, count: usize) -> Vec<OrderId> {
        self.reserve(&self.stores[1], count).await
    }

    fn payment(&self, id: OrderId) -> Payment {
        Payment {
            number: format!("{id}01"),
            trade_no: format!("20251123{id}"),
            paid: self.product.price,
            channel: "bench".to_owned(),
            paid_at: None,
        }
    }

    /// The callbacks that pay these orders, as a gateway sends them.
    pub fn requests(&self, orders: &[OrderId]) -> Vec<Vec<u8>> {
        let channel = self.channels.get("bench").unwrap();
        orders
            .iter()
            .map(|id| {
                let query = channel.forge(&self.payment(*id), 0).query;
                format!("GET /pay/bench/notify?{query} HTTP/1.1\r\nHost: shop.example\r\nAccept: */*\r\n\r\n")
                    .into_bytes()
            })
            .collect()
    }

    /// The same settle calls that the daemon makes of those callbacks, as bytes on the wire.
    pub fn settle_calls(&self, orders: &[OrderId]) -> Vec<Vec<u8>> {
        let n = self.stores[1].names;
        let now = self.stores[1].now().to_string();
        let call = |id: &OrderId| {
            let id = *id;
            let names = [n.due(SLOT), n.outbox(SLOT), n.review(SLOT), n.marks(SLOT), n.order(id), n.pay(id.as_str())];
            let (field, number) = (format!("bench|20251123{id}"), format!("{id}01"));
            let args: [&[u8]; 7] = [
                now.as_bytes(),
                id.as_str().as_bytes(),
                b"01",
                field.as_bytes(),
                b"bench|990|CNY",
                number.as_bytes(),
                b"",
            ];
            script::SETTLE.command(&names.each_ref().map(String::as_str), &args).get_packed_command()
        };
        orders.iter().map(call).collect()
    }

    /// Waits until the daemon has handled what follows the callbacks, so that it does not work while another is measured.
    pub async fn quiet(&self) {
        for _ in 0..200 {
            let unread = self.stores[0].unread(1).await.unwrap();
            if unread.is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub fn public(&self) -> SocketAddr {
        self.public
    }

    pub fn hyper(&self) -> SocketAddr {
        self.hyper_address
    }

    pub fn bare_socket(&self) -> &Path {
        static SOCKET: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
        SOCKET.get_or_init(|| self.bare.socket())
    }

    /// Ends all that was started.
    pub async fn stop(mut self) {
        let pid = rustix::process::Pid::from_child(&self.daemon);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.daemon.wait().unwrap();
        self.hyper.kill().unwrap();
        self.hyper.wait().unwrap();
        let process = self.stores[1].health().await.unwrap().process;
        self.bare.stop(Some(process)).await;
        drop(self.folder);
    }
}

/// A server that does nothing but answer, as bare as hyper lets it be. Writes its address into a file.
pub fn serve_bare_hyper(port_file: &str) {
    use http_body_util::Full;
    use hyper::body::{Bytes, Incoming};
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let draft = format!("{port_file}.new");
        std::fs::write(&draft, listener.local_addr().unwrap().to_string()).unwrap();
        std::fs::rename(draft, port_file).unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let service = hyper::service::service_fn(|_: hyper::Request<Incoming>| async {
                Ok::<_, std::convert::Infallible>(hyper::Response::new(Full::new(Bytes::from_static(b"success"))))
            });
            tokio::spawn(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(hyper_util::rt::TokioIo::new(stream), service),
            );
        }
    });
}
