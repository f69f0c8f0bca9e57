//! What is counted against limits: each limit's hash of ids, and the moments at which they stop counting, in the slot of what
//! it is kept by. A count that is not given back ends by itself.

use futures_util::future::try_join_all;
use redis::Value;

use super::at::Pipe;
use super::script::{self, items_of, text_of};
use super::{At, CountName, Store, StoreError};
use crate::domain::{Millis, OrderId, OrderState};
use crate::vault::Index;

/// Calls that shed what is over before an id is counted, a hundred entries each.
const SHEDS: usize = 1000;
/// Ids given back in one call.
const GIVEN: usize = 500;
/// Limits given back at once.
const AT_ONCE: usize = 32;

/// One limit that an order counts against.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The name of its count.
    pub name: CountName,
    /// What its weight adds up with; empty: with all.
    pub group: String,
    /// What it weighs.
    pub weight: u64,
    /// Orders that may be counted.
    pub most: u64,
    /// The highest sum of weights.
    pub limit: u64,
    /// Whether a group's first order may weigh more than that.
    pub first: bool,
    /// When it stops counting.
    pub until: Millis,
}

/// What became of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// It is counted; all weights are so much now.
    Done(u64),
    /// There are as many orders as there may be, until then.
    Orders(Option<Millis>),
    /// It weighs too much, until then.
    Weight(Option<Millis>),
}

/// The limits an order says that it counts against.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrderLimits {
    /// Counts that it leaves once it is paid or has expired.
    pub unpaid: Vec<CountName>,
    /// Counts that it leaves only when it expires.
    pub bought: Vec<CountName>,
    /// Members of sorted sets, as orders had them before there were counts: the same two.
    pub old: [Vec<(String, String)>; 2],
}

/// What one count holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CountSum {
    /// The sum of all weights.
    pub weight: u64,
    /// Orders.
    pub orders: u64,
}

fn number(value: Option<&Value>) -> u64 {
    value.and_then(text_of).and_then(|text| text.parse().ok()).unwrap_or(0)
}

impl Store {
    /// The count that something is limited by.
    #[must_use]
    pub fn count_of(&self, limited: Index) -> CountName {
        self.names.count(limited)
    }

    /// Counts an order against limits, all at the same time; says what became of each, in their order.
    ///
    /// # Errors
    /// Redis cannot do it.
    pub async fn count(&self, order: OrderId, rules: &[Rule]) -> Result<Vec<Counted>, StoreError> {
        try_join_all(rules.iter().map(|rule| self.count_one(order, rule))).await
    }

    async fn count_one(&self, order: OrderId, rule: &Rule) -> Result<Counted, StoreError> {
        let keys = [rule.name.as_str(), &rule.name.ends()];
        let numbers = [rule.weight, rule.until, rule.most, rule.limit].map(|number| number.to_string());
        let [weight, until, most, limit] = numbers.each_ref().map(String::as_bytes);
        let first: &[u8] = if rule.first { b"1" } else { b"0" };
        for _ in 0..SHEDS {
            let now = self.now().to_string();
            let group = rule.group.as_bytes();
            let args = [now.as_bytes(), order.as_str().as_bytes(), group, weight, until, most, limit, first];
            let reply = self.run(rule.name.at(), &script::COUNT, &keys, &args).await?;
            let until = || reply.parsed::<Millis>(0).map(|until| (until > 0).then_some(until));
            match reply.tag.as_str() {
                "counted" => return Ok(Counted::Done(reply.parsed(0)?)),
                "ids" => return Ok(Counted::Orders(until()?)),
                "weight" => return Ok(Counted::Weight(until()?)),
                "more" => {}
                _ => return Err(reply.unknown()),
            }
        }
        Ok(Counted::Weight(Some(self.now())))
    }

    /// Gives back what orders count, each with its limit.
    ///
    /// # Errors
    /// Redis cannot do it.
    pub async fn uncount(&self, counts: &[(CountName, OrderId)]) -> Result<(), StoreError> {
        let mut by_name = std::collections::BTreeMap::<&CountName, Vec<OrderId>>::new();
        for (name, order) in counts {
            by_name.entry(name).or_default().push(*order);
        }
        let by_name: Vec<_> = by_name.into_iter().collect();
        for part in by_name.chunks(AT_ONCE) {
            try_join_all(part.iter().map(|(name, orders)| self.uncount_of(name, orders))).await?;
        }
        Ok(())
    }

    async fn uncount_of(&self, name: &CountName, orders: &[OrderId]) -> Result<(), StoreError> {
        let ends = name.ends();
        for part in orders.chunks(GIVEN) {
            let ids: Vec<&[u8]> = part.iter().map(|id| id.as_str().as_bytes()).collect();
            self.run(name.at(), &script::UNCOUNT, &[name.as_str(), &ends], &ids).await?;
        }
        Ok(())
    }

