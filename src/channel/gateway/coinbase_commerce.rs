//! Coinbase Commerce: a charge with a page of its own, paid in whatever coin the buyer has.
//!
//! Source: the libraries coinbase-commerce-node 1.0.4 and coinbase-commerce 1.0.1 (PyPI) and Coinbase's documents, as
//! summed up in docs/channels/coinbase_commerce.md. The HMAC is over the body alone: no moment is signed, so a repeat is
//! stopped by the payment's number. What came is the sum of the charge's confirmed payments, not its price.

use std::sync::Arc;

use aws_lc_rs::hmac;
use serde_json::{Map, Value, json};

use crate::channel::contract::{
    Answer, Asked, Begin, Channel, Checkout, Claim, Refund, Refunded, Request, Step, Verdict, is_trade_no,
};
use crate::channel::kind::{ChannelInputs, Kind, KnownBy, Opens, Part, Reference};
use crate::channel::kit::{callback, hook, json as strict, rows, sign, text::begins};
use crate::domain::{Call, Callback, Currency, Millis, Money, Payment, Reason, Rejection, Reply, Response, Text};
use crate::settings::{Form, Secret, Setting, Values};

/// Its row.
pub const KIND: Kind = Kind {
    name: "coinbase_commerce",
    about: "Coinbase Commerce: charges with a hosted page, HMAC, query",
    test_only: false,
    reference: Reference::Own,
    opens: &[Opens::minutes(55)],
    account: KnownBy { family: "coinbase_commerce", parts: &[Part::Secret(&API_KEY)], key: None },
    sources: &[],
    signed_in: Some(SIGNATURE),
    bill: None,
    settings: SETTINGS,
    console: Some(CONSOLE),
    build,
};

const API_KEY: Setting =
    Setting::needed(Form::Secret, "api_key", "Settings → Security → API keys", "Settings → Security → API keys");
const WEBHOOK_SECRET: Setting = Setting::needed(
    Form::Secret,
    "webhook_secret",
    "Settings → Notifications → Webhook subscriptions → Show shared secret",
    "Settings → Notifications → Webhook subscriptions → Show shared secret",
);
const PAID_EVENTS: Setting = Setting::optional(
    Form::List("names of events in quotes"),
    "paid_events",
    "what counts as paid; charge:pending delivers before the chain has confirmed, charge:resolved what you settle by hand in the console",
    "哪些事件算已付款;charge:pending 在链上确认之前就发货,charge:resolved 为您在后台手工处理的",
)
.or("[\"charge:confirmed\"]");
const SUBJECT: Setting = Setting::optional(
    Form::Prose,
    "subject",
    "the charge's name and description; never a buyer's text",
    "账单的名称和说明;不会是买家填写的内容",
)
.or("product");
const API_URL: Setting =
    Setting::optional(Form::Address, "api_url", "Coinbase Commerce's API", "Coinbase Commerce 的 API")
        .or("https://api.commerce.coinbase.com");
const API_VERSION: Setting =
    Setting::optional(Form::Line, "api_version", "the API's version", "API 的版本").or("2018-03-22");
/// The settings of kind `coinbase_commerce`.
const SETTINGS: &[&Setting] =
    &[&API_KEY, &WEBHOOK_SECRET, &PAID_EVENTS, &SUBJECT, &API_URL, &API_VERSION, &rows::LARGE_BODY];
/// Where the notify address is put in.
const CONSOLE: Text = Text::new(
    "Settings → Notifications → Add an endpoint, with the events charge:confirmed and charge:failed",
    "Settings → Notifications → Add an endpoint:事件选 charge:confirmed 和 charge:failed",
);
const SIGNATURE: &str = "X-CC-Webhook-Signature";
const CONFIRMED: &str = "charge:confirmed";
/// Events that can be taken for a payment.
const PAYING: [&str; 3] = [CONFIRMED, "charge:pending", "charge:resolved"];

struct Coinbase {
    name: String,
    api_url: String,
    api_key: Secret,
    webhook: hmac::Key,
    api_version: String,
    paid_events: Vec<String>,
    subject: String,
    body_bytes: usize,
}

fn paid_events(v: &mut Values<'_>) -> Vec<String> {
    let events: Vec<String> = v.list(&PAID_EVENTS);
    if events.iter().any(|event| !PAYING.contains(&event.as_str())) {
        v.reject(&PAID_EVENTS, format!("is a list of {}", PAYING.join(", ")));
    }
    if events.iter().any(|event| event == "charge:pending") {
        v.warn(&PAID_EVENTS, "delivers on charge:pending, before the chain has confirmed the payment");
    }
    if events.is_empty() { vec![CONFIRMED.to_owned()] } else { events }
}

