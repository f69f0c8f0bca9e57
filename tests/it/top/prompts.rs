//! What is typed and pasted, on a terminal of any size; what is open and what keys act on stay the same thing.

use kamid::domain::{Action, Lang, NoticeState, Trouble};
use kamid::telemetry::snapshot::{StockAlarm, StockAlarms, StockLine};
use kamid::top::ask::{Ask, Unanswered};
use kamid::top::model::ui::{Intent, Name};
use kamid::top::model::{Effect, Line, Message, Model};
use kamid::top::pane::PANES;
use kamid::top::tab::Tab;
use kamid::top::{Theme, page, picture};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde_json::{Value, json};

use super::scenes;
use crate::support::seat::Seat;
use crate::support::shop::Daemon;

fn press(model: &mut Model, code: KeyCode) -> Vec<Effect> {
    model.update(Message::Key(KeyEvent::from(code)))
}

fn types(model: &mut Model, text: &str) {
    text.chars().for_each(|c| drop(press(model, KeyCode::Char(c))));
}

fn asked(effects: &[Effect]) -> Vec<Ask> {
    let ask = |effect: &Effect| if let Effect::Ask(ask) = effect { Some(ask.clone()) } else { None };
    effects.iter().filter_map(ask).collect()
}

fn screen(model: &Model) -> String {
    page(&picture(model, Theme::Mono, (120, 40)).unwrap())
}

fn held(n: u32, state: &str) -> Value {
    json!({"id": format!("07MIBQ3K2XZ0A1B2C{n:03}"), "state": state, "product": "steam-10", "quantity": 1,
        "amount": "9.90", "currency": "CNY", "contact": "bu…st", "why": "", "paid_at": scenes::BEGAN + u64::from(n)})
}

fn review(model: &mut Model, orders: &[u32]) {
    let orders: Vec<Value> = orders.iter().map(|n| held(*n, "held")).collect();
    model.update(scenes::answered(
        Ask::Review,
        &[json!({"orders": orders}), json!({"orders": []}), json!({"payments": []})],
    ));
}

#[test]
fn what_waits_is_shown_though_this_version_cannot_read_it() {
    let mut model = scenes::empty(Lang::En);
    let orphan = json!({"kind": "orphan", "id": "ZZMIBQ3K2XZ0A1B2C00301", "payment": "alipay|7", "since": 12345});
    let answers = [json!({"orders": [held(1, "held"), 7]}), json!({"orders": []}), json!({"payments": [orphan]})];
    model.update(scenes::answered(Ask::Review, &answers));
    press(&mut model, KeyCode::Char('5'));
    let shown = screen(&model);
    assert!(shown.contains("07MIBQ3K2XZ0A1B2C001") && shown.contains("ZZMIBQ3K2XZ0A1B2C00301"), "{shown}");
    assert_eq!(shown.matches("unreadable here").count(), 2, "{shown}");
    // What is no list at all takes nothing away.
    for ask in [Ask::Review, Ask::Notices, Ask::Incidents, Ask::Info] {
        model.update(scenes::answered(ask.clone(), &[json!([]), json!({}), json!("x")]));
        let (note, ..) = model.ui.note.take().unwrap_or_else(|| panic!("{ask:?} says nothing"));
        assert!(note.contains("cannot be read"), "{ask:?}: {note}");
    }
    assert!(model.review.len() == 3 && !model.may_act, "{:?}", model.review);
}

#[test]
fn what_is_open_is_what_keys_act_on_whatever_the_list_does_meanwhile() {
    let mut model = scenes::empty(Lang::En);
    review(&mut model, &[1, 2, 3, 4]);
    press(&mut model, KeyCode::Char('5'));
    press(&mut model, KeyCode::Down);
    let [Ask::Order(open)] = &asked(&press(&mut model, KeyCode::Enter))[..] else { panic!("no order was asked for") };
    assert!(open.ends_with("002"));
    // An older one comes before it: the mark goes with what is open, and so do the keys.
    review(&mut model, &[0, 1, 2, 3, 4]);
    assert_eq!(model.ui.place().row, 2);
    press(&mut model, KeyCode::Char('a'));
    let deed = |model: &Model| model.ui.dialog.as_ref().map(|dialog| dialog.deed.clone());
    assert_eq!(deed(&model), Some(Intent::Order(Action::Approve, open.clone())));
    types(&mut model, "seen");
    press(&mut model, KeyCode::Enter);
    let [act @ Ask::Act { .. }] = &asked(&press(&mut model, KeyCode::Char('y')))[..] else {
        panic!("nothing was done")
    };
    let effects = model.update(scenes::answered(act.clone(), &[json!({"result": "delivered"})]));
    assert!(asked(&effects).contains(&Ask::Order(open.clone())), "{effects:?}");
    // It is no longer in the list: another row is neither marked nor acted on while it is open.
    review(&mut model, &[0, 1, 3, 4]);
    assert_eq!(PANES.of(Tab::REVIEW).marked(&model), None);
    press(&mut model, KeyCode::Char('u'));
    assert_eq!(deed(&model), Some(Intent::Order(Action::Refund, open.clone())));
    press(&mut model, KeyCode::Esc);
    press(&mut model, KeyCode::Esc);
    press(&mut model, KeyCode::Char('u'));
    assert!(matches!(deed(&model), Some(Intent::Order(_, order)) if order.ends_with("003")), "the next one is chosen");
}

