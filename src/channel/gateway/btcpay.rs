//! BTCPay Server: invoices on a server of one's own. Its callback carries no amount, so the server's API is asked about
//! every one, and what the API says is what counts.
//!
//! Source: btcpayserver 03345c2 and its library greenfield-php 60e6be5, as summed up in docs/channels/btcpay.md. The HMAC
//! is over the body. The server signs with an empty key where no secret is set, so an empty secret is refused here.

use std::sync::Arc;

use aws_lc_rs::hmac;
use serde_json::{Map, Value, json};

use crate::channel::contract::{
    Answer, Asked, Begin, Channel, Checkout, Claim, Refund, Refunded, Request, Step, Verdict, is_trade_no,
};
use crate::channel::kind::{ChannelInputs, Kind, KnownBy, Part, Reference};
use crate::channel::kit::{callback, hook, json as strict, rows, sign, text::begins};
use crate::domain::{Call, Callback, Currency, Millis, Money, Payment, Reason, Rejection, Reply, Response, Text};
use crate::settings::{Form, Secret, Setting, Values};

/// Its row.
pub const KIND: Kind = Kind {
    name: "btcpay",
    about: "BTCPay Server: invoices, HMAC, each callback confirmed by the server's API",
    test_only: false,
    reference: Reference::Own,
    opens: &[],
    account: KnownBy { family: "btcpay", parts: &[Part::Text(&STORE_ID)], key: None },
    sources: &[],
    signed_in: Some(SIGNATURE),
    bill: None,
    settings: SETTINGS,
    console: Some(CONSOLE),
    build,
};

const SERVER_URL: Setting = Setting::needed(
    Form::Address,
    "server_url",
    "the server's address, such as https://btcpay.example",
    "服务器地址,如 https://btcpay.example",
);
const STORE_ID: Setting = Setting::needed(
    Form::Line,
    "store_id",
    "the store's id, letters and digits: the store → Settings → General",
    "Store ID,字母和数字:商店 → Settings → General",
);
const API_KEY: Setting = Setting::needed(
    Form::Secret,
    "api_key",
    "Account → Manage account → API keys: for this store alone, with btcpay.store.cancreateinvoice and btcpay.store.canviewinvoices",
    "Account → Manage account → API keys:只给该商店,权限为 btcpay.store.cancreateinvoice 和 btcpay.store.canviewinvoices",
);
const WEBHOOK_SECRET: Setting = Setting::needed(
    Form::Secret,
    "webhook_secret",
    "the store → Settings → Webhooks → Secret: without one the server signs with an empty key, as anybody can",
    "商店 → Settings → Webhooks → Secret:不设则服务器用空密钥签名,谁都能伪造",
);
const PAID_EVENTS: Setting = Setting::optional(
    Form::List("names of events in quotes"),
    "paid_events",
    "the events upon which the server is asked",
    "收到哪些事件时向服务器查询",
)
.or("[\"InvoiceSettled\"]");
/// The settings of kind `btcpay`.
const SETTINGS: &[&Setting] = &[&SERVER_URL, &STORE_ID, &API_KEY, &WEBHOOK_SECRET, &PAID_EVENTS, &rows::BODY];
/// Where the notify address is put in.
const CONSOLE: Text = Text::new(
    "the store → Settings → Webhooks → Create: automatic redelivery on, \"An invoice has been settled\"",
    "商店 → Settings → Webhooks → Create:打开 automatic redelivery,勾选 \"An invoice has been settled\"",
);
const SIGNATURE: &str = "BTCPay-Sig";
const SETTLED: &str = "InvoiceSettled";

struct Btcpay {
    name: String,
    server_url: String,
    store_id: String,
    api_key: Secret,
    webhook: hmac::Key,
    paid_events: Vec<String>,
    body_bytes: usize,
}

fn build(ChannelInputs { name, .. }: ChannelInputs<'_>, v: &mut Values<'_>) -> Option<Arc<dyn Channel>> {
    let (server_url, store_id) = (v.text(&SERVER_URL), v.text(&STORE_ID));
    if store_id.as_ref().is_some_and(|id| !is_trade_no(id)) {
        v.reject(&STORE_ID, "is letters and digits, from the general settings");
    }
    let (api_key, webhook) = (v.secret(&API_KEY), v.secret(&WEBHOOK_SECRET));
    let paid_events: Vec<String> = v.list(&PAID_EVENTS);
    if paid_events.iter().any(|event| !event.starts_with("Invoice")) {
        v.reject(&PAID_EVENTS, format!("is a list of events of invoices, such as {SETTLED}"));
    }
    let body_bytes = v.whole(&rows::BODY);
    Some(Arc::new(Btcpay {
        name: name.to_owned(),
        server_url: server_url?,
        store_id: store_id?,
        api_key: api_key?,
        webhook: sign::hmac_key(webhook?.reveal().as_bytes()),
        paid_events: if paid_events.is_empty() { vec![SETTLED.to_owned()] } else { paid_events },
        body_bytes: body_bytes?,
    }))
}

