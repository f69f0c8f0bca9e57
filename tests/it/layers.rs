//! The rooms' arrows point down only, and each outside package has one door.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// A room: its name, of one level or of two, the rooms it may use, and what it is, which says why it may use no other.
/// One that is named with one level stands for all below it that have no row of their own.
type Room = (&'static str, &'static [&'static str], &'static str);

/// What stands lower knows nothing of what stands higher.
const ROOMS: &[Room] = &[
    ("process", &[], "the operating system's side of a process, its clock too"),
    ("tty", &[], "a terminal, whatever is drawn on it"),
    ("domain", &[], "the trade's words, pure"),
    ("settings", &["domain"], "text becomes values, whoever's they are"),
    ("config", &["domain", "settings"], "the sections that are nobody else's"),
    ("channel/contract", &["domain"], "what every channel can do, whatever its gateway"),
    ("channel/bill", &["domain"], "bytes of a bill become lines, whoever asks"),
    ("channel/kit", &["channel/contract", "domain", "settings"], "what gateways share knows none of them"),
    ("channel/kind", &["channel/bill", "channel/contract", "domain", "settings"], "a row's columns know no row"),
    (
        "channel/gateway",
        &["channel/bill", "channel/contract", "channel/kind", "channel/kit", "domain", "settings"],
        "a gateway's bytes, no I/O, no clock",
    ),
    (
        "channel/terms",
        &["channel/contract", "channel/kind", "domain", "settings"],
        "what holds for every kind knows none of them",
    ),
    ("channel/account", &["channel/kind", "channel/kit", "channel/terms", "domain", "settings"], "as terms"),
    ("channel/older", &["channel/contract", "channel/kind", "channel/terms", "domain", "settings"], "as terms"),
    (
        "channel/capture",
        &["channel/contract", "channel/kind", "channel/terms", "domain"],
        "captures are judged by any channel",
    ),
    (
        "channel",
        &[
            "channel/account",
            "channel/contract",
            "channel/gateway",
            "channel/kind",
            "channel/kit",
            "channel/older",
            "channel/terms",
            "domain",
            "settings",
        ],
        "bytes to payments and back, no I/O, no clock",
    ),
    ("vault", &["domain"], "seals and tokens, pure"),
    ("store", &["config", "domain", "process", "vault"], "all of Redis; it knows no channel"),
    ("telemetry", &["config", "domain"], "what happened; it knows nobody who does it"),
    ("outbound", &["config", "domain", "settings"], "calls as data, sent"),
    ("wire", &["domain"], "what is asked and answered, as serde data"),
    (
        "client",
        &["domain", "vault", "wire"],
        "the admin API from outside: `vault` to check that a listener knows the token",
    ),
    (
        "shop",
        &["channel", "config", "domain", "outbound", "store", "telemetry", "vault"],
        "the use cases, whoever asks for them; its folders add to one `Shop`, and there is no wall between them",
    ),
    ("notify", &["domain", "outbound", "process", "settings", "shop", "vault"], "the outbox's people"),
    ("http/problem", &["domain", "shop", "store"], "what is refused, whoever refuses it"),
    ("http/serve", &["config", "domain", "telemetry"], "a listener knows nothing of what is served"),
    (
        "http/web",
        &["channel", "config", "domain", "http/problem", "http/serve", "notify", "shop", "telemetry", "wire"],
        "what both sides share knows neither",
    ),
    (
        "http/public",
        &["channel", "domain", "http/problem", "http/serve", "http/web", "shop", "store", "telemetry", "vault", "wire"],
        "what buyers and gateways reach shares nothing with the operators' side but what both stand on",
    ),
    (
        "http/admin",
        &["channel", "domain", "http/problem", "http/serve", "http/web", "shop", "store", "telemetry", "vault", "wire"],
        "as public, the other way",
    ),
    ("http", &["http/admin", "http/public", "http/serve", "http/web"], "requests become use cases"),
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
        "what is built, spawned and drained",
    ),
    (
        "hammer",
        &["channel", "client", "domain", "process", "tty", "wire"],
        "through the daemon's own HTTP, never Redis",
    ),
    ("top/lang", &["domain", "tty"], "the operator's words, in the language that the terminal shows"),
    ("top/labels", &["domain", "top/lang"], "the operator's words for fields"),
    ("top/text", &["domain"], "cells, whatever stands in them"),
    ("top/tab", &["domain"], "names of panes, for those that know none"),
    ("top/keys", &["domain"], "keys, whatever they are pressed on"),
    ("top/ask", &["client", "domain", "wire"], "requests as data"),
    (
        "top/model",
        &["config", "domain", "top/ask", "top/lang", "top/tab", "top/text"],
        "what is known, whoever shows or changes it",
    ),
    ("top/theme", &["top/model"], "colours of what is known"),
    ("top/kit", &["domain", "top/model", "top/text", "top/theme"], "what pictures are made of knows no picture"),
    (
        "top/pane",
        &["domain", "top/ask", "top/keys", "top/kit", "top/lang", "top/model", "top/tab", "top/text", "top/theme"],
        "a file a pane: it reads the model, and nothing calls it but what stands above",
    ),
    (
        "top/view",
        &["domain", "top/keys", "top/kit", "top/labels", "top/model", "top/pane", "top/text", "top/theme"],
        "the whole picture, whichever pane is in it",
    ),
    (
        "top/update",
        &["client", "domain", "top/ask", "top/keys", "top/lang", "top/model", "top/pane", "top/tab", "wire"],
        "what happens, above the model and the panes, or these would be a circle",
    ),
    (
        "top",
        &[
            "client",
            "config",
            "domain",
            "process",
            "top/ask",
            "top/kit",
            "top/lang",
            "top/model",
            "top/pane",
            "top/tab",
            "top/text",
            "top/theme",
            "top/view",
            "tty",
            "wire",
        ],
        "through the daemon's own HTTP, never Redis",
    ),
    (
        "cli",
        &[
            "channel", "client", "config", "daemon", "domain", "hammer", "notify", "outbound", "process", "settings",
            "shop", "store", "top", "tty", "vault", "wire",
        ],
        "the commands",
    ),
];