#[test]
fn what_is_open_is_read_again() {
    let mut model = scenes::normal(Lang::En);
    let tick = |model: &mut Model, ms: u64| model.update(Message::Tick(scenes::BEGAN + 899_000 + ms));
    // A product: with the next line of stock.
    press(&mut model, KeyCode::Char('2'));
    press(&mut model, KeyCode::Enter);
    let id = model.ui.detail.as_ref().unwrap().id.clone();
    let mut row = model.stock.rows[&id].clone();
    row.stock.pool = 4242;
    let line =
        StockLine { at: scenes::BEGAN + 900_000, products: 4, matching: 4, rows: vec![row], ..Default::default() };
    model.update(Message::Line(Line::Stock(Box::new(line))));
    tick(&mut model, 1500);
    assert!(screen(&model).contains("4242"), "{}", screen(&model));
    // An order: it is asked for again while it is open, and keeps what it shows when that fails.
    press(&mut model, KeyCode::Char('4'));
    press(&mut model, KeyCode::Enter);
    let id = model.ui.detail.as_ref().unwrap().id.clone();
    model.update(scenes::answered(Ask::Order(id.clone()), &[json!({"id": id, "state": "delivered"})]));
    let again: Vec<Ask> = (2..8).flat_map(|second| asked(&tick(&mut model, second * 1000))).collect();
    assert_eq!(again, [Ask::Order(id.clone()), Ask::Order(id.clone())]);
    model.update(Message::Answer(Ask::Order(id.clone()), Err(Unanswered::Failed("away".to_owned()))));
    assert!(screen(&model).contains("delivered") && !screen(&model).contains("away"));
    model.update(scenes::answered(Ask::Order(id.clone()), &[json!({"id": id, "state": "refunded"})]));
    assert!(screen(&model).contains("refunded"));
    // Also where its notice was opened: what the list knows of that is not what the daemon says of the order.
    press(&mut model, KeyCode::Char('7'));
    let [Ask::Order(id)] = &asked(&press(&mut model, KeyCode::Enter))[..] else { panic!("no order was asked for") };
    assert!(screen(&model).contains("asking the daemon"), "{}", screen(&model));
    model.update(scenes::answered(Ask::Order(id.clone()), &[json!({"id": id, "state": "replaced"})]));
    tick(&mut model, 9000);
    assert!(screen(&model).contains("replaced"), "{}", screen(&model));
}

#[test]
fn a_question_that_cannot_be_seen_takes_no_key() {
    let mut model = scenes::alarm(Lang::En);
    model.update(Message::Resize(80, 24));
    press(&mut model, KeyCode::Char('5'));
    press(&mut model, KeyCode::Down);
    press(&mut model, KeyCode::Char('a'));
    types(&mut model, "seen");
    press(&mut model, KeyCode::Enter);
    assert!(model.ui.dialog.as_ref().unwrap().asks());
    for size in [(59, 24), (80, 15), (10, 3)] {
        model.update(Message::Resize(size.0, size.1));
        model.update(Message::Paste("y".to_owned()));
        for code in [KeyCode::Char('y'), KeyCode::Enter, KeyCode::Char('a'), KeyCode::Esc] {
            assert!(press(&mut model, code).is_empty(), "{code:?} at {size:?}");
        }
        assert_eq!(press(&mut model.clone(), KeyCode::Char('q')), [Effect::Quit]);
    }
    // It stands there again as it was, and a control key is no yes.
    model.update(Message::Resize(80, 24));
    let mut other = model.clone();
    let control = KeyEvent::new(KeyCode::Char('y'), KeyModifiers::CONTROL);
    assert!(asked(&other.update(Message::Key(control))).is_empty());
    assert_eq!(asked(&press(&mut model, KeyCode::Char('y'))).len(), 1);
}

#[test]
fn what_is_pasted_is_text_and_never_a_command_or_a_yes() {
    let mut model = scenes::alarm(Lang::En);
    let before = model.ui.tab;
    let effects = model.update(Message::Paste("q2b\ny".to_owned()));
    assert!(effects.is_empty() && model.ui.tab == before && model.ui.dialog.is_none());
    press(&mut model, KeyCode::Char('3'));
    press(&mut model, KeyCode::Char('b'));
    let field = |model: &Model, name: Name| {
        let dialog = model.ui.dialog.as_ref().unwrap();
        dialog.fields.iter().find(|field| field.name == name).unwrap().text.text().to_owned()
    };
    model.update(Message::Key(KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL)));
    model.update(Message::Paste("90\n".to_owned()));
    assert_eq!(field(&model, Name::Minutes), "90");
    press(&mut model, KeyCode::Enter);
    model.update(Message::Paste("伪造\r\n的回调 y".to_owned()));
    assert_eq!(field(&model, Name::Reason), "伪造  的回调 y");
    press(&mut model, KeyCode::Home);
    press(&mut model, KeyCode::Char('大'));
    assert_eq!(field(&model, Name::Reason), "大伪造  的回调 y");
    assert!(screen(&model).contains("大▏伪造"), "{}", screen(&model));
    press(&mut model, KeyCode::Enter);
    assert!(model.update(Message::Paste("y".to_owned())).is_empty() && model.ui.dialog.is_some());
    let [Ask::Block { minutes: 90, reason, .. }] = &asked(&press(&mut model, KeyCode::Char('y')))[..] else {
        panic!("no block")
    };
    assert_eq!(reason, "大伪造  的回调 y");
}

