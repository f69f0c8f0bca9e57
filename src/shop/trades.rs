//! Which order a payment stands with, by the gateway's number of it: under the name of its account and of its channel.
//!
//! One number at two orders cannot be seen by a script, which sees one slot: this index finds it.

use super::{IncidentNote, Shop, ShopError};
use crate::domain::order::PaymentRecord;
use crate::domain::{OrderId, PaymentNo, PaymentState, Reason};
use crate::store::{Event, Finish, ReviewItem, TradeClaim};

/// Trade numbers claimed in one write: callbacks wait no longer than that takes.
const TRADES: usize = 256;

/// The names under which a trade number stands.
pub(super) struct TradeNames {
    /// Where it is written: first the one that decides, the same for all channels of an account.
    pub own: Vec<String>,
    /// Where another channel of the account may have written it.
    pub others: Vec<String>,
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

/// An event's payment: channel and trade number.
fn parts(payment: &str) -> (&str, &str) {
    payment.split_once('|').unwrap_or_default()
}

/// The order that a payment number is of; any other number as it is.
pub(super) fn order_of(number: &str) -> &str {
    number.get(..20).filter(|_| number.parse::<PaymentNo>().is_ok()).unwrap_or(number)
}

impl Shop {
    pub(super) fn trade_names(&self, payment: &str) -> TradeNames {
        let ((channel, trade_no), accounts) = (parts(payment), &self.store.accounts);
        let name = |of: &str| self.store.names.hashed("trade", self.vault.index("trade", &format!("{of}|{trade_no}")));
        let account = |channel: &str| {
            Some(accounts.name(channel)).filter(|of| !of.is_empty()).map(|of| name(&format!("account:{of}")))
        };
        let mut own: Vec<String> = account(accounts.first(channel)).into_iter().chain(account(channel)).collect();
        own.push(name(channel));
        own.dedup();
        let twins = accounts.twins(channel);
        let others = twins.iter().filter_map(|twin| account(twin)).chain(twins.iter().map(|twin| name(twin)));
        let mut others: Vec<String> = others.filter(|name| !own.contains(name)).collect();
        others.sort_unstable();
        others.dedup();
        TradeNames { own, others }
    }

    /// Claims a trade number for an order; what it stands with already, if so.
    pub(super) async fn claim_trade(&self, payment: &str, order: OrderId) -> Result<Option<String>, ShopError> {
        let TradeNames { own, others } = self.trade_names(payment);
        let all = [own.as_slice(), others.as_slice()].concat();
        let (_, holders) = self.holders(payment, &all).await?;
        if let Some(holder) = holders.into_iter().find(|holder| holder != order.as_str()) {
            return Ok(Some(holder));
        }
        let claim = TradeClaim { own, others, order: order.to_string() };
        Ok(self.store.claim_trades(&[claim]).await?.into_iter().flatten().next())
    }

    /// The numbers that a payment stands with under `names`, each where it stands, and those that the outbox tells of and
    /// nobody has indexed yet.
    pub(super) async fn holders(
        &self,
        payment: &str,
        names: &[String],
    ) -> Result<(Vec<Option<String>>, Vec<String>), ShopError> {
        let (channel, trade_no) = parts(payment);
        let same = |other: &str| self.store.accounts.same(channel, other);
        let stands = self.store.trade_holders(names).await?;
        let mut all = self.store.unread_of_trade(trade_no, same).await?;
        all.extend(stands.iter().flatten().cloned());
        all.sort_unstable();
        all.dedup();
        Ok((stands, all))
    }

    /// What stands of a payment with a number, through whatever channels of its account it came.
    async fn records_of(&self, payment: &str, number: &str) -> Result<Vec<PaymentRecord>, ShopError> {
        let (channel, trade_no) = parts(payment);
        let mut records = self.store.payments(number).await?;
        records.retain(|it| it.trade_no == trade_no && self.store.accounts.same(channel, &it.channel));
        Ok(records)
    }

