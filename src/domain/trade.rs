//! What a gateway calls a payment.

use std::fmt;

/// A payment by its gateway's number, which is one at that account alone: as text `account|number`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Trade {
    /// The channel that it came through; where all channels of an account are meant, the first of them.
    pub account: String,
    /// The gateway's number; it may hold bars.
    pub number: String,
}

impl Trade {
    /// That number of that account.
    #[must_use]
    pub fn new(account: &str, number: &str) -> Self {
        Self { account: account.to_owned(), number: number.to_owned() }
    }
}

impl fmt::Display for Trade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}|{}", self.account, self.number)
    }
}

impl std::str::FromStr for Trade {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        text.split_once('|').map(|(account, number)| Self::new(account, number)).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trade_reads_back_whatever_its_number_holds() {
        for (account, number) in [("pay", "T1"), ("pay", "A|B"), ("pay", "")] {
            let trade = Trade::new(account, number);
            assert_eq!(trade.to_string().parse(), Ok(trade));
        }
        assert_eq!("T1".parse::<Trade>(), Err(()));
    }
}
