//! Gateways' bytes to [`Payment`](crate::domain::Payment)s and back: pure CPU, no I/O, no clock.
//!
//! A channel is one configured account at a payment gateway. A new kind is one file in `gateway` and one line in [`KINDS`];
//! routes, configuration, metrics and the load tester need nothing.

mod account;
pub mod bill;
pub mod capture;
mod configured;
mod contract;
mod gateway;
mod kind;
mod kit;
mod older;
mod terms;

pub use configured::Channels;
pub use contract::{
    Agreed, Answer, Asked, Begin, Channel, Checkout, Claim, Refund, Refunded, Request, Step, Verdict, is_number,
    is_trade_no,
};
pub use gateway::sandbox::{KIND as SANDBOX, new as new_sandbox};
pub use kind::{Build, ChannelInputs, Kind, KnownBy, Opens, Part, Reference, Wants};
pub use kit::params;
pub use terms::{SETTINGS as TERMS, Source, Terms};

/// Every kind there is.
pub const KINDS: &[&Kind] = &[
    &gateway::epay::KIND,
    &gateway::epay_v2::KIND,
    &gateway::alipay::KIND,
    &gateway::wechat::KIND,
    &gateway::unionpay::KIND,
    &gateway::stripe::KIND,
    &gateway::paypal::KIND,
    &gateway::standard_webhooks::KIND,
    &gateway::coinbase_commerce::KIND,
    &gateway::btcpay::KIND,
    &gateway::usdt::EPUSDT_MD5,
    &gateway::usdt::EPUSDT_GMPAY,
    &gateway::usdt::BEPUSDT,
    &gateway::tokenpay::KIND,
    &gateway::sandbox::KIND,
];

/// Whether a header, in any case, is one that callbacks of some kind are signed in.
#[must_use]
pub fn is_signature(header: &str) -> bool {
    KINDS.iter().filter_map(|kind| kind.signed_in).any(|known| known.eq_ignore_ascii_case(header))
}

/// The kind of that word in the configuration.
#[must_use]
pub fn kind_named(word: &str) -> Option<&'static Kind> {
    KINDS.iter().copied().find(|kind| kind.name == word)
}
