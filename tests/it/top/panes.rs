//! A pane costs a file and a row: one that stands here alone is drawn, chosen in, sorted, opened and clicked like any other.

use kamid::domain::{Lang, Text};
use kamid::telemetry::snapshot::StockLine;
use kamid::top::keys::Command;
use kamid::top::kit::Drawn;
use kamid::top::model::ui::{About, Hit};
use kamid::top::model::{Effect, Line, Message, Model, alarm};
use kamid::top::pane::{List, Opening, PANES, Panes, figure, sort, text};
use kamid::top::tab::Tab;
use kamid::top::update::update;
use kamid::top::view::draw;
use kamid::top::{Theme, page};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent};
use ratatui::style::Style;
use serde_json::json;

use super::scenes;

const DEMAND: Tab = Tab::named("demand");

/// What a product's buyers want: its name, keys sold in an hour.
type Demand = (String, u64);

/// What would be `src/top/pane/demand.rs`.
static PANE: List<Demand> = List {
    tab: DEMAND,
    title: Text::new("Demand", "需求"),
    says: Text::new("what is wanted", "需求"),
    keys: &[Command::Filter],
    count: |model| model.stock.rows.len(),
    columns: &[
        text("product", "商品", 20, 0, |row, _, _| (row.0.clone(), Style::new())),
        figure("hourly", "每小时", 10, 0, |row, _, theme| (row.1.to_string(), theme.good())),
        text("spare", "备用", 60, 1, |_, _, _| ("spare cell".to_owned(), Style::new())),
    ],
    sorts: &[sort("most wanted", "最多", |a, b| b.1.cmp(&a.1)), sort("name", "名称", |a, b| a.0.cmp(&b.0))],
    rows: |model| {
        let filter = &model.ui.place_of(DEMAND).filter;
        let rows = model.stock.rows.values().filter(|row| row.product.contains(filter));
        rows.map(|row| (row.product.clone(), row.hourly)).collect()
    },
    name: |row, _| row.0.clone(),
    open: |row| Opening { id: row.0.clone(), about: About::Live },
    read: |detail, model| model.stock.rows.get(&detail.id).map(|row| json!({"hourly": row.hourly})),
    heading: |_, rows, by| format!("demand of {rows} · {by}"),
    ..List::BLANK
};

/// What would be its row.
fn panes() -> Panes {
    let mut all = PANES.0.to_vec();
    all.push(&PANE);
    Panes(Box::leak(all.into_boxed_slice()))
}

fn press(model: &mut Model, code: KeyCode) -> Vec<Effect> {
    update(model, panes(), Message::Key(KeyEvent::from(code)))
}

fn screen(model: &Model, width: u16) -> (String, Drawn) {
    let mut terminal = Terminal::new(TestBackend::new(width, 24)).unwrap();
    let mut drawn = Drawn::default();
    terminal.draw(|frame| drawn = draw(frame, panes(), model, Theme::Mono)).unwrap();
    (page(terminal.backend().buffer()), drawn)
}

/// What is chosen.
fn chosen(model: &Model) -> String {
    let pane = panes().of(model.ui.tab);
    pane.name(model, pane.marked(model).unwrap()).unwrap()
}

#[test]
fn a_pane_that_is_a_value_and_a_row_is_drawn_sorted_chosen_in_and_opened() {
    let mut model = scenes::normal(Lang::En);
    press(&mut model, KeyCode::Char('9'));
    assert_eq!(model.ui.tab, DEMAND);
    let (text, _) = screen(&model, 120);
    for part in ["9 Demand(4)", "demand of 4 · by most wanted", "hourly", "25000", "spare cell"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!screen(&model, 80).0.contains("spare cell"), "it hides first where there is no room");
    model.lang = Lang::Zh;
    let zh = screen(&model, 120).0;
    assert!(zh.contains("9 需求(4)") && zh.contains("排序 最多") && zh.contains("每小时"), "{zh}");
    model.lang = Lang::En;
    // Sorted the other way, the row that was chosen stays so.
    press(&mut model, KeyCode::Down);
    assert_eq!(chosen(&model), "game-pass");
    press(&mut model, KeyCode::Char('s'));
    assert!(screen(&model, 120).0.contains("by name"));
    assert_eq!((chosen(&model).as_str(), model.ui.place().row), ("game-pass", 0));
    // And wherever it stands after news.
    press(&mut model, KeyCode::Char('s'));
    press(&mut model, KeyCode::Down);
    let wanted = chosen(&model);
    let mut row = model.stock.rows["office"].clone();
    row.hourly = 99_999;
    let line =
        StockLine { at: scenes::BEGAN + 900_000, products: 4, matching: 4, rows: vec![row], ..StockLine::default() };
    update(&mut model, panes(), Message::Line(Line::Stock(Box::new(line))));
    assert_eq!((chosen(&model), model.ui.place().row), (wanted.clone(), 2));
    // Opened, by a key or by a second click; what is known of it is read again.
    press(&mut model, KeyCode::Enter);
    let detail = model.ui.detail.clone().unwrap();
    assert_eq!((detail.id, detail.value), (wanted, Some(json!({"hourly": model.stock.rows[&chosen(&model)].hourly}))));
    press(&mut model, KeyCode::Esc);
    let hits = screen(&model, 120).1.hits;
    assert!(hits.iter().any(|(_, hit)| *hit == Hit::Tab(DEMAND)) && hits.iter().any(|(_, hit)| *hit == Hit::Row(3)));
    update(&mut model, panes(), Message::Click(Hit::Row(0)));
    assert!(model.ui.detail.is_none());
    update(&mut model, panes(), Message::Click(Hit::Row(0)));
    assert_eq!(model.ui.detail.as_ref().unwrap().id, "office");
    press(&mut model, KeyCode::Esc);
    // It filters, has its line in the help, and stands between its neighbours.
    press(&mut model, KeyCode::Char('/'));
    "steam".chars().for_each(|c| drop(press(&mut model, KeyCode::Char(c))));
    press(&mut model, KeyCode::Enter);
    assert_eq!(panes().of(DEMAND).len(&model), 1);
    press(&mut model, KeyCode::Char('?'));
    let help = screen(&model, 120).0;
    assert!(help.contains("what is wanted") && help.contains("keys here · Demand"), "{help}");
    press(&mut model, KeyCode::Right);
    assert_eq!(model.ui.tab, Tab::OVERVIEW);
    press(&mut model, KeyCode::Left);
    assert_eq!(model.ui.tab, DEMAND);
}

#[test]
fn whatever_an_alarm_points_at_is_a_pane() {
    for model in [scenes::alarm(Lang::En), scenes::disconnected(Lang::En)] {
        for alarm in alarm::judge(&model) {
            assert!(PANES.number(alarm.tab) > 0, "{alarm:?}");
        }
    }
    for matter in alarm::matters::MATTERS {
        assert!(PANES.number(matter.place().1) > 0, "{}", matter.kind);
    }
}
