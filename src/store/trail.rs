//! What operators did: a stream of the catalogue's slot, the newest ten thousand or so.

use redis::Value;

use super::script::{items_of, text_of};
use super::{At, Store, StoreError, orders};
use crate::domain::Deed;

/// Entries kept, about.
const MOST: usize = 10_000;
/// Ids that are tried for one line, where others write at the same moment.
const TRIES: usize = 20;
/// What Redis says of an id that is no later than the newest one.
const OVERTAKEN: &str = "equal or smaller";

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
    /// The id of a new line of the trail: whoever writes it again by the same id writes it once.
    #[must_use]
    pub fn new_line(&self) -> String {
        format!("{}-{}", self.now(), fastrand::u32(..))
    }

    /// Adds to the trail under that id, or under a later one where others were quicker. A try of which nobody heard is
    /// not doubled: an id that does not stand once a later one does can never come to stand.
    ///
    /// # Errors
    /// Redis cannot do it.
    pub async fn add_deed(&self, deed: &Deed, line: &mut String) -> Result<(), StoreError> {
        for _ in 0..TRIES {
            match self.add_line(deed, line).await {
                Err(StoreError::Bug(why)) if why.contains(OVERTAKEN) => {}
                done => return done,
            }
            let mut stands = redis::cmd("XRANGE");
            let stands: Value = self.ask(At::Catalog, stands.arg(self.names.trail()).arg(&*line).arg(&*line)).await?;
            if !items_of(&stands).is_empty() {
                return Ok(());
            }
            let newest = self.deeds(1).await?.first().map_or(0, |deed| deed.at);
            *line = format!("{}-{}", self.now().max(newest + 1), fastrand::u32(..));
        }
        Err(StoreError::Unavailable("others write into the trail at the same moment".to_owned()))
    }

    async fn add_line(&self, deed: &Deed, line: &str) -> Result<(), StoreError> {
        let mut cmd = redis::cmd("XADD");
        cmd.arg(self.names.trail()).arg("MAXLEN").arg("~").arg(MOST).arg(line);
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
