//! A real browser, driven as a person would.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::json;

/// How long a page may take; generous, the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(30);

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
    pub async fn browser(&self, language: &str, profile: &Path) -> Client {
        self.browser_with(language, profile, &[], None).await
    }

    /// The same with further arguments, and a phone's screen of that width and height.
    pub async fn browser_with(&self, language: &str, profile: &Path, more: &[&str], phone: Option<[u32; 2]>) -> Client {
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
        ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
            .capabilities(wanted)
            .connect(&self.url)
            .await
            .unwrap()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Asked politely, it takes its browsers along.
        let pid = rustix::process::Pid::from_child(&self.child);
        let _sent = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _status = self.child.wait();
    }
}

/// The text of an element, once it is there.
pub async fn text(browser: &Client, css: &str) -> String {
    let wait = browser.wait().at_most(PATIENCE);
    wait.for_element(Locator::Css(css)).await.unwrap().text().await.unwrap()
}
