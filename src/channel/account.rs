//! What a channel's account at its gateway is. Two channels of one account hear of the same payments, and one may believe
//! what was signed for the other: a payment must count once for both.

use std::collections::{BTreeMap, BTreeSet};

use super::kind::{Kind, KnownBy, Part};
use super::kit::sign;
use super::terms;
use crate::domain::{self, Accounts};
use crate::settings::{Section, Values};

/// What a channel is known by: whatever two channels have in common of it makes them one account.
#[derive(Clone, Default)]
pub(super) struct Marks {
    name: String,
    key: Option<String>,
}

fn hash(secret: &str) -> String {
    sign::sha256_hex(secret.as_bytes()).chars().take(16).collect()
}

/// The host of an address, with its port where there is one.
fn host(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let host = rest.split('/').next().unwrap_or_default().to_ascii_lowercase();
    // One host, however it is written: with its protocol's own port, with the dot of the root.
    let host = host.strip_suffix(":443").or_else(|| host.strip_suffix(":80")).unwrap_or(&host).trim_end_matches('.');
    Some(host.to_owned()).filter(|host| !host.is_empty())
}

impl Part {
    fn read(self, s: &Section) -> Option<String> {
        // What is wrong with a setting, its own reader says.
        let mut unheard = Vec::new();
        match self {
            Self::Host(row) => s.text(row.key, &mut unheard).and_then(|url| host(&url)),
            Self::Text(row) => s.text(row.key, &mut unheard),
            Self::Secret(row) => s.secret(row.key, &mut unheard).map(|secret| hash(secret.reveal())),
            Self::Secrets(row) => s.secrets(row.key, &mut unheard).first().map(|secret| hash(secret.reveal())),
            Self::NamedIn(row, part) => s.secret(row.key, &mut unheard).map(|secret| {
                let secret = secret.reveal();
                part(secret).map_or_else(|| hash(secret), str::to_owned)
            }),
        }
    }
}

impl Marks {
    /// Of a section: what its `account` says, or what its kind is known by.
    pub(super) fn read(kind: &Kind, v: &mut Values<'_>) -> Self {
        let KnownBy { family, parts, key } = kind.account;
        if let Some(name) = v.text(&terms::ACCOUNT) {
            let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-');
            if !(1..=128).contains(&name.len()) || !name.bytes().all(fits) {
                v.reject(&terms::ACCOUNT, "must be 1 to 128 of 0-9 A-Z a-z . _ : -");
            }
            return Self { name, key: None };
        }
        let s = v.section();
        let texts: Option<Vec<String>> = parts.iter().map(|part| part.read(s)).collect();
        let Some(texts) = texts.filter(|texts| !texts.is_empty()) else { return Self::default() };
        let key = key.and_then(|key| Part::Secret(key).read(s)).map(|key| {
            let numbers = parts.iter().filter(|part| !matches!(part, Part::Host(_))).filter_map(|part| part.read(s));
            [family.to_owned(), key].into_iter().chain(numbers).collect::<Vec<_>>().join(":")
        });
        Self { name: [&[family.to_owned()], texts.as_slice()].concat().join(":"), key }
    }

    fn meets(&self, other: &Self) -> bool {
        (!self.name.is_empty() && self.name == other.name) || (self.key.is_some() && self.key == other.key)
    }
}

/// The accounts of channels that are known by so much: channels that have one mark in common are one account, and so are
/// those that a third one joins.
pub(super) fn join(marks: &BTreeMap<&str, &Marks>) -> Accounts {
    let group = |name: &str| {
        let (mut group, mut open) = (BTreeSet::from([name.to_owned()]), vec![name.to_owned()]);
        while let Some(next) = open.pop() {
            let Some(of_next) = marks.get(next.as_str()) else { continue };
            for (other, _) in marks.iter().filter(|(_, other)| of_next.meets(other)) {
                if group.insert((*other).to_owned()) {
                    open.push((*other).to_owned());
                }
            }
        }
        group.remove(name);
        group.into_iter().collect()
    };
    let account = |(name, marks): (&&str, &&Marks)| {
        ((*name).to_owned(), domain::Account { name: marks.name.clone(), twins: group(name) })
    };
    Accounts::new(marks.iter().map(account).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a section of that kind is known by.
    fn marks(kind: &str, settings: &str) -> Marks {
        let mut problems = Vec::new();
        let section = Section::from_toml(settings, std::path::Path::new(""), &mut problems);
        let kind = super::super::kind_named(kind).unwrap();
        Marks::read(kind, &mut section.values(&[kind.settings, terms::SETTINGS], &mut problems))
    }

    #[test]
    fn a_key_that_names_its_account_stands_for_it_and_any_other_by_its_hash() {
        let of = |key: &str| marks("stripe", &format!("api_key = \"{key}\"\n"));
        let (one, other) = (
            format!("sk_live_51Habcdefghijklm{}", "x".repeat(40)),
            format!("rk_live_51Habcdefghijklm{}", "y".repeat(60)),
        );
        assert!(of(&one).meets(&of(&other)));
        let older = |last: char| format!("sk_test_{}{last}", "a".repeat(46));
        assert!(of(&older('1')).meets(&of(&older('1'))) && !of(&older('1')).meets(&of(&older('2'))));
        assert!(!of(&older('1')).name.contains("aaaa"), "no part of a key that names nothing");
    }

    #[test]
    fn a_host_is_one_account_however_it_is_written() {
        for same in [
            "https://pay.example.com",
            "https://pay.example.com/",
            "https://pay.example.com:443/xpay/epay/",
            "http://pay.example.com:80",
            "https://pay.example.com.",
            "https://pay.example.com.:443/",
            "https://Pay.Example.COM.:443",
        ] {
            assert_eq!(host(same).as_deref(), Some("pay.example.com"), "{same}");
        }
        // Another port may be another program's.
        assert_eq!(host("https://pay.example.com:8443/").as_deref(), Some("pay.example.com:8443"));
        assert_ne!(host("https://pay.example.com.evil.test"), host("https://pay.example.com"));
        assert_eq!(host("https://"), None);
        let section = |url: &str, key: &str| {
            marks("epay_v1", &format!("gateway_url = \"{url}\"\npid = \"1001\"\nkey = \"{key}\"\n"))
        };
        let (a, b) = (section("https://pay.example.com", "one"), section("https://PAY.example.com.:443/x/", "two"));
        assert!(a.meets(&b) && b.meets(&a));
        assert!(!a.meets(&section("https://pay.example.com:8443", "three")));
    }

    #[test]
    fn channels_that_a_third_one_joins_are_one_account() {
        let marks = |name: &str, key: Option<&str>| Marks { name: name.to_owned(), key: key.map(str::to_owned) };
        let (a, b, c) = (marks("a:1", None), marks("a:1", Some("k")), marks("a:2", Some("k")));
        let (alone, other) = (marks("", None), marks("", None));
        let all = BTreeMap::from([("one", &a), ("two", &b), ("three", &c), ("four", &alone), ("five", &other)]);
        let accounts = join(&all);
        assert_eq!(accounts.twins("one"), ["three", "two"]);
        assert_eq!(accounts.twins("three"), ["one", "two"]);
        assert!(accounts.twins("four").is_empty());
        assert!(["one", "two", "three"].iter().all(|name| accounts.first(name) == "one"));
    }
}
