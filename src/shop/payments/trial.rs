//! 拨测: whether a channel can work, tried as a gateway and as a merchant would: our own notify address from outside and from
//! inside, with a callback that touches no order, and the gateway's API; where that is wished, a payment of one cent is opened.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::settle::ask;
use crate::channel::{Answer, Asked, Begin, Channel, Checkout, Step as Way};
use crate::domain::text::printable;
use crate::domain::{
    AttemptNo, Call, Currency, Millis, Money, OrderId, Payment, PaymentNo, Rejection, Response, Slot, TrialStep, time,
};
use crate::outbound::Outbound;
use crate::shop::site::notify_path;
use crate::shop::{Shop, ShopError};
use crate::vault;

/// The header by which a callback says that it is a trial of ours.
pub const HEADER: &str = "x-kamid-trial";
/// What is said of a trial callback that the gateway would have to be asked about.
pub const ASKS: &str = "asks";
/// How long each step may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// A body as large as a proxy in front must let through.
const LARGE: usize = 60_000;
/// Clocks may differ so much: half of what most gateways let pass.
const SKEW_S: u64 = 150;
/// How long an opened payment stays payable.
const OPEN_MS: u64 = 15 * 60_000;

/// Tokens of trial callbacks under way.
#[derive(Default)]
pub(in crate::shop) struct Trials(Mutex<BTreeSet<String>>);

