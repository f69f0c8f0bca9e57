//! Every screen as text: in its states, sizes and languages.
//!
//! `INSTA_UPDATE=always cargo test --test it top::screens` writes them anew; look at each change.

use kamid::domain::Lang;
use kamid::top::ask::Ask;
use kamid::top::model::ui::About;
use kamid::top::model::{Message, Model};
use kamid::top::pane::PANES;
use kamid::top::tab::Tab;
use kamid::top::{Theme, page, picture};
use ratatui::crossterm::event::{KeyCode, KeyEvent};

use super::scenes;

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

fn screen(model: &Model, size: (u16, u16)) -> String {
    page(&picture(model, Theme::Mono, size).unwrap())
}

fn press(model: &mut Model, keys: &[KeyCode]) {
    for code in keys {
        model.update(Message::Key(KeyEvent::from(*code)));
    }
}

#[test]
fn the_first_screen_in_every_state_size_and_language() {
    for (name, lang) in [("en", Lang::En), ("zh", Lang::Zh)] {
        let states = [
            ("empty", scenes::empty(lang)),
            ("normal", scenes::normal(lang)),
            ("alarm", scenes::alarm(lang)),
            ("disconnected", scenes::disconnected(lang)),
        ];
        for (state, model) in states {
            for size in SIZES {
                insta::assert_snapshot!(format!("{state}-{name}-{}x{}", size.0, size.1), screen(&model, size));
            }
        }
    }
}

#[test]
fn every_tab_when_something_is_wrong() {
    for (name, lang) in [("en", Lang::En), ("zh", Lang::Zh)] {
        let mut model = scenes::alarm(lang);
        for pane in PANES.0 {
            model.ui.tab = pane.tab();
            for size in [(80, 24), (120, 40)] {
                let title = pane.tab().name();
                insta::assert_snapshot!(format!("tab-{title}-{name}-{}x{}", size.0, size.1), screen(&model, size));
            }
        }
    }
}

#[test]
fn help_detail_and_question() {
    let mut model = scenes::alarm(Lang::En);
    press(&mut model, &[KeyCode::Char('5'), KeyCode::Char('?')]);
    insta::assert_snapshot!("help-review-80x24", screen(&model, (80, 24)));
    press(
        &mut model,
        &[KeyCode::Esc, KeyCode::Down, KeyCode::Char('a'), KeyCode::Char('o'), KeyCode::Char('k'), KeyCode::Enter],
    );
    insta::assert_snapshot!("question-approve-80x24", screen(&model, (80, 24)));
    press(&mut model, &[KeyCode::Char('n'), KeyCode::Char('3'), KeyCode::Enter]);
    let id = model.ui.detail.as_ref().unwrap().id.clone();
    let told = serde_json::json!({"id": id, "reason": "bad_signature", "advice": "The signature does not fit.", "at": scenes::BEGAN,
        "request": {"method": "GET", "target": "/pay/alipay/notify?money=9.90"}, "canonical": "money=9.90&name=order"});
    model.update(scenes::answered(Ask::Incident(id), &[told]));
    insta::assert_snapshot!("detail-incident-120x40", screen(&model, (120, 40)));
}

#[test]
fn a_small_terminal_says_so_and_every_size_can_be_drawn() {
    let mut model = scenes::alarm(Lang::Zh);
    assert!(screen(&model, (40, 10)).contains("窗口太小"));
    for tab in PANES.0.iter().map(|pane| pane.tab()) {
        model.ui.tab = tab;
        model.ui.open("x", About::Incident);
        for size in [(1, 1), (60, 16), (61, 17), (79, 23), (97, 31), (139, 45), (300, 100)] {
            let text = screen(&model, size);
            assert!(
                text.lines().all(|line| kamid::top::text::columns(line) <= usize::from(size.0)),
                "{tab:?} {size:?}"
            );
        }
    }
}

#[test]
fn hostile_text_changes_nothing_outside_its_cell() {
    let hostile = format!("\u{1b}[2J\u{1b}]0;gotcha\u{7}\u{202e}evil{}\r\n\tend", "\u{301}".repeat(10_000));
    let mut clean = scenes::alarm(Lang::En);
    let mut model = scenes::alarm(Lang::En);
    for (model, text) in [(&mut clean, "harmless"), (&mut model, hostile.as_str())] {
        for row in &mut model.review {
            row.contact = text.to_owned();
            row.why = text.to_owned();
        }
        for row in model.stock.rows.values_mut() {
            row.name = text.to_owned();
        }
        for brief in &mut model.incidents {
            (brief.number, brief.address, brief.channel) = (text.to_owned(), text.to_owned(), text.to_owned());
        }
        model.ui.open("x", About::Incident);
        model.ui.fill("x", serde_json::json!({"number": text, "target": text}));
    }
    for tab in PANES.0.iter().map(|pane| pane.tab()) {
        for model in [&mut clean, &mut model] {
            model.ui.tab = tab;
        }
        let (before, after) = (screen(&clean, (120, 40)), screen(&model, (120, 40)));
        let frame = |text: &str| text.chars().filter(|c| "│┌┐└┘".contains(*c)).collect::<String>();
        if tab != Tab::OVERVIEW {
            assert_eq!(frame(&before), frame(&after), "{tab:?}");
        }
        for bad in ["\u{1b}", "\u{7}", "\u{202e}", "\r", "\t"] {
            assert!(!after.contains(bad), "{tab:?} lets {bad:?} through");
        }
        let heap = after.chars().filter(|c| *c == '\u{301}').count();
        assert!(heap < 2 * 40 * 120, "{heap} marks");
        assert!(after.lines().all(|line| kamid::top::text::columns(line) <= 120), "{tab:?}");
    }
}
