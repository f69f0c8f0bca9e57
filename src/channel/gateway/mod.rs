//! The gateways: a file a kind, with its settings, what it verifies, opens, asks and gives back, and its row of
//! [`KINDS`](super::KINDS).

pub mod alipay;
pub mod btcpay;
pub mod coinbase_commerce;
pub mod epay;
pub mod epay_v2;
pub mod paypal;
pub mod sandbox;
pub mod standard_webhooks;
pub mod stripe;
pub mod tokenpay;
pub mod unionpay;
pub mod usdt;
pub mod wechat;
