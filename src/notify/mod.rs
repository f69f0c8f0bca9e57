//! Notices leave here: a delivered order becomes a message to its buyer.
//!
//! A notifier is one configured way to tell people. A new kind is one file here and one line in [`KINDS`]. Invariant: a
//! notice is sent at least once and written down afterwards; a failure of it never touches the order, and no error or
//! log of this room holds a key, an order's token or a password.

mod folder;
mod sms;
mod smtp;
mod text;
mod worker;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::domain::Reach;
use crate::outbound::Outbound;
use crate::settings::{Problem, Section};
use crate::shop::{Message, Refused};

pub use worker::run;

/// One configured way to tell people.
pub trait Notifier: Send + Sync {
    /// Whom it reaches.
    fn reach(&self) -> Reach;
    /// Sends a message. `Ok`: a server took it, which is all that can be known.
    fn tell<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Result<(), Refused>>;
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
pub type Build = fn(&Wish<'_>, &mut Vec<Problem>) -> Option<Arc<dyn Notifier>>;

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
    Kind { name: "sms_aliyun", about: "阿里云短信", test_only: false, build: sms::aliyun },
    Kind { name: "sms_tencent", about: "腾讯云短信", test_only: false, build: sms::tencent },
    Kind { name: "folder", about: "e-mail as files, to try things with", test_only: true, build: folder::build },
];

/// The configured notifiers, by name.
#[derive(Clone, Default)]
pub struct Notifiers(BTreeMap<String, (&'static str, Arc<dyn Notifier>)>);

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
        let (mut problems, mut all) = (Vec::new(), BTreeMap::<String, (&'static str, Arc<dyn Notifier>)>::new());
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
            let Some(notifier) = (kind.build)(&Wish { section, outbound, data }, &mut problems) else { continue };
            if let Some((other, _)) = all.iter().find(|(_, (_, known))| known.reach() == notifier.reach()) {
                let message = format!("{other} reaches the same people: they would hear everything twice");
                section.reject("kind", message, &mut problems);
                continue;
            }
            all.insert(name.clone(), (kind.name, notifier));
        }
        if problems.iter().all(|problem| problem.warning) { Ok((Self(all), problems)) } else { Err(problems) }
    }

    /// Names and kinds.
    pub fn list(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.0.iter().map(|(name, (kind, _))| (name.as_str(), *kind))
    }

    /// Whom they reach.
    #[must_use]
    pub fn reaches(&self) -> BTreeSet<Reach> {
        self.0.values().map(|(_, notifier)| notifier.reach()).collect()
    }

    fn for_reach(&self, reach: Reach) -> Option<(&str, &Arc<dyn Notifier>)> {
        self.0.iter().find(|(_, (_, it))| it.reach() == reach).map(|(name, (_, it))| (name.as_str(), it))
    }

    /// Sends a message that no order asked for, to see whether a notifier works.
    ///
    /// # Errors
    /// There is none of that name, it does not reach such an address, or what the server said.
    pub async fn try_out(&self, name: &str, to: &str) -> Result<(), Refused> {
        let never = |why: &str| Refused::Never(why.to_owned());
        let (_, notifier) = self.0.get(name).ok_or_else(|| never("there is no such notifier"))?;
        if Reach::of(to) != Some(notifier.reach()) {
            return Err(never("this notifier cannot reach such an address"));
        }
        notifier.tell(&text::sample(to)).await
    }
}