/// A genuine callback that is to be asked about.
struct Told {
    invoice: String,
    number: String,
    by_hand: bool,
}

/// How an invoice stands.
enum Standing {
    Paid(Payment),
    Unpaid,
}

impl Btcpay {
    fn call(&self, path: &str, body: Option<&Value>) -> Call {
        let token = format!("token {}", self.api_key.reveal());
        let body = body.map(|body| ("application/json", body.to_string().into_bytes()));
        let url = format!("{}/api/v1/stores/{}/invoices{path}", self.server_url, self.store_id);
        hook::call(url, &[("Authorization", &token)], body)
    }

    /// What a callback tells, if the server signed it; what to make of it where it tells of no payment.
    fn hinted(&self, callback: &Callback<'_>) -> Result<Result<Told, Claim>, Rejection> {
        callback::posted(callback, self.body_bytes)?;
        let given = hook::signature(callback, SIGNATURE)?;
        let right = format!("sha256={}", sign::hmac_hex(&self.webhook, callback.body));
        if !sign::equal(given, &right) {
            return Err(Rejection::BadSignature);
        }
        let event = strict::object(callback.body)?;
        if strict::text(&event, "storeId")? != self.store_id {
            return Err(Rejection::MerchantMismatch);
        }
        let kind = strict::text(&event, "type")?;
        if !self.paid_events.iter().any(|paid| paid == kind) {
            return Ok(Err(match kind {
                "InvoiceCreated"
                | "InvoiceReceivedPayment"
                | "InvoiceProcessing"
                | "InvoiceExpired"
                | "InvoiceInvalid"
                | "InvoicePaymentSettled"
                | SETTLED => Claim::Nothing(Reason::StatusNotPaid),
                // Of invoices there are no others that we know.
                _ if begins(kind, "Invoice") => Claim::strange(kind),
                _ => Claim::Nothing(Reason::EventNotHandled),
            }));
        }
        let invoice = hook::id(&event, "invoiceId")?.to_owned();
        let number = hook::number(strict::inner(&event, "metadata")?, "orderId")?.to_owned();
        Ok(Ok(Told { invoice, number, by_hand: event.get("manuallyMarked") == Some(&Value::Bool(true)) }))
    }

    /// What an invoice says of itself, in the words of the API.
    fn standing(&self, invoice: &Map<String, Value>, by_hand: bool) -> Result<Standing, Rejection> {
        if strict::text(invoice, "storeId").is_ok_and(|store| store != self.store_id) {
            return Err(Rejection::MerchantMismatch);
        }
        let extra = match strict::text(invoice, "additionalStatus") {
            Err(Rejection::MissingField) => "None",
            other => other?,
        };
        let full = match (strict::text(invoice, "status")?, extra) {
            ("Settled", "None" | "PaidLate" | "PaidOver") => !by_hand,
            ("Settled", _) | ("Expired" | "Invalid", "PaidPartial" | "PaidLate" | "PaidOver") => false,
            ("New" | "Processing" | "Expired" | "Invalid", _) => return Ok(Standing::Unpaid),
            _ => return Err(Rejection::Malformed),
        };
        let id = hook::id(invoice, "id")?;
        let number = hook::number(strict::inner(invoice, "metadata")?, "orderId")?;
        let price = hook::decimal(invoice, "amount", "currency")?;
        // The API tells the price and not what came. Where somebody called the invoice settled by hand, or it was paid in
        // part or too late, nothing is known to have come in full: a payment of nothing is held for a person.
        let paid = if full { price } else { Money { minor: 0, ..price } };
        Ok(Standing::Paid(hook::bound(number, id, paid, &self.name)))
    }

