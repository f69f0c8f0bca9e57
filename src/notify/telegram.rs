//! A Telegram chat of operators, told by a bot: what needs a person, in Chinese or English.
//!
//! Source: the Bot API's sendMessage. The bot's token is part of the address, which enters no error and no log.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::text::LANG;
use super::{Herald, NotifierInputs, Way, events, stamp, topics};
use crate::domain::text::{bare_json, printable};
use crate::domain::{Call, Lang, News, NewsId, Reason, Response, Topic};
use crate::outbound::Outbound;
use crate::settings::{Form, Secret, Setting, Values};
use crate::shop::Refused;

const BOT_TOKEN: Setting = Setting::needed(Form::Token, "bot_token", "from @BotFather", "@BotFather 给的令牌");
const CHAT_ID: Setting = Setting::needed(
    Form::Line,
    "chat_id",
    "the chat's id in quotes, such as \"-1001234567890\", or \"@channel\"; the bot must be in that chat",
    "群的 id,加引号,如 \"-1001234567890\" 或 \"@channel\";机器人须在其中",
);
const EVENTS: Setting = events("[\"order.held\", \"stock.low\", \"incident\"]");
const API_URL: Setting = Setting::optional(
    Form::Line,
    "api_url",
    "the Bot API's server, if it is one of your own",
    "Bot API 服务器,若是自己的",
)
.or("https://api.telegram.org");
/// The settings of kind `telegram`.
pub(super) const SETTINGS: &[&Setting] = &[&BOT_TOKEN, &CHAT_ID, &LANG, &EVENTS, &API_URL];
const PATIENCE: Duration = Duration::from_secs(20);
/// Longest text, in UTF-16 units as Telegram counts.
const TEXT_UNITS: usize = 4096;

struct Telegram {
    /// With the token in it.
    url: Secret,
    chat: String,
    lang: Lang,
    topics: BTreeSet<Topic>,
    outbound: Outbound,
}

/// A text for `parse_mode` HTML, cut between characters to what one message holds.
fn escaped(text: &str) -> String {
    let mut safe = String::new();
    let mut units = 0;
    for c in text.chars() {
        let mut own = [0; 4];
        let piece = match c {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            c => c.encode_utf8(&mut own),
        };
        units += piece.encode_utf16().count();
        if units > TEXT_UNITS {
            break;
        }
        safe.push_str(piece);
    }
    safe
}

/// What is said of some news.
fn words(id: &NewsId, news: &News, lang: Lang) -> String {
    let data: Value = serde_json::from_str(&news.data).unwrap_or_default();
    let of = |name: &str| match &data[name] {
        Value::String(text) => printable(text, 400),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    // In English its word, which `kamid incident list --reason` takes.
    let word = of("reason");
    let known = Reason::parse(&word);
    let reason = lang.say(&word, known.text(Lang::Zh));
    let (order, product, count) = (of("order_no"), of("product"), of("quantity"));
    let what = match id.topic {
        Topic::Delivered => format!("{} {order}\n{product} × {count}", lang.say("Delivered: order", "已发货:订单")),
        Topic::Held => {
            let todo = format!("kamid order approve {order} | reject {order} | refund {order}");
            format!("{} {order}: {reason}\n{product} × {count}\n{todo}", lang.say("Held: order", "待人工审核:订单"))
        }
        Topic::StockLow => {
            let (left, waits) = (of("available"), of("orders_waiting"));
            let (head, keys) = (lang.say("Stock is low", "库存不足"), lang.say("keys left", "剩余卡密"));
            format!("{head}: {product}\n{keys} {left} · {} {waits}", lang.say("orders waiting", "等待订单"))
        }
        Topic::Incident => {
            let about = [of("channel"), of("number")].into_iter().filter(|text| !text.is_empty());
            let about = about.collect::<Vec<_>>().join(" · ");
            format!("{}: {reason}\n{about}\n{}", lang.say("Incident", "异常"), of("advice"))
        }
        Topic::Test => lang.say("A test: kamid can send notices here.", "测试:kamid 可以在这里发送通知。").to_owned(),
    };
    format!("{what}\n{}", stamp(news.at, "%Y-%m-%d %H:%M:%S UTC"))
}

/// The body of a request.
fn message(chat: &str, text: &str) -> String {
    json!({"chat_id": chat, "text": escaped(text), "parse_mode": "HTML", "disable_web_page_preview": true}).to_string()
}

/// What an answer means.
fn taken(answer: &Response) -> Result<(), Refused> {
    let said: Value = serde_json::from_slice(bare_json(&answer.body)).unwrap_or_default();
    let why = format!("{} ({})", said["description"].as_str().unwrap_or("no description"), answer.status);
    match answer.status {
        200..=299 if said["ok"] == true => Ok(()),
        429 => Err(Refused::Later(why, said["parameters"]["retry_after"].as_u64())),
        400..=499 => Err(Refused::Never(why)),
        _ => Err(Refused::Later(why, None)),
    }
}

pub(super) fn build(inputs: &NotifierInputs<'_>, v: &mut Values<'_>) -> Option<Way> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b':' | b'_' | b'-');
    let token = v.secret(&BOT_TOKEN).filter(|token| {
        let right = token.reveal().contains(':') && token.reveal().bytes().all(fits);
        if !right {
            v.reject(&BOT_TOKEN, "must be as BotFather gave it, digits, a colon and letters");
        }
        right
    });
    let (chat, api) = (v.text(&CHAT_ID), v.text(&API_URL).unwrap_or_default());
    let outbound = inputs.outbound.to(&api, true).map_err(|why| v.reject(&API_URL, why)).ok();
    let lang = if v.choice(&LANG) == "en" { Lang::En } else { Lang::Zh };
    let topics = topics(v, &EVENTS, &[Topic::Held, Topic::StockLow, Topic::Incident]);
    let url = Secret::new(format!("{}/bot{}/sendMessage", api.trim_end_matches('/'), token?.reveal()));
    Some(Way::Operators(Arc::new(Telegram { url, chat: chat?, lang, topics, outbound: outbound? })))
}

