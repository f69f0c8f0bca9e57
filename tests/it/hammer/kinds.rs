//! A load through a channel of each kind, whose orders are opened at a gateway that is played.

use std::sync::atomic::Ordering;

use serde_json::Value;

use super::sale::heard;
use crate::channels::gates::{Gate, of_each_kind};
use crate::support::shop::Daemon;

fn hammer(shop: &Daemon, args: &[&str]) -> Value {
    let more = ["--channel", "gate", "--seed", "5"];
    tokio::task::block_in_place(|| shop.json(&[&["hammer"], args, &more].concat(), ""))
}

/// Where the run's orders stand.
fn states(report: &Value, names: [&str; 4]) -> [u64; 4] {
    names.map(|name| report["audit"]["states"][name].as_u64().unwrap_or(0))
}

async fn hammered(kind: &str) {
    let gate = Gate::of(kind).await;
    let shop = gate.loaded();
    // BTCPay's callback tells no amount and is asked about at a server that only knows its own invoices: there is no wrong
    // amount to send, and none for a number that nobody gave.
    let asks = kind == "btcpay";
    if let Some(paypal) = &gate.paypal {
        paypal.learn();
    }
    if let Some(coins) = &gate.coins {
        coins.all_paid.store(true, Ordering::Relaxed);
    }
    // A closed loop ends when every request of every visit was sent.
    let load = ["mix", "--connections", "4", "--visits", "100", "--for", "60s", "--mix"];
    if asks {
        let done = shop.cli(&[&["hammer"], &load[..], &["paid=9,wrong-amount=1", "--channel", "gate"]].concat(), "");
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.code() == Some(1) && said.contains("carry no amount"), "{said}");
    }
    let rest = if asks { "duplicate=25" } else { "duplicate=10,wrong-amount=5,unknown=5,out-of-order=5" };
    // The forgers' quota of rejected callbacks is larger than what they send.
    let report = hammer(&shop, &[&load[..], &[&format!("paid=55,forged=10,late=10,{rest}")]].concat());
    assert_eq!(report["audit"]["count"], 0, "{kind}: {report}");
    // One session is paid once: what comes after too little came is a repeat of that.
    let once = matches!(kind, "stripe" | "coinbase_commerce");
    let (paid, held, unknown) = if asks { (90, 0, 0) } else { (75 + u64::from(!once) * 5, 5 + u64::from(once) * 5, 5) };
    assert_eq!(
        states(&report, ["delivered", "held", "none", "pending"]),
        [paid, held, unknown, 10],
        "{kind}: {report}"
    );
    let acknowledged = if asks { 55 + 10 + 2 * 25 } else { 55 + 10 + 2 * 10 + 5 };
    assert_eq!(heard(&report, "right", "success"), acknowledged, "{kind}: {report}");
    assert_eq!(heard(&report, "less", "success"), if asks { 0 } else { 5 + 2 * 5 }, "{kind}: {report}");
    assert_eq!(heard(&report, "stranger", "refused"), unknown, "{kind}: {report}");
    assert_eq!(heard(&report, "bent", "refused"), 10, "{kind}: {report}");
    // Buyers' orders are opened one by one, and paid as what they were opened with.
    let report = hammer(&shop, &["sale", "--rate", "20", "--for", "1s", "--think", "50ms", "--unpaid", "10"]);
    assert_eq!(report["audit"]["count"], 0, "{kind}: {report}");
    assert_eq!(states(&report, ["delivered", "pending", "held", "expired"]), [18, 2, 0, 0], "{kind}: {report}");
    assert_eq!(heard(&report, "look", "delivered"), 18, "{kind}: {report}");
    shop.audit();
    // Where a gateway is asked for a payment, it was asked for each order; elsewhere it first hears of one from the buyer.
    let orders = match kind {
        "epay_v1" | "unionpay" | "standard_webhooks" => 0,
        // It wants the address of whoever asks for a code: orders without a buyer's are opened by a click.
        "epay_v2" => 20,
        _ => 100 - unknown as usize + 20,
    };
    assert_eq!(gate.simulator.taken(), orders, "{kind}");
}

of_each_kind!(hammered: epay_v1 epay_v2 alipay wechat_v3 unionpay epusdt_md5 epusdt_gmpay bepusdt tokenpay coinbase_commerce
    btcpay stripe paypal standard_webhooks);
