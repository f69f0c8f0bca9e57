//! A gateway's rows beside our records: pure.

use std::collections::HashMap;

use serde::Serialize;

use crate::channel::bill::{BillLine, Entry};
use crate::domain::{Money, PaymentNo, PaymentState};
use crate::wire::payments::PaymentView;

/// One payment as a bill tells it, of all its rows.
#[derive(Debug, Clone)]
pub struct Billed {
    pub number: String,
    pub trade_no: String,
    /// What was paid; `None` where the bill tells only of a refund.
    pub paid: Option<Money>,
    /// What was given back.
    pub back: Option<Money>,
}

impl Billed {
    /// Our order's number, if its number is one of ours.
    pub fn order(&self) -> Option<String> {
        self.number.parse::<PaymentNo>().ok().map(|number| number.order.to_string())
    }

    fn in_words(&self) -> String {
        let shown = |money: &Money| format!("{money} {}", money.currency);
        match (&self.paid, &self.back) {
            (Some(paid), None) => format!("paid {}", shown(paid)),
            (Some(paid), Some(back)) => format!("paid {}, given back {}", shown(paid), shown(back)),
            (None, Some(back)) => format!("given back {}", shown(back)),
            (None, None) => String::new(),
        }
    }
}

fn add(sum: &mut Option<Money>, more: Money) {
    let minor = sum.map_or(0, |sum| sum.minor).saturating_add(more.minor);
    *sum = Some(Money { minor, ..sum.unwrap_or(more) });
}

/// A bill's rows, together where they are about one payment, in the bill's order.
pub fn trades(lines: &[BillLine]) -> Vec<Billed> {
    let mut places: HashMap<(&str, &str), usize> = HashMap::new();
    let mut trades: Vec<Billed> = Vec::new();
    for line in lines {
        let at = *places.entry((&line.number, &line.trade_no)).or_insert(trades.len());
        if at == trades.len() {
            let (number, trade_no) = (line.number.clone(), line.trade_no.clone());
            trades.push(Billed { number, trade_no, paid: None, back: None });
        }
        let trade = &mut trades[at];
        if line.kind == Entry::Paid || line.paid.minor > 0 {
            add(&mut trade.paid, line.paid);
        }
        if let Entry::Refunded(back) = line.kind {
            add(&mut trade.back, back);
        }
    }
    trades
}

fn in_words(ours: &PaymentView) -> String {
    format!("{} {} {}", ours.state, ours.money(), ours.currency)
}

/// One thing that is not the same on both sides.
#[derive(Debug, Clone, Serialize)]
pub struct Difference {
    /// `missing_here`, `missing_there`, `amount_differs` or `refund_differs`.
    pub difference: &'static str,
    pub number: String,
    pub trade_no: String,
    pub there: String,
    pub here: String,
    pub note: String,
}

/// Paid there and not here.
pub fn missing_here(trade: &Billed, here: String, note: &str) -> Difference {
    Difference {
        difference: "missing_here",
        number: trade.number.clone(),
        trade_no: trade.trade_no.clone(),
        there: trade.in_words(),
        here,
        note: note.to_owned(),
    }
}

/// Paid here and not there.
pub fn missing_there(ours: &PaymentView) -> Difference {
    Difference {
        difference: "missing_there",
        number: ours.number.clone(),
        trade_no: ours.trade_no.clone(),
        there: String::new(),
        here: in_words(ours),
        note: "not in this bill: look at those of the day before and after, then in the gateway's console".to_owned(),
    }
}

/// What differs between a payment there and the same one here. `currency`: the bill names currencies; one that does
/// not is in the channel's.
pub fn judge(trade: &Billed, ours: &PaymentView, currency: bool) -> Vec<Difference> {
    let here = ours.money();
    let of = |money: Money| {
        let same = Money::parse(&money.to_string(), here.currency).ok().filter(|_| !currency);
        same.unwrap_or(money)
    };
    let (paid, back) = (trade.paid.map(of), trade.back.map(of));
    let differs = |difference, note: &str| Difference {
        difference,
        here: in_words(ours),
        ..missing_here(&Billed { paid, back, ..trade.clone() }, String::new(), note)
    };
    let mut found = Vec::new();
    if paid.is_some_and(|paid| paid != here) {
        found.push(differs("amount_differs", "see what was paid in the gateway's console"));
    }
    match (back, ours.state == PaymentState::Refunded) {
        (Some(_), false) => found.push(differs(
            "refund_differs",
            "given back there and not marked here: kamid order refund, or orphan refund for one too many",
        )),
        (None, true) => found.push(differs(
            "refund_differs",
            "marked as given back here; the bill has no refund: it may stand in a later day's",
        )),
        (Some(back), true) if back != here => {
            found.push(differs("refund_differs", "marked as given back whole here, and not as much there"));
        }
        _ => {}
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Currency;

    fn ours(state: PaymentState, minor: i64, currency: &str) -> PaymentView {
        let [channel, trade_no, number, currency] = ["c", "T", "N", currency].map(str::to_owned);
        PaymentView {
            channel,
            trade_no,
            number,
            state,
            amount: String::new(),
            amount_minor: minor,
            currency,
            at: 0,
            time: String::new(),
        }
    }

    fn bill(rows: &[(i64, i64)]) -> Billed {
        let cny = |minor| Money { minor, currency: Currency::CNY };
        let lines: Vec<BillLine> = rows
            .iter()
            .map(|(paid, back)| BillLine {
                number: "N".to_owned(),
                trade_no: "T".to_owned(),
                paid: cny(*paid),
                kind: if *back > 0 { Entry::Refunded(cny(*back)) } else { Entry::Paid },
            })
            .collect();
        let all = trades(&lines);
        assert_eq!(all.len(), 1);
        all[0].clone()
    }

    fn words(found: &[Difference]) -> Vec<&'static str> {
        found.iter().map(|it| it.difference).collect()
    }

    #[test]
    fn each_pair_is_judged() {
        use PaymentState::{Extra, Refunded, Settled};
        for (rows, state, wanted) in [
            (&[(990, 0)][..], Settled, &[][..]),
            (&[(990, 0)], Extra, &[]),
            (&[(980, 0)], Settled, &["amount_differs"]),
            (&[(990, 0), (990, 0)], Settled, &["amount_differs"]),
            (&[(990, 0)], Refunded, &["refund_differs"]),
            (&[(990, 0), (0, 990)], Settled, &["refund_differs"]),
            (&[(990, 0), (0, 990)], Refunded, &[]),
            (&[(990, 0), (0, 490), (0, 500)], Refunded, &[]),
            (&[(990, 0), (0, 490)], Refunded, &["refund_differs"]),
            (&[(0, 990)], Refunded, &[]),
            (&[(0, 990)], Settled, &["refund_differs"]),
            (&[(980, 980)], Settled, &["amount_differs", "refund_differs"]),
        ] {
            assert_eq!(words(&judge(&bill(rows), &ours(state, 990, "CNY"), true)), wanted, "{rows:?} {state:?}");
        }
    }

    #[test]
    fn a_bill_that_names_no_currency_is_in_the_channels() {
        let paid = bill(&[(900, 0)]);
        for (minor, currency, named, wanted) in [
            (900, "USD", false, &[][..]),
            (9, "JPY", false, &[]),
            (900, "USD", true, &["amount_differs"]),
            (900, "JPY", false, &["amount_differs"]),
        ] {
            let ours = ours(PaymentState::Settled, minor, currency);
            assert_eq!(words(&judge(&paid, &ours, named)), wanted, "{minor} {currency}");
        }
    }
}
