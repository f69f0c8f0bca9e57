//! Payment gateways, from their specifications: each takes our payment requests and checks how they are signed, calls back,
//! answers questions and gives money back. Their reading of a specification is not the daemon's: nothing here uses a channel.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use data_encoding::BASE64;
use serde_json::{Value, json};

use super::pair::{Pair, chain};

/// One payment as the gateway has it.
#[derive(Debug, Clone, Default)]
pub struct Payment {
    pub amount: String,
    pub notify_url: String,
    /// Whatever else it must name again.
    pub extra: String,
    pub paid: bool,
    pub refunded: Vec<String>,
}

/// Which gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    EpayV1,
    EpayV2,
    Alipay,
    WeChat,
    UnionPay,
}

pub struct Gateway {
    pub family: Family,
    pub url: String,
    pub merchant: Pair,
    pub platform: Pair,
    /// UnionPay's own certificate, and what it leads to.
    pub certs: Option<[String; 3]>,
    payments: Mutex<BTreeMap<String, Payment>>,
    http: reqwest::Client,
}

/// Fields as sorted text, without empty ones and those named.
pub fn joined(fields: &BTreeMap<String, String>, without: &[&str]) -> String {
    let pairs = fields.iter().filter(|(name, text)| !without.contains(&name.as_str()) && !text.is_empty());
    pairs.map(|(name, text)| format!("{name}={text}")).collect::<Vec<_>>().join("&")
}

fn form(text: &str) -> BTreeMap<String, String> {
    let url = reqwest::Url::parse(&format!("http://x/?{text}")).unwrap();
    url.query_pairs().map(|(name, text)| (name.into_owned(), text.into_owned())).collect()
}

pub fn encoded(fields: &BTreeMap<String, String>) -> String {
    let mut url = reqwest::Url::parse("http://x/").unwrap();
    url.query_pairs_mut().extend_pairs(fields);
    url.query().unwrap_or_default().to_owned()
}

fn map<const N: usize>(pairs: [(&str, String); N]) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(name, text)| (name.to_owned(), text)).collect()
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

pub fn sha256(text: &str) -> String {
    hex(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes()).as_ref())
}

fn seconds() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// The APIv3 key, and the epay key.
pub const SECRET: &str = "0123456789abcdef0123456789abcdef";

