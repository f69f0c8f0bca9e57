//! What is said on the wire: callbacks as the gateway sends them, orders and looks as buyers do, and what answers mean.

use std::net::IpAddr;

use serde::Deserialize;
use serde_json::json;

use super::mix::{RequestKind, Ticket};
use super::stats::RequestResult;
use super::target::{Made, Prepared};
use super::wire::HttpAnswer;
use crate::channel::Verdict;
use crate::domain::{Money, OrderState, Payment, PaymentNo, Reply};
use crate::process::now;

/// Different addresses that buyers come from. More of them would come again before the daemon's minute is over.
const BUYERS: u32 = 50_000;

impl Prepared {
    /// The trade number under which a request of a visit is paid: the gateway's number of the attempt, where that is what it
    /// calls the payment.
    #[must_use]
    pub fn trade(&self, ticket: Ticket) -> String {
        let opened = self.made(ticket.visit as usize).map(|made| made.reference.as_str());
        if let Some(reference) = opened.filter(|reference| !self.carries.reference && !reference.is_empty()) {
            return reference.to_owned();
        }
        let part = match ticket.request {
            RequestKind::Right => 'R',
            RequestKind::Less => 'L',
            RequestKind::Bent => 'B',
            RequestKind::Stranger => 'S',
            // Nothing is paid by these.
            RequestKind::Order | RequestKind::Look => '-',
        };
        format!("H{}{part}{}", self.run, ticket.visit)
    }

    /// A request, as bytes on the wire; `None` where there is no order to pay or to look at.
    #[must_use]
    pub fn request(&self, ticket: Ticket) -> Option<Vec<u8>> {
        match ticket.request {
            RequestKind::Order => Some(self.wish(ticket.visit)),
            RequestKind::Look => self.made(ticket.visit as usize).map(|made| self.look(made)),
            _ => self.made(ticket.visit as usize).map(|made| self.callback(ticket, made)),
        }
    }

