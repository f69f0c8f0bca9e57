//! Stripe Checkout: a page of Stripe's, and events that are signed with a secret per endpoint.
//!
//! Source: the libraries stripe-python 16.1.0 and stripe-node 23.1.0 and Stripe's documents, as summed up in
//! docs/channels/stripe.md. The HMAC is over `t.body` with the whole secret as text. An event is believed for the amount,
//! the session and our number in it; only `payment_status` says whether money came.

use std::sync::Arc;

use aws_lc_rs::hmac;
use serde_json::{Map, Value, json};

use crate::channel::contract::{
    Answer, Asked, Begin, Channel, Checkout, Claim, Refund, Refunded, Request, Step, Verdict, is_trade_no,
};
use crate::channel::kind::{ChannelInputs, Kind, KnownBy, Part, Reference};
use crate::channel::kit::{callback, hook, json as strict, params, rows, sign, text::begins};
use crate::domain::{Call, Callback, Currency, Millis, Payment, Reason, Rejection, Reply, Response, Text};
use crate::settings::{Form, Secret, Setting, Values};

/// Its row.
pub const KIND: Kind = Kind {
    name: "stripe",
    about: "Stripe Checkout: hosted page, signed events, query, refund",
    test_only: false,
    reference: Reference::Own,
    opens: &[],
    account: KnownBy { family: "stripe", parts: &[Part::NamedIn(&API_KEY, account)], key: None },
    sources: &[],
    signed_in: Some(SIGNATURE),
    bill: None,
    settings: SETTINGS,
    console: Some(CONSOLE),
    build,
};

const API_KEY: Setting = Setting::needed(
    Form::Secret,
    "api_key",
    "sk_… or rk_… (a restricted key needs Checkout Sessions: write; for refunds, Refunds: write): Dashboard → Developers → API keys",
    "sk_… 或 rk_…(受限密钥须有 Checkout Sessions 写权限,退款须有 Refunds 写权限):Dashboard → Developers → API keys",
);
const WEBHOOK_SECRET: Setting = Setting::needed(
    Form::Secrets,
    "webhook_secret",
    "whsec_…: Developers → Webhooks → the endpoint → Signing secret; a list, or one a line in the file, while it is rolled",
    "whsec_…:Developers → Webhooks → 该端点 → Signing secret;更换期间可以是列表,或在文件里每行一个",
);
const LIVEMODE: Setting = Setting::optional(
    Form::Flag,
    "livemode",
    "true for live keys; left out: what the key's own name says",
    "正式密钥为 true;不写则按密钥名判断",
);
const TOLERANCE: Setting = rows::tolerance("webhook_tolerance_s");
const API_BASE: Setting =
    Setting::optional(Form::Address, "api_base", "Stripe's API", "Stripe 的 API").or("https://api.stripe.com");
const SUBJECT: Setting = Setting::optional(
    Form::Prose,
    "subject",
    "what the page shows; never a buyer's text",
    "付款页显示的名称;不会是买家填写的内容",
)
.or("order");
/// The settings of kind `stripe`.
const SETTINGS: &[&Setting] =
    &[&API_KEY, &WEBHOOK_SECRET, &LIVEMODE, &TOLERANCE, &API_BASE, &SUBJECT, &rows::LARGE_BODY];
/// Where the notify address is put in.
const CONSOLE: Text = Text::new(
    "Dashboard → Developers → Webhooks: add it as an endpoint, with the events checkout.session.completed and \
     checkout.session.async_payment_succeeded",
    "Dashboard → Developers → Webhooks:添加为端点,勾选 checkout.session.completed 和 \
     checkout.session.async_payment_succeeded",
);
const SIGNATURE: &str = "Stripe-Signature";
/// The version of the API whose fields are read here, whatever the account's own is.
const VERSION: &str = "2026-10-28.endive";
/// The shortest that a session can be payable, in seconds: Stripe refuses less.
const SHORTEST_S: u64 = 1800;
/// Currencies whose amounts Stripe counts in another smallest unit than we do: an amount would be off by a hundred.
const OTHER_UNITS: [&str; 9] = ["BIF", "DJF", "GNF", "KMF", "MGA", "RWF", "UGX", "VUV", "XPF"];

struct Stripe {
    name: String,
    api_base: String,
    api_key: Secret,
    webhook: Vec<hmac::Key>,
    tolerance_s: u64,
    livemode: bool,
    subject: String,
    body_bytes: usize,
}