    /// What is known of a payment that these numbers share, besides at `ours`. One that a person is counting for an order is
    /// claimed until that order has it: it may go back to where it waited.
    pub(super) async fn known_elsewhere(
        &self,
        payment: &str,
        holders: &[String],
        ours: &[&str],
    ) -> Result<Elsewhere, ShopError> {
        for holder in holders.iter().filter(|holder| !ours.contains(&holder.as_str())) {
            let records = self.records_of(payment, holder).await?;
            if records.is_empty() {
                return Ok(Elsewhere::Claimed(holder.clone()));
            }
            for record in records.iter().filter(|it| it.state != PaymentState::Orphan) {
                let Some(target) = record.counts_for.as_deref().map(order_of) else {
                    return Ok(Elsewhere::Known(holder.clone(), record.state));
                };
                if ours.contains(&target) {
                    continue;
                }
                let there = self.records_of(payment, target).await?;
                return Ok(match there.iter().find(|it| it.state != PaymentState::Orphan) {
                    Some(record) => Elsewhere::Known(target.to_owned(), record.state),
                    None => Elsewhere::Claimed(target.to_owned()),
                });
            }
        }
        Ok(Elsewhere::Free)
    }

    /// Writes what payments these events tell of into the index, and finds those that stand elsewhere too.
    pub(super) async fn index_trades(&self, events: &[&Event]) -> Result<(), ShopError> {
        let paid: Vec<&&Event> = events.iter().filter(|event| !event.payment.is_empty()).collect();
        let claim = |event: &&&Event| {
            let TradeNames { own, others } = self.trade_names(&event.payment);
            TradeClaim { own, others, order: event.order.clone() }
        };
        for part in paid.chunks(TRADES) {
            let claims: Vec<TradeClaim> = part.iter().map(claim).collect();
            for (event, holders) in part.iter().zip(self.store.claim_trades(&claims).await?) {
                // What a person finished stands with two numbers, as it must.
                if !holders.is_empty() && !matches!(event.kind.as_str(), "adopted" | "refunded" | "known" | "returned")
                {
                    let seen = self.seen_twice(event, &holders).await;
                    self.past_damage(event, seen)?;
                }
                self.note_payment(event);
            }
        }
        Ok(())
    }

    /// A trade number stands with another number than an event's: an orphan that is known there waits for nobody any more.
    async fn seen_twice(&self, event: &Event, holders: &[String]) -> Result<(), ShopError> {
        let advice = match self.known_elsewhere(&event.payment, holders, &[&event.order]).await? {
            Elsewhere::Known(holder, _) if event.kind == "orphan" => {
                let item = ReviewItem {
                    kind: event.kind.clone(),
                    id: event.order.clone(),
                    payment: event.payment.clone(),
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
            Elsewhere::Free if event.kind == "orphan" => format!(
                "This trade number waits with {} too: one payment may have bought twice. Look at it in the gateway's console.",
                holders.join(" and ")
            ),
            Elsewhere::Free => return Ok(()),
        };
        self.incident(IncidentNote {
            channel: parts(&event.payment).0,
            advice: &advice,
            number: &event.order,
            status: 200,
            ..IncidentNote::new(Reason::TradeTwice)
        });
        Ok(())
    }

    fn note_payment(&self, event: &Event) {
        let reason = match event.kind.as_str() {
            "extra" => Reason::ExtraPayment,
            "held" => Reason::Held,
            _ => return,
        };
        self.incident(IncidentNote {
            channel: parts(&event.payment).0,
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
        let names: Vec<String> =
            channels.flat_map(|channel| self.trade_names(&format!("{channel}|{trade_no}")).own).collect();
        let mut ids: Vec<OrderId> = Vec::new();
        for holder in self.store.trade_holders(&names).await?.into_iter().flatten() {
            if let Some(id) = holder.parse().ok().filter(|id| !ids.contains(id)) {
                ids.push(id);
            }
        }
        Ok(ids)
    }
}
