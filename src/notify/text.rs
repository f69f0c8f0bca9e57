//! What a message says, in Chinese or English, or as the shop's owner wrote it.

use minijinja::{Environment, context};
use zeroize::Zeroizing;

use crate::domain::text::printable;
use crate::domain::{OrderId, Slot};
use crate::settings::{Problem, Section};
use crate::shop::Message;

const EN: &str = include_str!("text/en.txt");
const ZH: &str = include_str!("text/zh.txt");
/// Longest template.
const TEMPLATE_BYTES: u64 = 65_536;
/// Keys written into one message; the page has the others.
const KEYS: usize = 50;

/// A template: its first line is the subject, an empty line follows, the rest is the text.
pub struct Template {
    engine: Environment<'static>,
    keys: bool,
}

/// A message that is written.
pub struct Letter {
    /// One line, without control characters.
    pub subject: String,
    /// The text. May hold keys.
    pub body: Zeroizing<String>,
}

/// A message about nothing, to try a notifier or a template with.
#[must_use]
pub fn sample(to: &str) -> Message {
    Message {
        order: OrderId::new(Slot::new(0), 0, 0),
        to: to.to_owned(),
        product: "Test 测试".to_owned(),
        quantity: 1,
        amount: "0.00 CNY".to_owned(),
        page: "https://shop.example/o/TEST".to_owned(),
        code: "TEST-TEST-TEST".to_owned(),
        keys: vec![Zeroizing::new("TEST-0000-0000".to_owned())],
    }
}

impl Template {
    /// Out of a section: `lang` (zh or en) or `template_file`; `keys` says whether the keys are in it.
    pub fn read(s: &Section, problems: &mut Vec<Problem>) -> Option<Self> {
        let lang = s.text("lang", problems).unwrap_or_else(|| "zh".to_owned());
        let keys = s.flag("keys", problems).unwrap_or(true);
        let own = s.file("template_file", TEMPLATE_BYTES, problems);
        let text = match (own, lang.as_str()) {
            (Some(text), _) => text,
            (None, "zh") => ZH.to_owned(),
            (None, "en") => EN.to_owned(),
            (None, _) => {
                s.reject("lang", "must be \"zh\" or \"en\"", problems);
                return None;
            }
        };
        let mut engine = Environment::new();
        engine.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
        let made = engine.add_template_owned("notice", text).map(|()| Self { engine, keys });
        match made.and_then(|template| template.write(&sample("me@example.com")).map(|_| template)) {
            Ok(template) => Some(template),
            Err(error) => {
                s.reject("template_file", format!("cannot be filled in: {error}"), problems);
                None
            }
        }
    }

    /// Fills it in.
    ///
    /// # Errors
    /// The template's own.
    pub fn write(&self, message: &Message) -> Result<Letter, minijinja::Error> {
        let shown = if self.keys && message.keys.len() <= KEYS { &message.keys[..] } else { &[] };
        let keys: Vec<String> = shown.iter().map(|key| key.as_str().to_owned()).collect();
        let text = Zeroizing::new(self.engine.get_template("notice")?.render(context! {
            order => message.order.to_string(), product => printable(&message.product, 200),
            quantity => message.quantity, amount => message.amount.as_str(), page => message.page.as_str(),
            code => message.code.as_str(), keys,
        })?);
        let (subject, body) = text.split_once('\n').unwrap_or((text.as_str(), ""));
        Ok(Letter {
            subject: printable(subject.trim(), 200),
            body: Zeroizing::new(body.trim_start_matches(['\r', '\n']).to_owned()),
        })
    }
}
