//! What one buyer may hold unpaid, and buy in a while: an order is counted before it is made.
//!
//! Keys that nobody pays for are missed by everybody else, so what is limited is keys, by contact (in its folded form) and by
//! the networks around an address. Those bind from the second order on; what one order alone may hold is a setting.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::domain::contact::folded;
use crate::domain::network::{network, networks};
use crate::domain::{Limit, Millis, OrderId, OrderState, Product, Reached, Stock, Take};
use crate::shop::{Shop, ShopError};
use crate::store::{CountName, Counted, Rule, StoreError};

/// More than anything counted here: no limit.
const NONE: u64 = 1 << 53;
/// An order that is counted is made within this, or never.
pub(super) const UNDER_WAY_MS: Millis = 60_000;
/// Orders looked at when a limit is reached, in case their end was not heard of yet.
const LOOKED_AT: usize = 200;
/// How many times the unpaid orders of one address a site has, an IPv6 /48: it may be a campus, and has 65,536 /64s.
const SITE: u64 = 10;

/// An order to be counted.
pub(in crate::shop) struct Wish<'a> {
    pub id: OrderId,
    pub product: &'a Product,
    pub quantity: u32,
    pub address: IpAddr,
    pub contact: &'a str,
    pub expires: Millis,
}

/// Names of the counts that an order is in.
#[derive(Debug, Default)]
pub(in crate::shop) struct Counts {
    pub unpaid: Vec<CountName>,
    pub bought: Vec<CountName>,
}

impl Counts {
    pub(in crate::shop) fn of(&self, id: OrderId) -> Vec<(CountName, OrderId)> {
        self.unpaid.iter().chain(&self.bought).map(|name| (name.clone(), id)).collect()
    }
}

/// One limit with what is said when there are too many orders, or too many keys.
pub(super) struct Bound {
    pub rule: Rule,
    orders: Limit,
    keys: Limit,
    bought: bool,
}

impl Bound {
    fn reached(&self, came: Counted, at: Millis) -> Option<Reached> {
        match came {
            Counted::Done(_) => None,
            Counted::Orders(until) => Some(Reached { limit: self.orders, most: self.rule.most, until, at }),
            Counted::Weight(until) => Some(Reached { limit: self.keys, most: self.rule.limit, until, at }),
        }
    }
}

impl Shop {
    /// The count of what a network holds unpaid.
    pub(super) fn count_of_network(&self, net: &IpNet) -> CountName {
        self.store.count_of(self.vault.index("unpaid network", &net.to_string()))
    }

    /// Whether no limit on unpaid orders concerns an address.
    pub(super) fn is_bulk(&self, address: IpAddr) -> bool {
        self.limits.bulk_from.iter().any(|net| net.contains(&address))
    }

    /// Counts an order against what limits its buyer; takes back what it counted when one limit is reached.
    pub(in crate::shop) async fn count(&self, wish: &Wish<'_>) -> Result<Counts, ShopError> {
        let mut bounds = self.unpaid_bounds(wish).await?;
        bounds.extend(self.allowances(wish).await?);
        let rules: Vec<Rule> = bounds.iter().map(|bound| bound.rule.clone()).collect();
        let mut again = true;
        loop {
            let came = self.store.count(wish.id, &rules).await?;
            let now = self.store.now();
            let reached = |(bound, came): (_, &Counted)| Some((bound, Bound::reached(bound, *came, now)?));
            let full: Vec<(&Bound, Reached)> = bounds.iter().zip(&came).filter_map(reached).collect();
            let Some((_, reached)) = full.first() else {
                self.note_holder(wish.address, &bounds, &came).await;
                break;
            };
            let counted = came.iter().zip(&rules).filter(|(came, _)| matches!(came, Counted::Done(_)));
            let counted: Vec<_> = counted.map(|(_, rule)| (rule.name.clone(), wish.id)).collect();
            self.store.uncount(&counted).await?;
            if !std::mem::take(&mut again) {
                return Err(ShopError::Limited(*reached));
            }
            // Counted once more, whoever gave back what has ended: this, or the outbox meanwhile.
            self.free_ended(full.iter().map(|(bound, _)| *bound)).await?;
        }
        let (bought, unpaid): (Vec<_>, Vec<_>) = bounds.into_iter().partition(|bound| bound.bought);
        let names = |bounds: Vec<Bound>| bounds.into_iter().map(|bound| bound.rule.name).collect();
        Ok(Counts { unpaid: names(unpaid), bought: names(bought) })
    }

    /// Whether one order alone would hold too much of what is free: whoever never pays would need no second one.
    fn fits_alone(&self, wish: &Wish<'_>, stock: &Stock) -> Result<(), ShopError> {
        let (free, wanted) = (stock.available(), u64::from(wish.quantity));
        let most = self.limits.unpaid_keys_per_order.of(free).max(self.limits.unpaid_keys_per_contact.into());
        // What is not there is refused for that.
        if wanted <= most || wanted > free {
            return Ok(());
        }
        let at = self.store.now();
        Err(ShopError::Limited(Reached { limit: Limit::UnpaidKeysOfOrder, most, until: None, at }))
    }

