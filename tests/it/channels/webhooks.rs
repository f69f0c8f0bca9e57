//! Requests of the kinds whose gateway posts signed JSON, held against what the gateways' own SDKs and documents say.

use std::borrow::Cow;

use aws_lc_rs::hmac;
use data_encoding::{BASE64, HEXLOWER};
use kamid::channel::{Answer, Asked, Channel, Checkout, Claim, Refund, Refunded, Step};
use kamid::domain::{Call, Callback, Money, Payment, Reason, Rejection, Response};
use serde_json::{Value, json};

use super::{asked, channel, now, opened, pairs, question, refunding, said_of, text, vector};

use crate::support::channel::NOW;

/// Whether a call has these headers; `body` is compared by the caller.
fn has_headers(call: &Call, wanted: &Value) {
    for (name, value) in wanted.as_object().unwrap() {
        let found = call.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        assert_eq!(found.map(|(_, value)| value.as_str()), value.as_str(), "{name}");
    }
}

/// The order of a capture, on its way out.
fn order<'a>(page: &'a Value, return_url: &'a str, subject: Option<&'a str>, in_s: u64) -> Checkout<'a> {
    Checkout {
        return_url,
        subject,
        notify_url: "https://kamid.example.test/pay/pay/notify",
        expires: now(page) + in_s * 1000,
        ..super::checkout(page, &[])
    }
}

fn response(status: u16, body: &Value) -> Response {
    Response { status, headers: Vec::new(), body: body.to_string().into_bytes() }
}

