//! A buyer's wish becomes an order, and an order gets ways to pay it.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::settle::ASKING;
use super::{IncidentNote, Shop, ShopError};
use crate::channel::{Begin, Checkout, Reference, Step};
use crate::domain::text::printable;
use crate::domain::{Attempt, Due, Millis, Opened, Order, OrderId, OrderState, PaymentNo, Product};
use crate::store::{NewOrder, Reserved};
use crate::telemetry::Event;
use crate::vault;

/// What a buyer wants.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Product id.
    pub product: String,
    /// Keys.
    #[serde(default = "one")]
    pub quantity: u32,
    /// How to reach the buyer: an address, a number.
    pub contact: String,
    /// Channel to pay through; may be left out where there is only one.
    #[serde(default)]
    pub channel: Option<String>,
}

fn one() -> u32 {
    1
}

/// Who orders.
#[derive(Debug, Clone, Copy)]
pub enum Buyer {
    /// Somebody at an address (already cut to its network).
    Address(IpAddr),
    /// The operator, whom no buyer's limit concerns.
    Operator,
}

/// An order as it was made. The token and the page's address are added by whoever shows it, never stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Created {
    /// Order number.
    pub id: String,
    /// Number of the payment attempt.
    pub payment_no: String,
    /// Where it stands.
    pub state: OrderState,
    /// What is due, as text.
    pub amount: String,
    /// What is due, in minor units.
    pub amount_minor: i64,
    /// In what.
    pub currency: String,
    /// When it stops being payable, ms since the epoch.
    pub expires_at: Millis,
    /// How to pay.
    pub pay: Step,
    /// What the attempt was opened with; for operators, no buyer is shown it.
    #[serde(skip)]
    pub reference: String,
}

impl Shop {
    /// Makes an order.
    ///
    /// # Errors
    /// What is wrong with the wish, which limit is reached, how much is in stock, or why Redis cannot.
    pub async fn order(&self, wanted: &Wanted, buyer: Buyer) -> Result<Created, ShopError> {
        self.guard()?;
        let now = self.store.now();
        let (product, channel, contact) = self.check(wanted, now)?;
        let amount =
            product.price.times(wanted.quantity).ok_or_else(|| invalid("quantity", "the amount is too large"))?;
        let id = OrderId::new(product.home(), now, vault::chance()?);
        let expires = now + u64::from(product.expires_minutes) * 60_000;
        let counted = match buyer {
            Buyer::Address(address) => self.count(&product, wanted.quantity, id, &address, &contact, expires).await?,
            Buyer::Operator => Counted::default(),
        };
        let sealed = self.vault.seal(contact.as_bytes())?;
        let new = NewOrder {
            id,
            product: &product,
            quantity: wanted.quantity,
            amount,
            attempt: Attempt::FIRST,
            channel: &channel,
            contact: &sealed,
            created: now,
            expires,
            quotas: &counted.quotas,
            caps: &counted.caps,
        };
        let result = self.store.reserve(&new).await;
        match result? {
            // Its number comes from 100 bits of chance: one that stands is ours, made by a call whose answer was lost.
            Reserved::Created | Reserved::Exists => {}
            Reserved::Short(available) => {
                self.store.uncount(&counted.weights(wanted.quantity), id).await?;
                return Err(ShopError::Short(available));
            }
        }
        let index = self.store.names.hashed("contact", self.vault.index("contact", &contact));
        self.store.remember_contact(&index, id, now).await?;
        self.telemetry.record(Event::Ordered { product: product.id.as_str() });
        let order = self.store.order(id).await?.ok_or(ShopError::NotFound("order"))?;
        match self.begin(order.clone(), Attempt::FIRST, buyer).await {
            Ok(created) => Ok(created),
            Err(error) => {
                // Nobody can pay it: what it reserved is for others.
                let _past = self.expire_now(&order, "").await;
                Err(error)
            }
        }
    }

    fn check(&self, wanted: &Wanted, now: Millis) -> Result<(Product, String, String), ShopError> {
        let product = self.product(&wanted.product)?;
        if !product.on_sale(now) {
            return Err(ShopError::Conflict("this product is not on sale now".to_owned()));
        }
        let most = product.per_order.min(self.limits.order_quantity);
        if !(1..=most).contains(&wanted.quantity) {
            return Err(invalid("quantity", &format!("from 1 to {most}")));
        }
        let contact = wanted.contact.trim();
        if contact.is_empty() || contact.len() > self.limits.contact_bytes || contact.chars().any(char::is_control) {
            return Err(invalid(
                "contact",
                &format!("1 to {} bytes, without control characters", self.limits.contact_bytes),
            ));
        }
        let mut names = self.channels.offered();
        let channel = match (&wanted.channel, names.next(), names.next()) {
            (Some(name), ..) => name.clone(),
            (None, Some(only), None) => only.to_owned(),
            _ => return Err(invalid("channel", &format!("is missing: one of {}", self.channels.names()))),
        };
        self.channel_for(&channel, product.price.currency)?;
        Ok((product, channel, contact.to_owned()))
    }

