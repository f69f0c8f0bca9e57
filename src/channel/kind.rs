//! A kind of channel: everything that holds for all accounts of its gateway, as one row.

use std::sync::Arc;

use super::bill::Format;
use super::contract::Channel;
use crate::domain::{Millis, Text};
use crate::settings::{Setting, Values};

/// What a channel is made with beside its settings.
#[derive(Debug, Clone, Copy)]
pub struct ChannelInputs<'a> {
    /// Its name.
    pub name: &'a str,
    /// What time it is.
    pub now: Millis,
}

/// Makes a channel of its settings, whose rows are the kind's and those of every section (`terms`).
pub type Build = fn(ChannelInputs<'_>, &mut Values<'_>) -> Option<Arc<dyn Channel>>;

/// One kind of channel.
pub struct Kind {
    /// Its word in the configuration.
    pub name: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    /// Whether it exists in test mode only.
    pub test_only: bool,
    /// What a payment must name again.
    pub reference: Reference,
    /// How its attempts are opened: the first row that fits a section holds; with the order where none does. The minutes are
    /// somewhat less than its gateway keeps what was opened, so that whoever is led there has time to pay.
    pub opens: &'static [Opens],
    /// What its accounts are known by.
    pub account: KnownBy,
    /// Networks that its gateway has published as its own; they change, so they are not enforced unless that is asked for.
    pub sources: &'static [&'static str],
    /// The header that its callbacks are signed in; `None` where the signature stands among the fields.
    pub signed_in: Option<&'static str>,
    /// How its bills are written; `None` where they are compared in the gateway's console.
    pub bill: Option<&'static Format>,
    /// Its settings, in the order in which they are asked for: what is compared with another setting comes after it.
    pub settings: &'static [&'static Setting],
    /// Where the notify address is put in; `None` where it is sent with every payment.
    pub console: Option<Text>,
    /// Reads its section; problems instead of a channel where it cannot.
    pub build: Build,
}

/// What a kind's payment must name again of what its attempt was opened with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reference {
    /// The gateway's own number: a session, an invoice, an order.
    Own,
    /// When it was sent.
    Time,
    /// Where the coins go.
    Address,
    /// The way to pay that was asked for.
    PayType,
}

/// Whose address a gateway wants to know when an attempt is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wants {
    /// Nobody's.
    Nobody,
    /// Whoever asks for the payment; where nobody does who is known, it is opened by the buyer's click.
    Asker,
    /// The buyer's own, who cannot pay from another one: it is opened by the buyer's click.
    Buyer,
}

/// How a kind's attempts are opened, and for how long what they lead to can be paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opens {
    /// Whose address the gateway is told.
    pub wants: Wants,
    /// How long it surely leads to a payment, in ms; `None`: as long as the order.
    pub lives_ms: Option<Millis>,
    /// The setting, and the word of it, that this holds for; `None`: for any.
    pub when: Option<(&'static Setting, &'static str)>,
}

impl Opens {
    /// With the order and for as long.
    pub const ONCE: Self = Self { wants: Wants::Nobody, lives_ms: None, when: None };

    /// With the order, for so many minutes.
    pub const fn minutes(minutes: Millis) -> Self {
        Self { lives_ms: Some(minutes * 60_000), ..Self::ONCE }
    }

    /// It hears whose address it is for.
    pub const fn hearing(self, wants: Wants) -> Self {
        Self { wants, ..self }
    }

    /// Where that setting has that word.
    pub const fn when(self, setting: &'static Setting, word: &'static str) -> Self {
        Self { when: Some((setting, word)), ..self }
    }
}

/// A setting that an account is known by.
#[derive(Debug, Clone, Copy)]
pub enum Part {
    /// The host of an address.
    Host(&'static Setting),
    /// A text.
    Text(&'static Setting),
    /// A secret: its hash stands for it.
    Secret(&'static Setting),
    /// The first of several secrets.
    Secrets(&'static Setting),
    /// A secret that may name the account in a part of it; where it does not, its hash stands for it.
    NamedIn(&'static Setting, fn(&str) -> Option<&str>),
}

/// What the accounts of a kind are known by.
#[derive(Debug, Clone, Copy)]
pub struct KnownBy {
    /// One word for all kinds that lead to the same accounts.
    pub family: &'static str,
    /// What tells one account from another; nothing where each channel is an account of its own.
    pub parts: &'static [Part],
    /// The secret that callbacks are signed with, where a channel with another address and the same secret and numbers
    /// believes them too: gateways have several addresses.
    pub key: Option<&'static Setting>,
}
