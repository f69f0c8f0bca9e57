//! Callbacks whose signature the fuzzer cannot make: nothing but what was signed is ever believed.

use std::collections::{HashMap, HashSet};
use std::sync::{LazyLock, Mutex};

use kamid::channel::{Answer, Asked, Claim};
use kamid::domain::Response;

use super::drive::Target;
use super::genuine::{
    VECTORS, assert_whole, canonical, channel, fields, fields_of_form, minor, payments, request, requests, signature,
    text, verified, written,
};

/// Each signed text with the one payment that it says: number, trade number and minor units.
type Said = Mutex<HashMap<Vec<u8>, (String, String, i64)>>;

/// The words of callbacks.
pub const WORDS: &[&str] = &[
    "&",
    "=",
    "%",
    "+",
    "%26",
    "%3D",
    "%00",
    "%ff",
    "%E4%BC",
    "[]",
    "%5B",
    ";",
    "POST ",
    "GET ",
    "\n",
    "&money=0.01",
    "&sign=",
    "&sign_type=MD5",
    "&sign_type=RSA",
    "&%6d%6f%6e%65%79=1",
    "%26money%3D0.01",
    "&out_trade_no=",
    "&pid=1001",
    "&trade_status=TRADE_SUCCESS",
    "&type=%20",
    "&a=%09",
    "&name=x",
    "number",
    "amount",
    "account=box",
    "status=paid",
];

/// Whatever is done to a captured callback: its signature is right for the payment that is believed, and one signed text
/// says one payment, however its fields are parted.
fn epay(bytes: &[u8]) {
    static SAID: LazyLock<Said> = LazyLock::new(Said::default);
    let Some(asked) = request(bytes) else { return };
    let body = if asked.0 == "POST" { fields_of_form(asked.3) } else { Vec::new() };
    let read = [fields(asked.1.as_bytes()), body].concat();
    match verified("pay", asked) {
        Ok(Claim::Ask { .. } | Claim::Agreed(_)) => panic!("epay asks nobody"),
        Err(_) => {}
        Ok(Claim::Paid(payment)) => {
            assert_eq!(text(&read, "sign"), signature(&read), "believed, and never signed: {payment:?}");
            assert_eq!(Some(payment.paid.minor), minor(&text(&read, "money"), 2));
            assert_whole(&read);
            let says = (payment.number, payment.trade_no, payment.paid.minor);
            let known = SAID.lock().unwrap().entry(canonical(&read)).or_insert_with(|| says.clone()).clone();
            assert_eq!(known, says, "one signed text, two payments");
        }
        Ok(Claim::Nothing(_) | Claim::Strange(_)) => {
            assert_eq!(text(&read, "sign"), signature(&read));
            assert_ne!(text(&read, "trade_status"), "TRADE_SUCCESS", "a payment is told as none");
        }
    }
}

/// The sandbox signs its body's bytes: they are among those it signed, or it is refused.
fn sandbox(bytes: &[u8]) {
    static SIGNED: LazyLock<HashSet<Vec<u8>>> =
        LazyLock::new(|| payments().iter().map(|payment| channel("box").forge(payment, 0).body).collect());
    let Some(asked) = request(bytes) else { return };
    if let Ok(claim) = verified("box", asked) {
        assert!(SIGNED.contains(asked.3), "believed, and never signed: {claim:?}");
        assert!(asked.0 == "POST" && asked.1.is_empty(), "more than the body is read");
    }
}

/// What a gateway answers when asked: paid only with our number, our account, a payment's status and an exact amount.
fn answer(bytes: &[u8]) {
    const NUMBER: &str = "KO251123160000MZ4YRUCY";
    let heard = [Response { status: 200, headers: Vec::new(), body: bytes.to_vec() }];
    let said = channel("pay").query(&Asked { number: NUMBER, reference: "", page: "" }, &heard, 0);
    if let Some(Answer::Paid(payment)) = said {
        let json: serde_json::Value = serde_json::from_slice(bytes).unwrap();
        let word = |name: &str| json[name].as_str().map_or_else(|| json[name].to_string(), str::to_owned);
        assert_eq!((word("out_trade_no").as_str(), payment.number.as_str()), (NUMBER, NUMBER));
        assert_eq!((word("code"), word("pid"), word("status")), ("1".to_owned(), "1001".to_owned(), "1".to_owned()));
        assert_eq!(minor(&word("money"), 2), Some(payment.paid.minor));
        assert!(kamid::channel::is_trade_no(&payment.trade_no));
    }
}

pub fn a_callback_that_was_not_signed_is_never_believed() -> Target {
    let believed = |seed: &Vec<u8>| request(seed).is_some_and(|asked| verified("pay", asked).is_ok());
    assert_eq!(requests().iter().filter(|seed| believed(seed)).count(), 12, "the seeds reach what is deep");
    Target { name: "epay callbacks", seeds: requests(), words: WORDS, check: epay }
}

pub fn a_sandbox_callback_that_was_not_signed_is_never_believed() -> Target {
    let forged = payments().into_iter().map(|payment| channel("box").forge(&payment, 0));
    let seeds = forged.map(|forged| written("POST", "", &forged.headers[0].1, &forged.body)).collect();
    Target { name: "sandbox callbacks", seeds, words: WORDS, check: sandbox }
}

pub fn a_gateways_answer_is_a_payment_only_where_it_says_so() -> Target {
    let answers = VECTORS.iter().filter_map(|vector| vector["answers"].as_array()).flatten();
    let seeds = answers.map(|answer| answer["body"].to_string().into_bytes()).collect();
    let words =
        &["\"", ",", ":", "{", "}", "[", "]", "1", "-1", "1e0", "1.00", "null", "true", "\\u0000", "\"status\":1,"];
    Target { name: "gateway answers", seeds, words, check: answer }
}
