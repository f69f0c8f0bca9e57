//! Products, and keys on their way into and out of their pools.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::lines::{KeyLine, Reading, name_line, named_lines, read_lines};
use crate::domain::{Allowance, Currency, ImportReport, Money, Product, ProductId, ProductPatch, Slot, Take};
use crate::shop::{Shop, ShopError};
use crate::store::Chunk;
use crate::telemetry::counters;
use crate::vault;

/// Keys in one chunk: some sixty in each slot, so that a claim's calls are shared; a script still blocks Redis for about a
/// millisecond at most.
const CHUNK: usize = 4_000;
/// Chunks under way at once.
const CHUNKS_AT_ONCE: usize = 4;

impl Shop {
    /// Adds a product.
    ///
    /// # Errors
    /// A field that is wrong, or an id that is taken.
    pub async fn add_product(&self, id: &str, patch: &ProductPatch) -> Result<Product, ShopError> {
        let id: ProductId = id.parse().map_err(|error| invalid("id", &format!("{error}")))?;
        if patch.slot.is_some_and(|slot| slot >= crate::domain::ids::SLOTS) {
            return Err(invalid("slot", "from 0 to 63"));
        }
        let slot = patch.slot.map_or_else(|| Slot::of_product(id.as_str()), Slot::new);
        let product = Product {
            name: id.to_string(),
            id,
            price: Money { minor: 0, currency: Currency::CNY },
            take: Take::Order,
            slot: slot.index(),
            per_order: 100,
            per_address: None,
            per_contact: None,
            sale_from: None,
            sale_until: None,
            expires_minutes: 15,
            low: 0,
            retired: false,
            revision: 0,
            created: self.store.now(),
        };
        if patch.price.is_none() {
            return Err(invalid("price", "is missing"));
        }
        let product = patched(product, &ProductPatch { slot: None, ..patch.clone() })?;
        if !self.store.save_product(&product).await? {
            return Err(ShopError::Conflict("a product of this id exists: change it with `product set`".to_owned()));
        }
        self.refresh_catalog().await?;
        Ok(product)
    }

    /// Changes a product: how it was, and how it is.
    ///
    /// # Errors
    /// A field that is wrong, or no such product.
    pub async fn set_product(&self, id: &str, patch: &ProductPatch) -> Result<(Product, Product), ShopError> {
        if *patch == ProductPatch::default() {
            return Err(invalid("product", "nothing is to be changed"));
        }
        for _ in 0..5 {
            self.refresh_catalog().await?;
            let before = self.product(id).await?;
            let product = patched(before.clone(), patch)?;
            if self.store.save_product(&product).await? {
                self.refresh_catalog().await?;
                return Ok((before, product));
            }
        }
        Err(ShopError::Conflict("others change this product: try again".to_owned()))
    }

    /// Imports keys, one a line. `first` is the number of the body's first line in its file; `as_lines`: a heading is one, too.
    ///
    /// # Errors
    /// No such product, or Redis cannot: what was staged by then is finished by the sweep.
    pub async fn import(
        &self,
        id: &str,
        body: &[u8],
        (first, as_lines): (u64, bool),
    ) -> Result<ImportReport, ShopError> {
        self.guard()?;
        let product = self.product(id).await?;
        let mut report = ImportReport::default();
        let reading = Reading { first, most: self.limits.key_bytes, as_lines };
        let keys = read_lines(body, reading, &mut report);
        let (batch, home) = (format!("{:032x}", vault::chance()?), product.home());
        let mut chunks = Vec::new();
        for (at, lines) in chunked(&keys).into_iter().enumerate() {
            let sealed = lines.iter().map(|line| self.vault.seal(line.key.as_bytes())).collect::<Result<_, _>>()?;
            let stood = lines.iter().enumerate().flat_map(|(at, line)| {
                line.stood.iter().map(move |text| (at, self.vault.fingerprint(text.as_bytes())))
            });
            let (product, batch) = (&product.id, format!("{batch}.{at}"));
            chunks.push((lines, Chunk { product, slot: home, batch, keys: sealed, stood: stood.collect() }));
        }
        let jobs: Vec<_> = chunks.iter().map(|(_, chunk)| self.store.import(chunk)).collect();
        let done: Vec<_> = stream::iter(jobs).buffered(CHUNKS_AT_ONCE).try_collect().await?;
        for ((lines, _), report_of) in chunks.iter().zip(done) {
            for (line, ours) in lines.iter().zip(report_of.0) {
                if ours {
                    report.imported += 1;
                } else {
                    name_line(&mut report.known_lines, &mut report.known, line.number);
                }
            }
        }
        counters::keys_imported(report.imported);
        self.restock(product.home(), &product.id).await?;
        self.board.changed(&product.id, self.store.now());
        Ok(report)
    }

    /// Settles owed orders of a product as far as stock goes.
    ///
    /// # Errors
    /// Redis cannot; the mark in Redis stays, and a sweep does it.
    pub async fn restock(&self, slot: Slot, product: &ProductId) -> Result<u64, ShopError> {
        let mut settled = 0;
        // Another instance may be at it too: then `more` comes without progress, and the sweep looks again.
        for _ in 0..10_000 {
            let (count, more) = self.store.restock(slot, product).await?;
            settled += count;
            if !more {
                break;
            }
        }
        if settled > 0 {
            tracing::info!(%product, settled, "Delivered owed orders from new stock.");
            self.outbox.wake();
        }
        Ok(settled)
    }

