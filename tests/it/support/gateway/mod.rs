//! Payment gateways, from their specifications: each takes our payment requests and checks how they are signed, calls back,
//! answers questions and gives money back. Their reading of a specification is not the daemon's: nothing here uses a channel.

mod alipay;
mod epay;
mod unionpay;
mod wechat;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use tower::ServiceExt as _;

use super::delivery::Simulator;
use super::pair::{Pair, chain};

/// One payment as the gateway has it.
#[derive(Debug, Clone, Default)]
pub struct Payment {
    pub amount: String,
    pub notify_url: String,
    /// Whatever else it must name again.
    pub extra: String,
    pub paid: bool,
    /// The merchant's numbers of what was given back.
    pub refunded: Vec<String>,
    /// How often a refund was asked for, and with what time at last, where that names it.
    pub refunds_asked: usize,
    pub refund_time: String,
}

/// What a refund comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refund {
    Given,
    /// It was given under this very number before.
    Known,
    /// There is nothing to give back, or nothing left.
    Nothing,
}

/// What becomes of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Nothing of what was asked for is done, and the connection ends.
    Deaf,
    /// Nothing of what was asked for is done, and a proxy in front says that it cannot reach it.
    Trouble,
    /// What was asked for is done, and the connection ends without a word of it.
    Lost,
    /// What was asked for is done, and nothing is said for as long as the asker waits.
    Held,
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

impl Family {
    pub const ALL: [Self; 5] = [Self::EpayV1, Self::EpayV2, Self::Alipay, Self::WeChat, Self::UnionPay];

    /// The kind of channel that leads to it.
    pub fn word(self) -> &'static str {
        match self {
            Self::EpayV1 => "epay_v1",
            Self::EpayV2 => "epay_v2",
            Self::Alipay => "alipay",
            Self::WeChat => "wechat_v3",
            Self::UnionPay => "unionpay",
        }
    }
}

pub struct Gateway {
    pub family: Family,
    pub url: String,
    pub merchant: Pair,
    pub platform: Pair,
    /// UnionPay's own certificate, and what it leads to.
    pub certs: Option<[String; 3]>,
    payments: Mutex<BTreeMap<String, Payment>>,
    fate: Mutex<Option<Fate>>,
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

/// When an attempt is made. The gaps between attempts are shortened: the gateway's clock goes on by a second with each, so
/// that one has another time than the last.
pub fn stamp(attempt: usize) -> u64 {
    seconds() + attempt as u64
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
        let (payments, fate) = (Mutex::default(), Mutex::default());
        let gateway = Arc::new(Self { family, url, merchant, platform, certs, payments, fate, http });
        let app = axum::Router::new().fallback(take).with_state(Arc::clone(&gateway));
        tokio::spawn(async move { serve(listener, app).await });
        gateway
    }

