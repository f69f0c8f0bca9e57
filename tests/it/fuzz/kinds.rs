//! Every kind of channel: whatever is done to its captured callbacks, nothing but what its gateway signed is believed, and no
//! answer of a gateway makes it panic.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::{Arc, LazyLock};

use data_encoding::BASE64;
use kamid::channel::capture::borrowed;
use kamid::channel::{Asked, Channel, Channels, Checkout, Claim, KINDS, Refund};
use kamid::domain::{Callback, Currency, Money, Payment, Response};
use kamid::settings::Section;
use serde_json::Value;

use super::drive::Target;

/// When the callbacks were captured, in ms.
const NOW: u64 = 1_763_884_800_000;

/// A kind, with one of the settings it was captured under, and its callbacks under these.
struct Rig {
    channel: Arc<dyn Channel>,
    seeds: Vec<Vec<u8>>,
    /// Certificates of its gateway, by address.
    certs: BTreeMap<String, String>,
    /// What the genuine ones state.
    stated: HashSet<String>,
}

static RIGS: LazyLock<Vec<Rig>> = LazyLock::new(|| {
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|folder| folder.join("tests/vectors"));
    let folder = above.into_iter().find(|folder| folder.is_dir()).unwrap();
    KINDS.iter().filter(|kind| !kind.test_only).map(|kind| rig(kind.name, &folder.join(kind.name))).collect()
});

fn rig(kind: &str, folder: &Path) -> Rig {
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: &std::path::PathBuf| -> Value { serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap() };
    let vectors: Vec<Value> = paths.iter().map(read).filter(|vector| vector["request"].is_object()).collect();
    let config = vectors[0]["config"].clone();
    let mut settings = config.as_object().unwrap().clone();
    settings.insert("kind".to_owned(), kind.into());
    let section = Section::from_json("config", &settings);
    let channels = Channels::build(&[("pay".to_owned(), section)], true, NOW).unwrap_or_else(|it| panic!("{it:?}"));
    let channel = Arc::clone(channels.get("pay").unwrap());
    let at = KINDS.iter().position(|known| known.name == kind).unwrap();
    let small =
        |vector: &&Value| vector["config"] == config && vector["request"]["body_len"].as_u64().unwrap_or(0) < 8000;
    let small = |vector: &&Value| small(vector) && vector["request"]["target"].as_str().unwrap().len() < 8000;
    // Only what is believed as it stands: of others, what their gateway once signed could come back by chance.
    let mut seeds: Vec<Vec<u8>> = vectors.iter().filter(small).map(|vector| written(at, &vector["request"])).collect();
    let certs = vectors.iter().flat_map(|vector| vector["fetchable_certs"].as_object().into_iter().flatten());
    let certs = certs.map(|(url, cert)| (url.clone(), cert.as_str().unwrap().to_owned())).collect();
    let mut rig = Rig { channel, seeds: Vec::new(), certs, stated: HashSet::new() };
    seeds.retain(|seed| stated(&rig, seed).is_some());
    rig.stated = seeds.iter().filter_map(|seed| stated(&rig, seed)).collect();
    rig.seeds = seeds;
    rig
}

/// A request as an input: which kind, method and query, headers, an empty line, the body.
fn written(kind: usize, request: &Value) -> Vec<u8> {
    let target = request["target"].as_str().unwrap();
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let mut text = format!("{kind} {} {query}\n", request["method"].as_str().unwrap());
    for header in request["headers"].as_array().unwrap() {
        text += &format!("{}: {}\n", header[0].as_str().unwrap(), header[1].as_str().unwrap());
    }
    text.push('\n');
    [text.as_bytes(), &BASE64.decode(request["body_b64"].as_str().unwrap().as_bytes()).unwrap()].concat()
}

