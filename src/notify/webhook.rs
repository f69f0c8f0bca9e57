//! Signed events for an operator's own program.
//!
//! Source: the Standard Webhooks specification (commit b2fa7b8): HMAC-SHA256 over `id.timestamp.body`; every try has
//! the same id and its own time; 2xx means taken, 410 gone for good, and a redirect is a failure like any other.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use data_encoding::BASE64;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::{Herald, Way, Wish, need, now, secret, stamp, topics};
use crate::domain::{Call, Millis, News, NewsId, Response, Topic, time};
use crate::outbound::Outbound;
use crate::settings::{Problem, Secret, Section};
use crate::shop::Refused;

const SETTINGS: [&str; 10] = [
    "kind",
    "url",
    "secret",
    "secret_file",
    "secret_env",
    "previous_secret",
    "previous_secret_file",
    "previous_secret_env",
    "events",
    "allow_private",
];
/// For a whole try.
const PATIENCE: Duration = Duration::from_secs(20);

/// Signs what is sent; with two keys while one is exchanged for the other.
struct Signer(Vec<hmac::Key>);

impl Signer {
    /// The headers of one try.
    fn headers(&self, id: &str, at: Millis, body: &str) -> Vec<(String, String)> {
        let at = (at / 1000).to_string();
        let signed = format!("{id}.{at}.{body}");
        let sign = |key: &hmac::Key| format!("v1,{}", BASE64.encode(hmac::sign(key, signed.as_bytes()).as_ref()));
        let signatures = self.0.iter().map(sign).collect::<Vec<_>>().join(" ");
        let headers = [
            ("webhook-id", id),
            ("webhook-timestamp", &at),
            ("webhook-signature", &signatures),
            ("content-type", "application/json"),
        ];
        headers.map(|(name, text)| (name.to_owned(), text.to_owned())).to_vec()
    }
}

struct Webhook {
    url: Secret,
    signer: Signer,
    topics: BTreeSet<Topic>,
    outbound: Outbound,
}

/// The key of a secret: `whsec_` and base64 of 24 to 64 bytes.
fn key(s: &Section, name: &str, secret: &Secret, problems: &mut Vec<Problem>) -> Option<hmac::Key> {
    let text = secret.reveal().trim();
    match text.strip_prefix("whsec_").map(|text| BASE64.decode(text.as_bytes())) {
        Some(Ok(bytes)) if (24..=64).contains(&bytes.len()) => Some(hmac::Key::new(hmac::HMAC_SHA256, &bytes)),
        _ => {
            s.reject(name, "must be whsec_ and the base64 of 24 to 64 bytes", problems);
            None
        }
    }
}

pub(super) fn build(wish: &Wish<'_>, problems: &mut Vec<Problem>) -> Option<Way> {
    let s = wish.section;
    let url = need(s, "url", "where events are sent to, https://…", problems);
    let allow_private = s.flag("allow_private", problems).unwrap_or(false);
    let outbound = url
        .as_ref()
        .and_then(|url| wish.outbound.to(url, allow_private).map_err(|why| s.reject("url", why, problems)).ok());
    let signing = secret(s, "secret", problems).and_then(|secret| key(s, "secret", &secret, problems));
    let previous = s.token("previous_secret", problems);
    let previous = previous.and_then(|secret| key(s, "previous_secret", &secret, problems));
    let topics = topics(s, &[Topic::Delivered, Topic::Held, Topic::StockLow], problems);
    s.finish(&SETTINGS, problems);
    let signer = Signer([Some(signing?), previous].into_iter().flatten().collect());
    Some(Way::Operators(Arc::new(Webhook { url: Secret::new(url?), signer, topics, outbound: outbound? })))
}

/// What is sent: the same bytes on every try.
fn body(id: &NewsId, news: &News) -> String {
    let data: Value = serde_json::from_str(&news.data).unwrap_or_default();
    json!({"type": id.topic.as_str(), "timestamp": stamp(news.at, "%Y-%m-%dT%H:%M:%SZ"), "data": data}).to_string()
}

/// Seconds that the receiver asks to wait: a number of them, or a date (RFC 9110).
fn retry_after(answer: &Response, now: Millis) -> Option<u64> {
    let (_, text) = answer.headers.iter().find(|(name, _)| name == "retry-after")?;
    let until = || Some(time::parse_date(text)?.saturating_sub(now).div_ceil(1000));
    text.trim().parse().ok().or_else(until)
}

/// What an answer means.
fn taken(answer: &Response, now: Millis) -> Result<(), Refused> {
    match answer.status {
        200..=299 => Ok(()),
        410 => Err(Refused::Gone("its endpoint is gone (410)".to_owned())),
        status @ 300..=399 => {
            Err(Refused::Later(format!("the endpoint redirects ({status}): set the address it means"), None))
        }
        status => Err(Refused::Later(format!("the endpoint answered {status}"), retry_after(answer, now))),
    }
}

impl Herald for Webhook {
    fn topics(&self) -> &BTreeSet<Topic> {
        &self.topics
    }

