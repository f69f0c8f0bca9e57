//! Whether every payment is where a person finds it, and bought once.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::ops::ControlFlow;

use crate::domain::order::PaymentRecord;
use crate::domain::text::printable;
use crate::domain::{AuditReport, PaymentState, Slot, Trade};
use crate::store::orders::{fields, read_payment};
use crate::store::{At, Store, StoreError};

fn print(trade: &Trade) -> u64 {
    let mut hash = DefaultHasher::new();
    trade.hash(&mut hash);
    hash.finish()
}

impl Store {
    /// The same one for all channels of an account.
    fn trade(&self, record: &PaymentRecord) -> Trade {
        Trade::new(self.accounts.first(&record.channel), &record.trade_no)
    }

    /// Payments for numbers we do not know must wait for a person, or have been finished by one; and no payment may stand as
    /// settled with two orders, through whatever channels of its account it came.
    pub(super) async fn audit_payments(&self, report: &mut AuditReport) -> Result<(), StoreError> {
        let (mut orphans, mut met, mut damaged) = (Vec::new(), Vec::new(), BTreeSet::new());
        self.each_payment(&mut |id, name, record| {
            match record {
                Ok(record) if record.state == PaymentState::Orphan => orphans.push((id.to_owned(), record)),
                Ok(record) if record.state == PaymentState::Settled => met.push(print(&self.trade(&record))),
                Ok(_) => {}
                Err(_) => drop(damaged.insert((id.to_owned(), name.to_owned()))),
            }
            ControlFlow::Continue(())
        })
        .await?;
        for (id, name) in damaged {
            let detail = format!(
                "the record {:?} of a payment cannot be read: it was changed or damaged",
                printable(&name, 200)
            );
            report.add("damaged", id, detail);
        }
        for (id, record) in orphans {
            let member = format!("orphan:{id}:{}", record.trade());
            let slot = Slot::of_number(&id);
            let review = self.names.review(slot);
            let waits: Option<f64> = self.ask(At::Slot(slot), redis::cmd("ZSCORE").arg(review).arg(&member)).await?;
            if waits.is_none() && self.readable_payments(&id).await?.contains(&record) {
                report.add("review", &id, "an orphan payment that nobody is shown");
            }
        }
        met.sort_unstable();
        let twice: HashSet<u64> = met.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
        drop(met);
        self.audit_trades(&twice, report).await
    }

    /// Looks again for payments that were met twice, and reports those that bought twice.
    async fn audit_trades(&self, twice: &HashSet<u64>, report: &mut AuditReport) -> Result<(), StoreError> {
        if twice.is_empty() {
            return Ok(());
        }
        let mut found: BTreeMap<Trade, BTreeSet<String>> = BTreeMap::new();
        self.each_payment(&mut |id, _, record| {
            if let Some(record) = record.ok().filter(|record| record.state == PaymentState::Settled) {
                let trade = self.trade(&record);
                if twice.contains(&print(&trade)) {
                    found.entry(trade).or_default().insert(id.to_owned());
                }
            }
            ControlFlow::Continue(())
        })
        .await?;
        for (trade, ids) in found.iter().filter(|(_, ids)| ids.len() > 1) {
            let mut stand = Vec::new();
            for id in ids {
                let records = self.readable_payments(id).await?;
                if records.iter().any(|it| it.state == PaymentState::Settled && self.trade(it) == *trade) {
                    stand.push(id.as_str());
                }
            }
            if stand.len() > 1 {
                let detail = format!("one payment is settled with {}", stand.join(" and "));
                report.add("trade_twice", trade.to_string(), detail);
            }
        }
        Ok(())
    }

    /// The payments that stand with a number, those that can be read.
    async fn readable_payments(&self, id: &str) -> Result<Vec<PaymentRecord>, StoreError> {
        let answer: redis::Value =
            self.ask(At::Slot(Slot::of_number(id)), redis::cmd("HGETALL").arg(self.names.pay(id))).await?;
        Ok(fields(&answer).filter_map(|(name, value)| read_payment(&name, value).ok()).collect())
    }
}
