//! Every key does what the help says, tested from the table that draws the help.

use std::sync::Arc;

use kamid::domain::{Lang, Reason, Severity};
use kamid::telemetry::snapshot::Holder;
use kamid::top::ask::Ask;
use kamid::top::keys::{BINDINGS, Command, Held, Stand, command};
use kamid::top::model::alarm;
use kamid::top::model::ui::Intent;
use kamid::top::model::{Effect, Message, Model};
use kamid::top::pane::PANES;
use kamid::top::tab::Tab;
use kamid::wire::Content;
use ratatui::crossterm::event::{KeyCode, KeyEvent};

use super::scenes;

fn press(model: &mut Model, code: KeyCode) -> Vec<Effect> {
    model.update(Message::Key(KeyEvent::from(code)))
}

fn asked(effects: &[Effect]) -> Vec<&Ask> {
    effects.iter().filter_map(|effect| if let Effect::Ask(ask) = effect { Some(ask) } else { None }).collect()
}

fn dialog(model: &Model) -> Option<&Intent> {
    model.ui.dialog.as_ref().map(|dialog| &dialog.deed)
}

/// Rows of the pane that is shown.
fn rows(model: &Model) -> usize {
    PANES.of(model.ui.tab).len(model)
}

/// Whether a command did what it says, told from the model before and after and what it asks for.
fn did(what: Command, before: &Model, after: &Model, effects: &[Effect]) -> bool {
    let (row, row_before) = (after.ui.place().row, before.ui.place().row);
    let order = |word: &str| matches!(dialog(after), Some(Intent::Order(action, _)) if action.as_str() == word);
    match what {
        Command::NextTab => after.ui.tab == PANES.step(before.ui.tab, 1),
        Command::PreviousTab => after.ui.tab == PANES.step(before.ui.tab, -1),
        Command::Up | Command::First | Command::PageUp => row < row_before || row_before == 0,
        Command::Down | Command::PageDown => row > row_before || row + 1 == rows(after),
        Command::Last => row + 1 == rows(after),
        Command::Detail => after.ui.detail.is_some(),
        Command::Back => after.ui.detail.is_none(),
        Command::Help => after.ui.help,
        Command::Alarms => after.ui.alarms,
        Command::Filter => after.ui.typing.is_some(),
        Command::Sort => after.ui.place().sort != before.ui.place().sort,
        Command::Pause => after.ui.paused && effects == [Effect::Hold(true)],
        Command::Quit => effects == [Effect::Quit],
        Command::Group => after.ui.grouped,
        Command::Zoom => after.ui.zoom == 1,
        Command::FindOrder => after.ui.tab == Tab::ORDERS && matches!(asked(effects)[..], [Ask::Search(_)]),
        Command::ReplayIncident => matches!(asked(effects)[..], [Ask::Replay(_)]),
        Command::Export => matches!(asked(effects)[..], [Ask::Capture(_)]),
        Command::Block => matches!(dialog(after), Some(Intent::Block(_, false))),
        Command::BlockHolder => matches!(dialog(after), Some(Intent::Block(_, true))),
        Command::Redeliver => order("redeliver"),
        Command::MarkPaid => order("mark-paid"),
        Command::Replace => order("replace"),
        Command::Refund => order("refund"),
        Command::Approve => order("approve"),
        Command::Reject => order("reject"),
        Command::Adopt => matches!(dialog(after), Some(Intent::Payment(_, _, true))),
        Command::Resend => order("resend"),
        Command::SeekBack => effects == [Effect::Seek(-60)],
        Command::SeekForward => effects == [Effect::Seek(60)],
    }
}

/// Somebody holds much and does not pay.
fn hold(model: &mut Model, network: &str) {
    let holder = Holder { network: network.to_owned(), keys: 1200, orders: 12 };
    for instance in model.fleet.instances.values_mut() {
        Arc::make_mut(instance).last.surroundings.holder = Some(holder.clone());
    }
}

#[test]
fn whoever_holds_much_unpaid_is_blocked_with_his_orders() {
    let mut model = scenes::normal(Lang::En);
    press(&mut model, KeyCode::Char('2'));
    assert!(press(&mut model, KeyCode::Char('b')).is_empty() && model.ui.dialog.is_none(), "nobody does");
    hold(&mut model, "203.0.113.9");
    let told = |model: &Model| alarm::judge(model).into_iter().find(|alarm| alarm.id == "holder");
    let alarm = told(&model).unwrap();
    assert_eq!((alarm.tab, alarm.level), (Tab::STOCK, Severity::Alarm));
    assert!(alarm.en.contains("1200 keys held unpaid by 203.0.113.9") && alarm.zh.contains("1200"), "{alarm:?}");
    press(&mut model, KeyCode::Char('b'));
    press(&mut model, KeyCode::Enter);
    for c in "never pays".chars() {
        press(&mut model, KeyCode::Char(c));
    }
    press(&mut model, KeyCode::Enter);
    let effects = press(&mut model, KeyCode::Char('y'));
    let [ask] = asked(&effects)[..] else { panic!("{effects:?}") };
    let wish = serde_json::json!({"address": "203.0.113.9", "minutes": 60, "reason": "never pays", "orders": true});
    assert_eq!(ask.requests()[0].path.join("/"), "v1/addresses/block");
    assert_eq!(ask.requests()[0].content, Content::Json(wish));
}

