//! What would be `src/channel/gateway/lantern.rs`: a gateway whose callbacks are JSON with an HMAC in a header.

use std::sync::Arc;

use aws_lc_rs::hmac;
use data_encoding::HEXLOWER;
use kamid::channel::{
    Answer, Asked, Begin, Channel, ChannelInputs, Checkout, Claim, Kind, KnownBy, Opens, Part, Reference, Refund,
    Refunded, Request, Step, Verdict,
};
use kamid::domain::{Call, Callback, Currency, Millis, Money, Payment, Rejection, Reply, Response, Text};
use kamid::settings::{Form, Setting, Values};
use serde_json::{Value, json};

pub static KIND: Kind = Kind {
    name: "lantern",
    about: "Lantern: a light for each payment, HMAC",
    test_only: true,
    reference: Reference::Own,
    opens: &[Opens::minutes(30)],
    account: KnownBy { family: "lantern", parts: &[Part::Text(&HOUSE)], key: None },
    sources: &[],
    signed_in: Some(SEAL),
    bill: None,
    settings: &[&HOUSE, &KEY, &COLOUR],
    console: Some(Text::new("the lamp's own wire", "灯的电线")),
    build,
};

const HOUSE: Setting = Setting::needed(Form::Number, "house", "the number of the house", "门牌号");
const KEY: Setting = Setting::needed(Form::Secret, "key", "what lights it", "点灯的钥匙");
const COLOUR: Setting = Setting::choice(&["red", "white"], "colour", "of its light", "灯光的颜色");
const SEAL: &str = "x-lantern-seal";

struct Lantern {
    name: String,
    house: String,
    key: hmac::Key,
    colour: &'static str,
}

fn build(ChannelInputs { name, .. }: ChannelInputs<'_>, v: &mut Values<'_>) -> Option<Arc<dyn Channel>> {
    let (house, key, colour) = (v.text(&HOUSE), v.secret(&KEY), v.choice(&COLOUR));
    let key = hmac::Key::new(hmac::HMAC_SHA256, key?.reveal().as_bytes());
    Some(Arc::new(Lantern { name: name.to_owned(), house: house?, key, colour }))
}

impl Lantern {
    fn seal(&self, body: &[u8]) -> String {
        HEXLOWER.encode(hmac::sign(&self.key, body).as_ref())
    }

    fn payment(&self, body: &[u8]) -> Result<Payment, Rejection> {
        let said: Value = serde_json::from_slice(body).map_err(|_| Rejection::Malformed)?;
        let text = |name: &str| said[name].as_str().ok_or(Rejection::MissingField);
        if text("house")? != self.house {
            return Err(Rejection::MerchantMismatch);
        }
        let paid = Money::parse(text("amount")?, Currency::CNY).map_err(|_| Rejection::AmountMalformed)?;
        Ok(Payment::new(text("number")?, text("light")?, paid, &self.name))
    }
}

impl Channel for Lantern {
    fn verify(&self, callback: &Callback<'_>, _: &[Response], _: Millis) -> Result<Claim, Rejection> {
        let given = callback.header(SEAL).ok_or(Rejection::MissingSignature)?;
        if given != self.seal(callback.body) {
            return Err(Rejection::BadSignature);
        }
        self.payment(callback.body).map(Claim::Paid)
    }

    fn ack(&self, verdict: Verdict) -> Reply {
        match verdict {
            Verdict::Received => Reply { status: 200, body: "lit" },
            Verdict::Refused => Reply { status: 400, body: "dark" },
            Verdict::Unavailable => Reply { status: 503, body: "dark" },
        }
    }

    fn takes(&self, currency: Currency) -> bool {
        currency == Currency::CNY
    }

    fn checkout(&self, checkout: &Checkout<'_>, _: &[Response], _: Millis) -> Begin {
        let url = format!("https://lantern.example/{}/{}", self.colour, checkout.number);
        Begin::Step(Step::Redirect { url }, None)
    }

    fn query(&self, asked: &Asked<'_>, heard: &[Response], _: Millis) -> Option<Answer> {
        Some(match heard {
            [] => Answer::Ask(Call::get(format!("https://lantern.example/is-lit/{}", asked.number))),
            [answer, ..] => self.payment(&answer.body).map_or(Answer::Mismatch, Answer::Paid),
        })
    }

    fn refund(&self, _: &Refund<'_>, _: &[Response], _: Millis) -> Option<Refunded> {
        None
    }

    fn forge(&self, payment: &Payment, _: Millis) -> Request {
        let said = json!({
            "house": self.house, "number": payment.number, "light": payment.trade_no, "amount": payment.paid.to_string(),
        });
        let body = said.to_string().into_bytes();
        Request { method: "POST", query: String::new(), headers: vec![(SEAL.to_owned(), self.seal(&body))], body }
    }

    fn names(&self, callback: &Callback<'_>) -> Option<String> {
        let said: Value = serde_json::from_slice(callback.body).ok()?;
        said["number"].as_str().map(str::to_owned)
    }

    fn explain(&self, _: &Callback<'_>) -> Option<String> {
        None
    }

    fn limits(&self) -> (usize, usize) {
        (64, 4096)
    }
}