/// Outside packages, and the only modules that may name them, with all that stands below these.
const DOORS: &[(&str, &[&str])] = &[
    ("redis::", &["store"]),
    ("bb8::", &["store"]),
    ("hyper::", &["http"]),
    ("hyper_util::", &["http/serve"]),
    ("httparse::", &["hammer/wire"]),
    ("axum::", &["http"]),
    ("tower::", &["http/web"]),
    ("governor::", &["http/serve/limit"]),
    ("qrcode::", &["http/public/pages"]),
    ("minijinja::", &["http/public", "notify/text"]),
    ("lettre::", &["notify/smtp"]),
    ("reqwest::", &["outbound", "client"]),
    ("md5::", &["channel/kit/sign"]),
    ("x509_parser::", &["channel/kit"]),
    // What a gateway signs with stands in its file, what several do in the kit.
    ("aws_lc_rs::", &["channel/gateway", "channel/kit", "notify", "vault"]),
    ("percent_encoding::", &["channel/kit/params", "domain/text", "http/public", "notify/aliyun"]),
    ("metrics::", &["telemetry"]),
    ("metrics_exporter_prometheus::", &["telemetry"]),
    // The machine's clock; what others need of it they are given, or ask there.
    ("SystemTime::", &["process"]),
    ("hdrhistogram::", &["domain/snapshot", "hammer", "telemetry"]),
    ("jiff::", &["domain/time"]),
    ("icu_properties::", &["domain/text"]),
    ("icu_casemap::", &["domain/contact"]),
    ("icu_normalizer::", &["domain/contact"]),
    ("idna::", &["domain/contact"]),
    ("toml::", &["cli/channel/add", "settings"]),
    ("csv::", &["channel/bill"]),
    ("chardetng::", &["shop/goods/sheet"]),
    ("infer::", &["shop/goods/sheet"]),
    ("tracing_subscriber::", &["telemetry/log"]),
    ("clap::", &["cli"]),
    ("comfy_table::", &["cli/output"]),
    ("indicatif::", &["cli/output"]),
    ("ratatui::", &["hammer/screen", "top", "tty"]),
    ("tui_input::", &["top/model/prompt"]),
];

