//! What holds for a channel of any kind: whether it is still offered, whether its gateway is asked before anything is
//! handed over, and where callbacks come from.

use std::net::IpAddr;

use ipnet::IpNet;

use super::contract::{Asked, Channel};
use super::kind::{Kind, Opens, Reference};
use crate::domain::{Payment, Rejection};
use crate::settings::{Form, Setting, Values};

const KIND: Setting = Setting {
    asked: false,
    ..Setting::needed(
        Form::Line,
        "kind",
        "which kind of gateway: kamid channel kinds lists them",
        "网关的种类:kamid channel kinds 列出全部",
    )
};
/// Which account at the gateway it is.
pub const ACCOUNT: Setting = Setting::optional(
    Form::Line,
    "account",
    "which account at the gateway this is, such as epay:pay.example:1001; left out: what the kind knows it by",
    "这是网关的哪个账户,如 epay:pay.example:1001;不写则由该种类自行判断",
);
const RETIRED: Setting = Setting::optional(
    Form::Flag,
    "retired",
    "true: no new payment is begun through it; callbacks of those that were are taken",
    "true:不再用它发起新付款,已发起的付款的回调照收",
)
.or("false");
const CONFIRM: Setting = Setting::optional(
    Form::Flag,
    "confirm",
    "true: before anything is handed over, the gateway is asked whether it really was paid",
    "true:发货前先向网关核实是否真的付款",
)
.or("false");
const CONFIRM_FROM: Setting = Setting::optional(
    Form::Whole(0, i64::MAX),
    "confirm_from",
    "the same, instead of confirm, from so many minor units on",
    "同上,代替 confirm:从这么多最小货币单位起才核实",
);
const SOURCES: Setting = Setting::optional(
    Form::Networks("203.0.113.0/24"),
    "sources",
    "the networks that callbacks come from; those that a gateway has published are built in",
    "回调来自的网段;网关公布过的网段已内置",
);
const SOURCE_CHECK: Setting = Setting {
    default: Some("warn"),
    ..Setting::choice(
        &["off", "warn", "enforce"],
        "source_check",
        "warn: an incident once an hour for genuine callbacks from elsewhere; enforce: they are refused; off",
        "warn:真实回调来自别处时每小时告警一次;enforce:拒绝;off:不检查",
    )
};
/// Keys that were exchanged.
pub const OLDER_KEYS: Setting = Setting::optional(
    Form::Tables,
    "older_keys",
    "keys that were changed, each a table with until, a moment, and any of the kind's settings: what is signed with them is believed until then",
    "已更换的密钥,每个是一个表:until 为时刻,另有该种类的任意设置项;在此之前用它签名的回调仍被接受",
);
/// Settings that a section of any kind may have.
pub const SETTINGS: &[&Setting] =
    &[&KIND, &ACCOUNT, &RETIRED, &CONFIRM, &CONFIRM_FROM, &SOURCES, &SOURCE_CHECK, &OLDER_KEYS];

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

/// What holds for a section: the first row that fits.
fn opens_of(kind: &Kind, v: &Values<'_>) -> Opens {
    // A value that is no text is told of by the kind.
    let said = |setting: &Setting| v.section().text(setting.key, &mut Vec::new());
    let fits = |row: &&Opens| row.when.is_none_or(|(setting, word)| said(setting).as_deref() == Some(word));
    kind.opens.iter().find(fits).copied().unwrap_or(Opens::ONCE)
}

impl Terms {
    /// Reads a section's terms; its kind reads the rest.
    pub(super) fn read(kind: &Kind, v: &mut Values<'_>) -> Self {
        let retired = v.flag(&RETIRED).unwrap_or(false);
        let check = match v.choice(&SOURCE_CHECK) {
            "off" => Check::Off,
            "enforce" => Check::Enforce,
            _ => Check::Warn,
        };
        let mut sources: Vec<IpNet> = v.networks(&SOURCES);
        if !v.has(&SOURCES) {
            sources = kind.sources.iter().filter_map(|text| text.parse().ok()).collect();
        }
        if check == Check::Enforce && sources.is_empty() {
            v.reject(&SOURCE_CHECK, "\"enforce\" needs sources: no callback would be believed");
        }
        let confirm =
            if v.has(&CONFIRM_FROM) { v.whole(&CONFIRM_FROM) } else { v.flag(&CONFIRM).filter(|all| *all).map(|_| 0) };
        Self { retired, confirm, reference: kind.reference, opens: opens_of(kind, v), sources, check }
    }

    /// Says what cannot hold for this channel.
    pub(super) fn check(&self, v: &mut Values<'_>, channel: &dyn Channel) {
        let asked = Asked { page: "", ..Asked::ANY };
        if self.confirm.is_some() && channel.query(&asked, &[], 0).is_none() {
            v.reject(&CONFIRM, "this kind of gateway cannot be asked about a payment");
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
