//! The laws of the kinds that verify with RSA, with a gateway's key of the test's own: `forge` is the inverse of `verify`,
//! one changed byte of what is signed is refused, a moved field border too, and nothing panics.

use std::sync::Arc;

use kamid::channel::capture::borrowed;
use kamid::channel::{Channel, Claim, Request};
use kamid::domain::{Callback, Currency, Money, Payment, Rejection};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::channel;
use crate::support::gateway::{SECRET, encoded, joined, sha256};
use crate::support::pair::{Pair, chain};

const NOW: u64 = 1_800_000_000_000;

/// A kind's word, its channel, and its gateway's key.
type Kind = (&'static str, Arc<dyn Channel>, Pair);

/// Each kind with the settings that it needs.
fn kinds() -> Vec<Kind> {
    let of = |kind: &'static str, config: &dyn Fn(&Pair, &Pair) -> Value| {
        let (merchant, gateway) = (Pair::new(), Pair::new());
        let mut config = config(&merchant, &gateway);
        config["gateway_private_key"] = json!(gateway.private());
        let built = channel(kind, &config, &[]);
        (kind, built, gateway)
    };
    vec![
        of("epay_v2", &|merchant, gateway| {
            json!({"gateway_url": "https://x.example/", "pid": "1001", "platform_public_key": gateway.public(),
                "merchant_private_key": merchant.private()})
        }),
        of(
            "alipay",
            &|merchant, gateway| json!({"app_id": "2021", "seller_id": "2088", "alipay_public_key": gateway.public(), "app_private_key": merchant.private()}),
        ),
        of("wechat_v3", &|merchant, gateway| {
            json!({"mchid": "19", "appid": "wx1", "apiv3_key": SECRET, "merchant_serial": "AB", "merchant_private_key": merchant.private(),
                "platform_public_key_id": "PUB_KEY_ID_1", "platform_public_key": gateway.public()})
        }),
    ]
}

fn read(channel: &dyn Channel, request: &Request) -> Result<Claim, Rejection> {
    let headers = borrowed(&request.headers);
    let callback =
        Callback { method: request.method, path: "/", query: &request.query, headers: &headers, body: &request.body };
    let _never_panics = (channel.names(&callback), channel.explain(&callback));
    channel.verify(&callback, &[], NOW)
}

fn payment(minor: i64, trade_no: &str) -> Payment {
    let paid = Money { minor, currency: Currency::CNY };
    Payment::new("07MIBQ3K2XZ0A1B2C3D401", trade_no, paid, "pay")
}

#[test]
fn what_is_forged_verifies_and_no_changed_byte_does() {
    for (kind, channel, _) in kinds() {
        for (minor, trade_no) in [(1, "T1"), (990, "2026112522001"), (99_999_999, "a.b:c-d_e")] {
            let wanted = payment(minor, trade_no);
            let request = channel.forge(&wanted, NOW);
            assert_eq!(read(channel.as_ref(), &request), Ok(Claim::Paid(wanted.clone())), "{kind}");
            // Every byte in turn: what is believed afterwards says the same, or nothing is.
            let text = if request.body.is_empty() { request.query.as_bytes() } else { &request.body };
            for at in 0..text.len() {
                let mut bent = text.to_vec();
                bent[at] ^= 1;
                let bent = if request.body.is_empty() {
                    let Ok(query) = String::from_utf8(bent) else { continue };
                    Request { query, ..request.clone() }
                } else {
                    Request { body: bent, ..request.clone() }
                };
                match read(channel.as_ref(), &bent) {
                    Err(_) => {}
                    Ok(said) => assert_eq!(said, Claim::Paid(wanted.clone()), "{kind}: byte {at}"),
                }
            }
        }
    }
}

#[test]
fn old_and_future_callbacks_are_refused_where_the_scheme_has_a_time() {
    for (kind, channel, _) in kinds().into_iter().filter(|(kind, ..)| *kind != "alipay") {
        for (at, fits) in [(NOW - 299_000, true), (NOW + 299_000, true), (NOW - 301_000, false), (NOW + 301_000, false)]
        {
            let said = read(channel.as_ref(), &channel.forge(&payment(5, "T"), at));
            assert_eq!(said.is_ok(), fits, "{kind}: {said:?}");
            assert!(fits || said == Err(Rejection::StaleTimestamp), "{kind}: {said:?}");
        }
    }
}