    /// Takes members out of the sorted sets that older orders count in.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn uncount_old(&self, members: &[(String, String)]) -> Result<(), StoreError> {
        let mut pipe = Pipe::default();
        for (name, member) in members {
            pipe.cmd(At::of(name), "ZREM").arg(name).arg(member);
        }
        self.ask_all(pipe).await.map(drop)
    }

    /// What older orders still count in such a sorted set: its members are `order|weight`.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn counted_old(&self, quota: Index) -> Result<u64, StoreError> {
        let name = self.names.quota(quota);
        let from = format!("({}", self.now());
        let members: Vec<String> =
            self.ask(At::of_hash(quota), redis::cmd("ZRANGE").arg(name).arg(from).arg("+inf").arg("BYSCORE")).await?;
        Ok(members.iter().filter_map(|member| member.rsplit('|').next()?.parse::<u64>().ok()).sum())
    }

    /// Orders that a count holds, those first that stop counting first, at most `most`; and how many there are.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn counted(&self, name: &CountName, most: usize) -> Result<(Vec<OrderId>, u64), StoreError> {
        let ends = name.ends();
        let mut pipe = Pipe::default();
        pipe.cmd(name.at(), "ZRANGE").arg(&ends).arg(0).arg(most.max(1) - 1);
        pipe.cmd(name.at(), "ZCARD").arg(&ends);
        let answers = self.ask_all(pipe).await?;
        let ids = answers.first().map(items_of).unwrap_or_default();
        Ok((ids.iter().filter_map(|id| text_of(id)?.parse().ok()).collect(), number(answers.get(1))))
    }

    /// What counts hold now.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn held(&self, names: &[CountName]) -> Result<Vec<CountSum>, StoreError> {
        let mut pipe = Pipe::default();
        for name in names {
            pipe.cmd(name.at(), "HGET").arg(name.as_str()).arg("+");
            pipe.cmd(name.at(), "ZCARD").arg(name.ends());
        }
        let answers = self.ask_all(pipe).await?;
        let held =
            answers.chunks_exact(2).map(|pair| CountSum { weight: number(pair.first()), orders: number(pair.get(1)) });
        Ok(held.collect())
    }

    /// Where orders stand; `None` for one that is not there.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn states(&self, ids: &[OrderId]) -> Result<Vec<Option<OrderState>>, StoreError> {
        let mut pipe = Pipe::default();
        for id in ids {
            pipe.cmd(At::Slot(id.slot()), "HGET").arg(self.names.order(*id)).arg("state");
        }
        let answers = self.ask_all(pipe).await?;
        Ok(answers.iter().map(|answer| text_of(answer)?.parse().ok()).collect())
    }

    /// The limits that orders count against; a forgotten order counts nothing.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn limits_of(&self, ids: &[OrderId]) -> Result<Vec<OrderLimits>, StoreError> {
        let mut answers = Vec::with_capacity(ids.len());
        for part in ids.chunks(250) {
            let mut pipe = Pipe::default();
            for id in part {
                let names = ["unpaid", "bought", "caps", "quotas", "quantity"];
                pipe.cmd(At::Slot(id.slot()), "HMGET").arg(self.names.order(*id)).arg(&names);
            }
            answers.extend(self.ask_all(pipe).await?);
        }
        let read = |(id, answer): (&OrderId, &Value)| {
            let text = |at: usize| items_of(answer).get(at).and_then(text_of).unwrap_or_default();
            let list = |at: usize| -> Vec<String> { text(at).split_whitespace().map(str::to_owned).collect() };
            let members = |at: usize, weight: &str| {
                list(at).into_iter().map(|name| (name, format!("{id}|{weight}"))).collect::<Vec<_>>()
            };
            let counts = |at: usize| list(at).iter().map(|name| CountName::kept(name)).collect();
            OrderLimits { unpaid: counts(0), bought: counts(1), old: [members(2, "1"), members(3, &text(4))] }
        };
        Ok(ids.iter().zip(&answers).map(read).collect())
    }

    /// Notes that a network holds much; of many, those who hold most are remembered.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn note_holder(&self, network: &str, weight: u64) -> Result<(), StoreError> {
        const MOST: i64 = 20;
        let name = self.names.holders();
        let mut pipe = Pipe::default();
        pipe.cmd(At::Catalog, "ZADD").arg(&name).arg(weight).arg(network);
        pipe.cmd(At::Catalog, "ZREMRANGEBYRANK").arg(&name).arg(0).arg(-(MOST + 1));
        self.ask_all(pipe).await.map(drop)
    }

    /// Networks that were noted.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn holders(&self) -> Result<Vec<String>, StoreError> {
        self.ask(At::Catalog, redis::cmd("ZRANGE").arg(self.names.holders()).arg(0).arg(-1)).await
    }

    /// Forgets networks that hold little by now.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn forget_holders(&self, networks: &[String]) -> Result<(), StoreError> {
        self.ask::<i64>(At::Catalog, redis::cmd("ZREM").arg(self.names.holders()).arg(networks)).await.map(drop)
    }
}
