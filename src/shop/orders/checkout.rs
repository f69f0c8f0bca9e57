//! A buyer's wish becomes an order, and an order gets ways to pay it.

use std::net::IpAddr;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use super::limits::{Counts, Wish};
use crate::channel::{Begin, Checkout, Opens, Reference, Step, Wants};
use crate::domain::Wanted;
use crate::domain::text::printable;
use crate::domain::{
    AttemptNo, Due, Limit, Millis, Opened, Order, OrderId, OrderState, PaymentNo, Product, Reached, Reason,
};
use crate::shop::payments::settle::ASKING;
use crate::shop::{IncidentNote, Shop, ShopError};
use crate::store::{NewOrder, Reserved};
use crate::telemetry::Observation;
use crate::vault;

/// Who orders.
#[derive(Debug, Clone, Copy)]
pub enum Buyer {
    /// Somebody at an address.
    Address(IpAddr),
    /// The operator, whom no buyer's limit concerns.
    Operator,
}

/// For whom an attempt is opened.
#[derive(Debug, Clone, Copy)]
pub enum By {
    /// Whoever asks for it: at that address, where it is known. It may be a shop's server, or an operator.
    Asker(Option<IpAddr>),
    /// The buyer, who clicked at that address to go and pay.
    Click(IpAddr),
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
    /// How to pay; `None`: a click on the order's page opens it, for the buyer's own address, or anew.
    pub pay: Option<Step>,
    /// For how long that surely leads to a payment, where it does not live as long as the order; never stored.
    #[serde(skip)]
    pub ages_ms: Option<Millis>,
    /// What the attempt was opened with; for operators, no buyer is shown it.
    #[serde(skip)]
    pub reference: String,
}

impl Shop {
    /// Makes an order.
    ///
    /// # Errors
    /// What is wrong with the wish, which limit is reached, how much is in stock, or why Redis cannot.
    pub async fn order(&self, wanted: &Wanted, buyer: Buyer, by: By) -> Result<Created, ShopError> {
        self.guard()?;
        if let Buyer::Address(address) = buyer
            && let Some(until) = self.refuses_orders(address)
        {
            let (limit, at) = (Limit::AddressBlocked, self.store.now());
            return Err(ShopError::Limited(Reached { limit, most: 0, until: Some(until), at }));
        }
        let now = self.store.now();
        let product = self.product(&wanted.product).await?;
        let (channel, contact) = self.check(&product, wanted, now)?;
        let amount =
            product.price.times(wanted.quantity).ok_or_else(|| invalid("quantity", "the amount is too large"))?;
        let id = OrderId::new(product.home(), now, vault::chance()?);
        let expires = now + u64::from(product.expires_minutes) * 60_000;
        let counted = match buyer {
            Buyer::Address(address) => {
                let (product, contact) = (&product, contact.as_str());
                self.count(&Wish { id, product, quantity: wanted.quantity, address, contact, expires }).await?
            }
            Buyer::Operator => Counts::default(),
        };
        let reserve = async {
            let new = NewOrder {
                id,
                product: &product,
                quantity: wanted.quantity,
                amount,
                attempt: AttemptNo::FIRST,
                channel: &channel,
                contact: &self.vault.seal(contact.as_bytes())?,
                created: now,
                expires,
                unpaid: &counted.unpaid,
                bought: &counted.bought,
            };
            Ok::<_, ShopError>(self.store.reserve(&new).await?)
        };
        match reserve.await {
            // Its number comes from 100 bits of chance: one that stands is ours, made by a call whose answer was lost.
            Ok(Reserved::Created | Reserved::Exists) => {}
            Ok(Reserved::Short(available)) => {
                self.store.uncount(&counted.of(id)).await?;
                return Err(ShopError::Short(available));
            }
            Err(error) => {
                // It may stand all the same where nobody knows; then, and where this fails too, a minute frees what it counts.
                if !matches!(&error, ShopError::Store(error) if error.may_stand()) {
                    let _later = self.store.uncount(&counted.of(id)).await;
                }
                return Err(error);
            }
        }
        self.store.remember_contact(self.vault.index("contact", &contact), id, now).await?;
        self.telemetry.record(Observation::Ordered { product: product.id.as_str() });
        let order = self.store.order(id).await?.ok_or(ShopError::NotFound("order"))?;
        match self.begin(order.clone(), AttemptNo::FIRST, by).await {
            Ok(created) => Ok(created),
            Err(error) => {
                // Nobody can pay it: what it reserved is for others, and counts against nobody.
                if self.expire_now(&order, "").await.is_ok() {
                    self.store.uncount(&counted.of(id)).await?;
                }
                Err(error)
            }
        }
    }

