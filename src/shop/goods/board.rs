//! The stock board: every product's numbers, kept in memory and read again bit by bit, so that whoever looks at stock asks
//! nothing of Redis and a catalogue of a million products costs no more than one of a thousand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::watch;

use super::catalog::Products;
use super::pace::Pace;
use crate::domain::{Danger, Level, Millis, Product, ProductId, Stock, danger, worst};
use crate::shop::loops::pause;
use crate::shop::{Shop, ShopError};
use crate::store::StoreError;
use crate::telemetry::snapshot::{StockAlarms, StockLine, StockRow};

/// Products read each second, and the most that one reader may see.
pub const MOST: usize = 1000;
/// How often it is read again.
const EVERY: Duration = Duration::from_secs(1);
/// Products read in one write: callbacks on the same link wait no longer than that takes.
const PART: usize = 100;

/// What is known of one product.
#[derive(Default)]
struct Entry {
    /// When it was asked for; 0: not yet.
    read: Millis,
    stock: Stock,
    pace: Pace,
    /// When this instance changed it last; 0: not yet.
    changed: Millis,
}

#[derive(Default)]
struct State {
    at: Millis,
    catalog: Arc<Products>,
    /// One for each product, in the catalogue's order.
    entries: Vec<Entry>,
    /// Where the turn of those without a hurry goes on.
    turn: usize,
    worst: Arc<Vec<StockRow>>,
    alarms: StockAlarms,
}

/// The board.
#[derive(Default)]
pub struct Board {
    state: RwLock<State>,
    /// Held by whoever reads what it does not know yet.
    reading: tokio::sync::Mutex<()>,
    turns: watch::Sender<u64>,
}

fn row(product: &Product, entry: &Entry, now: Millis) -> StockRow {
    StockRow {
        product: product.id.to_string(),
        name: product.name.clone(),
        stock: entry.stock,
        low: product.low,
        hourly: entry.pace.hourly(now),
        retired: product.retired,
    }
}

impl State {
    /// Every product's numbers as they were read last, in the catalogue's order, and the products whose numbers are not known,
    /// or were changed here since they were asked for.
    fn all(&self) -> (Vec<Stock>, Vec<Product>) {
        let old = |entry: &Entry| entry.read == 0 || entry.changed >= entry.read;
        let unknown = self.catalog.values().zip(&self.entries).filter(|(_, entry)| old(entry));
        let unknown = unknown.map(|(product, _)| product.clone()).collect();
        (self.entries.iter().map(|entry| entry.stock).collect(), unknown)
    }

    /// Takes another catalogue: what is known of a product stays.
    fn align(&mut self, catalog: &Arc<Products>) {
        if Arc::ptr_eq(&self.catalog, catalog) {
            return;
        }
        let known = std::mem::take(&mut self.entries);
        let mut known = self.catalog.keys().zip(known).peekable();
        let mut entries = Vec::with_capacity(catalog.len());
        for id in catalog.keys() {
            while known.next_if(|(old, _)| *old < id).is_some() {}
            entries.push(known.next_if(|(old, _)| *old == id).map(|(_, entry)| entry).unwrap_or_default());
        }
        drop(known);
        self.entries = entries;
        self.catalog = Arc::clone(catalog);
    }

    /// Products that were read, with their danger and their place.
    fn ranked(&self, now: Millis) -> impl Iterator<Item = (Danger, usize)> {
        self.catalog.values().zip(&self.entries).enumerate().filter(|(_, (_, entry))| entry.read > 0).map(
            move |(at, (product, entry))| {
                (danger(&entry.stock, product.low, entry.pace.hourly(now), product.retired), at)
            },
        )
    }

    /// Whose numbers to read now, at most [`MOST`]: half of them new, sold lately or endangered, the others in turn.
    fn choose(&mut self, now: Millis) -> Vec<usize> {
        let count = self.entries.len();
        if count <= MOST {
            return (0..count).collect();
        }
        let unread = danger(&Stock { owed: u64::MAX, ..Stock::default() }, 0, 0, false);
        let hurry = self.catalog.values().zip(&self.entries).enumerate().filter_map(|(at, (product, entry))| {
            if entry.read == 0 {
                return Some((unread, at));
            }
            let hourly = entry.pace.hourly(now);
            let danger = danger(&entry.stock, product.low, hourly, product.retired);
            // What sells is watched before what merely lies there empty.
            let level = if hourly > 0 { Level::Owed } else { danger.level };
            (level >= Level::Low).then_some((Danger { level, ..danger }, at))
        });
        let mut chosen: BTreeSet<usize> = worst(hurry, MOST / 2).into_iter().map(|(_, at)| at).collect();
        let mut turn = self.turn % count;
        while chosen.len() < MOST {
            chosen.insert(turn);
            turn = (turn + 1) % count;
        }
        self.turn = turn;
        chosen.into_iter().collect()
    }

