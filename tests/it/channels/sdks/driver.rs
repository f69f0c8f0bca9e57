//! The SDKs of one language, behind a process that answers a line of JSON with a line of JSON (`tests/sdks`).

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// What the SDKs are written for.
#[derive(Clone, Copy)]
pub enum Language {
    Python,
    Node,
}

/// One running driver; it ends with its owner.
pub struct Driver {
    child: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Driver {
    pub fn start(language: Language) -> Self {
        let project = Path::new(env!("CARGO_MANIFEST_DIR"));
        let home = project.join("target/sdks");
        assert!(home.is_dir(), "no SDK is installed: `make sdks` does it");
        let (program, script) = match language {
            Language::Python => (home.join("bin/python"), "sdk.py"),
            Language::Node => ("node".into(), "sdk.mjs"),
        };
        let mut child = Command::new(&program)
            .arg(project.join("tests/sdks").join(script))
            .current_dir(&home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|why| panic!("{}: {why}: `make sdks` installs it", program.display()));
        let (asks, answers) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, asks, answers }
    }

    /// What an SDK makes of it; `None` where it does not believe what it was given.
    pub fn ask(&mut self, sdk: &str, what: &str, key: &Value, given: &Value) -> Option<Value> {
        writeln!(self.asks, "{}", json!({"sdk": sdk, "what": what, "key": key, "given": given})).unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("the driver ended: {line:?}"));
        if let Some(package) = answer["missing"].as_str() {
            panic!("this SDK is not installed, `make sdks` does it: {package}");
        }
        assert!(answer["broken"].is_null(), "{sdk} {what}: {}", answer["broken"]);
        if answer["refused"] == true { None } else { Some(answer["done"].clone()) }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ended = (self.child.kill(), self.child.wait());
    }
}
