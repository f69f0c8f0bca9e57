//! Texts that a program reads (addresses, numbers, names of a gateway's), out of consoles and mails: without what nobody sees
//! at their edges, and refused with it inside. And networks, as they are meant.

use ipnet::IpNet;

use super::{ConfigProblem, Section};
use crate::domain::network::{Meant, meant};
use crate::domain::text::{bare, is_hidden};

/// Whether a text is an http address by its looks: its protocol, a host, no blank, and nothing that an input method for
/// Chinese writes instead of a dot, a colon or a slash.
#[must_use]
pub fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let wide = |c: char| matches!(c, '\u{ff01}'..='\u{ff5e}' | '\u{3001}' | '\u{3002}');
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['/', ':']))
        && !text.contains(|c: char| c.is_whitespace() || wide(c))
}

impl Section {
    /// A text that a program reads; empty counts as absent. What is not seen is left out at its edges, with a warning, and
    /// refused inside.
    pub fn text(&self, key: &str, problems: &mut Vec<ConfigProblem>) -> Option<String> {
        let text = self.edged(key, &self.prose(key, problems)?, problems)?;
        self.visible(key, &text, problems).map(str::to_owned)
    }

    /// A text without its edges; with a warning where there are some, and refused where nothing else is there.
    pub(super) fn edged(&self, key: &str, text: &str, problems: &mut Vec<ConfigProblem>) -> Option<String> {
        let inside = bare(text);
        if inside.is_empty() && !text.is_empty() {
            self.once(self.problem(key, "holds nothing but blanks or characters that are not seen"), problems);
            return None;
        }
        if inside.len() != text.len() {
            let message = "has blanks or characters that are not seen (such as a byte-order mark) at its edges: they are left out";
            self.once(ConfigProblem { warning: true, ..self.problem(key, message) }, problems);
        }
        Some(inside.to_owned())
    }

    /// The same text, unless something in it is not seen, or is a blank that no keyboard writes.
    pub(super) fn visible<'a>(&self, key: &str, text: &'a str, problems: &mut Vec<ConfigProblem>) -> Option<&'a str> {
        let Some(hidden) = text.chars().find(|c| is_hidden(*c)) else { return Some(text) };
        let message = format!(
            "holds a character that is not seen (U+{:04X}) in the middle: type it instead of copying it",
            u32::from(hidden)
        );
        self.once(self.problem(key, message), problems);
        None
    }

    /// Says it, unless it was said already: several readers may look at one setting.
    pub(super) fn once(&self, problem: ConfigProblem, problems: &mut Vec<ConfigProblem>) {
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }

    /// A list of networks. One of IPv4 addresses as IPv6 writes them is IPv4's: no peer is ever called otherwise here.
    pub fn networks(&self, key: &str, example: &str, problems: &mut Vec<ConfigProblem>) -> Vec<IpNet> {
        let wanted = format!("networks such as {example:?}");
        let mut nets = Vec::new();
        for text in self.parsed_list::<String>(key, &wanted, problems) {
            match meant(&text) {
                Meant::Net(net) => nets.push(net),
                Meant::Mixed => self.mixed(key, &text, example, problems),
                Meant::Nothing => self.reject(key, format!("must be {wanted}"), problems),
            }
        }
        nets
    }

    /// A list of hosts' names and networks, as texts.
    pub fn hosts(&self, key: &str, example: &str, problems: &mut Vec<ConfigProblem>) -> Vec<String> {
        let mut hosts: Vec<String> = self.parsed_list(key, &format!("hosts or networks such as {example:?}"), problems);
        for host in &mut hosts {
            match meant(host) {
                Meant::Net(net) => *host = net.to_string(),
                Meant::Mixed => self.mixed(key, host, example, problems),
                Meant::Nothing => {}
            }
        }
        hosts
    }

    fn mixed(&self, key: &str, text: &str, example: &str, problems: &mut Vec<ConfigProblem>) {
        let message = format!(
            "{text} is IPv4 addresses as IPv6 writes them, and others: give the networks of IPv4, such as {example:?}"
        );
        self.reject(key, message, problems);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Option<String>, Vec<ConfigProblem>) {
        let object = serde_json::json!({"x": text});
        let section = Section::from_json("s", object.as_object().unwrap());
        let mut problems = Vec::new();
        let read = section.text("x", &mut problems);
        assert_eq!(section.text("x", &mut problems), read, "read twice, said once");
        (read, problems)
    }

    #[test]
    fn what_is_not_seen_is_left_out_at_the_edges_and_refused_inside() {
        for mark in ["\u{a0}", "\u{3000}", "\u{200b}", "\u{feff}", "\u{2060}", "\u{ad}", "\u{2009}", "\n"] {
            let (text, problems) = read(&format!("{mark}https://a.example/{mark}"));
            assert_eq!(text.as_deref(), Some("https://a.example/"), "{mark:?}");
            assert!(
                matches!(problems.as_slice(), [only] if only.warning && only.message.contains("edges")),
                "{mark:?}"
            );
            let (text, problems) = read(&format!("https://a{mark}.example/"));
            assert_eq!(text, None, "{mark:?}");
            assert!(
                matches!(problems.as_slice(), [only] if !only.warning && only.message.contains("not seen")),
                "{problems:?}"
            );
            let (text, problems) = read(mark);
            assert!(text.is_none() && problems.len() == 1, "{mark:?}: {problems:?}");
        }
        assert_eq!(read("会员 a b"), (Some("会员 a b".to_owned()), Vec::new()));
        assert_eq!(read(""), (None, Vec::new()));
    }

    #[test]
    fn an_address_is_written_with_a_keyboards_own_signs() {
        for good in ["https://a.example", "http://127.0.0.1:80/x", "https://支付.example/"] {
            assert!(is_url(good), "{good}");
        }
        for bad in [
            "ftp://a",
            "https://",
            "https:///x",
            "https://:80/",
            "https://a b/",
            "https://a。example/",
            "https://a.example／x",
            "https：//a.example",
        ] {
            assert!(!is_url(bad), "{bad}");
        }
    }

    #[test]
    fn a_network_of_ipv4_in_ipv6s_clothes_is_ipv4s() {
        let read = |items: &[&str]| {
            let object = serde_json::json!({"x": items});
            let section = Section::from_json("s", object.as_object().unwrap());
            let mut problems = Vec::new();
            let nets = section.networks("x", "10.0.0.0/8", &mut problems);
            let nets: Vec<String> = nets.iter().map(ToString::to_string).collect();
            (nets.join(" "), problems.iter().map(|problem| problem.message.clone()).collect::<Vec<_>>().join("; "))
        };
        let good = ["::ffff:10.0.0.0/104", "::ffff:a01:203/128", "::/0", "10.0.0.0/8", "::ffff:0:0/96"];
        assert_eq!(read(&good), ("10.0.0.0/8 10.1.2.3/32 ::/0 10.0.0.0/8 0.0.0.0/0".to_owned(), String::new()));
        let (nets, said) = read(&["::ffff:10.0.0.0/90", "10.0.0", "10.0\u{200b}.0.0/8"]);
        assert!(nets.is_empty() && said.contains("as IPv6 writes them"), "{said}");
        assert!(said.contains("must be networks such as \"10.0.0.0/8\"") && said.contains("U+200B"), "{said}");
    }
}