#[test]
fn every_key_does_what_the_help_says() {
    let mut scene = scenes::alarm(Lang::En);
    hold(&mut scene, "203.0.113.9");
    for (number, pane) in (1..).zip(PANES.0) {
        let tab = pane.tab();
        let mut model = scene.clone();
        press(&mut model, KeyCode::Char(char::from_digit(number, 10).unwrap()));
        assert_eq!(model.ui.tab, tab);
        for binding in BINDINGS {
            for code in binding.codes {
                let mut model = scene.clone();
                model.ui.tab = tab;
                model.position = (binding.held == Held::Recording).then_some((1, 2));
                // In the middle of a list, or on the payment that has no order.
                let middle = if binding.command == Command::Adopt { 0 } else { 1 };
                model.ui.place_mut().row = middle.min(rows(&model).saturating_sub(1));
                let before = model.clone();
                let effects = press(&mut model, *code);
                let meant = command(&KeyEvent::from(*code), &PANES.here(&before));
                if binding.holds(&PANES.here(&before)) {
                    assert!(did(binding.command, &before, &model, &effects), "{code:?} on {tab:?}");
                    assert_eq!(meant, Some(binding.command));
                } else if meant.is_none() {
                    assert!(effects.is_empty() && model.ui.dialog.is_none(), "{code:?} has no meaning on {tab:?}");
                }
                // A token that may only look has no key that changes something.
                if binding.acts {
                    let here = Stand { may_act: false, recording: false, ..PANES.here(&before) };
                    assert_eq!(command(&KeyEvent::from(*code), &here), None);
                }
            }
        }
    }
}

