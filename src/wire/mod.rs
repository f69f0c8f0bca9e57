//! What goes over the admin API: its routes as one table, their requests and their answers, the same types on both sides.
//!
//! Knows neither axum nor reqwest: `http` answers a [`Route`], `client` asks for one, and docs/http.md lists them; a test
//! compares. Two versions run side by side. Invariant: an answer may have fields that a reader does not know, a request may
//! not, or what is asked for would be done by half. Answers that are looked at may lack fields and have words that are not
//! known ([`Word`]); those that are counted, compared or kept must be whole: money that is left out is a wrong answer.

pub mod channels;
pub mod incidents;
pub mod notices;
pub mod operators;
pub mod orders;
pub mod payments;
pub mod products;
pub mod public;
mod question;
mod route;
mod routes;
pub mod shop;
mod word;

pub use question::{Content, InPath, Payload, Question};
pub use route::{Nothing, Raw, Route, RouteRow, TrailWord, Verb, With};
pub use routes::*;
pub use word::Word;

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::incidents::IncidentList;
    use super::orders::{LookList, OrderList, OrderSearch, OrdersMade, UnpaidList};
    use super::payments::{PaymentList, PaymentView};
    use super::products::{ImportWish, NewProduct, ProductView};
    use super::*;
    use crate::domain::{Action, AuditReport, Note, OrderState, PaymentState, Reason};

    #[test]
    fn an_answer_may_say_what_is_not_known_here() {
        let answer = json!({"orders": [{"id": "A", "state": "frozen", "colour": 1}, {"state": "held"}], "more": {}});
        let list: OrderList = serde_json::from_value(answer).unwrap();
        assert_eq!((list.orders[0].state.to_string(), list.orders[0].state.known()), ("frozen".to_owned(), None));
        assert!(list.orders[1].state.is(OrderState::Held));
        let answer = json!({"incidents": [{"id": "A", "reason": "sun_spots", "moon": 1}, {"reason": "held"}, {}]});
        let list: IncidentList = serde_json::from_value(answer).unwrap();
        let reasons = list.incidents.into_iter().map(|brief| brief.reason).collect::<Vec<_>>();
        assert_eq!(reasons, [Reason::Other("sun_spots".to_owned()), Reason::Held, Reason::default()]);
        let answer = json!({"incidents": [{"id": "A"}, {"id": 7}, "B", {"id": "C"}], "only_counted": 2});
        let list: IncidentList = serde_json::from_value(answer).unwrap();
        let ids = list.incidents.iter().map(|brief| brief.id.as_str()).collect::<Vec<_>>();
        assert_eq!((ids, list.only_counted), (vec!["A", "C"], 2));
    }

    #[test]
    fn what_is_counted_or_compared_must_be_whole() {
        let paid = json!({"channel": "a", "trade_no": "1", "state": "settled", "number": "N", "amount": "9.90",
            "amount_minor": 990, "currency": "CNY", "at": 1, "time": "", "colour": 1});
        assert!(serde_json::from_value::<PaymentView>(paid.clone()).is_ok_and(|it| it.state == PaymentState::Settled));
        let look = json!({"id": "A", "state": "delivered", "quantity": 1, "keys": 1, "payments": [paid]});
        for (name, odd) in
            [("state", json!("melted")), ("amount_minor", json!(null)), ("trade_no", json!(7)), ("currency", json!([]))]
        {
            let (mut lacks, mut has) = (look.clone(), look.clone());
            lacks["payments"][0].as_object_mut().unwrap().remove(name);
            has["payments"][0][name] = odd;
            for wrong in [lacks, has] {
                let list = json!({"orders": [look, wrong]});
                assert!(serde_json::from_value::<LookList>(list.clone()).is_err(), "{list}");
            }
        }
        let nothing = || json!({});
        assert!(serde_json::from_value::<LookList>(nothing()).is_err());
        assert!(serde_json::from_value::<PaymentList>(nothing()).is_err());
        assert!(serde_json::from_value::<UnpaidList>(nothing()).is_err());
        assert!(serde_json::from_value::<AuditReport>(nothing()).is_err());
    }

    #[test]
    fn a_request_may_not() {
        let product = |value: Value| serde_json::from_value::<NewProduct>(value);
        assert!(product(json!({"id": "a", "price": "1"})).is_ok());
        for wrong in [json!({"id": "a", "prise": "1"}), json!({"price": "1"}), json!({"id": "a", "low": -1})] {
            assert!(product(wrong.clone()).is_err(), "{wrong}");
        }
        for twice in [r#"{"id": "a", "id": "b", "price": "1"}"#, r#"{"id": "a", "price": "1", "price": "2"}"#] {
            assert!(serde_json::from_str::<NewProduct>(twice).is_err(), "{twice}");
        }
        assert!(serde_json::from_value::<Note>(json!({"reason": "x", "positon": 2})).is_err());
        assert!(serde_json::from_value::<OrderSearch>(json!({"state": "frozen"})).is_err());
        assert!(
            serde_json::from_value::<super::operators::BlockWish>(json!({"address": "::1", "minutes": 1})).is_err()
        );
    }

    #[test]
    fn a_question_has_its_parts_where_they_are_read() {
        let note = Note { reason: "seen".to_owned(), ..Note::default() };
        let act = Question::of::<ActOnOrder>(&("07X".to_owned(), Action::MarkPaid), &note);
        assert_eq!((act.verb, act.path.join("/").as_str()), (Verb::Post, "v1/orders/07X/act/mark-paid"));
        assert!(matches!(&act.content, Content::Json(body) if body["reason"] == "seen") && act.query.is_empty());
        let wish = ImportWish { first: 7, as_lines: true, ..ImportWish::default() };
        let import = Question::of::<ImportKeys>(&"p".to_owned(), &With { query: wish, body: Raw(b"A\n".to_vec()) });
        let query: Vec<String> = import.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(query, ["first=7", "as_lines=true", "judged=false"]);
        assert_eq!(import.content, Content::Text(b"A\n".to_vec()));
        let list = Question::of::<ListOrders>(&(), &OrderSearch { limit: 3, ..OrderSearch::default() });
        assert_eq!((list.query, list.content), (vec![("limit".to_owned(), "3".to_owned())], Content::Nothing));
        assert_eq!(Question::of::<RemoveToken>(&"a".to_owned(), &Nothing).content, Content::Nothing);
    }

    #[test]
    fn answers_have_their_fields_in_the_order_they_always_had() {
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
        let product = serde_json::to_value(ProductView::default()).unwrap();
        assert_eq!(
            keys(&product),
            "id name price take slot per_order per_address per_contact sale_from sale_until expires_minutes low retired revision created price_minor currency stock"
        );
        assert_eq!(keys(&product["stock"]), "pool reserved imported given voided owed available");
        let order =
            super::orders::OrderWhole { page: Some(String::new()), keys: Some(Vec::new()), ..Default::default() };
        assert_eq!(
            keys(&serde_json::to_value(order).unwrap()),
            "id state product quantity amount amount_minor currency contact created_at created expires_at paid_at delivered_at why payments attempts history page notice reserved keys"
        );
        let made = json!({"id": "A", "payment_no": "A01", "state": "pending", "amount": "9.90", "amount_minor": 990,
            "currency": "CNY", "expires_at": 1, "pay": {"kind": "redirect", "url": "u"}, "page": "p", "code": "c", "token": "t"});
        for whole in [
            made,
            json!({"orders": [{"id": "A", "token": "t", "payment_no": "A01", "amount_minor": 990,
            "currency": "CNY", "reference": ""}]}),
        ] {
            let read: OrdersMade = serde_json::from_value(whole.clone()).unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), whole.to_string());
        }
    }
}
