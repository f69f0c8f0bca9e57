//! A daemon of the bench's own, on its embedded Redis: started, asked, measured, ended; and with its store at hand, where
//! it is of this version.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use kamid::client::Client;
use kamid::config::{Config, StoreUrl};
use kamid::domain::{Product, ProductPatch};
use kamid::settings::Secret;
use kamid::store::{Store, StoreError};
use kamid::wire::products::NewProduct;
use kamid::wire::{AddProduct, Nothing, ShowInfo};

/// The channel that its callbacks come through.
pub const CHANNEL: &str = "[channel.bench]\nkind = \"epay_v1\"\ngateway_url = \"https://pay.example/\"\npid = \"1001\"\nkey_file = \"epay.key\"\n";

/// Looks until there is something.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{what} did not come up");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A store on that socket, once it answers.
pub async fn store(socket: &Path) -> Store {
    let mut config = Config::defaults().unwrap().store;
    config.url = StoreUrl::Remote(Secret::new(format!("unix://{}", socket.display())));
    config.timeout_ms = 20_000;
    loop {
        match Store::connect(&config, None, true).await {
            Ok(store) => return store,
            Err(error) => assert!(StoreError::retry(&error), "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A running daemon; ended when dropped.
pub struct Daemon {
    pub data: PathBuf,
    program: PathBuf,
    child: Child,
    pub public: SocketAddr,
    pub client: Client,
    /// From its start until it said that it was ready.
    pub start: Duration,
}

impl Daemon {
    /// Starts that program in that folder.
    pub async fn start(program: &Path, data: &Path) -> Self {
        std::fs::create_dir(data).unwrap();
        let server = "[server]\npublic = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\ntrusted_proxies = [\"127.0.0.1/32\"]\n[limits]\nconnections = 15000\n";
        std::fs::write(data.join("config.toml"), format!("{server}{CHANNEL}")).unwrap();
        let key = data.join("epay.key");
        std::fs::write(&key, "2T9PRRx0wYIVkBjwDEklFFx89d6Ukl5h").unwrap();
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
        let began = Instant::now();
        let child = Command::new(program)
            .args(["serve", "--data"])
            .arg(data)
            .env("KAMID_LOG", "error")
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let at: serde_json::Value =
            wait_for("the daemon", || serde_json::from_slice(&std::fs::read(data.join("daemon.json")).ok()?).ok());
        let client = Client::find(data, None, None).unwrap();
        while !client.call::<ShowInfo>((), &Nothing).await.is_ok_and(|info| info.ready) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let start = began.elapsed();
        let public = at["public"].as_str().unwrap().trim_start_matches("http://").parse().unwrap();
        Self { data: data.to_owned(), program: program.to_owned(), child, public, client, start }
    }

    /// A product, and keys of 22 bytes for it, through the command line as an operator imports them. How long that took.
    pub async fn stock(&self, product: &str, keys: usize) -> Duration {
        let patch = ProductPatch {
            name: Some("bench".to_owned()),
            price: Some("9.90".to_owned()),
            per_order: Some(100),
            expires_minutes: Some(1440),
            ..ProductPatch::default()
        };
        self.client.call::<AddProduct>((), &NewProduct { id: product.to_owned(), patch }).await.unwrap();
        let file = self.data.join(format!("{product}.txt"));
        std::fs::write(&file, lines(product, keys)).unwrap();
        let began = Instant::now();
        let mut command = Command::new(&self.program);
        command.args(["keys", "import", product]).arg(&file).arg("--json").arg("--data").arg(&self.data);
        let done = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let took = began.elapsed();
        std::fs::remove_file(file).unwrap();
        took
    }

    /// A line of `/proc/<pid>/status` in MiB: `VmRSS`, `VmHWM`.
    pub fn memory_mib(&self, line: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let found = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':')).unwrap();
        found.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
    }

    /// Where its Redis listens.
    pub fn socket(&self) -> PathBuf {
        self.data.join("redis/redis.sock")
    }

    /// CPU time that it and its Redis took so far, in seconds.
    pub fn cpu_s(&self) -> f64 {
        let of = |pid: &str| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
            // The name in parentheses may hold anything; behind it, utime and stime are the 12th and 13th.
            let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
            fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()
        };
        let pid = self.child.id();
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        let redis: String =
            tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("children")).unwrap()).collect();
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        (of(&pid.to_string()) + redis.split_whitespace().map(of).sum::<f64>()) / ticks
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        let _sent = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ended = self.child.wait();
    }
}

/// A daemon of this version with its store at hand.
pub struct Shop {
    pub daemon: Daemon,
    pub store: Store,
}

impl Shop {
    /// Starts one in that folder.
    pub async fn start(data: &Path) -> Self {
        let daemon = Daemon::start(Path::new(env!("CARGO_BIN_EXE_kamid")), data).await;
        let store = store(&daemon.socket()).await;
        Self { daemon, store }
    }

    /// Its products, as its store has them.
    pub async fn products(&self) -> Vec<Product> {
        self.store.products().await.unwrap().into_values().collect()
    }

    /// Bytes that its Redis uses.
    pub async fn redis_bytes(&self) -> u64 {
        self.store.health().await.unwrap().used_bytes
    }

    /// Waits until what follows the callbacks is handled, so that it does not work while another is measured.
    pub async fn quiet(&self) {
        for _ in 0..300 {
            if self.store.unread(1).await.unwrap().is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Keys of 22 bytes, one a line.
pub fn lines(product: &str, keys: usize) -> String {
    (0..keys).map(|n| format!("{product:>8.8}-{n:013}\n").replace(' ', "0")).collect()
}
