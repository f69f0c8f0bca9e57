//! Notices: which orders' buyers are to be told, and how far that got.

use redis::Value;

use super::script::{self, items_of, text_of};
use super::{Store, StoreError, orders};
use crate::domain::{Millis, Notice, NoticeState, Order, OrderId, Slot};

/// An order with its notice, as a list shows it.
#[derive(Debug, Clone)]
pub struct Listed {
    /// When it is to be sent next, or was given up.
    pub when: Millis,
    /// The order.
    pub order: Order,
}

impl Store {
    /// Writes where an order's notice stands; a waiting one is to be sent at `when`. Where `once`, only if the order has
    /// none yet. Says whether it was written.
    ///
    /// # Errors
    /// Redis cannot do it.
    pub async fn set_notice(&self, id: OrderId, notice: &Notice, when: Millis, once: bool) -> Result<bool, StoreError> {
        let (slot, n) = (id.slot(), self.names);
        let keys = [n.order(id), n.notices(slot), n.dead(slot)];
        let (when, text) = (when.to_string(), notice.to_string());
        let args: [&[u8]; 5] = [
            id.as_str().as_bytes(),
            if once { b"1" } else { b"0" },
            notice.state.as_str().as_bytes(),
            when.as_bytes(),
            text.as_bytes(),
        ];
        let reply = self.run(&script::NOTICE, &keys.each_ref().map(String::as_str), &args).await?;
        match reply.tag.as_str() {
            "written" => Ok(true),
            "known" | "gone" => Ok(false),
            _ => Err(reply.unknown()),
        }
    }

    fn list_of(&self, slot: Slot, state: NoticeState) -> String {
        if state == NoticeState::Dead { self.names.dead(slot) } else { self.names.notices(slot) }
    }

    /// Orders with a notice in that list, and when, up to the time `until`; the earliest of each slot, at most `most`.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn notices(
        &self,
        state: NoticeState,
        until: Millis,
        most: usize,
    ) -> Result<Vec<(Millis, OrderId)>, StoreError> {
        let mut pipe = redis::pipe();
        for slot in Slot::all() {
            pipe.cmd("ZRANGE").arg(self.list_of(slot, state)).arg("-inf").arg(until).arg("BYSCORE");
            pipe.arg("LIMIT").arg(0).arg(most).arg("WITHSCORES");
        }
        let mut all = Vec::new();
        for answer in self.ask_all(&pipe).await? {
            all.extend(scored(&answer));
        }
        all.sort_unstable();
        all.truncate(most);
        Ok(all)
    }

    /// How many notices are to be sent, and how many were given up.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn count_notices(&self) -> Result<(u64, u64), StoreError> {
        let mut pipe = redis::pipe();
        for slot in Slot::all() {
            pipe.cmd("ZCARD").arg(self.names.notices(slot));
            pipe.cmd("ZCARD").arg(self.names.dead(slot));
        }
        let answers = self.ask_all(&pipe).await?;
        let count = |value: &Value| text_of(value).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        Ok(answers
            .chunks_exact(2)
            .fold((0, 0), |(waiting, dead), pair| (waiting + count(&pair[0]), dead + count(&pair[1]))))
    }

    /// The orders of a list with their notices, the earliest first.
    ///
    /// # Errors
    /// Redis does not answer, or an order is damaged.
    pub async fn list_notices(&self, state: NoticeState, most: usize) -> Result<Vec<Listed>, StoreError> {
        let found = self.notices(state, Millis::MAX >> 11, most).await?;
        let mut pipe = redis::pipe();
        for (_, id) in &found {
            pipe.cmd("HGETALL").arg(self.names.order(*id));
        }
        let answers = self.ask_all(&pipe).await?;
        let mut listed = Vec::with_capacity(found.len());
        for ((when, id), answer) in found.into_iter().zip(&answers) {
            listed.extend(orders::read_order(id, answer)?.map(|order| Listed { when, order }));
        }
        Ok(listed)
    }

    /// The sealed contacts of orders that have no notice yet, in their order; `None` where there is nothing to tell.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn untold(&self, ids: &[OrderId]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let mut pipe = redis::pipe();
        for id in ids {
            pipe.cmd("HMGET").arg(self.names.order(*id)).arg(&["contact", "notice"]);
        }
        let answers = self.ask_all(&pipe).await?;
        let contact = |answer: &Value| {
            let parts = items_of(answer);
            let told = parts.get(1).and_then(script::bytes_of).is_some();
            parts.first().and_then(script::bytes_of).filter(|_| !told).map(<[u8]>::to_vec)
        };
        Ok(answers.iter().map(contact).collect())
    }
}

/// Members with their scores, in either protocol's shape.
fn scored(value: &Value) -> Vec<(Millis, OrderId)> {
    let pair = |id: &Value, score: &Value| {
        let score = match score {
            Value::Double(score) => *score,
            other => text_of(other)?.parse().ok()?,
        };
        Some((score as Millis, text_of(id)?.parse().ok()?))
    };
    let items = items_of(value);
    match items.first() {
        Some(Value::Array(_)) => items
            .iter()
            .filter_map(|item| match items_of(item) {
                [id, score] => pair(id, score),
                _ => None,
            })
            .collect(),
        _ => items.chunks_exact(2).filter_map(|two| pair(&two[0], &two[1])).collect(),
    }
}
