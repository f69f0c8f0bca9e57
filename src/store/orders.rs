//! Orders: made, looked up, expired, paid another way.

use redis::Value;

use super::at::Pipe;
use super::script::{self, bytes_of, items_of, text_of};
use super::{At, CountName, Store, StoreError};
use crate::domain::order::PaymentRecord;
use crate::domain::{
    Attempt, AttemptNo, Due, Millis, Money, Opened, Order, OrderId, Origin, Product, ProductId, Slot, Trade,
};
use crate::vault::Sealed;

/// An order to be made.
#[derive(Debug, Clone)]
pub struct NewOrder<'a> {
    /// Its number, in its product's home slot.
    pub id: OrderId,
    /// What is ordered.
    pub product: &'a Product,
    /// How many.
    pub quantity: u32,
    /// What is due.
    pub amount: Money,
    /// The first attempt.
    pub attempt: AttemptNo,
    /// Its channel.
    pub channel: &'a str,
    /// The buyer's contact, sealed.
    pub contact: &'a Sealed,
    /// When it was made.
    pub created: Millis,
    /// When it stops being payable.
    pub expires: Millis,
    /// Names of the counts it is in until it is paid or expires.
    pub unpaid: &'a [CountName],
    /// Names of the counts it leaves only when it expires.
    pub bought: &'a [CountName],
}

/// What became of a new order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reserved {
    /// It stands.
    Created,
    /// Its number is taken.
    Exists,
    /// Not enough in stock; this many are.
    Short(u64),
}

/// What became of an order whose time may be up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Released {
    /// It expired now.
    Expired,
    /// Its time is not up.
    Waiting,
    /// It is not pending any more.
    Past,
}

