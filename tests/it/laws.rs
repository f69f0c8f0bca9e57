//! The laws that every channel keeps, over random payments and random bytes: `forge` is the inverse of `verify`, one
//! changed byte of what is signed is refused, order does not matter, repeats are refused, and nothing panics.

use std::borrow::Cow;

use kamid::channel::{Begin, Channel, Channels, Checkout, Claim};
use kamid::domain::{Callback, Currency, Money, Payment, Rejection};
use proptest::prelude::*;

use crate::support::shop::{CHANNEL, channels};

/// One of each kind.
fn all(folder: &std::path::Path) -> Channels {
    std::fs::write(folder.join("epay.key"), crate::support::shop::KEY).unwrap();
    let gateway = "gateway_url = \"https://coins.example/\"\n";
    let token = "api_token_file = \"epay.key\"\n";
    let gmpay = format!("kind = \"epusdt_gmpay\"\npid = \"1000\"\nsecret_key_file = \"epay.key\"\n{gateway}");
    let coins = format!(
        "[channel.epusdt]\nkind = \"epusdt_md5\"\n{gateway}{token}\
         [channel.gmpay]\n{gmpay}[channel.gmpay-md5]\n{gmpay}sign_algo = \"md5\"\n\
         [channel.bepusdt]\nkind = \"bepusdt\"\n{gateway}{token}\
         [channel.tokenpay]\nkind = \"tokenpay\"\n{gateway}{token}"
    );
    channels(&format!("{CHANNEL}[channel.box]\nkind = \"sandbox\"\nkey_file = \"epay.key\"\n{coins}"), folder)
}

fn payment() -> impl Strategy<Value = Payment> {
    let texts = ("[A-Z0-9]{22}", "[0-9A-Za-z_.:-]{1,64}", "T[0-9A-Za-z]{33}");
    (texts, 0i64..=1_000_000_000_000).prop_map(|((number, trade_no, address), minor)| Payment {
        number,
        trade_no,
        paid: Money { minor, currency: Currency::CNY },
        channel: String::new(),
        paid_at: None,
        reference: Some(address),
    })
}

/// What a channel is to say of a payment: only those that are paid to an address tell of one.
fn said(payment: &Payment, name: &str) -> Result<Claim, Rejection> {
    let reference = payment.reference.clone().filter(|_| COINS.contains(&name));
    Ok(Claim::Paid(Payment { channel: name.to_owned(), reference, ..payment.clone() }))
}

/// The fields of a JSON object as they stand in it.
fn fields(body: &[u8]) -> Vec<String> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(body).unwrap();
    object.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect()
}

/// A callback with a note in a field of no meaning. A request of ours is signed as a callback is, and takes any fields.
fn signed(channel: &dyn Channel, payment: &Payment, note: &str) -> Vec<u8> {
    let address = payment.reference.as_deref().unwrap_or_default();
    let trade_no = payment.trade_no.as_str();
    let extra = [
        ("trade_id", trade_no),
        ("status", "2"),
        ("token", address),
        ("receive_address", address),
        ("Id", trade_no),
        ("Status", "1"),
        ("ToAddress", address),
        ("BaseCurrency", "CNY"),
        ("note", note),
    ];
    let checkout = Checkout {
        number: &payment.number,
        amount: Money { minor: payment.paid.minor.max(1), ..payment.paid },
        subject: None,
        notify_url: "https://shop.example/pay/x/notify",
        return_url: "https://shop.example/r/x",
        expires: 0,
        client_ip: "",
        extra: &extra,
    };
    let Begin::Ask(call) = channel.checkout(&checkout, 0) else { panic!("it asks nobody") };
    call.body
}

/// Any JSON object of names that mean something, mostly.
fn objects() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        proptest::sample::select(vec![
            "order_id",
            "amount",
            "status",
            "signature",
            "OutOrderId",
            "Status",
            "Signature"
        ]),
        Just("token")
    ];
    let value = prop_oneof![
        any::<f64>().prop_filter("JSON has no such number", |n| n.is_finite()).prop_map(|n| format!("{n:e}")),
        any::<i64>().prop_map(|n| n.to_string()),
        "[ -~&&[^\"\\\\]]{0,20}".prop_map(|text| format!("\"{text}\"")),
        proptest::sample::select(vec!["null", "true", "[1]", "{\"a\":{}}", "1e400", "-0"]).prop_map(str::to_owned),
    ];
    let pair = (name, value).prop_map(|(name, value)| format!("\"{name}\":{value}"));
    proptest::collection::vec(pair, 0..8).prop_map(|pairs| format!("{{{}}}", pairs.join(",")))
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

