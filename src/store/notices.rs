//! Notices: what buyers and operators are to be told, and how far that got.

use redis::Value;

use super::at::Pipe;
use super::script::{self, items_of, text_of};
use super::{At, Store, StoreError, orders};
use crate::domain::{Millis, News, NewsId, Notice, NoticeId, NoticeState, Order, OrderId, Slot};

/// How long news are remembered once nothing is to be sent of them: what is read from the outbox twice is told once.
const KEEP_MS: u64 = 3_600_000;

/// A notice as a list shows it.
#[derive(Debug, Clone)]
pub struct Listed {
    /// When it is to be sent next, or was given up.
    pub when: Millis,
    /// Whose.
    pub id: NoticeId,
    /// Where it stands.
    pub notice: Notice,
    /// The order of a buyer's notice.
    pub order: Option<Order>,
}

impl Store {
    /// Writes where a notice stands; a waiting one is to be sent at `when`. Where `once`, only if there is none yet.
    /// `news` is what happened, where it is not written yet. Says whether it was written.
    ///
    /// # Errors
    /// Redis cannot do it.
    pub async fn set_notice(
        &self,
        id: &NoticeId,
        notice: &Notice,
        when: Millis,
        once: bool,
        news: Option<&News>,
    ) -> Result<bool, StoreError> {
        let (slot, n) = (id.slot(), self.names);
        let (holder, keep) = match id {
            NoticeId::Buyer(order) => (n.order(*order), 0),
            NoticeId::News(news) => (n.news(news), KEEP_MS),
        };
        let keys = [holder, n.notices(slot, id.notifier()), n.dead(slot)];
        let (id, when, text, keep) = (id.to_string(), when.to_string(), notice.to_string(), keep.to_string());
        let at = news.map(|news| news.at.to_string()).unwrap_or_default();
        let args: [&[u8]; 8] = [
            id.as_bytes(),
            if once { b"1" } else { b"0" },
            notice.state.as_str().as_bytes(),
            when.as_bytes(),
            text.as_bytes(),
            at.as_bytes(),
            news.map_or("", |news| &news.data).as_bytes(),
            keep.as_bytes(),
        ];
        let reply = self.run(At::Slot(slot), &script::NOTICE, &keys.each_ref().map(String::as_str), &args).await?;
        match reply.tag.as_str() {
            "written" => Ok(true),
            "known" | "gone" => Ok(false),
            _ => Err(reply.unknown()),
        }
    }

