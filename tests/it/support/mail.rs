//! A real mail server: STARTTLS with a certificate of its own, a login, a maildir.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::port::held_port;
use super::shop::wait_for;

pub struct MailServer {
    folder: tempfile::TempDir,
    child: Option<Child>,
}

impl MailServer {
    /// One that was given a port and a certificate, and is down.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("km").tempdir().unwrap();
        let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(folder.path().join("cert.pem"), certified.cert.pem()).unwrap();
        std::fs::write(folder.path().join("key.pem"), certified.signing_key.serialize_pem()).unwrap();
        std::fs::write(folder.path().join("port"), held_port().to_string()).unwrap();
        let mut server = Self { folder, child: None };
        server.rules("");
        server.run();
        server
    }

    pub fn run(&mut self) {
        let path = |name: &str| self.folder.path().join(name);
        let _old = std::fs::remove_file(path("up"));
        let child = Command::new("/usr/bin/python3")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/mail.py"))
            .args([self.folder.path(), &path("cert.pem"), &path("key.pem")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        self.child = Some(child);
        wait_for("the mail server", || {
            assert!(self.child.as_mut().unwrap().try_wait().unwrap().is_none(), "the mail server ended");
            path("up").exists().then_some(())
        });
    }

    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Who is refused from now on, a line each: the beginning of the address and the answer.
    pub fn rules(&self, rules: &str) {
        std::fs::write(self.folder.path().join("rules"), rules).unwrap();
    }

    /// Settings of a notifier `mail` that knows this server; `more` comes last.
    pub fn settings(&self, more: &str) -> String {
        let port = std::fs::read_to_string(self.folder.path().join("port")).unwrap();
        let cert = self.folder.path().join("cert.pem");
        format!(
            "[notify.mail]\nkind = \"smtp\"\nhost = \"localhost\"\nport = {port}\ntls = \"starttls\"\nca_file = {cert:?}\n\
             user = \"shop\"\npassword_file = \"mail.password\"\nfrom = \"卡密商城 <shop@shop.example>\"\n{more}\n"
        )
    }

    /// Mails that were taken, whole, the oldest first.
    pub fn mails(&self) -> Vec<String> {
        let new: PathBuf = self.folder.path().join("mail/new");
        let Ok(entries) = std::fs::read_dir(new) else { return Vec::new() };
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort_by_key(|path| std::fs::metadata(path).unwrap().modified().unwrap());
        files.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.stop();
    }
}
