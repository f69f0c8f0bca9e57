//! Looking at the places in Redis, giving them identities, and accepting what is there.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use redis::{Pipeline, Value};

use super::{CATALOG, Ends, EntryId, Finding, Kept, Places, Seen, Server, place_names};
use crate::domain::text::printable;
use crate::domain::{Cause, Doubt, Missing, Slot};
use crate::store::at::{At, Pipe};
use crate::store::link::Link;
use crate::store::preflight::{pairs, pairs_of_info};
use crate::store::script::{items_of, text_of};
use crate::store::{Names, Store, StoreError};

/// What accepting a store came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// What was wrong; nothing was where it is `None`.
    pub doubt: Option<Doubt>,
    /// The catalogue's new identity.
    pub epoch: String,
}

/// An error in the place of an answer, unless it says that there is nothing.
fn refused(value: &Value) -> Option<StoreError> {
    let Value::ServerError(error) = value else { return None };
    let error = redis::RedisError::from(error.clone());
    (!error.detail().is_some_and(|text| text.contains("no such key"))).then(|| error.into())
}

/// The last id that a stream gave, also of an entry that was trimmed.
fn last_generated(value: &Value) -> EntryId {
    pairs(value).get("last-generated-id").and_then(|id| id.parse().ok()).unwrap_or_default()
}

/// What stands at the node of a link: all places, since one node has them.
async fn read(link: &mut Link, names: Names) -> Result<Seen, StoreError> {
    let mut pipe = Pipeline::new();
    for at in At::all() {
        pipe.cmd("GET").arg(names.place(at));
    }
    for slot in Slot::all() {
        pipe.cmd("XINFO").arg("STREAM").arg(names.outbox(slot));
    }
    pipe.cmd("HGETALL").arg(names.accepted());
    pipe.cmd("INFO").arg("server");
    pipe.cmd("INFO").arg("replication");
    let answers = link.run_each(&pipe).await?;
    if let Some(error) = answers.iter().find_map(refused) {
        return Err(error);
    }
    let (ids, rest) = answers.split_at_checked(place_names().count()).unwrap_or_default();
    let (ends, rest) = rest.split_at_checked(Slot::all().count()).unwrap_or_default();
    let [accepted, server, replication] = rest else {
        return Err(StoreError::Damaged("an answer of another shape".to_owned()));
    };
    let ids = place_names().zip(ids).filter_map(|(place, id)| Some((place, text_of(id)?))).collect();
    let ends = Slot::all().zip(ends).map(|(slot, end)| (slot.to_string(), last_generated(end))).collect();
    let next = |text: String| text.split('|').next().unwrap_or_default().to_owned();
    let accepted = pairs(accepted).into_iter().map(|(given_up, record)| (given_up, next(record))).collect();
    let mut info = pairs_of_info(server);
    info.extend(pairs_of_info(replication));
    Ok(Seen { ids, ends, accepted, server: server_of(&info) })
}

fn server_of(info: &BTreeMap<String, String>) -> Server {
    let text = |name: &str| info.get(name).cloned().unwrap_or_default();
    let number = |name: &str| info.get(name).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    let seen = number("server_time_usec") / 1000;
    Server {
        run: text("run_id"),
        replid: text("master_replid"),
        before: text("master_replid2"),
        seen,
        started: seen.saturating_sub(number("uptime_in_seconds") * 1000),
    }
}

/// 128 bits of chance as text.
fn identity() -> Result<String, StoreError> {
    let chance = crate::vault::chance().map_err(|error| StoreError::Unavailable(error.to_string()))?;
    Ok(HEXLOWER.encode(&chance.to_be_bytes()))
}

