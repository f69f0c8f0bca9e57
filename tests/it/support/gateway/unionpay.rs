//! China UnionPay's gateway, 5.1.0.

use std::collections::BTreeMap;

use axum::http::Uri;
use axum::response::{IntoResponse as _, Response};

use super::{Gateway, Payment, Refund, form, joined, map, sha256};

/// An answer's fields, which are not percent-encoded.
fn plain(fields: &BTreeMap<String, String>) -> String {
    fields.iter().map(|(name, text)| format!("{name}={text}")).collect::<Vec<_>>().join("&")
}

impl Gateway {
    pub(super) fn union(
        &self,
        number: &str,
        payment: &Payment,
        kind: &str,
        more: &[(&str, &str)],
    ) -> BTreeMap<String, String> {
        let mut fields = map([
            ("version", "5.1.0".into()),
            ("encoding", "UTF-8".into()),
            ("signMethod", "01".into()),
            ("txnType", kind.into()),
            ("merId", "777290058110048".into()),
            ("orderId", number.into()),
            ("txnTime", payment.extra.clone()),
            ("txnAmt", payment.amount.clone()),
            ("currencyCode", "156".into()),
            ("queryId", format!("2026{number}")),
            ("signPubKeyCert", self.certs.as_ref().unwrap()[0].clone()),
        ]);
        fields.extend(more.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())));
        fields.insert("signature".into(), self.platform.sign(&sha256(&joined(&fields, &["signature"]))));
        fields
    }

    pub(super) fn answer_union(&self, uri: &Uri, body: &str) -> Result<Response, &'static str> {
        let fields = form(body);
        let get = |name: &str| fields.get(name).cloned().unwrap_or_default();
        if !self.merchant.signed(&sha256(&joined(&fields, &["signature"])), &get("signature"))
            || get("certId").is_empty()
        {
            return Err("signature");
        }
        let number = get("orderId");
        let (payment, kind, more) = match uri.path() {
            "/front" => {
                self.asked(&number, &get("txnAmt"), &get("backUrl"), &get("txnTime"));
                return Ok("pay here".into_response());
            }
            // A refund, which its number and its time name together.
            // An order's own number may begin with that letter, too.
            "/query" if let Some(original) = number.strip_prefix('R').filter(|original| self.knows(original)) => {
                let payment = self.payment(original);
                if !payment.refunded.contains(&number) || payment.refund_time != get("txnTime") {
                    (Payment::default(), "00", vec![("respCode", "34")])
                } else {
                    (payment, "00", vec![("respCode", "00"), ("origRespCode", "00")])
                }
            }
            "/query" if !self.knows(&number) => (Payment::default(), "00", vec![("respCode", "34")]),
            "/query" => {
                let payment = self.payment(&number);
                assert_eq!(payment.extra, get("txnTime"), "asked with the payment's own time");
                let state = if payment.paid { "00" } else { "05" };
                (payment, "00", vec![("respCode", "00"), ("origRespCode", state), ("reqReserved", "{a=1&b=2}")])
            }
            // A code to pay by: the product of codes, and no page of the gateway's.
            "/back" if get("txnType") == "01" => {
                if get("txnSubType") != "07" || get("bizType") != "000000" || get("channelType") != "08" {
                    return Err("product");
                }
                self.asked(&number, &get("txnAmt"), &get("backUrl"), &get("txnTime"));
                let code = format!("https://qr.95516.com/00010000/{number}");
                let answer =
                    self.union(&number, &self.payment(&number), "01", &[("respCode", "00"), ("qrCode", &code)]);
                return Ok(plain(&answer).into_response());
            }
            "/back" => {
                let original = get("origQryId").strip_prefix("2026").unwrap_or_default().to_owned();
                // An order number is not taken twice in one day, whatever its time.
                let code = match self.refunds(&original, &number) {
                    Refund::Given => {
                        self.payments().get_mut(&original).unwrap().refund_time = get("txnTime");
                        "00"
                    }
                    Refund::Known => "12",
                    Refund::Nothing => "61",
                };
                (self.payment(&original), "04", vec![("respCode", code), ("respMsg", "[as it is]")])
            }
            _ => return Err("path"),
        };
        let answer = self.union(&number, &payment, kind, &more);
        Ok(plain(&answer).into_response())
    }
}