    /// Takes in numbers, in the catalogue's order. By id: the catalogue may have become another since they were asked for.
    fn note(&mut self, read: Vec<(ProductId, Stock)>, now: Millis) {
        let mut read = read.into_iter().peekable();
        for (id, entry) in self.catalog.keys().zip(&mut self.entries) {
            while read.next_if(|(other, _)| other < id).is_some() {}
            let Some((_, stock)) = read.next_if(|(other, _)| other == id) else { continue };
            entry.pace.read(now, &entry.stock, &stock, entry.read == 0);
            (entry.stock, entry.read) = (stock, now);
        }
    }

    /// Takes in what was read; what Prometheus hears now. A product that never had a key comes last there, since its
    /// numbers are all nothing.
    fn put(&mut self, read: Vec<(ProductId, Stock)>, now: Millis, soon_seconds: u64) -> Vec<StockRow> {
        self.note(read, now);
        self.at = now;
        let places: Vec<usize> = worst(self.ranked(now), MOST).into_iter().map(|(_, at)| at).collect();
        self.worst = Arc::new(self.rows(&places));
        let products: Vec<&ProductId> = self.catalog.keys().collect();
        let ranked = self.ranked(now).map(|(danger, at)| (danger, &self.entries[at].stock, products[at].as_str()));
        self.alarms = StockAlarms::of(ranked, soon_seconds);
        let stocked = self.ranked(now).map(|(danger, at)| match danger.level {
            Level::Unstocked => (Danger { level: Level::Retired, ..danger }, at),
            _ => (danger, at),
        });
        let places: Vec<usize> = worst(stocked, MOST).into_iter().map(|(_, at)| at).collect();
        self.rows(&places)
    }

    /// The rows at these places, in their order.
    fn rows(&self, places: &[usize]) -> Vec<StockRow> {
        // A place in the catalogue is found by walking it once.
        let mut wanted: BTreeMap<usize, Option<StockRow>> = places.iter().map(|at| (*at, None)).collect();
        let mut all = self.catalog.values().zip(&self.entries).enumerate();
        let mut passed = 0;
        for (at, found) in &mut wanted {
            *found = all.nth(at - passed).map(|(_, (product, entry))| row(product, entry, self.at));
            passed = at + 1;
        }
        places.iter().filter_map(|at| wanted.get_mut(at).and_then(Option::take)).collect()
    }

    /// The `most` worst whose id or name holds `needle` (lower case), and how many there are.
    fn search(&self, needle: &str, most: usize) -> (u64, Vec<StockRow>) {
        if needle.is_empty() {
            return (self.catalog.len() as u64, self.worst.iter().take(most).cloned().collect());
        }
        let fits: Vec<bool> = self
            .catalog
            .values()
            .map(|product| product.id.as_str().contains(needle) || product.name.to_lowercase().contains(needle))
            .collect();
        let matching = fits.iter().filter(|fits| **fits).count() as u64;
        let places = worst(self.ranked(self.at).filter(|(_, at)| fits[*at]), most);
        (matching, self.rows(&places.into_iter().map(|(_, at)| at).collect::<Vec<_>>()))
    }
}

impl Board {
    fn read(&self) -> std::sync::RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells when something was read again.
    #[must_use]
    pub fn turns(&self) -> watch::Receiver<u64> {
        self.turns.subscribe()
    }

    /// The most endangered products, the worst first.
    #[must_use]
    pub fn worst(&self) -> Arc<Vec<StockRow>> {
        Arc::clone(&self.read().worst)
    }

    /// Which products to read next, in the catalogue's order.
    fn choose(&self, catalog: &Arc<Products>, now: Millis) -> Vec<Product> {
        let mut state = self.write();
        state.align(catalog);
        let places: BTreeSet<usize> = state.choose(now).into_iter().collect();
        let chosen = catalog.values().enumerate().filter(|(at, _)| places.contains(at));
        chosen.map(|(_, product)| product.clone()).collect()
    }

    /// Every product's numbers, in this catalogue's order, and the products whose numbers have to be read. Whoever looks holds
    /// up nobody else who does: only a catalogue that is new here is a change.
    fn all(&self, catalog: &Arc<Products>) -> (Vec<Stock>, Vec<Product>) {
        let state = self.read();
        if Arc::ptr_eq(&state.catalog, catalog) {
            return state.all();
        }
        drop(state);
        let mut state = self.write();
        state.align(catalog);
        state.all()
    }

    /// A product's numbers were changed here: whoever wants them next reads them first.
    pub(in crate::shop) fn changed(&self, product: &ProductId, now: Millis) {
        let mut state = self.write();
        let State { catalog, entries, .. } = &mut *state;
        if let Some(entry) = catalog.keys().zip(entries).find_map(|(id, entry)| (id == product).then_some(entry)) {
            entry.changed = now;
        }
    }

    /// Whoever wants numbers next reads them first, where there are so few products that they can all be read at once.
    fn old(&self, now: Millis) {
        let mut state = self.write();
        if state.entries.len() <= MOST {
            state.entries.iter_mut().for_each(|entry| entry.changed = entry.changed.max(now));
        }
    }

    /// Takes in numbers beside the turns.
    fn note(&self, read: Vec<(ProductId, Stock)>, now: Millis) {
        self.write().note(read, now);
    }

