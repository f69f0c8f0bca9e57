//! Which channels are one account at a gateway: what one of them is paid with, the others hear of too.

use std::collections::BTreeMap;

/// The account of one channel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// What it is called where payments are indexed; empty where the channel alone is the account.
    pub name: String,
    /// The other channels that it is the account of.
    pub twins: Vec<String>,
}

/// The accounts of the configured channels, by the channel's name.
#[derive(Debug, Clone, Default)]
pub struct Accounts(BTreeMap<String, Account>);

impl Accounts {
    /// Takes them as they are.
    #[must_use]
    pub fn new(all: BTreeMap<String, Account>) -> Self {
        Self(all)
    }

    /// What a channel's account is called; empty where it has none of its own name.
    #[must_use]
    pub fn name(&self, channel: &str) -> &str {
        self.0.get(channel).map_or("", |account| account.name.as_str())
    }

    /// The other channels of its account.
    #[must_use]
    pub fn twins(&self, channel: &str) -> &[String] {
        self.0.get(channel).map_or(&[], |account| account.twins.as_slice())
    }

    /// Whether two channels are one account.
    #[must_use]
    pub fn same(&self, one: &str, other: &str) -> bool {
        one == other || self.twins(one).iter().any(|twin| twin == other)
    }

    /// The first name among the channels of an account: the same one for each of them.
    #[must_use]
    pub fn first<'a>(&'a self, channel: &'a str) -> &'a str {
        self.twins(channel).iter().map(String::as_str).chain([channel]).min().unwrap_or(channel)
    }
}
