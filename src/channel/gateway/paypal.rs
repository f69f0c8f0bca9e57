//! PayPal Orders v2: an order with a page of PayPal's, a capture that takes the money, and webhooks that are believed for
//! nothing but where to look.
//!
//! Source: PayPal's documents of Orders v2, Payments v2 and Webhooks v1, and paypalrestsdk 1.13.3, as summed up in
//! docs/channels/paypal.md. A webhook's signature covers a CRC32 of its body alone, which anybody can keep while changing
//! the body: so what was paid is what the API says of the capture, and the webhook only names it.

mod settings;
mod transmission;

use std::sync::Arc;

use data_encoding::BASE64;
use serde_json::{Map, Value, json};

use crate::channel::contract::{
    Agreed, Answer, Asked, Begin, Channel, Checkout, Claim, Refund, Refunded, Request, Step, Verdict, is_trade_no,
};
use crate::channel::kind::{ChannelInputs, Kind, KnownBy, Opens, Part, Reference};
use crate::channel::kit::{
    callback,
    cert::{self, Cert, Followed},
    hook, json as strict,
    keys::{self, PrivateKey, PublicKey},
    params, rows,
    text::begins,
};
use crate::domain::time::Zone;
use crate::domain::{Call, Callback, Currency, Millis, Money, Payment, Reason, Rejection, Reply, Response, TOKEN};
use crate::settings::{Secret, Setting, Values};
use settings::{API_BASE, CLIENT_ID, CLIENT_SECRET, HOSTS, MERCHANT_ID, TOLERANCE, TRUST_ROOT, VERIFY, WEBHOOK_ID};
pub(super) use settings::{CONSOLE, SETTINGS};
use transmission::Transmission;

/// Its row.
pub const KIND: Kind = Kind {
    name: "paypal",
    about: "PayPal Orders v2: hosted page, capture, webhooks confirmed by the API, query, refund",
    test_only: false,
    reference: Reference::Own,
    opens: &[Opens::minutes(170)],
    account: KnownBy { family: "paypal", parts: &[Part::Text(&CLIENT_ID)], key: None },
    sources: &[],
    signed_in: Some(transmission::SIGNATURE),
    bill: None,
    settings: SETTINGS,
    console: Some(CONSOLE),
    build,
};

/// What PayPal takes (its list of currencies).
const CURRENCIES: [&str; 24] = [
    "AUD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HKD", "HUF", "ILS", "JPY", "MXN", "MYR", "NOK",
    "NZD", "PHP", "PLN", "SEK", "SGD", "THB", "TWD", "USD",
];
/// Of these it takes whole amounts alone, though they have smaller coins.
const WHOLE: [&str; 2] = ["HUF", "TWD"];
/// How long a certificate of PayPal's is kept, in seconds.
const CERT_S: u64 = 86_400;

struct PayPal {
    name: String,
    api_base: String,
    client_id: String,
    client_secret: Secret,
    webhook_id: String,
    merchant_id: String,
    /// Whose certificates sign webhooks; without them PayPal is asked about each.
    local: Option<Vec<Cert>>,
    hosts: Vec<String>,
    followed: Followed<PublicKey>,
    tolerance_s: u64,
    gateway: Option<PrivateKey>,
    subject: String,
    body_bytes: usize,
}

/// States of a capture whose money is not there.
const UNPAID: [&str; 5] = ["PENDING", "DECLINED", "FAILED", "REFUNDED", "PARTIALLY_REFUNDED"];
/// Events of an order or a capture that tell of no money.
const UNPAID_EVENTS: [&str; 8] = [
    "PAYMENT.CAPTURE.PENDING",
    "PAYMENT.CAPTURE.DENIED",
    "PAYMENT.CAPTURE.DECLINED",
    "CHECKOUT.ORDER.SAVED",
    "CHECKOUT.ORDER.VOIDED",
    "CHECKOUT.ORDER.DECLINED",
    // The capture's own event tells of the same money.
    "CHECKOUT.ORDER.PROCESSED",
    "CHECKOUT.ORDER.COMPLETED",
];

/// A text as the console shows it.
fn copied(v: &mut Values<'_>, row: &Setting) -> Option<String> {
    let text = v.text(row)?;
    if !text.bytes().all(|b| b.is_ascii_graphic()) {
        let what = row.help.en;
        v.reject(row, format!("holds a blank or another letter than ASCII's: copy it again ({what})"));
    }
    Some(text)
}

