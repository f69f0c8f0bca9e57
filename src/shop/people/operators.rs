//! Operators: their tokens are made here, known by a keyed hash alone, and shared by all instances through Redis.

use std::sync::Arc;

use data_encoding::HEXLOWER;
use zeroize::Zeroizing;

use crate::domain::{Millis, Operator, Role};
use crate::shop::{Shop, ShopError};
use crate::store::{Added, StoreError};
use crate::vault::{new_token, same_secret};

/// Operators beside the root, at most.
const MOST: usize = 100;

/// An operator and what its token is known by.
#[derive(Debug, Clone)]
pub struct KnownOperator {
    /// Who.
    pub operator: Operator,
    /// Since when.
    pub created: Millis,
    hash: String,
}

impl KnownOperator {
    /// `role|created|hash`
    fn read(name: &str, record: &str) -> Option<Self> {
        let mut parts = record.splitn(3, '|');
        let operator = Operator::new(name, parts.next()?.parse().ok()?)?;
        Some(Self { operator, created: parts.next()?.parse().ok()?, hash: parts.next()?.to_owned() })
    }

    fn record(&self) -> String {
        format!("{}|{}|{}", self.operator.role.as_str(), self.created, self.hash)
    }
}

impl Shop {
    fn token_hash(&self, token: &str) -> String {
        HEXLOWER.encode(&self.vault.index("operator", token))
    }

    /// Whose token that is, as this instance knows them (at most about a second old, or as old as Redis is away).
    #[must_use]
    pub fn operator(&self, token: &str) -> Option<Operator> {
        let hash = self.token_hash(token);
        self.operators.get().iter().find(|known| same_secret(&known.hash, &hash)).map(|known| known.operator.clone())
    }

    /// Since when an operator has the token that they have now, as this instance knows it; `None`: they have none. The root's
    /// is not kept here.
    #[must_use]
    pub fn token_since(&self, operator: &Operator) -> Option<Millis> {
        if *operator == Operator::root() {
            return Some(0);
        }
        self.operators.get().iter().find(|known| known.operator == *operator).map(|known| known.created)
    }

    /// Every operator beside the root, by name.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn list_operators(&self) -> Result<Arc<Vec<KnownOperator>>, StoreError> {
        self.operators.read(self.read_operators()).await
    }

    pub(in crate::shop) async fn read_operators(&self) -> Result<Vec<KnownOperator>, StoreError> {
        let records = self.store.operators().await?;
        Ok(records.iter().filter_map(|(name, record)| KnownOperator::read(name, record)).collect())
    }

    /// Adds an operator; their token, which stands nowhere else.
    ///
    /// # Errors
    /// A name that is none or taken, or too many.
    pub async fn add_operator(&self, name: &str, role: Role) -> Result<(KnownOperator, Zeroizing<String>), ShopError> {
        let operator = Operator::new(name, role).ok_or_else(|| ShopError::Invalid {
            field: "name",
            message: "1 to 32 characters of a-z, 0-9 and -, and not root".to_owned(),
        })?;
        let token = new_token()?;
        let known = KnownOperator { operator, created: self.store.now(), hash: self.token_hash(&token) };
        match self.store.add_operator(name, &known.record(), MOST).await? {
            Added::Done => {}
            Added::Taken => return Err(ShopError::Conflict("an operator of this name exists".to_owned())),
            Added::Full => return Err(ShopError::Conflict(format!("there are {MOST} operators: remove one"))),
        }
        self.list_operators().await?;
        Ok((known, token))
    }

    /// Removes an operator: their token opens nothing here from now on, and nowhere a second later.
    ///
    /// # Errors
    /// There is none of that name.
    pub async fn remove_operator(&self, name: &str) -> Result<(), ShopError> {
        let removed = self.store.remove_operator(name).await?;
        self.list_operators().await?;
        if removed { Ok(()) } else { Err(ShopError::NotFound("operator")) }
    }
}