impl Gateway {
    /// Starts one on a free port.
    pub async fn start(family: Family) -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let platform = Pair::new();
        let certs = (family == Family::UnionPay).then(|| chain(&platform));
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let merchant = Pair::new();
        let gateway = Arc::new(Self { family, url, merchant, platform, certs, payments: Mutex::default(), http });
        let app = axum::Router::new().fallback(take).with_state(Arc::clone(&gateway));
        tokio::spawn(async move { serve(listener, app).await });
        gateway
    }

    fn payments(&self) -> MutexGuard<'_, BTreeMap<String, Payment>> {
        self.payments.lock().unwrap()
    }

    /// A payment as it stands.
    pub fn payment(&self, number: &str) -> Payment {
        self.payments().get(number).cloned().unwrap_or_else(|| panic!("{number} was never asked for"))
    }

    /// The buyer pays; nobody is told.
    pub fn pay(&self, number: &str) {
        self.payments().get_mut(number).expect("asked for").paid = true;
    }

    /// The shop listens elsewhere since it was started again.
    pub fn moved(&self, number: &str, notify_url: &str) {
        notify_url.clone_into(&mut self.payments().get_mut(number).expect("asked for").notify_url);
    }

    /// Tells the shop: status and body of its answer.
    pub async fn call_back(&self, number: &str) -> (u16, String) {
        let payment = self.payment(number);
        let ask = match self.family {
            Family::EpayV1 | Family::EpayV2 => {
                self.http.get(format!("{}?{}", payment.notify_url, encoded(&self.epay(number, &payment))))
            }
            Family::Alipay => {
                let mut fields = map([
                    ("notify_type", "trade_status_sync".into()),
                    ("notify_id", "n1".into()),
                    ("app_id", "2021000000001234".into()),
                    ("seller_id", "2088000000000001".into()),
                    ("charset", "utf-8".into()),
                    ("out_trade_no", number.into()),
                    ("trade_no", format!("2026{number}")),
                    ("trade_status", "TRADE_SUCCESS".into()),
                    ("total_amount", payment.amount.clone()),
                    ("subject", "会员 月卡".into()),
                    ("sign_type", "RSA2".into()),
                ]);
                fields.insert("sign".into(), self.platform.sign(&joined(&fields, &["sign", "sign_type"])));
                self.http
                    .post(&payment.notify_url)
                    .header("content-type", "application/x-www-form-urlencoded")
                    .body(encoded(&fields))
            }
            Family::WeChat => {
                let (headers, body) = self.wechat_message(&self.transaction(number, &payment).to_string());
                let ask = self.http.post(&payment.notify_url).body(body).header("content-type", "application/json");
                headers.into_iter().fold(ask, |ask, (name, text)| ask.header(name, text))
            }
            Family::UnionPay => {
                let fields = self.union(number, &payment, "01", &[("respCode", "00")]);
                self.http
                    .post(&payment.notify_url)
                    .header("content-type", "application/x-www-form-urlencoded")
                    .body(encoded(&fields))
            }
        };
        let answer = ask.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    fn epay(&self, number: &str, payment: &Payment) -> BTreeMap<String, String> {
        let mut fields = map([
            ("pid", "1001".into()),
            ("trade_no", format!("2026{number}")),
            ("out_trade_no", number.into()),
            ("type", "alipay".into()),
            ("name", "order".into()),
            ("money", payment.amount.clone()),
            ("trade_status", "TRADE_SUCCESS".into()),
        ]);
        if self.family == Family::EpayV2 {
            fields.insert("timestamp".into(), seconds().to_string());
        }
        self.epay_signed(fields)
    }

    fn epay_signed(&self, mut fields: BTreeMap<String, String>) -> BTreeMap<String, String> {
        let text = joined(&fields, &["sign", "sign_type"]);
        let (sign, kind) = match self.family {
            Family::EpayV1 => (hex(&<md5::Md5 as md5::Digest>::digest(format!("{text}{SECRET}"))), "MD5"),
            _ => (self.platform.sign(&text), "RSA"),
        };
        fields.extend(map([("sign", sign), ("sign_type", kind.into())]));
        fields
    }

    fn transaction(&self, number: &str, payment: &Payment) -> Value {
        let state = if payment.paid { "SUCCESS" } else { "NOTPAY" };
        json!({"mchid": "1900000001", "appid": "wx0000000000000001", "out_trade_no": number, "transaction_id": format!("42{number}"),
            "trade_type": "NATIVE", "trade_state": state, "amount": {"total": payment.amount.parse::<i64>().unwrap(), "currency": "CNY"}})
    }

    /// Headers of an answer or notification over that body.
    fn wechat_headers(&self, body: &str) -> Vec<(&'static str, String)> {
        let (at, nonce) = (seconds(), "abcdefghijklmnop");
        vec![
            ("wechatpay-timestamp", at.to_string()),
            ("wechatpay-nonce", nonce.to_owned()),
            ("wechatpay-signature", self.platform.sign(&format!("{at}\n{nonce}\n{body}\n"))),
            ("wechatpay-serial", "PUB_KEY_ID_0100".to_owned()),
        ]
    }

    fn wechat_message(&self, inner: &str) -> (Vec<(&'static str, String)>, String) {
        use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, SECRET.as_bytes()).unwrap());
        let nonce = "qwertyuiopas";
        let mut sealed = inner.as_bytes().to_vec();
        let unique = Nonce::try_assume_unique_for_key(nonce.as_bytes()).unwrap();
        key.seal_in_place_append_tag(unique, Aad::from(b"transaction"), &mut sealed).unwrap();
        let resource = json!({"algorithm": "AEAD_AES_256_GCM", "ciphertext": BASE64.encode(&sealed), "nonce": nonce,
            "associated_data": "transaction", "original_type": "transaction"});
        let body = json!({"id": "e1", "event_type": "TRANSACTION.SUCCESS", "resource_type": "encrypt-resource", "resource": resource});
        (self.wechat_headers(&body.to_string()), body.to_string())
    }

    fn union(&self, number: &str, payment: &Payment, kind: &str, more: &[(&str, &str)]) -> BTreeMap<String, String> {
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

    /// Takes a payment in, if the merchant signed the request for it.
    fn asked(&self, number: &str, amount: &str, notify_url: &str, extra: &str) {
        let payment = Payment {
            amount: amount.to_owned(),
            notify_url: notify_url.to_owned(),
            extra: extra.to_owned(),
            ..Payment::default()
        };
        let known = self.payments().insert(number.to_owned(), payment);
        assert!(known.is_none(), "{number} was asked for twice");
    }

    fn refunds(&self, number: &str, refund: &str) {
        let mut payments = self.payments();
        let payment = payments.get_mut(number).expect("asked for");
        if payment.paid && !payment.refunded.iter().any(|known| known == refund) {
            payment.refunded.push(refund.to_owned());
        }
    }

    fn answer(&self, method: &Method, uri: &Uri, headers: &HeaderMap, body: &str) -> Result<Response, &'static str> {
        match self.family {
            Family::EpayV1 | Family::EpayV2 => self.answer_epay(uri, body),
            Family::Alipay => self.answer_alipay(method, uri, body),
            Family::WeChat => self.answer_wechat(method, uri, headers, body),
            Family::UnionPay => self.answer_union(uri, body),
        }
    }

    fn answer_epay(&self, uri: &Uri, body: &str) -> Result<Response, &'static str> {
        let mut fields = form(uri.query().unwrap_or_default());
        fields.extend(form(body));
        let get = |name: &str| fields.get(name).cloned().unwrap_or_default();
        let number = get("out_trade_no");
        let text = joined(&fields, &["sign", "sign_type"]);
        let right = match self.family {
            Family::EpayV1 if uri.path() == "/api.php" => get("key") == SECRET,
            Family::EpayV1 => get("sign") == hex(&<md5::Md5 as md5::Digest>::digest(format!("{text}{SECRET}"))),
            _ => {
                self.merchant.signed(&text, &get("sign"))
                    && get("timestamp").parse::<u64>().is_ok_and(|at| at.abs_diff(seconds()) < 300)
            }
        };
        if !right || get("pid") != "1001" {
            return Err("signature");
        }
        let done =
            |code: u8, more: Value| {
                let mut fields = map([("code", code.to_string()), ("timestamp", seconds().to_string())]);
                fields.extend(more.as_object().unwrap().iter().map(|(name, value)| {
                    (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned))
                }));
                axum::Json(self.epay_signed(fields)).into_response()
            };
        match (uri.path(), get("act").as_str()) {
            ("/submit.php" | "/api/pay/submit", _) => {
                self.asked(&number, &get("money"), &get("notify_url"), "");
                Ok("pay here".into_response())
            }
            ("/api/pay/create", _) => {
                self.asked(&number, &get("money"), &get("notify_url"), "");
                Ok(done(
                    0,
                    json!({"trade_no": "T", "pay_type": "qrcode", "pay_info": format!("weixin://pay/{number}")}),
                ))
            }
            ("/api.php", "order") if !self.payments().contains_key(&number) => {
                Ok(axum::Json(json!({"code": -1, "msg": "no such order"})).into_response())
            }
            ("/api/pay/query", _) | ("/api.php", "order") => {
                let payment = self.payment(&number);
                let code = if self.family == Family::EpayV1 { 1 } else { 0 };
                Ok(done(
                    code,
                    json!({"trade_no": format!("2026{number}"), "out_trade_no": number, "pid": "1001", "money": payment.amount,
                    "status": u8::from(payment.paid)}),
                ))
            }
            ("/api/pay/refund", _) => {
                self.refunds(&number, &get("out_refund_no"));
                Ok(done(0, json!({})))
            }
            ("/api.php", "refund") => {
                self.refunds(get("trade_no").strip_prefix("2026").unwrap_or_default(), "whole");
                Ok(done(0, json!({"msg": "refunded"})))
            }
            _ => Err("path"),
        }
    }

    fn answer_alipay(&self, method: &Method, uri: &Uri, body: &str) -> Result<Response, &'static str> {
        let fields = form(if *method == Method::GET { uri.query().unwrap_or_default() } else { body });
        let get = |name: &str| fields.get(name).cloned().unwrap_or_default();
        if !self.merchant.signed(&joined(&fields, &["sign"]), &get("sign")) || get("app_id") != "2021000000001234" {
            return Err("signature");
        }
        let content: Value = serde_json::from_str(&get("biz_content")).unwrap();
        let number = content["out_trade_no"].as_str().unwrap().to_owned();
        let inner = match get("method").as_str() {
            "alipay.trade.page.pay" | "alipay.trade.wap.pay" => {
                self.asked(&number, content["total_amount"].as_str().unwrap(), &get("notify_url"), "");
                return Ok("pay here".into_response());
            }
            "alipay.trade.precreate" => {
                self.asked(&number, content["total_amount"].as_str().unwrap(), &get("notify_url"), "");
                json!({"code": "10000", "msg": "Success", "out_trade_no": number, "qr_code": format!("https://qr.alipay.com/{number}")})
            }
            "alipay.trade.query" => match self.payment(&number) {
                payment if payment.paid => {
                    json!({"code": "10000", "out_trade_no": number, "trade_no": format!("2026{number}"),
                    "total_amount": payment.amount, "trade_status": "TRADE_SUCCESS"})
                }
                _ => {
                    json!({"code": "40004", "msg": "Business Failed", "sub_code": "ACQ.TRADE_NOT_EXIST", "sub_msg": "交易不存在"})
                }
            },
            "alipay.trade.refund" => {
                self.refunds(&number, content["out_request_no"].as_str().unwrap());
                json!({"code": "10000", "out_trade_no": number, "fund_change": "Y"})
            }
            _ => return Err("method"),
        };
        let name = get("method").replace('.', "_");
        // Slashes are escaped, as the gateway does: the signature is over this very text.
        let inner = inner.to_string().replace('/', "\\/");
        Ok(format!("{{\"{name}_response\":{inner},\"sign\":\"{}\"}}", self.platform.sign(&inner)).into_response())
    }

    fn answer_wechat(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: &str,
    ) -> Result<Response, &'static str> {
        let head = headers.get("authorization").and_then(|text| text.to_str().ok()).unwrap_or_default();
        let part = |name: &str| {
            head.split(&format!("{name}=\"")).nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default()
        };
        let text = format!("{method}\n{uri}\n{}\n{}\n{body}\n", part("timestamp"), part("nonce_str"));
        let right = head.starts_with("WECHATPAY2-SHA256-RSA2048 ") && self.merchant.signed(&text, part("signature"));
        if !right
            || part("serial_no") != "ABCDEF01"
            || headers.get("wechatpay-serial").is_none_or(|it| it != "PUB_KEY_ID_0100")
        {
            return Err("signature");
        }
        let wish: Value = serde_json::from_str(body).unwrap_or_default();
        let of = |name: &str| wish[name].as_str().unwrap_or_default().to_owned();
        let answer = match uri.path() {
            "/v3/pay/transactions/native" => {
                self.asked(&of("out_trade_no"), &wish["amount"]["total"].to_string(), &of("notify_url"), "");
                json!({"code_url": format!("weixin://wxpay/bizpayurl?pr={}", of("out_trade_no"))})
            }
            "/v3/refund/domestic/refunds" => {
                self.refunds(&of("out_trade_no"), &of("out_refund_no"));
                json!({"status": "PROCESSING", "out_refund_no": of("out_refund_no")})
            }
            path => {
                let number = path.strip_prefix("/v3/pay/transactions/out-trade-no/").ok_or("path")?;
                self.transaction(number, &self.payment(number))
            }
        };
        let answer = answer.to_string();
        let mut response = answer.clone().into_response();
        for (name, text) in self.wechat_headers(&answer) {
            response.headers_mut().insert(name, text.parse().unwrap());
        }
        Ok(response)
    }

    fn answer_union(&self, uri: &Uri, body: &str) -> Result<Response, &'static str> {
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
            "/query" => {
                let payment = self.payment(&number);
                assert_eq!(payment.extra, get("txnTime"), "asked with the payment's own time");
                let state = if payment.paid { "00" } else { "05" };
                (payment, "00", vec![("respCode", "00"), ("origRespCode", state), ("reqReserved", "{a=1&b=2}")])
            }
            "/back" => {
                let original = get("origQryId").strip_prefix("2026").unwrap_or_default().to_owned();
                self.refunds(&original, &number);
                (self.payment(&original), "04", vec![("respCode", "00")])
            }
            _ => return Err("path"),
        };
        let answer = self.union(&number, &payment, kind, &more);
        // Not percent-encoded.
        Ok(answer.iter().map(|(name, text)| format!("{name}={text}")).collect::<Vec<_>>().join("&").into_response())
    }
}

async fn take(
    State(gateway): State<Arc<Gateway>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let answer = gateway.answer(&method, &uri, &headers, std::str::from_utf8(&body).unwrap());
    answer.unwrap_or_else(|why| (StatusCode::UNAUTHORIZED, why).into_response())
}

/// A minimal server: axum's own is not built in.
pub async fn serve(listener: tokio::net::TcpListener, app: axum::Router) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let service = hyper_util::service::TowerToHyperService::new(app.clone());
        tokio::spawn(async move {
            let io = hyper_util::rt::TokioIo::new(stream);
            let _gone = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
        });
    }
}