    /// Counts an order against what limits its buyer; takes back what it counted when one limit is reached.
    async fn count(
        &self,
        product: &Product,
        quantity: u32,
        id: OrderId,
        address: &IpAddr,
        contact: &str,
        expires: Millis,
    ) -> Result<Counted, ShopError> {
        let name = |kind: &str, text: &str| self.store.names.hashed("quota", self.vault.index(kind, text));
        let address = address.to_string();
        let now = self.store.now();
        let mut rules = vec![
            (
                "unpaid orders for this address",
                name("unpaid address", &address),
                1,
                self.limits.unpaid_per_address,
                expires,
            ),
            (
                "unpaid orders for this contact",
                name("unpaid contact", contact),
                1,
                self.limits.unpaid_per_contact,
                expires,
            ),
        ];
        let unpaid = rules.len();
        for (what, text, allowance) in [
            ("keys for this address", address.as_str(), product.per_address),
            ("keys for this contact", contact, product.per_contact),
        ] {
            if let Some(allowance) = allowance {
                let name = name(&format!("{what} of {}", product.id), text);
                rules.push((what, name, quantity, allowance.keys, now + u64::from(allowance.hours) * 3_600_000));
            }
        }
        let mut counted = Counted::default();
        for (at, (what, name, weight, limit, until)) in rules.into_iter().enumerate() {
            if !self.store.count(&name, id, weight, limit, until).await? {
                self.store.uncount(&counted.weights(quantity), id).await?;
                return Err(ShopError::Limited(format!("too many {what}: at most {limit}")));
            }
            let list = if at < unpaid { &mut counted.caps } else { &mut counted.quotas };
            list.push(name);
        }
        Ok(counted)
    }

    /// One more way to pay a pending order.
    ///
    /// # Errors
    /// The order is not payable any more, the channel does not exist, or too many were tried.
    pub async fn pay_again(&self, id: OrderId, channel: &str) -> Result<Created, ShopError> {
        for _ in 0..5 {
            let order = self.store.order(id).await?.ok_or(ShopError::NotFound("order"))?;
            self.channel_for(channel, order.amount.currency)?;
            let next = order.attempts.len() as u16 + 1;
            if next > self.limits.order_attempts {
                return Err(ShopError::Limited(format!(
                    "at most {} ways to pay one order",
                    self.limits.order_attempts
                )));
            }
            let due = Due { channel: channel.to_owned(), amount: order.amount };
            match self.store.attempt(id, Attempt::number(next), &due).await? {
                Some(true) => {
                    let order = self.store.order(id).await?.ok_or(ShopError::NotFound("order"))?;
                    return self.begin(order, Attempt::number(next), Buyer::Operator).await;
                }
                Some(false) => return Err(ShopError::Conflict("this order cannot be paid any more".to_owned())),
                None => {}
            }
        }
        Err(ShopError::Conflict("others change this order: try again".to_owned()))
    }

    /// Opens an attempt: where the gateway has to be asked, its answer is kept with the order.
    async fn begin(&self, mut order: Order, attempt: Attempt, buyer: Buyer) -> Result<Created, ShopError> {
        let due = due_of(&order, attempt)?;
        let mut addresses = self.addresses(&order, &due.channel, attempt);
        if let Buyer::Address(address) = buyer {
            addresses.client_ip = address.to_string();
        }
        let (checkout, channel) = (addresses.checkout(&order, due), self.channel(&due.channel)?);
        let mut heard = Vec::new();
        let (step, reference) = loop {
            let failed = match channel.checkout(&checkout, &heard, self.store.now()).checked() {
                Begin::Step(_, None) if heard.is_empty() => return self.created(&order, attempt),
                Begin::Step(step, reference) => break (step, reference),
                Begin::Ask(call) => match self.ask(&mut heard, &call, ASKING).await {
                    Ok(()) => continue,
                    Err(error) => error.to_string(),
                },
                Begin::Failed(why) => why,
            };
            return Err(self.not_opened(&due.channel, &failed));
        };
        // What asked nobody and is named by nothing of its own is made anew each time it is shown: it may be dated.
        let by_way = self.channels.terms(&due.channel).is_some_and(|terms| terms.reference == Reference::PayType);
        let fresh = heard.is_empty() && by_way;
        let step = if fresh { String::new() } else { serde_json::to_string(&step).unwrap_or_default() };
        let opened = Opened { reference: reference.unwrap_or_default(), step };
        if !self.store.open(order.id, attempt, &opened).await? {
            return Err(ShopError::Conflict("this order cannot be paid any more".to_owned()));
        }
        order.opened.push((attempt, opened));
        self.created(&order, attempt)
    }