    /// Takes keys out of sale: the oldest `count`, or those in `named`, one a line. Says how many, of how many named.
    ///
    /// # Errors
    /// No such product, or Redis cannot.
    pub async fn void(&self, id: &str, count: u32, named: &[u8]) -> Result<(u64, Option<u64>), ShopError> {
        let product = self.product(id).await?;
        let mut left = count;
        let mut voided = 0;
        while left > 0 {
            let part = self.store.void(&product, left.min(1000), &[]).await?;
            voided += part;
            left = if part == 0 { 0 } else { left - part as u32 };
        }
        let keys = named_lines(named, self.limits.key_bytes);
        for lines in keys.chunks(100) {
            let texts = lines.iter().flatten();
            let sealed: Vec<_> = texts.flat_map(|text| self.vault.seals(text.as_bytes())).collect();
            voided += self.store.void(&product, 0, &sealed).await?;
        }
        self.board.changed(&product.id, self.store.now());
        Ok((voided, (!named.is_empty()).then_some(keys.len() as u64)))
    }

    /// Puts voided keys back on sale. Says how many.
    ///
    /// # Errors
    /// No such product, or Redis cannot.
    pub async fn restore(&self, id: &str, count: u32) -> Result<u64, ShopError> {
        let product = self.product(id).await?;
        let mut restored = 0;
        while restored < u64::from(count) {
            let part = self.store.restore(&product, (u64::from(count) - restored).min(1000) as u32).await?;
            if part == 0 {
                break;
            }
            restored += part;
        }
        self.restock(product.home(), &product.id).await?;
        self.board.changed(&product.id, self.store.now());
        Ok(restored)
    }
}

/// Keys by chunks: what is staged of one is its keys and how their lines stood, at most [`CHUNK`] elements.
fn chunked<'a, 'b>(mut keys: &'a [KeyLine<'b>]) -> Vec<&'a [KeyLine<'b>]> {
    let mut chunks = Vec::new();
    while !keys.is_empty() {
        let mut room = CHUNK;
        let fits = keys.iter().take_while(|line| {
            let needs = 1 + line.stood.len();
            let fits = needs <= room;
            room = room.saturating_sub(if fits { needs } else { room });
            fits
        });
        let (chunk, rest) = keys.split_at(fits.count().max(1));
        chunks.push(chunk);
        keys = rest;
    }
    chunks
}

fn invalid(field: &'static str, message: &str) -> ShopError {
    ShopError::Invalid { field, message: message.to_owned() }
}

/// The product with a patch applied, one revision on.
fn patched(mut product: Product, patch: &ProductPatch) -> Result<Product, ShopError> {
    if let Some(name) = &patch.name {
        if name.trim().is_empty() || name.len() > 200 || name.chars().any(char::is_control) {
            return Err(invalid("name", "1 to 200 bytes, without control characters"));
        }
        product.name = name.trim().to_owned();
    }
    if let Some(currency) = &patch.currency {
        let currency: Currency = currency.parse().map_err(|error| invalid("currency", &format!("{error}")))?;
        if currency == Currency::NONE {
            return Err(invalid("currency", "XXX stands for none"));
        }
        if currency != product.price.currency && patch.price.is_none() {
            return Err(invalid("price", "is needed with another currency"));
        }
        product.price.currency = currency;
    }
    if let Some(price) = &patch.price {
        product.price =
            Money::parse(price, product.price.currency).map_err(|error| invalid("price", &format!("{error}")))?;
        if product.price.minor == 0 {
            return Err(invalid("price", "must be more than nothing"));
        }
    }
    if patch.slot.is_some() {
        return Err(invalid("slot", "cannot be changed"));
    }
    let allowance = |allowance: Allowance| (allowance.keys > 0).then_some(allowance);
    product.take = patch.take.unwrap_or(product.take);
    product.per_order = patch.per_order.unwrap_or(product.per_order);
    product.per_address = patch.per_address.map_or(product.per_address, allowance);
    product.per_contact = patch.per_contact.map_or(product.per_contact, allowance);
    product.sale_from = patch.sale_from.map_or(product.sale_from, |at| (at > 0).then_some(at));
    product.sale_until = patch.sale_until.map_or(product.sale_until, |at| (at > 0).then_some(at));
    if product.sale_from.zip(product.sale_until).is_some_and(|(from, until)| from >= until) {
        return Err(invalid("sale_until", "must be after sale_from"));
    }
    product.expires_minutes = patch.expires_minutes.unwrap_or(product.expires_minutes);
    product.low = patch.low.unwrap_or(product.low);
    product.retired = patch.retired.unwrap_or(product.retired);
    if !(1..=100_000).contains(&product.per_order) {
        return Err(invalid("per_order", "from 1 to 100000"));
    }
    if !(1..=43_200).contains(&product.expires_minutes) {
        return Err(invalid("expires_minutes", "from 1 to 43200"));
    }
    if product.per_address.iter().chain(&product.per_contact).any(|a| !(1..=8760).contains(&a.hours)) {
        return Err(invalid("per_contact", "hours from 1 to 8760"));
    }
    product.revision += 1;
    Ok(product)
}
