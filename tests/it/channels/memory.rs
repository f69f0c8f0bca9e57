//! What a callback may cost before it is believed: no more memory at once than eight times its own size, and a little.

use data_encoding::BASE64;
use kamid::channel::capture::borrowed;
use kamid::channel::{Channel, Channels, KINDS, Request};
use kamid::domain::{Callback, Response};
use kamid::settings::Section;
use serde_json::{Value, json};

use super::{now, text, vectors};

use crate::support::channel::NOW;

/// What a genuine callback may take besides, in bytes: a header's text, a few small lists.
const LITTLE: u64 = 8192;
/// What any other may: as many values as an event may always have.
const EVENT: u64 = 160 * 1024;

/// The most memory that is held at once while a request is read, and the request's size.
fn held(pay: &dyn Channel, request: &Request, heard: &[Response], at: u64) -> (u64, u64) {
    let headers = borrowed(&request.headers);
    let (query, body) = (request.query.as_str(), request.body.as_slice());
    let callback = Callback { method: request.method, path: "/", query, headers: &headers, body };
    let head: usize = request.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    let cost = allocation_counter::measure(|| {
        let _said = pay.verify(&callback, heard, at);
        let _number = pay.names(&callback);
    });
    (cost.bytes_max, (query.len() + body.len() + head) as u64)
}

/// The captured request of a kind, and what its gateway gave out.
fn captured(vector: &Value) -> (Request, Vec<Response>) {
    let request = &vector["request"];
    let target = text(request, "target");
    let headers = request["headers"].as_array().unwrap().iter();
    let certs = vector["fetchable_certs"].as_object().into_iter().flatten();
    let cert = certs.filter(|(url, _)| url.ends_with("-good")).map(|(_, cert)| cert.as_str().unwrap().into());
    let post = text(request, "method") == "POST";
    let request = Request {
        method: if post { "POST" } else { "GET" },
        query: target.split_once('?').map_or("", |(_, query)| query).to_owned(),
        headers: headers.map(|it| (it[0].as_str().unwrap().to_owned(), it[1].as_str().unwrap().to_owned())).collect(),
        body: BASE64.decode(text(request, "body_b64").as_bytes()).unwrap(),
    };
    (request, cert.map(|body| Response { status: 200, headers: Vec::new(), body }).collect())
}

/// The channel of a capture, where its settings can be run with.
fn built(kind: &str, vector: &Value) -> Option<std::sync::Arc<dyn Channel>> {
    let mut settings = vector["config"].as_object().unwrap().clone();
    settings.insert("kind".to_owned(), json!(kind));
    let channels = Channels::build(&[("pay".to_owned(), Section::from_json("config", &settings))], true, NOW).ok()?;
    channels.get("pay").cloned()
}

fn fits(what: &str, pay: &dyn Channel, request: &Request, heard: &[Response], at: u64, besides: u64) {
    let (held, size) = held(pay, request, heard, at);
    assert!(held <= 8 * size + besides, "{what}: {held} bytes for a request of {size}");
}

#[test]
fn a_callback_takes_no_more_than_eight_times_its_size() {
    let mut seen = 0;
    for kind in KINDS.iter().filter(|kind| !kind.test_only) {
        for (path, vector) in vectors(kind.name).iter().filter(|(_, vector)| vector["kind"] == "notify") {
            let Some(pay) = built(kind.name, vector) else { continue };
            let (request, heard) = captured(vector);
            // What is made once, of certificates, is not the callback's.
            held(pay.as_ref(), &request, &heard, now(vector));
            fits(&path.display().to_string(), pay.as_ref(), &request, &heard, now(vector), LITTLE);
            seen += 1;
        }
    }
    assert!(seen >= 300, "{seen}");
}

/// Bodies and queries that grow in whatever reads them, under the headers of a genuine callback.
fn swollen() -> Vec<Vec<u8>> {
    let many = |one: &dyn Fn(usize) -> String, most: usize| {
        let mut text = String::new();
        (0..)
            .map(one)
            .take_while(|part| {
                text.push_str(part);
                text.len() < most
            })
            .for_each(drop);
        text
    };
    let most = 60_000;
    vec![
        format!("[{}0]", "0,".repeat(most / 2)).into_bytes(),
        format!("{{{}\"z\":0}}", many(&|n| format!("\"{n:x}\":0,"), most)).into_bytes(),
        format!("{{\"a\":[{}0]}}", "{},".repeat(most / 3)).into_bytes(),
        format!("{}{}", "[".repeat(100), "]".repeat(100)).into_bytes(),
        format!("{}{}", "{\"a\":".repeat(most / 5), "}".repeat(most / 5)).into_bytes(),
        format!("{{\"a\":\"{}\"}}", "\\u4f1a".repeat(most / 6)).into_bytes(),
        many(&|n| format!("{n:x}=1&"), most).into_bytes(),
        format!("a={}", "%41".repeat(most / 3)).into_bytes(),
        "a&".repeat(most / 2).into_bytes(),
        vec![b'='; most],
    ]
}

#[test]
fn what_swells_is_refused_before_it_does() {
    for kind in KINDS.iter().filter(|kind| !kind.test_only) {
        let all = vectors(kind.name);
        let vector = &all.iter().find(|(_, vector)| vector["kind"] == "notify").unwrap().1;
        let pay = built(kind.name, vector).unwrap();
        let (genuine, heard) = captured(vector);
        for (at, bytes) in swollen().into_iter().enumerate() {
            let text = String::from_utf8(bytes.clone()).unwrap();
            for query in [String::new(), text] {
                let body = if query.is_empty() { bytes.clone() } else { Vec::new() };
                for method in ["POST", "GET"] {
                    let request = Request { method, query: query.clone(), body: body.clone(), ..genuine.clone() };
                    fits(&format!("{} {method} {at}", kind.name), pay.as_ref(), &request, &heard, now(vector), EVENT);
                }
            }
        }
    }
}
