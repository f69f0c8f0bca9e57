//! Which order a payment stands with, by the gateway's number of it: under the name of its account and of its channel.
//!
//! One number at two orders cannot be seen by a script, which sees one slot: this index finds it.

use crate::domain::order::PaymentRecord;
use crate::domain::{OrderId, PaymentNo, PaymentState, Reason, ReviewKind, Trade};
use crate::shop::{IncidentNote, Shop, ShopError};
use crate::store::{Event, EventKind, Finish, ReviewItem, TradeClaim};
use crate::vault::Index;

/// Trade numbers claimed in one write: callbacks wait no longer than that takes.
const TRADES: usize = 256;

/// Under what a trade number stands.
pub(super) struct TradeNames {
    /// Where it is written: first the one that decides, the same for all channels of an account.
    pub own: Vec<Index>,
    /// Where another channel of the account may have written it.
    pub others: Vec<Index>,
}

/// What is known of a payment besides where it is looked at.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Elsewhere {
    /// Nothing: it waits, at most elsewhere too.
    Free,
    /// It stands with that number, and became that.
    Known(String, PaymentState),
    /// That order claimed it, and does not have it yet.
    Claimed(String),
}

impl Shop {
    pub(super) fn trade_names(&self, trade: &Trade) -> TradeNames {
        let (Trade { account: channel, number }, accounts) = (trade, &self.store.accounts);
        let name = |of: &str| self.vault.index("trade", &format!("{of}|{number}"));
        let account = |channel: &str| {
            Some(accounts.name(channel)).filter(|of| !of.is_empty()).map(|of| name(&format!("account:{of}")))
        };
        let mut own: Vec<Index> = account(accounts.first(channel)).into_iter().chain(account(channel)).collect();
        own.push(name(channel));
        own.dedup();
        let twins = accounts.twins(channel);
        let others = twins.iter().filter_map(|twin| account(twin)).chain(twins.iter().map(|twin| name(twin)));
        let mut others: Vec<Index> = others.filter(|name| !own.contains(name)).collect();
        others.sort_unstable();
        others.dedup();
        TradeNames { own, others }
    }

    /// Claims a trade number for an order; what it stands with already, if so.
    pub(in crate::shop) async fn claim_trade(
        &self,
        trade: &Trade,
        order: OrderId,
    ) -> Result<Option<String>, ShopError> {
        let TradeNames { own, others } = self.trade_names(trade);
        let all = [own.as_slice(), others.as_slice()].concat();
        let (_, holders) = self.holders(trade, &all).await?;
        if let Some(holder) = holders.into_iter().find(|holder| holder != order.as_str()) {
            return Ok(Some(holder));
        }
        let claim = TradeClaim { own, others, order: order.to_string() };
        Ok(self.store.claim_trades(&[claim]).await?.into_iter().flatten().next())
    }

    /// The numbers that a payment stands with under these `trades`, each where it stands, and those that the outbox tells of and
    /// nobody has indexed yet.
    pub(in crate::shop) async fn holders(
        &self,
        trade: &Trade,
        trades: &[Index],
    ) -> Result<(Vec<Option<String>>, Vec<String>), ShopError> {
        let same = |other: &str| self.store.accounts.same(&trade.account, other);
        let stands = self.store.trade_holders(trades).await?;
        let mut all = self.store.unread_of_trade(&trade.number, same).await?;
        all.extend(stands.iter().flatten().cloned());
        all.sort_unstable();
        all.dedup();
        Ok((stands, all))
    }

    /// What stands of a payment with a number, through whatever channels of its account it came.
    async fn records_of(&self, trade: &Trade, number: &str) -> Result<Vec<PaymentRecord>, ShopError> {
        let mut records = self.store.payments(number).await?;
        records.retain(|it| it.trade_no == trade.number && self.store.accounts.same(&trade.account, &it.channel));
        Ok(records)
    }