    fn opened(
        &self,
        checkout: &Checkout<'_>,
        answer: &Response,
        _now: Millis,
    ) -> Result<(Step, Option<String>), String> {
        let invoice = hook::good(answer)?;
        let id = hook::id(&invoice, "id").map_err(|_| "it tells no invoice".to_owned())?;
        let named = strict::inner(&invoice, "metadata").and_then(|notes| strict::text(notes, "orderId"));
        if named != Ok(checkout.number) {
            return Err("its invoice is for another order".to_owned());
        }
        Ok((Step::Redirect { url: hook::link(&invoice, "checkoutLink")? }, Some(id.to_owned())))
    }

    fn confirmed(&self, told: &Told, answer: &Response) -> Result<Claim, Rejection> {
        // An answer that is none leaves the callback unconfirmed, and the server repeats it.
        let Ok(invoice) = hook::good(answer) else {
            return Ok(self.asking(told));
        };
        if strict::text(&invoice, "id")? != told.invoice {
            return Err(Rejection::OrderMismatch);
        }
        match self.standing(&invoice, told.by_hand)? {
            Standing::Paid(payment) if payment.number == told.number => Ok(Claim::Paid(payment)),
            Standing::Paid(_) => Err(Rejection::OrderMismatch),
            Standing::Unpaid => Err(Rejection::StatusNotPaid),
        }
    }

    fn asking(&self, told: &Told) -> Claim {
        Claim::Ask { call: self.call(&format!("/{}", told.invoice), None), alone: None }
    }

    fn answer(&self, asked: &Asked<'_>, answer: &Response, _now: Millis) -> Answer {
        hook::known(answer, |invoice| {
            let named = strict::inner(&invoice, "metadata").and_then(|notes| strict::text(notes, "orderId"));
            if strict::text(&invoice, "id") != Ok(asked.reference) || named != Ok(asked.number) {
                return Answer::Mismatch;
            }
            match self.standing(&invoice, false) {
                Ok(Standing::Paid(payment)) => Answer::Paid(payment),
                Ok(Standing::Unpaid) => Answer::Unpaid,
                Err(_) => Answer::Mismatch,
            }
        })
    }
}

impl Channel for Btcpay {
    fn verify(&self, callback: &Callback<'_>, heard: &[Response], _now: Millis) -> Result<Claim, Rejection> {
        match (self.hinted(callback)?, heard.last()) {
            (Err(claim), _) => Ok(claim),
            (Ok(told), None) => Ok(self.asking(&told)),
            (Ok(told), Some(answer)) => self.confirmed(&told, answer),
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
        let minutes = checkout.expires.saturating_sub(now).div_ceil(60_000).max(1);
        let invoice = json!({
            "amount": checkout.amount.to_string(), "currency": checkout.amount.currency,
            "metadata": {"orderId": checkout.number},
            "checkout": {"redirectURL": checkout.return_url, "expirationMinutes": minutes},
        });
        Begin::Ask(self.call("", Some(&invoice)))
    }

    fn query(&self, asked: &Asked<'_>, heard: &[Response], now: Millis) -> Option<Answer> {
        if let Some(answer) = heard.first() {
            return Some(self.answer(asked, answer, now));
        }
        let id = Some(asked.reference).filter(|id| is_trade_no(id))?;
        Some(Answer::Ask(self.call(&format!("/{id}"), None)))
    }

    fn refund(&self, _: &Refund<'_>, _: &[Response], _: Millis) -> Option<Refunded> {
        None
    }

    fn forge(&self, payment: &Payment, now: Millis) -> Request {
        let event = json!({
            "deliveryId": payment.trade_no, "type": self.paid_events.first(), "timestamp": now / 1000,
            "storeId": self.store_id, "invoiceId": payment.trade_no, "metadata": {"orderId": payment.number},
            "manuallyMarked": false, "overPaid": false,
        });
        let body = event.to_string().into_bytes();
        let headers = vec![
            (SIGNATURE.to_owned(), format!("sha256={}", sign::hmac_hex(&self.webhook, &body))),
            ("Content-Type".to_owned(), "application/json".to_owned()),
        ];
        Request { method: "POST", query: String::new(), headers, body }
    }

    fn names(&self, callback: &Callback<'_>) -> Option<String> {
        let event = strict::object(callback.body).ok()?;
        hook::number(strict::inner(&event, "metadata").ok()?, "orderId").ok().map(str::to_owned)
    }

    fn explain(&self, callback: &Callback<'_>) -> Option<String> {
        Some(hook::explained("webhook_secret", callback.body))
    }

    fn limits(&self) -> (usize, usize) {
        (callback::QUERY_BYTES, self.body_bytes)
    }
}
