//! The daemon under load: found, guarded, and given products, keys and orders over its admin HTTP.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Deserialize;

use super::HammerError;
use super::mix::{RequestKind, VisitKind};
use crate::channel::{Channel, Channels, SANDBOX};
use crate::client::Client;
use crate::domain::{
    Action, Currency, Millis, Money, Note, OrderId, Payment, PaymentNo, ProductPatch, Progress, Slot, Take, Wanted,
};
use crate::process::now;
use crate::wire::orders::{OrderMadeBrief, OrderWish, OrdersMade, Several};
use crate::wire::products::{ImportWish, NewProduct};
use crate::wire::{
    ActOnOrder, AddProduct, ImportKeys, ListChannels, MakeOrders, Nothing, Raw, SetProduct, ShowInfo, ShowOrder, With,
};

/// Orders made by one request.
const BATCH: usize = 500;
/// Such requests under way at once.
const BATCHES: usize = 4;
/// Keys in one import request.
const KEYS: u64 = 5_000;

/// How long after a run its product goes off sale by itself: longer than orders take to be made ready.
const AFTER: Duration = Duration::from_secs(7200);

/// What the user allows and wants.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// Channel to pay through; the only one, or the sandbox, where left out.
    pub channel: Option<String>,
    /// Keys in each order.
    pub quantity: u32,
    /// Keys imported; enough for every order where left out.
    pub stock: Option<u64>,
    /// The user said that real money may be touched.
    pub live: bool,
    /// The user said that the daemon may be elsewhere.
    pub remote: bool,
    /// What chance begins with.
    pub seed: u64,
    /// How long the run is to last: its product goes off sale by itself some time later, whatever becomes of the run.
    pub lasts: Duration,
    /// The run's product, as soon as there may be one: whoever ends a preparation takes it off sale.
    pub made: Arc<OnceLock<String>>,
}

/// An order of the run, as far as paying it and looking at it goes.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Made {
    pub payment_no: String,
    pub amount_minor: i64,
    pub currency: Currency,
    #[serde(default)]
    pub token: String,
    /// What its attempt was opened with; its buyer is not told.
    #[serde(default)]
    pub reference: String,
}

impl From<OrderMadeBrief> for Made {
    fn from(made: OrderMadeBrief) -> Self {
        let OrderMadeBrief { payment_no, amount_minor, currency, token, reference, .. } = made;
        Self { payment_no, amount_minor, currency: Currency::foreign(&currency), token, reference }
    }
}

/// What a channel's callbacks carry of a payment beside a number of the gateway's, as its forgeries show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Carries {
    /// What its attempt was opened with. Where they do not, and attempts are opened with something, that is the gateway's
    /// number of the payment.
    pub reference: bool,
    /// How much came.
    pub amount: bool,
}

impl Carries {
    fn of(gateway: &dyn Channel) -> Self {
        let now = now();
        let forged = |reference: &str, minor| {
            let paid = Money { minor, currency: Currency::CNY };
            let payment = Payment { reference: Some(reference.to_owned()), ..Payment::new("N", "T", paid, "") };
            gateway.forge(&payment, now)
        };
        let one = forged("A", 1);
        Self { reference: forged("B", 1) != one, amount: forged("A", 2) != one }
    }
}

/// A prepared target.
#[derive(Clone)]
pub struct Prepared {
    /// Its public listener.
    pub address: SocketAddr,
    /// Its admin side.
    pub client: Client,
    /// The run's own product.
    pub product: String,
    /// Keys in each order.
    pub quantity: u32,
    /// Keys that were imported.
    pub keys: u64,
    /// The channel's name.
    pub channel: Arc<str>,
    pub(super) gateway: Arc<dyn Channel>,
    pub(super) carries: Carries,
    /// Whether attempts are opened with anything; known from the first buyer's order on.
    opened: Arc<OnceLock<bool>>,
    pub(super) run: Arc<str>,
    /// A place for the order of each visit: taken before the run, or by the buyer who makes it.
    orders: Arc<Vec<OnceLock<Made>>>,
}