fn build(ChannelInputs { name, .. }: ChannelInputs<'_>, v: &mut Values<'_>) -> Option<Arc<dyn Channel>> {
    let (api_base, api_key, webhook) = (v.text(&API_BASE), v.secret(&API_KEY), v.secrets(&WEBHOOK_SECRET));
    if webhook.iter().any(|secret| secret.reveal() == "whsec_") {
        v.reject(&WEBHOOK_SECRET, "has nothing behind whsec_: anybody could sign with an empty secret");
    } else if webhook.iter().any(|secret| !secret.reveal().starts_with("whsec_")) {
        v.warn(&WEBHOOK_SECRET, "does not look like an endpoint's signing secret, whsec_…");
    }
    let is_secret = |key: &Secret| ["sk_", "rk_"].iter().any(|start| key.reveal().starts_with(start));
    if api_key.as_ref().is_some_and(|key| !is_secret(key)) {
        v.warn(&API_KEY, "does not look like a secret key, sk_… or rk_… (pk_… is the publishable one)");
    }
    let live_key = api_key.as_ref().is_some_and(|key| key.reveal().contains("_live_"));
    let livemode = v.flag(&LIVEMODE).unwrap_or(live_key);
    if api_key.is_some() && livemode != live_key {
        v.warn(&LIVEMODE, "is not what api_key is for: one of them is test, the other live");
    }
    let (tolerance_s, subject, body_bytes) = (v.whole(&TOLERANCE), v.text(&SUBJECT), v.whole(&rows::LARGE_BODY));
    let keys: Vec<_> = webhook.iter().map(|secret| sign::hmac_key(secret.reveal().as_bytes())).collect();
    Some(Arc::new(Stripe {
        name: name.to_owned(),
        api_base: api_base?,
        api_key: api_key?,
        webhook: Some(keys).filter(|keys| !keys.is_empty())?,
        tolerance_s: tolerance_s?,
        livemode,
        subject: subject?,
        body_bytes: body_bytes?,
    }))
}

/// The part of a key that all keys of an account share, in keys of the form that has one.
fn account(key: &str) -> Option<&str> {
    key.splitn(3, '_').nth(2).filter(|rest| rest.starts_with("51") && rest.len() > 32)?.get(..16)
}

/// The moment and the signatures of the scheme in use; other schemes are not ours to judge.
fn header(text: &str) -> Result<(&str, Vec<&str>), Rejection> {
    let (mut at, mut given) = (None, Vec::new());
    for (name, value) in text.split(',').filter_map(|part| part.split_once('=')) {
        match name.trim() {
            // Of two moments, one reader could check the one and another reader the other.
            "t" if at.is_some() => return Err(Rejection::Malformed),
            "t" => at = Some(value.trim()),
            "v1" => given.push(value.trim()),
            _ => {}
        }
    }
    if given.is_empty() {
        return Err(Rejection::MissingSignature);
    }
    Ok((at.ok_or(Rejection::MissingSignature)?, given))
}

/// What is signed: the moment as it was written, a dot, the body.
fn signed(at: &str, body: &[u8]) -> Vec<u8> {
    [at.as_bytes(), b".", body].concat()
}

fn form(fields: &[(&str, &str)]) -> Vec<u8> {
    // The names are ours and hold nothing to escape but brackets, which Stripe's own libraries leave as they are.
    let pairs: Vec<_> =
        fields.iter().map(|(name, value)| format!("{name}{}", params::encode([("", *value)]))).collect();
    pairs.join("&").into_bytes()
}

impl Stripe {
    fn call(&self, path: &str, once: Option<&str>, fields: Option<&[(&str, &str)]>) -> Call {
        let bearer = format!("Bearer {}", self.api_key.reveal());
        let mut headers = vec![("Authorization", bearer.as_str()), ("Stripe-Version", VERSION)];
        headers.extend(once.map(|key| ("Idempotency-Key", key)));
        let body = fields.map(|fields| ("application/x-www-form-urlencoded", form(fields)));
        hook::call(format!("{}/v1/{path}", self.api_base), &headers, body)
    }

    fn event(&self, callback: &Callback<'_>, now: Millis) -> Result<Map<String, Value>, Rejection> {
        callback::posted(callback, self.body_bytes)?;
        let (at, given) = header(hook::signature(callback, SIGNATURE)?)?;
        let text = signed(at, callback.body);
        hook::signed(&self.webhook, given.into_iter(), |key| sign::hmac_hex(key, &text))?;
        callback::fresh(at, self.tolerance_s, now)?;
        strict::object(callback.body)
    }

