//! A real daemon of a test's own: the binary, its data in a temporary folder, ports the system chose, and ways to talk to it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use kamid::channel::Channels;
use kamid::domain::{Currency, Money, Payment};
use serde_json::{Value, json};

pub use super::channel::{CHANNEL, KEY, channels};

/// How long anything may take before a test gives up: generous, the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// Looks until there is something, or gives up.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "{what}: not in time");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The query of a payment that this channel signed.
pub fn forged(channels: &Channels, channel: &str, number: &str, trade_no: &str, minor: i64) -> String {
    let payment = Payment {
        number: number.to_owned(),
        trade_no: trade_no.to_owned(),
        paid: Money { minor, currency: Currency::CNY },
        channel: channel.to_owned(),
        paid_at: None,
        reference: None,
    };
    channels.get(channel).unwrap().forge(&payment, 0).query
}

/// A running daemon; ended with its Redis when dropped.
pub struct Daemon {
    pub data: PathBuf,
    child: Option<Child>,
    pub public: String,
    admin: String,
    token: String,
    pub http: reqwest::Client,
    channels: Channels,
    keep: Option<tempfile::TempDir>,
}

impl Daemon {
    /// One on an embedded Redis, with these further settings.
    pub fn start(settings: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
        let mut daemon = Self::at(&folder.path().join("d"), settings);
        daemon.keep = Some(folder);
        daemon
    }

    /// One on that data directory.
    pub fn at(data: &Path, settings: &str) -> Self {
        Self::configured(data, &format!("{settings}\n{CHANNEL}"))
    }

    /// One whose log is short, for heavy loads.
    pub fn quiet(data: &Path, settings: &str) -> Self {
        std::fs::create_dir_all(data).unwrap();
        std::fs::write(data.join("quiet"), "").unwrap();
        Self::at(data, settings)
    }

    /// One that is started through this shell script, which ends with `exec "$@"`, and whose log is short.
    pub fn launched(data: &Path, settings: &str, script: &str) -> Self {
        std::fs::create_dir_all(data).unwrap();
        std::fs::write(data.join("launch"), script).unwrap();
        Self::quiet(data, settings)
    }

    /// One without any channel but the sandbox of test mode.
    pub fn bare(data: &Path) -> Self {
        Self::configured(data, "")
    }

    fn configured(data: &Path, settings: &str) -> Self {
        std::fs::create_dir_all(data).unwrap();
        let server = if settings.contains("[server]") {
            ""
        } else {
            "[server]\npublic = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n"
        };
        let text = format!("{server}{settings}");
        std::fs::write(data.join("config.toml"), &text).unwrap();
        std::fs::write(data.join("epay.key"), KEY).unwrap();
        let channels = channels(&text, data);
        let mut daemon = Self {
            data: data.to_owned(),
            child: None,
            public: String::new(),
            admin: String::new(),
            token: String::new(),
            http: reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap(),
            channels,
            keep: None,
        };
        daemon.run();
        daemon
    }

    /// Another daemon of the same shop: its own data directory, this one's Redis and key ring.
    pub fn second(&self) -> Self {
        self.second_with("")
    }

    /// The same with these further settings.
    pub fn second_with(&self, settings: &str) -> Self {
        self.second_of(&format!("unix://{}", self.data.join("redis/redis.sock").display()), settings)
    }

    /// The same, where Redis is not the embedded one.
    pub fn second_on(&self, url: &str) -> Self {
        self.second_of(url, "")
    }

    fn second_of(&self, url: &str, settings: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("k").tempdir().unwrap();
        let data = folder.path().join("d");
        std::fs::create_dir(&data).unwrap();
        std::fs::copy(self.data.join("ring.json"), data.join("ring.json")).unwrap();
        let mut daemon = Self::at(&data, &format!("[store]\nurl = \"{url}\"\n{settings}"));
        daemon.keep = Some(folder);
        daemon
    }

    /// Where its admin side is.
    pub fn admin_url(&self) -> String {
        self.admin.clone()
    }