#[test]
fn nothing_is_done_without_a_reason_and_a_yes() {
    let mut model = scenes::alarm(Lang::En);
    press(&mut model, KeyCode::Char('5'));
    press(&mut model, KeyCode::Down);
    assert!(press(&mut model, KeyCode::Char('a')).is_empty());
    // Without a reason it does not go on.
    press(&mut model, KeyCode::Enter);
    assert!(!model.ui.dialog.as_ref().unwrap().asks());
    for c in "seen at the gateway y".chars() {
        assert!(press(&mut model, KeyCode::Char(c)).is_empty());
    }
    press(&mut model, KeyCode::Enter);
    assert!(model.ui.dialog.as_ref().unwrap().asks());
    // Anything but y leaves it.
    let mut other = model.clone();
    assert!(press(&mut other, KeyCode::Enter).is_empty() && other.ui.dialog.is_none());
    let effects = press(&mut model, KeyCode::Char('y'));
    let [Ask::Act { order, action, reason, .. }] = asked(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!(
        (order.as_str(), action.as_str(), reason.as_str()),
        ("07MIBQ3K2XZ0A1B2C001", "approve", "seen at the gateway y")
    );
}

#[test]
fn an_operators_notice_is_looked_at_and_sent_again_by_its_own_name() {
    let mut model = scenes::empty(Lang::En);
    let number = "07MIBQ3K2XZ0A1B2C001";
    let row = serde_json::json!({
        "order": format!("order.held:chat:{number}"), "product": "", "contact": "order.held", "state": "dead",
        "tries": 1, "at": scenes::BEGAN, "next": 0, "by": "chat", "why": "chat not found (400)",
    });
    let list = serde_json::json!({"notices": [row]});
    model.update(scenes::answered(Ask::Notices, &[list]));
    press(&mut model, KeyCode::Char('7'));
    let effects = press(&mut model, KeyCode::Enter);
    assert!(asked(&effects).is_empty() && model.ui.detail.is_some(), "no order has that number: {effects:?}");
    press(&mut model, KeyCode::Esc);
    press(&mut model, KeyCode::Char('n'));
    let effects = press(&mut model, KeyCode::Char('y'));
    let [act] = asked(&effects)[..] else { panic!("{effects:?}") };
    let path = format!("v1/notices/order.held:chat:{number}/resend");
    assert!(matches!(&act.requests()[..], [question] if question.path.join("/") == path), "{act:?}");
    let effects = press(&mut model, KeyCode::Char('o'));
    assert!(matches!(asked(&effects)[..], [Ask::Search(text)] if text == number), "{effects:?}");
}

#[test]
fn a_filter_is_never_longer_than_the_daemon_takes() {
    let mut model = scenes::empty(Lang::Zh);
    press(&mut model, KeyCode::Char('2'));
    press(&mut model, KeyCode::Char('/'));
    for _ in 0..300 {
        press(&mut model, KeyCode::Char('卡'));
    }
    let effects = press(&mut model, KeyCode::Enter);
    let [Effect::Filter(text)] = &effects[..] else { panic!("{effects:?}") };
    assert!(text.starts_with('卡') && text.len() <= kamid::telemetry::snapshot::FILTER_BYTES, "{}", text.len());
}

#[test]
fn a_pause_loses_nothing_and_says_what_it_dropped() {
    let mut model = scenes::normal(Lang::En);
    press(&mut model, KeyCode::Char('p'));
    let frozen = model.fleet.at;
    for n in 900..960 {
        model.update(Message::Line(kamid::top::model::Line::Snapshot(Box::new(scenes::second(
            "a1b2c3d4",
            n,
            n * 60,
            9,
        )))));
    }
    assert_eq!((model.fleet.at, model.dropped), (frozen, 0));
    // However long it stands still, nobody is lost by it.
    let (now, wrong) = (model.now(), model.alarms.clone());
    for second in 1..=60 {
        let effects = model.update(Message::Tick(scenes::BEGAN + 899_000 + second * 1000));
        assert!(!effects.contains(&Effect::Ring));
    }
    assert_eq!((model.now(), &model.alarms), (now, &wrong));
    press(&mut model, KeyCode::Char('p'));
    assert_eq!(model.fleet.at, scenes::BEGAN + 959_000);
    assert_eq!(model.fleet.missed(), 0);
}

#[test]
fn the_key_table_of_the_docs_is_the_one_that_is_used() {
    let docs = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/top.md")).unwrap();
    // One row a key, however many commands it has.
    let numbers = |shown: &str| {
        let holds =
            |own: &[Command]| own.iter().any(|it| BINDINGS.iter().any(|b| b.command == *it && b.shown == shown));
        let panes = (1..).zip(PANES.0).filter(|(_, pane)| holds(pane.keys()));
        panes.map(|(number, _): (usize, _)| number.to_string()).collect::<Vec<_>>().join(" ")
    };
    for binding in BINDINGS {
        let tabs = match binding.held {
            Held::All => "all".to_owned(),
            Held::Lists => "lists".to_owned(),
            Held::Recording => "a recording".to_owned(),
            Held::Own => numbers(binding.shown),
        };
        let line = format!("| `{}` | {} | {tabs} |", binding.shown, binding.says(Lang::En));
        assert!(docs.contains(&line), "docs/top.md lacks: {line}");
    }
    for (number, pane) in (1..).zip(PANES.0) {
        let line = format!("\n| {number} {} | ", pane.title().en);
        assert!(docs.contains(&line), "docs/top.md lacks: {line}");
    }
}

#[test]
fn a_flood_of_one_reason_hides_no_other_incident_and_moves_no_choice() {
    let mut model = scenes::normal(Lang::En);
    let mut next = scenes::second("a1b2c3d4", 1000, 90_000, 0);
    next.incidents = vec![scenes::brief(1000, "extra_payment", "", "11MIBQ3K2XZ0A1B2C70001")];
    scenes::tell(&mut model, next);
    press(&mut model, KeyCode::Char('3'));
    for n in 1001..1030 {
        let mut next = scenes::second("a1b2c3d4", n, 90_000, 0);
        next.incidents = (0..50)
            .map(|other| {
                let mut brief = scenes::brief(n, "bad_signature", "203.0.113.9", "07MIBQ3K2XZ0A1B2C00001");
                brief.id = format!("a1b2c3-{n}-{other}");
                brief
            })
            .collect();
        scenes::tell(&mut model, next);
    }
    let kept = model.incidents.iter().filter(|brief| brief.reason == Reason::ExtraPayment).count();
    assert_eq!((kept, model.incidents.len()), (1, 500));
    // Read far down, where the flood does not push it off.
    press(&mut model, KeyCode::End);
    let chosen = |model: &Model| PANES.of(Tab::FAILED).name(model, model.ui.place_of(Tab::FAILED).row).unwrap();
    let before = chosen(&model);
    let mut next = scenes::second("a1b2c3d4", 1030, 90_000, 0);
    next.incidents = vec![scenes::brief(1030, "bad_signature", "203.0.113.9", "07MIBQ3K2XZ0A1B2C00002")];
    scenes::tell(&mut model, next);
    assert_eq!(chosen(&model), before);
}