    /// What is known of a payment that these numbers share, besides at `ours`. One that a person is counting for an order is
    /// claimed until that order has it: it may go back to where it waited.
    pub(super) async fn known_elsewhere(
        &self,
        trade: &Trade,
        holders: &[String],
        ours: &[&str],
    ) -> Result<Elsewhere, ShopError> {
        for holder in holders.iter().filter(|holder| !ours.contains(&holder.as_str())) {
            let records = self.records_of(trade, holder).await?;
            if records.is_empty() {
                return Ok(Elsewhere::Claimed(holder.clone()));
            }
            for record in records.iter().filter(|it| it.state != PaymentState::Orphan) {
                let Some(target) = record.counts_for.as_deref().map(PaymentNo::order_part) else {
                    return Ok(Elsewhere::Known(holder.clone(), record.state));
                };
                if ours.contains(&target) {
                    continue;
                }
                let there = self.records_of(trade, target).await?;
                return Ok(match there.iter().find(|it| it.state != PaymentState::Orphan) {
                    Some(record) => Elsewhere::Known(target.to_owned(), record.state),
                    None => Elsewhere::Claimed(target.to_owned()),
                });
            }
        }
        Ok(Elsewhere::Free)
    }

    /// Writes what payments these events tell of into the index, and finds those that stand elsewhere too.
    pub(in crate::shop) async fn index_trades(&self, events: &[&Event]) -> Result<(), ShopError> {
        let paid = events.iter().filter_map(|event| Some((*event, event.payment.as_ref()?)));
        let paid: Vec<(&Event, &Trade)> = paid.collect();
        let claim = |(event, trade): &(&Event, &Trade)| {
            let TradeNames { own, others } = self.trade_names(trade);
            TradeClaim { own, others, order: event.order.clone() }
        };
        for part in paid.chunks(TRADES) {
            let claims: Vec<TradeClaim> = part.iter().map(claim).collect();
            for ((event, trade), holders) in part.iter().zip(self.store.claim_trades(&claims).await?) {
                // What a person finished stands with two numbers, as it must.
                let finished = matches!(
                    event.kind,
                    EventKind::Adopted | EventKind::Refunded | EventKind::Known | EventKind::Returned
                );
                if !holders.is_empty() && !finished {
                    let seen = self.seen_twice(event, trade, &holders).await;
                    self.past_damage(event, seen)?;
                }
                self.note_payment(event, trade);
            }
        }
        Ok(())
    }

    /// A trade number stands with another number than an event's: an orphan that is known there waits for nobody any more.
    async fn seen_twice(&self, event: &Event, trade: &Trade, holders: &[String]) -> Result<(), ShopError> {
        let advice = match self.known_elsewhere(trade, holders, &[&event.order]).await? {
            Elsewhere::Known(holder, _) if event.kind == EventKind::Orphan => {
                let item = ReviewItem {
                    kind: ReviewKind::Orphan,
                    id: event.order.clone(),
                    payment: Some(trade.clone()),
                    since: event.at(),
                };
                self.store.finish_payment(&item, Finish::Known { from: None, holder: &holder }).await?;
                format!(
                    "This trade number stands with {holder} already: it is the same payment, and nothing is to be delivered or given back for it once more."
                )
            }
            Elsewhere::Known(holder, _) | Elsewhere::Claimed(holder) => format!(
                "This trade number stands with {holder} too: one payment may have bought twice. Look at it in the gateway's console."
            ),
            Elsewhere::Free if event.kind == EventKind::Orphan => format!(
                "This trade number waits with {} too: one payment may have bought twice. Look at it in the gateway's console.",
                holders.join(" and ")
            ),
            Elsewhere::Free => return Ok(()),
        };
        self.incident(IncidentNote {
            channel: &trade.account,
            advice: &advice,
            number: &event.order,
            status: 200,
            ..IncidentNote::new(Reason::TradeTwice)
        });
        Ok(())
    }

    fn note_payment(&self, event: &Event, trade: &Trade) {
        let reason = match event.kind {
            EventKind::Extra => Reason::ExtraPayment,
            EventKind::Held => Reason::Held,
            _ => return,
        };
        self.incident(IncidentNote {
            channel: &trade.account,
            number: &event.order,
            status: 200,
            ..IncidentNote::new(reason)
        });
    }

    /// The orders that a trade number stands with, whatever channel it came through; the last one that it was given to first.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn orders_of_trade(&self, trade_no: &str) -> Result<Vec<OrderId>, ShopError> {
        let channels = self.channels.list().map(|(name, _)| name).chain(["manual"]);
        let names: Vec<Index> =
            channels.flat_map(|channel| self.trade_names(&Trade::new(channel, trade_no)).own).collect();
        let mut ids: Vec<OrderId> = Vec::new();
        for holder in self.store.trade_holders(&names).await?.into_iter().flatten() {
            if let Some(id) = holder.parse().ok().filter(|id| !ids.contains(id)) {
                ids.push(id);
            }
        }
        Ok(ids)
    }
}
