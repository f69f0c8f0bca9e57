//! A real browser, driven as a person would.

use std::io::{BufRead as _, BufReader};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder, Locator};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

/// How long a page may take; generous, the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// How long a browser or its driver may take to end by itself.
const CLOSING: Duration = Duration::from_secs(10);

/// Processes of a browser with that profile.
pub fn processes(profile: &Path) -> Vec<Pid> {
    let argument = format!("--user-data-dir={}", profile.display());
    let pids = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let of_profile = |pid: &i32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        // A title that a process gave itself has blanks between the arguments.
        line.split(|byte| matches!(byte, 0 | b' ')).any(|part| part == argument.as_bytes())
    };
    pids.filter(of_profile).filter_map(Pid::from_raw).collect()
}

/// A browser's profile: whatever runs with it is ended when this is dropped.
struct Profile(PathBuf);

impl Drop for Profile {
    fn drop(&mut self) {
        let began = Instant::now();
        loop {
            let left = processes(&self.0);
            if left.is_empty() {
                return;
            }
            for pid in left {
                // It may have gone by itself.
                let _sent = kill_process(pid, Signal::KILL);
            }
            if began.elapsed() > CLOSING {
                eprintln!("a browser is left at {}", self.0.display());
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A browser of the test's own; ended with all its processes when dropped.
pub struct Browser {
    client: Client,
    _profile: Profile,
}

impl Deref for Browser {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Browser {
    /// Ends it: in order, and by force what is left after that. What is tested is over by then, so how its driver takes it
    /// is only told.
    pub async fn close(self) {
        match tokio::time::timeout(CLOSING, self.client.clone().close()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => eprintln!("the browser was not closed in order: {error}"),
            Err(_) => eprintln!("the browser was not closed in {} s", CLOSING.as_secs()),
        }
    }
}

/// A browser driver of the test's own; ended when dropped.
pub struct Driver {
    child: Child,
    url: String,
}

impl Driver {
    pub fn start() -> Self {
        let mut child = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is installed (make setup)");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mark = "started successfully on port ";
        let port = lines
            .map_while(Result::ok)
            .find_map(|line| line.split_once(mark).map(|(_, port)| port.trim_end_matches('.').to_owned()));
        Self { child, url: format!("http://127.0.0.1:{}", port.expect("chromedriver says its port")) }
    }

    /// A browser of that language with a profile of its own.
    pub async fn browser(&self, language: &str, profile: &Path) -> Browser {
        self.browser_with(language, profile, &[], None).await
    }

    /// The same with further arguments, and a phone's screen of that width and height.
    pub async fn browser_with(
        &self,
        language: &str,
        profile: &Path,
        more: &[&str],
        phone: Option<[u32; 2]>,
    ) -> Browser {
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=480,800",
        ];
        let mut arguments: Vec<String> = arguments.map(str::to_owned).to_vec();
        arguments.push(format!("--user-data-dir={}", profile.display()));
        arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
        let mut options = json!({"args": arguments, "prefs": {"intl.accept_languages": language}});
        if let Some([width, height]) = phone {
            let metrics = json!({"width": width, "height": height, "pixelRatio": 1.0});
            options["mobileEmulation"] = json!({"deviceMetrics": metrics});
        }
        let wanted = Capabilities::from_iter([("goog:chromeOptions".to_owned(), options)]);
        // Before it is started: a start that fails leaves nothing behind either.
        let profile = Profile(profile.to_owned());
        let mut builder = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
        let client = builder.capabilities(wanted).connect(&self.url).await.unwrap();
        Browser { client, _profile: profile }
    }

    /// Its process.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _sent = kill_process(self.pid(), Signal::TERM);
        let began = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && began.elapsed() < CLOSING {
            std::thread::sleep(Duration::from_millis(10));
        }
        // Both do nothing to one that has ended.
        let _sent = self.child.kill();
        let _status = self.child.wait();
    }
}

/// The text of an element, once it is there.
pub async fn text(browser: &Client, css: &str) -> String {
    let wait = browser.wait().at_most(PATIENCE);
    wait.for_element(Locator::Css(css)).await.unwrap().text().await.unwrap()
}
