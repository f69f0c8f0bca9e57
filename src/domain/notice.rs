//! Notices: what a buyer is told of an order or an operator of the shop, and how far that got.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Millis, OrderId, Slot};

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
        if let Some((_, domain)) = contact.rsplit_once('@').filter(|parts| is_mail(*parts)) {
            // RFC 2606 keeps this one for addresses that nobody has: load testers' buyers, and examples.
            let nobody = domain.rsplit('.').next().is_some_and(|top| top.eq_ignore_ascii_case("invalid"));
            return (!nobody).then_some(Self::Mail);
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
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Sent, Self::Dead, Self::Dropped];

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

/// What operators can be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// An order's keys became its buyer's.
    Delivered,
    /// A payment is not what was due: a person decides.
    Held,
    /// A product is low, empty or owed to buyers.
    StockLow,
    /// Something an operator should see.
    Incident,
    /// Nothing: a person tries a notifier.
    Test,
}

impl Topic {
    /// All that can be asked for.
    pub const ALL: [Self; 4] = [Self::Delivered, Self::Held, Self::StockLow, Self::Incident];

    /// Its word in the configuration, in Redis and in what is sent.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "order.delivered",
            Self::Held => "order.held",
            Self::StockLow => "stock.low",
            Self::Incident => "incident",
            Self::Test => "test",
        }
    }
}

impl FromStr for Topic {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|topic| topic.as_str() == text).ok_or(())
    }
}

/// One piece of news for one notifier: the same news has the same id. As text: `topic:notifier:about`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NewsId {
    /// Of what.
    pub topic: Topic,
    /// The notifier's name in the configuration.
    pub notifier: String,
    /// An order's number, an incident's id, or a product with how many of its keys were ever imported.
    pub about: String,
}

impl NewsId {
    /// The message's name where it is sent to: letters that every receiver takes, the same on every try.
    #[must_use]
    pub fn message(&self) -> String {
        let Self { topic, notifier, about } = self;
        format!("msg_{about}_{}_{notifier}", topic.as_str()).replace(['.', ':'], "-")
    }
}

impl fmt::Display for NewsId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.topic.as_str(), self.notifier, self.about)
    }
}

impl FromStr for NewsId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.splitn(3, ':');
        let mut next = || parts.next().filter(|part| !part.is_empty()).ok_or(());
        Ok(Self { topic: next()?.parse()?, notifier: next()?.to_owned(), about: next()?.to_owned() })
    }
}

/// What happened, for an operator. Never holds a key, a token or a buyer's contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// When.
    pub at: Millis,
    /// A JSON object.
    pub data: String,
}

/// Whose notice: a member of the lists of what is to be sent and of what was given up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoticeId {
    /// The buyer's of that order.
    Buyer(OrderId),
    /// An operator's.
    News(NewsId),
}

impl NoticeId {
    /// Where it stands.
    #[must_use]
    pub fn slot(&self) -> Slot {
        match self {
            Self::Buyer(id) => id.slot(),
            Self::News(id) => Slot::of_number(&id.about),
        }
    }

    /// The notifier it goes through, where only one can.
    #[must_use]
    pub fn notifier(&self) -> Option<&str> {
        match self {
            Self::Buyer(_) => None,
            Self::News(id) => Some(&id.notifier),
        }
    }
}

impl From<OrderId> for NoticeId {
    fn from(id: OrderId) -> Self {
        Self::Buyer(id)
    }
}

impl From<NewsId> for NoticeId {
    fn from(id: NewsId) -> Self {
        Self::News(id)
    }
}

impl fmt::Display for NoticeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Buyer(id) => id.fmt(f),
            Self::News(id) => id.fmt(f),
        }
    }
}

impl FromStr for NoticeId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        text.parse().map(Self::Buyer).or_else(|_| text.parse().map(Self::News))
    }
}

/// How far a notice got. As text, in the hash of its order or its news: `state|again|tries|at|by|why`.
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

impl Notice {
    /// One that is to be sent; `again`: it was asked for once more.
    #[must_use]
    pub fn new(now: Millis, again: bool) -> Self {
        Self { state: NoticeState::Waiting, again, tries: 0, at: now, by: String::new(), why: String::new() }
    }
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
    fn a_notice_is_named_by_its_order_or_its_news() {
        let order = OrderId::new(Slot::new(7), 1, 2);
        assert_eq!(order.to_string().parse(), Ok(NoticeId::Buyer(order)));
        let news = NewsId { topic: Topic::StockLow, notifier: "hook".to_owned(), about: "a.b:20".to_owned() };
        assert_eq!(news.to_string(), "stock.low:hook:a.b:20");
        assert_eq!(news.to_string().parse(), Ok(NoticeId::News(news.clone())));
        assert_eq!(news.message(), "msg_a-b-20_stock-low_hook");
        for wrong in ["", "order.delivered", "order.delivered::x", "order.lost:hook:x"] {
            assert_eq!(wrong.parse::<NoticeId>(), Err(()), "{wrong:?}");
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