/// What a channel says of one captured request.
fn told(pay: &dyn Channel, request: &Value, at: u64) -> Result<Claim, Rejection> {
    let headers: Vec<_> = request["headers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pair| (Cow::from(pair[0].as_str().unwrap()), Cow::from(pair[1].as_str().unwrap())))
        .collect();
    let body = BASE64.decode(text(request, "body_b64").as_bytes()).unwrap();
    pay.verify(&Callback { method: "POST", path: "/", query: "", headers: &headers, body: &body }, &[], at)
}

#[test]
fn a_stripe_session_is_what_the_sdk_makes() {
    let page = vector("stripe", "c01");
    let pay = channel("stripe", &page["config"], &[]);
    let (input, at) = (&page["input"], now(&page));
    let subject = input["line_items"][0]["price_data"]["product_data"]["name"].as_str();
    let wish = order(&page, text(input, "cancel_url"), subject, 1800);
    let call = asked(pay.checkout(&wish, &[], at));
    assert_eq!((call.method, call.url.as_str()), ("POST", text(&page["output"], "url")));
    assert_eq!(String::from_utf8(call.body.clone()).unwrap(), text(&page["output"], "body"));
    has_headers(&call, &page["output"]["headers"]);
    // Stripe refuses a session that ends in less than half an hour.
    let soon = asked(pay.checkout(&order(&page, text(input, "cancel_url"), subject, 900), &[], at));
    let fields = pairs(std::str::from_utf8(&soon.body).unwrap());
    assert!(fields.contains(&("expires_at".to_owned(), (at / 1000 + 1860).to_string())), "{fields:?}");
}

#[test]
fn a_stripe_session_is_believed_for_its_order_alone() {
    let page = vector("stripe", "c01");
    let pay = channel("stripe", &page["config"], &[]);
    let number = text(&page["order"], "order_no");
    let wish = order(&page, "https://x.test/r", None, 1800);
    let session = |status: &str| {
        json!({"id": "cs_1", "object": "checkout.session", "livemode": false, "client_reference_id": number,
            "amount_total": 2990, "currency": "usd", "payment_status": status, "url": "https://checkout.stripe.com/c/1"})
    };
    let with = |name: &str, value: Value| {
        let mut changed = session("paid");
        changed[name] = value;
        response(200, &changed)
    };
    let step = Step::Redirect { url: "https://checkout.stripe.com/c/1".to_owned() };
    assert_eq!(opened(pay.as_ref(), &wish, &response(200, &session("unpaid")), 0), Ok((step, Some("cs_1".to_owned()))));
    for (name, value) in [
        ("client_reference_id", json!("KO2")),
        ("livemode", json!(true)),
        ("url", json!("javascript:1")),
        ("id", Value::Null),
    ] {
        assert!(opened(pay.as_ref(), &wish, &with(name, value), 0).is_err(), "{name}");
    }
    let refusal = response(400, &json!({"error": {"type": "invalid_request_error", "message": "No such currency"}}));
    assert!(opened(pay.as_ref(), &wish, &refusal, 0).unwrap_err().contains("No such currency"));

    let about = Asked { number, reference: "cs_1", page: "" };
    let call = question(pay.query(&about, &[], 0));
    assert_eq!((call.method, call.url.as_str()), ("GET", "https://api.stripe.com/v1/checkout/sessions/cs_1"));
    assert!(pay.query(&Asked { number, reference: "", page: "" }, &[], 0).is_none());
    assert!(pay.query(&Asked { number, reference: "../x?", page: "" }, &[], 0).is_none());
    let paid = Money { minor: 2990, currency: "USD".parse().unwrap() };
    let payment = Payment { reference: Some("cs_1".to_owned()), ..Payment::new(number, "cs_1", paid, "pay") };
    assert_eq!(said_of(pay.as_ref(), &about, &response(200, &session("paid")), 0), Answer::Paid(payment.clone()));
    assert_eq!(said_of(pay.as_ref(), &about, &response(200, &session("unpaid")), 0), Answer::Unpaid);
    assert_eq!(said_of(pay.as_ref(), &about, &response(404, &json!({})), 0), Answer::Unknown);
    for (name, value) in [
        ("id", json!("cs_2")),
        ("client_reference_id", json!("KO2")),
        ("livemode", json!(true)),
        ("amount_total", json!("2990")),
        ("object", json!("charge")),
    ] {
        assert_eq!(said_of(pay.as_ref(), &about, &with(name, value), 0), Answer::Mismatch, "{name}");
    }

    // A payment is known by its session, and a refund needs the intent.
    let wish =
        Refund { payment: &payment, number: "R1", reason: "x", notify_url: "", asked_at: &[], by_trade_no: false };
    let call = refunding(pay.refund(&wish, &[], 0));
    assert_eq!((call.method, call.url.as_str()), ("GET", "https://api.stripe.com/v1/checkout/sessions/cs_1"));
    let said = |name: &str, value: Value| pay.refund(&wish, &[with(name, value)], 0);
    assert!(matches!(said("payment_intent", Value::Null), Some(Refunded::Refused(_))));
    assert!(matches!(pay.refund(&wish, &[response(500, &json!({}))], 0), Some(Refunded::Pending(_))));
    let heard = with("payment_intent", json!("pi_1"));
    let call = refunding(pay.refund(&wish, std::slice::from_ref(&heard), 0));
    assert_eq!(call.url, "https://api.stripe.com/v1/refunds");
    let done = |status: &str| pay.refund(&wish, &[heard.clone(), response(200, &json!({"status": status}))], 0);
    assert_eq!(done("succeeded"), Some(Refunded::Done));
    assert!(matches!(done("failed"), Some(Refunded::Refused(_))));
    assert!(
        pairs(std::str::from_utf8(&call.body).unwrap()).contains(&("payment_intent".to_owned(), "pi_1".to_owned()))
    );
    // A currency that Stripe counts in another unit would be off by a hundred.
    assert!(pay.takes("JPY".parse().unwrap()) && !pay.takes("RWF".parse().unwrap()));
}

#[test]
fn a_delayed_stripe_payment_counts_once_it_came() {
    let page = vector("stripe", "s01");
    let pay = channel("stripe", &page["config"], &[]);
    let mut seen = 0;
    for step in page["steps"].as_array().unwrap().iter().filter(|step| step["do"] == "notify") {
        let claim = told(pay.as_ref(), &step["request"], now(&page));
        match text(step, "verdict") {
            "ignore" => assert_eq!(claim, Ok(Claim::Nothing(Reason::StatusNotPaid)), "{step}"),
            _ => assert!(matches!(claim, Ok(Claim::Paid(_))), "{step}: {claim:?}"),
        }
        seen += 1;
    }
    assert!(seen >= 3, "{seen}");
}

/// The callback that a channel makes up of a payment, and what it says of it, changed by `change`.
fn forged(
    pay: &dyn Channel,
    payment: &Payment,
    at: u64,
    change: impl FnOnce(&mut Vec<(String, String)>, &mut Vec<u8>),
) -> Result<Claim, Rejection> {
    let mut request = pay.forge(payment, at);
    change(&mut request.headers, &mut request.body);
    let headers = kamid::channel::capture::borrowed(&request.headers);
    let callback = Callback { method: request.method, path: "/", query: "", headers: &headers, body: &request.body };
    pay.verify(&callback, &[], at)
}

fn payment(number: &str, trade_no: &str, minor: i64, currency: &str) -> Payment {
    Payment::new(number, trade_no, Money { minor, currency: currency.parse().unwrap() }, "pay")
}

#[test]
fn the_standard_webhooks_example_verifies() {
    let page = vector("standard_webhooks", "w01");
    let (input, at) = (&page["input"], page["input"]["timestamp"].as_u64().unwrap());
    let pay = channel("standard_webhooks", &json!({"secrets": [page["config"]["secret"]]}), &[]);
    let said = |id: &str, timestamp: &str, now: u64| {
        let headers = [
            (Cow::from("webhook-id"), Cow::from(id)),
            (Cow::from("webhook-timestamp"), Cow::from(timestamp)),
            (Cow::from("webhook-signature"), Cow::from(text(&page["output"], "webhook-signature"))),
        ];
        let body = text(input, "body_text").as_bytes();
        pay.verify(&Callback { method: "POST", path: "/", query: "", headers: &headers, body }, &[], now * 1000)
    };
    let (id, timestamp) = (text(input, "id"), at.to_string());
    // Its body is no event of ours: the signature was right, so what is missing is found missing.
    assert_eq!(said(id, &timestamp, at), Err(Rejection::MissingField));
    assert_eq!(said(id, &timestamp, at + 301), Err(Rejection::StaleTimestamp));
    assert_eq!(said(id, &timestamp, at - 301), Err(Rejection::StaleTimestamp));
    assert_eq!(said(id, &format!("{timestamp}.0"), at), Err(Rejection::BadSignature));
    assert_eq!(said("msg_other", &timestamp, at), Err(Rejection::BadSignature));
    assert_eq!(said("", &timestamp, at), Err(Rejection::MissingSignature));
}

#[test]
fn standard_webhooks_send_a_buyer_to_the_configured_page() {
    let page = vector("standard_webhooks", "a01");
    let url = "https://pay.test/o/{number}?a={amount}&c={currency}";
    let pay = channel("standard_webhooks", &page["config"], &[("pay_url", url.into())]);
    let step = Step::Redirect { url: "https://pay.test/o/KO2511231600003QY9UNWJ?a=29.90&c=CNY".to_owned() };
    let begun = pay.checkout(&order(&page, "https://x.test/r", None, 900), &[], 0);
    assert_eq!(begun, kamid::channel::Begin::Step(step, None));
    assert!(pay.takes("JPY".parse().unwrap()));
    // Without a page nobody can be sent to pay, so no order is taken.
    assert!(!channel("standard_webhooks", &page["config"], &[]).takes("CNY".parse().unwrap()));
    // A second secret, while the sender changes to it, counts as the first does.
    let second = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let both = json!([page["config"]["secrets"][0], second]);
    let turning = channel("standard_webhooks", &page["config"], &[("secrets", both)]);
    let turned = channel("standard_webhooks", &page["config"], &[("secrets", json!([second]))]);
    let paid = payment("KO1", "T1", 5, "CNY");
    for maker in [&pay, &turned] {
        let request = maker.forge(&paid, 0);
        let headers = kamid::channel::capture::borrowed(&request.headers);
        let callback = Callback { method: "POST", path: "/", query: "", headers: &headers, body: &request.body };
        assert_eq!(turning.verify(&callback, &[], 0), Ok(Claim::Paid(paid.clone())));
    }
}

#[test]
fn a_coinbase_charge_is_what_the_documents_say() {
    let page = vector("coinbase_commerce", "c01");
    let pay = channel("coinbase_commerce", &page["config"], &[]);
    let output = &page["output"];
    let wish = order(&page, text(&output["json"], "redirect_url"), None, 900);
    let call = asked(pay.checkout(&wish, &[], now(&page)));
    assert_eq!((call.method, call.url.as_str()), ("POST", "https://api.commerce.coinbase.com/charges"));
    assert_eq!(serde_json::from_slice::<Value>(&call.body).unwrap(), output["json"]);
    has_headers(&call, &output["headers"]);

    let number = text(&page["order"], "order_no");
    let charge = |status: &str, payments: Value| {
        json!({"data": {"code": "C1", "metadata": {"order_no": number}, "payments": payments,
            "hosted_url": "https://commerce.coinbase.com/charges/C1", "timeline": [{"status": "NEW"}, {"status": status}],
            "pricing": {"local": {"amount": "10.00", "currency": "USD"}}}})
    };
    let came = |status: &str, amount: &str| json!({"status": status, "value": {"local": {"amount": amount, "currency": "USD"}}});
    let step = Step::Redirect { url: "https://commerce.coinbase.com/charges/C1".to_owned() };
    let fresh = response(201, &charge("NEW", json!([])));
    assert_eq!(opened(pay.as_ref(), &wish, &fresh, 0), Ok((step, Some("C1".to_owned()))));
    let other = order(&page, "https://x.test/r", None, 900);
    assert!(opened(pay.as_ref(), &Checkout { number: "KO2", ..other }, &fresh, 0).is_err());

    let about = Asked { number, reference: "C1", page: "" };
    assert_eq!(question(pay.query(&about, &[], 0)).url, "https://api.commerce.coinbase.com/charges/C1");
    let says =
        |status: &str, payments: Value| said_of(pay.as_ref(), &about, &response(200, &charge(status, payments)), 0);
    let paid = |minor| {
        let reference = Some("C1".to_owned());
        Answer::Paid(Payment { reference, ..payment(number, "C1", minor, "USD") })
    };
    assert_eq!(says("COMPLETED", json!([came("CONFIRMED", "10.00")])), paid(1000));
    // What came counts, not the price; a payment that is not confirmed has not come.
    assert_eq!(says("UNRESOLVED", json!([came("CONFIRMED", "4.00")])), paid(400));
    assert_eq!(says("COMPLETED", json!([came("confirmed", "4.00"), came("CONFIRMED", "6")])), paid(1000));
    assert_eq!(says("COMPLETED", json!([came("CONFIRMED", "4.00"), came("PENDING", "6.00")])), paid(400));
    assert_eq!(says("COMPLETED", json!([came("CONFIRMED", "4.001")])), paid(0));
    assert_eq!(says("PENDING", json!([came("PENDING", "10.00")])), Answer::Unpaid);
    assert_eq!(says("EXPIRED", json!([])), Answer::Unpaid);
    assert_eq!(says("REFUNDED", json!([])), Answer::Refunded);
    assert_eq!(says("SOMETHING", json!([])), Answer::Mismatch);
    let fresh = |reference| {
        said_of(pay.as_ref(), &Asked { number, reference, page: "" }, &response(200, &charge("NEW", json!([]))), 0)
    };
    assert_eq!(fresh("C2"), Answer::Mismatch);
    assert_eq!(said_of(pay.as_ref(), &about, &response(404, &json!({})), 0), Answer::Unknown);
}

/// BTCPay's answer about the invoice of an order, with these changes.
fn btcpay_invoice(page: &Value, changes: &[(&str, Value)]) -> Response {
    let mut invoice = json!({"id": "I1", "storeId": page["config"]["store_id"], "amount": "10.00", "currency": "USD",
        "status": "Settled", "additionalStatus": "None", "metadata": {"orderId": text(&page["order"], "order_no")},
        "checkoutLink": "https://btcpay.example.test/i/I1"});
    for (name, value) in changes {
        invoice[*name] = value.clone();
    }
    response(200, &invoice)
}

#[test]
fn a_btcpay_invoice_is_what_the_documents_say() {
    let page = vector("btcpay", "c01");
    let pay = channel("btcpay", &page["config"], &[]);
    let (output, at) = (&page["output"], now(&page));
    let wish = order(&page, text(&output["json"]["checkout"], "redirectURL"), None, 900);
    let call = asked(pay.checkout(&wish, &[], at));
    assert_eq!(call.method, "POST");
    assert_eq!(call.url, format!("https://btcpay.example.test{}", text(output, "path")));
    assert_eq!(serde_json::from_slice::<Value>(&call.body).unwrap(), output["json"]);
    has_headers(&call, &output["headers"]);

    let with = |changes: &[(&str, Value)]| btcpay_invoice(&page, changes);
    let step = Step::Redirect { url: "https://btcpay.example.test/i/I1".to_owned() };
    assert_eq!(opened(pay.as_ref(), &wish, &with(&[("status", json!("New"))]), 0), Ok((step, Some("I1".to_owned()))));
    assert!(opened(pay.as_ref(), &wish, &with(&[("metadata", json!({"orderId": "KO2"}))]), 0).is_err());
}

#[test]
fn a_btcpay_server_decides_what_was_paid() {
    let page = vector("btcpay", "c01");
    let (pay, at) = (channel("btcpay", &page["config"], &[]), now(&page));
    let number = text(&page["order"], "order_no");
    let with = |changes: &[(&str, Value)]| btcpay_invoice(&page, changes);
    let paid = Payment { reference: Some("I1".to_owned()), ..payment(number, "I1", 1000, "USD") };
    let request = pay.forge(&paid, at);
    let headers = kamid::channel::capture::borrowed(&request.headers);
    let callback = Callback { method: "POST", path: "/", query: "", headers: &headers, body: &request.body };
    let Ok(Claim::Ask { call, .. }) = pay.verify(&callback, &[], at) else { panic!("it asks nobody") };
    assert_eq!(call.method, "GET");
    assert!(call.url.ends_with("/invoices/I1"), "{}", call.url);
    let confirmed = |answer: &Response| pay.verify(&callback, std::slice::from_ref(answer), at);
    assert_eq!(confirmed(&with(&[])), Ok(Claim::Paid(paid.clone())));
    let of = |minor| Payment { paid: Money { minor, ..paid.paid }, ..paid.clone() };
    assert_eq!(confirmed(&with(&[("amount", json!("9.99"))])), Ok(Claim::Paid(of(999))));
    assert_eq!(confirmed(&with(&[("additionalStatus", json!("PaidOver"))])), Ok(Claim::Paid(of(1000))));
    // Called settled by hand, or paid in part: nothing is known to have come in full, and a person looks.
    for extra in ["Marked", "PaidPartial", "Invalid", "Later"] {
        assert_eq!(confirmed(&with(&[("additionalStatus", json!(extra))])), Ok(Claim::Paid(of(0))), "{extra}");
    }
    let odd = |amount: &str, unit: &str| match confirmed(&with(&[("amount", json!(amount)), ("currency", json!(unit))]))
    {
        Ok(Claim::Paid(payment)) => (payment.paid.minor, payment.paid.currency.to_string()),
        other => panic!("{other:?}"),
    };
    assert_eq!(odd("0.00050000", "BTC"), (50_000, "BTC".to_owned()));
    assert_eq!((odd("50000", "SATS").1, odd("1.234567", "USDT")), ("XXX".to_owned(), (0, "XXX".to_owned())), "held");
    for (changes, reason) in [
        (("status", json!("Processing")), Rejection::StatusNotPaid),
        (("status", json!("Expired")), Rejection::StatusNotPaid),
        (("status", json!("Unheard")), Rejection::Malformed),
        (("id", json!("I2")), Rejection::OrderMismatch),
        (("metadata", json!({"orderId": "KO2"})), Rejection::OrderMismatch),
        (("storeId", json!("other")), Rejection::MerchantMismatch),
        (("amount", json!(10)), Rejection::AmountMalformed),
        (("amount", json!("1e1")), Rejection::AmountMalformed),
    ] {
        assert_eq!(confirmed(&with(std::slice::from_ref(&changes))), Err(reason), "{changes:?}");
    }
    // No answer is no verdict: the callback stays unconfirmed and is repeated.
    for status in [401, 404, 500] {
        assert!(matches!(confirmed(&response(status, &json!({}))), Ok(Claim::Ask { .. })), "{status}");
    }
    let changed = forged(pay.as_ref(), &paid, at, |_, body| body.push(b' '));
    assert_eq!(changed, Err(Rejection::BadSignature));

    let about = Asked { number, reference: "I1", page: "" };
    assert!(question(pay.query(&about, &[], 0)).url.ends_with("/invoices/I1"));
    assert_eq!(said_of(pay.as_ref(), &about, &with(&[]), 0), Answer::Paid(paid.clone()));
    assert_eq!(said_of(pay.as_ref(), &about, &with(&[("status", json!("New"))]), 0), Answer::Unpaid);
    assert_eq!(said_of(pay.as_ref(), &about, &with(&[("status", json!("Expired"))]), 0), Answer::Unpaid);
    let part = [("status", json!("Expired")), ("additionalStatus", json!("PaidPartial"))];
    assert_eq!(said_of(pay.as_ref(), &about, &with(&part), 0), Answer::Paid(of(0)));
    assert_eq!(said_of(pay.as_ref(), &about, &with(&[("id", json!("I2"))]), 0), Answer::Mismatch);
    assert_eq!(said_of(pay.as_ref(), &about, &response(404, &json!({})), 0), Answer::Unknown);
}

#[test]
fn only_a_plain_post_is_read_and_no_empty_secret_starts() {
    for kind in ["stripe", "standard_webhooks", "coinbase_commerce", "btcpay"] {
        let page = vector(kind, "a01");
        let pay = channel(kind, &page["config"], &[]);
        let (_, most) = pay.limits();
        let said = |method: &str, query: &str, length: usize| {
            let body = vec![b' '; length];
            pay.verify(&Callback { method, path: "/", query, headers: &[], body: &body }, &[], 0)
        };
        assert_eq!(said("GET", "", 2), Err(Rejection::MethodNotAllowed), "{kind}");
        assert_eq!(said("POST", "a=1", 2), Err(Rejection::MethodNotAllowed), "{kind}");
        assert_eq!(said("POST", "", most + 1), Err(Rejection::TooLarge), "{kind}");
        assert_eq!(said("POST", "", most), Err(Rejection::MissingSignature), "{kind}");
        let setting = if kind == "standard_webhooks" { "secrets" } else { "webhook_secret" };
        for empty in [json!(""), json!("  "), Value::Null] {
            let mut settings = page["config"].as_object().unwrap().clone();
            settings.insert("kind".to_owned(), kind.into());
            match empty {
                Value::Null => settings.remove(setting),
                empty => settings.insert(setting.to_owned(), empty),
            };
            let section = kamid::settings::Section::from_json("config", &settings);
            let Err(problems) = kamid::channel::Channels::build(&[("pay".to_owned(), section)], true, NOW) else {
                panic!("{kind} starts without a secret")
            };
            let told = problems.iter().filter(|problem| !problem.warning).collect::<Vec<_>>();
            assert!(told.len() == 1 && told[0].path == format!("config.{setting}"), "{kind}: {problems:?}");
        }
    }
}

#[test]
fn secrets_come_one_a_line_or_as_a_list_and_none_of_them_empty() {
    use kamid::settings::Section;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("two"), "whsec_a\r\n\nwhsec_b\n").unwrap();
    std::fs::write(folder.path().join("none"), "\n \n").unwrap();
    let read = |text: &str| {
        let mut problems = Vec::new();
        let secrets = Section::from_toml(text, folder.path(), &mut problems).secrets("s", &mut problems);
        problems.retain(|problem| !problem.warning);
        assert!(problems.iter().all(|problem| !problem.message.contains("whsec_")), "{problems:?}");
        (secrets.iter().map(|secret| secret.reveal().to_owned()).collect::<Vec<_>>(), problems.len())
    };
    let both = vec!["whsec_a".to_owned(), "whsec_b".to_owned()];
    assert_eq!(read("s_file = \"two\""), (both.clone(), 0));
    assert_eq!(read("s = [\"whsec_a\", \"whsec_b\"]"), (both, 0));
    assert_eq!(read("s = \"whsec_a\""), (vec!["whsec_a".to_owned()], 0));
    for wrong in ["s_file = \"none\"", "s_file = \"gone\"", "s = [\"whsec_a\", \" \"]", "s = [\"whsec_a\", 1]", "s = 1"]
    {
        assert_eq!(read(wrong), (Vec::new(), 1), "{wrong}");
    }
    assert_eq!(read(""), (Vec::new(), 0));
}