impl Store {
    /// Makes an order.
    ///
    /// # Errors
    /// Redis cannot do it.
    pub async fn reserve(&self, new: &NewOrder<'_>) -> Result<Reserved, StoreError> {
        let (slot, product) = (new.id.slot(), &new.product.id);
        let n = self.names;
        let keys = [
            n.order(new.id),
            n.due(slot),
            n.stock(slot, product),
            n.pool(slot, product),
            n.owed(slot, product),
            n.outbox(slot),
        ];
        let attempt = format!("a:{}", new.attempt.as_str());
        let due = Due { channel: new.channel.to_owned(), amount: new.amount }.to_string();
        let (quantity, expires) = (new.quantity.to_string(), new.expires.to_string());
        let (minor, created) = (new.amount.minor.to_string(), new.created.to_string());
        let joined = |counts: &[CountName]| counts.iter().map(CountName::as_str).collect::<Vec<_>>().join(" ");
        let (unpaid, bought) = (joined(new.unpaid), joined(new.bought));
        let fields: Vec<(&[u8], &[u8])> = [
            (&b"product"[..], product.as_str().as_bytes()),
            (b"quantity", quantity.as_bytes()),
            (b"amount", minor.as_bytes()),
            (b"currency", new.amount.currency.as_str().as_bytes()),
            (b"created", created.as_bytes()),
            (b"expires", expires.as_bytes()),
            (b"contact", &new.contact.0),
            (b"unpaid", unpaid.as_bytes()),
            (b"bought", bought.as_bytes()),
            (attempt.as_bytes(), due.as_bytes()),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect();
        let count = (fields.len() * 2).to_string();
        let take = match new.product.take {
            crate::domain::Take::Order => "1",
            crate::domain::Take::Payment => "0",
        };
        let mut args: Vec<&[u8]> = vec![
            new.id.as_str().as_bytes(),
            quantity.as_bytes(),
            take.as_bytes(),
            expires.as_bytes(),
            count.as_bytes(),
        ];
        args.extend(fields.iter().flat_map(|(name, value)| [*name, *value]));
        let reply = self.run(At::Slot(slot), &script::RESERVE, &keys.each_ref().map(String::as_str), &args).await?;
        match reply.tag.as_str() {
            "created" => Ok(Reserved::Created),
            "exists" => Ok(Reserved::Exists),
            "short" => Ok(Reserved::Short(reply.text(0)?.parse().unwrap_or(0))),
            _ => Err(reply.unknown()),
        }
    }

    /// Expires an order if its time is up; `log` is a line for its history, or empty.
    ///
    /// # Errors
    /// Redis cannot do it.
    pub async fn release(&self, id: OrderId, now: Millis, keep_ms: u64, log: &str) -> Result<Released, StoreError> {
        let slot = id.slot();
        let n = self.names;
        let keys = [n.order(id), n.due(slot), n.outbox(slot), n.marks(slot)];
        let (now, keep) = (now.to_string(), keep_ms.to_string());
        let args: [&[u8]; 4] = [now.as_bytes(), id.as_str().as_bytes(), keep.as_bytes(), log.as_bytes()];
        let reply = self.run(At::Slot(slot), &script::RELEASE, &keys.each_ref().map(String::as_str), &args).await?;
        match reply.tag.as_str() {
            "expired" => Ok(Released::Expired),
            "waiting" => Ok(Released::Waiting),
            "past" => Ok(Released::Past),
            _ => Err(reply.unknown()),
        }
    }

    /// Adds an attempt to a pending order: `None` when its number was taken meanwhile.
    ///
    /// # Errors
    /// Redis cannot do it; `Ok(Some(false))` says that the order is closed.
    pub async fn attempt(&self, id: OrderId, attempt: AttemptNo, due: &Due) -> Result<Option<bool>, StoreError> {
        let (now, due) = (self.now().to_string(), due.to_string());
        let args: [&[u8]; 3] = [now.as_bytes(), attempt.as_str().as_bytes(), due.as_bytes()];
        let reply = self.run(At::Slot(id.slot()), &script::ATTEMPT, &[&self.names.order(id)], &args).await?;
        match reply.tag.as_str() {
            "added" => Ok(Some(true)),
            "taken" => Ok(None),
            "closed" => Ok(Some(false)),
            _ => Err(reply.unknown()),
        }
    }

    /// The order of that number.
    ///
    /// # Errors
    /// Redis does not answer, or what stands there cannot be read.
    pub async fn order(&self, id: OrderId) -> Result<Option<Order>, StoreError> {
        Ok(self.orders(&[id]).await?.pop().flatten())
    }

    /// Several orders in one round trip, in the order asked.
    ///
    /// # Errors
    /// As [`Store::order`].
    pub async fn orders(&self, ids: &[OrderId]) -> Result<Vec<Option<Order>>, StoreError> {
        let mut pipe = Pipe::default();
        for id in ids {
            pipe.cmd(At::Slot(id.slot()), "HGETALL").arg(self.names.order(*id));
        }
        let answers = self.ask_all(pipe).await?;
        ids.iter().zip(&answers).map(|(id, value)| read_order(*id, value)).collect()
    }

    /// Writes what an attempt was opened with. Says whether the order is still to be paid.
    ///
    /// # Errors
    /// Redis cannot do it.
    pub async fn open(&self, id: OrderId, attempt: AttemptNo, opened: &Opened) -> Result<bool, StoreError> {
        let args = [attempt.as_str(), &opened.reference, &opened.step].map(str::as_bytes);
        let reply = self.run(At::Slot(id.slot()), &script::OPEN, &[&self.names.order(id)], &args).await?;
        match reply.tag.as_str() {
            "opened" => Ok(true),
            "closed" => Ok(false),
            _ => Err(reply.unknown()),
        }
    }

    /// Keeps when the gateway is asked to give an order's money back. The order stands: only unpaid ones are forgotten.
    ///
    /// # Errors
    /// Redis cannot do it.
    pub async fn note_refund(&self, id: OrderId, at: Millis) -> Result<(), StoreError> {
        let _new: i64 = self
            .ask(At::Slot(id.slot()), redis::cmd("HSET").arg(self.names.order(id)).arg(format!("refund:{at}")).arg(""))
            .await?;
        Ok(())
    }

    /// The payments that stand with a number, ours or not.
    ///
    /// # Errors
    /// As [`Store::order`].
    pub async fn payments(&self, id: &str) -> Result<Vec<PaymentRecord>, StoreError> {
        let answer: Value =
            self.ask(At::Slot(Slot::of_number(id)), redis::cmd("HGETALL").arg(self.names.pay(id))).await?;
        fields(&answer).map(|(name, value)| read_payment(&name, value)).collect()
    }

    /// Pending orders whose time is up at `now`, at most `most` from each slot.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn due(&self, now: Millis, most: usize) -> Result<Vec<OrderId>, StoreError> {
        let mut pipe = Pipe::default();
        for slot in Slot::all() {
            pipe.cmd(At::Slot(slot), "ZRANGE")
                .arg(self.names.due(slot))
                .arg("-inf")
                .arg(now)
                .arg("BYSCORE")
                .arg("LIMIT")
                .arg(0)
                .arg(most);
        }
        let answers = self.ask_all(pipe).await?;
        Ok(answers.iter().flat_map(items_of).filter_map(|item| text_of(item)?.parse().ok()).collect())
    }
}

/// Names and values of a hash, in either protocol's shape.
pub(super) fn fields(value: &Value) -> impl Iterator<Item = (String, &Value)> {
    let pairs: Vec<(&Value, &Value)> = match value {
        Value::Map(pairs) => pairs.iter().map(|(name, value)| (name, value)).collect(),
        _ => items_of(value).chunks_exact(2).map(|pair| (&pair[0], &pair[1])).collect(),
    };
    pairs.into_iter().filter_map(|(name, value)| Some((text_of(name)?, value)))
}

fn damaged(what: &str) -> StoreError {
    StoreError::Damaged(what.to_owned())
}

