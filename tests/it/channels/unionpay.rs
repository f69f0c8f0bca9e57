//! Requests and answers of UnionPay, as its own port signs them.

use kamid::channel::{Asked, Begin, Checkout, Refund, Step};
use kamid::domain::{Money, Payment};

use super::epay::means;
use super::{answered, channel, checkout, now, pairs, pairs_of, question, refunding, said_of, text, vector};

#[test]
fn forms_queries_and_refunds_are_what_the_port_signs() {
    let page = vector("unionpay", "c01");
    let wanted = &page["output"]["params"];
    let pay = channel("unionpay", &page["config"], &[]);
    let wish = Checkout {
        subject: Some("会员月卡"),
        notify_url: text(wanted, "backUrl"),
        return_url: text(wanted, "frontUrl"),
        ..checkout(&page, &[])
    };
    let Begin::Step(Step::Form { url, fields }, Some(time)) = pay.checkout(&wish, &[], now(&page)) else {
        panic!("no form")
    };
    assert_eq!((url.as_str(), time.as_str()), (text(&page["output"], "url"), "20251123160000"));
    assert_eq!(fields.into_iter().collect::<Vec<_>>(), pairs_of(wanted));
    let page = vector("unionpay", "q01");
    let pay = channel("unionpay", &page["config"], &[]);
    let about =
        Asked { number: text(&page["order"], "order_no"), reference: text(&page["order"], "txn_time"), page: "" };
    let call = question(pay.query(&about, &[], now(&page)));
    assert_eq!(call.url, text(&page["output"], "url"));
    assert_eq!(pairs(std::str::from_utf8(&call.body).unwrap()), pairs_of(&page["output"]["params"]));
    for answer in page["answers"].as_array().unwrap() {
        let said = said_of(pay.as_ref(), &about, &answered(answer), now(&page));
        let wanted = text(answer, "means");
        let wanted = if wanted.starts_with("in progress") || wanted == "failed" { "unpaid" } else { wanted };
        assert!(means(&said, 2000, wanted), "{wanted}: {said:?}");
    }
    let page = vector("unionpay", "f01");
    let wanted = &page["output"]["params"];
    let pay = channel("unionpay", &page["config"], &[]);
    let paid = Money { minor: 2000, currency: "CNY".parse().unwrap() };
    let payment = Payment::new("KO251123160000TJ88XNT8", text(wanted, "origQryId"), paid, "pay");
    let refund = Refund {
        payment: &payment,
        number: text(wanted, "orderId"),
        reason: "",
        notify_url: text(wanted, "backUrl"),
        asked_at: &[],
        by_trade_no: false,
    };
    let call = refunding(pay.refund(&refund, &[], now(&page)));
    assert_eq!(pairs(std::str::from_utf8(&call.body).unwrap()), pairs_of(wanted));
}

#[test]
fn a_payment_names_the_time_that_its_order_was_sent_with() {
    let page = vector("unionpay", "a01");
    let pay = channel("unionpay", &page["config"], &[]);
    let request = kamid::domain::Callback {
        method: "POST",
        path: "/",
        query: "",
        headers: &[],
        body: page["request"]["body_text"].as_str().unwrap().as_bytes(),
    };
    let Ok(kamid::channel::Claim::Paid(payment)) = pay.verify(&request, &[], now(&page)) else {
        panic!("not believed")
    };
    assert_eq!(payment.reference.as_deref(), page["order"]["txn_time"].as_str());
}
