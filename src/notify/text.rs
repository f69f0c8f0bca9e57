//! What a message says, in Chinese or English, or as the shop's owner wrote it.

use minijinja::{Environment, context};
use zeroize::Zeroizing;

use crate::domain::text::printable;
use crate::domain::{OrderId, Slot};
use crate::settings::{Form, Setting, Values};
use crate::shop::BuyerMessage;

const EN: &str = include_str!("text/en.txt");
const ZH: &str = include_str!("text/zh.txt");
/// The language of texts.
pub const LANG: Setting =
    Setting::choice(&["zh", "en"], "lang", "the language of the text: zh or en", "文字的语言:zh 或 en");
/// Whether the keys stand in the text.
pub const WITH_KEYS: Setting = Setting::optional(
    Form::Flag,
    "keys",
    "true: the keys stand in the mail, up to 50; false: only the link to the order's page",
    "true:邮件里有卡密,最多 50 个;false:只有订单页的链接",
)
.or("true");
/// A text of one's own.
pub const FILE: Setting = Setting::optional(
    Form::File(65_536),
    "template_file",
    "your own text: the first line is the subject, then an empty line, then the mail",
    "自己的文字:第一行为主题,空一行,然后是正文",
);
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
pub fn sample(to: &str) -> BuyerMessage {
    BuyerMessage {
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
    /// Out of a section: [`LANG`], [`WITH_KEYS`] and [`FILE`].
    pub fn read(v: &mut Values<'_>) -> Option<Self> {
        let keys = v.flag(&WITH_KEYS).unwrap_or(true);
        let text = match v.file(&FILE) {
            // Its language is its own: what is said of it means nothing.
            Some(text) => {
                let _said = v.given(&LANG);
                text
            }
            None => if v.choice(&LANG) == "en" { EN } else { ZH }.to_owned(),
        };
        let mut engine = Environment::new();
        engine.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
        let made = engine.add_template_owned("notice", text).map(|()| Self { engine, keys });
        match made.and_then(|template| template.write(&sample("me@example.com")).map(|_| template)) {
            Ok(template) => Some(template),
            Err(error) => {
                v.reject(&FILE, format!("cannot be filled in: {error}"));
                None
            }
        }
    }

    /// Fills it in.
    ///
    /// # Errors
    /// The template's own.
    pub fn write(&self, message: &BuyerMessage) -> Result<Letter, minijinja::Error> {
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
