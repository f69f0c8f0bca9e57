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
use crate::process::now;
use crate::settings::{ConfigProblem, Form, Section, Setting, Values};
use crate::shop::{BuyerMessage, Refused, What};
use crate::vault;

pub use worker::run;

/// One configured way to tell buyers.
pub trait Notifier: Send + Sync {
    /// Whom it reaches.
    fn reach(&self) -> Reach;
    /// Sends a message. `Ok`: a server took it, which is all that can be known.
    fn tell<'a>(&'a self, message: &'a BuyerMessage) -> BoxFuture<'a, Result<(), Refused>>;
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
pub struct NotifierInputs<'a> {
    /// What providers are reached through.
    pub outbound: &'a Outbound,
    /// Where relative paths of what it writes begin.
    pub data: &'a std::path::Path,
}

/// Makes a notifier of its settings, whose rows are the kind's and [`SETTINGS`].
pub type BuildNotifier = fn(&NotifierInputs<'_>, &mut Values<'_>) -> Option<Way>;

/// One kind of notifier.
pub struct NotifierKind {
    /// Its word in the configuration.
    pub name: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    /// Whether it exists in test mode only.
    pub test_only: bool,
    /// Its settings.
    pub settings: &'static [&'static Setting],
    /// Reads its section.
    pub build: BuildNotifier,
}

/// Every kind there is.
pub const KINDS: &[NotifierKind] = &[
    kind("smtp", "e-mail through a mail server", smtp::SETTINGS, smtp::build),
    kind("sms_aliyun", "阿里云短信", aliyun::SETTINGS, aliyun::build),
    kind("sms_tencent", "腾讯云短信", sms::SETTINGS, sms::build),
    kind("webhook", "signed events for a program (Standard Webhooks)", webhook::SETTINGS, webhook::build),
    kind("telegram", "a Telegram chat of operators", telegram::SETTINGS, telegram::build),
    NotifierKind {
        test_only: true,
        ..kind("folder", "e-mail as files, to try things with", folder::SETTINGS, folder::build)
    },
];

const fn kind(
    name: &'static str,
    about: &'static str,
    settings: &'static [&'static Setting],
    build: BuildNotifier,
) -> NotifierKind {
    NotifierKind { name, about, test_only: false, settings, build }
}

const KIND: Setting = Setting::needed(Form::Line, "kind", "how people are told", "通知的方式");
/// Settings that a section of any kind has.
pub const SETTINGS: &[&Setting] = &[&KIND];

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
    ) -> Result<(Self, Vec<ConfigProblem>), Vec<ConfigProblem>> {
        Self::of_kinds(KINDS, sections, &NotifierInputs { outbound, data }, test)
    }

    /// The same with these kinds.
    ///
    /// # Errors
    /// As [`Notifiers::build`].
    pub fn of_kinds(
        kinds: &[NotifierKind],
        sections: &[(String, Section)],
        inputs: &NotifierInputs<'_>,
        test: bool,
    ) -> Result<(Self, Vec<ConfigProblem>), Vec<ConfigProblem>> {
        let (mut problems, mut all) = (Vec::new(), BTreeMap::<String, (&'static str, Way)>::new());
        for (name, section) in sections {
            let words = kinds.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", ");
            let word = section.text("kind", &mut problems);
            let Some(kind) = kinds.iter().find(|kind| Some(kind.name) == word.as_deref()) else {
                section.reject("kind", format!("must be one of {words}"), &mut problems);
                continue;
            };
            if kind.test_only && !test {
                section.reject("kind", format!("{} exists in test mode only", kind.name), &mut problems);
                continue;
            }
            let mut values = section.values(&[kind.settings, SETTINGS], &mut problems);
            let way = (kind.build)(inputs, &mut values);
            values.finish();
            let Some(way) = way else { continue };
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

/// A moment as text, in UTC.
fn stamp(at: Millis, form: &str) -> String {
    Zone::default().text(at, form)
}

/// What operators are told of; left out: the default that it names.
const fn events(default: &'static str) -> Setting {
    Setting::optional(
        Form::List("texts"),
        "events",
        "what is told: order.delivered, order.held, stock.low, incident",
        "通知哪些事件:order.delivered、order.held、stock.low、incident",
    )
    .or(default)
}

/// What a notifier of operators is to be told: what its section says, or these.
fn topics(v: &mut Values<'_>, row: &Setting, default: &[Topic]) -> BTreeSet<Topic> {
    let names = Topic::ALL.map(Topic::as_str).join(", ");
    let wanted: Vec<String> = v.list(row);
    let known: BTreeSet<Topic> = wanted.iter().filter_map(|text| text.parse().ok()).collect();
    let said = v.has(row);
    if said && (known.is_empty() || known.len() != wanted.len()) {
        v.reject(row, format!("must be some of {names}, each once"));
    }
    if said { known } else { default.iter().copied().collect() }
}