fn build(ChannelInputs { name, now }: ChannelInputs<'_>, v: &mut Values<'_>) -> Option<Arc<dyn Channel>> {
    let (api_base, client_id, client_secret) = (v.text(&API_BASE), copied(v, &CLIENT_ID), v.secret(&CLIENT_SECRET));
    let (webhook_id, merchant_id) = (copied(v, &WEBHOOK_ID), copied(v, &MERCHANT_ID));
    let local = if v.choice(&VERIFY) == "local" {
        Some(cert::certs(v, &TRUST_ROOT, now)).filter(|roots| !roots.is_empty()).map(Some)
    } else {
        Some(None)
    };
    let hosts: Vec<String> = v.list(&HOSTS);
    let known = ["api.paypal.com", "api.sandbox.paypal.com"].map(str::to_owned).to_vec();
    let (tolerance_s, gateway) = (v.whole(&TOLERANCE), keys::gateway(v));
    let (subject, body_bytes) = (rows::subject(v, &rows::SUBJECT), v.whole(&rows::LARGE_BODY));
    Some(Arc::new(PayPal {
        name: name.to_owned(),
        api_base: api_base?,
        client_id: client_id?,
        client_secret: client_secret?,
        webhook_id: webhook_id?,
        merchant_id: merchant_id?,
        local: local?,
        hosts: if hosts.is_empty() { known } else { hosts },
        followed: Followed::default(),
        tolerance_s: tolerance_s?,
        gateway,
        subject,
        body_bytes: body_bytes?,
    }))
}

/// What an order of PayPal's says.
enum Standing {
    Paid(Payment),
    /// Agreed to; nothing has moved.
    Agreed,
    Unpaid,
    Refunded,
}

impl PayPal {
    /// A call to the API, with a token of ours. `once`: the same again does nothing again.
    fn call(&self, path: &str, once: Option<&str>, body: Option<&Value>) -> Call {
        let bearer = format!("Bearer {TOKEN}");
        let once = once.map(|number| format!("kamid-{number}"));
        let mut headers = vec![("Authorization", bearer.as_str())];
        headers.extend(once.as_deref().map(|once| ("PayPal-Request-Id", once)));
        let body = body.map(|body| ("application/json", body.to_string().into_bytes()));
        let call = hook::call(format!("{}/{path}", self.api_base), &headers, body);
        Call { token: Some(Box::new(self.token())), ..call }
    }

    fn token(&self) -> Call {
        let basic = BASE64.encode(format!("{}:{}", self.client_id, self.client_secret.reveal()).as_bytes());
        let body = b"grant_type=client_credentials".to_vec();
        Call::post(format!("{}/v1/oauth2/token", self.api_base), params::FORM, body)
            .with("Authorization", format!("Basic {basic}"))
            .kept(format!("{} token of {}", self.name, self.client_id), 0)
    }

    fn capture_of(&self, order: &str) -> Call {
        let path = format!("v2/checkout/orders/{order}/capture");
        let call = self.call(&path, Some(&format!("{order}-capture")), Some(&json!({})));
        // Without it the answer leaves out our number.
        call.with("Prefer", "return=representation")
    }

    /// Our number: where both places hold one, they must say the same.
    fn number(object: &Map<String, Value>) -> Result<&str, Rejection> {
        match (hook::number(object, "invoice_id"), hook::number(object, "custom_id")) {
            (Ok(invoice), Ok(custom)) if invoice != custom => Err(Rejection::OrderMismatch),
            (Ok(number), Ok(_) | Err(Rejection::MissingField)) | (Err(Rejection::MissingField), Ok(number)) => {
                Ok(number)
            }
            (Err(why), _) | (_, Err(why)) => Err(why),
        }
    }

    fn of_our_account(&self, object: &Map<String, Value>) -> Result<(), Rejection> {
        match strict::inner(object, "payee") {
            Err(Rejection::MissingField) => Ok(()),
            payee if strict::text(payee?, "merchant_id")? == self.merchant_id => Ok(()),
            _ => Err(Rejection::MerchantMismatch),
        }
    }

    /// What a capture states, whoever tells it.
    fn captured(&self, capture: &Map<String, Value>, order: Option<&str>) -> Result<Payment, Rejection> {
        self.of_our_account(capture)?;
        let (number, id) = (Self::number(capture)?, hook::id(capture, "id")?);
        let paid = hook::decimal(strict::inner(capture, "amount")?, "value", "currency_code")?;
        let related = || strict::inner(strict::inner(capture, "supplementary_data").ok()?, "related_ids").ok();
        let named = related().and_then(|ids| hook::id(ids, "order_id").ok());
        let reference = order.or(named).map(str::to_owned);
        Ok(Payment { reference, ..Payment::new(number, id, paid, &self.name) })
    }

