//! The laws that every channel keeps, over random payments and random bytes: `forge` is the inverse of `verify`, one
//! changed byte of what is signed is refused, order does not matter, repeats are refused, and nothing panics.

use std::borrow::Cow;
use std::sync::LazyLock;

use aws_lc_rs::hmac;
use data_encoding::{BASE64, HEXLOWER};
use kamid::channel::capture::borrowed;
use kamid::channel::{Begin, Channel, Channels, Checkout, Claim, Request};
use kamid::domain::{Callback, Currency, Millis, Money, Payment, Rejection, Response};
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

/// What a channel is to say of a payment: some tell of the address that it was paid to, or of the way.
fn said(payment: &Payment, name: &str) -> Result<Claim, Rejection> {
    let reference = payment.reference.clone().filter(|_| name != "box");
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
    let Begin::Ask(call) = channel.checkout(&checkout, &[], 0) else { panic!("it asks nobody") };
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
    channel.verify(&callback, &[], 0)
}

const NAMES: [&str; 7] = ["pay", "box", "epusdt", "gmpay", "gmpay-md5", "bepusdt", "tokenpay"];
/// Those that post JSON and are paid to an address.
const COINS: [&str; 5] = ["epusdt", "gmpay", "gmpay-md5", "bepusdt", "tokenpay"];

const HOOK_SECRET: &str = "a secret of its own";
const HOOK_BASE64: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// One of each kind that is told by signed JSON.
static HOOKS: LazyLock<Channels> = LazyLock::new(|| {
    let secret = format!("webhook_secret = \"{HOOK_SECRET}\"\napi_key = \"k\"");
    let text = format!(
        "[channel.card]\nkind = \"stripe\"\n{secret}\n[channel.coin]\nkind = \"coinbase_commerce\"\n{secret}\n\
         [channel.btc]\nkind = \"btcpay\"\nserver_url = \"https://btc.test\"\nstore_id = \"S\"\n{secret}\n\
         [channel.std]\nkind = \"standard_webhooks\"\nsecrets = [\"whsec_{HOOK_BASE64}\"]\n"
    );
    channels(&text, std::path::Path::new("."))
});
const HOOK_NAMES: [&str; 4] = ["card", "coin", "btc", "std"];

/// A payment as such a channel tells it: but for one kind, bound to what its attempt was opened with.
fn told(name: &str, payment: &Payment) -> Payment {
    let reference = Some(payment.trade_no.clone()).filter(|_| name != "std");
    Payment { channel: name.to_owned(), reference, ..payment.clone() }
}

/// These bytes, signed as that channel's gateway signs at the beginning of time.
fn sealed(name: &str, body: Vec<u8>) -> Request {
    let mac = |secret: &[u8], head: &str| {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), &[head.as_bytes(), &body].concat()).as_ref().to_vec()
    };
    let hex = |head: &str| HEXLOWER.encode(&mac(HOOK_SECRET.as_bytes(), head));
    let headers = match name {
        "card" => vec![("Stripe-Signature", format!("t=0,v1={}", hex("0.")))],
        "coin" => vec![("X-CC-Webhook-Signature", hex(""))],
        "btc" => vec![("BTCPay-Sig", format!("sha256={}", hex("")))],
        _ => {
            let sign = BASE64.encode(&mac(&BASE64.decode(HOOK_BASE64.as_bytes()).unwrap(), "m.0."));
            let sign = format!("v1,{sign}");
            vec![("webhook-id", "m".to_owned()), ("webhook-timestamp", "0".to_owned()), ("webhook-signature", sign)]
        }
    };
    let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Request { method: "POST", query: String::new(), headers, body }
}

fn in_any_currency() -> impl Strategy<Value = Payment> {
    (payment(), prop::sample::select(vec!["CNY", "USD", "JPY", "KWD"])).prop_map(|(payment, currency)| Payment {
        paid: Money { currency: currency.parse().unwrap(), ..payment.paid },
        ..payment
    })
}

