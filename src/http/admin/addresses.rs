//! Addresses that operators block by hand.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::routes::{Errand, Routes};
use super::trail::difference;
use crate::domain::network::{Meant, meant, named};
use crate::domain::network::{network, plain};
use crate::domain::text::bare;
use crate::http::problem::Problem;
use crate::shop::{Block, Blocking, ShopError};
use crate::wire::operators::{AddressExpired, AddressList, BlockView, Blocked, Unblocked};
use crate::wire::{BlockAddress, ExpireAddress, ListAddresses, UnblockAddress};

/// Orders that one request lets expire.
const AT_ONCE: usize = 500;
/// What whoever blocks an address should know.
const ADVICE: &str = "All callbacks from this address hear 429 until then, genuine ones too: a gateway behind it is blocked as well, and its payments settle only when it repeats them after the block.";

pub fn routes(to: Routes) -> Routes {
    to.on(list).on(block).on(expire).on(unblock)
}

fn view_of(address: IpAddr, block: &Block) -> BlockView {
    BlockView {
        address,
        until_at: block.until,
        since: block.since,
        by: block.by.clone(),
        reason: block.reason.clone(),
        orders: block.orders,
    }
}

async fn list(Errand { web, .. }: Errand<ListAddresses>) -> Result<AddressList, Problem> {
    let blocks = web.shop.list_blocks().await.map_err(ShopError::from)?;
    Ok(AddressList { addresses: blocks.iter().map(|(address, block)| view_of(*address, block)).collect() })
}

fn wrong(message: String) -> ShopError {
    ShopError::Invalid { field: "address", message }
}

/// An address out of what an operator wrote: one, or the network that stands for one.
fn address_of(text: &str) -> Result<IpAddr, ShopError> {
    let text = bare(text);
    if let Ok(address) = text.parse() {
        return Ok(plain(address));
    }
    let net = match meant(text) {
        Meant::Net(net) => net,
        Meant::Mixed | Meant::Nothing => return Err(wrong("an IPv4 or IPv6 address".to_owned())),
    };
    let (counted, one) = (network(net.addr()), if net.addr().is_ipv4() { 32 } else { 64 });
    if net.prefix_len() >= one {
        return Ok(counted);
    }
    Err(wrong(format!(
        "{net} is a network: what is blocked here is one address at a time, of IPv6 its whole /64 (this one begins with {counted}). Block those that misbehave one by one (`kamid incident list` shows them), or the network in the firewall or the proxy in front"
    )))
}

async fn block(Errand { web, operator, trace, wish, .. }: Errand<BlockAddress>) -> Result<Blocked, Problem> {
    let address = address_of(&wish.address)?;
    let counted = network(address);
    trace.on(&counted.to_string());
    trace.reason(&wish.reason);
    let proxies = web.proxies.trusts(address) || web.proxies.trusts(counted);
    if !wish.force && (address.is_loopback() || proxies) {
        let whose = if proxies { "a trusted proxy's (server.trusted_proxies)" } else { "this machine's own" };
        let detail = format!(
            "{address} is {whose}: every callback that comes through it would hear 429. force does it all the same"
        );
        return Err(ShopError::Conflict(detail).into());
    }
    let before = web.shop.list_blocks().await.map_err(ShopError::from)?.get(&counted).cloned();
    let how = Blocking { minutes: wish.minutes, reason: &wish.reason, orders: wish.orders };
    let block = web.shop.block(counted, &how, &operator).await?;
    let before = before.map_or(Value::Null, |block| json!({"until": block.until}));
    trace.change(&difference(&before, &json!({"until": block.until})));
    trace.result(&format!("{} minutes", wish.minutes));
    let mut done = Blocked { block: view_of(counted, &block), advice: ADVICE.to_owned(), expired: None, left: None };
    if wish.orders {
        let net = named(&counted.to_string()).ok_or_else(|| wrong("an IPv4 or IPv6 address".to_owned()))?;
        let (expired, left) = web.shop.expire_of(&net, &wish.reason, &operator, AT_ONCE).await?;
        (done.expired, done.left) = (Some(expired), Some(left));
    }
    Ok(done)
}

/// Lets the unpaid orders of an address or its network expire, as many as one request may; `left` says whether to ask again.
async fn expire(
    Errand { web, operator, trace, wish: whose, .. }: Errand<ExpireAddress>,
) -> Result<AddressExpired, Problem> {
    let net = named(&whose.address)
        .ok_or_else(|| wrong("an IPv4 or IPv6 address, or the /64 or /48 of an IPv6 one".to_owned()))?;
    trace.on(&net.to_string());
    trace.reason(&whose.reason);
    let (expired, left) = web.shop.expire_of(&net, &whose.reason, &operator, AT_ONCE).await?;
    trace.result(&format!("{expired} expired"));
    Ok(AddressExpired { address: net.to_string(), expired, left })
}

async fn unblock(Errand { web, trace, wish: which, .. }: Errand<UnblockAddress>) -> Result<Unblocked, Problem> {
    let address = network(address_of(&which.address)?);
    trace.on(&address.to_string());
    let before = web.shop.list_blocks().await.map_err(ShopError::from)?.get(&address).cloned();
    web.shop.unblock(address).await?;
    let before = before.map_or(Value::Null, |block| json!({"until": block.until}));
    trace.change(&difference(&before, &json!({"until": null})));
    Ok(Unblocked { address, result: "unblocked".to_owned() })
}
