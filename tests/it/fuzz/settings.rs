//! Configurations: any text gives one, or a list of problems, and neither shows a secret.

use std::path::Path;

use kamid::channel::Channels;
use kamid::config::{Config, DEFAULT};

use super::drive::Target;

use crate::support::channel::NOW;

const SECRET: &str = "S3CR3T-of-the-merchant";

/// Whether the secret stands where secrets stand: a fuzzer that moves it elsewhere has published it itself.
fn in_place(text: &str) -> bool {
    let at_home = |line: &str| {
        let name = line.trim_start().strip_prefix("key").or_else(|| line.trim_start().strip_prefix("url"));
        name.is_some_and(|rest| rest.trim_start().starts_with('='))
    };
    let mut lines = text.lines().filter(|line| line.contains(SECRET));
    lines.all(at_home) && text.matches(SECRET).count() == 1 && !text.contains("\"\"\"") && !text.contains("'''")
}

fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    // Nothing of this machine is read.
    if ["_file", "_env"].iter().any(|word| text.contains(word)) {
        return;
    }
    let mut said = String::new();
    match Config::parse(&text, Path::new("/nowhere")) {
        Ok(config) => {
            said += &format!("{config:?}");
            assert!((1..=65_536).contains(&config.limits.key_bytes) && config.limits.body_bytes >= 1024);
            assert!(config.server.public != config.server.admin || config.server.public.port() == 0);
            match Channels::build(&config.channels, config.test, NOW) {
                Ok(channels) => {
                    assert_eq!(channels.list().count(), config.channels.len(), "a channel is lost without a word");
                    said += &format!("{:?}", channels.warnings);
                }
                Err(problems) => {
                    assert!(problems.iter().any(|problem| !problem.warning));
                    problems.iter().for_each(|problem| said += &format!("{problem}\n"));
                }
            }
        }
        Err(problems) => {
            assert!(problems.iter().any(|problem| !problem.warning), "refused without a reason");
            let lines = text.bytes().filter(|b| *b == b'\n').count() + 1;
            for problem in problems {
                assert!(problem.line.is_none_or(|line| (1..=lines.max(DEFAULT.lines().count())).contains(&line)));
                said += &format!("{problem}\n");
            }
        }
    }
    assert!(!in_place(&text) || !said.contains(SECRET), "{said}");
}

pub fn any_text_is_a_configuration_or_a_list_of_problems_without_secrets() -> Target {
    let channel = format!(
        "[test]\nmode = true\n[channel.p]\nkind = \"epay_v1\"\ngateway_url = \"https://pay.example\"\npid = \"1001\"\nkey = \"{SECRET}\"\nsign_type = \"MD5\"\n[channel.box]\nkind = \"sandbox\"\n"
    );
    let store = format!(
        "[store]\nurl = \"redis://:{SECRET}@127.0.0.1/\"\nreplicas = 2\n[server]\npublic = \"127.0.0.1:8080\"\ntrusted_proxies = [\"10.0.0.0/8\"]\n[limits]\nincidents = 9223372036854775807\n"
    );
    let deep = format!("a = {}1{}\n", "[".repeat(40), "]".repeat(40)).into_bytes();
    let seeds = vec![channel.into_bytes(), store.into_bytes(), deep];
    let words = &[
        "\"",
        "'",
        "=",
        "[",
        "]",
        ".",
        "\n",
        "#",
        "{",
        "}",
        ",",
        "\\u",
        "\"\"\"",
        "[channel.",
        "key = ",
        "kind = ",
        "-1",
        "0x",
        "1e9",
        "true",
        "1979-05-27",
        "nan",
        "é",
        "\0",
        "mode = false\n",
        "a.b.c.d.",
        "live",
        "manual",
    ];
    Target { name: "configurations", seeds, words, check }
}
