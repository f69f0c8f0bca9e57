//! The laws that every channel keeps, over random payments and random bytes: `forge` is the inverse of `verify`, one
//! changed byte of what is signed is refused, order does not matter, repeats are refused, and nothing panics.

use std::borrow::Cow;

use kamid::channel::{Channels, Claim};
use kamid::domain::{Callback, Currency, Money, Payment, Rejection};
use proptest::prelude::*;

use crate::support::shop::{CHANNEL, channels};

/// One of each kind.
fn all(folder: &std::path::Path) -> Channels {
    std::fs::write(folder.join("epay.key"), crate::support::shop::KEY).unwrap();
    channels(&format!("{CHANNEL}[channel.box]\nkind = \"sandbox\"\nkey_file = \"epay.key\"\n"), folder)
}

fn payment() -> impl Strategy<Value = Payment> {
    ("[A-Z0-9]{22}", "[0-9A-Za-z_.:-]{1,64}", 0i64..=1_000_000_000_000).prop_map(|(number, trade_no, minor)| Payment {
        number,
        trade_no,
        paid: Money { minor, currency: Currency::CNY },
        channel: String::new(),
        paid_at: None,
        reference: None,
    })
}

/// What a channel says of a request of its own making, changed by `change`.
fn verified(
    all: &Channels,
    name: &str,
    payment: &Payment,
    change: impl FnOnce(&mut Vec<u8>, &mut Vec<u8>),
) -> Result<Claim, Rejection> {
    let channel = all.get(name).unwrap();
    let forged = channel.forge(payment, 0);
    let (mut query, mut body) = (forged.query.into_bytes(), forged.body);
    change(&mut query, &mut body);
    let headers: Vec<_> = forged.headers.iter().map(|(n, v)| (Cow::from(n.as_str()), Cow::from(v.as_str()))).collect();
    // A query that is no text never reaches a channel: the HTTP library refuses it.
    let Ok(query) = String::from_utf8(query) else { return Err(Rejection::NonUtf8) };
    let callback = Callback { method: forged.method, path: "/", query: &query, headers: &headers, body: &body };
    channel.verify(&callback, 0)
}

const NAMES: [&str; 2] = ["pay", "box"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_forged_verifies_and_says_the_same(payment in payment()) {
        let folder = tempfile::tempdir().unwrap();
        let all = all(folder.path());
        for name in NAMES {
            let claim = verified(&all, name, &payment, |_, _| {});
            prop_assert_eq!(claim, Ok(Claim::Paid(Payment { channel: name.to_owned(), ..payment.clone() })));
        }
    }

    #[test]
    fn one_changed_byte_is_refused(payment in payment(), at in 0usize..4096, by in 1u8..=255) {
        let folder = tempfile::tempdir().unwrap();
        let all = all(folder.path());
        for name in NAMES {
            let mut same = false;
            let claim = verified(&all, name, &payment, |query, body| {
                let text = if body.is_empty() { query } else { body };
                // What stands behind the signature, `sign_type`, is not signed: bent, it is an unknown field without a value.
                let signed = text.windows(11).position(|part| part == b"&sign_type=").unwrap_or(text.len());
                let place = at % signed;
                let changed = text[place] ^ by;
                // An escape in the other case is the same text, as is `+` for `%20`: what is signed has not changed.
                same = changed.eq_ignore_ascii_case(&text[place]) && text[..place].iter().rev().take(2).any(|b| *b == b'%');
                text[place] = changed;
            });
            prop_assert!(same || claim.is_err(), "{}: {:?}", name, claim);
        }
    }

    #[test]
    fn the_order_of_parameters_does_not_matter_and_repeats_are_refused(payment in payment(), turn in 1usize..8, twice in 0usize..8) {
        let folder = tempfile::tempdir().unwrap();
        let all = all(folder.path());
        let turned = verified(&all, "pay", &payment, |query, _| {
            let text = String::from_utf8(query.clone()).unwrap();
            let mut pairs: Vec<&str> = text.split('&').collect();
            let by = turn % pairs.len();
            pairs.rotate_left(by);
            *query = pairs.join("&").into_bytes();
        });
        prop_assert_eq!(turned, Ok(Claim::Paid(Payment { channel: "pay".to_owned(), ..payment.clone() })));
        let repeated = verified(&all, "pay", &payment, |query, _| {
            let text = String::from_utf8(query.clone()).unwrap();
            let pairs: Vec<&str> = text.split('&').collect();
            *query = format!("{text}&{}", pairs[twice % pairs.len()]).into_bytes();
        });
        prop_assert_eq!(repeated, Err(Rejection::DuplicateParameter));
    }

    #[test]
    fn no_bytes_make_a_channel_panic_or_believe(query in "\\PC{0,300}", body in proptest::collection::vec(any::<u8>(), 0..300), post in any::<bool>()) {
        let folder = tempfile::tempdir().unwrap();
        let all = all(folder.path());
        for name in NAMES {
            let method = if post { "POST" } else { "GET" };
            let headers = [(Cow::from("x-sandbox-signature"), Cow::from("0"))];
            let callback = Callback { method, path: "/", query: &query, headers: &headers, body: &body };
            let channel = all.get(name).unwrap();
            prop_assert!(channel.verify(&callback, 0).is_err());
            let _words = (channel.names(&callback), channel.explain(&callback));
        }
    }
}
