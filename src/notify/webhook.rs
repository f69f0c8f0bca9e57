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

use super::{Herald, NotifierInputs, Way, events, stamp, topics};
use crate::domain::{Call, Millis, News, NewsId, Response, Topic, time};
use crate::outbound::Outbound;
use crate::process::now;
use crate::settings::{Form, Secret, Setting, Values};
use crate::shop::Refused;

const URL: Setting = Setting::needed(
    Form::Line,
    "url",
    "where events are sent to, https://…; http:// only to this machine itself. It enters no log",
    "事件发往的地址,https://…;http:// 只限本机。不会写入日志",
);
const SECRET: Setting = Setting::needed(
    Form::Token,
    "secret",
    "whsec_ and the base64 of 24 to 64 random bytes",
    "whsec_ 加上 24 到 64 个随机字节的 base64",
);
const PREVIOUS: Setting = Setting::optional(
    Form::Token,
    "previous_secret",
    "while you change secrets: both sign, the receiver may know either; take it out afterwards",
    "更换密钥期间:两个都签名,接收方知道任一个即可;之后请删去",
);
const EVENTS: Setting = events("[\"order.delivered\", \"order.held\", \"stock.low\"]");
const ALLOW_PRIVATE: Setting = Setting::optional(
    Form::Flag,
    "allow_private",
    "true: the name in url may stand for an address of your own network; else such a connection is not made, whatever a name server says",
    "true:url 里的名称可以指向自己网络的地址;否则无论域名服务器怎么说都不连接",
)
.or("false");
/// The settings of kind `webhook`.
pub(super) const SETTINGS: &[&Setting] = &[&URL, &SECRET, &PREVIOUS, &EVENTS, &ALLOW_PRIVATE];
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
fn key(secret: &Secret) -> Option<hmac::Key> {
    let text = secret.reveal().trim().strip_prefix("whsec_")?;
    let bytes = BASE64.decode(text.as_bytes()).ok().filter(|bytes| (24..=64).contains(&bytes.len()))?;
    Some(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

/// The key of a secret in the settings.
fn read_key(v: &mut Values<'_>, row: &Setting) -> Option<hmac::Key> {
    let secret = v.secret(row)?;
    let key = key(&secret);
    if key.is_none() {
        v.reject(row, "must be whsec_ and the base64 of 24 to 64 bytes");
    }
    key
}

pub(super) fn build(inputs: &NotifierInputs<'_>, v: &mut Values<'_>) -> Option<Way> {
    let (url, allow_private) = (v.text(&URL), v.flag(&ALLOW_PRIVATE).unwrap_or(false));
    let outbound =
        url.as_ref().and_then(|url| inputs.outbound.to(url, allow_private).map_err(|why| v.reject(&URL, why)).ok());
    let (signing, previous) = (read_key(v, &SECRET), read_key(v, &PREVIOUS));
    let topics = topics(v, &EVENTS, &[Topic::Delivered, Topic::Held, Topic::StockLow]);
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
    use crate::notify::Notifiers;
    use crate::settings::Section;

    fn signer(secrets: &[&Value]) -> Signer {
        let of = |text: &&Value| key(&Secret::new(text.as_str().unwrap().to_owned()));
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
            let section = Section::from_json("notify.hook", config.as_object().unwrap());
            let outbound = &Outbound::build(&crate::outbound::OutboundConfig::default()).unwrap();
            let built = Notifiers::build(&[("hook".to_owned(), section)], outbound, std::path::Path::new(""), false);
            let (built, problems) = built.map_or_else(|problems| (false, problems), |(_, problems)| (true, problems));
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
