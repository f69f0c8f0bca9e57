//! Whether one key is in two places, told by fingerprints: nothing is opened.

use std::collections::{BTreeMap, HashSet};

use super::Report;
use super::facts::Facts;
use crate::domain::Product;
use crate::store::script::{bytes_of, items_of, text_of};
use crate::store::{Store, StoreError};

/// Keys read at once.
const CHUNK: usize = 1000;

/// The 12 bytes of a sealed key that are equal for equal keys.
type Fingerprint = [u8; 12];

fn fingerprint(sealed: &[u8]) -> Option<Fingerprint> {
    sealed.get(1..13)?.try_into().ok()
}

/// Every fingerprint met so far; one that moves while all are read may be met twice.
#[derive(Default)]
pub(super) struct Prints(Vec<Fingerprint>);

impl Store {
    /// Meets what is in pools and out of sale. To be called before the orders are read: a key sold meanwhile was met here.
    pub(super) async fn meet_pools(&self, products: &[&Product], prints: &mut Prints) -> Result<(), StoreError> {
        self.each_pooled(products, &mut |_, sealed| prints.0.extend(fingerprint(sealed))).await
    }

    /// Meets what orders hold, then looks again for those that were met twice.
    pub(super) async fn audit_keys(
        &self,
        products: &[&Product],
        facts: &Facts,
        mut prints: Prints,
        report: &mut Report,
    ) -> Result<(), StoreError> {
        self.each_given(products, facts, &mut |_, sealed| prints.0.extend(fingerprint(sealed))).await?;
        let mut prints = prints.0;
        report.keys = prints.len() as u64;
        prints.sort_unstable();
        let twice: HashSet<Fingerprint> =
            prints.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
        drop(prints);
        if twice.is_empty() {
            return Ok(());
        }
        let mut places: BTreeMap<Vec<u8>, HashSet<String>> = BTreeMap::new();
        let mut suspects = |name: &str, sealed: &[u8]| {
            if fingerprint(sealed).is_some_and(|print| twice.contains(&print)) {
                places.entry(sealed.to_vec()).or_default().insert(name.to_owned());
            }
        };
        self.each_pooled(products, &mut suspects).await?;
        let facts = self.read_all_orders().await?;
        self.each_given(products, &facts, &mut suspects).await?;
        self.confirm(&places, report).await
    }

    /// Counts each suspect in all its places at one moment of each place.
    async fn confirm(
        &self,
        places: &BTreeMap<Vec<u8>, HashSet<String>>,
        report: &mut Report,
    ) -> Result<(), StoreError> {
        // The same key under two ring keys gives two blobs with one fingerprint.
        let mut found: BTreeMap<Fingerprint, Vec<String>> = BTreeMap::new();
        for (sealed, names) in places {
            let mut pipe = redis::pipe();
            pipe.cmd("MULTI");
            for name in names {
                pipe.cmd("LPOS").arg(name).arg(sealed).arg("COUNT").arg(0);
            }
            pipe.cmd("EXEC");
            let answers = self.ask_all(&pipe).await?;
            let counts = answers.last().map(items_of).unwrap_or_default();
            for (name, count) in names.iter().zip(counts) {
                let times = items_of(count).len();
                if let Some(print) = fingerprint(sealed) {
                    found.entry(print).or_default().extend(std::iter::repeat_n(name.clone(), times));
                }
            }
        }
        for (print, names) in found.into_iter().filter(|(_, names)| names.len() > 1) {
            report.add("key_twice", data_encoding::HEXLOWER.encode(&print), names.join(" and "));
        }
        Ok(())
    }

    /// Hands every key in pools and out of sale to `take`, with the name of its list.
    async fn each_pooled(&self, products: &[&Product], take: &mut impl FnMut(&str, &[u8])) -> Result<(), StoreError> {
        for product in products {
            self.each_of_pool(product, take).await?;
            self.each_of_list(&self.names.voided(product.home(), &product.id), take).await?;
        }
        Ok(())
    }

    /// Hands every key of an order to `take`, then every burned one: an order's keys move there.
    async fn each_given(
        &self,
        products: &[&Product],
        facts: &Facts,
        take: &mut impl FnMut(&str, &[u8]),
    ) -> Result<(), StoreError> {
        let holders: Vec<String> =
            facts.iter().filter(|(_, order)| order.given > 0).map(|(id, _)| self.names.given(*id)).collect();
        for names in holders.chunks(CHUNK) {
            let mut pipe = redis::pipe();
            for name in names {
                pipe.cmd("LRANGE").arg(name).arg(0).arg(-1);
            }
            for (name, answer) in names.iter().zip(&self.ask_all(&pipe).await?) {
                items_of(answer).iter().filter_map(bytes_of).for_each(|sealed| take(name, sealed));
            }
        }
        for product in products {
            self.each_of_list(&self.names.burned(product.home(), &product.id), take).await?;
        }
        Ok(())
    }

    async fn each_of_list(&self, name: &str, take: &mut impl FnMut(&str, &[u8])) -> Result<(), StoreError> {
        let mut at = 0;
        loop {
            let keys: Vec<Vec<u8>> = self.ask(redis::cmd("LRANGE").arg(name).arg(at).arg(at + CHUNK - 1)).await?;
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
        let pool = self.names.pool(product.home(), &product.id);
        let stock = self.names.stock(product.home(), &product.id);
        'again: loop {
            let (mut read, mut start, mut gone) = (0usize, None, 0u64);
            loop {
                let at = read.saturating_sub(usize::try_from(gone).unwrap_or(usize::MAX));
                let mut pipe = redis::pipe();
                pipe.cmd("MULTI");
                pipe.cmd("HGET").arg(&stock).arg("imported");
                pipe.cmd("LLEN").arg(&pool);
                pipe.cmd("LRANGE").arg(&pool).arg(at).arg(at + CHUNK - 1);
                pipe.cmd("EXEC");
                let answers = self.ask_all(&pipe).await?;
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