    fn payments(&self) -> MutexGuard<'_, BTreeMap<String, Payment>> {
        self.payments.lock().unwrap()
    }

    /// Whether it was ever asked for that payment.
    fn knows(&self, number: &str) -> bool {
        self.payments().contains_key(number)
    }

    /// A payment as it stands.
    pub fn payment(&self, number: &str) -> Payment {
        self.payments().get(number).cloned().unwrap_or_else(|| panic!("{number} was never asked for"))
    }

    /// The shop listens elsewhere since it was started again.
    pub fn moved(&self, number: &str, notify_url: &str) {
        notify_url.clone_into(&mut self.payments().get_mut(number).expect("asked for").notify_url);
    }

    /// Tells the shop once: status and body of its answer.
    pub async fn call_back(&self, number: &str) -> (u16, String) {
        let answer = self.http.execute(self.notice(number, 0)).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// A payment that was asked for somewhere else, and made.
    pub fn bought(&self, number: &str, amount: &str) {
        self.asked(number, amount, "", "");
        self.pay(number);
    }

    /// What becomes of the next answer, to whatever the shop asks.
    pub fn next_answer(&self, fate: Fate) {
        *self.fate.lock().unwrap() = Some(fate);
    }

    fn posted(&self, payment: &Payment, fields: &BTreeMap<String, String>) -> reqwest::RequestBuilder {
        let ask = self.http.post(&payment.notify_url).header("content-type", "application/x-www-form-urlencoded");
        ask.body(encoded(fields))
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

    /// Gives a whole payment back under that number of the merchant's.
    fn refunds(&self, number: &str, refund: &str) -> Refund {
        let mut payments = self.payments();
        let payment = payments.get_mut(number).expect("asked for");
        payment.refunds_asked += 1;
        if payment.refunded.iter().any(|known| known == refund) {
            return Refund::Known;
        }
        if !payment.paid || !payment.refunded.is_empty() {
            return Refund::Nothing;
        }
        payment.refunded.push(refund.to_owned());
        Refund::Given
    }

    fn answer(&self, method: &Method, uri: &Uri, headers: &HeaderMap, body: &str) -> Result<Response, &'static str> {
        match self.family {
            Family::EpayV1 | Family::EpayV2 => self.answer_epay(uri, body),
            Family::Alipay => self.answer_alipay(method, uri, body),
            Family::WeChat => self.answer_wechat(method, uri, headers, body),
            Family::UnionPay => self.answer_union(uri, body),
        }
    }
}

impl Simulator for Gateway {
    fn kind(&self) -> &'static str {
        self.family.word()
    }

    fn notice(&self, number: &str, attempt: usize) -> reqwest::Request {
        let payment = self.payment(number);
        let ask = match self.family {
            Family::EpayV1 | Family::EpayV2 => {
                let fields = self.epay(number, &payment, attempt);
                self.http.get(format!("{}?{}", payment.notify_url, encoded(&fields)))
            }
            Family::Alipay => self.posted(&payment, &self.alipay(number, &payment, attempt)),
            Family::WeChat => {
                let (headers, body) = self.wechat_message(number, &payment, attempt);
                let ask = self.http.post(&payment.notify_url).body(body).header("content-type", "application/json");
                headers.into_iter().fold(ask, |ask, (name, text)| ask.header(name, text))
            }
            Family::UnionPay => self.posted(&payment, &self.union(number, &payment, "01", &[("respCode", "00")])),
        };
        ask.build().unwrap()
    }

    fn pay(&self, number: &str) {
        self.payments().get_mut(number).expect("asked for").paid = true;
    }

    fn taken(&self) -> usize {
        self.payments().len()
    }
}

async fn take(
    State(gateway): State<Arc<Gateway>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let fate = gateway.fate.lock().unwrap().take();
    let answer = match fate {
        Some(Fate::Deaf) => Ok(Response::default()),
        Some(Fate::Trouble) => Ok((StatusCode::BAD_GATEWAY, "<html>502 Bad Gateway</html>").into_response()),
        _ => gateway.answer(&method, &uri, &headers, std::str::from_utf8(&body).unwrap()),
    };
    let mut answer = answer.unwrap_or_else(|why| (StatusCode::UNAUTHORIZED, why).into_response());
    if let Some(fate) = fate {
        answer.extensions_mut().insert(fate);
    }
    answer
}

/// A minimal server: axum's own is not built in. An answer with a [`Fate`] does not arrive.
pub async fn serve(listener: tokio::net::TcpListener, app: axum::Router) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let app = app.clone();
        let service = hyper::service::service_fn(move |request| {
            let app = app.clone();
            async move {
                let answer = app.oneshot(request).await.unwrap();
                match answer.extensions().get::<Fate>() {
                    None | Some(Fate::Trouble) => Ok(answer),
                    Some(Fate::Lost | Fate::Deaf) => Err(std::io::Error::other("lost")),
                    Some(Fate::Held) => std::future::pending().await,
                }
            }
        });
        tokio::spawn(async move {
            let io = hyper_util::rt::TokioIo::new(stream);
            let _gone = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
        });
    }
}
