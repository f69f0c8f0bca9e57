//! What others look at: orders, payments, what operators did, the audit. It changes nothing but the trail.

use std::collections::HashSet;

use crate::domain::order::PaymentRecord;
use crate::domain::{AuditReport, Deed, Millis, Order, OrderId, Product, Progress, ReviewKind, Stock};
use crate::shop::{Shop, ShopError};
use crate::store::Look;

/// Later than any order expires.
const LAST: Millis = u64::MAX >> 12;

impl Shop {
    /// Milliseconds since the epoch, by Redis' clock.
    #[must_use]
    pub fn now(&self) -> Millis {
        self.store.now()
    }

    /// The order of that number.
    ///
    /// # Errors
    /// There is none, or Redis does not answer.
    pub async fn order_of(&self, id: OrderId) -> Result<Order, ShopError> {
        self.known_order(id).await?.ok_or(ShopError::NotFound("order"))
    }

    /// The same, if there is one.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn known_order(&self, id: OrderId) -> Result<Option<Order>, ShopError> {
        Ok(self.store.order(id).await?)
    }

    /// Those of several numbers that there are.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn orders_of(&self, ids: &[OrderId]) -> Result<Vec<Order>, ShopError> {
        Ok(self.store.orders(ids).await?.into_iter().flatten().collect())
    }

    /// Several orders, each with its payments at one moment.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn looks(&self, ids: &[OrderId]) -> Result<Vec<Look>, ShopError> {
        Ok(self.store.looks(ids).await?)
    }

    /// The payments that stand with an order.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn payments_of(&self, order: OrderId) -> Result<Vec<PaymentRecord>, ShopError> {
        Ok(self.store.payments(order.as_str()).await?)
    }

    /// The payments of a channel in a time; `None`: they are more than `most`. Every record of the shop is looked at.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn payments_between(
        &self,
        channel: &str,
        (from, until): (Millis, Millis),
        most: usize,
    ) -> Result<Option<Vec<PaymentRecord>>, ShopError> {
        Ok(self.store.payments_between(channel, from, until, most).await?)
    }

    /// The orders of a time that nobody is known to have paid; `None`: they are more than `most`.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn unpaid_between(
        &self,
        (from, until): (Millis, Millis),
        most: usize,
    ) -> Result<Option<Vec<Order>>, ShopError> {
        Ok(self.store.unpaid_between(from, until, most).await?)
    }

    /// The orders of a contact, newest first.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn orders_of_contact(&self, contact: &str) -> Result<Vec<OrderId>, ShopError> {
        Ok(self.store.orders_of_contact(self.vault.index("contact", contact.trim())).await?)
    }

    /// What a channel's account is called; empty where the channel alone is the account.
    #[must_use]
    pub fn account_of(&self, channel: &str) -> &str {
        self.store.accounts.name(channel)
    }

    /// Orders that are not paid yet, at most `most` of each slot.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn pending(&self, most: usize) -> Result<Vec<OrderId>, ShopError> {
        Ok(self.store.due(LAST, most).await?)
    }

    /// Orders that wait for a person.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn held(&self, most: usize) -> Result<Vec<OrderId>, ShopError> {
        let items = self.store.review(most).await?;
        Ok(items.iter().filter(|item| item.kind == ReviewKind::Held).filter_map(|item| item.id.parse().ok()).collect())
    }

    /// Orders that wait for stock, oldest first in each product, at most `most` of each.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn owed(&self, most: usize) -> Result<Vec<OrderId>, ShopError> {
        let catalog = self.catalog();
        let products: Vec<_> = catalog.values().collect();
        Ok(self.store.owed(&products, most).await?)
    }

    /// Orders that something happened to, the last one first; `most` events are looked at.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn recent(&self, most: usize) -> Result<Vec<OrderId>, ShopError> {
        let (mut seen, events) = (HashSet::new(), self.store.recent(most).await?);
        let ids = events.iter().filter_map(|event| event.order.parse().ok());
        Ok(ids.filter(|id: &OrderId| seen.insert(*id)).collect())
    }

    /// A product's numbers as they are in Redis now.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn stock_of(&self, product: &Product) -> Result<Stock, ShopError> {
        Ok(self.store.stock(product).await?)
    }

    /// Counts everything again; `progress` hears how far it is.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn audit(&self, progress: Progress<'_>) -> Result<AuditReport, ShopError> {
        let sound = |sealed: &[u8]| self.vault.is_sound(sealed);
        Ok(self.store.audit(&sound, progress).await?)
    }

    /// What operators did, the last first.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn deeds(&self, most: usize) -> Result<Vec<Deed>, ShopError> {
        Ok(self.store.deeds(most).await?)
    }

    /// The id of a new line of the trail.
    #[must_use]
    pub fn new_line(&self) -> String {
        self.store.new_line()
    }

    /// Writes down what an operator did.
    ///
    /// # Errors
    /// Redis cannot do it.
    pub async fn add_deed(&self, deed: &Deed, line: &mut String) -> Result<(), ShopError> {
        Ok(self.store.add_deed(deed, line).await?)
    }
}
