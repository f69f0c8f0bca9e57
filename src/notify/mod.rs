//! Notices leave here: a delivered order becomes a message to its buyer, and news of the shop reach its operators.
//!
//! A notifier is one configured way to tell people. A new kind is one file here and one line in [`KINDS`]. Invariant: a
//! notice is sent at least once and written down afterwards; a failure of it never touches the order, and no error or
//! log of this room holds a key, an order's token, a password or an operator's address.

mod aliyun;
mod folder;
mod sms;
mod smtp;
mod telegram;
mod text;
mod webhook;
mod worker;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::domain::time::Zone;
use crate::domain::{Millis, News, NewsId, Reach, Topic};
use crate::outbound::Outbound;
use crate::settings::{Problem, Secret, Section};
use crate::shop::{Message, Refused, What};
use crate::vault;

pub use worker::run;

/// One configured way to tell buyers.
pub trait Notifier: Send + Sync {
    /// Whom it reaches.
    fn reach(&self) -> Reach;
    /// Sends a message. `Ok`: a server took it, which is all that can be known.
    fn tell<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Result<(), Refused>>;
}

/// One configured way to tell operators.
pub trait Herald: Send + Sync {
    /// What it is to be told.
    fn topics(&self) -> &BTreeSet<Topic>;
    /// Sends news. `Ok`: a server took them.
    fn tell<'a>(&'a self, id: &'a NewsId, news: &'a News) -> BoxFuture<'a, Result<(), Refused>>;
}

/// One configured way to tell people.
#[derive(Clone)]
pub enum Way {
    /// Buyers.
    Buyers(Arc<dyn Notifier>),
    /// Operators and their programs.
    Operators(Arc<dyn Herald>),
}

/// What a section is read with.
pub struct Wish<'a> {
    /// The settings.
    pub section: &'a Section,
    /// What providers are reached through.
    pub outbound: &'a Outbound,
    /// Where relative paths of what it writes begin.
    pub data: &'a std::path::Path,
}

