//! What networks hold unpaid, for the operators: who holds most, and how it is taken back.

use std::net::IpAddr;

use futures_util::{StreamExt as _, stream};
use ipnet::IpNet;

use super::limits::{Bound, UNDER_WAY_MS, is_unit};
use crate::domain::network::{named, network, networks};
use crate::domain::{HistoryLine, Operator, Order, OrderId};
use crate::shop::{Shop, ShopError, given};
use crate::store::{Counted, StoreError};
use crate::telemetry::snapshot::Holder;

/// Orders that expire at the same time.
const AT_ONCE: usize = 32;

impl Shop {
    /// Remembers a network that holds much, for the operators to see.
    pub(super) async fn note_holder(&self, address: IpAddr, bounds: &[Bound], came: &[Counted]) {
        let unit = network(address);
        let Some(name) = networks(address).iter().find(|net| is_unit(net)).map(|net| self.count_of_network(net)) else {
            return;
        };
        let total = bounds.iter().zip(came).find_map(|(bound, came)| match came {
            Counted::Done(total) if bound.rule.name == name => Some(*total),
            _ => None,
        });
        let much = total.filter(|total| *total >= self.limits.unpaid_alarm_keys && !self.is_bulk(address));
        if let Some(total) = much
            && let Err(error) = self.store.note_holder(&unit.to_string(), total).await
        {
            tracing::debug!(%error, "A network that holds much could not be noted.");
        }
    }

    /// The network that holds most keys unpaid, if it holds as many as an operator is to be told of.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn biggest_holder(&self) -> Result<Option<Holder>, StoreError> {
        let noted = self.store.holders().await?;
        if noted.is_empty() {
            return Ok(None);
        }
        // What is no network's name holds nothing.
        let counts: Vec<_> = noted.iter().map(|text| named(text).map(|net| self.count_of_network(&net))).collect();
        let mut sums = self.store.held(&counts.iter().flatten().cloned().collect::<Vec<_>>()).await?.into_iter();
        let held = counts.iter().map(|count| count.as_ref().and_then(|_| sums.next()).unwrap_or_default());
        let (much, little): (Vec<_>, Vec<_>) =
            noted.into_iter().zip(held).partition(|(_, held)| held.weight >= self.limits.unpaid_alarm_keys);
        if !little.is_empty() {
            self.store.forget_holders(&little.into_iter().map(|(network, _)| network).collect::<Vec<_>>()).await?;
        }
        let most = much.into_iter().max_by_key(|(_, held)| held.weight);
        Ok(most.map(|(network, held)| Holder { network, keys: held.weight, orders: held.orders }))
    }

    /// Lets unpaid orders of a network expire, at most `most` of them. Says how many did, and how many it has still.
    ///
    /// # Errors
    /// No reason, or Redis does not answer.
    pub async fn expire_of(
        &self,
        net: &IpNet,
        reason: &str,
        by: &Operator,
        most: usize,
    ) -> Result<(u64, u64), ShopError> {
        let reason = given(reason)?;
        let name = self.count_of_network(net);
        let (ids, _) = self.store.counted(&name, most).await?;
        let orders = self.store.orders(&ids).await?;
        let log = HistoryLine::new(self.store.now(), by, "expire", reason).to_string();
        let jobs = ids.into_iter().zip(orders).map(|(id, order)| self.expire_counted(id, order, &log));
        let mut done = stream::iter(jobs.collect::<Vec<_>>()).buffer_unordered(AT_ONCE);
        let (mut expired, mut ended) = (0, Vec::new());
        while let Some((id, came)) = done.next().await {
            match came? {
                Ended::Now => expired += 1,
                Ended::Before => {}
                Ended::NotYet => continue,
            }
            ended.push((name.clone(), id));
        }
        self.store.uncount(&ended).await?;
        self.outbox.wake();
        let (_, left) = self.store.counted(&name, 1).await?;
        Ok((expired, left))
    }

    async fn expire_counted(
        &self,
        id: OrderId,
        order: Option<Order>,
        log: &str,
    ) -> (OrderId, Result<Ended, ShopError>) {
        let came = match order {
            Some(order) => match self.expire_now(&order, log).await {
                Ok(_) => Ok(Ended::Now),
                // It was paid meanwhile, or somebody else let it expire.
                Err(ShopError::Conflict(_)) => Ok(Ended::Before),
                Err(error) => Err(error),
            },
            None if id.created() + UNDER_WAY_MS < self.store.now() => Ok(Ended::Before),
            None => Ok(Ended::NotYet),
        };
        (id, came)
    }
}

/// What became of an order that was to expire.
enum Ended {
    Now,
    Before,
    /// Its order is being made.
    NotYet,
}
