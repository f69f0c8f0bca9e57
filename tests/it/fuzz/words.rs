//! Short texts: ids, amounts, currencies. What is read is written the same, and nothing else is read.

use kamid::domain::ids::{AttemptNo, OrderId, PaymentNo};
use kamid::domain::payment::Due;
use kamid::domain::text::{masked, printable};
use kamid::domain::{Currency, Money, ProductId, Slot};

use super::drive::Target;
use super::genuine::minor;

fn ids(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let ours = |from: usize| text.len() == from && text.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
    assert!(Slot::of_number(&text).index() < 64 && Slot::of_product(&text).index() < 64);
    let order = text.parse::<OrderId>();
    assert_eq!(order.is_ok(), ours(20));
    assert_eq!(text.parse::<AttemptNo>().is_ok(), ours(2));
    if let Ok(order) = order {
        assert!(order.as_str() == text && order.slot() == Slot::of_number(&text));
    }
    let payment = text.parse::<PaymentNo>();
    assert_eq!(payment.is_ok(), ours(22));
    assert!(payment.is_err() || payment.is_ok_and(|payment| payment.to_string() == text));
    if let Ok(id) = text.parse::<ProductId>() {
        assert!(id.as_str() == text && !text.is_empty() && text.len() <= 32);
        assert!(!text.contains(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')));
    }
    let shown = printable(&text, 40);
    assert!(shown.chars().count() <= 41 && !shown.contains(|c: char| c.is_control() && c != '\t'), "{shown:?}");
    assert!(text.chars().count() < 5 || !masked(&text).contains(&*text), "shown whole");
}

fn money(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for code in ["CNY", "JPY", "KWD"] {
        let currency: Currency = code.parse().unwrap();
        let places = currency.exponent() as usize;
        let Ok(money) = Money::parse(&text, currency) else {
            let (whole, fraction) = text.split_once('.').unwrap_or((&text, "0"));
            let fits = whole.len() <= 15 && (1..=8).contains(&fraction.len());
            assert!(!fits || minor(&text, places).is_none(), "{text} is exact, and refused");
            continue;
        };
        assert_eq!(Some(money.minor), minor(&text, places), "{text}");
        assert!(money.minor >= 0 && Money::parse(&money.to_string(), currency) == Ok(money), "{text} reads back");
        let due = Due { channel: "pay".to_owned(), amount: money };
        assert_eq!(due.to_string().parse(), Ok(due));
    }
    if let Ok(currency) = text.parse::<Currency>() {
        assert!(currency.as_str() == text && text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase()));
    }
    let _read = text.parse::<Due>();
}

fn seeds(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

pub fn an_id_is_read_whole_or_not_at_all() -> Target {
    let seeds =
        seeds(&["KO251123160000L7U2REDP", "KO251123160000L7U2RE", "01", "steam-10", "buyer@example.test", "长名字"]);
    let words = &["0", "Z", "a", "é", "-", " ", "\u{202e}", "\u{1b}", "\0", "01"];
    Target { name: "ids", seeds, words, check: ids }
}

pub fn an_amount_is_exact_or_refused() -> Target {
    let seeds = seeds(&["29.9", "100.0000", "0.01", "999999999999999.99", "007.500", "1", "CNY", "pay|990|CNY"]);
    let words = &[".", "0", "9", "-", "+", "e", ",", " ", "２", "00000000", "999999999999999", "|"];
    Target { name: "amounts", seeds, words, check: money }
}