fn build(ChannelInputs { name, .. }: ChannelInputs<'_>, v: &mut Values<'_>) -> Option<Arc<dyn Channel>> {
    let (api_url, api_version) = (v.text(&API_URL), v.text(&API_VERSION));
    let (api_key, webhook) = (v.secret(&API_KEY), v.secret(&WEBHOOK_SECRET));
    let (paid_events, subject, body_bytes) = (paid_events(v), v.text(&SUBJECT), v.whole(&rows::LARGE_BODY));
    Some(Arc::new(Coinbase {
        name: name.to_owned(),
        api_url: api_url?,
        api_key: api_key?,
        webhook: sign::hmac_key(webhook?.reveal().as_bytes()),
        api_version: api_version?,
        paid_events,
        subject: subject?,
        body_bytes: body_bytes?,
    }))
}

/// The sum of a charge's payments that `counts`, by their status; of a currency of its own where there are none.
fn received(charge: &Map<String, Value>, counts: impl Fn(&str) -> bool) -> Result<Money, Rejection> {
    let price = hook::decimal(strict::inner(strict::inner(charge, "pricing")?, "local")?, "amount", "currency")?;
    let payments = match charge.get("payments") {
        None | Some(Value::Null) => &[][..],
        Some(Value::Array(payments)) => payments,
        Some(_) => return Err(Rejection::Malformed),
    };
    let mut sum: Option<Money> = None;
    for payment in payments {
        let Value::Object(payment) = payment else { return Err(Rejection::Malformed) };
        if !counts(&strict::text(payment, "status")?.to_ascii_uppercase()) {
            continue;
        }
        let one = hook::decimal(strict::inner(strict::inner(payment, "value")?, "local")?, "amount", "currency")?;
        let before = sum.unwrap_or(Money { minor: 0, currency: one.currency });
        let minor = before.minor.checked_add(one.minor).ok_or(Rejection::AmountMalformed)?;
        // Of two currencies there is no sum.
        let currency = if before.currency == one.currency { one.currency } else { Currency::NONE };
        sum = Some(Money { minor, currency });
    }
    let sum = sum.unwrap_or(Money { minor: 0, ..price });
    // In another currency than the price: nobody can say whether that is what was due.
    Ok(if sum.currency == price.currency { sum } else { Money { currency: Currency::NONE, ..sum } })
}

/// Where a charge stands, by the last entry of its timeline.
fn status(charge: &Map<String, Value>) -> String {
    let last = charge.get("timeline").and_then(Value::as_array).and_then(|steps| steps.last());
    let word = last.and_then(Value::as_object).and_then(|step| strict::text(step, "status").ok());
    word.unwrap_or_default().to_ascii_uppercase()
}

impl Coinbase {
    fn call(&self, path: &str, body: Option<&Value>) -> Call {
        let headers = [("X-CC-Api-Key", self.api_key.reveal()), ("X-CC-Version", self.api_version.as_str())];
        let body = body.map(|body| ("application/json", body.to_string().into_bytes()));
        hook::call(format!("{}/{path}", self.api_url), &headers, body)
    }

    fn paid(&self, charge: &Map<String, Value>, counts: impl Fn(&str) -> bool) -> Result<Payment, Rejection> {
        let code = hook::id(charge, "code")?;
        let number = hook::number(strict::inner(charge, "metadata")?, "order_no")?;
        Ok(hook::bound(number, code, received(charge, counts)?, &self.name))
    }

    fn opened(
        &self,
        checkout: &Checkout<'_>,
        answer: &Response,
        _now: Millis,
    ) -> Result<(Step, Option<String>), String> {
        let answer = hook::good(answer)?;
        let charge = strict::inner(&answer, "data").map_err(|_| "it tells no charge".to_owned())?;
        let code = hook::id(charge, "code").map_err(|_| "it tells no charge".to_owned())?;
        let named = strict::inner(charge, "metadata").and_then(|notes| strict::text(notes, "order_no"));
        if named != Ok(checkout.number) {
            return Err("its charge is for another order".to_owned());
        }
        Ok((Step::Redirect { url: hook::link(charge, "hosted_url")? }, Some(code.to_owned())))
    }

    fn answer(&self, asked: &Asked<'_>, answer: &Response, _now: Millis) -> Answer {
        hook::known(answer, |answer| {
            let charge = strict::inner(&answer, "data").ok();
            let paid = charge.and_then(|charge| self.paid(charge, |status| status == "CONFIRMED").ok());
            let (Some(charge), Some(payment)) = (charge, paid) else {
                return Answer::Mismatch;
            };
            if payment.number != asked.number || payment.trade_no != asked.reference {
                return Answer::Mismatch;
            }
            match status(charge).as_str() {
                // Too little, too much or too late is money all the same: the caller holds what is not what was due.
                "COMPLETED" | "RESOLVED" | "UNRESOLVED" => Answer::Paid(payment),
                "NEW" | "SIGNED" | "PENDING" | "EXPIRED" | "CANCELED" => Answer::Unpaid,
                "REFUNDED" | "PENDING REFUND" => Answer::Refunded,
                _ => Answer::Mismatch,
            }
        })
    }
}