    /// A buyer's order. Each has a contact of his own, as buyers do: the daemon counts unpaid orders by it. None
    /// is ever mailed (RFC 2606).
    fn wish(&self, visit: u32) -> Vec<u8> {
        let wish = json!({
            "product": self.product, "quantity": self.quantity, "channel": &*self.channel,
            "contact": format!("{visit}@hammer-{}.invalid", self.run),
        });
        let body = wish.to_string();
        format!(
            "POST /v1/orders HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        )
        .into_bytes()
    }

    fn look(&self, made: &Made) -> Vec<u8> {
        let number = PaymentNo::order_part(&made.payment_no);
        let (host, token) = (self.address, &made.token);
        format!("GET /v1/orders/{number} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n\r\n")
            .into_bytes()
    }

    fn callback(&self, ticket: Ticket, made: &Made) -> Vec<u8> {
        let less = i64::from(ticket.request == RequestKind::Less);
        let payment = Payment {
            number: made.payment_no.clone(),
            trade_no: self.trade(ticket),
            paid: Money { minor: made.amount_minor - less, currency: made.currency },
            channel: self.channel.to_string(),
            paid_at: None,
            reference: Some(made.reference.clone()).filter(|reference| !reference.is_empty()),
        };
        let mut forged = self.gateway.forge(&payment, now());
        if ticket.request == RequestKind::Bent {
            if forged.body.is_empty() {
                let mut query = std::mem::take(&mut forged.query).into_bytes();
                bend(&mut query);
                forged.query = String::from_utf8(query).unwrap_or_default();
            } else {
                bend(&mut forged.body);
            }
        }
        let mark = if forged.query.is_empty() { "" } else { "?" };
        let mut text = format!(
            "{} /pay/{}/notify{mark}{} HTTP/1.1\r\nhost: {}\r\n",
            forged.method, self.channel, forged.query, self.address
        );
        for (name, value) in &forged.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if !forged.body.is_empty() {
            text.push_str(&format!("content-length: {}\r\n", forged.body.len()));
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&forged.body);
        bytes
    }

    /// What an answer to a callback means.
    #[must_use]
    pub(super) fn heard(&self, answer: &HttpAnswer) -> RequestResult {
        let is = |reply: &Reply| answer.status == reply.status && answer.body == reply.body.as_bytes();
        if is(&self.gateway.ack(Verdict::Received)) {
            RequestResult::Success
        } else if answer.status == 429 {
            RequestResult::Limited
        } else if is(&self.gateway.ack(Verdict::Refused)) {
            RequestResult::Refused
        } else if is(&self.gateway.ack(Verdict::Unavailable)) {
            RequestResult::Unavailable
        } else {
            RequestResult::Other
        }
    }

    /// The local address that forgeries come from, where there are several.
    #[must_use]
    pub fn stranger(&self) -> Option<IpAddr> {
        self.local(|| [127, 0, 0, 66])
    }

    /// The local address that a buyer comes from, where there are several: limits count by address, and buyers are many.
    /// Never the gateway's nor the forger's: the second byte is not zero.
    #[must_use]
    pub fn buyer(&self, visit: u32) -> Option<IpAddr> {
        // Another run within the same minute begins elsewhere.
        let first = u32::from_str_radix(&self.run, 16).unwrap_or(0) >> 8;
        let place = first.wrapping_add(visit % BUYERS);
        let byte = |shift: u32, among: u32| u8::try_from(place / shift % among).unwrap_or(0);
        self.local(|| [127, 1 + byte(254 * 256, 254), byte(254, 256), 1 + byte(1, 254)])
    }

    fn local(&self, address: impl Fn() -> [u8; 4]) -> Option<IpAddr> {
        match self.address.ip() {
            IpAddr::V4(ip) if ip.is_loopback() => Some(IpAddr::from(address())),
            _ => None,
        }
    }
}

/// What every refusal of the buyers' API says.
#[derive(Deserialize)]
struct Problem {
    code: String,
}

/// What an answer to an order means, and the order.
pub(super) fn ordered(answer: &HttpAnswer) -> (RequestResult, Option<Made>) {
    if answer.status == 201 {
        return serde_json::from_slice(&answer.body)
            .map_or((RequestResult::Other, None), |made| (RequestResult::Created, Some(made)));
    }
    let code = serde_json::from_slice::<Problem>(&answer.body).map(|problem| problem.code).unwrap_or_default();
    let heard = match (answer.status, code.as_str()) {
        (409, "out_of_stock") => RequestResult::SoldOut,
        (status, _) => refused(status),
    };
    (heard, None)
}

/// What a buyer sees of his order.
#[derive(Deserialize)]
struct Seen {
    state: OrderState,
    #[serde(default)]
    keys: Option<Vec<String>>,
}

/// What an answer to a look means, and the keys it shows.
pub(super) fn looked(answer: &HttpAnswer) -> (RequestResult, Vec<String>) {
    if answer.status != 200 {
        return (refused(answer.status), Vec::new());
    }
    match serde_json::from_slice(&answer.body) {
        Ok(Seen { state: OrderState::Delivered, keys: Some(keys) }) if !keys.is_empty() => {
            (RequestResult::Delivered, keys)
        }
        Ok(Seen { state: OrderState::Owed, .. }) => (RequestResult::Owed, Vec::new()),
        Ok(Seen { state: OrderState::Pending, .. }) => (RequestResult::Pending, Vec::new()),
        _ => (RequestResult::Other, Vec::new()),
    }
}

fn refused(status: u16) -> RequestResult {
    match status {
        429 => RequestResult::Limited,
        503 => RequestResult::Unavailable,
        400..=499 => RequestResult::Refused,
        _ => RequestResult::Other,
    }
}

/// Changes one character: by the law of every channel, nothing of what was signed is believed any more.
fn bend(text: &mut [u8]) {
    let middle = text.len() / 2;
    if let Some(byte) = text[middle..].iter_mut().find(|byte| byte.is_ascii_digit()) {
        *byte = if *byte == b'9' { b'8' } else { *byte + 1 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_buyers_hear_is_told_apart() {
        let answer = |status, body: &str| HttpAnswer { status, body: body.as_bytes().to_vec() };
        let order = |status, body| ordered(&answer(status, body)).0;
        let made = r#"{"payment_no": "K01", "amount_minor": 990, "currency": "CNY", "token": "t", "id": "K"}"#;
        assert_eq!(order(201, made), RequestResult::Created);
        assert_eq!(order(201, "{}"), RequestResult::Other, "an order that cannot be read");
        assert_eq!(order(409, r#"{"code": "out_of_stock"}"#), RequestResult::SoldOut);
        assert_eq!(order(409, r#"{"code": "conflict"}"#), RequestResult::Refused, "not on sale is not sold out");
        assert_eq!(order(429, "{}"), RequestResult::Limited);
        assert_eq!(order(503, "{}"), RequestResult::Unavailable);
        let look = |status, body| looked(&answer(status, body)).0;
        assert_eq!(look(200, r#"{"state": "delivered", "keys": ["A"]}"#), RequestResult::Delivered);
        assert_eq!(look(200, r#"{"state": "delivered"}"#), RequestResult::Other, "delivered, and no keys to see");
        assert_eq!(look(200, r#"{"state": "owed", "keys": null}"#), RequestResult::Owed);
        assert_eq!(look(200, r#"{"state": "pending"}"#), RequestResult::Pending);
        assert_eq!(look(404, "{}"), RequestResult::Refused);
    }
}