    /// No way to pay: an operator hears of it, once in five minutes for each channel.
    fn not_opened(&self, channel: &str, why: &str) -> ShopError {
        let why = printable(why, 300);
        tracing::warn!(channel, why, "A gateway opened no payment.");
        if self.is_news(&format!("{channel} not opened"), 300_000) {
            self.incident(IncidentNote {
                channel,
                reason: "payment_not_opened",
                advice: &format!("Its gateway opened no payment, and the buyer had to choose another way: {why}. `kamid channel test {channel} --open` tries it."),
                status: 502,
                ..IncidentNote::default()
            });
        }
        ShopError::Gateway(format!("channel {channel}: {why}"))
    }

    fn addresses(&self, order: &Order, channel: &str, attempt: Attempt) -> Addresses {
        Addresses {
            number: PaymentNo { order: order.id, attempt }.to_string(),
            notify_url: format!("{}/pay/{channel}/notify", self.public_url),
            return_url: format!("{}/r/{}", self.public_url, order.id),
            client_ip: "127.0.0.1".to_owned(),
        }
    }

    /// How an attempt of an order is paid.
    pub(crate) fn created(&self, order: &Order, attempt: Attempt) -> Result<Created, ShopError> {
        let due = due_of(order, attempt)?;
        let addresses = self.addresses(order, &due.channel, attempt);
        let opened = order.opening(attempt);
        let kept = opened.filter(|opened| !opened.step.is_empty());
        let unopened = || ShopError::Conflict("the gateway did not open this attempt: try to pay again".to_owned());
        let pay = match kept {
            Some(opened) => {
                let step: Option<Step> = serde_json::from_str(&opened.step).ok();
                step.filter(|step| step.refused().is_none()).ok_or_else(unopened)?
            }
            None => {
                match self.channel(&due.channel)?.checkout(&addresses.checkout(order, due), &[], self.store.now()) {
                    Begin::Step(step, _) => step,
                    Begin::Ask(_) | Begin::Failed(_) => return Err(unopened()),
                }
            }
        };
        Ok(Created {
            id: order.id.to_string(),
            payment_no: addresses.number,
            state: order.state,
            amount: due.amount.to_string(),
            amount_minor: due.amount.minor,
            currency: due.amount.currency.to_string(),
            expires_at: order.expires,
            pay,
            reference: opened.map(|opened| opened.reference.clone()).unwrap_or_default(),
        })
    }
}

fn due_of(order: &Order, attempt: Attempt) -> Result<&Due, ShopError> {
    let found = order.attempts.iter().find(|(known, _)| *known == attempt);
    found.map(|(_, due)| due).ok_or(ShopError::NotFound("attempt"))
}

/// What an attempt is called, and where it leads.
struct Addresses {
    number: String,
    notify_url: String,
    return_url: String,
    client_ip: String,
}

impl Addresses {
    fn checkout<'a>(&'a self, order: &Order, due: &Due) -> Checkout<'a> {
        Checkout {
            number: &self.number,
            amount: due.amount,
            subject: None,
            notify_url: &self.notify_url,
            return_url: &self.return_url,
            expires: order.expires,
            client_ip: &self.client_ip,
            extra: &[],
        }
    }
}

/// Names of the limits an order was counted against.
#[derive(Debug, Default)]
struct Counted {
    caps: Vec<String>,
    quotas: Vec<String>,
}

impl Counted {
    fn weights(&self, quantity: u32) -> Vec<(String, u32)> {
        let caps = self.caps.iter().map(|name| (name.clone(), 1));
        caps.chain(self.quotas.iter().map(|name| (name.clone(), quantity))).collect()
    }
}

fn invalid(field: &'static str, message: &str) -> ShopError {
    ShopError::Invalid { field, message: message.to_owned() }
}