    /// Takes in what was read, and says what to tell to Prometheus now.
    fn put(&self, read: Vec<(ProductId, Stock)>, now: Millis, soon_seconds: u64) -> (Vec<StockRow>, StockAlarms) {
        let mut state = self.write();
        let rows = state.put(read, now, soon_seconds);
        (rows, state.alarms.clone())
    }
}

/// Every product with its numbers. The products are the catalogue's own: nothing is copied but numbers.
pub struct Shelf {
    catalog: Arc<Products>,
    /// In the catalogue's order.
    stocks: Vec<Stock>,
}

impl Shelf {
    /// Each product with its numbers, by id.
    pub fn iter(&self) -> impl Iterator<Item = (&Product, &Stock)> {
        self.catalog.values().zip(&self.stocks)
    }
}

/// What one reader wants of the board, and what it heard last.
pub struct StockReader {
    most: usize,
    needle: String,
    heard: BTreeMap<String, StockRow>,
}

impl StockReader {
    /// The `most` worst of those whose id or name holds `filter`, in any case.
    #[must_use]
    pub fn new(most: usize, filter: &str) -> Self {
        Self { most: most.min(MOST), needle: filter.trim().to_lowercase(), heard: BTreeMap::new() }
    }

    /// What is new or changed since the last time; nothing before the board was read once.
    #[must_use]
    pub fn next(&mut self, board: &Board) -> Option<StockLine> {
        let state = board.read();
        if state.at == 0 {
            return None;
        }
        let (matching, rows) = state.search(&self.needle, self.most);
        let (at, products, alarms) = (state.at, state.catalog.len() as u64, Some(state.alarms.clone()));
        drop(state);
        let mut left = std::mem::take(&mut self.heard);
        let mut changed = Vec::new();
        for row in rows {
            if left.remove(&row.product).as_ref() != Some(&row) {
                changed.push(row.clone());
            }
            self.heard.insert(row.product.clone(), row);
        }
        Some(StockLine { at, products, matching, rows: changed, gone: left.into_keys().collect(), alarms })
    }
}

impl Shop {
    /// Reads the board again each second until told to stop; a stock that is empty within `soon_minutes` is an alarm.
    pub(in crate::shop) async fn board_forever(self: Arc<Self>, soon_minutes: u64, mut stop: watch::Receiver<bool>) {
        loop {
            // A Redis that is away leaves the board as it was.
            if let Err(error) = self.refresh_board(soon_minutes * 60).await {
                tracing::trace!(%error, "The stock board has to wait.");
            }
            if !pause(EVERY, &mut stop).await {
                return;
            }
        }
    }

    async fn refresh_board(&self, soon_seconds: u64) -> Result<(), ShopError> {
        if !self.catalog.is_known() {
            return Ok(());
        }
        let (board, catalog, now) = (Arc::clone(&self.board), self.catalog(), self.store.now());
        // Off the threads that answer callbacks: a pass over a million products takes some ten milliseconds.
        let bug = |error: tokio::task::JoinError| ShopError::Store(StoreError::Bug(error.to_string()));
        let chosen = tokio::task::spawn_blocking(move || board.choose(&catalog, now)).await.map_err(bug)?;
        let read = self.read_stocks(&chosen).await?;
        let board = Arc::clone(&self.board);
        let seen = tokio::task::spawn_blocking(move || board.put(read, now, soon_seconds)).await.map_err(bug)?;
        self.telemetry.stock(seen.0, seen.1);
        self.board.turns.send_modify(|turns| *turns += 1);
        Ok(())
    }

    async fn read_stocks(&self, products: &[Product]) -> Result<Vec<(ProductId, Stock)>, StoreError> {
        let mut read = Vec::with_capacity(products.len());
        for part in products.chunks(PART) {
            let stocks = self.store.stocks(&part.iter().collect::<Vec<_>>()).await?;
            read.extend(part.iter().map(|product| product.id.clone()).zip(stocks));
        }
        Ok(read)
    }

    /// The same as it is in Redis now, in a catalogue of at most [`MOST`] products; beyond that as [`Shop::stock`].
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn fresh_stock(&self) -> Result<Shelf, ShopError> {
        self.refresh_catalog().await?;
        self.board.old(self.store.now());
        self.stock().await
    }

    /// Every product's numbers, from memory: as they were within the last second, or in a catalogue of more than [`MOST`]
    /// at their last turn. Redis is asked only about products that this instance has not read yet or has just changed, by one
    /// for all who ask at the same time.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn stock(&self) -> Result<Shelf, ShopError> {
        let (shelf, unknown) = self.shelf();
        if unknown.is_empty() {
            return Ok(shelf);
        }
        let _alone = self.board.reading.lock().await;
        let (shelf, unknown) = self.shelf();
        if unknown.is_empty() {
            return Ok(shelf);
        }
        let now = self.store.now();
        self.board.note(self.read_stocks(&unknown).await?, now);
        Ok(self.shelf().0)
    }

    fn shelf(&self) -> (Shelf, Vec<Product>) {
        let catalog = self.catalog();
        let (stocks, unknown) = self.board.all(&catalog);
        (Shelf { catalog, stocks }, unknown)
    }
}

#[cfg(test)]
mod tests;