    fn of_our_mode(&self, object: &Map<String, Value>) -> Result<(), Rejection> {
        match object.get("livemode") {
            Some(Value::Bool(live)) if *live == self.livemode => Ok(()),
            Some(Value::Bool(_)) => Err(Rejection::MerchantMismatch),
            None => Err(Rejection::MissingField),
            Some(_) => Err(Rejection::Malformed),
        }
    }

    /// What a session says, in an event or in an answer.
    fn session(&self, session: &Map<String, Value>) -> Result<Claim, Rejection> {
        self.of_our_mode(session)?;
        if strict::text(session, "object")? != "checkout.session" {
            return Err(Rejection::Malformed);
        }
        match strict::text(session, "payment_status")? {
            "paid" => {}
            // `no_payment_required` is a session of nothing: no money came.
            status => return Ok(Claim::unpaid(status, &["unpaid", "no_payment_required"])),
        }
        let (number, id) = (hook::number(session, "client_reference_id")?, hook::id(session, "id")?);
        let noted = strict::inner(session, "metadata").and_then(|notes| strict::text(notes, "order_no"));
        if noted.is_ok_and(|noted| noted != number) {
            return Err(Rejection::OrderMismatch);
        }
        let paid = hook::minor(session, "amount_total", hook::currency(session, "currency")?)?;
        Ok(Claim::Paid(hook::bound(number, id, paid, &self.name)))
    }

    fn opened(
        &self,
        checkout: &Checkout<'_>,
        answer: &Response,
        _now: Millis,
    ) -> Result<(Step, Option<String>), String> {
        let session = hook::good(answer)?;
        let id = hook::id(&session, "id").map_err(|_| "it tells no session".to_owned())?;
        if self.of_our_mode(&session).is_err() {
            return Err("its session is not of this channel's livemode".to_owned());
        }
        if strict::text(&session, "client_reference_id") != Ok(checkout.number) {
            return Err("its session is for another order".to_owned());
        }
        Ok((Step::Redirect { url: hook::link(&session, "url")? }, Some(id.to_owned())))
    }

    fn answer(&self, asked: &Asked<'_>, answer: &Response, _now: Millis) -> Answer {
        hook::known(answer, |session| {
            let ours = strict::text(&session, "id") == Ok(asked.reference)
                && strict::text(&session, "client_reference_id") == Ok(asked.number);
            match self.session(&session) {
                Ok(Claim::Paid(payment)) if ours => Answer::Paid(payment),
                Ok(Claim::Nothing(_)) if ours => Answer::Unpaid,
                _ => Answer::Mismatch,
            }
        })
    }
}

impl Channel for Stripe {
    fn verify(&self, callback: &Callback<'_>, _heard: &[Response], now: Millis) -> Result<Claim, Rejection> {
        let event = self.event(callback, now)?;
        self.of_our_mode(&event)?;
        match strict::text(&event, "type")? {
            "checkout.session.completed" | "checkout.session.async_payment_succeeded" => {
                self.session(strict::inner(strict::inner(&event, "data")?, "object")?)
            }
            "checkout.session.expired" | "checkout.session.async_payment_failed" => {
                Ok(Claim::Nothing(Reason::StatusNotPaid))
            }
            kind if kind == "charge.refunded" || kind == "charge.refund.updated" || kind.starts_with("refund.") => {
                Ok(Claim::Nothing(Reason::RefundNotice))
            }
            kind if begins(kind, "checkout.session.") => Ok(Claim::strange(kind)),
            // `payment_intent.succeeded` tells of the same money a second time.
            _ => Ok(Claim::Nothing(Reason::EventNotHandled)),
        }
    }

    fn ack(&self, verdict: Verdict) -> Reply {
        callback::ack(verdict, "ok")
    }

    fn takes(&self, currency: Currency) -> bool {
        !OTHER_UNITS.contains(&currency.as_str())
    }