/// What a channel says of these bytes, signed with its own secret; `head` is what is signed before them.
fn signed(pay: &dyn Channel, page: &Value, header: (&str, &str), head: &str, body: &Value) -> Result<Claim, Rejection> {
    let body = body.to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA256, text(&page["config"], "webhook_secret").as_bytes());
    let hex = HEXLOWER.encode(hmac::sign(&key, format!("{head}{body}").as_bytes()).as_ref());
    let headers = [(Cow::from(header.0), Cow::from(header.1.replace("{}", &hex)))];
    let callback = Callback { method: "POST", path: "/", query: "", headers: &headers, body: body.as_bytes() };
    pay.verify(&callback, &[], 0)
}

#[test]
fn a_signed_stripe_event_is_read_strictly() {
    let page = vector("stripe", "a01");
    let pay = channel("stripe", &page["config"], &[]);
    let said = |header: &str, kind: &str, changes: &[(&str, Value)]| {
        let mut session = json!({"id": "cs_1", "object": "checkout.session", "livemode": false, "amount_total": 100,
            "client_reference_id": "KO1", "metadata": {"order_no": "KO1"}, "currency": "usd", "payment_status": "paid"});
        for (name, value) in changes {
            session[*name] = value.clone();
        }
        let event = json!({"type": kind, "livemode": false, "data": {"object": session}});
        signed(pay.as_ref(), &page, ("stripe-signature", header), "0.", &event)
    };
    let (good, completed) = ("t=0,v1={}", "checkout.session.completed");
    assert!(matches!(said(good, completed, &[]), Ok(Claim::Paid(_))));
    // Two moments, of which either reader could take either; and none, or no signature of the scheme.
    assert_eq!(said("t=0,t=0,v1={}", completed, &[]), Err(Rejection::Malformed));
    assert_eq!(said("v1={}", completed, &[]), Err(Rejection::MissingSignature));
    assert_eq!(said("t=0,v0={}", completed, &[]), Err(Rejection::MissingSignature));
    for (name, value, reason) in [
        ("metadata", json!({"order_no": "KO2"}), Rejection::OrderMismatch),
        ("client_reference_id", Value::Null, Rejection::MissingField),
        ("client_reference_id", json!("KO 1"), Rejection::Malformed),
        ("id", json!("cs/1"), Rejection::Malformed),
        ("livemode", json!(true), Rejection::MerchantMismatch),
        ("object", json!("charge"), Rejection::Malformed),
        ("amount_total", json!(100.0), Rejection::AmountMalformed),
        ("amount_total", json!(-1), Rejection::AmountMalformed),
    ] {
        assert_eq!(said(good, completed, &[(name, value)]), Err(reason), "{name}");
    }
    let unpaid = [("payment_status", json!("no_payment_required"))];
    assert_eq!(said(good, completed, &unpaid), Ok(Claim::Nothing(Reason::StatusNotPaid)));
    for (kind, word) in [
        ("checkout.session.expired", "status_not_paid"),
        ("checkout.session.async_payment_failed", "status_not_paid"),
        ("charge.refunded", "refund_notice"),
        ("refund.created", "refund_notice"),
        ("payment_intent.succeeded", "event_not_handled"),
    ] {
        assert_eq!(said(good, kind, &[]), Ok(Claim::Nothing(Reason::parse(word))), "{kind}");
    }
}