impl Prepared {
    /// Checks the daemon against the guard, then makes what the visits need: a product with keys, and their orders.
    ///
    /// # Errors
    /// The guard refuses, a channel is missing, or the daemon does.
    pub async fn prepare(
        client: Client,
        channels: &Channels,
        wish: &RunOptions,
        visits: &[VisitKind],
        progress: Progress<'_>,
    ) -> Result<Self, HammerError> {
        let info = client.call::<ShowInfo>((), &Nothing).await?.known;
        let public = info.public.unwrap_or_default();
        if !info.test && !wish.live {
            return Err(HammerError::Live(public));
        }
        let address = public_address(&public, client.base()).await?;
        if !address.ip().is_loopback() && !wish.remote {
            return Err(HammerError::Remote(format!("http://{address}")));
        }
        let (channel, gateway) = gateway(channels, wish.channel.as_deref())?;
        let known = client.call::<ListChannels>((), &Nothing).await?.known.channels;
        let known: Vec<&str> = known.iter().map(|channel| channel.name.as_str()).collect();
        if !known.contains(&channel.as_str()) {
            return Err(HammerError::Wrong(format!(
                "the daemon has no channel {channel:?}, but {}: give hammer the daemon's own --config, and --channel",
                known.join(", ")
            )));
        }
        let carries = Carries::of(gateway.as_ref());
        if !carries.amount && visits.iter().any(|kind| kind.requests().contains(&RequestKind::Less)) {
            return Err(HammerError::Wrong(format!(
                "callbacks of channel {channel:?} carry no amount, so none can be wrong: leave wrong-amount and out-of-order out of --mix"
            )));
        }
        let (made, wanted) =
            (count(visits, VisitKind::has_order), count(visits, |kind| kind.has_order() || kind.orders()));
        let run = format!("{:08x}", fastrand::Rng::with_seed(wish.seed ^ now()).u32(..));
        let mut target = Self {
            address,
            client,
            product: format!("hammer-{run}"),
            quantity: wish.quantity,
            keys: wish.stock.unwrap_or(wanted * u64::from(wish.quantity)),
            channel: channel.into(),
            gateway,
            carries,
            opened: Arc::default(),
            run: run.into(),
            orders: Arc::new(Vec::new()),
        };
        let _first = wish.made.set(target.product.clone());
        if let Err(error) = target.fill(made, visits, wish.lasts, progress).await {
            target.retire().await;
            return Err(error);
        }
        Ok(target)
    }

    async fn fill(
        &mut self,
        made: u64,
        visits: &[VisitKind],
        lasts: Duration,
        progress: Progress<'_>,
    ) -> Result<(), HammerError> {
        self.stock(made, lasts, progress).await?;
        self.orders = Arc::new(self.make_orders(visits, progress).await?);
        self.expire(visits, progress).await
    }

    /// The run's product is not for sale any more, if the daemon answers; says whether.
    pub(super) async fn retire(&self) -> bool {
        retire(&self.client, &self.product).await
    }

    /// A product whose orders outlive the run, and its keys. With fewer keys than orders that are made beforehand, it
    /// reserves nothing; a buyer's order reserves, or hears that there is not enough.
    async fn stock(&self, orders: u64, lasts: Duration, progress: Progress<'_>) -> Result<(), HammerError> {
        let keys = self.keys;
        let patch = ProductPatch {
            name: Some("kamid hammer".to_owned()),
            price: Some("9.90".to_owned()),
            take: Some(if keys < orders * u64::from(self.quantity) { Take::Payment } else { Take::Order }),
            per_order: Some(self.quantity.max(1)),
            expires_minutes: Some(1440),
            sale_until: Some(now() + (lasts + AFTER).as_millis() as Millis),
            ..ProductPatch::default()
        };
        self.client.call::<AddProduct>((), &NewProduct { id: self.product.clone(), patch }).await?;
        for first in (0..keys).step_by(KEYS as usize) {
            progress("importing keys", first, keys);
            let lines = (first..keys.min(first + KEYS)).map(|n| format!("HAMMER-{}-{n:010}\n", self.run));
            let wish = With { query: ImportWish::default(), body: Raw(lines.collect::<String>().into_bytes()) };
            self.client.call::<ImportKeys>(self.product.as_str(), &wish).await?;
        }
        Ok(())
    }

