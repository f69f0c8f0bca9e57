//! Audit
use super::{Store, StoreError};
impl Store {
    pub async fn audit(&self) -> Result<serde_json::Value, StoreError> {
        Ok(serde_json::Value::Null)
    }
}
