//! The settings of kind `wechat_v3`.

use crate::channel::kit::{keys, rows};
use crate::settings::{Form, Setting};

pub const MCHID: Setting = Setting::needed(
    Form::Number,
    "mchid",
    "merchant number (商户号), 8 to 10 digits: pay.weixin.qq.com → 账户中心",
    "商户号,8 到 10 位数字:pay.weixin.qq.com → 账户中心",
);
pub const APPID: Setting = Setting::needed(
    Form::Number,
    "appid",
    "the APPID that is bound to it under 产品中心, such as wx0123456789abcdef",
    "产品中心里与商户号绑定的 APPID,如 wx0123456789abcdef",
);
pub const APIV3_KEY: Setting = Setting::needed(
    Form::Token,
    "apiv3_key",
    "APIv3密钥, 32 characters: 账户中心 → API安全; not the older APIv2 key",
    "APIv3密钥,32 个字符:账户中心 → API安全(不是 APIv2 密钥)",
);
pub const SERIAL: Setting = Setting::needed(
    Form::Number,
    "merchant_serial",
    "your certificate's serial number, 40 hexadecimal digits: API安全 → 商户API证书 → 证书序列号",
    "证书序列号,40 位十六进制:API安全 → 商户API证书",
);
pub const MERCHANT_KEY: Setting = Setting::needed(
    Form::PrivateKey,
    "merchant_private_key",
    "apiclient_key.pem, made with that certificate",
    "apiclient_key.pem,与商户API证书一同生成",
);
pub const MODE: Setting = Setting::choice(
    &["public_key", "platform_cert"],
    "mode",
    "how WeChat Pay signs: its public key (微信支付公钥) or platform certificates (平台证书)",
    "微信支付的验签方式:public_key(微信支付公钥)或 platform_cert(平台证书)",
)
.asked();
pub const PLATFORM_KEY: Setting = Setting::needed(
    Form::PublicFile,
    "platform_public_key",
    "pub_key.pem, WeChat Pay's public key (微信支付公钥), from the same page",
    "pub_key.pem,即微信支付公钥,在同一页下载",
)
.when("mode", "public_key")
.with("platform_public_key_id");
pub const KEY_ID: Setting = Setting::needed(
    Form::Line,
    "platform_public_key_id",
    "the ID of its public key, PUB_KEY_ID_…: API安全 → 微信支付公钥",
    "公钥ID,PUB_KEY_ID_…:API安全 → 微信支付公钥",
)
.when("mode", "public_key");
pub const PLATFORM_CERT: Setting = Setting::optional(
    Form::PublicFile,
    "platform_cert",
    "a file with the platform certificates, PEM, one behind the other; empty: they are fetched and followed",
    "平台证书文件,PEM(可以有多张,依次放在一起);留空则自动下载并跟随更换",
)
.when("mode", "platform_cert")
.asked();
pub const PAY: Setting = Setting::choice(
    &["native", "h5"],
    "pay",
    "native: a code on the order's page; h5: a phone's browser, the domain registered",
    "native:订单页上的二维码;h5:手机浏览器(须登记域名)",
)
.asked();
pub const TOLERANCE: Setting = rows::tolerance("timestamp_tolerance_s");
pub const API_URL: Setting =
    Setting::optional(Form::Https("https://…"), "api_url", "WeChat Pay's API", "微信支付的 API")
        .or("https://api.mch.weixin.qq.com");
pub const FETCH: Setting = Setting::optional(
    Form::Flag,
    "fetch_platform_certs",
    "true: platform certificates are fetched beside those that are given; left out: where mode is platform_cert and none is given",
    "true:除已给出的平台证书外也自动下载;不写则在 mode 为 platform_cert 且未给出证书时下载",
);
pub const CERTS: Setting = Setting::optional(
    Form::Tables,
    "platform_certs",
    "the same as platform_cert, each a table with serial and pem or pem_file",
    "同 platform_cert,每张证书一个表:serial 和 pem 或 pem_file",
);
/// All of them.
pub const SETTINGS: &[&Setting] = &[
    &MCHID,
    &APPID,
    &APIV3_KEY,
    &SERIAL,
    &MERCHANT_KEY,
    &MODE,
    &PLATFORM_KEY,
    &KEY_ID,
    &PLATFORM_CERT,
    &PAY,
    &TOLERANCE,
    &rows::SUBJECT,
    &API_URL,
    &FETCH,
    &CERTS,
    &rows::BODY,
    &keys::GATEWAY,
];

/// One of [`CERTS`].
pub const PEM: Setting = Setting::needed(Form::PublicFile, "pem", "a platform certificate, PEM", "一张平台证书,PEM");
/// Its number, as the console shows it.
pub const CERT_SERIAL: Setting =
    Setting::optional(Form::Line, "serial", "its serial number, for whoever reads", "证书序列号,仅供阅读");
