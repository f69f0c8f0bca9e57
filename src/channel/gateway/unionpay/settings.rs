//! The settings of kind `unionpay`.

use crate::channel::kit::{keys, rows};
use crate::settings::{Form, Setting};

/// The name in UnionPay's own certificates.
pub const PRODUCTION: &str = "中国银联股份有限公司";

pub const MER_ID: Setting =
    Setting::needed(Form::Number, "mer_id", "merchant number (商户号), 15 letters and digits", "商户号,15 位");
pub const SIGN_CERT: Setting = Setting::needed(
    Form::PublicFile,
    "sign_cert",
    "your certificate, PEM: openssl pkcs12 -in merchant.pfx -clcerts -nokeys -out merchant.pem (-legacy if it says unsupported)",
    "商户证书,PEM:openssl pkcs12 -in merchant.pfx -clcerts -nokeys -out merchant.pem(提示 unsupported 时加 -legacy)",
);
pub const SIGN_KEY: Setting = Setting::needed(
    Form::PrivateKey,
    "sign_key",
    "its private key, PEM: openssl pkcs12 -in merchant.pfx -nocerts -nodes -out merchant.key",
    "商户私钥,PEM:openssl pkcs12 -in merchant.pfx -nocerts -nodes -out merchant.key",
);
pub const ROOT: Setting = Setting::needed(
    Form::PublicFile,
    "root_cert",
    "acp_prod_root.cer: open.unionpay.com → 帮助中心 → 下载 → 证书 (production and test differ)",
    "acp_prod_root.cer:open.unionpay.com → 帮助中心 → 下载 → 证书(生产和测试不同)",
);
pub const MIDDLE: Setting = Setting::needed(
    Form::PublicFile,
    "middle_cert",
    "acp_prod_middle.cer, from the same page",
    "acp_prod_middle.cer,在同一页下载",
);
pub const PAY: Setting = Setting::choice(
    &["form", "qr"],
    "pay",
    "form: the gateway's own page; qr: a code on the order's page (二维码支付, 主扫: it must be opened for the account)",
    "form:跳转银联网关页面;qr:订单页上的二维码(主扫,须开通二维码支付)",
)
.asked();
pub const MOBILE: Setting = Setting::optional(
    Form::Flag,
    "mobile",
    "true: the form is for phones (channelType 08)",
    "true:手机上的页面(channelType 08)",
)
.or("false");
pub const VERIFY_CN: Setting = Setting::optional(
    Form::Line,
    "verify_cn",
    "whose certificate callbacks carry; the test environment's: 00040000:SIGN",
    "回调所带证书的名称;测试环境为 00040000:SIGN",
)
.or(PRODUCTION);
pub const FRONT_URL: Setting = url(
    "front_url",
    "https://…/frontTransReq.do",
    "where the form goes; test: https://gateway.test.95516.com/gateway/api/frontTransReq.do",
    "表单提交的地址;测试:https://gateway.test.95516.com/gateway/api/frontTransReq.do",
)
.or("https://gateway.95516.com/gateway/api/frontTransReq.do");
pub const QUERY_URL: Setting = url(
    "query_url",
    "https://…/queryTrans.do",
    "where payments are asked about; test: https://gateway.test.95516.com/gateway/api/queryTrans.do",
    "查询的地址;测试:https://gateway.test.95516.com/gateway/api/queryTrans.do",
)
.or("https://gateway.95516.com/gateway/api/queryTrans.do");
pub const BACK_URL: Setting = url(
    "back_url",
    "https://…/backTransReq.do",
    "where codes and refunds are asked for; test: https://gateway.test.95516.com/gateway/api/backTransReq.do",
    "二维码和退款的地址;测试:https://gateway.test.95516.com/gateway/api/backTransReq.do",
)
.or("https://gateway.95516.com/gateway/api/backTransReq.do");
pub const CERT_ID: Setting = Setting::optional(
    Form::Line,
    "cert_id",
    "the serial number of sign_cert, and nothing else; left out: it is read there",
    "sign_cert 的序列号,只能是它;不写则从证书读取",
);
pub const VERSION: Setting = Setting::only("5.1.0", "version");
pub const SIGN_METHOD: Setting = Setting::only("01", "sign_method");
pub const ENCODING: Setting = Setting::only("UTF-8", "encoding");
pub const GATEWAY_CERT: Setting = Setting::optional(
    Form::File(1 << 16),
    "gateway_cert_file",
    "the certificate of gateway_private_key, for tests and load alone",
    "gateway_private_key 的证书,仅供测试和压测",
);
/// All of them.
pub const SETTINGS: &[&Setting] = &[
    &MER_ID,
    &SIGN_CERT,
    &SIGN_KEY,
    &ROOT,
    &MIDDLE,
    &PAY,
    &MOBILE,
    &VERIFY_CN,
    &FRONT_URL,
    &QUERY_URL,
    &BACK_URL,
    &rows::SUBJECT,
    &rows::BODY,
    &CERT_ID,
    &VERSION,
    &SIGN_METHOD,
    &ENCODING,
    &keys::GATEWAY,
    &GATEWAY_CERT,
];

const fn url(key: &'static str, wanted: &'static str, en: &'static str, zh: &'static str) -> Setting {
    Setting::optional(Form::Https(wanted), key, en, zh)
}
