//! TokenPay: MD5 with a token, one address for each buyer's key, and an amount of coins that the gateway may let differ.
//!
//! Source: TokenPay's code and `Wiki/docs.md`, as summed up in docs/channels/tokenpay.md. A callback names the money that
//! was due, not the money that came: where `IsDynamicAmount` says that other coins came than were asked for, the payment is
//! worth the order's amount in that proportion, so that one paid short is held.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::channel::contract::{
    Answer, Asked, Begin, Channel, Checkout, Claim, Refund, Refunded, Request, Step, Verdict, is_number, is_trade_no,
};
use crate::channel::kind::{ChannelInputs, Kind, KnownBy, Opens, Part, Reference};
use crate::channel::kit::{
    callback,
    flat::{self, Flat, Numbers, Scheme, Signer},
    json, params, rows,
};
use crate::domain::{Call, Callback, Currency, Millis, Money, Payment, Rejection, Reply, Response};
use crate::settings::{Form, Setting, Values};

/// Its row.
pub const KIND: Kind = Kind {
    name: "tokenpay",
    about: "USDT and other coins by TokenPay, MD5: its pay page, JSON notification, query",
    test_only: false,
    reference: Reference::Address,
    opens: &[Opens::minutes(25)],
    account: KnownBy { family: "tokenpay", parts: &[Part::Host(&GATEWAY_URL)], key: Some(&API_TOKEN) },
    sources: &[],
    signed_in: None,
    bill: None,
    settings: SETTINGS,
    console: None,
    build,
};

const GATEWAY_URL: Setting = rows::gateway(
    "the gateway's address, such as https://pay.example/: WebSiteUrl in TokenPay's appsettings.json; CreateOrder is below it",
    "网关地址,如 https://pay.example/:TokenPay 的 appsettings.json 里的 WebSiteUrl,即 CreateOrder 所在的目录",
);
const API_TOKEN: Setting =
    Setting::needed(Form::Secret, "api_token", "ApiToken in appsettings.json", "appsettings.json 里的 ApiToken");
const BASE: Setting = Setting::optional(
    rows::CURRENCY,
    "base_currency",
    "BaseCurrency there: what prices are in",
    "同一文件里的 BaseCurrency:商品价格的货币",
)
.or("CNY")
.asked();
const COIN: Setting = Setting::optional(
    Form::Line,
    "currency",
    "the coin: USDT_TRC20, TRX, or one of EVMChains.json, such as EVM_BSC_USDT_BEP20",
    "币种:USDT_TRC20、TRX,或 EVMChains.json 里的,如 EVM_BSC_USDT_BEP20",
)
.or("USDT_TRC20")
.asked();
const DYNAMIC: Setting = Setting::optional(
    Form::Flag,
    "allow_dynamic_amount",
    "true: more coins than were asked for are taken for what was due",
    "true:多付的币也按应付金额结算",
)
.or("false");
/// The settings of kind `tokenpay`.
const SETTINGS: &[&Setting] = &[&GATEWAY_URL, &API_TOKEN, &BASE, &COIN, &DYNAMIC, &rows::BODY];
const FIELDS: [&str; 22] = [
    "Id",
    "BlockTransactionId",
    "OutOrderId",
    "OrderUserKey",
    "PayTime",
    "BlockChainName",
    "BlockchainName",
    "Currency",
    "CurrencyName",
    "BaseCurrency",
    "Amount",
    "ActualAmount",
    "PayAmount",
    "IsDynamicAmount",
    "FromAddress",
    "ToAddress",
    "Status",
    "PassThroughInfo",
    "Signature",
    "NotifyUrl",
    "RedirectUrl",
    "ExpireTime",
];
/// Decimals of coins that are looked at: Ether's.
const COIN_DECIMALS: usize = 18;

struct TokenPay {
    name: String,
    gateway_url: String,
    scheme: Scheme,
    base: Currency,
    currency: String,
    dynamic: bool,
}

fn build(ChannelInputs { name, .. }: ChannelInputs<'_>, v: &mut Values<'_>) -> Option<Arc<dyn Channel>> {
    let (gateway_url, signer) = (rows::gateway_url(v, &GATEWAY_URL), v.secret(&API_TOKEN).map(Signer::Md5));
    let (base, currency, dynamic) = (v.parsed(&BASE), v.text(&COIN), v.flag(&DYNAMIC).unwrap_or(false));
    let body_bytes = v.whole(&rows::BODY);
    let (signer, body_bytes) = (signer?, body_bytes?);
    let scheme = Scheme { signer, numbers: Numbers::Plain, signature: "Signature", fields: &FIELDS, body_bytes };
    let (gateway_url, base, currency) = (gateway_url?, base?, currency?);
    Some(Arc::new(TokenPay { name: name.to_owned(), gateway_url, scheme, base, currency, dynamic }))
}