    /// One order for each visit; a made-up number where there must be none, and an empty place where a buyer makes it.
    async fn make_orders(
        &self,
        visits: &[VisitKind],
        progress: Progress<'_>,
    ) -> Result<Vec<OnceLock<Made>>, HammerError> {
        let wanted = visits.iter().filter(|kind| kind.has_order()).count();
        // Orders are made without stock too where the product takes at payment; that needs some stock to begin with.
        let wish = Wanted {
            product: self.product.clone(),
            quantity: self.quantity,
            contact: "hammer".to_owned(),
            channel: Some(self.channel.to_string()),
        };
        let sizes: Vec<usize> = (0..wanted).step_by(BATCH).map(|at| BATCH.min(wanted - at)).collect();
        let total = sizes.len() as u64;
        let ask = |(at, size): (usize, usize)| {
            let several = With { query: Several { count: Some(size) }, body: wish.clone() };
            let client = &self.client;
            async move {
                progress("making orders", at as u64, total);
                client.call::<MakeOrders>((), &several).await.map(|answer| answer.known)
            }
        };
        let answers: Vec<OrdersMade> =
            stream::iter(sizes.into_iter().enumerate()).map(ask).buffered(BATCHES).try_collect().await?;
        let mut made = answers.into_iter().flat_map(|answer| match answer {
            OrdersMade::Several { orders } => orders,
            OrdersMade::One(_) => Vec::new(),
        });
        let mut chance = fastrand::Rng::with_seed(self.seed());
        let too_few = || HammerError::Wrong("the daemon made too few orders".to_owned());
        let mut each = Vec::with_capacity(visits.len());
        for kind in visits {
            let mut stranger = || Made {
                payment_no: format!("{}01", OrderId::new(Slot::new(chance.u8(..)), now(), chance.u128(..))),
                amount_minor: 990,
                currency: Currency::CNY,
                token: String::new(),
                reference: String::new(),
            };
            let made = match kind {
                _ if kind.orders() => None,
                _ if kind.has_order() => Some(made.next().ok_or_else(too_few)?.into()),
                _ => Some(stranger()),
            };
            each.push(made.map_or_else(OnceLock::new, OnceLock::from));
        }
        Ok(each)
    }

    fn seed(&self) -> u64 {
        u64::from_str_radix(&self.run, 16).unwrap_or(0)
    }

    /// The orders that are to be paid late expire now.
    async fn expire(&self, visits: &[VisitKind], progress: Progress<'_>) -> Result<(), HammerError> {
        let late: Vec<usize> =
            visits.iter().enumerate().filter(|(_, kind)| **kind == VisitKind::Late).map(|(at, _)| at).collect();
        let total = late.len() as u64;
        let ask = |(done, visit): (usize, usize)| async move {
            progress("letting orders expire", done as u64, total);
            let which = (self.order(visit).unwrap_or_default().to_owned(), Action::Expire);
            let note = Note { reason: "hammer: to be paid late".to_owned(), ..Note::default() };
            self.client.call::<ActOnOrder>(which, &note).await.map(drop)
        };
        stream::iter(late.into_iter().enumerate()).map(ask).buffer_unordered(16).try_collect::<Vec<()>>().await?;
        Ok(())
    }

    /// The order of a visit; `None` where its buyer has none (yet).
    pub(super) fn made(&self, visit: usize) -> Option<&Made> {
        self.orders.get(visit)?.get()
    }