/// Reads a notifier's section; problems instead of it where it cannot.
pub type Build = fn(&Wish<'_>, &mut Vec<Problem>) -> Option<Way>;

/// One kind of notifier.
pub struct Kind {
    /// Its word in the configuration.
    pub name: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    /// Whether it exists in test mode only.
    pub test_only: bool,
    /// Reads its section.
    pub build: Build,
}

/// Every kind there is.
pub const KINDS: &[Kind] = &[
    Kind { name: "smtp", about: "e-mail through a mail server", test_only: false, build: smtp::build },
    Kind { name: "sms_aliyun", about: "阿里云短信", test_only: false, build: aliyun::build },
    Kind { name: "sms_tencent", about: "腾讯云短信", test_only: false, build: sms::tencent },
    Kind {
        name: "webhook",
        about: "signed events for a program (Standard Webhooks)",
        test_only: false,
        build: webhook::build,
    },
    Kind { name: "telegram", about: "a Telegram chat of operators", test_only: false, build: telegram::build },
    Kind { name: "folder", about: "e-mail as files, to try things with", test_only: true, build: folder::build },
];

/// The configured notifiers, by name.
#[derive(Clone, Default)]
pub struct Notifiers(BTreeMap<String, (&'static str, Way)>);

impl Notifiers {
    /// Builds each section; every problem of every one is reported. `data` is where files are written.
    ///
    /// # Errors
    /// What is wrong, with paths and lines.
    pub fn build(
        sections: &[(String, Section)],
        outbound: &Outbound,
        data: &std::path::Path,
        test: bool,
    ) -> Result<(Self, Vec<Problem>), Vec<Problem>> {
        let (mut problems, mut all) = (Vec::new(), BTreeMap::<String, (&'static str, Way)>::new());
        for (name, section) in sections {
            let words = KINDS.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", ");
            let word = section.text("kind", &mut problems);
            let Some(kind) = KINDS.iter().find(|kind| Some(kind.name) == word.as_deref()) else {
                section.reject("kind", format!("must be one of {words}"), &mut problems);
                continue;
            };
            if kind.test_only && !test {
                section.reject("kind", format!("{} exists in test mode only", kind.name), &mut problems);
                continue;
            }
            let Some(way) = (kind.build)(&Wish { section, outbound, data }, &mut problems) else { continue };
            let same =
                |known: &Way| matches!((known, &way), (Way::Buyers(a), Way::Buyers(b)) if a.reach() == b.reach());
            if let Some((other, _)) = all.iter().find(|(_, (_, known))| same(known)) {
                let message = format!("{other} reaches the same people: they would hear everything twice");
                section.reject("kind", message, &mut problems);
                continue;
            }
            all.insert(name.clone(), (kind.name, way));
        }
        if problems.iter().all(|problem| problem.warning) { Ok((Self(all), problems)) } else { Err(problems) }
    }

    /// Names and kinds.
    pub fn list(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.0.iter().map(|(name, (kind, _))| (name.as_str(), *kind))
    }

    fn buyers(&self) -> impl Iterator<Item = (&str, &Arc<dyn Notifier>)> {
        self.0.iter().filter_map(|(name, (_, way))| match way {
            Way::Buyers(notifier) => Some((name.as_str(), notifier)),
            Way::Operators(_) => None,
        })
    }

    /// Which buyers they reach.
    #[must_use]
    pub fn reaches(&self) -> BTreeSet<Reach> {
        self.buyers().map(|(_, notifier)| notifier.reach()).collect()
    }

    /// Those of operators, with what each is to be told.
    #[must_use]
    pub fn listeners(&self) -> BTreeMap<String, BTreeSet<Topic>> {
        let topics = |(name, (_, way)): (&String, &(&str, Way))| match way {
            Way::Operators(herald) => Some((name.clone(), herald.topics().clone())),
            Way::Buyers(_) => None,
        };
        self.0.iter().filter_map(topics).collect()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How what is due is sent, and through whom; `None`: nobody here can.
    fn telling<'s: 'a, 'a>(&'s self, what: &'a What) -> Option<(&'s str, BoxFuture<'a, Result<(), Refused>>)> {
        match what {
            What::Message(message, reach) => {
                let (name, notifier) = self.buyers().find(|(_, it)| it.reach() == *reach)?;
                Some((name, notifier.tell(message)))
            }
            What::News(id, news) => match self.0.get_key_value(&id.notifier)? {
                (name, (_, Way::Operators(herald))) => Some((name, herald.tell(id, news))),
                _ => None,
            },
        }
    }

    /// Sends a message that nothing asked for, to see whether a notifier works; `to` where it tells buyers.
    ///
    /// # Errors
    /// There is none of that name, it does not reach such an address, or what the server said.
    pub async fn try_out(&self, name: &str, to: Option<&str>) -> Result<(), Refused> {
        let never = |why: &str| Refused::Never(why.to_owned());
        match (self.0.get(name).map(|(_, way)| way), to) {
            (None, _) => Err(never("there is no such notifier")),
            (Some(Way::Buyers(_)), None) => Err(never("it tells buyers: say where to (--to ADDRESS)")),
            (Some(Way::Operators(_)), Some(_)) => Err(never("where it sends to stands in its section: leave --to out")),
            (Some(Way::Buyers(notifier)), Some(to)) if Reach::of(to) == Some(notifier.reach()) => {
                notifier.tell(&text::sample(to)).await
            }
            (Some(Way::Buyers(_)), Some(_)) => Err(never("this notifier cannot reach such an address")),
            (Some(Way::Operators(herald)), None) => {
                let chance = vault::chance().map_err(|error| never(&error.to_string()))?;
                let id = NewsId { topic: Topic::Test, notifier: name.to_owned(), about: format!("{chance:032x}") };
                let data = serde_json::json!({"notifier": name}).to_string();
                herald.tell(&id, &News { at: now(), data }).await
            }
        }
    }
}

/// The time by this machine's clock, which is what other machines compare with theirs.
fn now() -> Millis {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}

/// A moment as text, in UTC.
fn stamp(at: Millis, form: &str) -> String {
    Zone::default().text(at, form)
}

/// What a notifier of operators is to be told: `events` of its section, or these.
fn topics(s: &Section, default: &[Topic], problems: &mut Vec<Problem>) -> BTreeSet<Topic> {
    let names = Topic::ALL.map(Topic::as_str).join(", ");
    let wanted: Vec<String> = s.parsed_list("events", "texts", problems);
    let known: BTreeSet<Topic> = wanted.iter().filter_map(|text| text.parse().ok()).collect();
    if s.has("events") && (known.is_empty() || known.len() != wanted.len()) {
        s.reject("events", format!("must be some of {names}, each once"), problems);
    }
    if s.has("events") { known } else { default.iter().copied().collect() }
}

/// A setting that is a text, and must be there.
fn need(s: &Section, key: &str, what: &str, problems: &mut Vec<Problem>) -> Option<String> {
    let text = s.text(key, problems);
    if text.is_none() {
        s.require(key, what, problems);
    }
    text
}

/// A secret that must be there.
fn secret(s: &Section, key: &str, problems: &mut Vec<Problem>) -> Option<Secret> {
    let secret = s.token(key, problems);
    if secret.is_none() {
        s.require(key, &format!("{key}_file names a file with it (or {key}_env)"), problems);
    }
    secret
}
