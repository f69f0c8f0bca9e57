//! Where buyers and gateways find this shop.

use std::sync::OnceLock;

use crate::domain::OrderId;
use crate::shop::Shop;

/// The addresses of this shop, and whether it is a trial.
pub(super) struct Site {
    /// What buyers and gateways call.
    pub public_url: String,
    /// Test mode.
    pub test: bool,
    /// Where our own public listener is, for callbacks of our own.
    pub own_url: OnceLock<String>,
}

impl Site {
    pub(super) fn new(public_url: String, test: bool) -> Self {
        Self { public_url, test, own_url: OnceLock::new() }
    }

    /// Where a channel's callbacks come to.
    pub(super) fn notify_url(&self, channel: &str) -> String {
        format!("{}{}", self.public_url, notify_path(channel))
    }

    /// Where a buyer comes back to from the gateway.
    pub(super) fn return_url(&self, order: OrderId) -> String {
        format!("{}/r/{order}", self.public_url)
    }
}

/// The path of a channel's callbacks.
pub(super) fn notify_path(channel: &str) -> String {
    format!("/pay/{channel}/notify")
}

impl Shop {
    /// What buyers and gateways call.
    #[must_use]
    pub fn public_url(&self) -> &str {
        &self.site.public_url
    }

    /// Where our own public listener is.
    #[must_use]
    pub fn own_url(&self) -> Option<&str> {
        self.site.own_url.get().map(String::as_str)
    }

    /// Tells where our own public listener is.
    pub fn listens_at(&self, url: &str) {
        let _stands = self.site.own_url.set(url.to_owned());
    }

    /// Where a channel's callbacks come to.
    #[must_use]
    pub fn notify_url(&self, channel: &str) -> String {
        self.site.notify_url(channel)
    }

    /// An order's page, with the token that opens it.
    #[must_use]
    pub fn page(&self, order: OrderId) -> String {
        format!("{}/o/{order}?token={}", self.site.public_url, self.token(order))
    }

    /// Whether buyers reach us through TLS alone.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.site.public_url.starts_with("https")
    }

    /// Whether this is test mode.
    #[must_use]
    pub fn is_test(&self) -> bool {
        self.site.test
    }

    /// Whether this is test mode where others than those who try it may come: the world calls it, or a real gateway does.
    #[must_use]
    pub fn loud(&self) -> bool {
        let url = &self.site.public_url;
        let world = url.starts_with("https://") && !crate::config::is_local(url);
        self.site.test && (world || self.channels.real().next().is_some())
    }
}