    /// What the API says of the capture that a webhook tells of.
    fn confirmed(&self, told: Payment, answer: &Response) -> Result<Claim, Rejection> {
        let Ok(capture) = hook::good(answer) else {
            if (400..500).contains(&answer.status) {
                return Err(Rejection::Unconfirmed);
            }
            return Ok(self.asking(told));
        };
        if strict::text(&capture, "id")? != told.trade_no {
            return Err(Rejection::OrderMismatch);
        }
        match strict::text(&capture, "status")? {
            "COMPLETED" => {}
            "REFUNDED" | "PARTIALLY_REFUNDED" => return Ok(Claim::Nothing(Reason::RefundNotice)),
            _ => return Err(Rejection::StatusNotPaid),
        }
        let payment = self.captured(&capture, None)?;
        if payment.number != told.number {
            return Err(Rejection::OrderMismatch);
        }
        // An answer that does not name the order leaves it to what the webhook named.
        let reference = payment.reference.clone().or(told.reference);
        Ok(Claim::Paid(Payment { reference, ..payment }))
    }

    fn asking(&self, told: Payment) -> Claim {
        Claim::Ask {
            call: self.call(&format!("v2/payments/captures/{}", told.trade_no), None, None),
            alone: Some(told),
        }
    }

    /// The order that an event tells of, and our number of it.
    fn approved<'a>(&self, resource: &'a Map<String, Value>) -> Result<(&'a str, &'a str), Rejection> {
        let units = resource.get("purchase_units").and_then(Value::as_array);
        let (unit, order) = match units.map(Vec::as_slice) {
            Some([Value::Object(unit)]) => (unit, hook::id(resource, "id")?),
            Some(_) => return Err(Rejection::Malformed),
            None => {
                let data = strict::inner(resource, "supplementary_data")?;
                (resource, hook::id(strict::inner(data, "related_ids")?, "order_id")?)
            }
        };
        self.of_our_account(unit)?;
        Ok((order, Self::number(unit)?))
    }

    /// A buyer agreed.
    fn agreed(&self, resource: &Map<String, Value>, heard: &[Response]) -> Result<Claim, Rejection> {
        let (order, number) = match self.approved(resource) {
            Ok(named) => named,
            // No payment of ours, and no money has moved.
            Err(Rejection::MissingField) => return Ok(Claim::Nothing(Reason::StatusNotPaid)),
            Err(why) => return Err(why),
        };
        let Some(answer) = heard.last() else {
            return Ok(Claim::Agreed(Agreed { number: number.to_owned(), call: self.capture_of(order) }));
        };
        let Ok(said) = hook::good(answer) else {
            // It was taken already, or PayPal does not want to: whatever comes of it, it tells by a webhook of its own.
            if (400..500).contains(&answer.status) {
                return Ok(Claim::Nothing(Reason::StatusNotPaid));
            }
            return Ok(Claim::Agreed(Agreed { number: number.to_owned(), call: self.capture_of(order) }));
        };
        match self.standing(&said, &Asked { number, reference: order, page: "" })? {
            Standing::Paid(payment) => Ok(Claim::Paid(payment)),
            Standing::Refunded => Ok(Claim::Nothing(Reason::RefundNotice)),
            Standing::Agreed | Standing::Unpaid => Ok(Claim::Nothing(Reason::StatusNotPaid)),
        }
    }

    /// What an order says of itself, in the words of the API.
    fn standing(&self, order: &Map<String, Value>, asked: &Asked<'_>) -> Result<Standing, Rejection> {
        if strict::text(order, "id")? != asked.reference {
            return Err(Rejection::OrderMismatch);
        }
        let units = order.get("purchase_units").and_then(Value::as_array).map(Vec::as_slice);
        let Some([Value::Object(unit)]) = units else { return Err(Rejection::Malformed) };
        self.of_our_account(unit)?;
        // The answer to a capture names our number in the captures alone.
        let named = strict::text(unit, "invoice_id").or_else(|_| strict::text(unit, "reference_id"));
        if named? != asked.number {
            return Err(Rejection::OrderMismatch);
        }
        match strict::text(order, "status")? {
            "COMPLETED" => {}
            "APPROVED" => return Ok(Standing::Agreed),
            "CREATED" | "SAVED" | "VOIDED" | "PAYER_ACTION_REQUIRED" => return Ok(Standing::Unpaid),
            _ => return Err(Rejection::Malformed),
        }
        let captures = strict::inner(unit, "payments")?.get("captures").and_then(Value::as_array).map(Vec::as_slice);
        let Some([Value::Object(capture)]) = captures else { return Err(Rejection::Malformed) };
        match strict::text(capture, "status")? {
            "COMPLETED" => {}
            "REFUNDED" | "PARTIALLY_REFUNDED" => return Ok(Standing::Refunded),
            "PENDING" | "DECLINED" | "FAILED" => return Ok(Standing::Unpaid),
            _ => return Err(Rejection::Malformed),
        }
        let payment = self.captured(capture, Some(asked.reference))?;
        if payment.number == asked.number { Ok(Standing::Paid(payment)) } else { Err(Rejection::OrderMismatch) }
    }

    fn opened(&self, checkout: &Checkout<'_>, answer: &Response) -> Result<(Step, Option<String>), String> {
        let order = hook::good(answer)?;
        let id = hook::id(&order, "id").map_err(|_| "it tells no order".to_owned())?;
        let links = order.get("links").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object);
        let leads = |link: &&Map<String, Value>| matches!(strict::text(link, "rel"), Ok("payer-action" | "approve"));
        let link = links.into_iter().find(leads).ok_or_else(|| format!("it tells no page for {}", checkout.number))?;
        Ok((Step::Redirect { url: hook::link(link, "href")? }, Some(id.to_owned())))
    }
}

