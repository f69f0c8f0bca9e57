//! What operators did: a stream of the catalogue's slot, the newest ten thousand or so.

use redis::Value;

use super::script::{items_of, text_of};
use super::{At, Store, StoreError, orders};
use crate::domain::Deed;

/// Entries kept, about.
const MOST: usize = 10_000;

fn read(entry: &Value) -> Option<Deed> {
    let [id, pairs] = items_of(entry) else { return None };
    let mut deed = Deed { at: text_of(id)?.split('-').next()?.parse().ok()?, ..Deed::default() };
    for (name, value) in orders::fields(pairs) {
        let text = text_of(value).unwrap_or_default();
        match name.as_str() {
            "by" => deed.by = text,
            "what" => deed.what = text,
            "on" => deed.on = text,
            "change" => deed.change = text,
            "reason" => deed.reason = text,
            "result" => deed.result = text,
            _ => {}
        }
    }
    Some(deed)
}

impl Store {
    /// Adds to the trail.
    ///
    /// # Errors
    /// Redis cannot do it.
    pub async fn add_deed(&self, deed: &Deed) -> Result<(), StoreError> {
        let mut cmd = redis::cmd("XADD");
        cmd.arg(self.names.trail()).arg("MAXLEN").arg("~").arg(MOST).arg("*");
        for (name, text) in [
            ("by", &deed.by),
            ("what", &deed.what),
            ("on", &deed.on),
            ("change", &deed.change),
            ("reason", &deed.reason),
            ("result", &deed.result),
        ] {
            cmd.arg(name).arg(text);
        }
        self.ask::<String>(At::Catalog, &cmd).await.map(drop)
    }

    /// The newest of the trail, newest first.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn deeds(&self, most: usize) -> Result<Vec<Deed>, StoreError> {
        let mut cmd = redis::cmd("XREVRANGE");
        cmd.arg(self.names.trail()).arg("+").arg("-").arg("COUNT").arg(most);
        let answer: Value = self.ask(At::Catalog, &cmd).await?;
        Ok(items_of(&answer).iter().filter_map(read).collect())
    }
}
