//! Numbers that name things: orders, payment attempts and the slots they live in.

use std::fmt;

const ALPHABET: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
/// How many slots (hash tags) there are.
pub const SLOTS: u8 = 64;

/// A text that is not an id of the kind asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an order number has 20 characters of 0-9 and A-Z, a payment number 22")]
pub struct BadId;

/// One of 64 hash tags; an order, its pool and its outbox share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(u8);

impl Slot {
    /// The slot with this index, taken modulo 64.
    #[must_use]
    pub const fn new(index: u8) -> Self {
        Self(index % SLOTS)
    }

    /// Its index, 0 to 63.
    #[must_use]
    pub const fn index(self) -> u8 {
        self.0
    }

    /// The slot of any payment or order number, ours or not: the base-36 value of its first two characters modulo 64.
    /// A character outside base 36 counts as its byte.
    #[must_use]
    pub fn of_number(number: &str) -> Self {
        let value = number
            .bytes()
            .take(2)
            .fold(0u32, |sum, byte| sum * 36 + (byte as char).to_digit(36).unwrap_or(u32::from(byte)));
        Self((value % u32::from(SLOTS)) as u8)
    }

    /// The home slot of a product: its id, hashed (FNV-1a) over the slots.
    #[must_use]
    pub fn of_product(id: &str) -> Self {
        let hash = id
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self((hash % u64::from(SLOTS)) as u8)
    }

    /// Every slot, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..SLOTS).map(Self)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}", self.0)
    }
}

/// The number of an order: 2 characters of slot, 8 of time (ms in base 36), 10 of chance.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OrderId([u8; 20]);

impl From<OrderId> for String {
    fn from(id: OrderId) -> Self {
        id.as_str().to_owned()
    }
}

impl OrderId {
    /// A new number in `slot` at `now` (ms); `chance` must come from a CSPRNG, since the number is what keeps a
    /// stranger from asking for an order at the gateway.
    #[must_use]
    pub fn new(slot: Slot, now: u64, chance: u128) -> Self {
        let mut text = [0u8; 20];
        // 1296 two-character prefixes share 64 slots: any of the 20 that every slot has.
        let prefix = u128::from(slot.0) + u128::from(SLOTS) * (chance % 20);
        encode(&mut text[..2], prefix);
        encode(&mut text[2..10], u128::from(now));
        encode(&mut text[10..], chance / 20);
        Self(text)
    }

    /// The number as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// When it was made, as its number tells.
    #[must_use]
    pub fn created(&self) -> u64 {
        self.as_str().get(2..10).and_then(|text| u64::from_str_radix(text, 36).ok()).unwrap_or(0)
    }

    /// Where the order lives.
    #[must_use]
    pub fn slot(&self) -> Slot {
        Slot::of_number(self.as_str())
    }
}

fn encode(text: &mut [u8], mut value: u128) {
    for place in text.iter_mut().rev() {
        *place = ALPHABET[(value % 36) as usize];
        value /= 36;
    }
}

fn is_ours(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
}

impl std::str::FromStr for OrderId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let bytes = text.as_bytes().try_into().map_err(|_| BadId)?;
        is_ours(text).then_some(Self(bytes)).ok_or(BadId)
    }
}

impl TryFrom<String> for OrderId {
    type Error = BadId;

    fn try_from(text: String) -> Result<Self, BadId> {
        text.parse()
    }
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which of an order's ways to pay: two characters of base 36 behind the order's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AttemptNo([u8; 2]);

impl AttemptNo {
    /// The first way to pay an order.
    pub const FIRST: Self = Self(*b"01");

    /// AttemptNo number `n`, counted from 1, at most 1,295.
    #[must_use]
    pub fn number(n: u16) -> Self {
        let mut text = [0u8; 2];
        encode(&mut text, u128::from(n));
        Self(text)
    }

    /// The two characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl std::str::FromStr for AttemptNo {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let bytes = text.as_bytes().try_into().map_err(|_| BadId)?;
        is_ours(text).then_some(Self(bytes)).ok_or(BadId)
    }
}

/// What a gateway calls our payment: the order's number and the attempt. One number is never used for two attempts,
/// because gateways refuse changed parameters under a number they know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaymentNo {
    /// The order.
    pub order: OrderId,
    /// Which of its attempts.
    pub attempt: AttemptNo,
}

impl PaymentNo {
    /// The order that a payment number is of; any other number as it is.
    #[must_use]
    pub fn order_part(number: &str) -> &str {
        number.get(..20).filter(|_| number.parse::<Self>().is_ok()).unwrap_or(number)
    }
}

impl std::str::FromStr for PaymentNo {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let (order, attempt) = text.split_at_checked(20).ok_or(BadId)?;
        Ok(Self { order: order.parse()?, attempt: attempt.parse()? })
    }
}

impl fmt::Display for PaymentNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.order, self.attempt.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_id_keeps_its_slot_and_reads_back() {
        for slot in Slot::all() {
            for chance in [0, 19, 20, u128::MAX] {
                let id = OrderId::new(slot, 1_763_884_800_000, chance);
                assert_eq!(id.slot(), slot);
                assert_eq!(id.as_str().parse(), Ok(id));
            }
        }
    }

    #[test]
    fn foreign_numbers_have_a_slot_too() {
        assert_eq!(Slot::of_number("KO251123160000L7U2REDP").index(), 40);
        assert_eq!(Slot::of_number(""), Slot::new(0));
        assert!(Slot::of_number("-_x").index() < SLOTS);
    }

    #[test]
    fn only_a_payment_number_has_an_order_part() {
        assert_eq!(PaymentNo::order_part("KO251123160000L7U2RE01"), "KO251123160000L7U2RE");
        for other in ["KO251123160000L7U2RE", "KO251123160000L7U2RE0l", "KO251123160000L7U2R\u{e9}01", "NOBODY-1", ""] {
            assert_eq!(PaymentNo::order_part(other), other);
        }
    }

    #[test]
    fn numbers_of_another_form_are_refused() {
        assert!("ko251123160000L7U2RE".parse::<OrderId>().is_err());
        assert!("KO251123160000L7U2REé".parse::<PaymentNo>().is_err());
        assert!("KO".parse::<PaymentNo>().is_err());
    }
}
