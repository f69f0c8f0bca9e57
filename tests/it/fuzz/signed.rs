//! Callbacks that a gateway did sign, whatever they say: what is behind the signature is reached, and says what it says.

use std::sync::LazyLock;

use aws_lc_rs::hmac;
use data_encoding::HEXLOWER;
use kamid::channel::Claim;
use kamid::domain::Rejection;

use super::callbacks::WORDS;
use super::drive::Target;
use super::genuine::{
    Fields, assert_whole, channel, fields, fields_of_form, fields_of_query, minor, payments, request, requests,
    signature, text, verified, written,
};
use crate::support::channel::KEY;

/// The text without its signature.
fn unsigned(text: &str) -> String {
    let kept = text.split('&').filter(|pair| !pair.starts_with("sign"));
    kept.collect::<Vec<_>>().join("&")
}

/// A payment says exactly what its signed fields say, each of them there once and by its own alphabet.
fn epay(bytes: &[u8]) {
    let Some((method, query, _, body)) = request(bytes) else { return };
    let body = String::from_utf8_lossy(body);
    // With its `&`: beside the signature's, a `;` is a letter like any other.
    let (query, body) = (format!("{}&", unsigned(query)), unsigned(&body));
    // What ends a form is no part of it; before the signature it would be.
    let body = body.trim_end_matches(['\r', '\n']);
    let read =
        [fields_of_query(&query), if method == "POST" { fields(body.as_bytes()) } else { Fields::new() }].concat();
    let sealed = format!("{query}sign={}&sign_type=MD5", signature(&read));
    match verified("pay", (method, &sealed, "", body.as_bytes())) {
        Ok(Claim::Paid(payment)) => {
            let word = |name: &str| text(&read, name);
            assert_eq!((word("pid").as_str(), word("trade_status").as_str()), ("1001", "TRADE_SUCCESS"));
            assert_eq!((payment.number, payment.trade_no), (word("out_trade_no"), word("trade_no")));
            assert_eq!(Some(payment.paid.minor), minor(&word("money"), 2), "{}", word("money"));
            assert_whole(&read);
        }
        Ok(Claim::Nothing(_) | Claim::Strange(_)) => assert_ne!(text(&read, "trade_status"), "TRADE_SUCCESS"),
        Ok(Claim::Ask { .. } | Claim::Agreed(_)) => panic!("epay asks nobody"),
        Err(why) => assert_ne!(why, Rejection::BadSignature, "what was signed is read otherwise: {sealed}"),
    }
}

/// Likewise for the sandbox, whose signature is over the body.
fn sandbox(bytes: &[u8]) {
    static SIGNER: LazyLock<hmac::Key> = LazyLock::new(|| hmac::Key::new(hmac::HMAC_SHA256, KEY.as_bytes()));
    let Some((method, query, _, body)) = request(bytes) else { return };
    let header = HEXLOWER.encode(hmac::sign(&SIGNER, body).as_ref());
    match verified("box", (method, query, &header, body)) {
        Ok(Claim::Paid(payment)) => {
            let read = fields_of_form(body);
            let word = |name: &str| text(&read, name);
            assert_eq!((word("account").as_str(), word("status").as_str()), ("box", "paid"));
            assert_eq!((payment.number, payment.trade_no), (word("number"), word("trade_no")));
            assert_eq!(payment.paid.currency.as_str(), word("currency"));
            let places = payment.paid.currency.exponent() as usize;
            assert_eq!(Some(payment.paid.minor), minor(&word("amount"), places), "{}", word("amount"));
        }
        Ok(Claim::Nothing(_) | Claim::Strange(_)) => assert_ne!(text(&fields_of_form(body), "status"), "paid"),
        Ok(Claim::Ask { .. } | Claim::Agreed(_)) => panic!("the sandbox asks nobody"),
        Err(why) => assert_ne!(why, Rejection::BadSignature, "the bytes as they came were signed"),
    }
}

pub fn a_signed_callback_says_what_it_says() -> Target {
    let mut seeds = requests();
    seeds.push(written("GET", "o=;", "", b""));
    Target { name: "signed epay callbacks", seeds, words: WORDS, check: epay }
}

pub fn a_signed_sandbox_callback_says_what_it_says() -> Target {
    let forged = payments().into_iter().map(|payment| channel("box").forge(&payment, 0));
    let seeds = forged.map(|forged| written("POST", "", "", &forged.body)).collect();
    Target { name: "signed sandbox callbacks", seeds, words: WORDS, check: sandbox }
}