#[test]
fn a_field_border_cannot_be_moved_in_a_signed_text() {
    for (kind, channel, gateway) in kinds().into_iter().filter(|(kind, ..)| *kind != "wechat_v3") {
        let forged = channel.forge(&payment(1, "T"), NOW);
        let text =
            if forged.body.is_empty() { forged.query.clone() } else { String::from_utf8(forged.body.clone()).unwrap() };
        let mut fields: std::collections::BTreeMap<String, String> = super::pairs(&text).into_iter().collect();
        // The gateway signs a subject that somebody chose; whoever parts the text elsewhere reads another amount.
        let (subject, amount) = if kind == "alipay" { ("subject", "total_amount") } else { ("name", "money") };
        fields.insert(subject.to_owned(), format!("x&{amount}=9999.00"));
        fields.insert("sign".to_owned(), gateway.sign(&joined(&fields, &["sign", "sign_type"])));
        let moved = if forged.body.is_empty() {
            Request { query: encoded(&fields), ..forged }
        } else {
            Request { body: encoded(&fields).into_bytes(), ..forged }
        };
        assert_eq!(read(channel.as_ref(), &moved), Err(Rejection::Malformed), "{kind}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_bytes_make_them_panic_or_believe(body in proptest::collection::vec(any::<u8>(), 0..400), query in "[ -~]{0,60}") {
        static KINDS: std::sync::LazyLock<Vec<Kind>> = std::sync::LazyLock::new(kinds);
        for (kind, channel, _) in KINDS.iter() {
            for method in ["POST", "GET"] {
                let headers = ["timestamp", "nonce", "signature", "serial"];
                let headers = headers.map(|name| (format!("wechatpay-{name}"), query.clone())).to_vec();
                let request = Request { method, query: query.clone(), headers, body: body.clone() };
                prop_assert!(read(channel.as_ref(), &request).is_err(), "{kind}");
            }
        }
    }
}

/// UnionPay's own certificate comes with the message.
#[test]
fn unionpay_is_believed_by_its_certificate_alone() {
    let (merchant, gateway) = (Pair::new(), Pair::new());
    let [leaf, middle, root] = chain(&gateway);
    let key = rcgen::KeyPair::from_pem_and_sign_algo(&merchant.pem(), &rcgen::PKCS_RSA_SHA256).unwrap();
    let cert = rcgen::CertificateParams::new(vec!["merchant".to_owned()]).unwrap().self_signed(&key).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("leaf.pem"), &leaf).unwrap();
    let config = json!({"mer_id": "777", "root_cert": root, "middle_cert": middle, "sign_cert": cert.pem(), "sign_key": merchant.private(),
        "gateway_private_key": gateway.private(), "gateway_cert_file": folder.path().join("leaf.pem")});
    // One that has run out is told of at the start, with its setting; the other channels sell on.
    let mut old = rcgen::CertificateParams::new(vec!["merchant".to_owned()]).unwrap();
    (old.not_before, old.not_after) = (rcgen::date_time_ymd(2019, 1, 1), rcgen::date_time_ymd(2020, 6, 1));
    let mut expired = config.as_object().unwrap().clone();
    expired.insert("kind".to_owned(), json!("unionpay"));
    expired.insert("sign_cert".to_owned(), json!(old.self_signed(&key).unwrap().pem()));
    let section = kamid::settings::Section::from_json("config", &expired);
    let warnings = kamid::channel::Channels::build(&[("pay".to_owned(), section)], true, NOW).unwrap().warnings;
    let about = warnings.iter().find(|it| it.path == "config.sign_cert").unwrap();
    assert!(about.warning && about.message.contains("its last day: 2020-06-01"), "{about}");
    // What time it is, whoever builds it says.
    let section = kamid::settings::Section::from_json("config", &expired);
    let then = kamid::channel::Channels::build(&[("pay".to_owned(), section)], true, 1_577_836_800_000).unwrap();
    assert!(!then.warnings.iter().any(|it| it.path == "config.sign_cert"), "on 2020-01-01: {:?}", then.warnings);
    let pay = channel("unionpay", &config, &[]);
    let wanted = Payment { reference: Some("20270115080000".to_owned()), ..payment(990, "Q1") };
    let request = pay.forge(&wanted, NOW);
    assert_eq!(read(pay.as_ref(), &request), Ok(Claim::Paid(wanted.clone())));
    let resigned = |change: &dyn Fn(&mut std::collections::BTreeMap<String, String>), by: &Pair| {
        let mut fields: std::collections::BTreeMap<String, String> =
            super::pairs(std::str::from_utf8(&request.body).unwrap()).into_iter().collect();
        change(&mut fields);
        fields.insert("signature".to_owned(), by.sign(&sha256(&joined(&fields, &["signature"]))));
        read(pay.as_ref(), &Request { body: encoded(&fields).into_bytes(), ..request.clone() })
    };
    // What was believed today is not believed when the certificate has run out: the year 4096 is past.
    let headers = borrowed(&request.headers);
    let again = Callback { method: "POST", path: "/", query: "", headers: &headers, body: &request.body };
    assert_eq!(pay.verify(&again, &[], 70_000_000_000_000), Err(Rejection::CertUntrusted));
    assert!(pay.verify(&again, &[], NOW).is_ok());
    // Paid with a defect: the gateway is asked, with the time that the payment has.
    match resigned(&|fields| drop(fields.insert("respCode".to_owned(), "A6".to_owned())), &gateway) {
        Ok(Claim::Ask { call, .. }) => {
            assert!(String::from_utf8(call.body).unwrap().contains("txnTime=20270115080000"))
        }
        other => panic!("{other:?}"),
    }
    for (field, word, strange) in [
        ("respCode", "05", false),
        ("respCode", "000", true),
        ("respCode", "A7", true),
        ("txnType", "02", false),
        ("txnType", "1", true),
    ] {
        let said = resigned(&|fields| drop(fields.insert(field.to_owned(), word.to_owned())), &gateway);
        let fits =
            if strange { said == Ok(Claim::Strange(word.to_owned())) } else { matches!(said, Ok(Claim::Nothing(_))) };
        assert!(fits, "{field} {word}: {said:?}");
    }
    // Another key under UnionPay's certificate; a chain of somebody's own; a border that was moved.
    let other = Pair::new();
    assert_eq!(resigned(&|_| {}, &other), Err(Rejection::BadSignature));
    let foreign = chain(&other)[0].clone();
    let swap = |fields: &mut std::collections::BTreeMap<String, String>| {
        fields.insert("signPubKeyCert".to_owned(), foreign.clone());
    };
    assert_eq!(resigned(&swap, &other), Err(Rejection::CertUntrusted));
    let moved = |fields: &mut std::collections::BTreeMap<String, String>| {
        fields.insert("reqReserved".to_owned(), "x&txnAmt=1".to_owned());
    };
    assert_eq!(resigned(&moved, &gateway), Err(Rejection::Malformed));
}
