//! The settings of kind `paypal`.

use crate::channel::kit::{keys, rows};
use crate::domain::Text;
use crate::settings::{Form, Setting};

pub const CLIENT_ID: Setting = Setting::needed(
    Form::Line,
    "client_id",
    "the app's Client ID: developer.paypal.com → Apps & Credentials → the app (Live, not Sandbox)",
    "developer.paypal.com → Apps & Credentials → 应用(Live,不是 Sandbox)的 Client ID",
);
pub const CLIENT_SECRET: Setting =
    Setting::needed(Form::Secret, "client_secret", "the app's secret, beside it", "应用的 Secret,在同一页");
pub const WEBHOOK_ID: Setting = Setting::needed(
    Form::Line,
    "webhook_id",
    "the ID of the app's webhook, shown once the webhook was added there",
    "该应用的 Webhook ID,添加 webhook 之后可见",
);
pub const MERCHANT_ID: Setting = Setting::needed(
    Form::Line,
    "merchant_id",
    "PayPal merchant ID, 13 letters and digits: paypal.com → Account settings → Business information",
    "PayPal 商家 ID,13 位字母和数字:paypal.com → Account settings → Business information",
);
pub const VERIFY: Setting = Setting::choice(
    &["api", "local"],
    "verify",
    "api: PayPal is asked whether it sent a webhook; local: by its certificate, fetched once a day and followed to trust_root",
    "api:向 PayPal 核实每个 webhook;local:用 PayPal 的证书验签,证书每天下载一次,须属于 trust_root",
)
.asked();
pub const TRUST_ROOT: Setting = Setting::needed(
    Form::PublicFile,
    "trust_root",
    "the root certificate that PayPal's leads to (DigiCert's), PEM",
    "PayPal 证书所属的根证书(DigiCert),PEM",
)
.when("verify", "local");
pub const HOSTS: Setting = Setting::optional(
    Form::List("names of hosts"),
    "cert_url_hosts",
    "the only hosts a certificate is fetched from",
    "只从这些主机下载证书",
)
.or("[\"api.paypal.com\", \"api.sandbox.paypal.com\"]");
pub const TOLERANCE: Setting = Setting::optional(
    Form::Whole(300, 1_000_000),
    "transmission_time_tolerance_s",
    "how old a webhook may be, in seconds: PayPal repeats one for three days, with the first one's time",
    "webhook 最多多旧,秒:PayPal 会在三天内重发,时间仍是第一次的",
)
.or("345600");
pub const API_BASE: Setting = Setting::optional(
    Form::Address,
    "api_base",
    "PayPal's API; the sandbox's is https://api-m.sandbox.paypal.com, with the sandbox app's credentials and webhook",
    "PayPal 的 API;沙箱为 https://api-m.sandbox.paypal.com,使用沙箱应用的密钥和 webhook",
)
.or("https://api-m.paypal.com");
/// All of them.
pub const SETTINGS: &[&Setting] = &[
    &CLIENT_ID,
    &CLIENT_SECRET,
    &WEBHOOK_ID,
    &MERCHANT_ID,
    &VERIFY,
    &TRUST_ROOT,
    &HOSTS,
    &TOLERANCE,
    &API_BASE,
    &rows::SUBJECT,
    &rows::LARGE_BODY,
    &keys::GATEWAY,
];
/// Where the notify address is put in.
pub const CONSOLE: Text = Text::new(
    "developer.paypal.com → the app → Webhooks: add it, with Checkout order approved and Payment capture completed",
    "developer.paypal.com → 应用 → Webhooks:添加,勾选 Checkout order approved 和 Payment capture completed",
);