    /// What limits orders while they are unpaid.
    async fn unpaid_bounds(&self, wish: &Wish<'_>) -> Result<Vec<Bound>, ShopError> {
        let (limits, product) = (&self.limits, wish.product);
        // Who takes at payment holds nothing before.
        let holds = product.take == Take::Order;
        let free = self.is_bulk(wish.address);
        let weight = if holds { u64::from(wish.quantity) } else { 0 };
        let stock = if holds { self.store.stock(product).await? } else { Stock::default() };
        if holds && !free {
            self.fits_alone(wish, &stock)?;
        }
        let bound = |name, group: &str, orders: (Limit, u64), keys: (Limit, u64)| Bound {
            rule: Rule {
                name,
                group: group.to_owned(),
                weight,
                most: if free { NONE } else { orders.1 },
                limit: if free || !holds { NONE } else { keys.1 },
                first: true,
                until: wish.expires,
            },
            orders: orders.0,
            keys: keys.0,
            bought: false,
        };
        let contact = self.store.count_of(self.vault.index("unpaid contact", &folded(wish.contact)));
        let mut bounds = vec![bound(
            contact,
            "",
            (Limit::UnpaidOrdersOfContact, limits.unpaid_per_contact.into()),
            (Limit::UnpaidKeysOfContact, limits.unpaid_keys_per_contact.into()),
        )];
        for net in networks(wish.address) {
            let (keys, share) = match net.prefix_len() {
                64 => (Limit::UnpaidKeysOf64, limits.unpaid_keys_per_64),
                48 => (Limit::UnpaidKeysOf48, limits.unpaid_keys_per_48),
                _ => (Limit::UnpaidKeysOfAddress, limits.unpaid_keys_per_address),
            };
            let each = u64::from(limits.unpaid_per_address);
            let orders = match net.prefix_len() {
                48 => (Limit::UnpaidOrdersOf48, each.saturating_mul(SITE)),
                128 => (Limit::UnpaidOrdersOfAddress, NONE),
                _ => (Limit::UnpaidOrdersOfAddress, each),
            };
            bounds.push(bound(self.count_of_network(&net), product.id.as_str(), orders, (keys, share.of(stock.pool))));
        }
        Ok(bounds)
    }

    /// What a product allows one buyer in a while.
    async fn allowances(&self, wish: &Wish<'_>) -> Result<Vec<Bound>, ShopError> {
        let address = network(wish.address).to_string();
        let now = self.store.now();
        let product = wish.product;
        let mut bounds = Vec::new();
        for (limit, what, text, exact, allowance) in [
            (Limit::KeysForAddress, "keys for this address", address.clone(), address.as_str(), product.per_address),
            (Limit::KeysForContact, "keys for this contact", folded(wish.contact), wish.contact, product.per_contact),
        ] {
            let Some(allowance) = allowance else { continue };
            let kind = format!("{what} of {}", product.id);
            // What was bought before there were counts stands in another form, by the contact as it was written.
            let before = self.store.counted_old(self.vault.index(&kind, exact)).await?;
            let rule = Rule {
                name: self.store.count_of(self.vault.index(&kind, &text)),
                group: String::new(),
                weight: wish.quantity.into(),
                most: NONE,
                limit: u64::from(allowance.keys).saturating_sub(before),
                first: false,
                until: now + u64::from(allowance.hours) * 3_600_000,
            };
            bounds.push(Bound { rule, orders: limit, keys: limit, bought: true });
        }
        Ok(bounds)
    }

    /// Gives back what orders count that are not unpaid any more, where the outbox did not come to it yet: nobody is refused
    /// for what he has just paid.
    async fn free_ended(&self, full: impl Iterator<Item = &Bound>) -> Result<(), StoreError> {
        let mut ended = Vec::new();
        for Bound { rule, bought, .. } in full {
            let (ids, _) = self.store.counted(&rule.name, LOOKED_AT).await?;
            let states = self.store.states(&ids).await?;
            let over = |state: OrderState| state == OrderState::Expired || !bought && state != OrderState::Pending;
            // One that is not there may be under way.
            let never = |id: &OrderId| id.created() + UNDER_WAY_MS < self.store.now();
            let gone = ids.iter().zip(states).filter(|(id, state)| state.map_or_else(|| never(id), over));
            ended.extend(gone.map(|(id, _)| (rule.name.clone(), *id)));
        }
        self.store.uncount(&ended).await
    }
}

/// Whether a network is what an address is limited by: see [`network`].
pub(super) fn is_unit(net: &IpNet) -> bool {
    matches!(net.prefix_len(), 32 | 64)
}