/// Whether a module is one of these, or stands below one.
fn is_behind(module: &[String], doors: &[&str]) -> bool {
    let name = module.join("/");
    doors.iter().any(|door| name.strip_prefix(door).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// The module of a file: its folders and its name.
fn module_of(name: &str) -> Vec<String> {
    let mut module: Vec<String> = name.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if module.last().is_some_and(|last| last == "mod" || last == "lib") {
        module.pop();
    }
    module
}

/// The room of a module: the most specific row that names it.
fn room_of(module: &[String]) -> Option<&'static Room> {
    let named = |levels: usize| {
        let name = module.get(..levels)?.join("/");
        ROOMS.iter().find(|(room, ..)| *room == name)
    };
    named(2).or_else(|| named(1))
}

/// The source without comments and what is for tests alone: those stand at a file's end.
pub fn code_of(text: &str) -> String {
    let code = text.lines().take_while(|line| !line.starts_with("#[cfg(test)]"));
    code.map(|line| if line.trim_start().starts_with("//") { "" } else { line }).collect::<Vec<_>>().join("\n")
}

/// The paths that follow a beginning, such as `crate::`, each as its first words in small letters: `{` opens several.
fn paths(text: &str) -> Vec<Vec<String>> {
    let Some(group) = text.strip_prefix('{') else {
        let word: String =
            text.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_' || c.is_ascii_digit()).collect();
        let rest = text[word.len()..].strip_prefix("::").filter(|_| !word.is_empty());
        let Some(rest) = rest else { return vec![if word.is_empty() { Vec::new() } else { vec![word] }] };
        return paths(rest).into_iter().map(|path| [vec![word.clone()], path].concat()).collect();
    };
    let (mut depth, mut starts, mut found) = (0, true, Vec::new());
    for (at, c) in group.char_indices() {
        if starts && depth == 0 && !c.is_whitespace() && c != ',' && c != '}' {
            found.extend(paths(&group[at..]));
            starts = false;
        }
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => starts = true,
            _ => {}
        }
    }
    found
}

/// What a file of a module names of this crate: the line, and the module.
fn named(module: &[String], code: &str) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    for (start, up) in [("crate::", None), ("super::", Some(1)), ("super::super::", Some(2))] {
        for (at, _) in code.match_indices(start) {
            let before = &code[..at];
            let rest = &code[at + start.len()..];
            // Who may see a thing is no use of it.
            let is_inside = before.ends_with("pub(in ")
                || before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '$'));
            if is_inside || rest.starts_with("super::") {
                continue;
            }
            let Some(base) = up.map_or(Some(&[][..]), |up| module.get(..module.len().checked_sub(up)?)) else {
                continue;
            };
            let line = before.matches('\n').count() + 1;
            found.extend(paths(rest).into_iter().map(|path| (line, [base, path.as_slice()].concat())));
        }
    }
    found
}

/// What a file names that its room may not use.
fn forbidden(name: &str, text: &str) -> Vec<String> {
    let module = module_of(name);
    let Some((room, may, what)) = room_of(&module) else { return Vec::new() };
    let (parent, mut wrong) = (room.split('/').next().unwrap(), Vec::new());
    for (line, used) in named(&module, &code_of(text)) {
        let Some((other, ..)) = room_of(&used) else { continue };
        // From outside, a room of one level is one thing.
        let whole = other.split('/').next().unwrap();
        let allowed = room == other || may.contains(other) || (whole != parent && may.contains(&whole));
        if !allowed {
            wrong.push(format!("{name}:{line}: {room} may not use {other}: {what}"));
        }
    }
    wrong.dedup();
    wrong
}

