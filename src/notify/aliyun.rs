//! 阿里云短信: SendSms of 2017-05-25, signed ACS3-HMAC-SHA256, or as before it with RPC signatures 1.0 (HMAC-SHA1).
//!
//! Source: the provider's API documents, and requests that its SDKs signed.

use aws_lc_rs::hmac;
use data_encoding::{BASE64, HEXLOWER};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::sms::{PARAMS, Provider, SIGN_NAME, endpoint, mac, sha256, way, words};
use super::{NotifierInputs, Way, stamp};
use crate::domain::text::bare_json;
use crate::domain::{Call, Millis, Response};
use crate::settings::{Form, Secret, Setting, Values};
use crate::shop::Refused;

const ID: Setting = Setting::needed(
    Form::Line,
    "access_key_id",
    "AccessKey ID of a RAM user that may send text messages",
    "可以发短信的 RAM 用户的 AccessKey ID",
);
const SECRET: Setting =
    Setting::needed(Form::Token, "access_key_secret", "its AccessKey Secret", "它的 AccessKey Secret");
const TEMPLATE: Setting = Setting::needed(
    Form::Line,
    "template_code",
    "the approved template, such as SMS_123456789",
    "审核通过的模板,如 SMS_123456789",
);
const SIGNATURE: Setting = Setting::choice(
    &["acs3", "rpc"],
    "signature",
    "how requests are signed: acs3, or rpc, the RPC signature 1.0 (HMAC-SHA1) of older accounts and proxies",
    "请求的签名方式:acs3,或旧账户和代理用的 RPC 签名 1.0(HMAC-SHA1)rpc",
);
const ENDPOINT: Setting = endpoint("https://dysmsapi.aliyuncs.com");
/// The settings of kind `sms_aliyun`.
pub(super) const SETTINGS: &[&Setting] = &[&ID, &SECRET, &SIGN_NAME, &TEMPLATE, &PARAMS, &SIGNATURE, &ENDPOINT];

/// RFC 3986's unreserved characters stay.
const KEEP: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// How requests are signed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Signature {
    Acs3,
    Rpc,
}

struct Aliyun {
    endpoint: String,
    id: String,
    secret: Secret,
    sign_name: String,
    template: String,
    signature: Signature,
}

/// Parameters as a query, sorted by name as both signatures want them.
fn query(pairs: &mut [(&str, &str)]) -> String {
    pairs.sort_unstable();
    let pair = |(name, text): &(&str, &str)| format!("{name}={}", utf8_percent_encode(text, KEEP));
    pairs.iter().map(pair).collect::<Vec<_>>().join("&")
}

/// The RPC signature 1.0 of a GET request with that query.
fn rpc_signature(secret: &Secret, query: &str) -> String {
    let signed = format!("GET&%2F&{}", utf8_percent_encode(query, KEEP));
    let key = format!("{}&", secret.reveal());
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key.as_bytes());
    BASE64.encode(hmac::sign(&key, signed.as_bytes()).as_ref())
}

impl Aliyun {
    fn rpc(&self, message: &[(&str, &str)], now: Millis, nonce: &str) -> Call {
        let at = stamp(now, "%Y-%m-%dT%H:%M:%SZ");
        let common = [
            ("AccessKeyId", self.id.as_str()),
            ("Action", "SendSms"),
            ("Format", "JSON"),
            ("RegionId", "cn-hangzhou"),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureNonce", nonce),
            ("SignatureVersion", "1.0"),
            ("Timestamp", at.as_str()),
            ("Version", "2017-05-25"),
        ];
        let query = query(&mut [message, &common[..]].concat());
        let signature = rpc_signature(&self.secret, &query);
        let signature = utf8_percent_encode(&signature, KEEP);
        let url = format!("{}/?{query}&Signature={signature}", self.endpoint.trim_end_matches('/'));
        Call::get(url)
    }

