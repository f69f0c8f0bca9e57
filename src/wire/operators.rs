//! Operators' tokens, what operators did, and the addresses that they block.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::Word;
use crate::domain::{Deed, Millis, Role};

/// An operator.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenView {
    /// Their name.
    pub name: String,
    /// What they may do.
    pub role: Word<Role>,
    /// Since when.
    pub created_at: Millis,
}

/// The operators beside the root.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenList {
    /// By name.
    pub tokens: Vec<TokenView>,
}

/// An operator that is to be added.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// Their name.
    pub name: String,
    /// What they may do.
    pub role: Role,
}

/// A new operator, and their token, which is told only now.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct TokenMade {
    /// Who.
    #[serde(flatten)]
    pub operator: TokenView,
    /// Their token.
    #[serde(default)]
    pub token: String,
}

/// An operator that was removed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenRemoved {
    /// Their name.
    pub name: String,
    /// `removed`
    pub result: String,
}

/// How much of the trail is told.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrailWish {
    /// At most so many deeds.
    pub limit: usize,
}

impl Default for TrailWish {
    fn default() -> Self {
        Self { limit: 100 }
    }
}

/// What operators did.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TrailList {
    /// The newest first.
    pub trail: Vec<Deed>,
}

/// An address that is blocked by hand.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BlockView {
    /// Which.
    pub address: IpAddr,
    /// Until when.
    pub until_at: Millis,
    /// Since when.
    pub since: Millis,
    /// By whom.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Whether its orders are refused too.
    pub orders: bool,
}

/// Addresses that are blocked by hand.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AddressList {
    /// All of them.
    pub addresses: Vec<BlockView>,
}

/// How an address is to be blocked.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockWish {
    /// Which.
    pub address: String,
    /// For how long.
    pub minutes: u64,
    /// Why.
    pub reason: String,
    /// Even if it is this machine's own or a trusted proxy's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
    /// Refuse its orders too, and let the unpaid ones expire.
    #[serde(default)]
    pub orders: bool,
}

/// An address that was blocked.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Blocked {
    /// How.
    #[serde(flatten)]
    pub block: BlockView,
    /// What whoever blocks it should know.
    #[serde(default)]
    pub advice: String,
    /// Its orders that expired, where they were to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expired: Option<u64>,
    /// Its orders that are to expire by a further request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<u64>,
}

/// Which address.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddressWish {
    /// As it is written.
    pub address: String,
}

/// An address that is not blocked any more.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Unblocked {
    /// Which.
    pub address: IpAddr,
    /// `unblocked`
    pub result: String,
}

/// Whose unpaid orders are to expire.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpireWish {
    /// An address, or a network of IPv6.
    pub address: String,
    /// Why.
    pub reason: String,
}

/// Unpaid orders that expired.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AddressExpired {
    /// Whose.
    pub address: String,
    /// So many.
    pub expired: u64,
    /// So many more are to expire by a further request.
    pub left: u64,
}
