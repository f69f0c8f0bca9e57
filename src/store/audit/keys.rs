//! Whether one key is in two places, told by fingerprints: nothing is opened.

use std::collections::{BTreeMap, HashSet};

use redis::Value;

use crate::domain::{AuditReport, Product, Progress, Slot};
use crate::store::at::{At, Pipe};
use crate::store::script::{bytes_of, items_of, text_of};
use crate::store::{Store, StoreError};

/// Keys read at once.
const CHUNK: usize = 1000;
/// Most fingerprints remembered at once, 8 bytes each; of more keys, parts are looked at one after the other.
pub(super) const MOST: u64 = 12_000_000;

/// The beginning of the part of a sealed key that is equal for equal keys; those that meet are looked at again.
fn fingerprint(sealed: &[u8]) -> Option<u64> {
    sealed.get(1..9)?.try_into().ok().map(u64::from_be_bytes)
}

/// The fingerprints of one part of all keys; a key that moves while all are read may be met twice.
pub(super) struct Prints {
    met: Vec<u64>,
    part: u64,
    parts: u64,
    /// Keys met, of whatever part.
    pub keys: u64,
}

impl Prints {
    /// Part `part` of `parts`; there are about `total` keys.
    pub fn new(part: u64, parts: u64, total: u64) -> Self {
        let mut met = Vec::new();
        // Exactly, since a vector that doubles would need three times as much.
        met.reserve_exact(usize::try_from(total / parts.max(1)).unwrap_or(0).min(MOST as usize) / 100 * 102 + 1024);
        Self { met, part, parts: parts.max(1), keys: 0 }
    }

    pub fn meet(&mut self, sealed: &[u8]) {
        self.keys += 1;
        self.met.extend(fingerprint(sealed).filter(|print| print % self.parts == self.part));
    }

    /// Those met twice. Empties it.
    pub fn twice(&mut self) -> HashSet<u64> {
        let mut met = std::mem::take(&mut self.met);
        met.sort_unstable();
        met.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect()
    }
}

impl Store {
    /// Looks again for keys that were met twice, and reports those that are in two places.
    pub(super) async fn audit_twice(
        &self,
        products: &[&Product],
        twice: &HashSet<u64>,
        progress: Progress<'_>,
        report: &mut AuditReport,
    ) -> Result<(), StoreError> {
        if twice.is_empty() {
            return Ok(());
        }
        let mut places: BTreeMap<Vec<u8>, HashSet<String>> = BTreeMap::new();
        let mut suspect = |name: &str, sealed: &[u8]| {
            if fingerprint(sealed).is_some_and(|print| twice.contains(&print)) {
                places.entry(sealed.to_vec()).or_default().insert(name.to_owned());
            }
        };
        self.each_unsold(products, progress, &mut suspect).await?;
        let names = self.names;
        self.each_order(&|done| progress("orders, again", done, 1000), &mut |look| {
            let keys = look.order.map(|order| order.keys).unwrap_or_default();
            keys.iter().for_each(|sealed| suspect(&names.order(look.id), sealed));
        })
        .await?;
        self.each_burned(products, &mut suspect).await?;
        self.confirm(&places, report).await
    }

    /// Counts each suspect in all its lists and orders, at one moment of each slot: where a key goes from a pool to an order, and
    /// on, it stays in its product's slot, so that it is met once in all of them however they are looked at one after the other.
    async fn confirm(
        &self,
        places: &BTreeMap<Vec<u8>, HashSet<String>>,
        report: &mut AuditReport,
    ) -> Result<(), StoreError> {
        // The same key under two ring keys gives two blobs with one fingerprint.
        let mut found: BTreeMap<&[u8], Vec<String>> = BTreeMap::new();
        for (sealed, names) in places {
            let mut by_place = BTreeMap::<At, Vec<&String>>::new();
            for name in names {
                by_place.entry(At::of(name)).or_default().push(name);
            }
            let mut pipe = Pipe::default();
            for (at, names) in &by_place {
                pipe.cmd(*at, "MULTI");
                for name in names {
                    if name.contains(":order:") {
                        pipe.cmd(*at, "HVALS").arg(*name);
                    } else {
                        pipe.cmd(*at, "LPOS").arg(*name).arg(sealed).arg("COUNT").arg(0);
                    }
                }
                pipe.cmd(*at, "EXEC");
            }
            let answers = self.ask_all(pipe).await?;
            // What only stands in a queue until EXEC is answered by a word.
            let answers = answers.iter().filter(|answer| matches!(answer, Value::Array(_))).flat_map(items_of);
            for (name, answer) in by_place.into_values().flatten().zip(answers) {
                let items = items_of(answer);
                let times = if name.contains(":order:") {
                    items.iter().filter(|value| bytes_of(value) == Some(sealed)).count()
                } else {
                    items.len()
                };
                if let Some(print) = sealed.get(1..13) {
                    found.entry(print).or_default().extend(std::iter::repeat_n(name.clone(), times));
                }
            }
        }
        for (print, names) in found.into_iter().filter(|(_, names)| names.len() > 1) {
            report.add("key_twice", data_encoding::HEXLOWER.encode(print), names.join(" and "));
        }
        Ok(())
    }

