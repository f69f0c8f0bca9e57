//! Goods are opened for who may see them.

use zeroize::Zeroizing;

use crate::domain::OrderView;
use crate::domain::text::printable;
use crate::domain::{Order, OrderId, OrderState};
use crate::shop::{Shop, ShopError};
use crate::store::StoreError;

/// What somebody sees of an order by what they know of it.
#[derive(Debug, Clone)]
pub enum Found {
    /// All, by its code.
    Whole(Order),
    /// Its state and amount, by its contact.
    Standing(Order),
}

impl Shop {
    /// The order of that number, by its code or by the contact it was made with. Wrong and missing look alike.
    ///
    /// # Errors
    /// [`ShopError::NotFound`] for both.
    pub async fn find_order(&self, id: &str, given: &str) -> Result<Found, ShopError> {
        let id: OrderId = id.parse().map_err(|_| ShopError::NotFound("order"))?;
        let order = self.store.order(id).await?;
        // As in `order_for`: both are tried, whether there is an order or not.
        let code = self.vault.is_code(id, given);
        let contacts: Vec<_> = self.vault.seals(given.trim().as_bytes()).collect();
        match order {
            Some(order) if code => Ok(Found::Whole(order)),
            Some(order) if contacts.iter().any(|sealed| sealed.0 == order.contact) => Ok(Found::Standing(order)),
            _ => Err(ShopError::NotFound("order")),
        }
    }

    /// The order, if the token is its own. A wrong token and a missing order look alike.
    ///
    /// # Errors
    /// [`ShopError::NotFound`] for both.
    pub async fn order_for(&self, id: &str, token: &str) -> Result<Order, ShopError> {
        let id: OrderId = id.parse().map_err(|_| ShopError::NotFound("order"))?;
        // Both are looked at whatever the first one says, so that the time it takes tells nothing either.
        let order = self.store.order(id).await?;
        let fits = self.vault.is_token(id, token);
        match (order, self.store.doubt()) {
            (Some(order), _) if fits => Ok(order),
            // It may well be an order of the store that was there.
            (None, Some(doubt)) if fits => Err(StoreError::Doubted(doubt).into()),
            _ => Err(ShopError::NotFound("order")),
        }
    }

    /// The keys of a delivered order, opened.
    ///
    /// # Errors
    /// The order has too few copies by now: nobody may see its keys yet. Or a sealed key cannot be opened: it is never left
    /// out in silence.
    pub async fn open(&self, order: &Order) -> Result<Vec<Zeroizing<String>>, ShopError> {
        self.store.secure(order).await?;
        order.keys.iter().map(|key| self.vault.open(key).map_err(ShopError::from)).collect()
    }

    /// What the order's buyer may see.
    ///
    /// # Errors
    /// As [`Shop::open`].
    pub async fn view(&self, order: &Order) -> Result<OrderView, ShopError> {
        let keys = match order.state {
            OrderState::Delivered => Some(self.open(order).await?.iter().map(|key| key.as_str().to_owned()).collect()),
            _ => None,
        };
        Ok(OrderView { keys, ..self.outline(order) })
    }

    /// The same without the keys.
    #[must_use]
    pub fn outline(&self, order: &Order) -> OrderView {
        let name = self.catalog().get(&order.product).map(|product| product.name.clone()).unwrap_or_default();
        OrderView {
            id: order.id.to_string(),
            state: order.state,
            product: order.product.to_string(),
            name,
            quantity: order.quantity,
            amount: order.amount.to_string(),
            amount_minor: order.amount.minor,
            currency: order.amount.currency.to_string(),
            created_at: order.created,
            expires_at: order.expires,
            paid_at: order.paid,
            delivered_at: order.delivered,
            keys: None,
        }
    }

    /// The token that opens an order's page.
    #[must_use]
    pub fn token(&self, order: OrderId) -> String {
        self.vault.token(order)
    }

    /// Whether that is an order's token.
    #[must_use]
    pub fn is_token(&self, order: OrderId, given: &str) -> bool {
        self.vault.is_token(order, given)
    }

    /// The code that shows an order from another browser.
    #[must_use]
    pub fn code(&self, order: OrderId) -> String {
        self.vault.code(order)
    }

    /// A buyer's contact, for the operator.
    #[must_use]
    pub fn contact(&self, order: &Order) -> String {
        self.vault.open(&order.contact).map_or_else(|_| "?".to_owned(), |text| printable(&text, 256))
    }
}
