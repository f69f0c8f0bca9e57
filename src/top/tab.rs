//! The names of panes, by which those point at one that know none: an alarm says where to look, a key where to go.

use crate::domain::ShownIn;

/// The name of a pane; its place among the others is that of its row in [`PANES`](super::pane::PANES).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tab(&'static str);

/// Makes the names that others point at out of their rows.
macro_rules! pointed_at {
    ($( $(#[$doc:meta])* $name:ident $word:literal; )*) => {
        impl Tab {
            $( $(#[$doc])* pub const $name: Self = Self::named($word); )*

            /// Every one that something points at: each is a pane's, or what points there leads to the overview.
            pub const POINTED_AT: &[Self] = &[$( Self::$name, )*];
        }
    };
}

pointed_at! {
    /// What the dashboard begins with.
    OVERVIEW "overview";
    /// Products and their stock.
    STOCK "stock";
    /// Failed callbacks.
    FAILED "failed";
    /// Orders that were found, or delivered just now.
    ORDERS "orders";
    /// What waits for a person.
    REVIEW "review";
    /// Notices to buyers and operators.
    NOTICES "notices";
    /// The daemons.
    INSTANCES "instances";
}

impl Tab {
    /// The pane of that name. A pane that nothing points at names itself so; what others point at has a row above.
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