const NAMES: [&str; 7] = ["pay", "box", "epusdt", "gmpay", "gmpay-md5", "bepusdt", "tokenpay"];
/// Those that post JSON and are paid to an address.
const COINS: [&str; 5] = ["epusdt", "gmpay", "gmpay-md5", "bepusdt", "tokenpay"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_forged_verifies_and_says_the_same(payment in payment()) {
        let folder = tempfile::tempdir().unwrap();
        let all = all(folder.path());
        for name in NAMES {
            let claim = verified(&all, name, &payment, |_, _| {});
            prop_assert_eq!(claim, said(&payment, name));
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
        prop_assert_eq!(turned, said(&payment, "pay"));
        let repeated = verified(&all, "pay", &payment, |query, _| {
            let text = String::from_utf8(query.clone()).unwrap();
            let pairs: Vec<&str> = text.split('&').collect();
            *query = format!("{text}&{}", pairs[twice % pairs.len()]).into_bytes();
        });
        prop_assert_eq!(repeated, Err(Rejection::DuplicateParameter));
    }

    #[test]
    fn the_order_of_json_fields_does_not_matter_and_repeats_are_refused(payment in payment(), turn in 1usize..8, twice in 0usize..16) {
        let folder = tempfile::tempdir().unwrap();
        let all = all(folder.path());
        for name in COINS {
            let turned = verified(&all, name, &payment, |_, body| {
                let mut pairs = fields(body);
                let by = turn % pairs.len();
                pairs.rotate_left(by);
                *body = format!("{{ {} }}\n", pairs.join(" ,\n")).into_bytes();
            });
            prop_assert_eq!(turned, said(&payment, name));
            let repeated = verified(&all, name, &payment, |_, body| {
                let pairs = fields(body);
                *body = format!("{{{},{}}}", pairs.join(","), pairs[twice % pairs.len()]).into_bytes();
            });
            prop_assert_eq!(repeated, Err(Rejection::DuplicateParameter));
            let added = verified(&all, name, &payment, |_, body| {
                *body = format!("{{{},\"x\":\"1\"}}", fields(body).join(",")).into_bytes();
            });
            prop_assert_eq!(added, Err(Rejection::BadSignature));
        }
    }

    #[test]
    fn a_signed_value_that_could_be_another_field_is_refused(payment in payment(), hidden in "[ -~]{0,9}", at in 0usize..3) {
        let folder = tempfile::tempdir().unwrap();
        let all = all(folder.path());
        for name in COINS {
            let field = if name == "tokenpay" { "ActualAmount" } else { "amount" };
            let channel = all.get(name).unwrap();
            // Also in a field that says nothing to us; what it holds beside is nobody's business.
            let verify = |note: &str| {
                let body = signed(channel.as_ref(), &payment, note);
                let callback = Callback { method: "POST", path: "/", query: "", headers: &[], body: &body };
                channel.verify(&callback, 0)
            };
            prop_assert!(matches!(verify("a=b&c=d"), Ok(Claim::Paid(_))));
            prop_assert_eq!(verify(&format!("{hidden}&{field}=1")), Err(Rejection::Malformed));
            let mut payment = payment.clone();
            let address = payment.reference.as_mut().unwrap();
            [&mut payment.number, &mut payment.trade_no, address][at].push_str(&format!("{hidden}&{field}=1"));
            prop_assert_eq!(verified(&all, name, &payment, |_, _| {}), Err(Rejection::Malformed));
        }
    }

    #[test]
    fn no_json_makes_a_channel_panic_or_believe(body in objects()) {
        let folder = tempfile::tempdir().unwrap();
        let all = all(folder.path());
        for name in COINS {
            let callback = Callback { method: "POST", path: "/", query: "", headers: &[], body: body.as_bytes() };
            let channel = all.get(name).unwrap();
            prop_assert!(channel.verify(&callback, 0).is_err());
            let _words = (channel.names(&callback), channel.explain(&callback));
        }
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
