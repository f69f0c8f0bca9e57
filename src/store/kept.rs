//! Unpaid orders that are kept for a while after their time, in case they are paid all the same: a sorted set of each slot
//! says when each expired, so that the oldest are known when there are too many.

use futures_util::future::try_join_all;

use super::at::Pipe;
use super::script::{self, items_of, text_of};
use super::{At, Store, StoreError};
use crate::domain::{Millis, OrderId, Slot};

/// Orders forgotten at once.
const AT_ONCE: usize = 32;

impl Store {
    /// Notes orders and when they expired; what expired before `past` was forgotten by itself.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn keep(&self, expired: &[(OrderId, Millis)], past: Millis) -> Result<(), StoreError> {
        let mut pipe = Pipe::default();
        for (id, at) in expired {
            let name = self.names.kept(id.slot());
            pipe.cmd(At::Slot(id.slot()), "ZADD").arg(&name).arg("NX").arg(at).arg(id.as_str());
            pipe.cmd(At::Slot(id.slot()), "ZREMRANGEBYSCORE").arg(&name).arg("-inf").arg(past);
        }
        self.ask_all(pipe).await.map(drop)
    }

    /// How many orders are kept.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn kept(&self) -> Result<u64, StoreError> {
        let mut pipe = Pipe::default();
        for slot in Slot::all() {
            pipe.cmd(At::Slot(slot), "ZCARD").arg(self.names.kept(slot));
        }
        let answers = self.ask_all(pipe).await?;
        Ok(answers.iter().filter_map(|answer| text_of(answer)?.parse::<u64>().ok()).sum())
    }

    /// Forgets those that expired first, `most` of them; says how many there were to forget.
    ///
    /// # Errors
    /// Redis cannot do it.
    pub async fn forget_oldest(&self, most: usize) -> Result<usize, StoreError> {
        let mut pipe = Pipe::default();
        for slot in Slot::all() {
            pipe.cmd(At::Slot(slot), "ZRANGE").arg(self.names.kept(slot)).arg(0).arg(most.max(1) - 1).arg("WITHSCORES");
        }
        let mut oldest: Vec<(Millis, OrderId)> = Vec::new();
        for answer in self.ask_all(pipe).await? {
            let of = |pair: &[redis::Value]| Some((text_of(&pair[1])?.parse().ok()?, text_of(&pair[0])?.parse().ok()?));
            oldest.extend(items_of(&answer).chunks_exact(2).filter_map(of));
        }
        oldest.sort_unstable();
        oldest.truncate(most);
        for part in oldest.chunks(AT_ONCE) {
            try_join_all(part.iter().map(|(_, id)| self.forget(*id))).await?;
        }
        Ok(oldest.len())
    }

    /// Forgets an expired order; says whether it was one.
    ///
    /// # Errors
    /// Redis cannot do it.
    pub async fn forget(&self, id: OrderId) -> Result<bool, StoreError> {
        let keys = [self.names.order(id), self.names.kept(id.slot())];
        let reply = self
            .run(At::Slot(id.slot()), &script::FORGET, &keys.each_ref().map(String::as_str), &[id.as_str().as_bytes()])
            .await?;
        match reply.tag.as_str() {
            "forgotten" => Ok(true),
            "stays" => Ok(false),
            _ => Err(reply.unknown()),
        }
    }
}