impl Places {
    /// Compares what is known with what stands in Redis. Says where it ends; `None` where nothing is known.
    pub(in crate::store) async fn look(&self, link: &mut Link, names: Names) -> Result<Option<Ends>, StoreError> {
        let (before, adopted) = self.known();
        if before.places.is_empty() {
            return Ok(None);
        }
        let mut seen = read(link, names).await?;
        if before.doubt.as_ref().is_some_and(|doubt| doubt.cause == Cause::Behind && doubt.run != seen.server.run)
            && self.is_whole(link, names, &before).await?
        {
            self.trust();
        }
        let broken = self.broken_anchors(link, names, &before, &seen).await?;
        if !broken.is_empty() {
            // It may have been emptied between the two: then that is what is wrong.
            seen = read(link, names).await?;
        }
        self.judge((&before, adopted), &seen);
        if !broken.is_empty() {
            let (since, run) = (seen.server.seen, seen.server.run.clone());
            self.doubt_too(Doubt { cause: Cause::Behind, since, run, missing: broken });
        }
        Ok(Some(seen.ends))
    }

    pub(super) fn known(&self) -> (Kept, u64) {
        let state = self.state();
        (state.kept.clone(), state.adopted)
    }

    /// Whether every entry that a doubt says is missing stands there: the right files were brought back.
    async fn is_whole(&self, link: &mut Link, names: Names, before: &Kept) -> Result<bool, StoreError> {
        let missing = before.doubt.iter().flat_map(|doubt| &doubt.missing);
        Ok(!lacks(link, names, missing).await?)
    }

    /// Slots whose outbox went on without the entry that it ended with at the last look: it is another past, although it may
    /// have got further than the mark by now. A server that followed another one is judged by its marks.
    async fn broken_anchors(
        &self,
        link: &mut Link,
        names: Names,
        before: &Kept,
        seen: &Seen,
    ) -> Result<Vec<Missing>, StoreError> {
        if before.doubt.is_some() || before.server.run != seen.server.run || self.relaxed {
            return Ok(Vec::new());
        }
        let moved: Vec<Missing> = {
            let state = self.state();
            let moved = |(place, anchor): &(&String, &EntryId)| {
                **anchor != EntryId::default() && seen.ends.get(*place).is_some_and(|end| end != *anchor)
            };
            let named = |(place, anchor): (&String, &EntryId)| Missing {
                place: place.clone(),
                id: before.places.get(place).map(|known| known.id.clone()).unwrap_or_default(),
                mark: anchor.to_string(),
            };
            state.anchors.iter().filter(moved).map(named).collect()
        };
        let mut broken = Vec::new();
        if lacks(link, names, moved.iter()).await? {
            for missing in moved {
                if lacks(link, names, std::iter::once(&missing)).await? {
                    broken.push(missing);
                }
            }
        }
        Ok(broken)
    }

    fn trust(&self) {
        let mut state = self.state();
        state.kept.doubt = None;
        state.unwritten = true;
        state.findings.push(Finding::Trusted);
    }
}

/// Whether any of those entries is not in its outbox, which reaches back beyond it.
async fn lacks(link: &mut Link, names: Names, missing: impl Iterator<Item = &Missing>) -> Result<bool, StoreError> {
    let of_slot = |missing: &Missing| {
        let slot = Slot::all().find(|slot| slot.to_string() == missing.place)?;
        Some((slot, missing.mark.parse::<EntryId>().ok()?))
    };
    let marks: Vec<(Slot, EntryId)> = missing.filter_map(of_slot).collect();
    let mut pipe = Pipeline::new();
    for (slot, mark) in &marks {
        let outbox = names.outbox(*slot);
        pipe.cmd("XRANGE").arg(&outbox).arg(mark.to_string()).arg(mark.to_string());
        pipe.cmd("XRANGE").arg(&outbox).arg("-").arg("+").arg("COUNT").arg(1);
    }
    if pipe.is_empty() {
        return Ok(false);
    }
    let answers = link.run_all(&pipe).await?;
    let first = |value: &Value| text_of(items_of(items_of(value).first()?).first()?)?.parse::<EntryId>().ok();
    let gone = |((_, mark), pair): (&(Slot, EntryId), &[Value])| {
        items_of(&pair[0]).is_empty() && first(&pair[1]).is_none_or(|first| first < *mark)
    };
    Ok(marks.iter().zip(answers.chunks_exact(2)).any(gone))
}