    fn acs3(&self, message: &mut [(&str, &str)], now: Millis, nonce: &str) -> Call {
        let query = query(message);
        let host = self.endpoint.trim_start_matches("https://").trim_end_matches('/');
        let host = host.trim_start_matches("http://");
        let headers = [
            ("host", host.to_owned()),
            ("x-acs-action", "SendSms".to_owned()),
            ("x-acs-content-sha256", sha256(b"")),
            ("x-acs-date", stamp(now, "%Y-%m-%dT%H:%M:%SZ")),
            ("x-acs-signature-nonce", nonce.to_owned()),
            ("x-acs-version", "2017-05-25".to_owned()),
        ];
        let names = headers.each_ref().map(|(name, _)| *name).join(";");
        let lines: String = headers.iter().map(|(name, text)| format!("{name}:{text}\n")).collect();
        let canonical = format!("POST\n/\n{query}\n{lines}\n{names}\n{}", sha256(b""));
        let signed = format!("ACS3-HMAC-SHA256\n{}", sha256(canonical.as_bytes()));
        let signature = HEXLOWER.encode(&mac(self.secret.reveal().as_bytes(), &signed));
        let mut headers: Vec<(String, String)> =
            headers.into_iter().map(|(name, text)| (name.to_owned(), text)).collect();
        let authorization =
            format!("ACS3-HMAC-SHA256 Credential={},SignedHeaders={names},Signature={signature}", self.id);
        headers.push(("authorization".to_owned(), authorization));
        Call {
            method: "POST",
            url: format!("{}/?{query}", self.endpoint.trim_end_matches('/')),
            headers,
            ..Call::default()
        }
    }
}

impl Provider for Aliyun {
    fn call(&self, number: &str, words: &[(String, String)], now: Millis, nonce: &str) -> Call {
        let filled: serde_json::Map<String, Value> =
            words.iter().map(|(name, text)| (name.clone(), json!(text))).collect();
        let filled = Value::Object(filled).to_string();
        let mut message = [
            ("PhoneNumbers", number),
            ("SignName", &self.sign_name),
            ("TemplateCode", &self.template),
            ("TemplateParam", &filled),
        ];
        match self.signature {
            Signature::Acs3 => self.acs3(&mut message, now, nonce),
            Signature::Rpc => self.rpc(&message, now, nonce),
        }
    }

    fn taken(&self, answer: &Response) -> Result<(), Refused> {
        let said: Value = serde_json::from_slice(bare_json(&answer.body)).unwrap_or_default();
        let (code, message) = (said["Code"].as_str().unwrap_or_default(), said["Message"].as_str().unwrap_or_default());
        let words = format!("{code} {message} ({})", answer.status);
        match code {
            "OK" => Ok(()),
            // A limit by minute, hour or day; the provider's own troubles.
            "isv.BUSINESS_LIMIT_CONTROL" => Err(Refused::Later(words, Some(60))),
            code if code.starts_with("isp.") || code.starts_with("Throttling") || code.is_empty() => {
                Err(Refused::Later(words, None))
            }
            _ => Err(Refused::Never(words)),
        }
    }
}