    fn check(&self, product: &Product, wanted: &Wanted, now: Millis) -> Result<(String, String), ShopError> {
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
        Ok((channel, contact.to_owned()))
    }

    /// One more way to pay a pending order.
    ///
    /// # Errors
    /// The order is not payable any more, the channel does not exist, or too many were tried.
    pub async fn pay_again(&self, id: OrderId, channel: &str, by: By) -> Result<Created, ShopError> {
        for _ in 0..5 {
            let order = self.store.order(id).await?.ok_or(ShopError::NotFound("order"))?;
            self.channel_for(channel, order.amount.currency)?;
            let next = order.attempts.len() as u16 + 1;
            if next > self.limits.order_attempts {
                let most = self.limits.order_attempts.into();
                let at = self.store.now();
                return Err(ShopError::Limited(Reached { limit: Limit::WaysToPay, most, until: None, at }));
            }
            let due = Due { channel: channel.to_owned(), amount: order.amount };
            match self.store.attempt(id, AttemptNo::number(next), &due).await? {
                Some(true) => {
                    let order = self.store.order(id).await?.ok_or(ShopError::NotFound("order"))?;
                    return self.begin(order, AttemptNo::number(next), by).await;
                }
                Some(false) => return Err(ShopError::Conflict("this order cannot be paid any more".to_owned())),
                None => {}
            }
        }
        Err(ShopError::Conflict("others change this order: try again".to_owned()))
    }

