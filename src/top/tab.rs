//! The names of panes, by which those point at one that know none: an alarm says where to look, a key where to go.

use crate::domain::ShownIn;

/// The name of a pane; its place among the others is that of its row in [`PANES`](super::pane::PANES).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tab(&'static str);

impl Tab {
    /// What the dashboard begins with.
    pub const OVERVIEW: Self = Self::named("overview");
    /// Products and their stock.
    pub const STOCK: Self = Self::named("stock");
    /// Failed callbacks.
    pub const FAILED: Self = Self::named("failed");
    /// Orders that were found, or delivered just now.
    pub const ORDERS: Self = Self::named("orders");
    /// What waits for a person.
    pub const REVIEW: Self = Self::named("review");
    /// What buyers and operators were told.
    pub const NOTICES: Self = Self::named("notices");
    /// The daemons.
    pub const INSTANCES: Self = Self::named("instances");

    /// The pane of that name.
    #[must_use]
    pub const fn named(name: &'static str) -> Self {
        Self(name)
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0
    }
}

impl Default for Tab {
    fn default() -> Self {
        Self::OVERVIEW
    }
}

/// Where reasons are shown.
impl From<ShownIn> for Tab {
    fn from(tab: ShownIn) -> Self {
        match tab {
            ShownIn::Failed => Self::FAILED,
            ShownIn::Review => Self::REVIEW,
            ShownIn::Notices => Self::NOTICES,
            ShownIn::Instances => Self::INSTANCES,
        }
    }
}
