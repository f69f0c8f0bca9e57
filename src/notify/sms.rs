//! Text messages through 阿里云短信 and 腾讯云短信. They carry no key: templates allow no free text, and numbers change hands; a
//! message says that the order is ready, and its page has the keys.
//!
//! Source: Tencent's API documents (SendSms of 2021-01-11 signed TC3-HMAC-SHA256), and requests that its SDKs signed.
//! Aliyun is in `aliyun.rs`.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::{digest, hmac};
use data_encoding::HEXLOWER;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::{Notifier, NotifierInputs, Way, stamp};
use crate::domain::text::bare_json;
use crate::domain::{Call, Millis, Reach, Response};
use crate::outbound::Outbound;
use crate::process::now;
use crate::settings::{Form, Secret, Setting, Values};
use crate::shop::{BuyerMessage, Refused};
use crate::vault;

const PATIENCE: Duration = Duration::from_secs(15);
/// The approved signature.
pub(super) const SIGN_NAME: Setting =
    Setting::needed(Form::Line, "sign_name", "the approved signature (签名)", "审核通过的签名");
/// What the template is filled with.
pub(super) const PARAMS: Setting = Setting::optional(
    Form::List("words of the template"),
    "params",
    "the template's variables: order, product, quantity, page, code",
    "模板的变量:order、product、quantity、page、code",
)
.or("[\"order\"]");
const SECRET_ID: Setting = Setting::needed(
    Form::Line,
    "secret_id",
    "SecretId of an account that may send text messages",
    "可以发短信的账户的 SecretId",
);
const SECRET_KEY: Setting = Setting::needed(Form::Token, "secret_key", "its SecretKey", "它的 SecretKey");
const APP: Setting =
    Setting::needed(Form::Line, "sdk_app_id", "SdkAppId of the text message application", "短信应用的 SdkAppId");
const TEMPLATE: Setting =
    Setting::needed(Form::Line, "template_id", "the approved template's number", "审核通过的模板编号");
const REGION: Setting =
    Setting::optional(Form::Line, "region", "the region of the API", "API 的地域").or("ap-guangzhou");
const ENDPOINT: Setting = endpoint("https://sms.tencentcloudapi.com");
/// The settings of kind `sms_tencent`.
pub(super) const SETTINGS: &[&Setting] =
    &[&SECRET_ID, &SECRET_KEY, &APP, &SIGN_NAME, &TEMPLATE, &PARAMS, &REGION, &ENDPOINT];
/// What a template may be filled with.
const WORDS: [&str; 5] = ["order", "product", "quantity", "page", "code"];

pub(super) fn sha256(text: &[u8]) -> String {
    HEXLOWER.encode(digest::digest(&digest::SHA256, text).as_ref())
}

pub(super) fn mac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

/// One provider.
pub(super) trait Provider: Send + Sync {
    /// The request that sends a message to a number of mainland China, with the template's words filled in.
    fn call(&self, number: &str, words: &[(String, String)], now: Millis, nonce: &str) -> Call;
    /// What its answer means.
    fn taken(&self, answer: &Response) -> Result<(), Refused>;
}

/// 腾讯云短信.
pub(super) struct Tencent {
    pub(super) endpoint: String,
    pub(super) id: String,
    pub(super) secret: Secret,
    pub(super) region: String,
    pub(super) app: String,
    pub(super) sign_name: String,
    pub(super) template: String,
}

impl Tencent {
    /// The header that signs a body, at that second.
    pub(super) fn authorization(&self, host: &str, body: &str, now: Millis) -> String {
        let (seconds, date) = (now / 1000, stamp(now, "%Y-%m-%d"));
        let head = format!("content-type:application/json\nhost:{host}\n");
        let canonical = format!("POST\n/\n\n{head}\ncontent-type;host\n{}", sha256(body.as_bytes()));
        let scope = format!("{date}/sms/tc3_request");
        let signed = format!("TC3-HMAC-SHA256\n{seconds}\n{scope}\n{}", sha256(canonical.as_bytes()));
        let key = mac(format!("TC3{}", self.secret.reveal()).as_bytes(), &date);
        let key = mac(&mac(&key, "sms"), "tc3_request");
        let signature = HEXLOWER.encode(&mac(&key, &signed));
        format!(
            "TC3-HMAC-SHA256 Credential={}/{scope}, SignedHeaders=content-type;host, Signature={signature}",
            self.id
        )
    }
}

impl Provider for Tencent {
    fn call(&self, number: &str, words: &[(String, String)], now: Millis, _nonce: &str) -> Call {
        let filled: Vec<&str> = words.iter().map(|(_, text)| text.as_str()).collect();
        let body = json!({
            "PhoneNumberSet": [format!("+86{number}")], "SmsSdkAppId": self.app, "SignName": self.sign_name,
            "TemplateId": self.template, "TemplateParamSet": filled,
        })
        .to_string();
        let host = self.endpoint.split("://").nth(1).unwrap_or_default().trim_end_matches('/');
        let headers = [
            ("authorization", self.authorization(host, &body, now)),
            ("content-type", "application/json".to_owned()),
            ("x-tc-action", "SendSms".to_owned()),
            ("x-tc-version", "2021-01-11".to_owned()),
            ("x-tc-region", self.region.clone()),
            ("x-tc-timestamp", (now / 1000).to_string()),
        ];
        let headers = headers.map(|(name, text)| (name.to_owned(), text)).to_vec();
        Call { method: "POST", url: self.endpoint.clone(), headers, body: body.into_bytes(), ..Call::default() }
    }

