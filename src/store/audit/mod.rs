//! The audit: counts everything again from Redis itself, on a live store, and lists what does not add up.
//!
//! Exact although orders go on meanwhile: every change writes its event into the slot's outbox in the same step. All
//! orders are read once; then, slot by slot, those that changed since are read again until the events and the counters
//! of one moment are known for exactly what was read.

mod facts;
mod keys;
mod payments;
mod slot;

use super::{Store, StoreError};
use crate::domain::{AuditReport, Product, Progress, Slot};
use facts::Facts;
use keys::Prints;

/// Whether a sealed key is as it was sealed: only who has the ring can say.
pub type Sound<'a> = &'a (dyn Fn(&[u8]) -> bool + Sync);

/// What is said of a key that is not.
const UNREADABLE: &str = "holds a sealed key that does not open: its file was changed or damaged; void or replace it";

impl Store {
    /// Counts everything again and lists what does not add up. Memory: some 55 bytes an order, 8 a payment, 8 a key up to 12 million.
    ///
    /// # Errors
    /// Redis does not answer, or holds what cannot be read.
    pub async fn audit(&self, sound: Sound<'_>, progress: Progress<'_>) -> Result<AuditReport, StoreError> {
        let mut report = AuditReport::default();
        self.look_at_places().await?;
        for missing in self.places.doubt().iter().flat_map(|doubt| &doubt.missing) {
            let detail = format!("not the one that was there, or without what was acknowledged up to {}", missing.mark);
            report.add("store", &missing.place, detail);
        }
        let begun = self.stream_ends().await?;
        let catalog = self.products().await?;
        let products: Vec<&Product> = catalog.values().collect();
        report.products = catalog.len() as u64;
        let total: u64 = self.stocks(&products).await?.iter().map(|stock| stock.imported).sum();
        let parts = total.div_ceil(keys::MOST).max(1);
        let mut facts = Facts::new(Prints::new(0, parts, total), sound);
        // Pools come before orders: a key sold meanwhile was met here.
        self.each_unsold(&products, progress, &mut |name, sealed| {
            facts.prints.meet(sealed);
            if !sound(sealed) {
                report.add("unreadable", name, UNREADABLE);
            }
        })
        .await?;
        self.each_order(&|done| progress("orders", done, 1000), &mut |look| facts.take(look)).await?;
        for (slot, from) in Slot::all().zip(begun) {
            progress("slots", u64::from(slot.index()), u64::from(crate::domain::SLOTS));
            let here: Vec<&Product> = catalog.values().filter(|product| product.home() == slot).collect();
            self.audit_slot(slot, from, &here, &mut facts, &mut report).await?;
        }
        self.audit_payments(&mut report).await?;
        self.each_burned(&products, &mut |name, sealed| {
            facts.prints.meet(sealed);
            if !sound(sealed) {
                report.add("unreadable", name, UNREADABLE);
            }
        })
        .await?;
        facts.report(&mut report);
        report.keys = facts.prints.keys;
        let mut twice = facts.prints.twice();
        drop(facts);
        for part in 1..parts {
            let mut prints = Prints::new(part, parts, total);
            self.each_unsold(&products, progress, &mut |_, sealed| prints.meet(sealed)).await?;
            self.each_order(&|done| progress("keys", part * 1000 + done, parts * 1000), &mut |look| {
                look.order.iter().flat_map(|order| &order.keys).for_each(|sealed| prints.meet(sealed));
            })
            .await?;
            self.each_burned(&products, &mut |_, sealed| prints.meet(sealed)).await?;
            twice.extend(prints.twice());
        }
        self.audit_twice(&products, &twice, progress, &mut report).await?;
        Ok(report)
    }
}