    /// Hands every key in pools and out of sale to `take`, with the name of its list.
    pub(super) async fn each_unsold(
        &self,
        products: &[&Product],
        progress: Progress<'_>,
        take: &mut impl FnMut(&str, &[u8]),
    ) -> Result<(), StoreError> {
        for (done, product) in products.iter().enumerate() {
            progress("pools", done as u64, products.len() as u64);
            self.each_of_pool(product, take).await?;
            self.each_of_list(product.home(), &self.names.voided(product.home(), &product.id), take).await?;
        }
        Ok(())
    }

    /// Hands every burned key to `take`: an order's keys move there, so this comes after the orders.
    pub(super) async fn each_burned(
        &self,
        products: &[&Product],
        take: &mut impl FnMut(&str, &[u8]),
    ) -> Result<(), StoreError> {
        for product in products {
            self.each_of_list(product.home(), &self.names.burned(product.home(), &product.id), take).await?;
        }
        Ok(())
    }

    async fn each_of_list(&self, slot: Slot, name: &str, take: &mut impl FnMut(&str, &[u8])) -> Result<(), StoreError> {
        let mut at = 0;
        loop {
            let keys: Vec<Vec<u8>> =
                self.ask(At::Slot(slot), redis::cmd("LRANGE").arg(name).arg(at).arg(at + CHUNK - 1)).await?;
            keys.iter().for_each(|sealed| take(name, sealed));
            at += CHUNK;
            if keys.len() < CHUNK {
                return Ok(());
            }
        }
    }

    /// A pool shrinks from the left while it is read: what left it since the start moves the place to go on from. Keys
    /// put back meanwhile (`restore`) hide how many left, so then it is read anew.
    async fn each_of_pool(&self, product: &Product, take: &mut impl FnMut(&str, &[u8])) -> Result<(), StoreError> {
        let home = At::Slot(product.home());
        let pool = self.names.pool(product.home(), &product.id);
        let stock = self.names.stock(product.home(), &product.id);
        'again: loop {
            let (mut read, mut start, mut gone) = (0usize, None, 0u64);
            loop {
                let at = read.saturating_sub(usize::try_from(gone).unwrap_or(usize::MAX));
                let mut pipe = Pipe::default();
                pipe.cmd(home, "MULTI");
                pipe.cmd(home, "HGET").arg(&stock).arg("imported");
                pipe.cmd(home, "LLEN").arg(&pool);
                pipe.cmd(home, "LRANGE").arg(&pool).arg(at).arg(at + CHUNK - 1);
                pipe.cmd(home, "EXEC");
                let answers = self.ask_all(pipe).await?;
                let both = answers.last().map(items_of).unwrap_or_default();
                let number = |at: usize| both.get(at).and_then(text_of).and_then(|text| text.parse::<u64>().ok());
                let left = number(0).unwrap_or(0).saturating_sub(number(1).unwrap_or(0));
                let first = *start.get_or_insert(left);
                let Some(now_gone) = left.checked_sub(first).filter(|now| *now >= gone) else {
                    continue 'again;
                };
                if now_gone > gone {
                    gone = now_gone;
                    // More left than was reckoned with: this piece begins too far right.
                    continue;
                }
                let keys = both.get(2).map(items_of).unwrap_or_default();
                keys.iter().filter_map(bytes_of).for_each(|sealed| take(&pool, sealed));
                read += keys.len();
                if keys.len() < CHUNK {
                    return Ok(());
                }
            }
        }
    }
}
