//! Every word that the daemon can write down is one that an operator reads in his language.

use kamid::domain::{Cause, Doubt, Lang, Reason, Trouble};
use kamid::telemetry::snapshot::{NoticeCounts, StockRow, Surroundings};
use kamid::top::labels::label;
use kamid::top::lang::word;
use serde_json::{Value, json};

use crate::support::shop::Daemon;

#[test]
fn every_reason_is_read_in_both_languages() {
    for reason in Reason::ALL {
        let row = reason.row();
        assert_eq!([Lang::En, Lang::Zh].map(|lang| word(lang, row.word)), [row.text.en, row.text.zh], "{}", row.word);
    }
    assert_eq!(word(Lang::Zh, "sun_spots"), "sun_spots", "a newer daemon's word is shown as it is");
}

/// Every field of a value, of those inside it too.
fn fields(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(all) => all.iter().for_each(|(name, value)| {
            found.push(name.clone());
            fields(value, found);
        }),
        Value::Array(all) => all.iter().for_each(|value| fields(value, found)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_field_of_a_detail_has_a_chinese_label() {
    let shop = Daemon::start("[notify.mail]\nkind = \"folder\"\nfrom = \"shop@example.test\"\n");
    shop.product("labelled", &["--low", "3"], 5);
    let id = shop.order("labelled", 1).await;
    assert_eq!(shop.pay(&id, "L1", 1).await.0, 200);
    shop.json(&["order", "approve", &id, "--reason", "seen"], "");
    assert_eq!(shop.send("/pay/pay/notify?money=1").await.0, 400);
    let refused = shop.incidents("missing_signature", 1).await;
    let incident = shop.admin(&format!("/v1/incidents/{}", refused[0]["id"].as_str().unwrap())).await;
    let order = shop.admin(&format!("/v1/orders/{id}")).await;
    let row = StockRow { low: 1, retired: true, ..StockRow::default() };
    let channel = json!({"kind": "", "last_callback": 0, "addresses": 0, "refused_by_reason_in_a_minute": {},
        "counted_since_first_heard": {}});
    let surroundings = Surroundings {
        full: Some(String::new()),
        careless: Some(String::new()),
        doubt: Some(Doubt { cause: Cause::Gone, since: 0, run: String::new(), missing: Vec::new() }),
        ..Surroundings::default()
    };
    let mut found = Vec::new();
    for value in [incident, order, json!(row), json!(surroundings), channel, json!(NoticeCounts::default())] {
        fields(&value, &mut found);
    }
    // Shown under other names, or not at all.
    let hidden = ["id", "amount_minor", "created", "page", "dead"];
    for field in found.iter().filter(|field| !hidden.contains(&field.as_str())) {
        assert!(*field == "redis" || label(Lang::Zh, field) != *field, "{field} has no Chinese label");
        assert_eq!(label(Lang::En, field), *field);
    }
    assert_eq!(label(Lang::Zh, "rejected/bad_signature"), "已拒绝/签名错误");
    assert_eq!(word(Lang::Zh, Trouble::Owed.as_str()), "待补货");
}