/// An amount as PayPal takes it.
fn value(amount: Money) -> Result<String, String> {
    let text = amount.to_string();
    match text.split_once('.').filter(|_| WHOLE.contains(&amount.currency.as_str())) {
        None => Ok(text),
        Some((whole, part)) if part.bytes().all(|b| b == b'0') => Ok(whole.to_owned()),
        Some(_) => Err(format!("PayPal takes whole amounts of {} alone", amount.currency)),
    }
}

impl Channel for PayPal {
    fn verify(&self, callback: &Callback<'_>, heard: &[Response], now: Millis) -> Result<Claim, Rejection> {
        let (first, more) = heard.split_first().map_or((None, heard), |(first, more)| (Some(first), more));
        if let Some(call) = self.signed(callback, first, now)? {
            return Ok(Claim::Ask { call, alone: None });
        }
        let event = strict::object(callback.body)?;
        let resource = || strict::inner(&event, "resource");
        match strict::text(&event, "event_type")? {
            "PAYMENT.CAPTURE.COMPLETED" => {
                let capture = resource()?;
                match strict::text(capture, "status")? {
                    "COMPLETED" => {}
                    status => return Ok(Claim::unpaid(status, &UNPAID)),
                }
                // Only the API's answer may leave out whose it is.
                strict::inner(capture, "payee")?;
                let captured = self.captured(capture, None)?;
                match more.last() {
                    None => Ok(self.asking(captured)),
                    Some(answer) => self.confirmed(captured, answer),
                }
            }
            "CHECKOUT.ORDER.APPROVED" => self.agreed(resource()?, more),
            "PAYMENT.CAPTURE.REFUNDED" | "PAYMENT.CAPTURE.REVERSED" => Ok(Claim::Nothing(Reason::RefundNotice)),
            kind if ["PAYMENT.CAPTURE.", "CHECKOUT.ORDER."].iter().any(|start| begins(kind, start)) => {
                Ok(Claim::unpaid(kind, &UNPAID_EVENTS))
            }
            _ => Ok(Claim::Nothing(Reason::EventNotHandled)),
        }
    }

    fn ack(&self, verdict: Verdict) -> Reply {
        callback::ack(verdict, "ok")
    }

    fn takes(&self, currency: Currency) -> bool {
        CURRENCIES.contains(&currency.as_str())
    }

    fn checkout(&self, checkout: &Checkout<'_>, heard: &[Response], _now: Millis) -> Begin {
        if let Some(answer) = heard.first() {
            return self.opened(checkout, answer).into();
        }
        let value = match value(checkout.amount) {
            Ok(value) => value,
            Err(why) => return Begin::Failed(why),
        };
        let mut unit = json!({
            "reference_id": checkout.number, "invoice_id": checkout.number, "custom_id": checkout.number,
            "amount": {"currency_code": checkout.amount.currency, "value": value},
        });
        if let Some(subject) = checkout.subject.or(Some(&self.subject)).filter(|subject| *subject != "order") {
            unit["description"] = subject.into();
        }
        let order = json!({
            "intent": "CAPTURE", "purchase_units": [unit],
            "payment_source": {"paypal": {"experience_context": {
                "return_url": checkout.return_url, "cancel_url": checkout.return_url, "user_action": "PAY_NOW",
            }}},
        });
        Begin::Ask(self.call("v2/checkout/orders", Some(checkout.number), Some(&order)))
    }

