//! What an operator is asked for when a channel is added: the settings without which a kind cannot work, and those that
//! are chosen most often. Everything else has a default, and stands in docs/channels.

/// A text in English and in Chinese.
pub type Both = (&'static str, &'static str);

/// How a setting is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A line of text.
    Text,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A line that nobody may see.
    Secret,
    /// A file with a private key.
    PrivateFile,
    /// A file with a public key or certificates.
    PublicFile,
}

impl Form {
    /// Whether what is answered stands in a file of its own, which the section names.
    #[must_use]
    pub fn is_filed(self) -> bool {
        matches!(self, Self::Secret | Self::PrivateFile | Self::PublicFile)
    }
}

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    /// Its name in the section; where it stands in a file, the section says `<key>_file`.
    pub key: &'static str,
    /// How it is answered.
    pub form: Form,
    /// What it is and where it is found.
    pub what: Both,
    /// What stands where nothing is answered.
    pub default: Option<&'static str>,
    /// It may be left out.
    pub optional: bool,
    /// Asked only where that setting has that value.
    pub when: Option<(&'static str, &'static str)>,
    /// What is wrong with it shows only once that setting is answered too.
    pub with: Option<&'static str>,
}

/// What a kind asks.
#[derive(Debug, Clone, Copy)]
pub struct Asks {
    /// Its settings, in the order in which they are asked: what is compared with another setting comes after it.
    pub settings: &'static [Ask],
    /// Where the notify address is to be put in; `None` where it is sent with every payment.
    pub console: Option<Both>,
}

const fn ask(form: Form, key: &'static str, en: &'static str, zh: &'static str) -> Ask {
    Ask { key, form, what: (en, zh), default: None, optional: false, when: None, with: None }
}

const fn text(key: &'static str, en: &'static str, zh: &'static str) -> Ask {
    ask(Form::Text, key, en, zh)
}

const fn secret(key: &'static str, en: &'static str, zh: &'static str) -> Ask {
    ask(Form::Secret, key, en, zh)
}

