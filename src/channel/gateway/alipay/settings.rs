//! The settings of kind `alipay`.

use crate::channel::kit::{keys, rows};
use crate::domain::Text;
use crate::settings::{Form, Setting};

pub const APP_ID: Setting = Setting::needed(
    Form::Number,
    "app_id",
    "the application's number, 16 digits: open.alipay.com → 控制台 → the application",
    "应用的 APPID,16 位数字:open.alipay.com → 控制台",
);
pub const SELLER_ID: Setting = Setting::needed(
    Form::Number,
    "seller_id",
    "your PID, 16 digits from 2088: 账号中心 → 合作伙伴管理",
    "PID,2088 开头的 16 位数字:账号中心 → 合作伙伴管理",
);
pub const MODE: Setting = Setting::choice(
    &["public_key", "cert"],
    "mode",
    "how the application signs (接口加签方式): with public keys or certificates",
    "接口加签方式:public_key(公钥)或 cert(证书)",
)
.asked();
pub const APP_KEY: Setting = Setting::needed(
    Form::PrivateKey,
    "app_private_key",
    "a file with the application's private key (应用私钥), from the key tool: bare base64 or PEM, PKCS#1 or PKCS#8",
    "应用私钥文件,由支付宝密钥工具生成:base64 或 PEM,PKCS#1 或 PKCS#8",
);
pub const ALIPAY_KEY: Setting = Setting::needed(
    Form::PublicFile,
    "alipay_public_key",
    "a file with Alipay's public key: 开发设置 → 接口加签方式 → 支付宝公钥, not 应用公钥, which is your own",
    "支付宝公钥文件:开发设置 → 接口加签方式 → 支付宝公钥(不是应用公钥,那是您自己的)",
)
.when("mode", "public_key");
pub const APP_CERT: Setting = Setting::needed(
    Form::PublicFile,
    "app_cert",
    "appCertPublicKey_….crt, from 接口加签方式",
    "appCertPublicKey_….crt,在接口加签方式下载",
)
.when("mode", "cert");
pub const ALIPAY_CERT: Setting = Setting::needed(
    Form::PublicFile,
    "alipay_cert",
    "alipayCertPublicKey_RSA2.crt, from the same page",
    "alipayCertPublicKey_RSA2.crt,在同一页下载",
)
.when("mode", "cert");
pub const ROOT_CERT: Setting = Setting::needed(
    Form::PublicFile,
    "alipay_root_cert",
    "alipayRootCert.crt, from the same page",
    "alipayRootCert.crt,在同一页下载",
)
.when("mode", "cert");
pub const PAY: Setting = Setting::choice(
    &["page", "wap", "qr"],
    "pay",
    "page (电脑网站支付), wap (手机网站支付) or qr (当面付, a code on the order's page); it must be signed for",
    "page(电脑网站支付)、wap(手机网站支付)或 qr(当面付,订单页上的二维码);须已签约",
)
.asked();
pub const GATEWAY_URL: Setting = Setting::optional(
    Form::Https("https://…/gateway.do"),
    "gateway_url",
    "Alipay's gateway; the sandbox's is https://openapi-sandbox.dl.alipaydev.com/gateway.do, with the sandbox application's keys",
    "支付宝网关;沙箱为 https://openapi-sandbox.dl.alipaydev.com/gateway.do,使用沙箱应用的密钥",
)
.or("https://openapi.alipay.com/gateway.do");
pub const SUBJECT: Setting = Setting::optional(
    Form::Prose,
    "subject",
    "what Alipay shows, at most 128 characters without / = &; never a buyer's text",
    "支付宝显示的名称,最多 128 个字符,不含 / = &;不会是买家填写的内容",
)
.or("order");
pub const SIGN_TYPE: Setting = Setting {
    help: Text::new("this, and nothing else: RSA is SHA-1", "只能是这个值:RSA 为 SHA-1"),
    ..Setting::only("RSA2", "sign_type")
};
pub const CHARSET: Setting = Setting::optional(
    Form::Line,
    "charset",
    "this, and nothing else: what Alipay sends in GBK is read all the same",
    "只能是这个值:支付宝以 GBK 发来的也能读",
)
.or("utf-8");
/// All of them.
pub const SETTINGS: &[&Setting] = &[
    &APP_ID,
    &SELLER_ID,
    &MODE,
    &APP_KEY,
    &ALIPAY_KEY,
    &APP_CERT,
    &ALIPAY_CERT,
    &ROOT_CERT,
    &PAY,
    &GATEWAY_URL,
    &SUBJECT,
    &SIGN_TYPE,
    &CHARSET,
    &rows::BODY,
    &keys::GATEWAY,
];