impl Channel for Coinbase {
    fn verify(&self, callback: &Callback<'_>, _heard: &[Response], _now: Millis) -> Result<Claim, Rejection> {
        callback::posted(callback, self.body_bytes)?;
        let given = hook::signature(callback, SIGNATURE)?;
        if !sign::equal(given, &sign::hmac_hex(&self.webhook, callback.body)) {
            return Err(Rejection::BadSignature);
        }
        let body = strict::object(callback.body)?;
        let event = strict::inner(&body, "event")?;
        let kind = strict::text(event, "type")?;
        if self.paid_events.iter().any(|paid| paid == kind) {
            // Who delivers on `charge:pending` counts what the chain has not confirmed yet.
            let counts = |status: &str| status == "CONFIRMED" || (kind == "charge:pending" && status == "PENDING");
            return Ok(Claim::Paid(self.paid(strict::inner(event, "data")?, counts)?));
        }
        match kind {
            "charge:created" | "charge:pending" | "charge:delayed" | "charge:failed" | "charge:resolved"
            | CONFIRMED => Ok(Claim::Nothing(Reason::StatusNotPaid)),
            // Of charges there are no others.
            _ if begins(kind, "charge:") => Ok(Claim::strange(kind)),
            _ => Ok(Claim::Nothing(Reason::EventNotHandled)),
        }
    }

    fn ack(&self, verdict: Verdict) -> Reply {
        callback::ack(verdict, "ok")
    }

    fn takes(&self, _currency: Currency) -> bool {
        true
    }

    fn checkout(&self, checkout: &Checkout<'_>, heard: &[Response], now: Millis) -> Begin {
        if let Some(answer) = heard.first() {
            return self.opened(checkout, answer, now).into();
        }
        let subject = checkout.subject.unwrap_or(&self.subject);
        let charge = json!({
            "name": subject, "description": subject, "pricing_type": "fixed_price",
            "local_price": {"amount": checkout.amount.to_string(), "currency": checkout.amount.currency},
            "metadata": {"order_no": checkout.number},
            "redirect_url": checkout.return_url, "cancel_url": checkout.return_url,
        });
        Begin::Ask(self.call("charges", Some(&charge)))
    }

    fn query(&self, asked: &Asked<'_>, heard: &[Response], now: Millis) -> Option<Answer> {
        if let Some(answer) = heard.first() {
            return Some(self.answer(asked, answer, now));
        }
        let code = Some(asked.reference).filter(|code| is_trade_no(code))?;
        Some(Answer::Ask(self.call(&format!("charges/{code}"), None)))
    }

    fn refund(&self, _: &Refund<'_>, _: &[Response], _: Millis) -> Option<Refunded> {
        None
    }

    fn forge(&self, payment: &Payment, _now: Millis) -> Request {
        let price = json!({"amount": payment.paid.to_string(), "currency": payment.paid.currency});
        let charge = json!({
            "code": payment.trade_no, "pricing_type": "fixed_price", "pricing": {"local": price},
            "metadata": {"order_no": payment.number}, "timeline": [{"status": "COMPLETED"}],
            "payments": [{"status": "CONFIRMED", "value": {"local": price}}],
        });
        // Any of the configured events will do: a payment confirmed counts in all of them.
        let event =
            json!({"id": payment.trade_no, "resource": "event", "type": self.paid_events.first(), "data": charge});
        let body = json!({"attempt_number": 1, "event": event}).to_string().into_bytes();
        let headers = vec![
            (SIGNATURE.to_owned(), sign::hmac_hex(&self.webhook, &body)),
            ("Content-Type".to_owned(), "application/json".to_owned()),
        ];
        Request { method: "POST", query: String::new(), headers, body }
    }

    fn names(&self, callback: &Callback<'_>) -> Option<String> {
        let body = strict::object(callback.body).ok()?;
        let charge = strict::inner(strict::inner(&body, "event").ok()?, "data").ok()?;
        hook::number(strict::inner(charge, "metadata").ok()?, "order_no").ok().map(str::to_owned)
    }

    fn explain(&self, callback: &Callback<'_>) -> Option<String> {
        Some(hook::explained("webhook_secret", callback.body))
    }

    fn limits(&self) -> (usize, usize) {
        (callback::QUERY_BYTES, self.body_bytes)
    }
}
