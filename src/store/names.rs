//! The names of our data in Redis. `lua/README.md` lists them; a test compares.

use super::at::{At, slot_of_hash};
use crate::domain::{NewsId, OrderId, ProductId, Slot};
use crate::vault::Index;
use data_encoding::HEXLOWER;

/// Levels of the record of everything ever imported; see `claim.lua`.
pub const SEEN_LEVELS: u32 = 4;
/// Members from which a bucket of that record is full: below Redis' default for compact integer sets (512).
pub const SEEN_FULL: u32 = 480;

/// The name of a limit's count, which an order keeps to be taken out of it again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CountName(String);

impl CountName {
    /// One that an order kept.
    pub(super) fn kept(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where it is.
    pub(super) fn at(&self) -> At {
        At::of(&self.0)
    }

    /// When what the count holds stops counting.
    #[must_use]
    pub fn ends(&self) -> String {
        self.0.replacen(":count:", ":ends:", 1)
    }
}

/// Makes names under the schema version: `k1`, or `t1` in test mode, so that test orders never draw live keys.
#[derive(Debug, Clone, Copy)]
pub struct Names(&'static str);

#[allow(missing_docs)]
impl Names {
    pub fn new(test: bool) -> Self {
        Self(if test { "t1" } else { "k1" })
    }

    fn at(self, slot: Slot, rest: &str) -> String {
        format!("{}:{{{slot}}}:{rest}", self.0)
    }

    pub fn order(self, id: OrderId) -> String {
        self.at(id.slot(), &format!("order:{id}"))
    }

    /// Of any number, ours or not.
    pub fn pay(self, number: &str) -> String {
        self.at(Slot::of_number(number), &format!("pay:{number}"))
    }

    /// Of a number that may not be ours.
    pub fn order_of(self, number: &str) -> String {
        self.at(Slot::of_number(number), &format!("order:{number}"))
    }

    pub fn pool(self, slot: Slot, product: &ProductId) -> String {
        self.at(slot, &format!("pool:{product}"))
    }

    pub fn stock(self, slot: Slot, product: &ProductId) -> String {
        self.at(slot, &format!("stock:{product}"))
    }

    pub fn owed(self, slot: Slot, product: &ProductId) -> String {
        self.at(slot, &format!("owed:{product}"))
    }

    pub fn voided(self, slot: Slot, product: &ProductId) -> String {
        self.at(slot, &format!("voided:{product}"))
    }

    pub fn burned(self, slot: Slot, product: &ProductId) -> String {
        self.at(slot, &format!("burned:{product}"))
    }

    pub fn staged(self, slot: Slot, batch: &str) -> String {
        self.at(slot, &format!("staged:{batch}"))
    }

    pub fn staging(self, slot: Slot) -> String {
        self.at(slot, "staging")
    }

    pub fn due(self, slot: Slot) -> String {
        self.at(slot, "due")
    }

    /// Orders that expired, by when.
    pub fn kept(self, slot: Slot) -> String {
        self.at(slot, "kept")
    }

    pub fn outbox(self, slot: Slot) -> String {
        self.at(slot, "outbox")
    }

    pub fn cursor(self, slot: Slot) -> String {
        self.at(slot, "cursor")
    }

    pub fn lease(self) -> String {
        format!("{}:{{catalog}}:lease", self.0)
    }

    pub fn review(self, slot: Slot) -> String {
        self.at(slot, "review")
    }

    /// What an operator is told.
    pub fn news(self, id: &NewsId) -> String {
        self.at(Slot::of_number(&id.about), &format!("news:{id}"))
    }

    /// Notices that are to be sent, by when: buyers', or an operators' notifier's own, so that one that does not answer
    /// keeps nobody waiting but itself.
    pub fn notices(self, slot: Slot, notifier: Option<&str>) -> String {
        self.at(slot, &notifier.map_or_else(|| "notices".to_owned(), |name| format!("notices:{name}")))
    }

    /// Notices that were given up, by when.
    pub fn dead(self, slot: Slot) -> String {
        self.at(slot, "dead")
    }

    pub fn marks(self, slot: Slot) -> String {
        self.at(slot, "marks")
    }

    pub fn claims(self, slot: Slot) -> String {
        self.at(slot, "claims")
    }

    /// The buckets a fingerprint may be in, one a level, each level with sixteen times the buckets of the one before.
    pub fn seen(self, print: &Print) -> [String; SEEN_LEVELS as usize] {
        std::array::from_fn(|level| {
            let bucket = print.bucket & ((1u32 << (4 * level)) - 1);
            self.at(print.slot, &format!("seen:{level}:{bucket:x}"))
        })
    }

    /// Of what is found by a keyed hash: the slot is its first byte.
    fn hashed(self, kind: &str, hash: Index) -> String {
        self.at(slot_of_hash(hash), &format!("{kind}:{}", HEXLOWER.encode(&hash)))
    }

    /// A contact's orders.
    pub fn contact(self, contact: Index) -> String {
        self.hashed("contact", contact)
    }

    /// A request under an Idempotency-Key.
    pub fn once(self, key: Index) -> String {
        self.hashed("idem", key)
    }

    /// The order that a trade number stands with.
    pub fn trade(self, trade: Index) -> String {
        self.hashed("trade", trade)
    }

    /// What older orders count in.
    pub fn quota(self, quota: Index) -> String {
        self.hashed("quota", quota)
    }

    pub fn count(self, count: Index) -> CountName {
        CountName(self.hashed("count", count))
    }

    /// Networks that hold much unpaid.
    pub fn holders(self) -> String {
        format!("{}:{{catalog}}:holders", self.0)
    }

    pub fn products(self) -> String {
        format!("{}:{{catalog}}:products", self.0)
    }

    pub fn version(self) -> String {
        format!("{}:{{catalog}}:version", self.0)
    }

    pub fn proof(self) -> String {
        format!("{}:{{catalog}}:proof", self.0)
    }

    pub fn fence(self, at: At) -> String {
        format!("{}:{{{}}}:fence", self.0, at.tag())
    }

    /// That Redis' clock was accepted as it is.
    pub fn clock(self) -> String {
        format!("{}:{{catalog}}:clock", self.0)
    }

    /// Operators by name, each with its token's hash.
    pub fn tokens(self) -> String {
        format!("{}:{{catalog}}:tokens", self.0)
    }

    /// Addresses that were blocked by hand.
    pub fn blocks(self) -> String {
        format!("{}:{{catalog}}:blocks", self.0)
    }

    /// What operators did.
    pub fn trail(self) -> String {
        format!("{}:{{catalog}}:trail", self.0)
    }

    pub fn ring(self) -> String {
        format!("{}:{{catalog}}:ring", self.0)
    }

    /// The version of the layout that this data has.
    pub fn schema(self) -> String {
        format!("{}:{{catalog}}:schema", self.0)
    }

    /// Who a place is: chance, so that an emptied one is told from the one that was there.
    pub fn place(self, at: At) -> String {
        format!("{}:{{{}}}:place", self.0, at.tag())
    }

    /// Identities of the catalogue that a person gave up, each with the one that came after it.
    pub fn accepted(self) -> String {
        format!("{}:{{catalog}}:accepted", self.0)
    }

    /// `k1` or `t1`.
    pub const fn prefix(self) -> &'static str {
        self.0
    }

    /// Where the files of an embedded Redis stand: one mark for both modes, since they share them.
    pub fn home() -> String {
        "k1:{catalog}:home".to_owned()
    }

    /// The ring's further parts, and since when its keys are sealed under.
    pub fn ring_parts(self) -> String {
        format!("{}:{{catalog}}:ring_parts", self.0)
    }

    /// The channel on which instances tell each other their snapshots.
    pub fn snapshots(self) -> String {
        format!("{}:snapshots", self.0)
    }

    /// All of one kind in every slot, for `SCAN`.
    pub fn every(self, kind: &str) -> String {
        format!("{}:{{*}}:{kind}:*", self.0)
    }
}

/// A sealed key's fingerprint, cut into what names its bucket and what is kept there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Print {
    /// Slot of its bucket.
    pub slot: Slot,
    /// 26 bits that choose the bucket.
    pub bucket: u32,
    /// 64 bits that are kept.
    pub kept: i64,
}

impl Print {
    /// Of the 12 bytes that [`crate::vault::Sealed::fingerprint`] gives.
    pub fn of(fingerprint: &[u8]) -> Option<Self> {
        let (head, kept) = fingerprint.split_first_chunk::<4>()?;
        let head = u32::from_be_bytes(*head);
        Some(Self {
            slot: Slot::new((head & 63) as u8),
            bucket: head >> 6,
            kept: i64::from_be_bytes(*kept.first_chunk::<8>()?),
        })
    }
}