/// An amount of coins in their smallest part.
fn coins(text: &str) -> Option<u128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if !(1..=12).contains(&whole.len()) || fraction.len() > COIN_DECIMALS || !digits(whole) || !digits(fraction) {
        return None;
    }
    format!("{whole}{fraction:0<COIN_DECIMALS$}").parse().ok()
}

/// What a payment of `came` coins is worth where `asked` were due for `amount`: rounded down.
fn worth(amount: Money, asked: &str, came: &str) -> Option<Money> {
    let product = u128::try_from(amount.minor).ok()?.checked_mul(coins(came)?)?;
    let minor = product.checked_div(coins(asked)?)?.try_into().ok()?;
    Some(Money { minor, ..amount })
}

/// Whether a text is a number that TokenPay gives its orders.
fn is_id(text: &str) -> bool {
    text.len() == 36 && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

/// TokenPay's own number of an order, which its pay page carries: the only one that it can be asked by.
fn own<'a>(asked: &Asked<'a>) -> Option<&'a str> {
    let (_, query) = asked.page.split_once('?')?;
    query.split('&').find_map(|pair| pair.strip_prefix("Id=")).filter(|id| is_id(id))
}

impl TokenPay {
    /// What came, where other coins came than were asked for. It is taken for what is due, or for as much of it as it is worth,
    /// where the settings want such payments; else, and where nobody can say what it is worth, it counts as nothing and is
    /// held for a person.
    fn moved(&self, amount: Money, asked: Option<&str>, came: Option<&str>) -> Money {
        let nothing = Money { minor: 0, ..amount };
        let worth = asked.zip(came).and_then(|(asked, came)| worth(amount, asked, came)).unwrap_or(nothing);
        match self.dynamic {
            true if worth.minor > amount.minor => amount,
            true => worth,
            false => nothing,
        }
    }

    fn claim(&self, flat: &Flat) -> Result<Claim, Rejection> {
        // 0 waits and 2 is past its time.
        match flat.status("Status")? {
            "1" => {}
            status => return Ok(Claim::unpaid(status, &["0", "2"])),
        }
        let (number, id) = (flat.need("OutOrderId")?, flat.need("Id")?);
        if !is_number(number) || !is_trade_no(id) {
            return Err(Rejection::Malformed);
        }
        let base: Currency = flat.need("BaseCurrency")?.parse().map_err(|_| Rejection::Malformed)?;
        let address = flat.need("ToAddress")?;
        if !is_trade_no(address) {
            return Err(Rejection::Malformed);
        }
        let amount = Money::parse(flat.need("ActualAmount")?, base).map_err(|_| Rejection::AmountMalformed)?;
        let paid = match flat.get("IsDynamicAmount").unwrap_or_default() {
            "" | "0" => amount,
            "1" => self.moved(amount, flat.get("Amount"), flat.get("PayAmount")),
            _ => return Err(Rejection::Malformed),
        };
        let reference = Some(address.to_owned());
        Ok(Claim::Paid(Payment { reference, ..Payment::new(number, id, paid, &self.name) }))
    }

    /// What a believed answer says of the order that was asked about.
    fn answer_in(&self, data: &Map<String, Value>, asked: &Asked<'_>) -> Option<Answer> {
        let of = |name: &str| data.get(name).and_then(json::scalar).unwrap_or_default();
        let id = own(asked)?;
        // The address that came with the payment stands beside the one that the attempt was given.
        if of("outOrderId") != asked.number || of("id") != id || of("toAddress") != asked.reference {
            return None;
        }
        let amount = Money::parse(&of("actualAmount"), self.base).ok()?;
        match of("status").as_str() {
            "0" | "2" => Some(Answer::Unpaid),
            "1" => {
                let moved = of("isDynamicAmount") == "true";
                let (due, came) = (of("amount"), of("payAmount"));
                let paid = if moved { self.moved(amount, Some(&due), Some(&came)) } else { amount };
                let reference = Some(asked.reference.to_owned());
                let payment = Payment::new(asked.number, id, paid, &self.name);
                Some(Answer::Paid(Payment { reference, ..payment }))
            }
            _ => None,
        }
    }