/// What such a channel says of a request; where it asks, its gateway tells of that payment.
fn heard(name: &str, request: &Request, payment: &Payment, now: Millis) -> Result<Claim, Rejection> {
    let channel = HOOKS.get(name).unwrap();
    let headers = borrowed(&request.headers);
    let callback =
        Callback { method: request.method, path: "/", query: &request.query, headers: &headers, body: &request.body };
    let _words = (channel.names(&callback), channel.explain(&callback));
    match channel.verify(&callback, &[], now) {
        Ok(Claim::Ask { .. }) => {
            let invoice = serde_json::json!({
                "id": payment.trade_no, "storeId": "S", "amount": payment.paid.to_string(),
                "currency": payment.paid.currency, "status": "Settled", "metadata": {"orderId": payment.number},
            });
            let answer = Response { status: 200, headers: Vec::new(), body: invoice.to_string().into_bytes() };
            channel.verify(&callback, &[answer], now)
        }
        claim => claim,
    }
}

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
                channel.verify(&callback, &[], 0)
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
            prop_assert!(channel.verify(&callback, &[], 0).is_err());
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
            prop_assert!(channel.verify(&callback, &[], 0).is_err());
            let _words = (channel.names(&callback), channel.explain(&callback));
        }
    }

    #[test]
    fn what_a_hook_forges_verifies_and_says_the_same(payment in in_any_currency(), now in 0u64..=4_000_000_000_000) {
        for name in HOOK_NAMES {
            let forged = HOOKS.get(name).unwrap().forge(&payment, now);
            let claim = heard(name, &forged, &payment, now);
            prop_assert_eq!(claim, Ok(Claim::Paid(told(name, &payment))), "{}", name);
        }
    }

    #[test]
    fn one_changed_byte_of_a_hook_is_refused(payment in in_any_currency(), at in 0usize..4096, by in 1u8..=255) {
        for name in HOOK_NAMES {
            let forged = HOOKS.get(name).unwrap().forge(&payment, 0);
            let mut changed = forged.clone();
            let place = at % changed.body.len();
            changed.body[place] ^= by;
            prop_assert_eq!(heard(name, &changed, &payment, 0), Err(Rejection::BadSignature), "{}", name);
            for header in 0..forged.headers.len() {
                // The type of the body is not signed; it has no say.
                if forged.headers[header].0.eq_ignore_ascii_case("content-type") {
                    continue;
                }
                let mut changed = forged.clone();
                let mut text = std::mem::take(&mut changed.headers[header].1).into_bytes();
                let place = at % text.len();
                // Within ASCII: other bytes are no text, and never reach a channel.
                text[place] ^= (by & 0x7f).max(1);
                changed.headers[header].1 = String::from_utf8(text).unwrap();
                let claim = heard(name, &changed, &payment, 0);
                prop_assert!(claim.is_err(), "{} {:?}: {:?}", name, changed.headers[header], claim);
            }
        }
    }

    #[test]
    fn no_bytes_make_a_hook_panic_or_believe(
        header in "\\PC{0,80}",
        scheme in prop::sample::select(vec!["", "t=0,v1=", "t=0,t=0,v1=", "v1,", "sha256=", "t=,v1=,", "v1, v1,"]),
        body in prop::collection::vec(any::<u8>(), 0..300),
        payment in payment(),
    ) {
        let value = format!("{scheme}{header}");
        let names = [
            "Stripe-Signature", "webhook-id", "webhook-timestamp", "webhook-signature", "X-CC-Webhook-Signature",
            "BTCPay-Sig",
        ];
        let headers = names.map(|name| (name.to_owned(), value.clone())).to_vec();
        let request = Request { method: "POST", query: String::new(), headers, body };
        for name in HOOK_NAMES {
            prop_assert!(heard(name, &request, &payment, 0).is_err(), "{}", name);
            // Nor do they as an answer of the gateway.
            let channel = HOOKS.get(name).unwrap();
            for answer in [&request.body, &channel.forge(&payment, 0).body] {
                let answer = Response { status: 200, headers: Vec::new(), body: answer.clone() };
                let asked = kamid::channel::Asked { number: &payment.number, reference: &payment.trade_no, page: "" };
                prop_assert!(!matches!(channel.query(&asked, &[answer], 0), Some(kamid::channel::Answer::Paid(_))), "{}", name);
            }
        }
    }

    #[test]
    fn whatever_is_signed_is_read_or_refused(
        payment in in_any_currency(),
        at in 0usize..4096,
        cut in 0usize..12,
        put in prop::sample::select(vec!["", "\"", "null", "{", "}", "[]", "-1", "1.0", "1e3", "\\u0000", "\u{ff}", ",\"type\":1"]),
    ) {
        for name in HOOK_NAMES {
            let whole = HOOKS.get(name).unwrap().forge(&payment, 0).body;
            prop_assert!(heard(name, &sealed(name, whole.clone()), &payment, 0).is_ok(), "{}", name);
            let (at, mut bent) = (at % whole.len(), whole);
            let end = bent.len().min(at + cut);
            bent.splice(at..end, put.bytes());
            if let Ok(Claim::Paid(said)) = heard(name, &sealed(name, bent), &payment, 0) {
                prop_assert!(said.paid.minor >= 0 && !said.number.is_empty() && !said.trade_no.is_empty(), "{:?}", said);
                prop_assert!(!said.number.contains(['"', '\0', '\u{ff}']), "{:?}", said);
            }
        }
    }
}
