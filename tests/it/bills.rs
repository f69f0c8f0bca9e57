//! A gateway's bill beside the orders of a real daemon.

use serde_json::Value;

use crate::support::shop::Daemon;

/// The command's report and exit code.
fn reconcile(shop: &Daemon, text: &[u8], further: &[&str]) -> (Value, Option<i32>) {
    let file = shop.data.join("bill.csv");
    std::fs::write(&file, text).unwrap();
    let args = ["channel", "reconcile", "pay", "--json", "--bill", file.to_str().unwrap()];
    let done = shop.cli(&[&args, further].concat(), "");
    let report = serde_json::from_slice(&done.stdout);
    (report.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&done.stderr))), done.status.code())
}

/// What differs, by the gateway's number.
fn found(report: &Value) -> Vec<(&str, &str)> {
    let list = report["differences"].as_array().unwrap();
    let mut found: Vec<_> =
        list.iter().map(|it| (it["trade_no"].as_str().unwrap(), it["difference"].as_str().unwrap())).collect();
    found.sort_unstable();
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bill_shows_what_is_not_the_same_on_both_sides() {
    let shop = Daemon::start("");
    shop.product("bill", &[], 20);
    let (right, other, unpaid) =
        (shop.order("bill", 1).await, shop.order("bill", 1).await, shop.order("bill", 1).await);
    assert_eq!(shop.pay(&right, "B1", 990).await.0, 200);
    assert_eq!(shop.pay(&other, "B2", 990).await.0, 200);
    let head = "系统订单号,商户订单号,金额,状态\n";
    let same = format!("{head}B1,{right}01,9.90,已支付\nB2,{other}01,9.9,1\nB3,{unpaid}01,9.90,未支付\n");
    let (report, code) = reconcile(&shop, same.as_bytes(), &[]);
    assert_eq!((found(&report), code), (vec![], Some(0)), "{report}");
    assert_eq!(report["missing_there"], Value::Null, "not looked for");

    let text = format!(
        "{head}B1,{right}01,9.90,已退款\nB2,{other}01,9.80,已支付\nB3,{unpaid}01,9.90,已支付\nB4,else-1,1.00,已支付\nB5,{unpaid}01,1.x,已支付\n"
    );
    let (report, code) = reconcile(&shop, text.as_bytes(), &[]);
    let wanted = [("B1", "refund_differs"), ("B2", "amount_differs"), ("B3", "missing_here"), ("B4", "missing_here")];
    assert_eq!((found(&report), code), (wanted.to_vec(), Some(1)), "{report}");
    assert_eq!(report["unread"][0]["line"], 6);
    let note = report["differences"].as_array().unwrap().iter().find(|it| it["trade_no"] == "B4").unwrap();
    assert!(note["note"].as_str().unwrap().contains("no number of ours"), "{note}");
    // For a person, in words.
    let file = shop.data.join("bill.csv");
    let shown = shop.cli(&["channel", "reconcile", "pay", "--bill", file.to_str().unwrap()], "");
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let words =
        "4 payments in the bill: 2 paid there and not here, 1 with another amount, 1 given back on one side only";
    assert!(shown.contains(words) && shown.contains("not looked for") && shown.contains("1 rows"), "{shown}");
    shop.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_people_did_counts_and_what_the_bill_lacks_is_found_in_its_time() {
    let shop = Daemon::start("");
    shop.product("hand", &[], 20);
    let (back, manual, adopter, absent) = (
        shop.order("hand", 1).await,
        shop.order("hand", 1).await,
        shop.order("hand", 1).await,
        shop.order("hand", 1).await,
    );
    assert_eq!(shop.pay(&back, "H1", 990).await.0, 200);
    shop.json(&["order", "refund", &back, "--reason", "console"], "");
    shop.json(&["order", "mark-paid", &manual, "--reason", "seen"], "");
    assert_eq!(shop.send(&shop.callback("foreign", "H3", 990)).await.0, 400);
    shop.json(&["orphan", "adopt", "foreign", "pay|H3", "--order", &adopter], "");
    assert_eq!(shop.pay(&absent, "H4", 990).await.0, 200);
    assert_eq!(shop.send(&shop.callback("waits", "H5", 990)).await.0, 400);
    let text = format!(
        "trade_no,out_trade_no,money,status\nH1,{back}01,9.90,2\nH2,{manual}01,9.90,1\nH3,foreign,9.90,1\nH5,waits,9.90,1\n"
    );
    let (report, code) = reconcile(&shop, text.as_bytes(), &[]);
    assert_eq!((found(&report), code), (vec![("H5", "missing_here")], Some(1)), "{report}");
    assert!(report["differences"][0]["note"].as_str().unwrap().contains("orphan"), "{report}");
    let always = ["--from", "2020-01-01T00:00:00Z", "--until", "2100-01-01T00:00:00Z"];
    let (report, _) = reconcile(&shop, text.as_bytes(), &always);
    assert_eq!(found(&report), [("H4", "missing_there"), ("H5", "missing_here")], "{report}");
    let past = ["--from", "2020-01-01T00:00:00Z", "--until", "2020-01-02T00:00:00Z"];
    assert_eq!(reconcile(&shop, text.as_bytes(), &past).0["missing_there"], 0);
    let nobody = shop.cli(&["channel", "reconcile", "nobody", "--bill", "x.csv"], "");
    assert_eq!(nobody.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("it has: pay"), "{nobody:?}");
}