    /// Some news with its notice, if they are still known.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn news(&self, id: &NewsId) -> Result<Option<(News, Notice)>, StoreError> {
        let found: Value = self
            .ask(
                At::Slot(Slot::of_number(&id.about)),
                redis::cmd("HMGET").arg(self.names.news(id)).arg(&["at", "data", "notice"]),
            )
            .await?;
        let texts: Vec<Option<String>> = items_of(&found).iter().map(text_of).collect();
        let [Some(at), Some(data), Some(notice)] = &texts[..] else { return Ok(None) };
        let damaged = || StoreError::Damaged(format!("news {id}"));
        let (at, notice) = (at.parse().map_err(|_| damaged())?, notice.parse().map_err(|()| damaged())?);
        Ok(Some((News { at, data: data.clone() }, notice)))
    }

    /// Notices that are to be sent by `until`, buyers' or that notifier's, and when; the earliest first.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn notices(
        &self,
        notifier: Option<&str>,
        until: Millis,
        most: usize,
    ) -> Result<Vec<(Millis, NoticeId)>, StoreError> {
        self.scored(Slot::all().map(|slot| (slot, self.names.notices(slot, notifier))), until, most).await
    }

    async fn scored(
        &self,
        lists: impl Iterator<Item = (Slot, String)>,
        until: Millis,
        most: usize,
    ) -> Result<Vec<(Millis, NoticeId)>, StoreError> {
        let mut pipe = Pipe::default();
        for (slot, list) in lists {
            let cmd = pipe.cmd(At::Slot(slot), "ZRANGE");
            cmd.arg(list).arg("-inf").arg(until).arg("BYSCORE").arg("LIMIT").arg(0).arg(most).arg("WITHSCORES");
        }
        let mut all = Vec::new();
        for answer in self.ask_all(pipe).await? {
            all.extend(scored(&answer));
        }
        all.sort_unstable();
        all.truncate(most);
        Ok(all)
    }

    /// How many notices are to be sent, to buyers and through those notifiers, and how many were given up.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn count_notices(&self, notifiers: &[String]) -> Result<(u64, u64), StoreError> {
        let mut pipe = Pipe::default();
        for slot in Slot::all() {
            pipe.cmd(At::Slot(slot), "ZCARD").arg(self.names.dead(slot));
            for (slot, list) in self.waiting_in(slot, notifiers) {
                pipe.cmd(At::Slot(slot), "ZCARD").arg(list);
            }
        }
        let answers = self.ask_all(pipe).await?;
        let count = |value: &Value| text_of(value).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        let sums = |(waiting, dead), of_slot: &[Value]| {
            (waiting + of_slot[1..].iter().map(count).sum::<u64>(), dead + count(&of_slot[0]))
        };
        Ok(answers.chunks_exact(2 + notifiers.len()).fold((0, 0), sums))
    }

    /// The lists of one slot of what is to be sent.
    fn waiting_in(&self, slot: Slot, notifiers: &[String]) -> impl Iterator<Item = (Slot, String)> {
        let names = self.names;
        std::iter::once(None)
            .chain(notifiers.iter().map(Some))
            .map(move |name| (slot, names.notices(slot, name.map(String::as_str))))
    }

    /// The notices that were given up, or are to be sent to buyers and through those notifiers; the earliest first.
    ///
    /// # Errors
    /// Redis does not answer, or an order is damaged.
    pub async fn list_notices(
        &self,
        state: NoticeState,
        notifiers: &[String],
        most: usize,
    ) -> Result<Vec<Listed>, StoreError> {
        let lists: Vec<(Slot, String)> = match state {
            NoticeState::Dead => Slot::all().map(|slot| (slot, self.names.dead(slot))).collect(),
            _ => Slot::all().flat_map(|slot| self.waiting_in(slot, notifiers)).collect(),
        };
        let found = self.scored(lists.into_iter(), Millis::MAX >> 11, most).await?;
        let mut pipe = Pipe::default();
        for (_, id) in &found {
            match id {
                NoticeId::Buyer(order) => pipe.cmd(At::Slot(order.slot()), "HGETALL").arg(self.names.order(*order)),
                NoticeId::News(news) => pipe.cmd(At::Slot(id.slot()), "HGET").arg(self.names.news(news)).arg("notice"),
            };
        }
        let answers = self.ask_all(pipe).await?;
        let mut listed = Vec::with_capacity(found.len());
        for ((when, id), answer) in found.into_iter().zip(&answers) {
            let order = match id {
                NoticeId::Buyer(order) => orders::read_order(order, answer)?,
                NoticeId::News(_) => None,
            };
            let notice = match &order {
                Some(order) => order.notice.clone(),
                None => text_of(answer).and_then(|text| text.parse().ok()),
            };
            listed.extend(notice.map(|notice| Listed { when, id, notice, order }));
        }
        Ok(listed)
    }

    /// The sealed contacts of orders that have no notice yet, in their order; `None` where there is nothing to tell.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn untold(&self, ids: &[OrderId]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let mut pipe = Pipe::default();
        for id in ids {
            pipe.cmd(At::Slot(id.slot()), "HMGET").arg(self.names.order(*id)).arg(&["contact", "notice"]);
        }
        let answers = self.ask_all(pipe).await?;
        let contact = |answer: &Value| {
            let parts = items_of(answer);
            let has_notice = parts.get(1).and_then(script::bytes_of).is_some();
            parts.first().and_then(script::bytes_of).filter(|_| !has_notice).map(<[u8]>::to_vec)
        };
        Ok(answers.iter().map(contact).collect())
    }
}

/// Members with their scores, in either protocol's shape.
fn scored(value: &Value) -> Vec<(Millis, NoticeId)> {
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