    fn checkout(&self, checkout: &Checkout<'_>, heard: &[Response], now: Millis) -> Begin {
        if let Some(answer) = heard.first() {
            return self.opened(checkout, answer, now).into();
        }
        let (soonest, wanted) = (now / 1000 + SHORTEST_S, checkout.expires / 1000);
        // A minute more, for the way there: Stripe counts from when it reads the request.
        let expires = if wanted < soonest { soonest + 60 } else { wanted }.to_string();
        let back = format!("{}?s={{CHECKOUT_SESSION_ID}}", checkout.return_url);
        let currency = checkout.amount.currency.as_str().to_ascii_lowercase();
        let (amount, once) = (checkout.amount.minor.to_string(), format!("kamid-{}", checkout.number));
        let fields = [
            ("mode", "payment"),
            ("client_reference_id", checkout.number),
            ("metadata[order_no]", checkout.number),
            ("success_url", &back),
            ("cancel_url", checkout.return_url),
            ("expires_at", &expires),
            ("line_items[0][quantity]", "1"),
            ("line_items[0][price_data][currency]", &currency),
            ("line_items[0][price_data][unit_amount]", &amount),
            ("line_items[0][price_data][product_data][name]", checkout.subject.unwrap_or(&self.subject)),
            ("payment_intent_data[metadata][order_no]", checkout.number),
        ];
        Begin::Ask(self.call("checkout/sessions", Some(&once), Some(&fields)))
    }

    fn query(&self, asked: &Asked<'_>, heard: &[Response], now: Millis) -> Option<Answer> {
        if let Some(answer) = heard.first() {
            return Some(self.answer(asked, answer, now));
        }
        let id = Some(asked.reference).filter(|id| is_trade_no(id))?;
        Some(Answer::Ask(self.call(&format!("checkout/sessions/{id}"), None, None)))
    }

    fn refund(&self, refund: &Refund<'_>, heard: &[Response], _now: Millis) -> Option<Refunded> {
        // A payment is known here by its session, and a refund names the session's payment intent.
        let session = &refund.payment.trade_no;
        let Some(answer) = heard.first() else {
            return Some(Refunded::Ask(self.call(&format!("checkout/sessions/{session}"), None, None)));
        };
        if let Some(answer) = heard.get(1) {
            return Some(hook::refunded(answer, ["succeeded", "pending"], ["failed", "canceled"]));
        }
        let said = match hook::good(answer) {
            Ok(said) => said,
            Err(why) => return Some(Refunded::Pending(why)),
        };
        let ours = strict::text(&said, "id") == Ok(session) && self.of_our_mode(&said).is_ok();
        let Ok(intent) = hook::id(&said, "payment_intent").map_err(|_| ()).and_then(|id| ours.then_some(id).ok_or(()))
        else {
            return Some(Refunded::Refused("its session names no payment: give it back in the Dashboard".to_owned()));
        };
        let (amount, once) = (refund.payment.paid.minor.to_string(), format!("kamid-{}", refund.number));
        let fields = [("payment_intent", intent), ("amount", &amount), ("metadata[refund_no]", refund.number)];
        Some(Refunded::Ask(self.call("refunds", Some(&once), Some(&fields))))
    }

    fn forge(&self, payment: &Payment, now: Millis) -> Request {
        let session = json!({
            "id": payment.trade_no, "object": "checkout.session", "amount_total": payment.paid.minor,
            "client_reference_id": payment.number, "currency": payment.paid.currency.as_str().to_ascii_lowercase(),
            "livemode": self.livemode, "metadata": {"order_no": payment.number}, "mode": "payment",
            "payment_status": "paid", "status": "complete",
        });
        let event = json!({
            "id": format!("evt_{}", payment.trade_no), "object": "event", "data": {"object": session},
            "livemode": self.livemode, "type": "checkout.session.completed",
        });
        let (at, body) = ((now / 1000).to_string(), event.to_string().into_bytes());
        let sign = self.webhook.first().map(|key| sign::hmac_hex(key, &signed(&at, &body))).unwrap_or_default();
        let headers = vec![
            (SIGNATURE.to_owned(), format!("t={at},v1={sign}")),
            ("Content-Type".to_owned(), "application/json".to_owned()),
        ];
        Request { method: "POST", query: String::new(), headers, body }
    }

    fn names(&self, callback: &Callback<'_>) -> Option<String> {
        let event = strict::object(callback.body).ok()?;
        let session = strict::inner(strict::inner(&event, "data").ok()?, "object").ok()?;
        hook::number(session, "client_reference_id").ok().map(str::to_owned)
    }

    fn explain(&self, callback: &Callback<'_>) -> Option<String> {
        let (at, _) = header(callback.header(SIGNATURE)?).ok()?;
        Some(hook::explained("webhook_secret", &signed(at, callback.body)))
    }

    fn limits(&self) -> (usize, usize) {
        (callback::QUERY_BYTES, self.body_bytes)
    }
}