#[test]
fn arrows_point_down_and_packages_have_one_door() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let (mut wrong, mut used) = (Vec::new(), BTreeSet::new());
    for file in files {
        let name = file.strip_prefix(&root).unwrap().display().to_string();
        let module = module_of(&name);
        let text = std::fs::read_to_string(&file).unwrap();
        if name.ends_with("/tests.rs") || ["lib.rs", "main.rs"].contains(&name.as_str()) {
            continue;
        }
        assert!(room_of(&module).is_some(), "{name} is in no room");
        wrong.extend(forbidden(&name, &text));
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            for (package, doors) in DOORS {
                let named = line
                    .match_indices(package)
                    .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'));
                if !named {
                    continue;
                }
                used.extend(doors.iter().filter(|door| is_behind(&module, &[door])).map(|door| (*package, *door)));
                if !is_behind(&module, doors) {
                    wrong.push(format!("{name}:{}: {package} has its door in {}", at + 1, doors.join(", ")));
                }
            }
        }
    }
    for (package, doors) in DOORS {
        let unused = doors.iter().filter(|door| !used.contains(&(*package, **door)));
        wrong.extend(unused.map(|door| format!("{door} does not name {package}: it needs no door")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_door_of_two_levels_is_none_for_the_house() {
    let behind = |name: &str, door: &str| is_behind(&module_of(name), &[door]);
    assert!(behind("http/serve/limit.rs", "http/serve/limit") && behind("http/serve/seats/tests.rs", "http/serve"));
    assert!(behind("vault/guard.rs", "vault") && behind("cli/mod.rs", "cli"));
    for other in ["http/public/mod.rs", "http/web.rs", "http/server.rs", "http/mod.rs", "domain/time.rs"] {
        assert!(!behind(other, "http/serve"), "{other}");
    }
}

/// The rows as they stand are a house without a circle.
#[test]
fn each_room_uses_only_rooms_above_it_in_the_table() {
    for (at, (room, may, _)) in ROOMS.iter().enumerate() {
        for used in *may {
            let stands = ROOMS.iter().position(|(other, ..)| other == used);
            assert!(stands.is_some_and(|stands| stands < at), "{room} uses {used}, which does not stand before it");
        }
    }
}

#[test]
fn what_is_not_allowed_is_found_however_it_is_named() {
    for (name, text) in [
        ("store/orders.rs", "use crate::channel::Channels;"),
        ("store/orders.rs", "use crate::{\n    domain::Millis,\n    shop::{Shop, ShopError},\n};"),
        ("channel/kit/json.rs", "use super::super::gateway::epay;"),
        ("channel/kit/mod.rs", "use super::{contract::Verdict, gateway};"),
        ("channel/kit/sign.rs", "use crate::channel::{contract::{Claim, Step}, gateway::{epay, stripe}};"),
        ("channel/contract.rs", "fn f() { super::kit::text::begins(a, b) }"),
        ("channel/gateway/epay.rs", "use crate::channel::configured::Channels;"),
        ("domain/order.rs", "let x = crate::settings::Secret::default();"),
        ("top/model/mod.rs", "use super::pane::PANES;"),
        ("top/pane/stock.rs", "use crate::top::update::update;"),
        ("top/kit/charts.rs", "use crate::top::pane::Pane;"),
        ("http/public/orders.rs", "use crate::http::admin::routes::Routes;"),
        ("http/serve/limit.rs", "use crate::http::web::Web;"),
    ] {
        assert_eq!(forbidden(name, text).len(), 1, "{name}: {text}: {:?}", forbidden(name, text));
    }
    for (name, text) in [
        ("store/orders.rs", "use super::names::Names;\nuse crate::domain::{OrderId, time::Zone};"),
        ("channel/kit/flat.rs", "use super::{canonical, json};\nuse crate::channel::contract::Step;"),
        ("shop/mod.rs", "use crate::channel::bill::Line;"),
        ("http/serve/limit.rs", "pub(in crate::http) fn trusts() {}"),
        ("store/orders.rs", "// crate::shop::Shop\n#[cfg(test)]\nmod tests { use crate::shop::Shop; }"),
    ] {
        assert_eq!(forbidden(name, text), Vec::<String>::new(), "{name}: {text}");
    }
}

/// What time it is, a channel is told: the same bytes are judged the same way by whoever hears them, whenever that was.
#[test]
fn a_channel_reads_no_clock() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/channel");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut wrong = Vec::new();
    for file in files {
        let code = code_of(&std::fs::read_to_string(&file).unwrap());
        let clocks =
            ["SystemTime", "Instant", "Clock", "::now(", "elapsed("].into_iter().filter(|it| code.contains(it));
        wrong.extend(clocks.map(|clock| format!("{}: {clock}", file.display())));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Files of the store that speak to a link itself, and why they may: all others name a place.
const ON_A_LINK: &[(&str, &str)] = &[
    ("at.rs", "makes the pipeline of each node"),
    ("copies.rs", "WAIT counts for its own connection"),
    ("embedded/memory.rs", "how a server is set"),
    ("link.rs", "a link is to one node"),
    ("mod.rs", "finds the link to a place"),
    ("places/look.rs", "what stands at a node, before anything is asked of it"),
    ("preflight.rs", "how a server is"),
    ("stock.rs", "makes a script known to a node"),
];

#[test]
fn every_call_of_the_store_names_its_place() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let (mut files, mut found) = (Vec::new(), BTreeSet::new());
    sources(&root, &mut files);
    let pieces = ["redis::pipe()", "Pipeline", "link.run", ".run_all(", ".run_each(", ".query_async(", "req_packed"];
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        if pieces.iter().any(|piece| text.contains(piece)) {
            found.insert(file.strip_prefix(&root).unwrap().to_str().unwrap().to_owned());
        }
    }
    let may: BTreeSet<String> = ON_A_LINK.iter().map(|(file, _)| (*file).to_owned()).collect();
    assert_eq!(found, may, "with a place it goes through Store::ask, Store::ask_all or Store::run");
}