impl Trials {
    fn tokens(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is said of a callback of ours where only the gateway can sign one.
const UNSIGNED: [Rejection; 6] = [
    Rejection::MissingSignature,
    Rejection::BadSignature,
    Rejection::MissingField,
    Rejection::CertUntrusted,
    Rejection::KeyUnknown,
    Rejection::SignTypeMismatch,
];

/// What to do where nothing listens at our own address, or at the gateway's.
const PROXY: &str = "nothing listens there: is the proxy up, and does it pass this port on?";
const GATEWAY: &str = "nothing listens at the gateway's address: compare it with its console";

/// What stands between us and an address, in words; `silent` is what to do where nothing listens.
fn unreached(error: &str, silent: &'static str) -> String {
    let text = error.to_lowercase();
    let hint = if text.contains("proxy of [outbound]") {
        "see outbound.proxy in the configuration: does it run, and may it pass this on?"
    } else if text.contains("in trouble") {
        "it has trouble of its own, or a proxy in front of it cannot reach it"
    } else if text.contains("dns") || text.contains("resolve") || text.contains("lookup") {
        "the name cannot be resolved: see its DNS record"
    } else if text.contains("certificate") || text.contains("tls") || text.contains("handshake") {
        "TLS fails: gateways refuse a certificate that is not valid"
    } else if text.contains("refused") {
        silent
    } else if text.contains("timed out") || text.contains("in time") {
        "nobody answers in time: a firewall, or the wrong address"
    } else {
        "it cannot be reached"
    };
    format!("{hint} ({error})")
}

/// What something else than this daemon answered to a callback, which may have a body of so many bytes.
fn foreign(answer: &Response, most: usize) -> String {
    match answer.status {
        300..=399 => {
            let to = answer.header("location").unwrap_or("elsewhere");
            format!(
                "it redirects ({} to {to}): gateways do not follow; set public_url to where it leads",
                answer.status
            )
        }
        404 => "404: something else answers there, or the proxy does not pass /pay/ on".to_owned(),
        413 => format!("413: the proxy refuses a body of this size; let {} KiB through", most.div_ceil(1024)),
        401 | 403 => format!("{}: a login or a bot wall stands in front: let /pay/ through", answer.status),
        429 => "429: the proxy limits requests; a flash sale's callbacks all come from one address".to_owned(),
        502..=504 => format!("{}: the proxy cannot reach the daemon", answer.status),
        status => format!("{status}: something else than this daemon answers there"),
    }
}

/// What a gateway's answer comes to that is not one about an unknown number.
fn puzzling(answer: &Response) -> (&'static str, String) {
    let status = answer.status;
    let text = String::from_utf8_lossy(&answer.body);
    let said: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let words = ["msg", "message", "error_description", "name"].iter().find_map(|name| said[*name].as_str());
    let words = words.or_else(|| said["error"]["message"].as_str()).map(|words| printable(words, 200));
    match (status, words) {
        (300..=399, _) => {
            let to = printable(answer.header("location").unwrap_or("elsewhere"), 200);
            ("failed", format!("it redirects ({status} to {to}): put the address that this leads to into the settings"))
        }
        (401 | 403, words) => (
            "failed",
            format!("it does not let us in ({status}): see the keys. It says: {}", words.unwrap_or_default()),
        ),
        (_, Some(words)) => ("warn", format!("it answers {status} and says: {words}. Is that about the keys?")),
        _ if text.trim_start().starts_with('<') => (
            "failed",
            format!(
                "it answers {status} with a page of HTML: the address is not the gateway's API, or a bot wall stands in front of it"
            ),
        ),
        _ => (
            "warn",
            format!(
                "it answers {status}, and not what an unknown number should be answered: look at the address and the keys"
            ),
        ),
    }
}

/// The smallest amount that a channel takes.
fn cent(channel: &dyn Channel) -> Money {
    let currency = if channel.takes(Currency::CNY) { Some(Currency::CNY) } else { "USD".parse().ok() };
    Money { minor: 1, currency: currency.unwrap_or(Currency::CNY) }
}

impl Shop {
    /// Tries a channel. Nothing is settled, no order is touched, no money moves; where `open`, a payment of the smallest
    /// amount is opened at the gateway, which nobody need pay.
    ///
    /// # Errors
    /// There is none of that name.
    pub async fn try_channel(&self, name: &str, open: bool) -> Result<Vec<TrialStep>, ShopError> {
        let channel = self.channel(name)?;
        let token = format!("{:032x}", vault::chance()?);
        self.trials.tokens().insert(token.clone());
        let mut steps = Vec::new();
        let (path, outside) = (notify_path(name), self.site.notify_url(name));
        let https = outside.starts_with("https://");
        let local = ["://127.", "://localhost", "://0.0.0.0"].iter().any(|part| outside.contains(part));
        steps.push(match (local, https) {
            (true, _) => {
                TrialStep::new("address", "warn", format!("{outside} is this machine's own: no gateway reaches it"))
            }
            (false, false) => {
                TrialStep::new("address", "warn", format!("{outside} is not https: some gateways refuse it"))
            }
            (false, true) => TrialStep::new("address", "ok", outside.clone()),
        });
        steps.push(self.knock("outside", &outside, channel.as_ref(), &token, 0).await);
        if steps.last().is_some_and(|step| step.result == "ok") {
            let large = LARGE.min(channel.limits().1);
            steps.push(self.knock("large body", &outside, channel.as_ref(), &token, large).await);
        }
        if let Some(inside) = self.own_url() {
            steps.push(self.knock("inside", &format!("{inside}{path}"), channel.as_ref(), &token, 0).await);
        }
        self.trials.tokens().remove(&token);
        steps.push(call_gateway(&self.outbound, channel.as_ref(), || self.store.now()).await);
        if open {
            steps.push(self.open_one(name, channel.as_ref()).await?);
        }
        Ok(steps)
    }

    /// Opens a payment of one cent, under a number that no order has. Who pays it finds it among the orphans.
    async fn open_one(&self, name: &str, channel: &dyn Channel) -> Result<TrialStep, ShopError> {
        let (now, amount) = (self.store.now(), cent(channel));
        let id = OrderId::new(Slot::new(0), now, vault::chance()?);
        let number = PaymentNo { order: id, attempt: AttemptNo::FIRST }.to_string();
        let checkout = Checkout {
            number: &number,
            amount,
            subject: None,
            notify_url: &self.site.notify_url(name),
            return_url: &self.site.return_url(id),
            expires: now + OPEN_MS,
            client_ip: "127.0.0.1",
            extra: &[],
        };
        let mut heard = Vec::new();
        loop {
            let way = match channel.checkout(&checkout, &heard, self.store.now()).checked() {
                Begin::Ask(call) => {
                    if let Err(error) = ask(&self.outbound, &mut heard, &call, PATIENCE).await {
                        return Ok(TrialStep::new("payment", "failed", unreached(&error.to_string(), GATEWAY)));
                    }
                    continue;
                }
                Begin::Failed(why) => {
                    return Ok(TrialStep::new("payment", "failed", format!("it opens no payment of {amount}: {why}")));
                }
                Begin::Step(Way::Redirect { url }, _) => url,
                Begin::Step(Way::Qr { text }, _) => format!("the code {text}"),
                Begin::Step(Way::Form { .. }, _) => {
                    "a form, which only the page of an order of yours can post".to_owned()
                }
            };
            let asked = if heard.is_empty() { "the gateway says so only when you go there" } else { "it was opened" };
            let says = format!(
                "{asked}: {amount} {}, under {number}; who pays it finds it in `kamid orphan list`: {way}",
                amount.currency
            );
            return Ok(TrialStep::new("payment", "ok", says));
        }
    }

    /// Whether a callback's trial token is one of ours, under way.
    #[must_use]
    pub fn is_trial(&self, token: &str) -> bool {
        self.trials.tokens().contains(token)
    }

    /// Sends a trial callback: signed, where the channel's secret is one that both sides have.
    async fn knock(&self, step: &'static str, url: &str, channel: &dyn Channel, token: &str, pad: usize) -> TrialStep {
        let request = channel.forge(&Payment::new(Asked::ANY.number, "TRIAL", cent(channel), ""), self.store.now());
        let mark = if request.query.is_empty() { "" } else { "?" };
        let mut call = Call {
            method: request.method,
            url: format!("{url}{mark}{}", request.query),
            headers: request.headers,
            body: request.body,
            ..Call::default()
        };
        if pad > 0 {
            (call.method, call.body) = ("POST", vec![b'x'; pad]);
        }
        call.headers.push((HEADER.to_owned(), token.to_owned()));
        match self.outbound.send(&call, PATIENCE).await {
            Err(error) => TrialStep::new(step, "failed", unreached(&error, PROXY)),
            Ok(answer) => match answer.header(HEADER) {
                None => TrialStep::new(step, "failed", foreign(&answer, channel.limits().1)),
                Some(_) if pad > 0 => TrialStep::new(step, "ok", format!("{pad} bytes arrive whole")),
                Some("accept") => TrialStep::new(step, "ok", "a signed callback arrives unchanged and is believed"),
                Some(ASKS) => {
                    TrialStep::new(step, "ok", "it arrives unchanged; the gateway is asked before one is believed")
                }
                Some(word) if word == Rejection::TooLarge.as_str() => {
                    TrialStep::new(step, "failed", "the body grew on its way")
                }
                Some(word) if UNSIGNED.iter().any(|known| known.as_str() == word) => {
                    let text = format!("it arrives; only the gateway itself can sign one that is believed ({word})");
                    TrialStep::new(step, "ok", text)
                }
                Some(word) => {
                    let text = format!("it arrives, and our own signed callback is refused ({word}): see the settings");
                    TrialStep::new(step, "failed", text)
                }
            },
        }
    }
}

/// Asks a channel's gateway about a number that it cannot know; `now` tells the time.
pub async fn call_gateway(outbound: &Outbound, channel: &dyn Channel, now: impl Fn() -> Millis) -> TrialStep {
    let asked = Asked { page: "", ..Asked::ANY };
    let mut heard = Vec::new();
    let said = loop {
        match channel.query(&asked, &heard, now()) {
            None => {
                let says = if channel.query(&Asked::ANY, &[], now()).is_some() {
                    "it is asked by the page of a payment that it opened, and so not tried here: --open opens one"
                } else {
                    "this kind cannot be asked about payments: its callbacks are all there is"
                };
                return TrialStep::new("gateway", "warn", says);
            }
            Some(Answer::Ask(call)) => {
                if let Err(error) = ask(outbound, &mut heard, &call, PATIENCE).await {
                    return TrialStep::new("gateway", "failed", unreached(&error.to_string(), GATEWAY));
                }
            }
            Some(said) => break said,
        }
    };
    let date = heard.iter().rev().find_map(|answer| answer.header("date"));
    let skew = date.and_then(time::parse_date).map(|at| (now() / 1000).abs_diff(at / 1000));
    if let Some(skew) = skew.filter(|skew| *skew > SKEW_S) {
        return TrialStep::new(
            "gateway",
            "failed",
            format!("this machine's clock differs from the gateway's by {skew} s"),
        );
    }
    match said {
        Answer::Unknown | Answer::Unpaid => {
            TrialStep::new("gateway", "ok", "it answers, and believes how our questions are signed")
        }
        Answer::Paid(_) | Answer::Refunded => {
            TrialStep::new("gateway", "failed", "it says that a made-up number was paid")
        }
        Answer::Mismatch | Answer::Ask(_) | Answer::Agreed(_) => {
            let (result, says) = heard.last().map_or(("failed", String::new()), puzzling);
            TrialStep::new("gateway", result, says)
        }
    }
}