    fn taken(&self, answer: &Response) -> Result<(), Refused> {
        let said: Value = serde_json::from_slice(bare_json(&answer.body)).unwrap_or_default();
        let (said, status) = (&said["Response"], &said["Response"]["SendStatusSet"][0]);
        let of = |name: &str| status[name].as_str().or_else(|| said["Error"][name].as_str()).unwrap_or_default();
        let (code, words) = (of("Code"), format!("{} {} ({})", of("Code"), of("Message"), answer.status));
        match code {
            "Ok" => Ok(()),
            code if code.starts_with("LimitExceeded") || code.starts_with("RequestLimit") => {
                Err(Refused::Later(words, Some(60)))
            }
            code if code.starts_with("InternalError") || code.is_empty() => Err(Refused::Later(words, None)),
            _ => Err(Refused::Never(words)),
        }
    }
}

struct Sms<P> {
    provider: P,
    words: Vec<String>,
    outbound: Outbound,
}

/// Text messages through that provider.
pub(super) fn way(inputs: &NotifierInputs<'_>, provider: impl Provider + 'static, words: Vec<String>) -> Way {
    Way::Buyers(Arc::new(Sms { provider, words, outbound: inputs.outbound.clone() }))
}

impl<P: Provider> Notifier for Sms<P> {
    fn reach(&self) -> Reach {
        Reach::Phone
    }

    fn tell<'a>(&'a self, message: &'a BuyerMessage) -> BoxFuture<'a, Result<(), Refused>> {
        Box::pin(async move {
            let number = message.to.strip_prefix("+86").unwrap_or(&message.to);
            let fill = |word: &String| match word.as_str() {
                "order" => message.order.to_string(),
                "product" => message.product.clone(),
                "quantity" => message.quantity.to_string(),
                "code" => message.code.clone(),
                _ => message.page.clone(),
            };
            let words: Vec<(String, String)> = self.words.iter().map(|word| (word.clone(), fill(word))).collect();
            let later = |why: String| Refused::Later(why, None);
            let nonce = vault::chance().map_err(|error| later(error.to_string()))?;
            let call = self.provider.call(number, &words, now(), &format!("{nonce:032x}"));
            let answer = self.outbound.send(&call, PATIENCE).await.map_err(later)?;
            self.provider.taken(&answer)
        })
    }
}

/// What the template is filled with.
pub(super) fn words(v: &mut Values<'_>) -> Vec<String> {
    let words: Vec<String> = v.list(&PARAMS);
    if words.iter().any(|word| !WORDS.contains(&word.as_str())) {
        v.reject(&PARAMS, format!("each one of {}; keys are not among them", WORDS.join(", ")));
    }
    if v.has(&PARAMS) { words } else { vec!["order".to_owned()] }
}

/// Where the API is.
pub(super) const fn endpoint(default: &'static str) -> Setting {
    Setting::optional(Form::Https("https://…"), "endpoint", "where the API is", "API 的地址").or(default)
}

pub(super) fn build(inputs: &NotifierInputs<'_>, v: &mut Values<'_>) -> Option<Way> {
    let (endpoint, id, secret) = (v.text(&ENDPOINT), v.text(&SECRET_ID), v.secret(&SECRET_KEY));
    let (region, app, sign_name) = (v.text(&REGION), v.text(&APP), v.text(&SIGN_NAME));
    let (template, words) = (v.text(&TEMPLATE), words(v));
    let provider = Tencent {
        endpoint: endpoint?,
        id: id?,
        secret: secret?,
        region: region?,
        app: app?,
        sign_name: sign_name?,
        template: template?,
    };
    Some(way(inputs, provider, words))
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

    #[test]
    fn tencent_is_signed_as_its_sdks_sign() {
        let page = vector("sms_tencent/o01-tc3");
        let config = |name: &str| text(&page["config"][name]);
        let provider = Tencent {
            endpoint: "https://sms.tencentcloudapi.com".to_owned(),
            id: config("secret_id"),
            secret: Secret::new(config("secret_key")),
            region: config("region"),
            app: config("sdk_app_id"),
            sign_name: config("sign_name"),
            template: config("template_id"),
        };
        let now = page["input"]["timestamp"].as_u64().unwrap() * 1000;
        let host = text(&page["output"]["host"]);
        let signed = |body: &Value| provider.authorization(&host, body.as_str().unwrap(), now);
        assert_eq!(signed(&page["input"]["body_text"]), page["output"]["headers"]["Authorization"]);
        assert_eq!(signed(&page["also"]["body_text"]), page["also"]["authorization"]);
        let words = ["A1B2-C3D4", "5"].map(|word| ("x".to_owned(), word.to_owned()));
        let call = provider.call("13800138000", &words, now, "");
        let ours: Value = serde_json::from_slice(&call.body).unwrap();
        assert_eq!(ours, serde_json::from_str::<Value>(page["also"]["body_text"].as_str().unwrap()).unwrap());
        let answer = |body: Value| {
            provider.taken(&Response { status: 200, headers: Vec::new(), body: body.to_string().into_bytes() })
        };
        assert_eq!(answer(json!({"Response": {"SendStatusSet": [{"Code": "Ok"}]}})), Ok(()));
        let limited = answer(json!({"Response": {"SendStatusSet": [{"Code": "LimitExceeded.PhoneNumberDailyLimit"}]}}));
        assert!(matches!(limited, Err(Refused::Later(..))));
        let wrong = answer(json!({"Response": {"Error": {"Code": "AuthFailure.SignatureFailure", "Message": "x"}}}));
        assert!(matches!(wrong, Err(Refused::Never(why)) if why.contains("AuthFailure")));
    }
}