/// What an input's callback is believed to state; `None`: it is not believed, or states nothing.
fn stated(rig: &Rig, input: &[u8]) -> Option<String> {
    let channel = rig.channel.as_ref();
    let end = input.windows(2).position(|two| two == b"\n\n")?;
    let (head, body) = (std::str::from_utf8(&input[..end]).ok()?, &input[end + 2..]);
    let mut lines = head.lines();
    let mut first = lines.next()?.splitn(3, ' ');
    let (_, method, query) = (first.next()?, first.next()?, first.next().unwrap_or_default());
    let pairs = lines.filter_map(|line| line.split_once(": "));
    let pairs: Vec<(String, String)> = pairs.map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
    let headers = borrowed(&pairs);
    let callback = Callback { method, path: "/", query, headers: &headers, body };
    if let Some(number) = channel.names(&callback) {
        assert!(kamid::channel::is_number(&number), "{number:?} is shown as a number");
    }
    let _shown = channel.explain(&callback);
    answers(channel, &callback, &pairs);
    let mut said = channel.verify(&callback, &[], NOW);
    if let Ok(Claim::Ask { call, .. }) = &said
        && call.keep_s > 0
    {
        // Which certificate signed it: nothing is believed by asking for one.
        let body = rig.certs.get(&call.url)?.clone().into_bytes();
        said = channel.verify(&callback, &[Response { status: 200, headers: Vec::new(), body }], NOW);
    }
    match said {
        Ok(Claim::Paid(payment)) => {
            assert!(kamid::channel::is_number(&payment.number) && kamid::channel::is_trade_no(&payment.trade_no));
            assert!(payment.paid.minor >= 0);
            Some(format!("{payment:?}"))
        }
        Ok(Claim::Ask { call, alone }) => Some(format!("{} {} {alone:?}", call.method, call.url)),
        Ok(Claim::Agreed(agreed)) => Some(agreed.number),
        Ok(Claim::Nothing(_) | Claim::Strange(_)) | Err(_) => None,
    }
}

/// The same bytes as an answer of the gateway's API: none of it may panic.
fn answers(channel: &dyn Channel, callback: &Callback<'_>, headers: &[(String, String)]) {
    let answer = Response { status: 200, headers: headers.to_vec(), body: callback.body.to_vec() };
    let asked = Asked { number: "KO251123160000MZ4YRUCY", reference: "R", page: "" };
    let checkout = Checkout {
        number: asked.number,
        amount: Money { minor: 2990, currency: Currency::CNY },
        subject: None,
        notify_url: "https://x.example/n",
        return_url: "https://x.example/r",
        expires: NOW + 1,
        client_ip: "127.0.0.1",
        extra: &[],
    };
    let paid = Money { minor: 2990, currency: Currency::CNY };
    let payment = Payment::new(asked.number, "T1", paid, "pay");
    let refund = Refund {
        payment: &payment,
        number: "R1",
        reason: "r",
        notify_url: "https://x.example/n",
        asked_at: &[],
        by_trade_no: false,
    };
    // As the first answer, and as those after it.
    for heard in [1, 2, 3].map(|times| vec![answer.clone(); times]) {
        let _none = channel.checkout(&checkout, &heard, NOW);
        let _none = channel.query(&asked, &heard, NOW);
        let _none = channel.verify(callback, &heard, NOW);
        let _none = channel.refund(&refund, &heard, NOW);
    }
}

fn check(input: &[u8]) {
    let digits = input.iter().take_while(|b| b.is_ascii_digit()).count();
    let at = std::str::from_utf8(&input[..digits]).ok().and_then(|text| text.parse::<usize>().ok());
    let Some(rig) = at.and_then(|at| RIGS.get(at)) else { return };
    if let Some(said) = stated(rig, input) {
        assert!(rig.stated.contains(&said), "believed, and never signed: {said}");
    }
}

pub fn what_no_gateway_signed_is_believed_by_no_kind() -> Target {
    let reached = RIGS.iter().filter(|rig| !rig.stated.is_empty()).count();
    assert_eq!(reached, RIGS.len(), "the seeds of every kind reach what is deep");
    let seeds = RIGS.iter().flat_map(|rig| rig.seeds.clone()).collect();
    let words = &[
        "&",
        "=",
        "%26",
        "%3D",
        "\n",
        "\n\n",
        "{",
        "}",
        "\"",
        ":",
        ",",
        "null",
        "1e3",
        "\\u0026",
        "POST ",
        "GET ",
        "amount",
        "status",
        "&total_amount=0.01",
        "&txnAmt=1",
        "&money=1",
        "signature",
        "sign",
        "v1=",
        "v1,",
        "t=1763884800,",
        "sha256=",
    ];
    Target { name: "callbacks of every kind", seeds, words, check }
}
