//! Why a use case did not happen.

use super::goods::sheet::NotKeys;
use crate::domain::Reached;
use crate::store::StoreError;
use crate::vault::VaultError;

/// Why a use case did not happen.
#[derive(Debug, Clone, thiserror::Error)]
#[allow(missing_docs)]
pub enum ShopError {
    #[error("there is no such {0}")]
    NotFound(&'static str),
    #[error("{field}: {message}")]
    Invalid { field: &'static str, message: String },
    #[error("not enough in stock: {0} free")]
    Short(u64),
    #[error("{0}")]
    Limited(Reached),
    #[error("{0}")]
    Conflict(String),
    #[error("no new orders or keys for now: {0}; payments go on")]
    Full(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}")]
    Vault(String),
    #[error("{0}")]
    Gateway(String),
    #[error(transparent)]
    NotKeys(#[from] NotKeys),
}

/// The reason that a person gives for what cannot be undone, without its edges: it must say something.
pub(super) fn given(reason: &str) -> Result<&str, ShopError> {
    let reason = reason.trim();
    if reason.is_empty() {
        return Err(ShopError::Invalid { field: "reason", message: "is missing: say why".to_owned() });
    }
    Ok(reason)
}

impl From<VaultError> for ShopError {
    fn from(error: VaultError) -> Self {
        Self::Vault(error.to_string())
    }
}