    fn tell<'a>(&'a self, id: &'a NewsId, news: &'a News) -> BoxFuture<'a, Result<(), Refused>> {
        Box::pin(async move {
            let body = body(id, news);
            let headers = self.signer.headers(&id.message(), now(), &body);
            let call = Call {
                method: "POST",
                url: self.url.reveal().to_owned(),
                headers,
                body: body.into_bytes(),
                ..Call::default()
            };
            let answer = self.outbound.tell(&call, PATIENCE).await.map_err(|why| Refused::Later(why, None))?;
            taken(&answer, now())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(config: &Value) -> Section {
        Section::from_json("notify.hook", config.as_object().unwrap())
    }

    fn signer(secrets: &[&Value]) -> Signer {
        let (s, mut problems) = (section(&json!({})), Vec::new());
        let of = |text: &&Value| key(&s, "secret", &Secret::new(text.as_str().unwrap().to_owned()), &mut problems);
        let keys = secrets.iter().map(of).map(Option::unwrap).collect();
        Signer(keys)
    }

    #[test]
    fn events_are_signed_as_the_libraries_of_the_specification_sign() {
        for name in ["o01", "o02", "o03"] {
            let path = format!("{}/tests/vectors/standard_webhooks/{name}-outbound.json", env!("CARGO_MANIFEST_DIR"));
            let page: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
            let (input, config) = (&page["input"], &page["config"]);
            let headers = |secrets: &[&Value]| -> Value {
                let (id, at) = (input["id"].as_str().unwrap(), input["timestamp"].as_u64().unwrap() * 1000);
                let headers = signer(secrets).headers(id, at, input["body_text"].as_str().unwrap());
                headers.into_iter().map(|(name, text)| (name, json!(text))).collect()
            };
            assert_eq!(headers(&[&config["secret"]]), page["output"]["headers"], "{name}");
            let both = headers(&[&config["secret"], &config["previous_secret"]]);
            assert_eq!(both["webhook-signature"], page["output"]["webhook-signature-while-rotating"], "{name}");
        }
    }

    #[test]
    fn what_is_sent_is_one_text_with_its_time() {
        let id: NewsId = "order.delivered:hook:07MIBQ3K2XZ0A1B2C001".parse().unwrap();
        let news =
            News { at: 1_763_884_800_999, data: r#"{"order_no":"07MIBQ3K2XZ0A1B2C001","quantity":1}"#.to_owned() };
        let head = r#"{"type":"order.delivered","timestamp":"2025-11-23T08:00:00Z","data":"#;
        assert_eq!(body(&id, &news), format!("{head}{}}}", news.data));
        assert!(!id.message().contains('.'), "a dot could be cut another way");
    }

    #[test]
    fn an_answer_means_taken_gone_or_later() {
        let now = 1_763_884_800_000;
        let answer = |status, after: &str| {
            let headers = vec![("retry-after".to_owned(), after.to_owned())];
            taken(&Response { status, headers, body: Vec::new() }, now)
        };
        assert_eq!((answer(200, ""), answer(204, "")), (Ok(()), Ok(())));
        assert!(matches!(answer(410, ""), Err(Refused::Gone(_))));
        for (status, after, wanted) in [
            (302, "9", None),
            (400, "", None),
            (429, "17", Some(17)),
            (503, "Sun, 23 Nov 2025 08:02:00 GMT", Some(120)),
            (503, "Sun, 23 Nov 2025 07:00:00 GMT", Some(0)),
            (500, "soon", None),
        ] {
            assert!(
                matches!(answer(status, after), Err(Refused::Later(_, asked)) if asked == wanted),
                "{status} {after}"
            );
        }
    }

    #[test]
    fn a_section_is_checked() {
        let secret = format!("whsec_{}", BASE64.encode(&[7; 24]));
        let good = json!({"kind": "webhook", "url": "https://hook.example/x", "secret": secret});
        let problems = |change: &[(&str, Value)]| {
            let mut config = good.clone();
            for (name, value) in change {
                config[*name] = value.clone();
            }
            let (s, mut problems) = (section(&config), Vec::new());
            let _kind = s.text("kind", &mut problems);
            let outbound = &Outbound::build(&crate::outbound::OutboundConfig::default()).unwrap();
            let wish = Wish { section: &s, outbound, data: std::path::Path::new("") };
            let built = build(&wish, &mut problems).is_some();
            (built, problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
        };
        assert_eq!(problems(&[]), (true, String::new()));
        let long = format!("whsec_{}", BASE64.encode(&[7; 65]));
        for (name, value, wanted) in [
            ("url", json!("http://hook.example/"), "https"),
            ("secret", json!("whsec_"), "24 to 64 bytes"),
            ("secret", json!(long), "24 to 64 bytes"),
            ("previous_secret", json!("short"), "previous_secret: must be whsec_"),
            ("events", json!(["order.lost"]), "must be some of order.delivered"),
            ("events", json!([]), "must be some of"),
            ("evnts", json!([]), "did you mean events?"),
        ] {
            let (_, said) = problems(&[(name, value)]);
            assert!(said.contains(wanted), "{wanted}: {said}");
        }
    }
}