impl Herald for Telegram {
    fn topics(&self) -> &BTreeSet<Topic> {
        &self.topics
    }

    fn tell<'a>(&'a self, id: &'a NewsId, news: &'a News) -> BoxFuture<'a, Result<(), Refused>> {
        Box::pin(async move {
            let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
            let body = message(&self.chat, &words(id, news, self.lang)).into_bytes();
            let call = Call { method: "POST", url: self.url.reveal().to_owned(), headers, body, ..Call::default() };
            let answer = self.outbound.send(&call, PATIENCE).await.map_err(|why| Refused::Later(why, None))?;
            taken(&answer)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_and_its_answers_are_as_the_bot_api_has_them() {
        let path = format!("{}/tests/vectors/telegram/o01-send-message.json", env!("CARGO_MANIFEST_DIR"));
        let page: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let sent = message(page["config"]["chat_id"].as_str().unwrap(), page["input"]["text"].as_str().unwrap());
        let mut wanted = page["output"]["json"].clone();
        wanted["text"] = json!("订单 KO251123160000Z3RZNNC9 已发货 &lt;1 张&gt; &amp; ok");
        assert_eq!(sent, wanted.to_string());
        for answer in page["answers"].as_array().unwrap() {
            let status = answer["status"].as_u64().unwrap() as u16;
            let answered = Response { status, headers: Vec::new(), body: answer["body"].to_string().into_bytes() };
            match (taken(&answered), answer["means"].as_str().unwrap()) {
                (Ok(()), "sent")
                | (Err(Refused::Later(_, Some(7))), "wait 7 s")
                | (Err(Refused::Never(_)), "failed, do not retry") => {}
                (said, means) => panic!("{means}: {said:?}"),
            }
        }
        let broken = Response { status: 502, headers: Vec::new(), body: b"<html>".to_vec() };
        assert!(matches!(taken(&broken), Err(Refused::Later(..))));
    }

    #[test]
    fn a_text_is_cut_where_telegram_would_refuse_it_and_never_within_an_escape() {
        assert_eq!(escaped("<b>&"), "&lt;b&gt;&amp;");
        let long = escaped(&format!("{}&&", "x".repeat(4090)));
        assert_eq!((long.len(), long.ends_with("x&amp;")), (4095, true));
        assert_eq!(escaped(&"🔑".repeat(4000)).chars().count(), 2048);
    }

    #[test]
    fn a_person_reads_what_happened_and_what_to_do() {
        let tell = |id: &str, data: Value, lang| {
            words(&id.parse().unwrap(), &News { at: 1_763_884_800_000, data: data.to_string() }, lang)
        };
        let held =
            json!({"order_no": "07MIBQ3K2XZ0A1B2C001", "product": "card", "quantity": 2, "reason": "amount_mismatch"});
        let zh = tell("order.held:tg:07MIBQ3K2XZ0A1B2C001", held.clone(), Lang::Zh);
        assert!(zh.contains("07MIBQ3K2XZ0A1B2C001: 金额不符\ncard × 2\nkamid order approve"), "{zh}");
        let en = tell("order.held:tg:07MIBQ3K2XZ0A1B2C001", held, Lang::En);
        assert!(en.starts_with("Held: order") && en.ends_with("2025-11-23 08:00:00 UTC"), "{en}");
        let low = json!({"product": "card", "available": 3, "low": 5, "orders_waiting": 0});
        let low = tell("stock.low:tg:card:20", low, Lang::En);
        assert!(low.contains("card\nkeys left 3 · orders waiting 0"), "{low}");
        let incident = json!({"reason": "clock_skew", "channel": "", "number": "", "advice": "check NTP"});
        let incident = tell("incident:tg:a1-1-1", incident, Lang::Zh);
        assert!(incident.contains("时钟不一致") && incident.contains("check NTP"), "{incident}");
        for word in Reason::ALL.iter().map(Reason::as_str) {
            let told = tell("incident:tg:a1-1-1", json!({"reason": word}), Lang::Zh);
            assert!(!told.contains(word), "{word} is told in Chinese: {told}");
        }
    }
}