#[test]
fn a_signed_coinbase_event_counts_what_came() {
    let page = vector("coinbase_commerce", "a01");
    let said = |events: &[&str], kind: &str, payments: Value| {
        let pay = channel("coinbase_commerce", &page["config"], &[("paid_events", json!(events))]);
        let charge = json!({"code": "C1", "metadata": {"order_no": "KO1"}, "payments": payments,
            "pricing": {"local": {"amount": "10.00", "currency": "USD"}}});
        let body = json!({"event": {"type": kind, "data": charge}});
        signed(pay.as_ref(), &page, ("x-cc-webhook-signature", "{}"), "", &body)
    };
    let came = |status: &str, amount: &str, currency: &str| json!({"status": status, "value": {"local": {"amount": amount, "currency": currency}}});
    let paid = |minor, currency| {
        Ok(Claim::Paid(Payment { reference: Some("C1".to_owned()), ..payment("KO1", "C1", minor, currency) }))
    };
    let (confirmed, pending) = ("charge:confirmed", "charge:pending");
    let only = |payments: Value| said(&[confirmed], confirmed, payments);
    assert_eq!(only(json!([came("CONFIRMED", "10.00", "USD")])), paid(1000, "USD"));
    assert_eq!(only(json!([came("CONFIRMED", "9.99", "USD"), came("PENDING", "0.01", "USD")])), paid(999, "USD"));
    assert_eq!(only(json!([])), paid(0, "USD"));
    // In what nobody knows what is due in: held.
    assert_eq!(only(json!([came("CONFIRMED", "10.00", "EUR")])), paid(1000, "XXX"));
    let mixed = json!([came("CONFIRMED", "5.00", "USD"), came("CONFIRMED", "5.00", "EUR")]);
    assert_eq!(only(mixed), paid(1000, "XXX"));
    assert_eq!(only(json!([1])), Err(Rejection::Malformed));
    assert_eq!(only(json!({})), Err(Rejection::Malformed));
    // Before the chain has confirmed: only for who asked for it.
    let early = json!([came("PENDING", "10.00", "USD")]);
    assert_eq!(said(&[confirmed], pending, early.clone()), Ok(Claim::Nothing(Reason::StatusNotPaid)));
    assert_eq!(said(&[confirmed, pending], pending, early), paid(1000, "USD"));
    assert_eq!(said(&[confirmed], "invoice:paid", json!([])), Ok(Claim::Nothing(Reason::EventNotHandled)));
}