    /// The newest way to pay a pending order that leads anywhere, with its channel: a gateway may not have opened the one
    /// behind it.
    #[must_use]
    pub fn way<'a>(&self, order: &'a Order) -> Option<(Created, &'a str)> {
        let mut ways = order.attempts.iter().rev().filter(|_| order.state == OrderState::Pending);
        ways.find_map(|attempt| Some((self.created(order, attempt.no).ok()?, attempt.due.channel.as_str())))
    }

    /// The buyer goes to pay: by what was opened, while it leads to a payment from that address; else it is opened now.
    ///
    /// # Errors
    /// As [`Shop::pay_again`], or the gateway opens nothing.
    pub async fn go_and_pay(&self, order: &Order, channel: &str, from: IpAddr) -> Result<Created, ShopError> {
        let Some((way, _)) = self.way(order).filter(|(_, of)| *of == channel) else {
            return self.pay_again(order.id, channel, By::Click(from)).await;
        };
        let attempt = way.payment_no.parse::<PaymentNo>().map_err(|_| ShopError::NotFound("attempt"))?.attempt;
        match order.opening(attempt) {
            _ if way.pay.is_some() && self.is_for(order, attempt, channel, from) => Ok(way),
            // One that was never opened is no second way to pay.
            None => self.begin(order.clone(), attempt, By::Click(from)).await,
            Some(_) => self.pay_again(order.id, channel, By::Click(from)).await,
        }
    }

    /// Whether what an attempt was opened with can be paid from that address.
    fn is_for(&self, order: &Order, attempt: AttemptNo, channel: &str, from: IpAddr) -> bool {
        let kept = order.opening(attempt).and_then(|opened| Kept::read(&opened.step));
        self.opens(channel).wants != Wants::Buyer || kept.is_some_and(|kept| kept.from == Some(self.mark(from)))
    }

    /// By what an address is known again, without being kept.
    fn mark(&self, address: IpAddr) -> String {
        HEXLOWER.encode(&self.vault.index("click", &address.to_string())[..8])
    }

    /// How a channel's attempts are opened.
    #[must_use]
    pub fn opens(&self, channel: &str) -> Opens {
        self.channels.terms(channel).map_or(Opens::ONCE, |terms| terms.opens)
    }

    /// Opens an attempt: where the gateway has to be asked, its answer is kept with the order. One that is for the buyer's own
    /// address waits for the click.
    async fn begin(&self, mut order: Order, attempt: AttemptNo, by: By) -> Result<Created, ShopError> {
        let due = due_of(&order, attempt)?;
        let opens = self.opens(&due.channel);
        let from = match (by, opens.wants) {
            (By::Click(address), _) => Some(address),
            (By::Asker(None), Wants::Asker) | (By::Asker(_), Wants::Buyer) => return self.created(&order, attempt),
            (By::Asker(address), _) => address,
        };
        let mut addresses = self.addresses(&order, &due.channel, attempt);
        addresses.client_ip = from.map(|address| address.to_string()).unwrap_or_default();
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
        let until = opens.lives_ms.map(|lives| self.store.now() + lives);
        let kept = Kept { step, until, from: from.filter(|_| opens.wants == Wants::Buyer).map(|at| self.mark(at)) };
        let step = if fresh { String::new() } else { serde_json::to_string(&kept).unwrap_or_default() };
        let opened = Opened { reference: reference.unwrap_or_default(), step };
        if !self.store.open(order.id, attempt, &opened).await? {
            return Err(ShopError::Conflict("this order cannot be paid any more".to_owned()));
        }
        if let Some(known) = order.attempts.iter_mut().find(|known| known.no == attempt) {
            known.opened = Some(opened);
        }
        self.created(&order, attempt)
    }

    /// No way to pay: an operator hears of it, once in five minutes for each channel.
    fn not_opened(&self, channel: &str, why: &str) -> ShopError {
        let why = printable(why, 300);
        tracing::warn!(channel, why, "A gateway opened no payment.");
        if self.is_news(&format!("{channel} not opened"), 300_000) {
            self.incident(IncidentNote {
                channel,
                advice: &format!("Its gateway opened no payment, and the buyer had to choose another way: {why}. `kamid channel test {channel} --open` tries it."),
                status: 502,
                ..IncidentNote::new(Reason::PaymentNotOpened)
            });
        }
        ShopError::Gateway(format!("channel {channel}: {why}"))
    }

    fn addresses(&self, order: &Order, channel: &str, attempt: AttemptNo) -> Addresses {
        Addresses {
            number: PaymentNo { order: order.id, attempt }.to_string(),
            notify_url: self.site.notify_url(channel),
            return_url: self.site.return_url(order.id),
            client_ip: String::new(),
        }
    }

    /// How an attempt of an order is paid.
    fn created(&self, order: &Order, attempt: AttemptNo) -> Result<Created, ShopError> {
        let due = due_of(order, attempt)?;
        let addresses = self.addresses(order, &due.channel, attempt);
        let opened = order.opening(attempt);
        let kept = opened.filter(|opened| !opened.step.is_empty());
        let unopened = || ShopError::Conflict("the gateway did not open this attempt: try to pay again".to_owned());
        let mut ages_ms = None;
        let pay = match kept {
            Some(opened) => {
                let kept =
                    Kept::read(&opened.step).filter(|kept| kept.step.refused().is_none()).ok_or_else(unopened)?;
                ages_ms = kept.until.map(|until| until.saturating_sub(self.store.now()));
                Some(kept.step).filter(|_| ages_ms != Some(0))
            }
            None => {
                match self.channel(&due.channel)?.checkout(&addresses.checkout(order, due), &[], self.store.now()) {
                    Begin::Step(step, _) => Some(step),
                    Begin::Ask(_) if self.opens(&due.channel).wants != Wants::Nobody => None,
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
            ages_ms: ages_ms.filter(|left| *left > 0),
            reference: opened.map(|opened| opened.reference.clone()).unwrap_or_default(),
        })
    }
}

/// How an attempt is paid, as it is kept with its order.
#[derive(Serialize, Deserialize)]
struct Kept {
    #[serde(flatten)]
    step: Step,
    /// Until when it surely leads to a payment, where its kind's do not live as long as the order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Millis>,
    /// The mark of the only address that it can be paid from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<String>,
}

impl Kept {
    fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

fn due_of(order: &Order, attempt: AttemptNo) -> Result<&Due, ShopError> {
    order.attempt(attempt).map(|attempt| &attempt.due).ok_or(ShopError::NotFound("attempt"))
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

fn invalid(field: &'static str, message: &str) -> ShopError {
    ShopError::Invalid { field, message: message.to_owned() }
}