impl Store {
    /// Gives identities to places that never had one, where this instance knows of none yet. Says whether the store held an
    /// earlier daemon's already, so that whether it went back meanwhile cannot be told.
    ///
    /// # Errors
    /// Redis cannot do it.
    pub(in crate::store) async fn found_places(&self) -> Result<bool, StoreError> {
        if self.places.knows_any() {
            return Ok(false);
        }
        let held = !self.read_places().await?.ids.is_empty();
        let mut pipe = Pipe::default();
        for at in At::all() {
            pipe.cmd(at, "SET").arg(self.names.place(at)).arg(identity()?).arg("NX");
        }
        self.ask_all(pipe).await?;
        let seen = self.read_places().await?;
        self.places.adopt(&seen);
        Ok(held)
    }

    async fn read_places(&self) -> Result<Seen, StoreError> {
        read(&mut self.link_to(At::Catalog).await?, self.names).await
    }

    /// Looks at all places again; what has its copies becomes their mark.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn look_at_places(&self) -> Result<(), StoreError> {
        let mut link = self.link_to(At::Catalog).await?;
        let Some(ends) = self.places.look(&mut link, self.names).await? else { return Ok(()) };
        // Only what moved is waited for: an idle shop writes nothing.
        if self.places.are_ahead(&ends) && self.all_copied().await? {
            self.places.advance(ends, self.now());
        }
        Ok(())
    }

    /// Takes what stands in Redis for the store from now on: every place has a new identity, which all instances follow.
    /// A kill in between leaves the store doubted, and the same again ends it.
    ///
    /// # Errors
    /// Redis cannot do it.
    pub async fn accept(&self, reason: &str, by: &str) -> Result<Accepted, StoreError> {
        let doubt = self.places.doubt();
        let known = self.places.catalog_id();
        let there = self.read_places().await?.ids.remove(CATALOG);
        let (now, epoch) = (self.now(), identity()?);
        let mut pipe = Pipe::default();
        for at in Slot::all().map(At::Slot) {
            pipe.cmd(at, "SET").arg(self.names.place(at)).arg(identity()?);
        }
        self.ask_all(pipe).await?;
        // The catalogue's last: the others follow it alone.
        let record = format!("{epoch}|{now}|{by}|{}", printable(reason, 200).replace('|', "/"));
        let mut pipe = Pipe::default();
        for given_up in [known, there].into_iter().flatten() {
            pipe.cmd(At::Catalog, "HSET").arg(self.names.accepted()).arg(given_up).arg(&record);
        }
        pipe.cmd(At::Catalog, "SET").arg(self.names.place(At::Catalog)).arg(&epoch);
        self.ask_all(pipe).await?;
        let seen = self.read_places().await?;
        self.places.adopt(&seen);
        Ok(Accepted { doubt, epoch })
    }

    /// Another instance doubts this store: whether what it misses is missing here as well is looked at, and then this one
    /// doubts it, too.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn hear_doubt(&self, doubt: &Doubt) -> Result<(), StoreError> {
        let known = self.places.ids();
        let ours: Vec<&Missing> =
            doubt.missing.iter().filter(|missing| known.get(&missing.place) == Some(&missing.id)).collect();
        if doubt.cause == Cause::Behind
            && self.places.doubt().is_none()
            && lacks(&mut self.link_to(At::Catalog).await?, self.names, ours.into_iter()).await?
        {
            self.places.doubt_too(doubt.clone());
        }
        Ok(())
    }
}

impl Places {
    fn ids(&self) -> BTreeMap<String, String> {
        self.state().kept.places.iter().map(|(place, known)| (place.clone(), known.id.clone())).collect()
    }

    fn catalog_id(&self) -> Option<String> {
        self.state().kept.places.get(CATALOG).map(|known| known.id.clone())
    }
}