/// An order as its hash has it.
pub(super) fn read_order(id: OrderId, value: &Value) -> Result<Option<Order>, StoreError> {
    let all: std::collections::HashMap<String, &Value> = fields(value).collect();
    if all.is_empty() {
        return Ok(None);
    }
    let text = |name: &str| all.get(name).and_then(|value| text_of(value));
    let bytes = |name: &str| all.get(name).and_then(|value| bytes_of(value)).map(<[u8]>::to_vec);
    let wrong = || damaged(&format!("order {id}"));
    let number = |name: &str| text(name).and_then(|text| text.parse::<u64>().ok());
    let need = |name: &str| number(name).ok_or_else(wrong);
    let product: ProductId = text("product").and_then(|text| text.parse().ok()).ok_or_else(wrong)?;
    let currency = text("currency").and_then(|text| text.parse().ok()).ok_or_else(wrong)?;
    let attempt = |(name, value): (&String, &&Value)| {
        let no: AttemptNo = name.strip_prefix("a:")?.parse().ok()?;
        let of = |kind: &str| text(&format!("{kind}:{}", no.as_str())).unwrap_or_default();
        let opened = Some(Opened { reference: of("r"), step: of("s") }).filter(|opened| *opened != Opened::default());
        Some(Attempt { no, due: text_of(value)?.parse().ok()?, opened })
    };
    let mut attempts: Vec<Attempt> = all.iter().filter_map(attempt).collect();
    attempts.sort_by_key(|attempt| attempt.no);
    let mut refunds: Vec<Millis> = all.keys().filter_map(|name| name.strip_prefix("refund:")?.parse().ok()).collect();
    refunds.sort_unstable();
    Ok(Some(Order {
        id,
        product,
        quantity: need("quantity")? as u32,
        amount: Money { minor: need("amount")? as i64, currency },
        state: text("state").and_then(|text| text.parse().ok()).ok_or_else(wrong)?,
        reserved: need("reserved")? as u32,
        contact: bytes("contact").unwrap_or_default(),
        keys: (1..).map_while(|place: u32| bytes(&format!("k{place}"))).collect(),
        created: need("created")?,
        expires: need("expires")?,
        paid: number("paid"),
        delivered: number("delivered"),
        why: text("why"),
        attempts,
        refunds,
        log: text("log").unwrap_or_default(),
        notice: text("notice").and_then(|text| text.parse().ok()),
    }))
}

/// A payment record: `state|attempt|amount|currency|at|number` under `channel|trade number`; of an adopted one, the number
/// that it is counted for stands in the attempt's place. Behind the digits of `at` stands who says that it was paid; layout 1
/// had nothing there.
pub(super) fn read_payment(name: &str, value: &Value) -> Result<PaymentRecord, StoreError> {
    let text = text_of(value).unwrap_or_default();
    let wrong = || damaged(&format!("payment {name}"));
    let Trade { account, number: trade_no } = name.parse().map_err(|()| wrong())?;
    let parts: Vec<&str> = text.splitn(6, '|').collect();
    let [state, place, minor, currency, at, number] = parts[..] else {
        return Err(wrong());
    };
    let (at, mark) = at.split_at(at.bytes().take_while(u8::is_ascii_digit).count());
    let origin = if mark.is_empty() { None } else { Some(mark.parse::<Origin>().map_err(|()| wrong())?) };
    Ok(PaymentRecord {
        channel: account,
        trade_no,
        state: state.parse().map_err(|()| wrong())?,
        paid: Money { minor: minor.parse().map_err(|_| wrong())?, currency: currency.parse().map_err(|_| wrong())? },
        at: at.parse().map_err(|_| wrong())?,
        number: number.to_owned(),
        // Before orders were named there, an attempt stood in this place.
        counts_for: Some(place).filter(|place| state == "adopted" && place.len() > 2).map(str::to_owned),
        origin,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payment_tells_who_says_that_it_was_paid_and_one_of_the_layout_before_does_not() {
        let read = |text: &str| read_payment("pay|T|1", &Value::BulkString(text.as_bytes().to_vec()));
        for (mark, origin) in [("", None), ("s", Some(Origin::Stated)), ("t", Some(Origin::Told))] {
            // A number that is not ours may hold bars, and look like a mark.
            for number in ["PIMX330ZWRP6SIPC75H401", "shop|s", "s", "|t|", ""] {
                let record = read(&format!("settled|01|990|CNY|1700000000000{mark}|{number}")).unwrap();
                assert_eq!((record.at, record.origin, record.number.as_str()), (1_700_000_000_000, origin, number));
            }
        }
        for wrong in ["settled|01|990|CNY|s|A", "settled|01|990|CNY|17x|A", "settled|01|990|CNY|17ss|A", "gibberish"] {
            assert!(matches!(read(wrong), Err(StoreError::Damaged(_))), "{wrong}");
        }
    }
}
