//! What holds for a channel of any kind: whether it is still offered, whether its gateway is asked before anything is
//! handed over, and where callbacks come from.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{Asked, Channel, Kind};
use crate::domain::{Millis, Payment, Rejection};
use crate::settings::{Problem, Section};

/// Settings that a section of any kind may have.
pub const SETTINGS: [&str; 7] =
    ["account", "retired", "confirm", "confirm_from", "sources", "source_check", "older_keys"];

/// What is done about a callback from an address that is not listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    Off,
    Warn,
    Enforce,
}

/// Where a callback comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A listed address, or none is listed.
    Listed,
    /// Another one: an operator should know, if the callback is genuine.
    Unlisted,
    /// Another one, and only listed ones are believed.
    Refused,
}

/// The terms of one channel.
#[derive(Clone)]
pub struct Terms {
    /// No new payment is begun through it; callbacks of those that were are taken.
    pub retired: bool,
    /// From which amount on, in minor units, the gateway is asked whether a payment was really made.
    pub confirm: Option<i64>,
    /// What its payments must name again.
    pub reference: Reference,
    /// How its attempts are opened.
    pub opens: Opens,
    sources: Vec<IpNet>,
    check: Check,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            retired: false,
            confirm: None,
            reference: Reference::Own,
            opens: Opens::ONCE,
            sources: Vec::new(),
            check: Check::Off,
        }
    }
}

/// Networks that a kind's gateway has published as its own; they change, so they are not enforced unless that is asked for.
fn published(kind: &str) -> &'static [&'static str] {
    match kind {
        "wechat_v3" => &[
            "101.226.103.0/25",
            "140.207.54.0/25",
            "121.51.58.128/25",
            "183.3.234.0/25",
            "58.251.80.0/25",
            "121.51.30.128/25",
            "203.205.219.128/25",
            "81.71.199.64/32",
            "81.71.198.25/32",
            "81.71.199.59/32",
            "175.24.214.208/32",
            "175.24.211.24/32",
            "175.24.213.135/32",
            "109.244.180.23/32",
            "114.132.203.119/32",
            "43.139.43.69/32",
        ],
        _ => &[],
    }
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
    /// The word of the setting `pay` that this holds for; `None`: for any.
    pay: Option<&'static str>,
}

impl Opens {
    /// With the order and for as long.
    pub const ONCE: Self = Self { wants: Wants::Nobody, lives_ms: None, pay: None };

    /// With the order, for so many minutes.
    pub(super) const fn minutes(minutes: Millis) -> Self {
        Self { lives_ms: Some(minutes * 60_000), ..Self::ONCE }
    }

    /// Told whose address it is for.
    pub(super) const fn told(self, wants: Wants) -> Self {
        Self { wants, ..self }
    }

    /// Where the setting `pay` has that word.
    pub(super) const fn pay(self, word: &'static str) -> Self {
        Self { pay: Some(word), ..self }
    }

    /// What holds for a section: the first row that fits.
    fn of(kind: &Kind, s: &Section) -> Self {
        // A value that is no text is told of by the kind.
        let word = s.text("pay", &mut Vec::new());
        let fits = |row: &&Self| row.pay.is_none_or(|pay| word.as_deref() == Some(pay));
        kind.opens.iter().find(fits).copied().unwrap_or(Self::ONCE)
    }
}

impl Terms {
    /// Reads a section's terms; its kind reads the rest.
    pub(super) fn read(kind: &Kind, s: &Section, problems: &mut Vec<Problem>) -> Self {
        let retired = s.flag("retired", problems).unwrap_or(false);
        let check = match s.text("source_check", problems).as_deref() {
            Some("off") => Check::Off,
            None | Some("warn") => Check::Warn,
            Some("enforce") => Check::Enforce,
            Some(_) => {
                s.reject("source_check", "must be \"off\", \"warn\" or \"enforce\"", problems);
                Check::Warn
            }
        };
        let mut sources: Vec<IpNet> = s.networks("sources", "203.0.113.0/24", problems);
        if !s.has("sources") {
            sources = published(kind.name).iter().filter_map(|text| text.parse().ok()).collect();
        }
        if check == Check::Enforce && sources.is_empty() {
            s.reject("source_check", "\"enforce\" needs sources: no callback would be believed", problems);
        }
        let confirm = if s.has("confirm_from") {
            s.whole("confirm_from", 0..=i64::MAX, problems)
        } else {
            s.flag("confirm", problems).filter(|all| *all).map(|_| 0)
        };
        Self { retired, confirm, reference: kind.reference, opens: Opens::of(kind, s), sources, check }
    }

    /// Says what cannot hold for this channel.
    pub(super) fn check(&self, s: &Section, channel: &dyn Channel, problems: &mut Vec<Problem>) {
        let asked = Asked { page: "", ..Asked::ANY };
        if self.confirm.is_some() && channel.query(&asked, &[], 0).is_none() {
            s.reject("confirm", "this kind of gateway cannot be asked about a payment", problems);
        }
    }

    /// Whether the gateway is to be asked about a payment of so much, of which `due` was due, in minor units: less than was
    /// due may be a forger's way past the question.
    #[must_use]
    pub fn wants_confirmed(&self, paid: i64, due: Option<i64>) -> bool {
        self.confirm.is_some_and(|from| paid.max(due.unwrap_or(0)) >= from)
    }

    /// A payment as its gateway confirms it: by its number, or by ours where it tells none. Its amount is the one that counts.
    /// `None`: it says that this one was not paid.
    #[must_use]
    pub fn confirmed(payment: &Payment, said: &Payment) -> Option<Payment> {
        let same = [&payment.trade_no, &payment.number].contains(&&said.trade_no);
        same.then(|| Payment { paid: said.paid, ..payment.clone() })
    }

    /// Why a payment is refused that names something else than its attempt was opened with.
    #[must_use]
    pub fn mismatch(&self) -> Rejection {
        if self.reference == Reference::PayType { Rejection::TypeMismatch } else { Rejection::OrderMismatch }
    }

    /// Whether an address is one of those that are listed.
    #[must_use]
    pub fn lists(&self, address: IpAddr) -> bool {
        self.sources.iter().any(|net| net.contains(&address))
    }

    /// What an address is to this channel.
    #[must_use]
    pub fn source(&self, address: IpAddr) -> Source {
        let listed = self.sources.is_empty() || self.lists(address);
        match self.check {
            Check::Warn if !listed => Source::Unlisted,
            Check::Enforce if !listed => Source::Refused,
            _ => Source::Listed,
        }
    }
}
