//! Notices: what a buyer is told of an order, and how far that got.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Millis;

/// How a contact can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reach {
    /// An e-mail address.
    Mail,
    /// A mobile number of mainland China, `1` and ten digits, or `+86` before it.
    Phone,
}

impl Reach {
    /// How that contact can be reached, judged by its form alone; `None`: it is a name, a chat account or anything else.
    #[must_use]
    pub fn of(contact: &str) -> Option<Self> {
        let is_mail = |(local, domain): (&str, &str)| {
            let fits = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-');
            !local.is_empty()
                && !contact.contains(|c: char| c.is_whitespace() || c.is_control())
                && domain.contains('.')
                && !domain.starts_with('.')
                && !domain.ends_with('.')
                && domain.chars().all(fits)
        };
        if contact.rsplit_once('@').is_some_and(is_mail) {
            return Some(Self::Mail);
        }
        let digits = contact.strip_prefix("+86").unwrap_or(contact);
        let fits = digits.len() == 11 && digits.starts_with('1') && digits.bytes().all(|b| b.is_ascii_digit());
        fits.then_some(Self::Phone)
    }
}

/// Where a notice stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoticeState {
    /// It is to be sent, now or again later.
    Waiting,
    /// A server took it.
    Sent,
    /// It was given up: a person may send it again.
    Dead,
    /// Nothing is to be told any more: the order was refunded meanwhile.
    Dropped,
}

impl NoticeState {
    /// Its word in Redis and in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Dead => "dead",
            Self::Dropped => "dropped",
        }
    }
}

/// The notice of one order. As text, in the order's hash: `state|again|tries|at|by|why`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Where it stands.
    pub state: NoticeState,
    /// Whether it was asked for again, by a person or because a key was replaced.
    pub again: bool,
    /// How often it was tried.
    pub tries: u32,
    /// When this changed.
    pub at: Millis,
    /// The notifier that tried it last; empty before.
    pub by: String,
    /// Why the last try failed.
    pub why: String,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { state, again, tries, at, by, why } = self;
        write!(f, "{}|{}|{tries}|{at}|{by}|{why}", state.as_str(), u8::from(*again))
    }
}

impl FromStr for Notice {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.splitn(6, '|');
        let mut next = || parts.next().ok_or(());
        let state = match next()? {
            "waiting" => NoticeState::Waiting,
            "sent" => NoticeState::Sent,
            "dead" => NoticeState::Dead,
            "dropped" => NoticeState::Dropped,
            _ => return Err(()),
        };
        Ok(Self {
            state,
            again: next()? == "1",
            tries: next()?.parse().map_err(drop)?,
            at: next()?.parse().map_err(drop)?,
            by: next()?.to_owned(),
            why: next()?.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contact_is_reached_by_its_form() {
        for mail in ["me@example.com", "买家@例子.中国", "\"a@b\"@shop.example"] {
            assert_eq!(Reach::of(mail), Some(Reach::Mail), "{mail}");
        }
        for phone in ["13800138000", "+8613800138000"] {
            assert_eq!(Reach::of(phone), Some(Reach::Phone), "{phone}");
        }
        for other in
            ["", "qq 12345", "@example.com", "me@localhost", "a b@c.d", "a@b.c\r\nBcc: x@y.z", "23800138000", "me@.c"]
        {
            assert_eq!(Reach::of(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_notice_reads_back() {
        let notice = Notice {
            state: NoticeState::Dead,
            again: true,
            tries: 9,
            at: 17,
            by: "mail".to_owned(),
            why: "550 no | such".to_owned(),
        };
        assert_eq!(notice.to_string().parse(), Ok(notice));
        assert_eq!("sent|0|x".parse::<Notice>(), Err(()));
    }
}