pub(super) fn build(inputs: &NotifierInputs<'_>, v: &mut Values<'_>) -> Option<Way> {
    let (endpoint, id, secret) = (v.text(&ENDPOINT), v.text(&ID), v.secret(&SECRET));
    let (sign_name, template) = (v.text(&SIGN_NAME), v.text(&TEMPLATE));
    let signature = if v.choice(&SIGNATURE) == "rpc" { Signature::Rpc } else { Signature::Acs3 };
    let (words, endpoint) = (words(v), endpoint?);
    let (id, secret, sign_name, template) = (id?, secret?, sign_name?, template?);
    Some(way(inputs, Aliyun { endpoint, id, secret, sign_name, template, signature }, words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(name: &str) -> Value {
        let path = format!("{}/tests/vectors/{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    fn text(value: &Value) -> String {
        value.as_str().unwrap().to_owned()
    }

    fn aliyun(page: &Value, query: &Value, signature: Signature) -> Aliyun {
        Aliyun {
            endpoint: page["config"]["endpoint"].as_str().unwrap_or("https://dysmsapi.aliyuncs.com").to_owned(),
            id: page["config"]["access_key_id"].as_str().unwrap_or_default().to_owned(),
            secret: Secret::new(page["config"]["access_key_secret"].as_str().unwrap_or("x").to_owned()),
            sign_name: query["SignName"].as_str().unwrap_or_default().to_owned(),
            template: query["TemplateCode"].as_str().unwrap_or_default().to_owned(),
            signature,
        }
    }

    /// The call that sends what a vector's input says.
    fn call(page: &Value, query: &Value, signature: Signature) -> Call {
        let filled: serde_json::Map<String, Value> =
            serde_json::from_str(query["TemplateParam"].as_str().unwrap()).unwrap();
        let words: Vec<(String, String)> = filled.iter().map(|(name, word)| (name.clone(), text(word))).collect();
        let (now, nonce) = (page["input"]["timestamp"].as_u64().unwrap() * 1000, text(&page["input"]["nonce"]));
        aliyun(page, query, signature).call(&text(&query["PhoneNumbers"]), &words, now, &nonce)
    }

    #[test]
    fn aliyun_is_signed_as_its_sdk_signs_and_answers_mean_what_they_say() {
        let page = vector("sms_aliyun/o03-acs3");
        let call = call(&page, &page["input"]["query"], Signature::Acs3);
        let sent = |name: &str| call.headers.iter().find(|(known, _)| known == name).unwrap().1.clone();
        assert_eq!(sent("authorization"), page["output"]["headers"]["Authorization"]);
        assert!(call.url.ends_with(&text(&page["output"]["canonical_query"])), "{}", call.url);
        let page = vector("sms_aliyun/o04-answers");
        for answer in page["answers"].as_array().unwrap() {
            let status = answer["status"].as_u64().unwrap() as u16;
            let response = Response { status, headers: Vec::new(), body: answer["body"].to_string().into_bytes() };
            let taken = aliyun(&page, &page, Signature::Rpc).taken(&response);
            let fits = match (taken, answer["means"].as_str().unwrap()) {
                (Ok(()), means) => means == "sent",
                (Err(Refused::Later(..)), means) => means.contains("later"),
                (Err(Refused::Never(_) | Refused::Gone(_)), means) => means.contains("do not retry"),
            };
            assert!(fits, "{answer}");
        }
    }

    #[test]
    fn the_rpc_signature_is_that_of_both_sdks() {
        let page = vector("sms_aliyun/o02-rpc-pop-core");
        let call = call(&page, &page["input"]["params"], Signature::Rpc);
        assert_eq!((call.method, call.url.as_str()), ("GET", page["output"]["url"].as_str().unwrap()));
        // The other SDK signs an empty SignatureType too; its order of the query is not ours, what it signs is.
        let page = vector("sms_aliyun/o01-rpc-hmac-sha1");
        let params = page["output"]["params"].as_object().unwrap();
        let mut pairs: Vec<(&str, &str)> =
            params.iter().map(|(name, text)| (name.as_str(), text.as_str().unwrap())).collect();
        pairs.retain(|(name, _)| *name != "Signature");
        let query = query(&mut pairs);
        let signed = format!("GET&%2F&{}", utf8_percent_encode(&query, KEEP));
        assert_eq!(signed, page["output"]["string_to_sign"].as_str().unwrap());
        let secret = Secret::new(text(&page["config"]["access_key_secret"]));
        assert_eq!(rpc_signature(&secret, &query), page["output"]["signature"].as_str().unwrap());
        let without: Vec<&str> = query.split('&').filter(|pair| *pair != "SignatureType=").collect();
        let other = vector("sms_aliyun/o02-rpc-pop-core");
        assert_eq!(rpc_signature(&secret, &without.join("&")), other["output"]["signature"].as_str().unwrap());
    }
}