    /// A buyer has an order. Its gateway knows what it was opened with, if anything; an operator is asked for that.
    pub(super) async fn remember(&self, visit: usize, mut made: Made) {
        if self.opened.get() != Some(&false)
            && let Ok(order) = self.client.call::<ShowOrder>(made.payment_no.as_str(), &OrderWish::default()).await
        {
            let opened = order.attempts.first().and_then(|attempt| attempt.reference.as_deref());
            opened.unwrap_or_default().clone_into(&mut made.reference);
            self.opened.get_or_init(|| !made.reference.is_empty());
        }
        if let Some(place) = self.orders.get(visit) {
            // A visit orders once: its place is free.
            let _first = place.set(made);
        }
    }

    /// The order number of a visit.
    #[must_use]
    pub fn order(&self, visit: usize) -> Option<&str> {
        Some(PaymentNo::order_part(&self.made(visit)?.payment_no))
    }
}

/// Where the public listener is, as seen from here: a daemon elsewhere may call its own machine's loopback its address.
async fn public_address(public: &str, admin: &str) -> Result<SocketAddr, HammerError> {
    let wrong = |url: &str| HammerError::Wrong(format!("{url} is no plain HTTP address"));
    let named: SocketAddr =
        public.strip_prefix("http://").and_then(|rest| rest.parse().ok()).ok_or_else(|| wrong(public))?;
    let host = admin.strip_prefix("http://").map(|rest| rest.split('/').next().unwrap_or(rest));
    let host = host.ok_or_else(|| wrong(admin))?;
    let admin = tokio::net::lookup_host(host).await.ok().and_then(|mut all| all.next()).ok_or_else(|| wrong(admin))?;
    if admin.ip().is_loopback() || !named.ip().is_loopback() {
        return Ok(named);
    }
    Ok(SocketAddr::new(admin.ip(), named.port()))
}

/// Takes a run's product off sale, if the daemon answers; says whether.
pub async fn retire(client: &Client, product: &str) -> bool {
    let patch = ProductPatch { retired: Some(true), ..ProductPatch::default() };
    client.call::<SetProduct>(product, &patch).await.is_ok()
}

fn count(visits: &[VisitKind], which: impl Fn(VisitKind) -> bool) -> u64 {
    visits.iter().filter(|kind| which(**kind)).count() as u64
}

fn gateway(channels: &Channels, wanted: Option<&str>) -> Result<(String, Arc<dyn Channel>), HammerError> {
    let names: Vec<&str> = channels.list().map(|(name, _)| name).collect();
    let name = match (wanted, names.as_slice()) {
        (Some(name), _) => name,
        (None, [only]) => only,
        (None, all) if all.contains(&SANDBOX.name) => SANDBOX.name,
        (None, all) => {
            return Err(HammerError::Wrong(format!("say which channel with --channel: {}", all.join(", "))));
        }
    };
    let gateway = channels.get(name).cloned();
    let gateway = gateway.ok_or_else(|| {
        HammerError::Wrong(format!("there is no channel {name:?} in this configuration; known: {}", names.join(", ")))
    })?;
    Ok((name.to_owned(), gateway))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_daemon_elsewhere_is_not_looked_for_here() {
        let of = |public: &'static str, admin: &'static str| async move {
            public_address(public, admin).await.map(|address| address.to_string()).ok()
        };
        let here = "http://127.0.0.1:8080";
        assert_eq!(of(here, "http://127.0.0.1:9180").await.as_deref(), Some("127.0.0.1:8080"));
        assert_eq!(of(here, "http://10.0.0.5:9180").await.as_deref(), Some("10.0.0.5:8080"));
        assert_eq!(of("http://10.0.0.6:80", "http://10.0.0.5:9180").await.as_deref(), Some("10.0.0.6:80"));
        assert_eq!(of(here, "https://10.0.0.5:9180").await, None);
    }
}
