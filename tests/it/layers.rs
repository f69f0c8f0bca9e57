//! The rooms' arrows point down only, and each outside package has one door.

use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Each room with the rooms it may use; what stands lower knows nothing of what stands higher.
const ROOMS: [(&str, &[&str]); 19] = [
    ("domain", &["domain"]),
    ("settings", &["domain"]),
    ("config", &["settings"]),
    ("channel", &["channel", "domain", "settings"]),
    ("vault", &["domain"]),
    ("store", &["config", "domain", "store", "vault"]),
    ("telemetry", &["config", "domain", "telemetry"]),
    ("outbound", &["config", "domain", "outbound", "settings"]),
    ("wire", &["domain", "wire"]),
    // Only to write a query, by the one encoder there is, and to check that a listener knows the token.
    ("client", &["channel", "domain", "vault", "wire"]),
    ("shop", &["channel", "config", "domain", "outbound", "shop", "store", "telemetry", "vault"]),
    ("notify", &["domain", "notify", "outbound", "settings", "shop", "vault"]),
    ("http", &["channel", "config", "domain", "http", "notify", "shop", "store", "telemetry", "vault", "wire"]),
    (
        "daemon",
        &[
            "channel",
            "config",
            "domain",
            "http",
            "notify",
            "outbound",
            "process",
            "settings",
            "shop",
            "store",
            "telemetry",
            "vault",
        ],
    ),
    ("process", &[]),
    // Through the daemon's own HTTP, never Redis.
    ("hammer", &["channel", "client", "domain", "hammer", "tty", "wire"]),
    // The same.
    ("top", &["client", "config", "domain", "top", "tty", "wire"]),
    ("tty", &[]),
    (
        "cli",
        &[
            "channel", "hammer", "cli", "client", "config", "daemon", "domain", "notify", "outbound", "settings",
            "shop", "store", "top", "vault", "wire",
        ],
    ),
];

/// Outside packages and the only rooms that may name them.
const DOORS: [(&str, &[&str]); 16] = [
    ("redis::", &["store"]),
    ("bb8::", &["store"]),
    ("hyper::", &["http"]),
    ("axum::", &["http"]),
    ("governor::", &["http"]),
    ("minijinja::", &["http", "notify"]),
    ("lettre::", &["notify"]),
    ("reqwest::", &["outbound", "client"]),
    ("md5::", &["channel"]),
    ("aws_lc_rs::", &["channel", "notify", "vault"]),
    ("metrics::", &["telemetry"]),
    ("metrics_exporter_prometheus::", &["telemetry"]),
    // One file of it: `time`.
    ("jiff::", &["domain"]),
    ("clap::", &["cli"]),
    ("ratatui::", &["hammer", "top", "tty"]),
    ("crossterm::", &["hammer", "top", "tty"]),
];

#[test]
fn arrows_point_down_and_packages_have_one_door() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut wrong = Vec::new();
    for file in files {
        let name = file.strip_prefix(&root).unwrap().display().to_string();
        let room = name.split('/').next().unwrap().trim_end_matches(".rs");
        let Some((_, may)) = ROOMS.iter().find(|(known, _)| *known == room) else { continue };
        let text = std::fs::read_to_string(&file).unwrap();
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            for used in line.split("crate::").skip(1) {
                let used: String = used.chars().take_while(|c| c.is_ascii_lowercase()).collect();
                if ROOMS.iter().any(|(known, _)| *known == used) && used != room && !may.contains(&used.as_str()) {
                    wrong.push(format!("{name}:{}: {room} may not use {used}", at + 1));
                }
            }
            for (package, doors) in DOORS {
                let named = line
                    .match_indices(package)
                    .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'));
                if named && !doors.contains(&room) {
                    wrong.push(format!("{name}:{}: {package} has its door in {}", at + 1, doors.join(", ")));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