    fn query(&self, asked: &Asked<'_>, heard: &[Response], _now: Millis) -> Option<Answer> {
        let order = Some(asked.reference).filter(|order| is_trade_no(order))?;
        let Some(answer) = heard.last() else {
            return Some(Answer::Ask(self.call(&format!("v2/checkout/orders/{order}"), None, None)));
        };
        let said = match hook::good(answer) {
            Ok(said) => said,
            Err(_) if answer.status == 404 && strict::object(&answer.body).is_ok() => return Some(Answer::Unknown),
            // The answer to a capture that PayPal did not make.
            Err(_) if heard.len() > 1 && (400..500).contains(&answer.status) => return Some(Answer::Unpaid),
            Err(_) => return Some(Answer::Mismatch),
        };
        Some(match self.standing(&said, asked) {
            Ok(Standing::Paid(payment)) => Answer::Paid(payment),
            Ok(Standing::Agreed) if heard.len() == 1 => {
                Answer::Agreed(Agreed { number: asked.number.to_owned(), call: self.capture_of(order) })
            }
            Ok(Standing::Agreed | Standing::Unpaid) => Answer::Unpaid,
            Ok(Standing::Refunded) => Answer::Refunded,
            Err(_) => Answer::Mismatch,
        })
    }

    fn refund(&self, refund: &Refund<'_>, heard: &[Response], _now: Millis) -> Option<Refunded> {
        if let Some(answer) = heard.first() {
            return Some(hook::refunded(answer, ["COMPLETED", "PENDING"], ["FAILED", "CANCELLED"]));
        }
        let paid = refund.payment.paid;
        let value = match value(paid) {
            Ok(value) => value,
            Err(why) => return Some(Refunded::Refused(why)),
        };
        let note: String = refund.reason.chars().take(200).collect();
        let body = json!({
            "amount": {"currency_code": paid.currency, "value": value}, "invoice_id": refund.number,
            "note_to_payer": note,
        });
        let path = format!("v2/payments/captures/{}/refund", refund.payment.trade_no);
        Some(Refunded::Ask(self.call(&path, Some(refund.number), Some(&body))))
    }

    fn forge(&self, payment: &Payment, now: Millis) -> Request {
        let at = Zone::default().text(now, "%Y-%m-%dT%H:%M:%SZ");
        let event = json!({
            "id": format!("WH-{}", payment.trade_no), "event_version": "1.0", "create_time": at,
            "resource_type": "capture", "event_type": "PAYMENT.CAPTURE.COMPLETED", "resource": {
                "id": payment.trade_no, "status": "COMPLETED",
                "amount": {"currency_code": payment.paid.currency, "value": payment.paid.to_string()},
                "invoice_id": payment.number, "custom_id": payment.number, "payee": {"merchant_id": self.merchant_id},
                "supplementary_data": {"related_ids": {"order_id": payment.reference}},
            },
        });
        let body = event.to_string().into_bytes();
        let cert_url = format!("https://{}/v1/notifications/certs/CERT-forged", self.hosts[0]);
        let (id, algorithm) = (format!("T-{}", payment.trade_no), "SHA256withRSA");
        let sent = Transmission { id: &id, time: &at, signature: "", cert_url: &cert_url, algorithm };
        let key = self.gateway.as_ref();
        let signature = key.map(|key| key.sign(sent.signed(&self.webhook_id, &body).as_bytes())).unwrap_or_default();
        let headers = [
            ("Paypal-Transmission-Id", id.as_str()),
            ("Paypal-Transmission-Time", &at),
            (transmission::SIGNATURE, &signature),
            ("Paypal-Cert-Url", &cert_url),
            ("Paypal-Auth-Algo", algorithm),
            ("Content-Type", "application/json"),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Request { method: "POST", query: String::new(), headers, body }
    }

    fn names(&self, callback: &Callback<'_>) -> Option<String> {
        let event = strict::object(callback.body).ok()?;
        Self::number(strict::inner(&event, "resource").ok()?).ok().map(str::to_owned)
    }

    fn explain(&self, callback: &Callback<'_>) -> Option<String> {
        Some(Transmission::of(callback).ok()?.signed(&self.webhook_id, callback.body))
    }

    fn limits(&self) -> (usize, usize) {
        (callback::QUERY_BYTES, self.body_bytes)
    }
}