    /// The root's token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Starts the process (again) and waits until it listens.
    pub fn run(&mut self) {
        let _old = std::fs::remove_file(self.data.join("daemon.json"));
        let log = std::fs::File::options().create(true).append(true).open(self.data.join("log")).unwrap();
        let launch = self.data.join("launch");
        let mut command = Command::new(if launch.exists() { "/bin/sh" } else { env!("CARGO_BIN_EXE_kamid") });
        if launch.exists() {
            command.arg(launch).arg(env!("CARGO_BIN_EXE_kamid"));
        }
        let child = command
            .args(["serve", "--data"])
            .arg(&self.data)
            .env("KAMID_LOG", if self.data.join("quiet").exists() { "warn" } else { "trace" })
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
        let file = self.data.join("daemon.json");
        let at: Value = wait_for("the daemon", || {
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "the daemon ended: {}", std::fs::read_to_string(self.data.join("log")).unwrap());
            serde_json::from_slice(&std::fs::read(&file).ok()?).ok()
        });
        self.public = at["public"].as_str().unwrap().to_owned();
        self.admin = at["admin"].as_str().unwrap().to_owned();
        self.token = std::fs::read_to_string(self.data.join("admin.token")).unwrap();
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// `kill -9` of its embedded Redis.
    pub fn kill_redis(&self) {
        if let Some(pid) = self.redis_pid() {
            let pid = rustix::process::Pid::from_raw(pid).unwrap();
            let _gone = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }

    /// The embedded Redis' process, from the file descriptors' owner of its socket: asked of Redis itself.
    pub fn redis_pid(&self) -> Option<i32> {
        let client = redis::Client::open(format!("unix://{}", self.data.join("redis/redis.sock").display())).ok()?;
        let mut link = client.get_connection_with_timeout(Duration::from_secs(2)).ok()?;
        let info: String = redis::cmd("INFO").arg("server").query(&mut link).ok()?;
        info.lines().find_map(|line| line.strip_prefix("process_id:")?.trim().parse().ok())
    }

    /// How often its embedded Redis was asked so.
    pub fn redis_calls(&self, command: &str) -> u64 {
        let client = redis::Client::open(format!("unix://{}", self.data.join("redis/redis.sock").display())).unwrap();
        let mut link = client.get_connection_with_timeout(Duration::from_secs(5)).unwrap();
        let info: String = redis::cmd("INFO").arg("commandstats").query(&mut link).unwrap();
        let start = format!("cmdstat_{command}:calls=");
        let line = info.lines().find_map(|line| line.strip_prefix(start.as_str()));
        line.and_then(|rest| rest.split(',').next()?.parse().ok()).unwrap_or(0)
    }

    /// Changes a setting of its embedded Redis, if it answers.
    pub fn redis_set(&self, name: &str, value: &str) {
        let client = redis::Client::open(format!("unix://{}", self.data.join("redis/redis.sock").display())).unwrap();
        let link = client.get_connection_with_timeout(Duration::from_secs(5));
        let _sent = link.and_then(|mut link| redis::cmd("CONFIG").arg("SET").arg(name).arg(value).exec(&mut link));
    }

    /// Lets it open so many files, or as many as it may.
    pub fn file_limit(&self, most: Option<u64>) {
        use rustix::process::{Pid, Resource, Rlimit, prlimit};
        let pid = Pid::from_raw(self.pid().cast_signed());
        let now = rustix::process::getrlimit(Resource::Nofile);
        let limit = Rlimit { current: most.or(now.maximum), maximum: now.maximum };
        let _before = prlimit(pid, Resource::Nofile, limit).unwrap();
    }

    /// Stops it in order; says whether it ended well.
    pub fn stop(&mut self) -> bool {
        if let Some(child) = &self.child {
            let pid = rustix::process::Pid::from_child(child);
            let _sent = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        self.wait()
    }

    /// Waits until it has ended; says whether well.
    pub fn wait(&mut self) -> bool {
        self.child.take().is_some_and(|mut child| child.wait().unwrap().success())
    }

    /// The command line, on this daemon.
    pub fn cli(&self, args: &[&str], input: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kamid"));
        // Whatever the terminal that runs the tests is one of.
        command.args(args).arg("--data").arg(&self.data).env("LC_ALL", "C.UTF-8");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let _closed = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    /// The command line with `--json`, which must succeed.
    pub fn json(&self, args: &[&str], input: &str) -> Value {
        let done = self.cli(&[args, &["--json"]].concat(), input);
        let said = [&done.stderr, &done.stdout].map(|said| String::from_utf8_lossy(said).into_owned());
        assert!(done.status.success(), "{args:?}: {}", said.concat());
        serde_json::from_slice(&done.stdout).unwrap()
    }

    /// A product with this many keys named `prefix-n`.
    pub fn product(&self, id: &str, extra: &[&str], keys: u32) {
        let base = ["product", "add", id, "--price", "9.90"];
        self.json(&[&base, extra].concat(), "");
        if keys > 0 {
            self.import(id, 0, keys);
        }
    }

    /// Imports keys `from..from+count`.
    pub fn import(&self, id: &str, from: u32, count: u32) -> Value {
        let text: String = (from..from + count).map(|n| format!("PLAIN-{id}-{n:06}\n")).collect();
        self.json(&["keys", "import", id, "-"], &text)
    }

    /// An address of the admin side, and the token for it.
    pub fn admin_at(&self, path: &str) -> (String, &str) {
        (format!("{}{path}", self.admin), self.token.trim())
    }

    /// Asks the admin side.
    pub async fn admin(&self, path: &str) -> Value {
        serde_json::from_slice(&self.admin_text(path).await).unwrap()
    }

    /// The same, as it comes.
    pub async fn admin_text(&self, path: &str) -> Vec<u8> {
        let ask = self.http.get(format!("{}{path}", self.admin)).bearer_auth(self.token.trim());
        ask.send().await.unwrap().bytes().await.unwrap().to_vec()
    }

    /// The admin side's answer to something else: status and body.
    pub async fn ask(&self, method: reqwest::Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        self.ask_as(self.token.trim(), method, path, body).await
    }

    /// The same with another token.
    pub async fn ask_as(&self, token: &str, method: reqwest::Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        let mut ask = self.http.request(method, format!("{}{path}", self.admin)).bearer_auth(token);
        if let Some(body) = body {
            ask = ask.json(body);
        }
        let answer = ask.send().await.unwrap();
        (answer.status().as_u16(), serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default())
    }

    /// Reads the stream line by line until `enough` says so.
    pub async fn stream(&self, query: &str, mut enough: impl FnMut(Value) -> bool) {
        let ask = self.http.get(format!("{}/v1/stream{query}", self.admin)).bearer_auth(self.token.trim());
        let mut answer = ask.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let mut text = Vec::new();
        loop {
            text.extend_from_slice(&answer.chunk().await.unwrap().expect("the stream goes on"));
            while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = text.drain(..=end).collect();
                if enough(serde_json::from_slice(&line).unwrap()) {
                    return;
                }
            }
        }
    }

    /// A few seconds of the stream of snapshots.
    pub async fn stream_line(&self) -> Vec<u8> {
        let ask = self.http.get(format!("{}/v1/stream", self.admin)).bearer_auth(self.token.trim());
        let mut answer = ask.send().await.unwrap();
        let mut text = Vec::new();
        while text.iter().filter(|byte| **byte == b'\n').count() < 3 {
            text.extend_from_slice(&answer.chunk().await.unwrap().unwrap());
        }
        text
    }

    /// Asks the public side for something new: status and answer.
    pub async fn post(&self, path: &str, wish: &Value) -> (u16, Value) {
        let answer = self.http.post(format!("{}{path}", self.public)).json(wish).send().await.unwrap();
        (answer.status().as_u16(), serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default())
    }

    /// Makes an order on the test channel as the operator: its id.
    pub async fn order(&self, product: &str, quantity: u32) -> String {
        self.order_through("pay", product, quantity).await
    }

    /// The same through another channel.
    pub async fn order_through(&self, channel: &str, product: &str, quantity: u32) -> String {
        let wish =
            json!({"product": product, "quantity": quantity, "contact": "buyer@example.test", "channel": channel});
        let answer = self
            .http
            .post(format!("{}/v1/orders", self.admin))
            .bearer_auth(self.token.trim())
            .json(&wish)
            .send()
            .await
            .unwrap();
        let value: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        value["id"].as_str().unwrap_or_else(|| panic!("{value}\n{}", self.complaints())).to_owned()
    }

    /// What the daemon's log complains of.
    fn complaints(&self) -> String {
        let log = std::fs::read_to_string(self.data.join("log")).unwrap_or_default();
        log.lines().filter(|line| line.contains("ERROR")).collect::<Vec<_>>().join("\n")
    }

    /// Waits until so many incidents of a reason are shown.
    pub async fn incidents(&self, reason: &str, count: usize) -> Vec<Value> {
        let began = Instant::now();
        loop {
            let found = self.admin(&format!("/v1/incidents?reason={reason}")).await;
            let list = found["incidents"].as_array().cloned().unwrap_or_default();
            if list.len() == count {
                return list;
            }
            assert!(began.elapsed() < PATIENCE, "{} incidents of {reason}, not {count}", list.len());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Where an order stands, as soon as Redis answers.
    pub async fn state(&self, id: &str) -> String {
        let began = Instant::now();
        loop {
            let (status, said) = self.ask(reqwest::Method::GET, &format!("/v1/orders/{id}"), None).await;
            if status != 503 || began.elapsed() > PATIENCE {
                return said["state"].as_str().unwrap_or("missing").to_owned();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The address of a signed callback for an order.
    pub fn callback(&self, number: &str, trade_no: &str, minor: i64) -> String {
        self.callback_of("pay", number, trade_no, minor)
    }

    /// The same through another channel.
    pub fn callback_of(&self, channel: &str, number: &str, trade_no: &str, minor: i64) -> String {
        format!("/pay/{channel}/notify?{}", forged(&self.channels, channel, number, trade_no, minor))
    }

    /// Whether it says that it is ready.
    pub async fn is_ready(&self) -> bool {
        let ask = self.http.get(format!("{}/readyz", self.admin)).timeout(Duration::from_millis(500));
        ask.send().await.is_ok_and(|answer| answer.status() == 200)
    }

    /// Sends a request to the public side: status and body; 0 where there was no whole answer.
    pub async fn send(&self, path: &str) -> (u16, String) {
        match self.http.get(format!("{}{path}", self.public)).send().await {
            Ok(answer) => (answer.status().as_u16(), answer.text().await.unwrap_or_default()),
            Err(_) => (0, String::new()),
        }
    }

    /// Pays an order's first attempt.
    pub async fn pay(&self, id: &str, trade_no: &str, minor: i64) -> (u16, String) {
        self.send(&self.callback(&format!("{id}01"), trade_no, minor)).await
    }

    /// `kamid audit` finds nothing.
    pub fn audit(&self) {
        let report = self.json(&["audit"], "");
        assert_eq!(report["count"], 0, "{report}");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.stop();
        }
    }
}
