//! The channels as they are configured: each by its name, with its kind and its terms.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::account::{self, Marks};
use super::contract::Channel;
use super::kind::{ChannelInputs, Kind};
use super::terms::{self, Terms};
use super::{KINDS, older};
use crate::domain::{Accounts, Millis};
use crate::settings::{ConfigProblem, Section};

/// One channel as it is configured.
#[derive(Clone)]
struct Configured {
    kind: &'static Kind,
    channel: Arc<dyn Channel>,
    terms: Terms,
    /// What its account is known by.
    marks: Marks,
}

/// The configured channels, by name.
#[derive(Clone, Default)]
pub struct Channels {
    all: BTreeMap<String, Configured>,
    /// What could be better about their settings.
    pub warnings: Vec<ConfigProblem>,
}

impl Channels {
    /// Builds each section as it is `now`; every problem of every channel is reported.
    ///
    /// # Errors
    /// What is wrong, with paths and lines.
    pub fn build(sections: &[(String, Section)], test: bool, now: Millis) -> Result<Self, Vec<ConfigProblem>> {
        Self::of_kinds(KINDS, sections, test, now)
    }

    /// The same with these kinds.
    ///
    /// # Errors
    /// As [`Channels::build`].
    pub fn of_kinds(
        kinds: &[&'static Kind],
        sections: &[(String, Section)],
        test: bool,
        now: Millis,
    ) -> Result<Self, Vec<ConfigProblem>> {
        let known = kinds.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", ");
        let mut problems = Vec::new();
        let mut channels = Self::default();
        for (name, section) in sections {
            let Some(word) = section.text("kind", &mut problems) else {
                section.require("kind", &format!("one of {known}"), &mut problems);
                continue;
            };
            let Some(kind) = kinds.iter().copied().find(|kind| kind.name == word) else {
                section.reject("kind", format!("{word:?} is not a kind; one of {known}"), &mut problems);
                continue;
            };
            if kind.test_only && !test {
                section.reject("kind", format!("{word} exists in test mode only"), &mut problems);
                continue;
            }
            if test && !kind.test_only {
                let message = "is a real gateway, and this is test mode: who pays there pays real money for test orders, whose keys and stock are apart from the live ones. `[test] mode = false` goes live";
                section.warn("kind", message, &mut problems);
            }
            let mut values = section.values(&[kind.settings, terms::SETTINGS], &mut problems);
            let terms = Terms::read(kind, &mut values);
            let marks = Marks::read(kind, &mut values);
            let channel = older::build(kind, ChannelInputs { name, now }, &mut values);
            if let Some(channel) = &channel {
                terms.check(&mut values, channel.as_ref());
            }
            values.finish();
            if let Some(channel) = channel {
                channels.all.insert(name.clone(), Configured { kind, channel, terms, marks });
            }
        }
        if problems.iter().all(|problem| problem.warning) {
            Ok(Self { warnings: problems, ..channels })
        } else {
            Err(problems)
        }
    }

    /// Adds one more.
    pub fn insert(&mut self, name: &str, kind: &'static Kind, channel: Arc<dyn Channel>) {
        let (terms, marks) = (Terms::default(), Marks::default());
        self.all.insert(name.to_owned(), Configured { kind, channel, terms, marks });
    }

    /// The channel of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Channel>> {
        self.all.get(name).map(|it| &it.channel)
    }

    /// Its terms.
    #[must_use]
    pub fn terms(&self, name: &str) -> Option<&Terms> {
        self.all.get(name).map(|it| &it.terms)
    }

    /// Whether an address is among those that a channel's gateway is known to call from.
    #[must_use]
    pub fn calls_from(&self, address: IpAddr) -> bool {
        self.all.values().any(|it| it.terms.lists(address))
    }

    /// Which of them are one account.
    #[must_use]
    pub fn accounts(&self) -> Accounts {
        account::join(&self.all.iter().map(|(name, it)| (name.as_str(), &it.marks)).collect())
    }

    /// Names and kinds.
    pub fn list(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.all.iter().map(|(name, it)| (name.as_str(), it.kind.name))
    }

    /// Whether that is a channel of test mode's own, where no money is.
    #[must_use]
    pub fn is_trial(&self, name: &str) -> bool {
        self.all.get(name).is_some_and(|it| it.kind.test_only)
    }

    /// Names of the others, which stand for accounts at real gateways.
    pub fn real(&self) -> impl Iterator<Item = &str> {
        self.all.keys().map(String::as_str).filter(|name| !self.is_trial(name))
    }

    /// Their names, as a text for people.
    #[must_use]
    pub fn names(&self) -> String {
        self.all.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
    }

    /// Names of those that new payments may be begun through.
    pub fn offered(&self) -> impl Iterator<Item = &str> {
        self.all.iter().filter(|(_, it)| !it.terms.retired).map(|(name, _)| name.as_str())
    }
}