#[test]
fn what_was_sent_again_is_not_called_put_off() {
    for (lang, shown) in [(Lang::En, "resend 07X: on its way"), (Lang::Zh, "重新通知 07X: 正在发送")] {
        let mut model = scenes::empty(lang);
        let act = |action| Ask::Act {
            order: "07X".to_owned(),
            action,
            reason: String::new(),
            trade_no: None,
            position: None,
        };
        model.update(scenes::answered(act(Action::Resend), &[json!({"result": "waiting"})]));
        assert_eq!(model.ui.note.as_ref().unwrap().0, shown);
    }
    assert_eq!(NoticeState::Waiting.as_str(), "waiting");
}

#[test]
fn wrong_amounts_are_told_and_what_an_operator_shut_out_is_no_alarm() {
    use kamid::domain::Severity;
    let mut model = scenes::normal(Lang::En);
    let mut next = scenes::second("a1b2c3d4", 900, 40_000, 22);
    next.counters.insert("alipay/held/amount_mismatch".to_owned(), 15);
    next.counters.insert("alipay/orphan/order_unknown".to_owned(), 12);
    next.counters.insert("/blocked".to_owned(), 500);
    model.update(Message::Line(Line::Snapshot(Box::new(next))));
    let alarms = StockAlarms(
        [(Trouble::Empty.as_str().to_owned(), StockAlarm { products: 3, product: "netflix".to_owned(), figure: 0 })]
            .into(),
    );
    let line = StockLine { at: scenes::BEGAN + 900_000, alarms: Some(alarms), ..Default::default() };
    model.update(Message::Line(Line::Stock(Box::new(line))));
    model.update(Message::Tick(scenes::BEGAN + 901_000));
    let told: Vec<(Severity, &str, usize)> =
        model.alarms.iter().map(|alarm| (alarm.level, alarm.en.as_str(), PANES.number(alarm.tab))).collect();
    let at = |says: &str| told.iter().position(|(_, en, _)| *en == says).unwrap_or_else(|| panic!("{says}: {told:?}"));
    assert_eq!(told[at("channel alipay: 15 wrong amounts in 1 min")].2, 5);
    assert_eq!(told[at("channel alipay: 12 unknown orders in 1 min; another shop on this account?")].2, 3);
    let sold_out = at("netflix: sold out (and 2 more)");
    let own = at("500 callbacks from addresses you blocked in 1 min");
    assert!(sold_out < own && told[own].0 == Severity::Warning, "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_detail_is_scrolled_to_its_end_and_back_and_text_is_pasted_at_a_real_terminal() {
    let shop = Daemon::start("");
    shop.product("steam-ten", &[], 5);
    let id = shop.order("steam-ten", 1).await;
    assert_eq!(shop.pay(&id, "T-LESS", 1).await.0, 200);
    let data = shop.data.display().to_string();
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_kamid"));
    let mut seat = Seat::take(program, &["top", "--data", &data, "--lang", "en", "--tab", "5"]);
    seat.shows(&["Review(1)", &id]);
    seat.types("\r");
    seat.shows(&["payments", "T-LESS"]);
    // Far past its end, and one line back: one key, one line.
    for _ in 0..30 {
        seat.types("\x1b[6~");
    }
    seat.hides("│ state");
    seat.types("\x1b[5~");
    seat.shows(&["│ state"]);
    seat.types("a");
    seat.shows(&["Approve and deliver order"]);
    // As terminals send what is pasted; then the line is cut and typed anew.
    seat.types("\x1b[200~gone\ny\nwrong\x1b[201~");
    seat.shows(&["reason: gone y wrong"]);
    seat.types("\x15seen 卡\x1b[Dat the \x1b[Hall: ");
    seat.shows(&["reason: all: ▏seen at the 卡"]);
    // Too small for a question: its yes is no yes.
    seat.types("\r");
    seat.shows(&["It cannot be undone"]);
    seat.resize(10, 40);
    seat.shows(&["too small"]);
    seat.types("y");
    // Nothing shows that it was read, and a size that came before it would give it its meaning back.
    std::thread::sleep(std::time::Duration::from_secs(1));
    seat.resize(24, 80);
    seat.hides("too small");
    seat.shows(&["It cannot be undone"]);
    assert_eq!(shop.state(&id).await, "held");
    seat.types("y");
    seat.shows(&["approve", "delivered"]);
    seat.types("q");
    assert_eq!(seat.end().0, 0);
    assert_eq!(shop.state(&id).await, "delivered");
}