    fn opened(&self, checkout: &Checkout<'_>, answer: &Response, _: Millis) -> Result<(Step, Option<String>), String> {
        let fields = json::object(&answer.body).map_err(|_| format!("it answered {}, unreadable", answer.status))?;
        if fields.get("success") != Some(&Value::Bool(true)) {
            return Err(json::text(&fields, "message").unwrap_or("it refuses without a word").to_owned());
        }
        let info = json::inner(&fields, "info").map_err(|_| "its answer holds no info".to_owned())?;
        if json::text(info, "BaseCurrency") != Ok(checkout.amount.currency.as_str()) {
            return Err(format!("its BaseCurrency is not {}", checkout.amount.currency));
        }
        let address = flat::address(info, ["OutOrderId", "ActualAmount", "ToAddress"], checkout)?;
        Ok((flat::redirect(json::text(&fields, "data").unwrap_or_default())?, Some(address)))
    }

    fn answer(&self, asked: &Asked<'_>, answer: &Response, _now: Millis) -> Answer {
        let Ok(fields) = json::object(&answer.body) else {
            return Answer::Mismatch;
        };
        match (fields.get("success"), json::inner(&fields, "data")) {
            (Some(Value::Bool(true)), Ok(data)) => self.answer_in(data, asked).unwrap_or(Answer::Mismatch),
            _ => Answer::Mismatch,
        }
    }
}

impl Channel for TokenPay {
    fn verify(&self, callback: &Callback<'_>, _heard: &[Response], _now: Millis) -> Result<Claim, Rejection> {
        self.claim(&self.scheme.believed(callback)?)
    }

    fn ack(&self, verdict: Verdict) -> Reply {
        callback::ack(verdict, "ok")
    }

    fn takes(&self, currency: Currency) -> bool {
        currency == self.base
    }

    fn checkout(&self, checkout: &Checkout<'_>, heard: &[Response], now: Millis) -> Begin {
        if let Some(answer) = heard.first() {
            return self.opened(checkout, answer, now).into();
        }
        let mut fields = flat::object([
            ("OutOrderId", checkout.number.into()),
            // Each attempt its own address: a buyer's payment for another order cannot be taken for this one's.
            ("OrderUserKey", checkout.number.into()),
            ("ActualAmount", flat::number(checkout.amount)),
            ("Currency", self.currency.as_str().into()),
            ("NotifyUrl", checkout.notify_url.into()),
            ("RedirectUrl", checkout.return_url.into()),
        ]);
        for (name, value) in checkout.extra {
            fields.insert((*name).to_owned(), (*value).into());
        }
        Begin::Ask(self.scheme.call(format!("{}/CreateOrder", self.gateway_url), fields))
    }

    fn query(&self, asked: &Asked<'_>, heard: &[Response], now: Millis) -> Option<Answer> {
        if let Some(answer) = heard.first() {
            return Some(self.answer(asked, answer, now));
        }
        let id = own(asked)?;
        let signature = self.scheme.signature(flat::object([("Id", id.into())]));
        let query = params::encode([("Id", id), ("Signature", &signature)]);
        Some(Answer::Ask(Call::get(format!("{}/Query?{query}", self.gateway_url))))
    }

    fn refund(&self, _: &Refund<'_>, _: &[Response], _: Millis) -> Option<Refunded> {
        None
    }

    fn forge(&self, payment: &Payment, _now: Millis) -> Request {
        self.scheme.forge(flat::object([
            ("ActualAmount", payment.paid.to_string().into()),
            ("BaseCurrency", payment.paid.currency.as_str().into()),
            ("Currency", self.currency.as_str().into()),
            ("Id", payment.trade_no.as_str().into()),
            ("IsDynamicAmount", 0.into()),
            ("OutOrderId", payment.number.as_str().into()),
            ("OrderUserKey", payment.number.as_str().into()),
            ("Status", 1.into()),
            ("ToAddress", payment.reference.as_deref().unwrap_or("forged").into()),
        ]))
    }

    fn names(&self, callback: &Callback<'_>) -> Option<String> {
        self.scheme.names(callback, "OutOrderId")
    }

    fn explain(&self, callback: &Callback<'_>) -> Option<String> {
        self.scheme.explain(callback)
    }

    fn limits(&self) -> (usize, usize) {
        self.scheme.limits()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_coins_are_worth_their_part_of_the_amount() {
        let amount = Money { minor: 2000, currency: Currency::CNY };
        let worth = |asked, came| worth(amount, asked, came).map(|money| money.minor);
        assert_eq!(worth("34.91", "34.91"), Some(2000));
        assert_eq!(worth("34.91", "34.9099"), Some(1999));
        assert_eq!(worth("34.91", "0.01"), Some(0));
        assert_eq!(worth("34.91", "69.82"), Some(4000));
        assert_eq!(worth("0", "1"), None);
        for bad in ["", ".5", "1e3", "-1", "1.1234567890123456789", "1234567890123"] {
            assert_eq!(worth("1", bad), None, "{bad:?}");
        }
    }
}