/// A choice whose first word is the default.
const fn choice(key: &'static str, words: &'static [&'static str], en: &'static str, zh: &'static str) -> Ask {
    Ask { default: words.first().copied(), ..ask(Form::Choice(words), key, en, zh) }
}

impl Ask {
    const fn or(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }

    const fn optional(self) -> Self {
        Self { optional: true, ..self }
    }

    const fn when(self, key: &'static str, is: &'static str) -> Self {
        Self { when: Some((key, is)), ..self }
    }

    const fn with(self, key: &'static str) -> Self {
        Self { with: Some(key), ..self }
    }
}

const GATEWAY: Ask =
    text("gateway_url", "the gateway's address, such as https://pay.example/", "网关地址,如 https://pay.example/");
const PAY_TYPE: Ask = text(
    "pay_type",
    "alipay, wxpay, qqpay, bank; empty: the gateway's own choice",
    "支付方式:alipay、wxpay、qqpay、bank;留空由网关的收银台选择",
)
.optional();
const TOKEN: Ask = secret(
    "api_token",
    "the token that signs: api_auth_token in epusdt's .env",
    "签名用的密钥:epusdt 的 .env 里的 api_auth_token",
);

/// 易支付 V1.
pub const EPAY_V1: Asks = Asks {
    settings: &[
        GATEWAY,
        text("pid", "merchant number (商户ID), in the gateway's console", "商户ID,在网关的商户后台"),
        secret("key", "merchant key (商户密钥), beside it", "商户密钥,与商户ID在同一页"),
        PAY_TYPE,
    ],
    console: None,
};

/// 易支付 V2.
pub const EPAY_V2: Asks = Asks {
    settings: &[
        GATEWAY,
        text("pid", "merchant number (商户ID), in the console under API", "商户ID,商户后台的 API 信息页"),
        ask(
            Form::PrivateFile,
            "merchant_private_key",
            "a file with your private key (商户私钥) of the pair made in the console",
            "商户私钥文件(后台生成的密钥对中的私钥)",
        ),
        ask(
            Form::PublicFile,
            "platform_public_key",
            "a file with the platform's public key (平台公钥), from the same page",
            "平台公钥文件,在同一页",
        ),
        PAY_TYPE,
        choice(
            "pay",
            &["page", "qr"],
            "page: the gateway's page; qr: a code on the order's page",
            "page:网关的页面;qr:订单页上的二维码",
        ),
    ],
    console: None,
};

/// 支付宝.
pub const ALIPAY: Asks = Asks {
    settings: &[
        text("app_id", "the application's number: open.alipay.com → 控制台", "应用的 APPID:open.alipay.com → 控制台"),
        text(
            "seller_id",
            "your PID, 16 digits from 2088: 账号中心 → 合作伙伴管理",
            "PID,2088 开头的 16 位数字:账号中心 → 合作伙伴管理",
        ),
        choice(
            "mode",
            &["public_key", "cert"],
            "how the application signs (接口加签方式): with public keys or certificates",
            "接口加签方式:public_key(公钥)或 cert(证书)",
        ),
        ask(
            Form::PrivateFile,
            "app_private_key",
            "a file with the application's private key (应用私钥), from the key tool",
            "应用私钥文件,由支付宝密钥工具生成",
        ),
        ask(
            Form::PublicFile,
            "alipay_public_key",
            "a file with Alipay's public key: 开发设置 → 接口加签方式 → 支付宝公钥, not 应用公钥",
            "支付宝公钥文件:开发设置 → 接口加签方式 → 支付宝公钥(不是应用公钥)",
        )
        .when("mode", "public_key"),
        ask(
            Form::PublicFile,
            "app_cert",
            "appCertPublicKey_….crt, from 接口加签方式",
            "appCertPublicKey_….crt,在接口加签方式下载",
        )
        .when("mode", "cert"),
        ask(
            Form::PublicFile,
            "alipay_cert",
            "alipayCertPublicKey_RSA2.crt, from the same page",
            "alipayCertPublicKey_RSA2.crt,在同一页下载",
        )
        .when("mode", "cert"),
        ask(
            Form::PublicFile,
            "alipay_root_cert",
            "alipayRootCert.crt, from the same page",
            "alipayRootCert.crt,在同一页下载",
        )
        .when("mode", "cert"),
        choice(
            "pay",
            &["page", "wap", "qr"],
            "page (电脑网站支付), wap (手机网站支付) or qr (当面付); it must be signed for",
            "page(电脑网站支付)、wap(手机网站支付)或 qr(当面付);须已签约",
        ),
    ],
    console: None,
};

/// 微信支付 v3.
pub const WECHAT_V3: Asks = Asks {
    settings: &[
        text("mchid", "merchant number (商户号): pay.weixin.qq.com → 账户中心", "商户号:pay.weixin.qq.com → 账户中心"),
        text("appid", "the APPID that is bound to it under 产品中心, wx…", "产品中心里与商户号绑定的 APPID,wx…"),
        secret(
            "apiv3_key",
            "APIv3密钥, 32 characters: 账户中心 → API安全; not the older APIv2 key",
            "APIv3密钥,32 个字符:账户中心 → API安全(不是 APIv2 密钥)",
        ),
        text(
            "merchant_serial",
            "your certificate's serial number: API安全 → 商户API证书 → 证书序列号",
            "证书序列号:API安全 → 商户API证书",
        ),
        ask(
            Form::PrivateFile,
            "merchant_private_key",
            "apiclient_key.pem, made with that certificate",
            "apiclient_key.pem,与商户API证书一同生成",
        ),
        choice(
            "mode",
            &["public_key", "platform_cert"],
            "how WeChat Pay signs: its public key (微信支付公钥) or platform certificates (平台证书)",
            "微信支付的验签方式:public_key(微信支付公钥)或 platform_cert(平台证书)",
        ),
        ask(Form::PublicFile, "platform_public_key", "pub_key.pem, from the same page", "pub_key.pem,在同一页下载")
            .when("mode", "public_key")
            .with("platform_public_key_id"),
        text(
            "platform_public_key_id",
            "the ID of its public key, PUB_KEY_ID_…: API安全 → 微信支付公钥",
            "公钥ID,PUB_KEY_ID_…:API安全 → 微信支付公钥",
        )
        .when("mode", "public_key"),
        ask(
            Form::PublicFile,
            "platform_cert",
            "a file with the platform certificates, one behind the other; empty: they are fetched and followed",
            "平台证书文件(可以有多张,依次放在一起);留空则自动下载并跟随更换",
        )
        .when("mode", "platform_cert")
        .optional(),
        choice(
            "pay",
            &["native", "h5"],
            "native: a code on the order's page; h5: a phone's browser, the domain registered",
            "native:订单页上的二维码;h5:手机浏览器(须登记域名)",
        ),
    ],
    console: None,
};

/// 中国银联.
pub const UNIONPAY: Asks = Asks {
    settings: &[
        text("mer_id", "merchant number (商户号), 15 digits", "商户号,15 位数字"),
        ask(
            Form::PublicFile,
            "sign_cert",
            "your certificate, PEM: openssl pkcs12 -in merchant.pfx -clcerts -nokeys -out merchant.pem (-legacy if it says unsupported)",
            "商户证书,PEM:openssl pkcs12 -in merchant.pfx -clcerts -nokeys -out merchant.pem(提示 unsupported 时加 -legacy)",
        ),
        ask(
            Form::PrivateFile,
            "sign_key",
            "its private key, PEM: openssl pkcs12 -in merchant.pfx -nocerts -nodes -out merchant.key",
            "商户私钥,PEM:openssl pkcs12 -in merchant.pfx -nocerts -nodes -out merchant.key",
        ),
        ask(
            Form::PublicFile,
            "root_cert",
            "acp_prod_root.cer: open.unionpay.com → 帮助中心 → 下载 → 证书",
            "acp_prod_root.cer:open.unionpay.com → 帮助中心 → 下载 → 证书",
        ),
        ask(
            Form::PublicFile,
            "middle_cert",
            "acp_prod_middle.cer, from the same page",
            "acp_prod_middle.cer,在同一页下载",
        ),
        choice(
            "pay",
            &["form", "qr"],
            "form: the gateway's own page; qr: a code on the order's page (二维码支付 must be opened for the account)",
            "form:跳转银联网关页面;qr:订单页上的二维码(须开通二维码支付)",
        ),
    ],
    console: None,
};

/// Stripe Checkout.
pub const STRIPE: Asks = Asks {
    settings: &[
        secret(
            "api_key",
            "sk_… or rk_…: Dashboard → Developers → API keys",
            "sk_… 或 rk_…:Dashboard → Developers → API keys",
        ),
        secret(
            "webhook_secret",
            "whsec_…: Developers → Webhooks → the endpoint → Signing secret",
            "whsec_…:Developers → Webhooks → 该端点 → Signing secret",
        ),
    ],
    console: Some((
        "Dashboard → Developers → Webhooks: add it as an endpoint, with the events checkout.session.completed and \
         checkout.session.async_payment_succeeded",
        "Dashboard → Developers → Webhooks:添加为端点,勾选 checkout.session.completed 和 \
         checkout.session.async_payment_succeeded",
    )),
};

/// PayPal Orders v2.
pub const PAYPAL: Asks = Asks {
    settings: &[
        text(
            "client_id",
            "developer.paypal.com → Apps & Credentials → the app (Live)",
            "developer.paypal.com → Apps & Credentials → 应用(Live)",
        ),
        secret("client_secret", "the app's secret, beside it", "应用的 Secret,在同一页"),
        text(
            "webhook_id",
            "the ID of its webhook, shown once the webhook was added there",
            "该应用的 Webhook ID,添加 webhook 之后可见",
        ),
        text(
            "merchant_id",
            "PayPal merchant ID: paypal.com → Account settings → Business information",
            "PayPal 商家 ID:paypal.com → Account settings → Business information",
        ),
        choice(
            "verify",
            &["api", "local"],
            "api: PayPal is asked whether it sent a webhook; local: by its certificate",
            "api:向 PayPal 核实每个 webhook;local:用 PayPal 的证书验签",
        ),
        ask(
            Form::PublicFile,
            "trust_root",
            "the root certificate that PayPal's leads to (DigiCert's), PEM",
            "PayPal 证书所属的根证书(DigiCert),PEM",
        )
        .when("verify", "local"),
    ],
    console: Some((
        "developer.paypal.com → the app → Webhooks: add it, with Checkout order approved and Payment capture completed",
        "developer.paypal.com → 应用 → Webhooks:添加,勾选 Checkout order approved 和 Payment capture completed",
    )),
};

/// A page of one's own.
pub const STANDARD_WEBHOOKS: Asks = Asks {
    settings: &[
        secret(
            "secrets",
            "the signing secret, whsec_…: echo whsec_$(head -c 32 /dev/urandom | base64) makes one",
            "签名密钥,whsec_…:用 echo whsec_$(head -c 32 /dev/urandom | base64) 生成",
        ),
        text(
            "pay_url",
            "where the buyer is sent, https://pay.example/?order={number}&amount={amount}; empty: nobody can pay",
            "买家付款的地址,https://pay.example/?order={number}&amount={amount};留空则无法付款",
        )
        .optional(),
    ],
    console: Some(("your own page sends its signed events there", "您自己的支付页把签名后的事件发到这里")),
};

/// Coinbase Commerce.
pub const COINBASE_COMMERCE: Asks = Asks {
    settings: &[
        secret("api_key", "Settings → Security → API keys", "Settings → Security → API keys"),
        secret(
            "webhook_secret",
            "Settings → Notifications → Webhook subscriptions → Show shared secret",
            "Settings → Notifications → Webhook subscriptions → Show shared secret",
        ),
    ],
    console: Some((
        "Settings → Notifications → Add an endpoint, with the events charge:confirmed and charge:failed",
        "Settings → Notifications → Add an endpoint:事件选 charge:confirmed 和 charge:failed",
    )),
};

/// BTCPay Server.
pub const BTCPAY: Asks = Asks {
    settings: &[
        text(
            "server_url",
            "the server's address, such as https://btcpay.example",
            "服务器地址,如 https://btcpay.example",
        ),
        text("store_id", "the store → Settings → General", "商店 → Settings → General 里的 Store ID"),
        secret(
            "api_key",
            "Account → Manage account → API keys: may make and view this store's invoices",
            "Account → Manage account → API keys:须能创建和查看该商店的发票",
        ),
        secret("webhook_secret", "the store → Settings → Webhooks → Secret", "商店 → Settings → Webhooks → Secret"),
    ],
    console: Some((
        "the store → Settings → Webhooks → Create: automatic redelivery on, \"An invoice has been settled\"",
        "商店 → Settings → Webhooks → Create:打开 automatic redelivery,勾选 \"An invoice has been settled\"",
    )),
};

/// epusdt 1.
pub const EPUSDT_MD5: Asks = Asks { settings: &[GATEWAY, TOKEN], console: None };

/// epusdt 2.
pub const EPUSDT_GMPAY: Asks = Asks {
    settings: &[
        GATEWAY,
        text("pid", "of the admin panel's API keys", "管理后台 API 密钥页的 pid"),
        secret("secret_key", "the secret of that API key", "该 API 密钥的 secret"),
        choice(
            "sign_algo",
            &["hmac-sha256", "md5"],
            "hmac-sha256 from 2.0.0 on, md5 for 1.0.x",
            "2.0.0 起为 hmac-sha256,1.0.x 为 md5",
        ),
        text("token", "the coin", "币种").or("usdt"),
        text("network", "its chain", "所在的链").or("tron"),
    ],
    console: None,
};

/// BEpusdt.
pub const BEPUSDT: Asks = Asks {
    settings: &[
        GATEWAY,
        secret(
            "api_token",
            "its console: system → basic settings → API settings → 对接令牌",
            "后台:系统 → 基本设置 → API 设置 → 对接令牌",
        ),
        choice("fiat", &["CNY", "USD", "EUR", "GBP", "JPY"], "what prices are in", "商品价格的货币"),
        text("trade_type", "the coin and its chain", "币种和链").or("usdt.trc20"),
    ],
    console: None,
};

/// TokenPay.
pub const TOKENPAY: Asks = Asks {
    settings: &[
        GATEWAY,
        secret("api_token", "ApiToken in appsettings.json", "appsettings.json 里的 ApiToken"),
        text("base_currency", "BaseCurrency there: what prices are in", "同一文件里的 BaseCurrency:商品价格的货币")
            .or("CNY"),
        text(
            "currency",
            "the coin: USDT_TRC20, TRX, EVM_BSC_USDT_BEP20, …",
            "币种:USDT_TRC20、TRX、EVM_BSC_USDT_BEP20 等",
        )
        .or("USDT_TRC20"),
    ],
    console: None,
};

/// For kinds of test mode: there is always one.
pub const NOTHING: Asks = Asks { settings: &[], console: None };
